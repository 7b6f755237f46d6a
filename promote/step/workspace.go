package step

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/promote"
)

// Repository is the repository that steps work on.
type Repository struct {
	Git    *git.Repository // required
	URLs   []string        // required: the spellings of its URL that git-clone may use
	Branch promote.Branch  // required: the branch that the pipeline is read from
	Head   promote.Commit  // required: its tip, at which the promotion runs
}

// workspace is the promotion's directory: checkouts by path, each a commit with edits on top, and files beside them.
type workspace struct {
	repository Repository
	checkouts  []*checkout
	loose      map[string]entry // files outside of every checkout
	folders    map[string]bool  // cleaned paths that steps wrote files below; what was deleted since may still be there
	written    int              // bytes that steps wrote
}

type checkout struct {
	path   string // cleaned, relative to the workspace
	git    *git.Repository
	own    bool           // it is of the repository that promotions are proposed in
	branch promote.Branch // empty when a commit or a tag was checked out
	base   promote.Commit // what was checked out
	head   promote.Commit // base, or the last commit made on it
	tree   *git.Tree      // of head
	edits  map[string]entry
	fresh  bool // the branch does not exist yet; base is its first, empty commit
}

// entry is a file that a step wrote, or took away.
type entry struct {
	data []byte
	mode fs.FileMode // permission bits; 0 keeps the mode of what was there
	gone bool
}

const (
	maxFileBytes    = 10 << 20  // of one file that a step reads or writes
	maxWrittenBytes = 256 << 20 // of all that the steps of one run write
	maxWalked       = 100_000   // files that one step looks at
)

// clean makes a path of a step's config relative to the workspace. Paths that leave it are refused.
func clean(name string) (string, error) {
	cleaned := path.Clean(strings.TrimPrefix(name, "./"))
	switch {
	case name == "":
		return "", errors.New("path is empty")
	case strings.ContainsAny(name, "\x00\\"):
		return "", fmt.Errorf("path %q holds a character that no path here has", name)
	case path.IsAbs(name), cleaned == "..", strings.HasPrefix(cleaned, "../"):
		return "", fmt.Errorf("path %q leaves the promotion's directory: write it relative to a git-clone checkout, as in ./repo/%s",
			name, strings.TrimLeft(cleaned, "./"))
	}
	return cleaned, nil
}

// add puts a checkout at its path.
func (w *workspace) add(ctx context.Context, c checkout) error {
	cleaned, err := clean(c.path)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(w.checkouts, func(other *checkout) bool { return other.path == cleaned }) {
		return fmt.Errorf("path %q is checked out twice", c.path)
	}
	for loose := range w.loose {
		if cleaned != "." && within(loose, cleaned) {
			return fmt.Errorf("path %q holds the file %q that an earlier step wrote: check out elsewhere, or earlier", c.path, loose)
		}
	}
	c.path, c.head, c.edits = cleaned, c.base, map[string]entry{}
	if err := c.load(ctx); err != nil {
		return fmt.Errorf("check out %s: %w", c.base.Short(), err)
	}
	w.checkouts = append(w.checkouts, &c)
	return nil
}

// load reads the tree of the checkout's head.
func (c *checkout) load(ctx context.Context) error {
	if err := c.git.Ensure(ctx, string(c.head)); err != nil {
		return err
	}
	tree, err := c.git.Tree(ctx, string(c.head))
	c.tree = tree
	return err
}

// holder returns the checkout that holds a cleaned path and the rest of the path inside it; nil is the workspace itself.
func (w *workspace) holder(cleaned string) (*checkout, string) {
	var found *checkout
	for _, c := range w.checkouts {
		inside := c.path == "." || c.path == cleaned || strings.HasPrefix(cleaned, c.path+"/")
		if inside && (found == nil || found.path == "." || len(c.path) > len(found.path)) {
			found = c
		}
	}
	switch {
	case found == nil || found.path == ".":
		return found, cleaned
	case found.path == cleaned:
		return found, "."
	}
	return found, strings.TrimPrefix(cleaned, found.path+"/")
}

// find returns the checkout that holds a path and the rest of the path inside it.
func (w *workspace) find(name string) (*checkout, string, error) {
	cleaned, err := clean(name)
	if err != nil {
		return nil, "", err
	}
	found, inside := w.holder(cleaned)
	if found == nil {
		return nil, "", fmt.Errorf("%q: no git-clone checked anything out there; %s", name, w.list())
	}
	return found, inside, nil
}

func (w *workspace) list() string {
	if len(w.checkouts) == 0 {
		return "the steps before have no git-clone: add one"
	}
	paths := make([]string, len(w.checkouts))
	for i, c := range w.checkouts {
		paths[i] = "./" + c.path
	}
	return "checkouts: " + strings.Join(paths, ", ")
}

// at returns the checkout whose root is exactly at path.
func (w *workspace) at(name string) (*checkout, error) {
	c, inside, err := w.find(name)
	if err != nil {
		return nil, err
	}
	if inside != "." {
		return nil, fmt.Errorf("%q is inside the checkout ./%s, not a checkout itself; %s", name, c.path, w.list())
	}
	return c, nil
}

// shown is how messages and commits name a path: inside its checkout, else as it is.
func (w *workspace) shown(name string) string {
	cleaned, err := clean(name)
	if err != nil {
		return name
	}
	_, inside := w.holder(cleaned)
	return inside
}

// read returns the content of a file with the edits made so far. A file that is not there is fs.ErrNotExist.
func (w *workspace) read(ctx context.Context, name string) ([]byte, error) {
	file, err := w.file(ctx, name)
	return file.data, err
}

// file is read, with the file's mode.
func (w *workspace) file(ctx context.Context, name string) (entry, error) {
	cleaned, err := clean(name)
	if err != nil {
		return entry{}, err
	}
	c, inside := w.holder(cleaned)
	edits := w.loose
	if c != nil {
		edits = c.edits
	}
	if file, ok := edits[inside]; ok && !file.gone {
		return file, nil
	} else if ok {
		return entry{}, &missingError{fmt.Sprintf("%q: no such file: an earlier step deleted it", name)}
	}
	if c == nil {
		return entry{}, &missingError{fmt.Sprintf("%q: no such file: no step wrote it and no git-clone checked anything out there; %s", name, w.list())}
	}
	return c.file(ctx, name, inside)
}

// file reads a file of the commit that is checked out.
func (c *checkout) file(ctx context.Context, name, inside string) (entry, error) {
	data, err := c.tree.ReadFileContext(ctx, inside)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return entry{}, &missingError{fmt.Sprintf("%q: no such file on %s at %s; %s", name, c.source(), c.head.Short(), c.near(inside))}
	case err != nil:
		return entry{}, fmt.Errorf("%q: %w", name, err)
	case len(data) > maxFileBytes:
		return entry{}, fmt.Errorf("%q: %d bytes, at most %d", name, len(data), maxFileBytes)
	}
	file := entry{data: data}
	if info, err := c.tree.Stat(inside); err == nil {
		file.mode = info.Mode().Perm()
	}
	return file, nil
}

// source names what is checked out, for people.
func (c *checkout) source() string {
	if c.branch == "" {
		return "the checkout"
	}
	return string(c.branch)
}

// missingError says that a file is not there, and what is.
type missingError struct{ text string }

func (e *missingError) Error() string { return e.text }

// Is makes it an fs.ErrNotExist.
func (e *missingError) Is(target error) bool { return target == fs.ErrNotExist }

// near says what lies where a file was looked for, so that a wrong path is seen at once.
func (c *checkout) near(inside string) string {
	for dir := path.Dir(inside); ; dir = path.Dir(dir) {
		entries, err := c.tree.ReadDir(dir)
		if err != nil {
			if dir == "." {
				return "the checkout is empty"
			}
			continue
		}
		names := make([]string, 0, len(entries))
		for _, entry := range entries {
			names = append(names, entry.Name())
		}
		want := strings.TrimPrefix(strings.TrimPrefix(inside, dir), "/")
		want, _, _ = strings.Cut(want, "/")
		text := fmt.Sprintf("./%s holds %s", path.Join(c.path, dir), limited(names, 8))
		if near, ok := promote.Nearest(want, names); ok {
			text += fmt.Sprintf("; did you mean %q?", near)
		}
		return text
	}
}

func limited(names []string, limit int) string {
	if len(names) > limit {
		return strings.Join(names[:limit], ", ") + fmt.Sprintf(" and %d more", len(names)-limit)
	}
	return strings.Join(names, ", ")
}

// write makes or replaces a file. Mode 0 keeps that of an existing file.
func (w *workspace) write(name string, data []byte, mode fs.FileMode) error {
	cleaned, err := clean(name)
	if err != nil {
		return err
	}
	if len(data) > maxFileBytes {
		return fmt.Errorf("%q: %d bytes, at most %d", name, len(data), maxFileBytes)
	}
	if w.written += len(data); w.written > maxWrittenBytes {
		return fmt.Errorf("%q: the steps wrote more than %d bytes together", name, maxWrittenBytes)
	}
	c, inside := w.holder(cleaned)
	if inside == "." || slices.ContainsFunc(w.checkouts, func(c *checkout) bool { return strings.HasPrefix(c.path, cleaned+"/") }) {
		return fmt.Errorf("%q is a folder: name a file in it", name)
	}
	edits := w.loose
	if c != nil {
		edits = c.edits
		if err := c.fits(name, inside); err != nil {
			return err
		}
	}
	if err := w.fits(edits, name, cleaned, inside); err != nil {
		return err
	}
	if mode == 0 {
		mode = w.mode(c, inside)
	}
	edits[inside] = entry{data: data, mode: mode}
	for dir := path.Dir(cleaned); dir != "." && !w.folders[dir]; dir = path.Dir(dir) {
		if w.folders == nil {
			w.folders = map[string]bool{}
		}
		w.folders[dir] = true
	}
	return nil
}

// mode is that of a file, or 0 when there is none. A deleted one is gone with its mode.
func (w *workspace) mode(c *checkout, inside string) fs.FileMode {
	if c == nil {
		return w.loose[inside].mode
	}
	if file, edited := c.edits[inside]; edited {
		return file.mode
	}
	if info, err := c.tree.Stat(inside); err == nil && info.Mode().IsRegular() {
		return info.Mode().Perm()
	}
	return 0
}

// fits reports why a file cannot be written beside what the steps wrote before.
func (w *workspace) fits(edits map[string]entry, name, cleaned, inside string) error {
	for dir := path.Dir(inside); dir != "."; dir = path.Dir(dir) {
		if file, edited := edits[dir]; edited && !file.gone {
			return fmt.Errorf("%q: %q is a file, so nothing can be below it", name, dir)
		}
	}
	if !w.folders[cleaned] {
		return nil
	}
	for at, file := range edits {
		if !file.gone && at != inside && within(at, inside) {
			return fmt.Errorf("%q is a folder: name a file in it, or delete it first", name)
		}
	}
	return nil
}

// fits reports why a file cannot be written into the commit that is checked out, as far as no step took away what is there.
func (c *checkout) fits(name, inside string) error {
	for dir := path.Dir(inside); dir != "."; dir = path.Dir(dir) {
		if info, err := c.tree.Stat(dir); err == nil && !info.IsDir() && !c.edits[dir].gone {
			return fmt.Errorf("%q: %q is %s, so nothing can be below it", name, dir, kindOfFile(info.Mode()))
		}
	}
	info, err := c.tree.Stat(inside)
	switch {
	case err != nil || info.Mode().IsRegular():
		return nil
	case !info.IsDir():
		return fmt.Errorf("%q is %s, which is never written to: delete it in a commit of its own first", name, kindOfFile(info.Mode()))
	case c.holds(inside):
		return fmt.Errorf("%q is a folder: name a file in it, or delete it first", name)
	}
	return nil
}

func kindOfFile(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return "a file"
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	}
	return "a submodule"
}

// holds reports whether a folder of the commit holds a file that no step took away.
func (c *checkout) holds(dir string) bool {
	entries, err := c.tree.ReadDir(dir)
	return err == nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		at := path.Join(dir, e.Name())
		return e.IsDir() && c.holds(at) || !e.IsDir() && !c.hidden(at)
	})
}

// walked is one file that a walk meets.
type walked struct {
	path string // in the workspace, cleaned
	link bool   // a symbolic link or a submodule: it has no content that a step may read
}

// walk lists the files at or below a path, sorted, with the edits made so far. A path at which nothing lies has none.
func (w *workspace) walk(ctx context.Context, name string) ([]walked, error) {
	cleaned, err := clean(name)
	if err != nil {
		return nil, err
	}
	files := map[string]walked{}
	for at, file := range w.loose {
		if within(at, cleaned) && !file.gone {
			files[at] = walked{path: at}
		}
	}
	holder, _ := w.holder(cleaned)
	for _, c := range w.checkouts {
		if c != holder && !within(c.path, cleaned) {
			continue
		}
		if err := w.walkCheckout(ctx, c, cleaned, files); err != nil {
			return nil, fmt.Errorf("list %q: %w", name, err)
		}
	}
	return slices.SortedFunc(maps.Values(files), func(a, b walked) int { return strings.Compare(a.path, b.path) }), nil
}

// walkCheckout adds the files of a checkout that lie at or below a path of the workspace.
func (w *workspace) walkCheckout(ctx context.Context, c *checkout, below string, files map[string]walked) error {
	add := func(inside string, link bool) error {
		if len(files) >= maxWalked {
			return fmt.Errorf("more than %d files: name a folder with fewer", maxWalked)
		}
		at := path.Join(c.path, inside)
		if holder, _ := w.holder(at); holder == c && within(at, below) {
			files[at] = walked{path: at, link: link}
		}
		return nil
	}
	if err := c.walk(ctx, c.inside(below), add); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for inside, file := range c.edits {
		if file.gone {
			continue
		}
		if err := add(inside, false); err != nil {
			return err
		}
	}
	return nil
}

// inside is the part of the checkout that lies at or below a path of the workspace: all of it, unless the path is in it.
func (c *checkout) inside(below string) string {
	switch {
	case c.path == below || !within(below, c.path):
		return "."
	case c.path == ".":
		return below
	}
	return strings.TrimPrefix(below, c.path+"/")
}

// walk calls visit for the file at a path of the commit, or for all files below it, that no step took away.
func (c *checkout) walk(ctx context.Context, at string, visit func(inside string, link bool) error) error {
	info, err := c.tree.Stat(at)
	switch {
	case err != nil:
		return err
	case !info.IsDir() && c.hidden(at):
		return nil
	case !info.IsDir():
		return visit(at, !info.Mode().IsRegular())
	}
	return c.tree.Walk(ctx, at, func(e git.Entry) error {
		if c.hidden(e.Path) {
			return nil
		}
		return visit(e.Path, !e.Mode.IsRegular())
	})
}

// hidden reports whether a file of the commit was deleted, or a file was put where one of its folders was.
func (c *checkout) hidden(inside string) bool {
	if file, edited := c.edits[inside]; edited {
		return file.gone
	}
	for dir := path.Dir(inside); dir != "."; dir = path.Dir(dir) {
		if file, edited := c.edits[dir]; edited && !file.gone {
			return true
		}
	}
	return false
}

// within reports whether a cleaned path is another one or lies below it.
func within(name, dir string) bool {
	return dir == "." || name == dir || strings.HasPrefix(name, dir+"/")
}

// remove takes a file, or everything below a folder, away. It returns how many files that were.
func (w *workspace) remove(ctx context.Context, name string) (int, error) {
	files, err := w.walk(ctx, name)
	if err != nil {
		return 0, err
	}
	for _, file := range files {
		c, inside := w.holder(file.path)
		switch {
		case c == nil:
			delete(w.loose, inside)
		case c.has(inside):
			c.edits[inside] = entry{gone: true}
		default:
			delete(c.edits, inside)
		}
	}
	return len(files), nil
}

// has reports whether the commit that is checked out holds a file.
func (c *checkout) has(inside string) bool {
	_, err := c.tree.ObjectID(inside)
	return err == nil
}

// sameRepository reports whether url names the repository, whatever its spelling.
func (r Repository) sameRepository(url string) bool {
	return slices.ContainsFunc(r.URLs, func(known string) bool { return promote.SameGitRepository(known, url) })
}
