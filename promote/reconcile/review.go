package reconcile

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
)

// replayed is how much of the history is replayed for a note.
const replayed = 90 * 24 * time.Hour

// moments is how many moments are replayed at most: nobody else is served meanwhile.
const moments = 100

// review looks at the changes of people that an event speaks of. One that changes the pipelines gets a note that says which
// recorded decisions would have been others with it.
func (r *Reconciler) review(ctx context.Context, w *watch, state promote.State) {
	seen := map[int]bool{}
	for _, event := range w.events {
		if event.Kind != promote.EventChange || event.Change == 0 || seen[event.Change] || ours(state, event.Change) {
			continue
		}
		seen[event.Change] = true
		if err := r.reviewOne(ctx, state, event.Change); err != nil {
			w.fail(fmt.Sprintf("review/%d", event.Change), fmt.Errorf("review change %d: %w", event.Change, err))
		}
	}
}

// ours reports whether a change is a promotion.
func ours(state promote.State, number int) bool {
	return slices.ContainsFunc(state.History.Promotions, func(p promote.Promotion) bool { return p.Change == number }) ||
		slices.ContainsFunc(state.Changes, func(c promote.Change) bool { return c.Number == number && promote.IsProposalBranch(c.Branch) })
}

func (r *Reconciler) reviewOne(ctx context.Context, state promote.State, number int) error {
	change, err := r.Forge.Change(ctx, number)
	if errors.Is(err, promote.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	// What others push from a fork is not read: it may be anything, and nobody here asked for it.
	if change.State != promote.ChangeOpen || change.Fork || promote.IsProposalBranch(change.Branch) || change.Target != state.Branch || change.Head == "" {
		return nil
	}
	head, err := r.read(ctx, change.Head)
	if err != nil {
		return err
	}
	before := r.memory.repository
	if reflect.DeepEqual(before.pipelines, head.pipelines) {
		return nil
	}
	after := state
	after.Pipelines, after.Findings = head.pipelines, head.findings
	simulation := promote.Simulate(state, after, state.Now.Add(-replayed), moments)
	body := "### What the changed pipeline would have decided\n\n" + simulation.Markdown()
	return r.say(ctx, number, marker("simulation", "pipelines"), body)
}
