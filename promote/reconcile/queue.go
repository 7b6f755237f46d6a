package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/git"
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
func (r *Reconciler) answerQueues(ctx context.Context, w *watch, state promote.State, plan promote.Plan) {
	state.Statuses = wanted(state, plan)
	for head, entry := range r.memory.queued {
		if state.Now.Sub(entry.at) > queuedFor {
			delete(r.memory.queued, head)
			continue
		}
		posted, ours, err := r.judgeQueued(ctx, state, head, entry)
		if err == nil && ours {
			err = r.postOnce(ctx, posted)
		}
		if err != nil {
			w.fail("queue/"+string(head), fmt.Errorf("judge %s, which a merge queue tests: %w", head.Short(), err))
			continue
		}
		if !ours || posted.Status.State != promote.StatusPending {
			delete(r.memory.queued, head)
		}
	}
}

// wanted are the statuses of heads as they should be: one that could not be posted does not stand on the forge, and counts all
// the same.
func wanted(state promote.State, plan promote.Plan) map[promote.Commit]promote.Status {
	statuses := maps.Clone(state.Statuses)
	for _, action := range plan.Actions {
		if post, ok := action.(promote.PostStatus); ok {
			statuses[post.Head] = post.Status
		}
	}
	return statuses
}

// judgeQueued says what the queue is to be told of a commit, and whether it is ours to say. A promotion's gates were judged on its
// own head: they hold for the commit if it has the files of the promotion as they were proposed. Any other change is judged as it
// lies in the queue, and needs the gates of the promotions that it brings along.
func (r *Reconciler) judgeQueued(ctx context.Context, state promote.State, head promote.Commit, entry queued) (promote.PostStatus, bool, error) {
	posted := promote.PostStatus{Change: entry.change, Head: head}
	named, found := promotionsOf(state, entry.change)
	if found && len(named) == 0 {
		posted.Status = queueStatus(promote.StatusFailed, "the promotion of this change has ended")
		return posted, true, nil
	}
	for _, p := range named {
		file, err := r.differsFrom(ctx, state, p, head)
		if err != nil {
			return posted, true, err
		}
		if file != "" {
			posted.Status = queueStatus(promote.StatusFailed, "a change before it in the queue writes "+file+" too")
			return posted, true, nil
		}
	}
	along, err := r.broughtAlong(ctx, state, head, entry)
	if err != nil {
		return posted, true, err
	}
	for _, p := range append(along, named...) {
		status, known := state.Statuses[headOf(state, p)]
		if !known {
			status = queueStatus(promote.StatusPending, "its gates are being judged")
		}
		if posted.Status = status; status.State != promote.StatusSuccess {
			return posted, true, nil
		}
	}
	if len(named) > 0 {
		return posted, true, nil
	}
	if target, err := r.queueTarget(ctx, entry); err != nil || target != state.Branch {
		return posted, false, err
	}
	if err := r.Git.Ensure(ctx, string(head)); err != nil {
		return posted, true, fmt.Errorf("fetch %s: %w", head.Short(), err)
	}
	j, err := r.judgeCommits(ctx, state, commits{base: state.Head, head: head})
	if err != nil {
		return posted, true, err
	}
	return j.status(promote.Change{Number: entry.change, Head: head}), true, nil
}

func queueStatus(state promote.StatusState, description string) promote.Status {
	return promote.Status{Name: promote.StatusName, State: state, Description: description}
}

// promotionsOf returns the promotions of a change that are proposed, and whether it ever had one.
func promotionsOf(state promote.State, change int) (proposed []promote.Promotion, found bool) {
	for _, p := range state.History.Promotions {
		if p.Change == 0 || p.Change != change {
			continue
		}
		found = true
		if p.Phase == promote.PhaseProposed {
			proposed = append(proposed, p)
		}
	}
	return proposed, found
}

// headOf is the head that the gates of a promotion were judged on: people may have added commits to what was proposed.
func headOf(state promote.State, p promote.Promotion) promote.Commit {
	if change, ok := state.Change(p); ok && change.Head != "" {
		return change.Head
	}
	return p.Head
}

// broughtAlong returns the promotions whose files lie in a commit besides those of the change that it is named after: forges test
// several changes in one. Where nobody says which change it is, it may be any; otherwise only one that is queued, too.
func (r *Reconciler) broughtAlong(ctx context.Context, state promote.State, head promote.Commit, entry queued) ([]promote.Promotion, error) {
	var along []promote.Promotion
	for _, p := range state.History.Promotions {
		if p.Phase != promote.PhaseProposed || p.Head == p.Base || entry.change != 0 && p.Change == entry.change {
			continue
		}
		if change, _ := state.Change(p); entry.change != 0 && change.Merge != promote.MergeQueued {
			continue
		}
		file, err := r.differsFrom(ctx, state, p, head)
		if errors.Is(err, git.ErrNotFound) {
			continue // its branch was deleted: no queue has it
		}
		if err != nil {
			return nil, err
		}
		if file == "" {
			along = append(along, p)
		}
	}
	return along, nil
}

// queueTarget is the branch that a commit is tested for. Where the event does not name it the change does.
func (r *Reconciler) queueTarget(ctx context.Context, entry queued) (promote.Branch, error) {
	if entry.branch != "" || entry.change == 0 {
		return entry.branch, nil
	}
	change, err := r.Forge.Change(ctx, entry.change)
	if errors.Is(err, promote.ErrNotFound) {
		return "", nil
	}
	return change.Target, err
}

// differsFrom returns a file of a promotion that a commit does not have as it was proposed; empty when there is none.
func (r *Reconciler) differsFrom(ctx context.Context, state promote.State, p promote.Promotion, head promote.Commit) (string, error) {
	judged := headOf(state, p)
	proposed, err := r.treeAt(ctx, judged)
	if err != nil {
		return "", err
	}
	tested, err := r.treeAt(ctx, head)
	if err != nil {
		return "", err
	}
	base := string(p.Base)
	if judged != p.Head && p.Target == state.Branch { // people may have brought it up to date
		if since, err := r.Git.MergeBase(ctx, string(state.Head), string(judged)); err == nil {
			base = since
		}
	}
	changes, err := r.Git.Diff(ctx, base, string(judged))
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
