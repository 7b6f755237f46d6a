package github

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/contract/contracttest"
	"github.com/lockkeeper/lockkeeper/internal/forge/adaptertest"
	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	testToken = "ghp_do_not_print_me"
	head      = promote.Commit("cb86d70f464632bdfbe1bb9bc0f2f9d847a774a0")
	other     = promote.Commit("a7e1c0cceef744e6c13a9a728027f837b84b23be")
	repoPath  = "/api/v3/repos/acme/shop"
)

var testNow = adaptertest.Now

// answer is one scripted answer.
type answer = adaptertest.Answer

func ok(body string) answer { return answer{Status: http.StatusOK, Body: body} }

func created(body string) answer { return answer{Status: http.StatusCreated, Body: body} }

// lost is an answer that does not arrive.
var lost = answer{}

// server answers from a script: by "METHOD escaped-path" with "…" for the repository, or by the name of a GraphQL operation.
type server struct {
	*adaptertest.Server
	mu    sync.Mutex
	calls []Call
}

func newServer(t testing.TB, script map[string][]answer) *server {
	t.Helper()
	return &server{Server: adaptertest.NewServer(t, routeOf, script)}
}

var operationForm = regexp.MustCompile(`(?:query|mutation) (\w+)`)

// routeOf names a request as scripts do.
func routeOf(r *http.Request, body []byte) string {
	if strings.HasSuffix(r.URL.Path, "/graphql") {
		if found := operationForm.FindSubmatch(body); found != nil {
			return string(found[1])
		}
		return "an operation without a name"
	}
	path := strings.Replace(r.URL.EscapedPath(), repoPath, "…", 1)
	return r.Method + " " + strings.TrimPrefix(path, "/api/v3")
}

// play starts a server with a script, and a Forge on it that waits for nothing.
func play(t testing.TB, script map[string][]answer, with ...func(*Config)) (*Forge, *server) {
	t.Helper()
	s := newServer(t, script)
	cfg := Config{URL: adaptertest.Listen(t, contracttest.GitHub(t, s, contracttest.Answers)), Repository: "acme/shop", Token: testToken, Now: s.Now, Observe: s.observe, Sleep: s.Sleep}
	for _, change := range with {
		change(&cfg)
	}
	f, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f, s
}

func (s *server) observe(c Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.Duration = 0
	s.calls = append(s.calls, c)
}

// withApp makes the Forge that of an App, whose requests are answered by the same script.
func withApp(t testing.TB, s **server) func(*Config) {
	t.Helper()
	return func(cfg *Config) {
		app, err := NewApp(AppConfig{
			URL: cfg.URL, ID: 17, PrivateKey: testPEM(),
			Now: func() time.Time { return (*s).Now() }, Sleep: cfg.Sleep, Observe: cfg.Observe,
		})
		if err != nil {
			t.Fatal(err)
		}
		cfg.Token, cfg.App = "", app
	}
}

// pullJSON is a pull request as the REST API would answer it, with fields replaced.
func pullJSON(t testing.TB, fields map[string]any) string {
	t.Helper()
	all := map[string]any{
		"id": 70, "node_id": "PR_7", "number": 7, "state": "open", "title": "frontend 1.0.2 to dev", "body": "text", "draft": false,
		"labels": []any{map[string]any{"name": "lockkeeper"}}, "user": map[string]any{"id": 42, "login": "lockkeeper-bot"},
		"head":             map[string]any{"ref": "lockkeeper/develop/dev", "sha": head, "repo": map[string]any{"id": 5}},
		"base":             map[string]any{"ref": "main", "sha": other, "repo": map[string]any{"id": 5}},
		"html_url":         "https://github.example.com/acme/shop/pull/7",
		"merge_commit_sha": nil, "merged_at": nil, "mergeable": true, "mergeable_state": "clean", "updated_at": "2026-11-21T11:00:00Z",
	}
	maps.Copy(all, fields)
	return adaptertest.JSON(t, all)
}

// node is a pull request as the GraphQL API would answer it, with fields replaced.
func nodeOf(fields map[string]any) map[string]any {
	all := map[string]any{
		"id": "PR_7", "number": 7, "url": "https://github.example.com/acme/shop/pull/7", "state": "OPEN", "isDraft": false,
		"isCrossRepository": false, "title": "frontend 1.0.2 to dev", "body": "text", "headRefName": "lockkeeper/develop/dev",
		"headRefOid": head, "baseRefName": "main", "updatedAt": "2026-11-21T11:00:00Z", "mergeable": "MERGEABLE", "mergeStateStatus": "CLEAN",
		"reviewDecision": nil, "isMergeQueueEnabled": false, "autoMergeRequest": nil, "mergeQueueEntry": nil, "statusCheckRollup": nil,
		"author": map[string]any{"__typename": "User", "login": "lockkeeper-bot"}, "mergedBy": nil, "mergeCommit": nil,
		"labels": map[string]any{"nodes": []any{map[string]any{"name": "lockkeeper"}}},
	}
	maps.Copy(all, fields)
	return all
}

// repository wraps an answer of the GraphQL API about the repository.
func repositoryJSON(t testing.TB, fields map[string]any) string {
	t.Helper()
	return adaptertest.JSON(t, map[string]any{"data": map[string]any{"repository": fields}})
}

func changeJSON(t testing.TB, fields map[string]any) string {
	t.Helper()
	return repositoryJSON(t, map[string]any{"pullRequest": nodeOf(fields)})
}

const viewerJSON = `{"data":{"viewer":{"login":"lockkeeper-bot","databaseId":42}}}`

func openChange() promote.Change {
	return promote.Change{
		Number: 7, URL: "https://github.example.com/acme/shop/pull/7", Branch: "lockkeeper/develop/dev", Target: "main",
		Head: head, State: promote.ChangeOpen, Title: "frontend 1.0.2 to dev", Description: "text", Labels: []string{"lockkeeper"},
		Author: "lockkeeper-bot", UpdatedAt: time.Date(2026, 11, 21, 11, 0, 0, 0, time.UTC),
		Mergeability: promote.Mergeability{Merge: promote.MergeReady},
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	for _, test := range []struct {
		name string
		cfg  Config
		want string
	}{
		{"no URL", Config{Repository: "o/r"}, "github: the URL is missing; expected something like https://github.com"},
		{"a URL without scheme", Config{URL: "github.com", Repository: "o/r"}, `github: URL "github.com": expected https://host, optionally with a path`},
		{
			"a URL with credentials, which are not repeated",
			Config{URL: "https://x:secret@github.com", Repository: "o/r"},
			"github: the URL holds credentials; give the token on its own, in LOCKKEEPER_GITHUB_TOKEN",
		},
		{"no repository", Config{URL: "https://github.com"}, "github: the repository is missing; expected owner/name"},
		{
			"a clone URL as repository",
			Config{URL: "https://github.com", Repository: "https://github.com/o/r.git"},
			`github: repository "https://github.com/o/r.git": expected owner/name, without host and .git`,
		},
		{"a repository that leaves its owner", Config{URL: "https://github.com", Repository: "o/.."}, `github: repository "o/..": expected owner/name, without host and .git`},
		{"the ending of a clone URL", Config{URL: "https://github.com", Repository: "o/r.git"}, `github: repository "o/r.git": expected owner/name, without host and .git`},
		{
			"a token with a line break, which is not repeated",
			Config{URL: "https://github.com", Repository: "o/r", Token: "ghp_x\n"},
			"github: the token holds white space or control characters; was a line break copied with it?",
		},
		{"two credentials", Config{URL: "https://github.com", Repository: "o/r", Token: "x", App: &App{}}, "github: both a token and an App are given; expected one of them"},
		{"a negative timeout", Config{URL: "https://github.com", Repository: "o/r", Timeout: -1}, "github: timeout -1ns: expected a positive duration"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := New(test.cfg)
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestWhereTheAPIsAre(t *testing.T) {
	for _, test := range []struct{ url, rest, graphql string }{
		{"https://github.com", "https://api.github.com/", "https://api.github.com/graphql"},
		{"https://github.com/", "https://api.github.com/", "https://api.github.com/graphql"},
		{"https://www.GitHub.com", "https://api.github.com/", "https://api.github.com/graphql"},
		{"https://api.github.com", "https://api.github.com/", "https://api.github.com/graphql"},
		{"https://acme.ghe.com", "https://api.acme.ghe.com/", "https://api.acme.ghe.com/graphql"},
		{"https://api.acme.ghe.com/", "https://api.acme.ghe.com/", "https://api.acme.ghe.com/graphql"},
		{"https://ghe.example.com", "https://ghe.example.com/api/v3/", "https://ghe.example.com/api/graphql"},
		{"https://ghe.example.com/api/v3/", "https://ghe.example.com/api/v3/", "https://ghe.example.com/api/graphql"},
		{"https://ghe.example.com/api/graphql", "https://ghe.example.com/api/v3/", "https://ghe.example.com/api/graphql"},
		{"https://example.com:8443/github", "https://example.com:8443/github/api/v3/", "https://example.com:8443/github/api/graphql"},
		{"https://github.com.example.com", "https://github.com.example.com/api/v3/", "https://github.com.example.com/api/graphql"},
		{"https://notghe.com", "https://notghe.com/api/v3/", "https://notghe.com/api/graphql"},
	} {
		t.Run(test.url, func(t *testing.T) {
			found, err := parseEndpoint(test.url)
			if err != nil {
				t.Fatal(err)
			}
			if found.rest.String() != test.rest || found.graphql != test.graphql {
				t.Errorf("got %s and %s", found.rest, found.graphql)
			}
		})
	}
}

func TestCredentialsInHeaders(t *testing.T) {
	for _, test := range []struct {
		name  string
		token secret.Text
		want  []string
	}{
		{"a token is sent", testToken, []string{"Bearer " + testToken}},
		{"without a token nothing is sent", "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got http.Header
			running := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = r.Header
				_, _ = io.WriteString(w, "[]")
			}))
			defer running.Close()
			f, err := New(Config{URL: running.URL, Repository: "o/r", Token: test.token, UserAgent: "lockkeeper/1.2.3"})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.ChangesFrom(t.Context(), "x"); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got["Authorization"]); diff != "" {
				t.Error(diff)
			}
			if got.Get("User-Agent") != "lockkeeper/1.2.3" || got.Get("X-Github-Api-Version") == "" {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestARedirectTakesTheTokenNowhere(t *testing.T) {
	elsewhere := adaptertest.Elsewhere(t)
	f, _ := play(t, map[string][]answer{
		"GET …/pulls": {{Status: 301, Header: map[string]string{"Location": elsewhere + repoPath + "/pulls"}}},
	})
	_, err := f.ChangesFrom(t.Context(), "x")
	api, ok := errors.AsType[*promote.APIError](err)
	if !ok || api.Status != 301 || !strings.Contains(api.Remedy, elsewhere) {
		t.Errorf("got %v", err)
	}
}

// TestARenamedRepository is what real GitHub does: 301 for reads, 307 for writes, to the same host and a numeric path.
func TestARenamedRepository(t *testing.T) {
	var got []string
	running := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization")+" "+strings.TrimSpace(string(body)))
		status := http.StatusMovedPermanently
		if r.Method != http.MethodGet {
			status = http.StatusTemporaryRedirect
		}
		if rest, found := strings.CutPrefix(r.URL.Path, "/api/v3/repos/o/old"); found {
			w.Header().Set("Location", "/api/v3/repositories/9"+rest)
			w.WriteHeader(status)
			return
		}
		_, _ = io.WriteString(w, `[]`)
	}))
	defer running.Close()
	f, err := New(Config{URL: running.URL, Repository: "o/old", Token: "t"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.ChangesFrom(t.Context(), "x"); err != nil {
		t.Error(err)
	}
	if err := f.EditNote(t.Context(), 7, 11, "text"); err != nil {
		t.Error(err)
	}
	want := []string{
		"GET /api/v3/repos/o/old/pulls Bearer t ",
		"GET /api/v3/repositories/9/pulls Bearer t ",
		`PATCH /api/v3/repos/o/old/issues/comments/11 Bearer t {"body":"text"}`,
		`PATCH /api/v3/repositories/9/issues/comments/11 Bearer t {"body":"text"}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestARedirectedWriteDoesNotBecomeARead(t *testing.T) {
	f, _ := play(t, map[string][]answer{
		"PATCH …/issues/comments/11": {{Status: 301, Header: map[string]string{"Location": "/api/v3/repositories/9/issues/comments/11"}}},
	})
	err := f.EditNote(t.Context(), 7, 11, "text")
	if api, ok := errors.AsType[*promote.APIError](err); !ok || api.Status != 301 {
		t.Errorf("got %v", err)
	}
}

func TestManyGoroutines(t *testing.T) {
	running := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Ratelimit-Remaining", "17")
		w.Header().Set("ETag", `"x"`)
		if r.Header.Get("If-None-Match") == `"x"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = io.WriteString(w, `[]`)
	}))
	defer running.Close()
	var mu sync.Mutex
	remaining := map[int]int{}
	f, err := New(Config{URL: running.URL, Repository: "o/r", Token: testToken, Observe: func(c Call) {
		mu.Lock()
		defer mu.Unlock()
		remaining[c.RateRemaining]++
	}})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 5 {
				if _, err := f.ChangesFrom(t.Context(), promote.Branch(fmt.Sprint(i%2))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if diff := cmp.Diff(map[int]int{17: 40}, remaining); diff != "" {
		t.Error(diff)
	}
}
