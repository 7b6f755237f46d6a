package render

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/argocd"
	"github.com/lockkeeper/lockkeeper/render/check"
	"github.com/lockkeeper/lockkeeper/render/finding"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// definitionsAndRules finds the files with kro's definitions, and the documents that say what objects must be like. The latter
// are looked for everywhere; so are the former most of the time, and then one look is enough.
func (e *Engine) definitionsAndRules(ctx context.Context, repo Repository, opts Options) ([]manifest.File, []manifest.Document, error) {
	if len(opts.Definitions) > 0 {
		definitions, err := e.index.Scan(ctx, repo.Tree, manifest.Query{Kinds: manifest.Kro(), Paths: opts.Definitions})
		if err != nil {
			return nil, nil, fmt.Errorf("find definitions: %w", err)
		}
		rules, err := e.documents(ctx, repo.Tree, check.Kinds())
		return definitions, rules, err
	}
	files, err := e.index.Scan(ctx, repo.Tree, manifest.Query{Kinds: slices.Concat(manifest.Kro(), check.Kinds())})
	if err != nil {
		return nil, nil, fmt.Errorf("find definitions: %w", err)
	}
	var definitions []manifest.File
	var rules []manifest.Document
	for _, file := range files {
		own := manifest.File{Path: file.Path, Err: aboutDefinitions(file.Err)}
		for _, doc := range file.Documents {
			if slices.Contains(check.Kinds(), doc.GroupKind()) {
				rules = append(rules, doc)
			} else {
				own.Documents = append(own.Documents, doc)
			}
		}
		if own.Err != nil || len(own.Documents) > 0 {
			definitions = append(definitions, own)
		}
	}
	return definitions, rules, nil
}

// aboutDefinitions leaves out what is wrong with manifests that are no definitions: who deploys them tells it.
func aboutDefinitions(err error) error {
	if err == nil {
		return nil
	}
	var kept []error
	for _, one := range manifest.Errors(err) {
		if !slices.ContainsFunc(check.Kinds(), func(k manifest.Kind) bool { return k.Kind == one.Kind }) {
			kept = append(kept, one)
		}
	}
	return errors.Join(kept...)
}

// documents finds all documents of some kinds. What is wrong with a file is told by who deploys it.
func (e *Engine) documents(ctx context.Context, tree fs.FS, kinds []manifest.Kind) ([]manifest.Document, error) {
	files, err := e.index.Scan(ctx, tree, manifest.Query{Kinds: kinds})
	if err != nil {
		return nil, fmt.Errorf("find what objects are checked by: %w", err)
	}
	var docs []manifest.Document
	for _, file := range files {
		docs = append(docs, file.Documents...)
	}
	return docs, nil
}

// clustersOf lists the clusters of the Applications with a folder around a file, sorted.
func clustersOf(file string, apps []argocd.Application, repo Repository, known []argocd.Cluster) []string {
	var out []string
	for i := range apps {
		for _, s := range apps[i].Sources {
			dir := path.Clean(s.Path)
			if s.Chart == "" && (dir == "." || strings.HasPrefix(file, dir+"/")) && argocd.Ours(s.RepoURL, repo.URLs) {
				out = append(out, argocd.ClusterOf(apps[i].Destination, known))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// ruleKey is equal for equal rules.
func ruleKey(s Set) string {
	if s.rules == nil {
		return ""
	}
	return s.rules.Key()
}

// checked adds what the API server, policies and the repository's own rules hold against the objects of a render. base is what
// they replace; nil is not known.
func (r *rendering) checked(ctx context.Context, out Result, base *Result) Result {
	if r.set.rules == nil || out.Failed {
		return out
	}
	cluster, _ := argocd.FindCluster(r.app.Destination, r.set.clusters)
	subject := check.Subject{
		Application: r.app.Name, Objects: slices.Concat(out.Objects, out.Hooks), Elsewhere: r.set.program.Defines,
		Cluster: check.Cluster{ID: argocd.ClusterOf(r.app.Destination, r.set.clusters), Name: cmp.Or(r.app.Destination.Name, cluster.Name), Version: cluster.KubernetesVersion},
		Locate:  (&located{tree: r.repo.Tree, docs: map[string][]manifest.Document{}, program: r.set.program}).field,
	}
	out.Key = digest(out.Key, r.set.rules.KeyFor(subject.Cluster, subject.Objects))
	key := out.Key
	if base != nil {
		key = digest(out.Key, base.Key)
		subject.Old = among(base.Objects)
	}
	found, known := r.engine.checked.Get(key)
	if !known {
		found = r.set.rules.Check(ctx, subject)
		if err := ctx.Err(); err != nil {
			// An error: otherwise a change passes that brings a policy which takes too long.
			found = append(found, Finding{
				Severity: finding.Error, Code: check.CodeUnchecked, Message: fmt.Sprintf("checking what it deploys did not end in time: %v", err),
				Remedy: "make its policies cheaper, or the application smaller",
			})
		} else {
			r.engine.checked.Put(key, found, 1+len(found))
		}
	}
	out.Findings = slices.Concat(out.Findings, found)
	return out
}

// among finds objects by their identity.
func among(objects []object.Object) func(object.ID) (object.Object, bool) {
	byID := make(map[object.ID]object.Object, len(objects))
	for _, o := range objects {
		byID[o.ID()] = o
	}
	return func(id object.ID) (object.Object, bool) {
		o, ok := byID[id]
		return o, ok
	}
}

// brought returns what is to be said of head when base was there before: findings of checks that base has, too, are not the
// change's doing, and only counted. What cannot be rendered is told every time.
func brought(base, head Result) []Finding {
	type identity struct{ code, message string }
	before := map[identity]bool{}
	for _, f := range base.Findings {
		if check.Is(f) {
			before[identity{f.Code, f.Message}] = true
		}
	}
	var out []Finding
	known := 0
	for _, f := range head.Findings {
		if check.Is(f) && before[identity{f.Code, f.Message}] {
			known++
			continue
		}
		out = append(out, f)
	}
	if known == 0 {
		return head.Findings
	}
	text := fmt.Sprintf("%d problems of what it deploys were there before", known)
	if known == 1 {
		text = "one problem of what it deploys was there before"
	}
	origin := head.Application.Origin
	return finding.Sort(append(out, Finding{
		Severity: finding.Info, Code: "known-problems", Message: text, Remedy: "lockkeeper lint lists them", File: origin.File, Line: origin.Line, Application: head.Application.Name,
	}))
}

// field finds where a field of an object is written, or what is around it: in the object's own file, in the template of a kro
// definition, else in the file that made the object.
func (l *located) field(o object.Object, at check.Path) (file string, line, column int) {
	file, line = o.Source.File, o.Source.Line
	if l.program != nil {
		if definition, template, ok := l.program.Template(o.Source.Via); ok {
			node := follow(template, at)
			return definition, node.Line, node.Column
		}
	}
	if o.Source.Via == "Kustomize" {
		return kustomizationIn(l.tree, file), line, 0
	}
	if o.Source.Via != "" {
		return file, line, 0
	}
	if node := l.root(o); node != nil && len(at) > 0 {
		if found := follow(node, at); found != node {
			return file, found.Line, found.Column
		}
	}
	return file, line, 0
}

// follow goes along a path as far as it is written, and returns the key or value where it ends.
func follow(node *yaml.Node, at check.Path) *yaml.Node {
	found := node
	for _, step := range at {
		node = manifest.Resolve(node)
		switch {
		case step.Key != "":
			key, value := manifest.Child(node, step.Key)
			if value == nil {
				return found
			}
			found, node = value, value
			if value.Kind != yaml.ScalarNode {
				found = key
			}
		case node.Kind == yaml.SequenceNode && step.Index >= 0 && step.Index < len(node.Content):
			node = node.Content[step.Index]
			found = node
		default:
			return found
		}
	}
	return found
}

func kustomizationIn(tree fs.FS, dir string) string {
	for _, name := range []string{"kustomization.yaml", "kustomization.yml", "Kustomization"} {
		if info, err := fs.Stat(tree, path.Join(dir, name)); err == nil && info.Mode().IsRegular() {
			return path.Join(dir, name)
		}
	}
	return dir
}
