package git

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// ChangeKind says what happened to a path.
type ChangeKind string

// The kinds of change. A changed mode is Modified; a directory that became a file is its files Deleted and one Added.
const (
	Added    ChangeKind = "added"
	Modified ChangeKind = "modified"
	Deleted  ChangeKind = "deleted"
)

// FileChange is one path that differs between two commits.
type FileChange struct {
	Path string
	Kind ChangeKind
}

// Diff returns the paths that differ between two commits, sorted. An empty base is the empty tree. It compares ids only,
// so it reads no file, and skips directories that are equal; renames are an Added and a Deleted.
func (r *Repository) Diff(ctx context.Context, base, head string) ([]FileChange, error) {
	ids := []string{head}
	if base != "" {
		ids = append(ids, base)
	}
	if err := r.Ensure(ctx, ids...); err != nil {
		return nil, err
	}
	after, err := r.Tree(ctx, head)
	if err != nil {
		return nil, err
	}
	before := &Tree{repo: r}
	if base != "" {
		if before, err = r.Tree(ctx, base); err != nil {
			return nil, err
		}
	}
	d := &differ{before: before, after: after}
	if before.root != after.root {
		if err := d.directory(ctx, "", before.root, after.root); err != nil {
			return nil, fmt.Errorf("diff %s..%s: %w", base, head, err)
		}
	}
	slices.SortFunc(d.changes, func(a, b FileChange) int { return strings.Compare(a.Path, b.Path) })
	return d.changes, nil
}

type differ struct {
	before, after *Tree
	changes       []FileChange
}

// directory compares two versions of a directory; a zero id is one that does not exist.
func (d *differ) directory(ctx context.Context, path string, before, after oid) error {
	rawBefore, err := d.before.repo.treeData(ctx, d.before.commit, before)
	if err != nil {
		return err
	}
	rawAfter, err := d.after.repo.treeData(ctx, d.after.commit, after)
	if err != nil {
		return err
	}
	i, j := 0, 0
	for i < len(rawBefore) || j < len(rawAfter) {
		var a, b entry
		if i < len(rawBefore) {
			if a, err = nextEntry(rawBefore, i); err != nil {
				return err
			}
		}
		if j < len(rawAfter) {
			if b, err = nextEntry(rawAfter, j); err != nil {
				return err
			}
		}
		switch order := compareEntries(a, b); {
		case order < 0:
			err, i = d.one(ctx, path, a, entry{}), a.end
		case order > 0:
			err, j = d.one(ctx, path, entry{}, b), b.end
		default:
			if a.id != b.id || a.mode != b.mode {
				err = d.one(ctx, path, a, b)
			}
			i, j = a.end, b.end
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// compareEntries orders two entries as git does; an absent one is last.
func compareEntries(a, b entry) int {
	switch {
	case a.name == nil:
		return 1
	case b.name == nil:
		return -1
	}
	return compareNames(string(a.name), a.isTree(), string(b.name), b.isTree())
}

// one notes the change of one name; an entry without a name does not exist.
func (d *differ) one(ctx context.Context, dir string, a, b entry) error {
	name := a.name
	if name == nil {
		name = b.name
	}
	path := join(dir, string(name))
	if a.isTree() || b.isTree() {
		return d.directory(ctx, path, a.id, b.id)
	}
	kind := Modified
	switch {
	case a.name == nil:
		kind = Added
	case b.name == nil:
		kind = Deleted
	}
	d.changes = append(d.changes, FileChange{Path: path, Kind: kind})
	return nil
}
