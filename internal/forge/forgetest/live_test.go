package forgetest

import (
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
	"github.com/lockkeeper/lockkeeper/promote"
)

// live is a real forge and two accounts on it.
type live struct {
	url        string
	repository string
	token      string
	person     string
}

// liveFrom reads the environment; see the comment of the package.
func liveFrom(t *testing.T, name string) live {
	t.Helper()
	name = "LOCKKEEPER_LIVE_" + name
	at := live{url: os.Getenv(name), repository: os.Getenv(name + "_REPOSITORY"), token: os.Getenv(name + "_TOKEN"), person: os.Getenv(name + "_PERSON")}
	if at.url == "" {
		t.Skipf("%s is not set: no real forge is tried; the comment of the package says how", name)
	}
	for rest, value := range map[string]string{"_REPOSITORY": at.repository, "_TOKEN": at.token, "_PERSON": at.person} {
		if value == "" {
			t.Fatalf("%s is set and %s is not; the comment of the package says what it is", name, name+rest)
		}
	}
	return at
}

// meet finds out who the accounts are.
func (at live) meet(g *ground) {
	g.Helper()
	g.unique = strconv.FormatInt(time.Now().UnixMilli(), 36) + "-"
	g.people = map[string]account{bot: {token: at.token}, lea: {token: at.person}}
	for role, who := range g.people {
		var found struct {
			ID       int    `json:"id"`
			Login    string `json:"login"`    // GitHub
			Username string `json:"username"` // GitLab
		}
		g.ask(role, http.MethodGet, "/user", nil, &found)
		g.people[role] = account{ID: found.ID, Name: found.Login + found.Username, token: who.token}
	}
}

func TestLiveGitHub(t *testing.T) { onLive(t, liveGitHub(t, liveFrom(t, "GITHUB"))) }

func TestLiveGitLab(t *testing.T) { onLive(t, liveGitLab(t, liveFrom(t, "GITLAB"))) }

// onLive goes through the rows one after another: limits are those of the account.
func onLive(t *testing.T, g *ground) {
	for _, r := range rows {
		if r.dev {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			g.T = t
			g.adapter = g.fresh(t, connection{})
			r.run(g)
		})
	}
}

// handPushed are acts whose pushes devforge makes, as it has no API for them.
type handPushed struct {
	acts
	dev *devforge.Forge
}

func (h handPushed) push(g *ground, by string, branch promote.Branch, file, content string) promote.Commit {
	g.Helper()
	id, err := h.dev.Commit(g.Context(), g.path, string(branch), g.people[by].Name, "Write "+file, map[string]string{file: content})
	if err != nil {
		g.Fatal(err)
	}
	return promote.Commit(id)
}

// TestRowsOfRealForgesNeedTwoAccounts goes through them on a forge of which nothing else is known.
func TestRowsOfRealForgesNeedTwoAccounts(t *testing.T) {
	for name, place := range map[string]struct {
		make func(*testing.T, devforge.Hook) *ground
		live func(*testing.T, live) *ground
	}{
		"GitLab": {newGitLab, liveGitLab},
		"GitHub": {newGitHubToken, liveGitHub},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			behind := place.make(t, devforge.Hook{})
			address, _, _ := strings.Cut(behind.api, "/api/")
			g := place.live(t, live{url: address, repository: behind.path, token: "bot-token", person: "lea-token"})
			g.acts = handPushed{g.acts, behind.dev}
			onLive(t, g)
		})
	}
}
