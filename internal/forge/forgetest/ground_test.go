package forgetest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/forge/adaptertest"
	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
)

// An adapter is what Lockkeeper needs of one.
type adapter interface {
	reconcile.Forge
	reconcile.Deployer
	Missed(ctx context.Context, since time.Time) ([]promote.Event, error)
}

// The people of every ground. On a real forge there are bot and lea.
const (
	bot      = "bot"      // Lockkeeper's own account
	lea      = "lea"      // administers the repository
	mia      = "mia"      // maintains it
	wes      = "wes"      // writes
	rita     = "rita"     // reads
	stranger = "stranger" // has no part in it
)

// An account is a person of the forge.
type account struct {
	ID    int
	Name  string
	token string
}

// acts is what people do and see on one forge, over its API.
type acts interface {
	// open opens a change and returns its number.
	open(g *ground, by string, change draft) int
	rename(g *ground, by string, number int, title string)
	close(g *ground, by string, number int)
	reopen(g *ground, by string, number int)
	// comment writes a note and returns its number.
	comment(g *ground, by string, number int, text string) int
	react(g *ground, by string, number, note int)
	// remark writes a comment on the first line of a file of a change, and returns its number, as the adapter counts it, and its thread.
	remark(g *ground, by string, number int, file, text string) (note int, thread promote.Thread)
	// review writes a review with a text and returns its number, as the adapter counts it; 0 where the forge has none.
	reviewed(g *ground, by string, number int, text string) int
	// thread are the texts of the thread that a note begins.
	thread(g *ground, number, note int) []string
	approve(g *ground, by string, number int)
	// withdraw takes the approval back: on GitHub by asking for changes, on GitLab by revoking it.
	withdraw(g *ground, by string, number int)
	merge(g *ground, by string, number int, head promote.Commit)
	// report posts a commit status: pending, success or failed.
	report(g *ground, by string, status report)
	// push writes a new file to a branch of a real forge.
	push(g *ground, by string, branch promote.Branch, file, content string) promote.Commit

	tip(g *ground, branch promote.Branch) promote.Commit
	view(g *ground, number int) view
	reactions(g *ground, number, note int) []string
	// statuses are all of a name on a commit, oldest first, as their states.
	statuses(g *ground, head promote.Commit, name string) []string
	// deployments are those of an environment, each as its states.
	deployments(g *ground, environment string) []string
}

// A draft is a change that a person opens.
type draft struct {
	branch promote.Branch
	title  string
	labels []string
}

// A report is a commit status that somebody posts.
type report struct {
	head   promote.Commit
	branch promote.Branch
	name   string
	state  promote.StatusState
}

// A view is what people see of a change.
type view struct {
	Title       string
	Description string
	Draft       bool
	Open        bool
	Assignees   []string
	Reviewers   []string
}

// A ground is a forge with a repository, its people, and the adapter under test on it.
type ground struct {
	*testing.T
	acts
	adapter
	kind   kind
	dev    *devforge.Forge // nil: a real forge
	clock  *adaptertest.Clock
	api    string // of the REST API
	path   string // of the repository
	people map[string]account
	fresh  func(t *testing.T, with connection) adapter // another adapter on the same repository
	mail   *mailbox                                    // nil: its webhooks go nowhere
	unique string
	mu     sync.Mutex
	made   int
}

// A kind is a forge and the credentials on it.
type kind int

const (
	gitLab kind = iota
	gitHubApp
	gitHubToken
)

func (k kind) gitHub() bool { return k != gitLab }

// A connection is how an adapter reaches its forge; zero is the usual way.
type connection struct {
	client *http.Client
}

// ask makes a request of the REST API as somebody, and reads the answer into into unless that is nil.
func (g *ground) ask(by, method, path string, body, into any) {
	g.Helper()
	status, answer := g.try(by, method, path, body)
	if status >= http.StatusMultipleChoices {
		g.Fatalf("%s %s as %s: %d %.500s", method, path, by, status, answer)
	}
	if into != nil {
		if err := json.Unmarshal(answer, into); err != nil {
			g.Fatalf("%s %s: %v in %.500s", method, path, err, answer)
		}
	}
}

// try is ask for what may be refused.
func (g *ground) try(by, method, path string, body any) (int, []byte) {
	g.Helper()
	var sent io.Reader = http.NoBody
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			g.Fatal(err)
		}
		sent = bytes.NewReader(data)
	}
	request, err := http.NewRequestWithContext(g.Context(), method, g.api+path, sent)
	if err != nil {
		g.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+g.people[by].token)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		g.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		g.Fatal(err)
	}
	return response.StatusCode, answer
}

// commit writes a new file to a branch, which begins at the default branch, as somebody.
func (g *ground) commit(by string, branch promote.Branch, file, content string) promote.Commit {
	g.Helper()
	if g.dev == nil {
		return g.push(g, by, branch, file, content)
	}
	id, err := g.dev.Commit(g.Context(), g.path, string(branch), g.people[by].Name, "Write "+file, map[string]string{file: content})
	if err != nil {
		g.Fatal(err)
	}
	return promote.Commit(id)
}

// name is one that nothing else on the forge has.
func (g *ground) name(stem string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.made++
	return fmt.Sprintf("%s-%s%d", stem, g.unique, g.made)
}

// A proposal is a branch with one commit, which is to become a change.
type proposal struct {
	branch promote.Branch
	head   promote.Commit
	file   string
}

func (g *ground) propose(by string) proposal {
	g.Helper()
	name := g.name("web")
	p := proposal{branch: promote.Branch("lockkeeper/suite/" + name), file: name + ".yaml"}
	p.head = g.commit(by, p.branch, p.file, "version: 2\n")
	return p
}

func (p proposal) draft() promote.ChangeDraft {
	return promote.ChangeDraft{
		Branch: p.branch, Target: target, Head: p.head, Title: "web 2 to dev", Description: "What it does.", Labels: []string{promote.ChangeLabel},
	}
}

// target is the default branch.
const target = promote.Branch("main")

// opened proposes something and opens the change for it.
func (g *ground) opened() (promote.Change, proposal) {
	g.Helper()
	p := g.propose(bot)
	return g.openDraft(p.draft()), p
}

func (g *ground) openDraft(draft promote.ChangeDraft) promote.Change {
	g.Helper()
	change, err := g.Open(g.Context(), draft)
	if err != nil {
		g.Fatal(err)
	}
	return change
}

// seen is a change as the adapter reads it now.
func (g *ground) seen(number int) promote.Change {
	g.Helper()
	change, err := g.Change(g.Context(), number)
	if err != nil {
		g.Fatal(err)
	}
	return change
}

// post posts a status as the loop does: only when another one stands there.
func post(ctx context.Context, f adapter, posted promote.PostStatus) error {
	known, found, err := f.Status(ctx, posted.Head, posted.Status.Name)
	if err != nil || found && known == posted.Status {
		return err
	}
	return f.PostStatus(ctx, posted)
}

func gates(change promote.Change, state promote.StatusState, description string) promote.PostStatus {
	return promote.PostStatus{
		Change: change.Number, Head: change.Head, Branch: change.Branch, Summary: "| gate | verdict |\n|---|---|\n| soak | passes |\n",
		Annotations: []promote.Annotation{{Path: "web.yaml", Line: 1, Title: "a remark", Message: "on the first line"}},
		Status:      promote.Status{Name: promote.StatusName, State: state, Description: description, URL: change.URL},
	}
}

func (g *ground) gate(change promote.Change, state promote.StatusState) {
	g.Helper()
	if err := post(g.Context(), g.adapter, gates(change, state, state.String()+", says the suite")); err != nil {
		g.Fatal(err)
	}
}

// said is a note that begins with text, and whether there is exactly one.
func said(notes []promote.Note, text string) (promote.Note, bool) {
	var found []promote.Note
	for _, note := range notes {
		if strings.HasPrefix(note.Body, text) {
			found = append(found, note)
		}
	}
	if len(found) != 1 {
		return promote.Note{}, false
	}
	return found[0], true
}
