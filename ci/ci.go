// Package ci runs the loop of promote/reconcile as a job: once, or until nothing moves any more, and says by its exit code
// how things stand. It owns the environment of CI systems, the summary and the exit code. It decides nothing about
// promotions.
//
// # Exit codes
//
//	0  done, or nothing to do
//	1  something failed: the run itself, the command that it was given, a promotion that ended in it, or a stage that cannot
//	   go on without a correction
//	   (the job in which a promotion failed says so; those after it do not repeat it)
//	2  a promotion is on its way and waits: for a gate, a merge, or Argo CD
package ci

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
)

// The exit codes.
const (
	ExitDone    = 0
	ExitFailed  = 1
	ExitWaiting = 2
)

// Runner runs the loop once. *reconcile.Reconciler is one.
type Runner interface {
	Run(ctx context.Context, options reconcile.Options) (reconcile.Outcome, error)
}

// Config is what a job works with.
type Config struct {
	Runner   Runner                                           // required
	Command  reconcile.Asked                                  // what the job is told to do, as in a comment; no Body: nothing
	Events   []promote.Event                                  // what the job was started by, besides looking at everything
	Wait     time.Duration                                    // how long to go on while a delivery is on its way; 0: not at all
	Progress io.Writer                                        // required: told what is done, a line each
	Now      func() time.Time                                 // required
	Sleep    func(ctx context.Context, d time.Duration) error // required
}

// minPause keeps a plan that wants to be looked at again at once from becoming a hot loop.
const minPause = time.Second

// Result is how a job ended.
type Result struct {
	Outcome reconcile.Outcome // of the last run, with what all runs applied
	Exit    int               // one of the exit codes; ExitFailed whenever Run returned an error, or the command was refused
}

// Run runs the loop, and again while something is being delivered and time is left. The Result is of use also when there is
// an error: it has what was done before it.
func Run(ctx context.Context, cfg Config) (Result, error) {
	started := cfg.Now()
	deadline := started.Add(cfg.Wait)
	var all []promote.Action
	options := reconcile.Options{Events: append([]promote.Event{{Kind: promote.EventSweep}}, cfg.Events...)}
	if cfg.Command.Body != "" {
		options.Asked = []reconcile.Asked{cfg.Command}
	}
	for {
		outcome, err := cfg.Runner.Run(ctx, options)
		for _, action := range outcome.Applied {
			_, _ = fmt.Fprintf(cfg.Progress, "%s\n", action)
		}
		all = append(all, outcome.Applied...)
		outcome.Applied = all
		if err != nil {
			return Result{Outcome: outcome, Exit: ExitFailed}, err
		}
		now, next := cfg.Now(), outcome.Plan.Recheck
		if !delivering(outcome.State) || next.IsZero() || next.After(deadline) || !now.Before(deadline) {
			return Result{Outcome: outcome, Exit: exit(outcome, started)}, nil
		}
		if err := cfg.Sleep(ctx, max(minPause, next.Sub(now))); err != nil {
			return Result{Outcome: outcome, Exit: ExitFailed}, fmt.Errorf("wait for a delivery: %w", err)
		}
		options = reconcile.Options{}
	}
}

func delivering(state promote.State) bool {
	for _, p := range state.History.Promotions {
		if p.Phase == promote.PhaseDelivering {
			return true
		}
	}
	return false
}

// exit says how things stand after a job that began at started. A stage on hold is as a person wants it, and what an open
// promotion is blocked by is shown to the people who look at its change: it waits.
func exit(outcome reconcile.Outcome, started time.Time) int {
	if refused(outcome.Applied) {
		return ExitFailed
	}
	waiting := false
	for _, stage := range outcome.Plan.Stages {
		_, active := outcome.State.History.Active(stage.Stage)
		if active {
			waiting = true
		} else if stage.Verdict == promote.Block && !held(outcome.State, stage.Stage) && !settled(outcome.State, stage.Stage, started) {
			return ExitFailed
		}
	}
	switch {
	case failed(outcome.State.History, started):
		return ExitFailed
	case waiting:
		return ExitWaiting
	}
	return ExitDone
}

// refused reports whether the command that the job was given was not obeyed.
func refused(applied []promote.Action) bool {
	return slices.ContainsFunc(applied, func(a promote.Action) bool {
		reply, answered := a.(promote.Reply)
		return answered && reply.Change == 0 && reply.Reaction == promote.ReactionDenied
	})
}

// failed reports whether a promotion failed in this job, by itself or because its change was closed.
func failed(history promote.History, started time.Time) bool {
	return slices.ContainsFunc(history.Promotions, func(p promote.Promotion) bool {
		return p.Phase == promote.PhaseFailed && !p.FinishedAt.Before(started)
	})
}

// settled reports whether nothing but a promotion that failed before this job holds a stage back: the job in which it failed
// said so, and a schedule that fails from then on tells nobody anything. It asks what would be decided had the promotion
// been called off instead.
func settled(state promote.State, stage promote.StageRef, started time.Time) bool {
	earlier := false
	state.History.Promotions = slices.Clone(state.History.Promotions)
	for i, p := range state.History.Promotions {
		if p.Stage == stage && p.Phase == promote.PhaseFailed && p.FinishedAt.Before(started) {
			state.History.Promotions[i].Phase = promote.PhaseAborted
			earlier = true
		}
	}
	return earlier && !slices.ContainsFunc(promote.Decide(state).Stages, func(s promote.StageStatus) bool {
		return s.Stage == stage && s.Verdict == promote.Block
	})
}

func held(state promote.State, stage promote.StageRef) bool {
	_, ok := state.History.Hold(stage)
	return ok
}
