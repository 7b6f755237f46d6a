package step

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/promote"
)

// sparseSeed is a repository with a folder for each environment.
var sparseSeed = plainSeed(map[string]string{
	"README.md": "readme\n", "base/app.yaml": "base: 1\n", "env/notes": "notes\n", "env/prod/app.yaml": "prod: 1\n", "env/test/app.yaml": "test: 1\n",
})

// clone runs a git-clone of main with a checkout's further fields.
func (b *bed) clone(t *testing.T, fields string) *run {
	t.Helper()
	r := newRun(b.request(t, "", "1.0.2"))
	r.must(t, "git-clone", "{repoURL: '"+b.repo.URL+"', checkout: [{branch: main, path: ./repo"+fields+"}]}")
	return r
}

func TestASparseCheckoutLimitsWhatStepsSee(t *testing.T) {
	b := newSeed(t, sparseSeed)
	r := b.clone(t, ", sparse: [base, ./env/prod/]")

	if got := r.must(t, "copy", "{inPath: ./repo, outPath: ./out}").message; got != "copied 4 files" {
		t.Errorf("copy %s", got)
	}
	want := "644 out/README.md: \"readme\\n\"\n644 out/base/app.yaml: \"base: 1\\n\"\n644 out/env/notes: \"notes\\n\"\n644 out/env/prod/app.yaml: \"prod: 1\\n\"\n"
	if diff := cmp.Diff(want, r.workspace.listing(t, "./out")); diff != "" {
		t.Error(diff)
	}
	entries, err := fs.ReadDir(r.workspace.files(t.Context()), "repo/env")
	if err != nil || len(entries) != 2 {
		t.Errorf("env holds %v (%v), want notes and prod", entries, err)
	}
	r.refused(t, "yaml-update", "{path: ./repo/env/test/app.yaml, updates: [{key: test, value: 2}]}",
		`"./repo/env/test/app.yaml" is not checked out: add "env/test" to sparse, in the git-clone step that checks out ./repo (it has base, env/prod)`)
	if _, err := r.workspace.read(t.Context(), "./repo/env/test/app.yaml"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is left out: %v, want fs.ErrNotExist", err)
	}
}

// TestWhatASparseCheckoutLeavesOutStaysInTheCommit clears a sparse checkout, as tasks do that render into an environment.
func TestWhatASparseCheckoutLeavesOutStaysInTheCommit(t *testing.T) {
	b := newSeed(t, sparseSeed)
	r := b.clone(t, ", sparse: [env/prod]")
	r.must(t, "git-clear", "{path: ./repo}")
	r.must(t, "file-write", "{path: ./repo/env/prod/new.yaml, contents: x}")
	commit, _ := r.must(t, "git-commit", "{path: ./repo, message: Render}").output["commit"].(string)
	tree, err := b.git.Tree(t.Context(), commit)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	err = tree.Walk(t.Context(), ".", func(e git.Entry) error {
		names = append(names, e.Path)
		return nil
	})
	if got, want := strings.Join(names, " "), "base/app.yaml env/prod/new.yaml env/test/app.yaml"; err != nil || got != want {
		t.Errorf("the commit holds %s, want %s: %v", got, want, err)
	}
	entries, err := fs.ReadDir(r.workspace.files(t.Context()), "repo")
	if err != nil || len(entries) != 1 {
		t.Errorf("after the commit there is %v (%v), want env alone", entries, err)
	}
}

// TestASparseCheckoutStaysOneWhenThePromotionGoesOn replays git-clone, as another process does that goes on.
func TestASparseCheckoutStaysOneWhenThePromotionGoesOn(t *testing.T) {
	b := newSeed(t, sparseSeed)
	config, err := yaml.YAMLToJSON([]byte("{repoURL: '" + b.repo.URL + "', checkout: [{branch: main, path: ./repo, sparse: [base]}]}"))
	if err != nil {
		t.Fatal(err)
	}
	r := newRun(b.request(t, "", "1.0.2"))
	if err := r.replayClone(t.Context(), promote.Step{Uses: "git-clone", As: "step", Config: config}); err != nil {
		t.Fatal(err)
	}
	if got := r.must(t, "copy", "{inPath: ./repo, outPath: ./out}").message; got != "copied 2 files" {
		t.Errorf("copy %s", got)
	}
}

func TestNothingIsCommittedOutsideOfASparseCheckout(t *testing.T) {
	b := newSeed(t, sparseSeed)
	for _, name := range []string{"env/test/app.yaml", "new/app.yaml"} {
		r := b.clone(t, ", sparse: [base]")
		r.must(t, "file-write", "{path: ./repo/"+name+", contents: x, overwrite: true}")
		r.refused(t, "git-commit", "{path: ./repo, message: Out}", `an earlier step wrote "`+name+`", which is not checked out: add "`)
	}
	r := b.clone(t, ", sparse: [base]")
	r.must(t, "file-write", "{path: ./repo/README.md, contents: x, overwrite: true}")
	r.must(t, "git-commit", "{path: ./repo, message: A file of the root is checked out}")
}

func TestSparseFoldersAreChecked(t *testing.T) {
	b := newSeed(t, sparseSeed)
	for folder, want := range map[string]string{
		"env/*":    `config.checkout.sparse of "./repo" holds "env/*", which is no folder`,
		"!base":    `which is no folder`,
		"''":       `holds "", which is no folder`,
		"../base":  `holds "../base", which is outside of the repository: name folders from its root on, as in base`,
		"/env":     `holds "/env", which is outside of the repository`,
		"a/../..":  `which is outside of the repository`,
		"'a\\b'":   `which is no folder`,
		"env/../.": "", // the root: everything
	} {
		r := newRun(b.request(t, "", "1.0.2"))
		text := "{repoURL: '" + b.repo.URL + "', checkout: [{branch: main, path: ./repo, sparse: [" + folder + "]}]}"
		if strings.HasPrefix(folder, "!") {
			text = strings.Replace(text, folder, "'"+folder+"'", 1)
		}
		if want == "" {
			r.must(t, "git-clone", text)
			continue
		}
		r.refused(t, "git-clone", text, want)
	}
}
