package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/bot"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
)

// TestOnePathOnBothForges: the two are told apart wherever something has the name of a repository.
func TestOnePathOnBothForges(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "server.yaml")
	text := `
database: ` + filepath.Join(dir, "queue.db") + `
cacheDir: ` + filepath.Join(dir, "cache") + `
repositories:
  - {project: acme/gitops, forge: github}
  - {project: acme/shop, forge: github}
  - {project: Acme/GitOps/, forge: gitlab}
secrets:
  - {repository: "github:acme/gitops", project: web, name: one, env: {token: ONE}}
  - {repository: "gitlab:acme/gitops", project: web, name: two, env: {token: TWO}}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := readServerConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	s := secrets{
		GitLabToken: "glpat-x", GitHubToken: "ghp_x", GitHubSecret: []string{"0123456789abcdef"}, WebhookToken: []string{"0123456789abcdef"},
		getenv: func(name string) string { return "value of " + name },
	}
	p, err := newParts(cfg, s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if p.renderer.Workers != nil {
		defer p.renderer.Workers.Close()
	}
	server, places, err := newBot(t.Context(), p, func(r *reconcile.Reconciler) bot.Runner { return r })
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, r := range server.Repositories {
		_, one := lookup(p.outside.secrets, places[i].name)("web", "one", false)
		_, two := lookup(p.outside.secrets, places[i].name)("web", "two", false)
		got = append(got, fmt.Sprintln(r.Name, r.Forge, r.Project, places[i].cloneURL, one, two))
	}
	want := []string{
		"acme/gitops github acme/gitops https://github.com/acme/gitops.git true false\n",
		"acme/shop github acme/shop https://github.com/acme/shop.git false false\n",
		"gitlab:Acme/GitOps gitlab Acme/GitOps/ https://gitlab.com/Acme/GitOps.git false true\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestTheRepositoryOfACommand is found in the configuration as webhooks find it, and on the forge that was asked for.
func TestTheRepositoryOfACommand(t *testing.T) {
	t.Parallel()
	one := []repositoryConfig{{Project: "/Acme/GitOps"}}
	twins := []repositoryConfig{{Project: "acme/gitops", Forge: forgeGitHub}, {Project: "acme/gitops", Forge: forgeGitLab, twin: true}}
	for _, c := range []struct {
		name       string
		configured []repositoryConfig
		target     target
		want       string // its forge and path; otherwise the error
	}{
		{"it is the only one", one, target{}, "gitlab Acme/GitOps"},
		{"it is spelled otherwise", one, target{project: "acme/gitops/"}, "gitlab Acme/GitOps"},
		{"the forge that nobody configured", one, target{project: "acme/gitops", forge: forgeGitHub}, "github Acme/GitOps"},
		{"the forge of the only one", one, target{forge: forgeGitHub}, "github Acme/GitOps"},
		{"a forge that it is not on", twins[:1], target{forge: forgeGitLab}, "server.yaml has no repository on gitlab"},
		{"a forge that there is not", one, target{forge: "gitea"}, `configuration: repositories[0].forge is "gitea": expected gitlab or github`},
		{"one of two", twins, target{project: "acme/gitops", forge: forgeGitLab}, "gitlab acme/gitops"},
		{"the only one on its forge", twins, target{forge: forgeGitHub}, "github acme/gitops"},
		{"any of two", twins, target{project: "acme/gitops"}, `server.yaml has "acme/gitops" on both forges: choose one with --forge`},
		{"none of two", twins, target{}, "server.yaml has 2 repositories: choose one with --project, such as --project acme/gitops"},
		{"one that is not there", twins, target{project: "acme/gitop"}, `server.yaml has no repository "acme/gitop"; did you mean "acme/gitops"?`},
		{"one that is not there on this forge", twins[:1], target{project: "acme/gitops", forge: forgeGitLab}, `server.yaml has no repository "acme/gitops" on gitlab`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.target.config = "server.yaml"
			cfg := serverConfig{Repositories: c.configured}
			got := ""
			if err := c.target.choose(&cfg); err != nil {
				got = err.Error()
			} else if len(cfg.Repositories) == 1 {
				got = secrets{GitLabToken: "a", GitHubToken: "b"}.forgeOf(cfg.Repositories[0]) + " " + cfg.Repositories[0].path()
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
