package reconcile

import (
	"context"

	"github.com/lockkeeper/lockkeeper/promote"
)

// decide decides, and asks the forge for our status on the heads that it would be posted on: what stands there already is not
// posted again, and a head that another one takes the place of is not asked about at all.
func (r *Reconciler) decide(ctx context.Context, state *promote.State) promote.Plan {
	plan := promote.Decide(*state)
	more := false
	for _, action := range plan.Actions {
		post, ok := action.(promote.PostStatus)
		if _, known := state.Statuses[post.Head]; !ok || known {
			continue
		}
		status, err := r.status(ctx, post.Head)
		if err != nil {
			// It is posted anew, and if that fails too it is the failure of this one change.
			r.Log.WarnContext(ctx, "read status", "change", post.Change, "head", post.Head, "error", err)
		}
		if status != nil {
			state.Statuses[post.Head], more = *status, true
		}
	}
	if more {
		return promote.Decide(*state)
	}
	return plan
}

// status returns our status on a head, nil when there is none.
func (r *Reconciler) status(ctx context.Context, head promote.Commit) (*promote.Status, error) {
	if head == "" {
		return nil, nil // the forge does not know the head of a new change yet
	}
	if status, known := r.memory.statuses[head]; known {
		return status, nil
	}
	status, ok, err := r.Forge.Status(ctx, head, promote.StatusName)
	if err != nil {
		return nil, err
	}
	if !ok {
		r.memory.keepStatus(head, nil)
		return nil, nil
	}
	r.memory.keepStatus(head, &status)
	return &status, nil
}

// forgetStatuses has the statuses read again that events speak of: a pipeline that began later for the same commit may have taken
// the place of the one that our status stands in, and would pass without it.
func (r *Reconciler) forgetStatuses(events []promote.Event) {
	for _, event := range events {
		if event.Kind != promote.EventStatus {
			continue
		}
		delete(r.memory.statuses, event.Head)
		delete(r.memory.statuses, r.memory.reviews[event.Change].head)
		for _, change := range r.memory.changes {
			if change.Number == event.Change {
				delete(r.memory.statuses, change.Head)
			}
		}
	}
}

// forgetUnheard has the statuses read again that the forge may not have taken in, although they were posted.
func (r *Reconciler) forgetUnheard(changes []promote.Change) {
	for _, change := range changes {
		if change.Unheard {
			delete(r.memory.statuses, change.Head)
		}
	}
}

// maxStatuses bounds how many heads' statuses are remembered; reading one again costs a request.
const maxStatuses = 1000

func (m *memory) keepStatus(head promote.Commit, status *promote.Status) {
	if len(m.statuses) >= maxStatuses {
		clear(m.statuses)
	}
	m.statuses[head] = status
}
