// Command lockkeeper lifts releases through the stages of a GitOps repository, one gated merge request at a time.
//
// This package reads flags, environment and files, builds the parts as plain literals, and prints. Everything else is done
// elsewhere. Each subcommand has a file of its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/lockkeeper/lockkeeper/ci"
)

// version is set by the linker.
var version = "dev"

func main() {
	log.SetOutput(io.Discard) // libraries talk there; what a person should know is a finding, or in our own log
	if isWorker() {
		os.Exit(work())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, environment{args: os.Args[1:], getenv: os.Getenv, out: os.Stdout, err: os.Stderr})
	stop()
	os.Exit(code)
}

// environment is what the process was given.
type environment struct {
	args   []string
	getenv func(string) string
	out    io.Writer
	err    io.Writer
}

// exitError ends the process with a code. Its text is printed unless it is empty.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// run executes a command line and returns the exit code.
func run(ctx context.Context, env environment) int {
	root := newRoot(env) //nolint:contextcheck // commands take the context that ExecuteContext gives them
	root.SetArgs(env.args)
	root.SetOut(env.out)
	root.SetErr(env.err)
	err := root.ExecuteContext(ctx)
	var exit *exitError
	switch {
	case err == nil:
		return ci.ExitDone
	case errors.As(err, &exit):
		if exit.err != nil {
			_, _ = fmt.Fprintf(ci.Inert(env.err), "lockkeeper: %v\n", exit.err)
		}
		return exit.code
	}
	_, _ = fmt.Fprintf(ci.Inert(env.err), "lockkeeper: %v\n", err)
	return ci.ExitFailed
}

func newRoot(env environment) *cobra.Command {
	root := &cobra.Command{
		Use:   "lockkeeper",
		Short: "Lift releases through the stages of a GitOps repository, one gated merge request at a time",
		Long: `Lockkeeper finds new images, charts and commits, opens promotion merge requests that show what changes in the cluster, gates the merge,
makes Argo CD sync exactly what changed, and moves on to the next stage. It reads Kargo's own manifests from Git.`,
		Example: `  lockkeeper demo                                   # watch a promotion happen, no account needed
  lockkeeper lint                                   # check the repository you are in
  lockkeeper diff --base main                       # what would your branch change in the cluster?
  lockkeeper plan --project group/repo              # what would Lockkeeper do? (does nothing)
  lockkeeper serve --config lockkeeper-server.yaml  # run the bot
  lockkeeper doctor                                 # why does it not work?`,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetVersionTemplate(versionLine())
	root.SetFlagErrorFunc(wrongFlag)
	root.AddCommand(
		newServe(env), newCI(env), newPlan(env), newDiff(env), newDrift(env), newSimulate(env), newDiscover(env), newFreight(env), newRender(env),
		newLint(env), newDoctor(env), newSetup(env), newDemo(env), newVersion(env),
	)
	return root
}
