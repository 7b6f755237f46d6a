package main

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
	"github.com/lockkeeper/lockkeeper/promote"
)

// TestWhatIsHeldLeavesTheQueue lets a change into the forge's queue, which takes its time, and has a person hold the stage meanwhile.
func TestWhatIsHeldLeavesTheQueue(t *testing.T) {
	t.Parallel()
	onBothForges(t, func(t *testing.T, b *bed) {
		b.adopt()
		change := b.propose("1.0.2")
		b.slowly(t, change)
		queued := b.run(b.you.comment(change.Number, "/promote"))
		contains(t, stageOf(queued, devStage).Reason, "is being merged by the forge")
		if again := b.sweep(); len(again.Applied) != 0 {
			t.Errorf("it is merged once more: %v", again.Applied)
		}
		held := b.run(b.you.comment(change.Number, "/hold"))
		contains(t, stageOf(held, devStage).Reason, "held by you")
		found, err := b.change(t, change.Number)
		if err != nil || found.State != promote.ChangeOpen || found.Merge == promote.MergeQueued {
			t.Errorf("the change is %s, %+v, %v", found.State, found.Mergeability, err)
		}
		b.run(b.you.comment(change.Number, "/resume"))
		again := b.sweep()
		contains(t, stageOf(again, devStage).Reason, "is being merged by the forge")
	})
}

// slowly has the forge merge a change through something that takes its time: a merge queue, or a pipeline that runs still.
func (b *bed) slowly(t *testing.T, change promote.Change) {
	t.Helper()
	if b.github {
		if err := b.forge.SetRules(worldProject, "main", &devforge.BranchRules{
			Checks: []devforge.RequiredCheck{{Context: promote.StatusName, App: b.hubApp.id}}, Queue: true,
		}); err != nil {
			t.Fatal(err)
		}
		return
	}
	if _, err := b.forge.RunPipeline(t.Context(), worldProject, change.Number, devforge.BranchPipeline); err != nil {
		t.Fatal(err)
	}
	b.run(promote.Event{Kind: promote.EventStatus, Change: change.Number, Head: change.Head})
}

func (b *bed) change(t *testing.T, number int) (promote.Change, error) {
	t.Helper()
	return b.loop.Forge.Change(t.Context(), number)
}
