package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/lockkeeper/lockkeeper/ci"
	"github.com/lockkeeper/lockkeeper/internal/yamltext"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/render"
	"github.com/lockkeeper/lockkeeper/render/argocd"
	"github.com/lockkeeper/lockkeeper/render/check"
	"github.com/lockkeeper/lockkeeper/render/object"
)

type renderOptions struct {
	localFlags
	apps   []string
	rev    string
	output string
}

func newRender(env environment) *cobra.Command {
	var o renderOptions
	cmd := &cobra.Command{
		Use:   "render",
		Short: "Print the objects that a repository deploys",
		Long: `Render prints every object that the applications of a clone put into the cluster, in the order in which Argo CD applies them.
Objects that kro makes follow their instance. Each names the file that it comes from; what only the cluster knows is marked.

Objects are printed as they are: a Secret that is in the repository is in the output too. Findings go to standard error.

Exit codes:
  0  what this repository holds was rendered; a warning names every source that lies elsewhere
  1  the repository could not be read, or an application failed to render`,
		Example: `  lockkeeper render                                 # everything, from the files on disk
  lockkeeper render --app frontend-dev-app          # one application
  lockkeeper render --rev v1.2.0 --output json      # as it was at a tag`,
		Args: onlyFlags("app"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(o.output, "yaml", "json"); err != nil {
				return err
			}
			return o.within(cmd.Context(), env, func(c *checkout) error { return o.run(cmd.Context(), env, c) })
		},
	}
	o.flags(cmd)
	o.definitionFlags(cmd)
	cmd.Flags().StringSliceVar(&o.apps, "app", nil, "application to print; may be given several times (default: all)")
	cmd.Flags().StringVar(&o.rev, "rev", "", "revision to render (default: the files on disk)")
	cmd.Flags().StringVarP(&o.output, "output", "o", "yaml", "yaml or json")
	return cmd
}

func (o *renderOptions) run(ctx context.Context, env environment, c *checkout) error {
	repository, err := c.at(ctx, o.rev)
	if err != nil {
		return err
	}
	content, err := c.load(ctx, repository)
	if err != nil {
		return err
	}
	apps, err := chosen(content.Set.Applications, o.apps)
	if err != nil {
		return err
	}
	results, err := c.renderAll(ctx, repository, content.Set, apps)
	if err != nil {
		return err
	}
	c.progress.end()
	if err := o.print(env.out, results); err != nil {
		return err
	}
	findings := append(toFindings(advised(content.Set.Findings)), toFindings(c.elsewhere(content.Set, apps))...)
	for _, result := range results {
		findings = append(findings, resultFindings(result)...)
	}
	if err := printFindings(env.err, tidy(findings), env.colored(env.err)); err != nil {
		return err
	}
	return failure(results)
}

// chosen returns the applications with the given names, all when there are none.
func chosen(apps []argocd.Application, names []string) ([]argocd.Application, error) {
	if len(names) == 0 {
		return apps, nil
	}
	known := make([]string, len(apps))
	for i, app := range apps {
		known[i] = app.Name
	}
	var out []argocd.Application
	for _, name := range names {
		before := len(out)
		for _, app := range apps {
			if app.Name == name || app.Key() == name {
				out = append(out, app)
			}
		}
		if len(out) == before {
			return nil, fmt.Errorf("application %q does not exist: no Application or ApplicationSet of this repository makes it%s", name, suggestion(name, known))
		}
	}
	return out, nil
}

// suggestion says which names there are, the nearest first.
func suggestion(name string, known []string) string {
	if near, ok := promote.Nearest(name, known); ok {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	if len(known) == 0 {
		return "; it makes none"
	}
	return "; there are " + listing(slices.Sorted(slices.Values(known)))
}

// listing joins the first names and says how many more there are.
func listing(names []string) string {
	const most = 8
	switch {
	case len(names) == 0:
		return "nothing"
	case len(names) > most:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// renderAll renders applications in parallel and returns the results in their order.
func (c *checkout) renderAll(ctx context.Context, repository render.Repository, set render.Set, apps []argocd.Application) ([]render.Result, error) {
	results := make([]render.Result, len(apps))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, app := range apps {
		c.progress.step("rendering application %d of %d", i+1, len(apps))
		group.Go(func() error {
			results[i] = c.engine.Render(groupCtx, repository, set, app)
			return groupCtx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("render: %w", err)
	}
	return results, nil
}

// resultFindings are the findings of one application, without those about other repositories: these are told once for all.
func resultFindings(result render.Result) []promote.Finding {
	var found []promote.Finding
	for _, f := range result.Findings {
		if f.Code != codeElsewhere {
			found = append(found, toFinding(f))
		}
	}
	return found
}

// failure is the error for applications that did not render, or not as they would be deployed. What a cluster would refuse is
// rendered all the same; lint is there to judge it.
func failure(results []render.Result) error {
	var failed []string
	for _, result := range results {
		if result.Failed || slices.ContainsFunc(result.Findings, func(f render.Finding) bool { return f.Severity == render.Error && !check.Is(f) }) {
			failed = append(failed, result.Application.Name)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return &exitError{code: ci.ExitFailed, err: fmt.Errorf("%s failed to render: %s", count(len(failed), "application"), strings.Join(failed, ", "))}
}

func (o *renderOptions) print(w io.Writer, results []render.Result) error {
	if o.output == "json" {
		return printJSON(w, renderedJSON(results))
	}
	for _, result := range results {
		if err := printYAML(w, result); err != nil {
			return fmt.Errorf("print application %q: %w", result.Application.Name, err)
		}
	}
	return nil
}

// printYAML writes the objects of one application as YAML documents.
func printYAML(w io.Writer, result render.Result) error {
	var b bytes.Buffer
	for _, o := range applyOrder(result) {
		data, err := yamltext.Marshal(o.Fields)
		if err != nil {
			return fmt.Errorf("%s: %w", o.ID(), err)
		}
		fmt.Fprintf(&b, "---\n# Application: %s\n# Source: %s\n%s", visible(result.Application.Name), visible(sourceText(o.Source)), data)
	}
	_, err := w.Write(b.Bytes())
	return err
}

func sourceText(s object.Source) string {
	text := s.File
	if s.Line > 0 {
		text += fmt.Sprintf(":%d", s.Line)
	}
	if s.Via != "" {
		text += " via " + s.Via
	}
	return text
}

// rendered is the JSON form of one application.
type rendered struct {
	Name      string           `json:"name"`
	Namespace string           `json:"namespace,omitempty"` // of the destination
	Failed    bool             `json:"failed,omitempty"`
	Partial   bool             `json:"partial,omitempty"`
	Objects   []renderedObject `json:"objects"`
}

type renderedObject struct {
	File   string         `json:"file,omitempty"`
	Line   int            `json:"line,omitempty"`
	Via    string         `json:"via,omitempty"`
	Object map[string]any `json:"object"`
}

func renderedJSON(results []render.Result) any {
	apps := make([]rendered, len(results))
	for i, result := range results {
		apps[i] = rendered{
			Name: result.Application.Name, Namespace: result.Application.Destination.Namespace, Failed: result.Failed, Partial: result.Partial,
			Objects: []renderedObject{},
		}
		for _, o := range applyOrder(result) {
			apps[i].Objects = append(apps[i].Objects, renderedObject{File: o.Source.File, Line: o.Source.Line, Via: o.Source.Via, Object: o.Fields})
		}
	}
	return map[string]any{"applications": apps}
}
