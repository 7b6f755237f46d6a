package devargo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/argocd"
)

// resync is how often Argo CD compares without being asked (timeout.reconciliation).
const resync = 3 * time.Minute

// A resolution is what sources are at, or why that is unknown.
type resolution struct {
	revisions []string
	contents  []string
	err       error
}

// resolve finds the commits of sources and their fingerprints. asked overrides what a source tracks, by position; empty
// entries do not.
func (s *Server) resolve(ctx context.Context, sources []Source, asked []string) (resolution, error) {
	var found resolution
	for i, source := range sources {
		revision := source.TargetRevision
		if i < len(asked) && asked[i] != "" {
			revision = asked[i]
		}
		if revision == "" {
			revision = "HEAD"
		}
		commit, err := s.config.Resolve(ctx, source.RepoURL, revision)
		if err != nil {
			return resolution{}, fmt.Errorf("unable to resolve '%s' to a commit SHA: %w", revision, err)
		}
		content, err := s.config.Content(ctx, source, commit)
		if err != nil {
			return resolution{}, fmt.Errorf("failed to generate manifest for source %d of %d: %w", i+1, len(sources), err)
		}
		found.revisions = append(found.revisions, commit)
		found.contents = append(found.contents, content)
	}
	return found, nil
}

// observe lets the time pass that has passed since the last look: the controller compares if it has to, and operation and
// rollout advance by at most one step each.
func (s *Server) observe(ctx context.Context, ref argocd.Ref) {
	key := s.key(ref)
	now := s.config.Now()
	s.mu.Lock()
	known := s.apps[key]
	if known == nil || known.has(controllerDown) {
		s.mu.Unlock()
		return
	}
	due := known.refresh != "" || now.Sub(known.reconciled) >= resync
	sources := slices.Clone(known.app.Sources)
	s.mu.Unlock()

	var found resolution
	if due {
		var err error
		if found, err = s.resolve(ctx, sources, nil); err != nil {
			found.err = err
		}
	}

	s.mu.Lock()
	known = s.apps[key]
	if known == nil || ctx.Err() != nil {
		s.mu.Unlock()
		return
	}
	applied := known.advance(now, s.config.Polls, s.config.Latency)
	ref = known.app.Ref
	if due {
		known.refresh = ""
		known.compare(found, now)
		known.autoSync()
	}
	s.mu.Unlock()
	if applied != "" && s.config.OnSync != nil {
		s.config.OnSync(ref, applied)
	}
}

// compare is one reconciliation. It keeps to what is known when the sources could not be resolved.
func (st *state) compare(found resolution, now time.Time) {
	st.version++
	st.reconciled = now
	broken := ""
	if found.err != nil {
		broken = found.err.Error()
	}
	if fault := st.fault(comparisonError); fault != nil {
		broken = fault.text
	}
	if broken != "" {
		if st.condition != broken {
			st.conditionT = now
		}
		st.condition = broken
		st.sync = argocd.SyncUnknown
		if st.op != nil {
			st.op.reviewed = !st.op.finished.IsZero()
		}
		st.setHealth(argocd.HealthUnknown, "", now)
		return
	}
	if st.condition != "" && len(st.live) > 0 {
		st.setHealth(argocd.Healthy, "", now)
	}
	st.condition = ""
	if found.revisions != nil {
		st.compared, st.target = found.revisions, found.contents
	}
	st.sync = argocd.OutOfSync
	if slices.Equal(st.live, st.target) {
		st.sync = argocd.Synced
	}
	st.review(now)
}

// review takes note of what the last operation did. Until then, health and sync state are from before.
func (st *state) review(now time.Time) {
	if st.op == nil || st.op.finished.IsZero() || st.op.reviewed {
		return
	}
	st.op.reviewed = true
	if st.op.phase == argocd.PhaseSucceeded && !st.op.dryRun {
		st.setHealth(argocd.HealthProgressing, "waiting for the rollout to finish: 0 of 1 updated replicas are available", now)
		st.looks = 0
	}
}

// autoSync starts an operation as Argo CD does: when out of sync, and not twice for the same commits.
func (st *state) autoSync() {
	if !st.app.AutoSync || st.sync != argocd.OutOfSync || st.busy() || st.has(noAutoSync) || st.has(syncWindow) {
		return
	}
	if st.op != nil && slices.Equal(st.op.revisions, st.compared) {
		return
	}
	st.request(&operation{automated: true, asked: st.compared, revisions: st.compared, contents: st.target})
}

// request notes an operation and, in the same update, forgets the last one, so that its success cannot be taken for that of
// the new one.
func (st *state) request(op *operation) {
	st.requested, st.op = op, nil
	st.version++
}

func (st *state) busy() bool { return st.requested != nil }

// advance moves operation and rollout on. It returns the revisions of an operation that has just succeeded.
func (st *state) advance(now time.Time, polls int, latency time.Duration) (applied string) {
	switch {
	case st.requested != nil && st.requested != st.op:
		st.op = st.requested
		st.op.phase, st.op.started = argocd.PhaseRunning, now
		st.op.message = "waiting for healthy state of the last applied objects"
		st.version++
	case st.requested != nil:
		st.op.looks++
		if st.op.looks > polls && now.Sub(st.op.started) >= latency {
			return st.finish(now)
		}
	case st.op != nil && !st.op.reviewed:
		st.compare(resolution{}, now)
		st.autoSync()
	case st.health == argocd.HealthProgressing:
		st.looks++
		if st.looks > polls && now.Sub(st.healthAt) >= latency && !st.has(stuck) {
			st.settle(now)
		}
	}
	return ""
}

func (st *state) finish(now time.Time) (applied string) {
	op := st.op
	st.requested = nil
	st.version++
	op.finished = now
	if fault := st.fault(failSync); fault != nil {
		op.phase, op.message = argocd.PhaseFailed, fault.text
		return ""
	}
	op.phase, op.message = argocd.PhaseSucceeded, "successfully synced (all tasks run)"
	if op.dryRun {
		return ""
	}
	st.live = op.contents
	st.history = append(st.history, deployment{id: len(st.history), at: now, started: op.started, revisions: op.revisions})
	return strings.Join(op.revisions, ",")
}

// settle ends the rollout.
func (st *state) settle(now time.Time) {
	health, told := argocd.Healthy, ""
	if fault := st.fault(degraded); fault != nil {
		health, told = argocd.Degraded, fault.text
	}
	if st.has(suspended) {
		health, told = argocd.Suspended, "the rollout is paused"
	}
	st.reconciled = now
	st.setHealth(health, told, now)
}

func (st *state) setHealth(health argocd.HealthStatus, told string, now time.Time) {
	if st.health != health {
		st.healthAt = now
	}
	st.health, st.told = health, told
	st.version++
}
