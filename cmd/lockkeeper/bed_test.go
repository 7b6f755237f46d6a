package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/argocd"
	"github.com/lockkeeper/lockkeeper/internal/argocd/devargo"
	"github.com/lockkeeper/lockkeeper/internal/codeowners"
	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
	"github.com/lockkeeper/lockkeeper/internal/forge/github"
	"github.com/lockkeeper/lockkeeper/internal/forge/gitlab"
	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/discover"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
	"github.com/lockkeeper/lockkeeper/promote/step"
	"github.com/lockkeeper/lockkeeper/render"
)

// The stages and applications of the example.
const (
	devStage  = "develop/frontend-dev-stage"
	prodStage = "develop/frontend-prod-stage"
	devFile   = "develop/frontend/instance.yaml"
	prodFile  = "production/frontend/instance.yaml"
)

// deadline bounds every wait of a test. It only decides how long a broken test takes.
const deadline = 40 * time.Second

// bed is a world with a loop for its repository that runs when the test says so, and with people.
type bed struct {
	*world
	t    testing.TB
	loop *reconcile.Reconciler
	wire *wire // what the loop sends to the forge, as API and as Git

	expire func() // makes the next request to the forge find that its token has ended; nil where it does not end
	oci    *wire  // what it sends to the registry
	you    *actor

	patience time.Duration // of the loop with the forge; 0: long enough for a busy machine
	reach    step.World    // what the steps of loops that are made from now on may reach
	ahead    time.Duration // how far the clock of the loops is ahead
}

// engine is shared by the beds: it remembers by content only.
var engine = sync.OnceValues(func() (*render.Engine, error) {
	e, err := render.NewEngine()
	if err == nil {
		var o *outside
		if o, err = newOutside(serverConfig{Outbound: outboundConfig{Allow: worldAllow()}}, secrets{}); err != nil {
			return nil, err
		}
		_, charts := registries(slog.New(slog.DiscardHandler), "", o.kept)
		e.Remotes = newRemotes(charts, o.client, func(url string) (*git.Repository, error) { return o.watched(url, false) })
	}
	return e, err
})

// appKey is the key of every bed's App: making one takes longer than many a test.
var appKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// newBed starts a world whose registry holds 1.0.0 and 1.0.1.
func newBed(t testing.TB) *bed {
	t.Helper()
	w := startWorld(t)
	for _, tag := range []string{"1.0.0", "1.0.1"} {
		w.push(t, w.image(), tag)
	}
	return bedIn(t, w)
}

// onBothForges tells a story on a GitLab and on a GitHub, where the bot is an App.
func onBothForges(t *testing.T, tell func(t *testing.T, b *bed)) {
	t.Helper()
	for name, github := range map[string]bool{"gitlab": false, "github": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tell(t, newBedOn(t, github))
		})
	}
}

// newBedOn is newBed on a forge.
func newBedOn(t testing.TB, github bool) *bed {
	t.Helper()
	w := startWorldWith(t, worldConfig{github: github})
	for _, tag := range []string{"1.0.0", "1.0.1"} {
		w.push(t, w.image(), tag)
	}
	return bedIn(t, w)
}

// bedIn puts a loop and a person into a world.
func bedIn(t testing.TB, w *world) *bed {
	t.Helper()
	b := &bed{world: w, t: t, wire: &wire{}, oci: &wire{}}
	b.loop = b.newLoop(b.wire)
	b.you = b.actor(worldPerson, devforge.AccessMaintainer)
	return b
}

func startWorld(t testing.TB) *world {
	t.Helper()
	return startWorldOf(t, nil)
}

// startWorldOf starts a world whose repository holds files; nil: the example.
func startWorldOf(t testing.TB, files map[string]string) *world {
	t.Helper()
	return startWorldWith(t, worldConfig{files: files})
}

func startWorldWith(t testing.TB, cfg worldConfig) *world {
	t.Helper()
	cfg.dir, cfg.log = t.TempDir(), slog.New(slog.DiscardHandler)
	shared, engineErr := engine()
	key, keyErr := appKey()
	if err := errors.Join(engineErr, keyErr); err != nil {
		t.Fatal(err)
	}
	cfg.engine, cfg.key = shared, key
	w, err := newWorld(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// push pushes an image.
func (w *world) push(t testing.TB, repository, tag string) {
	t.Helper()
	if err := pushImage(t.Context(), repository, tag); err != nil {
		t.Fatal(err)
	}
}

// newLoop builds a loop of a process of its own, which remembers nothing of the others.
func (b *bed) newLoop(transport *wire) *reconcile.Reconciler {
	b.t.Helper()
	client := &http.Client{Transport: transport}
	log := slog.New(slog.DiscardHandler)
	forge, token := b.adapter(client)
	author := git.Signature{Name: "Lockkeeper", Email: "lockkeeper@localhost"}
	repository, err := git.Open(git.Config{
		URL: b.repo.URL(), Username: worldBot, Token: token, Author: author, HTTPClient: client, Timeout: cmp.Or(b.patience, deadline),
	})
	if err != nil {
		b.t.Fatal(err)
	}
	renderer, err := engine()
	if err != nil {
		b.t.Fatal(err)
	}
	argo, err := argocd.New(argocd.Config{URL: b.argoURL, Token: argoToken})
	if err != nil {
		b.t.Fatal(err)
	}
	owners := codeowners.GitLab
	if b.github {
		owners = codeowners.GitHub
	}
	return reconcile.New(reconcile.Config{
		CodeOwners: owners,
		Git:        repository, URLs: []string{b.repo.URL()}, Forge: forge, Deployer: deployer(forge), Sources: b.sources(repository),
		Renderer: renderer, Author: author, Log: log, World: b.reach,
		Now: func() time.Time { return time.Now().Add(b.ahead) },
		Argo: &deliverer{
			client: argo, now: time.Now, longest: 25 * time.Millisecond,
			patience: &argocd.Patience{AutoSync: 5 * time.Second},
		},
	})
}

// deployer is what a forge shows environments with, nil when it has no page of them.
func deployer(forge reconcile.Forge) reconcile.Deployer {
	shows, _ := forge.(reconcile.Deployer)
	return shows
}

// adapter is the bot's way to the forge, and its password for Git.
func (b *bed) adapter(client *http.Client) (reconcile.Forge, func(context.Context) (secret.Text, error)) {
	b.t.Helper()
	atOnce := func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	ahead := func() time.Time { return time.Now().Add(b.ahead) }
	if !b.github {
		forge, err := gitlab.New(gitlab.Config{
			URL: b.forgeURL, Project: worldProject, Token: worldToken, HTTPClient: client, Timeout: cmp.Or(b.patience, deadline), Sleep: atOnce,
			Now: ahead,
		})
		if err != nil {
			b.t.Fatal(err)
		}
		if _, err := forge.Settings(b.t.Context()); err != nil { // as the bot does when it starts
			b.t.Fatal(err)
		}
		return forge, func(context.Context) (secret.Text, error) { return worldToken, nil }
	}
	app, err := github.NewApp(github.AppConfig{
		URL: b.forgeURL, ID: int64(b.hubApp.id), PrivateKey: secret.Text(b.hubApp.key), HTTPClient: client, Timeout: cmp.Or(b.patience, deadline), Sleep: atOnce,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	forge, err := github.New(github.Config{
		URL: b.forgeURL, Repository: worldProject, App: app, Checks: true, HTTPClient: client, Timeout: cmp.Or(b.patience, deadline), Sleep: atOnce,
		Now: ahead,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := forge.Settings(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	password := func(ctx context.Context) (secret.Text, error) {
		token, _, err := app.Token(ctx, worldProject)
		return token, err
	}
	b.expire = func() {
		token, err := password(b.t.Context())
		if err != nil {
			b.t.Fatal(err)
		}
		app.Forget(worldProject, token)
	}
	return forge, password
}

// sources look into the world's registry and repositories.
func (b *bed) sources(own *git.Repository) *discover.Sources {
	registry := discover.New(discover.Config{RatePerSecond: 1000, Transport: b.oci})
	return &discover.Sources{
		Registry: registry, Charts: discover.NewCharts(discover.ChartConfig{Registry: registry}),
		Git: discover.NewGit(discover.GitConfig{Open: func(repoURL string, _ bool) (*git.Repository, error) {
			if promote.SameGitRepository(repoURL, b.repo.URL()) {
				return own, nil
			}
			return git.Open(git.Config{URL: repoURL})
		}}),
	}
}

// run runs the loop once with events.
func (b *bed) run(events ...promote.Event) reconcile.Outcome {
	b.t.Helper()
	outcome, err := b.loop.Run(b.t.Context(), reconcile.Options{Events: events})
	if err != nil {
		b.t.Fatalf("run: %v", err)
	}
	return outcome
}

// everything are the events after which nothing is left unread: forge, repository and registry.
func everything() []promote.Event {
	return []promote.Event{{Kind: promote.EventSweep}, {Kind: promote.EventArtifact}}
}

// sweep runs the loop once and has it look at everything.
func (b *bed) sweep() reconcile.Outcome {
	b.t.Helper()
	return b.run(everything()...)
}

// until runs the loop until something is so.
func (b *bed) until(what string, so func(reconcile.Outcome) bool) reconcile.Outcome {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), deadline)
	defer cancel()
	var last promote.Plan
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ; ; <-tick.C {
		outcome, err := b.loop.Run(ctx, reconcile.Options{Events: everything()})
		if err != nil {
			b.t.Fatalf("waiting for %s: %v; the last plan was:\n%s", what, err, last)
		}
		if so(outcome) {
			return outcome
		}
		last = outcome.Plan
	}
}

// adopt runs the loop until every stage runs what the repository says at the start.
func (b *bed) adopt() reconcile.Outcome {
	b.t.Helper()
	return b.until("the stages to be adopted", allRun("1.0.1"))
}

// propose pushes an image and runs the loop until the first stage's change is there.
func (b *bed) propose(tag string) promote.Change {
	b.t.Helper()
	b.push(b.t, b.image(), tag)
	outcome := b.run(promote.Event{Kind: promote.EventArtifact, Image: b.image()})
	change, ok := openOf(outcome, devStage)
	if !ok {
		b.t.Fatalf("no change for %s; the plan is:\n%s", tag, outcome.Plan)
	}
	return change
}

func allRun(version string) func(reconcile.Outcome) bool {
	return func(o reconcile.Outcome) bool {
		return len(o.Plan.Stages) > 0 && !slices.ContainsFunc(o.Plan.Stages, func(s promote.StageStatus) bool { return s.Runs != version })
	}
}

// runs says whether a stage runs a version.
func runs(stage, version string) func(reconcile.Outcome) bool {
	return func(o reconcile.Outcome) bool { return stageOf(o, stage).Runs == version }
}

func stageOf(o reconcile.Outcome, stage string) promote.StageStatus {
	for _, s := range o.Plan.Stages {
		if s.Stage.String() == stage {
			return s
		}
	}
	return promote.StageStatus{}
}

// openOf returns the open change of a stage.
func openOf(o reconcile.Outcome, stage string) (promote.Change, bool) {
	for _, change := range o.State.Changes {
		if change.State == promote.ChangeOpen && change.Branch == promote.Branch("lockkeeper/"+stage) {
			return change, true
		}
	}
	return promote.Change{}, false
}

// promotions returns the phases of a stage's promotions, oldest first, as "1.0.2 Succeeded".
func promotions(o reconcile.Outcome, stage string) []string {
	var out []string
	for _, p := range o.State.History.Promotions {
		if p.Stage.String() == stage {
			freight, _ := o.State.History.Freight(p.Stage.Project, p.Freight)
			out = append(out, freight.Label()+" "+string(p.Phase))
		}
	}
	return out
}

// text returns a file of a branch.
func (b *bed) text(branch, name string) string {
	b.t.Helper()
	tree, err := b.repo.Tree(b.t.Context(), b.tip(branch))
	if err != nil {
		b.t.Fatal(err)
	}
	data, err := tree.ReadFile(name)
	if err != nil {
		b.t.Fatalf("%s on %s: %v", name, branch, err)
	}
	return string(data)
}

// tip fetches a branch and returns the commit that it is at.
func (b *bed) tip(branch string) string {
	b.t.Helper()
	head, err := b.repo.Fetch(b.t.Context(), branch)
	if err != nil {
		b.t.Fatalf("branch %s: %v", branch, err)
	}
	return head
}

// commit writes files to a branch as you. The example's URLs in them become those of the world.
func (b *bed) commit(branch string, files map[string]string, replace ...string) string {
	b.t.Helper()
	replacer := strings.NewReplacer(append(replace,
		"https://gitlab.com/your-name/your-repo.git", b.repo.URL(), "docker.io/", b.registry+"/",
	)...)
	written := map[string]string{}
	for name, text := range files {
		written[name] = replacer.Replace(text)
	}
	id, err := b.forge.Commit(b.t.Context(), worldProject, branch, worldPerson, "A person's commit", written)
	if err != nil {
		b.t.Fatal(err)
	}
	return id
}

// edit replaces a text in a file of a branch.
func (b *bed) edit(branch, name, before, after string) string {
	b.t.Helper()
	text := b.text(branch, name)
	if !strings.Contains(text, before) {
		b.t.Fatalf("%s on %s does not hold %q:\n%s", name, branch, before, text)
	}
	return b.commit(branch, map[string]string{name: strings.ReplaceAll(text, before, after)})
}

// redeploy tells Argo CD what the repository declares now.
func (b *bed) redeploy() {
	b.t.Helper()
	if err := b.deploy(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

// app returns what Argo CD knows of an application.
func (b *bed) app(name string) devargo.Snapshot {
	b.t.Helper()
	for _, app := range b.argo.Apps(b.t.Context()) {
		if app.Name == name {
			return app
		}
	}
	b.t.Fatalf("no application %q", name)
	return devargo.Snapshot{}
}

// status returns our newest commit status on a commit, as "success: all 7 gates pass".
func (b *bed) status(commit promote.Commit) string {
	b.t.Helper()
	if b.github {
		return b.checkRun(commit)
	}
	var all []struct {
		ID                        int
		Name, Status, Description string
	}
	b.you.read("repository/commits/"+string(commit)+"/statuses", &all)
	newest, text := 0, ""
	for _, s := range all {
		if s.Name == promote.StatusName && s.ID > newest {
			newest, text = s.ID, s.Status+": "+s.Description
		}
	}
	return text
}

// checkRun returns our newest check run on a commit in the words of a status.
func (b *bed) checkRun(commit promote.Commit) string {
	b.t.Helper()
	var all struct {
		Runs []struct {
			ID                       int
			Name, Status, Conclusion string
			Output                   struct{ Title string }
		} `json:"check_runs"`
	}
	b.you.hub(http.MethodGet, "commits/"+string(commit)+"/check-runs", nil, &all)
	newest, text := 0, ""
	for _, run := range all.Runs {
		if run.Name == promote.StatusName && run.ID > newest {
			word := map[string]string{"success": "success", "failure": "failed"}[run.Conclusion]
			newest, text = run.ID, cmp.Or(word, "pending")+": "+run.Output.Title
		}
	}
	return text
}

// mergeRequest is what a test looks at of a merge request.
type mergeRequest struct {
	IID         int
	Title       string
	Description string
	State       string
	Labels      []string
	SHA         string `json:"sha"`
	Source      string `json:"source_branch"`
}

// mergeRequests returns every merge request there ever was, oldest first.
func (b *bed) mergeRequests() []mergeRequest {
	b.t.Helper()
	if b.github {
		return b.pullRequests()
	}
	var all []mergeRequest
	b.you.read("merge_requests?state=all&per_page=100&order_by=created_at&sort=asc", &all)
	return all
}

func (b *bed) pullRequests() []mergeRequest {
	b.t.Helper()
	var found []struct {
		Number             int
		Title, Body, State string
		MergedAt           string `json:"merged_at"`
		Labels             []struct{ Name string }
		Head               struct{ Ref, SHA string }
	}
	b.you.hub(http.MethodGet, "pulls?state=all&per_page=100&sort=created&direction=asc", nil, &found)
	var all []mergeRequest
	for _, p := range found {
		one := mergeRequest{IID: p.Number, Title: p.Title, Description: p.Body, SHA: p.Head.SHA, Source: p.Head.Ref, State: "opened"}
		switch {
		case p.MergedAt != "":
			one.State = "merged"
		case p.State == "closed":
			one.State = "closed"
		}
		for _, label := range p.Labels {
			one.Labels = append(one.Labels, label.Name)
		}
		all = append(all, one)
	}
	return all
}

// note is what a test looks at of a note.
type note struct {
	ID     int
	Body   string
	System bool
	Author struct{ Username string }
}

// notes returns the bot's notes on a merge request, oldest first.
func (b *bed) notes(number int) []string {
	b.t.Helper()
	var bodies []string
	if b.github {
		var all []struct {
			Body string
			User struct{ Login string }
		}
		b.you.hub(http.MethodGet, fmt.Sprintf("issues/%d/comments?per_page=100", number), nil, &all)
		for _, n := range all {
			if n.User.Login == worldBot+"[bot]" {
				bodies = append(bodies, n.Body)
			}
		}
		return bodies
	}
	var all []note
	b.you.read(fmt.Sprintf("merge_requests/%d/notes?per_page=100&sort=asc", number), &all)
	for _, n := range all {
		if n.Author.Username == worldBot && !n.System {
			bodies = append(bodies, n.Body)
		}
	}
	return bodies
}

// reactions returns the bot's reactions to a comment, sorted.
func (b *bed) reactions(number, comment int) []string {
	b.t.Helper()
	var names []string
	if b.github {
		var all []struct {
			Content string
			User    struct{ Login string }
		}
		path := fmt.Sprintf("issues/comments/%d/reactions", comment)
		if comment >= hubRemarks {
			path = fmt.Sprintf("pulls/comments/%d/reactions", comment&^hubRemarks)
		}
		b.you.hub(http.MethodGet, path, nil, &all)
		for _, r := range all {
			if r.User.Login == worldBot+"[bot]" {
				names = append(names, cmp.Or(map[string]string{"+1": "thumbsup", "-1": "thumbsdown"}[r.Content], r.Content))
			}
		}
		slices.Sort(names)
		return names
	}
	var all []struct {
		Name string
		User struct{ Username string }
	}
	b.you.read(fmt.Sprintf("merge_requests/%d/notes/%d/award_emoji", number, comment), &all)
	for _, award := range all {
		if award.User.Username == worldBot {
			names = append(names, award.Name)
		}
	}
	slices.Sort(names)
	return names
}
