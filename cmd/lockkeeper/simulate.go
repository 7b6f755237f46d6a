package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/ledger"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
	"github.com/lockkeeper/lockkeeper/render"
)

type simulateOptions struct {
	diffOptions
	since time.Duration
}

func newSimulate(env environment) *cobra.Command {
	var o simulateOptions
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Replay the recorded history against a changed pipeline",
		Long: `Simulate asks, at every moment that the ledger records, what would have been decided with the pipeline as it is and with the
changed one, and prints where the two differ. The history stays as it was: what the changed pipeline would have promoted is
not played on. It needs neither network nor cluster; fetch the branch lockkeeper/ledger first.

Exit codes:
  0  the replay was printed
  1  it could not be made; with --exit-code also: a decision differs`,
		Example: `  lockkeeper simulate                                  # your branch and your uncommitted work
  lockkeeper simulate --base main --head my-branch     # between two branches
  lockkeeper simulate --since 720h                     # of the last 30 days only
  lockkeeper simulate --output markdown > replay.md    # for a merge request`,
		Args: onlyFlags("base", "head"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(o.output, "text", "markdown", "json"); err != nil {
				return err
			}
			return o.within(cmd.Context(), env, func(c *checkout) error { return o.run(cmd.Context(), env, c) })
		},
	}
	o.flags(cmd)
	o.revisions(cmd)
	cmd.Flags().DurationVar(&o.since, "since", 0, "how far back to begin (default: at the beginning)")
	cmd.Flags().StringVarP(&o.output, "output", "o", "text", "text, markdown or json")
	cmd.Flags().BoolVar(&o.exitCode, "exit-code", false, "exit 1 when a decision differs")
	return cmd
}

func (o *simulateOptions) run(ctx context.Context, env environment, c *checkout) error {
	base, _, err := o.before(ctx, c)
	if err != nil {
		return err
	}
	head, err := c.at(ctx, o.head)
	if err != nil {
		return err
	}
	c.progress.step("reading the ledger")
	history, findings, err := c.history(ctx)
	if err != nil {
		return err
	}
	before, err := c.state(ctx, base, history, findings)
	if err != nil {
		return err
	}
	after, err := c.state(ctx, head, history, findings)
	if err != nil {
		return err
	}
	c.progress.step("replaying")
	var since time.Time
	if o.since > 0 {
		since = time.Now().Add(-o.since)
	}
	simulation := promote.Simulate(before, after, since, promote.MaxMoments)
	c.progress.end()
	if err := o.show(env, simulation); err != nil {
		return err
	}
	if o.exitCode && len(simulation.Differences) > 0 {
		return &exitError{code: 1}
	}
	return nil
}

func (o *simulateOptions) show(env environment, s promote.Simulation) error {
	switch o.output {
	case "json":
		return printJSON(env.out, s)
	case "markdown":
		_, err := fmt.Fprint(env.out, s.Markdown())
		return err
	}
	_, err := fmt.Fprint(env.out, s)
	return err
}

// history reads the ledger from the clone: the remote's branch before a local one.
func (c *checkout) history(ctx context.Context) (promote.History, []promote.Finding, error) {
	for _, rev := range []string{"refs/remotes/origin/" + string(promote.LedgerBranch), "refs/heads/" + string(promote.LedgerBranch)} {
		commit, err := c.repo.Resolve(ctx, rev)
		if err != nil {
			continue
		}
		tree, err := c.repo.Tree(ctx, commit)
		if err != nil {
			return promote.History{}, nil, err
		}
		return ledger.Read(tree)
	}
	return promote.History{}, nil, errors.New("this clone does not have the ledger: git fetch origin " +
		string(promote.LedgerBranch) + ":refs/remotes/origin/" + string(promote.LedgerBranch) +
		"; a repository in which nothing was promoted yet has none")
}

// state is what can be known offline of a tree and its history.
func (c *checkout) state(
	ctx context.Context, repository render.Repository, history promote.History, findings []promote.Finding,
) (promote.State, error) {
	content, err := reconcile.Load(ctx, c.engine, repository)
	if err != nil {
		return promote.State{}, fmt.Errorf("read the repository: %w", err)
	}
	return promote.State{
		Branch: promote.Branch(c.branch), Pipelines: content.Pipelines, Findings: append(content.Findings, findings...), History: history,
	}, nil
}
