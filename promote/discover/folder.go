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
	maxFile = 16 << 20 // of one file that is read back

	// touchAfter is how old a file gets before being read makes it young again.
	touchAfter = 24 * time.Hour
)

// folder keeps small values as JSON, one file for each. Everything in it may be lost, broken or removed at any time: what
// cannot be read is as if it were not there. Several processes may use the same folder. A nil folder keeps nothing.
type folder struct {
	path string
	max  int // files; when there are more, the oldest tenth is removed
	now  func() time.Time
	log  *slog.Logger

	mu    sync.Mutex
	files int // at least as many as there are; -1: not counted yet
}

func newFolder(path string, most int, config Config) *folder {
	return &folder{path: path, max: most, now: config.Now, log: config.Logger, files: -1}
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
	if f == nil {
		return
	}
	if err := f.write(name, value); err != nil {
		f.log.WarnContext(ctx, "keep what was discovered", "folder", f.path, "error", err)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.files++
	if f.files <= 0 || f.files > f.max {
		f.files = f.prune()
	}
}

func (f *folder) write(name string, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(f.path, 0o750); err != nil {
		return err
	}
	file, err := os.CreateTemp(f.path, "new-*")
	if err != nil {
		return err
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
	return err
}

// prune counts the files and removes the oldest if there are too many. Files that a crash left half written count too.
func (f *folder) prune() int {
	entries, err := os.ReadDir(f.path)
	if err != nil || len(entries) <= f.max {
		return len(entries)
	}
	type aged struct {
		name string
		at   time.Time
	}
	files := make([]aged, 0, len(entries))
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			files = append(files, aged{entry.Name(), info.ModTime()})
		}
	}
	slices.SortFunc(files, func(a, b aged) int { return a.at.Compare(b.at) })
	surplus := min(len(entries)-f.max+f.max/10, len(files))
	for _, file := range files[:surplus] {
		_ = os.Remove(filepath.Join(f.path, file.name))
	}
	return len(entries) - surplus
}
