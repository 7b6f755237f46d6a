package devargo_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/argocd"
	"github.com/lockkeeper/lockkeeper/internal/argocd/devargo"
)

func TestSyncGoesThroughItsPhases(t *testing.T) {
	for _, test := range []struct {
		name   string
		config devargo.Config
		fault  *devargo.Fault
		want   []string
	}{
		{"at once", devargo.Config{}, nil, []string{
			"2222 OutOfSync Healthy requested Running",
			"2222 OutOfSync Healthy Succeeded (not looked at)",
			"2222 Synced Progressing Succeeded",
			"2222 Synced Healthy Succeeded",
			"2222 Synced Healthy Succeeded",
		}},
		{"over some looks", devargo.Config{Polls: 1}, nil, []string{
			"2222 OutOfSync Healthy requested Running",
			"2222 OutOfSync Healthy requested Running",
			"2222 OutOfSync Healthy Succeeded (not looked at)",
			"2222 Synced Progressing Succeeded",
			"2222 Synced Progressing Succeeded",
			"2222 Synced Healthy Succeeded",
		}},
		{"over some time", devargo.Config{Latency: 15 * time.Second}, nil, []string{
			"2222 OutOfSync Healthy requested Running",
			"2222 OutOfSync Healthy requested Running",
			"2222 OutOfSync Healthy Succeeded (not looked at)",
			"2222 Synced Progressing Succeeded",
			"2222 Synced Progressing Succeeded",
			"2222 Synced Healthy Succeeded",
		}},
		{"to a failure", devargo.Config{}, new(devargo.FailSync("no")), []string{
			"2222 OutOfSync Healthy requested Running",
			"2222 OutOfSync Healthy Failed (not looked at)",
			"2222 OutOfSync Healthy Failed",
			"2222 OutOfSync Healthy Failed",
		}},
		{"to degraded", devargo.Config{}, new(devargo.Degraded("no")), []string{
			"2222 OutOfSync Healthy requested Running",
			"2222 OutOfSync Healthy Succeeded (not looked at)",
			"2222 Synced Progressing Succeeded",
			"2222 Synced Degraded Succeeded",
			"2222 Synced Degraded Succeeded",
		}},
		{"into a standstill", devargo.Config{}, new(devargo.Stuck()), []string{
			"2222 OutOfSync Healthy requested Running",
			"2222 OutOfSync Healthy Succeeded (not looked at)",
			"2222 Synced Progressing Succeeded",
			"2222 Synced Progressing Succeeded",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, test.config)
			r.put(devargo.App{Live: true})
			if test.fault != nil {
				r.fail(*test.fault)
			}
			r.push(next)
			if got := r.look("&refresh=normal"); got != "2222 OutOfSync Healthy" {
				t.Fatalf("after the refresh: %s", got)
			}
			if answer := r.do("POST", "/api/v1/applications/dev/sync", `{"project":"develop","revision":"`+next+`"}`); answer.Code != 200 {
				t.Fatalf("sync: %d %s", answer.Code, answer.Body)
			}
			if diff := cmp.Diff(test.want, r.watch(len(test.want), 10*time.Second)); diff != "" {
				t.Errorf("looks (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAutomatedSyncFollowsTheBranch(t *testing.T) {
	r := newRig(t, devargo.Config{})
	r.put(devargo.App{Live: true, AutoSync: true})
	r.push(next)
	if got := r.look("&refresh=normal"); got != "2222 OutOfSync Healthy requested" {
		t.Errorf("after the refresh: %s", got)
	}
	want := []string{
		"2222 OutOfSync Healthy requested Running",
		"2222 OutOfSync Healthy Succeeded (not looked at)",
		"2222 Synced Progressing Succeeded",
		"2222 Synced Healthy Succeeded",
	}
	if diff := cmp.Diff(want, r.watch(4, time.Second)); diff != "" {
		t.Errorf("looks (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"argocd/dev@2222"}, r.synced); diff != "" {
		t.Errorf("OnSync (-want +got):\n%s", diff)
	}
}

func TestAutomatedSyncDoesNotRepeatAFailure(t *testing.T) {
	r := newRig(t, devargo.Config{})
	r.put(devargo.App{Live: true, AutoSync: true})
	r.fail(devargo.FailSync("no"))
	r.push(next)
	r.look("&refresh=normal")
	r.watch(3, time.Second)
	if got := r.look("&refresh=hard"); got != "2222 OutOfSync Healthy Failed" {
		t.Errorf("after another refresh: %s", got)
	}
}

func TestACommitElsewhereLeavesTheApplicationSynced(t *testing.T) {
	r := newRig(t, devargo.Config{
		Content: func(_ context.Context, source devargo.Source, _ string) (string, error) { return source.Path, nil },
	})
	r.put(devargo.App{Live: true})
	r.push(next)
	if got := r.look("&refresh=normal"); got != "2222 Synced Healthy" {
		t.Errorf("after the refresh: %s", got)
	}
}

func TestThePushIsNoticedEventually(t *testing.T) {
	r := newRig(t, devargo.Config{})
	r.put(devargo.App{Live: true})
	r.push(next)
	r.pass(time.Minute)
	if got := r.look(""); got != "1111 Synced Healthy" {
		t.Errorf("after a minute: %s", got)
	}
	r.pass(2 * time.Minute)
	if got := r.look(""); got != "2222 OutOfSync Healthy" {
		t.Errorf("after three minutes: %s", got)
	}
	r.push(first)
	r.server.Notify(t.Context(), "https://git.example.com/other")
	if got := r.look(""); got != "2222 OutOfSync Healthy" {
		t.Errorf("after a push elsewhere: %s", got)
	}
	r.server.Notify(t.Context(), repo)
	if got := r.look(""); got != "1111 Synced Healthy" {
		t.Errorf("after a push: %s", got)
	}
}

func TestABranchThatIsGoneIsAComparisonError(t *testing.T) {
	r := newRig(t, devargo.Config{})
	r.put(devargo.App{Live: true})
	r.put(devargo.App{Sources: []devargo.Source{{RepoURL: repo, TargetRevision: "gone"}}})
	if got := r.look("&refresh=normal"); got != "1111 Unknown Unknown" {
		t.Errorf("after the branch went: %s", got)
	}
	status := r.server.Apps(t.Context())[0]
	if !strings.Contains(status.Condition, "unable to resolve 'gone' to a commit SHA") {
		t.Errorf("condition %q", status.Condition)
	}
	r.put(devargo.App{})
	if got := r.look("&refresh=normal"); got != "1111 Synced Healthy" {
		t.Errorf("after it came back: %s", got)
	}
	if err := r.server.Put(t.Context(), devargo.App{Ref: argocd.Ref{Name: "x", Project: "p"}, Sources: []devargo.Source{{RepoURL: repo, TargetRevision: "gone"}}}); err == nil {
		t.Error("a new application with a branch that is gone: no error")
	}
}

func TestErrorsAreArgoCDs(t *testing.T) {
	r := newRig(t, devargo.Config{})
	r.put(devargo.App{Live: true, AutoSync: true})
	const app = "/api/v1/applications/dev"
	for _, test := range []struct {
		name, method, target, body string
		fault                      *devargo.Fault
		status                     int
		text                       string
	}{
		{"missing, without a project", "GET", "/api/v1/applications/gone", "", nil, 403, `"permission denied"`},
		{"missing, with a project", "GET", "/api/v1/applications/gone?project=develop", "", nil, 404, `applications.argoproj.io \"gone\" not found`},
		{"present, with another project", "GET", app + "?project=live", "", nil, 404, "not found"},
		{"present, without a project", "GET", app, "", nil, 200, `"name":"dev"`},
		{"in another namespace", "GET", app + "?project=develop&appNamespace=x", "", nil, 404, "not found"},
		{"forbidden, without a project", "GET", app, "", new(devargo.Forbid("get")), 403, `"permission denied"`},
		{"forbidden, with the project", "GET", app + "?project=develop", "", new(devargo.Forbid("get")), 403, "applications, get, develop/dev"},
		{"an unknown kind of refresh", "GET", app + "?refresh=soft", "", nil, 400, "invalid refresh type"},
		{"a sync of what is missing", "POST", "/api/v1/applications/gone/sync", `{}`, nil, 403, "permission denied"},
		{"a sync of another project's", "POST", app + "/sync", `{"project":"live"}`, nil, 404, "not found"},
		{"a sync that is forbidden", "POST", app + "/sync", `{}`, new(devargo.Forbid("sync")), 403, "applications, sync, develop/dev"},
		{"a sync outside of the windows", "POST", app + "/sync", `{}`, new(devargo.SyncWindow()), 403, "cannot sync: blocked by sync window"},
		{"a foreign revision under automated sync", "POST", app + "/sync", `{"revision":"` + next + `"}`, nil, 400, "Cannot sync to " + next + ": auto-sync currently set to main"},
		{"revisions for a single source", "POST", app + "/sync", `{"revisions":["a"],"sourcePositions":["1"]}`, nil, 400, "several sources"},
		{"positions without revisions", "POST", app + "/sync", `{"sourcePositions":["1"]}`, nil, 400, "same length"},
		{"nothing to terminate", "DELETE", app + "/operation", "", nil, 400, "No operation is in progress"},
		{"a proxy in front", "GET", app, "", new(devargo.Status(502).Times(1)), 502, "<html>"},
		{"an accident", "GET", app, "", new(devargo.Status(500)), 500, `"code":13`},
		{"an expired token", "GET", app, "", new(devargo.Status(401)), 401, `"code":16`},
		{"an unreadable selector", "GET", "/api/v1/applications?selector=a+b", "", nil, 400, "unable to parse"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r.t = t
			if test.fault != nil {
				r.fail(*test.fault)
				defer r.server.Heal(ref)
			}
			answer := r.do(test.method, test.target, test.body)
			if answer.Code != test.status || !strings.Contains(answer.Body.String(), test.text) {
				t.Errorf("%d %s, want %d with %q", answer.Code, answer.Body, test.status, test.text)
			}
		})
	}
}

func TestOneOperationAtATime(t *testing.T) {
	r := newRig(t, devargo.Config{Polls: 5})
	r.put(devargo.App{Live: true})
	const syncPath = "/api/v1/applications/dev/sync"
	if answer := r.do("POST", syncPath, `{"revision":"nowhere"}`); answer.Code != 400 || !strings.Contains(answer.Body.String(), "unable to resolve") {
		t.Errorf("an unknown revision: %d %s", answer.Code, answer.Body)
	}
	answer := r.do("POST", syncPath, `{"revision":"`+next+`","infos":[{"name":"n","value":"v"}]}`)
	if answer.Code != 200 || !strings.Contains(answer.Body.String(), `"info":[{"name":"n","value":"v"}]`) || strings.Contains(answer.Body.String(), "operationState") {
		t.Errorf("the first: %d %s", answer.Code, answer.Body)
	}
	if answer := r.do("POST", syncPath, `{}`); answer.Code != 400 || !strings.Contains(answer.Body.String(), "another operation is already in progress") {
		t.Errorf("the second: %d %s", answer.Code, answer.Body)
	}
	if answer := r.do("DELETE", "/api/v1/applications/dev/operation", ""); answer.Code != 200 {
		t.Errorf("terminate: %d %s", answer.Code, answer.Body)
	}
	if got := r.server.Apps(t.Context())[0]; got.Phase != argocd.PhaseFailed || got.Message != "Operation terminated" || len(r.synced) > 0 {
		t.Errorf("terminated: %+v, applied %v", got, r.synced)
	}
}

func TestADryRunChangesNothing(t *testing.T) {
	r := newRig(t, devargo.Config{})
	r.put(devargo.App{Live: true})
	r.push(next)
	r.look("&refresh=normal")
	if answer := r.do("POST", "/api/v1/applications/dev/sync", `{"dryRun":true}`); answer.Code != 200 {
		t.Fatalf("sync: %d %s", answer.Code, answer.Body)
	}
	seen := r.watch(4, time.Second)
	if got := seen[len(seen)-1]; got != "2222 OutOfSync Healthy Succeeded" || len(r.synced) > 0 {
		t.Errorf("afterwards: %s, applied %v", got, r.synced)
	}
}

func TestWhoIsNotLoggedIn(t *testing.T) {
	r := newRig(t, devargo.Config{})
	r.put(devargo.App{})
	for _, test := range []struct {
		authorization, target string
		status                int
		text                  string
	}{
		{"", "/api/v1/applications/dev", 401, "no session information"},
		{"Bearer wrong", "/api/v1/applications/dev", 401, "invalid session"},
		{"Bearer ", "/api/v1/applications", 401, "invalid session"},
		{"", "/api/v1/session/userinfo", 200, `{"loggedIn":false}`},
		{"", "/api/version", 200, `"Version":"v3.6.1`},
	} {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, test.target, nil)
		if test.authorization != "" {
			request.Header.Set("Authorization", test.authorization)
		}
		answer := httptest.NewRecorder()
		r.handler.ServeHTTP(answer, request)
		if answer.Code != test.status || !strings.Contains(answer.Body.String(), test.text) {
			t.Errorf("%q on %s: %d %s, want %d with %q", test.authorization, test.target, answer.Code, answer.Body, test.status, test.text)
		}
	}
}

func TestTheContentTypeIsTakenLiterally(t *testing.T) {
	r := newRig(t, devargo.Config{})
	for contentType, want := range map[string]int{
		"application/json":                http.StatusForbidden, // beyond the filter, there is no such application
		"application/json; charset=utf-8": http.StatusUnsupportedMediaType,
		"text/plain":                      http.StatusUnsupportedMediaType,
		"":                                http.StatusUnsupportedMediaType,
	} {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/v1/applications/dev/sync", strings.NewReader("{}"))
		request.Header.Set("Authorization", "Bearer "+token)
		request.Header.Set("Content-Type", contentType)
		answer := httptest.NewRecorder()
		r.server.ServeHTTP(answer, request)
		if answer.Code != want {
			t.Errorf("%q: %d, want %d", contentType, answer.Code, want)
		}
	}
}

func TestListsAreMaskedAndNothingElse(t *testing.T) {
	r := newRig(t, devargo.Config{})
	r.put(devargo.App{Live: true, Resources: []devargo.Resource{{Group: "apps", Kind: "Deployment", Name: "web"}}})
	const meta = `"metadata":{"resourceVersion":"1"}`
	for target, want := range map[string]string{
		"/api/v1/applications?fields=items.metadata.name,items.status.sync.status": `{"items":[{"metadata":{"name":"dev"},"status":{"sync":{"status":"Synced"}}}],` + meta + `}`,
		"/api/v1/applications?fields=items.status.sync.revision":                   `{"items":[{}],` + meta + `}`,
		"/api/v1/applications?fields=metadata.name":                                `{"items":[{}],` + meta + `}`,
		"/api/v1/applications?names=other&fields=items.spec":                       `{"items":[],` + meta + `}`,
		"/api/v1/applications?selector=a%3D%3Db&fields=items.spec":                 `{"items":[],` + meta + `}`,
		"/api/v1/account/can-i/applications/sync/develop/dev":                      `{"value":"yes"}`,
		"/api/v1/account/can-i/clusters/get/everything":                            `{"value":"no"}`,
		"/api/v1/account/can-i/applications/get/develop/argocd/dev":                `{"value":"yes"}`,
	} {
		if answer := r.do("GET", target, ""); answer.Code != 200 || answer.Body.String() != want {
			t.Errorf("%s: %d %s, want %s", target, answer.Code, answer.Body, want)
		}
	}
	for target, part := range map[string]string{
		"/api/v1/applications/dev?fields=metadata.name":                                        `"reconciledAt"`,
		"/api/v1/applications/dev/resource-tree?fields=nodes.kind":                             `"group":"apps"`,
		"/api/v1/applications?fields=-items.spec,items.status.health,items.metadata.namespace": `"items":[{"metadata":{"creationTimestamp":"2026-05-01T12:00:00Z","name":"dev"},"status":{"sync":{"status":"Synced"}}}]`,
	} {
		if answer := r.do("GET", target, ""); answer.Code != 200 || !strings.Contains(answer.Body.String(), part) {
			t.Errorf("%s: %d %s, want %s in it", target, answer.Code, answer.Body, part)
		}
	}
}

func TestManyLookAtOnce(t *testing.T) {
	r := newRig(t, devargo.Config{Polls: 3})
	r.put(devargo.App{Live: true, AutoSync: true})
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for range 20 {
				switch i % 4 {
				case 0:
					r.push(next)
					r.server.Notify(context.WithoutCancel(t.Context()), repo)
				case 1:
					r.server.Apps(context.WithoutCancel(t.Context()))
				case 2:
					r.do("POST", "/api/v1/applications/dev/sync", `{}`)
				default:
					r.do("GET", "/api/v1/applications/dev?refresh=normal", "")
				}
				r.pass(time.Second)
			}
		})
	}
	group.Wait()
	if len(r.synced) == 0 {
		t.Error("nothing was ever synced")
	}
}

func TestPutNeedsAProjectAndASource(t *testing.T) {
	r := newRig(t, devargo.Config{})
	for _, app := range []devargo.App{{}, {Ref: ref}, {Ref: argocd.Ref{Name: "x"}, Sources: []devargo.Source{{RepoURL: repo}}}} {
		if err := r.server.Put(t.Context(), app); err == nil {
			t.Errorf("%+v: no error", app)
		}
	}
	if err := r.server.Fail(argocd.Ref{Name: "x"}, devargo.Hang()); err == nil {
		t.Error("a fault on nothing: no error")
	}
	if _, err := devargo.New(devargo.Config{}); err == nil {
		t.Error("no token: no error")
	}
}
