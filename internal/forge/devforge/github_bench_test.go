package devforge_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/lockkeeper/lockkeeper/internal/contract"
	"github.com/lockkeeper/lockkeeper/internal/contract/contracttest"
	"github.com/lockkeeper/lockkeeper/internal/forge/adaptertest"
	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
)

const (
	repoOwner = "acme"
	repoName  = "gitops"
	repoPath  = repoOwner + "/" + repoName
)

// hub is a forge in GitHub's dialect with one repository and its people: admin, owner (maintains), bot (writes), reader, and a
// stranger without access.
type hub struct {
	*bench
}

func newHub(t *testing.T, configure ...func(*devforge.Config)) *hub {
	t.Helper()
	b := &bench{clock: adaptertest.NewClock(time.Second)}
	config := devforge.Config{
		Root: t.TempDir(), Now: b.clock.Now, Person: "you", Dialect: devforge.GitHub,
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
	h := &hub{b}
	server := httptest.NewServer(contracttest.GitHub(t, forge.Handler(), undecodable))
	t.Cleanup(server.Close)
	b.url = server.URL
	forge.SetURL(server.URL)
	if _, known := forge.Project(repoPath); known {
		return h
	}
	for _, name := range []string{"you", "admin", "owner", "bot", "reader", "stranger"} {
		forge.CreateUser(name, name+"-token")
	}
	if _, err := forge.CreateProject(repoPath, "main", seed); err != nil {
		t.Fatal(err)
	}
	for name, level := range map[string]int{
		"admin": devforge.AccessOwner, "owner": devforge.AccessMaintainer, "you": devforge.AccessMaintainer,
		"bot": devforge.AccessDeveloper, "reader": devforge.AccessReporter,
	} {
		if err := forge.AddMember(repoPath, name, level); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// undecodable are the requests that a row of a table makes wrong on purpose.
func undecodable(broken *contract.ViolationError) bool {
	return broken.Status == 0 && strings.Contains(broken.Error(), "failed to decode request body")
}

// client is the real client, which speaks to GitHub Enterprise.
func (h *hub) client(t *testing.T, token string) *github.Client {
	t.Helper()
	client, err := github.NewClient(nil).WithAuthToken(token).WithEnterpriseURLs(h.url, h.url)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func (h *hub) as(t *testing.T, user string) *github.Client {
	t.Helper()
	return h.client(t, user+"-token")
}

func (h *hub) push(t *testing.T, branch, path, content string) string {
	t.Helper()
	id, err := h.Commit(t.Context(), repoPath, branch, "bot", "Set "+path, map[string]string{path: content})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// openPull makes a branch with one change of dev.yaml and a pull request for it.
func (h *hub) openPull(t *testing.T, branch string) *github.PullRequest {
	t.Helper()
	h.push(t, branch, "apps/web/dev.yaml", "image:\n  tag: 1.0.2\n")
	pull, _, err := h.as(t, "bot").PullRequests.Create(t.Context(), repoOwner, repoName, &github.NewPullRequest{
		Title: new("Promote web to 1.0.2"), Head: &branch, Base: new("main"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return pull
}

func (h *hub) pull(t *testing.T, number int) *github.PullRequest {
	t.Helper()
	pull, _, err := h.as(t, "bot").PullRequests.Get(t.Context(), repoOwner, repoName, number)
	if err != nil {
		t.Fatal(err)
	}
	return pull
}

func (h *hub) report(t *testing.T, sha, state string) {
	t.Helper()
	_, _, err := h.as(t, "bot").Repositories.CreateStatus(t.Context(), repoOwner, repoName, sha, &github.RepoStatus{
		State: &state, Context: new("lockkeeper/gates"), Description: new("4 of 7 gates"), TargetURL: new("https://lockkeeper.example/1"),
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (h *hub) rule(t *testing.T, rules *devforge.BranchRules) {
	t.Helper()
	if err := h.SetRules(repoPath, "main", rules); err != nil {
		t.Fatal(err)
	}
}

func (h *hub) allow(t *testing.T, edit func(*devforge.Settings)) {
	t.Helper()
	if err := h.Change(repoPath, edit); err != nil {
		t.Fatal(err)
	}
}

// githubRefused is the status of an error answer, and its text.
func githubRefused(err error) (int, string) {
	if answer := (*github.ErrorResponse)(nil); errors.As(err, &answer) {
		return answer.Response.StatusCode, answer.Message
	}
	return 0, ""
}

type graphAnswer struct {
	Data   json.RawMessage `json:"data"`
	Errors []struct {
		Type    string `json:"type"`
		Message string `json:"message"`
		Path    []any  `json:"path"`
	} `json:"errors"`
}

// graph sends one GraphQL request.
func (h *hub) graph(t *testing.T, token, query string, variables map[string]any) graphAnswer {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+"/api/graphql", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var got graphAnswer
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("graphql answers %d, %v", answer.StatusCode, err)
	}
	return got
}
