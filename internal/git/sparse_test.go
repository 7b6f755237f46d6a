package git_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/internal/git/gittest"
)

// TestSparseShowsWhatGitChecksOut compares sparse trees with the working trees that git makes of the same directories.
func TestSparseShowsWhatGitChecksOut(t *testing.T) {
	srv := gittest.NewServer(t)
	files := map[string]string{}
	for _, name := range []string{
		"README.md", "base/app.yaml", "base/deep/x.log", "base/deep/er/y.log", "base2/app.yaml", "env/notes", "env/prod/app.yaml",
		"env/prod/eu/app.yaml", "env/prod/eu/one/app.yaml", "env/prod/us/app.yaml", "env/test/app.yaml", "other/x",
	} {
		files[name] = name + "\n"
	}
	repo := srv.Repo("app.git", files)
	r := open(t, repo.URL)
	whole := tree(t, r, fetch(t, r, "main"))
	work := filepath.Join(t.TempDir(), "work")
	repo.Git("worktree", "add", "--quiet", "--detach", work, "main")
	for _, dirs := range [][]string{
		{},
		{"base"},
		{"base/deep"},
		{"env/prod/eu"},
		{"env/prod/eu", "base"},
		{"env/prod", "env/prod/eu"},
		{"absent"},
		{"env/absent"},
		{"env", "other"},
		{"base", "base2", "env", "other"},
	} {
		t.Run(strings.Join(dirs, " "), func(t *testing.T) {
			repo.Git(append([]string{"-C", work, "sparse-checkout", "set", "--cone", "--"}, dirs...)...)
			want := checkedOut(t, work)
			sparse := whole.Sparse(dirs...)
			if diff := cmp.Diff(want, walked(t, sparse)); diff != "" {
				t.Errorf("walked:\n%s", diff)
			}
			if err := fstest.TestFS(sparse, want...); err != nil {
				t.Error(err)
			}
			for name := range files {
				_, err := sparse.Stat(name)
				_, missing := os.Stat(filepath.Join(work, name))
				if (err == nil) != (missing == nil) || sparse.Includes(name) != (missing == nil) {
					t.Errorf("%s: %v and included %t, git has %v", name, err, sparse.Includes(name), missing)
				}
			}
		})
	}
	if diff := cmp.Diff(walked(t, whole), walked(t, whole.Sparse("."))); diff != "" {
		t.Errorf("the root does not show everything:\n%s", diff)
	}
}

// checkedOut lists the files of a working tree.
func checkedOut(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && name != ".git" {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func walked(t *testing.T, tree *git.Tree) []string {
	t.Helper()
	var names []string
	err := tree.Walk(t.Context(), ".", func(e git.Entry) error {
		names = append(names, e.Path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
