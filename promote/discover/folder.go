package discover

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

const (
	maxFile = 32 << 20 // of one file that is read back

	// touchAfter is how old a file gets before being read makes it young again.
	touchAfter = 24 * time.Hour

	// idleAfter is how old a file gets before it can be removed: it was not read for a day at least.
	idleAfter = 2 * touchAfter

	// fullFor is how long a folder that is full of files in use is taken to be full.
	fullFor = time.Hour
)

// folder keeps small values as JSON, one file for each. Everything in it may be lost, broken or removed at any time: what
// cannot be read is as if it were not there. Several processes may use the same folder. A nil folder keeps nothing.
//
// When it is full, the oldest of the files that were not used for a day or two are removed, until there is a tenth less; as
// long as there is none, new values are not kept. Those in use do not make room for each other: the next would be asked for
// before it is read.
type folder struct {
	path string
	max  content
	now  func() time.Time
	log  *slog.Logger

	mu      sync.Mutex
	counted bool
	has     content   // at least; a file that is written again counts again
	full    time.Time // when there was nothing left to remove
}

// content is how much a folder holds.
type content struct {
	files int
	bytes int64
}

func (c content) exceeds(most content) bool { return c.files > most.files || c.bytes > most.bytes }

func newFolder(path string, most content, now func() time.Time, log *slog.Logger) *folder {
	return &folder{path: path, max: most, now: now, log: log}
}

// load reads the value of that name into out, and reports whether there is one.
func (f *folder) load(name string, out any) bool {
	if f == nil {
		return false
	}
	path := filepath.Join(f.path, name+".json")
	file, err := os.Open(path) //nolint:gosec // names are made of digests
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }()
	raw, err := io.ReadAll(io.LimitReader(file, maxFile))
	if err != nil || json.Unmarshal(raw, out) != nil {
		return false
	}
	now := f.now()
	if info, err := file.Stat(); err == nil && now.Sub(info.ModTime()) > touchAfter {
		_ = os.Chtimes(path, now, now)
	}
	return true
}

// save writes a value at once or not at all. What cannot be written is told to the log: it only has to be asked for again.
func (f *folder) save(ctx context.Context, name string, value any) {
	if f == nil || !f.admits(name) {
		return
	}
	size, err := f.write(name, value)
	if err != nil {
		f.log.WarnContext(ctx, "keep what was discovered", "folder", f.path, "error", err)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.has.files++
	f.has.bytes += int64(size)
	if !f.counted || f.has.exceeds(f.max) {
		f.counted, f.has = true, f.prune()
	}
	if f.has.exceeds(f.max) {
		_ = os.Remove(filepath.Join(f.path, name+".json"))
		f.has.files, f.has.bytes, f.full = f.has.files-1, f.has.bytes-int64(size), f.now()
	}
}

// admits reports whether there is room for a value, or an older one of its name.
func (f *folder) admits(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if age := f.now().Sub(f.full); age < 0 || age >= fullFor {
		return true
	}
	_, err := os.Stat(filepath.Join(f.path, name+".json"))
	return err == nil
}

func (f *folder) write(name string, value any) (size int, err error) {
	raw, err := json.Marshal(value)
	if err != nil {
		return 0, err
	}
	if err := os.MkdirAll(f.path, 0o750); err != nil {
		return 0, err
	}
	file, err := os.CreateTemp(f.path, "new-*")
	if err != nil {
		return 0, err
	}
	_, err = file.Write(raw)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(file.Name(), filepath.Join(f.path, name+".json"))
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	return len(raw), err
}

// prune counts what there is and, if it is too much, removes the oldest of the files that are not in use. Files that a crash left half written count too.
func (f *folder) prune() content {
	entries, err := os.ReadDir(f.path)
	if err != nil {
		return content{}
	}
	var has content
	files := make([]os.FileInfo, 0, len(entries))
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			files = append(files, info)
			has.files, has.bytes = has.files+1, has.bytes+info.Size()
		}
	}
	if !has.exceeds(f.max) {
		return has
	}
	slices.SortFunc(files, func(a, b os.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	aim := content{f.max.files - f.max.files/10, f.max.bytes - f.max.bytes/10}
	for _, file := range files {
		if !has.exceeds(aim) || f.now().Sub(file.ModTime()) < idleAfter {
			break
		}
		_ = os.Remove(filepath.Join(f.path, file.Name()))
		has.files, has.bytes = has.files-1, has.bytes-file.Size()
	}
	return has
}
