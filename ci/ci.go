// Package ci runs the loop of promote/reconcile as a job: once, or until nothing moves any more, and says by its exit code
// how things stand. It owns the environment of CI systems, the summary and the exit code. It decides nothing about
// promotions.
//
// # Exit codes
//
//	0  done, or nothing to do
//	1  something failed: the run itself, a promotion that ended in it, or a stage that cannot go on without a correction
//	2  a promotion is on its way and waits: for a gate, a merge, or Argo CD
package ci

import (
	"context"
	"fmt"
	"io"
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
	Wait     time.Duration                                    // how long to go on while a delivery is on its way; 0: not at all
	Progress io.Writer                                        // required: told what is done, a line each
	Now      func() time.Time                                 // required
	Sleep    func(ctx context.Context, d time.Duration) error // required
}

// Result is how a job ended.
type Result struct {
	Outcome reconcile.Outcome
	Exit    int
}

// Run runs the loop, and again while something is being delivered and time is left.
func Run(ctx context.Context, cfg Config) (Result, error) {
	deadline := cfg.Now().Add(cfg.Wait)
	var all []promote.Action
	events := []promote.Event{{Kind: promote.EventSweep}}
	for {
		outcome, err := cfg.Runner.Run(ctx, reconcile.Options{Events: events})
		for _, action := range outcome.Applied {
			_, _ = fmt.Fprintf(cfg.Progress, "%s\n", action)
		}
		all = append(all, outcome.Applied...)
		outcome.Applied = all
		if err != nil {
			return Result{Outcome: outcome, Exit: ExitFailed}, err
		}
		next := outcome.Plan.Recheck
		if !delivering(outcome.State) || next.IsZero() || next.After(deadline) {
			return Result{Outcome: outcome, Exit: exit(outcome)}, nil
		}
		if err := cfg.Sleep(ctx, next.Sub(cfg.Now())); err != nil {
			return Result{Outcome: outcome, Exit: ExitFailed}, err
		}
		events = nil
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

// exit says how things stand at the end of a run.
func exit(outcome reconcile.Outcome) int {
	waiting := false
	for _, stage := range outcome.Plan.Stages {
		_, active := outcome.State.History.Active(stage.Stage)
		if active {
			waiting = true
		} else if stage.Verdict == promote.Block && !held(outcome.State, stage.Stage) {
			return ExitFailed
		}
	}
	if waiting {
		return ExitWaiting
	}
	return ExitDone
}

func held(state promote.State, stage promote.StageRef) bool {
	_, ok := state.History.Hold(stage)
	return ok
}

// Environment is what a CI system says about the job's repository. Empty fields were not said.
type Environment struct {
	System  string // "gitlab"; "" outside a CI system that is known
	Server  string // base URL of the forge
	Project string // path of the project
	Branch  string // its default branch
}

// Detect reads the environment of the CI system that runs the job.
func Detect(getenv func(string) string) Environment {
	if getenv("GITLAB_CI") != "true" {
		return Environment{}
	}
	return Environment{
		System: "gitlab", Server: getenv("CI_SERVER_URL"), Project: getenv("CI_PROJECT_PATH"), Branch: getenv("CI_DEFAULT_BRANCH"),
	}
}
