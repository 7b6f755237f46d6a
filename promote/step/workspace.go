package step

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
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
	touched    map[string]bool  // files of the own repository that steps wrote, also with what was there before
	written    int              // bytes that steps wrote
}

type checkout struct {
	path   string // cleaned, relative to the workspace
	git    *git.Repository
	own    bool           // it is of the repository that promotions are proposed in
	branch promote.Branch // empty when a commit or a tag was checked out
	base   promote.Commit // what was checked out
	head   promote.Commit // base, or the last commit made on it
	sparse []string       // the folders that are checked out, with the files above them; none is everything
	tree   *git.Tree      // of head, as far as it is checked out
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
	cleaned := path.Clean(name)
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
	if err == nil && len(c.sparse) > 0 {
		tree = tree.Sparse(c.sparse...)
	}
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
		if !c.tree.Includes(inside) {
			return entry{}, &missingError{fmt.Sprintf("%q is not checked out: %s", name, c.widen(inside))}
		}
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

// widen says what to do about a file that a sparse checkout leaves out.
func (c *checkout) widen(inside string) string {
	return fmt.Sprintf("add %q to sparse, in the git-clone step that checks out ./%s (it has %s)", path.Dir(inside), c.path, limited(c.sparse, 8))
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

// sameRepository reports whether url names the repository, whatever its spelling.
func (r Repository) sameRepository(url string) bool {
	return slices.ContainsFunc(r.URLs, func(known string) bool { return promote.SameGitRepository(known, url) })
}
