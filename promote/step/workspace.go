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
	Branch promote.Branch  // required: the branch that changes are merged into
	Head   promote.Commit  // required: its tip, at which the promotion runs
}

// workspace is the promotion's directory: checkouts by path, each a commit with edits on top.
type workspace struct {
	repository Repository
	checkouts  []*checkout
}

type checkout struct {
	path   string // cleaned, relative to the workspace
	branch promote.Branch
	base   promote.Commit // what was checked out
	head   promote.Commit // base, or the last commit made on it
	tree   *git.Tree      // of head
	edits  map[string][]byte
}

// maxFileBytes bounds what a step reads or writes.
const maxFileBytes = 10 << 20

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

// add checks out a commit at a path.
func (w *workspace) add(ctx context.Context, at string, branch promote.Branch, commit promote.Commit) error {
	cleaned, err := clean(at)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(w.checkouts, func(c *checkout) bool { return c.path == cleaned }) {
		return fmt.Errorf("path %q is checked out twice", at)
	}
	tree, err := w.tree(ctx, commit)
	if err != nil {
		return fmt.Errorf("check out %s: %w", commit.Short(), err)
	}
	w.checkouts = append(w.checkouts, &checkout{
		path: cleaned, branch: branch, base: commit, head: commit, tree: tree, edits: map[string][]byte{},
	})
	return nil
}

func (w *workspace) tree(ctx context.Context, commit promote.Commit) (*git.Tree, error) {
	if err := w.repository.Git.Ensure(ctx, string(commit)); err != nil {
		return nil, err
	}
	return w.repository.Git.Tree(ctx, string(commit))
}

// find returns the checkout that holds a path and the rest of the path inside it.
func (w *workspace) find(name string) (*checkout, string, error) {
	cleaned, err := clean(name)
	if err != nil {
		return nil, "", err
	}
	var found *checkout
	for _, c := range w.checkouts {
		inside := c.path == "." || c.path == cleaned || strings.HasPrefix(cleaned, c.path+"/")
		if inside && (found == nil || len(c.path) > len(found.path)) {
			found = c
		}
	}
	if found == nil {
		return nil, "", fmt.Errorf("%q: no git-clone checked anything out there; %s", name, w.list())
	}
	inside := cleaned
	if found.path != "." {
		inside = strings.TrimPrefix(strings.TrimPrefix(cleaned, found.path), "/")
	}
	if inside == "" {
		inside = "."
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

// read returns the content of a file with the edits made so far.
func (w *workspace) read(ctx context.Context, name string) ([]byte, error) {
	c, inside, err := w.find(name)
	if err != nil {
		return nil, err
	}
	if data, ok := c.edits[inside]; ok {
		return data, nil
	}
	data, err := c.tree.ReadFileContext(ctx, inside)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%q: no such file on %s at %s; %s", name, c.branch, c.head.Short(), c.near(inside))
	case err != nil:
		return nil, fmt.Errorf("%q: %w", name, err)
	case len(data) > maxFileBytes:
		return nil, fmt.Errorf("%q: %d bytes, at most %d", name, len(data), maxFileBytes)
	}
	return data, nil
}

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

// write replaces the content of a file.
func (w *workspace) write(name string, data []byte) error {
	c, inside, err := w.find(name)
	if err != nil {
		return err
	}
	c.edits[inside] = data
	return nil
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

// sameRepository reports whether url names the repository, whatever its spelling.
func (r Repository) sameRepository(url string) bool {
	return slices.ContainsFunc(r.URLs, func(known string) bool { return promote.SameGitRepository(known, url) })
}
