package forgetest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/contract/contracttest"
	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
	"github.com/lockkeeper/lockkeeper/internal/forge/github"
	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
)

var appKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// appGrants are what docs/github.md asks for.
var appGrants = map[string]string{
	"metadata": "read", "contents": "write", "pull_requests": "write", "issues": "write", "statuses": "write", "checks": "write",
	"deployments": "write", "merge_queues": "write", "actions": "write", "administration": "read", "members": "read",
}

// newGitHubToken is a repository on GitHub with an adapter that has a token, and posts commit statuses.
func newGitHubToken(t *testing.T, hook devforge.Hook) *ground {
	t.Helper()
	g := &ground{kind: gitHubToken, acts: newGitHubActs()}
	address := newDevforge(t, g, devforge.GitHub, contracttest.GitHub)
	g.api = address + "/api/v3"
	g.fresh = func(t *testing.T, with connection) adapter {
		t.Helper()
		return gitHubAdapter(t, github.Config{
			URL: address, Repository: g.path, Token: "bot-token", Now: g.clock.Now, Sleep: g.clock.Sleep, HTTPClient: with.client,
		})
	}
	g.addHook(hook)
	g.adapter = g.fresh(t, connection{})
	return g
}

// newGitHubApp is one with an adapter that is an App, and posts check runs.
func newGitHubApp(t *testing.T, hook devforge.Hook) *ground {
	t.Helper()
	g := &ground{kind: gitHubApp, acts: newGitHubActs()}
	address := newDevforge(t, g, devforge.GitHub, contracttest.GitHub)
	g.api = address + "/api/v3"
	key, err := appKey()
	if err != nil {
		t.Fatal(err)
	}
	id, err := g.dev.CreateApp(devforge.App{Name: "Lockkeeper", Key: &key.PublicKey, Permissions: appGrants, Hook: hook})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.dev.InstallApp(id, g.path); err != nil {
		t.Fatal(err)
	}
	app, err := github.NewApp(github.AppConfig{
		URL: address, ID: int64(id), Now: g.clock.Now, Sleep: g.clock.Sleep,
		PrivateKey: secret.Text(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
	})
	if err != nil {
		t.Fatal(err)
	}
	g.fresh = func(t *testing.T, with connection) adapter {
		t.Helper()
		return gitHubAdapter(t, github.Config{
			URL: address, Repository: g.path, App: app, Checks: true, Now: g.clock.Now, Sleep: g.clock.Sleep, HTTPClient: with.client,
		})
	}
	g.people[bot] = account{Name: "lockkeeper[bot]", token: "bot-token"}
	g.adapter = g.fresh(t, connection{})
	return g
}

func gitHubAdapter(t *testing.T, cfg github.Config) adapter {
	t.Helper()
	f, err := github.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// liveGitHub is a real repository; see the comment of the package.
func liveGitHub(t *testing.T, at live) *ground {
	t.Helper()
	g := &ground{T: t, kind: gitHubToken, acts: newGitHubActs(), path: at.repository, api: strings.TrimSuffix(at.url, "/") + "/api/v3"}
	if at.url == "https://github.com" {
		g.api = "https://api.github.com"
	}
	at.meet(g)
	g.fresh = func(t *testing.T, with connection) adapter {
		t.Helper()
		return gitHubAdapter(t, github.Config{URL: at.url, Repository: at.repository, Token: secret.Text(at.token), HTTPClient: with.client})
	}
	g.adapter = g.fresh(t, connection{})
	return g
}

// gitHubActs is what people do on GitHub.
type gitHubActs struct{ words }

func newGitHubActs() gitHubActs {
	return gitHubActs{words{
		repository: func(path string) string { return "/repos/" + path },
		changes:    "/pulls/",
		comments:   func(number int) string { return "/issues/" + strconv.Itoa(number) + "/comments" },
		edit:       http.MethodPatch,
		closed:     map[string]any{"state": "closed"},
		again:      map[string]any{"state": "open"},
	}}
}

func (a gitHubActs) open(g *ground, by string, change draft) int {
	g.Helper()
	number := a.make(g, by, "/pulls", map[string]any{"title": change.title, "head": string(change.branch), "base": string(target)}).Number
	if len(change.labels) > 0 {
		g.ask(by, http.MethodPost, a.below(g, "/issues/"+strconv.Itoa(number)+"/labels"), map[string]any{"labels": change.labels}, nil)
	}
	return number
}

// The adapter counts comments in files and reviews from here.
const (
	gitHubRemarks = 1 << 50
	gitHubReviews = 1 << 51
)

func (a gitHubActs) remark(g *ground, by string, number int, file, text string) (int, promote.Thread) {
	g.Helper()
	var made struct {
		ID int `json:"id"`
	}
	g.ask(by, http.MethodPost, a.change(g, number, "/comments"), map[string]any{
		"body": text, "path": file, "line": 1, "commit_id": string(g.seen(number).Head),
	}, &made)
	return gitHubRemarks | made.ID, promote.Thread(strconv.Itoa(made.ID))
}

func (a gitHubActs) reviewed(g *ground, by string, number int, text string) int {
	g.Helper()
	var made struct {
		ID int `json:"id"`
	}
	g.ask(by, http.MethodPost, a.change(g, number, "/reviews"), map[string]any{"event": "COMMENT", "body": text}, &made)
	return gitHubReviews | made.ID
}

func (a gitHubActs) thread(g *ground, number, note int) []string {
	g.Helper()
	var found []struct {
		ID        int    `json:"id"`
		InReplyTo int    `json:"in_reply_to_id"`
		Body      string `json:"body"`
	}
	g.ask(lea, http.MethodGet, a.change(g, number, "/comments?per_page=100"), nil, &found)
	var out []string
	for _, one := range found {
		if first := note &^ gitHubRemarks; one.ID == first || one.InReplyTo == first {
			out = append(out, one.Body)
		}
	}
	return out
}

func (a gitHubActs) review(g *ground, by string, number int, event string) {
	g.Helper()
	g.ask(by, http.MethodPost, a.change(g, number, "/reviews"), map[string]any{"event": event, "body": "as reviewed"}, nil)
}

func (a gitHubActs) react(g *ground, by string, _, note int) {
	g.Helper()
	g.ask(by, http.MethodPost, a.below(g, "/issues/comments/"+strconv.Itoa(note)+"/reactions"), map[string]any{"content": "heart"}, nil)
}

func (a gitHubActs) approve(g *ground, by string, number int) {
	g.Helper()
	a.review(g, by, number, "APPROVE")
}

func (a gitHubActs) withdraw(g *ground, by string, number int) {
	g.Helper()
	a.review(g, by, number, "REQUEST_CHANGES")
}

func (a gitHubActs) report(g *ground, by string, status report) {
	g.Helper()
	word := status.state.String()
	if status.state == promote.StatusFailed {
		word = "failure"
	}
	g.ask(by, http.MethodPost, a.below(g, "/statuses/"+string(status.head)), map[string]any{
		"state": word, "context": status.name, "description": "said by " + by,
	}, nil)
}

func (a gitHubActs) push(g *ground, by string, branch promote.Branch, file, content string) promote.Commit {
	g.Helper()
	if status, _ := g.try(by, http.MethodGet, a.below(g, "/branches/"+string(branch)), nil); status == http.StatusNotFound {
		g.ask(by, http.MethodPost, a.below(g, "/git/refs"), map[string]any{"ref": "refs/heads/" + string(branch), "sha": string(a.tip(g, target))}, nil)
	}
	var made struct {
		Commit struct {
			SHA promote.Commit `json:"sha"`
		} `json:"commit"`
	}
	g.ask(by, http.MethodPut, a.below(g, "/contents/"+file), map[string]any{
		"message": "Write " + file, "branch": string(branch), "content": base64.StdEncoding.EncodeToString([]byte(content)),
	}, &made)
	return made.Commit.SHA
}

func (a gitHubActs) tip(g *ground, branch promote.Branch) promote.Commit {
	g.Helper()
	var found struct {
		Commit struct {
			SHA promote.Commit `json:"sha"`
		} `json:"commit"`
	}
	g.ask(lea, http.MethodGet, a.below(g, "/branches/"+string(branch)), nil, &found)
	return found.Commit.SHA
}

func (a gitHubActs) view(g *ground, number int) view {
	g.Helper()
	type person struct {
		Login string `json:"login"`
	}
	var found struct {
		Title     string   `json:"title"`
		Body      string   `json:"body"`
		Draft     bool     `json:"draft"`
		State     string   `json:"state"`
		Assignees []person `json:"assignees"`
		Reviewers []person `json:"requested_reviewers"`
		Teams     []struct {
			Slug string `json:"slug"`
		} `json:"requested_teams"`
	}
	g.ask(lea, http.MethodGet, a.change(g, number, ""), nil, &found)
	out := view{Title: found.Title, Description: found.Body, Draft: found.Draft, Open: found.State == "open"}
	for _, one := range found.Assignees {
		out.Assignees = append(out.Assignees, one.Login)
	}
	for _, one := range found.Reviewers {
		out.Reviewers = append(out.Reviewers, one.Login)
	}
	for _, one := range found.Teams {
		out.Reviewers = append(out.Reviewers, "team "+one.Slug)
	}
	return out
}

func (a gitHubActs) reactions(g *ground, _, note int) []string {
	g.Helper()
	var found []struct {
		Content string `json:"content"`
	}
	path := "/issues/comments/" + strconv.Itoa(note)
	if note >= gitHubRemarks {
		path = "/pulls/comments/" + strconv.Itoa(note&^gitHubRemarks)
	}
	g.ask(lea, http.MethodGet, a.below(g, path+"/reactions"), nil, &found)
	var out []string
	for _, one := range found {
		out = append(out, one.Content)
	}
	return out
}

// statuses are the check runs of the name where the adapter is an App, which has only one on a commit and rewrites it.
func (a gitHubActs) statuses(g *ground, head promote.Commit, name string) []string {
	g.Helper()
	if g.kind == gitHubApp {
		return a.checkRuns(g, head, name)
	}
	var found []struct {
		Context string `json:"context"`
		State   string `json:"state"`
	}
	g.ask(lea, http.MethodGet, a.below(g, "/commits/"+string(head)+"/statuses?per_page=100"), nil, &found)
	var out []string
	for _, one := range slices.Backward(found) {
		if one.Context == name {
			out = append(out, one.State)
		}
	}
	return out
}

func (a gitHubActs) checkRuns(g *ground, head promote.Commit, name string) []string {
	g.Helper()
	var found struct {
		CheckRuns []struct {
			Name       string `json:"name"`
			Status     string `json:"status"`
			Conclusion string `json:"conclusion"`
		} `json:"check_runs"`
	}
	g.ask(lea, http.MethodGet, a.below(g, "/commits/"+string(head)+"/check-runs?filter=all&check_name="+url.QueryEscape(name)), nil, &found)
	var out []string
	for _, one := range slices.Backward(found.CheckRuns) {
		out = append(out, strings.TrimSuffix(one.Status+" "+one.Conclusion, " "))
	}
	return out
}

func (a gitHubActs) deployments(g *ground, environment string) []string {
	g.Helper()
	var found []struct {
		ID int `json:"id"`
	}
	g.ask(lea, http.MethodGet, a.below(g, "/deployments?environment="+url.QueryEscape(environment)), nil, &found)
	var out []string
	for _, one := range slices.Backward(found) {
		var states []struct {
			State string `json:"state"`
		}
		g.ask(lea, http.MethodGet, a.below(g, "/deployments/"+strconv.Itoa(one.ID)+"/statuses"), nil, &states)
		var words []string
		for _, state := range slices.Backward(states) {
			words = append(words, state.State)
		}
		out = append(out, strings.Join(words, " "))
	}
	return out
}
