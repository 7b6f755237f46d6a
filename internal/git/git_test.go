package git_test

import (
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/internal/git/gittest"
)

func when() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.FixedZone("", 3600)) }

func open(t testing.TB, url string) *git.Repository {
	t.Helper()
	r, err := git.Open(git.Config{
		URL:     url,
		Author:  git.Signature{Name: "Lockkeeper", Email: "bot@example.com"},
		Timeout: 20 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func fetch(t testing.TB, r *git.Repository, branch string) string {
	t.Helper()
	id, err := r.Fetch(t.Context(), branch)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func tree(t testing.TB, r *git.Repository, commit string) *git.Tree {
	t.Helper()
	tr, err := r.Tree(t.Context(), commit)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func commit(t testing.TB, r *git.Repository, parent string, files map[string]git.File) string {
	t.Helper()
	req := git.CommitRequest{Files: files, Message: "change", When: when()}
	if parent != "" {
		req.Parents = []string{parent}
	}
	id, err := r.Commit(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// push pushes and fails the test unless every ref was accepted.
func push(t testing.TB, r *git.Repository, updates ...git.RefUpdate) {
	t.Helper()
	results, err := r.Push(t.Context(), updates...)
	if err != nil {
		t.Fatal(err)
	}
	for _, res := range results {
		if res.Err != nil {
			t.Fatal(res.Err)
		}
	}
}

func text(s string) git.File { return git.File{Data: []byte(s)} }

func seed() map[string]string {
	return map[string]string{
		"README.md":                 "hello\n",
		"dev/app/instance.yaml":     "image: app:1.0.0\nreplicas: 1\n",
		"dev/web/instance.yaml":     "image: web:1.0.0\n",
		"prod/app/instance.yaml":    "image: app:0.9.0\n",
		"prod/app/sub/only.yaml":    "x: 1\n",
		"lockkeeper.yaml":           "pipelines: []\n",
		"charts/app/values.yaml":    "a: 1\n",
		"charts/app.d/values.yaml":  "a: 2\n",
		"charts/app-d/values.yaml":  "a: 3\n",
		"charts/app0/templates/x.y": "a: 4\n",
	}
}

func TestPromotionWithoutClone(t *testing.T) {
	srv := gittest.NewServer(t)
	repo := srv.Repo("team/app.git", seed())
	r := open(t, repo.URL)
	main := fetch(t, r, "main")
	data, err := tree(t, r, main).ReadFile("dev/app/instance.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if want := seed()["dev/app/instance.yaml"]; string(data) != want {
		t.Fatalf("read %q, want %q", data, want)
	}
	id := commit(t, r, main, map[string]git.File{"dev/app/instance.yaml": text("image: app:1.0.1\nreplicas: 1\n")})
	push(t, r, git.RefUpdate{Ref: "lockkeeper/p/dev", New: id})

	if got := repo.Head("lockkeeper/p/dev"); got != id {
		t.Errorf("branch is at %q, want %q", got, id)
	}
	if got, want := repo.File(id, "dev/app/instance.yaml"), "image: app:1.0.1\nreplicas: 1\n"; got != want {
		t.Errorf("file is %q, want %q", got, want)
	}
	if got, want := repo.Git("diff", "--name-only", main, id), "dev/app/instance.yaml"; got != want {
		t.Errorf("changed files are %q, want %q", got, want)
	}
	repo.Fsck()
	if got, want := len(srv.Requests()), 5; got != want {
		t.Errorf("took %d requests, want %d", got, want)
	}
}
