package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

// maxReviews is how many changes' last reviews are remembered; another look costs a few requests.
const maxReviews = 500

// A reviewed is what a change looked like when it was reviewed last, and what that said. One that another process reviewed has no
// more than its head.
type reviewed struct {
	head, target promote.Commit
	body         string
	posted       promote.PostStatus
}

// A sighting is what a status event names: a change, or where it does not say which a commit.
type sighting struct {
	change int
	head   promote.Commit
}

func sightingOf(e promote.Event) sighting {
	if e.Change != 0 {
		return sighting{change: e.Change}
	}
	return sighting{head: e.Head}
}

func (m *memory) keepReview(number int, review reviewed) {
	if len(m.reviews) >= maxReviews {
		clear(m.reviews)
	}
	m.reviews[number] = review
}

func (m *memory) keepNothing(seen sighting) {
	if len(m.nothing) >= maxReviews {
		clear(m.nothing)
	}
	m.nothing[seen] = true
}

// restoreReviews posts the status of a review again where events say that something happened to the statuses of its head, and it
// does not stand there any more: a pipeline that a person begins anew would pass without it.
func (r *Reconciler) restoreReviews(ctx context.Context, w *watch, state promote.State) {
	if r.memory.repository.settings.Forge.review() == reviewOff {
		return
	}
	about := func(number int, last reviewed) func(promote.Event) bool {
		return func(e promote.Event) bool {
			return e.Kind == promote.EventStatus && (e.Change == number || e.Head == last.head)
		}
	}
	for _, number := range slices.Sorted(maps.Keys(r.memory.reviews)) {
		last := r.memory.reviews[number]
		if !slices.ContainsFunc(w.events, about(number, last)) || state.Promotes(last.head) {
			continue
		}
		if err := r.restore(ctx, w, state, number); err != nil && !errors.Is(err, promote.ErrStale) { // of a newer head its own event tells
			w.fail(fmt.Sprintf("review/%d", number), fmt.Errorf("look after the status of change %d: %w", number, err))
		}
	}
	for _, event := range w.events {
		remembered := false
		for number, last := range r.memory.reviews {
			remembered = remembered || about(number, last)(event)
		}
		if event.Kind != promote.EventStatus || remembered {
			continue
		}
		if err := r.lookAfter(ctx, w, state, event); err != nil {
			w.fail(fmt.Sprintf("review/%d/%s", event.Change, event.Head), fmt.Errorf("look after the status of change %d at %s: %w",
				event.Change, event.Head.Short(), err))
		}
	}
}

// restore posts the status of a review that is remembered, unless it stands.
func (r *Reconciler) restore(ctx context.Context, w *watch, state promote.State, number int) error {
	last := r.memory.reviews[number]
	status, err := r.status(ctx, last.head)
	switch {
	case err != nil:
		return err
	case last.posted.Head != "":
		return r.postOnce(ctx, last.posted)
	case reported(status):
		return nil
	}
	return r.reviewOne(ctx, w, state, number)
}

// reported reports whether a review's status stands on a head. Reviews leave none pending: that is what forges make of one that a person
// asks for again.
func reported(status *promote.Status) bool {
	return status != nil && status.State != promote.StatusPending
}

// lookAfter looks at the change of a person that nothing is remembered of, as after a restart, and reviews it if it has no status of
// ours. That costs two requests at most where there is nothing to do, which is remembered.
func (r *Reconciler) lookAfter(ctx context.Context, w *watch, state promote.State, event promote.Event) error {
	seen := sightingOf(event)
	if seen == (sighting{}) || r.memory.nothing[seen] || state.IsPromotion(event.Change) || state.Promotes(event.Head) {
		return nil
	}
	change, found, err := r.seenChange(ctx, w, seen)
	if err != nil {
		return err
	}
	if !found || !state.IsReviewed(change) || state.Promotes(change.Head) {
		r.memory.keepNothing(seen)
		return nil
	}
	delete(r.memory.statuses, change.Head)
	status, err := r.status(ctx, change.Head)
	if err != nil {
		return err
	}
	if reported(status) {
		r.memory.keepReview(change.Number, reviewed{head: change.Head})
		return nil
	}
	return r.reviewChange(ctx, w, state, change)
}

// seenChange is the change that a status event speaks of: the one that it names, or that comes from the branch whose tip is its commit.
func (r *Reconciler) seenChange(ctx context.Context, w *watch, seen sighting) (promote.Change, bool, error) {
	if seen.change != 0 {
		change, err := r.Forge.Change(ctx, seen.change)
		if errors.Is(err, promote.ErrNotFound) {
			return change, false, nil
		}
		return change, err == nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(w.refs.Commits)) {
		branch, ok := strings.CutPrefix(name, "refs/heads/")
		from := promote.Branch(branch)
		if !ok || w.refs.Commits[name] != string(seen.head) || from == r.memory.branch || promote.IsProposalBranch(from) {
			continue
		}
		changes, err := r.Forge.ChangesFrom(ctx, from)
		i := slices.IndexFunc(changes, func(c promote.Change) bool { return c.State == promote.ChangeOpen && !c.Fork })
		if err != nil || i < 0 {
			return promote.Change{}, false, err
		}
		return changes[i], true, nil
	}
	return promote.Change{}, false, nil
}
