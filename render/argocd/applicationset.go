package argocd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/internal/nearest"
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
	fleet    fleet
	folders  *folders
	doc      manifest.Document
	set      applicationSetManifest
	dialect  dialect
	known    *made // what the document made with other folders, nil when nothing is remembered
	apps     []Application
	findings []finding.Finding
	walks    []walk
	lookups  []lookup
	others   map[string]*folders // of what generators read elsewhere
	passing  bool                // one of them reads elsewhere
	sum      int                 // parameter sets made so far
	read     int                 // files read for them
	nested   int                 // generators of generators around the present one
	around   params              // of the generators around the present one, in a matrix
}

// expand fails only when the tree cannot be read, or with its context.
func (r *reader) expand(ctx context.Context, doc manifest.Document, known *made) (*made, error) {
	e := &expansion{in: r.in, fleet: r.fleet, folders: r.folders, doc: doc, known: known}
	if err := e.run(ctx); err != nil {
		return nil, err
	}
	out := &made{walks: e.walks, lookups: e.lookups, passing: e.passing, all: slices.Clip(e.apps), apps: e.withoutDuplicates()}
	out.findings = finding.Sort(e.findings)
	return out, nil
}

func (e *expansion) run(ctx context.Context) error {
	doc := e.doc
	if err := manifest.DecodeKnown(doc, &e.set); err != nil {
		e.findings = finding.FromError("invalid-application-set", err)
		return nil
	}
	name := e.set.Metadata.Name
	e.dialect = newDialect(e.set.Spec.GoTemplate, e.set.Spec.GoTemplateOptions)
	switch {
	case name == "":
		e.findings = finding.FromError("invalid-application-set", at(doc, "metadata", "the ApplicationSet has no metadata.name", "add one"))
		return nil
	case len(e.set.Spec.Generators) == 0:
		e.report(finding.Error, "invalid-application-set", "spec", fmt.Sprintf("ApplicationSet %q has no generators, so it makes no application", name), "add one under spec.generators")
	case e.set.Spec.Template.Kind != yaml.MappingNode:
		e.report(finding.Error, "invalid-application-set", "spec", fmt.Sprintf("ApplicationSet %q has no spec.template", name), "add one")
		return nil
	}
	if err := e.dialect.checkOptions(); err != nil {
		e.reportError("spec.goTemplateOptions", err)
		return nil
	}
	for i := range e.set.Spec.Generators {
		if err := e.generate(ctx, &e.set.Spec.Generators[i], fmt.Sprintf("spec.generators[%d]", i)); err != nil {
			return err
		}
	}
	return nil
}

func (e *expansion) report(severity finding.Severity, code, path, message, remedy string) {
	e.findings = append(e.findings, e.finding(severity, code, path, message, remedy))
}

func (e *expansion) finding(severity finding.Severity, code, path, message, remedy string) finding.Finding {
	place := at(e.doc, path, message, remedy)
	return finding.Finding{
		Severity: severity, Code: code, Message: message, Remedy: remedy, File: place.File, Line: place.Line, Column: place.Column,
	}
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
	if g, ok := errors.AsType[*generatorError](err); ok {
		e.report(finding.Error, "invalid-generator", path, err.Error(), g.remedy)
		return
	}
	e.report(finding.Error, "invalid-generator", path, err.Error(), "")
}

// generate evaluates one entry of spec.generators. A generator that fails does not keep the others from making theirs.
func (e *expansion) generate(ctx context.Context, n *yaml.Node, path string) error {
	if n.Kind != yaml.MappingNode {
		e.report(finding.Error, "invalid-generator", path, "a generator is a mapping with one of "+strings.Join(generatorKinds, ", "), "")
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		kind, value := n.Content[i].Value, manifest.Resolve(n.Content[i+1])
		if kind == "selector" {
			continue
		}
		_, own := manifest.Child(value, "template")
		g := &generator{entry: n, node: value, path: path, at: path + "." + kind}
		g.blueprint = newBlueprint(e.doc.File, mergeTemplates(own, &e.set.Spec.Template))
		if err := e.evaluate(ctx, g, kind); err != nil {
			return err
		}
	}
	return nil
}

// generator is one generator of an ApplicationSet.
type generator struct {
	entry     *yaml.Node // of spec.generators, which may have a selector too
	node      *yaml.Node // the generator's own mapping
	path, at  string     // of both
	blueprint *blueprint
}

// evaluate runs one generator by kind. One that cannot be evaluated offline is a finding and makes nothing.
func (e *expansion) evaluate(ctx context.Context, g *generator, kind string) error {
	switch kind {
	case "git":
		return e.git(ctx, g)
	default:
		return e.combined(ctx, g, kind)
	}
}

// unknown reports a generator that Argo CD does not know.
func (e *expansion) unknown(kind, at string) {
	remedy := "known are " + strings.Join(generatorKinds, ", ")
	if near := nearest.Of(kind, generatorKinds); near != "" {
		remedy = fmt.Sprintf("did you mean %q?", near)
	}
	e.report(finding.Error, "invalid-generator", at, fmt.Sprintf("unknown generator %q", kind), remedy)
}

// selector reads the selector beside a generator; false means that it is broken and was reported.
func (e *expansion) selector(g *generator) (selectorSpec, bool) {
	_, n := manifest.Child(g.entry, "selector")
	selector, err := parseSelector(e.doc, n)
	if err != nil {
		e.reportError(g.path+".selector", err)
	}
	return selector, err == nil
}

func (e *expansion) git(ctx context.Context, g *generator) error {
	var spec gitSpec
	if err := decodeAt(e.doc, g.node, &spec); err != nil {
		e.reportError(g.at, err)
		return nil
	}
	if len(spec.Directories) == 0 || !e.isHere(spec) {
		return e.combined(ctx, g, "git")
	}
	return e.directories(ctx, g, spec)
}

// isHere reports whether a git generator reads the tree: this repository, at the branch that the tree stands for.
func (e *expansion) isHere(spec gitSpec) bool {
	return Ours(spec.RepoURL, e.in.RepoURLs) && Serves(e.in.Revision, spec.Revision)
}

// elsewhere returns what a git generator reads that does not read the tree; false means that it cannot be had, which is reported.
func (e *expansion) elsewhere(ctx context.Context, spec gitSpec, at string) (*folders, bool) {
	e.passing = true
	key := fmt.Sprintf("%q %q", spec.RepoURL, spec.Revision)
	if known, ok := e.others[key]; ok {
		return known, true
	}
	told := finding.Finding{
		Severity: finding.Warning, Code: "repository-elsewhere", Message: fmt.Sprintf("generator reads %s, which is not this repository", ShownURL(spec.RepoURL)),
		Remedy: "if it is this repository, add the URL to those by which it is known",
	}
	place := at + ".repoURL"
	if Ours(spec.RepoURL, e.in.RepoURLs) {
		told.Code, told.Message, told.Remedy = "revision-elsewhere", fmt.Sprintf("generator reads revision %q, not %q", spec.Revision, e.in.Revision), ""
		place = at + ".revision"
	}
	if e.in.Elsewhere != nil {
		tree, err := e.in.Elsewhere(ctx, spec.RepoURL, spec.Revision)
		if err == nil {
			return e.other(key, tree), true
		}
		told = because(told, err)
	}
	e.report(told.Severity, told.Code, place, told.Message+": its applications are not shown", told.Remedy)
	return nil, false
}

// because adds why what a generator reads cannot be had. Argo CD does not find either what is not there.
func because(told finding.Finding, err error) finding.Finding {
	problem := err.Error()
	if m, ok := errors.AsType[*manifest.Error](err); ok {
		problem, told.Remedy = m.Problem, cmp.Or(m.Remedy, told.Remedy)
	}
	if errors.Is(err, fs.ErrNotExist) {
		told.Severity, told.Remedy = finding.Error, "correct repoURL or revision"
	}
	if problem != "" {
		told.Message += ": " + problem
	}
	return told
}

// other keeps a tree that is not the repository's, for the next time that a matrix asks for it.
func (e *expansion) other(key string, tree fs.FS) *folders {
	f := newFolders(tree, e.in.Memory)
	f.doublestar = e.folders.doublestar
	if e.others == nil {
		e.others = map[string]*folders{}
	}
	e.others[key] = f
	return f
}

// directories evaluates a git generator over folders. What is known of a folder is taken over.
func (e *expansion) directories(ctx context.Context, g *generator, spec gitSpec) error {
	wanted, err := newPatterns(spec.Directories)
	if err != nil {
		e.reportError(g.at, err)
		return nil
	}
	dirs, err := e.folders.match(ctx, wanted)
	if err != nil {
		return err
	}
	w := walk{at: g.at, patterns: wanted, dirs: dirs}
	known := e.known.instances(g.at)
	if sets, selector, ok := e.newParams(ctx, g, spec, dirs, known); ok {
		w.instances = make([]instance, len(dirs))
		for i, dir := range dirs {
			one, old := known[dir]
			switch p, isNew := sets[dir]; {
			case old:
				one = e.adopt(one)
			case isNew && selector.selects(p):
				one = e.instantiate(ctx, g.blueprint, p)
			default:
				one = instance{app: none}
			}
			w.instances[i] = one
			e.findings = append(e.findings, one.findings...)
		}
	}
	e.walks = append(e.walks, w)
	return nil
}

// newParams evaluates the parameters of the folders that are not known; false means that the generator is broken, which was
// reported.
func (e *expansion) newParams(
	ctx context.Context, g *generator, spec gitSpec, dirs []string, known map[string]instance,
) (map[string]params, selectorSpec, bool) {
	sets := map[string]params{}
	for _, dir := range dirs {
		if _, old := known[dir]; old {
			continue
		}
		p, err := e.dialect.directoryParams(ctx, dir, spec, nil)
		if err != nil {
			e.reportError(g.at, err)
			return nil, selectorSpec{}, false
		}
		sets[dir] = p
	}
	selector, ok := e.selector(g)
	return sets, selector, ok
}

// adopt takes an instance over from what is known.
func (e *expansion) adopt(one instance) instance {
	if one.app != none {
		e.apps = append(e.apps, e.known.all[one.app])
		one.app = len(e.apps) - 1
	}
	return one
}

// instantiate fills the template with one parameter set and reads the result as an Application.
func (e *expansion) instantiate(ctx context.Context, b *blueprint, p params) instance {
	f := &filler{ctx: ctx, dialect: e.dialect, params: p, file: e.doc.File}
	app, err := e.application(f, b)
	out := instance{app: none, findings: f.findings}
	switch {
	case f.failed:
		return out
	case err != nil:
		out.findings = append(out.findings, finding.FromError("invalid-application", err)...)
		return out
	case tagged(app.Name):
		out.findings = append(out.findings, e.finding(finding.Error, "invalid-application", "spec.template.metadata.name", fmt.Sprintf("application name %q still holds a template tag: Argo CD would not take it", app.Name), ""))
		return out
	}
	app.Namespace = e.set.Metadata.Namespace
	app.Destination = app.Destination.named()
	app = app.hydratedAt(e.in.Revision)
	app.Origin = Origin{File: e.doc.File, Line: e.doc.Node.Line, ApplicationSet: e.set.Metadata.Name}
	e.apps = append(e.apps, app)
	out.app = len(e.apps) - 1
	return out
}

// application fills in the decoded template where that is exact, else decodes the filled one, which also tells the places
// of what is wrong.
func (e *expansion) application(f *filler, b *blueprint) (Application, error) {
	if b.decoded != nil && len(f.params) > 0 && e.set.Spec.TemplatePatch == "" {
		m := b.fill(f)
		if f.failed {
			return Application{}, nil
		}
		if m != nil {
			if app, err := m.application(manifest.Document{File: e.doc.File, Line: e.doc.Line, Node: b.template}); err == nil {
				return app, nil
			}
		}
		f.findings = nil
	}
	filled := b.template
	if len(f.params) > 0 {
		filled = f.node(filled)
	}
	if e.set.Spec.TemplatePatch != "" && !f.failed {
		filled = e.patched(f, filled)
	}
	if f.failed {
		return Application{}, nil
	}
	return parseApplication(manifest.Document{File: e.doc.File, Line: e.doc.Line, Node: filled})
}

// withoutDuplicates returns the Applications without those of a name that came before, which it reports.
func (e *expansion) withoutDuplicates() []Application {
	seen := make(map[string]bool, len(e.apps))
	for _, app := range e.apps {
		seen[app.Name] = true
	}
	if len(seen) == len(e.apps) {
		return slices.Clip(e.apps)
	}
	clear(seen)
	var kept []Application
	for _, app := range e.apps {
		if !seen[app.Name] {
			seen[app.Name] = true
			kept = append(kept, app)
			continue
		}
		e.report(finding.Error, "duplicate-application", "spec.template.metadata.name",
			fmt.Sprintf("ApplicationSet %s contains applications with duplicate name: %s", e.set.Metadata.Name, app.Name), "make the template's name differ for every parameter set")
	}
	return kept
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
	if name := knownOnlyThere(text); name != "" {
		f.add(finding.Warning, "known-only-in-cluster", n, fmt.Sprintf("the server of cluster %q is not readable in this repository", name),
			fmt.Sprintf("write {name: %s, server: …} in lockkeeper.yaml under clusters", name))
	}
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
