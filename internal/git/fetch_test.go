package git_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/internal/git/gittest"
)

// modes runs a test against a server with partial clone and against one without.
func modes(t *testing.T, test func(t *testing.T, srv *gittest.Server)) {
	t.Helper()
	t.Run("partial clone", func(t *testing.T) { test(t, gittest.NewServer(t)) })
	t.Run("no filter", func(t *testing.T) { test(t, gittest.NewServer(t, gittest.WithoutFilter())) })
}

func read(t testing.TB, tr *git.Tree, path string) string {
	t.Helper()
	data, err := tr.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestRefs(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("app.git", seed())
	main := repo.Head("main")
	repo.Git("tag", "-a", "-m", "release", "v1", "main")
	repo.Git("tag", "light", "main")
	repo.Git("update-ref", "refs/heads/team/x", main)
	object := repo.Git("rev-parse", "v1")

	got, err := open(t, repo.URL).Refs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := git.Refs{Default: "main", Commits: map[string]string{
		"refs/heads/main": main, "refs/heads/team/x": main, "refs/tags/light": main, "refs/tags/v1": main,
	}, Objects: map[string]string{"refs/tags/v1": object}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if id, ok := got.Branch("team/x"); id != main || !ok {
		t.Errorf("Branch = %q, %t", id, ok)
	}
	wantTags := []git.Tag{{Name: "light", Commit: main}, {Name: "v1", Object: object, Commit: main}}
	if diff := cmp.Diff(wantTags, got.Tags()); diff != "" {
		t.Errorf("tags: -want +got:\n%s", diff)
	}
	if n := len(srv.Requests()); n != 1 {
		t.Errorf("took %d requests, want 1", n)
	}
}

func TestEmptyRepository(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("empty.git", nil)
	r := open(t, repo.URL)
	refs, err := r.Refs(t.Context())
	if err != nil || len(refs.Commits) != 0 || refs.Default != "" {
		t.Fatalf("Refs = %v, %v", refs, err)
	}
	if _, err := r.Fetch(t.Context(), "main"); !errors.Is(err, git.ErrNotFound) {
		t.Fatalf("Fetch = %v, want ErrNotFound", err)
	}
	id := commit(t, r, "", map[string]git.File{"a/b.txt": text("first\n")})
	push(t, r, git.RefUpdate{Ref: "main", New: id})
	if got := repo.File("main", "a/b.txt"); got != "first\n" {
		t.Errorf("file is %q", got)
	}
	repo.Fsck()
}

func TestFetchIsIncremental(t *testing.T) {
	modes(t, func(t *testing.T, srv *gittest.Server) {
		repo := srv.Repo("app.git", seed())
		r := open(t, repo.URL)
		first := fetch(t, r, "main")
		srv.Requests()

		if again := fetch(t, r, "main"); again != first {
			t.Fatalf("tip is %q, want %q", again, first)
		}
		if n := len(srv.Requests()); n != 1 {
			t.Errorf("nothing new took %d requests, want 1", n)
		}

		repo.Commit("main", "one", map[string]string{"dev/app/instance.yaml": "image: app:2\n"})
		want := repo.Commit("main", "two", map[string]string{"new/file": "n\n", "dev/web/instance.yaml": "\x00"})
		if got := fetch(t, r, "main"); got != want {
			t.Fatalf("tip is %q, want %q", got, want)
		}
		requests := srv.Requests()
		if len(requests) != 2 {
			t.Fatalf("new commits took %d requests, want 2", len(requests))
		}
		if n := requests[1].Count("have"); n != 1 {
			t.Errorf("sent %d haves, want 1", n)
		}
		tr := tree(t, r, want)
		if got := read(t, tr, "dev/app/instance.yaml"); got != "image: app:2\n" {
			t.Errorf("changed file is %q", got)
		}
		if got := read(t, tr, "new/file"); got != "n\n" {
			t.Errorf("new file is %q", got)
		}
		if got := read(t, tree(t, r, first), "dev/web/instance.yaml"); got != seed()["dev/web/instance.yaml"] {
			t.Errorf("file of the first commit is %q", got)
		}
	})
}

func TestFetchAfterForcePushOfUnrelatedHistory(t *testing.T) {
	modes(t, func(t *testing.T, srv *gittest.Server) {
		repo := srv.Repo("app.git", seed())
		r := open(t, repo.URL)
		fetch(t, r, "main")
		repo.History("other", 20)
		repo.Git("update-ref", "refs/heads/main", repo.Head("other"))
		tip := fetch(t, r, "main")
		if got := read(t, tree(t, r, tip), "n"); got != "19" {
			t.Errorf("file is %q, want 19", got)
		}
	})
}

func TestManyRefsDoNotMakeFetchSendMore(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("app.git", seed())
	main := repo.Head("main")
	var b strings.Builder
	for i := range 1800 {
		fmt.Fprintf(&b, "create refs/heads/bot/%d %s\n", i, main)
	}
	repo.GitInput(b.String(), "update-ref", "--stdin")
	r := open(t, repo.URL)
	fetch(t, r, "main")
	for _, id := range repo.History("main", 20) {
		if err := r.Ensure(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	repo.Commit("main", "y", map[string]string{"n": "last"})
	srv.Requests()
	fetch(t, r, "main")
	requests := srv.Requests()
	if len(requests) != 2 {
		t.Fatalf("took %d requests, want 2", len(requests))
	}
	if n := requests[1].Count("have"); n < 1 || n > 16 {
		t.Errorf("sent %d haves, want 1 to 16", n)
	}
	if n := requests[1].Count("want"); n != 1 {
		t.Errorf("sent %d wants, want 1", n)
	}
}

func TestEnsure(t *testing.T) {
	modes(t, func(t *testing.T, srv *gittest.Server) {
		repo := srv.Repo("app.git", seed())
		old := repo.Head("main")
		side := repo.Commit("side", "side", map[string]string{"s": "1\n"})
		repo.Commit("main", "next", map[string]string{"README.md": "2\n"})
		r := open(t, repo.URL)
		fetch(t, r, "main")
		srv.Requests()
		if err := r.Ensure(t.Context(), old, side, old); err != nil {
			t.Fatal(err)
		}
		if n := len(srv.Requests()); n != 1 {
			t.Errorf("two unknown commits took %d requests, want 1", n)
		}
		if err := r.Ensure(t.Context(), old, side); err != nil {
			t.Fatal(err)
		}
		if n := len(srv.Requests()); n != 0 {
			t.Errorf("known commits took %d requests, want 0", n)
		}
		if got := read(t, tree(t, r, side), "s"); got != "1\n" {
			t.Errorf("file is %q", got)
		}
		for _, bad := range []string{strings.Repeat("ab", 20), repo.Git("rev-parse", old+":dev")} {
			if err := r.Ensure(t.Context(), bad); !errors.Is(err, git.ErrNotFound) {
				t.Errorf("Ensure(%s) = %v, want ErrNotFound", bad, err)
			}
		}
		for _, bad := range []string{"", "main", "ABCDEF", strings.Repeat("A", 40), strings.Repeat("g", 40)} {
			if err := r.Ensure(t.Context(), bad); err == nil || errors.Is(err, git.ErrNotFound) {
				t.Errorf("Ensure(%q) = %v, want a complaint about the id", bad, err)
			}
		}
	})
}

func TestPrefetchReadsManyFilesInOneRequest(t *testing.T) {
	srv := gittest.NewServer(t)
	files := map[string]string{}
	for i := range 300 {
		files[fmt.Sprintf("dev/s%03d/instance.yaml", i)] = fmt.Sprintf("n: %d\n", i)
	}
	repo := srv.Repo("app.git", files)
	r := open(t, repo.URL)
	tr := tree(t, r, fetch(t, r, "main"))
	srv.Requests()
	if err := tr.Prefetch(t.Context(), "dev", "dev/s007/instance.yaml"); err != nil {
		t.Fatal(err)
	}
	if n := len(srv.Requests()); n != 1 {
		t.Errorf("Prefetch took %d requests, want 1", n)
	}
	for name, want := range files {
		if got := read(t, tr, name); got != want {
			t.Fatalf("%s is %q, want %q", name, got, want)
		}
	}
	if err := tr.Prefetch(t.Context(), "."); err != nil {
		t.Fatal(err)
	}
	if n := len(srv.Requests()); n != 0 {
		t.Errorf("reading took %d more requests, want 0", n)
	}
	if err := tr.Prefetch(t.Context(), "absent"); !errors.Is(err, git.ErrNotFound) {
		t.Errorf("Prefetch of an absent path = %v, want ErrNotFound", err)
	}
}

func TestCommitInfoAndLog(t *testing.T) {
	modes(t, func(t *testing.T, srv *gittest.Server) {
		repo := srv.Repo("app.git", seed())
		ids := append([]string{repo.Head("main")}, repo.History("main", 259)...)
		ids = append(ids, repo.Commit("main", "last\n\nBody.\n", map[string]string{"n": "last"}))
		r := open(t, repo.URL)
		main := fetch(t, r, "main")
		info, err := r.CommitInfo(t.Context(), main)
		if err != nil {
			t.Fatal(err)
		}
		by := git.Signature{Name: "Seed", Email: "seed@example.com"}
		want := git.CommitInfo{
			ID: main, Tree: repo.Git("rev-parse", main+"^{tree}"), Parents: []string{ids[259]},
			Author: git.Stamp{Signature: by, When: info.Author.When}, Committer: git.Stamp{Signature: by, When: info.Committer.When},
			Message: "last\n\nBody.\n",
		}
		if diff := cmp.Diff(want, info); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if got := info.Author.When.Unix(); got != 1_700_000_000 {
			t.Errorf("author time is %d", got)
		}
		srv.Requests()
		log, err := r.Log(t.Context(), main, 1000)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range log {
			got = append(got, c.ID)
		}
		slices.Reverse(ids)
		if diff := cmp.Diff(ids, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if n := len(srv.Requests()); n > 2 {
			t.Errorf("261 commits took %d requests, want at most 2", n)
		}
		short, err := r.Log(t.Context(), main, 3)
		if err != nil || len(short) != 3 {
			t.Errorf("Log of 3 gave %d, %v", len(short), err)
		}
	})
}

func TestIsAncestor(t *testing.T) {
	modes(t, func(t *testing.T, srv *gittest.Server) {
		repo := srv.Repo("app.git", seed())
		root := repo.Head("main")
		repo.History("main", 70)
		main := repo.Head("main")
		repo.Git("update-ref", "refs/heads/side", root)
		side := repo.Commit("side", "s", map[string]string{"s": "1"})
		merge := repo.Git("commit-tree", "-m", "merge", "-p", main, "-p", side, main+"^{tree}")
		repo.Git("update-ref", "refs/heads/main", merge)
		orphan := repo.Commit("orphan", "o", map[string]string{"o": "1"})

		for _, tt := range []struct {
			name string
			a, d string
			want bool
		}{
			{"a commit is its own ancestor", main, main, true},
			{"the root, 71 commits back", root, merge, true},
			{"through the second parent", side, merge, true},
			{"not the other way round", merge, side, false},
			{"not between branches", side, main, false},
			{"not of another root", orphan, merge, false},
		} {
			t.Run(tt.name, func(t *testing.T) {
				got, err := open(t, repo.URL).IsAncestor(t.Context(), tt.a, tt.d)
				if err != nil || got != tt.want {
					t.Errorf("IsAncestor = %t, %v, want %t", got, err, tt.want)
				}
			})
		}
	})
}

func TestMergeBase(t *testing.T) {
	modes(t, func(t *testing.T, srv *gittest.Server) {
		repo := srv.Repo("app.git", seed())
		root := repo.Head("main")
		repo.History("main", 70)
		repo.Git("update-ref", "refs/heads/side", root)
		side := repo.Commit("side", "s", map[string]string{"s": "1"})
		merge := repo.Git("commit-tree", "-m", "merge", "-p", repo.Head("main"), "-p", side, repo.Head("main")+"^{tree}")
		repo.Git("update-ref", "refs/heads/main", merge)
		before := repo.Head("main")
		repo.Git("update-ref", "refs/heads/topic", before)
		topic := repo.Commit("topic", "t", map[string]string{"t": "1"})
		more := repo.Commit("side", "s", map[string]string{"s": "2"})
		repo.History("main", 3)
		main := repo.Head("main")
		orphan := repo.Commit("orphan", "o", map[string]string{"o": "1"})
		for _, tt := range []struct {
			name string
			a, b string
			want string
		}{
			{"a commit with itself", main, main, main},
			{"a branch that did not move with one that did", before, main, before},
			{"branches that both moved", topic, main, before},
			{"the other way round", main, topic, before},
			{"a branch that was merged and went on", more, main, side},
			{"far back", root, main, root},
			{"another root", orphan, main, ""},
		} {
			t.Run(tt.name, func(t *testing.T) {
				got, err := open(t, repo.URL).MergeBase(t.Context(), tt.a, tt.b)
				if got != tt.want || (tt.want == "") != errors.Is(err, git.ErrNotFound) || tt.want != "" && err != nil {
					t.Errorf("MergeBase = %q, %v, want %q", got, err, tt.want)
				}
			})
		}
	})
}

// TestMergeBaseBelievesNoDates: whoever writes a commit writes its date. Here a branch comes from the tip of its target by a commit
// of long ago, and by a new one from before that tip: what it takes back of the tip must not look like what it never had.
func TestMergeBaseBelievesNoDates(t *testing.T) {
	modes(t, func(t *testing.T, srv *gittest.Server) {
		repo := srv.Repo("app.git", nil)
		history := repo.History("main", 30)
		tip, before := history[29], history[26]
		made := func(seconds int, parents ...string) string {
			text := "tree " + repo.Git("rev-parse", before+"^{tree}") + "\n"
			for _, parent := range parents {
				text += "parent " + parent + "\n"
			}
			who := fmt.Sprintf("Seed <seed@example.com> %d +0000\n", seconds)
			return strings.TrimSpace(repo.GitInput(text+"author "+who+"committer "+who+"\nx\n", "hash-object", "-t", "commit", "-w", "--stdin"))
		}
		old, recent := made(1, tip), made(1_800_000_000, before)
		topic := made(1_800_000_001, old, recent)
		repo.Git("update-ref", "refs/heads/topic", topic)
		for _, sides := range [][2]string{{tip, topic}, {topic, tip}} {
			if got, err := open(t, repo.URL).MergeBase(t.Context(), sides[0], sides[1]); err != nil || got != tip {
				t.Errorf("MergeBase = %q, %v, want %q", got, err, tip)
			}
		}
	})
}

func TestIsAncestorGivesUp(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("app.git", nil)
	repo.History("main", 1300)
	orphan := repo.Commit("orphan", "o", map[string]string{"o": "1"})
	_, err := open(t, repo.URL).IsAncestor(t.Context(), orphan, repo.Head("main"))
	if !errors.Is(err, git.ErrTooDeep) {
		t.Errorf("IsAncestor = %v, want ErrTooDeep", err)
	}
}

func TestDiff(t *testing.T) {
	modes(t, func(t *testing.T, srv *gittest.Server) {
		repo := srv.Repo("app.git", seed())
		base := repo.Head("main")
		head := repo.Commit("main", "x", map[string]string{
			"README.md":                 "changed\n",
			"dev/web/instance.yaml":     "\x00",
			"prod/app/sub/only.yaml":    "\x00",
			"prod/app/sub":              "now a file\n",
			"charts/app.d/values.yaml":  "a: 22\n",
			"charts/app1/values.yaml":   "new\n",
			"charts/app0/templates/x.y": seed()["charts/app0/templates/x.y"],
		})
		r := open(t, repo.URL)
		got, err := r.Diff(t.Context(), base, head)
		if err != nil {
			t.Fatal(err)
		}
		want := []git.FileChange{
			{Path: "README.md", Kind: git.Modified},
			{Path: "charts/app.d/values.yaml", Kind: git.Modified},
			{Path: "charts/app1/values.yaml", Kind: git.Added},
			{Path: "dev/web/instance.yaml", Kind: git.Deleted},
			{Path: "prod/app/sub", Kind: git.Added},
			{Path: "prod/app/sub/only.yaml", Kind: git.Deleted},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if got, err := r.Diff(t.Context(), head, head); err != nil || len(got) != 0 {
			t.Errorf("diff with itself = %v, %v", got, err)
		}
		all, err := r.Diff(t.Context(), "", base)
		if err != nil || len(all) != len(seed()) {
			t.Errorf("diff with nothing = %d changes, %v, want %d", len(all), err, len(seed()))
		}
	})
}

func TestBlobAboveTheLimit(t *testing.T) {
	modes(t, func(t *testing.T, srv *gittest.Server) {
		files := maps.Clone(seed())
		files["huge.bin"] = strings.Repeat("\x00", git.MaxBlobSize) + "x"
		files["limit.bin"] = strings.Repeat("\x00", git.MaxBlobSize)
		repo := srv.Repo("app.git", files)
		r := open(t, repo.URL)
		tr := tree(t, r, fetch(t, r, "main"))
		if _, err := tr.ReadFile("huge.bin"); !errors.Is(err, git.ErrTooLarge) {
			t.Errorf("ReadFile = %v, want ErrTooLarge", err)
		}
		if got := read(t, tr, "limit.bin"); len(got) != git.MaxBlobSize {
			t.Errorf("file at the limit has %d bytes", len(got))
		}
		if got := read(t, tr, "README.md"); got != "hello\n" {
			t.Errorf("other file is %q", got)
		}
		repo.Commit("main", "small change of a large file", map[string]string{"huge.bin": files["huge.bin"] + "y", "README.md": "2\n"})
		tr = tree(t, r, fetch(t, r, "main"))
		if _, err := tr.ReadFile("huge.bin"); !errors.Is(err, git.ErrTooLarge) {
			t.Errorf("ReadFile of the next version = %v, want ErrTooLarge", err)
		}
		if got := read(t, tr, "README.md"); got != "2\n" {
			t.Errorf("other file of the next version is %q", got)
		}
	})
}

func TestAnswerCutShort(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("app.git", seed())
	r := open(t, repo.URL)
	srv.Intercept(func(w http.ResponseWriter, req *http.Request) bool {
		if req.Method != http.MethodPost {
			return false
		}
		w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
		_, _ = w.Write([]byte("0034shallow " + repo.Head("main") + "00000008NAK\n0009\x01PACK"))
		return true
	})
	if _, err := r.Fetch(t.Context(), "main"); err == nil {
		t.Error("Fetch took a truncated pack")
	}
	srv.Intercept(nil)
	fetch(t, r, "main")
}
