package bot

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

func TestDatabaseThatCannotBeUsedSaysWhatToDo(t *testing.T) {
	for _, test := range []struct {
		name string
		path func(t *testing.T) string
		want string
	}{
		{"its directory does not exist", func(t *testing.T) string { return filepath.Join(t.TempDir(), "none", "queue.db") }, "does not exist: create it, or name another file"},
		{"it is a directory", func(t *testing.T) string { return t.TempDir() }, "change the permissions, or name another file"},
		{"its directory is a file", func(t *testing.T) string {
			file := tempFile(t)
			write(t, file, nil)
			return filepath.Join(file, "queue.db")
		}, "change the permissions, or name another file"},
		{"it is no database", func(t *testing.T) string {
			file := tempFile(t)
			write(t, file, []byte(strings.Repeat("this is a text, ", 1000)))
			return file
		}, "the file is damaged or no SQLite database: move it"},
		{"it is damaged", func(t *testing.T) string {
			file := tempFile(t)
			if err := open(t, testConfig(file, map[string]Runner{"app": idle})).queue.close(); err != nil {
				t.Fatal(err)
			}
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			write(t, file, append(content[:100:100], bytes.Repeat([]byte{0xee}, len(content)-100)...))
			return file
		}, "the file is damaged or no SQLite database: move it"},
		{"another bot works with it", func(t *testing.T) string {
			file := tempFile(t)
			open(t, testConfig(file, map[string]Runner{"app": idle}))
			return file
		}, "another process works with this file: stop it, or name another file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := test.path(t)
			_, err := New(t.Context(), testConfig(path, map[string]Runner{"app": idle}))
			if err == nil {
				t.Fatal("no error")
			}
			if got := err.Error(); !strings.HasPrefix(got, fmt.Sprintf("queue %q: ", path)) || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDatabaseFile(t *testing.T) {
	for _, name := range []string{"queue.db", "a b.db", "100%.db", "what?mode=memory#x&y=.db", "ünïcode.db", ":memory:.db"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			b := open(t, testConfig(path, map[string]Runner{"app": idle}))
			mustAdd(t, b, "app", 1)
			if err := b.queue.close(); err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode().Perm() != 0o600 || info.Size() == 0 {
				t.Errorf("the file is %s with %d bytes, want something that only its owner can read", info.Mode(), info.Size())
			}
			b = open(t, testConfig(path, map[string]Runner{"app": idle}))
			if diff := cmp.Diff([]int{1}, waiting(t, b, "app")); diff != "" {
				t.Errorf("waiting events (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("a relative path", func(t *testing.T) {
		t.Chdir(t.TempDir())
		open(t, testConfig("queue.db", map[string]Runner{"app": idle}))
		if _, err := os.Stat("queue.db"); err != nil {
			t.Error(err)
		}
	})
	t.Run("none: what is in memory is not shared", func(t *testing.T) {
		a, b := open(t, testConfig(":memory:", map[string]Runner{"app": idle})), open(t, testConfig(":memory:", map[string]Runner{"app": idle}))
		mustAdd(t, a, "app", 1)
		if got := waiting(t, b, "app"); len(got) != 0 {
			t.Errorf("events %v wait in another bot's memory", got)
		}
	})
}

func TestDatabaseIsDurable(t *testing.T) {
	b := open(t, testConfig(tempFile(t), map[string]Runner{"app": idle}))
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "locking_mode": "exclusive"} {
		var got string
		if err := b.queue.store.db.QueryRowContext(t.Context(), "pragma "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %s, %v; want %s", pragma, got, err, want)
		}
	}
}

func TestManyAtOnceDoNotBlockEachOther(t *testing.T) {
	const repositories, senders, each = 5, 8, 20
	var mu sync.Mutex
	seen, all := map[string]int{}, make(chan struct{})
	runners := map[string]Runner{}
	for i := range repositories {
		name := fmt.Sprint("r", i)
		runners[name] = countingRunner(func(events []promote.Event) {
			mu.Lock()
			defer mu.Unlock()
			before := len(seen)
			for _, change := range changesOf(events) {
				seen[fmt.Sprint(name, "/", change)]++
			}
			if before < repositories*senders*each && len(seen) == repositories*senders*each {
				close(all)
			}
		})
	}
	b := open(t, testConfig(tempFile(t), runners))
	stop := start(t, b)
	var sending sync.WaitGroup
	for s := range senders {
		sending.Go(func() {
			for i := range each * repositories {
				p := payload{Project: fmt.Sprint("r", i%repositories), Change: s*each + i/repositories}
				if got := post(t, b, p); got.Code != 202 {
					t.Errorf("got %d %s, want 202", got.Code, got.Body)
				}
				if i%10 == 0 {
					metric(t, b, "") // The scrape wants the database, too.
				}
			}
		})
	}
	sending.Wait()
	receive(t, all, "run for every event")
	if err := stop(); err != nil {
		t.Error(err)
	}
	for event, n := range seen {
		if n != 1 {
			t.Errorf("%s was given to %d runs, want 1", event, n)
		}
	}
}
