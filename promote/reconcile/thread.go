package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

// maxThreaded is how many changes' threads are remembered; looking at those of one again costs a request.
const maxThreaded = 500

// threads shows what is wrong with the open promotions as threads, where the repository says so. Nothing is decided from a thread, so
// it comes last, and what fails holds up nothing.
func (r *Reconciler) threads(ctx context.Context, w *watch, state promote.State) {
	if !r.memory.repository.settings.Forge.Threads {
		return
	}
	for _, change := range state.Changes {
		evidence, judged := state.Evidence[change.Head]
		if !judged || change.State != promote.ChangeOpen || change.Fork || !promote.IsProposalBranch(change.Branch) {
			continue
		}
		if err := r.showThreads(ctx, change, evidence.Findings); err != nil && !errors.Is(err, promote.ErrStale) {
			w.fail(fmt.Sprintf("threads/%d", change.Number), fmt.Errorf("show findings of change %d: %w", change.Number, err))
		}
	}
}

// showThreads makes the threads of a change say what is found in it. A change that has no finding, and none of whose threads is open,
// costs no request, and what was shown already is not looked at again.
func (r *Reconciler) showThreads(ctx context.Context, change promote.Change, findings []promote.Finding) error {
	if !r.memory.repository.settings.Forge.Threads {
		return nil
	}
	want := promote.FindingThreads(findings)
	shown, known := r.memory.threads[change.Number]
	says := keysOf(want)
	if known && shown == says || len(want) == 0 && !known && !change.Unresolved {
		r.keepThreads(change.Number, says)
		return nil
	}
	have, err := r.Forge.OwnThreads(ctx, change.Number)
	if err != nil {
		return err
	}
	steps := promote.PlanThreads(have, want)
	if len(steps.Open) > 0 {
		if err := r.Forge.OpenThreads(ctx, change.Number, change.Head, steps.Open); err != nil {
			return err
		}
	}
	for _, thread := range steps.Resolve {
		if err := r.Forge.Resolve(ctx, change.Number, thread, true); err != nil {
			return err
		}
	}
	for _, thread := range steps.Reopen {
		if err := r.Forge.Resolve(ctx, change.Number, thread, false); err != nil {
			return err
		}
	}
	r.keepThreads(change.Number, says)
	return nil
}

func (r *Reconciler) keepThreads(number int, says string) {
	if _, known := r.memory.threads[number]; !known && len(r.memory.threads) >= maxThreaded {
		clear(r.memory.threads)
	}
	r.memory.threads[number] = says
}

// keysOf tells one set of threads from another.
func keysOf(drafts []promote.ThreadDraft) string {
	var keys []string
	for _, draft := range drafts {
		key, _, _ := strings.Cut(draft.Body, "\n")
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return strings.Join(keys, "\n")
}
