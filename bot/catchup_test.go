package bot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

var catchUpNow = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func TestSince(t *testing.T) {
	for _, test := range []struct {
		name    string
		through time.Time
		want    time.Time
	}{
		{"an hour ago", catchUpNow.Add(-time.Hour), catchUpNow.Add(-70 * time.Minute)},
		{"just now", catchUpNow, catchUpNow.Add(-10 * time.Minute)},
		{"a week ago", catchUpNow.Add(-7 * 24 * time.Hour), catchUpNow.Add(-72 * time.Hour)},
		{"tomorrow, because a clock was put back", catchUpNow.Add(24 * time.Hour), catchUpNow.Add(-10 * time.Minute)},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := since(test.through, catchUpNow); !got.Equal(test.want) {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// forgetful is a forge that says what it is told to say was missed.
type forgetful struct {
	events []promote.Event
	err    error
	asked  []time.Time
}

func (f *forgetful) missed(_ context.Context, since time.Time) ([]promote.Event, error) {
	f.asked = append(f.asked, since)
	return f.events, f.err
}

// openWith makes a bot for one repository, at catchUpNow.
func openWith(t *testing.T, database string, forge *forgetful) (*Bot, *buffer) {
	t.Helper()
	cfg := testConfig(database, map[string]Runner{"app": idle})
	log := &buffer{}
	cfg.Log = slog.New(slog.NewTextHandler(log, nil))
	cfg.Now = func() time.Time { return catchUpNow }
	cfg.Repositories[0].Missed = forge.missed
	return open(t, cfg), log
}

func change(delivery string, number int) promote.Event {
	return promote.Event{Kind: promote.EventChange, Delivery: delivery, Change: number}
}

func written(delivery string, number, comment int) promote.Event {
	return promote.Event{Kind: promote.EventComment, Delivery: delivery, Change: number, Comment: promote.Comment{ID: comment, Change: number}}
}

func pushed(delivery string, branch promote.Branch, head promote.Commit) promote.Event {
	return promote.Event{Kind: promote.EventPush, Delivery: delivery, Branch: branch, Head: head}
}

func TestCatchUpFindsWhatNoWebhookBrought(t *testing.T) {
	for _, test := range []struct {
		name     string
		received []payload // before
		missed   []promote.Event
		want     []int // changes of the events that wait
		found    int
	}{
		{"nothing happened", nil, nil, []int{}, 0},
		{"all was missed", nil, []promote.Event{change("a", 1), written("b", 2, 9)}, []int{1, 2}, 2},
		{"a delivery did arrive, and its answer was lost", []payload{{ID: "a", Project: "app", Change: 1}}, []promote.Event{change("a", 1), change("b", 2)}, []int{1, 2}, 1},
		{"a comment did arrive, and the forge's history gives it another ID", []payload{{ID: "a", Project: "app", Change: 1, Comment: 9}}, []promote.Event{written("event/1", 1, 9)}, []int{1}, 0},
		{"a push did arrive, and the forge's history gives it another ID", []payload{{ID: "a", Project: "app", Branch: "main", Head: "1"}}, []promote.Event{pushed("event/1", "main", "1")}, []int{0}, 0},
		{"one delivery was missed twice", nil, []promote.Event{change("a", 1), change("a", 1)}, []int{1}, 1},
		{"an event without ID comes twice", nil, []promote.Event{change("", 1), change("", 1)}, []int{1}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			forge := &forgetful{events: test.missed}
			b, _ := openWith(t, ":memory:", forge)
			for _, p := range test.received {
				if got := post(t, b, p); got.Code != http.StatusAccepted {
					t.Fatalf("got %d, want 202", got.Code)
				}
			}
			for range 2 {
				if err := b.catchUpOnce(t.Context(), b.Repositories[0]); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(test.want, waiting(t, b, "app")); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if line := fmt.Sprintf(`lockkeeper_catch_up_events_total{repository="app"} %d`, test.found); !metric(t, b, line) {
				t.Errorf("no %s", line)
			}
			if !metric(t, b, `lockkeeper_catch_up_total{repository="app",result="ok"} 2`) {
				t.Error("the catch-ups are not counted")
			}
			want := []time.Time{catchUpNow.Add(-firstLookBack), catchUpNow.Add(-overlap)}
			if diff := cmp.Diff(want, forge.asked); diff != "" {
				t.Errorf("asked since (-want +got):\n%s", diff)
			}
		})
	}
}

// TestWhatWasFoundBesideAFailureIsKept, and the next time looks back as far.
func TestWhatWasFoundBesideAFailureIsKept(t *testing.T) {
	forge := &forgetful{events: []promote.Event{change("a", 1)}, err: &promote.APIError{Service: "github", Operation: "read delivery", Status: 500}}
	b, _ := openWith(t, ":memory:", forge)
	for range 2 {
		if err := b.catchUpOnce(t.Context(), b.Repositories[0]); err == nil {
			t.Error("no error")
		}
	}
	if diff := cmp.Diff([]int{1}, waiting(t, b, "app")); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]time.Time{catchUpNow.Add(-firstLookBack), catchUpNow.Add(-firstLookBack)}, forge.asked); diff != "" {
		t.Errorf("asked since (-want +got):\n%s", diff)
	}
}

func TestWebhooksOfWhatWasFoundAreNoNews(t *testing.T) {
	b, _ := openWith(t, ":memory:", &forgetful{events: []promote.Event{change("a", 1), written("event/2", 2, 9)}})
	if err := b.catchUpOnce(t.Context(), b.Repositories[0]); err != nil {
		t.Fatal(err)
	}
	for _, p := range []payload{{ID: "a", Project: "app", Change: 1}, {ID: "b", Project: "app", Change: 2, Comment: 9}} {
		if got := post(t, b, p); got.Code != http.StatusOK {
			t.Errorf("%+v: got %d, want 200", p, got.Code)
		}
	}
	if diff := cmp.Diff([]int{1, 2}, waiting(t, b, "app")); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestCatchUpSurvivesDeathBetweenItsSteps(t *testing.T) {
	for _, test := range []struct{ name, trigger string }{
		{"before the second event", "create trigger death before insert on event when (select count(*) from event) = 1 begin select raise(abort, 'death'); end"},
		{"before it is noted that all are there", "create trigger death before update on catch_up begin select raise(abort, 'death'); end"},
	} {
		t.Run(test.name, func(t *testing.T) {
			database := tempFile(t)
			forge := &forgetful{events: []promote.Event{change("a", 1), change("b", 2)}}
			b, _ := openWith(t, database, forge)
			if _, err := b.queue.store.db.ExecContext(t.Context(), test.trigger); err != nil {
				t.Fatal(err)
			}
			if err := b.catchUpOnce(t.Context(), b.Repositories[0]); err == nil {
				t.Fatal("no error")
			}
			if _, err := b.queue.store.db.ExecContext(t.Context(), "drop trigger death"); err != nil {
				t.Fatal(err)
			}
			if err := b.queue.close(); err != nil {
				t.Fatal(err)
			}
			b, _ = openWith(t, database, forge)
			if err := b.catchUpOnce(t.Context(), b.Repositories[0]); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]int{1, 2}, waiting(t, b, "app")); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if !forge.asked[0].Equal(forge.asked[1]) {
				t.Errorf("asked since %s, then since %s: want the same, because the first did not go through", forge.asked[0], forge.asked[1])
			}
		})
	}
}

func TestCatchUpGoesOnWhereTheLastProcessWas(t *testing.T) {
	database := tempFile(t)
	forge := &forgetful{}
	b, _ := openWith(t, database, forge)
	if err := b.catchUpOnce(t.Context(), b.Repositories[0]); err != nil {
		t.Fatal(err)
	}
	if err := b.queue.close(); err != nil {
		t.Fatal(err)
	}
	b, _ = openWith(t, database, forge)
	b.Now = func() time.Time { return catchUpNow.Add(5 * time.Hour) }
	if err := b.catchUpOnce(t.Context(), b.Repositories[0]); err != nil {
		t.Fatal(err)
	}
	if want := catchUpNow.Add(-overlap); !forge.asked[1].Equal(want) {
		t.Errorf("asked since %s, want %s", forge.asked[1], want)
	}
}

func TestCatchUpThatAskedNothingLooksBackAsFarTheNextTime(t *testing.T) {
	forge := &forgetful{err: fmt.Errorf("nothing is open: %w", ErrNotAsked)}
	b, log := openWith(t, ":memory:", forge)
	for range 2 {
		if err := b.catchUpOnce(t.Context(), b.Repositories[0]); err != nil {
			t.Fatal(err)
		}
		b.Now = func() time.Time { return catchUpNow.Add(2 * time.Hour) }
	}
	want := []time.Time{catchUpNow.Add(-firstLookBack), catchUpNow.Add(-firstLookBack)}
	if diff := cmp.Diff(want, forge.asked); diff != "" {
		t.Errorf("asked since (-want +got):\n%s", diff)
	}
	if strings.Contains(log.String(), "level=WARN") {
		t.Errorf("told as a failure: %s", log)
	}
}

func TestCatchUpThatFailsIsToldOncePerReason(t *testing.T) {
	forge := &forgetful{}
	b, log := openWith(t, ":memory:", forge)
	api := func(status int) error {
		return &promote.APIError{Service: "github", Operation: "list webhooks", Status: status}
	}
	told := 0
	for i, step := range []struct {
		err error
		new bool
	}{
		{api(403), true},
		{api(403), false},
		{api(404), true},
		{api(403), false},
		{api(502), true},
		{api(503), true},
		{&promote.APIError{Cause: errors.New("connection refused")}, true},
		{errors.New("panic: x"), true},
		{nil, false},
		{api(403), true},
	} {
		forge.err = step.err
		err := b.catchUpOnce(t.Context(), b.Repositories[0])
		if !errors.Is(err, step.err) {
			t.Errorf("step %d: got %v, want %v", i, err, step.err)
		}
		if step.new {
			told++
		}
		if got := strings.Count(log.String(), "level=WARN"); got != told {
			t.Errorf("step %d: told %d times, want %d", i, got, told)
		}
	}
	if !metric(t, b, `lockkeeper_catch_up_total{repository="app",result="error"} 9`) {
		t.Error("the failures are not counted")
	}
}

func TestCatchUpContainsPanics(t *testing.T) {
	b, log := openWith(t, ":memory:", &forgetful{})
	b.Repositories[0].Missed = func(context.Context, time.Time) ([]promote.Event, error) { panic("a payload of yesterday") }
	if err := b.catchUpOnce(t.Context(), b.Repositories[0]); err == nil || err.Error() != "panic: a payload of yesterday" {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(log.String(), "panic in catch-up") {
		t.Errorf("not logged: %s", log)
	}
}

func TestCatchUpNeverBlocksServing(t *testing.T) {
	runner := newRecorder()
	cfg := testConfig(tempFile(t), map[string]Runner{"app": runner})
	asked := make(chan struct{})
	cfg.Repositories[0].Missed = func(ctx context.Context, _ time.Time) ([]promote.Event, error) {
		close(asked)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	b := open(t, cfg)
	stop := start(t, b)
	receive(t, asked, "catch-up")
	receive(t, runner.runs, "run of the sweep").end <- nil
	if got := post(t, b, payload{ID: "1", Project: "app", Change: 1}); got.Code != http.StatusAccepted {
		t.Errorf("got %d, want 202", got.Code)
	}
	this := receive(t, runner.runs, "run")
	wantChanges(t, this, 1)
	this.end <- nil
	if err := stop(); err != nil {
		t.Errorf("a catch-up keeps the bot from ending: %v", err)
	}
}

func TestCatchUpAtTheStartAndFromTimeToTime(t *testing.T) {
	for _, test := range []struct {
		name  string
		each  time.Duration
		fails []error // the answers of the first times; later ones succeed
		want  int
	}{
		{"at the start only", 0, nil, 1},
		{"at the start, where it fails for a while", 0, []error{&promote.APIError{Status: 502, RetryAfter: time.Millisecond}, &promote.APIError{Status: 503, RetryAfter: time.Millisecond}}, 3},
		{"at the start, where it is refused", 0, []error{&promote.APIError{Status: 403}}, 1},
		{"from time to time", time.Millisecond, nil, 3},
		{"from time to time, although it is refused", time.Millisecond, []error{&promote.APIError{Status: 403}}, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			b, _ := openWith(t, ":memory:", &forgetful{})
			b.CatchUp = test.each
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			asked := 0
			b.Repositories[0].Missed = func(context.Context, time.Time) ([]promote.Event, error) {
				asked++
				if asked == test.want && test.each > 0 {
					cancel()
				}
				if asked <= len(test.fails) {
					return nil, test.fails[asked-1]
				}
				return nil, nil
			}
			b.catchUp(ctx, b.Repositories[0])
			if asked != test.want {
				t.Errorf("asked %d times, want %d", asked, test.want)
			}
		})
	}
}
