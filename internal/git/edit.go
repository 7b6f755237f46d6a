package git

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// edit is what shall happen to one name: a file's new content, or edits below a directory.
type edit struct {
	file  *File
	below map[string]*edit
}

// planEdits arranges the paths as a tree and refuses what no tree can hold.
func planEdits(files map[string]File) (*edit, error) {
	root := &edit{below: map[string]*edit{}}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		file := files[path]
		if err := checkFile(path, file); err != nil {
			return nil, err
		}
		here := root
		for part := range strings.SplitSeq(path, "/") {
			if here.file != nil {
				return nil, fmt.Errorf("path %q: a file above it is changed by the same commit: %w", path, ErrConflict)
			}
			next := here.below[part]
			if next == nil {
				next = &edit{below: map[string]*edit{}}
				here.below[part] = next
			}
			here = next
		}
		if len(here.below) > 0 {
			return nil, fmt.Errorf("path %q: files below it are changed by the same commit: %w", path, ErrConflict)
		}
		here.file = &file
	}
	return root, nil
}

func checkFile(path string, file File) error {
	if err := checkPath(path); err != nil {
		return err
	}
	if file.Delete {
		return nil
	}
	if len(file.Data) > MaxBlobSize {
		return fmt.Errorf("path %q: file of %d bytes, at most %d: %w", path, len(file.Data), MaxBlobSize, ErrTooLarge)
	}
	if file.Mode&^fs.ModePerm != 0 {
		return fmt.Errorf("path %q: mode %s: expected permission bits only", path, file.Mode)
	}
	return nil
}

// checkPath refuses what fs.ValidPath refuses and what git fsck calls dangerous: names that are ".git" on some file system.
func checkPath(path string) error {
	if !fs.ValidPath(path) || path == "." {
		return fmt.Errorf(`path %q: expected a slash-separated path without ".", ".." or empty parts`, path)
	}
	if len(path) > 4096 {
		return fmt.Errorf("path %q…: longer than 4096 bytes: %w", path[:64], ErrTooLarge)
	}
	for part := range strings.SplitSeq(path, "/") {
		if strings.ContainsFunc(part, func(c rune) bool { return c < ' ' || c == 0x7f }) {
			return fmt.Errorf("path %q: contains a control character", path)
		}
		if isDotGit(part) {
			return fmt.Errorf("path %q: %q is reserved by git", path, part)
		}
	}
	return nil
}

// isDotGit sees through what HFS+ ignores in names and what NTFS takes for the same name. Files that git itself reads
// from trees (.gitmodules and the like) are no business of ours to write and could point readers elsewhere.
func isDotGit(part string) bool {
	clean := strings.Map(func(c rune) rune {
		switch {
		case c >= 0x200c && c <= 0x200f, c >= 0x202a && c <= 0x202e, c >= 0x206a && c <= 0x206f, c == 0xfeff:
			return -1
		}
		return c
	}, part)
	for _, piece := range strings.FieldsFunc(clean, func(c rune) bool { return c == '\\' || c == ':' }) {
		low := strings.ToLower(strings.TrimRight(piece, " ."))
		if low == ".git" || low == "git~1" || low == ".gitmodules" {
			return true
		}
	}
	return false
}

// editor makes the objects of one commit.
type editor struct {
	repo    *Repository
	base    oid // commit that the trees are read from
	objects []packObject
	made    map[oid]bool
}

func (ed *editor) add(o packObject) {
	if !ed.made[o.id] {
		ed.made[o.id] = true
		ed.objects = append(ed.objects, o)
	}
}

// change is one splice of a raw tree with what orders splices at the same offset.
type change struct {
	splice
	name   string
	isTree bool
}

// directory applies edits below a directory and returns its new tree, zero when nothing is left in it.
// A zero id is a directory that does not exist yet.
func (ed *editor) directory(ctx context.Context, path string, id oid, e *edit) (oid, error) {
	raw, err := ed.repo.treeData(ctx, ed.base, id)
	if err != nil {
		return oid{}, err
	}
	var changes []change
	for _, name := range slices.Sorted(maps.Keys(e.below)) {
		c, changed, err := ed.child(ctx, join(path, name), raw, name, e.below[name])
		if err != nil {
			return oid{}, err
		}
		if changed {
			changes = append(changes, c)
		}
	}
	if len(changes) == 0 {
		return id, nil
	}
	slices.SortFunc(changes, func(a, b change) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.del, b.del), compareNames(a.name, a.isTree, b.name, b.isTree))
	})
	splices := make([]splice, 0, len(changes))
	for _, c := range changes {
		splices = append(splices, c.splice)
	}
	out, delta := applySplices(raw, splices)
	if len(out) == 0 {
		return oid{}, nil
	}
	tree := packObject{id: hashObject(kindTree, out), kind: kindTree, data: out}
	if len(raw) > 0 && len(delta) < len(out)/2 {
		tree.data, tree.base, tree.delta = nil, id, delta
	}
	ed.add(tree)
	return tree.id, nil
}

// child applies the edit of one name in a raw tree.
func (ed *editor) child(ctx context.Context, path string, raw []byte, name string, e *edit) (change, bool, error) {
	old, exists, err := findEntry(raw, name)
	if err != nil {
		return change{}, false, err
	}
	if exists && !old.isTree() && !old.isFile() && (e.file == nil || !e.file.Delete || old.mode == modeSubmodule) {
		return change{}, false, fmt.Errorf("%w: %w", &NotRegularError{Path: path, Mode: FileMode(old.mode).Type()}, ErrConflict)
	}
	var mode uint32
	var id oid
	if e.file == nil {
		mode = modeTree
		id, err = ed.subdirectory(ctx, path, old, exists, e)
	} else {
		mode, id, err = ed.file(path, old, exists, *e.file)
	}
	if err != nil || exists && id == old.id && mode == old.mode {
		return change{}, false, err
	}
	c := change{name: name, isTree: mode == modeTree}
	switch {
	case exists && id.IsZero():
		c.splice = splice{at: old.at, del: old.end - old.at}
	case exists && mode == old.mode:
		c.splice = splice{at: old.end - 20, del: 20, ins: id[:]}
	case exists:
		c.splice = splice{at: old.at, del: old.end - old.at, ins: appendEntry(nil, mode, name, id)}
	case id.IsZero():
		return change{}, false, nil
	default:
		at, err := insertOffset(raw, name, c.isTree)
		if err != nil {
			return change{}, false, err
		}
		c.splice = splice{at: at, ins: appendEntry(nil, mode, name, id)}
	}
	return c, true, nil
}

func (ed *editor) subdirectory(ctx context.Context, path string, old entry, exists bool, e *edit) (oid, error) {
	if exists && !old.isTree() {
		return oid{}, fmt.Errorf("path %q is a file, and files below it are to be changed: %w", path, ErrConflict)
	}
	return ed.directory(ctx, path, old.id, e)
}

// file makes the blob of a changed file and returns its entry, zero for a deleted one.
func (ed *editor) file(path string, old entry, exists bool, f File) (uint32, oid, error) {
	switch {
	case exists && old.isTree():
		return 0, oid{}, fmt.Errorf("path %q is a directory: %w", path, ErrConflict)
	case f.Delete && !exists:
		return 0, oid{}, fmt.Errorf("delete %q: %w", path, ErrNotFound)
	case f.Delete:
		return old.mode, oid{}, nil
	}
	mode := uint32(modeFile)
	switch {
	case f.Mode&0o111 != 0:
		mode = modeExecutable
	case f.Mode == 0 && exists:
		mode = old.mode
	}
	id := hashObject(kindBlob, f.Data)
	if exists && id == old.id {
		return mode, id, nil
	}
	blob := packObject{id: id, kind: kindBlob, data: slices.Clone(f.Data)}
	if blob.data == nil {
		blob.data = []byte{}
	}
	if _, before, ok := ed.repo.store.get(old.id); exists && ok {
		if _, delta := applySplices(before, []splice{middle(before, f.Data)}); len(delta) < len(f.Data)/2 {
			blob.base, blob.delta = old.id, delta
		}
	}
	ed.add(blob)
	return mode, id, nil
}
