package gitlab

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/internal/forge/adaptertest"
	"github.com/lockkeeper/lockkeeper/promote"
)

func TestInstanceTellsItsVersionAndItsTime(t *testing.T) {
	for _, test := range []struct {
		name, date string
		want       forge.Instance
	}{
		{"its clock is right", "Sat, 21 Nov 2026 12:00:00 GMT", forge.Instance{Version: "19.2.0", ClockKnown: true}},
		{"its clock is ahead", "Sat, 21 Nov 2026 12:02:00 GMT", forge.Instance{Version: "19.2.0", Ahead: 2 * time.Minute, ClockKnown: true}},
		{"its clock cannot be read", "yesterday", forge.Instance{Version: "19.2.0"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, _ := play(t, map[string][]answer{"GET /api/v4/version": {{Status: 200, Body: `{"version":"19.2.0"}`, Header: map[string]string{"Date": test.date}}}})
			got, err := f.Instance(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTokenTellsWhatItIsFor(t *testing.T) {
	member := answer{Status: 200, Body: `{"state":"active","access_level":40}`}
	for _, test := range []struct {
		name, user string
		member     answer
		token      answer
		want       Token
	}{
		{
			"a personal one that ends", "ada", member,
			answer{Status: 200, Body: `{"scopes":["api"],"expires_at":"2027-01-02"}`},
			Token{AccessPersonal, "ada", promote.PermissionMaintain, []string{"api"}, time.Date(2027, 1, 2, 0, 0, 0, 0, time.UTC)},
		},
		{
			"one of the project", "project_7_bot_0123", member,
			answer{Status: 200, Body: `{"scopes":["api"],"expires_at":"2027-01-02T00:00:00Z"}`},
			Token{AccessProject, "project_7_bot_0123", promote.PermissionMaintain, []string{"api"}, time.Date(2027, 1, 2, 0, 0, 0, 0, time.UTC)},
		},
		{
			"one of a group, which is no member", "group_7_bot",
			answer{Status: 404, Body: `{"message":"404 Not found"}`},
			answer{Status: 200, Body: `{"scopes":["read_api"],"expires_at":null}`},
			Token{Kind: AccessGroup, User: "group_7_bot", Scopes: []string{"read_api"}},
		},
		{
			"one of OAuth", "ada", member,
			answer{Status: 404, Body: `{"message":"404 Not Found"}`},
			Token{Kind: AccessUnknown, User: "ada", Role: promote.PermissionMaintain},
		},
		{
			"one that ends at a time nobody can read", "ada", member,
			answer{Status: 200, Body: `{"scopes":["api"],"expires_at":"when it likes"}`},
			Token{Kind: AccessPersonal, User: "ada", Role: promote.PermissionMaintain, Scopes: []string{"api"}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, _ := play(t, map[string][]answer{
				"GET /api/v4/user":                        {{Status: 200, Body: `{"id":5,"username":"` + test.user + `"}`}},
				"GET " + project + "/members/all/5":       {test.member},
				"GET /api/v4/personal_access_tokens/self": {test.token},
			})
			got, err := f.Token(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestProtectionsSayWhoMay(t *testing.T) {
	f, _ := play(t, map[string][]answer{"GET " + project + "/protected_branches": {{Status: 200, Body: `[
		{"name":"main","push_access_levels":[{"access_level":0}],"merge_access_levels":[{"access_level":30},{"access_level":null,"user_id":9}]},
		{"name":"lockkeeper/*","push_access_levels":[{"access_level":40,"deploy_key_id":3},{"access_level":40,"group_id":4}],"allow_force_push":true}
	]`}}})
	got, err := f.Protections(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []Protection{
		{Name: "main", Push: []Grant{{}}, Merge: []Grant{{Level: promote.PermissionWrite}, {UserID: 9}}},
		{Name: "lockkeeper/*", ForcePush: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestABranchIsProtectedOnce(t *testing.T) {
	f, s := play(t, map[string][]answer{"POST " + project + "/protected_branches": {
		{Status: 201, Body: `{}`}, {Status: 409, Body: `{"message":"Protected branch 'lockkeeper/ledger' already exists"}`}, {Status: 403, Body: `{"message":"403 Forbidden"}`},
	}})
	for _, want := range []error{nil, nil, promote.ErrForbidden} {
		if err := f.Protect(t.Context(), promote.LedgerBranch, promote.PermissionWrite); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	if want := `{"allow_force_push":false,"merge_access_level":30,"name":"lockkeeper/ledger","push_access_level":30}`; s.Got[0].Body != want {
		t.Errorf("sent %s", s.Got[0].Body)
	}
}

const hookText = `{"id":4,"url":"https://bot.example.com/webhook/gitlab","push_events":true,"note_events":true,"enable_ssl_verification":true,` +
	`"alert_status":"temporarily_disabled","token_present":false,"signing_token_present":true}`

func TestHooksShowWhatTheySend(t *testing.T) {
	f, _ := play(t, map[string][]answer{
		"GET " + project + "/hooks":          {{Status: 200, Body: "[" + hookText + `,{"id":5,"url":"https://old.example.com","alert_status":"executable"}]`}},
		"GET " + project + "/hooks/4/events": {{Status: 200, Body: `[{"trigger":"note_hooks","response_status":"401"},{"trigger":"push_hooks","response_status":"internal error"}]`}},
	})
	hooks, err := f.Hooks(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	want := []Hook{
		{ID: 4, URL: "https://bot.example.com/webhook/gitlab", Events: []string{"note", "push"}, Verify: true, Secret: true, Disabled: true},
		{ID: 5, URL: "https://old.example.com", Secret: true},
	}
	if diff := cmp.Diff(want, hooks); diff != "" {
		t.Error(diff)
	}
	deliveries, err := f.Deliveries(t.Context(), 4)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Delivery{{"note", 401}, {"push", 0}}, deliveries); diff != "" {
		t.Error(diff)
	}
}

func TestAHookIsMadeOnce(t *testing.T) {
	edit := HookEdit{URL: "https://bot.example.com/webhook/gitlab", Token: "s3cret"}
	create, lookup := "POST "+project+"/hooks", "GET "+project+"/hooks"
	for _, test := range []struct {
		name   string
		script map[string][]answer
		id     int
		want   error
	}{
		{"it is made", map[string][]answer{create: {{Status: 201, Body: hookText}}}, 4, nil},
		{"the answer is lost, it is there", map[string][]answer{create: {{Status: 0, Body: ""}}, lookup: {{Status: 200, Body: "[" + hookText + "]"}}}, 4, nil},
		{"no answer, it is not there", map[string][]answer{create: {{Status: 502, Body: ""}}, lookup: {{Status: 200, Body: "[]"}}}, 0, &promote.APIError{}},
		{"it is refused", map[string][]answer{create: {{Status: 403, Body: `{"message":"403 Forbidden s3cret"}`}}}, 0, promote.ErrForbidden},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, s := play(t, test.script)
			hook, err := f.SetHook(t.Context(), edit)
			if (err == nil) != (test.want == nil) || errors.Is(test.want, promote.ErrForbidden) && !errors.Is(err, promote.ErrForbidden) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the secret shows: %v", err)
			}
			if hook.ID != test.id {
				t.Errorf("hook %d, want %d", hook.ID, test.id)
			}
			want := `{"enable_ssl_verification":true,"merge_requests_events":true,"note_events":true,"pipeline_events":true,"push_events":true,` +
				`"push_events_branch_filter":"","tag_push_events":true,"token":"s3cret","url":"https://bot.example.com/webhook/gitlab"}`
			if s.Got[0].Body != want {
				t.Errorf("sent %s", s.Got[0].Body)
			}
		})
	}
}

// The webhooks of groups are not in the description at hand; their fields are those of projects (doc/api/group_webhooks.md).
func TestAHookOfAGroupIsEdited(t *testing.T) {
	s := newServer(t, map[string][]answer{
		"GET /api/v4/groups/acme%2Fweb/hooks":   {{Status: 200, Body: "[" + hookText + "]"}},
		"PUT /api/v4/groups/acme%2Fweb/hooks/4": {{Status: 200, Body: hookText}},
	})
	f, err := New(Config{URL: adaptertest.Listen(t, s), Project: "group/project", Token: testToken})
	if err != nil {
		t.Fatal(err)
	}
	hooks, err := f.Hooks(t.Context(), "acme/web")
	if err != nil || len(hooks) != 1 {
		t.Fatalf("got %v, %v", hooks, err)
	}
	if _, err := f.SetHook(t.Context(), HookEdit{ID: hooks[0].ID, Group: "acme/web", URL: hooks[0].URL, SigningToken: "whsec_x", Trains: true}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(s.Got[1].Body, `"job_events":true`) || !strings.Contains(s.Got[1].Body, `"signing_token":"whsec_x"`) || strings.Contains(s.Got[1].Body, `"token"`) {
		t.Errorf("sent %s", s.Got[1].Body)
	}
}

func TestAHookIsTested(t *testing.T) {
	f, _ := play(t, map[string][]answer{"POST " + project + "/hooks/4/test/push_events": {
		{Status: 201, Body: `{"message":"201 Created"}`}, {Status: 422, Body: `{"message":"Error occurred"}`}, {Status: 403, Body: `{"message":"403 Forbidden"}`},
	}})
	for _, want := range []error{nil, nil, promote.ErrForbidden} {
		if err := f.TestHook(t.Context(), 4); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
}

func TestPipelinesAreRequired(t *testing.T) {
	f, s := play(t, map[string][]answer{
		"GET " + project: {{Status: 200, Body: `{"web_url":"https://gitlab.example.com/group/project","default_branch":"main","merge_trains_enabled":true,"merge_pipelines_enabled":true,"merge_method":"ff","only_allow_merge_if_all_status_checks_passed":true}`}},
		"PUT " + project: {{Status: 200, Body: `{}`}},
	})
	got, err := f.Project(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := Project{URL: "https://gitlab.example.com/group/project", DefaultBranch: "main", MergedResults: true, MergeTrains: true, ChecksMustSucceed: true, MergeMethod: "ff"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if err := f.RequirePipelines(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := `{"allow_merge_on_skipped_pipeline":false,"only_allow_merge_if_pipeline_succeeds":true}`; s.Got[1].Body != want {
		t.Errorf("sent %s", s.Got[1].Body)
	}
	if s.Got[1].Route != http.MethodPut+" "+project {
		t.Errorf("asked %s", s.Got[1].Route)
	}
}

func TestExternalChecksAreListedAndRequired(t *testing.T) {
	f, s := play(t, map[string][]answer{
		"GET " + project + "/external_status_checks": {{Status: 200, Body: `[{"id":3,"name":"lockkeeper","protected_branches":[]},{"id":4,"name":"qa","protected_branches":[{"id":1,"name":"release/*"}]}]`}},
		"PUT " + project: {{Status: 200, Body: `{}`}},
	})
	got, err := f.ExternalChecks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]ExternalCheck{{Name: "lockkeeper"}, {Name: "qa", Branches: []string{"release/*"}}}, got); diff != "" {
		t.Error(diff)
	}
	if err := f.RequireExternalChecks(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := `{"only_allow_merge_if_all_status_checks_passed":true}`; s.Got[1].Body != want {
		t.Errorf("sent %s", s.Got[1].Body)
	}
}

// TestExternalChecksThatThePlanLacks: GitLab answers 401 to a token that it accepts elsewhere.
func TestExternalChecksThatThePlanLacks(t *testing.T) {
	for status, want := range map[int]error{401: promote.ErrUnauthorized, 403: promote.ErrForbidden, 404: promote.ErrNotFound} {
		f, _ := play(t, map[string][]answer{"GET " + project + "/external_status_checks": {{Status: status, Body: `{}`}}})
		if _, err := f.ExternalChecks(t.Context()); !errors.Is(err, want) {
			t.Errorf("HTTP %d: %v", status, err)
		}
	}
}
