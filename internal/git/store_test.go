package git

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/git/gittest"
)

func testRepository(t *testing.T, url string) *Repository {
	t.Helper()
	r, err := Open(Config{URL: url, Author: Signature{Name: "B", Email: "b@example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPruneBoundsMemory(t *testing.T) {
	for name, options := range map[string][]gittest.Option{"partial clone": nil, "no filter": {gittest.WithoutFilter()}} {
		t.Run(name, func(t *testing.T) {
			srv := gittest.NewServer(t, options...)
			files := map[string]string{}
			for i := range 200 {
				files[fmt.Sprintf("dir/%03d-a-name-long-enough-to-make-the-tree-large.yaml", i)] = fmt.Sprintln(i)
			}
			repo := srv.Repo("app.git", files)
			r := testRepository(t, repo.URL)
			first := repo.Head("main")
			history := repo.History("main", keepCommits+20)
			unpushed, err := r.Commit(t.Context(), CommitRequest{
				Parents: []string{first}, Files: map[string]File{"dir/own": {Data: []byte("own")}}, Message: "m", When: time.Unix(1_800_000_000, 0),
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range history {
				if err := r.Ensure(t.Context(), id); err != nil {
					t.Fatal(err)
				}
			}
			r.store.mu.Lock()
			before := len(r.store.objects)
			r.store.pruneAt = 0
			r.store.prune()
			after, complete := len(r.store.objects), len(r.store.complete)
			r.store.mu.Unlock()
			if complete > keepCommits+1 || after >= before {
				t.Errorf("%d commits and %d of %d objects are kept", complete, after, before)
			}
			srv.Requests()
			tr, err := r.Tree(t.Context(), history[len(history)-1])
			if err != nil {
				t.Fatal(err)
			}
			if err := tr.Walk(t.Context(), ".", func(Entry) error { return nil }); err != nil {
				t.Error(err)
			}
			if n := len(srv.Requests()); n != 0 {
				t.Errorf("the newest commit took %d requests after pruning, want 0", n)
			}
			if results, err := r.Push(t.Context(), RefUpdate{Ref: "own", New: unpushed}); err != nil || results[0].Err != nil {
				t.Errorf("push of what was made before pruning: %v, %v", results, err)
			}
			old, err := r.Tree(t.Context(), history[0])
			if err != nil {
				t.Fatal(err)
			}
			if data, err := old.ReadFile("n"); err != nil || strings.TrimSpace(string(data)) != "0" {
				t.Errorf("pruned commit reads %q, %v", data, err)
			}
			repo.Fsck()
		})
	}
}

func TestTreeStaysValidWhenItsCommitIsPruned(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("app.git", map[string]string{"a/b": "1\n", "a/c/d": "2\n"})
	r := testRepository(t, repo.URL)
	tr, err := r.Tree(t.Context(), repo.Head("main"))
	if err != nil {
		t.Fatal(err)
	}
	r.store.mu.Lock()
	clear(r.store.objects)
	r.store.mu.Unlock()
	if data, err := tr.ReadFile("a/c/d"); err != nil || string(data) != "2\n" {
		t.Errorf("ReadFile = %q, %v", data, err)
	}
}

func TestBlobsAreEvictedAndFetchedAgain(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("app.git", map[string]string{"a": "1\n", "b": "2\n"})
	r := testRepository(t, repo.URL)
	tr, err := r.Tree(t.Context(), repo.Head("main"))
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.Prefetch(t.Context(), "."); err != nil {
		t.Fatal(err)
	}
	own, err := r.Commit(t.Context(), CommitRequest{
		Parents: []string{tr.Commit()}, Files: map[string]File{"own": {Data: []byte("own")}}, Message: "m", When: time.Unix(1_800_000_000, 0),
	})
	if err != nil {
		t.Fatal(err)
	}
	r.store.mu.Lock()
	r.store.blobs += blobCache
	r.store.prune()
	r.store.blobs -= blobCache
	left := r.store.blobs
	r.store.mu.Unlock()
	if left != len("own") {
		t.Errorf("%d bytes of blobs are left, want those of the unpushed commit", left)
	}
	for path, want := range map[string]string{"a": "1\n", "b": "2\n"} {
		if data, err := tr.ReadFile(path); err != nil || string(data) != want {
			t.Errorf("ReadFile(%q) = %q, %v", path, data, err)
		}
	}
	if results, err := r.Push(t.Context(), RefUpdate{Ref: "own", New: own}); err != nil || results[0].Err != nil {
		t.Errorf("Push = %v, %v", results, err)
	}
	repo.Fsck()
}

func TestUnpushedCommitsAreBounded(t *testing.T) {
	s := newStore()
	for i := range keepPending + 2000 {
		raw := fmt.Appendf(nil, "commit %d", i)
		s.addPending(hashObject(kindCommit, raw), []packObject{{id: hashObject(kindCommit, raw), kind: kindCommit, data: raw}}, nil)
	}
	if n := len(s.pending); n > keepPending || n < keepPending*8/10 {
		t.Errorf("%d commits are kept, want about %d", n, keepPending)
	}
}

func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		reason string
		want   error
	}{
		{"failed to update ref", ErrMoved},
		{"cannot lock ref 'refs/heads/x': is at 1 but expected 2", ErrMoved},
		{"reference already exists", ErrMoved},
		{"non-fast-forward", ErrMoved},
		{"atomic transaction failed", ErrMoved},
		{"hook declined", ErrDenied},
		{"pre-receive hook declined", ErrDenied},
		{"protected branch hook declined", ErrDenied},
		{"push declined due to repository rule violations", ErrDenied},
		{"deletion prohibited", ErrDenied},
		{"You are not allowed to push code to protected branches on this project.", ErrDenied},
	} {
		err := refusal(tt.reason, "")
		for _, kind := range []error{ErrMoved, ErrDenied} {
			if got := strings.Contains(err.Error(), kind.Error()); got != errors.Is(tt.want, kind) {
				t.Errorf("refusal(%q) = %v, want %v", tt.reason, err, tt.want)
			}
		}
	}
}
