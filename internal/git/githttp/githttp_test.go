package githttp_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/git/githttp"
)

func gitRun(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.com")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func mustGit(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := gitRun(t, dir, args...)
	if err != nil {
		t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(out)
}

func serve(t *testing.T, access githttp.Access) (root, url string) {
	t.Helper()
	root = t.TempDir()
	if err := githttp.Init(t.Context(), filepath.Join(root, "team", "app.git"), "trunk"); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(githttp.Handler(root, access))
	t.Cleanup(srv.Close)
	return root, srv.URL
}

// The git command itself pushes, also what it sends chunked because it is large, and clones partially.
func TestGitPushesAndClones(t *testing.T) {
	root, url := serve(t, nil)
	work := t.TempDir()
	mustGit(t, work, "init", "-q", "-b", "trunk")
	large := make([]byte, 3<<20)
	for i, x := 0, uint32(1); i < len(large); i++ {
		x = x*1664525 + 1013904223
		large[i] = byte(x >> 24)
	}
	if err := os.WriteFile(filepath.Join(work, "large.bin"), large, 0o644); err != nil {
		t.Fatal(err)
	}
	mustGit(t, work, "add", ".")
	mustGit(t, work, "commit", "-q", "-m", "large")
	mustGit(t, work, "push", "-q", url+"/team/app.git", "trunk")
	head := mustGit(t, work, "rev-parse", "HEAD")
	if got := mustGit(t, root, "-C", "team/app.git", "rev-parse", "trunk"); got != head {
		t.Errorf("server is at %q, want %q", got, head)
	}
	for _, filter := range []string{"--filter=blob:none", "--depth=1"} {
		clone := filepath.Join(t.TempDir(), "clone")
		mustGit(t, work, "clone", "-q", filter, url+"/team/app.git", clone)
		if got, err := os.ReadFile(filepath.Join(clone, "large.bin")); err != nil || string(got) != string(large) {
			t.Errorf("clone with %s has another file: %v", filter, err)
		}
		if got := mustGit(t, clone, "branch", "--show-current"); got != "trunk" {
			t.Errorf("clone with %s is on %q", filter, got)
		}
	}
}

func TestAccess(t *testing.T) {
	type question struct {
		user, password, repo string
		write                bool
	}
	var asked []question
	_, url := serve(t, func(user, password, repo string, write bool) bool {
		asked = append(asked, question{user, password, repo, write})
		return user == "reader" && !write || user == "writer"
	})
	for _, tt := range []struct {
		name, user, target string
		want               int
	}{
		{"nobody reads", "", "/team/app.git/info/refs?service=git-upload-pack", 401},
		{"a reader reads", "reader", "/team/app.git/info/refs?service=git-upload-pack", 200},
		{"a reader writes", "reader", "/team/app.git/info/refs?service=git-receive-pack", 403},
		{"nobody writes", "", "/team/app.git/info/refs?service=git-receive-pack", 401},
		{"a writer writes", "writer", "/team/app.git/info/refs?service=git-receive-pack", 200},
		{"a repository that is not there", "writer", "/team/none.git/info/refs?service=git-upload-pack", 404},
		{"the dumb protocol", "writer", "/team/app.git/info/refs", 404},
		{"a file of the repository", "writer", "/team/app.git/config", 404},
		{"an object", "writer", "/team/app.git/objects/info/packs", 404},
		{"a path that climbs", "writer", "/team/../team/app.git/info/refs?service=git-upload-pack", 404},
		{"an escaped path that climbs", "writer", "/team/%2e%2e/%2e%2e/etc/info/refs?service=git-upload-pack", 404},
		{"the root", "writer", "/info/refs?service=git-upload-pack", 404},
		{"another service", "writer", "/team/app.git/info/refs?service=git-shell", 404},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+tt.target, nil)
			if err != nil {
				t.Fatal(err)
			}
			if tt.user != "" {
				req.SetBasicAuth(tt.user, "pw")
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = res.Body.Close() }()
			if res.StatusCode != tt.want {
				t.Errorf("status is %d, want %d", res.StatusCode, tt.want)
			}
			if challenge := res.Header.Get("WWW-Authenticate"); (challenge != "") != (tt.want == 401) {
				t.Errorf("challenge is %q", challenge)
			}
		})
	}
	if want := (question{"reader", "pw", "team/app.git", false}); asked[1] != want {
		t.Errorf("asked %v, want %v", asked[1], want)
	}
}

func TestBackend(t *testing.T) {
	file, err := githttp.Backend(t.Context())
	if err != nil || filepath.Base(file) != "git-http-backend" {
		t.Errorf("Backend = %q, %v", file, err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := githttp.Backend(t.Context()); err == nil || !strings.Contains(err.Error(), "install git") {
		t.Errorf("Backend without git = %v, want what to install", err)
	}
	rec := httptest.NewRecorder()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/a.git/info/refs?service=git-upload-pack", nil)
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "a.git"), 0o755); err != nil {
		t.Fatal(err)
	}
	githttp.Handler(root, nil).ServeHTTP(rec, req)
	if rec.Code != http.StatusInternalServerError || !strings.Contains(rec.Body.String(), "install git") {
		t.Errorf("answer is %d %q", rec.Code, rec.Body)
	}
}
