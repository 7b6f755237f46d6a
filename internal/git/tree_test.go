package git_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/internal/git/gittest"
)

func TestTreeIsAFileSystem(t *testing.T) {
	modes(t, func(t *testing.T, srv *gittest.Server) {
		files := seed()
		for i := range 100 {
			files[fmt.Sprintf("large/%02d-with-a-long-name-that-fills-the-tree.yaml", i)] = fmt.Sprintln(i)
		}
		repo := srv.Repo("app.git", files)
		r := open(t, repo.URL)
		tr := tree(t, r, fetch(t, r, "main"))
		if err := tr.Prefetch(t.Context(), "."); err != nil {
			t.Fatal(err)
		}
		if err := fstest.TestFS(tr, slices.Sorted(maps.Keys(files))...); err != nil {
			t.Error(err)
		}
	})
}

func TestTreeErrors(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := special(t, srv)
	r := open(t, repo.URL)
	tr := tree(t, r, fetch(t, r, "main"))
	for _, path := range []string{"absent", "dev/absent", "absent/x", "README.md/x"} {
		if _, err := tr.ReadFile(path); !errors.Is(err, git.ErrNotFound) || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("ReadFile(%q) = %v, want not found", path, err)
		}
	}
	for _, path := range []string{"", "/x", "../x", "dev/", "dev//app", "./x"} {
		if _, err := tr.ReadFile(path); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("ReadFile(%q) = %v, want invalid", path, err)
		}
	}
	for path, mode := range map[string]fs.FileMode{
		"link": fs.ModeSymlink, "dev/linkdir": fs.ModeSymlink, "dev/linkdir/instance.yaml": fs.ModeSymlink,
		"vendor/sub": fs.ModeIrregular, "vendor/sub/x": fs.ModeIrregular,
	} {
		_, err := tr.ReadFile(path)
		special, ok := errors.AsType[*git.NotRegularError](err)
		if !ok || special.Mode != mode {
			t.Errorf("ReadFile(%q) = %v, want a *NotRegularError of %s", path, err, mode)
		}
		if _, err := tr.Open(path); err == nil {
			t.Errorf("Open(%q) was followed", path)
		}
	}
	if _, err := tr.ReadFile("dev"); err == nil {
		t.Error("ReadFile of a directory gave no error")
	}
	if _, err := tr.ReadDir("README.md"); err == nil {
		t.Error("ReadDir of a file gave no error")
	}
	list, err := tr.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range list {
		got = append(got, e.Type().String()+" "+e.Name())
	}
	want := []string{
		"---------- README.md", "d--------- charts", "d--------- dev", "L--------- link", "---------- lockkeeper.yaml",
		"d--------- prod", "---------- run.sh", "d--------- vendor",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if info, err := tr.Stat("run.sh"); err != nil || info.Mode() != 0o755 || info.Size() != 3 {
		t.Errorf("Stat = %v, %v", info, err)
	}
	if info, err := tr.Stat("link"); err != nil || info.Mode().Type() != fs.ModeSymlink {
		t.Errorf("Stat of a link = %v, %v", info, err)
	}
}

func TestObjectIDAndWalk(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := special(t, srv)
	r := open(t, repo.URL)
	main := fetch(t, r, "main")
	tr := tree(t, r, main)
	srv.Requests()
	for _, path := range []string{"dev", "dev/app/instance.yaml", "vendor/sub", "link"} {
		got, err := tr.ObjectID(path)
		if want := repo.Git("rev-parse", main+":"+path); err != nil || got != want {
			t.Errorf("ObjectID(%q) = %q, %v, want %q", path, got, err, want)
		}
	}
	if got, err := tr.ObjectID("."); err != nil || got != repo.Git("rev-parse", main+"^{tree}") {
		t.Errorf("ObjectID of the root = %q, %v", got, err)
	}
	var got []string
	err := tr.Walk(t.Context(), ".", func(e git.Entry) error {
		got = append(got, e.Path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(repo.Files(main), got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	stop := errors.New("stop")
	if err := tr.Walk(t.Context(), "dev", func(git.Entry) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Walk = %v, want the visitor's error", err)
	}
	if n := len(srv.Requests()); n != 0 {
		t.Errorf("took %d requests, want none", n)
	}
}

func TestConcurrentUse(t *testing.T) {
	srv := gittest.NewServer(t)
	files := map[string]string{}
	for i := range 120 {
		files[fmt.Sprintf("dir/%03d-some-longer-file-name.yaml", i)] = fmt.Sprintln(i)
	}
	repo := srv.Repo("app.git", files)
	r := open(t, repo.URL)
	first := fetch(t, r, "main")
	tr := tree(t, r, first)
	ids := repo.History("main", 6)
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range 30 {
				path := fmt.Sprintf("dir/%03d-some-longer-file-name.yaml", (worker*31+i)%120)
				if data, err := tr.ReadFile(path); err != nil || string(data) != files[path] {
					t.Errorf("ReadFile(%q) = %q, %v", path, data, err)
				}
				_, err := r.Commit(context.WithoutCancel(t.Context()), git.CommitRequest{
					Parents: []string{first}, Files: map[string]git.File{path: text(fmt.Sprint(worker, i, "x"))}, Message: "m", When: when(),
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for _, id := range ids {
		wg.Go(func() {
			if err := r.Ensure(context.WithoutCancel(t.Context()), id); err != nil {
				t.Error(err)
			}
			if _, err := r.Diff(context.WithoutCancel(t.Context()), first, id); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
