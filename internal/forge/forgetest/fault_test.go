package forgetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
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
}

// A situation is what a call is made on.
type situation struct {
	proposal
	change      promote.Change // zero for the call that opens it
	comment     int            // of a person
	environment string
}

// note keeps one note up to date.
func note(text string) func(context.Context, adapter, *situation) error {
	return func(ctx context.Context, f adapter, c *situation) error {
		const mark = "<!-- lockkeeper -->\n"
		notes, err := f.Notes(ctx, c.change.Number)
		if err != nil {
			return err
		}
		if found, one := said(notes, mark); one {
			return f.EditNote(ctx, c.change.Number, found.ID, mark+text)
		}
		_, err = f.AddNote(ctx, c.change.Number, mark+text)
		return err
	}
}

var calls = []call{
	{"open", func(ctx context.Context, f adapter, c *situation) error { _, err := f.Open(ctx, c.draft()); return err }},
	{"update", func(ctx context.Context, f adapter, c *situation) error {
		return f.Update(ctx, c.change.Number, promote.ChangeEdit{Title: "web 2 to dev, once more", Description: "new text"})
	}},
	{"close", func(ctx context.Context, f adapter, c *situation) error { return f.Close(ctx, c.change.Number) }},
	{"status", func(ctx context.Context, f adapter, c *situation) error {
		return post(ctx, f, gates(c.change, promote.StatusSuccess, "all pass"))
	}},
	{"note", note("what it says")},
	{"edit", func(ctx context.Context, f adapter, c *situation) error { return note("what it says now")(ctx, f, c) }},
	{"react", func(ctx context.Context, f adapter, c *situation) error {
		return f.React(ctx, c.change.Number, c.comment, promote.ReactionSeen)
	}},
	{"merge", func(ctx context.Context, f adapter, c *situation) error {
		change, err := f.Merge(ctx, c.change.Number, c.head, "Promote web 2")
		if err == nil && (change.State != promote.ChangeMerged || change.Merged == "") {
			return fmt.Errorf("it is not merged: %+v", change)
		}
		return err
	}},
	{"deploy", func(ctx context.Context, f adapter, c *situation) error {
		return f.Deploy(ctx, deployment(c.proposal, c.environment, promote.DeploymentRunning))
	}},
}

// faults are what goes wrong with a request the first time.
var faults = []struct {
	name   string
	kind   func() devforge.FaultKind
	gitHub bool // only there
	hangs  bool
}{
	{name: "nothing", kind: nil},
	{name: "error 500", kind: func() devforge.FaultKind { return devforge.Answer(http.StatusInternalServerError, 0) }},
	{name: "a proxy's page", kind: devforge.BadGateway},
	{name: "no answer in time", kind: devforge.Hang, hangs: true},
	{name: "the answer is lost after the effect", kind: devforge.LoseAnswer},
	{name: "half an answer after the effect", kind: devforge.CutAnswer},
	{name: "429", kind: func() devforge.FaultKind { return devforge.Answer(http.StatusTooManyRequests, time.Minute) }},
	{name: "the secondary limit as 403", kind: func() devforge.FaultKind { return devforge.SecondaryLimit(http.StatusForbidden, time.Minute) }, gitHub: true},
	{name: "the secondary limit as 429, until unknown", kind: func() devforge.FaultKind { return devforge.SecondaryLimit(http.StatusTooManyRequests, 0) }, gitHub: true},
}

// TestFaults lets every request that writes go wrong the first time that it is made, in each way, and makes the call again: by the
// same adapter, and by one that knows nothing of it. There is one effect, the same as without the fault.
func TestFaults(t *testing.T) {
	for _, place := range grounds {
		t.Run(place.name, func(t *testing.T) {
			for _, call := range calls {
				t.Run(call.name, func(t *testing.T) {
					t.Parallel()
					g := place.make(t, devforge.Hook{})
					var want effect
					for _, fault := range faults {
						if fault.gitHub && !place.kind.gitHub() {
							continue
						}
						made := g.prepare(call.name)
						trouble := &trouble{hangs: fault.hangs, hung: make(chan struct{}, 1)}
						if fault.kind != nil {
							trouble.begin(g.dev, fault.kind())
						}
						g.insist(call, made, trouble)
						trouble.end()
						got := g.effect(made)
						if fault.kind == nil {
							want = got
							continue
						}
						if trouble.times() == 0 {
							t.Errorf("%s: nothing went wrong", fault.name)
						}
						if diff := cmp.Diff(want, got); diff != "" {
							t.Errorf("%s (-without +with):\n%s", fault.name, diff)
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
	made := &situation{proposal: g.propose(bot), environment: g.name("env")}
	if name == "open" {
		return made
	}
	made.change = g.open1(made.draft())
	made.comment = g.comment(g, lea, made.change.Number, "/promote")
	if name == "edit" {
		if err := note("what it says")(g.Context(), g.adapter, made); err != nil {
			g.Fatal(err)
		}
	}
	return made
}

// insist makes a call until it succeeds, as the queue of the bot does, and then once more, and once more by another adapter.
func (g *ground) insist(call call, made *situation, t *trouble) {
	g.Helper()
	f := g.fresh(g.T, connection{client: &http.Client{Transport: t}})
	for _, f := range []adapter{f, f, g.fresh(g.T, connection{})} {
		for attempt := 0; ; attempt++ {
			err := call.make(g.Context(), f, made)
			if err == nil {
				break
			}
			api, ok := errors.AsType[*promote.APIError](err)
			if !ok || !api.Temporary() || attempt == 10 {
				g.Fatalf("the call is not made again: %v", err)
			}
			if err := g.clock.sleep(g.Context(), api.RetryAfter); err != nil {
				g.Fatal(err)
			}
		}
	}
}

// An effect is what a call left, without numbers and names.
type effect struct {
	Changes     int
	State       promote.ChangeState
	Seen        view
	Labels      []string
	Notes       []string
	Reactions   []string
	Statuses    []string
	Deployments []string
}

func (g *ground) effect(made *situation) effect {
	g.Helper()
	f := g.fresh(g.T, connection{})
	changes, err := f.ChangesFrom(g.Context(), made.branch)
	if err != nil || len(changes) == 0 {
		g.Fatalf("got %+v, %v", changes, err)
	}
	number := changes[0].Number
	notes, err := f.Notes(g.Context(), number)
	if err != nil {
		g.Fatal(err)
	}
	out := effect{
		Changes: len(changes), State: changes[0].State, Labels: changes[0].Labels, Seen: g.view(g, number),
		Statuses: g.statuses(g, made.head, promote.StatusName), Deployments: g.deployments(g, made.environment),
	}
	for _, note := range notes {
		if !note.System || !strings.HasPrefix(note.Body, "changed title") { // A text that is written again is no new one.
			out.Notes = append(out.Notes, strings.ReplaceAll(note.Body, string(changes[0].Merged), "<merged>"))
		}
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

func (t *trouble) begin(forge *devforge.Forge, kind devforge.FaultKind) {
	t.seen = map[string]bool{}
	kinds := make([]devforge.FaultKind, 50)
	for i := range kinds {
		kinds[i] = kind
	}
	forge.Fault(t.strikes, kinds...)
}

func (t *trouble) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
}

func (t *trouble) times() int {
	t.mu.Lock()
	defer t.mu.Unlock()
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
	type result struct {
		response *http.Response
		err      error
	}
	done := make(chan result, 1)
	go func() {
		response, err := http.DefaultTransport.RoundTrip(r.WithContext(ctx))
		done <- result{response, err}
	}()
	select {
	case <-t.hung:
		cancel()
		<-done
		return nil, os.ErrDeadlineExceeded
	case got := <-done:
		if got.err != nil {
			cancel()
			return nil, got.err
		}
		got.response.Body = &body{got.response.Body, cancel}
		return got.response, nil
	}
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
