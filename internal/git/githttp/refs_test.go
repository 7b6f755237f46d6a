package githttp_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/git/githttp"
)

// Whatever happens to a repository, its refs are those that git knows, and fetching is told of them.
func TestRefsAndAdvertisementFollowTheRepository(t *testing.T) {
	root, url := serve(t, nil)
	bare, work := filepath.Join(root, "team", "app.git"), t.TempDir()
	mustGit(t, work, "init", "-q", "-b", "trunk")
	mustGit(t, work, "commit", "-q", "--allow-empty", "-m", "one")
	steps := []struct {
		name string
		do   func()
	}{
		{"nothing was pushed", func() {}},
		{"the first push", func() { mustGit(t, work, "push", "-q", bare, "trunk") }},
		{"a branch in folders", func() { mustGit(t, work, "push", "-q", bare, "trunk:refs/heads/a/b/c") }},
		{"a tag with a message", func() {
			mustGit(t, work, "tag", "-m", "note", "v1")
			mustGit(t, work, "push", "-q", bare, "v1")
		}},
		{"the branch moves", func() {
			mustGit(t, work, "commit", "-q", "--allow-empty", "-m", "two")
			mustGit(t, work, "push", "-q", bare, "trunk")
		}},
		{"refs are packed", func() { mustGit(t, bare, "pack-refs", "--all") }},
		{"a packed branch moves", func() {
			mustGit(t, work, "commit", "-q", "--allow-empty", "-m", "three")
			mustGit(t, work, "push", "-q", bare, "trunk")
		}},
		{"a packed branch goes", func() { mustGit(t, bare, "branch", "-D", "a/b/c") }},
		{"another branch is the default", func() {
			mustGit(t, bare, "branch", "other", "trunk")
			mustGit(t, bare, "symbolic-ref", "HEAD", "refs/heads/other")
		}},
		{"tags are hidden", func() { mustGit(t, bare, "config", "uploadpack.hideRefs", "refs/tags") }},
	}
	for _, step := range steps {
		step.do()
		have, err := githttp.Refs(bare)
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		want := map[string]string{"HEAD": "ref: " + mustGit(t, bare, "symbolic-ref", "HEAD")}
		for line := range strings.Lines(mustGit(t, bare, "for-each-ref", "--format=%(objectname) %(refname)")) {
			id, name, _ := strings.Cut(strings.TrimSpace(line), " ")
			want[name] = id
		}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("%s: refs (-git +read):\n%s", step.name, diff)
		}
		for _, name := range []string{"HEAD", "refs/heads/trunk", "refs/heads/other", "refs/heads/a", "refs/heads/a/b/c", "refs/heads/trunk/x", "refs/tags/v1", "refs/../config"} {
			if have, err := githttp.Ref(bare, name); err != nil || have != want[name] {
				t.Errorf("%s: %s is %q, %v, want %q", step.name, name, have, err, want[name])
			}
		}
		said := strings.ReplaceAll(mustGit(t, work, "ls-remote", bare), "\t", " ")
		for range 2 { // by git, and from memory
			if got := strings.ReplaceAll(mustGit(t, work, "-c", "protocol.version=0", "ls-remote", url+"/team/app.git"), "\t", " "); got != said {
				t.Errorf("%s: over HTTP:\n%s\nwant:\n%s", step.name, got, said)
			}
		}
	}
}

func TestRefsThatAreNoFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "reftable"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := githttp.Refs(dir); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a reftable: %v", err)
	}
	if _, err := githttp.Ref(dir, "HEAD"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("one ref of a reftable: %v", err)
	}
	if _, err := githttp.Refs(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no repository: %v", err)
	}
}

// What is answered from memory is what the backend answered, for each protocol; what is pushed to is always asked for.
func TestAdvertisementsOfProtocolsAreApart(t *testing.T) {
	_, url := serve(t, nil)
	get := func(service, protocol string) string {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/team/app.git/info/refs?service="+service, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Git-Protocol", protocol)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatal(response.Status, err)
		}
		return response.Header.Get("Content-Type") + "\n" + response.Header.Get("Cache-Control") + "\n" + string(body)
	}
	for _, service := range []string{"git-upload-pack", "git-receive-pack"} {
		for _, protocol := range []string{"", "version=2"} {
			first := get(service, protocol)
			if !strings.HasPrefix(first, "application/x-"+service+"-advertisement\nno-cache") {
				t.Errorf("%s, %q: %q", service, protocol, first)
			}
			if service == "git-upload-pack" && strings.Contains(first, "version 2") != (protocol != "") {
				t.Errorf("%s, %q: %q", service, protocol, first)
			}
			if again := get(service, protocol); again != first {
				t.Errorf("%s, %q: %q, then %q", service, protocol, first, again)
			}
		}
	}
}
