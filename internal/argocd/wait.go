package argocd

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// Awaited names one thing that an application is waited for to be.
type Awaited string

// What can be waited for. Of the three kinds of health one is enough; everything else has to be so as well.
const (
	AwaitHealth    Awaited = "health"    // Healthy
	AwaitSuspended Awaited = "suspended" // Suspended
	AwaitDegraded  Awaited = "degraded"  // Degraded
	AwaitSync      Awaited = "sync"      // Synced
	AwaitOperation Awaited = "operation" // no operation runs
)

// A Wait watches one application without touching it: no operation is ever started for it.
type Wait struct {
	Ref      Ref              // required
	For      []Awaited        // required
	Started  time.Time        // required; what was observed before says nothing
	Timeout  time.Duration    // from Started on; zero means 10 minutes
	Patience *Patience        // nil means DefaultPatience; of it Degraded counts, for applications that turn so while waiting
	Now      func() time.Time // nil means time.Now
}

// Await observes the application once, has Argo CD compare it anew if the observation is older than the wait, and says whether
// it is as wanted. A Waiting outcome says when to call it again.
//
// An error means that Argo CD could not be asked; [Transient] tells whether asking again can help.
func (c *Client) Await(ctx context.Context, w Wait) (Outcome, error) {
	if w.Ref.Name == "" || len(w.For) == 0 || w.Started.IsZero() {
		return Outcome{}, errors.New("argo cd: a wait needs an application, what to wait for, and when it began")
	}
	app, err := c.Application(ctx, w.Ref)
	if err != nil {
		return Outcome{}, err
	}
	outcome := w.judge(app, false)
	if outcome.NeedsRefresh {
		if app, err = c.refresh(ctx, w.Ref, false, min(c.refreshWait, stepRefreshWait)); err != nil {
			return Outcome{}, err
		}
		outcome = w.judge(app, !app.RefreshPending())
	}
	if outcome.State == Waiting && outcome.Recheck <= 0 {
		outcome.Recheck = w.delivery().recheck()
	}
	outcome.Recheck = min(outcome.Recheck, longestRecheck)
	return outcome, nil
}

// delivery is what a wait has in common with a delivery.
func (w Wait) delivery() Delivery {
	return Delivery{Started: w.Started, Timeout: w.Timeout, Now: w.Now}
}

func (w Wait) judge(app Application, refreshed bool) Outcome {
	now := w.delivery().now()
	patience := DefaultPatience()
	if w.Patience != nil {
		patience = *w.Patience
	}
	outcome := JudgeWait(app, w.For, Wanted{Started: w.Started, Now: now, Refreshed: refreshed, Patience: patience})
	outcome.Health = app.Health.Status
	if outcome.State == Waiting && !now.Before(w.delivery().deadline()) {
		return Outcome{State: Failed, Reason: "not so in time: " + outcome.Reason, Health: outcome.Health}
	}
	return outcome
}

// JudgeWait decides whether an application is as awaited. It does no I/O and reads no clock. Of wanted it looks at Started, Now,
// Refreshed and Patience.
func JudgeWait(app Application, awaited []Awaited, wanted Wanted) Outcome {
	if app.Deleting {
		return failed("the application is being deleted")
	}
	view := view{app: app, wanted: wanted}
	if outcome, broken := view.comparisonBroken(); broken {
		return outcome
	}
	if app.Operation.InProgress && slices.Contains(awaited, AwaitOperation) {
		return waiting("an operation is running%s", told(app.Operation.Message))
	}
	if !view.fresh() {
		outcome, _ := view.outdated("Argo CD has not looked at the application since the wait began")
		return outcome
	}
	if outcome, old := view.observationOld(); old && !app.Operation.InProgress {
		return outcome
	}
	if slices.Contains(awaited, AwaitSync) && app.Sync.Status != Synced {
		return waiting("it is %s, and has to be Synced", orUnknown(string(app.Sync.Status)))
	}
	return view.awaitHealth(awaited)
}

// awaitHealth looks for one of the kinds of health that are awaited. An application that turns Degraded in the meantime has
// failed, unless that is what is awaited; one that was so before is given the time to recover.
func (v view) awaitHealth(awaited []Awaited) Outcome {
	health, words := v.app.Health, told(v.app.Health.Message)
	var accepted []string
	for kind, status := range map[Awaited]HealthStatus{AwaitHealth: Healthy, AwaitSuspended: Suspended, AwaitDegraded: Degraded} {
		if slices.Contains(awaited, kind) {
			accepted = append(accepted, string(status))
		}
	}
	slices.Sort(accepted)
	if len(accepted) == 0 || slices.Contains(accepted, string(health.Status)) {
		return Outcome{State: Done, Reason: strings.Join(nonEmpty(string(v.app.Sync.Status), string(health.Status)), " and ")}
	}
	wanted := strings.Join(accepted, " or ")
	if health.Status == Degraded && atLeast(health.Since, v.wanted.Started) {
		if left := health.Since.Add(v.wanted.Patience.Degraded).Sub(v.wanted.Now); left > 0 {
			return waiting("it turned Degraded, and has another %s to become %s%s", wholeSeconds(left), wanted, words)
		}
		return failed("it turned Degraded while %s was waited for%s", wanted, words)
	}
	return waiting("it is %s, and has to be %s%s", orUnknown(string(health.Status)), wanted, words)
}

func told(message string) string {
	if message == "" {
		return ""
	}
	return ": " + message
}

func orUnknown(status string) string {
	if status == "" {
		return "of unknown state"
	}
	return status
}

func nonEmpty(texts ...string) []string {
	return slices.DeleteFunc(texts, func(text string) bool { return text == "" })
}
