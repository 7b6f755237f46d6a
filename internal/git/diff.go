package git

import (
	"context"
	"errors"
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

// maxVisits bounds the paths and directories that one comparison looks at, maxPath the length of a path: trees may be built
// so that a few kilobytes of them hold more paths than there are atoms.
const (
	maxVisits = 1_000_000
	maxPath   = 16 << 10
)

// Diff returns the paths that differ between two commits, sorted. An empty base is the empty tree. It compares ids only,
// so it reads no file, and skips directories that are equal; renames are an Added and a Deleted. More than 1,000,000 paths
// and directories that differ are ErrTooLarge.
func (r *Repository) Diff(ctx context.Context, base, head string) ([]FileChange, error) {
	var changes []FileChange
	err := r.EachChange(ctx, base, head, func(c FileChange) bool {
		changes = append(changes, c)
		return true
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(changes, func(a, b FileChange) int { return strings.Compare(a.Path, b.Path) })
	return changes, nil
}

// EachChange calls visit for what Diff would return, in the order of git, until visit returns false.
func (r *Repository) EachChange(ctx context.Context, base, head string, visit func(FileChange) bool) error {
	ids := []string{head}
	if base != "" {
		ids = append(ids, base)
	}
	if err := r.Ensure(ctx, ids...); err != nil {
		return err
	}
	after, err := r.Tree(ctx, head)
	if err != nil {
		return err
	}
	before := &Tree{repo: r}
	if base != "" {
		if before, err = r.Tree(ctx, base); err != nil {
			return err
		}
	}
	if before.root == after.root {
		return nil
	}
	d := &differ{before: before, after: after, visit: visit}
	if err := d.directory(ctx, "", before.root, after.root); err != nil && !errors.Is(err, errStop) {
		return fmt.Errorf("diff %s..%s: %w", base, head, err)
	}
	return nil
}

// errStop ends a comparison whose caller has seen enough.
var errStop = errors.New("stop")

type differ struct {
	before, after *Tree
	visit         func(FileChange) bool
	visits        int
}

// count refuses a comparison that gets out of hand.
func (d *differ) count(ctx context.Context, path string) error {
	d.visits++
	if d.visits > maxVisits {
		return fmt.Errorf("more than %d paths and directories differ: %w", maxVisits, ErrTooLarge)
	}
	if len(path) > maxPath {
		return fmt.Errorf("a path has more than %d bytes: %w", maxPath, ErrTooLarge)
	}
	return ctx.Err()
}

// directory compares two versions of a directory; a zero id is one that does not exist.
func (d *differ) directory(ctx context.Context, path string, before, after oid) error {
	if err := d.count(ctx, path); err != nil {
		return err
	}
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
	if !d.visit(FileChange{Path: path, Kind: kind}) {
		return errStop
	}
	return d.count(ctx, path)
}
