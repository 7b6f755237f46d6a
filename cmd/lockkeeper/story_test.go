package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/argocd"
	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
	"github.com/lockkeeper/lockkeeper/promote"
)

// TestStory tells the story of the articles: a release goes to dev, and from there to production.
func TestStory(t *testing.T) {
	t.Parallel()
	onBothForges(t, tellStory)
}

func tellStory(t *testing.T, b *bed) {
	t.Run("what the repository says is adopted without a merge request", func(t *testing.T) { b.adopted(t) })
	t.Run("plan says what 1.0.2 would change and does nothing", func(t *testing.T) { b.planned(t) })
	change := b.propose("1.0.2")
	t.Run("1.0.2 is proposed for dev, and for dev alone", func(t *testing.T) { b.proposed(t, change) })
	t.Run("the commit says where it comes from", func(t *testing.T) { b.trailers(t, change) })
	b.you.merge(change)
	outcome := b.until("dev to run 1.0.2", runs(devStage, "1.0.2"))
	t.Run("the merge is delivered to dev's application and no other", func(t *testing.T) { b.deliveredToDev(t) })
	t.Run("the note says how it went and what opens next", func(t *testing.T) { b.noted(t, change.Number) })
	t.Run("the ledger can be read by a person", func(t *testing.T) { b.ledgerReads(t) })
	production, ok := openOf(outcome, prodStage)
	if !ok {
		t.Fatalf("production is not proposed:\n%s", outcome.Plan)
	}
	b.you.merge(production)
	b.until("production to run 1.0.2", allRun("1.0.2"))
	t.Run("production runs it, by one merge request", func(t *testing.T) { b.arrived(t) })
}

func (b *bed) adopted(t *testing.T) {
	outcome := b.adopt()
	if all := b.mergeRequests(); len(all) != 0 {
		t.Errorf("merge requests: %v", all)
	}
	for _, stage := range []string{devStage, prodStage} {
		if diff := cmp.Diff([]string{"1.0.1 Succeeded"}, promotions(outcome, stage)); diff != "" {
			t.Errorf("%s: %s", stage, diff)
		}
	}
	if again := b.sweep(); len(again.Applied) != 0 || again.Plan.Verdict() != promote.Pass {
		t.Errorf("there is something left to do: %v\n%s", again.Applied, again.Plan)
	}
}

// lockkeeper runs a command line in this process, as a person would who has the bot's token.
func (b *bed) lockkeeper(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	return b.inJob(t, nil, args...)
}

// inJob is lockkeeper with what a CI system puts into the environment.
func (b *bed) inJob(t *testing.T, job map[string]string, args ...string) (code int, out, errs string) {
	t.Helper()
	secrets := map[string]string{
		"LOCKKEEPER_ARGOCD_URL": b.argoURL, "LOCKKEEPER_ARGOCD_TOKEN": argoToken, "LOCKKEEPER_OUTBOUND_ALLOW": strings.Join(worldAllow(), ","),
	}
	if b.github {
		secrets["LOCKKEEPER_GITHUB_APP_ID"], secrets["LOCKKEEPER_GITHUB_APP_KEY"] = strconv.Itoa(b.hubApp.id), b.hubApp.key
		args = append(args, "--github-url", b.forgeURL)
	} else {
		secrets["LOCKKEEPER_GITLAB_TOKEN"] = worldToken
		args = append(args, "--gitlab-url", b.forgeURL)
	}
	maps.Copy(secrets, job)
	var stdout, stderr bytes.Buffer
	args = append(args, "--project", worldProject)
	code = run(t.Context(), environment{args: args, getenv: func(name string) string { return secrets[name] }, out: &stdout, err: &stderr})
	return code, stdout.String(), stderr.String()
}

func (b *bed) planned(t *testing.T) {
	b.push(t, b.image(), "1.0.2")
	before := b.tip(string(promote.LedgerBranch))
	b.forge.ResetCalls()
	code, text, errs := b.lockkeeper(t, "plan")
	if code != 0 || errs != "" {
		t.Fatalf("exit %d: %s", code, errs)
	}
	contains(t, text, "propose 1.0.2 for "+devStage, devFile+": spec.values.deployment.tag: 1.0.1 → 1.0.2", "pass  render", prodStage)
	code, document, errs := b.lockkeeper(t, "plan", "--output", "json")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, errs)
	}
	var plan struct {
		Actions   []actionDocument
		Proposals []struct {
			Stage, Freight, Diff string
			Moves                []promote.Move
		}
	}
	if err := json.Unmarshal([]byte(document), &plan); err != nil {
		t.Fatalf("%v in %s", err, document)
	}
	if len(plan.Actions) != 2 || len(plan.Proposals) != 1 || plan.Proposals[0].Stage != devStage || plan.Proposals[0].Freight != "1.0.2" {
		t.Errorf("the plan is %s", document)
	}
	for _, call := range b.forge.Calls() {
		asks := strings.HasSuffix(call.Path, "/graphql") || strings.HasSuffix(call.Path, "/access_tokens")
		if call.Method != http.MethodGet && !asks {
			t.Errorf("plan wrote: %s %s", call.Method, call.Path)
		}
	}
	if after := b.tip(string(promote.LedgerBranch)); after != before {
		t.Error("plan wrote to the ledger")
	}
	if all := b.mergeRequests(); len(all) != 0 {
		t.Errorf("plan opened %v", all)
	}
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in:\n%s", part, text)
		}
	}
}

func (b *bed) proposed(t *testing.T, change promote.Change) {
	all := b.mergeRequests()
	if len(all) != 1 || all[0].Source != "lockkeeper/"+devStage || all[0].Title != "frontend-dev-stage: 1.0.1 → 1.0.2" {
		t.Fatalf("merge requests: %+v", all)
	}
	if diff := cmp.Diff([]string{"lockkeeper", "stage::frontend-dev-stage"}, all[0].Labels); diff != "" {
		t.Errorf("labels: %s", diff)
	}
	contains(t, all[0].Description, "1.0.1` → `", "Deployment", "### Gates", "✅ | image |", "✅ | application | frontend-dev-app authorizes develop:frontend-dev-stage",
		"freight `", "spec.values.deployment.tag", "`/promote`")
	for _, gate := range promote.GateNames() {
		contains(t, all[0].Description, "| "+gate.Name+" |")
	}
	if have := b.status(change.Head); have != "success: all 7 gates pass" {
		t.Errorf("status %q", have)
	}
	before, after := b.text("main", devFile), b.text("lockkeeper/"+devStage, devFile)
	if want := strings.Replace(before, `tag: "1.0.1"`, `tag: "1.0.2"`, 1); after != want {
		t.Errorf("more than the tag changed: %s", cmp.Diff(want, after))
	}
	outcome := b.sweep()
	if len(outcome.Applied) != 0 {
		t.Errorf("it is not quiet: %v", outcome.Applied)
	}
	contains(t, stageOf(outcome, devStage).Reason, "waits for its change to be merged")
	contains(t, stageOf(outcome, prodStage).Reason, "not yet verified in frontend-dev-stage")
}

func (b *bed) trailers(t *testing.T, change promote.Change) {
	b.tip(string(change.Branch))
	info, err := b.repo.CommitInfo(t.Context(), string(change.Head))
	if err != nil {
		t.Fatal(err)
	}
	p := b.sweep().State.History.Promotions
	i := slices.IndexFunc(p, func(p promote.Promotion) bool { return p.Head == change.Head })
	if i < 0 {
		t.Fatalf("no promotion of %s in %v", change.Head, p)
	}
	contains(t, info.Message, "1.0.2", "\nLockkeeper-Stage: "+devStage+"\nLockkeeper-Freight: "+string(p[i].Freight)+
		"\nLockkeeper-Promotion: "+string(p[i].ID)+"\n")
}

func (b *bed) deliveredToDev(t *testing.T) {
	head := b.tip("main")
	dev := b.app("frontend-dev-app")
	if !slices.Contains(dev.Synced, head) || dev.Health != argocd.Healthy || dev.Sync != argocd.Synced {
		t.Errorf("frontend-dev-app is %+v, main is at %s", dev, head)
	}
	for _, name := range []string{"backend-dev-app", "frontend-prod-app"} {
		if other := b.app(name); other.Phase != "" || slices.Contains(other.Synced, head) {
			t.Errorf("%s was touched: %+v", name, other)
		}
	}
}

func (b *bed) noted(t *testing.T, number int) {
	notes := b.notes(number)
	if len(notes) != 1 {
		t.Fatalf("%d notes: %q", len(notes), notes)
	}
	contains(t, notes[0], "✅ `1.0.2` is verified in `"+devStage+"`", "frontend-dev-app: synced to", "Next: `frontend-prod-stage`, proposed automatically.")
}

func (b *bed) ledgerReads(t *testing.T) {
	history := b.sweep().State.History
	freight := history.Freights[len(history.Freights)-1]
	ledger := string(promote.LedgerBranch)
	contains(t, b.text(ledger, "README.md"), "history of promotions")
	contains(t, b.text(ledger, "freight/develop/"+string(freight.ID)+".yaml"), "kind: Freight", "tag: 1.0.2", "digest: sha256:")
	contains(t, b.text(ledger, "promotions/"+devStage+"/000002."+freight.ID.Short()+".yaml"), "kind: Promotion", "phase: Succeeded",
		"actor: auto-promotion", "file: "+devFile, "before: 1.0.1", "after: 1.0.2")
	contains(t, b.text(ledger, "verifications/"+devStage+"/"+string(freight.ID)+".yaml"), "kind: Verification", "commit: "+b.tip("main"))
}

func (b *bed) arrived(t *testing.T) {
	var have []string
	for _, m := range b.mergeRequests() {
		have = append(have, m.State+" "+m.Source)
	}
	if diff := cmp.Diff([]string{"merged lockkeeper/" + devStage, "merged lockkeeper/" + prodStage}, have); diff != "" {
		t.Error(diff)
	}
	contains(t, b.text("main", prodFile), `tag: "1.0.2"`)
	if notes := b.notes(2); len(notes) != 1 {
		t.Errorf("notes on production's change: %q", notes)
	}
	if app := b.app("backend-dev-app"); app.Phase != "" {
		t.Errorf("backend-dev-app was touched: %+v", app)
	}
}

func TestCIExitCodes(t *testing.T) {
	t.Parallel()
	onBothForges(t, ciExitCodes)
}

func ciExitCodes(t *testing.T, b *bed) {
	b.adopt()
	for _, tt := range []struct {
		name   string
		before func()
		code   int
		out    string
	}{
		{"nothing to do", func() {}, 0, "pass  " + devStage},
		{"a promotion waits for its merge", func() { b.push(t, b.image(), "1.0.2") }, 2, "waits for its change to be merged"},
		{"a second job changes nothing", func() {}, 2, "waits for its change to be merged"},
		{"the pipeline is broken", func() {
			b.you.shut(1)
			b.edit("main", "kargo/stages.yaml", "requestedFreight:", "requestedFreigth:")
		}, 1, "requestedFreigth"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.before()
			code, out, errs := b.lockkeeper(t, "ci")
			if code != tt.code {
				t.Errorf("exit %d, want %d: %s%s", code, tt.code, out, errs)
			}
			contains(t, out, tt.out)
			if all := b.mergeRequests(); len(all) > 1 {
				t.Errorf("merge requests: %+v", all)
			}
		})
	}
	t.Run("no token", func(t *testing.T) {
		var errs bytes.Buffer
		none := func(string) string { return "" }
		args := []string{"ci", "--gitlab-url", b.forgeURL, "--project", worldProject}
		if code := run(t.Context(), environment{args: args, getenv: none, out: &errs, err: &errs}); code != 1 {
			t.Errorf("exit %d", code)
		}
		contains(t, errs.String(), "no credentials of a forge: set LOCKKEEPER_GITLAB_TOKEN")
	})
	t.Run("a token that is not accepted", func(t *testing.T) {
		asks, variable := sends(http.MethodGet, "/merge_requests"), "LOCKKEEPER_GITLAB_TOKEN"
		if b.github {
			asks, variable = sends(http.MethodPost, "/access_tokens"), "the private key is one of its"
		}
		b.forge.Fault(asks, devforge.Answer(http.StatusUnauthorized, 0))
		code, _, errs := b.lockkeeper(t, "ci")
		if code != 1 {
			t.Errorf("exit %d", code)
		}
		contains(t, errs, variable)
	})
}

// TestCommandsOfACIJob has people start jobs with a command.
func TestCommandsOfACIJob(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.adopt()
	b.push(t, b.image(), "1.0.2")
	t.Run("a command of somebody who may not", func(t *testing.T) {
		reporter := b.actor("rob", devforge.AccessReporter)
		job := map[string]string{"GITLAB_CI": "true", "GITLAB_USER_LOGIN": "rob", "GITLAB_USER_ID": strconv.Itoa(reporter.id), "CI_PIPELINE_ID": "7"}
		code, out, errs := b.inJob(t, job, "ci", "--command", "/hold frontend-dev-stage")
		if code != 1 {
			t.Errorf("exit %d: %s", code, errs)
		}
		contains(t, out, "answer: `/hold` needs write permission in this repository; `rob` has read.")
	})
	t.Run("a command of a job that does not say who started it", func(t *testing.T) {
		job := map[string]string{"GITLAB_CI": "true", "GITLAB_USER_LOGIN": "rob", "GITLAB_USER_ID": "none", "CI_PIPELINE_ID": "9"}
		code, out, errs := b.inJob(t, job, "ci", "--command", "/hold frontend-dev-stage")
		if code != 1 {
			t.Errorf("exit %d: %s", code, errs)
		}
		contains(t, out, "answer: `/hold` needs write permission in this repository; `rob` has read.")
	})
	t.Run("a command of a maintainer's job is that of a developer", func(t *testing.T) {
		job := map[string]string{"GITLAB_CI": "true", "GITLAB_USER_LOGIN": worldPerson, "GITLAB_USER_ID": strconv.Itoa(b.you.id), "CI_PIPELINE_ID": "10"}
		_, out, _ := b.inJob(t, job, "ci", "--command", "/admit frontend-prod-stage 1.0.2")
		contains(t, out, "takes maintain permission in this repository; `"+worldPerson+"` has write")
	})
	t.Run("a command in a job that is started again", func(t *testing.T) {
		job := map[string]string{"GITLAB_CI": "true", "GITLAB_USER_LOGIN": worldPerson, "GITLAB_USER_ID": strconv.Itoa(b.you.id), "CI_PIPELINE_ID": "8"}
		for range 2 {
			_, out, errs := b.inJob(t, job, "ci", "--command", "/promote frontend-dev-stage 1.0.2")
			contains(t, out+errs, "answer: ")
		}
		requests := 0
		for _, r := range b.sweep().State.History.Requests {
			if r.Stage.String() == devStage && r.By == worldPerson {
				requests++
			}
		}
		if requests != 1 {
			t.Errorf("it was recorded %d times", requests)
		}
	})
}
