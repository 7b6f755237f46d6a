package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/lockkeeper/lockkeeper/ci"
	"github.com/lockkeeper/lockkeeper/internal/git/local"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
	"github.com/lockkeeper/lockkeeper/render"
	"github.com/lockkeeper/lockkeeper/render/diff"
)

type diffOptions struct {
	localFlags
	base     string
	head     string
	output   string
	exitCode bool
}

func newDiff(env environment) *cobra.Command {
	var o diffOptions
	cmd := &cobra.Command{
		Use:   "diff",
		Short: "Show what your change does in the cluster",
		Long: `Diff renders the applications of a clone twice, before and after a change, and prints which objects differ and how: after
ApplicationSets, kro definitions and namespaces, as they would stand in the cluster. It needs neither cluster nor network.

What can hurt stands first: data that is lost, fields that the cluster refuses to change, images without a version or with a
lower one, pods that do not start because a ConfigMap or Secret lacks what they read, pods that go on with old values, kinds that
nothing defines, applications that move to another cluster, and what the API server or a policy would refuse (docs/checks.md).

An object or application under another name is shown as renamed, with what that deletes. JSON, YAML, TOML and properties in
ConfigMaps are compared by what they mean. What a new version of a chart writes everywhere takes one line, and what changes alike
in several applications is shown once; --output json has everything.

Without flags it shows what your branch changes since it left the default branch, with what is not committed yet. Values of
Secrets are never printed.

Exit codes:
  0  the difference was printed, or there is none; what is not in this repository is said to be unknown
  1  it could not be computed, also for one application; with --exit-code also: something changes in the cluster, or may`,
		Example: `  lockkeeper diff                                   # your branch and your uncommitted work
  lockkeeper diff --base main --head feature        # between two branches
  lockkeeper diff --base HEAD~1 --head HEAD         # what the last commit did
  lockkeeper diff --output markdown > diff.md       # for a merge request
  lockkeeper diff --output html > diff.html         # a page with a search, for large changes
  lockkeeper diff --exit-code                       # exit 1 when something changes`,
		Args: onlyFlags("base", "head"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(o.output, "text", "markdown", "json", "html", "patch"); err != nil {
				return err
			}
			return o.within(cmd.Context(), env, func(c *checkout) error { return o.run(cmd.Context(), env, c) })
		},
	}
	o.flags(cmd)
	o.definitionFlags(cmd)
	o.revisions(cmd)
	cmd.Flags().StringVarP(&o.output, "output", "o", "text", "text, markdown, html, patch or json")
	cmd.Flags().BoolVar(&o.exitCode, "exit-code", false, "exit 1 when something changes in the cluster")
	return cmd
}

// revisions are the flags that say what is compared with what.
func (o *diffOptions) revisions(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.base, "base", "", "revision to start from (default: where the branch left the default branch)")
	cmd.Flags().StringVar(&o.head, "head", "", "revision to go to (default: the files on disk)")
}

func (o *diffOptions) run(ctx context.Context, env environment, c *checkout) error {
	base, note, err := o.before(ctx, c)
	if err != nil {
		return err
	}
	head, err := c.at(ctx, o.head)
	if err != nil {
		return err
	}
	compared, err := c.compare(ctx, base, head)
	if err != nil {
		return err
	}
	c.progress.end()
	return o.print(env, compared, note)
}

// before returns the repository to start from, and what a person should know about that choice.
func (o *diffOptions) before(ctx context.Context, c *checkout) (render.Repository, string, error) {
	head := o.head
	if head == "" {
		head = "HEAD"
	}
	after, err := c.repo.Resolve(ctx, head)
	switch {
	case err != nil && o.head == "" && o.base == "":
		return c.as(c.repo.EmptyTree()), "nothing is committed yet: everything is new", nil
	case err != nil:
		return render.Repository{}, "", err
	}
	if o.base != "" {
		return o.from(ctx, c, after)
	}
	branch, err := c.repo.DefaultBranch(ctx)
	if err != nil {
		return render.Repository{}, "", fmt.Errorf("%w: use --base REV", err)
	}
	target, err := c.repo.Resolve(ctx, branch.Rev)
	if err != nil {
		return render.Repository{}, "", err
	}
	fork, err := c.repo.MergeBase(ctx, target, after)
	if errors.Is(err, local.ErrNoMergeBase) {
		return render.Repository{}, "", fmt.Errorf("%w: use --base REV", err)
	}
	if err != nil {
		return render.Repository{}, "", err
	}
	before, err := c.at(ctx, fork)
	return before, "", err
}

// from starts at the revision that was asked for, whatever lies between.
func (o *diffOptions) from(ctx context.Context, c *checkout, after string) (render.Repository, string, error) {
	commit, err := c.repo.Resolve(ctx, o.base)
	if err != nil {
		return render.Repository{}, "", err
	}
	note := ""
	if missing, err := c.repo.Missing(ctx, commit, after); err == nil && missing > 0 {
		note = fmt.Sprintf("%q has %s that the other side lacks: they are shown as taken back; --base \"$(git merge-base %s %s)\" leaves them out",
			o.base, count(missing, "commit"), o.base, cmp.Or(o.head, "HEAD"))
	}
	before, err := c.at(ctx, commit)
	return before, note, err
}

// compared is what a change does.
type compared struct {
	report      diff.Report
	findings    []promote.Finding
	definitions []promote.Finding // those of the report that are about definitions
	failed      int               // applications that cannot be rendered after the change
}

func (c *checkout) compare(ctx context.Context, base, head render.Repository) (compared, error) {
	c.progress.step("reading pipelines, applications and definitions")
	content, err := c.load(ctx, head)
	if err != nil {
		return compared{}, err
	}
	c.progress.step("comparing %s", count(len(content.Set.Applications), "application"))
	comparison, err := c.engine.Compare(ctx, base, head, c.compareOptions(base, head))
	if err != nil {
		return compared{}, fmt.Errorf("render: %w", err)
	}
	found := slices.DeleteFunc(slices.Clone(content.Findings), func(f promote.Finding) bool { return f.Position.File != reconcile.SettingsFile })
	found = append(found, toFindings(advised(comparison.Findings))...)
	found = append(found, toFindings(c.elsewhere(content.Set, content.Set.Applications))...)
	report := reconcile.DiffReport(comparison, diff.Options{})
	failed := 0
	for _, app := range comparison.Apps {
		if app.Head != nil && app.Head.Failed {
			failed++
		}
	}
	return compared{report: report, findings: tidy(found), definitions: toFindings(comparison.Definitions), failed: failed}, nil
}

// compareOptions are those of the settings on both sides, with the definitions that are in neither.
func (c *checkout) compareOptions(base, head render.Repository) render.Options {
	options := reconcile.CompareOptions(base.Tree, head.Tree)
	settings, _ := reconcile.LoadSettings(head.Tree) // c.load told what is wrong with them
	options.Fetch = settings.Fetch                   // whoever runs this could allow it by --fetch as well
	options.DefinitionTrees, options.Base.DefinitionTrees = c.definitions, c.definitions
	return options
}

// advised replaces the remedy for repositories elsewhere by one for the command line.
func advised(found []render.Finding) []render.Finding {
	out := slices.Clone(found)
	for i, f := range out {
		if f.Code == codeElsewhere {
			out[i].Remedy = "if it is this repository, add that URL with --url"
		}
	}
	return out
}

func (o *diffOptions) print(env environment, c compared, note string) error {
	if note != "" {
		if _, err := fmt.Fprintf(env.err, "note: %s\n", visible(note)); err != nil {
			return err
		}
	}
	var text string
	findings := env.err
	switch o.output {
	case "json":
		data, err := diff.JSON(c.report)
		if err != nil {
			return fmt.Errorf("print: %w", err)
		}
		text = string(data)
	case "markdown":
		text = diff.Markdown(c.report, diff.MarkdownOptions{})
	case "html":
		page, err := diff.HTML(c.report, diff.HTMLOptions{})
		if err != nil {
			return fmt.Errorf("print: %w", err)
		}
		text = string(page)
	case "patch":
		text = diff.Patch(c.report) // which has no place for findings
		c.findings = tidy(append(c.findings, c.definitions...))
	default:
		text = diff.Text(c.report, diff.TextOptions{Color: env.colored(env.out)})
		findings = env.out
		if len(c.findings) > 0 {
			text += "\n"
		}
	}
	shown := env.out
	if o.output == "text" && !env.colored(env.out) {
		shown = ci.Inert(env.out) // it may be the log of a job
	}
	if _, err := io.WriteString(shown, text); err != nil {
		return err
	}
	if err := printFindings(findings, c.findings, env.colored(findings)); err != nil {
		return err
	}
	if c.failed > 0 {
		return &exitError{code: ci.ExitFailed, err: fmt.Errorf("%s could not be rendered: correct the errors above", count(c.failed, "application"))}
	}
	if o.exitCode && (!c.report.Empty() || c.report.Unknown > 0) {
		return &exitError{code: ci.ExitFailed}
	}
	return nil
}
