package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
	"github.com/lockkeeper/lockkeeper/promote"
)

// headPipeline is what GitLab judges a merge request by.
type headPipeline struct {
	ID  int
	SHA string `json:"sha"`
}

func (b *bed) headPipeline(number int) headPipeline {
	b.t.Helper()
	var m struct {
		HeadPipeline headPipeline `json:"head_pipeline"`
	}
	b.you.read(fmt.Sprintf("merge_requests/%d", number), &m)
	return m.HeadPipeline
}

// gatesIn returns our status in a pipeline.
func (b *bed) gatesIn(pipeline headPipeline) string {
	b.t.Helper()
	var all []struct{ Name, Status string }
	b.you.read(fmt.Sprintf("repository/commits/%s/statuses?pipeline_id=%d", pipeline.SHA, pipeline.ID), &all)
	for _, s := range all {
		if s.Name == promote.StatusName {
			return s.Status
		}
	}
	return ""
}

// TestStatusFollowsThePipelineOfCI: CI begins a pipeline for a commit that has our status already, and GitLab judges by that one.
func TestStatusFollowsThePipelineOfCI(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]devforge.PipelineKind{
		"of the branch": devforge.BranchPipeline, "of the merge request": devforge.RequestPipeline, "of the merge result": devforge.ResultPipeline,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			b.settings(func(s *devforge.Settings) { s.MergedResults = kind == devforge.ResultPipeline })
			b.loop = b.newLoop(b.wire)
			b.adopt()
			change := b.propose("1.0.2")
			if _, err := b.forge.RunPipeline(t.Context(), worldProject, change.Number, kind); err != nil {
				t.Fatal(err)
			}
			line := b.headPipeline(change.Number)
			if status := b.gatesIn(line); status != "" {
				t.Fatalf("the new pipeline has the status %q before anybody posted it", status)
			}
			moved := promote.Event{Kind: promote.EventStatus, Change: change.Number, Head: promote.Commit(line.SHA)}
			b.run(moved)
			if status := b.gatesIn(line); status != "success" {
				t.Errorf("status in the new pipeline is %q", status)
			}
			b.forge.ResetCalls()
			if again := b.run(moved); len(again.Applied) != 0 {
				t.Errorf("a repeated event applied %v", again.Applied)
			}
			within(t, "an event of a pipeline that changes nothing", budgetToQuiet, b.botCalls())
		})
	}
}

// TestReviewsFollowThePipelineOfCI: a person whose change has errors begins another pipeline, and GitLab judges by that one.
func TestReviewsFollowThePipelineOfCI(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.adopt()
	b.branch("topic", "replicas: 1", "replicas: 3")
	b.edit("topic", "kargo/stages.yaml", "name: promote-image", "name: promote-imaeg")
	number := b.you.open("topic", "main", "A typo")
	b.run(promote.Event{Kind: promote.EventChange, Change: number})
	if _, err := b.forge.RunPipeline(t.Context(), worldProject, number, devforge.BranchPipeline); err != nil {
		t.Fatal(err)
	}
	line := b.headPipeline(number)
	if status := b.gatesIn(line); status != "" {
		t.Fatalf("the new pipeline has the status %q before anybody posted it", status)
	}
	moved := promote.Event{Kind: promote.EventStatus, Change: number, Head: promote.Commit(line.SHA)}
	b.run(moved)
	if status := b.gatesIn(line); status != "failed" {
		t.Errorf("status in the new pipeline is %q", status)
	}
	b.forge.ResetCalls()
	b.run(moved)
	within(t, "an event of a pipeline that changes nothing", budgetToQuiet, b.botCalls())
	if calls := b.botCalls(); slices.ContainsFunc(calls, func(line string) bool { return !strings.HasPrefix(line, "GET") }) {
		t.Errorf("a repeated event was written for:\n%s", strings.Join(calls, "\n"))
	}
}

func (b *bed) settings(edit func(*devforge.Settings)) {
	b.t.Helper()
	if err := b.forge.Change(worldProject, edit); err != nil {
		b.t.Fatal(err)
	}
}

// TestPromotionsGoByTrain: where a project merges by trains, a promotion boards one, is waited for and judged there, and is
// delivered when the train has merged it.
func TestPromotionsGoByTrain(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.settings(func(s *devforge.Settings) { s.MergedResults, s.MergeTrains = true, true })
	b.loop = b.newLoop(b.wire)
	b.adopt()
	b.commit("main", map[string]string{"lockkeeper.yaml": "stages:\n- {stage: develop/frontend-dev-stage, autoMerge: true}\n"})
	change := b.propose("1.0.2")
	outcome := b.sweep()
	if reason := stageOf(outcome, devStage).Reason; !strings.HasPrefix(reason, "1.0.2 is being merged by the forge: merge train") {
		t.Fatalf("stage: %s\n%s", reason, outcome.Plan)
	}
	b.forge.ResetCalls()
	if again := b.sweep(); len(again.Applied) != 0 {
		t.Errorf("what is on the train was touched again: %v", again.Applied)
	}
	if calls := b.botCalls(); slices.ContainsFunc(calls, func(line string) bool { return !strings.HasPrefix(line, "GET") }) {
		t.Errorf("what is on the train was written to:\n%s", strings.Join(calls, "\n"))
	}
	line := b.headPipeline(change.Number)
	b.run(promote.Event{Kind: promote.EventQueue, Branch: "main", Head: promote.Commit(line.SHA), Change: change.Number})
	if status := b.gatesIn(line); status != "success" {
		t.Errorf("status in the train's pipeline is %q", status)
	}
	if err := b.forge.FinishPipeline(t.Context(), worldProject, line.ID, "success"); err != nil {
		t.Fatal(err)
	}
	b.until("dev to run 1.0.2", runs(devStage, "1.0.2"))
	if boarded := b.mergeRequests()[0]; boarded.State != "merged" {
		t.Errorf("merge request %+v", boarded)
	}
	b.withoutOurMessage(t, change)
}

// withoutOurMessage: GitLab takes no message for what a train merges, so the merged commit lacks our trailers. The history is complete
// without them: it has the commit from the change. Going back works, too.
func (b *bed) withoutOurMessage(t *testing.T, change promote.Change) {
	t.Helper()
	merged := b.tip("main")
	if message := b.messageOf(merged); strings.Contains(message, "Lockkeeper-") {
		t.Errorf("the train took our message: %q", message)
	}
	contains(t, b.messageOf(string(change.Head)), "Lockkeeper-Stage: "+devStage)
	history := b.sweep().State.History
	i := slices.IndexFunc(history.Promotions, func(p promote.Promotion) bool { return p.Head == change.Head })
	if i < 0 || history.Promotions[i].Merged != promote.Commit(merged) || history.Promotions[i].Phase != promote.PhaseSucceeded {
		t.Errorf("promotions %+v, main is at %s", history.Promotions, merged)
	}
	b.deliveredToDev(t)
	b.run(b.you.comment(change.Number, "/rollback frontend-dev-stage"))
	outcome := b.sweep()
	if back, ok := openOf(outcome, devStage); !ok || !strings.Contains(b.text(string(back.Branch), devFile), `tag: "1.0.1"`) {
		t.Errorf("no change that goes back:\n%s", outcome.Plan)
	}
}
