package forgetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
	"github.com/lockkeeper/lockkeeper/promote"
)

// A call is one that writes, made as the loop makes it, which looks before it writes.
type call struct {
	name string
	make func(context.Context, adapter, *situation) error
	want func(*effect, kind) // beside what preparing it left
	// creates says that the call would have two effects if it were sent twice: then the adapter itself looks whether it arrived.
	// What is the same twice as once, the one of GitHub sends again; the one of GitLab leaves that to the next run.
	creates bool
}

// A situation is what a call is made on.
type situation struct {
	proposal
	change      promote.Change // zero for the call that opens it
	comment     int            // of a person
	remark      int            // of a person, in a thread; 0 but for the call that answers it
	thread      promote.Thread
	environment string
}

const mark = "<!-- lockkeeper -->\n"

// note keeps one note up to date.
func note(text string) func(context.Context, adapter, *situation) error {
	return func(ctx context.Context, f adapter, s *situation) error {
		notes, err := f.Notes(ctx, s.change.Number)
		if err != nil {
			return err
		}
		if found, one := said(notes, mark); one {
			if found.Body == mark+text {
				return nil
			}
			return f.EditNote(ctx, s.change.Number, found.ID, mark+text)
		}
		_, err = f.AddNote(ctx, s.change.Number, mark+text)
		return err
	}
}

// showFinding makes the threads of a change say that there is a finding, or that there is none any more.
func showFinding(there bool) func(context.Context, adapter, *situation) error {
	return func(ctx context.Context, f adapter, s *situation) error {
		have, err := f.OwnThreads(ctx, s.change.Number)
		if err != nil {
			return err
		}
		var want []promote.ThreadDraft
		if there {
			want = []promote.ThreadDraft{finding("one", s.file, 1)}
		}
		steps := promote.PlanThreads(have, want)
		if err := f.OpenThreads(ctx, s.change.Number, s.head, steps.Open); err != nil {
			return err
		}
		for _, thread := range steps.Resolve {
			if err := f.Resolve(ctx, s.change.Number, thread, true); err != nil {
				return err
			}
		}
		return nil
	}
}

var calls = []call{
	{
		"open",
		func(ctx context.Context, f adapter, s *situation) error { _, err := f.Open(ctx, s.draft()); return err },
		func(e *effect, _ kind) { e.Notes = nil }, // Nobody has written yet.
		false,
	},
	{
		"update",
		func(ctx context.Context, f adapter, s *situation) error {
			return f.Update(ctx, s.change.Number, promote.ChangeEdit{Title: "web 2 to dev, once more", Description: "new text"})
		},
		func(e *effect, _ kind) { e.Seen.Title, e.Seen.Description = "web 2 to dev, once more", "new text" },
		false,
	},
	{
		"close",
		func(ctx context.Context, f adapter, s *situation) error { return f.Close(ctx, s.change.Number) },
		func(e *effect, _ kind) { e.State, e.Seen.Open = promote.ChangeClosed, false },
		true,
	},
	{
		"status",
		func(ctx context.Context, f adapter, s *situation) error {
			return post(ctx, f, gates(s.change, promote.StatusSuccess, "all pass"))
		},
		func(e *effect, k kind) {
			e.Statuses = []string{"success"}
			if k == gitLab {
				e.Check = "passed"
			}
			if k == gitHubApp {
				e.Statuses = []string{"completed success"}
			}
		},
		false,
	},
	{
		"note",
		note("what it says"),
		func(e *effect, _ kind) { e.Notes = append(e.Notes, mark+"what it says") },
		true,
	},
	{
		"edit",
		note("what it says now"),
		func(e *effect, _ kind) { e.Notes = append(e.Notes, mark+"what it says now") },
		false,
	},
	{
		"reply",
		func(ctx context.Context, f adapter, s *situation) error {
			around, err := f.Around(ctx, s.change.Number, s.remark)
			if err != nil {
				return err
			}
			if _, one := said(around, mark); one {
				return nil
			}
			_, err = f.Reply(ctx, s.change.Number, s.thread, mark+"answered")
			return err
		},
		func(e *effect, k kind) {
			e.Thread = []string{"/hold", mark + "answered"}
			if k == gitLab {
				e.Notes = append(e.Notes, e.Thread...) // where they are among the others
			}
		},
		true,
	},
	{
		"show finding",
		showFinding(true),
		func(e *effect, k kind) {
			e.Findings = []string{"<!-- lockkeeper:finding:one --> resolved: false"}
			if k == gitLab {
				e.Notes = append(e.Notes, finding("one", "", 0).Body)
			}
		},
		true,
	},
	{
		"resolve finding",
		showFinding(false),
		func(e *effect, k kind) {
			e.Findings = []string{"<!-- lockkeeper:finding:one --> resolved: true"}
			if k == gitLab {
				e.Notes = append(e.Notes, finding("one", "", 0).Body)
			}
		},
		false,
	},
	{
		"react",
		func(ctx context.Context, f adapter, s *situation) error {
			return f.React(ctx, s.change.Number, s.comment, promote.ReactionSeen)
		},
		func(e *effect, _ kind) { e.Reactions = []string{"eyes"} },
		false,
	},
	{
		"merge",
		func(ctx context.Context, f adapter, s *situation) error {
			change, err := f.Merge(ctx, s.change.Number, s.head, "Promote web 2")
			if err == nil && (change.State != promote.ChangeMerged || change.Merged == "") {
				return fmt.Errorf("it is not merged: %+v", change)
			}
			return err
		},
		func(e *effect, _ kind) { e.State, e.Seen.Open = promote.ChangeMerged, false },
		true,
	},
	{
		"hold",
		func(ctx context.Context, f adapter, s *situation) error { return f.Unqueue(ctx, s.change.Number) },
		func(e *effect, k kind) {
			e.Statuses = []string{"success"}
			if k == gitLab {
				e.Check = "passed"
			}
			if k == gitHubApp {
				e.Statuses = []string{"completed success"}
			}
		},
		true,
	},
	{
		"deploy",
		func(ctx context.Context, f adapter, s *situation) error {
			return f.Deploy(ctx, deployment(s.proposal, s.environment, promote.DeploymentRunning))
		},
		func(e *effect, k kind) {
			e.Deployments = []string{"running"}
			if k.gitHub() {
				e.Deployments = []string{"in_progress"}
			}
		},
		true,
	},
}

// left is what preparing a call leaves.
func left(k kind) effect {
	out := effect{
		Changes: 1, State: promote.ChangeOpen, Seen: view{Title: "web 2 to dev", Description: "What it does.", Open: true},
		Labels: []string{promote.ChangeLabel}, Notes: []string{"/promote"},
	}
	if k == gitLab {
		out.Check = "pending"
	}
	return out
}

// faults are what goes wrong with each request that writes, the first time that it is made.
var faults = []struct {
	name   string
	kind   func(kind) devforge.FaultKind // nil: nothing goes wrong
	gitHub bool                          // only there
	hangs  bool
	done   bool // the request had its effect: the adapter finds that out by itself
}{
	{name: "nothing"},
	{name: "an error of the forge", kind: func(kind) devforge.FaultKind { return devforge.Answer(http.StatusInternalServerError, 0) }},
	{name: "no answer in time", kind: func(kind) devforge.FaultKind { return devforge.Hang() }, hangs: true},
	{name: "the answer is lost after the effect", kind: func(kind) devforge.FaultKind { return devforge.LoseAnswer() }, done: true},
	{name: "half an answer after the effect", kind: func(kind) devforge.FaultKind { return devforge.CutAnswer() }, done: true},
	{name: "too many requests", kind: func(k kind) devforge.FaultKind {
		if k.gitHub() {
			return devforge.SecondaryLimit(http.StatusTooManyRequests, 0) // GitHub does not always say how long.
		}
		return devforge.Answer(http.StatusTooManyRequests, time.Minute)
	}},
	{name: "too many requests as 403", kind: func(kind) devforge.FaultKind { return devforge.SecondaryLimit(http.StatusForbidden, time.Minute) }, gitHub: true},
}

// TestFaults makes each call with each fault, and again: by the same adapter, and by one that knows nothing of it. There is one effect,
// the same as without the fault.
func TestFaults(t *testing.T) {
	for _, place := range grounds {
		t.Run(place.name, func(t *testing.T) {
			for _, call := range calls {
				t.Run(call.name, func(t *testing.T) {
					t.Parallel()
					g := place.make(t, devforge.Hook{})
					want := left(place.kind)
					call.want(&want, place.kind)
					for _, fault := range faults {
						if fault.gitHub && !place.kind.gitHub() {
							continue
						}
						s := g.prepare(call.name)
						trouble := &trouble{hangs: fault.hangs, hung: make(chan struct{}, 1), seen: map[string]bool{}}
						if fault.kind != nil {
							g.dev.Fault(trouble.strikes, slices.Repeat([]devforge.FaultKind{fault.kind(place.kind)}, 50)...)
						}
						failed := g.insist(call, s, trouble)
						if failed != nil && (fault.kind == nil || fault.done && (place.kind.gitHub() || call.creates)) {
							t.Errorf("%s: the call failed: %v", fault.name, failed)
						}
						if struck := trouble.end(); (struck > 0) != (fault.kind != nil) {
							t.Errorf("%s: %d requests went wrong", fault.name, struck)
						}
						if diff := cmp.Diff(want, g.effect(s)); diff != "" {
							t.Errorf("%s (-want +got):\n%s", fault.name, diff)
						}
					}
				})
			}
		})
	}
}

// prepare does what a call needs to have been done.
func (g *ground) prepare(name string) *situation {
	g.Helper()
	s := &situation{proposal: g.propose(bot), environment: g.name("env")}
	if name == "open" {
		return s
	}
	s.change = g.openDraft(s.draft())
	s.comment = g.comment(g, lea, s.change.Number, "/promote")
	if name == "hold" {
		g.requires(devforge.BranchRules{}, promote.StatusName, "build")
		g.waiting(s.change)
	}
	if name == "reply" {
		s.remark, s.thread = g.remark(g, lea, s.change.Number, s.file, "/hold")
	}
	if name == "resolve finding" {
		if err := showFinding(true)(g.Context(), g.adapter, s); err != nil {
			g.Fatal(err)
		}
	}
	if name == "edit" {
		if err := note("what it says")(g.Context(), g.adapter, s); err != nil {
			g.Fatal(err)
		}
	}
	return s
}

// insist makes a call until it succeeds, as the queue of the bot does, and then once more, and once more by another adapter. It returns
// how the call failed, nil when it never did.
func (g *ground) insist(call call, s *situation, t *trouble) (failed error) {
	g.Helper()
	f := g.fresh(g.T, connection{client: &http.Client{Transport: t}})
	for _, f := range []adapter{f, f, g.fresh(g.T, connection{})} {
		for attempt := 0; ; attempt++ {
			err := call.make(g.Context(), f, s)
			if err == nil {
				break
			}
			failed = err
			api, ok := errors.AsType[*promote.APIError](err)
			if !ok || !api.Temporary() || attempt == 10 {
				g.Fatalf("the call is not made again: %v", err)
			}
			if err := g.clock.Sleep(g.Context(), api.RetryAfter); err != nil {
				g.Fatal(err)
			}
		}
	}
	return failed
}

// An effect is what a call left, without numbers and names.
type effect struct {
	Changes     int
	State       promote.ChangeState
	Queued      bool
	Seen        view
	Labels      []string
	Notes       []string
	Thread      []string
	Findings    []string // the threads that we began
	Reactions   []string
	Statuses    []string
	Check       string // GitLab's external status check
	Deployments []string
}

func (g *ground) effect(made *situation) effect {
	g.Helper()
	changes, err := g.ChangesFrom(g.Context(), made.branch)
	if err != nil || len(changes) == 0 {
		g.Fatalf("got %+v, %v", changes, err)
	}
	number := changes[0].Number
	notes, err := g.Notes(g.Context(), number)
	if err != nil {
		g.Fatal(err)
	}
	out := effect{
		Changes: len(changes), State: changes[0].State, Queued: g.seen(number).Merge == promote.MergeQueued, Labels: changes[0].Labels, Seen: g.view(g, number),
		Statuses: g.statuses(g, made.head, promote.StatusName), Deployments: g.deployments(g, made.environment),
		Check: g.checkSays(number),
	}
	for _, note := range notes {
		if !note.System {
			out.Notes = append(out.Notes, note.Body)
		}
	}
	for _, thread := range g.own(number) {
		out.Findings = append(out.Findings, fmt.Sprintf("%s resolved: %t", thread.Body, thread.Resolved))
	}
	if made.remark != 0 {
		out.Thread = g.thread(g, number, made.remark)
	}
	if made.comment != 0 {
		out.Reactions = g.reactions(g, number, made.comment)
	}
	return out
}

// trouble is what goes wrong: with each request that writes, the first time that it is made. It is the client's side as well, which
// gives up on a request as soon as the forge hangs on it: no test waits for a timeout.
type trouble struct {
	hangs bool
	hung  chan struct{} // the forge has begun to hang

	mu    sync.Mutex
	seen  map[string]bool
	over  bool
	count int
}

// end lets all be well again, and says how often something went wrong.
func (t *trouble) end() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	return t.count
}

// strikes says whether a request goes wrong.
func (t *trouble) strikes(r *http.Request) bool {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return false
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	writes := r.Method != http.MethodGet && !strings.HasSuffix(r.URL.Path, "/access_tokens")
	if strings.HasSuffix(r.URL.Path, "/graphql") {
		writes = bytes.Contains(body, []byte("mutation"))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	request := r.Method + r.URL.String() + string(body)
	if t.over || !writes || t.seen[request] {
		return false
	}
	t.seen[request] = true
	t.count++
	if t.hangs {
		t.hung <- struct{}{}
	}
	return true
}

// RoundTrip implements [http.RoundTripper].
func (t *trouble) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	go func() {
		select {
		case <-t.hung:
			cancel()
		case <-ctx.Done():
		}
	}()
	response, err := http.DefaultTransport.RoundTrip(r.WithContext(ctx))
	if ctx.Err() != nil && r.Context().Err() == nil {
		return nil, os.ErrDeadlineExceeded
	}
	if err != nil {
		cancel()
		return nil, err
	}
	response.Body = &body{response.Body, cancel}
	return response, nil
}

// A body ends its request when it is closed.
type body struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b *body) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}
