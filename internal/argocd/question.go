package argocd

import (
	"fmt"
	"strings"
	"time"
)

// A view is one application with what is wanted of it. Each of its questions either settles the outcome or passes.
type view struct {
	app       Application
	wanted    Wanted
	positions []int
}

func (v view) mine() bool {
	return v.wanted.PromotionID != "" && v.app.Operation.Infos[InfoPromotion] == v.wanted.PromotionID
}

// applied says that the last operation brought the wanted revision or one as good.
func (v view) applied() bool {
	op := v.app.Operation
	return !op.DryRun && v.wanted.relation(op.Revisions, v.positions) >= Carries
}

func (v view) compared() string {
	var revisions []string
	for _, position := range v.positions {
		if position < len(v.app.Sync.Revisions) {
			revisions = append(revisions, short(v.app.Sync.Revisions[position]))
		}
	}
	if len(revisions) == 0 {
		return "no revision"
	}
	return strings.Join(revisions, ", ")
}

// fresh says that the application was observed after it was wanted.
func (v view) fresh() bool {
	return v.wanted.Refreshed || atLeast(v.app.ReconciledAt, v.wanted.Started)
}

// outdated waits, and asks for a refresh unless one was just answered or is under way.
func (v view) outdated(format string, args ...any) (Outcome, bool) {
	outcome := waiting(format, args...)
	outcome.NeedsRefresh = !v.wanted.Refreshed && !v.app.RefreshPending()
	return outcome, true
}

func (v view) overtaken() (Outcome, bool) {
	newer := func(revision string) (Outcome, bool) {
		return Outcome{State: Superseded, Reason: fmt.Sprintf("the application has gone on from %s to %s", short(v.wanted.Revision), revision)}, true
	}
	if v.wanted.relation(v.app.Sync.Revisions, v.positions) == Overtakes {
		return newer(v.compared())
	}
	reached := false
	for _, deployment := range v.app.History {
		relation := v.wanted.relation(deployment.Revisions, v.positions)
		switch {
		case relation >= Carries:
			reached = true
		case reached && atLeast(deployment.At, v.wanted.Started):
			return newer(short(strings.Join(deployment.Revisions, ", ")))
		}
	}
	return Outcome{}, false
}

func (v view) operationRunning() (Outcome, bool) {
	op := v.app.Operation
	if !op.InProgress {
		return Outcome{}, false
	}
	told := ""
	if op.Message != "" {
		told = ": " + op.Message
	}
	switch {
	case v.mine():
		return waiting("the sync of this promotion is running%s", told), true
	case v.applied():
		return waiting("a sync to %s is running%s", short(v.wanted.Revision), told), true
	default:
		by := op.By
		if by == "" {
			by = "somebody else"
		}
		return waiting("another operation, started by %s, has to end first%s", by, told), true
	}
}

// operationFailed counts an operation of this promotion, and one that brought the revision since it is wanted. An older failure
// is what a retry wants to overcome.
func (v view) operationFailed() (Outcome, bool) {
	op := v.app.Operation
	if op.Phase != PhaseFailed && op.Phase != PhaseError || op.DryRun {
		return Outcome{}, false
	}
	if v.mine() || v.applied() && atLeast(op.FinishedAt, v.wanted.Started) {
		return failed("the sync ended as %s: %s", op.Phase, orUnsaid(op.Message)), true
	}
	return Outcome{}, false
}

func (v view) comparisonBroken() (Outcome, bool) {
	for _, condition := range v.app.Conditions {
		if condition.Type != ConditionComparisonError && condition.Type != ConditionInvalidSpecError {
			continue
		}
		if v.fresh() || atLeast(condition.Since, v.wanted.Started) {
			return failed("Argo CD reports %s: %s", condition.Type, orUnsaid(condition.Message)), true
		}
		return v.outdated("Argo CD reported %s before this promotion; it has to look again", condition.Type)
	}
	return Outcome{}, false
}

func (v view) otherRevision() (Outcome, bool) {
	if v.wanted.relation(v.app.Sync.Revisions, v.positions) >= Carries {
		return Outcome{}, false
	}
	op := v.app.Operation
	if v.mine() && v.applied() && op.Phase == PhaseSucceeded && !atLeast(op.FinishedAt, v.app.ReconciledAt) {
		return Outcome{
			State:  Superseded,
			Reason: fmt.Sprintf("%s was synced, and since then the application follows %s", short(v.wanted.Revision), v.compared()),
		}, true
	}
	return v.outdated("Argo CD compares with %s and has not seen %s on %s", v.compared(), short(v.wanted.Revision), v.app.Tracks())
}

// observationOld is the rule that health and sync state from before the operation's end say nothing about what it applied.
func (v view) observationOld() (Outcome, bool) {
	op := v.app.Operation
	if op.FinishedAt.IsZero() || op.DryRun || atLeast(v.app.ReconciledAt, op.FinishedAt) {
		return Outcome{}, false
	}
	return v.outdated("the sync has ended and Argo CD has not looked at the result yet")
}

func (v view) outOfSync() (Outcome, bool) {
	if v.app.Sync.Status == Synced {
		return Outcome{}, false
	}
	if v.app.Sync.Status != OutOfSync {
		return v.outdated("Argo CD does not know whether %s is what runs", v.compared())
	}
	op := v.app.Operation
	sinceWanted := atLeast(op.FinishedAt, v.wanted.Started)
	if op.Phase == PhaseSucceeded && v.applied() && (v.mine() || v.app.AutoSync && sinceWanted) {
		return waiting("%s was synced and is still OutOfSync: objects to prune, or fields that something else writes", v.compared()), true
	}
	if patience := v.wanted.Started.Add(v.wanted.Patience.AutoSync).Sub(v.wanted.Now); v.app.AutoSync && patience > 0 {
		return waiting("%s is OutOfSync; automated sync should begin", v.compared()), true
	}
	outcome := waiting("%s is OutOfSync and has to be synced", v.compared())
	outcome.NeedsSync = true
	return outcome, true
}

func (v view) health() Outcome {
	app, patience := v.app, v.wanted.Patience
	told := ""
	if app.Health.Message != "" {
		told = ": " + app.Health.Message
	}
	switch app.Health.Status {
	case Healthy:
		since := latest(app.Health.Since, app.Operation.FinishedAt)
		if left := since.Add(patience.Stable).Sub(v.wanted.Now); left > 0 {
			outcome := waiting("synced to %s and Healthy; it has to stay so for another %s", v.compared(), wholeSeconds(left))
			outcome.Recheck = left
			return outcome
		}
		return Outcome{State: Done, Reason: fmt.Sprintf("synced to %s and Healthy", v.compared())}
	case Suspended:
		if patience.AcceptSuspended {
			return Outcome{State: Done, Reason: fmt.Sprintf("synced to %s and Suspended%s", v.compared(), told)}
		}
		return waiting("synced to %s and Suspended: somebody has to resume the rollout%s", v.compared(), told)
	case Degraded:
		since := latest(app.Health.Since, app.Operation.FinishedAt, v.wanted.Started)
		if left := since.Add(patience.Degraded).Sub(v.wanted.Now); left > 0 {
			return waiting("synced to %s and Degraded; it has another %s to recover%s", v.compared(), wholeSeconds(left), told)
		}
		return failed("synced to %s and Degraded%s", v.compared(), told)
	case HealthProgressing, Missing:
		return waiting("synced to %s and %s%s", v.compared(), app.Health.Status, told)
	case HealthUnknown, "":
		outcome, _ := v.outdated("synced to %s, its health is unknown%s", v.compared(), told)
		return outcome
	default:
		return waiting("synced to %s and %s%s", v.compared(), app.Health.Status, told)
	}
}

func orUnsaid(message string) string {
	if message == "" {
		return "Argo CD does not say why"
	}
	return message
}

func wholeSeconds(left time.Duration) time.Duration {
	return (left + time.Second - 1).Truncate(time.Second)
}
