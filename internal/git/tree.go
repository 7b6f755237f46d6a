package git

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Tree is the content of a commit as a read-only file system: fs.FS, fs.ReadFileFS, fs.ReadDirFS and fs.StatFS.
// It is safe for concurrent use and stays valid when other commits are fetched.
//
// Files whose content is not held yet are fetched when they are read, within Config.Timeout; use Prefetch before reading
// many, and ReadFileContext where a context is at hand. Symbolic links and submodules are listed (fs.ModeSymlink,
// fs.ModeIrregular), never followed; opening one is a *NotRegularError. A missing path is both fs.ErrNotExist and
// ErrNotFound. Modification times are zero.
type Tree struct {
	repo   *Repository
	commit oid
	root   oid
	cone   cone
}

// Tree returns the files of a commit. It is fetched when it is not known.
func (r *Repository) Tree(ctx context.Context, commit string) (*Tree, error) {
	id, err := parseID(commit)
	if err != nil {
		return nil, err
	}
	return r.tree(ctx, id)
}

func (r *Repository) tree(ctx context.Context, id oid) (*Tree, error) {
	if err := r.ensure(ctx, id); err != nil {
		return nil, fmt.Errorf("read commit %s: %w", id, err)
	}
	info, err := r.commitInfo(ctx, id)
	if err != nil {
		return nil, err
	}
	root, err := parseID(info.Tree)
	if err != nil {
		return nil, err
	}
	return &Tree{repo: r, commit: id, root: root}, nil
}

// Commit returns the id of the commit that this is the content of.
func (t *Tree) Commit() string { return t.commit.String() }

// ObjectID returns the id of the blob or directory at a path: equal ids mean equal content, names below included.
// It needs no file content.
func (t *Tree) ObjectID(name string) (string, error) {
	ctx, cancel := t.repo.background()
	defer cancel()
	e, err := t.lookup(ctx, "objectid", name)
	if err != nil {
		return "", err
	}
	return e.id.String(), nil
}

// Entry is a path of a tree that is not a directory.
type Entry struct {
	Path     string
	Mode     fs.FileMode // 0o644, 0o755, fs.ModeSymlink|0o777 or fs.ModeIrregular (submodule)
	ObjectID string
}

// Walk calls visit for every entry below a directory ("." for all) that is not a directory itself, in the order of git.
// It needs no file content. An error of visit ends the walk and is returned.
func (t *Tree) Walk(ctx context.Context, dir string, visit func(Entry) error) error {
	e, err := t.lookup(ctx, "walk", dir)
	if err != nil {
		return err
	}
	if !e.isTree() {
		return &fs.PathError{Op: "walk", Path: dir, Err: errNotDirectory}
	}
	return t.walk(ctx, dir, e.id, visit)
}

func (t *Tree) walk(ctx context.Context, dir string, id oid, visit func(Entry) error) error {
	raw, err := t.repo.treeData(ctx, t.commit, id)
	if err != nil {
		return err
	}
	var stop error
	err = eachEntry(raw, func(e entry) bool {
		name := join(dir, string(e.name))
		switch {
		case !t.cone.shows(name, e):
		case e.isTree():
			stop = t.walk(ctx, name, e.id, visit)
		default:
			stop = visit(Entry{Path: name, Mode: FileMode(e.mode), ObjectID: e.id.String()})
		}
		return stop == nil
	})
	if stop != nil {
		return stop
	}
	if err != nil {
		return fmt.Errorf("directory %q of commit %s: %w", dir, t.commit, err)
	}
	return nil
}

func join(dir, name string) string {
	if dir == "." || dir == "" {
		return name
	}
	return dir + "/" + name
}

// Prefetch gets the content of files, and of all files below directories, in one request for each 5,000 that are not held.
// Reading them afterwards needs no network.
func (t *Tree) Prefetch(ctx context.Context, paths ...string) error {
	missing := map[oid]bool{}
	note := func(id oid) {
		if !t.repo.store.has(id) && !t.repo.store.isLarge(id) {
			missing[id] = true
		}
	}
	for _, p := range paths {
		e, err := t.lookup(ctx, "prefetch", p)
		if err != nil {
			return err
		}
		if !e.isTree() {
			if e.isFile() {
				note(e.id)
			}
			continue
		}
		err = t.walk(ctx, p, e.id, func(f Entry) error {
			if f.Mode.IsRegular() {
				id, err := parseID(f.ObjectID)
				note(id)
				return err
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if len(missing) == 0 {
		return nil
	}
	ids := make([]oid, 0, len(missing))
	for id := range missing {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b oid) int { return slices.Compare(a[:], b[:]) })
	return t.repo.fetchMissing(ctx, t.commit, ids)
}

// lookup finds the entry at a path; the root is an entry named ".".
func (t *Tree) lookup(ctx context.Context, op, name string) (entry, error) {
	fail := func(err error) (entry, error) { return entry{}, &fs.PathError{Op: op, Path: name, Err: err} }
	if !fs.ValidPath(name) {
		return fail(fs.ErrInvalid)
	}
	here := entry{mode: modeTree, name: []byte("."), id: t.root}
	if name == "." {
		return here, nil
	}
	rest := name
	for rest != "" {
		if !here.isTree() {
			if here.isFile() {
				return fail(noPathError{})
			}
			return fail(&NotRegularError{Path: strings.TrimSuffix(name, "/"+rest), Mode: FileMode(here.mode).Type()})
		}
		part, after, _ := strings.Cut(rest, "/")
		e, ok, err := t.find(ctx, here.id, part)
		if err != nil {
			return fail(err)
		}
		if !ok {
			return fail(noPathError{})
		}
		here, rest = e, after
	}
	if !t.cone.shows(name, here) {
		return fail(noPathError{})
	}
	return here, nil
}

// find looks one name up, in large directories by a parsed form that is kept.
func (t *Tree) find(ctx context.Context, id oid, name string) (entry, bool, error) {
	if d := t.repo.store.parsed(id); d != nil {
		e, ok := d.find(name)
		return e, ok, nil
	}
	raw, err := t.repo.treeData(ctx, t.commit, id)
	if err != nil {
		return entry{}, false, err
	}
	if len(raw) < dirFrom {
		return findEntry(raw, name)
	}
	d, err := parseDir(raw)
	if err != nil {
		return entry{}, false, err
	}
	t.repo.store.keepParsed(id, d)
	e, ok := d.find(name)
	return e, ok, nil
}

// background is the context of reads through the fs interfaces, which have none.
func (r *Repository) background() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), r.remote.timeout)
}
