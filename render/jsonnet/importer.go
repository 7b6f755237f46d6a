package jsonnet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/google/go-jsonnet"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// importer finds imports in the tree: beside the file that imports, then in the libraries, the last one first, and then in
// the application's folder, as jsonnet's own does with the paths that Argo CD gives it.
type importer struct {
	ctx    context.Context //nolint:containedctx // of one call, and jsonnet's interface takes none
	tree   fs.FS
	begin  []string // the files that are evaluated
	paths  []string // of libraries, in the order in which they are searched
	limits Limits

	files  map[string]found
	reads  int
	bytes  int
	failed error // the first bound that was reached; nothing is read after it
}

// found is a file that was looked for. The interpreter wants the same contents whenever it asks again.
type found struct {
	contents jsonnet.Contents
	exists   bool
}

func newImporter(ctx context.Context, req Request) *importer {
	i := &importer{ctx: ctx, tree: req.Tree, begin: req.Files, limits: req.Limits.withDefaults(), files: map[string]found{}}
	for _, lib := range slices.Backward(req.Libs) {
		i.paths = append(i.paths, libPath(lib))
	}
	i.paths = append(i.paths, path.Clean(req.Dir))
	return i
}

// libPath is a library's folder; a slash in front stands for the repository's root.
func libPath(written string) string { return path.Clean(strings.TrimLeft(written, "/")) }

func (i *importer) inputs() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(i.files)) {
		if i.files[name].exists {
			out = append(out, name)
		}
	}
	return out
}

// Import implements jsonnet.Importer.
func (i *importer) Import(from, written string) (jsonnet.Contents, string, error) {
	if i.failed != nil {
		return jsonnet.Contents{}, "", i.failed
	}
	if path.IsAbs(written) {
		return jsonnet.Contents{}, "", fmt.Errorf("import %q is an absolute path, and only files of the repository are read", written)
	}
	outside := false
	for _, dir := range i.places(from, written) {
		name := path.Join(dir, written)
		if !fs.ValidPath(name) {
			outside = true
			continue
		}
		file, err := i.file(name)
		if err != nil {
			return jsonnet.Contents{}, "", err
		}
		if file.exists {
			return file.contents, name, nil
		}
	}
	if outside {
		return jsonnet.Contents{}, "", fmt.Errorf("import %q leads outside of the repository", written)
	}
	return jsonnet.Contents{}, "", fmt.Errorf("couldn't open import %q: no match locally or in the Jsonnet library paths", written)
}

// places are the folders in which an import is looked for. Code in a variable lies beside no file.
func (i *importer) places(from, written string) []string {
	switch {
	case from != "":
		return append([]string{path.Dir(from)}, i.paths...)
	case slices.Contains(i.begin, written):
		return []string{"."}
	}
	return i.paths
}

// file reads a file, or remembers that there is none.
func (i *importer) file(name string) (found, error) {
	if known, ok := i.files[name]; ok {
		return known, nil
	}
	if err := i.ctx.Err(); err != nil {
		i.failed = err
		return found{}, err
	}
	exists, err := i.isFile(name)
	if err != nil {
		return found{}, err
	}
	var out found
	if exists {
		if out, err = i.read(name); err != nil {
			return found{}, err
		}
	}
	i.files[name] = out
	return out, nil
}

// isFile looks at every part of a path, because a link anywhere in it would lead elsewhere.
func (i *importer) isFile(name string) (bool, error) {
	for _, at := range parents(name) {
		info, err := fs.Lstat(i.tree, at)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return false, nil
		case err != nil:
			return false, fmt.Errorf("import %q: %w", name, err)
		case info.Mode()&fs.ModeSymlink != 0:
			return false, fmt.Errorf("import %q: %s is a symbolic link, which is not followed", name, at)
		case at != name && !info.IsDir():
			return false, nil
		case at == name && !info.Mode().IsRegular():
			return false, fmt.Errorf("import %q is not a file", name)
		}
	}
	return true, nil
}

// parents lists a path's folders from the root downwards, and then the path itself.
func parents(name string) []string {
	all := []string{name}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		all = append(all, dir)
	}
	slices.Reverse(all)
	return all
}

func (i *importer) read(name string) (found, error) {
	data, err := manifest.ReadFile(i.tree, name)
	i.reads++
	i.bytes += len(data)
	switch {
	case errors.Is(err, manifest.ErrBound):
		i.failed = err
	case err == nil && i.reads > i.limits.Reads:
		i.failed = &manifest.Error{File: name, Problem: fmt.Sprintf("with this file more than %d files were imported", i.limits.Reads), Remedy: "import less", Cause: manifest.ErrBound}
	case err == nil && i.bytes > i.limits.InputBytes:
		i.failed = &manifest.Error{File: name, Problem: fmt.Sprintf("with this file more than %d bytes were imported", i.limits.InputBytes), Remedy: "import less", Cause: manifest.ErrBound}
	}
	if i.failed != nil {
		return found{}, i.failed
	}
	if err != nil {
		return found{}, err
	}
	return found{contents: jsonnet.MakeContentsRaw(data), exists: true}, nil
}
