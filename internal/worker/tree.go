package worker

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"sync"
	"time"
)

// tree is the parent's tree as a worker sees it. Every path is asked for once.
type tree struct {
	ask func(name string, content bool) (file, []byte, error)

	mu    sync.Mutex
	known map[string]known
	read  map[string]bool // regular files that were opened
}

type known struct {
	file
	data []byte
}

var (
	_ fs.ReadFileFS = (*tree)(nil)
	_ fs.ReadDirFS  = (*tree)(nil)
	_ fs.StatFS     = (*tree)(nil)
	_ fs.ReadLinkFS = (*tree)(nil)
)

func newTree(ask func(string, bool) (file, []byte, error)) *tree {
	return &tree{ask: ask, known: map[string]known{}, read: map[string]bool{}}
}

func (t *tree) keep(f file, data []byte) { t.known[f.Path] = known{f, data} }

func (t *tree) files() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Sorted(maps.Keys(t.read))
}

// look describes a path, and with content reads it when it is a file.
func (t *tree) look(op, name string, content bool) (known, error) {
	fail := func(err error) (known, error) { return known{}, &fs.PathError{Op: op, Path: name, Err: err} }
	if !fs.ValidPath(name) {
		return fail(fs.ErrInvalid)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	k, ok := t.known[name]
	if !ok || content && k.Mode.IsRegular() && !k.Whole && !k.Missing && k.Failure == nil {
		f, data, err := t.ask(name, content)
		if err != nil {
			return fail(err)
		}
		k = known{f, data}
		t.known[name] = k
	}
	switch {
	case k.Missing:
		return fail(fs.ErrNotExist)
	case k.Failure != nil:
		return fail(errorOf([]failure{*k.Failure}))
	}
	if content && k.Mode.IsRegular() {
		t.read[name] = true
	}
	return k, nil
}

// Open implements fs.FS.
func (t *tree) Open(name string) (fs.File, error) {
	k, err := t.look("open", name, true)
	if err != nil {
		return nil, err
	}
	info := info{path.Base(name), k.file}
	switch {
	case k.Mode.IsDir():
		return &openFolder{info: info, entries: t.entries(name, k)}, nil
	case !k.Mode.IsRegular():
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("is not a regular file")}
	}
	return &openFile{info, bytes.NewReader(k.data)}, nil
}

// ReadFile implements fs.ReadFileFS.
func (t *tree) ReadFile(name string) ([]byte, error) {
	k, err := t.look("read", name, true)
	if err == nil && !k.Mode.IsRegular() {
		err = &fs.PathError{Op: "read", Path: name, Err: errors.New("is not a regular file")}
	}
	return bytes.Clone(k.data), err
}

// ReadDir implements fs.ReadDirFS.
func (t *tree) ReadDir(name string) ([]fs.DirEntry, error) {
	k, err := t.look("readdir", name, false)
	if err != nil {
		return nil, err
	}
	if !k.Mode.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errors.New("is not a folder")}
	}
	return t.entries(name, k), nil
}

// Stat implements fs.StatFS. Like the trees of a repository, it does not follow links.
func (t *tree) Stat(name string) (fs.FileInfo, error) { return t.stat("stat", name) }

// Lstat implements fs.ReadLinkFS.
func (t *tree) Lstat(name string) (fs.FileInfo, error) { return t.stat("lstat", name) }

func (t *tree) stat(op, name string) (fs.FileInfo, error) {
	k, err := t.look(op, name, false)
	if err != nil {
		return nil, err
	}
	return info{path.Base(name), k.file}, nil
}

// ReadLink implements fs.ReadLinkFS. Where links lead is not told.
func (t *tree) ReadLink(name string) (string, error) {
	return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrPermission}
}

func (t *tree) entries(dir string, k known) []fs.DirEntry {
	out := make([]fs.DirEntry, len(k.Entries))
	for i, e := range k.Entries {
		out[i] = dirEntry{t, path.Join(dir, e.Name), e}
	}
	return out
}

type dirEntry struct {
	tree *tree
	path string
	entry
}

func (d dirEntry) Name() string               { return d.entry.Name }
func (d dirEntry) IsDir() bool                { return d.Mode.IsDir() }
func (d dirEntry) Type() fs.FileMode          { return d.Mode.Type() }
func (d dirEntry) Info() (fs.FileInfo, error) { return d.tree.Stat(d.path) }

type info struct {
	name string
	file
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.file.Size }
func (i info) Mode() fs.FileMode  { return i.file.Mode }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return i.file.Mode.IsDir() }
func (i info) Sys() any           { return nil }

type openFile struct {
	info
	*bytes.Reader
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *openFile) Close() error               { return nil }
func (f *openFile) Size() int64                { return f.info.Size() }

type openFolder struct {
	info
	entries []fs.DirEntry
}

func (f *openFolder) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *openFolder) Close() error               { return nil }

// Read refuses: a folder has no content.
func (f *openFolder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: f.name, Err: errors.New("is a folder")}
}

// ReadDir implements fs.ReadDirFile.
func (f *openFolder) ReadDir(n int) ([]fs.DirEntry, error) {
	all := f.entries
	if n > 0 && len(all) == 0 {
		return nil, io.EOF
	}
	if n > 0 && n < len(all) {
		all = all[:n]
	}
	f.entries = f.entries[len(all):]
	return all, nil
}
