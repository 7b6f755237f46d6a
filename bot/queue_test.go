package bot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
)

func mustAdd(t testing.TB, b *Bot, repository string, changes ...int) {
	t.Helper()
	for _, change := range changes {
		event := promote.Event{Kind: promote.EventChange, Change: change, Delivery: fmt.Sprint("delivery ", change)}
		if _, err := b.queue.add(t.Context(), arrival{repository: repository, event: event}); err != nil {
			t.Fatal(err)
		}
	}
}

func wantChanges(t testing.TB, r run, want ...int) {
	t.Helper()
	if diff := cmp.Diff(want, changesOf(r.events)); diff != "" {
		t.Fatalf("events of the run (-want +got):\n%s", diff)
	}
}

func TestEventsThatWaitAreOneRun(t *testing.T) {
	runner := newRecorder()
	b := open(t, testConfig(tempFile(t), map[string]Runner{"app": runner}))
	mustAdd(t, b, "app", 1, 2, 3)
	stop := start(t, b)
	first := receive(t, runner.runs, "run")
	wantChanges(t, first, 1, 2, 3)
	mustAdd(t, b, "app", 4, 5)
	first.end <- nil
	second := receive(t, runner.runs, "run for the events that came during the first")
	wantChanges(t, second, 4, 5)
	second.end <- nil
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func TestEventsMoreThanOneRunIsGiven(t *testing.T) {
	runner := newRecorder()
	b := open(t, testConfig(":memory:", map[string]Runner{"app": runner}))
	var want []int
	for i := range maxEvents + 1 {
		want = append(want, i)
	}
	mustAdd(t, b, "app", want...)
	start(t, b)
	first := receive(t, runner.runs, "run")
	wantChanges(t, first, want[:maxEvents]...)
	first.end <- nil
	second := receive(t, runner.runs, "run with the rest")
	wantChanges(t, second, maxEvents)
	second.end <- nil
}

func TestRunsTakeTurnsInOneRepositoryOnly(t *testing.T) {
	const repositories, events = 4, 25
	runners := map[string]Runner{}
	var together, most atomic.Int32
	var done [repositories]chan []promote.Event
	all := make(chan struct{}) // closed when all repositories were seen to run at once
	for i := range repositories {
		var running atomic.Bool
		done[i] = make(chan []promote.Event, 2*events)
		runners[fmt.Sprint(i)] = runnerFunc(func(ctx context.Context, events []promote.Event) (reconcile.Outcome, error) {
			if !running.CompareAndSwap(false, true) {
				t.Errorf("repository %d runs twice at a time", i)
			}
			defer running.Store(false)
			if n := together.Add(1); n == repositories && most.Swap(n) < n {
				close(all)
			}
			defer together.Add(-1)
			select {
			case <-all:
			case <-ctx.Done():
			}
			done[i] <- events
			return reconcile.Outcome{}, nil
		})
	}
	b := open(t, testConfig(tempFile(t), runners))
	start(t, b)
	for e := range events {
		for i := range repositories {
			mustAdd(t, b, fmt.Sprint(i), e)
		}
	}
	receive(t, all, "moment at which all repositories run")
	for i := range repositories {
		var got, want []int
		for e := range events {
			want = append(want, e)
		}
		for len(got) < events {
			got = append(got, changesOf(receive(t, done[i], "run"))...)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("repository %d (-want +got):\n%s", i, diff)
		}
	}
}

func TestFailedRunIsTriedAgainWithWhatCameMeanwhile(t *testing.T) {
	runner := newRecorder()
	b := open(t, testConfig(":memory:", map[string]Runner{"app": runner}))
	mustAdd(t, b, "app", 1)
	start(t, b)
	first := receive(t, runner.runs, "run")
	wantChanges(t, first, 1)
	failed := time.Now()
	first.end <- &promote.APIError{Service: "gitlab", Operation: "read change", Status: 429, RetryAfter: 1500 * time.Millisecond}
	mustAdd(t, b, "app", 2)
	second := receive(t, runner.runs, "second attempt")
	if waited := time.Since(failed); waited < 1500*time.Millisecond {
		t.Errorf("tried again after %s; the service asked to wait 1.5s", waited)
	}
	wantChanges(t, second, 1, 2)
	second.end <- nil
	mustAdd(t, b, "app", 3)
	third := receive(t, runner.runs, "run after the success")
	wantChanges(t, third, 3)
	third.end <- nil
}

// unpause ends the pause after a failure, so that tests need not wait for it.
func unpause(q *queue, repository string) {
	pause, _ := q.pauses.get(repository)
	pause.until = time.Time{}
	q.pauses.set(repository, pause)
}

func TestFailuresAreGivenUpEventByEvent(t *testing.T) {
	var log buffer
	var fail atomic.Pointer[error]
	runner := runnerFunc(func(context.Context, []promote.Event) (reconcile.Outcome, error) {
		return reconcile.Outcome{}, *fail.Load()
	})
	cfg := testConfig(":memory:", map[string]Runner{"app": runner})
	cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	b := open(t, cfg)
	attempt := func(failure error) {
		t.Helper()
		fail.Store(&failure)
		unpause(b.queue, "app")
		err := b.queue.run(t.Context(), "app")
		if (err == nil) != (failure == nil || len(waiting(t, b, "app")) == 0) {
			t.Fatalf("run: %v", err)
		}
	}
	wantWaiting := func(want ...int) {
		t.Helper()
		if diff := cmp.Diff(append([]int{}, want...), waiting(t, b, "app")); diff != "" {
			t.Fatalf("waiting events (-want +got):\n%s", diff)
		}
	}
	refused := &promote.APIError{Service: "gitlab", Operation: "comment", Status: 422}
	mustAdd(t, b, "app", 1)
	attempt(refused)
	attempt(refused)
	mustAdd(t, b, "app", 2)
	attempt(refused)
	wantWaiting(2)
	if want := `msg="event given up" repository=app event=change change=1 delivery="delivery 1" attempts=3`; !strings.Contains(log.String(), want) {
		t.Errorf("the log has no %s:\n%s", want, &log)
	}
	if !metric(t, b, `lockkeeper_events_given_up_total{repository="app"} 1`) {
		t.Error("the event that was given up is not counted")
	}
	mustAdd(t, b, "app", 1) // The same delivery, sent again by a person.
	wantWaiting(2, 1)
	attempt(nil)
	wantWaiting()

	mustAdd(t, b, "app", 3)
	for range maxAttempts - 1 {
		attempt(errors.New("disk is full"))
	}
	wantWaiting(3)
	attempt(errors.New("disk is full"))
	wantWaiting()
}

func TestPauseHoldsMoreOfWhatFailed(t *testing.T) {
	var runs atomic.Int32
	runner := runnerFunc(func(context.Context, []promote.Event) (reconcile.Outcome, error) {
		runs.Add(1)
		return reconcile.Outcome{}, errors.New("no")
	})
	b := open(t, testConfig(":memory:", map[string]Runner{"app": runner}))
	mustAdd(t, b, "app", 1)
	for change := range 20 {
		if err := b.queue.run(t.Context(), "app"); err == nil {
			t.Fatal("the job is done, and its event is not")
		}
		mustAdd(t, b, "app", 2+change)
	}
	if got := runs.Load(); got != 1 {
		t.Errorf("%d runs, want 1: the others must wait", got)
	}
}

func TestPanicInRunIsAFailure(t *testing.T) {
	var log buffer
	var runs atomic.Int32
	runner := runnerFunc(func(context.Context, []promote.Event) (reconcile.Outcome, error) {
		if runs.Add(1) == 1 {
			panic("nil map")
		}
		return reconcile.Outcome{}, nil
	})
	cfg := testConfig(":memory:", map[string]Runner{"app": runner})
	cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	b := open(t, cfg)
	mustAdd(t, b, "app", 1)
	if err := b.queue.run(t.Context(), "app"); err == nil {
		t.Error("the job is done, and its event is not")
	}
	if diff := cmp.Diff([]int{1}, waiting(t, b, "app")); diff != "" {
		t.Errorf("waiting events (-want +got):\n%s", diff)
	}
	if _, left := b.queue.pauses.get("app"); left <= time.Second {
		t.Errorf("tried again after %s: a hot loop", left)
	}
	if got := log.String(); !strings.Contains(got, `msg="panic in run" repository=app panic="nil map"`) || !strings.Contains(got, "queue_test.go") {
		t.Errorf("the log lacks the panic or its stack:\n%s", got)
	}
	if !metric(t, b, `lockkeeper_run_seconds_count{repository="app",result="error"} 1`) {
		t.Error("the panic is not counted as a failed run")
	}
	unpause(b.queue, "app")
	if err := b.queue.run(t.Context(), "app"); err != nil {
		t.Fatal(err)
	}
	if got := waiting(t, b, "app"); len(got) != 0 {
		t.Errorf("events %v wait after the success", got)
	}
}

func TestRunThatTakesTooLongIsEndedAndTriedAgain(t *testing.T) {
	runner := newRecorder()
	cfg := testConfig(":memory:", map[string]Runner{"app": runner})
	cfg.RunTimeout = 50 * time.Millisecond
	b := open(t, cfg)
	mustAdd(t, b, "app", 1)
	start(t, b)
	receive(t, receive(t, runner.runs, "run").ctx.Done(), "end of the first run")
	second := receive(t, runner.runs, "second attempt")
	wantChanges(t, second, 1)
}

func TestEventThatEndsTheProcessIsGivenUp(t *testing.T) {
	b := open(t, testConfig(":memory:", map[string]Runner{"app": idle}))
	mustAdd(t, b, "app", 1)
	for range maxAttempts {
		taken, err := b.queue.store.take(t.Context(), "app") // And then the process is killed.
		if err != nil || len(taken.events) != 1 {
			t.Fatalf("took %d events, %v; want 1", len(taken.events), err)
		}
	}
	mustAdd(t, b, "app", 2)
	taken, err := b.queue.store.take(t.Context(), "app")
	if err != nil || len(taken.dropped) != 1 || len(taken.events) != 1 || taken.events[0].event.Change != 2 {
		t.Errorf("took %+v, %v; want event 1 dropped and event 2", taken, err)
	}
}

func TestEventThatCannotBeReadIsDropped(t *testing.T) {
	runner := newRecorder()
	b := open(t, testConfig(":memory:", map[string]Runner{"app": runner}))
	if _, err := b.queue.store.db.ExecContext(t.Context(), "insert into event (repository, delivery, body) values ('app', '', '[]')"); err != nil {
		t.Fatal(err)
	}
	mustAdd(t, b, "app", 1)
	start(t, b)
	this := receive(t, runner.runs, "run")
	wantChanges(t, this, 1)
	this.end <- nil
}

func TestEqualEventsWithoutADeliveryWaitOnce(t *testing.T) {
	b := open(t, testConfig(":memory:", map[string]Runner{"app": idle}))
	for range 3 {
		for _, event := range []promote.Event{{Kind: promote.EventSweep}, {Kind: promote.EventPush, Branch: "main"}} {
			if err := b.Notify(t.Context(), "app", event); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := len(waiting(t, b, "app")); got != 2 {
		t.Errorf("%d events wait, want 2", got)
	}
	if err := b.Notify(t.Context(), "other", promote.Event{}); err == nil {
		t.Error("an event of a repository that is not configured was accepted")
	}
	if _, err := b.queue.store.take(t.Context(), "app"); err != nil {
		t.Fatal(err)
	}
	if err := b.Notify(t.Context(), "app", promote.Event{Kind: promote.EventSweep}); err != nil {
		t.Fatal(err)
	}
	if got := len(waiting(t, b, "app")); got != 3 {
		t.Errorf("%d events wait, want 3: a run that goes on may have looked already", got)
	}
}

func TestEventsWaitingShareAJob(t *testing.T) {
	b := open(t, testConfig(":memory:", map[string]Runner{"app": idle, "web": idle}))
	jobs := func() (n int) {
		t.Helper()
		if err := b.queue.store.db.QueryRowContext(t.Context(), "select count(*) from river_job").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for i, step := range []struct {
		repository string
		delivery   bool
		want       int
		why        string
	}{
		{"app", true, 1, "the first event asks for a run"},
		{"app", true, 1, "the second shares it"},
		{"web", true, 2, "another repository has its own"},
		{"app", false, 3, "a sweep always asks, in case a job was lost"},
	} {
		event := promote.Event{Kind: promote.EventChange}
		if step.delivery {
			event.Delivery = fmt.Sprint(i)
		}
		if _, err := b.queue.add(t.Context(), arrival{repository: step.repository, event: event}); err != nil {
			t.Fatal(err)
		}
		if got := jobs(); got != step.want {
			t.Errorf("%d jobs, want %d: %s", got, step.want, step.why)
		}
	}
	if _, err := b.queue.store.take(t.Context(), "app"); err != nil {
		t.Fatal(err)
	}
	mustAdd(t, b, "app", 9)
	if got := jobs(); got != 4 {
		t.Errorf("%d jobs, want 4: an event during a run asks for the run after it", got)
	}
}

func TestPlanThatWantsToBeLookedAtAgainIs(t *testing.T) {
	seen := make(chan []promote.Event)
	first := true
	runner := runnerFunc(func(ctx context.Context, events []promote.Event) (reconcile.Outcome, error) {
		select {
		case seen <- events:
		case <-ctx.Done():
		}
		outcome := reconcile.Outcome{}
		if first {
			outcome.Plan.Recheck = time.Now().Add(-time.Hour)
		}
		first = false
		return outcome, nil
	})
	b := open(t, testConfig(":memory:", map[string]Runner{"app": runner}))
	start(t, b)
	receive(t, seen, "run of the first sweep")
	ended := time.Now()
	events := receive(t, seen, "run of the timer")
	if diff := cmp.Diff([]promote.Event{{Kind: promote.EventTimer}}, events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if waited := time.Since(ended); waited < minWake {
		t.Errorf("looked again after %s: a hot loop", waited)
	}
}
