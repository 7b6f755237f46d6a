package bot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"
	sqlitecode "modernc.org/sqlite/lib"
)

// ErrInUse says that another process has the database open: a server that runs.
var ErrInUse = errors.New("another process works with this file")

// CheckDatabase says whether the queue's database could be opened: that it is one and can be written to, or that it can be made. It
// makes none. The error wraps [ErrInUse] when a server has it; another one says what to do.
func CheckDatabase(ctx context.Context, path string) error {
	if path == ":memory:" {
		return nil
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return checkDirectory(filepath.Dir(path))
	}
	store, err := openStore(ctx, path, time.Now)
	if failure, ok := errors.AsType[*sqlite.Error](err); ok && failure.Code()&0xff == sqlitecode.SQLITE_BUSY {
		return fmt.Errorf("%w", ErrInUse)
	}
	if err != nil {
		return err
	}
	return store.db.Close()
}

// checkDirectory says whether a file can be made in a folder.
func checkDirectory(dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("directory %q does not exist: create it, or name another file", dir)
	}
	file, err := os.CreateTemp(dir, ".lockkeeper-check-*")
	if err != nil {
		return fmt.Errorf("directory %q must be writable; change its permissions, or name another file: %w", dir, err)
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}
