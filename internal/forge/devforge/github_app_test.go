package devforge_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v62/github"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
)

// appKey is made once: a key costs a tenth of a second.
var appKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// installed is an App with one installation in the hub's repository.
type installed struct {
	app, installation int
	key               *rsa.PrivateKey
}

var botPermissions = map[string]string{
	"metadata": "read", "contents": "write", "pull_requests": "write", "issues": "write", "statuses": "write", "checks": "write",
	"deployments": "write", "members": "read",
}

func (h *hub) install(t *testing.T, hook devforge.Hook, permissions map[string]string) installed {
	t.Helper()
	key, err := appKey()
	if err != nil {
		t.Fatal(err)
	}
	app, err := h.CreateApp(devforge.App{Name: "Lockkeeper", Key: &key.PublicKey, Permissions: permissions, Hook: hook})
	if err != nil {
		t.Fatal(err)
	}
	installation, err := h.InstallApp(app, repoPath)
	if err != nil {
		t.Fatal(err)
	}
	return installed{app, installation, key}
}

// webToken signs claims as an App does.
func webToken(t *testing.T, key *rsa.PrivateKey, claims map[string]any) string {
	t.Helper()
	part := func(value any) string {
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	signed := part(map[string]string{"alg": "RS256", "typ": "JWT"}) + "." + part(claims)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// itself is a client that acts as the App.
func (h *hub) itself(t *testing.T, a installed) *github.Client {
	t.Helper()
	now := h.clock.Now()
	return h.client(t, webToken(t, a.key, map[string]any{"iss": a.app, "iat": now.Add(-time.Minute).Unix(), "exp": now.Add(9 * time.Minute).Unix()}))
}

// token gets a token of the installation.
func (h *hub) token(t *testing.T, a installed, options *github.InstallationTokenOptions) string {
	t.Helper()
	token, _, err := h.itself(t, a).Apps.CreateInstallationToken(t.Context(), int64(a.installation), options)
	if err != nil {
		t.Fatal(err)
	}
	return token.GetToken()
}

func TestGitHubAppSignsIn(t *testing.T) {
	h := newHub(t)
	a := h.install(t, devforge.Hook{}, botPermissions)
	client := h.itself(t, a)
	app, _, err := client.Apps.Get(t.Context(), "")
	if err != nil || app.GetSlug() != "lockkeeper" || app.GetPermissions().GetChecks() != "write" {
		t.Errorf("app %v, %v", app, err)
	}
	all, _, err := client.Apps.ListInstallations(t.Context(), nil)
	if err != nil || len(all) != 1 || all[0].GetAccount().GetLogin() != repoOwner {
		t.Errorf("installations %v, %v", all, err)
	}
	found, _, err := client.Apps.FindRepositoryInstallation(t.Context(), repoOwner, repoName)
	if err != nil || found.GetID() != int64(a.installation) {
		t.Errorf("installation %v, %v", found, err)
	}
	token, _, err := client.Apps.CreateInstallationToken(t.Context(), found.GetID(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if left := token.GetExpiresAt().Sub(h.clock.Now()); left < 59*time.Minute || left > time.Hour {
		t.Errorf("the token lasts %s", left)
	}
	acting := h.client(t, token.GetToken())
	repos, _, err := acting.Apps.ListRepos(t.Context(), nil)
	if err != nil || repos.GetTotalCount() != 1 || repos.Repositories[0].GetFullName() != repoPath {
		t.Errorf("repositories %v, %v", repos, err)
	}
	if _, _, err := acting.Repositories.Get(t.Context(), repoOwner, repoName); err != nil {
		t.Error(err)
	}
	h.clock.Skip(time.Hour)
	if _, _, err := acting.Repositories.Get(t.Context(), repoOwner, repoName); err == nil {
		t.Error("the token works after an hour")
	} else if status, text := githubRefused(err); status != http.StatusUnauthorized || text != "Bad credentials" {
		t.Errorf("after an hour it answers %d %q", status, text)
	}
	fresh := h.client(t, h.token(t, a, nil))
	if err := h.SuspendApp(a.installation, true); err != nil {
		t.Fatal(err)
	}
	_, _, err = fresh.Repositories.Get(t.Context(), repoOwner, repoName)
	if status, text := githubRefused(err); status != http.StatusForbidden || !strings.Contains(text, "suspended") {
		t.Errorf("when suspended it answers %d %q", status, text)
	}
}

func TestGitHubRefusesWebTokens(t *testing.T) {
	h := newHub(t)
	a := h.install(t, devforge.Hook{}, botPermissions)
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	now := h.clock.Now()
	in := func(d time.Duration) int64 { return now.Add(d).Unix() }
	good := map[string]any{"iss": a.app, "iat": in(-time.Minute), "exp": in(5 * time.Minute)}
	with := func(name string, value any) map[string]any {
		claims := maps.Clone(good)
		claims[name] = value
		return claims
	}
	valid := webToken(t, a.key, good)
	for _, tt := range []struct {
		name, token, want string
	}{
		{"signed by another key", webToken(t, other, good), "A JSON web token could not be decoded"},
		{"signed by nobody", "eyJhbGciOiJub25lIn0." + strings.Split(valid, ".")[1] + ".", "A JSON web token could not be decoded"},
		{"of an unknown App", webToken(t, a.key, with("iss", 99)), "'Issuer' claim ('iss') must be an Integer"},
		{"of the past", webToken(t, a.key, with("exp", in(-time.Minute))), "'Expiration time' claim ('exp') must be"},
		{"for too long", webToken(t, a.key, with("exp", in(time.Hour))), "'Expiration time' claim ('exp') is too far in the future"},
		{"of the future", webToken(t, a.key, with("iat", in(time.Hour))), "'Issued at' claim ('iat') must be"},
		{"garbage", "a.b.c", "A JSON web token could not be decoded"},
		{"a person's token", "bot-token", "A JSON web token could not be decoded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := h.client(t, tt.token).Apps.Get(t.Context(), "")
			if status, text := githubRefused(err); status != http.StatusUnauthorized || !strings.HasPrefix(text, tt.want) {
				t.Errorf("got %d %q", status, text)
			}
		})
	}
	if _, _, err := h.client(t, webToken(t, a.key, with("iss", "Iv23li1"))).Apps.Get(t.Context(), ""); err != nil {
		t.Errorf("a client ID as the issuer: %v", err)
	}
}

func TestGitHubAppIsHeldToItsPermissions(t *testing.T) {
	h := newHub(t)
	pull := h.openPull(t, "lockkeeper/web")
	a := h.install(t, devforge.Hook{}, map[string]string{"metadata": "read", "pull_requests": "read", "checks": "write"})
	acting := h.client(t, h.token(t, a, nil))
	number, head := pull.GetNumber(), pull.GetHead().GetSHA()
	for name, call := range map[string]func() error{
		"a comment": func() error {
			_, _, err := acting.Issues.CreateComment(t.Context(), repoOwner, repoName, number, &github.IssueComment{Body: new("x")})
			return err
		},
		"a status": func() error {
			_, _, err := acting.Repositories.CreateStatus(t.Context(), repoOwner, repoName, head, &github.RepoStatus{State: new("success")})
			return err
		},
		"a merge": func() error {
			_, _, err := acting.PullRequests.Merge(t.Context(), repoOwner, repoName, number, "", nil)
			return err
		},
		"hooks": func() error {
			_, _, err := acting.Repositories.ListHooks(t.Context(), repoOwner, repoName, nil)
			return err
		},
		"protection": func() error {
			_, _, err := acting.Repositories.GetBranchProtection(t.Context(), repoOwner, repoName, "main")
			return err
		},
		"a team": func() error {
			_, _, err := acting.Teams.GetTeamMembershipBySlug(t.Context(), repoOwner, "release", "bot")
			return err
		},
		"who it is": func() error {
			_, _, err := acting.Users.Get(t.Context(), "")
			return err
		},
	} {
		if status, text := githubRefused(call()); status != http.StatusForbidden || text != "Resource not accessible by integration" {
			t.Errorf("%s: %d %q", name, status, text)
		}
	}
	if _, _, err := acting.PullRequests.Get(t.Context(), repoOwner, repoName, number); err != nil {
		t.Errorf("what it may do: %v", err)
	}
	if _, err := h.CreateProject("acme/other", "main", seed); err != nil {
		t.Fatal(err)
	}
	_, _, err := acting.Repositories.Get(t.Context(), repoOwner, "other")
	if status, _ := githubRefused(err); status != http.StatusNotFound {
		t.Errorf("a repository without the App answers %d", status)
	}
	narrow := h.client(t, h.token(t, a, &github.InstallationTokenOptions{Permissions: &github.InstallationPermissions{PullRequests: new("read")}}))
	_, _, err = narrow.Checks.CreateCheckRun(t.Context(), repoOwner, repoName, github.CreateCheckRunOptions{Name: "gates", HeadSHA: head})
	if status, _ := githubRefused(err); status != http.StatusForbidden {
		t.Errorf("a narrowed token makes a check run: %d", status)
	}
	_, _, err = h.itself(t, a).Apps.CreateInstallationToken(t.Context(), int64(a.installation), &github.InstallationTokenOptions{
		Permissions: &github.InstallationPermissions{Administration: new("write")},
	})
	if status, _ := githubRefused(err); status != http.StatusUnprocessableEntity {
		t.Errorf("a token with more than the App has: %d", status)
	}
}

func TestGitHubChecksGateAndHaveButtons(t *testing.T) {
	h := newHub(t)
	r := h.hear(t)
	a := h.install(t, devforge.Hook{URL: r.url, Token: "app-secret"}, botPermissions)
	h.rule(t, &devforge.BranchRules{Checks: []devforge.RequiredCheck{{Context: "lockkeeper/gates", App: a.app}}})
	pull := h.openPull(t, "lockkeeper/web")
	head := pull.GetHead().GetSHA()
	h.report(t, head, "success")
	if got := h.pull(t, 1).GetMergeableState(); got != "blocked" {
		t.Errorf("a status of somebody else for a check of the App makes it %s", got)
	}
	acting := h.client(t, h.token(t, a, nil))
	run, _, err := acting.Checks.CreateCheckRun(t.Context(), repoOwner, repoName, github.CreateCheckRunOptions{
		Name: "lockkeeper/gates", HeadSHA: head, Status: new("in_progress"), DetailsURL: new("https://lockkeeper.example/1"),
		Output: &github.CheckRunOutput{Title: new("4 of 7 gates"), Summary: new("| gate | verdict |"), Annotations: []*github.CheckRunAnnotation{{
			Path: new("apps/web/dev.yaml"), StartLine: new(1), EndLine: new(2), AnnotationLevel: new("warning"), Message: new("no limit"),
		}}},
		Actions: []*github.CheckRunAction{{Label: "Approve", Description: "Lets it pass", Identifier: "approve"}},
	})
	if err != nil || run.GetApp().GetID() != int64(a.app) || run.GetOutput().GetAnnotationsCount() != 1 {
		t.Fatalf("check run %v, %v", run, err)
	}
	if err := h.PressButton(repoPath, int(run.GetID()), "owner", "approve"); err != nil {
		t.Fatal(err)
	}
	if err := h.PressButton(repoPath, int(run.GetID()), "owner", "destroy"); err == nil {
		t.Error("a button that is not there can be pressed")
	}
	if _, _, err := acting.Checks.UpdateCheckRun(t.Context(), repoOwner, repoName, run.GetID(), github.UpdateCheckRunOptions{
		Name: "lockkeeper/gates", Status: new("completed"), Conclusion: new("neutral"),
	}); err != nil {
		t.Fatal(err)
	}
	if got := h.pull(t, 1).GetMergeableState(); got != "clean" {
		t.Errorf("a neutral check run makes it %s", got)
	}
	listed, _, err := h.as(t, "reader").Checks.ListCheckRunsForRef(t.Context(), repoOwner, repoName, "lockkeeper/web", nil)
	if err != nil || listed.GetTotal() != 1 || listed.CheckRuns[0].GetConclusion() != "neutral" {
		t.Errorf("check runs %v, %v", listed, err)
	}
	notes, _, err := acting.Checks.ListCheckRunAnnotations(t.Context(), repoOwner, repoName, run.GetID(), nil)
	if err != nil || len(notes) != 1 || notes[0].GetMessage() != "no limit" {
		t.Errorf("annotations %v, %v", notes, err)
	}
	_, _, err = h.as(t, "admin").Checks.CreateCheckRun(t.Context(), repoOwner, repoName, github.CreateCheckRunOptions{Name: "mine", HeadSHA: head})
	if status, text := githubRefused(err); status != http.StatusForbidden || text != "You must authenticate via a GitHub App." {
		t.Errorf("a check run of a person: %d %q", status, text)
	}
	h.settle(t)
	got := r.events()
	for _, want := range []string{
		"installation created", "check_suite requested", "check_run created", "check_run requested_action", "check_run completed", "check_suite completed", "status",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
	for _, call := range r.all() {
		if call.header.Get("X-GitHub-Hook-Installation-Target-Type") != "integration" || !strings.Contains(string(call.body), `"installation":{`) {
			t.Errorf("a webhook of the App: %v", call.header)
		}
	}
}

func TestGitHubDeliversAgain(t *testing.T) {
	h := newHub(t)
	r := h.hear(t)
	a := h.install(t, devforge.Hook{URL: r.url, Events: []devforge.HookEvent{devforge.HookIssueComment}}, botPermissions)
	h.openPull(t, "lockkeeper/web")
	h.settle(t)
	r.reset()
	r.answer(http.StatusServiceUnavailable)
	if _, _, err := h.as(t, "reader").Issues.CreateComment(t.Context(), repoOwner, repoName, 1, &github.IssueComment{Body: new("/promote")}); err != nil {
		t.Fatal(err)
	}
	h.settle(t)
	app := h.itself(t, a)
	lost, _, err := app.Apps.ListHookDeliveries(t.Context(), nil)
	if err != nil || len(lost) == 0 || lost[0].GetStatusCode() != 503 || lost[0].GetEvent() != "issue_comment" || lost[0].GetAction() != "created" {
		t.Fatalf("deliveries %v, %v", lost, err)
	}
	whole, _, err := app.Apps.GetHookDelivery(t.Context(), lost[0].GetID())
	if err != nil {
		t.Fatal(err)
	}
	if parsed, err := whole.ParseRequestPayload(); err != nil || parsed.(*github.IssueCommentEvent).GetComment().GetBody() != "/promote" {
		t.Errorf("payload %v, %v", parsed, err)
	}
	r.answer(http.StatusOK)
	if _, _, err := app.Apps.RedeliverHookDelivery(t.Context(), lost[0].GetID()); err != nil {
		if _, accepted := err.(*github.AcceptedError); !accepted { //nolint:errorlint // the library returns it as it is
			t.Fatal(err)
		}
	}
	h.settle(t)
	again, _, err := app.Apps.ListHookDeliveries(t.Context(), &github.ListCursorOptions{PerPage: 1})
	if err != nil || len(again) != 1 || !again[0].GetRedelivery() || again[0].GetStatus() != "OK" || again[0].GetGUID() != lost[0].GetGUID() {
		t.Errorf("after the redelivery: %v, %v", again, err)
	}
	var guids []string
	for _, call := range r.all() {
		guids = append(guids, call.header.Get("X-GitHub-Delivery"))
	}
	if diff := cmp.Diff([]string{lost[0].GetGUID(), lost[0].GetGUID()}, guids); diff != "" {
		t.Error(diff)
	}
}
