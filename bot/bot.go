package bot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
)

// Runner runs the loop once. *reconcile.Reconciler is one.
type Runner interface {
	Run(ctx context.Context, options reconcile.Options) (reconcile.Outcome, error)
}

// Hook understands the webhooks of one forge.
type Hook struct {
	Forge string // required: the last part of the endpoint's path, such as "gitlab"
	// Verify says whether a delivery is authentic, without telling by its duration how wrong a secret is. required
	Verify func(header http.Header, body []byte, now time.Time) error
	// Parse turns a delivery into an event. An error that wraps ErrIgnored is a kind of delivery that says nothing. required
	Parse func(header http.Header, body []byte) (promote.Event, error)
	// Project names the repository on the forge that a delivery is about, "" when it does not say. required
	Project func(body []byte) string
}

// RegistryHook understands the webhooks of a registry, or of a forge whose repositories are only watched. What they say is a
// hint for every repository: a warehouse of any may watch what has something new.
type RegistryHook struct {
	Kind string // required: part of the endpoint's path, such as "dockerhub"
	// TokenInPath says that the endpoint's path ends in a token, because the sender has no other way to show one.
	TokenInPath bool
	// Verify is like Hook.Verify; token is the end of the path where TokenInPath. required
	Verify func(header http.Header, token string, body []byte) error
	// Parse gives the sender's ID of a delivery, "" when there is none, and what has something new: repositories of images or
	// of Git. An error that wraps ErrIgnored is a kind of delivery that says nothing. required
	Parse func(header http.Header, body []byte) (delivery string, repositories []string, err error)
}

// ErrIgnored marks a delivery that is authentic and of no interest.
var ErrIgnored = errors.New("ignored")

// ErrNotAsked is what Missed says when it asked nothing, because nobody waits for an answer now. Then the next time looks back as
// far as this one would have.
var ErrNotAsked = errors.New("not asked")

// Repository is one repository that the bot looks after.
type Repository struct {
	Name    string // required: unique, for queue, logs and metrics
	Forge   string // the Hook of its forge; empty: any, which is right while there is one
	Project string // required: its name on the forge, as deliveries say it; case and slashes around it do not matter
	Runner  Runner // required
	// Missed asks the forge what happened since a time, as far as no webhook may have said so. Events that a webhook did bring do
	// no harm: they have its Delivery, or are about a comment or a push that is known. Beside an error there may be some of them; the
	// next time looks back as far as this one. The error may be ErrNotAsked. Nil: what was missed is not looked for.
	Missed func(ctx context.Context, since time.Time) ([]promote.Event, error)
}

// Config is what a Bot works with.
type Config struct {
	Repositories []Repository     // required
	Hooks        []Hook           // required
	Registries   []RegistryHook   // whose webhooks save waiting for a warehouse's interval
	Database     string           // required: path of the SQLite file of the queue; ":memory:" keeps it in memory
	Sweep        time.Duration    // how often every repository is looked at; default 5m
	CatchUp      time.Duration    // how often it is asked for what was missed, after the start; see DefaultCatchUp; 0: at the start only
	RunTimeout   time.Duration    // of one run of the loop; default 5m
	Log          *slog.Logger     // required
	Now          func() time.Time // required
	Metrics      *Metrics         // required
}

const (
	defaultSweep      = 5 * time.Minute
	defaultRunTimeout = 5 * time.Minute
)

// Bot is the server. One process at a time works with a queue's file.
type Bot struct {
	Config
	queue    *queue
	mux      *http.ServeMux
	bodies   *bodies
	patience patience
	failures failures
}

// New opens the queue, and makes its file when there is none. Run lets it work and closes it; until then events are only
// stored. An error says what about the configuration or the file is wrong and what to do.
func New(ctx context.Context, cfg Config) (*Bot, error) {
	if cfg.Sweep == 0 {
		cfg.Sweep = defaultSweep
	}
	if cfg.RunTimeout == 0 {
		cfg.RunTimeout = defaultRunTimeout
	}
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("bot: %w", err)
	}
	b := &Bot{Config: cfg, bodies: newBodies(), patience: patience{end: 20 * time.Second, notice: 5 * time.Second}}
	queue, err := openQueue(ctx, cfg, b.work)
	if err != nil {
		return nil, fmt.Errorf("queue %q: %w", cfg.Database, err)
	}
	b.queue = queue
	b.mux = b.routes()
	return b, nil
}

func (c Config) check() error {
	switch {
	case len(c.Repositories) == 0:
		return errors.New("no repository is configured")
	case len(c.Hooks) == 0:
		return errors.New("no webhook is configured: without one nothing is noticed before the next sweep")
	case c.Database == "":
		return errors.New("the queue has no database: name a file, such as lockkeeper.db")
	case c.Sweep < 0, c.RunTimeout < 0, c.CatchUp < 0:
		return fmt.Errorf("sweep is %s, catch-up is %s and run timeout is %s: none may be less than 0", c.Sweep, c.CatchUp, c.RunTimeout)
	case c.Log == nil, c.Now == nil, c.Metrics == nil:
		return errors.New("a log, a clock and metrics are required")
	}
	names := map[string]bool{}
	for _, r := range c.Repositories {
		if r.Name == "" || r.Project == "" || r.Runner == nil {
			return fmt.Errorf("repository %q: name, project and runner are required", r.Name)
		}
		if names[r.Name] {
			return fmt.Errorf("repository %q is configured twice: remove one", r.Name)
		}
		names[r.Name] = true
	}
	forges := map[string]bool{}
	for _, h := range c.Hooks {
		if h.Forge == "" || strings.ContainsAny(h.Forge, "/{} ") || forges[h.Forge] || h.Verify == nil || h.Parse == nil || h.Project == nil {
			return fmt.Errorf("webhook %q: a unique name of one path segment, and all functions, are required", h.Forge)
		}
		forges[h.Forge] = true
	}
	for _, r := range c.Repositories {
		if r.Forge != "" && !forges[r.Forge] {
			return fmt.Errorf("repository %q: there is no webhook %q", r.Name, r.Forge)
		}
	}
	kinds := map[string]bool{}
	for _, h := range c.Registries {
		if h.Kind == "" || strings.ContainsAny(h.Kind, "/{} ") || kinds[h.Kind] || h.Verify == nil || h.Parse == nil {
			return fmt.Errorf("registry webhook %q: a unique kind of one path segment, and all functions, are required", h.Kind)
		}
		kinds[h.Kind] = true
	}
	return nil
}

// Handler serves the endpoints of the package comment.
func (b *Bot) Handler() http.Handler { return b.mux }

// Notify stores an event that did not come as a webhook. While an equal event still waits, nothing is stored. The repository
// must be configured.
func (b *Bot) Notify(ctx context.Context, repository string, event promote.Event) error {
	if _, ok := b.repository(repository); !ok {
		return fmt.Errorf("notify: repository %q is not configured", repository)
	}
	_, err := b.queue.add(ctx, arrival{repository: repository, event: event})
	return err
}

// Run works off the queue, sweeps, and asks for what was missed until ctx ends. Then it takes no more jobs, lets those that run come to an end for a
// while, interrupts them when that takes too long, and closes the queue. What was not done stays for the next process. Call
// it once.
func (b *Bot) Run(ctx context.Context) error {
	if err := b.queue.start(ctx); err != nil {
		return errors.Join(fmt.Errorf("start workers: %w", err), b.queue.close())
	}
	var asking sync.WaitGroup
	for _, repository := range b.Repositories {
		if repository.Missed != nil {
			asking.Go(func() { b.catchUp(ctx, repository) })
		}
	}
	every(ctx, b.Sweep, b.sweep)
	asking.Wait()
	return b.queue.stop(context.WithoutCancel(ctx), b.patience)
}

// every calls do now and then once in each interval, until ctx ends.
func every(ctx context.Context, interval time.Duration, do func(ctx context.Context)) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		do(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// sweep asks for a look at every repository.
func (b *Bot) sweep(ctx context.Context) {
	for _, repository := range b.Repositories {
		_, err := b.queue.add(ctx, arrival{repository: repository.Name, event: promote.Event{Kind: promote.EventSweep}})
		if err != nil && ctx.Err() == nil {
			b.Log.ErrorContext(ctx, "sweep", "repository", repository.Name, "error", err)
		}
	}
}

// work runs the loop for one repository with the events that wait, and arranges for the next look.
func (b *Bot) work(ctx context.Context, name string, events []promote.Event) error {
	repository, ok := b.repository(name)
	if !ok {
		return nil
	}
	outcome, err := repository.Runner.Run(ctx, reconcile.Options{Events: events})
	if err != nil {
		return err
	}
	b.Metrics.stages(name, outcome.Plan.Stages)
	if !outcome.Plan.Recheck.IsZero() {
		b.queue.alarm.set(name, max(minWake, outcome.Plan.Recheck.Sub(b.Now())))
	}
	return nil
}

func (b *Bot) repository(name string) (Repository, bool) {
	for _, repository := range b.Repositories {
		if repository.Name == name {
			return repository, true
		}
	}
	return Repository{}, false
}
