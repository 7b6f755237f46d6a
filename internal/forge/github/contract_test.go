package github

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/contract"
	"github.com/lockkeeper/lockkeeper/internal/contract/contracttest"
	"github.com/lockkeeper/lockkeeper/promote"
)

// answering answers each request by what it asks for, well enough for the adapter to go on, and notes its route.
type answering struct {
	t    *testing.T
	mu   sync.Mutex
	made map[string]bool
}

func (a *answering) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		a.t.Error(err)
	}
	route := routeOf(r, body)
	a.mu.Lock()
	a.made[route] = true
	a.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if _, err := io.WriteString(w, a.answer(route, r)); err != nil {
		a.t.Error(err)
	}
}

func (a *answering) answer(route string, r *http.Request) string {
	state := map[string]any{"mergeStateStatus": "BLOCKED"}
	switch {
	case route == "OpenChanges":
		return changesJSON(a.t, "", nodeOf(nil))
	case route == "Merge":
		return prospectJSON(a.t, state, nil).Body
	case route == "Requirements":
		return requirementsJSON(a.t, "PENDING", nil).Body
	case route == "Viewer":
		return viewerJSON
	case !strings.Contains(route, "/"):
		return changeJSON(a.t, nil)
	case strings.HasSuffix(route, "/access_tokens"):
		return fmt.Sprintf(`{"token":"ghs_one","expires_at":%q}`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	case strings.HasSuffix(route, "/installation"), strings.HasPrefix(route, "GET /app/installations/"):
		return installedJSON
	case strings.HasSuffix(route, "/check-runs") && r.Method == http.MethodGet:
		return `{"check_runs":[]}`
	case strings.HasSuffix(route, "/pulls") && r.Method == http.MethodGet:
		return "[" + pullJSON(a.t, map[string]any{"draft": true, "title": "old"}) + "]"
	case strings.HasSuffix(route, "/pulls"), strings.HasSuffix(route, "/pulls/7"):
		return pullJSON(a.t, map[string]any{"state": "closed", "labels": nil})
	case r.Method == http.MethodGet && (strings.HasSuffix(route, "s") || strings.Contains(route, "/rules/")):
		return "[]"
	}
	return `{"id":5,"merged":true,"slug":"lockkeeper","state":"active","output":{"annotations_count":50}}`
}

// TestGitHubDescribesEveryRequest makes each request that the adapter can make, and lets GitHub's own descriptions judge it: path,
// query, body, and no field that GitHub does not know.
func TestGitHubDescribesEveryRequest(t *testing.T) {
	answers := &answering{t: t, made: map[string]bool{}}
	rest, graphql := contracttest.Open(t, contract.GitHub).Under("/api/v3"), contracttest.OpenSchema(t, contract.GitHubGraphQL)
	described := http.NewServeMux()
	described.Handle("/api/graphql", graphql.Handler(answers, contracttest.Requests(t)))
	described.Handle("/", rest.Handler(answers, contracttest.Requests(t)))
	running := httptest.NewServer(described)
	defer running.Close()
	app, err := NewApp(AppConfig{URL: running.URL, ID: 17, PrivateKey: testPEM()})
	if err != nil {
		t.Fatal(err)
	}
	known, err := NewApp(AppConfig{URL: running.URL, ID: 17, PrivateKey: testPEM(), Installations: map[string]int64{"acme": 3}})
	if err != nil {
		t.Fatal(err)
	}
	for _, cfg := range []Config{
		{Token: testToken},
		{App: app, Checks: true},
		{App: known},
	} {
		cfg.URL, cfg.Repository = running.URL, "acme/shop"
		f, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		everything(t, f)
	}
	sha := string(head)
	want := map[string]bool{}
	for _, route := range []string{
		"OpenChanges", "Change", "Reviews", "Merge", "Requirements", "Enqueue", "AutoMerge", "NoAutoMerge", "Dequeue", "ToDraft", "Ready", "Viewer",
		"GET …", "GET …/installation", "GET /app", "GET /app/installations/3", "POST /app/installations/3/access_tokens",
		"GET …/pulls", "POST …/pulls", "PATCH …/pulls/7", "PATCH …/issues/7", "POST …/pulls/7/requested_reviewers", "PUT …/pulls/7/merge",
		"Threads", "Resolve", "Unresolve", "POST …/pulls/7/comments", "GET …/pulls/7/comments", "POST …/pulls/7/comments/11/replies", "GET …/pulls/7/reviews/11", "PATCH …/pulls/comments/11",
		"POST …/pulls/comments/11/reactions",
		"GET …/issues/7/comments", "POST …/issues/7/comments", "PATCH …/issues/comments/11", "POST …/issues/comments/11/reactions",
		"GET …/commits/" + sha + "/statuses", "POST …/statuses/" + sha, "GET …/commits/" + sha + "/check-runs", "POST …/check-runs",
		"PATCH …/check-runs/5", "GET …/check-runs/5", "GET …/collaborators/lea/permission", "GET /orgs/acme/teams/ops/memberships/lea",
		"GET …/deployments", "POST …/deployments", "GET …/deployments/5/statuses", "POST …/deployments/5/statuses",
		"GET …/rules/branches/main", "GET …/branches/main",
	} {
		want[route] = true
	}
	if diff := cmp.Diff(want, answers.made); diff != "" {
		t.Error(diff)
	}
}

// calls are all that the adapter can be asked for.
func calls(t *testing.T, f *Forge) map[string]func() error {
	t.Helper()
	ctx := t.Context()
	draft := testDraft()
	draft.Draft, draft.Assignees, draft.Reviewers = true, []string{"lea"}, []string{"max", "acme/ops"}
	wish := order{number: 7, head: head, message: "Title\n\nBody"}
	now := prospect{node: node{ID: "PR_7", Number: 7, HeadRefOid: string(head)}, methods: []string{"merge"}}
	return map[string]func() error{
		"OpenChanges": func() error { _, err := f.OpenChanges(ctx); return err },
		"ChangesFrom": func() error { _, err := f.ChangesFrom(ctx, "lockkeeper/develop/dev"); return err },
		"Change":      func() error { _, err := f.Change(ctx, 7); return err },
		"Approvals":   func() error { _, err := f.Approvals(ctx, 7); return err },
		"Open":        func() error { _, err := f.Open(ctx, draft); return err },
		"open already": func() error {
			ready := testDraft()
			_, err := f.openAlready(ctx, ready, promote.ErrInvalid)
			return err
		},
		"ToDraft": func() error { return f.setDraft(ctx, pull{ID: "PR_7", Number: 7}, true) },
		"Ready":   func() error { return f.setDraft(ctx, pull{ID: "PR_7", Number: 7}, false) },
		"Update":  func() error { return f.Update(ctx, 7, promote.ChangeEdit{Title: "x"}) },
		"Close":   func() error { return f.Close(ctx, 7) },
		"Merge":   func() error { _, err := f.Merge(ctx, 7, head, "message"); return err },
		"Unqueue": func() error {
			var queued prospect
			data := `{"id":"PR_7","autoMergeRequest":{"enabledAt":"2026-01-01T00:00:00Z"},"mergeQueueEntry":{"state":"QUEUED","position":1}}`
			return errors.Join(json.Unmarshal([]byte(data), &queued), f.leave(ctx, 7, queued))
		},
		"merge now":  func() error { _, err := f.mergeNow(ctx, wish, now); return err },
		"enqueue":    func() error { _, err := f.enqueue(ctx, wish, now); return err },
		"Status":     func() error { _, _, err := f.Status(ctx, head, promote.StatusName); return err },
		"PostStatus": func() error { return f.PostStatus(ctx, manyAnnotations(120)) },
		"change run": func() error {
			old := post{found: true, run: checkRun{ID: 5}}
			return f.postRun(ctx, gates(promote.StatusSuccess), old)
		},
		"lost page": func() error {
			_, err := f.get(ctx, request{name: "read check run", path: f.runPath(5)}, &checkRun{})
			return err
		},
		"lost note":   func() error { _, err := f.addedAlready(ctx, 7, promote.Note{CreatedAt: testNow}, nil); return err },
		"Notes":       func() error { _, err := f.Notes(ctx, 7); return err },
		"AddNote":     func() error { _, err := f.AddNote(ctx, 7, "text"); return err },
		"EditNote":    func() error { return f.EditNote(ctx, 7, 11, "text") },
		"React":       func() error { return f.React(ctx, 7, 11, promote.ReactionSeen) },
		"remarks":     func() error { _, err := f.Around(ctx, 7, remarks|11); return err },
		"review":      func() error { _, err := f.Around(ctx, 7, reviews|11); return err },
		"Reply":       func() error { _, err := f.Reply(ctx, 7, "11", "text"); return err },
		"edit remark": func() error { return f.EditNote(ctx, 7, remarks|11, "text") },
		"react there": func() error { return f.React(ctx, 7, remarks|11, promote.ReactionSeen) },
		"lost reply": func() error {
			_, err := f.repliedAlready(ctx, 7, promote.Note{CreatedAt: testNow}, nil)
			return err
		},
		"OwnThreads": func() error { _, err := f.OwnThreads(ctx, 7); return err },
		"OpenThreads": func() error {
			return f.OpenThreads(ctx, 7, head, []promote.ThreadDraft{{Path: "a.yaml", Line: 3, Body: "text"}, {Path: "a.yaml", Body: "text"}})
		},
		"Resolve":    func() error { return f.Resolve(ctx, 7, "PRRT_1", true) },
		"Unresolve":  func() error { return f.Resolve(ctx, 7, "PRRT_1", false) },
		"Self":       func() error { _, err := f.Self(ctx); return err },
		"Permission": func() error { _, err := f.Permission(ctx, promote.Person{Name: "lea"}); return err },
		"InGroup":    func() error { _, err := f.InGroup(ctx, "acme/ops", "lea"); return err },
		"Deploy":     func() error { return f.Deploy(ctx, deployment(promote.DeploymentRunning)) },
		"old state":  func() error { _, err := f.newestState(ctx, 5); return err },
		"Settings":   func() error { _, err := f.SettingsOf(ctx, "main"); return err },
	}
}

func everything(t *testing.T, f *Forge) {
	t.Helper()
	for name, call := range calls(t, f) {
		if err := call(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// askEverything calls all that only asks, whatever the answers are.
func askEverything(t *testing.T, f *Forge) {
	t.Helper()
	for _, name := range []string{"OpenChanges", "ChangesFrom", "Change", "Approvals", "Status", "Notes", "remarks", "review", "OwnThreads", "Permission", "InGroup", "Settings", "old state"} {
		_ = calls(t, f)[name]() // An error is an answer too.
	}
}
