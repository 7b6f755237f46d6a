package doctor

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
)

func TestInstance(t *testing.T) {
	at := func(change func(*Instance)) []Finding {
		i := Instance{Forge: GitLab, URL: "https://gitlab.example.com", Version: "19.2.0", ClockKnown: true}
		change(&i)
		return i.Findings()
	}
	judge(t, []situation{
		{"it answers", at(func(*Instance) {}), `ok forge: GitLab 19.2.0 answers at https://gitlab.example.com
ok clock: our clock and that of GitLab agree`},
		{"it does not say its version, as github.com", at(func(i *Instance) { i.Forge, i.URL, i.Version = GitHub, "https://github.com", "" }), `ok forge: GitHub answers at https://github.com
ok clock: our clock and that of GitHub agree`},
		{"it does not answer", at(func(i *Instance) { i.Err = errors.New("dial tcp: connection refused") }), `fail forge: dial tcp: connection refused
skip clock: GitLab did not answer`},
		{"it answers, and does not know us", at(func(i *Instance) { i.Version, i.Err = "", promote.ErrUnauthorized }), `ok forge: GitLab answers at https://gitlab.example.com
ok clock: our clock and that of GitLab agree`},
		{"it does not know us because our clock is wrong", at(func(i *Instance) {
			i.Forge, i.URL, i.Version, i.Ahead, i.Err = GitHub, "https://github.com", "", 2*time.Hour, promote.ErrUnauthorized
		}), `ok forge: GitHub answers at https://github.com
fail clock: our clock is 2h0m0s behind that of GitHub: signed webhooks and tokens of Apps are refused`},
		{"it is no GitLab", at(func(i *Instance) {
			i.Version, i.Err = "", fmt.Errorf("gitlab: ask for the version: HTTP 404: %w", promote.ErrNotFound)
		}), `fail forge: gitlab: ask for the version: HTTP 404: not found
ok clock: our clock and that of GitLab agree`},
		{"it is an old GitHub", at(func(i *Instance) { i.Forge, i.URL, i.Version = GitHub, "https://github.example.com", "3.16.9" }), `fail forge: GitHub 3.16.9 answers at https://github.example.com: merging needs 3.17 or newer
ok clock: our clock and that of GitHub agree`},
		{"it is a GitHub that is new enough", at(func(i *Instance) { i.Forge, i.URL, i.Version = GitHub, "https://github.example.com", "3.17.0" }), `ok forge: GitHub 3.17.0 answers at https://github.example.com
ok clock: our clock and that of GitHub agree`},
		{"tokens travel in the clear", at(func(i *Instance) { i.URL = "http://gitlab.example.com" }), `ok forge: GitLab 19.2.0 answers at http://gitlab.example.com
warn tls: tokens travel unencrypted to http://gitlab.example.com
ok clock: our clock and that of GitLab agree`},
		{"it does not say what time it is", at(func(i *Instance) { i.ClockKnown = false }), `ok forge: GitLab 19.2.0 answers at https://gitlab.example.com
skip clock: GitLab does not say what time it is`},
		{"clocks agree to a minute", at(func(i *Instance) { i.Ahead = time.Minute }), `ok forge: GitLab 19.2.0 answers at https://gitlab.example.com
ok clock: our clock and that of GitLab agree`},
		{"our clock is slow", at(func(i *Instance) { i.Ahead = 61 * time.Second }), `ok forge: GitLab 19.2.0 answers at https://gitlab.example.com
warn clock: our clock is 1m1s behind that of GitLab: past 5 minutes signed webhooks are refused`},
		{"our clock is fast", at(func(i *Instance) { i.Ahead = -2 * time.Minute }), `ok forge: GitLab 19.2.0 answers at https://gitlab.example.com
warn clock: our clock is 2m0s ahead of that of GitLab: past 5 minutes signed webhooks are refused`},
		{"our clock is far off", at(func(i *Instance) { i.Ahead = -6 * time.Minute }), `ok forge: GitLab 19.2.0 answers at https://gitlab.example.com
fail clock: our clock is 6m0s ahead of that of GitLab: signed webhooks and tokens of Apps are refused`},
	})
}

func TestGitAndContent(t *testing.T) {
	problem := promote.Finding{Severity: promote.SeverityError, Code: "unknown-task", Message: "task \"x\" is not there", Position: promote.Position{File: "a.yaml", Line: 1, Column: 2}}
	warning := promote.Finding{Severity: promote.SeverityWarning, Code: "settings", Message: "not read"}
	judge(t, []situation{
		{"the repository is read", []Finding{Git{URL: "https://gitlab.example.com/g/r.git", Branches: 2, Default: "main"}.Finding()}, `ok git: https://gitlab.example.com/g/r.git is read, default branch main`},
		{"it cannot be read", []Finding{Git{URL: "https://gitlab.example.com/g/r.git", Err: errors.New("HTTP 403")}.Finding()}, `fail git: HTTP 403`},
		{"it is empty", []Finding{Git{URL: "https://gitlab.example.com/g/r.git"}.Finding()}, `fail git: https://gitlab.example.com/g/r.git has no branch`},
		{"pipelines load", Content{Commit: "cb86d70f464632bdfbe1bb9bc0f2f9d847a774a0", Pipelines: 1, Stages: 3, Applications: 4, Problems: []promote.Finding{warning}}.Findings(), `ok pipelines: 1 with 3 stages at cb86d70f, 4 applications`},
		{"there are none", Content{}.Findings(), `warn pipelines: the default branch declares none`},
		{"some are wrong", Content{Pipelines: 1, Problems: []promote.Finding{problem, warning, problem, problem, problem, problem}}.Findings(), `fail pipelines: a.yaml:1:2: error: task "x" is not there [unknown-task]
fail pipelines: a.yaml:1:2: error: task "x" is not there [unknown-task]
fail pipelines: a.yaml:1:2: error: task "x" is not there [unknown-task]
fail pipelines: 2 more errors`},
		{"they could not be read", Content{Err: errors.New("broken pack")}.Findings(), `fail pipelines: broken pack`},
	})
}

func TestDelivery(t *testing.T) {
	app := func(get, sync, auto bool) Application {
		return Application{Name: "dev", Project: "develop", Get: get, Sync: sync, AutoSync: auto}
	}
	var many []Application
	for range shownApplications + 2 {
		many = append(many, app(false, false, false))
	}
	judge(t, []situation{
		{"no Argo CD", ArgoCD{}.Findings(), `skip argo cd: no server is configured: promotions wait after their merge`},
		{"it does not answer", ArgoCD{URL: "https://argocd.example.com", Err: errors.New("no answer")}.Findings(), `fail argo cd: no answer`},
		{"it does not take the token", ArgoCD{URL: "https://argocd.example.com", Version: "v3.6.1", UserErr: errors.New("argo cd refuses the token")}.Findings(), `ok argo cd: v3.6.1 answers at https://argocd.example.com
fail argo cd token: argo cd refuses the token`},
		{"it takes the token", ArgoCD{URL: "https://argocd.example.com", Version: "v3.6.1", User: "proj:develop:lockkeeper"}.Findings(), `ok argo cd: v3.6.1 answers at https://argocd.example.com
ok argo cd token: it is that of "proj:develop:lockkeeper"`},
		{"the token may all", Applications([]Application{app(true, true, false), app(true, false, true)}), `ok applications: the token may get and sync 2 of 2`},
		{"the token may not sync one", Applications([]Application{app(true, true, false), app(true, false, false)}), `fail applications: the token may not sync application "dev" of project "develop"
ok applications: the token may get and sync 1 of 2`},
		{"the token may not get one", Applications([]Application{app(false, true, false), {Name: "x", Err: errors.New("argo cd: HTTP 500")}}), `fail applications: the token may not get application "dev" of project "develop"
fail applications: argo cd: HTTP 500`},
		{"no applications", Applications(nil), ``},
		{"registries", Sources([]Source{
			{Repository: "ghcr.io/acme/web", Kind: "image", Tags: 3},
			{Repository: "ghcr.io/acme/new", Kind: "image"},
			{Repository: "https://charts.example.com", Kind: "chart", Err: errors.New("HTTP 401")},
		}), `ok registry: image ghcr.io/acme/web can be listed
warn registry: image ghcr.io/acme/new has no versions
fail registry: HTTP 401`},
	})
	if got := len(Applications(many)); got != shownApplications+1 {
		t.Errorf("%d findings about %d applications", got, len(many))
	}
}
