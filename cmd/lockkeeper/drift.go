package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/spf13/cobra"

	"github.com/lockkeeper/lockkeeper/ci"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/drift"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
)

type driftOptions struct {
	localFlags
	from     string
	to       []string
	exclude  []string
	head     string
	output   string
	exitCode bool
}

func newDrift(env environment) *cobra.Command {
	var o driftOptions
	cmd := &cobra.Command{
		Use:   "drift",
		Short: "Show how the folders of environments differ",
		Long: `Drift compares folders that should be alike, such as those of one component in several environments, and prints which files
are in one only and which values differ. It needs neither cluster nor network.

Without flags it compares what lockkeeper.yaml says:

  drift:
    - from: develop/frontend
      to: [production/frontend, "clusters/*/*/frontend"]
      exclude: ["*.md", "instance.yaml:spec.values.deployment.replicas"]

An exclusion is a glob of files, or a glob of files and the key of a value; * stands for any part of a key, and an item of a
list is written as [0], [*] or [name=web]. Values of YAML and JSON files are compared, not how they are written; values of
Secrets, passwords and tokens are never printed.

Exit codes:
  0  the difference was printed, or there is none
  1  it could not be computed, or a folder that is named does not exist; with --exit-code also: something drifts`,
		Example: `  lockkeeper drift                                  # what lockkeeper.yaml says, in the files on disk
  lockkeeper drift --from develop/frontend --to production/frontend
  lockkeeper drift --from develop/frontend --to 'clusters/*/*/frontend' --exclude '*.md' --exclude 'instance.yaml:metadata.*'
  lockkeeper drift --head origin/main --exit-code   # in a revision; exit 1 when something drifts
  lockkeeper drift --output markdown > drift.md     # for a comment`,
		Args: onlyFlags("from", "to"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return o.within(cmd.Context(), env, func(c *checkout) error { return o.run(cmd.Context(), env, c) })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.dir, "dir", ".", "a folder of the clone to read")
	flags.StringVar(&o.from, "from", "", "folder that the others are compared with, from the root (default: lockkeeper.yaml's)")
	flags.StringArrayVar(&o.to, "to", nil, "a folder to compare, or a glob of them")
	flags.StringArrayVar(&o.exclude, "exclude", nil, "files to leave out, or values as FILES:KEY")
	flags.StringVar(&o.head, "head", "", "revision to read (default: the files on disk)")
	flags.StringVarP(&o.output, "output", "o", "text", "text, markdown or json")
	flags.BoolVar(&o.exitCode, "exit-code", false, "exit 1 when something drifts")
	return cmd
}

// once reports whether the flags say what is compared, not the settings.
func (o *driftOptions) once() bool { return o.from != "" || len(o.to)+len(o.exclude) > 0 }

func (o *driftOptions) check() error {
	if err := checkOutput(o.output, "text", "markdown", "json"); err != nil {
		return err
	}
	if !o.once() {
		return nil
	}
	if o.from == "" || len(o.to) == 0 {
		return errors.New("--from and --to go together: name the folder that the others are compared with, and those")
	}
	return problemsError(drift.Check(o.rules()))
}

func (o *driftOptions) rules() []drift.Rule {
	return []drift.Rule{{From: o.from, To: o.to, Exclude: o.exclude}}
}

// problemsError is what is wrong with the flags, nil when nothing is.
func problemsError(problems []drift.Problem) error {
	errs := make([]error, len(problems))
	for i, p := range problems {
		errs[i] = errors.New(visible(p.String()))
	}
	return errors.Join(errs...)
}

func (o *driftOptions) run(ctx context.Context, env environment, c *checkout) error {
	repository, err := c.at(ctx, o.head)
	if err != nil {
		return err
	}
	rules := o.rules()
	var settings reconcile.Settings
	if !o.once() {
		if settings, err = driftSettings(env, c, repository.Tree); err != nil {
			return err
		}
		rules = settings.DriftRules()
	}
	report, err := drift.Compare(ctx, drift.Request{
		Tree: repository.Tree, Rules: rules,
		Progress: func(from, to string) { c.progress.step("comparing %s with %s", visible(from), visible(to)) },
	})
	if err != nil {
		return fmt.Errorf("compare: %w", err)
	}
	c.progress.end()
	if o.once() && len(report.Pairs) == 0 {
		return problemsError(report.Problems)
	}
	findings := o.findings(settings, report)
	if err := o.print(env, report, findings); err != nil {
		return err
	}
	if o.exitCode && !report.Empty() || failed(findings) {
		return &exitError{code: ci.ExitFailed}
	}
	return nil
}

// driftSettings reads the rules of the repository.
func driftSettings(env environment, c *checkout, tree fs.FS) (reconcile.Settings, error) {
	settings, findings := reconcile.LoadSettings(tree)
	if len(findings) > 0 {
		c.progress.end()
		if err := printFindings(env.err, findings, env.colored(env.err)); err != nil {
			return settings, err
		}
	}
	if failed(findings) {
		return settings, &exitError{code: ci.ExitFailed}
	}
	if len(settings.Drift) == 0 {
		return settings, fmt.Errorf("%s has no drift: add it, as \"lockkeeper drift --help\" shows, or use --from and --to", reconcile.SettingsFile)
	}
	return settings, nil
}

// findings are the problems of a report where a person finds them: in the settings, or in no file when they are of flags. What
// was not compared although a rule names it is an error here, where comparing is all that was asked for.
func (o *driftOptions) findings(settings reconcile.Settings, report drift.Report) []promote.Finding {
	findings := settings.DriftFindings(report.Problems)
	for i, p := range report.Problems {
		if p.Lost {
			findings[i].Severity = promote.SeverityError
		}
		if o.once() {
			findings[i].Position = promote.Position{}
		}
	}
	return findings
}

// failed reports whether one of the findings is an error.
func failed(findings []promote.Finding) bool {
	return slices.ContainsFunc(findings, func(f promote.Finding) bool { return f.Severity == promote.SeverityError })
}

func (o *driftOptions) print(env environment, report drift.Report, findings []promote.Finding) error {
	var text string
	out := env.err
	switch o.output {
	case "json":
		data, err := drift.JSON(report)
		if err != nil {
			return fmt.Errorf("print: %w", err)
		}
		text = string(data)
	case "markdown":
		text = drift.Markdown(report, 0)
	default:
		text = drift.Text(report)
		out = env.out
		if len(findings) > 0 {
			text += "\n"
		}
	}
	if _, err := io.WriteString(env.out, text); err != nil {
		return err
	}
	return printFindings(out, tidy(findings), env.colored(out))
}
