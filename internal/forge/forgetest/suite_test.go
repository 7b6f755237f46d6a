package forgetest

import (
	"slices"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
	"github.com/lockkeeper/lockkeeper/internal/git/gittest"
)

// A row is one thing that every adapter does alike.
type row struct {
	name string
	run  func(*ground)
	dev  bool // needs what only devforge can be told
	hear bool // needs the webhooks, which come into ground.mail
}

var rows = slices.Concat(changeRows, statusRows, noteRows, threadRows, memberRows, mergeRows, deployRows, eventRows)

// grounds are the adapters, each on a forge of its own.
var grounds = []struct {
	name string
	kind kind
	make func(*testing.T, devforge.Hook) *ground
}{
	{"GitLab with a token", gitLab, newGitLab},
	{"GitHub as an App", gitHubApp, newGitHubApp},
	{"GitHub with a token", gitHubToken, newGitHubToken},
}

func TestMain(m *testing.M) {
	gittest.FoldersInMemory()
	m.Run()
}

func TestAdapters(t *testing.T) {
	for _, place := range grounds {
		t.Run(place.name, func(t *testing.T) {
			for _, r := range rows {
				t.Run(r.name, func(t *testing.T) {
					t.Parallel()
					if !r.hear {
						r.run(place.make(t, devforge.Hook{}))
						return
					}
					mail := newMailbox(t)
					g := place.make(t, mail.hook(place.kind))
					g.mail = mail
					r.run(g)
				})
			}
		})
	}
}
