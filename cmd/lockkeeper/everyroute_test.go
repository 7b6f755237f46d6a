package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
	"github.com/lockkeeper/lockkeeper/internal/forge/github"
	"github.com/lockkeeper/lockkeeper/internal/forge/gitlab"
	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
)

// TestEveryRouteFailsAndTheStoryEndsTheSame tells the full story twice: once as it should be, which says how it ends and which requests
// there are, and once with everything going wrong on each of their routes.
func TestEveryRouteFailsAndTheStoryEndsTheSame(t *testing.T) {
	t.Parallel()
	onBothForges(t, func(t *testing.T, b *bed) {
		smooth := &rough{taken: map[string]int{}}
		want := b.fullStory(smooth)
		all := smooth.routes()
		for _, needed := range needed(b.github) {
			if !slices.ContainsFunc(slices.Collect(maps.Keys(all)), func(route string) bool { return strings.Contains(route, needed) }) {
				t.Errorf("the story does without %q", needed)
			}
		}
		if t.Failed() {
			t.Fatalf("its routes are:\n%s", strings.Join(slices.Sorted(maps.Keys(all)), "\n"))
		}
		again := newBedOn(t, b.github)
		hard := &rough{taken: map[string]int{}, mishap: everyMishap}
		got := again.fullStory(hard)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("it ends otherwise (-want +got):\n%s", diff)
		}
		struck := hard.routes()
		for route := range all {
			if struck[route] == 0 {
				t.Errorf("nothing went wrong with %s", route)
			}
		}
	})
}

// needed are parts of routes without which the story would not be the full one.
func needed(github bool) []string {
	if github {
		return []string{
			"/access_tokens", "query OpenChanges", "query Merge", "mutation Enqueue", "mutation Dequeue", "POST …/pulls", "PUT …/pulls/…/merge", "GET …/commits/…/check-runs",
			"POST …/check-runs", "PATCH …/check-runs/…", "POST …/deployments", "POST …/deployments/…/statuses", "GET …/issues/…/comments", "POST …/issues/…/comments",
			"POST …/issues/comments/…/reactions", "/memberships/", "git-receive-pack", "git-upload-pack",
		}
	}
	return []string{
		"GET …/merge_requests", "POST …/merge_requests", "PUT …/merge_requests/…/merge", "POST …/merge_requests/…/cancel_merge_when_pipeline_succeeds",
		"POST …/statuses/…", "GET …/repository/commits/…/statuses", "GET …/external_status_checks", "POST …/merge_requests/…/status_check_responses",
		"GET …/merge_requests/…/status_checks", "GET …/merge_requests/…/notes", "POST …/merge_requests/…/notes", "POST …/merge_requests/…/notes/…/award_emoji",
		"GET …/members/all/…", "/groups/", "POST …/deployments", "PUT …/deployments/…", "git-receive-pack", "git-upload-pack",
	}
}

// fullStory is all that the bot does with a forge: a release that a person has queued, held and let go on, which is merged,
// delivered and rolled back. It returns what is left of it.
func (b *bed) fullStory(way *rough) ending {
	b.t.Helper()
	team := "acme"
	if b.github {
		team, _, _ = strings.Cut(worldProject, "/")
	} else {
		b.requireChecks()
		b.createCheck(externalCheckName)
	}
	team += "/release"
	b.groups(map[string][]string{team: {worldPerson}})
	rules := "commands: [{teams: [" + team + "]}]\n"
	b.commit("main", map[string]string{"lockkeeper.yaml": rules})
	b.adopt()
	way.next = b.wire
	b.takes(way)

	b.push(b.t, b.image(), "1.0.2")
	mergeable := func(o reconcile.Outcome) bool {
		change, ok := openOf(o, devStage)
		return ok && gatesPass(o, devStage) && change.Merge != promote.MergeBlocked && o.State.Statuses[change.Head].State == promote.StatusSuccess
	}
	change, _ := openOf(b.anyhow("the change", nil, mergeable), devStage)
	finish := b.waits(change)
	queued := func(yes bool) func(reconcile.Outcome) bool {
		return func(o reconcile.Outcome) bool {
			now, ok := openOf(o, devStage)
			return ok && (now.Merge == promote.MergeQueued) == yes
		}
	}
	b.anyhow("the change to be queued", []promote.Event{b.you.comment(change.Number, "/promote")}, queued(true))
	b.anyhow("it to leave the queue", []promote.Event{b.you.comment(change.Number, "/hold")}, queued(false))
	b.takes(way)
	b.anyhow("a new process to know the change", nil, queued(false))
	finish()
	b.anyhow("the stage to go on", []promote.Event{b.you.comment(change.Number, "/resume")}, func(o reconcile.Outcome) bool { return len(o.State.History.Holds) == 0 })
	b.commit("main", map[string]string{"lockkeeper.yaml": rules + "stages: [{stage: develop/frontend-dev-stage, autoMerge: true}]\n"})
	b.anyhow("dev to run 1.0.2", nil, func(o reconcile.Outcome) bool { return runs(devStage, "1.0.2")(o) && gatesPass(o, prodStage) })
	b.anyhow("dev to go back", []promote.Event{b.you.comment(change.Number, "/rollback frontend-dev-stage")}, func(o reconcile.Outcome) bool {
		return runs(devStage, "1.0.1")(o)
	})
	return b.ending(b.anyhow("the end", nil, func(o reconcile.Outcome) bool { return len(o.Applied) == 0 }))
}

// takes starts a process anew that goes to the forge by a way, as API and as Git.
func (b *bed) takes(way http.RoundTripper) {
	b.t.Helper()
	client := &http.Client{Transport: way}
	cfg := b.newLoop(b.wire).Config
	remote := git.Config{URL: b.repo.URL(), Username: worldBot, Author: cfg.Author, HTTPClient: client, Timeout: deadline}
	var err error
	if b.github {
		app, noApp := github.NewApp(github.AppConfig{URL: b.forgeURL, ID: int64(b.hubApp.id), PrivateKey: secret.Text(b.hubApp.key), HTTPClient: client, Sleep: atOnce})
		if noApp != nil {
			b.t.Fatal(noApp)
		}
		remote.Token = func(ctx context.Context) (secret.Text, error) {
			token, _, err := app.Token(ctx, worldProject)
			return token, err
		}
		cfg.Forge, err = github.New(github.Config{
			URL: b.forgeURL, Repository: worldProject, App: app, Checks: true, HTTPClient: client, Sleep: atOnce, Now: b.now,
		})
	} else {
		remote.Token = func(context.Context) (secret.Text, error) { return worldToken, nil }
		cfg.Forge, err = gitlab.New(gitlab.Config{
			URL: b.forgeURL, Project: worldProject, Token: worldToken, ExternalStatusCheck: externalCheckName, HTTPClient: client, Sleep: atOnce, Now: b.now,
		})
	}
	if err != nil {
		b.t.Fatal(err)
	}
	if cfg.Git, err = git.Open(remote); err != nil {
		b.t.Fatal(err)
	}
	cfg.Deployer, cfg.Sources = deployer(cfg.Forge), b.sources(cfg.Git)
	b.loop = reconcile.New(cfg)
}

// waits has the forge merge a change by itself later, until the function is called.
func (b *bed) waits(change promote.Change) (finish func()) {
	b.t.Helper()
	if b.github {
		if err := b.forge.SetRules(worldProject, "main", &devforge.BranchRules{
			Checks: []devforge.RequiredCheck{{Context: promote.StatusName, App: b.hubApp.id}}, Queue: true,
		}); err != nil {
			b.t.Fatal(err)
		}
		return func() {
			if err := b.forge.SetRules(worldProject, "main", nil); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	id, err := b.forge.RunPipeline(b.t.Context(), worldProject, change.Number, devforge.BranchPipeline)
	if err != nil {
		b.t.Fatal(err)
	}
	return func() {
		if err := b.forge.FinishPipeline(b.t.Context(), worldProject, id, "success"); err != nil {
			b.t.Fatal(err)
		}
	}
}

// anyhow runs the loop until something is so, as the queue of the bot does: events are worked off when a run succeeds, and a run that
// fails comes again, as late as the forge asks.
func (b *bed) anyhow(what string, events []promote.Event, so func(reconcile.Outcome) bool) reconcile.Outcome {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), deadline)
	defer cancel()
	var said []string
	var last promote.Plan
	for ctx.Err() == nil {
		outcome, err := b.loop.Run(ctx, reconcile.Options{Events: slices.Concat(everything(), events, []promote.Event{{Kind: promote.EventStatus}})})
		if err != nil {
			said = append(said, err.Error())
			if refused, ok := errors.AsType[*promote.APIError](err); ok {
				b.ahead += refused.RetryAfter
			}
			continue
		}
		if events = nil; so(outcome) {
			return outcome
		}
		last = outcome.Plan
	}
	b.t.Fatalf("%s did not happen; the plan was:\n%s\nand the errors:\n%s", what, last, strings.Join(said, "\n"))
	return reconcile.Outcome{}
}

// An ending is what a story leaves, without numbers of commits.
type ending struct {
	Dev, Prod   []string // promotions
	Changes     []string
	Notes       map[int]int
	Statuses    []string // of what is open
	Check       string
	Holds       int
	Deployments map[string]int
}

func (b *bed) ending(o reconcile.Outcome) ending {
	b.t.Helper()
	out := ending{
		Dev: promotions(o, devStage), Prod: promotions(o, prodStage), Notes: map[int]int{}, Holds: len(o.State.History.Holds), Deployments: map[string]int{},
	}
	for _, m := range b.mergeRequests() {
		out.Changes = append(out.Changes, fmt.Sprintf("%s %s %q %v", m.State, m.Source, m.Title, m.Labels))
		out.Notes[m.IID] = len(b.notes(m.IID))
		if m.State == "opened" {
			out.Statuses = append(out.Statuses, b.status(promote.Commit(m.SHA)))
			if !b.github {
				out.Check = b.checkSays(m.IID)
			}
		}
	}
	var deployed []struct{ Environment any }
	if b.github {
		b.you.hub(http.MethodGet, "deployments?per_page=100", nil, &deployed)
	} else {
		b.you.read("deployments?per_page=100", &deployed)
	}
	for _, one := range deployed {
		name := fmt.Sprint(one.Environment)
		if shown, ok := one.Environment.(map[string]any); ok {
			name = fmt.Sprint(shown["name"])
		}
		out.Deployments[name]++
	}
	return out
}
