package render

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"sync"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// reading is a tree that remembers which of its files were opened, and whether it could be read at all.
type reading struct {
	fs.FS
	mu     sync.Mutex
	read   map[string]bool
	broken bool // something failed that is not for the files to say: it may be there the next time
}

// failed takes note of an error and returns it.
func (r *reading) failed(err error) error {
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.broken = true
	}
	return err
}

// Open implements fs.FS.
func (r *reading) Open(name string) (fs.File, error) {
	file, err := r.FS.Open(name)
	if err != nil {
		return nil, r.failed(err)
	}
	if info, err := file.Stat(); err == nil && !info.IsDir() {
		r.note(name)
	}
	return file, nil
}

// ReadFile implements fs.ReadFileFS.
func (r *reading) ReadFile(name string) ([]byte, error) {
	data, err := fs.ReadFile(r.FS, name)
	if err == nil {
		r.note(name)
	}
	return data, r.failed(err)
}

// ReadDir implements fs.ReadDirFS.
func (r *reading) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(r.FS, name) }

// Stat implements fs.StatFS.
func (r *reading) Stat(name string) (fs.FileInfo, error) { return fs.Stat(r.FS, name) }

// Lstat implements fs.ReadLinkFS.
func (r *reading) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(r.FS, name) }

// ReadLink implements fs.ReadLinkFS.
func (r *reading) ReadLink(name string) (string, error) { return fs.ReadLink(r.FS, name) }

// Prefetch implements manifest.Prefetcher.
func (r *reading) Prefetch(ctx context.Context, names ...string) error {
	if tree, ok := r.FS.(manifest.Prefetcher); ok {
		return r.failed(tree.Prefetch(ctx, names...))
	}
	return nil
}

func (r *reading) note(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.read == nil {
		r.read = map[string]bool{}
	}
	r.read[name] = true
}

func (r *reading) files() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.read))
}

func (r *reading) isBroken() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.broken
}
