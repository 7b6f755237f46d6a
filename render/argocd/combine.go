package argocd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/finding"
)

// maxSets is how many parameter sets the generators of one ApplicationSet may make together, those in between included.
const maxSets = 50_000

// maxNested is how deep generators of generators may stand in one another.
const maxNested = 2

// errUnevaluated says that a generator cannot be evaluated, which was reported.
var errUnevaluated = errors.New("generator cannot be evaluated")

// lookup is what a generator looked up in the tree, besides the folders of a [walk]: the same again makes the same.
type lookup struct {
	dirs  *patterns // of folders
	files *patterns // of files, with their content
	in    *folders  // where they were looked for
	found []string
	ids   []string // of files
}

// same reports whether the tree still answers the same. A tree that cannot tell does not.
func (l lookup) same(ctx context.Context, f *folders) (bool, error) {
	if l.dirs != nil {
		found, err := f.match(ctx, *l.dirs)
		return err == nil && slices.Equal(found, l.found), err
	}
	found, err := f.files(ctx, *l.files)
	if err != nil || !slices.Equal(found, l.found) {
		return false, err
	}
	tree, ok := f.tree.(manifest.Identifier)
	if !ok {
		return false, nil
	}
	for i, name := range found {
		if id, err := tree.ObjectID(name); err != nil || id != l.ids[i] {
			return false, nil
		}
	}
	return true, nil
}

// sets evaluates the generators of one entry, with the selector beside them, to their parameter sets.
func (e *expansion) sets(ctx context.Context, entry *yaml.Node, path string) ([]params, error) {
	entry = manifest.Resolve(entry)
	if entry.Kind != yaml.MappingNode {
		e.report(finding.Error, "invalid-generator", path, "a generator is a mapping with one of "+strings.Join(generatorKinds, ", "), "")
		return nil, errUnevaluated
	}
	var kind string
	var node *yaml.Node
	for i := 0; i+1 < len(entry.Content); i += 2 {
		switch name := entry.Content[i].Value; {
		case name == "selector":
		case kind != "":
			e.report(finding.Error, "invalid-generator", path, fmt.Sprintf("an entry in a matrix or merge has one generator, and this one has %s and %s", kind, name), "make two entries of it")
			return nil, errUnevaluated
		default:
			kind, node = name, manifest.Resolve(entry.Content[i+1])
		}
	}
	if kind == "" {
		e.report(finding.Error, "invalid-generator", path, "an entry in a matrix or merge has one generator, and this one has none", "add one of "+strings.Join(generatorKinds, ", "))
		return nil, errUnevaluated
	}
	return e.selected(ctx, &generator{entry: entry, node: node, path: path, at: path + "." + kind}, kind)
}

// nest goes one generator deeper, into a matrix or merge; false means that Argo CD does not go there, which is reported.
func (e *expansion) nest(at string) bool {
	if e.nested++; e.nested > maxNested {
		e.report(finding.Error, "invalid-generator", at, "matrix and merge may stand in one another once, and this one stands deeper", "put what it makes into a list, or make two ApplicationSets")
	}
	return e.nested <= maxNested
}

// selected evaluates one generator and leaves out the sets that the selector beside it does not ask for.
func (e *expansion) selected(ctx context.Context, g *generator, kind string) ([]params, error) {
	out, err := e.setsOf(ctx, kind, g.node, g.at)
	if err != nil {
		return nil, err
	}
	selector, ok := e.selector(g)
	if !ok {
		return nil, errUnevaluated
	}
	out = slices.DeleteFunc(out, func(p params) bool { return !selector.selects(p) })
	if e.sum += len(out); e.sum > maxSets {
		e.report(finding.Error, "invalid-generator", g.path, fmt.Sprintf("the generators make more than %d parameter sets", maxSets), "split the ApplicationSet")
		return nil, errUnevaluated
	}
	return out, ctx.Err()
}

// setsOf evaluates one generator by kind. Only an error of the tree, or errUnevaluated, is returned.
func (e *expansion) setsOf(ctx context.Context, kind string, node *yaml.Node, at string) ([]params, error) {
	var out []params
	var err error
	switch kind {
	case "list":
		out, err = e.dialect.listParams(e.doc, node)
	case "clusters":
		out, err = e.clusters(ctx, node, at)
	case "git":
		var spec gitSpec
		if err = decodeAt(e.doc, node, &spec); err == nil {
			out, err = e.gitSets(ctx, spec, at)
		}
	case "matrix", "merge":
		err = errUnevaluated
		if e.nest(at) {
			out, err = e.combination(ctx, kind, node, at)
		}
		e.nested--
	case "clusterDecisionResource", "plugin", "pullRequest", "scmProvider":
		out, err = e.told(ctx, kind, node, at)
	default:
		e.unknown(kind, at)
		err = errUnevaluated
	}
	var path *fs.PathError
	switch {
	case err == nil, errors.Is(err, errUnevaluated), ctx.Err() != nil, errors.As(err, &path):
		return out, err
	}
	e.reportError(at, err)
	return nil, errUnevaluated
}

func (e *expansion) gitSets(ctx context.Context, spec gitSpec, at string) ([]params, error) {
	if len(spec.Directories)+len(spec.Files) == 0 {
		e.report(finding.Error, "invalid-generator", at, "git generator has neither directories nor files", "add directories: [{path: …}]")
		return nil, errUnevaluated
	}
	if e.isHere(spec) {
		return e.setsIn(ctx, e.folders, spec)
	}
	f, ok := e.elsewhere(ctx, spec, at)
	if !ok {
		return nil, errUnevaluated
	}
	out, err := e.setsIn(ctx, f, spec)
	if err == nil || ctx.Err() != nil || isWritten(err) {
		return out, err
	}
	// What cannot be read elsewhere does not keep this repository from being looked at.
	e.report(finding.Warning, "repository-elsewhere", at+".repoURL", fmt.Sprintf("generator reads %s: %v: its applications are not shown", ShownURL(spec.RepoURL), err), "")
	return nil, errUnevaluated
}

// isWritten reports whether an error is about what somebody wrote.
func isWritten(err error) bool {
	_, inFile := errors.AsType[*manifest.Error](err)
	_, inGenerator := errors.AsType[*generatorError](err)
	return inFile || inGenerator
}

// setsIn evaluates a git generator over a tree.
func (e *expansion) setsIn(ctx context.Context, f *folders, spec gitSpec) ([]params, error) {
	items := spec.Directories
	if len(items) == 0 {
		return e.fileSets(ctx, f, spec)
	}
	wanted, err := newPatterns(items)
	if err != nil {
		return nil, err
	}
	dirs, err := f.match(ctx, wanted)
	if err != nil {
		return nil, err
	}
	e.lookups = append(e.lookups, lookup{dirs: &wanted, in: f, found: dirs})
	out := make([]params, 0, len(dirs))
	for _, dir := range dirs {
		p, err := e.dialect.directoryParams(ctx, dir, spec, e.around)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func (e *expansion) combination(ctx context.Context, kind string, node *yaml.Node, at string) ([]params, error) {
	if kind == "matrix" {
		return e.matrix(ctx, node, at)
	}
	return e.merge(ctx, node, at)
}

type combinedSpec struct {
	Generators []yaml.Node `json:"generators"`
	MergeKeys  []string    `json:"mergeKeys"`
	Template   any         `json:"template"`
}

// matrix puts every parameter set of the first generator together with every one of the second, whose texts may use those of
// the first.
func (e *expansion) matrix(ctx context.Context, node *yaml.Node, at string) ([]params, error) {
	var spec combinedSpec
	if err := decodeAt(e.doc, node, &spec); err != nil {
		return nil, err
	}
	if len(spec.Generators) != 2 {
		e.report(finding.Error, "invalid-generator", at, fmt.Sprintf("a matrix has two generators, and this one %d", len(spec.Generators)), "nest a matrix in a matrix for more")
		return nil, errUnevaluated
	}
	first, err := e.sets(ctx, &spec.Generators[0], at+".generators[0]")
	if err != nil {
		return nil, err
	}
	var out []params
	for _, a := range first {
		f := &filler{ctx: ctx, dialect: e.dialect, params: a, file: e.doc.File}
		filled := f.entry(&spec.Generators[1])
		if f.failed {
			e.findings = append(e.findings, f.findings...)
			return nil, errUnevaluated
		}
		outer := e.around
		e.around = overlaid(outer, a)
		second, err := e.sets(ctx, filled, at+".generators[1]")
		e.around = outer
		if err != nil {
			return nil, err
		}
		for _, b := range second {
			both, err := e.dialect.joined(a, b)
			if err != nil {
				return nil, err
			}
			out = append(out, both)
		}
	}
	return out, nil
}

// entry is generator for a whole entry, whose selector Argo CD reads as it is written.
func (f *filler) entry(n *yaml.Node) *yaml.Node {
	out := f.generator(n, "")
	if out.Kind != yaml.MappingNode {
		return out
	}
	for i := 0; i+1 < len(out.Content); i += 2 {
		if written := manifest.Resolve(n); written.Content[i].Value == "selector" {
			out.Content[i+1] = written.Content[i+1]
		}
	}
	return out
}

// generator is node for a generator of the kind, without its own values, which are filled when its parameters are known too.
func (f *filler) generator(n *yaml.Node, kind string) *yaml.Node {
	n = manifest.Resolve(n)
	if n.Kind == yaml.ScalarNode {
		return f.node(n)
	}
	out := *n
	out.Anchor = ""
	out.Content = make([]*yaml.Node, len(n.Content))
	for i, child := range n.Content {
		below := kind
		if n.Kind == yaml.MappingNode && i%2 == 1 {
			below = n.Content[i-1].Value
			if below == "values" && valued(kind) {
				out.Content[i] = child
				continue
			}
		}
		out.Content[i] = f.generator(child, below)
	}
	return &out
}

// valued reports whether a generator has values of its own, which may use its parameters.
func valued(kind string) bool {
	return kind == "git" || kind == "clusters" || slices.Contains(FixtureKinds(), kind)
}

// merge lays the sets of later generators over those of the first that have the same merge keys. Sets that the first
// generator does not have are left out.
func (e *expansion) merge(ctx context.Context, node *yaml.Node, at string) ([]params, error) {
	var spec combinedSpec
	if err := decodeAt(e.doc, node, &spec); err != nil {
		return nil, err
	}
	switch {
	case len(spec.Generators) < 2:
		e.report(finding.Error, "invalid-generator", at, fmt.Sprintf("a merge has at least two generators, and this one %d", len(spec.Generators)), "")
		return nil, errUnevaluated
	case len(spec.MergeKeys) == 0:
		e.report(finding.Error, "invalid-generator", at, "a merge needs mergeKeys, by which its generators' parameters belong together", "add mergeKeys: [server]")
		return nil, errUnevaluated
	}
	var order []string
	merged := map[string]params{}
	for i := range spec.Generators {
		sets, err := e.sets(ctx, &spec.Generators[i], fmt.Sprintf("%s.generators[%d]", at, i))
		if err != nil {
			return nil, err
		}
		seen := map[string]bool{}
		for _, p := range sets {
			key := mergeKey(p, spec.MergeKeys)
			if seen[key] {
				return nil, fmt.Errorf("the parameters of generator %d are not unique by the merge keys %s: %s is there twice",
					i+1, strings.Join(spec.MergeKeys, ", "), key)
			}
			seen[key] = true
			switch base, known := merged[key]; {
			case i == 0:
				order = append(order, key)
				merged[key] = p
			case known && e.dialect.goTemplate:
				merged[key] = overlaid(base, p)
			case known:
				over := maps.Clone(base)
				maps.Copy(over, p)
				merged[key] = over
			}
		}
	}
	out := make([]params, len(order))
	for i, key := range order {
		out[i] = merged[key]
	}
	return out, nil
}

// combined evaluates a generator whose sets are not those of single folders, and makes an Application of each set.
func (e *expansion) combined(ctx context.Context, g *generator, kind string) error {
	sets, err := e.selected(ctx, g, kind)
	if errors.Is(err, errUnevaluated) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, p := range sets {
		e.findings = append(e.findings, e.instantiate(ctx, g.blueprint, p).findings...)
	}
	return nil
}
