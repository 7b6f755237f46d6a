package gitlab

import (
	"context"
	"encoding/json"
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

	"github.com/lockkeeper/lockkeeper/internal/contract"
	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	testToken = "glpat-do-not-print-me"
	head      = promote.Commit("cb86d70f464632bdfbe1bb9bc0f2f9d847a774a0")
	other     = promote.Commit("a7e1c0cceef744e6c13a9a728027f837b84b23be")
	project   = "/api/v4/projects/group%2Fproject"
)

var testNow = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// answer is one scripted answer.
type answer struct {
	status int
	body   string
	header map[string]string
}

// received is one request as it arrived.
type received struct {
	Route string // "METHOD escaped-path?query"
	Body  string
}

// server answers from a script: each answer once, in order, by "METHOD escaped-path".
type server struct {
	t      *testing.T
	mu     sync.Mutex
	script map[string][]answer
	got    []received
	waits  []time.Duration
	waited time.Duration
	calls  []Call
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	route := r.Method + " " + r.URL.EscapedPath()
	asked := received{Route: route, Body: string(body)}
	if r.URL.RawQuery != "" {
		asked.Route += "?" + r.URL.RawQuery
	}
	s.got = append(s.got, asked)
	if len(s.script[route]) == 0 {
		s.t.Errorf("unexpected request %s", asked.Route)
		http.Error(w, "unexpected", http.StatusTeapot)
		return
	}
	next := s.script[route][0]
	s.script[route] = s.script[route][1:]
	w.Header().Set("Content-Type", "application/json")
	for name, value := range next.header {
		w.Header().Set(name, value)
	}
	if next.status == 0 {
		panic(http.ErrAbortHandler) // The connection breaks without an answer.
	}
	w.WriteHeader(next.status)
	if _, err := io.WriteString(w, next.body); err != nil {
		s.t.Error(err)
	}
}

// now is the test's time, and what was waited since.
func (s *server) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return testNow.Add(s.waited)
}

func (s *server) routes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, got := range s.got {
		path, _, _ := strings.Cut(got.Route, "?")
		out = append(out, strings.Replace(path, project, "…", 1))
	}
	return out
}

// replaced is a route with the project in the place of the ellipsis.
func replaced(route string) string { return strings.Replace(route, "…", project, 1) }

var openContract = sync.OnceValues(func() (*contract.Contract, error) {
	dir, err := contract.Dir()
	if err != nil {
		return nil, err
	}
	return contract.Load(dir + "/" + contract.GitLab)
})

// checked lets GitLab's description, where it is at hand, judge every request. The scripted answers are not judged: they hold
// what matters to a test.
func checked(t *testing.T, next http.Handler) http.Handler {
	t.Helper()
	loaded, err := openContract()
	if err != nil {
		return next
	}
	return loaded.Handler(next, func(err error) {
		if violation, ok := errors.AsType[*contract.ViolationError](err); ok && violation.Status == 0 {
			t.Errorf("contract: %v", err)
		}
	})
}

// play starts a server with a script, and a Forge on it that waits for nothing.
func play(t *testing.T, script map[string][]answer) (*Forge, *server) {
	t.Helper()
	s := &server{t: t, script: script}
	running := httptest.NewServer(checked(t, s))
	t.Cleanup(running.Close)
	t.Cleanup(func() {
		for route, left := range s.script {
			if len(left) > 0 {
				t.Errorf("%d answers to %s were not asked for", len(left), route)
			}
		}
	})
	f, err := New(Config{
		URL: running.URL, Project: "group/project", Token: testToken, Now: s.now,
		Observe: func(c Call) {
			s.mu.Lock()
			defer s.mu.Unlock()
			c.Duration = 0
			s.calls = append(s.calls, c)
		},
		Sleep: func(ctx context.Context, d time.Duration) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.waits, s.waited = append(s.waits, d), s.waited+d
			return ctx.Err()
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return f, s
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
	data, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
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
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the redirect to another host was followed")
	}))
	defer elsewhere.Close()
	f, _ := play(t, map[string][]answer{
		"GET " + project: {{status: 301, header: map[string]string{"Location": elsewhere.URL + "/api/v4/projects/9"}}},
	})
	_, err := f.Settings(t.Context())
	api, ok := errors.AsType[*promote.APIError](err)
	if !ok || api.Status != 301 || !strings.Contains(api.Remedy, elsewhere.URL) {
		t.Errorf("got %v", err)
	}
}

func TestARedirectedWriteDoesNotBecomeARead(t *testing.T) {
	f, _ := play(t, map[string][]answer{
		"POST " + project + "/merge_requests": {{status: 301, header: map[string]string{"Location": "/api/v4/projects/9/merge_requests"}}},
	})
	_, err := f.Open(t.Context(), testDraft())
	if api, ok := errors.AsType[*promote.APIError](err); !ok || api.Status != 301 {
		t.Errorf("got %v", err)
	}
}

func TestARenamedProjectIsStillRead(t *testing.T) {
	f, s := play(t, map[string][]answer{
		"GET " + project:         {{status: 301, header: map[string]string{"Location": "/api/v4/projects/9"}}},
		"GET /api/v4/projects/9": {{status: 200, body: `{"path_with_namespace":"new/name","merge_pipelines_enabled":true}`}},
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
