package step

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/git"
)

// files shows the workspace as a read-only file system: checkouts with their edits, and the files beside them. Renderers and
// globs see through it what later steps would.
func (w *workspace) files(ctx context.Context) fs.FS { return workspaceFS{ctx, w} }

// workspaceFS implements fs.FS, fs.ReadFileFS, fs.ReadDirFS and fs.StatFS.
type workspaceFS struct {
	ctx context.Context //nolint:containedctx // io/fs has no contexts; it lives as long as one step
	w   *workspace
}

// Open implements fs.FS.
func (f workspaceFS) Open(name string) (fs.File, error) {
	info, err := f.Stat(name)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	if info.IsDir() {
		entries, err := f.ReadDir(name)
		if err != nil {
			return nil, err
		}
		return git.NewDir(name, entries), nil
	}
	data, err := f.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return git.NewFile(name, uint32(regular(info.Mode())), data), nil
}

// regular is the mode of a file in a Git tree.
func regular(mode fs.FileMode) int {
	if mode&0o111 != 0 {
		return 0o100755
	}
	return 0o100644
}

const directoryMode = 0o040000

// ReadFile implements fs.ReadFileFS.
func (f workspaceFS) ReadFile(name string) ([]byte, error) {
	if !fs.ValidPath(name) {
		return nil, pathError("read", name, fs.ErrInvalid)
	}
	data, err := f.w.read(f.ctx, name)
	return slices.Clone(data), pathError("read", name, err) // the caller may change it
}

// Stat implements fs.StatFS.
func (f workspaceFS) Stat(name string) (fs.FileInfo, error) {
	if !fs.ValidPath(name) {
		return nil, pathError("stat", name, fs.ErrInvalid)
	}
	if name == "." || f.isDir(name) {
		return git.NewFileInfo(name, directoryMode, 0), nil
	}
	file, err := f.w.file(f.ctx, name)
	if err != nil {
		return nil, pathError("stat", name, err)
	}
	return git.NewFileInfo(name, uint32(regular(file.mode)), len(file.data)), nil
}

// isDir reports whether anything lies below a path, or a checkout of which nothing is left.
func (f workspaceFS) isDir(name string) bool {
	_, err := f.ReadDir(name)
	return err == nil
}

// ReadDir implements fs.ReadDirFS.
func (f workspaceFS) ReadDir(name string) ([]fs.DirEntry, error) {
	if !fs.ValidPath(name) {
		return nil, pathError("read", name, fs.ErrInvalid)
	}
	children := map[string]fs.DirEntry{}
	put := func(at string, mode uint32, size int) {
		rest, below := at, name == "."
		if !below {
			rest, below = strings.CutPrefix(at, name+"/")
		}
		if !below || rest == "" || rest == "." {
			return
		}
		first, _, deeper := strings.Cut(rest, "/")
		if deeper {
			mode, size = directoryMode, 0
		}
		children[first] = fs.FileInfoToDirEntry(git.NewFileInfo(path.Join(name, first), mode, size))
	}
	c, inside := f.w.holder(name)
	if c != nil {
		entries, err := c.folder(inside)
		if err != nil {
			return nil, pathError("read", name, err)
		}
		f.committed(c, inside, entries, children)
		for at, file := range c.edits {
			if !file.gone {
				put(path.Join(c.path, at), uint32(regular(file.mode)), len(file.data))
			}
		}
	}
	for at, file := range f.w.loose {
		if !file.gone {
			put(at, uint32(regular(file.mode)), len(file.data))
		}
	}
	for _, other := range f.w.checkouts {
		if other.path != "." {
			put(other.path+"/.", directoryMode, 0)
		}
	}
	if len(children) == 0 && name != "." && (c == nil || inside != ".") {
		return nil, pathError("read", name, fs.ErrNotExist)
	}
	return slices.SortedFunc(maps.Values(children), func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) }), nil
}

// folder lists a folder of the commit. Where the commit has none, a step may have made one: that is no error.
func (c *checkout) folder(inside string) ([]fs.DirEntry, error) {
	info, err := c.tree.Stat(inside)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && !info.IsDir():
		return nil, nil
	case err != nil:
		return nil, err
	}
	return c.tree.ReadDir(inside)
}

// committed adds what a folder of the commit holds and no step took away.
func (f workspaceFS) committed(c *checkout, dir string, entries []fs.DirEntry, children map[string]fs.DirEntry) {
	for _, e := range entries {
		at := path.Join(dir, e.Name())
		if c.hidden(at) || e.IsDir() && c.emptied(f.ctx, at) {
			continue
		}
		children[e.Name()] = e
	}
}

// emptied reports whether every file below a folder of the commit was deleted.
func (c *checkout) emptied(ctx context.Context, dir string) bool {
	if !slices.ContainsFunc(slices.Collect(maps.Keys(c.edits)), func(at string) bool { return c.edits[at].gone && within(at, dir) }) {
		return false
	}
	err := c.tree.Walk(ctx, dir, func(e git.Entry) error {
		if !c.hidden(e.Path) {
			return fs.SkipAll
		}
		return nil
	})
	return err == nil
}

func pathError(operation, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: operation, Path: name, Err: err}
}
