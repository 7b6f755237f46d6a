package devforge_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xanzy/go-gitlab"

	"github.com/lockkeeper/lockkeeper/internal/contract"
	"github.com/lockkeeper/lockkeeper/internal/contract/contracttest"
	"github.com/lockkeeper/lockkeeper/internal/forge/adaptertest"
	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
)

const projectPath = "platform/gitops"

// bench is a forge with one project and four people: owner (Maintainer), bot (Developer), reader (Reporter), stranger (none).
type bench struct {
	*devforge.Forge
	url   string
	clock *adaptertest.Clock
}

var seed = map[string]string{
	"README.md":          "# GitOps\n",
	"apps/web/dev.yaml":  "image:\n  tag: 1.0.1\n",
	"apps/web/prod.yaml": "image:\n  tag: 1.0.1\n",
}

func newBench(t *testing.T, configure ...func(*devforge.Config)) *bench {
	t.Helper()
	b := &bench{clock: adaptertest.NewClock(time.Second)}
	config := devforge.Config{
		Root: t.TempDir(), Now: b.clock.Now, Person: "you",
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	for _, edit := range configure {
		edit(&config)
	}
	forge, err := devforge.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(forge.Close)
	b.Forge = forge
	server := httptest.NewServer(contracttest.GitLab(t, forge.Handler(), onPurpose))
	t.Cleanup(server.Close)
	b.url = server.URL
	forge.SetURL(server.URL)
	if _, known := forge.Project(projectPath); known {
		return b
	}
	for _, name := range []string{"you", "owner", "bot", "reader", "stranger"} {
		forge.CreateUser(name, name+"-token")
	}
	if _, err := forge.CreateProject(projectPath, "main", seed); err != nil {
		t.Fatal(err)
	}
	for name, level := range map[string]int{
		"owner": devforge.AccessMaintainer, "you": devforge.AccessMaintainer,
		"bot": devforge.AccessDeveloper, "reader": devforge.AccessReporter,
	} {
		if err := forge.AddMember(projectPath, name, level); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// onPurpose are the requests that a row of a table makes wrong on purpose.
func onPurpose(broken *contract.ViolationError) bool {
	return broken.Status == 0 && strings.Contains(broken.Error(), "value is not one of the allowed values")
}

// as is the real client, without its retries.
func (b *bench) as(t *testing.T, user string) *gitlab.Client { //nolint:staticcheck // deprecated, and what the adapter uses
	t.Helper()
	options := []gitlab.ClientOptionFunc{gitlab.WithBaseURL(b.url), gitlab.WithCustomRetryMax(0), gitlab.WithCustomLimiter(noLimit{})}
	client, err := gitlab.NewClient(user+"-token", options...) //nolint:staticcheck // deprecated, and what the adapter uses
	if err != nil {
		t.Fatal(err)
	}
	return client
}

type noLimit struct{}

func (noLimit) Wait(context.Context) error { return nil }

// commit puts files on a branch as the bot.
func (b *bench) commit(t *testing.T, branch, path, content string) string {
	t.Helper()
	id, err := b.Commit(t.Context(), projectPath, branch, "bot", "Set "+path, map[string]string{path: content})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// open makes a branch with one change of dev.yaml and a merge request for it.
func (b *bench) open(t *testing.T, branch string) *gitlab.MergeRequest {
	t.Helper()
	b.commit(t, branch, "apps/web/dev.yaml", "image:\n  tag: 1.0.2\n")
	m, _, err := b.as(t, "bot").MergeRequests.CreateMergeRequest(projectPath, &gitlab.CreateMergeRequestOptions{
		Title: new("Promote web to 1.0.2"), SourceBranch: &branch, TargetBranch: new("main"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// status of an error answer, and its text.
func refused(err error) (int, string) {
	if answer := (*gitlab.ErrorResponse)(nil); errors.As(err, &answer) {
		return answer.Response.StatusCode, answer.Message
	}
	return 0, ""
}

func git(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "git", args...)
	command.Dir = dir
	command.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=Ann", "GIT_AUTHOR_EMAIL=ann@example.com", "GIT_COMMITTER_NAME=Ann", "GIT_COMMITTER_EMAIL=ann@example.com")
	out, err := command.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func mustGit(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := git(t, dir, args...)
	if err != nil {
		t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return out
}

// clone clones the project as user and returns the folder.
func (b *bench) clone(t *testing.T, user string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "clone")
	address := strings.Replace(b.url, "http://", "http://"+user+":"+user+"-token@", 1) + "/" + projectPath + ".git"
	mustGit(t, t.TempDir(), "clone", "-q", address, dir)
	return dir
}

func write(t *testing.T, dir, path, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(path)), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
