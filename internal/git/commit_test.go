package git_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/internal/git/gittest"
)

// special is a repository with a link and a submodule next to ordinary files.
func special(t testing.TB, srv *gittest.Server) *gittest.Repo {
	t.Helper()
	repo := srv.Repo("special.git", seed())
	repo.GitInput("commit refs/heads/main\ncommitter S <s@example.com> 1700000001 +0000\ndata 1\nx\n"+
		"from "+repo.Head("main")+"\n"+
		"M 120000 inline link\ndata 9\nREADME.md\n"+
		"M 120000 inline dev/linkdir\ndata 3\napp\n"+
		"M 160000 1212121212121212121212121212121212121212 vendor/sub\n"+
		"M 100755 inline run.sh\ndata 3\n#!/\n"+
		"done\n", "fast-import", "--quiet", "--done")
	return repo
}

func TestCommitRefusals(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := special(t, srv)
	r := open(t, repo.URL)
	main := fetch(t, r, "main")
	gone := git.File{Delete: true}
	for _, tt := range []struct {
		name  string
		files map[string]git.File
		want  error // nil: any error
	}{
		{"nothing at all", nil, git.ErrNoChange},
		{"the content that is there", map[string]git.File{"README.md": text("hello\n")}, git.ErrNoChange},
		{"a file below a file", map[string]git.File{"README.md/x": text("1")}, git.ErrConflict},
		{"a file where a directory is", map[string]git.File{"dev/app": text("1")}, git.ErrConflict},
		{"a directory deleted as a file", map[string]git.File{"dev/app": gone}, git.ErrConflict},
		{"a file and a file below it", map[string]git.File{"n": text("1"), "n/x": text("1")}, git.ErrConflict},
		{"the same with a name between them", map[string]git.File{"n": text("1"), "n.d": text("1"), "n/x": text("1")}, git.ErrConflict},
		{"writing through a link", map[string]git.File{"dev/linkdir/instance.yaml": text("1")}, git.ErrConflict},
		{"overwriting a link", map[string]git.File{"link": text("1")}, git.ErrConflict},
		{"writing into a submodule", map[string]git.File{"vendor/sub/x": text("1")}, git.ErrConflict},
		{"deleting a submodule", map[string]git.File{"vendor/sub": gone}, git.ErrConflict},
		{"deleting what is not there", map[string]git.File{"absent": gone}, git.ErrNotFound},
		{"deleting below what is not there", map[string]git.File{"absent/x": gone}, git.ErrNotFound},
		{"a file above the limit", map[string]git.File{"x": {Data: make([]byte, git.MaxBlobSize+1)}}, git.ErrTooLarge},
		{"an absolute path", map[string]git.File{"/x": text("1")}, nil},
		{"the root", map[string]git.File{".": text("1")}, nil},
		{"a path that climbs", map[string]git.File{"dev/../x": text("1")}, nil},
		{"an empty path", map[string]git.File{"": text("1")}, nil},
		{"a NUL", map[string]git.File{"a\x00b": text("1")}, nil},
		{"a line break", map[string]git.File{"a\nb": text("1")}, nil},
		{"git's own folder", map[string]git.File{".git/config": text("1")}, nil},
		{"git's own folder on another file system", map[string]git.File{"a/.GIT/x": text("1")}, nil},
		{"git's own folder on Windows", map[string]git.File{"git~1": text("1")}, nil},
		{"git's own folder on macOS", map[string]git.File{".g\u200cit": text("1")}, nil},
		{"a link as new file", map[string]git.File{"x": {Data: []byte("1"), Mode: 0o1000000000 | 0o777}}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := r.Commit(t.Context(), git.CommitRequest{Parents: []string{main}, Files: tt.files, Message: "m", When: when()})
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("Commit = %v, want %v", err, tt.want)
			}
		})
	}
	for name, change := range map[string]func(*git.CommitRequest){
		"no message":         func(r *git.CommitRequest) { r.Message = " \n\x00" },
		"no time":            func(r *git.CommitRequest) { r.When = time.Time{} },
		"no author name":     func(r *git.CommitRequest) { r.Author = &git.Signature{Email: "x@example.com"} },
		"no committer email": func(r *git.CommitRequest) { r.Committer = &git.Signature{Name: "X"} },
		"bad parent":         func(r *git.CommitRequest) { r.Parents = []string{"main"} },
		"bad base":           func(r *git.CommitRequest) { r.Base = "main" },
		"unknown base":       func(r *git.CommitRequest) { r.Base = strings.Repeat("12", 20) },
	} {
		req := git.CommitRequest{Parents: []string{main}, Files: map[string]git.File{"x": text("1")}, Message: "m", When: when()}
		change(&req)
		if _, err := r.Commit(t.Context(), req); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestCommitHeader(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("app.git", seed())
	r := open(t, repo.URL)
	main := fetch(t, r, "main")
	req := git.CommitRequest{
		Parents: []string{main},
		Files:   map[string]git.File{"x": text("1")},
		Message: "\n\nPromote app\r\n\r\nBody\x00 line  \n\nLockkeeper-Stage: dev\n\n\n",
		Author:  &git.Signature{Name: "  Ada <evil>\n Lovelace.", Email: "ada@example.com>\n"},
		When:    when(),
	}
	id, err := r.Commit(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	again, err := open(t, repo.URL).Commit(t.Context(), req)
	if err != nil || again != id {
		t.Errorf("the same request elsewhere gave %q, %v, want %q", again, err, id)
	}
	push(t, r, git.RefUpdate{Ref: "b", New: id})
	repo.Fsck()
	want := "Ada evil Lovelace|ada@example.com|2026-03-01T12:00:00+01:00|Lockkeeper|bot@example.com|2026-03-01T12:00:00+01:00|" +
		"Promote app\n\nBody line\n\nLockkeeper-Stage: dev"
	if got := repo.Git("log", "-1", "--format=%an|%ae|%aI|%cn|%ce|%cI|%B", id); got != want {
		t.Errorf("git reads %q, want %q", got, want)
	}
	info, err := r.CommitInfo(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	wantInfo := git.CommitInfo{
		ID: id, Tree: repo.Git("rev-parse", id+"^{tree}"), Parents: []string{main},
		Author:    git.Stamp{Signature: git.Signature{Name: "Ada evil Lovelace", Email: "ada@example.com"}, When: when()},
		Committer: git.Stamp{Signature: git.Signature{Name: "Lockkeeper", Email: "bot@example.com"}, When: when()},
		Message:   "Promote app\n\nBody line\n\nLockkeeper-Stage: dev\n",
	}
	if diff := cmp.Diff(wantInfo, info); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestCommitModesBaseAndMerge(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := special(t, srv)
	r := open(t, repo.URL)
	main := fetch(t, r, "main")
	id := commit(t, r, main, map[string]git.File{
		"run.sh":        text("#!/bin/sh\n"),
		"new.sh":        {Data: []byte("1"), Mode: 0o755},
		"README.md":     {Data: []byte("hello\n"), Mode: 0o700},
		"empty":         {},
		"link":          {Delete: true},
		"deep/er/and/x": text("1"),
	})
	push(t, r, git.RefUpdate{Ref: "modes", New: id})
	got := repo.Git("diff", "--raw", "--abbrev=4", "--no-renames", main, id)
	var modes []string
	for line := range strings.Lines(got) {
		f := strings.Fields(line)
		modes = append(modes, f[0]+" "+f[1]+" "+f[5])
	}
	want := []string{
		":100644 100755 README.md", ":000000 100644 deep/er/and/x", ":000000 100644 empty",
		":120000 000000 link", ":000000 100755 new.sh", ":100755 100755 run.sh",
	}
	if diff := cmp.Diff(want, modes); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}

	// The tree of one commit on top of another: what a rebased change needs.
	over, err := r.Commit(t.Context(), git.CommitRequest{
		Parents: []string{id, main}, Base: main, Files: map[string]git.File{"z": text("z")}, Message: "m", When: when(),
	})
	if err != nil {
		t.Fatal(err)
	}
	push(t, r, git.RefUpdate{Ref: "over", New: over})
	if got := repo.Git("diff", "--name-only", main, over); got != "z" {
		t.Errorf("tree differs from its base in %q, want z", got)
	}
	if got := repo.Git("log", "-1", "--format=%P", over); got != id+" "+main {
		t.Errorf("parents are %q", got)
	}
	back := git.CommitRequest{Parents: []string{id}, Base: main, Message: "revert", When: when()}
	revert, err := r.Commit(t.Context(), back)
	if err != nil {
		t.Errorf("going back to the base's tree: %v", err)
	}
	empty := git.CommitRequest{Parents: []string{revert}, Message: "empty", When: when(), AllowEmpty: true}
	emptyID, err := r.Commit(t.Context(), empty)
	if err != nil {
		t.Errorf("allowed empty commit: %v", err)
	}
	push(t, r, git.RefUpdate{Ref: "empty", New: emptyID})
	repo.Fsck()
}

func TestDeletingEverything(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("app.git", map[string]string{"a/b/c": "1\n", "a/b/d": "2\n"})
	r := open(t, repo.URL)
	main := fetch(t, r, "main")
	one := commit(t, r, main, map[string]git.File{"a/b/c": {Delete: true}})
	none := commit(t, r, one, map[string]git.File{"a/b/d": {Delete: true}})
	again := commit(t, r, none, map[string]git.File{"x": text("1")})
	push(t, r, git.RefUpdate{Ref: "none", New: none}, git.RefUpdate{Ref: "again", New: again})
	if diff := cmp.Diff([]string{"a/b/d"}, repo.Files(one)); diff != "" {
		t.Error(diff)
	}
	if got := repo.Files(none); len(got) != 0 {
		t.Errorf("files left: %q", got)
	}
	if got := repo.Files(again); len(got) != 1 {
		t.Errorf("files are %q, want x", got)
	}
	repo.Fsck()
}

// TestTreesEqualGits makes random changes and compares the tree with the one that git fast-import makes of the same.
func TestTreesEqualGits(t *testing.T) {
	srv := gittest.NewServer(t)
	rng := rand.New(rand.NewPCG(1, 2))
	names := []string{"a", "a.b", "a-b", "a0", "ab", "A", "b", "b.yaml", "ä", "a b", "~", "zz"}
	path := func() string {
		parts := make([]string, 1+rng.IntN(3))
		for i := range parts {
			parts[i] = names[rng.IntN(len(names))]
		}
		return strings.Join(parts, "/")
	}
	files := map[string]string{}
	for len(files) < 60 {
		if p := path(); fits(files, p) {
			files[p] = fmt.Sprintln(len(files))
		}
	}
	repo := srv.Repo("app.git", files)
	base := repo.Head("main")
	r := open(t, repo.URL)
	var script strings.Builder
	var updates []git.RefUpdate
	for round := range 100 {
		ours, result := map[string]git.File{}, maps.Clone(files)
		for range 1 + rng.IntN(12) {
			if rng.IntN(3) == 0 {
				p := slices.Sorted(maps.Keys(files))[rng.IntN(len(files))]
				ours[p] = git.File{Delete: true}
			} else if p := path(); fits(result, p) {
				result[p] = fmt.Sprintln("round", round, rng.IntN(1000))
				ours[p] = text(result[p])
			}
		}
		if len(ours) == 0 {
			continue
		}
		fmt.Fprintf(&script, "commit refs/heads/git-%d\ncommitter S <s@example.com> 1700000001 +0000\ndata 1\nx\nfrom %s\n", round, base)
		for p, f := range ours {
			if f.Delete {
				fmt.Fprintf(&script, "D %s\n", p)
			} else {
				fmt.Fprintf(&script, "M 100644 inline %s\ndata %d\n%s\n", p, len(f.Data), f.Data)
			}
		}
		updates = append(updates, git.RefUpdate{Ref: fmt.Sprintf("ours-%d", round), New: commit(t, r, base, ours)})
	}
	repo.GitInput(script.String()+"done\n", "fast-import", "--quiet", "--done")
	push(t, r, updates...)
	trees := map[string]string{}
	for line := range strings.Lines(repo.Git("for-each-ref", "--format=%(refname:short) %(tree)")) {
		branch, tree, _ := strings.Cut(strings.TrimSpace(line), " ")
		trees[branch] = tree
	}
	for _, u := range updates {
		theirs := strings.Replace(u.Ref, "ours", "git", 1)
		if trees[u.Ref] != trees[theirs] {
			t.Errorf("%s differs from %s:\n%s", u.Ref, theirs, repo.Git("diff", "--stat", theirs, u.Ref))
		}
	}
	if len(updates) < 90 {
		t.Errorf("only %d rounds compared", len(updates))
	}
	repo.Fsck()
}

// fits reports whether a path is neither below a file nor a directory.
func fits(files map[string]string, path string) bool {
	for p := range files {
		if strings.HasPrefix(p, path+"/") || strings.HasPrefix(path, p+"/") {
			return false
		}
	}
	return true
}
