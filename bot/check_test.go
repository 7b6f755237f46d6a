package bot

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckDatabase(t *testing.T) {
	dir := t.TempDir()
	good, bad, busy := filepath.Join(dir, "queue.db"), filepath.Join(dir, "bad.db"), filepath.Join(dir, "busy.db")
	b := open(t, testConfig(good, map[string]Runner{"app": idle}))
	if err := b.queue.close(); err != nil {
		t.Fatal(err)
	}
	open(t, testConfig(busy, map[string]Runner{"app": idle}))
	write(t, bad, []byte("this is no database, and it is long enough to be none"))
	for _, test := range []struct {
		name, path, want string
		is               error
	}{
		{"one that is there", good, "", nil},
		{"one that will be made", filepath.Join(dir, "new.db"), "", nil},
		{"in memory", ":memory:", "", nil},
		{"a server runs", busy, "another process", ErrInUse},
		{"another file", bad, "damaged or no SQLite database", nil},
		{"no such folder", filepath.Join(dir, "none", "queue.db"), "create it, or name another file", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := CheckDatabase(t.Context(), test.path)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) || test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) < 3 {
		t.Errorf("got %v, %v", entries, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "new.db")); !errors.Is(err, os.ErrNotExist) {
		t.Error("it made the database")
	}
}
