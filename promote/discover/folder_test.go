package discover

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFolderRemovesTheOldestFiles(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	config := New(Config{Now: func() time.Time { return now }}).config
	f := newFolder(dir, content{files: 10, bytes: 1000}, config.Now, config.Logger)
	for i := range 10 {
		name := fmt.Sprintf("old-%d", i)
		f.save(t.Context(), name, i)
		at := now.Add(time.Duration(i-1000) * time.Hour)
		if err := os.Chtimes(filepath.Join(dir, name+".json"), at, at); err != nil {
			t.Fatal(err)
		}
	}
	var zero int
	if !f.load("old-0", &zero) { // what is read is not old any more
		t.Fatal("old-0 is gone")
	}
	f.save(t.Context(), "new", 1)
	again := newFolder(dir, content{files: 10, bytes: 1000}, config.Now, config.Logger) // another process counts for itself
	again.save(t.Context(), "newer", 1)
	want := []string{"new.json", "newer.json", "old-0.json", "old-3.json", "old-4.json", "old-5.json", "old-6.json", "old-7.json", "old-8.json", "old-9.json"}
	if diff := cmp.Diff(want, names(t, dir)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestFolderRemovesFilesThatAreTooManyBytes(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	f := newFolder(dir, content{files: 10, bytes: 100}, time.Now, slog.New(slog.DiscardHandler))
	for i, size := range []int{50, 20, 20, 30} { // and two quotes each
		name := fmt.Sprint(i)
		f.save(t.Context(), name, strings.Repeat("x", size))
		at := now.Add(time.Duration(i-10) * 24 * time.Hour)
		if err := os.Chtimes(filepath.Join(dir, name+".json"), at, at); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"1.json", "2.json", "3.json"}, names(t, dir)); diff != "" || f.has != (content{files: 3, bytes: 76}) {
		t.Errorf("%+v; -want +got:\n%s", f.has, diff)
	}
}

func TestAFullFolderKeepsWhatIsInUse(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	f := newFolder(dir, content{files: 3, bytes: 1000}, func() time.Time { return now }, slog.New(slog.DiscardHandler))
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		f.save(t.Context(), name, 1)
	}
	f.save(t.Context(), "a", 2)
	again := 0
	if diff := cmp.Diff([]string{"a.json", "b.json", "c.json"}, names(t, dir)); diff != "" || !f.load("a", &again) || again != 2 {
		t.Errorf("a is %d; -want +got:\n%s", again, diff)
	}
	now = now.Add(25 * time.Hour)
	f.load("b", &again) // is in use
	now = now.Add(25 * time.Hour)
	f.save(t.Context(), "d", 1)
	if diff := cmp.Diff([]string{"a.json", "b.json", "d.json"}, names(t, dir)); diff != "" {
		t.Errorf("two days later: -want +got:\n%s", diff)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, entry := range entries {
		out = append(out, entry.Name())
	}
	return out
}
