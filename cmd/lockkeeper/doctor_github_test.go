package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
)

const githubRepository = "acme/gitops"

// newGitHubClinic is a repository on GitHub of which nothing is set up, and an administrator's token.
func newGitHubClinic(t *testing.T) *clinic {
	t.Helper()
	dir := t.TempDir()
	forge, err := devforge.New(devforge.Config{Root: filepath.Join(dir, "forge"), Dialect: devforge.GitHub, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(forge.Close)
	server := httptest.NewServer(forge.Handler())
	t.Cleanup(server.Close)
	forge.SetURL(server.URL)
	forge.CreateUser("ada", "ghp_token-of-ada")
	if _, err := forge.CreateProject(githubRepository, "main", map[string]string{"README.md": "# GitOps\n"}); err != nil {
		t.Fatal(err)
	}
	if err := forge.AddMember(githubRepository, "ada", devforge.AccessOwner); err != nil {
		t.Fatal(err)
	}
	c := &clinic{world: &world{forge: forge, forgeURL: server.URL}, t: t, cfg: filepath.Join(dir, "server.yaml"), env: map[string]string{"LOCKKEEPER_GITHUB_TOKEN": "ghp_token-of-ada"}}
	c.serveAt("https://bot.example.com")
	return c
}

func (c *clinic) serveAt(public string) {
	c.t.Helper()
	text := "publicURL: " + public + "\ndatabase: " + filepath.Join(filepath.Dir(c.cfg), "queue.db") + "\ngithub: {url: " + c.forgeURL + "}\nrepositories: [{project: " + githubRepository + ", forge: github}]\n"
	if err := os.WriteFile(c.cfg, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// setup runs `setup github`, and returns its exit code and what it printed.
func (c *clinic) setup(args ...string) (int, string) {
	c.t.Helper()
	var out strings.Builder
	code := run(c.t.Context(), environment{
		args:   append([]string{"setup", "github", "--repository", githubRepository, "--github-url", c.forgeURL, "--url", "https://bot.example.com"}, args...),
		getenv: func(name string) string { return c.env[name] }, out: &out, err: &out,
	})
	return code, out.String()
}

// reads wants that nothing is written meanwhile.
func (c *clinic) reads(do func()) {
	c.t.Helper()
	c.forge.ResetCalls()
	do()
	for _, call := range c.forge.Calls() {
		if call.Method != http.MethodGet && call.Route != "/graphql" && !strings.HasSuffix(call.Route, "/access_tokens") {
			c.t.Errorf("it wrote: %s %s", call.Method, call.Path)
		}
	}
}

func TestSetupOfARepositoryOnGitHub(t *testing.T) {
	c := newGitHubClinic(t)
	c.reads(func() {
		c.expect(1, nil,
			"ok forge GitHub 3.19.0 answers at "+c.forgeURL, `ok token`, "ok role admin", "fail gates main does not require the status lockkeeper/gates",
			"warn ledger the branch lockkeeper/ledger is not protected", "fail webhook secret LOCKKEEPER_GITHUB_WEBHOOK_SECRET is not set",
			"fail webhook none goes to https://bot.example.com/webhook/github", "ok git "+c.forgeURL+"/acme/gitops.git is read",
			"warn pipelines the default branch declares none",
		)
		code, printed := c.setup("--dry-run")
		if code != 0 || !strings.Contains(printed, "would  require the status lockkeeper/gates on main") || strings.Contains(printed, "shown this once") {
			t.Errorf("exit code %d:\n%s", code, printed)
		}
	})
	code, printed := c.setup()
	for _, want := range []string{"done   require the status lockkeeper/gates on main", "done   protect the branch lockkeeper/ledger", "done   create the webhook", "(shown this once)", "    forge: github"} {
		if code != 0 || !strings.Contains(printed, want) {
			t.Errorf("exit code %d, no %q:\n%s", code, want, printed)
		}
	}
	if err := c.forge.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.reads(func() {
		code, printed := c.setup()
		if code != 0 || !strings.Contains(printed, "Nothing to change: it is set up.") || strings.Contains(printed, "shown this once") {
			t.Errorf("the second time: exit code %d:\n%s", code, printed)
		}
		c.env["LOCKKEEPER_GITHUB_WEBHOOK_SECRET"] = "a-secret-of-our-own"
		c.expect(2, nil, "ok gates main requires the status lockkeeper/gates (ruleset)", "ok ledger the branch lockkeeper/ledger is protected", "ok webhook", "warn delivery GitHub's last delivery (ping) got no answer")
	})
}

func TestSetupByAMaintainerOfGitHubSaysWhatToClick(t *testing.T) {
	c := newGitHubClinic(t)
	if err := c.forge.AddMember(githubRepository, "ada", devforge.AccessMaintainer); err != nil {
		t.Fatal(err)
	}
	code, printed := c.setup()
	squeezed := strings.Join(strings.Fields(printed), " ")
	for _, want := range []string{
		"failed require the status lockkeeper/gates on main: github: create ruleset: HTTP 403", "→ add a branch ruleset for main that requires the status check lockkeeper/gates, on " + c.forgeURL + "/acme/gitops/settings/rules",
		"skip webhook: it may not be looked at with this token", c.forgeURL + "/acme/gitops/settings/hooks",
	} {
		if code != 1 || !strings.Contains(squeezed, want) {
			t.Errorf("exit code %d, no %q:\n%s", code, want, printed)
		}
	}
}

func TestDoctorOfAnAppOnGitHub(t *testing.T) {
	c := newGitHubClinic(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	app, err := c.forge.CreateApp(devforge.App{
		Name: "Lockkeeper", Key: &key.PublicKey, Hook: devforge.Hook{URL: "https://old.example.com/webhook/github", Token: "another", Events: []devforge.HookEvent{devforge.HookPush}},
		Permissions: map[string]string{"metadata": "read", "contents": "write", "pull_requests": "write", "issues": "write", "checks": "write", "administration": "write"},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.env = map[string]string{
		"LOCKKEEPER_GITHUB_APP_ID": strconv.Itoa(app), "LOCKKEEPER_GITHUB_WEBHOOK_SECRET": "a-secret-of-our-own",
		"LOCKKEEPER_GITHUB_APP_KEY": string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
	}
	c.expect(1, nil, "fail token github: find the installation", "install the App")
	if _, err := c.forge.InstallApp(app, githubRepository); err != nil {
		t.Fatal(err)
	}
	c.expect(1, nil, `ok token GitHub App of "lockkeeper[bot]"`, "fail permissions the installation lacks statuses: write", "warn permissions the installation lacks members: read",
		"fail webhook that of the App goes elsewhere, not to https://bot.example.com/webhook/github")
	c.expect(1, fix, "fixed webhook that of the App goes elsewhere", "fixed gates main does not require the status lockkeeper/gates", "fixed ledger")
	c.reads(func() {
		c.expect(1, fix, "ok gates main requires the status lockkeeper/gates of this App (ruleset)", "ok ledger", "fail webhook it does not send",
			"subscribe to these events, and grant the permissions they take, on "+c.forgeURL, "settings/apps/lockkeeper/permissions")
	})
}

func TestDoctorNamesARenamedRepositoryOnGitHub(t *testing.T) {
	c := newGitHubClinic(t)
	if err := c.forge.Rename(githubRepository, "acme/deploy"); err != nil {
		t.Fatal(err)
	}
	const renamed = `"acme/gitops" was renamed: it is "acme/deploy" now`
	c.expect(1, nil, "fail name "+renamed, "→ write project: acme/deploy below repositories in the server's configuration, and restart the server")

	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	app, err := c.forge.CreateApp(devforge.App{Name: "Lockkeeper", Key: &key.PublicKey, Permissions: map[string]string{"metadata": "read", "contents": "write"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.forge.InstallApp(app, "acme/deploy"); err != nil {
		t.Fatal(err)
	}
	c.env = map[string]string{
		"LOCKKEEPER_GITHUB_APP_ID":  strconv.Itoa(app),
		"LOCKKEEPER_GITHUB_APP_KEY": string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
	}
	c.expect(1, nil, "fail repository github: make a token", `the repository was renamed or transferred: it is "acme/deploy" now; configure that name`)
}

func TestDoctorSaysThatARequiredStatusBlocksPeople(t *testing.T) {
	c := newGitHubClinic(t)
	unseen := map[string]string{"lockkeeper.yaml": "forge: {review: off}\n"}
	if _, err := c.forge.Commit(t.Context(), githubRepository, "main", "ada", "Look at nobody", unseen); err != nil {
		t.Fatal(err)
	}
	if _, printed := c.doctor(); strings.Contains(printed, "forge.review") {
		t.Errorf("nothing is required yet:\n%s", printed)
	}
	c.expect(1, fix,
		"fixed gates main does not require the status lockkeeper/gates",
		"fail review forge.review is off while main requires the status lockkeeper/gates: no change of a person can be merged",
		"→ write forge: {review: status} in lockkeeper.yaml; taking the status out of the rules on "+c.forgeURL+"/acme/gitops/settings/rules would let anyone merge past the gates",
	)
}
