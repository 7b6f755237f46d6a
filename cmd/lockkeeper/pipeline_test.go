package main

import (
	"fmt"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
)

const backendStage = "develop/backend-dev-stage"

// twoServices is a bed whose dev stages run two services of the example.
func twoServices(t *testing.T) (b *bed, images string) {
	t.Helper()
	b = newBed(t)
	images = b.registry + "/your-name/your-backend"
	b.push(t, images, "2.4.0")
	policy := strings.Replace(b.text("main", "kargo/project.yaml"), "  promotionPolicies:\n", "  promotionPolicies:\n    - {stage: backend-dev-stage, autoPromotionEnabled: true}\n", 1)
	b.commit("main", map[string]string{"kargo/backend.yaml": backend, "kargo/project.yaml": policy})
	b.until("everything to be adopted", func(o reconcile.Outcome) bool {
		return runs(devStage, "1.0.1")(o) && runs(backendStage, "2.4.0")(o)
	})
	return b, images
}

func TestStagesOfAGroupShareOneChange(t *testing.T) {
	t.Parallel()
	b, images := twoServices(t)
	b.commit("main", map[string]string{"lockkeeper.yaml": "stages:\n- {stage: develop/*-dev-stage, group: services}\n"})
	b.push(t, b.image(), "1.0.2")
	outcome := b.sweep()
	if all := b.mergeRequests(); len(all) != 1 {
		t.Fatalf("merge requests for one service: %+v\n%s", all, outcome.Plan)
	}
	// The second service joins: both lie in the same change, and nothing of the first is lost.
	b.push(t, images, "2.5.0")
	outcome = b.sweep()
	all := b.mergeRequests()
	if len(all) != 1 || !strings.Contains(all[0].Title, "services: 2 promotions") {
		t.Fatalf("merge requests: %+v\n%s", all, outcome.Plan)
	}
	branch := string(promote.GroupBranch("develop", "services"))
	for file, tag := range map[string]string{devFile: `tag: "1.0.2"`, "develop/backend/instance.yaml": `tag: "2.5.0"`} {
		if text := b.text(branch, file); !strings.Contains(text, tag) {
			t.Errorf("%s on %s has no %s:\n%s", file, branch, tag, text)
		}
	}
	if again := b.sweep(); len(again.Applied) > 0 {
		t.Errorf("a repeated look applied %v", again.Applied)
	}
	change := outcome.State.Changes[len(outcome.State.Changes)-1]
	b.you.merge(change)
	b.until("both to run", func(o reconcile.Outcome) bool { return runs(devStage, "1.0.2")(o) && runs(backendStage, "2.5.0")(o) })
}

func TestRollbackByComment(t *testing.T) {
	b, change := proposed(t)
	b.you.merge(change)
	b.until("dev to run 1.0.2", runs(devStage, "1.0.2"))
	b.run(b.you.comment(change.Number, "/rollback frontend-dev-stage"))
	outcome := b.sweep()
	back, ok := openOf(outcome, devStage)
	if !ok || !strings.Contains(b.text(string(back.Branch), devFile), `tag: "1.0.1"`) {
		t.Fatalf("no change that goes back:\n%s", outcome.Plan)
	}
	b.you.merge(back)
	outcome = b.until("dev to run 1.0.1 again", runs(devStage, "1.0.1"))
	if status := stageOf(outcome, devStage); status.Verdict != promote.Pass {
		t.Errorf("what was rolled back is promoted again: %s", status.Reason)
	}
	// Downstream never gets it either.
	if status := stageOf(outcome, prodStage); strings.Contains(status.Next, "1.0.2") {
		t.Errorf("production: next %s: %s", status.Next, status.Reason)
	}
	// What is newer than the bad release goes forward by itself.
	next := b.propose("1.0.3")
	if !strings.Contains(b.text(string(next.Branch), devFile), `tag: "1.0.3"`) {
		t.Error("1.0.3 is not proposed")
	}
}

// renderedTask is a task that writes to a branch of its own for each stage, as repositories with rendered manifests do.
const renderedTask = `apiVersion: kargo.akuity.io/v1alpha1
kind: PromotionTask
metadata: {name: promote-image, namespace: develop}
spec:
  vars:
    - {name: gitopsRepo, value: https://gitlab.com/your-name/your-repo.git}
    - {name: imageRepo, value: docker.io/your-name/your-app}
    - {name: instancePath, value: develop/frontend/instance.yaml}
    - {name: warehouseName, value: frontend-dev-image}
    - {name: appName, value: frontend-dev-app}
  steps:
    - uses: git-clone
      as: clone
      config:
        repoURL: ${{ vars.gitopsRepo }}
        checkout:
          - {branch: main, path: ./src}
          - {branch: "env/${{ ctx.stage }}", path: ./out, create: true}
    - {uses: git-clear, config: {path: ./out}}
    - uses: yaml-update
      config:
        path: ./src/${{ vars.instancePath }}
        updates: [{key: spec.values.deployment.tag, value: "${{ imageFrom(vars.imageRepo).Tag }}"}]
    - uses: copy
      config: {inPath: "./src/${{ vars.instancePath }}", outPath: ./out/instance.yaml}
    - {uses: git-commit, config: {path: ./out, message: "Render ${{ imageFrom(vars.imageRepo).Tag }}"}}
    - {uses: git-push, config: {path: ./out, targetBranch: "env/${{ ctx.stage }}"}}
`

func TestRenderedBranches(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.commit("main", map[string]string{"kargo/promotion-task.yaml": renderedTask})
	outcome := b.sweep()
	change, ok := openOf(outcome, devStage)
	if !ok || change.Target != "env/frontend-dev-stage" {
		t.Fatalf("change %+v of\n%s", change, outcome.Plan)
	}
	if text := change.Description; !strings.Contains(text, "branch env/frontend-dev-stage") || !strings.Contains(text, "FrontendAppV2") && !strings.Contains(text, "Deployment") {
		t.Errorf("the change does not show what the branch gets:\n%s", text)
	}
	b.you.merge(change)
	b.until("dev to run 1.0.1", runs(devStage, "1.0.1"))
	if text := b.text("env/frontend-dev-stage", "instance.yaml"); !strings.Contains(text, `tag: "1.0.1"`) {
		t.Errorf("the branch of the stage:\n%s", text)
	}
	if text := b.text("main", devFile); !strings.Contains(text, `tag: "1.0.1"`) {
		t.Errorf("main was changed:\n%s", text)
	}
	// The branch exists now, and the next release is a change on top of it.
	next := b.propose("1.0.2")
	if next.Target != "env/frontend-dev-stage" || !strings.Contains(b.text(string(next.Branch), "instance.yaml"), `tag: "1.0.2"`) {
		t.Errorf("the next change: %+v", next)
	}
}

// A merge request that changes the pipeline shows what it would have decided.
func TestPipelineChangeIsReplayed(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.adopt()
	stages := strings.Replace(b.text("main", "kargo/stages.yaml"), "        stages:\n          - frontend-dev-stage\n",
		"        stages:\n          - frontend-dev-stage\n        requiredSoakTime: 24h\n", 1)
	b.commit("soak", map[string]string{"kargo/stages.yaml": stages})
	number := b.you.open("soak", "main", "Soak for a day")
	b.run(promote.Event{Kind: promote.EventChange, Change: number})
	b.run(promote.Event{Kind: promote.EventChange, Change: number})
	notes := b.notes(number)
	if len(notes) != 1 || !strings.Contains(notes[0], "What the changed pipeline would have decided") ||
		!strings.Contains(notes[0], "soaks until") {
		t.Errorf("notes: %q", notes)
	}
}

// clusters is a stage that fans out over the folders of many clusters.
const clusters = `apiVersion: kargo.akuity.io/v1alpha1
kind: Stage
metadata: {name: edge, namespace: develop}
spec:
  requestedFreight:
    - origin: {kind: Warehouse, name: frontend-dev-image}
      sources: {direct: true}
  promotionTemplate:
    spec:
      steps:
        - uses: git-clone
          config: {repoURL: "https://gitlab.com/your-name/your-repo.git", checkout: [{branch: main, path: ./repo}]}
        - uses: yaml-update
          as: update
          config:
            path: ./repo/${{ target.params.path }}/values.yaml
            updates: [{key: tag, value: "${{ imageFrom('docker.io/your-name/your-app').Tag }}"}]
        - {uses: git-commit, config: {path: ./repo, message: "${{ outputs.update.commitMessage }}"}}
        - {uses: git-push, config: {path: ./repo}}
`

// fanOut is a bed with a stage of so many clusters, and how they are promoted to.
func fanOut(t *testing.T, n int, settings string) *bed {
	t.Helper()
	b := newBed(t)
	policy := strings.Replace(b.text("main", "kargo/project.yaml"), "  promotionPolicies:\n", "  promotionPolicies:\n    - {stage: edge, autoPromotionEnabled: true}\n", 1)
	files := map[string]string{
		"kargo/edge.yaml": clusters, "kargo/project.yaml": policy,
		"lockkeeper.yaml": "targets:\n- {stage: develop/edge, directories: [\"clusters/*\"]" + settings + "}\n",
	}
	for i := range n {
		files[fmt.Sprintf("clusters/c%03d/values.yaml", i)] = "tag: \"1.0.0\" # of the app\n"
	}
	b.commit("main", files)
	return b
}

func TestManyTargetsArePushedTogether(t *testing.T) {
	t.Parallel()
	const n = 30
	b := fanOut(t, n, "")
	b.wire.reset()
	outcome := b.sweep()
	open := 0
	for _, mr := range b.mergeRequests() {
		if strings.HasPrefix(mr.Title, "edge.c") {
			open++
		}
	}
	if open != n {
		t.Fatalf("%d merge requests, want %d\n%s", open, n, outcome.Plan)
	}
	pushes := 0
	_, git := b.wire.requests()
	for _, line := range git {
		if strings.Contains(line, "POST") && strings.Contains(line, "git-receive-pack") {
			pushes++
		}
	}
	if pushes > 5 { // the proposals, their changes, and the stages that had nothing to change
		t.Errorf("%d pushes for %d proposals:\n%s", pushes, n, strings.Join(git, "\n"))
	}
	if again := b.sweep(); len(again.Applied) > 0 {
		t.Errorf("a repeated look applied %v", again.Applied)
	}
}

func TestTargetsAreTakenInWaves(t *testing.T) {
	t.Parallel()
	b := fanOut(t, 5, ", maxInFlight: 2")
	var waves []int
	merged := map[int]bool{}
	for range 5 {
		outcome := b.sweep()
		wave := 0
		for _, change := range outcome.State.Changes {
			if change.State == promote.ChangeOpen && strings.Contains(string(change.Branch), "/edge.") && !merged[change.Number] {
				merged[change.Number] = true
				b.you.merge(change)
				wave++
			}
		}
		if wave > 0 {
			waves = append(waves, wave)
		}
	}
	if diff := gocmp.Diff([]int{2, 2, 1}, waves); diff != "" {
		t.Errorf("waves: %s", diff)
	}
	b.until("every cluster to run 1.0.1", func(o reconcile.Outcome) bool {
		return runs("develop/edge.c000", "1.0.1")(o) && runs("develop/edge.c004", "1.0.1")(o)
	})
	if text := b.text("main", "clusters/c004/values.yaml"); text != "tag: \"1.0.1\" # of the app\n" {
		t.Errorf("the last cluster: %q", text)
	}
}
