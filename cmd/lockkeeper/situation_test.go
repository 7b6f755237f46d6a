package main

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/argocd"
	"github.com/lockkeeper/lockkeeper/internal/argocd/devargo"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
)

func TestNewerReleaseTakesThePlaceOfTheOpenOne(t *testing.T) {
	b, first := proposed(t)
	second := b.propose("1.0.3")
	if second.Number != first.Number || second.Head == first.Head {
		t.Errorf("first %d at %s, then %d at %s", first.Number, first.Head, second.Number, second.Head)
	}
	all := b.mergeRequests()
	if len(all) != 1 || all[0].Title != "frontend-dev-stage: 1.0.1 → 1.0.3" || all[0].SHA != string(second.Head) {
		t.Errorf("merge requests: %+v", all)
	}
	contains(t, all[0].Description, "Promotes `1.0.3`")
	if have := b.status(second.Head); have != "success: all 7 gates pass" {
		t.Errorf("status %q", have)
	}
	if diff := cmp.Diff([]string{"1.0.1 Succeeded", "1.0.2 Aborted", "1.0.3 Proposed"}, promotions(b.sweep(), devStage)); diff != "" {
		t.Error(diff)
	}
	b.you.merge(second)
	b.until("dev to run 1.0.3", runs(devStage, "1.0.3"))
}

func TestDraftStaysADraftWhenNewerFreightTakesItsPlace(t *testing.T) {
	b, first := proposed(t)
	b.you.set(first.Number, "title", "Draft: "+first.Title)
	b.propose("1.0.3")
	if all := b.mergeRequests(); all[0].Title != "Draft: frontend-dev-stage: 1.0.1 → 1.0.3" {
		t.Errorf("title %q", all[0].Title)
	}
}

func TestClosedChangeWaitsForAPerson(t *testing.T) {
	b, change := proposed(t)
	b.you.set(change.Number, "state_event", "close")
	outcome := b.sweep()
	status := stageOf(outcome, devStage)
	if status.Verdict != promote.Block {
		t.Errorf("verdict %s", status.Verdict)
	}
	contains(t, status.Reason, "closed without being merged", "/promote frontend-dev-stage 1.0.2")
	if again := b.sweep(); len(again.Applied) != 0 {
		t.Errorf("it was not left alone: %v", again.Applied)
	}
	event := b.you.comment(change.Number, "/promote frontend-dev-stage")
	outcome = b.run(event)
	second, ok := openOf(outcome, devStage)
	if !ok || second.Number == change.Number {
		t.Fatalf("no new change:\n%s", outcome.Plan)
	}
	if diff := cmp.Diff([]string{"1.0.1 Succeeded", "1.0.2 Failed", "1.0.2 Proposed"}, promotions(outcome, devStage)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"eyes", "thumbsup"}, b.reactions(change.Number, event.Comment.ID)); diff != "" {
		t.Error(diff)
	}
}

func TestDeletedChangeEndsThePromotionAndNothingElse(t *testing.T) {
	b, change := proposed(t)
	b.wire.answer(func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/merge_requests/") }, 404, `{"message":"404 Not found"}`)
	if _, err := b.loop.Run(t.Context(), reconcile.Options{}); err != nil {
		t.Errorf("an open change needs no second look: %v", err)
	}
	b.you.set(change.Number, "state_event", "close")
	if _, err := b.loop.Run(t.Context(), reconcile.Options{}); !errors.Is(err, promote.ErrNotFound) {
		t.Errorf("it is listed, so it is there, and the error is %v", err)
	}
	b.wire.replace = deletedChange
	status := stageOf(b.sweep(), devStage)
	if status.Verdict != promote.Block {
		t.Errorf("verdict %s", status.Verdict)
	}
	contains(t, status.Reason, "closed without being merged")
}

// deletedChange answers as GitLab does when a merge request was deleted.
func deletedChange(r *http.Request) *http.Response {
	switch {
	case strings.Contains(r.URL.Path, "/merge_requests/"):
		return answer(r, http.StatusNotFound, `{"message":"404 Not found"}`)
	case strings.HasSuffix(r.URL.Path, "/merge_requests"):
		return answer(r, http.StatusOK, "[]")
	}
	return nil
}

func TestPromoteMergesAtOnceWhenTheGatesPass(t *testing.T) {
	b, change := proposed(t)
	b.run(b.you.comment(change.Number, "/promote"))
	b.until("dev to run 1.0.2", runs(devStage, "1.0.2"))
	message := b.messageOf(b.tip("main"))
	contains(t, message, "Promote 1.0.2 to "+devStage, "\nLockkeeper-Stage: "+devStage+"\n")
}

func (b *bed) messageOf(commit string) string {
	b.t.Helper()
	info, err := b.repo.CommitInfo(b.t.Context(), commit)
	if err != nil {
		b.t.Fatal(err)
	}
	return info.Message
}

func TestPushToTheProposalIsJudgedAnew(t *testing.T) {
	b, change := proposed(t)
	head := b.edit(string(change.Branch), devFile, "replicas: 1", "replicas: two")
	outcome := b.sweep()
	status := stageOf(outcome, devStage)
	if gate := gateOf(status, promote.GateRender); gate.Verdict != promote.Block {
		t.Errorf("the render gate says %s: %s", gate.Verdict, gate.Reason)
	}
	if have := b.status(promote.Commit(head)); !strings.HasPrefix(have, "failed: 6 of 7 gates pass; render:") {
		t.Errorf("status %q", have)
	}
	head = b.edit(string(change.Branch), devFile, "replicas: two", "replicas: 2")
	b.sweep()
	if have := b.status(promote.Commit(head)); !strings.HasPrefix(have, "success: all 7 gates pass") {
		t.Errorf("status %q", have)
	}
	if all := b.mergeRequests(); len(all) != 1 || all[0].SHA != head {
		t.Errorf("the person's commit is gone: %+v", all)
	}
	contains(t, b.mergeRequests()[0].Description, "replicas")
}

func gateOf(status promote.StageStatus, name string) promote.Gate {
	for _, gate := range status.Gates {
		if gate.Name == name {
			return gate
		}
	}
	return promote.Gate{}
}

func TestConflictOnMainMakesTheProposalAgain(t *testing.T) {
	b, first := proposed(t)
	b.commit("main", map[string]string{"README.md": "elsewhere\n"})
	if outcome := b.sweep(); slices.ContainsFunc(outcome.Applied, isProposal) {
		t.Errorf("a commit elsewhere made it propose again: %v", outcome.Applied)
	}
	b.edit("main", devFile, "replicas: 1", "replicas: 5")
	outcome := b.sweep()
	change, ok := openOf(outcome, devStage)
	if !ok || change.Number != first.Number || change.Head == first.Head {
		t.Fatalf("the change is %+v, it was %+v", change, first)
	}
	contains(t, b.text(string(change.Branch), devFile), "replicas: 5", `tag: "1.0.2"`)
	if diff := cmp.Diff([]string{"1.0.1 Succeeded", "1.0.2 Proposed"}, promotions(outcome, devStage)); diff != "" {
		t.Error(diff)
	}
	if have := b.status(change.Head); have != "success: all 7 gates pass" {
		t.Errorf("status %q", have)
	}
	b.you.merge(change)
	b.until("dev to run 1.0.2", runs(devStage, "1.0.2"))
}

func isProposal(a promote.Action) bool {
	_, ok := a.(promote.Propose)
	return ok
}

const developSet = "argo-applications/develop-applicationset.yaml"

func TestApplicationThatDoesNotAuthorizeTheStage(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.adopt()
	b.edit("main", developSet, "kargo.akuity.io/authorized-stage: develop:{{path.basename}}-dev-stage", "team: web")
	change := b.propose("1.0.2")
	gate := gateOf(stageOf(b.sweep(), devStage), promote.GateApplication)
	if gate.Verdict != promote.Block {
		t.Errorf("verdict %s", gate.Verdict)
	}
	contains(t, gate.Reason, "add the annotation kargo.akuity.io/authorized-stage: develop:frontend-dev-stage", developSet)
	if have := b.status(change.Head); !strings.HasPrefix(have, "failed: 6 of 7 gates pass; application:") {
		t.Errorf("status %q", have)
	}
	b.edit(string(change.Branch), developSet, "team: web", "kargo.akuity.io/authorized-stage: develop:frontend-dev-stage")
	if gate := gateOf(stageOf(b.sweep(), devStage), promote.GateApplication); gate.Verdict != promote.Block {
		t.Error("a change authorized itself")
	}
}

var devApp = argocd.Ref{Name: "frontend-dev-app", Project: "develop"}

func TestDegradedStopsTheLine(t *testing.T) {
	b, change := proposed(t)
	b.fail(devApp, devargo.Degraded("ImagePullBackOff"))
	b.you.merge(change)
	outcome := b.until("the promotion to fail", func(o reconcile.Outcome) bool {
		return slices.Contains(promotions(o, devStage), "1.0.2 Failed")
	})
	contains(t, stageOf(outcome, devStage).Reason, "Degraded", "/promote frontend-dev-stage 1.0.2")
	notes := b.notes(change.Number)
	if len(notes) != 1 {
		t.Fatalf("notes: %q", notes)
	}
	contains(t, notes[0], "❌ `1.0.2` did not arrive", "Degraded", "/promote frontend-dev-stage")
	if len(b.mergeRequests()) != 1 {
		t.Error("production was proposed")
	}
	contains(t, stageOf(outcome, prodStage).Reason, "not yet verified in frontend-dev-stage")
}

func (b *bed) fail(app argocd.Ref, fault devargo.Fault) {
	b.t.Helper()
	if err := b.argo.Fail(app, fault); err != nil {
		b.t.Fatal(err)
	}
}

func TestArgoCDIsDownForAWhile(t *testing.T) {
	b, change := proposed(t)
	b.fail(devApp, devargo.Status(http.StatusBadGateway))
	b.you.merge(change)
	outcome := b.sweep()
	status := stageOf(outcome, devStage)
	contains(t, status.Reason, "is being delivered", "502")
	if status.Verdict != promote.Wait || outcome.Plan.Recheck.IsZero() {
		t.Errorf("verdict %s, again at %s", status.Verdict, outcome.Plan.Recheck)
	}
	b.argo.Heal(devApp)
	b.loop.Forget() // the pause would be over some seconds later
	b.until("dev to run 1.0.2", runs(devStage, "1.0.2"))
	if notes := b.notes(change.Number); len(notes) != 1 {
		t.Errorf("notes: %q", notes)
	}
}

func TestApplicationIsSyncedByHand(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	manual := strings.Replace(b.text("main", developSet), "automated:\n          prune: true\n          selfHeal: true", "syncOptions: [CreateNamespace=true]", 1)
	b.commit("main", map[string]string{developSet: manual})
	b.redeploy()
	b.adopt()
	change := b.propose("1.0.2")
	b.you.merge(change)
	b.until("dev to run 1.0.2", runs(devStage, "1.0.2"))
	app := b.app("frontend-dev-app")
	if app.AutoSync || !slices.Contains(app.Synced, b.tip("main")) {
		t.Errorf("it is %+v", app)
	}
}

func TestAutoMerge(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.commit("main", map[string]string{"lockkeeper.yaml": "stages:\n  - stage: \"*/frontend-dev-stage\"\n    autoMerge: true\n"})
	b.adopt()
	b.push(t, b.image(), "1.0.2")
	outcome := b.until("dev to run 1.0.2 and production to be proposed", func(o reconcile.Outcome) bool {
		_, open := openOf(o, prodStage)
		return runs(devStage, "1.0.2")(o) && open
	})
	if waits := stageOf(outcome, prodStage); waits.Runs != "1.0.1" {
		t.Errorf("production merges by itself: %+v", waits)
	}
	if have := b.mergeRequests(); len(have) != 2 || have[0].State != "merged" || have[1].State != "opened" {
		t.Errorf("merge requests: %+v", have)
	}
}

// backend gives the example a second service with a pipeline of its own stages.
const backend = `apiVersion: kargo.akuity.io/v1alpha1
kind: Warehouse
metadata: {name: backend-image, namespace: develop}
spec:
  subscriptions:
    - image: {repoURL: docker.io/your-name/your-backend, imageSelectionStrategy: SemVer, strictSemvers: true}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Stage
metadata: {name: backend-dev-stage, namespace: develop}
spec:
  requestedFreight:
    - origin: {kind: Warehouse, name: backend-image}
      sources: {direct: true}
  promotionTemplate:
    spec:
      vars:
        - {name: imageRepo, value: docker.io/your-name/your-backend}
        - {name: instancePath, value: develop/backend/instance.yaml}
        - {name: warehouseName, value: backend-image}
        - {name: appName, value: backend-dev-app}
      steps: [{task: {name: promote-image}}]
`

func TestTwoServices(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	images := b.registry + "/your-name/your-backend"
	b.push(t, images, "2.4.0")
	policy := strings.Replace(b.text("main", "kargo/project.yaml"), "  promotionPolicies:\n", "  promotionPolicies:\n    - {stage: backend-dev-stage, autoPromotionEnabled: true}\n", 1)
	b.commit("main", map[string]string{"kargo/backend.yaml": backend, "kargo/project.yaml": policy})
	b.until("everything to be adopted", func(o reconcile.Outcome) bool {
		return runs(devStage, "1.0.1")(o) && runs("develop/backend-dev-stage", "2.4.0")(o)
	})
	b.push(t, b.image(), "1.0.2")
	b.push(t, images, "2.5.0")
	outcome := b.sweep()
	first, ok := openOf(outcome, devStage)
	second, also := openOf(outcome, "develop/backend-dev-stage")
	if !ok || !also || len(b.mergeRequests()) != 2 {
		t.Fatalf("merge requests: %+v\n%s", b.mergeRequests(), outcome.Plan)
	}
	b.you.merge(second)
	b.until("backend to run 2.5.0", runs("develop/backend-dev-stage", "2.5.0"))
	if app := b.app("frontend-dev-app"); app.Phase != "" {
		t.Errorf("the frontend was synced: %+v", app)
	}
	b.you.merge(first)
	b.until("the frontend to run 1.0.2", runs(devStage, "1.0.2"))
}

// toTheLetter is the task with its own pull request, as Kargo's documentation writes it.
const toTheLetter = `    - uses: git-push
      as: push
      config:
        path: ./repo
        generateTargetBranch: true
    - uses: git-open-pr
      as: open-pr
      config:
        repoURL: ${{ vars.gitopsRepo }}
        sourceBranch: ${{ task.outputs['push'].branch }}
        targetBranch: main
        title: Bring ${{ imageFrom(vars.imageRepo, warehouse(vars.warehouseName)).Tag }} to ${{ ctx.stage }}
        labels: [release]
    - uses: git-wait-for-pr
      as: wait-for-pr
      config:
        repoURL: ${{ vars.gitopsRepo }}
        prNumber: ${{ task.outputs['open-pr'].pr.id }}
`

func TestTaskOpensItsOwnPullRequest(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	task := b.text("main", "kargo/promotion-task.yaml")
	own := strings.Replace(task, "    - uses: git-push\n      config:\n        path: ./repo\n", toTheLetter, 1)
	own = strings.Replace(own, "task.outputs['commit'].commit }}", "task.outputs['wait-for-pr'].commit }}", 1)
	if own == task {
		t.Fatal("the task is not what it was")
	}
	b.commit("main", map[string]string{"kargo/promotion-task.yaml": own})
	b.edit("main", devFile, "1.0.1", "1.0.0")
	change := b.propose("1.0.2")
	all := b.mergeRequests()
	if len(all) != 1 || all[0].Title != "Bring 1.0.2 to frontend-dev-stage" || !slices.Contains(all[0].Labels, "release") {
		t.Fatalf("merge requests: %+v", all)
	}
	b.you.merge(change)
	b.until("dev to run 1.0.2", runs(devStage, "1.0.2"))
	if app := b.app("frontend-dev-app"); !slices.Contains(app.Synced, b.tip("main")) {
		t.Errorf("it runs %v", app.Synced)
	}
	if notes := b.notes(change.Number); len(notes) != 1 {
		t.Errorf("notes: %q", notes)
	}
}
