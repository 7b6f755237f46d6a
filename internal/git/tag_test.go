package git_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/internal/git/gittest"
)

func TestTagInfos(t *testing.T) {
	modes(t, func(t *testing.T, srv *gittest.Server) {
		repo := srv.Repo("app.git", seed())
		first := repo.Head("main")
		repo.Git("tag", "light", first)
		second := repo.Commit("main", "second\n\nbody", map[string]string{"x": "1"})
		repo.Git("tag", "-a", "-m", "release two\n\nwith a text", "v2", second)
		repo.Git("tag", "-a", "-m", "a tag of a tag", "nested", "v2")
		repo.Git("tag", "blob", repo.Git("rev-parse", "main:x"))

		r := open(t, repo.URL)
		refs, err := r.Refs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		srv.Requests()
		got, err := r.TagInfos(t.Context(), refs.Tags())
		if err != nil {
			t.Fatal(err)
		}
		if n := len(srv.Requests()); n != 1 {
			t.Errorf("took %d requests, want 1", n)
		}
		var lines []string
		for _, info := range got {
			subject, _, _ := strings.Cut(info.Head.Message, "\n")
			lines = append(lines, fmt.Sprintf("%s %s|%s|%s|%q", info.Name, info.Head.ID, subject, info.Tagger.Name, info.Message))
		}
		want := []string{
			`blob |||""`,
			"light " + first + `|seed||""`,
			"nested " + second + `|second|Seed|"a tag of a tag\n"`,
			"v2 " + second + `|second|Seed|"release two\n\nwith a text\n"`,
		}
		if diff := cmp.Diff(want, lines); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if when := got[3].Tagger.When; !when.Equal(time.Unix(1700000000, 0)) {
			t.Errorf("tagger's date is %s", when)
		}
		if _, err := r.TagInfos(t.Context(), refs.Tags()); err != nil || len(srv.Requests()) != 0 {
			t.Errorf("known tags were fetched again, or not found: %v", err)
		}
	})
}

func TestTagInfosOfWhatDoesNotExist(t *testing.T) {
	srv := gittest.NewServer(t)
	r := open(t, srv.Repo("app.git", seed()).URL)
	for _, tag := range []git.Tag{{Name: "x", Commit: strings.Repeat("a", 40)}, {Name: "x", Commit: "main"}} {
		if _, err := r.TagInfos(t.Context(), []git.Tag{tag}); err == nil {
			t.Errorf("%+v: no error", tag)
		}
	}
}

func TestEachChangeStopsWhenTold(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("app.git", seed())
	head := repo.Commit("main", "more", map[string]string{"a": "1", "b": "1", "c/d": "1"})
	r := open(t, repo.URL)
	seen := 0
	err := r.EachChange(t.Context(), "", head, func(git.FileChange) bool {
		seen++
		return seen < 2
	})
	if err != nil || seen != 2 {
		t.Errorf("visited %d paths, %v", seen, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = r.EachChange(ctx, "", head, func(git.FileChange) bool {
		cancel()
		return true
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("went on after the end of its context: %v", err)
	}
}

// A tree that holds one subtree twice, twenty-five levels deep, has 33 million paths in 26 objects.
func TestDiffBoundsTreesThatExplode(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("bomb.git", nil)
	blob := strings.TrimSpace(repo.GitInput("x", "hash-object", "-w", "--stdin"))
	entry := "100644 blob " + blob
	for range 25 {
		tree := strings.TrimSpace(repo.GitInput(entry+"\ta\n"+entry+"\tb\n", "mktree"))
		entry = "040000 tree " + tree
	}
	id := repo.Git("commit-tree", "-m", "bomb", strings.TrimPrefix(entry, "040000 tree "))
	repo.Git("update-ref", "refs/heads/main", id)
	if _, err := open(t, repo.URL).Diff(t.Context(), "", id); !errors.Is(err, git.ErrTooLarge) {
		t.Errorf("Diff = %v, want ErrTooLarge", err)
	}
}
