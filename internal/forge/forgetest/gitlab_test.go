package forgetest

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/contract/contracttest"
	"github.com/lockkeeper/lockkeeper/internal/forge/adaptertest"
	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
	"github.com/lockkeeper/lockkeeper/internal/forge/gitlab"
	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
)

const repositoryPath = "acme/gitops"

// levels are the members of the repository. On GitLab the default branch is protected, so that bot maintains it to merge.
var levels = map[string]int{
	bot: devforge.AccessDeveloper, lea: devforge.AccessOwner, mia: devforge.AccessMaintainer, wes: devforge.AccessDeveloper,
	rita: devforge.AccessReporter, stranger: 0,
}

// newDevforge starts a forge with its people and an empty repository, behind what checks its exchanges.
func newDevforge(t *testing.T, g *ground, dialect devforge.Dialect, check func(testing.TB, http.Handler, ...contracttest.Gap) http.Handler) string {
	t.Helper()
	g.T, g.clock, g.path, g.people = t, adaptertest.NewClock(time.Second), repositoryPath, map[string]account{}
	forge, err := devforge.New(devforge.Config{
		Root: t.TempDir(), Now: g.clock.Now, Person: "you", Dialect: dialect, KeepFailingHooks: true,
		Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(forge.Close)
	g.dev = forge
	server := httptest.NewServer(check(t, forge.Handler()))
	t.Cleanup(server.Close)
	forge.SetURL(server.URL)
	for name := range levels {
		made := forge.CreateUser(name, name+"-token")
		g.people[name] = account{ID: made.ID, Name: made.Name, token: made.Token}
	}
	if _, err := forge.CreateProject(g.path, string(target), map[string]string{"web.yaml": "version: 1\n"}); err != nil {
		t.Fatal(err)
	}
	for name, level := range levels {
		if err := forge.AddMember(g.path, name, level); err != nil {
			t.Fatal(err)
		}
	}
	return server.URL
}

// externalCheck is the external status check of GitLab's repository; it keeps nothing from being merged.
const externalCheck = "lockkeeper"

// checkSays is what the external status check says of a change, "" where there is none.
func (g *ground) checkSays(number int) string {
	g.Helper()
	if g.kind != gitLab {
		return ""
	}
	var all []struct{ Name, Status string }
	g.ask(lea, http.MethodGet, newGitLabActs().change(g, number, "/status_checks"), nil, &all)
	for _, one := range all {
		if one.Name == externalCheck {
			return one.Status
		}
	}
	return ""
}

func newGitLab(t *testing.T, hook devforge.Hook) *ground {
	t.Helper()
	g := &ground{kind: gitLab, acts: newGitLabActs()}
	address := newDevforge(t, g, devforge.GitLab, contracttest.GitLab)
	if err := g.dev.AddMember(g.path, bot, devforge.AccessMaintainer); err != nil {
		t.Fatal(err)
	}
	if err := g.dev.Change(g.path, func(s *devforge.Settings) { s.Ultimate = true }); err != nil {
		t.Fatal(err)
	}
	g.api = address + "/api/v4"
	g.ask(lea, http.MethodPost, newGitLabActs().below(g, "/external_status_checks"), map[string]any{
		"name": externalCheck, "external_url": "https://checks.example.com",
	}, nil)
	g.fresh = func(t *testing.T, with connection) adapter {
		t.Helper()
		return gitLabAdapter(t, gitlab.Config{
			URL: address, Project: g.path, Token: "bot-token", Now: g.clock.Now, Sleep: g.clock.Sleep, HTTPClient: with.client,
			ExternalStatusCheck: externalCheck,
		})
	}
	g.addHook(hook)
	g.adapter = g.fresh(t, connection{})
	return g
}

func gitLabAdapter(t *testing.T, cfg gitlab.Config) adapter {
	t.Helper()
	f, err := gitlab.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// liveGitLab is a real project; see the comment of the package.
func liveGitLab(t *testing.T, at live) *ground {
	t.Helper()
	g := &ground{T: t, kind: gitLab, acts: newGitLabActs(), path: at.repository, api: strings.TrimSuffix(at.url, "/") + "/api/v4"}
	at.meet(g)
	g.fresh = func(t *testing.T, with connection) adapter {
		t.Helper()
		return gitLabAdapter(t, gitlab.Config{URL: at.url, Project: at.repository, Token: secret.Text(at.token), HTTPClient: with.client})
	}
	g.adapter = g.fresh(t, connection{})
	return g
}

// addHook adds a webhook to the repository, unless it leads nowhere.
func (g *ground) addHook(hook devforge.Hook) {
	g.Helper()
	if hook.URL == "" {
		return
	}
	if _, err := g.dev.AddHook(g.path, hook); err != nil {
		g.Fatal(err)
	}
}

// gitLabActs is what people do on GitLab.
type gitLabActs struct{ words }

func newGitLabActs() gitLabActs {
	return gitLabActs{words{
		repository: func(path string) string { return "/projects/" + url.PathEscape(path) },
		changes:    "/merge_requests/",
		comments:   func(number int) string { return "/merge_requests/" + strconv.Itoa(number) + "/notes" },
		edit:       http.MethodPut,
		closed:     map[string]any{"state_event": "close"},
		again:      map[string]any{"state_event": "reopen"},
	}}
}

func (a gitLabActs) open(g *ground, by string, change draft) int {
	g.Helper()
	return a.make(g, by, "/merge_requests", map[string]any{
		"title": change.title, "source_branch": string(change.branch), "target_branch": string(target), "labels": change.labels,
	}).IID
}

func (a gitLabActs) react(g *ground, by string, number, note int) {
	g.Helper()
	g.ask(by, http.MethodPost, a.change(g, number, "/notes/"+strconv.Itoa(note)+"/award_emoji"), map[string]any{"name": "heart"}, nil)
}

func (a gitLabActs) approve(g *ground, by string, number int) {
	g.Helper()
	g.ask(by, http.MethodPost, a.change(g, number, "/approve"), nil, nil)
}

func (a gitLabActs) withdraw(g *ground, by string, number int) {
	g.Helper()
	g.ask(by, http.MethodPost, a.change(g, number, "/unapprove"), nil, nil)
}

func (a gitLabActs) report(g *ground, by string, status report) {
	g.Helper()
	g.ask(by, http.MethodPost, a.below(g, "/statuses/"+string(status.head)), map[string]any{
		"state": status.state.String(), "name": status.name, "ref": string(status.branch), "description": "said by " + by,
	}, nil)
}

func (a gitLabActs) push(g *ground, by string, branch promote.Branch, file, content string) promote.Commit {
	g.Helper()
	body := map[string]any{
		"branch": string(branch), "commit_message": "Write " + file,
		"actions": []map[string]string{{"action": "create", "file_path": file, "content": content}},
	}
	if status, _ := g.try(by, http.MethodGet, a.below(g, "/repository/branches/"+url.PathEscape(string(branch))), nil); status == http.StatusNotFound {
		body["start_branch"] = string(target)
	}
	var made struct {
		ID promote.Commit `json:"id"`
	}
	g.ask(by, http.MethodPost, a.below(g, "/repository/commits"), body, &made)
	return made.ID
}

func (a gitLabActs) tip(g *ground, branch promote.Branch) promote.Commit {
	g.Helper()
	var found struct {
		Commit struct {
			ID promote.Commit `json:"id"`
		} `json:"commit"`
	}
	g.ask(lea, http.MethodGet, a.below(g, "/repository/branches/"+url.PathEscape(string(branch))), nil, &found)
	return found.Commit.ID
}

func (a gitLabActs) view(g *ground, number int) view {
	g.Helper()
	type person struct {
		Username string `json:"username"`
	}
	var found struct {
		Title       string   `json:"title"`
		Description string   `json:"description"`
		Draft       bool     `json:"draft"`
		State       string   `json:"state"`
		Assignees   []person `json:"assignees"`
		Reviewers   []person `json:"reviewers"`
	}
	g.ask(lea, http.MethodGet, a.change(g, number, ""), nil, &found)
	out := view{Title: found.Title, Description: found.Description, Draft: found.Draft, Open: found.State == "opened"}
	for _, one := range found.Assignees {
		out.Assignees = append(out.Assignees, one.Username)
	}
	for _, one := range found.Reviewers {
		out.Reviewers = append(out.Reviewers, one.Username)
	}
	return out
}

func (a gitLabActs) remark(g *ground, by string, number int, _, text string) (int, promote.Thread) {
	g.Helper()
	var made gitLabThread
	g.ask(by, http.MethodPost, a.change(g, number, "/discussions"), map[string]any{"body": text}, &made)
	return made.Notes[0].ID, promote.Thread(made.ID)
}

func (gitLabActs) reviewed(*ground, string, int, string) int { return 0 }

func (a gitLabActs) thread(g *ground, number, note int) []string {
	g.Helper()
	var found []gitLabThread
	g.ask(lea, http.MethodGet, a.change(g, number, "/discussions?per_page=100"), nil, &found)
	var out []string
	for _, thread := range found {
		for _, one := range thread.Notes {
			if thread.Notes[0].ID == note {
				out = append(out, one.Body)
			}
		}
	}
	return out
}

type gitLabThread struct {
	ID    string `json:"id"`
	Notes []struct {
		ID   int    `json:"id"`
		Body string `json:"body"`
	} `json:"notes"`
}

func (a gitLabActs) reactions(g *ground, number, note int) []string {
	g.Helper()
	var found []struct {
		Name string `json:"name"`
	}
	g.ask(lea, http.MethodGet, a.change(g, number, "/notes/"+strconv.Itoa(note)+"/award_emoji"), nil, &found)
	var out []string
	for _, one := range found {
		out = append(out, one.Name)
	}
	return out
}

func (a gitLabActs) statuses(g *ground, head promote.Commit, name string) []string {
	g.Helper()
	var found []struct {
		ID     int    `json:"id"`
		Name   string `json:"name"`
		Status string `json:"status"`
	}
	g.ask(lea, http.MethodGet, a.below(g, "/repository/commits/"+string(head)+"/statuses?all=true&order_by=id&sort=asc&per_page=100"), nil, &found)
	var out []string
	for _, one := range found {
		if one.Name == name {
			out = append(out, one.Status)
		}
	}
	return out
}

func (a gitLabActs) deployments(g *ground, environment string) []string {
	g.Helper()
	var found []struct {
		Status string `json:"status"`
	}
	g.ask(lea, http.MethodGet, a.below(g, "/deployments?order_by=id&sort=asc&environment="+url.QueryEscape(environment)), nil, &found)
	var out []string
	for _, one := range found {
		out = append(out, one.Status)
	}
	return slices.Clip(out)
}
