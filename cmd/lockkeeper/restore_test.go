package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
	"github.com/lockkeeper/lockkeeper/promote"
)

// displaced is a change of a person with an error in it, as a process before this one reviewed it, in whose place CI began another
// pipeline since.
func displaced(t *testing.T, b *bed) (number int, line headPipeline) {
	t.Helper()
	b.adopt()
	b.branch("topic", "replicas: 1", "replicas: 3")
	b.edit("topic", "kargo/stages.yaml", "name: promote-image", "name: promote-imaeg")
	number = b.you.open("topic", "main", "A typo")
	b.run(promote.Event{Kind: promote.EventChange, Change: number})
	b.restart()
	if _, err := b.forge.RunPipeline(t.Context(), worldProject, number, devforge.BranchPipeline); err != nil {
		t.Fatal(err)
	}
	return number, b.headPipeline(number)
}

// restart begins a new process, which has looked at everything once.
func (b *bed) restart() {
	b.t.Helper()
	b.loop = b.newLoop(b.wire)
	b.loop.Webhooks = true
	b.sweep()
}

// writes are those requests of the bot that are no reads.
func (b *bed) writes() []string {
	return slices.DeleteFunc(b.botCalls(), func(line string) bool { return strings.HasPrefix(line, "GET") })
}

// TestReviewsSurviveARestart: what a process before this one reviewed is looked after, too, whatever the event names.
func TestReviewsSurviveARestart(t *testing.T) {
	t.Parallel()
	for name, event := range map[string]func(number int, line headPipeline) promote.Event{
		"by the change": func(number int, line headPipeline) promote.Event {
			return promote.Event{Kind: promote.EventStatus, Change: number, Head: promote.Commit(line.SHA)}
		},
		"by the commit": func(_ int, line headPipeline) promote.Event {
			return promote.Event{Kind: promote.EventStatus, Head: promote.Commit(line.SHA)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			number, line := displaced(t, b)
			moved := event(number, line)
			b.run(moved)
			if status := b.gatesIn(line); status != "failed" {
				t.Errorf("status in the new pipeline is %q", status)
			}
			if notes := b.notes(number); len(notes) != 1 {
				t.Errorf("notes: %q", notes)
			}
			b.forge.ResetCalls()
			b.run(moved)
			within(t, "an event of a pipeline that changes nothing", budgetToQuiet, b.botCalls())
			if wrote := b.writes(); len(wrote) > 0 {
				t.Errorf("a repeated event was written for: %q", wrote)
			}
			if _, err := b.forge.RunPipeline(t.Context(), worldProject, number, devforge.BranchPipeline); err != nil {
				t.Fatal(err)
			}
			b.run(moved)
			if status := b.gatesIn(b.headPipeline(number)); status != "failed" {
				t.Errorf("status in the pipeline after that is %q", status)
			}
		})
	}
}

// TestStatusEventsThatAreNothing cost two requests at most, the same one again none, and write nothing.
func TestStatusEventsThatAreNothing(t *testing.T) {
	t.Parallel()
	onBothForges(t, func(t *testing.T, b *bed) {
		b.adopt()
		b.branch("topic", "replicas: 1", "replicas: 3")
		b.branch("closed", "replicas: 1", "replicas: 4")
		b.branch("release", "replicas: 1", "replicas: 5")
		b.branch("alone", "replicas: 1", "replicas: 6")
		reviewed, shut := b.you.open("topic", "main", "More"), b.you.open("closed", "main", "Closed")
		elsewhere := b.you.open("closed", "release", "Elsewhere")
		b.you.shut(shut)
		b.run(promote.Event{Kind: promote.EventChange, Change: reviewed})
		b.restart()
		if _, _, err := b.loop.Forge.Status(t.Context(), promote.Commit(b.tip("topic")), promote.StatusName); err != nil { // it asks once who it is
			t.Fatal(err)
		}
		for _, c := range []struct {
			name        string
			event       promote.Event
			first, then int
		}{
			{"nothing is named", promote.Event{}, 1, 1},
			{"a change whose status stands", promote.Event{Change: reviewed}, 2, 1},
			{"its commit", promote.Event{Head: promote.Commit(b.tip("topic"))}, 1, 1},
			{"a change that is closed", promote.Event{Change: shut}, 1, 0},
			{"a change for another branch", promote.Event{Change: elsewhere}, 1, 0},
			{"a change that is not there", promote.Event{Change: 999}, 1, 0},
			{"a commit that is on no branch", promote.Event{Head: promote.Commit(strings.Repeat("a", 40))}, 0, 0},
			{"the tip of the branch that is deployed", promote.Event{Head: promote.Commit(b.tip("main"))}, 0, 0},
			{"the tip of a branch without a change", promote.Event{Head: promote.Commit(b.tip("alone"))}, 1, 0},
		} {
			c.event.Kind = promote.EventStatus
			for i, budget := range []int{c.first, c.then} {
				b.forge.ResetCalls()
				b.run(c.event)
				if calls := b.botCalls(); len(calls) > budget {
					t.Errorf("%s, time %d: %d requests, want %d at most: %q", c.name, i+1, len(calls), budget, calls)
				}
				for _, line := range b.writes() {
					if !strings.Contains(line, "/graphql") {
						t.Errorf("%s: it was written for: %s", c.name, line)
					}
				}
			}
		}
	})
}
