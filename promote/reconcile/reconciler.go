package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/codeowners"
	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/discover"
	"github.com/lockkeeper/lockkeeper/promote/ledger"
	"github.com/lockkeeper/lockkeeper/promote/step"
	"github.com/lockkeeper/lockkeeper/render"
)

// maxRounds bounds one Run. A promotion needs three rounds: propose, record its change, nothing to do.
const maxRounds = 16

// Config is what a Reconciler works with.
type Config struct {
	Git      *git.Repository   // required
	URLs     []string          // required: the spellings of the repository's URL, as manifests may write them
	Branch   promote.Branch    // the branch that is deployed; empty: the repository's default branch
	Forge    Forge             // required
	Sources  *discover.Sources // required
	Renderer *render.Engine    // required
	Argo     Deliverer         // nil: deliveries wait until a server is configured
	Deployer Deployer          // nil: the forge has no page of environments
	Author   git.Signature     // required: of the commits
	World    step.World        // what steps may reach besides the repository
	// CodeOwners is whose rules the repository's CODEOWNERS file follows.
	CodeOwners codeowners.Dialect
	Log        *slog.Logger     // required
	Now        func() time.Time // required
	Metrics    Metrics          // optional
	// Webhooks says that the forge tells what happens there. It is asked less often then.
	Webhooks bool
}

// Metrics are told what happens. All fields may be nil.
type Metrics struct {
	Applied  func(action promote.Action, err error)
	Finished func(promotion promote.Promotion)
}

// Reconciler runs the loop for one repository. Run may be called from several goroutines; they take turns.
type Reconciler struct {
	Config
	ledger *ledger.Ledger

	mu     sync.Mutex
	memory memory
}

// New returns a Reconciler. It reads nothing yet.
func New(cfg Config) *Reconciler {
	return &Reconciler{Config: cfg, ledger: &ledger.Ledger{Git: cfg.Git}, memory: newMemory()}
}

// Outcome is what a Run left behind.
type Outcome struct {
	Plan    promote.Plan     // the last one: nothing of it is left to do, unless Dry
	Applied []promote.Action // what was done, in order
	State   promote.State    // the last one observed
}

// Options change what a Run does.
type Options struct {
	Events []promote.Event
	// Asked are commands that come with the run instead of from a comment on a change, such as those of who starts a CI job.
	// They are answered by a Reply in Outcome.Applied.
	Asked []Asked
	Dry   bool // decide and do nothing
}

// Asked is a command that comes with a run.
type Asked struct {
	promote.Comment // its Change is 0, and its ID tells it apart from others
	// AtMost is the most that the command may do, whatever the forge says of its author: a job's variables can be set by
	// everybody who may start it, and so can the author that they name.
	AtMost promote.Permission
}

// Run observes, decides and applies until nothing is left to do. An error is something unexpected; running again later goes
// on where it stopped.
func (r *Reconciler) Run(ctx context.Context, options Options) (Outcome, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out Outcome
	watch := &watch{events: options.Events, fresh: true}
	r.noteQueued(options.Events, r.Now())
	if !options.Dry {
		commands := r.commands(ctx, watch, options.Events)
		asked, err := r.asked(ctx, options.Asked)
		if err != nil {
			return out, err
		}
		watch.commands = append(commands, asked...)
	}
	r.forgetStatuses(options.Events)
	watch.recall(r.memory, r.Now(), r.Webhooks)
	for range maxRounds {
		state, err := r.observe(ctx, watch)
		if err != nil {
			return out, fmt.Errorf("observe: %w", err)
		}
		out.Plan = r.decide(ctx, &state)
		out.State = state
		if watch.recalled && !onlyDelivers(out.Plan) {
			watch.recalled, watch.listed = false, false
			continue
		}
		if options.Dry || watch.nothingLeft(out.Plan) {
			if !options.Dry {
				r.showAgain(ctx)
				r.answerQueues(ctx, watch, state, out.Plan)
				r.review(ctx, watch, state)
				r.threads(ctx, watch, state)
			}
			return out, watch.failure()
		}
		applied, err := r.apply(ctx, watch, state, out.Plan)
		out.Applied = append(out.Applied, applied...)
		switch {
		case errors.Is(err, promote.ErrStale):
			watch.recalled, watch.listed = false, false
		case err != nil:
			return out, err
		case len(applied) == 0:
			return out, watch.failure()
		}
	}
	return out, fmt.Errorf("not quiet after %d rounds; the last plan was:\n%s", maxRounds, out.Plan)
}

// Forget drops everything that is remembered about the outside world, as a restart would.
func (r *Reconciler) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.memory = newMemory()
}

// watch is what one Run knows and need not read again.
type watch struct {
	events   []promote.Event
	commands []promote.Command
	fresh    bool             // nothing was observed in this Run yet
	changes  []promote.Change // as the forge last said, and as we wrote since
	listed   bool
	recalled bool             // changes are those of the last Run
	resting  bool             // recalled as long as no branch has moved
	refs     git.Refs         // as last read
	ledger   promote.Commit   // tip of the ledger that was observed or written last
	pending  []ledger.Record  // to be written with the next record
	failed   map[string]error // what could not be done, by the action's key
}

// fail remembers that something could not be done in this Run.
func (w *watch) fail(key string, err error) {
	if w.failed == nil {
		w.failed = map[string]error{}
	}
	w.failed[key] = err
}

// failure joins what could not be done, in an order that does not change.
func (w *watch) failure() error {
	var failures []error
	for _, key := range slices.Sorted(maps.Keys(w.failed)) {
		failures = append(failures, w.failed[key])
	}
	return errors.Join(failures...)
}

// nothingLeft reports whether a plan holds nothing but what failed already.
func (w *watch) nothingLeft(plan promote.Plan) bool {
	return !slices.ContainsFunc(plan.Actions, func(a promote.Action) bool { return w.failed[a.Key()] == nil })
}

const (
	// restFor is how long what the forge said of open changes is good for while no branch moves and webhooks would tell.
	restFor = time.Hour
	// restIdle is how long it is good for while no change is open.
	restIdle = 24 * time.Hour
)

// recall spares asking the forge when nothing happened there: when something is being delivered and Argo CD is looked at again
// and again, and when a sweep, or a hint about what warehouses watch, comes to a repository in which no branch moved. As soon as there is anything else to do, the forge
// is asked after all.
func (w *watch) recall(m memory, now time.Time, webhooks bool) {
	timers, quiet := true, len(w.events) > 0
	for _, e := range w.events {
		timers = timers && e.Kind == promote.EventTimer
		quiet = quiet && (e.Kind == promote.EventTimer || e.Kind == promote.EventSweep || e.Kind == promote.EventArtifact)
	}
	age := now.Sub(m.listedAt)
	if m.listed && webhooks && age < restFor && m.elsewhere(w.events) {
		w.resting, w.changes, w.listed, w.recalled = true, slices.Clone(m.changes), true, true
		return
	}
	undecided := slices.ContainsFunc(m.changes, func(c promote.Change) bool {
		return c.State == promote.ChangeOpen && c.Merge != promote.MergeReady
	})
	if !quiet || !m.listed || undecided {
		return
	}
	w.resting = age < restFor && webhooks || age < restIdle && m.idle()
	if w.resting || timers && len(m.deliveries) > 0 {
		w.changes, w.listed, w.recalled = slices.Clone(m.changes), true, true
	}
}

// elsewhere reports whether events speak of statuses of other changes only than those that were open.
func (m memory) elsewhere(events []promote.Event) bool {
	return len(events) > 0 && !slices.ContainsFunc(events, func(e promote.Event) bool {
		return e.Kind != promote.EventStatus || e.Change == 0 && e.Head == "" || slices.ContainsFunc(m.changes, func(c promote.Change) bool {
			return c.Number == e.Change || c.Head == e.Head
		})
	})
}

// idle reports whether no change was open.
func (m memory) idle() bool {
	return m.listed && !slices.ContainsFunc(m.changes, func(c promote.Change) bool { return c.State == promote.ChangeOpen })
}

// Idle reports whether no change was open when the forge was asked last, and nothing runs now.
func (r *Reconciler) Idle() bool {
	if !r.mu.TryLock() {
		return false
	}
	defer r.mu.Unlock()
	return r.memory.idle()
}

func onlyDelivers(plan promote.Plan) bool {
	for _, action := range plan.Actions {
		if deliver, ok := action.(promote.Deliver); !ok || deliver.Promotion.Phase != promote.PhaseDelivering {
			return false
		}
	}
	return true
}

// put replaces what is known of a change.
func (w *watch) put(change promote.Change) {
	i := slices.IndexFunc(w.changes, func(c promote.Change) bool { return c.Number == change.Number })
	if i < 0 {
		w.changes = append(w.changes, change)
		return
	}
	w.changes[i] = change
}

// memory is what is remembered between Runs. All of it may be lost.
type memory struct {
	branch      promote.Branch // the branch that is deployed
	repository  *snapshot
	changes     []promote.Change             // as last seen
	listed      bool                         // changes are known
	listedAt    time.Time                    // when the forge was asked for them
	tips        map[string]string            // of all branches, when changes were known last
	discoveries map[string]promote.Discovery // by project/warehouse
	evidence    map[evidenceKey]promote.Evidence
	statuses    map[promote.Commit]*promote.Status // nil: known to be absent
	deliveries  map[promote.PromotionRef]promote.Delivering
	unshown     map[promote.StageRef]promote.Deployment // what the forge's page of environments lacks
	digests     map[string]digestAt
	unmade      map[string]string // by promote.ProposalKey, at repository.head
	reviews     map[int]reviewed  // by the number of the change
	threads     map[int]string    // likewise: what its threads say
	nothing     map[sighting]bool // what status events spoke of, and is nothing to review
	queuesRead  bool              // queued has what queues tested when the process began
	queued      map[promote.Commit]queued
	people      people
	pace        pace
}

func newMemory() memory {
	return memory{
		discoveries: map[string]promote.Discovery{}, evidence: map[evidenceKey]promote.Evidence{},
		statuses: map[promote.Commit]*promote.Status{}, deliveries: map[promote.PromotionRef]promote.Delivering{},
		digests: map[string]digestAt{}, unmade: map[string]string{}, reviews: map[int]reviewed{}, threads: map[int]string{},
		nothing: map[sighting]bool{},
		queued:  map[promote.Commit]queued{}, unshown: map[promote.StageRef]promote.Deployment{},
		people: newPeople(), pace: pace{},
	}
}

// evidenceKey is all that two commits of a branch are compared by. A branch other than the one that Argo CD deploys has its
// Applications declared on that one, at its head.
type evidenceKey struct {
	base, head promote.Commit
	target     promote.Branch
	declared   promote.Commit // "" when the target declares them itself
}

type digestAt struct {
	digest, problem string
	at              time.Time
}
