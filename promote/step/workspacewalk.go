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
)

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
