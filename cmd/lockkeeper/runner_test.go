package main

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// checkoutDir is the folder of this repository.
const checkoutDir = "../.."

// tool finds a program that .ci/run puts into $LOCKKEEPER_TOOLS.
func tool(t *testing.T, name string) string {
	t.Helper()
	folder := os.Getenv("LOCKKEEPER_TOOLS")
	found := filepath.Join(folder, name)
	if info, err := os.Stat(found); folder != "" && err == nil && !info.IsDir() {
		return found
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("there is no %s in $LOCKKEEPER_TOOLS, which .ci/run fills", name)
	}
	t.Skipf("there is no %s in $LOCKKEEPER_TOOLS: .ci/run puts it there", name)
	return ""
}

// runner is a machine that runs jobs: nothing of the environment of the tests reaches them but where programs and caches are.
type runner struct {
	*bed
	home string // with lockkeeper in bin
	env  map[string]string
}

func newRunner(t *testing.T, b *bed) *runner {
	t.Helper()
	r := &runner{bed: b, home: t.TempDir()}
	r.env = map[string]string{
		"PATH": filepath.Join(r.home, "bin") + string(os.PathListSeparator) + os.Getenv("PATH"), "HOME": r.home, "LC_ALL": "C.UTF-8",
		"XDG_CACHE_HOME": filepath.Join(r.home, "cache"), "TMPDIR": r.home, "GIT_CONFIG_NOSYSTEM": "1",
		"LOCKKEEPER_OUTBOUND_ALLOW": strings.Join(worldAllow(), ","),
	}
	for _, name := range []string{"GOCACHE", "GOMODCACHE"} {
		out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		r.env[name] = strings.TrimSpace(string(out))
	}
	binary, err := os.Executable() // which is lockkeeper when it is called so, see TestMain
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(r.home, "bin"), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(binary, filepath.Join(r.home, "bin", "lockkeeper")); err != nil {
		t.Fatal(err)
	}
	return r
}

// run runs a program in a folder, and returns its exit code and all it printed.
func (r *runner) run(t *testing.T, dir, program string, args ...string) (code int, out string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = dir
	for name, value := range r.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	printed, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(printed)
}

// clone clones the world's repository, and makes one branch of it the work tree.
func (r *runner) clone(t *testing.T, branch string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "clone")
	from, err := url.Parse(r.cloneURL())
	if err != nil {
		t.Fatal(err)
	}
	if code, out := r.run(t, r.home, "git", "clone", "--quiet", "--branch", branch, from.String(), dir); code != 0 {
		t.Fatalf("git clone: %s", out)
	}
	return dir
}

// write writes files into a folder.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// documented is the block of a page of docs that begins with a line.
func documented(t *testing.T, page, first string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(checkoutDir, "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "```yaml\n"+first+"\n")
	block, _, ended := strings.Cut(rest, "```\n")
	if !found || !ended {
		t.Fatalf("%s has no block that begins with %q", page, first)
	}
	return block
}

// hostile is a manifest whose names would be commands of the systems that run jobs.
const hostile = "apiVersion: kargo.akuity.io/v1alpha1\nkind: Stage\nmetadata:\n  name: \"x\\n::add-mask::replicas\\r\\n::error::forged ##[error]forged\\e[31m\"\n  namespace: develop\nspec: {}\n"

// hostileMap is an object whose text is workflow commands.
const hostileMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hostile}\ndata:\n  text: |\n    a\n    ::error::forged\n    ::add-mask::replicas\n" +
	"  more: \"section_start:1:forged\\r\\e[0Kx\"\n"

// replaced is a text in which every old one, which must be there, is a new one.
func replaced(t *testing.T, text string, oldnew ...string) string {
	t.Helper()
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(text, oldnew[i]) {
			t.Fatalf("%q is missing in:\n%s", oldnew[i], text)
		}
	}
	return strings.NewReplacer(oldnew...).Replace(text)
}
