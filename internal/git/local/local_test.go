package local_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/internal/git/local"
)

// clone is a repository on disk, driven by git itself.
type clone struct {
	tb  testing.TB
	dir string
}

// newClone makes an empty repository with the branch main. No configuration of the machine counts.
func newClone(tb testing.TB, options ...string) *clone {
	tb.Helper()
	c := &clone{tb: tb, dir: filepath.Join(tb.TempDir(), "repo")}
	c.gitIn(filepath.Dir(c.dir), append(append([]string{"init", "-q", "-b", "main"}, options...), "repo")...)
	c.git("config", "gc.auto", "0")
	return c
}

func (c *clone) git(args ...string) string {
	c.tb.Helper()
	return c.gitIn(c.dir, args...)
}

func (c *clone) gitIn(dir string, args ...string) string {
	c.tb.Helper()
	cmd := exec.CommandContext(c.tb.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+filepath.Dir(c.dir), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull,
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.tb.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (c *clone) write(files map[string]string) {
	c.tb.Helper()
	for name, data := range files {
		path := filepath.Join(c.dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			c.tb.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil { //nolint:gosec // a test file
			c.tb.Fatal(err)
		}
	}
}

// commit writes files and commits everything.
func (c *clone) commit(files map[string]string) string {
	c.tb.Helper()
	c.write(files)
	c.git("add", "-A")
	c.git("commit", "-q", "--allow-empty", "-m", "change")
	return c.git("rev-parse", "HEAD")
}

func open(tb testing.TB, dir string) *local.Repository {
	tb.Helper()
	r, err := local.Open(tb.Context(), dir)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := r.Close(); err != nil {
			tb.Error(err)
		}
	})
	return r
}

func resolve(tb testing.TB, r *local.Repository, rev string) string {
	tb.Helper()
	id, err := r.Resolve(tb.Context(), rev)
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

func treeOf(tb testing.TB, r *local.Repository, rev string) *local.Tree {
	tb.Helper()
	tree, err := r.Tree(tb.Context(), resolve(tb, r, rev))
	if err != nil {
		tb.Fatal(err)
	}
	return tree
}

// content lists every path with its content; links and submodules with their type.
func content(tb testing.TB, fsys fs.FS) map[string]string {
	tb.Helper()
	all := map[string]string{}
	err := fs.WalkDir(fsys, ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil || e.IsDir():
			return err
		case !e.Type().IsRegular():
			all[name] = "<" + e.Type().String() + ">"
			return nil
		}
		data, err := fs.ReadFile(fsys, name)
		all[name] = string(data)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

func TestOpenFindsTheRepositoryFromAnyFolder(t *testing.T) {
	c := newClone(t)
	first := c.commit(map[string]string{"develop/frontend/instance.yaml": "tag: 1\n"})
	bare := filepath.Join(t.TempDir(), "bare.git")
	c.git("clone", "-q", "--bare", ".", bare)
	linked := filepath.Join(t.TempDir(), "linked")
	c.git("worktree", "add", "-q", "-b", "feature", linked)
	for _, dir := range []string{c.dir, filepath.Join(c.dir, "develop", "frontend"), bare, linked, filepath.Join(linked, "develop")} {
		r := open(t, dir)
		if got := resolve(t, r, "main"); got != first {
			t.Errorf("%s: main is %s, want %s", dir, got, first)
		}
		if data, err := treeOf(t, r, "main").ReadFile("develop/frontend/instance.yaml"); err != nil || string(data) != "tag: 1\n" {
			t.Errorf("%s: file is %q, %v", dir, data, err)
		}
	}
}

func TestOpenSaysThatAFolderIsInNoRepository(t *testing.T) {
	dir := t.TempDir()
	_, err := local.Open(t.Context(), dir)
	if !errors.Is(err, local.ErrNoRepository) || !strings.Contains(err.Error(), "--dir") {
		t.Errorf("error is %v, want ErrNoRepository with a remedy", err)
	}
	if _, err := local.Open(t.Context(), filepath.Join(dir, "missing")); !errors.Is(err, local.ErrNoRepository) {
		t.Errorf("error is %v, want ErrNoRepository", err)
	}
}

func TestOpenIgnoresTheRepositoryThatAHookPointsTo(t *testing.T) {
	c, other := newClone(t), newClone(t)
	want := c.commit(map[string]string{"a": "1"})
	other.commit(map[string]string{"b": "2"})
	t.Setenv("GIT_DIR", filepath.Join(other.dir, ".git"))
	t.Setenv("GIT_WORK_TREE", other.dir)
	t.Setenv("GIT_INDEX_FILE", filepath.Join(other.dir, ".git", "index"))
	if got := resolve(t, open(t, c.dir), "HEAD"); got != want {
		t.Errorf("HEAD is %s, want %s", got, want)
	}
}

func TestResolve(t *testing.T) {
	c := newClone(t)
	first := c.commit(map[string]string{"a": "1"})
	second := c.commit(map[string]string{"a": "2"})
	c.git("tag", "v1.0.0", first)
	c.git("tag", "-a", "-m", "x", "v1.1.0", second)
	c.git("update-ref", "refs/remotes/origin/release", first)
	r := open(t, c.dir)
	for rev, want := range map[string]string{
		"main": second, "HEAD": second, "HEAD~1": first, "v1.0.0": first, "v1.1.0": second, "origin/release": first,
		first: first, first[:12]: first, "refs/heads/main": second, "main^": first,
	} {
		if got := resolve(t, r, rev); got != want {
			t.Errorf("%s is %s, want %s", rev, got, want)
		}
	}
}

func TestResolveExplainsWhatDoesNotExist(t *testing.T) {
	c := newClone(t)
	c.commit(map[string]string{"a": "1"})
	c.git("branch", "feature/login")
	c.git("update-ref", "refs/remotes/origin/release", "HEAD")
	r := open(t, c.dir)
	for rev, want := range map[string]string{
		"mian":            `did you mean "main"?`,
		"feature/logn":    `did you mean "feature/login"?`,
		"relase":          `did you mean "origin/release"?`,
		"nothing-like-it": "there are feature/login, main, origin/release",
		"HEAD~7":          "git fetch",
		"--all":           "expected the name",
		"":                "expected the name",
		"a\nb":            "expected the name",
		"HEAD:a":          "no branch, tag or commit",
		"main..HEAD":      "no branch, tag or commit",
	} {
		_, err := r.Resolve(t.Context(), rev)
		if !errors.Is(err, local.ErrUnknownRevision) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error is %v, want ErrUnknownRevision with %q", rev, err, want)
		}
	}
}

func TestResolveBeforeTheFirstCommit(t *testing.T) {
	_, err := open(t, newClone(t).dir).Resolve(t.Context(), "HEAD")
	if !errors.Is(err, local.ErrUnknownRevision) || !strings.Contains(err.Error(), "nothing is committed yet") {
		t.Errorf("error is %v", err)
	}
}

func TestMergeBaseAndMissing(t *testing.T) {
	c := newClone(t)
	fork := c.commit(map[string]string{"a": "1"})
	c.git("switch", "-q", "-c", "feature")
	feature := c.commit(map[string]string{"b": "1"})
	c.git("switch", "-q", "main")
	tip := c.commit(map[string]string{"c": "1"})
	c.git("switch", "-q", "--orphan", "alone")
	alone := c.commit(map[string]string{"d": "1"})
	r := open(t, c.dir)
	if got, err := r.MergeBase(t.Context(), feature, tip); err != nil || got != fork {
		t.Errorf("merge base is %s, %v, want %s", got, err, fork)
	}
	if _, err := r.MergeBase(t.Context(), feature, alone); !errors.Is(err, local.ErrNoMergeBase) {
		t.Errorf("error is %v, want ErrNoMergeBase", err)
	}
	if _, err := r.MergeBase(t.Context(), "--all", alone); !errors.Is(err, local.ErrUnknownRevision) {
		t.Errorf("error is %v, want ErrUnknownRevision", err)
	}
	for _, row := range []struct {
		base, head string
		want       int
	}{{fork, feature, 0}, {tip, feature, 1}, {feature, feature, 0}} {
		if got, err := r.Missing(t.Context(), row.base, row.head); err != nil || got != row.want {
			t.Errorf("missing from %.8s of %.8s: %d, %v, want %d", row.head, row.base, got, err, row.want)
		}
	}
}

func TestDefaultBranch(t *testing.T) {
	for name, row := range map[string]struct {
		setup [][]string
		want  local.Branch
	}{
		"what the remote calls its default": {[][]string{
			{"update-ref", "refs/remotes/origin/trunk", "HEAD"},
			{"symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk"},
			{"remote", "add", "origin", "https://example.com/x"},
		}, local.Branch{Name: "trunk", Rev: "origin/trunk"}},
		"main of the remote before the local one": {[][]string{
			{"update-ref", "refs/remotes/origin/main", "HEAD"}, {"remote", "add", "origin", "https://example.com/x"},
		}, local.Branch{Name: "main", Rev: "origin/main"}},
		"a remote HEAD that leads nowhere does not count": {[][]string{
			{"symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/gone"}, {"remote", "add", "origin", "https://example.com/x"},
		}, local.Branch{Name: "main", Rev: "main"}},
		"a remote HEAD that is a commit of its own does not count": {[][]string{
			{"update-ref", "refs/remotes/origin/HEAD", "HEAD"}, {"remote", "add", "origin", "https://example.com/x"},
		}, local.Branch{Name: "main", Rev: "main"}},
		"a branch below main is not main": {[][]string{
			{"branch", "-m", "main", "other"}, {"branch", "main/old"}, {"branch", "master"},
		}, local.Branch{Name: "master", Rev: "master"}},
		"the only remote may have another name": {[][]string{
			{"update-ref", "refs/remotes/upstream/master", "HEAD"}, {"remote", "add", "upstream", "https://example.com/x"},
		}, local.Branch{Name: "master", Rev: "upstream/master"}},
		"without a remote the local main": {nil, local.Branch{Name: "main", Rev: "main"}},
		"or master":                       {[][]string{{"branch", "-m", "main", "master"}}, local.Branch{Name: "master", Rev: "master"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClone(t)
			c.commit(map[string]string{"a": "1"})
			for _, args := range row.setup {
				c.git(args...)
			}
			if got, err := open(t, c.dir).DefaultBranch(t.Context()); err != nil || got != row.want {
				t.Errorf("default branch is %+v, %v, want %+v", got, err, row.want)
			}
		})
	}
	c := newClone(t)
	c.commit(nil)
	c.git("branch", "-m", "main", "trunk")
	if _, err := open(t, c.dir).DefaultBranch(t.Context()); !errors.Is(err, local.ErrUnknownRevision) {
		t.Errorf("error is %v, want ErrUnknownRevision", err)
	}
}

func TestRemotesHaveNoCredentials(t *testing.T) {
	c := newClone(t)
	r := open(t, c.dir)
	if got, err := r.Remotes(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("remotes are %q, %v, want none", got, err)
	}
	for i, url := range []string{
		"https://gitlab-ci-token:s3cret@gitlab.com/group/repo.git", "https://s3cret@gitlab.com/group/repo.git", "git@gitlab.com:group/repo.git",
		"ssh://git:s3cret@gitlab.com/group/repo", "https://user:s3cr%zzet@gitlab.com/odd", "/srv/git/repo.git",
	} {
		c.git("remote", "add", fmt.Sprintf("r%d", i), url)
	}
	got, err := r.Remotes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"https://gitlab.com/group/repo.git", "git@gitlab.com:group/repo.git", "ssh://git@gitlab.com/group/repo", "https://gitlab.com/odd",
		"/srv/git/repo.git",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("remotes (-want +got):\n%s", diff)
	}
}

// TestTreeReadsEveryKindOfClone reads the same commit from clones of every form.
func TestTreeReadsEveryKindOfClone(t *testing.T) {
	c := newClone(t)
	c.commit(map[string]string{"a.yaml": "1\n", "dir/b.yaml": "2\n", "dir.yaml": "x\n", "empty": "", "dir/deep/c.yaml": strings.Repeat("3\n", 5000)})
	c.commit(map[string]string{"a.yaml": "11\n"})
	want := map[string]string{"a.yaml": "11\n", "dir/b.yaml": "2\n", "dir.yaml": "x\n", "empty": "", "dir/deep/c.yaml": strings.Repeat("3\n", 5000)}
	forms := map[string]func(t *testing.T, dir string) string{
		"loose objects": func(*testing.T, string) string { return c.dir },
		"packed": func(_ *testing.T, dir string) string {
			c.git("clone", "-q", "--no-local", ".", dir)
			c.gitIn(dir, "gc", "-q")
			return dir
		},
		"objects borrowed from another clone": func(_ *testing.T, dir string) string { c.git("clone", "-q", "--shared", ".", dir); return dir },
		"shallow": func(_ *testing.T, dir string) string {
			c.git("clone", "-q", "--depth=1", "file://"+c.dir, dir)
			return dir
		},
		"without a checkout": func(_ *testing.T, dir string) string { c.git("clone", "-q", "--no-checkout", ".", dir); return dir },
		"SHA-256": func(t *testing.T, _ string) string {
			s := newClone(t, "--object-format=sha256")
			s.commit(want)
			return s.dir
		},
		"sparse": func(_ *testing.T, dir string) string {
			c.git("clone", "-q", "--sparse", ".", dir)
			return dir
		},
	}
	for name, make := range forms {
		t.Run(name, func(t *testing.T) {
			r := open(t, make(t, filepath.Join(t.TempDir(), "clone")))
			tree := treeOf(t, r, "HEAD")
			if err := tree.Prefetch(t.Context(), ".", "a.yaml"); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, content(t, tree)); diff != "" {
				t.Errorf("content (-want +got):\n%s", diff)
			}
			if err := fstest.TestFS(tree, "a.yaml", "dir/deep/c.yaml", "dir.yaml"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestShallowCloneSaysSo(t *testing.T) {
	c := newClone(t)
	c.commit(map[string]string{"a": "1"})
	c.commit(map[string]string{"a": "2"})
	dir := filepath.Join(t.TempDir(), "shallow")
	c.git("clone", "-q", "--depth=1", "file://"+c.dir, dir)
	r := open(t, dir)
	if !r.Shallow(t.Context()) {
		t.Error("the clone does not count as shallow")
	}
	if _, err := r.Resolve(t.Context(), "HEAD~1"); err == nil || !strings.Contains(err.Error(), "--unshallow") {
		t.Errorf("error is %v, want the remedy for shallow clones", err)
	}
}

func TestTreeDoesNotFollowLinksOrSubmodules(t *testing.T) {
	c, inner := newClone(t), newClone(t)
	inner.commit(map[string]string{"x": "1"})
	c.write(map[string]string{"real/file": "1", "secret": "s"})
	for link, target := range map[string]string{"to-file": "real/file", "to-dir": "real", "outside": "/etc/hostname"} {
		if err := os.Symlink(target, filepath.Join(c.dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	c.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", inner.dir, "sub")
	c.commit(nil)
	r := open(t, c.dir)
	work, err := r.WorkTree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, tree := range map[string]*local.Tree{"commit": treeOf(t, r, "HEAD"), "work tree": work} {
		for path, want := range map[string]fs.FileMode{
			"to-file": fs.ModeSymlink, "to-dir": fs.ModeSymlink, "to-dir/file": fs.ModeSymlink, "outside": fs.ModeSymlink,
			"sub": fs.ModeIrregular, "sub/x": fs.ModeIrregular,
		} {
			_, err := tree.ReadFile(path)
			var special *git.NotRegularError
			if !errors.As(err, &special) || special.Mode != want {
				t.Errorf("%s: %s: error is %v, want NotRegularError with %v", name, path, err, want)
			}
		}
		if info, err := tree.Stat("to-dir"); err != nil || info.Mode().Type() != fs.ModeSymlink {
			t.Errorf("%s: to-dir: %v, %v", name, info, err)
		}
	}
}

func TestTreeErrors(t *testing.T) {
	c := newClone(t)
	c.commit(map[string]string{"dir/file": "1", "large": strings.Repeat("x", git.MaxBlobSize+1)})
	r := open(t, c.dir)
	tree := treeOf(t, r, "HEAD")
	for name, want := range map[string]error{
		"missing": fs.ErrNotExist, "dir/missing": git.ErrNotFound, "dir/file/below": fs.ErrNotExist, "../x": fs.ErrInvalid, "/dir": fs.ErrInvalid,
		"large": git.ErrTooLarge,
	} {
		if _, err := tree.ReadFile(name); !errors.Is(err, want) {
			t.Errorf("%s: error is %v, want %v", name, err, want)
		}
	}
	if _, err := tree.ReadFile("dir"); err == nil {
		t.Error("a folder is read as a file")
	}
	if _, err := tree.ReadDir("dir/file"); err == nil {
		t.Error("a file is listed as a folder")
	}
	if _, err := r.Tree(t.Context(), strings.Repeat("0", 40)); !errors.Is(err, local.ErrUnknownRevision) {
		t.Errorf("error is %v, want ErrUnknownRevision", err)
	}
	if _, err := r.Tree(t.Context(), "main"); !errors.Is(err, local.ErrUnknownRevision) {
		t.Errorf("error is %v, want ErrUnknownRevision", err)
	}
	// What was too large once must not keep the next file from being read.
	if data, err := tree.ReadFile("dir/file"); err != nil || string(data) != "1" {
		t.Errorf("dir/file is %q, %v", data, err)
	}
}

func TestReadFileGivesTheCallerItsOwnBytes(t *testing.T) {
	c := newClone(t)
	c.commit(map[string]string{"a": "1"})
	tree := treeOf(t, open(t, c.dir), "HEAD")
	first, err := tree.ReadFile("a")
	if err != nil {
		t.Fatal(err)
	}
	first[0] = 'X'
	if second, _ := tree.ReadFile("a"); !bytes.Equal(second, []byte("1")) {
		t.Errorf("a is %q after a caller changed its copy", second)
	}
}

func TestWorkTreeIsTheCommitWithWhatChanged(t *testing.T) {
	c := newClone(t)
	c.commit(map[string]string{
		".gitignore": "*.log\n/ignored/\n", "same/a": "1", "same/b": "2", "changed/x": "old", "changed/y": "keep", "gone/only": "1", "deleted": "1",
		"becomes-dir": "f", "becomes-file/z": "1", "staged": "old", "untracked-again": "1",
	})
	c.write(map[string]string{"changed/x": "new", "new/deep/file with spaces ü": "n", "debug.log": "no", "ignored/secret": "no", "staged": "mid"})
	c.git("add", "staged")
	c.write(map[string]string{"staged": "last"})
	c.git("rm", "-q", "--cached", "untracked-again")
	for _, name := range []string{"gone", "deleted", "becomes-dir", "becomes-file"} {
		if err := os.RemoveAll(filepath.Join(c.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	c.write(map[string]string{"becomes-dir/inside": "d", "becomes-file": "f"})
	if err := os.Chmod(filepath.Join(c.dir, "changed/y"), 0o755); err != nil { //nolint:gosec // a test file
		t.Fatal(err)
	}
	r := open(t, filepath.Join(c.dir, "same"))
	work, err := r.WorkTree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		".gitignore": "*.log\n/ignored/\n", "same/a": "1", "same/b": "2", "changed/x": "new", "changed/y": "keep",
		"new/deep/file with spaces ü": "n", "becomes-dir/inside": "d", "becomes-file": "f", "staged": "last", "untracked-again": "1",
	}
	if diff := cmp.Diff(want, content(t, work)); diff != "" {
		t.Errorf("work tree (-want +got):\n%s", diff)
	}
	if err := fstest.TestFS(work, "changed/x", "new/deep/file with spaces ü"); err != nil {
		t.Error(err)
	}
	// The ids are the very ones that git gives when the same files are committed.
	c.commit(nil)
	committed := treeOf(t, r, "HEAD")
	for _, name := range []string{".", "same", "changed", "new/deep", "staged", "changed/y"} {
		got, err := work.ObjectID(name)
		if err != nil {
			t.Fatal(err)
		}
		if want, _ := committed.ObjectID(name); got != want {
			t.Errorf("id of %q is %s, git says %s", name, got, want)
		}
	}
}

func TestWorkTreeWithoutChangesIsTheCommit(t *testing.T) {
	c := newClone(t)
	c.commit(map[string]string{"a": "1", "dir/b": "2"})
	r := open(t, c.dir)
	work, err := r.WorkTree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, _ := work.ObjectID(".")
	if want, _ := treeOf(t, r, "HEAD").ObjectID("."); got != want {
		t.Errorf("id is %s, want %s", got, want)
	}
}

func TestWorkTreeStaysAsItWasTaken(t *testing.T) {
	c := newClone(t)
	c.commit(map[string]string{"a": "1"})
	c.write(map[string]string{"a": "2"})
	work, err := open(t, c.dir).WorkTree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.write(map[string]string{"a": "3"})
	if data, err := work.ReadFile("a"); err != nil || string(data) != "2" {
		t.Errorf("a is %q, %v, want what it was", data, err)
	}
}

func TestWorkTreeBeforeTheFirstCommit(t *testing.T) {
	c := newClone(t)
	c.write(map[string]string{"a": "1", "dir/b": "2"})
	r := open(t, c.dir)
	work, err := r.WorkTree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"a": "1", "dir/b": "2"}, content(t, work)); diff != "" {
		t.Errorf("work tree (-want +got):\n%s", diff)
	}
	if got := content(t, r.EmptyTree()); len(got) != 0 {
		t.Errorf("the empty tree holds %v", got)
	}
}

func TestWorkTreeKnowsNewLinksAndLargeFiles(t *testing.T) {
	c := newClone(t)
	c.commit(map[string]string{"a": "1"})
	c.write(map[string]string{"video": strings.Repeat("x", git.MaxBlobSize+1)})
	if err := os.Symlink("/etc/hostname", filepath.Join(c.dir, "link")); err != nil {
		t.Fatal(err)
	}
	r := open(t, c.dir)
	work, err := r.WorkTree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := work.ReadFile("video"); !errors.Is(err, git.ErrTooLarge) {
		t.Errorf("error is %v, want ErrTooLarge", err)
	}
	var special *git.NotRegularError
	if _, err := work.ReadFile("link"); !errors.As(err, &special) {
		t.Errorf("error is %v, want NotRegularError", err)
	}
	c.commit(nil)
	for _, name := range []string{"video", "link"} {
		got, _ := work.ObjectID(name)
		if want, _ := treeOf(t, r, "HEAD").ObjectID(name); got != want {
			t.Errorf("id of %q is %s, git says %s", name, got, want)
		}
	}
}

func TestBareRepositoryHasNoWorkTree(t *testing.T) {
	c := newClone(t, "--bare")
	r := open(t, c.dir)
	if _, err := r.WorkTree(t.Context()); !errors.Is(err, local.ErrNoWorkTree) || !r.Bare() {
		t.Errorf("error is %v, want ErrNoWorkTree", err)
	}
}

func TestTreeIsSafeForConcurrentReads(t *testing.T) {
	c := newClone(t)
	files := map[string]string{}
	for i := range 200 {
		files[fmt.Sprintf("d%d/f%d", i%7, i)] = strings.Repeat("x", i)
	}
	c.commit(files)
	tree := treeOf(t, open(t, c.dir), "HEAD")
	names := slices.Sorted(func(yield func(string) bool) {
		for name := range files {
			if !yield(name) {
				return
			}
		}
	})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if err := tree.Prefetch(t.Context(), "d1", "d2"); err != nil {
				t.Error(err)
			}
			for _, name := range names {
				if data, err := tree.ReadFile(name); err != nil || string(data) != files[name] {
					t.Errorf("%s: %d bytes, %v", name, len(data), err)
				}
			}
		})
	}
	group.Wait()
}

func TestClosedRepositoryCannotBeRead(t *testing.T) {
	c := newClone(t)
	c.commit(map[string]string{"a": "1"})
	r, err := local.Open(t.Context(), c.dir)
	if err != nil {
		t.Fatal(err)
	}
	tree := treeOf(t, r, "HEAD")
	if err := errors.Join(r.Close(), r.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := tree.ReadFile("a"); err == nil {
		t.Error("a file is read after Close")
	}
}
