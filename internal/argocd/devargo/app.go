package devargo

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/argocd"
)

// An App is an Application as somebody declares it.
type App struct {
	argocd.Ref  // the project is required; an empty namespace means Argo CD's own
	Annotations map[string]string
	Labels      map[string]string
	AutoSync    bool
	Sources     []Source   // required
	MultiSource bool       // declared as spec.sources; implied by more than one
	Resources   []Resource // shown in the resource tree
	Live        bool       // what it tracks is what runs already, when the application is put for the first time
}

// A Source is where an application's manifests come from.
type Source struct {
	RepoURL        string // required
	Path           string
	TargetRevision string // empty means HEAD
}

// A Resource is an object that an application manages.
type Resource struct {
	Group, Version, Kind, Namespace, Name string
}

// A Snapshot is what an application looks like now.
type Snapshot struct {
	App
	Sync      argocd.SyncStatus
	Health    argocd.HealthStatus
	Compared  []string // commits that the cluster was compared with, one per source
	Synced    []string // commits that the last successful operation applied; empty when there was none
	Phase     argocd.Phase
	Message   string // of the operation
	Condition string // why the comparison failed; empty if it did not
}

// A state is everything about one application. Server.mu guards it.
type state struct {
	app        App
	version    int
	uid        string
	createdAt  time.Time
	sync       argocd.SyncStatus
	compared   []string
	target     []string // fingerprints of compared
	live       []string // fingerprints of what runs
	health     argocd.HealthStatus
	told       string // about health
	healthAt   time.Time
	looks      int // at the rollout, while Progressing
	reconciled time.Time
	refresh    string // the pending kind of refresh; empty when none is
	condition  string
	conditionT time.Time
	requested  *operation // noted and not ended
	op         *operation // running or last
	history    []deployment
	faults     []*fault
}

type operation struct {
	infos     []wireInfo
	by        string
	automated bool
	prune     bool
	dryRun    bool
	asked     []string // what the request said; nil means what is tracked
	revisions []string // resolved
	contents  []string
	phase     argocd.Phase
	message   string
	started   time.Time
	finished  time.Time
	looks     int
	reviewed  bool // compared since it finished
}

type deployment struct {
	id        int
	at        time.Time
	started   time.Time
	revisions []string
}

func (s *Server) key(ref argocd.Ref) string {
	return cmp.Or(ref.Namespace, s.config.Namespace) + "/" + ref.Name
}

// Put declares an application, or declares it anew, which leaves what it runs as it is until the next refresh. The error is
// that of resolving what it tracks, or says what the declaration lacks.
func (s *Server) Put(ctx context.Context, app App) error {
	if app.Name == "" || app.Project == "" || len(app.Sources) == 0 {
		return fmt.Errorf("devargo: application %q needs a name, a project and a source", app.Name)
	}
	app.Namespace = cmp.Or(app.Namespace, s.config.Namespace)
	app.MultiSource = app.MultiSource || len(app.Sources) > 1
	key := s.key(app.Ref)
	s.mu.Lock()
	if known, ok := s.apps[key]; ok {
		known.app = app
		known.version++
		s.mu.Unlock()
		return nil
	}
	s.mu.Unlock()
	found, err := s.resolve(ctx, app.Sources, nil)
	if err != nil {
		return err
	}
	now := s.config.Now()
	fresh := &state{
		app:       app,
		version:   1,
		uid:       "devargo-" + app.Namespace + "-" + app.Name,
		createdAt: now,
		health:    argocd.Missing,
		healthAt:  now,
	}
	if app.Live {
		fresh.live = found.contents
		fresh.health = argocd.Healthy
		fresh.history = []deployment{{id: 0, at: now, started: now, revisions: found.revisions}}
	}
	fresh.compare(found, now)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apps[key] = fresh
	return nil
}

// Remove forgets an application. An unknown one is no error.
func (s *Server) Remove(ref argocd.Ref) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.apps, s.key(ref))
}

// Notify refreshes the applications that have a source in the repository, as Argo CD does when a webhook tells of a push.
func (s *Server) Notify(ctx context.Context, repoURL string) {
	for _, ref := range s.refs() {
		s.mu.Lock()
		known := s.apps[s.key(ref)]
		concerned := known != nil && slices.ContainsFunc(known.app.Sources, func(source Source) bool { return source.RepoURL == repoURL })
		if concerned {
			known.refresh = "normal"
		}
		s.mu.Unlock()
		if concerned {
			s.observe(ctx, ref)
		}
	}
}

// Apps looks at every application, in the order of their names.
func (s *Server) Apps(ctx context.Context) []Snapshot {
	var all []Snapshot
	for _, ref := range s.refs() {
		s.observe(ctx, ref)
		s.mu.Lock()
		if known := s.apps[s.key(ref)]; known != nil {
			all = append(all, known.snapshot())
		}
		s.mu.Unlock()
	}
	return all
}

func (s *Server) refs() []argocd.Ref {
	s.mu.Lock()
	defer s.mu.Unlock()
	var refs []argocd.Ref
	for _, key := range slices.Sorted(maps.Keys(s.apps)) {
		refs = append(refs, s.apps[key].app.Ref)
	}
	return refs
}

func (st *state) snapshot() Snapshot {
	seen := Snapshot{
		App:       st.app,
		Sync:      st.sync,
		Health:    st.health,
		Compared:  slices.Clone(st.compared),
		Condition: st.condition,
	}
	if op := cmp.Or(st.requested, st.op); op != nil {
		seen.Phase, seen.Message = op.phase, op.message
	}
	if len(st.history) > 0 {
		seen.Synced = slices.Clone(st.history[len(st.history)-1].revisions)
	}
	return seen
}
