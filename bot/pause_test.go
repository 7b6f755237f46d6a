package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
)

func TestWhatBreaksAPause(t *testing.T) {
	refused := errors.New("no")
	limited := &promote.APIError{Service: "gitlab", Operation: "read change", Status: 429, RetryAfter: time.Hour}
	push, change := promote.Event{Kind: promote.EventPush}, promote.Event{Kind: promote.EventChange}
	comment := promote.Event{Kind: promote.EventComment, Comment: promote.Comment{Body: "/hold"}}
	for _, test := range []struct {
		name    string
		failure error
		failed  promote.Event
		arrives promote.Event
		runs    int32
	}{
		{"a comment breaks it", refused, change, comment, 2},
		{"a comment breaks it also after a comment", refused, comment, comment, 2},
		{"a comment breaks it also when a service asked to wait", limited, change, comment, 2},
		{"an event of another kind breaks it", refused, change, push, 2},
		{"an event of the same kind waits", refused, push, push, 1},
		{"an event of another kind waits when a service asked for it", limited, change, push, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			var runs atomic.Int32
			b := open(t, testConfig(":memory:", map[string]Runner{"app": failing(&runs, test.failure)}))
			mustDeliver(t, b, "failed", test.failed)
			again(t, b)
			mustDeliver(t, b, "arrives", test.arrives)
			again(t, b)
			again(t, b) // It breaks the pause once.
			if got := runs.Load(); got != test.runs {
				t.Errorf("%d runs, want %d", got, test.runs)
			}
		})
	}
}

func failing(runs *atomic.Int32, failure error) Runner {
	return runnerFunc(func(context.Context, []promote.Event) (reconcile.Outcome, error) {
		runs.Add(1)
		return reconcile.Outcome{}, failure
	})
}

func mustDeliver(t testing.TB, b *Bot, delivery string, event promote.Event) {
	t.Helper()
	event.Delivery = delivery
	if _, err := b.queue.add(t.Context(), arrival{repository: "app", event: event}); err != nil {
		t.Fatal(err)
	}
}

// again is a job that comes up while events wait that failed.
func again(t testing.TB, b *Bot) {
	t.Helper()
	if err := b.queue.run(t.Context(), "app"); err == nil {
		t.Fatal("the job is done, and its event is not")
	}
}

func TestPauseGrowsWithTheAttemptsThatBreakIt(t *testing.T) {
	var runs atomic.Int32
	b := open(t, testConfig(":memory:", map[string]Runner{"app": failing(&runs, errors.New("no"))}))
	mustDeliver(t, b, "first", promote.Event{Kind: promote.EventChange})
	again(t, b)
	var longest time.Duration
	for i := range 2 * maxAttempts {
		mustDeliver(t, b, fmt.Sprint("comment ", i), promote.Event{Kind: promote.EventComment, Change: i})
		again(t, b)
		_, left := b.queue.pauses.get("app")
		if want := min(2*time.Second<<(i+1), 10*time.Minute) - deadline; left <= want || left > 10*time.Minute {
			t.Fatalf("a pause of %s after comment %d, want more than %s and not more than 10m", left, i+1, want)
		}
		longest = max(longest, left)
	}
	if got := runs.Load(); got != 1+2*maxAttempts {
		t.Errorf("%d runs, want one for each comment", got)
	}
	if longest < 9*time.Minute {
		t.Errorf("the longest pause was %s, want ten minutes", longest)
	}
	if got := len(waiting(t, b, "app")); got != 1+2*maxAttempts {
		t.Errorf("%d events wait, want all: who writes comments must not use up the attempts of the others", got)
	}
}

func TestCommentDuringTheRunThatFailsIsNotMuted(t *testing.T) {
	runner := newRecorder()
	b := open(t, testConfig(":memory:", map[string]Runner{"app": runner}))
	mustDeliver(t, b, "1", promote.Event{Kind: promote.EventChange, Change: 1})
	start(t, b)
	first := receive(t, runner.runs, "run")
	mustDeliver(t, b, "2", promote.Event{Kind: promote.EventChange, Change: 2})
	mustDeliver(t, b, "3", promote.Event{Kind: promote.EventComment, Change: 3})
	first.end <- &promote.APIError{Service: "gitlab", Operation: "read change", Status: 503, RetryAfter: time.Hour}
	second := receive(t, runner.runs, "run for the comment")
	wantChanges(t, second, 1, 2)
	wantComment(t, second)
	second.end <- nil
}

func wantComment(t testing.TB, r run) {
	t.Helper()
	if !slices.ContainsFunc(r.events, func(e promote.Event) bool { return e.Kind == promote.EventComment }) {
		t.Errorf("the run was given %v, and not the comment", r.events)
	}
}

func TestCommentDuringThePauseIsNotMuted(t *testing.T) {
	runner := newRecorder()
	b := open(t, testConfig(":memory:", map[string]Runner{"app": runner}))
	mustDeliver(t, b, "1", promote.Event{Kind: promote.EventChange, Change: 1})
	start(t, b)
	first := receive(t, runner.runs, "run")
	first.end <- &promote.APIError{Service: "gitlab", Operation: "read change", Status: 503, RetryAfter: time.Hour}
	mustDeliver(t, b, "2", promote.Event{Kind: promote.EventChange, Change: 2}) // Its job sleeps until the pause ends.
	mustDeliver(t, b, "3", promote.Event{Kind: promote.EventComment, Change: 3})
	second := receive(t, runner.runs, "run for the comment")
	wantChanges(t, second, 1, 2)
	wantComment(t, second)
	second.end <- nil
}

func TestEventThatIsNoEventBreaksNoPause(t *testing.T) {
	var runs atomic.Int32
	b := open(t, testConfig(":memory:", map[string]Runner{"app": failing(&runs, errors.New("no"))}))
	mustDeliver(t, b, "1", promote.Event{Kind: promote.EventChange})
	again(t, b)
	for _, body := range []string{"[]", "{", `{"Kind": null}`} {
		if _, err := b.queue.store.db.ExecContext(t.Context(), "insert into event (repository, delivery, body) values ('app', '', ?)", body); err != nil {
			t.Fatal(err)
		}
	}
	again(t, b)
	if got := runs.Load(); got != 1 {
		t.Errorf("%d runs, want 1", got)
	}
}
