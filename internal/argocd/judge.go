package argocd

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A State is how far a delivery is. The zero value is Waiting.
type State int

// The states of a delivery.
const (
	Waiting    State = iota // look again later
	Done                    // the revision is what runs, and it is healthy
	Failed                  // it will not become Done without somebody acting
	Superseded              // the application has gone on to something newer; nothing is left to wait for
)

// String is the state in lower case.
func (s State) String() string {
	switch s {
	case Waiting:
		return "waiting"
	case Done:
		return "done"
	case Failed:
		return "failed"
	case Superseded:
		return "superseded"
	default:
		return fmt.Sprintf("State(%d)", int(s))
	}
}

// A Relation is what a revision found in the cluster means to the wanted one.
type Relation int

// The relations of a found revision to the wanted one.
const (
	Unrelated Relation = iota // older, on another branch, or unknown: not what is wanted
	Overtakes                 // a descendant in which this application has changed again
	Carries                   // a descendant that deploys for this application what the wanted one does: as good as it
	Same                      // the wanted revision itself
)

// Wanted is what an application is judged against.
type Wanted struct {
	Revision    string              // required; full commit
	RepoURL     string              // of which Revision is a commit; required if the application's sources have several repositories
	PromotionID string              // required; as in [InfoPromotion]
	Started     time.Time           // required; since when this is wanted
	Now         time.Time           // required
	Deadline    time.Time           // from when on waiting is failing; zero means never
	Refreshed   bool                // the application was observed as the answer to a refresh
	Relations   map[string]Relation // of revisions other than Revision; absent means Unrelated
	Patience    Patience
}

// Patience says how long a state must last before it counts. Zero values count at once.
type Patience struct {
	Stable          time.Duration // Healthy, before the delivery is done
	Degraded        time.Duration // Degraded, before the delivery has failed
	AutoSync        time.Duration // for automated sync to begin, before a sync is asked for
	AcceptSuspended bool          // a paused rollout is done; otherwise it waits for a person
}

// An Outcome is the judgement of one observation.
type Outcome struct {
	State        State
	Reason       string        // for people; never empty
	Revision     string        // what the application was compared with; empty if unknown
	Health       HealthStatus  // of the application when judged
	NeedsRefresh bool          // the observation is too old to judge: refresh, and judge again
	NeedsSync    bool          // a sync has to be asked for
	Recheck      time.Duration // when Waiting: look again after this; zero leaves it to the caller
}

// Judge decides whether app has reached what is wanted. It does no I/O and reads no clock. The order of its questions is: can
// it succeed at all, is an operation running, has something newer come, did the operation fail, is the observation of this
// revision and recent, is it synced, is it healthy.
func Judge(app Application, wanted Wanted) Outcome {
	outcome := judge(app, wanted)
	outcome.Health = app.Health.Status
	if len(app.Sync.Revisions) > 0 {
		outcome.Revision = app.Sync.Revisions[0]
	}
	if outcome.State == Waiting && !wanted.Deadline.IsZero() && !wanted.Now.Before(wanted.Deadline) {
		if outcome.NeedsSync {
			outcome.Reason += "; a sync window of the project may have been in the way"
		}
		return Outcome{
			State:    Failed,
			Reason:   "not delivered in time: " + outcome.Reason,
			Revision: outcome.Revision,
			Health:   outcome.Health,
		}
	}
	return outcome
}

func judge(app Application, wanted Wanted) Outcome {
	if app.Deleting {
		return failed("the application is being deleted")
	}
	positions, problem := wanted.positions(app)
	if problem != "" {
		return failed("%s", problem)
	}
	view := view{app: app, wanted: wanted, positions: positions}
	for _, question := range []func() (Outcome, bool){
		view.overtaken,
		view.operationRunning,
		view.operationFailed,
		view.comparisonBroken,
		view.otherRevision,
		view.observationOld,
		view.outOfSync,
	} {
		if outcome, answered := question(); answered {
			return outcome
		}
	}
	return view.health()
}

// positions are the sources that Revision is meant for, counted from 0, or the problem that there are none.
func (w Wanted) positions(app Application) (positions []int, problem string) {
	repositories := map[string]bool{}
	var seen []string
	for i, source := range app.Sources {
		if source.Chart != "" {
			continue
		}
		seen = append(seen, source.RepoURL)
		repositories[normalURL(source.RepoURL)] = true
		if w.RepoURL == "" || normalURL(source.RepoURL) == normalURL(w.RepoURL) {
			positions = append(positions, i)
		}
	}
	switch {
	case len(positions) == 0 && w.RepoURL == "":
		return nil, "the application has no Git source, so no commit can be delivered to it"
	case len(positions) == 0:
		return nil, fmt.Sprintf("the application deploys from %s, not from %s: check spec.source.repoURL", strings.Join(seen, ", "), w.RepoURL)
	case len(repositories) > 1 && w.RepoURL == "":
		return nil, fmt.Sprintf("the application deploys from several repositories (%s): say which one the commit belongs to", strings.Join(seen, ", "))
	default:
		return positions, ""
	}
}

// normalURL makes the spellings of one repository equal: https and ssh, with and without ".git", a port or a user.
func normalURL(url string) string {
	url = strings.ToLower(strings.TrimSuffix(strings.TrimSuffix(url, "/"), ".git"))
	_, rest, hasScheme := strings.Cut(url, "://")
	if !hasScheme {
		rest = strings.Replace(url, ":", "/", 1)
	}
	host, path, _ := strings.Cut(rest, "/")
	if _, after, ok := strings.Cut(host, "@"); ok {
		host = after
	}
	if name, port, ok := strings.Cut(host, ":"); ok && slices.Contains([]string{"22", "80", "443"}, port) {
		host = name
	}
	return host + "/" + path
}

func failed(format string, args ...any) Outcome {
	return Outcome{State: Failed, Reason: fmt.Sprintf(format, args...)}
}

func waiting(format string, args ...any) Outcome {
	return Outcome{State: Waiting, Reason: fmt.Sprintf(format, args...)}
}

// relation is the worst over the positions: one source that is not there yet means that the application is not.
func (w Wanted) relation(revisions []string, positions []int) Relation {
	worst := Same
	for _, position := range positions {
		found := Unrelated
		if position < len(revisions) {
			found = w.relate(revisions[position])
		}
		worst = min(worst, found)
	}
	return worst
}

func (w Wanted) relate(revision string) Relation {
	if strings.EqualFold(revision, w.Revision) {
		return Same
	}
	return w.Relations[revision]
}

// atLeast compares as Argo CD stores times: in whole seconds, equal counts.
func atLeast(t, reference time.Time) bool {
	return !t.Truncate(time.Second).Before(reference.Truncate(time.Second))
}

func latest(times ...time.Time) time.Time {
	return slices.MaxFunc(times, time.Time.Compare)
}
