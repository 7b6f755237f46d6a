package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
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

// recallQueues finds the commits that queues test, where webhooks told another process of them. Without webhooks nobody answers queues.
func (r *Reconciler) recallQueues(ctx context.Context, w *watch, state promote.State) {
	if r.memory.queuesRead || !r.Webhooks {
		return
	}
	branches := map[promote.Branch]promote.Commit{}
	for name, commit := range w.refs.Commits {
		if branch, ok := strings.CutPrefix(name, "refs/heads/"); ok {
			branches[promote.Branch(branch)] = promote.Commit(commit)
		}
	}
	events, err := r.Forge.Queued(ctx, state.Branch, branches)
	if err != nil {
		w.fail("queues", fmt.Errorf("look what merge queues test: %w", err))
		return
	}
	r.memory.queuesRead = true
	r.noteQueued(slices.DeleteFunc(events, func(e promote.Event) bool { return r.memory.queued[e.Head] != queued{} }), state.Now)
}

// answerQueues posts our status on every commit that a queue tests, once it is known what to say, and again when that changes.
func (r *Reconciler) answerQueues(ctx context.Context, w *watch, state promote.State, plan promote.Plan) {
	r.recallQueues(ctx, w, state)
	state.Statuses = promote.WantedStatuses(state, plan)
	for _, head := range slices.Sorted(maps.Keys(r.memory.queued)) {
		entry := r.memory.queued[head]
		if state.Now.Sub(entry.at) > queuedFor {
			delete(r.memory.queued, head)
			continue
		}
		verdict, err := r.judgeQueued(ctx, state, promote.QueuedCommit{Head: head, Change: entry.change, Target: entry.branch})
		if err == nil && verdict.Next == promote.QueuePost {
			err = r.postOnce(ctx, verdict.Post)
		}
		if err != nil {
			w.fail("queue/"+string(head), fmt.Errorf("judge %s, which a merge queue tests: %w", head.Short(), err))
			continue
		}
		if verdict.Next == promote.QueueLeave || verdict.Post.Status.State != promote.StatusPending {
			delete(r.memory.queued, head)
		}
	}
}

// judgeQueued finds out what has to be known of a commit to judge it, and no more.
func (r *Reconciler) judgeQueued(ctx context.Context, state promote.State, c promote.QueuedCommit) (promote.QueueVerdict, error) {
	c.Files = map[promote.PromotionRef]promote.QueuedFiles{}
	for {
		verdict := promote.JudgeQueued(state, c)
		var err error
		switch verdict.Next {
		case promote.QueueCompare:
			c.Files[verdict.Promotion.Ref()], err = r.filesIn(ctx, state, verdict.Promotion, c.Head)
		case promote.QueueAsk:
			c.Target, err = r.queueTarget(ctx, c.Change)
			c.Asked = true
		case promote.QueueReview:
			c.Review, err = r.reviewQueued(ctx, state, c)
		case promote.QueuePost, promote.QueueLeave:
			return verdict, nil
		}
		if err != nil {
			return verdict, err
		}
	}
}

// queueTarget is the branch that a change goes to; empty for one that is not there any more.
func (r *Reconciler) queueTarget(ctx context.Context, number int) (promote.Branch, error) {
	change, err := r.Forge.Change(ctx, number)
	if errors.Is(err, promote.ErrNotFound) {
		return "", nil
	}
	return change.Target, err
}

// reviewQueued looks at a commit of a queue as at the change of a person on top of the target.
func (r *Reconciler) reviewQueued(ctx context.Context, state promote.State, c promote.QueuedCommit) (*promote.PostStatus, error) {
	if err := r.Git.Ensure(ctx, string(c.Head)); err != nil {
		return nil, fmt.Errorf("fetch %s: %w", c.Head.Short(), err)
	}
	found, err := r.judgeCommits(ctx, state, commits{base: state.Head, head: c.Head})
	if err != nil {
		return nil, err
	}
	found.Change = promote.Change{Number: c.Change, Head: c.Head}
	post, _ := state.ReviewPost(found)
	return &post, nil
}

// filesIn compares the files of a promotion, as its gates judged them, with a commit.
func (r *Reconciler) filesIn(ctx context.Context, state promote.State, p promote.Promotion, head promote.Commit) (promote.QueuedFiles, error) {
	tested, err := r.treeAt(ctx, head)
	if err != nil {
		return promote.QueuedFiles{}, err
	}
	file, err := r.differsFrom(ctx, state, p, tested)
	if errors.Is(err, git.ErrNotFound) {
		return promote.QueuedFiles{Gone: true}, nil
	}
	return promote.QueuedFiles{Other: file}, err
}

// differsFrom returns a file of a promotion that a tree does not have as it was proposed; empty when there is none.
func (r *Reconciler) differsFrom(ctx context.Context, state promote.State, p promote.Promotion, tested *git.Tree) (string, error) {
	judged := state.JudgedHead(p)
	proposed, err := r.treeAt(ctx, judged)
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
