package main

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/argocd/devargo"
	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
)

// clinic is a world whose installation is looked at.
type clinic struct {
	*world
	t   *testing.T
	env map[string]string
	cfg string // the configuration file
}

func newClinic(t *testing.T) *clinic {
	t.Helper()
	dir := t.TempDir()
	w, err := newWorld(t.Context(), worldConfig{dir: dir, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.close() })
	if err := pushImage(t.Context(), w.image(), "1.0.0"); err != nil {
		t.Fatal(err)
	}
	c := &clinic{world: w, t: t, cfg: filepath.Join(dir, "server.yaml"), env: map[string]string{
		"LOCKKEEPER_GITLAB_TOKEN": worldToken, "LOCKKEEPER_GITLAB_WEBHOOK_TOKEN": webhookToken, "LOCKKEEPER_ARGOCD_TOKEN": argoToken,
		"LOCKKEEPER_ARGOCD_URL": w.argoURL,
	}}
	c.configure("https://bot.example.com")
	return c
}

func (c *clinic) configure(public string) {
	c.t.Helper()
	text := "publicURL: " + public + "\ndatabase: " + filepath.Join(filepath.Dir(c.cfg), "queue.db") + "\ngitlab: {url: " + c.forgeURL + "}\noutbound: {allow: [127.0.0.1]}\nrepositories: [{project: " + worldProject + "}]\n"
	if err := os.WriteFile(c.cfg, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// doctor runs the command, and returns its exit code and what it printed.
func (c *clinic) doctor(args ...string) (int, string) {
	c.t.Helper()
	var out strings.Builder
	code := run(c.t.Context(), environment{
		args: append([]string{"doctor", "--config", c.cfg}, args...), getenv: func(name string) string { return c.env[name] }, out: &out, err: &out,
	})
	for _, secret := range c.env {
		if len(secret) > len("wrong") && !strings.HasPrefix(secret, "http") && strings.Contains(out.String(), secret) {
			c.t.Errorf("a secret shows: %s", out.String())
		}
	}
	return code, out.String()
}

// answering has the server answer an external status check of a name.
func (c *clinic) answering(check string) {
	c.t.Helper()
	text, err := os.ReadFile(c.cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	changed := regexp.MustCompile(`gitlab: \{(externalStatusCheck: [^,]+, )?`).ReplaceAllString(string(text), "gitlab: {externalStatusCheck: "+check+", ")
	if err := os.WriteFile(c.cfg, []byte(changed), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// check makes an external status check, for one rule of protected branches or for all branches.
func (c *clinic) check(name, rule string) {
	c.t.Helper()
	form := url.Values{"name": {name}, "external_url": {"https://checks.example.com/" + name}}
	if rule != "" {
		form.Set("protected_branch_ids[]", rule)
	}
	target := c.forgeURL + "/api/v4/projects/" + url.PathEscape(worldProject) + "/external_status_checks"
	request, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, target, strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header.Set("Private-Token", worldToken)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answered, err := http.DefaultClient.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := answered.Body.Close(); err != nil {
		c.t.Error(err)
	}
	if answered.StatusCode != http.StatusCreated {
		c.t.Fatalf("HTTP %d", answered.StatusCode)
	}
}

// expect runs the doctor, and wants an exit code and lines.
func (c *clinic) expect(code int, args []string, lines ...string) {
	c.t.Helper()
	got, printed := c.doctor(args...)
	squeezed := strings.Join(strings.Fields(printed), " ")
	if got != code {
		c.t.Errorf("exit code %d, want %d:\n%s", got, code, printed)
	}
	for _, line := range lines {
		if !strings.Contains(squeezed, line) {
			c.t.Errorf("no %q in:\n%s", line, printed)
		}
	}
}

var fix = []string{"--fix"}

func TestDoctorOfADeveloperSaysWhatToClick(t *testing.T) {
	c := newClinic(t)
	if err := errors.Join(
		c.forge.AddMember(worldProject, worldBot, devforge.AccessDeveloper),
		c.forge.Change(worldProject, func(s *devforge.Settings) { s.PipelineMustSucceed, s.AllowSkippedPipeline = false, true }),
	); err != nil {
		t.Fatal(err)
	}
	c.expect(1, fix,
		"ok role Developer", "warn merging the token may not merge into the protected branch main as Developer",
		`fail gates "Pipelines must succeed" is off`, "it could not be put right: gitlab: edit project: HTTP 403",
		"→ switch it on under "+c.forgeURL+"/"+worldProject+"/-/settings/merge_requests",
		"warn ledger the branch lockkeeper/ledger is not protected", "skip webhook it may not be looked at with this token",
		"compare it yourself on "+c.forgeURL+"/"+worldProject+"/-/hooks",
	)
	if err := c.forge.AddMember(worldProject, worldBot, devforge.AccessMaintainer); err != nil {
		t.Fatal(err)
	}
	c.expect(0, fix, "fixed gates", "fixed ledger", "fixed webhook", "All is fine; 3 put right.")
	c.forge.ResetCalls()
	c.expect(0, fix, "ok gates", "ok ledger", "ok webhook", "All is fine.")
	for _, call := range c.forge.Calls() {
		if call.Method != http.MethodGet {
			t.Errorf("the second time it wrote: %s %s", call.Method, call.Path)
		}
	}
}

func TestDoctorWatchesTheToken(t *testing.T) {
	c := newClinic(t)
	soon := time.Now().Add(3 * 24 * time.Hour)
	if err := c.forge.LimitToken(worldBot, []string{"read_api"}, soon); err != nil {
		t.Fatal(err)
	}
	c.expect(1, nil, "fail scopes the token has read_api, and not api", "warn expiry the token ends on "+soon.UTC().Format(time.DateOnly))
	c.env["LOCKKEEPER_GITLAB_TOKEN"] = "glpat-wrong"
	c.expect(1, nil, "fail token gitlab: ask whose token it is: HTTP 401", "make one with scope api and role Maintainer")
}

func TestDoctorLooksAtTheExternalStatusCheck(t *testing.T) {
	c := newClinic(t)
	c.answering("lockkeeper")
	page := c.forgeURL + "/" + worldProject + "/-/settings/merge_requests"
	c.expect(2, fix, `warn status check gitlab.externalStatusCheck is "lockkeeper", and external status checks cannot be had here`, "leave externalStatusCheck out")
	c.change(func(s *devforge.Settings) { s.Ultimate = true })
	c.expect(2, nil, `warn status check the project has no external status check "lockkeeper", and no other`, "→ add it under "+page)
	c.check("Lock-keeper", "")
	c.expect(2, nil, `no external status check "lockkeeper", only "Lock-keeper"`, `→ write gitlab: {externalStatusCheck: "Lock-keeper"}, if that is the one`)
	c.answering("deploy")
	c.check("deploy", "2") // the rule for the ledger, which was made above
	c.expect(2, nil, `warn status check the external status check "deploy" is for "lockkeeper/ledger" alone, and not for main`, "→ choose main or all branches as its target branch")
	c.answering("Lock-keeper")
	c.expect(2, fix, `warn status check "Status checks must succeed" is off: the external status check "Lock-keeper" keeps nothing from being merged`, `merging waits for "deploy", too, then`)
}

// TestDoctorRequiresTheExternalStatusCheck where no other is required by it.
func TestDoctorRequiresTheExternalStatusCheck(t *testing.T) {
	c := newClinic(t)
	c.change(func(s *devforge.Settings) { s.Ultimate = true })
	c.check("lockkeeper", "")
	c.answering("lockkeeper")
	c.expect(0, fix, "fixed status check", `done: switch "Status checks must succeed" on`)
	c.expect(0, fix, `ok status check the external status check "lockkeeper" blocks merging`, "All is fine.")
}

func TestDoctorReadsWhatDeliveriesWereAnswered(t *testing.T) {
	c := newClinic(t)
	var status atomic.Int64
	status.Store(http.StatusUnauthorized)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Gitlab-Token") == webhookToken {
			status.Store(http.StatusOK)
		}
		w.WriteHeader(int(status.Load()))
	}))
	defer receiver.Close()
	c.configure(receiver.URL)
	if _, err := c.forge.AddHook(worldProject, devforge.Hook{
		URL: receiver.URL + "/webhook/gitlab", Token: "another", Events: []devforge.HookEvent{devforge.HookPush, devforge.HookNote},
	}); err != nil {
		t.Fatal(err)
	}
	c.push()
	c.expect(1, nil, "fail webhook it does not send Tag push events, Merge request events, Pipeline events", "fail delivery GitLab's last delivery (push) answered 401")
	c.expect(0, fix, "fixed webhook", "fixed delivery", "done: set the webhook's secret")
	if err := c.forge.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.expect(0, fix, "ok webhook", "ok delivery GitLab's last delivery (push) answered 200", "All is fine.")
	status.Store(http.StatusBadGateway)
	c.env["LOCKKEEPER_GITLAB_WEBHOOK_TOKEN"] = ""
	c.expect(1, nil, "fail webhook secret LOCKKEEPER_GITLAB_WEBHOOK_TOKEN is not set")
}

// push has the forge send an event, and waits until it is delivered.
func (c *clinic) push() {
	c.t.Helper()
	_, err := c.forge.Commit(c.t.Context(), worldProject, "main", worldPerson, "A change", map[string]string{"NOTES.md": "x"})
	if err = errors.Join(err, c.forge.Flush(c.t.Context())); err != nil {
		c.t.Fatal(err)
	}
}

func TestDoctorAsksArgoCDAndRegistries(t *testing.T) {
	c := newClinic(t)
	for _, app := range c.argo.Apps(t.Context()) {
		if err := c.argo.Fail(app.Ref, devargo.Forbid("get")); err != nil {
			t.Fatal(err)
		}
	}
	c.expect(1, nil, "fail applications the token may not get application", "add to the role's policies: p, proj:")
	c.env["LOCKKEEPER_ARGOCD_TOKEN"] = "wrong"
	c.expect(1, nil, "fail argo cd token", "argocd proj role create-token")
	c.env["LOCKKEEPER_ARGOCD_TOKEN"], c.env["LOCKKEEPER_ARGOCD_URL"] = argoToken, "http://127.0.0.1:1"
	c.expect(1, nil, "fail argo cd argo cd: ask for the version")
	_ = c.servers[0].Close() // the registry
	c.expect(1, nil, "fail registry registry 127.0.0.1")
}

// What the default branch asks for is compared with the settings that decide whether it can be had.
func TestDoctorHeedsThePolicyOfTheRepository(t *testing.T) {
	c := newClinic(t)
	head, err := c.repo.Fetch(t.Context(), "main")
	if err != nil {
		t.Fatal(err)
	}
	tree, err := c.repo.Tree(t.Context(), head)
	if err != nil {
		t.Fatal(err)
	}
	const task = "kargo/promotion-task.yaml"
	steps, err := tree.ReadFile(task)
	if err != nil {
		t.Fatal(err)
	}
	c.write(map[string]string{
		task:              strings.TrimRight(string(steps), "\n") + "\n    - uses: wait-for-approval\n      config: {}\n",
		"lockkeeper.yaml": "forge: {review: off}\n",
	})
	c.change(func(s *devforge.Settings) { s.PipelineMustSucceed, s.KeepApprovals = true, true })
	page := c.forgeURL + "/" + worldProject + "/-/settings/merge_requests"
	c.expect(1, nil,
		`warn approvals "Remove all approvals when commits are added" is off, and a step counts approvals`, "→ switch it on under "+page,
		`warn review forge.review is off while "Pipelines must succeed" is on`, "write forge: {review: status} in lockkeeper.yaml",
	)
	c.expect(2, fix, "fixed approvals", `done: switch "Remove all approvals when commits are added" on`)
	c.expect(2, fix, "ok approvals", "warn review")
	c.change(func(s *devforge.Settings) { s.NoApprovalSettings = true })
	c.expect(2, nil, "skip approvals it may not be looked at with this token", "where the edition has no such setting (Premium)")
	c.write(map[string]string{"lockkeeper.yaml": "forge: {review: status}\n", task: string(steps)})
	if _, printed := c.doctor(); strings.Contains(printed, "approvals") || strings.Contains(printed, "forge.review") {
		t.Errorf("nothing is asked for:\n%s", printed)
	}
}

func TestDoctorSaysThatThePolicyForbidsARegistry(t *testing.T) {
	c := newClinic(t)
	text, err := os.ReadFile(c.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.cfg, []byte(strings.Replace(string(text), "outbound: {allow: [127.0.0.1]}\n", "", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	c.expect(1, nil, "fail registry", "→ if it is yours, allow its host with outbound.allow in the server's configuration, or LOCKKEEPER_OUTBOUND_ALLOW")
	if _, printed := c.doctor(); strings.Contains(printed, "docker login") {
		t.Errorf("credentials are no remedy:\n%s", printed)
	}
}

func (c *clinic) write(files map[string]string) {
	c.t.Helper()
	if _, err := c.forge.Commit(c.t.Context(), worldProject, "main", worldPerson, "A change", files); err != nil {
		c.t.Fatal(err)
	}
}

func (c *clinic) change(edit func(*devforge.Settings)) {
	c.t.Helper()
	if err := c.forge.Change(worldProject, edit); err != nil {
		c.t.Fatal(err)
	}
}
