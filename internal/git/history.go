package git

import (
	"context"
	"fmt"
	"slices"
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
