package bot

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	// storeTimeout bounds each visit to the database. Forges wait ten seconds for an answer.
	storeTimeout = 5 * time.Second
	// fetchCooldown and pollEach set how soon a job starts: SQLite tells nobody about new rows, so each queue asks for them.
	// More repositories ask less often, so that asking never takes more than a fraction of one core.
	fetchCooldown = 50 * time.Millisecond
	pollEach      = 10 * time.Millisecond
	shortestPoll  = 100 * time.Millisecond
	longestPoll   = 2 * time.Second
)

// errClosed is what a queue that was stopped says.
var errClosed = errors.New("the server is stopping")

// work is what happens to the events of a repository that wait.
type work func(ctx context.Context, repository string, events []promote.Event) error

// queue runs work for the events in the store. A queue of River's for each repository, with one worker, keeps it to one run
// at a time. A job says no more than that a repository is to be looked at: the first that runs takes all events that wait,
// and those behind it find nothing. So a job that got lost costs nothing once there is another one, and a process that
// starts makes one for every repository.
type queue struct {
	store   *store
	client  *river.Client[*sql.Tx]
	alarm   *alarm
	work    work
	log     *slog.Logger
	metrics *Metrics

	started      atomic.Bool
	interrupting atomic.Bool

	mu     sync.RWMutex // held for reading while an event is stored
	closed bool

	pauses pauses
}

// job asks for a run of the loop for one repository.
type job struct {
	Repository string `json:"repository"`
}

// Kind implements river.JobArgs.
func (job) Kind() string { return "reconcile" }

func openQueue(ctx context.Context, cfg Config, do work) (*queue, error) {
	store, err := openStore(ctx, cfg.Database, cfg.Now)
	if err != nil {
		return nil, err
	}
	q := &queue{store: store, work: do, log: cfg.Log, metrics: cfg.Metrics, pauses: pauses{of: map[string]pause{}}}
	q.alarm = newAlarm(q.ring)
	if err := q.prepare(ctx, cfg); err != nil {
		return nil, errors.Join(explain(err), store.db.Close())
	}
	return q, nil
}

func (q *queue) prepare(ctx context.Context, cfg Config) error {
	driver := riversqlite.New(q.store.db)
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: quiet(cfg.Log)})
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	queues := map[string]river.QueueConfig{}
	for _, repository := range cfg.Repositories {
		queues[queueName(repository.Name)] = river.QueueConfig{MaxWorkers: 1}
	}
	forgotten, err := q.store.settle(ctx, cfg.Repositories)
	if err != nil {
		return err
	}
	for repository, n := range forgotten {
		cfg.Log.WarnContext(ctx, "events forgotten: the repository is not configured any more", "repository", repository, "events", n)
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &worker{queue: q})
	q.client, err = river.NewClient(driver, &river.Config{
		Queues: queues, Workers: workers, Logger: quiet(cfg.Log), RetryPolicy: policy{},
		FetchCooldown: fetchCooldown, FetchPollInterval: min(max(shortestPoll, time.Duration(len(queues))*pollEach), longestPoll),
		JobTimeout: cfg.RunTimeout, RescueStuckJobsAfter: cfg.RunTimeout + time.Minute, CompletedJobRetentionPeriod: time.Hour,
	})
	return err
}

// quiet keeps the library's own progress out of the log.
func quiet(log *slog.Logger) *slog.Logger {
	return slog.New(leveled{log.Handler()})
}

type leveled struct{ slog.Handler }

func (h leveled) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelError && h.Handler.Enabled(ctx, level)
}

// queueName makes a name that the library accepts of any repository's name.
func queueName(repository string) string {
	sum := sha256.Sum256([]byte(repository))
	return "r" + hex.EncodeToString(sum[:12])
}

func (q *queue) start(ctx context.Context) error {
	// Jobs run on a context of their own: stop ends them in order.
	if err := q.client.Start(context.WithoutCancel(ctx)); err != nil {
		return explain(err)
	}
	q.started.Store(true)
	return nil
}

// patience is how long a queue that stops waits for runs. Together it is less than the 30 seconds that Kubernetes gives.
type patience struct {
	end    time.Duration // until they come to an end
	notice time.Duration // after that, until they notice that they were interrupted
}

// stop takes no more jobs, waits for those that run, and interrupts them when that takes too long. Their events wait for the
// next process.
func (q *queue) stop(ctx context.Context, patience patience) error {
	q.started.Store(false)
	q.alarm.stop()
	waiting, cancel := context.WithTimeout(ctx, patience.end)
	defer cancel()
	err := q.client.Stop(waiting)
	if errors.Is(err, context.DeadlineExceeded) {
		q.log.WarnContext(ctx, "a run takes too long: it is interrupted, and its events wait for the next start", "patience", patience.end)
		err = q.interrupt(ctx, patience.notice)
	}
	return errors.Join(err, q.close())
}

func (q *queue) interrupt(ctx context.Context, notice time.Duration) error {
	q.interrupting.Store(true)
	ctx, cancel := context.WithTimeout(ctx, notice)
	defer cancel()
	if err := q.client.StopAndCancel(ctx); err != nil {
		return fmt.Errorf("interrupt runs: %w", err)
	}
	return nil
}

// close lets events that are just being stored arrive, and closes the database.
func (q *queue) close() error {
	q.alarm.stop()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	return q.store.db.Close()
}

// ready says why events cannot be stored or worked off.
func (q *queue) ready(ctx context.Context) error {
	if !q.started.Load() {
		return errors.New("the workers do not run")
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err := q.store.writable(ctx); err != nil {
		return fmt.Errorf("the queue cannot be written: %w", explain(err))
	}
	return nil
}

// add stores an event and, when none is on its way, a job for it, both or nothing. added is false when the event was there.
func (q *queue) add(ctx context.Context, came arrival) (added bool, err error) {
	err = q.visit(ctx, func(ctx context.Context) error {
		return q.store.change(ctx, func(tx *sql.Tx) error {
			var ask bool
			added, ask, err = q.store.add(ctx, tx, came)
			ask = ask || added && q.breaks(came.repository, came.event)
			if err != nil || !ask {
				return err
			}
			return q.ask(ctx, tx, came.repository)
		})
	})
	return added && err == nil, err
}

// visit bounds a visit to the database, which is open until it ends.
func (q *queue) visit(ctx context.Context, do func(ctx context.Context) error) error {
	q.mu.RLock()
	defer q.mu.RUnlock()
	if q.closed {
		return errClosed
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err := do(ctx); err != nil {
		return explain(err)
	}
	return nil
}

// caughtUp is store.caughtUp, for those who may come while the queue is closed.
func (q *queue) caughtUp(ctx context.Context, repository string) (through time.Time, err error) {
	err = q.visit(ctx, func(ctx context.Context) error {
		through, err = q.store.caughtUp(ctx, repository)
		return err
	})
	return through, err
}

// catchUp is store.catchUp, likewise.
func (q *queue) catchUp(ctx context.Context, repository string, through time.Time) error {
	return q.visit(ctx, func(ctx context.Context) error { return q.store.catchUp(ctx, repository, through) })
}

func (q *queue) ask(ctx context.Context, tx *sql.Tx, repository string) error {
	if _, err := q.client.InsertTx(ctx, tx, job{repository}, &river.InsertOpts{Queue: queueName(repository)}); err != nil {
		return fmt.Errorf("store job: %w", err)
	}
	return nil
}

// breaks reports whether an event needs a job of its own, because the one that it would share waits for a pause to end.
func (q *queue) breaks(repository string, event promote.Event) bool {
	pause, left := q.pauses.get(repository)
	return left > 0 && pause.brokenBy(event.Kind)
}

// ring stores the event that an alarm stands for.
func (q *queue) ring(repository string) {
	ctx := context.Background()
	if _, err := q.add(ctx, arrival{repository: repository, event: promote.Event{Kind: promote.EventTimer}}); err != nil {
		q.log.ErrorContext(ctx, "wake", "repository", repository, "error", err)
	}
}

// worker runs jobs.
type worker struct {
	river.WorkerDefaults[job]
	queue *queue
}

// Work implements river.Worker. Only errors of the database are River's to try again.
func (w *worker) Work(ctx context.Context, j *river.Job[job]) error {
	return w.queue.run(ctx, j.Args.Repository)
}

// run gives the events that wait to the work, and forgets them when it came to an end.
func (q *queue) run(ctx context.Context, repository string) error {
	left, early, err := q.mayRun(ctx, repository)
	if err != nil {
		return err
	}
	if left > 0 && !early {
		return river.JobSnooze(left)
	}
	taken, err := q.store.take(ctx, repository)
	if err != nil {
		return err
	}
	q.drop(ctx, repository, taken.dropped)
	if len(taken.events) == 0 {
		return nil
	}
	failure := q.attempt(ctx, taken)
	ended := ctx.Err() != nil
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	switch {
	case failure == nil:
		q.pauses.end(repository)
		return q.store.finish(after, taken, func(tx *sql.Tx) error { return q.ask(after, tx, repository) })
	case ended && q.interrupting.Load():
		if err := q.store.untake(after, taken, 0); err != nil {
			return err
		}
		return river.JobSnooze(0) // for the next process
	case early:
		if taken, err = q.uncount(after, taken); err != nil {
			return err
		}
	}
	return q.failed(after, taken, failure)
}

// mayRun says how long the pause of a repository still lasts, and whether an event came that breaks it.
func (q *queue) mayRun(ctx context.Context, repository string) (left time.Duration, early bool, err error) {
	pause, left := q.pauses.get(repository)
	if left <= 0 {
		return 0, false, nil
	}
	newest, kinds, err := q.store.untried(ctx, repository, pause.seen)
	if err != nil || !slices.ContainsFunc(kinds, pause.brokenBy) {
		return left, false, err
	}
	pause.seen = newest
	pause.early++
	q.pauses.set(repository, pause)
	return left, true, nil
}

// uncount makes an attempt that broke a pause count only for the events that are new in it: whoever writes many comments
// must not use up the attempts of the others.
func (q *queue) uncount(ctx context.Context, taken batch) (batch, error) {
	if err := q.store.untake(ctx, taken, 1); err != nil {
		return batch{}, err
	}
	for i := range taken.events {
		taken.events[i].attempts = max(taken.events[i].attempts-1, 1)
	}
	return taken, nil
}

// attempt is the border at which a panic of the work ends.
func (q *queue) attempt(ctx context.Context, taken batch) (err error) {
	started := time.Now()
	defer func() {
		if v := recover(); v != nil {
			q.log.ErrorContext(ctx, "panic in run", "repository", taken.repository, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", v)
		}
		q.metrics.ran(taken.repository, time.Since(started), err)
	}()
	events := make([]promote.Event, len(taken.events))
	for i, e := range taken.events {
		events[i] = e.event
	}
	return q.work(ctx, taken.repository, events)
}

// failed keeps the events for the next attempt, and gives those up that were tried too often. Until then nothing runs for
// the repository, unless an event arrives that breaks the pause: the events keep their order, and who asked to be left alone
// is.
func (q *queue) failed(ctx context.Context, taken batch, failure error) error {
	attempt := 0
	var hopeless []stored
	var drops []dropped
	for _, e := range taken.events {
		attempt = max(attempt, e.attempts)
		if _, giveUp := retry(failure, e.attempts); giveUp {
			hopeless = append(hopeless, e)
			drops = append(drops, dropped{e, "every run that had it failed"})
		}
	}
	before, _ := q.pauses.get(taken.repository)
	next := before.next(failure, attempt, time.Now(), taken.events)
	if len(hopeless) > 0 {
		next.early = 0
	}
	q.pauses.set(taken.repository, next)
	pause := time.Until(next.until)
	q.log.ErrorContext(ctx, "run", "repository", taken.repository, "events", len(taken.events), "attempt", attempt+before.early,
		"error", failure, "again", pause.Round(time.Millisecond))
	left, err := q.store.giveUp(ctx, taken.repository, hopeless)
	if err != nil {
		return err
	}
	q.drop(ctx, taken.repository, drops)
	if !left {
		return nil
	}
	return river.JobSnooze(pause)
}

// drop says what nobody will work off any more.
func (q *queue) drop(ctx context.Context, repository string, drops []dropped) {
	for _, d := range drops {
		q.log.ErrorContext(ctx, "event given up", "repository", repository, "event", d.event.Kind.String(), "change", d.event.Change,
			"delivery", d.event.Delivery, "attempts", d.attempts, "reason", d.reason)
	}
	q.metrics.gaveUp(repository, len(drops))
}

// policy spaces the attempts of a job that could not read or write the database.
type policy struct{}

// NextRetry implements river.ClientRetryPolicy.
func (policy) NextRetry(j *rivertype.JobRow) time.Time {
	pause, _ := retry(nil, j.Attempt)
	return time.Now().Add(pause)
}
