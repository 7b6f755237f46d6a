package kustomize

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// files is the file system that kustomize sees: the tree at "/", read on demand, and over it what was generated.
type files struct {
	ctx    context.Context //nolint:containedctx // of one call, and the methods of a file system take none
	tree   fs.FS
	root   string // the folder that is built
	helm   HelmOptions
	fetch  func(Elsewhere) (fs.FS, error)
	limits Limits

	override *Override // of the kustomization in root

	over       map[string][]byte // generated or written files by path
	folders    map[string]bool   // folders without links on their way
	namespaces map[string]string // what charts in a folder's kustomization inherit
	ambiguous  map[string]bool   // folders that inherit different namespaces
	read       map[string]bool
	random     map[string]bool
	reads      int
	bytes      int
	failed     error // the first thing that was refused; nothing is read after it
}

var _ filesys.FileSystem = (*files)(nil)

func newFiles(ctx context.Context, req Request, limits Limits) *files {
	return &files{
		ctx: ctx, tree: req.Files, root: inside(req.Dir), helm: req.Helm, fetch: req.Fetch, limits: limits, override: req.Override,
		over: map[string][]byte{}, folders: map[string]bool{".": true}, namespaces: map[string]string{}, ambiguous: map[string]bool{}, read: map[string]bool{}, random: map[string]bool{},
	}
}

func (f *files) inputs() []string           { return slices.Sorted(maps.Keys(f.read)) }
func (f *files) nonDeterministic() []string { return slices.Sorted(maps.Keys(f.random)) }

// inside turns a path of kustomize into one of the tree. Like "/.." on a disk, a path cannot lead above the root.
func inside(name string) string {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	if name == "" {
		return "."
	}
	return name
}

// fail remembers the first refusal.
func (f *files) fail(err error) error {
	if f.failed == nil {
		f.failed = err
	}
	return f.failed
}

// info describes a file or folder without following links, in whatever part of its path.
func (f *files) info(name string) (fs.FileInfo, error) {
	if f.failed != nil {
		return nil, f.failed
	}
	if err := f.ctx.Err(); err != nil {
		return nil, err
	}
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrInvalid}
	}
	if dir := path.Dir(name); !f.folders[dir] {
		above, err := f.info(dir)
		if err != nil {
			return nil, err
		}
		if !above.IsDir() {
			return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
		}
	}
	info, err := fs.Lstat(f.tree, name)
	if err != nil {
		return nil, err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return nil, f.fail(&manifest.Error{File: name, Problem: "is a symbolic link, which is not followed", Remedy: "put the file itself here"})
	}
	if info.IsDir() {
		f.folders[name] = true
	}
	return info, nil
}

// ReadFile reads a file, and refuses it when kustomize could leave the tree because of it.
func (f *files) ReadFile(name string) ([]byte, error) {
	name = inside(name)
	if data, ok := f.over[name]; ok {
		return data, nil
	}
	info, err := f.info(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("is a folder")}
	}
	if f.reads++; f.reads > f.limits.Reads {
		return nil, f.fail(&manifest.Error{File: name, Problem: fmt.Sprintf("with this file more than %d files were read", f.limits.Reads), Remedy: "look for bases that repeat each other", Cause: manifest.ErrBound})
	}
	data, err := manifest.ReadFile(f.tree, name)
	if err != nil {
		if errors.Is(err, manifest.ErrBound) {
			return nil, f.fail(err)
		}
		return nil, err
	}
	if f.bytes += len(data); f.bytes > f.limits.InputBytes {
		return nil, f.fail(&manifest.Error{File: name, Problem: fmt.Sprintf("with this file more than %d bytes were read", f.limits.InputBytes), Remedy: "look for bases that repeat each other", Cause: manifest.ErrBound})
	}
	if !strings.HasPrefix(name, elsewhereFolder+"/") {
		f.read[name] = true
	}
	if err := bounded(name, data); err != nil {
		return nil, f.fail(err)
	}
	if slices.Contains(konfig.RecognizedKustomizationFileNames(), path.Base(name)) {
		data, err = f.kustomization(name, data)
		if err != nil {
			return nil, f.fail(err)
		}
	}
	return data, nil
}

// bounded refuses YAML whose aliases would blow it up: kustomize writes them out. Files that are no YAML are no concern.
func bounded(name string, data []byte) error {
	if !bytes.ContainsRune(data, '&') || !bytes.ContainsRune(data, '*') {
		return nil
	}
	if _, err := manifest.Split(name, data); errors.Is(err, manifest.ErrBound) {
		return err
	}
	return nil
}

// IsDir reports whether the path is a folder.
func (f *files) IsDir(name string) bool {
	info, err := f.info(inside(name))
	return err == nil && info.IsDir()
}

// Exists reports whether there is a file or folder.
func (f *files) Exists(name string) bool {
	if _, ok := f.over[inside(name)]; ok {
		return true
	}
	_, err := f.info(inside(name))
	return err == nil
}

// CleanedAbs splits an existing path into its folder and its file, which is "" for a folder.
func (f *files) CleanedAbs(name string) (filesys.ConfirmedDir, string, error) {
	name = inside(name)
	if _, generated := f.over[name]; !generated {
		info, err := f.info(name)
		if err != nil {
			return "", "", fmt.Errorf("%q: %w", name, err)
		}
		if info.IsDir() {
			return filesys.ConfirmedDir(path.Join("/", name)), "", nil
		}
	}
	return filesys.ConfirmedDir(path.Join("/", path.Dir(name))), path.Base(name), nil
}

// ReadDir lists a folder of the tree.
func (f *files) ReadDir(name string) ([]string, error) {
	if _, err := f.info(inside(name)); err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(f.tree, inside(name))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names, nil
}

// Glob lists the files of the tree that match.
func (f *files) Glob(pattern string) ([]string, error) {
	if f.failed != nil {
		return nil, f.failed
	}
	names, err := fs.Glob(f.tree, inside(pattern))
	for i := range names {
		names[i] = "/" + names[i]
	}
	return names, err
}

// Walk visits the tree below a path.
func (f *files) Walk(name string, visit filepath.WalkFunc) error {
	return fs.WalkDir(f.tree, inside(name), func(name string, entry fs.DirEntry, err error) error {
		if f.failed != nil || f.ctx.Err() != nil {
			return errors.Join(f.failed, f.ctx.Err())
		}
		if err != nil {
			return visit("/"+name, nil, err)
		}
		info, err := entry.Info()
		return visit(path.Join("/", name), info, err)
	})
}

// Open opens a file for reading.
func (f *files) Open(name string) (filesys.File, error) {
	if _, err := f.info(inside(name)); err != nil {
		return nil, err
	}
	file, err := f.tree.Open(inside(name))
	if err != nil {
		return nil, err
	}
	return readOnly{file}, nil
}

type readOnly struct{ fs.File }

// Write refuses: files are written as a whole.
func (readOnly) Write([]byte) (int, error) { return 0, fs.ErrPermission }

// WriteFile keeps data over the tree, which stays as it is.
func (f *files) WriteFile(name string, data []byte) error {
	if f.bytes += len(data); f.bytes > f.limits.InputBytes {
		return f.fail(&manifest.Error{File: inside(name), Problem: fmt.Sprintf("with this file more than %d bytes are kept", f.limits.InputBytes), Cause: manifest.ErrBound})
	}
	f.over[inside(name)] = bytes.Clone(data)
	return nil
}

// RemoveAll forgets what was written below a path.
func (f *files) RemoveAll(name string) error {
	name = inside(name)
	maps.DeleteFunc(f.over, func(key string, _ []byte) bool {
		return key == name || name == "." || strings.HasPrefix(key, name+"/")
	})
	return nil
}

// Create refuses: files are written as a whole.
func (f *files) Create(string) (filesys.File, error) { return nil, fs.ErrPermission }

// Mkdir does nothing: a written file needs no folder.
func (f *files) Mkdir(string) error { return nil }

// MkdirAll does nothing: a written file needs no folder.
func (f *files) MkdirAll(string) error { return nil }
