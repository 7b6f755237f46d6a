package reconcile

import (
	"context"
	"fmt"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	maxQueued = 200       // commits of queues that are remembered at most
	queuedFor = time.Hour // how long: forges give up earlier
)

// A queued is a commit that a merge queue or train tests, and waits for our status on.
type queued struct {
	branch promote.Branch // the target
	change int            // the one on top; 0 is not known
	at     time.Time
}

// noteQueued remembers the commits that events say are waited for.
func (r *Reconciler) noteQueued(events []promote.Event, now time.Time) {
	for _, event := range events {
		if event.Kind != promote.EventQueue || event.Head == "" {
			continue
		}
		if len(r.memory.queued) >= maxQueued {
			clear(r.memory.queued)
		}
		r.memory.queued[event.Head] = queued{branch: event.Branch, change: event.Change, at: now}
	}
}

// answerQueues posts our status on every commit that a queue tests, once it is known what to say, and again when that changes.
func (r *Reconciler) answerQueues(ctx context.Context, w *watch, state promote.State) {
	for head, entry := range r.memory.queued {
		if state.Now.Sub(entry.at) > queuedFor || entry.branch != "" && entry.branch != state.Branch {
			delete(r.memory.queued, head)
			continue
		}
		posted, err := r.judgeQueued(ctx, state, head, entry)
		if err == nil {
			err = r.postOnce(ctx, posted)
		}
		if err != nil {
			w.fail("queue/"+string(head), fmt.Errorf("judge %s, which a merge queue tests: %w", head.Short(), err))
			continue
		}
		if posted.Status.State != promote.StatusPending {
			delete(r.memory.queued, head)
		}
	}
}

// judgeQueued says what the queue is to be told of a commit. A promotion's gates were judged on its own head: they hold for the
// commit if it has the files of the promotion as they were proposed. Any other change is judged as it lies in the queue.
func (r *Reconciler) judgeQueued(ctx context.Context, state promote.State, head promote.Commit, entry queued) (promote.PostStatus, error) {
	posted := promote.PostStatus{Change: entry.change, Head: head}
	for _, p := range state.History.Promotions {
		if p.Change != entry.change || p.Change == 0 || p.Phase != promote.PhaseProposed {
			continue
		}
		file, err := r.differsFrom(ctx, p, head)
		if err != nil {
			return posted, err
		}
		if file != "" {
			posted.Status = promote.Status{
				Name: promote.StatusName, State: promote.StatusFailed, Description: "a change before it in the queue writes " + file + " too",
			}
			return posted, nil
		}
		if status, known := state.Statuses[p.Head]; known {
			posted.Status = status
		} else {
			posted.Status = promote.Status{Name: promote.StatusName, State: promote.StatusPending, Description: "its gates are being judged"}
		}
		return posted, nil
	}
	if err := r.Git.Ensure(ctx, string(head)); err != nil {
		return posted, fmt.Errorf("fetch %s: %w", head.Short(), err)
	}
	j, err := r.judgeCommits(ctx, state, commits{base: state.Head, head: head})
	if err != nil {
		return posted, err
	}
	posted = j.status(promote.Change{Number: entry.change, Head: head})
	return posted, nil
}

// differsFrom returns a file of a promotion that a commit does not have as it was proposed; empty when there is none.
func (r *Reconciler) differsFrom(ctx context.Context, p promote.Promotion, head promote.Commit) (string, error) {
	proposed, err := r.treeAt(ctx, p.Head)
	if err != nil {
		return "", err
	}
	tested, err := r.treeAt(ctx, head)
	if err != nil {
		return "", err
	}
	changes, err := r.Git.Diff(ctx, string(p.Base), string(p.Head))
	if err != nil {
		return "", err
	}
	for _, change := range changes {
		before, _ := proposed.ObjectID(change.Path)
		now, _ := tested.ObjectID(change.Path)
		if before != now {
			return change.Path, nil
		}
	}
	return "", nil
}
