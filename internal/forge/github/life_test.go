package github_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/forge/adaptertest"
	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
	"github.com/lockkeeper/lockkeeper/internal/forge/github"
	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	bedRepository = "acme/gitops"
	bedBranch     = "lockkeeper/web/dev"
)

// A bed is the in-process forge with one proposed branch, and the adapter on it.
type bed struct {
	*devforge.Forge
	clock *adaptertest.Clock
	url   string
	head  promote.Commit
	app   *github.App
}

var bedKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func newBed(t *testing.T, rules *devforge.BranchRules, withApp bool) *bed {
	t.Helper()
	b := &bed{clock: adaptertest.NewClock(0)}
	forge, err := devforge.New(devforge.Config{Root: t.TempDir(), Now: b.clock.Now, Person: "you", Dialect: devforge.GitHub})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(forge.Close)
	b.Forge = forge
	running := httptest.NewServer(forge.Handler())
	t.Cleanup(running.Close)
	b.url = running.URL
	forge.SetURL(running.URL)
	for _, name := range []string{"bot", "lea"} {
		forge.CreateUser(name, name+"-token")
	}
	if _, err := forge.CreateProject(bedRepository, "main", map[string]string{"web.yaml": "version: 1\n"}); err != nil {
		t.Fatal(err)
	}
	for name, level := range map[string]int{"bot": devforge.AccessDeveloper, "lea": devforge.AccessOwner} {
		if err := forge.AddMember(bedRepository, name, level); err != nil {
			t.Fatal(err)
		}
	}
	head, err := forge.Commit(t.Context(), bedRepository, bedBranch, "bot", "Promote web", map[string]string{"web.yaml": "version: 2\n"})
	if err != nil {
		t.Fatal(err)
	}
	b.head = promote.Commit(head)
	if err := forge.SetRules(bedRepository, "main", rules); err != nil {
		t.Fatal(err)
	}
	if withApp {
		b.install(t)
	}
	return b
}

func (b *bed) install(t *testing.T) {
	t.Helper()
	key, err := bedKey()
	if err != nil {
		t.Fatal(err)
	}
	id, err := b.CreateApp(devforge.App{Name: "Lockkeeper", Key: &key.PublicKey, Permissions: map[string]string{
		"metadata": "read", "contents": "write", "pull_requests": "write", "issues": "write", "statuses": "write", "checks": "write", "deployments": "write",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.InstallApp(id, bedRepository); err != nil {
		t.Fatal(err)
	}
	b.app, err = github.NewApp(github.AppConfig{
		URL: b.url, ID: int64(id), Now: b.clock.Now, Sleep: b.clock.Sleep,
		PrivateKey: secret.Text(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bed) adapter(t *testing.T) *github.Forge {
	t.Helper()
	cfg := github.Config{URL: b.url, Repository: bedRepository, Token: "bot-token", Now: b.clock.Now, Sleep: b.clock.Sleep}
	if b.app != nil {
		cfg.Token, cfg.App, cfg.Checks = "", b.app, true
	}
	f, err := github.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (b *bed) status(state promote.StatusState, description string) promote.PostStatus {
	posted := promote.PostStatus{
		Change: 1, Head: b.head, Branch: bedBranch, Summary: "| gate | verdict |",
		Status: promote.Status{Name: promote.StatusName, State: state, Description: description},
	}
	for i := range 60 {
		posted.Annotations = append(posted.Annotations, promote.Annotation{Path: "web.yaml", Line: i + 1, Message: "x"})
	}
	return posted
}

// life is all that a promotion does on the forge, step by step. Each step may be done again.
func (b *bed) life(f *github.Forge) []func(context.Context) error {
	deploy := func(state promote.DeploymentState) func(context.Context) error {
		return func(ctx context.Context) error {
			return f.Deploy(ctx, promote.Deployment{Promotion: "dev-1", Environment: "dev", Commit: b.head, Branch: "main", State: state, Description: "web 2"})
		}
	}
	post := func(state promote.StatusState, description string) func(context.Context) error {
		return func(ctx context.Context) error {
			if _, _, err := f.Status(ctx, b.head, promote.StatusName); err != nil {
				return err
			}
			return f.PostStatus(ctx, b.status(state, description))
		}
	}
	return []func(context.Context) error{
		func(ctx context.Context) error { _, err := f.OpenChanges(ctx); return err },
		func(ctx context.Context) error {
			_, err := f.Open(ctx, promote.ChangeDraft{
				Branch: bedBranch, Target: "main", Head: b.head, Title: "web 2 to dev", Description: "text", Labels: []string{promote.ChangeLabel}, Reviewers: []string{"lea"},
			})
			return err
		},
		post(promote.StatusPending, "1 of 2 gates pass"),
		func(ctx context.Context) error { return say(ctx, f, "<!-- mark -->\nhello\n") },
		func(ctx context.Context) error { return say(ctx, f, "<!-- mark -->\nhello again\n") },
		func(ctx context.Context) error { return f.React(ctx, 1, 1, promote.ReactionSeen) },
		func(ctx context.Context) error {
			return f.Update(ctx, 1, promote.ChangeEdit{Title: "web 2 to dev", Description: "new text"})
		},
		deploy(promote.DeploymentRunning),
		post(promote.StatusSuccess, "all 2 gates pass"),
		func(ctx context.Context) error { _, err := f.Merge(ctx, 1, b.head, "Promote web 2"); return err },
		deploy(promote.DeploymentSucceeded),
	}
}

// say keeps one comment up to date, as the loop does.
func say(ctx context.Context, f *github.Forge, text string) error {
	notes, err := f.Notes(ctx, 1)
	if err != nil {
		return err
	}
	for _, note := range notes {
		if note.Own && strings.HasPrefix(note.Body, "<!-- mark -->") {
			return f.EditNote(ctx, 1, note.ID, text)
		}
	}
	_, err = f.AddNote(ctx, 1, text)
	return err
}

// finish does a step until it is done, as the queue of the bot does.
func (b *bed) finish(t *testing.T, step func(context.Context) error) {
	t.Helper()
	for range 20 {
		err := step(t.Context())
		if err == nil {
			return
		}
		api, ok := errors.AsType[*promote.APIError](err)
		if !ok || !api.Temporary() {
			t.Fatalf("the step is not tried again: %v", err)
		}
		if err := b.clock.Sleep(t.Context(), api.RetryAfter); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("the step does not come to its end")
}

// ask reads the API as it is, without the adapter.
func (b *bed) ask(t *testing.T, path string, answer any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+"/api/v3/repos/"+bedRepository+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer bot-token")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
		t.Fatal(err)
	}
}

// A state is what is left of a life.
type state struct {
	Changes     int
	Change      promote.ChangeState
	Labels      []string
	Description string
	Comments    []string
	Reactions   int
	Statuses    []string
	Annotations int
	Deployments [][]string // the states of each, newest first
}

func (b *bed) state(t *testing.T) state {
	t.Helper()
	f := b.adapter(t)
	var out state
	changes, err := f.ChangesFrom(t.Context(), bedBranch)
	if err != nil {
		t.Fatal(err)
	}
	out.Changes = len(changes)
	out.Change, out.Labels, out.Description = changes[0].State, changes[0].Labels, changes[0].Description
	var comments []struct {
		Body      string `json:"body"`
		Reactions struct {
			Total int `json:"total_count"`
		} `json:"reactions"`
	}
	b.ask(t, "/issues/1/comments", &comments)
	for _, one := range comments {
		out.Comments = append(out.Comments, one.Body)
		out.Reactions += one.Reactions.Total
	}
	b.readStatuses(t, &out)
	var deployments []struct {
		ID int `json:"id"`
	}
	b.ask(t, "/deployments", &deployments)
	for _, one := range deployments {
		var states []struct {
			State string `json:"state"`
		}
		b.ask(t, fmt.Sprintf("/deployments/%d/statuses", one.ID), &states)
		var words []string
		for _, s := range states {
			words = append(words, s.State)
		}
		out.Deployments = append(out.Deployments, words)
	}
	return out
}

func (b *bed) readStatuses(t *testing.T, out *state) {
	t.Helper()
	var statuses []struct{ State, Context string }
	b.ask(t, "/commits/"+string(b.head)+"/statuses", &statuses)
	for _, one := range statuses {
		out.Statuses = append(out.Statuses, one.Context+" "+one.State)
	}
	var runs struct {
		CheckRuns []struct {
			Name, Conclusion string
			Output           struct {
				Annotations int `json:"annotations_count"`
			}
		} `json:"check_runs"`
	}
	b.ask(t, "/commits/"+string(b.head)+"/check-runs?filter=all", &runs)
	for _, one := range runs.CheckRuns {
		out.Statuses = append(out.Statuses, one.Name+" "+one.Conclusion)
		out.Annotations += one.Output.Annotations
	}
}

var gated = &devforge.BranchRules{Checks: []devforge.RequiredCheck{{Context: promote.StatusName}}}

// ended is what is there in the end, once, whatever went wrong on the way.
func ended(withApp bool) state {
	out := state{
		Changes: 1, Change: promote.ChangeMerged, Labels: []string{promote.ChangeLabel}, Description: "new text",
		Comments: []string{"<!-- mark -->\nhello again\n"}, Reactions: 1, Deployments: [][]string{{"success", "in_progress"}},
		Statuses: []string{promote.StatusName + " success", promote.StatusName + " pending"},
	}
	if withApp {
		out.Statuses, out.Annotations = []string{promote.StatusName + " success"}, 60
	}
	return out
}

// live goes through a life in which the requests that match go wrong, and compares what is left.
func live(t *testing.T, withApp bool, match func(*http.Request) bool, kind devforge.FaultKind) {
	t.Helper()
	b := newBed(t, gated, withApp)
	over := false
	b.Fault(func(r *http.Request) bool { return !over && strings.HasPrefix(r.URL.Path, "/api/") && match(r) }, slices.Repeat([]devforge.FaultKind{kind}, 200)...)
	f := b.adapter(t)
	for _, step := range b.life(f) {
		b.finish(t, step)
	}
	over = true
	if diff := cmp.Diff(ended(withApp), b.state(t)); diff != "" {
		t.Error(diff)
	}
}

// TestALostAnswerChangesNothingInTheEnd loses the answer to each request of a promotion, one at a time.
func TestALostAnswerChangesNothingInTheEnd(t *testing.T) {
	for at, more := 1, true; more; at++ {
		asked := 0
		t.Run(fmt.Sprint("request ", at), func(t *testing.T) {
			live(t, false, func(*http.Request) bool { asked++; return asked == at }, devforge.LoseAnswer())
		})
		more = asked >= at // Otherwise the life was shorter than that.
	}
}

// TestFaultsEverywhereChangeNothingInTheEnd lets every request go wrong the first time that it is made.
func TestFaultsEverywhereChangeNothingInTheEnd(t *testing.T) {
	for name, kind := range map[string]devforge.FaultKind{
		"the answer is lost":               devforge.LoseAnswer(),
		"half an answer":                   devforge.CutAnswer(),
		"a proxy's page":                   devforge.BadGateway(),
		"too many requests":                devforge.SecondaryLimit(http.StatusForbidden, time.Minute),
		"too many requests, until unknown": devforge.SecondaryLimit(http.StatusTooManyRequests, 0),
	} {
		for credentials, withApp := range map[string]bool{"a token": false, "an App": true} {
			t.Run(name+"/"+credentials, func(t *testing.T) {
				t.Parallel()
				seen := map[string]bool{}
				live(t, withApp, func(r *http.Request) bool {
					body, err := io.ReadAll(r.Body)
					if err != nil {
						return false
					}
					r.Body = io.NopCloser(bytes.NewReader(body))
					request := r.Method + r.URL.String() + string(body)
					first := !seen[request]
					seen[request] = true
					return first
				}, kind)
			})
		}
	}
}

// openGated opens the change and lets its gates pass.
func (b *bed) openGated(t *testing.T, f *github.Forge) {
	t.Helper()
	for _, step := range b.life(f)[:2] {
		b.finish(t, step)
	}
	if err := f.PostStatus(t.Context(), b.status(promote.StatusSuccess, "all 2 gates pass")); err != nil {
		t.Fatal(err)
	}
}

func TestAChangeMergesWhenItsChecksHavePassed(t *testing.T) {
	b := newBed(t, &devforge.BranchRules{Checks: []devforge.RequiredCheck{{Context: promote.StatusName}, {Context: "build"}}}, true)
	if err := b.Change(bedRepository, func(s *devforge.Settings) { s.GitHub.AutoMerge = true }); err != nil {
		t.Fatal(err)
	}
	f := b.adapter(t)
	b.openGated(t, f)
	for range 2 { // The second time it is set already.
		change, err := f.Merge(t.Context(), 1, b.head, "Promote web 2")
		if want := (promote.Mergeability{Merge: promote.MergeQueued, Reason: "auto-merge"}); err != nil || change.State != promote.ChangeOpen || change.Mergeability != want {
			t.Fatalf("got %+v, %v", change, err)
		}
	}
	ci, err := github.New(github.Config{URL: b.url, Repository: bedRepository, Token: "bot-token"})
	if err != nil {
		t.Fatal(err)
	}
	build := promote.PostStatus{Head: b.head, Status: promote.Status{Name: "build", State: promote.StatusSuccess, Description: "built"}}
	if err := ci.PostStatus(t.Context(), build); err != nil {
		t.Fatal(err)
	}
	if change, err := f.Change(t.Context(), 1); err != nil || change.State != promote.ChangeMerged || change.Merged == "" {
		t.Errorf("got %+v, %v", change, err)
	}
}

func TestAChangeGoesIntoTheMergeQueue(t *testing.T) {
	rules := *gated
	rules.Queue = true
	b := newBed(t, &rules, true)
	f := b.adapter(t)
	b.openGated(t, f)
	want := promote.Mergeability{Merge: promote.MergeQueued, Reason: "merge queue"}
	for range 2 { // The second time it is in already.
		if change, err := f.Merge(t.Context(), 1, b.head, ""); err != nil || change.State != promote.ChangeOpen || change.Mergeability != want {
			t.Fatalf("got %+v, %v", change, err)
		}
	}
	if open, err := f.OpenChanges(t.Context()); err != nil || len(open) != 1 || open[0].Mergeability != want {
		t.Errorf("got %+v, %v", open, err)
	}
}

func TestWhatTheForgeSays(t *testing.T) {
	b := newBed(t, gated, false)
	f := b.adapter(t)
	b.openGated(t, f)
	settings, err := f.Settings(t.Context())
	if err != nil || len(settings.Warnings()) != 0 || settings.DefaultBranch != "main" {
		t.Errorf("got %+v with %q, %v", settings, settings.Warnings(), err)
	}
	lea := b.CreateUser("lea", "lea-token")
	for _, test := range []struct {
		person promote.Person
		want   promote.Permission
	}{
		{promote.Person{Name: "lea", ID: lea.ID}, promote.PermissionAdmin},
		{promote.Person{Name: "lea", ID: lea.ID + 1000}, promote.PermissionNone},
		{promote.Person{Name: "bot"}, promote.PermissionWrite},
		{promote.Person{Name: "nobody"}, promote.PermissionNone},
	} {
		if got, err := f.Permission(t.Context(), test.person); err != nil || got != test.want {
			t.Errorf("%+v: got %v, %v", test.person, got, err)
		}
	}
	if given, err := f.Approvals(t.Context(), 1); err != nil || len(given.Given) != 0 {
		t.Errorf("got %+v, %v", given, err)
	}
	if err := f.Close(t.Context(), 1); err != nil {
		t.Error(err)
	}
	if change, err := f.Change(t.Context(), 1); err != nil || change.State != promote.ChangeClosed || change.ClosedBy != "bot" {
		t.Errorf("got %+v, %v", change, err)
	}
}
