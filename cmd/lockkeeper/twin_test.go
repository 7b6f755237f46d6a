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
