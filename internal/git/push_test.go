package git_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/internal/git/githttp"
	"github.com/lockkeeper/lockkeeper/internal/git/gittest"
)

func pushOne(t testing.TB, r *git.Repository, u git.RefUpdate) error {
	t.Helper()
	results, err := r.Push(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 1 || results[0].Ref != u.Ref {
		t.Fatalf("results are %v, want one for %q", results, u.Ref)
	}
	return results[0].Err
}

func TestPushIsCompareAndSwap(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("app.git", seed())
	r := open(t, repo.URL)
	main := fetch(t, r, "main")
	a := commit(t, r, main, map[string]git.File{"a": text("a")})
	b := commit(t, r, main, map[string]git.File{"b": text("b")})
	later := commit(t, r, a, map[string]git.File{"c": text("c")})
	unknown := strings.Repeat("12", 20)
	steps := []struct {
		name string
		u    git.RefUpdate
		want error
		head string // of branch x afterwards
	}{
		{"create a branch", git.RefUpdate{Ref: "x", New: a}, nil, a},
		{"create it again", git.RefUpdate{Ref: "x", New: b}, git.ErrMoved, a},
		{"move it from another place than it is at", git.RefUpdate{Ref: "x", Old: main, New: b}, git.ErrMoved, a},
		{"move it forward", git.RefUpdate{Ref: "x", Old: a, New: later}, nil, later},
		{"move it sideways with the right old commit", git.RefUpdate{Ref: "refs/heads/x", Old: later, New: b}, nil, b},
		{"move a branch that does not exist", git.RefUpdate{Ref: "y", Old: main, New: b}, git.ErrMoved, b},
		{"create a branch below a branch", git.RefUpdate{Ref: "x/y", New: b}, git.ErrMoved, b},
		{"delete it with the wrong old commit", git.RefUpdate{Ref: "x", Old: main}, git.ErrMoved, b},
		{"delete it", git.RefUpdate{Ref: "x", Old: b}, nil, ""},
	}
	for _, tt := range steps {
		if err := pushOne(t, r, tt.u); !errors.Is(err, tt.want) || tt.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		if got := repo.Head("x"); got != tt.head {
			t.Errorf("%s: branch is at %q, want %q", tt.name, got, tt.head)
		}
	}
	if err := pushOne(t, r, git.RefUpdate{Ref: "z", New: unknown}); err == nil {
		t.Error("a branch on a commit that nobody has was accepted")
	}
	repo.Fsck()
}

func TestPushRejectsBadUpdates(t *testing.T) {
	r := open(t, gittest.NewServer(t).Repo("app.git", seed()).URL)
	id := strings.Repeat("12", 20)
	for _, updates := range [][]git.RefUpdate{
		{{Ref: "x"}},
		{{Ref: "", New: id}},
		{{Ref: "a..b", New: id}},
		{{Ref: "refs/x", New: id}},
		{{Ref: "x\x00 report-status", New: id}},
		{{Ref: "x", New: "main"}},
		{{Ref: "x", Old: "1", New: id}},
		{{Ref: "x", New: id}, {Ref: "refs/heads/x", New: id}},
	} {
		if _, err := r.Push(t.Context(), updates...); err == nil {
			t.Errorf("Push(%v) was accepted", updates)
		}
	}
	if results, err := r.Push(t.Context()); results != nil || err != nil {
		t.Errorf("empty Push = %v, %v", results, err)
	}
}

func TestFourRacersOneWins(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("app.git", seed())
	main := repo.Head("main")
	racers, errs, ids := make([]*git.Repository, 4), make([]error, 4), make([]string, 4)
	for i := range racers {
		racers[i] = open(t, repo.URL)
		ids[i] = commit(t, racers[i], main, map[string]git.File{"n": text(fmt.Sprint(i))})
	}
	var wg sync.WaitGroup
	for i, r := range racers {
		wg.Go(func() {
			results, err := r.Push(context.WithoutCancel(t.Context()), git.RefUpdate{Ref: "main", Old: main, New: ids[i]})
			if err == nil {
				err = results[0].Err
			}
			errs[i] = err
		})
	}
	wg.Wait()
	won := ""
	for i, err := range errs {
		switch {
		case err == nil && won == "":
			won = ids[i]
		case err == nil:
			t.Error("two racers won")
		case !errors.Is(err, git.ErrMoved):
			t.Errorf("loser got %v, want ErrMoved", err)
		}
	}
	if got := repo.Head("main"); won == "" || got != won {
		t.Errorf("main is at %q, want the winner's %q", got, won)
	}
	repo.Fsck()
}

func TestProtectedBranch(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("app.git", seed())
	repo.Hook("update", `if [ "$1" = refs/heads/main ]; then echo "main is protected: open a merge request"; exit 1; fi`)
	r := open(t, repo.URL)
	main := fetch(t, r, "main")
	id := commit(t, r, main, map[string]git.File{"n": text("1")})
	results, err := r.Push(t.Context(), git.RefUpdate{Ref: "main", Old: main, New: id}, git.RefUpdate{Ref: "free", New: id})
	if err != nil {
		t.Fatal(err)
	}
	if err := results[0].Err; !errors.Is(err, git.ErrDenied) || !strings.Contains(err.Error(), "open a merge request") {
		t.Errorf("main: %v, want ErrDenied with the hook's words", err)
	}
	if err := results[1].Err; err != nil {
		t.Errorf("other branch in the same push: %v", err)
	}
	if repo.Head("main") != main || repo.Head("free") != id {
		t.Error("branches are not where the results say")
	}
}

func TestManyBranchesInOnePush(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("app.git", seed())
	r := open(t, repo.URL)
	main := fetch(t, r, "main")
	var updates []git.RefUpdate
	for i := range 100 {
		id := commit(t, r, main, map[string]git.File{"dev/app/instance.yaml": text(fmt.Sprintf("image: app:%d\n", i))})
		updates = append(updates, git.RefUpdate{Ref: fmt.Sprintf("bot/%d", i), New: id})
	}
	updates = append(updates, git.RefUpdate{Ref: "bot/same", New: updates[5].New})
	srv.Requests()
	push(t, r, updates...)
	if n := len(srv.Requests()); n != 2 {
		t.Errorf("took %d requests, want 2", n)
	}
	for i, u := range updates[:100] {
		if got, want := repo.File(u.Ref, "dev/app/instance.yaml"), fmt.Sprintf("image: app:%d\n", i); got != want {
			t.Fatalf("%s has %q, want %q", u.Ref, got, want)
		}
	}
	repo.Fsck()
}

func TestPushSendsChainsOfUnpushedCommits(t *testing.T) {
	srv := gittest.NewServer(t)
	files := seed()
	for i := range 400 {
		files[fmt.Sprintf("many/%03d.yaml", i)] = fmt.Sprintln(i)
	}
	repo := srv.Repo("app.git", files)
	r := open(t, repo.URL)
	tip := fetch(t, r, "main")
	for i := range 70 {
		tip = commit(t, r, tip, map[string]git.File{"many/007.yaml": text(fmt.Sprintf("step: %d\n", i))})
	}
	// A commit whose tree starts from an unpushed commit that is not among its ancestors.
	id, err := r.Commit(t.Context(), git.CommitRequest{
		Base: tip, Files: map[string]git.File{"extra": text("e")}, Message: "orphan", When: when(),
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.Requests()
	push(t, r, git.RefUpdate{Ref: "orphan", New: id})
	push(t, r, git.RefUpdate{Ref: "chain", New: tip})
	if got := repo.File("orphan", "many/007.yaml") + repo.File("chain", "many/007.yaml"); got != "step: 69\nstep: 69\n" {
		t.Errorf("files are %q", got)
	}
	if got := repo.Git("rev-list", "--count", "chain"); got != "71" {
		t.Errorf("chain has %s commits, want 71", got)
	}
	repo.Fsck()
	requests := srv.Requests()
	if n := len(requests[len(requests)-1].Body); n > 500 {
		t.Errorf("second push sent %d bytes, want only the command", n)
	}
}

func TestServerThatRefusesThinPacks(t *testing.T) {
	srv := gittest.NewServer(t)
	files := map[string]string{}
	for i := range 200 {
		files[fmt.Sprintf("dir/%03d", i)] = fmt.Sprintln(i)
	}
	repo := srv.Repo("app.git", files)
	r := open(t, repo.URL)
	main := fetch(t, r, "main")
	id := commit(t, r, main, map[string]git.File{"dir/007": text("x")})
	pushes := 0
	srv.Intercept(func(w http.ResponseWriter, req *http.Request) bool {
		if req.Method != http.MethodPost {
			return false
		}
		if pushes++; pushes > 1 {
			return false
		}
		w.Header().Set("Content-Type", "application/x-git-receive-pack-result")
		report := "0022unpack unresolved deltas left\n0021ng refs/heads/b unpacker error\n0000"
		report = strings.ReplaceAll(report, "0021ng", fmt.Sprintf("%04xng", len("ng refs/heads/b unpacker error\n")+4))
		_, _ = fmt.Fprintf(w, "%04x\x01%s0000", len(report)+5, report)
		return true
	})
	push(t, r, git.RefUpdate{Ref: "b", New: id})
	if got := repo.File("b", "dir/007"); got != "x" || pushes != 2 {
		t.Errorf("file is %q after %d pushes, want x after 2", got, pushes)
	}
	repo.Fsck()
}

func TestLostAnswerCanBeToldByRefs(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("app.git", seed())
	r := open(t, repo.URL)
	main := fetch(t, r, "main")
	id := commit(t, r, main, map[string]git.File{"n": text("1")})
	backend := githttp.Handler(srv.Root(), nil)
	srv.Intercept(func(_ http.ResponseWriter, req *http.Request) bool {
		if req.Method != http.MethodPost {
			return false
		}
		backend.ServeHTTP(httptest.NewRecorder(), req)
		panic(http.ErrAbortHandler)
	})
	_, err := r.Push(t.Context(), git.RefUpdate{Ref: "b", New: id})
	if !errors.Is(err, git.ErrOutcomeUnknown) {
		t.Fatalf("Push = %v, want ErrOutcomeUnknown", err)
	}
	srv.Intercept(nil)
	refs, err := r.Refs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := refs.Branch("b"); got != id {
		t.Errorf("branch is at %q, want %q", got, id)
	}
	if err := pushOne(t, r, git.RefUpdate{Ref: "b", New: id}); !errors.Is(err, git.ErrMoved) {
		t.Errorf("the same push again = %v, want ErrMoved", err)
	}
	// What was pushed without our knowing is still sent right when something builds on it.
	next := commit(t, r, id, map[string]git.File{"n": text("2")})
	push(t, r, git.RefUpdate{Ref: "b", Old: id, New: next})
	repo.Fsck()
}

func TestPushToServerThatIsDown(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	url := srv.URL
	srv.Close()
	r := open(t, url+"/app.git")
	id := commit(t, r, "", map[string]git.File{"n": text("1")})
	_, err := r.Push(t.Context(), git.RefUpdate{Ref: "b", New: id})
	if err == nil || errors.Is(err, git.ErrOutcomeUnknown) {
		t.Errorf("Push = %v, want an error that is sure nothing was sent", err)
	}
}

func TestLedgerOnOrphanBranch(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("app.git", seed())
	r := open(t, repo.URL)
	root := commit(t, r, "", map[string]git.File{"freight/1.yaml": text("a: 1\n")})
	push(t, r, git.RefUpdate{Ref: "lockkeeper/ledger", New: root})
	tip := root
	for i := range 12 {
		next := commit(t, r, tip, map[string]git.File{fmt.Sprintf("promotions/2026/%03d.yaml", i): text(fmt.Sprintf("n: %d\n", i))})
		push(t, r, git.RefUpdate{Ref: "lockkeeper/ledger", Old: tip, New: next})
		tip = next
	}
	other := open(t, repo.URL)
	if got := fetch(t, other, "lockkeeper/ledger"); got != tip {
		t.Fatalf("ledger is at %q, want %q", got, tip)
	}
	if got := read(t, tree(t, other, tip), "promotions/2026/011.yaml"); got != "n: 11\n" {
		t.Errorf("record is %q", got)
	}
	if got := len(repo.Files(tip)); got != 13 {
		t.Errorf("ledger has %d files, want 13", got)
	}
	if got := repo.Git("rev-list", "--max-parents=0", tip); got != root {
		t.Errorf("root is %q, want %q", got, root)
	}
	repo.Fsck()
}
