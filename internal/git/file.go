package git

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
)

var (
	_ fs.ReadFileFS = (*Tree)(nil)
	_ fs.ReadDirFS  = (*Tree)(nil)
	_ fs.StatFS     = (*Tree)(nil)

	errNotDirectory = errors.New("not a directory")
	errIsDirectory  = errors.New("is a directory")
)

// Open implements fs.FS.
func (t *Tree) Open(name string) (fs.File, error) {
	ctx, cancel := t.repo.background()
	defer cancel()
	e, err := t.lookup(ctx, "open", name)
	if err != nil {
		return nil, err
	}
	if e.isTree() {
		list, err := t.list(ctx, name, e)
		if err != nil {
			return nil, err
		}
		return NewDir(name, list), nil
	}
	data, err := t.content(ctx, "open", name, e)
	if err != nil {
		return nil, err
	}
	return NewFile(name, e.mode, data), nil
}

// ReadFile implements fs.ReadFileFS. The result is the caller's own.
func (t *Tree) ReadFile(name string) ([]byte, error) {
	ctx, cancel := t.repo.background()
	defer cancel()
	return t.ReadFileContext(ctx, name)
}

// ReadFileContext is ReadFile under the caller's context.
func (t *Tree) ReadFileContext(ctx context.Context, name string) ([]byte, error) {
	e, err := t.lookup(ctx, "read", name)
	if err != nil {
		return nil, err
	}
	data, err := t.content(ctx, "read", name, e)
	return slices.Clone(data), err
}

func (t *Tree) content(ctx context.Context, op, name string, e entry) ([]byte, error) {
	var err error
	switch {
	case e.isTree():
		err = errIsDirectory
	case !e.isFile():
		err = &NotRegularError{Path: name, Mode: FileMode(e.mode).Type()}
	default:
		var data []byte
		if data, err = t.repo.blobData(ctx, t.commit, e.id); err == nil {
			return data, nil
		}
	}
	return nil, &fs.PathError{Op: op, Path: name, Err: err}
}

// Stat implements fs.StatFS. It does not follow links, and fetches the file when its size is not known.
func (t *Tree) Stat(name string) (fs.FileInfo, error) {
	ctx, cancel := t.repo.background()
	defer cancel()
	e, err := t.lookup(ctx, "stat", name)
	if err != nil {
		return nil, err
	}
	return t.stat(ctx, name, e)
}

func (t *Tree) stat(ctx context.Context, name string, e entry) (fs.FileInfo, error) {
	if !e.isFile() {
		return NewFileInfo(name, e.mode, 0), nil
	}
	data, err := t.content(ctx, "stat", name, e)
	if err != nil {
		return nil, err
	}
	return NewFileInfo(name, e.mode, len(data)), nil
}

// ReadDir implements fs.ReadDirFS: the entries sorted by name. It needs no file content.
func (t *Tree) ReadDir(name string) ([]fs.DirEntry, error) {
	ctx, cancel := t.repo.background()
	defer cancel()
	e, err := t.lookup(ctx, "readdir", name)
	if err != nil {
		return nil, err
	}
	if !e.isTree() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errNotDirectory}
	}
	return t.list(ctx, name, e)
}

func (t *Tree) list(ctx context.Context, name string, e entry) ([]fs.DirEntry, error) {
	var out []fs.DirEntry
	raw, err := t.repo.treeData(ctx, t.commit, e.id)
	if err == nil {
		err = eachEntry(raw, func(e entry) bool {
			if at := join(name, string(e.name)); t.cone.shows(at, e) {
				out = append(out, &dirItem{tree: t, path: at, entry: e})
			}
			return true
		})
	}
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	slices.SortFunc(out, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return out, nil
}

type dirItem struct {
	tree  *Tree
	path  string
	entry entry
}

func (d *dirItem) Name() string      { return string(d.entry.name) }
func (d *dirItem) IsDir() bool       { return d.entry.isTree() }
func (d *dirItem) Type() fs.FileMode { return FileMode(d.entry.mode).Type() }
func (d *dirItem) String() string    { return fs.FormatDirEntry(d) }

// Info implements fs.DirEntry. It fetches the file when its size is not known.
func (d *dirItem) Info() (fs.FileInfo, error) {
	ctx, cancel := d.tree.repo.background()
	defer cancel()
	return d.tree.stat(ctx, d.path, d.entry)
}
