package step

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

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
	w.touch(c, inside)
	for dir := path.Dir(cleaned); dir != "." && !w.folders[dir]; dir = path.Dir(dir) {
		if w.folders == nil {
			w.folders = map[string]bool{}
		}
		w.folders[dir] = true
	}
	return nil
}

// touch remembers that a step wrote a file of the repository that promotions are proposed in, or took it away.
func (w *workspace) touch(c *checkout, inside string) {
	if c == nil || !c.own {
		return
	}
	if w.touched == nil {
		w.touched = map[string]bool{}
	}
	w.touched[inside] = true
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
			w.touch(c, inside)
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
