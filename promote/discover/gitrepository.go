package discover

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/git"
)

const (
	maxRemembered = 4_096   // subscriptions of one repository
	maxPaths      = 200_000 // changed paths that are kept of one repository
	maxOwnPaths   = 20_000  // of one commit; of more, none is kept
)

// gitRepository is a repository and what is known of it.
type gitRepository struct {
	remote     *git.Repository
	used       time.Time    // guarded by Git.mu
	generation atomic.Int64 // a reading of an older one is out of date
	reads      turn
	searches   turn // so that what one search fetches is there for the next

	mu         sync.Mutex
	last       *gitReading
	remembered map[string]gitMemory // by the key of a subscription
	changes    map[string][]string  // commit → the paths it changed; nil: more than can be looked at
	paths      int                  // how many all of changes are
}

func newGitRepository(remote *git.Repository, now time.Time) *gitRepository {
	return &gitRepository{
		remote: remote, used: now, reads: newTurn(), searches: newTurn(),
		remembered: map[string]gitMemory{}, changes: map[string][]string{},
	}
}

// turn is a lock that is not waited for longer than a context lasts.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turn) give() { <-t }

// gitReading is what the refs were at one time, or why they could not be read.
type gitReading struct {
	started    time.Time
	generation int64
	refs       git.Refs
	err        error
	until      time.Time // the server wants to be left alone until then
	tags       func() gitTags
}

// gitTags are the tags of a reading, with a print that is equal for equal tags.
type gitTags struct {
	all   []git.Tag
	print string
}

// read returns the refs, from a reading that began after arrival or is still fresh. A refusal is shared as well.
func (r *gitRepository) read(ctx context.Context, config GitConfig, arrival time.Time) (*gitReading, error) {
	if err := r.reads.take(ctx); err != nil {
		return nil, err
	}
	defer r.reads.give()
	now := config.Now()
	if last := r.lastReading(); last != nil {
		shared := last.generation == r.generation.Load() && last.started.After(arrival.Add(-config.Fresh))
		if shared || now.Before(last.until) {
			return last, last.err
		}
	}
	reading := &gitReading{started: now, generation: r.generation.Load()}
	reading.refs, reading.err = r.remote.Refs(ctx)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if refused, ok := errors.AsType[*git.HTTPError](reading.err); ok && refused.RetryAfter > 0 {
		reading.until = now.Add(refused.RetryAfter)
	}
	reading.tags = sync.OnceValue(func() gitTags {
		all := reading.refs.Tags()
		return gitTags{all, printTags(all)}
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = reading
	return reading, reading.err
}

func (r *gitRepository) lastReading() *gitReading {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

func printTags(tags []git.Tag) string {
	h := sha256.New()
	for _, tag := range tags {
		// A hash never fails to be written to.
		_, _ = fmt.Fprintf(h, "%s %s %s\n", tag.Name, tag.Object, tag.Commit)
	}
	return string(h.Sum(nil))
}

// gitMemory is what was found for a subscription, and what that depends on.
type gitMemory struct {
	observed string // the tip of the branch, or the print of all tags
	matching string // the print of the tags whose names were selected
	found    gitFound
}

func (r *gitRepository) recall(key string) (gitMemory, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m, ok := r.remembered[key]
	return m, ok
}

// remember keeps what was found. When there is too much, anything else is forgotten: it can be found again.
func (r *gitRepository) remember(key string, m gitMemory) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for other := range r.remembered {
		if len(r.remembered) < maxRemembered {
			break
		}
		delete(r.remembered, other)
	}
	r.remembered[key] = m
}

func (r *gitRepository) changesOf(commit string) ([]string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	paths, ok := r.changes[commit]
	return paths, ok
}

func (r *gitRepository) keepChanges(commit string, paths []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.paths+len(paths)+1 > maxPaths {
		clear(r.changes)
		r.paths = 0
	}
	r.changes[commit] = paths
	r.paths += len(paths) + 1
}

// prepare fetches in one request what is needed to say which paths commits changed.
func (r *gitRepository) prepare(ctx context.Context, commits []git.CommitInfo) error {
	var ids []string
	for _, commit := range commits {
		if _, known := r.changesOf(commit.ID); !known {
			ids = append(append(ids, commit.ID), firstParent(commit)...)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return r.remote.Ensure(ctx, ids...)
}

// firstParent lists the commit that a commit is compared with; a merge has brought what that one did not have.
func firstParent(commit git.CommitInfo) []string { return commit.Parents[:min(1, len(commit.Parents))] }

// changed reports whether a commit changed a path that the filter selects.
func (r *gitRepository) changed(ctx context.Context, commit git.CommitInfo, filter pathFilter) (bool, error) {
	if paths, known := r.changesOf(commit.ID); known {
		if paths == nil {
			return false, git.ErrTooLarge
		}
		return slices.ContainsFunc(paths, filter.selects), nil
	}
	base := ""
	for _, parent := range firstParent(commit) {
		base = parent
	}
	paths := []string{}
	found := false
	err := r.remote.EachChange(ctx, base, commit.ID, func(c git.FileChange) bool {
		found = found || filter.selects(c.Path)
		if len(paths) <= maxOwnPaths {
			paths = append(paths, c.Path)
		}
		return !found || len(paths) <= maxOwnPaths
	})
	if errors.Is(err, git.ErrTooLarge) {
		r.keepChanges(commit.ID, nil)
	}
	if err != nil {
		return false, err
	}
	if len(paths) <= maxOwnPaths {
		r.keepChanges(commit.ID, paths)
	}
	return found, nil
}
