package local

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lockkeeper/lockkeeper/internal/git"
)

// Tree is the content of a commit or of the work tree as a read-only file system. It is safe for concurrent use until its
// repository is closed.
//
// Symbolic links and submodules are listed (fs.ModeSymlink, fs.ModeIrregular), never followed; opening one is a
// *git.NotRegularError. A missing path is both fs.ErrNotExist and git.ErrNotFound; a file above git.MaxBlobSize is
// git.ErrTooLarge. Modification times are zero. Names that are not UTF-8 are left out, because io/fs has none.
type Tree struct {
	repo *Repository
	root string
}

var (
	_ fs.ReadFileFS = (*Tree)(nil)
	_ fs.ReadDirFS  = (*Tree)(nil)
	_ fs.StatFS     = (*Tree)(nil)
)

// Tree returns the files of a commit, given by its full id.
func (r *Repository) Tree(ctx context.Context, commit string) (*Tree, error) {
	if !isID(commit) {
		return nil, fmt.Errorf("%w %q: expected the id of a commit", ErrUnknownRevision, commit)
	}
	out, err := run(ctx, "read commit", r.dir, "rev-parse", "--verify", "--quiet", commit+"^{tree}")
	if err != nil {
		if exitCode(err) < 0 {
			return nil, err
		}
		return nil, fmt.Errorf("%w: commit %s is not in this clone", ErrUnknownRevision, commit)
	}
	return &Tree{repo: r, root: line(out)}, nil
}

// EmptyTree returns a tree without files: what was there before the first commit.
func (r *Repository) EmptyTree() *Tree { return &Tree{repo: r, root: r.objects.hold("tree", nil)} }

// ObjectID returns the id of the blob or folder at a path: equal ids mean equal content, names below included. It needs no
// file content.
func (t *Tree) ObjectID(name string) (string, error) {
	e, err := t.lookup("objectid", name)
	return e.id, err
}

// Prefetch reads the content of files, and of all files below folders, at once. Reading them afterwards is cheap.
func (t *Tree) Prefetch(ctx context.Context, names ...string) error {
	var ids []string
	for _, name := range names {
		e, err := t.lookup("prefetch", name)
		if err != nil {
			return err
		}
		if ids, err = t.blobs(ctx, ids, e); err != nil {
			return fmt.Errorf("prefetch %q: %w", name, err)
		}
	}
	return t.repo.objects.prefetch(ctx, ids)
}

// blobs appends the ids of all files of an entry.
func (t *Tree) blobs(ctx context.Context, ids []string, e entry) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if e.isFile() {
		return append(ids, e.id), nil
	}
	if !e.isTree() {
		return ids, nil
	}
	entries, err := t.repo.entries(e.id)
	if err != nil {
		return nil, err
	}
	for _, below := range entries {
		if ids, err = t.blobs(ctx, ids, below); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// entries returns the entries of a tree object by name, remembering what was parsed.
func (r *Repository) entries(id string) ([]entry, error) {
	r.mu.Lock()
	known, ok := r.dirs[id]
	r.mu.Unlock()
	if ok {
		return known, nil
	}
	raw, err := r.objects.tree(id)
	if err != nil {
		return nil, err
	}
	entries, err := parseTree(raw, r.objects.size)
	if err != nil {
		return nil, fmt.Errorf("tree %s: %w", id, err)
	}
	entries = slices.DeleteFunc(entries, func(e entry) bool { return !utf8.ValidString(e.name) })
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	r.mu.Lock()
	r.dirs[id] = entries
	r.mu.Unlock()
	return entries, nil
}

// lookup finds the entry at a path; the root is an entry named ".".
func (t *Tree) lookup(op, name string) (entry, error) {
	fail := func(err error) (entry, error) { return entry{}, &fs.PathError{Op: op, Path: name, Err: err} }
	if !fs.ValidPath(name) {
		return fail(fs.ErrInvalid)
	}
	here := entry{mode: modeTree, name: ".", id: t.root}
	if name == "." {
		return here, nil
	}
	for rest := name; rest != ""; {
		switch {
		case here.isTree():
		case here.isFile():
			return fail(missingError{})
		default:
			return fail(&git.NotRegularError{Path: strings.TrimSuffix(name, "/"+rest), Mode: git.FileMode(here.mode).Type()})
		}
		part, after, _ := strings.Cut(rest, "/")
		entries, err := t.repo.entries(here.id)
		if err != nil {
			return fail(err)
		}
		i, found := slices.BinarySearchFunc(entries, part, func(e entry, name string) int { return strings.Compare(e.name, name) })
		if !found {
			return fail(missingError{})
		}
		here, rest = entries[i], after
	}
	return here, nil
}

// content reads the file of an entry.
func (t *Tree) content(op, name string, e entry) ([]byte, error) {
	var err error
	switch {
	case e.isTree():
		err = errIsDirectory
	case !e.isFile():
		err = &git.NotRegularError{Path: name, Mode: git.FileMode(e.mode).Type()}
	default:
		var data []byte
		if data, err = t.repo.objects.blob(e.id); err == nil {
			return data, nil
		}
	}
	return nil, &fs.PathError{Op: op, Path: name, Err: err}
}

// ReadFile implements fs.ReadFileFS. The result is the caller's own.
func (t *Tree) ReadFile(name string) ([]byte, error) {
	e, err := t.lookup("read", name)
	if err != nil {
		return nil, err
	}
	data, err := t.content("read", name, e)
	if err != nil {
		return nil, err
	}
	return append(make([]byte, 0, len(data)), data...), nil
}

// Open implements fs.FS.
func (t *Tree) Open(name string) (fs.File, error) {
	e, err := t.lookup("open", name)
	if err != nil {
		return nil, err
	}
	if e.isTree() {
		list, err := t.list(name, e)
		if err != nil {
			return nil, err
		}
		return git.NewDir(name, list), nil
	}
	data, err := t.content("open", name, e)
	if err != nil {
		return nil, err
	}
	return git.NewFile(name, e.mode, data), nil
}

// Stat implements fs.StatFS. It does not follow links, and reads the file to tell its size.
func (t *Tree) Stat(name string) (fs.FileInfo, error) {
	e, err := t.lookup("stat", name)
	if err != nil {
		return nil, err
	}
	return t.stat(name, e)
}

func (t *Tree) stat(name string, e entry) (fs.FileInfo, error) {
	if !e.isFile() {
		return git.NewFileInfo(name, e.mode, 0), nil
	}
	data, err := t.content("stat", name, e)
	if err != nil {
		return nil, err
	}
	return git.NewFileInfo(name, e.mode, len(data)), nil
}

// ReadDir implements fs.ReadDirFS: the entries sorted by name. It needs no file content.
func (t *Tree) ReadDir(name string) ([]fs.DirEntry, error) {
	e, err := t.lookup("readdir", name)
	if err != nil {
		return nil, err
	}
	if !e.isTree() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errNotDirectory}
	}
	return t.list(name, e)
}

func (t *Tree) list(name string, e entry) ([]fs.DirEntry, error) {
	entries, err := t.repo.entries(e.id)
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	out := make([]fs.DirEntry, len(entries))
	for i, below := range entries {
		out[i] = dirItem{tree: t, path: path.Join(name, below.name), entry: below}
	}
	return out, nil
}

type dirItem struct {
	tree  *Tree
	path  string
	entry entry
}

func (d dirItem) Name() string               { return d.entry.name }
func (d dirItem) IsDir() bool                { return d.entry.isTree() }
func (d dirItem) Type() fs.FileMode          { return git.FileMode(d.entry.mode).Type() }
func (d dirItem) Info() (fs.FileInfo, error) { return d.tree.stat(d.path, d.entry) }
func (d dirItem) String() string             { return fs.FormatDirEntry(d) }
