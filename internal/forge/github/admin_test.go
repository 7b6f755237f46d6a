package github

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/contract/contracttest"
	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/internal/forge/adaptertest"
	"github.com/lockkeeper/lockkeeper/promote"
)

// administered is a GitHub that is set up: it answers from a script, by "METHOD path" below the API.
type administered struct {
	*server
	t *testing.T
}

func administer(t *testing.T, script map[string][]answer) *administered {
	t.Helper()
	return &administered{server: newServer(t, script), t: t}
}

func (a *administered) listen() string {
	return adaptertest.Listen(a.t, contracttest.GitHub(a.t, a, contracttest.Answers))
}

func (a *administered) forge() *Forge {
	f, err := New(Config{URL: a.listen(), Repository: "acme/web", Token: "ghp_do-not-print-me", Now: a.Now})
	if err != nil {
		a.t.Fatal(err)
	}
	return f
}

// sent are the requests so far, each with its body.
func (a *administered) sent() []string {
	var out []string
	for i, route := range a.Routes() {
		out = append(out, strings.TrimSpace(route+" "+a.Got[i].Body))
	}
	return out
}

// appForge is a Forge of App 17. The script needs no token of an installation.
func (a *administered) appForge() *Forge {
	for route, got := range map[string]answer{
		"GET /repos/acme/web/installation":        ok(`{"id":3,"permissions":{"contents":"write"}}`),
		"POST /app/installations/3/access_tokens": created(`{"token":"ghs_do-not-print-me","expires_at":"2026-11-21T13:00:00Z"}`),
	} {
		a.Script[route] = append(a.Script[route], got)
		a.t.Cleanup(func() { delete(a.Script, route) }) // Not every test asks for it.
	}
	url := a.listen()
	app, err := NewApp(AppConfig{URL: url, ID: 17, PrivateKey: testPEM(), Now: func() time.Time { return testNow }})
	if err != nil {
		a.t.Fatal(err)
	}
	f, err := New(Config{URL: url, Repository: "acme/web", App: app, Now: func() time.Time { return testNow }})
	if err != nil {
		a.t.Fatal(err)
	}
	return f
}

func TestInstanceTellsItsTime(t *testing.T) {
	f := administer(t, map[string][]answer{"GET /meta": {
		{Status: 200, Body: `{"installed_version":"3.18.0","verifiable_password_authentication":true}`, Header: map[string]string{"Date": "Sat, 21 Nov 2026 11:58:00 GMT"}},
	}}).forge()
	got, err := f.Instance(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(forge.Instance{Version: "3.18.0", Ahead: -2 * time.Minute, ClockKnown: true}, got); diff != "" {
		t.Error(diff)
	}
}

// TestTheTimeIsToldToAnAppThatIsRefused: a wrong clock is why GitHub takes no JWT.
func TestTheTimeIsToldToAnAppThatIsRefused(t *testing.T) {
	date := map[string]string{"Date": testNow.Add(2 * time.Hour).UTC().Format(http.TimeFormat)}
	for _, test := range []struct {
		name   string
		script map[string][]answer
		is     error
	}{
		{
			"its JWT is not taken",
			map[string][]answer{"GET …/installation": {{Status: 401, Body: `{"message":"'Issued at' claim ('iat') must be an Integer"}`, Header: date}}},
			promote.ErrUnauthorized,
		},
		{
			"it is not installed there, and this is a GitHub",
			map[string][]answer{
				"GET …/installation": {{Status: 404, Body: `{"message":"Not Found"}`, Header: date}}, "GET /app": {{Status: 200, Body: `{"slug":"lockkeeper"}`, Header: date}},
			},
			nil,
		},
		{
			"this is no GitHub",
			map[string][]answer{"GET …/installation": {{Status: 404, Header: date}}, "GET /app": {{Status: 404, Header: date}}},
			promote.ErrNotFound,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var s *server
			f, s := playApp(t, &s, test.script)
			got, err := f.Instance(t.Context())
			if !errors.Is(err, test.is) || test.is == nil && err != nil {
				t.Errorf("got %v after %v, want %v", err, s.Routes(), test.is)
			}
			if diff := cmp.Diff(forge.Instance{Ahead: 2 * time.Hour, ClockKnown: true}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTokensTellWhatTheyAreFor(t *testing.T) {
	viewer := answer{Status: 200, Body: `{"data":{"viewer":{"login":"ada","databaseId":5}}}`}
	for _, test := range []struct {
		name   string
		header map[string]string
		want   Token
	}{
		{"classic", map[string]string{"X-OAuth-Scopes": "repo, read:org"}, Token{Kind: TokenClassic, User: "ada", Scopes: []string{"repo", "read:org"}}},
		{"classic without scopes", map[string]string{"X-OAuth-Scopes": ""}, Token{Kind: TokenClassic, User: "ada"}},
		{
			"fine-grained, with an end",
			map[string]string{"GitHub-Authentication-Token-Expiration": "2026-12-01 12:00:00 UTC"},
			Token{Kind: TokenFineGrained, User: "ada", Expires: time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)},
		},
		{
			"with an end in another zone",
			map[string]string{"GitHub-Authentication-Token-Expiration": "2026-12-01 12:00:00 +0200"},
			Token{Kind: TokenFineGrained, User: "ada", Expires: time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)},
		},
		{"with an end that cannot be read", map[string]string{"GitHub-Authentication-Token-Expiration": "soon"}, Token{Kind: TokenFineGrained, User: "ada"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := administer(t, map[string][]answer{
				"GET /repos/acme/web": {{Status: 200, Body: `{}`, Header: test.header}}, "Viewer": {viewer},
			}).forge()
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

func TestAnAppTellsWhatItsInstallationMay(t *testing.T) {
	a := administer(t, map[string][]answer{
		"GET /app": {{Status: 200, Body: `{"slug":"lockkeeper-acme","owner":{"login":"acme","type":"Organization"}}`}},
		"GET /repos/acme/web/installation": {
			{Status: 200, Body: `{"id":3,"html_url":"https://github.com/organizations/acme/settings/installations/3","permissions":{"contents":"read"},"events":["push"]}`},
		},
	})
	got, err := a.appForge().Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := Token{
		Kind: TokenApp, User: "lockkeeper-acme[bot]", App: 17, Slug: "lockkeeper-acme", Organization: "acme", Page: "https://github.com/organizations/acme/settings/installations/3",
		Events: []string{"push"}, Permissions: map[string]string{"contents": "read"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnAppThatIsNotInstalledSaysWhereToInstallIt(t *testing.T) {
	a := administer(t, map[string][]answer{
		"GET /app": {{Status: 200, Body: `{"slug":"lockkeeper-acme"}`}}, "GET /repos/acme/web/installation": {{Status: 404, Body: `{"message":"Not Found"}`}},
	})
	_, err := a.appForge().Token(t.Context())
	if !errors.Is(err, promote.ErrNotFound) || !strings.Contains(err.Error(), `install the App 17 on repository "acme/web"`) {
		t.Errorf("got %v", err)
	}
}

func TestRepositoryTellsHowItIsMerged(t *testing.T) {
	f := administer(t, map[string][]answer{"GET /repos/acme/web": {{Status: 200, Body: `{"html_url":"https://github.com/acme/web","default_branch":"main","private":true,
		"allow_squash_merge":true,"allow_rebase_merge":true,"allow_auto_merge":true,"permissions":{"maintain":true,"push":true,"pull":true}}`}}}).forge()
	got, err := f.Repository(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := Repository{
		URL: "https://github.com/acme/web", DefaultBranch: "main", Private: true, Methods: []string{"squash", "rebase"}, AutoMerge: true,
		Role: promote.PermissionMaintain,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRulesAreThoseOfRulesetsAndOfProtection(t *testing.T) {
	const rules, protection = "GET /repos/acme/web/rules/branches/main", "GET /repos/acme/web/branches/main/protection"
	for _, test := range []struct {
		name       string
		protection answer
		want       Rules
	}{
		{
			"both",
			answer{Status: 200, Body: `{"required_status_checks":{"contexts":["ci"],"checks":[{"context":"ci","app_id":null},{"context":"lint","app_id":9},{"context":"any","app_id":-1}]},
				"allow_force_pushes":{"enabled":false},"allow_deletions":{"enabled":true}}`},
			Rules{
				Required: []Requirement{
					{"lockkeeper/gates", 17, "ruleset"}, {"ci", 0, "branch protection"}, {"lint", 9, "branch protection"}, {"any", 0, "branch protection"},
				}, MergeQueue: true, Deletion: true, Rewrite: true,
			},
		},
		{
			"an older server names contexts only",
			answer{Status: 200, Body: `{"required_status_checks":{"contexts":["ci"]}}`},
			Rules{Required: []Requirement{{"lockkeeper/gates", 17, "ruleset"}, {"ci", 0, "branch protection"}}, MergeQueue: true, Deletion: true},
		},
		{"the protection may not be seen", answer{Status: 403, Body: `{"message":"Resource not accessible by integration"}`}, Rules{Required: []Requirement{{"lockkeeper/gates", 17, "ruleset"}}, MergeQueue: true, Deletion: true}},
		{"there is no protection", answer{Status: 404, Body: `{"message":"Branch not protected"}`}, Rules{Required: []Requirement{{"lockkeeper/gates", 17, "ruleset"}}, MergeQueue: true, Deletion: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := administer(t, map[string][]answer{
				rules: {{Status: 200, Body: `[{"type":"required_status_checks","parameters":{"required_status_checks":[{"context":"lockkeeper/gates","integration_id":17}]}},
					{"type":"merge_queue","parameters":{}},{"type":"deletion"},{"type":"something_new"}]`}},
				protection: {test.protection},
			}).forge()
			got, err := f.Rules(t.Context(), "main")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRulesetsAreMadeOnce(t *testing.T) {
	const list, create = "GET /repos/acme/web/rulesets", "POST /repos/acme/web/rulesets"
	const read, edit = "GET /repos/acme/web/rulesets/8", "PUT /repos/acme/web/rulesets/8"
	none, there := answer{Status: 200, Body: `[{"id":1,"name":"ours"}]`}, answer{Status: 200, Body: `[{"id":8,"name":"Lockkeeper: gates"},{"id":9,"name":"Lockkeeper: ledger"}]`}
	for _, test := range []struct {
		name   string
		script map[string][]answer
		want   []string
		err    error
	}{
		{"there is none", map[string][]answer{list: {none}, create: {{Status: 201, Body: `{}`}}}, []string{list, create}, nil},
		{"there is one", map[string][]answer{list: {there}, read: {{Status: 200, Body: `{}`}}, edit: {{Status: 200, Body: `{}`}}}, []string{list, read, edit}, nil},
		{"the answer is lost, it is there", map[string][]answer{list: {none, there}, create: {{Status: 0, Body: ""}}}, []string{list, create, list}, nil},
		{"it takes a plan with rulesets", map[string][]answer{list: {none}, create: {{Status: 403, Body: `{"message":"Upgrade to GitHub Pro"}`}}}, []string{list, create}, promote.ErrForbidden},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := administer(t, test.script)
			if err := a.forge().RequireStatus(t.Context(), "main"); !errors.Is(err, test.err) {
				t.Fatalf("got %v, want %v", err, test.err)
			}
			var routes []string
			for _, sent := range a.sent() {
				method, rest, _ := strings.Cut(sent, " ")
				path, _, _ := strings.Cut(rest, " ")
				routes = append(routes, method+" "+path)
			}
			if diff := cmp.Diff(test.want, routes); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRulesetsAreThoseOfTheApp(t *testing.T) {
	const list, create = "GET /repos/acme/web/rulesets", "POST /repos/acme/web/rulesets"
	a := administer(t, map[string][]answer{list: {{Status: 200, Body: `[]`}, {Status: 200, Body: `[]`}}, create: {{Status: 201, Body: `{}`}, {Status: 201, Body: `{}`}}})
	f := a.appForge()
	if err := errors.Join(f.RequireStatus(t.Context(), "main"), f.ProtectLedger(t.Context())); err != nil {
		t.Fatal(err)
	}
	var made []string
	for _, sent := range a.sent() {
		if body, ok := strings.CutPrefix(sent, create+" "); ok {
			made = append(made, body)
		}
	}
	want := []string{
		`{"name":"Lockkeeper: gates","target":"branch","enforcement":"active","conditions":{"ref_name":{"include":["refs/heads/main"],"exclude":[]}},` +
			`"rules":[{"type":"required_status_checks","parameters":{"strict_required_status_checks_policy":false,"do_not_enforce_on_create":true,` +
			`"required_status_checks":[{"context":"lockkeeper/gates","integration_id":17}]}}]}`,
		`{"name":"Lockkeeper: ledger","target":"branch","enforcement":"active","bypass_actors":[{"actor_id":17,"actor_type":"Integration","bypass_mode":"always"}],` +
			`"conditions":{"ref_name":{"include":["refs/heads/lockkeeper/ledger"],"exclude":[]}},"rules":[{"type":"deletion"},{"type":"non_fast_forward"},{"type":"update"}]}`,
	}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Error(diff)
	}
}

// What people have added to a ruleset of ours, and the branches that it was for before, stay in it.
func TestRulesetsAreNeverLoosened(t *testing.T) {
	const list, read, edit = "GET /repos/acme/web/rulesets", "GET /repos/acme/web/rulesets/8", "PUT /repos/acme/web/rulesets/8"
	there := `{"id":8,"name":"Lockkeeper: gates","target":"branch","enforcement":"disabled",` +
		`"bypass_actors":[{"actor_id":null,"actor_type":"OrganizationAdmin","bypass_mode":"pull_request"}],` +
		`"conditions":{"ref_name":{"include":["refs/heads/main"],"exclude":["refs/heads/prod","refs/heads/old"]}},"rules":[` +
		`{"type":"required_signatures"},` +
		`{"type":"required_status_checks","parameters":{"strict_required_status_checks_policy":true,"do_not_enforce_on_create":false,` +
		`"required_status_checks":[{"context":"ci"},{"context":"Lockkeeper/gates"%s}]}}]}`
	want := `{"name":"Lockkeeper: gates","target":"branch","enforcement":"active",` +
		`"bypass_actors":[{"actor_id":null,"actor_type":"OrganizationAdmin","bypass_mode":"pull_request"}],` +
		`"conditions":{"ref_name":{"include":["refs/heads/main","refs/heads/prod"],"exclude":["refs/heads/old"]}},"rules":[` +
		`{"type":"required_signatures"},` +
		`{"type":"required_status_checks","parameters":{"strict_required_status_checks_policy":true,"do_not_enforce_on_create":false,` +
		`"required_status_checks":[{"context":"ci"},{"context":"%s","integration_id":%d}]}}]}`
	for _, test := range []struct {
		name, pin, want string
		by              func(a *administered) *Forge
	}{
		{"an App pins the status", "", fmt.Sprintf(want, "lockkeeper/gates", 17), (*administered).appForge},
		{"a token leaves a pin", `,"integration_id":9`, fmt.Sprintf(want, "Lockkeeper/gates", 9), (*administered).forge},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := administer(t, map[string][]answer{
				list: {{Status: 200, Body: `[{"id":8,"name":"Lockkeeper: gates"}]`}}, read: {{Status: 200, Body: fmt.Sprintf(there, test.pin)}}, edit: {{Status: 200, Body: `{}`}},
			})
			if err := test.by(a).RequireStatus(t.Context(), "prod"); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, a.Sent(edit)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHooksAreReadMadeAndEdited(t *testing.T) {
	const hooks, hook = "/repos/acme/web/hooks", "/repos/acme/web/hooks/4"
	listed := answer{Status: 200, Body: `[{"id":4,"active":true,"events":["push"],"config":{"url":"https://bot.example.com/webhook/github","content_type":"json","insecure_ssl":"0","secret":"********"}},
		{"id":5,"events":["*"],"config":{"url":"https://old.example.com","content_type":"form","insecure_ssl":1}}]`}
	a := administer(t, map[string][]answer{
		"GET " + hooks:                {listed, listed},
		"POST " + hooks:               {{Status: 0, Body: ""}, {Status: 422, Body: `{"message":"s3cret is no secret"}`}},
		"PATCH " + hook:               {{Status: 200, Body: `{}`}},
		"PATCH " + hook + "/config":   {{Status: 200, Body: `{}`}},
		"POST " + hook + "/pings":     {{Status: 204, Body: ""}},
		"GET " + hook + "/deliveries": {{Status: 200, Body: `[{"event":"push","delivered_at":"2026-11-21T11:00:00Z","status_code":401},{"event":"ping","status_code":0}]`}},
	})
	f := a.forge()
	got, err := f.Hooks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []Hook{
		{ID: 4, URL: "https://bot.example.com/webhook/github", Events: []string{"push"}, Verify: true, Secret: true, Active: true},
		{ID: 5, URL: "https://old.example.com", Events: []string{"*"}, Form: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	a.Got = nil
	if made, err := f.SetHook(t.Context(), HookEdit{URL: "https://bot.example.com/webhook/github", Secret: "s3cret"}); err != nil || made.ID != 4 {
		t.Errorf("the answer was lost: %+v, %v", made, err)
	}
	if _, err := f.SetHook(t.Context(), HookEdit{URL: "https://bot.example.com/webhook/github", Secret: "s3cret"}); !errors.Is(err, promote.ErrInvalid) || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("got %v", err)
	}
	if _, err := f.SetHook(t.Context(), HookEdit{ID: 4, URL: "https://bot.example.com/webhook/github"}); err != nil {
		t.Error(err)
	}
	if err := f.PingHook(t.Context(), 4); err != nil {
		t.Error(err)
	}
	deliveries, err := f.Deliveries(t.Context(), 4)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Delivered{{"push", "2026-11-21T11:00:00Z", 401}, {"ping", "", 0}}, deliveries); diff != "" {
		t.Error(diff)
	}
	events := `["push","pull_request","pull_request_review","pull_request_review_comment","issue_comment","check_run","check_suite","status","merge_group"]`
	create := `POST /repos/acme/web/hooks {"active":true,"config":{"url":"https://bot.example.com/webhook/github","content_type":"json","insecure_ssl":"0","secret":"s3cret"},"events":` + events + `,"name":"web"}`
	wantSent := []string{
		create, "GET /repos/acme/web/hooks", create,
		`PATCH /repos/acme/web/hooks/4 {"active":true,"add_events":` + events + `}`,
		`PATCH /repos/acme/web/hooks/4/config {"url":"https://bot.example.com/webhook/github","content_type":"json","insecure_ssl":"0"}`,
		"POST /repos/acme/web/hooks/4/pings", "GET /repos/acme/web/hooks/4/deliveries",
	}
	if diff := cmp.Diff(wantSent, a.sent()); diff != "" {
		t.Error(diff)
	}
}

func TestTheHookOfAnApp(t *testing.T) {
	a := administer(t, map[string][]answer{
		"GET /app/hook/config":     {{Status: 200, Body: `{"url":"https://old.example.com","content_type":"json","insecure_ssl":"0","secret":"********"}`}},
		"PATCH /app/hook/config":   {{Status: 200, Body: `{}`}},
		"GET /app/hook/deliveries": {{Status: 200, Body: `[{"event":"push","delivered_at":"2026-11-21T11:00:00Z","status_code":200}]`}},
	})
	f := a.appForge()
	hook, err := f.AppHook(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Hook{URL: "https://old.example.com", Verify: true, Secret: true, Active: true}, hook); diff != "" {
		t.Error(diff)
	}
	if err := f.SetAppHook(t.Context(), HookEdit{URL: "https://bot.example.com/webhook/github"}); err != nil {
		t.Error(err)
	}
	if got, err := f.Deliveries(t.Context(), 0); err != nil || len(got) != 1 {
		t.Errorf("got %v, %v", got, err)
	}
	token := administer(t, nil).forge()
	if _, err := token.AppHook(t.Context()); !errors.Is(err, promote.ErrNotFound) {
		t.Errorf("a token has no App: %v", err)
	}
	if err := token.SetAppHook(t.Context(), HookEdit{}); !errors.Is(err, promote.ErrNotFound) {
		t.Errorf("a token has no App: %v", err)
	}
}

func TestACodeBecomesAnApp(t *testing.T) {
	const convert = "POST /app-manifests/a180b1a3d263c81bc6441d7b990bae27d4c10679/conversions"
	for _, test := range []struct {
		name   string
		answer answer
		want   Created
		err    error
	}{
		{
			"it does",
			answer{Status: 201, Body: `{"id":17,"slug":"lockkeeper-acme","html_url":"https://github.com/apps/lockkeeper-acme","pem":"-----BEGIN","webhook_secret":"s3cret"}`},
			Created{17, "lockkeeper-acme", "https://github.com/apps/lockkeeper-acme", "-----BEGIN", "s3cret"},
			nil,
		},
		{"the code was used", answer{Status: 404, Body: `{"message":"Not Found"}`}, Created{}, promote.ErrNotFound},
		{"the answer is of something else", answer{Status: 201, Body: `{"id":0}`}, Created{}, &promote.APIError{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := administer(t, map[string][]answer{convert: {test.answer}})
			got, err := Convert(t.Context(), Conversion{URL: a.listen()}, "a180b1a3d263c81bc6441d7b990bae27d4c10679")
			if (err == nil) != (test.err == nil) || errors.Is(test.err, promote.ErrNotFound) && !errors.Is(err, promote.ErrNotFound) {
				t.Fatalf("got %v, want %v", err, test.err)
			}
			if got.PrivateKey.Reveal() != test.want.PrivateKey.Reveal() || got.WebhookSecret.Reveal() != test.want.WebhookSecret.Reveal() {
				t.Error("other secrets")
			}
			got.PrivateKey, got.WebhookSecret, test.want.PrivateKey, test.want.WebhookSecret = "", "", "", ""
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, code := range []string{"", "../user", "a b", strings.Repeat("x", 300)} {
		if _, err := Convert(t.Context(), Conversion{URL: "http://127.0.0.1:1"}, code); err == nil || strings.Contains(err.Error(), "dial") {
			t.Errorf("code %q was sent: %v", code, err)
		}
	}
}

func TestTheManifestAsksForWhatIsNeeded(t *testing.T) {
	data, err := json.Marshal(NewManifest("Lockkeeper", "https://bot.example.com/webhook/github"))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"name":"Lockkeeper","url":"https://github.com/lockkeeper/lockkeeper","hook_attributes":{"url":"https://bot.example.com/webhook/github","active":true},` +
		`"description":"Lifts releases through the stages of a GitOps repository, one gated pull request at a time.","public":false,"default_permissions":{` +
		`"actions":"write","administration":"read","checks":"write","contents":"write","deployments":"write","issues":"write","members":"read","merge_queues":"write",` +
		`"metadata":"read","pull_requests":"write","statuses":"write"},"default_events":["check_run","check_suite","issue_comment","merge_group","pull_request",` +
		`"pull_request_review","pull_request_review_comment","push","status"]}`
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Error(diff)
	}
}
