package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
)

// What a promotion may cost in requests to the forge's API.
const (
	budgetToProposal = 4  // from the event to the open, labelled, gated change
	budgetWithToken  = 5  // the same when the token of an App has just ended
	budgetToNote     = 7  // from the merge to the note, however often Argo CD is looked at; 3 of them show the deployment
	budgetToNext     = 12 // from the merge to the next stage's open, gated change; 4 of them show the deployment

	budgetToGrid  = 20 // ten services to five targets, each target in a change of its own
	budgetToQuiet = 2  // an event that changes nothing
)

// botCalls lists the API requests of the bot so far.
func (b *bed) botCalls() []string {
	var lines []string
	for _, call := range b.forge.Calls() {
		if call.User == worldBot || call.User == worldBot+"[bot]" {
			lines = append(lines, fmt.Sprintf("%s %s → %d", call.Method, call.Path, call.Status))
		}
	}
	return lines
}

func within(t *testing.T, what string, budget int, calls []string) {
	t.Helper()
	if len(calls) > budget {
		t.Errorf("%s took %d requests, the budget is %d:\n%s", what, len(calls), budget, strings.Join(calls, "\n"))
	}
	t.Logf("%s: %d requests", what, len(calls))
}

func TestBudget(t *testing.T) {
	t.Parallel()
	onBothForges(t, budget)
}

func budget(t *testing.T, b *bed) {
	b.adopt()
	for _, tt := range []struct {
		name    string
		loop    *reconcile.Reconciler
		tag     string
		expired bool
	}{
		{"a release, in a process that just started", b.newLoop(b.wire), "1.0.2", false},
		{"a release while another one is open, in a process that just started", b.newLoop(b.wire), "1.0.3", false},
		{"a release after an hour, in a process that has run for a while", nil, "1.0.4", true},
		{"a release, in a process that has run for a while", nil, "1.0.5", false},
	} {
		if tt.loop != nil {
			b.loop = tt.loop
		}
		most := budgetToProposal
		if tt.expired && b.expire != nil {
			b.expire()
			most = budgetWithToken
		}
		b.wire.reset()
		change := b.propose(tt.tag)
		api, _ := b.wire.requests()
		within(t, tt.name, most, api)
		if have := b.status(change.Head); have != "success: all 7 gates pass" {
			t.Errorf("%s: status %q", tt.name, have)
		}
	}
	b.quiet(t)
	b.delivered(t)
}

// TestIdle lets an hour of sweeps pass over a repository in which nothing happens.
func TestIdle(t *testing.T) {
	t.Parallel()
	onBothForges(t, idle)
}

func idle(t *testing.T, b *bed) {
	b.adopt()
	hour := func(what string, budget int) {
		t.Helper()
		b.forge.ResetCalls()
		for range 12 {
			b.ahead += 5 * time.Minute
			if outcome := b.run(promote.Event{Kind: promote.EventSweep}); len(outcome.Applied) != 0 {
				t.Errorf("%s: applied %v", what, outcome.Applied)
			}
		}
		within(t, "an hour of sweeps "+what, budget, b.botCalls())
	}
	hour("with nothing open", 0)
	b.propose("1.0.2")
	hour("with a change open, and no webhooks", 12)
	b.loop.Webhooks = true
	hour("with a change open, and webhooks", 1)
	b.forge.ResetCalls()
	b.run(promote.Event{Kind: promote.EventArtifact, Image: "https://git.example.com/acme/other.git"})
	within(t, "a push to a repository that nobody watches", 0, b.botCalls())
	b.edit("main", "develop/backend/instance.yaml", "replicas: 1", "replicas: 2")
	b.forge.ResetCalls()
	b.run(promote.Event{Kind: promote.EventSweep})
	if calls := b.botCalls(); len(calls) == 0 {
		t.Error("a branch moved, and the forge was not asked what else did")
	}
}

// quiet looks where nothing is to be done.
func (b *bed) quiet(t *testing.T) {
	b.wire.reset()
	if outcome := b.sweep(); len(outcome.Applied) != 0 {
		t.Errorf("applied %v", outcome.Applied)
	}
	api, git := b.wire.requests()
	within(t, "a run with nothing to do", 1, api)
	within(t, "the budget of an event that changes nothing", budgetToQuiet, api)
	within(t, "Git in a run with nothing to do", 1, git)
}

// delivered merges the open change and counts what follows. The looks at Argo CD are timers, as in the bot.
func (b *bed) delivered(t *testing.T) {
	change, _ := openOf(b.sweep(), devStage)
	b.you.merge(change)
	b.forge.ResetCalls()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	event, looks := promote.Event{Kind: promote.EventChange, Change: change.Number}, 0
	for outcome := (reconcile.Outcome{}); !runs(devStage, "1.0.5")(outcome); looks++ {
		if ctx.Err() != nil {
			t.Fatalf("not delivered:\n%s", outcome.Plan)
		}
		outcome = b.run(event)
		event = promote.Event{Kind: promote.EventTimer}
	}
	all := b.botCalls()
	note := slices.IndexFunc(all, func(line string) bool {
		return strings.HasPrefix(line, "POST") && (strings.Contains(line, "/notes ") || strings.Contains(line, "/comments "))
	})
	if note < 0 {
		t.Fatalf("%d looks, and the requests were:\n%s", looks, strings.Join(all, "\n"))
	}
	within(t, fmt.Sprintf("from the merge to the note, with %d looks", looks), budgetToNote, all[:note+1])
	within(t, "from the merge to the next stage's gated change", budgetToNext, all)
}

const (
	gridServices = 10
	gridTargets  = 5
)

// grid is a repository in which ten services run in five targets. The stages of a target share one change.
func grid() map[string]string {
	files, groups := map[string]string{}, "stages:\n"
	kargo := "apiVersion: kargo.akuity.io/v1alpha1\nkind: Project\nmetadata: {name: grid}\n---\n" +
		"apiVersion: kargo.akuity.io/v1alpha1\nkind: ProjectConfig\nmetadata: {name: grid, namespace: grid}\nspec:\n  promotionPolicies:\n" +
		"    - {stageSelector: {name: \"glob:*\"}, autoPromotionEnabled: true}\n"
	for target := range gridTargets {
		groups += fmt.Sprintf("- {stage: grid/*-t%d, group: t%d}\n", target, target)
	}
	for service := range gridServices {
		kargo += fmt.Sprintf(gridWarehouse, service, service)
		for target := range gridTargets {
			kargo += fmt.Sprintf(gridStage, service, target, service, target, service, service, service)
			files[fmt.Sprintf("grid/t%d/s%d/values.yaml", target, service)] = "tag: 1.0.0\n"
		}
	}
	files["kargo/grid.yaml"], files["lockkeeper.yaml"] = kargo, groups
	return files
}

const gridWarehouse = `---
apiVersion: kargo.akuity.io/v1alpha1
kind: Warehouse
metadata: {name: s%d, namespace: grid}
spec:
  subscriptions:
    - image: {repoURL: docker.io/grid/s%d, imageSelectionStrategy: SemVer, strictSemvers: true}
`

const gridStage = `---
apiVersion: kargo.akuity.io/v1alpha1
kind: Stage
metadata: {name: s%d-t%d, namespace: grid}
spec:
  requestedFreight:
    - origin: {kind: Warehouse, name: s%d}
      sources: {direct: true}
  promotionTemplate:
    spec:
      steps:
        - uses: git-clone
          config:
            repoURL: https://gitlab.com/your-name/your-repo.git
            checkout: [{branch: main, path: ./repo}]
        - uses: yaml-update
          config:
            path: ./repo/grid/t%d/s%d/values.yaml
            updates:
              - {key: tag, value: "${{ imageFrom('docker.io/grid/s%d', warehouse('s%d')).Tag }}"}
        - {uses: git-commit, config: {path: ./repo, message: promote}}
        - {uses: git-push, config: {path: ./repo}}
`

func TestBudgetOfManyServices(t *testing.T) {
	t.Parallel()
	onBothForges(t, manyServices)
}

func manyServices(t *testing.T, b *bed) {
	b.adopt()
	for service := range gridServices {
		b.push(t, fmt.Sprintf("%s/grid/s%d", b.registry, service), "1.0.1")
	}
	b.commit("main", grid())
	b.forge.ResetCalls()
	outcome := b.sweep()
	within(t, "ten services to five targets", budgetToGrid, b.botCalls())
	proposed := 0
	for _, p := range outcome.State.History.Promotions {
		if p.Stage.Project == "grid" && p.Phase == promote.PhaseProposed {
			proposed++
		}
	}
	if all := b.mergeRequests(); proposed != gridServices*gridTargets || len(all) != gridTargets {
		t.Errorf("%d promotions in %d changes:\n%s", proposed, len(all), outcome.Plan)
	}
	b.quiet(t)
}

// BenchmarkWebhookToMergeRequest is the time from the push of an image to the open, gated change, with the whole bot in
// between: event, queue, discovery, steps, rendering, push, merge request, status.
func BenchmarkWebhookToMergeRequest(b *testing.B) {
	w := startWorld(b)
	statuses := make(chan struct{}, 16)
	ctx, stop := context.WithCancel(b.Context())
	outcomes := make(chan reconcile.Outcome, 1024)
	stopped, err := startDemoBot(ctx, w, func(o reconcile.Outcome) { outcomes <- o })
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		stop()
		if err := <-stopped; err != nil {
			b.Error(err)
		}
	}()
	wait := func(so func(reconcile.Outcome) bool) {
		for {
			select {
			case o := <-outcomes:
				if so(o) {
					return
				}
			case <-time.After(deadline):
				b.Fatal("nothing happens")
			}
		}
	}
	wait(allRun("1.0.1"))
	w.spy(func(r *http.Request) {
		if posts("/statuses/")(r) {
			statuses <- struct{}{}
		}
	})
	patch := 1
	for b.Loop() {
		patch++
		w.push(b, w.image(), fmt.Sprintf("1.0.%d", patch))
		select {
		case <-statuses:
		case <-time.After(deadline):
			b.Fatal("no status")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/change")
}
