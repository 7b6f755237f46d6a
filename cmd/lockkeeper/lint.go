package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/lockkeeper/lockkeeper/ci"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
	"github.com/lockkeeper/lockkeeper/render"
	"github.com/lockkeeper/lockkeeper/render/diff"
)

type lintOptions struct {
	localFlags
	rev    string
	output string
	strict bool
}

func newLint(env environment) *cobra.Command {
	var o lintOptions
	cmd := &cobra.Command{
		Use:   "lint",
		Short: "Check pipelines, ApplicationSets and definitions",
		Long: `Lint checks what a promotion would stumble over: the pipelines (Kargo), the applications and ApplicationSets (Argo CD), the
definitions (kro) and lockkeeper.yaml; it renders every application, and checks that the parts fit together: that the files and
keys which a stage writes exist, and that its applications exist and belong to it. Every rendered object is held against what the API
server and admission policies would say of it, and against the policies of lockkeeper.yaml (docs/checks.md).

Every finding says where, what and what to do, and ends with a code that does not change.

Exit codes:
  0  no error
  1  an error was found; with --strict also: a warning`,
		Example: `  lockkeeper lint                                   # the files on disk
  lockkeeper lint --strict                          # warnings count too, as in CI
  lockkeeper lint --rev origin/main --output json   # a revision, for a program`,
		Args: onlyFlags("dir"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(o.output, "text", "json"); err != nil {
				return err
			}
			return o.within(cmd.Context(), env, func(c *checkout) error { return o.run(cmd.Context(), env, c) })
		},
	}
	o.flags(cmd)
	o.definitionFlags(cmd)
	cmd.Flags().StringVar(&o.rev, "rev", "", "revision to check (default: the files on disk)")
	cmd.Flags().StringVarP(&o.output, "output", "o", "text", "text or json")
	cmd.Flags().BoolVar(&o.strict, "strict", false, "exit 1 on warnings too")
	return cmd
}

func (o *lintOptions) run(ctx context.Context, env environment, c *checkout) error {
	repository, err := c.at(ctx, o.rev)
	if err != nil {
		return err
	}
	report, err := c.lint(ctx, repository)
	if err != nil {
		return err
	}
	c.progress.end()
	if o.output == "json" {
		err = printJSON(env.out, report.document())
	} else {
		err = report.print(env)
	}
	if err != nil {
		return err
	}
	if report.count(promote.SeverityError) > 0 || o.strict && report.count(promote.SeverityWarning) > 0 {
		return &exitError{code: ci.ExitFailed}
	}
	return nil
}

// lintReport is what was checked and found.
type lintReport struct {
	findings     []promote.Finding
	pipelines    int
	stages       int
	applications int
	definitions  int
}

func (c *checkout) lint(ctx context.Context, repository render.Repository) (lintReport, error) {
	c.progress.step("reading pipelines, applications and definitions")
	content, err := c.load(ctx, repository)
	if err != nil {
		return lintReport{}, err
	}
	results, err := c.renderAll(ctx, repository, content.Set, content.Set.Applications)
	if err != nil {
		return lintReport{}, err
	}
	report := lintReport{
		pipelines: len(content.Pipelines), applications: len(content.Set.Applications), definitions: len(content.Set.Definitions),
	}
	found := slices.Concat(pipelineFindings(content), toFindings(advised(content.Set.Findings)), toFindings(c.elsewhere(content.Set, content.Set.Applications)))
	for _, result := range results {
		found = append(found, resultFindings(result)...)
	}
	for _, pipeline := range content.Pipelines {
		report.stages += len(pipeline.Stages)
		for _, stage := range pipeline.Stages {
			s := &stageLint{repository: repository, set: content.Set, pipeline: pipeline, stage: stage}
			found = append(found, s.check()...)
		}
	}
	report.findings = causes(found)
	return report, nil
}

// consequences are what lint says where a manifest is missing, which it is when its file cannot be read.
var consequences = []string{"missing-project", "unknown-stage", "unknown-task", "unknown-warehouse"}

// causes leaves out what may be no more than the consequence of a file that cannot be read, and says so there.
func causes(found []promote.Finding) []promote.Finding {
	cause := slices.IndexFunc(found, func(f promote.Finding) bool { return f.Code == "invalid-yaml" && f.Severity == promote.SeverityError })
	if cause < 0 {
		return found
	}
	kept := slices.DeleteFunc(slices.Clone(found), func(f promote.Finding) bool { return slices.Contains(consequences, f.Code) })
	if hidden := len(found) - len(kept); hidden > 0 {
		i := slices.IndexFunc(kept, func(f promote.Finding) bool { return f.Code == "invalid-yaml" && f.Severity == promote.SeverityError })
		kept[i].Message += fmt.Sprintf(" (%s that may come of this left out)", count(hidden, "finding"))
	}
	return kept
}

// pipelineFindings are the findings of a content without those that the renderer reports itself: there an error is an error.
func pipelineFindings(content reconcile.Content) []promote.Finding {
	type place struct {
		at            promote.Position
		code, message string
	}
	rendered := map[place]bool{}
	for _, f := range toFindings(content.Set.Findings) {
		rendered[place{f.Position, f.Code, f.Message}] = true
	}
	return slices.DeleteFunc(slices.Clone(content.Findings), func(f promote.Finding) bool { return rendered[place{f.Position, f.Code, f.Message}] })
}

// count is the number of findings of a severity, of those that read the same one.
func (r lintReport) count(severity promote.Severity) int {
	n := 0
	for _, f := range tidy(r.findings) {
		if f.Severity == severity {
			n++
		}
	}
	return n
}

func (r lintReport) print(env environment) error {
	findings := tidy(r.findings)
	if err := printFindings(env.out, findings, env.colored(env.out)); err != nil {
		return err
	}
	_, err := io.WriteString(env.out, r.summary()+"\n")
	return errors.Join(err, annotate(env, findings))
}

// summary is the last line.
func (r lintReport) summary() string {
	checked := fmt.Sprintf("%s with %s, %s, %s", count(r.pipelines, "pipeline"), count(r.stages, "stage"),
		count(r.applications, "application"), count(r.definitions, "definition"))
	errs, warnings := r.count(promote.SeverityError), r.count(promote.SeverityWarning)
	switch {
	case r.pipelines+r.applications+r.definitions == 0 && errs == 0:
		return "Nothing to check: there is no manifest of Kargo, Argo CD or kro here."
	case errs == 0 && warnings == 0:
		return "All in order: " + checked + "."
	}
	return fmt.Sprintf("%s, %s in %s.", count(errs, "error"), count(warnings, "warning"), checked)
}

// lintDocument is a report as JSON. Keys are only ever added.
type lintDocument struct {
	Errors       int               `json:"errors"`
	Warnings     int               `json:"warnings"`
	Pipelines    int               `json:"pipelines"`
	Stages       int               `json:"stages"`
	Applications int               `json:"applications"`
	Definitions  int               `json:"definitions"`
	Findings     []findingDocument `json:"findings"`
}

type findingDocument struct {
	Severity promote.Severity `json:"severity"`
	Code     string           `json:"code"`
	File     string           `json:"file,omitempty"`
	Line     int              `json:"line,omitempty"`
	Column   int              `json:"column,omitempty"`
	Message  string           `json:"message"`
	Remedy   string           `json:"remedy,omitempty"`
	Project  string           `json:"project,omitempty"`
	Stages   []string         `json:"stages,omitempty"` // project/stage of those that it keeps from promoting
}

func (r lintReport) document() lintDocument {
	doc := lintDocument{
		Errors: r.count(promote.SeverityError), Warnings: r.count(promote.SeverityWarning), Pipelines: r.pipelines, Stages: r.stages,
		Applications: r.applications, Definitions: r.definitions, Findings: []findingDocument{},
	}
	for _, f := range tidy(r.findings) {
		one := findingDocument{
			Severity: f.Severity, Code: f.Code, File: f.Position.File, Line: f.Position.Line, Column: f.Position.Column,
			Message: diff.MaskSentence(f.Message), Remedy: diff.MaskSentence(f.Remedy), Project: f.Project,
		}
		for _, same := range r.findings {
			stage := same.Stage.String()
			if same.Stage != (promote.StageRef{}) && same.String() == f.String() && !slices.Contains(one.Stages, stage) {
				one.Stages = append(one.Stages, stage)
			}
		}
		slices.Sort(one.Stages)
		doc.Findings = append(doc.Findings, one)
	}
	return doc
}

// errUnknown says that a value cannot be known before the promotion runs.
var errUnknown = errors.New("not known before the promotion")
