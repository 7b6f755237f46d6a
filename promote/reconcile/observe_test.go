package reconcile

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/promote"
)

func TestEventsThatNameAWarehouse(t *testing.T) {
	const here, code = "https://git.example.com/acme/gitops.git", "https://git.example.com/acme/web"
	r := &Reconciler{Config: Config{URLs: []string{"git@git.example.com:acme/gitops.git", here}}}
	warehouse := promote.Warehouse{
		Images: []promote.ImageSubscription{{RepoURL: "registry.example.com/acme/web"}}, Git: []promote.GitSubscription{{RepoURL: code}},
	}
	own := promote.Warehouse{Git: []promote.GitSubscription{{RepoURL: "https://git.example.com/acme/gitops"}}}
	push := func(branch promote.Branch) promote.Event {
		return promote.Event{Kind: promote.EventPush, Branch: branch, Source: here}
	}
	artifact := func(name string) promote.Event { return promote.Event{Kind: promote.EventArtifact, Image: name} }
	for _, c := range []struct {
		name      string
		event     promote.Event
		warehouse promote.Warehouse
		want      bool
	}{
		{"an image", artifact("acme/web"), warehouse, true},
		{"another image", artifact("acme/api"), warehouse, false},
		{"something, nobody says what", artifact(""), warehouse, true},
		{"a repository that it watches", artifact(code + ".git"), warehouse, true},
		{"the repository itself", push("main"), own, true},
		{"any branch or tag of it", push(""), own, true},
		{"the repository itself, which it does not watch", push("main"), warehouse, false},
		{"a proposal, which holds nothing new", push("lockkeeper/develop/dev"), own, false},
		{"the ledger", push(promote.LedgerBranch), own, false},
		{"a sweep", promote.Event{Kind: promote.EventSweep}, warehouse, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := r.names([]promote.Event{c.event}, c.warehouse); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
