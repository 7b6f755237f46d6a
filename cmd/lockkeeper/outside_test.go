package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/forge/gitlab"
	"github.com/lockkeeper/lockkeeper/internal/oci"
	"github.com/lockkeeper/lockkeeper/internal/outbound"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/step"
)

// configured reads a configuration as the server does, with some environment variables.
func configured(t *testing.T, text string) (*outside, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lockkeeper-server.yaml")
	if err := os.WriteFile(path, []byte("repositories: [{project: acme/gitops}]\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := readServerConfig(path)
	if err != nil {
		return nil, err
	}
	return newOutside(cfg, secrets{getenv: func(name string) string {
		return map[string]string{"API_TOKEN": "hunter22", "OPS_URL": "https://hooks.slack.com/x", "GH_TOKEN": "ghp"}[name]
	}})
}

func TestOutsideIsConfiguredStrictly(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, says string }{
		{"nothing", "", ""},
		{"everything", `
outbound: {allow: [localhost, 10.0.0.0/8]}
secrets: [{project: develop, name: api, env: {token: API_TOKEN}}, {shared: true, name: api, env: {token: API_TOKEN}}]
configMaps: [{project: develop, name: urls, data: {api: "https://api"}}]
gitRepositories: [{url: "https://github.com/acme/charts", tokenEnv: GH_TOKEN}, {url: "https://github.com/acme/public"}]
messages: [{name: ops, kind: slack, urlEnv: OPS_URL}]
pipelines: [acme/deploy]
github: {tokenEnv: GH_TOKEN, repositories: [acme/web]}
ociPush: [ghcr.io/acme]
`, ""},
		{"an unknown key", "outbond: {}", `did you mean "outbound"`},
		{"an unknown key inside", "messages: [{nam: ops}]", `did you mean "name"`},
		{"a host that is none", `outbound: {allow: ["https://x"]}`, `outbound.allow: "https://x": expected a host`},
		{"a variable that is not set", "secrets: [{project: develop, name: api, env: {token: OTHER}}]", "secrets[0].env.token: the environment variable OTHER is not set"},
		{"a secret without a name", "secrets: [{project: develop, env: {token: API_TOKEN}}]", "secrets[0].name is missing"},
		{"a secret of nobody", "secrets: [{name: api, env: {token: API_TOKEN}}]", "secrets[0]: write either project or shared: true"},
		{"a secret of all and of one", "secrets: [{name: api, shared: true, project: develop, env: {token: API_TOKEN}}]", "write either project or shared"},
		{"a secret that is there twice", "secrets: [{project: a, name: api, env: {token: API_TOKEN}}, {project: a, name: api, env: {token: API_TOKEN}}]", `secrets[1]: "api" is there twice`},
		{"a config map that holds nothing", "configMaps: [{project: a, name: urls}]", "configMaps[0] holds nothing"},
		{"a repository with a password", `gitRepositories: [{url: "https://u:hunter22@github.com/acme/charts"}]`, "gitRepositories[0].url: it holds credentials"},
		{"a channel without a variable", "messages: [{name: ops, kind: slack}]", "messages[0].urlEnv is missing"},
		{"a channel of another kind", "messages: [{name: ops, kind: irc, urlEnv: OPS_URL}]", `kind "irc"`},
		{"GitHub without a token", "github: {repositories: [acme/web]}", "github.tokenEnv is missing"},
		{"GitHub at no URL", `github: {url: "github"}`, "github.url: expected https://host"},
		{"images written to a URL", `ociPush: ["https://ghcr.io/acme"]`, "ociPush: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := configured(t, tt.text)
			switch {
			case tt.says == "" && err != nil:
				t.Error(err)
			case tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "hunter22")):
				t.Errorf("got %v, want %q", err, tt.says)
			}
		})
	}
}

// outsideWorld is what the steps of acme/gitops may reach with a configuration.
func outsideWorld(t *testing.T, text string) step.World {
	t.Helper()
	o, err := configured(t, text)
	if err != nil {
		t.Fatal(err)
	}
	forge, err := gitlab.New(gitlab.Config{URL: "https://gitlab.example.com", Project: "acme/gitops"})
	if err != nil {
		t.Fatal(err)
	}
	p := &parts{config: o.config, outside: o, secrets: secrets{GitLabToken: "x"}}
	return p.world(&place{name: "acme/gitops", forge: forge, gitlab: forge})
}

func TestSecretsBelongToTheirProject(t *testing.T) {
	t.Parallel()
	world := outsideWorld(t, `
secrets:
- {project: develop, name: api, env: {token: API_TOKEN}}
- {shared: true, name: all, env: {token: GH_TOKEN}}
- {repository: acme/gitops, project: develop, name: own, env: {token: API_TOKEN}}
- {project: develop, name: own, env: {token: GH_TOKEN}}
- {repository: acme/other, project: develop, name: theirs, env: {token: GH_TOKEN}}
configMaps: [{shared: true, name: urls, data: {api: "https://api"}}]`)
	for _, tt := range []struct {
		project, name string
		shared        bool
		want          map[string]string
	}{
		{"develop", "api", false, map[string]string{"token": "hunter22"}},
		{"other", "api", false, nil},
		{"", "api", false, nil},
		{"develop", "api", true, nil},
		{"develop", "all", true, map[string]string{"token": "ghp"}},
		{"develop", "all", false, nil},
		{"", "all", false, nil},
		{"develop", "own", false, map[string]string{"token": "hunter22"}},
		{"develop", "theirs", false, nil},
	} {
		got, ok := world.Secrets(tt.project, tt.name, tt.shared)
		if diff := cmp.Diff(tt.want, got); diff != "" || ok != (tt.want != nil) {
			t.Errorf("%+v: %t\n%s", tt, ok, diff)
		}
	}
	if got, ok := world.ConfigMaps("develop", "urls", true); !ok || got["api"] != "https://api" {
		t.Errorf("got %v", got)
	}
}

func TestStepsReachOnlyWhatTheConfigurationAllows(t *testing.T) {
	t.Parallel()
	bare := outsideWorld(t, "github: {tokenEnv: GH_TOKEN}")
	if bare.Messages != nil {
		t.Error("there are no channels")
	}
	if _, err := bare.Git("https://github.com/acme/charts"); err == nil || !strings.Contains(err.Error(), "gitRepositories") {
		t.Errorf("another repository: %v", err)
	}
	if _, err := bare.GitLab.Start(t.Context(), step.PipelineRequest{Project: "acme/deploy"}); !errors.Is(err, promote.ErrForbidden) {
		t.Errorf("the pipelines of another project: %v", err)
	}
	if _, err := bare.GitLab.Pipeline(t.Context(), "acme/deploy", "7"); !errors.Is(err, promote.ErrForbidden) {
		t.Errorf("a pipeline of another project: %v", err)
	}
	if _, err := bare.GitHub.Start(t.Context(), step.PipelineRequest{Project: "acme/web"}); !errors.Is(err, promote.ErrForbidden) {
		t.Errorf("the workflows of a repository: %v", err)
	}
	if _, err := bare.Registry.Copy(t.Context(), "ghcr.io/acme/a:1", "ghcr.io/acme/b:1", step.RegistryOptions{}); !errors.Is(err, oci.ErrForbidden) {
		t.Errorf("an image: %v", err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	if err := visit(t, bare, server.URL); !errors.Is(err, outbound.ErrDenied) {
		t.Errorf("loopback: %v", err)
	}
	open := outsideWorld(t, `
outbound: {allow: [127.0.0.1]}
gitRepositories: [{url: "https://github.com/acme/charts.git"}]
messages: [{name: ops, kind: slack, urlEnv: OPS_URL}]`)
	if err := visit(t, open, server.URL); err != nil {
		t.Errorf("loopback, which is allowed: %v", err)
	}
	first, err := open.Git("https://github.com/acme/charts")
	if again, againErr := open.Git("https://github.com/Acme/charts.git"); err != nil || againErr != nil || first != again {
		t.Errorf("a repository in two spellings: %v, %v", err, againErr)
	}
	if diff := cmp.Diff([]string{"ops"}, open.Messages.Channels()); diff != "" {
		t.Error(diff)
	}
}

func visit(t *testing.T, world step.World, target string) error {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := world.HTTP(step.HTTPOptions{}).Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func TestPipelineStates(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		over, succeeded bool
		want            step.PipelineState
	}{{false, false, step.PipelineRunning}, {true, false, step.PipelineFailed}, {true, true, step.PipelineSucceeded}} {
		if got := pipelineState(tt.over, tt.succeeded); got != tt.want {
			t.Errorf("%+v: got %d", tt, got)
		}
	}
	if pipelineID(0) != "" || pipelineID(7) != "7" {
		t.Error("no number is no ID")
	}
}
