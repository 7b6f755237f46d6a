package bot

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
)

// deadline ends tests in which something that must happen does not.
const deadline = 30 * time.Second

type runnerFunc func(ctx context.Context, events []promote.Event) (reconcile.Outcome, error)

func (f runnerFunc) Run(ctx context.Context, options reconcile.Options) (reconcile.Outcome, error) {
	return f(ctx, options.Events)
}

var idle = runnerFunc(func(context.Context, []promote.Event) (reconcile.Outcome, error) { return reconcile.Outcome{}, nil })

// recorder is a runner that shows each run to the test, and ends it as the test says.
type recorder struct {
	runs chan run
}

type run struct {
	ctx    context.Context //nolint:containedctx // The test looks at what the run was given.
	events []promote.Event
	end    chan error
}

func newRecorder() recorder { return recorder{make(chan run)} }

func (r recorder) Run(ctx context.Context, options reconcile.Options) (reconcile.Outcome, error) {
	this := run{ctx, options.Events, make(chan error)}
	select {
	case r.runs <- this:
	case <-ctx.Done():
		return reconcile.Outcome{}, ctx.Err()
	}
	select {
	case err := <-this.end:
		return reconcile.Outcome{}, err
	case <-ctx.Done():
		return reconcile.Outcome{}, ctx.Err()
	}
}

// payload is what the forge of these tests sends.
type payload struct {
	ID      string `json:"id,omitempty"`
	Project string `json:"project,omitempty"`
	Change  int    `json:"change,omitempty"`
	Comment int    `json:"comment,omitempty"`
	Image   string `json:"image,omitempty"`
	Branch  string `json:"branch,omitempty"`
	Head    string `json:"head,omitempty"`
	Source  string `json:"source,omitempty"`
	Button  string `json:"button,omitempty"`
	Status  bool   `json:"status,omitempty"`
	Panic   string `json:"panic,omitempty"`
	Ignored bool   `json:"ignored,omitempty"`
	Filler  string `json:"filler,omitempty"`
}

var testHook = Hook{
	Forge: "test",
	Verify: func(header http.Header, body []byte, _ time.Time) error {
		var p payload
		if json.Unmarshal(body, &p) == nil && p.Panic == "verify" {
			panic("verify")
		}
		if header.Get("X-Token") != "secret" {
			return errors.New("wrong token")
		}
		return nil
	},
	Parse: func(header http.Header, body []byte) (promote.Event, error) {
		var p payload
		if err := json.Unmarshal(body, &p); err != nil {
			return promote.Event{}, err
		}
		if p.Panic == "parse" {
			panic("parse")
		}
		if p.Ignored {
			return promote.Event{}, fmt.Errorf("a wiki page: %w", ErrIgnored)
		}
		event := promote.Event{Kind: promote.EventChange, Delivery: cmp.Or(header.Get("X-Delivery"), p.ID), Change: p.Change}
		switch {
		case p.Comment != 0:
			event.Kind, event.Comment = promote.EventComment, promote.Comment{ID: p.Comment, Change: p.Change}
		case p.Button != "":
			event.Kind, event.Comment = promote.EventComment, promote.Comment{Change: p.Change, Action: p.Button}
		case p.Status:
			event.Kind = promote.EventStatus
		case p.Branch != "":
			event.Kind, event.Branch, event.Head, event.Source = promote.EventPush, promote.Branch(p.Branch), promote.Commit(p.Head), p.Source
		case p.Image != "":
			event.Kind, event.Image = promote.EventArtifact, p.Image
		}
		return event, nil
	},
	Project: func(body []byte) string {
		var p payload
		_ = json.Unmarshal(body, &p)
		if p.Panic == "project" {
			panic("project")
		}
		return p.Project
	},
}

// buffer is a log that may be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func testConfig(database string, runners map[string]Runner) Config {
	cfg := Config{
		Hooks: []Hook{testHook}, Database: database, Sweep: time.Hour, Log: slog.New(slog.DiscardHandler),
		Now: time.Now, Metrics: NewMetrics(),
	}
	for name, runner := range runners {
		cfg.Repositories = append(cfg.Repositories, Repository{Name: name, Project: name, Runner: runner})
	}
	return cfg
}

// open makes a bot whose queue is closed at the end of the test, if it was not before.
func open(t testing.TB, cfg Config) *Bot {
	t.Helper()
	b, err := New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.queue.close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// start runs a bot. The function that it returns ends it and says how it ended; it may be called again.
func start(t testing.TB, b *Bot) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(deadline):
			return errors.New("the bot does not end")
		}
	})
	t.Cleanup(func() { _ = stop() })
	return stop
}

func receive[T any](t testing.TB, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(deadline):
		t.Fatalf("no %s in %s", what, deadline)
		panic("unreachable")
	}
}

// post delivers p, with the right token.
func post(t testing.TB, b *Bot, p payload) *httptest.ResponseRecorder { return postAs(t, b, "", p) }

// postAs delivers p under an ID that is no part of its body.
func postAs(t testing.TB, b *Bot, id string, p payload) *httptest.ResponseRecorder {
	t.Helper()
	body, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/webhook/test", bytes.NewReader(body))
	r.Header.Set("X-Token", "secret")
	r.Header.Set("X-Delivery", id)
	w := httptest.NewRecorder()
	b.Handler().ServeHTTP(w, r)
	return w
}

func deliver(b *Bot, path, token string, body io.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, body)
	r.Header.Set("X-Token", token)
	w := httptest.NewRecorder()
	b.Handler().ServeHTTP(w, r)
	return w
}

// waiting are the changes of the events in the queue.
func waiting(t testing.TB, b *Bot, repository string) []int {
	t.Helper()
	rows, err := b.queue.store.db.QueryContext(t.Context(), "select body from event where repository = ? order by id", repository)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	changes := []int{}
	for rows.Next() {
		var body []byte
		var event promote.Event
		if err := errors.Join(rows.Scan(&body), json.Unmarshal(body, &event)); err != nil {
			t.Fatal(err)
		}
		changes = append(changes, event.Change)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return changes
}

func changesOf(events []promote.Event) []int {
	changes := []int{}
	for _, event := range events {
		if event.Kind == promote.EventChange {
			changes = append(changes, event.Change)
		}
	}
	return changes
}

func metric(t testing.TB, b *Bot, line string) bool {
	t.Helper()
	w := httptest.NewRecorder()
	b.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return strings.Contains("\n"+w.Body.String(), "\n"+line+"\n")
}

func tempFile(t testing.TB) string { return filepath.Join(t.TempDir(), "queue.db") }

// countingRunner shows the events of each run, which succeeds.
func countingRunner(show func(events []promote.Event)) Runner {
	return runnerFunc(func(_ context.Context, events []promote.Event) (reconcile.Outcome, error) {
		show(events)
		return reconcile.Outcome{}, nil
	})
}
