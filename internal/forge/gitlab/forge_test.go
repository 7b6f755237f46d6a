package gitlab

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
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
	testToken = "glpat-do-not-print-me"
	head      = promote.Commit("cb86d70f464632bdfbe1bb9bc0f2f9d847a774a0")
	other     = promote.Commit("a7e1c0cceef744e6c13a9a728027f837b84b23be")
	project   = "…" // in scripts

	projectPath = "/api/v4/projects/group%2Fproject"
)

var testNow = adaptertest.Now

// answer is one scripted answer.
type answer = adaptertest.Answer

// server answers from a script, by "METHOD escaped-path" with "…" for the project.
type server struct {
	*adaptertest.Server
	mu    sync.Mutex
	calls []Call
}

func newServer(t testing.TB, script map[string][]answer) *server {
	t.Helper()
	return &server{Server: adaptertest.NewServer(t, func(r *http.Request, _ []byte) string {
		return r.Method + " " + strings.Replace(r.URL.EscapedPath(), projectPath, project, 1)
	}, script)}
}

// play starts a server with a script, and a Forge on it that waits for nothing.
func play(t *testing.T, script map[string][]answer) (*Forge, *server) {
	t.Helper()
	s := newServer(t, script)
	f, err := New(Config{
		URL: adaptertest.Listen(t, contracttest.GitLab(t, s, contracttest.Answers)), Project: "group/project", Token: testToken, Now: s.Now, Observe: s.observe, Sleep: s.Sleep,
	})
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

// A step is a request that is expected next, and its answer.
type step struct {
	route  string
	answer answer
}

// scripted is a script of steps, and the routes that it expects.
func scripted(steps []step) (script map[string][]answer, routes []string) {
	script = map[string][]answer{}
	for _, step := range steps {
		script[step.route] = append(script[step.route], step.answer)
		routes = append(routes, step.route)
	}
	return script, routes
}

// mr is a merge request as GitLab would answer it, with fields replaced.
func mr(t *testing.T, fields map[string]any) string {
	t.Helper()
	all := map[string]any{
		"id": 70, "iid": 7, "project_id": 5, "source_project_id": 5, "target_project_id": 5, "state": "opened",
		"title": "frontend 1.0.2 to dev", "description": "text", "labels": []string{"lockkeeper"}, "draft": false,
		"source_branch": "lockkeeper/develop/dev", "target_branch": "main", "sha": head, "detailed_merge_status": "mergeable",
		"merge_commit_sha": nil, "squash_commit_sha": nil, "merged_by": nil, "closed_by": nil, "web_url": "https://gitlab.example.com/group/project/-/merge_requests/7",
		"author": map[string]any{"id": 42, "username": "lockkeeper-bot"}, "updated_at": "2026-11-21T11:00:00.123Z",
	}
	maps.Copy(all, fields)
	return adaptertest.JSON(t, all)
}

func openChange() promote.Change {
	return promote.Change{
		Number: 7, URL: "https://gitlab.example.com/group/project/-/merge_requests/7", Branch: "lockkeeper/develop/dev", Target: "main",
		Head: head, State: promote.ChangeOpen, Title: "frontend 1.0.2 to dev", Description: "text", Labels: []string{"lockkeeper"},
		Author: "lockkeeper-bot", UpdatedAt: time.Date(2026, 11, 21, 11, 0, 0, 123e6, time.UTC),
		Mergeability: promote.Mergeability{Merge: promote.MergeReady},
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	for _, test := range []struct {
		name string
		cfg  Config
		want string
	}{
		{"no URL", Config{Project: "g/p"}, "gitlab: the URL is missing; expected something like https://gitlab.com"},
		{"a URL without scheme", Config{URL: "gitlab.com", Project: "g/p"}, `gitlab: URL "gitlab.com": expected https://host, optionally with a path`},
		{
			"a URL with credentials, which are not repeated",
			Config{URL: "https://oauth2:secret@gitlab.com", Project: "g/p"},
			"gitlab: the URL holds credentials; give the token on its own, in LOCKKEEPER_GITLAB_TOKEN",
		},
		{"no project", Config{URL: "https://gitlab.com"}, "gitlab: the project is missing; expected group/project or the numeric ID"},
		{
			"a clone URL as project",
			Config{URL: "https://gitlab.com", Project: "https://gitlab.com/g/p.git"},
			`gitlab: project "https://gitlab.com/g/p.git": expected group/project or the numeric ID, without host and .git`,
		},
		{
			"a token with a line break, which is not repeated",
			Config{URL: "https://gitlab.com", Project: "g/p", Token: "glpat-x\n"},
			"gitlab: the token holds white space or control characters; was a line break copied with it?",
		},
		{
			"a kind of token that is none",
			Config{URL: "https://gitlab.com", Project: "g/p", TokenKind: 7},
			"gitlab: token kind 7: expected that of an access, OAuth or job token",
		},
		{"a negative timeout", Config{URL: "https://gitlab.com", Project: "g/p", Timeout: -1}, "gitlab: timeout -1ns: expected a positive duration"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := New(test.cfg)
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestURLForms(t *testing.T) {
	for _, base := range []string{"", "/", "/api/v4", "/api/v4/", "/gitlab", "/gitlab/api/v4"} {
		t.Run("base "+base, func(t *testing.T) {
			var path string
			running := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				path = r.URL.EscapedPath()
				_, _ = io.WriteString(w, "{}")
			}))
			defer running.Close()
			f, err := New(Config{URL: running.URL + base, Project: "group/sub.group/project"})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Settings(t.Context()); err != nil {
				t.Fatal(err)
			}
			want := "/api/v4/projects/group%2Fsub%2Egroup%2Fproject"
			if strings.HasPrefix(base, "/gitlab") {
				want = "/gitlab" + want
			}
			if path != want {
				t.Errorf("got %s, want %s", path, want)
			}
			if want := running.URL + strings.TrimSuffix(strings.TrimSuffix(base, "/"), "/api/v4"); Pages(running.URL+base) != want {
				t.Errorf("its pages are %s, want %s", Pages(running.URL+base), want)
			}
		})
	}
}

func TestCredentialsInHeaders(t *testing.T) {
	for _, test := range []struct {
		name  string
		token secret.Text
		kind  TokenKind
		want  map[string]string
	}{
		{"an access token is sent", testToken, AccessToken, map[string]string{"Private-Token": testToken}},
		{"an OAuth token is sent", testToken, OAuthToken, map[string]string{"Authorization": "Bearer " + testToken}},
		{"a job token is sent", testToken, JobToken, map[string]string{"Job-Token": testToken}},
		{"without a token no empty one is sent", "", AccessToken, map[string]string{}},
		{"without an OAuth token no empty one is sent", "", OAuthToken, map[string]string{}},
		{"without a job token no empty one is sent", "", JobToken, map[string]string{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got http.Header
			running := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = r.Header
				_, _ = io.WriteString(w, "{}")
			}))
			defer running.Close()
			f, err := New(Config{URL: running.URL, Project: "7", Token: test.token, TokenKind: test.kind, UserAgent: "lockkeeper/1.2.3"})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Settings(t.Context()); err != nil {
				t.Fatal(err)
			}
			sent := map[string]string{}
			for _, name := range []string{"Private-Token", "Authorization", "Job-Token"} {
				for _, value := range got[name] {
					sent[name] = value
				}
			}
			if diff := cmp.Diff(test.want, sent); diff != "" {
				t.Error(diff)
			}
			if got.Get("User-Agent") != "lockkeeper/1.2.3" {
				t.Errorf("User-Agent is %q", got.Get("User-Agent"))
			}
		})
	}
}

func TestARedirectTakesTheTokenNowhere(t *testing.T) {
	elsewhere := adaptertest.Elsewhere(t)
	f, _ := play(t, map[string][]answer{
		"GET " + project: {{Status: 301, Header: map[string]string{"Location": elsewhere + "/api/v4/projects/9"}}},
	})
	_, err := f.Settings(t.Context())
	api, ok := errors.AsType[*promote.APIError](err)
	if !ok || api.Status != 301 || !strings.Contains(api.Remedy, elsewhere) {
		t.Errorf("got %v", err)
	}
}

func TestARedirectedWriteDoesNotBecomeARead(t *testing.T) {
	f, _ := play(t, map[string][]answer{
		"POST " + project + "/merge_requests": {{Status: 301, Header: map[string]string{"Location": "/api/v4/projects/9/merge_requests"}}},
	})
	_, err := f.Open(t.Context(), testDraft())
	if api, ok := errors.AsType[*promote.APIError](err); !ok || api.Status != 301 {
		t.Errorf("got %v", err)
	}
}

func TestARenamedProjectIsStillRead(t *testing.T) {
	f, s := play(t, map[string][]answer{
		"GET " + project:         {{Status: 301, Header: map[string]string{"Location": "/api/v4/projects/9"}}},
		"GET /api/v4/projects/9": {{Status: 200, Body: `{"path_with_namespace":"new/name","merge_pipelines_enabled":true}`}},
	})
	settings, err := f.Settings(t.Context())
	if err != nil || !settings.MergedResults {
		t.Errorf("got %+v, %v", settings, err)
	}
	want := []Call{
		{Operation: "read project", Method: "GET", Status: 301, RateRemaining: -1},
		{Operation: "read project", Method: "GET", Status: 200, RateRemaining: -1},
	}
	if diff := cmp.Diff(want, s.calls); diff != "" {
		t.Error(diff)
	}
}

func TestManyGoroutinesAndARateLimitHeader(t *testing.T) {
	running := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("RateLimit-Limit", "1")
		w.Header().Set("RateLimit-Remaining", "17")
		_, _ = io.WriteString(w, `{"id":42}`)
	}))
	defer running.Close()
	var mu sync.Mutex
	remaining := map[int]int{}
	f, err := New(Config{URL: running.URL, Project: "g/p", Token: testToken, Observe: func(c Call) {
		mu.Lock()
		defer mu.Unlock()
		remaining[c.RateRemaining]++
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				if _, err := f.Settings(ctx); err != nil {
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
