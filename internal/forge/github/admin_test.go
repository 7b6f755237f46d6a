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
	"github.com/lockkeeper/lockkeeper/promote"
)

var openDescription = sync.OnceValues(func() (*contract.Contract, error) {
	dir, err := contract.Dir()
	if err != nil {
		return nil, err
	}
	return contract.Load(dir + "/" + contract.GitHub)
})

// told is one answer of an administered GitHub: a status, a body, a header; status 0 breaks the connection.
type told struct {
	status int
	body   string
	header map[string]string
}

// administered is a GitHub that answers from a script, by "METHOD path" below the API, and keeps what it was sent.
type administered struct {
	t      *testing.T
	mu     sync.Mutex
	script map[string][]told
	sent   []string
}

func (a *administered) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		a.t.Error(err)
	}
	route := r.Method + " " + strings.TrimPrefix(strings.TrimPrefix(r.URL.EscapedPath(), "/api/v3"), "/")
	a.sent = append(a.sent, strings.TrimSpace(route+" "+string(body)))
	if len(a.script[route]) == 0 {
		a.t.Errorf("unexpected request %s", route)
		http.Error(w, "unexpected", http.StatusTeapot)
		return
	}
	next := a.script[route][0]
	a.script[route] = a.script[route][1:]
	if next.status == 0 {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	for name, value := range next.header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(next.status)
	_, _ = io.WriteString(w, next.body)
}

// administer starts a GitHub with a script, behind its description where that is at hand, which judges every request.
func administer(t *testing.T, script map[string][]told) *administered {
	t.Helper()
	return &administered{t: t, script: script}
}

func (a *administered) listen() string {
	var handler http.Handler = a
	if described, err := openDescription(); err == nil {
		checked := described.Handler(a, func(err error) {
			if violation, ok := errors.AsType[*contract.ViolationError](err); ok && violation.Status == 0 {
				a.t.Errorf("contract: %v", err)
			}
		})
		handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/api/graphql" {
				a.ServeHTTP(w, r)
				return
			}
			r = r.Clone(r.Context())
			r.URL.Path = strings.TrimPrefix(r.URL.Path, "/api/v3")
			r.URL.RawPath = strings.TrimPrefix(r.URL.RawPath, "/api/v3")
			checked.ServeHTTP(w, r)
		})
	}
	running := httptest.NewServer(handler)
	a.t.Cleanup(running.Close)
	return running.URL
}

func (a *administered) forge() *Forge {
	f, err := New(Config{URL: a.listen(), Repository: "acme/web", Token: "ghp_do-not-print-me", Now: func() time.Time { return testNow }})
	if err != nil {
		a.t.Fatal(err)
	}
	return f
}

// appForge is a Forge of App 17. The script needs no token of an installation.
func (a *administered) appForge() *Forge {
	a.script["GET repos/acme/web/installation"] = append(a.script["GET repos/acme/web/installation"],
		told{200, `{"id":3,"permissions":{"contents":"write"}}`, nil})
	a.script["POST app/installations/3/access_tokens"] = append(a.script["POST app/installations/3/access_tokens"],
		told{201, `{"token":"ghs_do-not-print-me","expires_at":"2026-11-21T13:00:00Z"}`, nil})
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
	f := administer(t, map[string][]told{"GET meta": {
		{200, `{"installed_version":"3.18.0","verifiable_password_authentication":true}`, map[string]string{"Date": "Sat, 21 Nov 2026 11:58:00 GMT"}},
	}}).forge()
	got, err := f.Instance(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Instance{Version: "3.18.0", Ahead: -2 * time.Minute, ClockKnown: true}, got); diff != "" {
		t.Error(diff)
	}
}

func TestTokensTellWhatTheyAreFor(t *testing.T) {
	viewer := told{200, `{"data":{"viewer":{"login":"ada","databaseId":5}}}`, nil}
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
			f := administer(t, map[string][]told{
				"GET repos/acme/web": {{200, `{}`, test.header}}, "POST api/graphql": {viewer},
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
	a := administer(t, map[string][]told{
		"GET app": {{200, `{"slug":"lockkeeper-acme","owner":{"login":"acme","type":"Organization"}}`, nil}},
		"GET repos/acme/web/installation": {
			{200, `{"id":3,"html_url":"https://github.com/organizations/acme/settings/installations/3","permissions":{"contents":"read"},"events":["push"]}`, nil},
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
	a := administer(t, map[string][]told{
		"GET app": {{200, `{"slug":"lockkeeper-acme"}`, nil}}, "GET repos/acme/web/installation": {{404, `{"message":"Not Found"}`, nil}},
	})
	_, err := a.appForge().Token(t.Context())
	if !errors.Is(err, promote.ErrNotFound) || !strings.Contains(err.Error(), `install the App 17 on repository "acme/web"`) {
		t.Errorf("got %v", err)
	}
}

func TestRepositoryTellsHowItIsMerged(t *testing.T) {
	f := administer(t, map[string][]told{"GET repos/acme/web": {{200, `{"html_url":"https://github.com/acme/web","default_branch":"main","private":true,
		"allow_squash_merge":true,"allow_rebase_merge":true,"allow_auto_merge":true,"permissions":{"maintain":true,"push":true,"pull":true}}`, nil}}}).forge()
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
	const rules, protection = "GET repos/acme/web/rules/branches/main", "GET repos/acme/web/branches/main/protection"
	for _, test := range []struct {
		name       string
		protection told
		want       Rules
	}{
		{
			"both",
			told{200, `{"required_status_checks":{"contexts":["ci"],"checks":[{"context":"ci","app_id":null},{"context":"lint","app_id":9},{"context":"any","app_id":-1}]},
				"allow_force_pushes":{"enabled":false},"allow_deletions":{"enabled":true}}`, nil},
			Rules{
				Required: []Requirement{
					{"lockkeeper/gates", 17, "ruleset"}, {"ci", 0, "branch protection"}, {"lint", 9, "branch protection"}, {"any", 0, "branch protection"},
				}, MergeQueue: true, Deletion: true, Rewrite: true,
			},
		},
		{
			"an older server names contexts only",
			told{200, `{"required_status_checks":{"contexts":["ci"]}}`, nil},
			Rules{Required: []Requirement{{"lockkeeper/gates", 17, "ruleset"}, {"ci", 0, "branch protection"}}, MergeQueue: true, Deletion: true},
		},
		{"the protection may not be seen", told{403, `{"message":"Resource not accessible by integration"}`, nil}, Rules{Required: []Requirement{{"lockkeeper/gates", 17, "ruleset"}}, MergeQueue: true, Deletion: true}},
		{"there is no protection", told{404, `{"message":"Branch not protected"}`, nil}, Rules{Required: []Requirement{{"lockkeeper/gates", 17, "ruleset"}}, MergeQueue: true, Deletion: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := administer(t, map[string][]told{
				rules: {{200, `[{"type":"required_status_checks","parameters":{"required_status_checks":[{"context":"lockkeeper/gates","integration_id":17}]}},
					{"type":"merge_queue","parameters":{}},{"type":"deletion"},{"type":"something_new"}]`, nil}},
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
	const list, create = "GET repos/acme/web/rulesets", "POST repos/acme/web/rulesets"
	const read, edit = "GET repos/acme/web/rulesets/8", "PUT repos/acme/web/rulesets/8"
	none, there := told{200, `[{"id":1,"name":"ours"}]`, nil}, told{200, `[{"id":8,"name":"Lockkeeper: gates"},{"id":9,"name":"Lockkeeper: ledger"}]`, nil}
	for _, test := range []struct {
		name   string
		script map[string][]told
		want   []string
		err    error
	}{
		{"there is none", map[string][]told{list: {none}, create: {{201, `{}`, nil}}}, []string{list, create}, nil},
		{"there is one", map[string][]told{list: {there}, read: {{200, `{}`, nil}}, edit: {{200, `{}`, nil}}}, []string{list, read, edit}, nil},
		{"the answer is lost, it is there", map[string][]told{list: {none, there}, create: {{0, "", nil}}}, []string{list, create, list}, nil},
		{"it takes a plan with rulesets", map[string][]told{list: {none}, create: {{403, `{"message":"Upgrade to GitHub Pro"}`, nil}}}, []string{list, create}, promote.ErrForbidden},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := administer(t, test.script)
			if err := a.forge().RequireStatus(t.Context(), "main"); !errors.Is(err, test.err) {
				t.Fatalf("got %v, want %v", err, test.err)
			}
			var routes []string
			for _, sent := range a.sent {
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
	const list, create = "GET repos/acme/web/rulesets", "POST repos/acme/web/rulesets"
	a := administer(t, map[string][]told{list: {{200, `[]`, nil}, {200, `[]`, nil}}, create: {{201, `{}`, nil}, {201, `{}`, nil}}})
	f := a.appForge()
	if err := errors.Join(f.RequireStatus(t.Context(), "main"), f.ProtectLedger(t.Context())); err != nil {
		t.Fatal(err)
	}
	var made []string
	for _, sent := range a.sent {
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
	const list, read, edit = "GET repos/acme/web/rulesets", "GET repos/acme/web/rulesets/8", "PUT repos/acme/web/rulesets/8"
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
			a := administer(t, map[string][]told{
				list: {{200, `[{"id":8,"name":"Lockkeeper: gates"}]`, nil}}, read: {{200, fmt.Sprintf(there, test.pin), nil}}, edit: {{200, `{}`, nil}},
			})
			if err := test.by(a).RequireStatus(t.Context(), "prod"); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(edit+" "+test.want, a.sent[len(a.sent)-1]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHooksAreReadMadeAndEdited(t *testing.T) {
	const hooks, hook = "repos/acme/web/hooks", "repos/acme/web/hooks/4"
	listed := told{200, `[{"id":4,"active":true,"events":["push"],"config":{"url":"https://bot.example.com/webhook/github","content_type":"json","insecure_ssl":"0","secret":"********"}},
		{"id":5,"events":["*"],"config":{"url":"https://old.example.com","content_type":"form","insecure_ssl":1}}]`, nil}
	a := administer(t, map[string][]told{
		"GET " + hooks:                {listed, listed},
		"POST " + hooks:               {{0, "", nil}, {422, `{"message":"s3cret is no secret"}`, nil}},
		"PATCH " + hook:               {{200, `{}`, nil}},
		"PATCH " + hook + "/config":   {{200, `{}`, nil}},
		"POST " + hook + "/pings":     {{204, "", nil}},
		"GET " + hook + "/deliveries": {{200, `[{"event":"push","delivered_at":"2026-11-21T11:00:00Z","status_code":401},{"event":"ping","status_code":0}]`, nil}},
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
	a.sent = nil
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
	create := `POST repos/acme/web/hooks {"active":true,"config":{"url":"https://bot.example.com/webhook/github","content_type":"json","insecure_ssl":"0","secret":"s3cret"},"events":` + events + `,"name":"web"}`
	wantSent := []string{
		create, "GET repos/acme/web/hooks", create,
		`PATCH repos/acme/web/hooks/4 {"active":true,"add_events":` + events + `}`,
		`PATCH repos/acme/web/hooks/4/config {"url":"https://bot.example.com/webhook/github","content_type":"json","insecure_ssl":"0"}`,
		"POST repos/acme/web/hooks/4/pings", "GET repos/acme/web/hooks/4/deliveries",
	}
	if diff := cmp.Diff(wantSent, a.sent); diff != "" {
		t.Error(diff)
	}
}

func TestTheHookOfAnApp(t *testing.T) {
	a := administer(t, map[string][]told{
		"GET app/hook/config":     {{200, `{"url":"https://old.example.com","content_type":"json","insecure_ssl":"0","secret":"********"}`, nil}},
		"PATCH app/hook/config":   {{200, `{}`, nil}},
		"GET app/hook/deliveries": {{200, `[{"event":"push","delivered_at":"2026-11-21T11:00:00Z","status_code":200}]`, nil}},
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
	const convert = "POST app-manifests/a180b1a3d263c81bc6441d7b990bae27d4c10679/conversions"
	for _, test := range []struct {
		name   string
		answer told
		want   Created
		err    error
	}{
		{
			"it does",
			told{201, `{"id":17,"slug":"lockkeeper-acme","html_url":"https://github.com/apps/lockkeeper-acme","pem":"-----BEGIN","webhook_secret":"s3cret"}`, nil},
			Created{17, "lockkeeper-acme", "https://github.com/apps/lockkeeper-acme", "-----BEGIN", "s3cret"},
			nil,
		},
		{"the code was used", told{404, `{"message":"Not Found"}`, nil}, Created{}, promote.ErrNotFound},
		{"the answer is of something else", told{201, `{"id":0}`, nil}, Created{}, &promote.APIError{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := administer(t, map[string][]told{convert: {test.answer}})
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
