package git

import (
	"context"
	"fmt"
	"slices"
	"time"
)

const (
	maxAncestry = 1_000  // commits IsAncestor looks at
	maxLog      = 10_000 // commits Log returns
)

// IsAncestor reports whether a commit is reachable from another through any parents; a commit is its own ancestor.
// Missing history is fetched in steps. After 1,000 commits without an answer the error is ErrTooDeep.
func (r *Repository) IsAncestor(ctx context.Context, ancestor, descendant string) (bool, error) {
	ids, err := parseIDs([]string{ancestor, descendant})
	if err != nil {
		return false, err
	}
	target := ids[0]
	seen := map[oid]bool{ids[1]: true}
	queue := ids[1:2:2]
	for depth := 50; len(queue) > 0; depth *= 4 {
		var missing []oid
		for ; len(queue) > 0; queue = queue[1:] {
			if queue[0] == target {
				return true, nil
			}
			info, known, err := r.knownCommit(queue[0])
			if err != nil {
				return false, err
			}
			if !known {
				missing = append(missing, queue[0])
				continue
			}
			if queue, err = appendUnseen(queue, info.Parents, seen); err != nil {
				return false, err
			}
			if len(seen) > maxAncestry {
				return false, fmt.Errorf("is %s an ancestor of %s: no answer within %d commits: %w", ancestor, descendant, maxAncestry, ErrTooDeep)
			}
		}
		if slices.Contains(missing, target) {
			return true, nil
		}
		if len(missing) == 0 {
			return false, nil
		}
		if err := r.fetchHistory(ctx, missing, min(depth, maxAncestry)); err != nil {
			return false, fmt.Errorf("history of %s: %w", descendant, err)
		}
		for _, id := range missing {
			if !r.store.has(id) {
				return false, fmt.Errorf("history of %s: commit %s: %w", descendant, id, ErrNotFound)
			}
		}
		queue = missing
	}
	return false, nil
}

func appendUnseen(queue []oid, parents []string, seen map[oid]bool) ([]oid, error) {
	ids, err := parseIDs(parents)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			queue = append(queue, id)
		}
	}
	return queue, nil
}

// Log returns commits from one on, following first parents: newest first, at most limit (itself at most 10,000), fewer
// when history ends. Missing history is fetched in steps, without file content where the server can leave it out.
func (r *Repository) Log(ctx context.Context, from string, limit int) ([]CommitInfo, error) {
	if limit < 1 || limit > maxLog {
		return nil, fmt.Errorf("log limit %d: expected 1 to %d", limit, maxLog)
	}
	id, err := parseID(from)
	if err != nil {
		return nil, err
	}
	var out []CommitInfo
	for len(out) < limit {
		info, known, err := r.knownCommit(id)
		if err != nil {
			return nil, err
		}
		if !known {
			if err := r.fetchHistory(ctx, []oid{id}, min(limit-len(out), 200)); err != nil {
				return nil, fmt.Errorf("history of %s: %w", from, err)
			}
			if info, err = r.commitInfo(ctx, id); err != nil {
				return nil, err
			}
		}
		out = append(out, info)
		if len(info.Parents) == 0 {
			break
		}
		if id, err = parseID(info.Parents[0]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// MergeBase returns the newest commit that is reachable from both of two commits, which is what one of them changes in
// comparison with: ErrNotFound when their histories have nothing in common. With several, none of which is reachable from another,
// it is the one that was committed last. Dates say where to look first and never what is found: whoever writes a commit writes its
// date. Missing history is fetched in steps. After 1,000 commits without an answer the error is ErrTooDeep.
func (r *Repository) MergeBase(ctx context.Context, a, b string) (string, error) {
	ids, err := parseIDs([]string{a, b})
	if err != nil {
		return "", err
	}
	walk := mergeWalk{reached: map[oid]int{}, when: map[oid]time.Time{}}
	walk.reach(ids[0], fromFirst)
	walk.reach(ids[1], fromSecond)
	for depth := 50; walk.undecided(); {
		missing, err := walk.look(r)
		if err != nil {
			return "", err
		}
		if len(missing) > 0 {
			if err := r.fetchHistory(ctx, missing, min(depth, maxAncestry)); err != nil {
				return "", fmt.Errorf("history of %s and %s: %w", a, b, err)
			}
			for _, id := range missing {
				if !r.store.has(id) {
					return "", fmt.Errorf("history of %s and %s: commit %s: %w", a, b, id, ErrNotFound)
				}
			}
			depth *= 4
			continue
		}
		next := walk.next()
		info, _, err := r.knownCommit(next)
		if err != nil {
			return "", err
		}
		parents, err := parseIDs(info.Parents)
		if err != nil {
			return "", err
		}
		for _, parent := range parents {
			walk.reach(parent, walk.handsDown(next))
		}
		if len(walk.reached) > maxAncestry {
			return "", fmt.Errorf("what %s and %s have in common: no answer within %d commits: %w", a, b, maxAncestry, ErrTooDeep)
		}
	}
	bases := walk.bases()
	if len(bases) == 0 {
		return "", fmt.Errorf("%s and %s have no commit in common: %w", a, b, ErrNotFound)
	}
	return walk.newest(bases).String(), nil
}

// From which of two commits another one is reached, and whether from one that both have in common.
const (
	fromFirst  = 1
	fromSecond = 2
	fromCommon = 4
)

// mergeWalk goes back from two commits, the newest first, as git merge-base does.
type mergeWalk struct {
	reached map[oid]int
	when    map[oid]time.Time // of those that are known
	open    []oid             // reached, and not gone on from
	common  []oid             // gone on from, and reached from both when they were
}

// undecided reports whether going on can still change the answer: a commit is open that may lead to something in common, or of
// several that are in common one may be reachable from another.
func (w *mergeWalk) undecided() bool {
	decided := func(id oid) bool { return w.reached[id]&fromCommon != 0 }
	return slices.ContainsFunc(w.open, func(id oid) bool { return !decided(id) }) || len(w.open) > 0 && len(w.bases()) > 1
}

// bases are the commits in common that are reached from no other such commit, as far as is known.
func (w *mergeWalk) bases() []oid {
	return slices.DeleteFunc(slices.Clone(w.common), func(id oid) bool { return w.reached[id]&fromCommon != 0 })
}

// handsDown is from where the parents of a commit are reached.
func (w *mergeWalk) handsDown(id oid) int {
	if from := w.reached[id]; from != fromFirst|fromSecond {
		return from
	}
	return fromFirst | fromSecond | fromCommon
}

// reach notes that a commit is reached. One that was gone on from already, because its time is not to be trusted, is gone on
// from once more.
func (w *mergeWalk) reach(id oid, from int) {
	if known := w.reached[id]; known|from == known {
		return
	}
	w.reached[id] |= from
	if !slices.Contains(w.open, id) {
		w.open = append(w.open, id)
	}
}

// look finds out when the open commits were made, and returns those that are missing.
func (w *mergeWalk) look(r *Repository) (missing []oid, err error) {
	for _, id := range w.open {
		if _, looked := w.when[id]; looked {
			continue
		}
		info, known, err := r.knownCommit(id)
		if err != nil {
			return nil, err
		}
		if !known {
			missing = append(missing, id)
			continue
		}
		w.when[id] = info.Committer.When
	}
	return missing, nil
}

// next takes the newest of the open commits.
func (w *mergeWalk) next() oid {
	next := w.newest(w.open)
	w.open = slices.DeleteFunc(w.open, func(id oid) bool { return id == next })
	if w.reached[next] == fromFirst|fromSecond {
		w.common = append(w.common, next)
	}
	return next
}

// newest is the first of the newest of some commits.
func (w *mergeWalk) newest(ids []oid) oid {
	return slices.MaxFunc(ids, func(a, b oid) int { return w.when[a].Compare(w.when[b]) })
}
