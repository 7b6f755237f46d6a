package step

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

// commit commits the edits of a checkout and lists what the commit holds.
func (b *bed) commit(t *testing.T, r *run, path string) string {
	t.Helper()
	out := r.must(t, "git-commit", "{path: "+path+", message: Test}")
	if out.status != promote.StepSucceeded {
		t.Fatalf("%s: %s", out.status, out.message)
	}
	commit, _ := out.output["commit"].(string)
	tree, err := b.git.Tree(t.Context(), commit)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, name := range []string{"README.md", "base", "base/app.yaml", "base/run.sh", "base/deep", "base/deep/x.log", "README.md/x", "new.sh", "new"} {
		info, err := tree.Stat(name)
		if err != nil || info.IsDir() {
			continue
		}
		data, err := tree.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, info.Mode().String()+" "+name+" "+strings.TrimSpace(string(data)))
	}
	return strings.Join(all, "\n")
}

func (w *workspace) mustWrite(t *testing.T, name, text string, mode fs.FileMode) {
	t.Helper()
	if err := w.write(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func (w *workspace) mustRemove(t *testing.T, name string, want int) {
	t.Helper()
	if removed, err := w.remove(t.Context(), name); err != nil || removed != want {
		t.Fatalf("removed %d files of %s, want %d: %v", removed, name, want, err)
	}
}

const unchanged = "-rw-r--r-- README.md readme\n-rw-r--r-- base/app.yaml app\n-rwxr-xr-x base/run.sh run\n-rw-r--r-- base/deep/x.log log"

// TestWhatStepsDoIsCommitted holds a row for each way in which files and folders can change.
func TestWhatStepsDoIsCommitted(t *testing.T) {
	b := newSeed(t, seed)
	for name, c := range map[string]struct {
		do   func(t *testing.T, w *workspace)
		want string
	}{
		"a file is changed and keeps its mode": {
			func(t *testing.T, w *workspace) { w.mustWrite(t, "repo/base/run.sh", "other", 0) },
			strings.Replace(unchanged, "run.sh run", "run.sh other", 1),
		},
		"a mode is changed": {
			func(t *testing.T, w *workspace) { w.mustWrite(t, "repo/base/app.yaml", "app\n", 0o755) },
			strings.Replace(unchanged, "-rw-r--r-- base/app.yaml", "-rwxr-xr-x base/app.yaml", 1),
		},
		"a new program that a later step edits stays one": {
			func(t *testing.T, w *workspace) {
				w.mustWrite(t, "repo/new.sh", "a", 0o755)
				w.mustWrite(t, "repo/new.sh", "b", 0)
			},
			unchanged + "\n-rwxr-xr-x new.sh b",
		},
		"a file takes the place of a folder": {
			func(t *testing.T, w *workspace) {
				w.mustRemove(t, "repo/base", 4)
				w.mustWrite(t, "repo/base", "file", 0)
			},
			"-rw-r--r-- README.md readme\n-rw-r--r-- base file",
		},
		"a folder takes the place of a file": {
			func(t *testing.T, w *workspace) {
				w.mustRemove(t, "repo/README.md", 1)
				w.mustWrite(t, "repo/README.md/x", "below", 0)
			},
			strings.Replace(unchanged, "-rw-r--r-- README.md readme\n", "", 1) + "\n-rw-r--r-- README.md/x below",
		},
		"a folder is deleted and comes back": {
			func(t *testing.T, w *workspace) {
				w.mustRemove(t, "repo/base/deep", 1)
				w.mustWrite(t, "repo/base/deep/x.log", "again", 0)
			},
			strings.Replace(unchanged, "x.log log", "x.log again", 1),
		},
		"a new folder becomes a file": {
			func(t *testing.T, w *workspace) {
				w.mustWrite(t, "repo/new/a", "1", 0)
				w.mustRemove(t, "repo/new", 1)
				w.mustWrite(t, "repo/new", "file", 0)
			},
			unchanged + "\n-rw-r--r-- new file",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := b.at(t, "./repo")
			c.do(t, r.workspace)
			if diff := cmp.Diff(c.want, b.commit(t, r, "./repo")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnEditedProgramIsCopiedAsOne(t *testing.T) {
	r := newSeed(t, seed).at(t, "./repo")
	r.workspace.mustWrite(t, "repo/base/run.sh", "edited", 0)
	r.must(t, "copy", "{inPath: ./repo/base/run.sh, outPath: ./out.sh}")
	if diff := cmp.Diff("755 out.sh: \"edited\"\n", r.workspace.listing(t, "out.sh")); diff != "" {
		t.Error(diff)
	}
}

func TestNothingIsCommittedWhenFilesComeBack(t *testing.T) {
	r := newSeed(t, seed).at(t, "./repo")
	r.workspace.mustRemove(t, "repo/base/deep", 1)
	r.workspace.mustWrite(t, "repo/base/deep/x.log", "log\n", 0)
	r.workspace.mustWrite(t, "repo/gone", "x", 0)
	r.workspace.mustRemove(t, "repo/gone", 1)
	if out := r.must(t, "git-commit", "{path: ./repo, message: Test}"); out.status != promote.StepSkipped {
		t.Errorf("%s: %v", out.status, out.output)
	}
}

func paths(t *testing.T, w *workspace, name string) string {
	t.Helper()
	files, err := w.walk(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, file := range files {
		all = append(all, file.path)
	}
	return strings.Join(all, " ")
}

func TestWalk(t *testing.T) {
	b := newSeed(t, seed)
	edit := func(t *testing.T, r *run) {
		w := r.workspace
		w.mustWrite(t, "loose", "1", 0)
		w.mustWrite(t, "a/loose", "1", 0)
		w.mustWrite(t, "one/base/new", "1", 0)
		w.mustWrite(t, "one/base-2", "1", 0)
		w.mustRemove(t, "one/base/deep", 1)
		w.mustRemove(t, "one/vendor", 1)
		w.mustRemove(t, "two/base", 4)
	}
	for name, c := range map[string]struct{ path, want string }{
		"everything, sorted": {
			".", "a/loose loose one/README.md one/base-2 one/base/app.yaml one/base/link one/base/new one/base/run.sh two/README.md two/vendor/sub",
		},
		"a checkout":                   {"./one", "one/README.md one/base-2 one/base/app.yaml one/base/link one/base/new one/base/run.sh"},
		"a folder, not its namesakes":  {"one/base", "one/base/app.yaml one/base/link one/base/new one/base/run.sh"},
		"a file of the commit":         {"one/README.md", "one/README.md"},
		"a file that a step wrote":     {"one/base/new", "one/base/new"},
		"a file that a step deleted":   {"one/base/deep/x.log", ""},
		"a folder that a step deleted": {"two/base", ""},
		"a loose file":                 {"a/loose", "a/loose"},
		"a loose folder":               {"a", "a/loose"},
		"nothing":                      {"none", ""},
		"nothing in a checkout":        {"one/none/x", ""},
		"below a file":                 {"one/README.md/x", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := b.at(t, "./one", "./two")
			edit(t, r)
			if diff := cmp.Diff(c.want, paths(t, r.workspace, c.path)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCheckoutsInCheckouts(t *testing.T) {
	r := newSeed(t, seed).at(t, ".", "./base/in")
	want := "README.md base/app.yaml base/deep/x.log base/in/README.md base/in/base/app.yaml base/in/base/deep/x.log base/in/base/link " +
		"base/in/base/run.sh base/in/vendor/sub base/link base/run.sh vendor/sub"
	if diff := cmp.Diff(want, paths(t, r.workspace, ".")); diff != "" {
		t.Error(diff)
	}
	r.workspace.mustWrite(t, "base/in/x", "1", 0)
	if diff := cmp.Diff("base/deep/x.log", paths(t, r.workspace, "base/deep")); diff != "" {
		t.Error(diff)
	}
	if outer, inner := r.workspace.checkouts[0], r.workspace.checkouts[1]; len(outer.edits) != 0 || len(inner.edits) != 1 {
		t.Errorf("edits of the outer %v, of the inner %v", outer.edits, inner.edits)
	}
	if got := r.workspace.shown("./base/in/x"); got != "x" {
		t.Errorf("shown as %q", got)
	}
}

func TestACheckoutNeedsAPathOfItsOwn(t *testing.T) {
	b := newSeed(t, seed)
	r := b.at(t, "./repo")
	r.workspace.mustWrite(t, "out/x", "1", 0)
	for path, want := range map[string]string{
		"repo":    "is checked out twice",
		"./out":   `holds the file "out/x"`,
		"../repo": "leaves the promotion's directory",
	} {
		err := r.workspace.add(t.Context(), checkout{path: path, git: b.git, base: r.Repository.Head})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
}

func TestReadSaysWhatIsThere(t *testing.T) {
	r := newSeed(t, seed).at(t, "./repo")
	r.workspace.mustRemove(t, "repo/README.md", 1)
	for name, want := range map[string]string{
		"repo/README.md":      "an earlier step deleted it",
		"repo/base/app.yml":   `./repo/base holds app.yaml, deep, link, run.sh; did you mean "app.yaml"?`,
		"out/x":               "checkouts: ./repo",
		"repo/base/link":      "symbolic link",
		"repo/base/link/x":    "symbolic link",
		"repo/vendor/sub":     "submodule",
		"repo/base":           "directory",
		"repo\\base":          "a character that no path here has",
		"repo/../../etc/x":    "leaves the promotion's directory",
		"repo/base/app.yaml/": "",
	} {
		_, err := r.workspace.read(t.Context(), name)
		if want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\nwant %s", name, err, want)
		}
	}
	if _, err := r.workspace.read(t.Context(), "repo/README.md"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a deleted file: %v", err)
	}
}

func TestTheWorkspaceIsBounded(t *testing.T) {
	w := newRun(Request{}).workspace
	if err := w.write("a", make([]byte, maxFileBytes+1), 0); err == nil || !strings.Contains(err.Error(), "at most 10485760") {
		t.Errorf("a large file: %v", err)
	}
	data := make([]byte, maxFileBytes)
	var err error
	for range maxWrittenBytes/maxFileBytes + 1 {
		if err = w.write("a", data, 0); err != nil {
			break
		}
	}
	if err == nil || !strings.Contains(err.Error(), "wrote more than 268435456 bytes together") {
		t.Errorf("many bytes: %v", err)
	}
}

// TestWorkspaceFS lets the standard library compare every way to look at the files with every other.
func TestWorkspaceFS(t *testing.T) {
	b := newSeed(t, seed)
	for name, c := range map[string]struct {
		paths []string
		do    func(t *testing.T, w *workspace)
		files []string
	}{
		"nothing": {nil, func(*testing.T, *workspace) {}, nil},
		"loose files": {
			nil,
			func(t *testing.T, w *workspace) { w.mustWrite(t, "a/b/c", "1", 0); w.mustWrite(t, "a/d", "2", 0o755) },
			[]string{"a/b/c", "a/d"},
		},
		"checkouts with edits": {
			[]string{"./one", "./deep/two"},
			func(t *testing.T, w *workspace) {
				w.mustWrite(t, "x", "1", 0)
				w.mustWrite(t, "one/base/new/file", "1", 0)
				w.mustRemove(t, "one/base/deep", 1)
				w.mustRemove(t, "one/base/link", 1)
				w.mustRemove(t, "one/vendor", 1)
				w.mustRemove(t, "deep/two/base", 4)
				w.mustRemove(t, "deep/two/vendor", 1)
				w.mustWrite(t, "deep/two/base", "a file now", 0)
				w.mustRemove(t, "deep/two/README.md", 1)
				w.mustWrite(t, "deep/two/README.md/x", "a folder now", 0)
			},
			[]string{"x", "one/README.md", "one/base/app.yaml", "one/base/run.sh", "one/base/new/file", "deep/two/base", "deep/two/README.md/x"},
		},
		"a checkout at the root": {
			[]string{"."},
			func(t *testing.T, w *workspace) {
				w.mustRemove(t, "base/link", 1)
				w.mustRemove(t, "vendor", 1)
				w.mustWrite(t, "out/x", "1", 0)
			},
			[]string{"README.md", "base/app.yaml", "base/run.sh", "base/deep/x.log", "out/x"},
		},
		"a checkout of which nothing is left": {
			[]string{"./one"},
			func(t *testing.T, w *workspace) { w.mustRemove(t, "one", 6) },
			[]string{"one"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := b.at(t, c.paths...)
			c.do(t, r.workspace)
			files := r.workspace.files(t.Context())
			if err := fstest.TestFS(files, c.files...); err != nil {
				t.Error(err)
			}
			if len(c.files) == 1 {
				return
			}
			var found []string
			err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					found = append(found, path)
				}
				return err
			})
			slices.Sort(found)
			slices.Sort(c.files)
			if diff := cmp.Diff(c.files, found); err != nil || diff != "" {
				t.Error(err, diff)
			}
		})
	}
}
