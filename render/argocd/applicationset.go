package argocd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/finding"
)

type applicationSetManifest struct {
	manifest.Envelope
	Spec struct {
		GoTemplate        bool        `json:"goTemplate"`
		GoTemplateOptions []string    `json:"goTemplateOptions"`
		Generators        []yaml.Node `json:"generators"`
		Template          yaml.Node   `json:"template"`
		TemplatePatch     string      `json:"templatePatch"`
	} `json:"spec"`
}

// expansion makes the Applications of one ApplicationSet.
type expansion struct {
	in       Input
	doc      manifest.Document
	set      applicationSetManifest
	dialect  dialect
	apps     []Application
	findings []finding.Finding
}

func expand(ctx context.Context, in Input, doc manifest.Document) ([]Application, []finding.Finding) {
	e := &expansion{in: in, doc: doc}
	if err := manifest.DecodeKnown(doc, &e.set); err != nil {
		return nil, finding.FromError("invalid-application-set", err)
	}
	name := e.set.Metadata.Name
	e.dialect = newDialect(e.set.Spec.GoTemplate, e.set.Spec.GoTemplateOptions)
	switch {
	case name == "":
		return nil, finding.FromError("invalid-application-set", at(doc, "metadata", "the ApplicationSet has no metadata.name", "add one"))
	case len(e.set.Spec.Generators) == 0:
		e.report(finding.Error, "invalid-application-set", "spec", fmt.Sprintf("ApplicationSet %q has no generators, so it makes no application", name), "add one under spec.generators")
	case e.set.Spec.Template.Kind != yaml.MappingNode:
		e.report(finding.Error, "invalid-application-set", "spec", fmt.Sprintf("ApplicationSet %q has no spec.template", name), "add one")
		return nil, e.findings
	}
	if e.set.Spec.TemplatePatch != "" {
		e.report(finding.Warning, "not-evaluated-offline", "spec.templatePatch", "templatePatch cannot be evaluated offline yet: applications are shown without it", "")
	}
	if err := e.dialect.checkOptions(); err != nil {
		e.reportError("spec.goTemplateOptions", err)
		return nil, e.findings
	}
	for i := range e.set.Spec.Generators {
		e.generate(ctx, &e.set.Spec.Generators[i], fmt.Sprintf("spec.generators[%d]", i))
	}
	e.dropDuplicates()
	return e.apps, e.findings
}

func (e *expansion) report(severity finding.Severity, code, path, message, remedy string) {
	place := at(e.doc, path, message, remedy)
	e.findings = append(e.findings, finding.Finding{
		Severity: severity, Code: code, Message: message, Remedy: remedy, File: place.File, Line: place.Line, Column: place.Column,
	})
}

func (e *expansion) reportError(path string, err error) {
	if t, ok := errors.AsType[*templateError](err); ok {
		e.report(finding.Error, "invalid-template", path, err.Error(), t.remedy)
		return
	}
	if _, ok := errors.AsType[*manifest.Error](err); ok {
		e.findings = append(e.findings, finding.FromError("invalid-generator", err)...)
		return
	}
	e.report(finding.Error, "invalid-generator", path, err.Error(), "")
}

// generate evaluates one entry of spec.generators. A generator that fails does not keep the others from making theirs.
func (e *expansion) generate(ctx context.Context, n *yaml.Node, path string) {
	if n.Kind != yaml.MappingNode {
		e.report(finding.Error, "invalid-generator", path, "a generator is a mapping with one of "+strings.Join(generatorKinds, ", "), "")
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		kind, value := n.Content[i].Value, manifest.Resolve(n.Content[i+1])
		if kind == "selector" {
			continue
		}
		at := path + "." + kind
		sets, err := e.paramSets(ctx, kind, value, at)
		if err != nil {
			e.reportError(at, err)
			continue
		}
		_, selector := manifest.Child(n, "selector")
		sets, err = selectParams(e.doc, selector, sets)
		if err != nil {
			e.reportError(path+".selector", err)
			continue
		}
		_, own := manifest.Child(value, "template")
		template := mergeTemplates(own, &e.set.Spec.Template)
		for _, p := range sets {
			e.instantiate(ctx, template, p)
		}
	}
}

// paramSets evaluates one generator by kind. A generator that cannot be evaluated offline is a finding and no sets.
func (e *expansion) paramSets(ctx context.Context, kind string, n *yaml.Node, path string) ([]params, error) {
	switch kind {
	case "list":
		return e.dialect.listParams(e.doc, n)
	case "git":
		return e.gitParams(ctx, n, path)
	default:
		if slices.Contains(generatorKinds, kind) {
			e.report(finding.Warning, "not-evaluated-offline", path, "generator cannot be evaluated offline yet: "+kind, "its applications are not shown")
			return nil, nil
		}
		remedy := "known are " + strings.Join(generatorKinds, ", ")
		if near := manifest.Nearest(kind, generatorKinds); near != "" {
			remedy = fmt.Sprintf("did you mean %q?", near)
		}
		e.report(finding.Error, "invalid-generator", path, fmt.Sprintf("unknown generator %q", kind), remedy)
		return nil, nil
	}
}

func (e *expansion) gitParams(ctx context.Context, n *yaml.Node, path string) ([]params, error) {
	var spec gitSpec
	if err := decodeAt(e.doc, n, &spec); err != nil {
		return nil, err
	}
	switch {
	case !Ours(spec.RepoURL, e.in.RepoURLs):
		e.report(finding.Warning, "repository-elsewhere", path+".repoURL", fmt.Sprintf("generator reads %s, which is not this repository: its applications are not shown", spec.RepoURL), "if it is this repository, add the URL to those by which it is known")
		return nil, nil
	case !Serves(e.in.Revision, spec.Revision):
		e.report(finding.Warning, "revision-elsewhere", path+".revision", fmt.Sprintf("generator reads revision %q, not %q: its applications are not shown", spec.Revision, e.in.Revision), "")
		return nil, nil
	case len(spec.Directories) > 0:
		return e.dialect.directoryParams(ctx, e.in.Tree, spec)
	case len(spec.Files) > 0:
		e.report(finding.Warning, "not-evaluated-offline", path+".files", "generator cannot be evaluated offline yet: git files", "its applications are not shown")
		return nil, nil
	default:
		e.report(finding.Error, "invalid-generator", path, "git generator has neither directories nor files", "add directories: [{path: …}]")
		return nil, nil
	}
}

// instantiate fills the template with one parameter set and reads the result as an Application.
func (e *expansion) instantiate(ctx context.Context, template *yaml.Node, p params) {
	f := filler{ctx: ctx, dialect: e.dialect, params: p, file: e.doc.File}
	filled := template
	if len(p) > 0 {
		filled = f.node(template)
	}
	e.findings = append(e.findings, f.findings...)
	if f.failed {
		return
	}
	app, err := parseApplication(manifest.Document{File: e.doc.File, Line: e.doc.Line, Node: filled})
	if err != nil {
		e.findings = append(e.findings, finding.FromError("invalid-application", err)...)
		return
	}
	if strings.Contains(app.Name, "{{") {
		e.report(finding.Error, "invalid-application", "spec.template.metadata.name", fmt.Sprintf("application name %q still holds a template tag: Argo CD would not take it", app.Name), "")
		return
	}
	app.Namespace = e.set.Metadata.Namespace
	app.Origin = Origin{File: e.doc.File, Line: e.doc.Node.Line, ApplicationSet: e.set.Metadata.Name}
	e.apps = append(e.apps, app)
}

func (e *expansion) dropDuplicates() {
	seen := map[string]bool{}
	e.apps = slices.DeleteFunc(e.apps, func(a Application) bool {
		if !seen[a.Name] {
			seen[a.Name] = true
			return false
		}
		e.report(finding.Error, "duplicate-application", "spec.template.metadata.name",
			fmt.Sprintf("ApplicationSet %s contains applications with duplicate name: %s", e.set.Metadata.Name, a.Name), "make the template's name differ for every parameter set")
		return true
	})
}

// filler copies a template node with every string and key filled in.
type filler struct {
	ctx      context.Context //nolint:containedctx // lives for one template
	dialect  dialect
	params   params
	file     string
	findings []finding.Finding
	failed   bool
}

func (f *filler) node(n *yaml.Node) *yaml.Node {
	n = manifest.Resolve(n)
	out := *n
	if n.Kind == yaml.ScalarNode {
		if n.Tag == "!!str" && strings.Contains(n.Value, "{{") {
			out.Value = f.text(n)
			out.Style = yaml.DoubleQuotedStyle
		}
		return &out
	}
	out.Anchor = ""
	out.Content = make([]*yaml.Node, len(n.Content))
	for i, child := range n.Content {
		out.Content[i] = f.node(child)
	}
	return &out
}

func (f *filler) text(n *yaml.Node) string {
	text, err := f.dialect.fill(f.ctx, n.Value, f.params, func(tag string) {
		problem, remedy := missing(tag, f.params)
		f.add(finding.Warning, "unknown-template-parameter", n, problem, remedy)
	})
	if err != nil {
		f.failed = true
		remedy := ""
		if t, ok := errors.AsType[*templateError](err); ok {
			remedy = t.remedy
		}
		f.add(finding.Error, "invalid-template", n, err.Error(), remedy)
	}
	return text
}

func (f *filler) add(severity finding.Severity, code string, n *yaml.Node, message, remedy string) {
	f.findings = append(f.findings, finding.Finding{Severity: severity, Code: code, Message: message, Remedy: remedy, File: f.file, Line: n.Line, Column: n.Column})
}

// mergeTemplates fills the gaps of a generator's own template from the ApplicationSet's.
func mergeTemplates(own, common *yaml.Node) *yaml.Node {
	own, common = manifest.Resolve(own), manifest.Resolve(common)
	if own == nil || isZero(manifest.Free(own)) {
		return common
	}
	if own.Kind != yaml.MappingNode || common.Kind != yaml.MappingNode {
		return own
	}
	out := *own
	out.Content = slices.Clone(own.Content)
	for i := 0; i+1 < len(common.Content); i += 2 {
		key, value := common.Content[i], common.Content[i+1]
		at := -1
		for j := 0; j+1 < len(out.Content); j += 2 {
			if out.Content[j].Value == key.Value {
				at = j + 1
			}
		}
		if at < 0 {
			out.Content = append(out.Content, key, value)
		} else {
			out.Content[at] = mergeTemplates(out.Content[at], value)
		}
	}
	return &out
}
