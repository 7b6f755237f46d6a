package render

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"runtime"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"golang.org/x/sync/errgroup"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/argocd"
	"github.com/lockkeeper/lockkeeper/render/finding"
	"github.com/lockkeeper/lockkeeper/render/object"
)

const (
	// maxRounds is how deep Applications may deploy Applications.
	maxRounds = 10
	// maxRendered is how many Applications, ApplicationSets, AppProjects and definitions may be rendered together.
	maxRendered = 50_000
)

// declared are the manifests that say what is deployed: those that stand in the repository, and those that Applications
// render, the root applications of an app of apps.
type declared struct {
	applications []manifest.File
	definitions  []manifest.File
	rules        []manifest.Document // what objects are checked by, as it stands in the repository

	rendered int                    // manifests that Applications render
	roots    map[writtenAt][]string // the Applications that render what is written there
	unknown  map[string]bool        // Applications, by key, of which it is not known what they declare
}

// writtenAt is the place of a manifest, which for a rendered one is that of its template.
type writtenAt struct {
	file string
	line int
}

// rootsOf are the Applications that deploy an Application; nil for one that stands in the repository.
func (s Set) rootsOf(app *argocd.Application) []string {
	return s.roots[writtenAt{app.Origin.File, app.Origin.Line}]
}

// deepen adds what Applications render that says what else is deployed, until there is nothing new.
func (e *Engine) deepen(ctx context.Context, repo Repository, opts Options, fetch *fetching, standing declared) (Set, error) {
	set, err := e.assemble(ctx, repo, opts, fetch, standing)
	if err != nil {
		return Set{}, err
	}
	_, last := standing.with(nil)
	for round := 0; ; round++ {
		roots, err := e.roots(ctx, repo, opts, fetch, set)
		if err != nil {
			return Set{}, err
		}
		next, mark := standing.with(roots)
		switch {
		case mark == last:
			return set, nil
		case round == maxRounds || next.rendered > maxRendered:
			set.Findings = append(slices.Clone(set.Findings), endless())
			return set, nil
		}
		last = mark
		if set, err = e.assemble(ctx, repo, opts, fetch, next); err != nil {
			return Set{}, err
		}
	}
}

func endless() Finding {
	return Finding{
		Severity: finding.Error, Code: "applications-without-end",
		Message: fmt.Sprintf("Applications deploy Applications more than %d deep, or more than %d: not all are shown", maxRounds, maxRendered),
		Remedy:  "look for one that deploys itself under another name",
	}
}

// root is what one Application declares.
type root struct {
	key       string
	documents []manifest.Document
	inputs    []string // files of the repository that it is rendered from, unless they are deployed as they stand
	unknown   bool     // it could not be rendered, or not in full
}

// roots renders the Applications that may deploy what says what else is deployed, and no others.
func (e *Engine) roots(ctx context.Context, repo Repository, opts Options, fetch *fetching, set Set) ([]root, error) {
	found := make([]*root, len(set.Applications))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	made := set.made()
	both := slices.Concat(declaring, made)
	stands := &standing{urls: repo.URLs, looked: opts.Applications, borders: set.borders, ours: map[string]bool{}}
	for i := range set.Applications {
		app, look := &set.Applications[i], made
		if !stands.all(app) {
			look = both
		}
		if len(look) == 0 {
			continue
		}
		group.Go(func() error {
			declares, err := e.mayDeclare(groupCtx, repo, set, *app, fetch, look)
			if err != nil || !declares {
				return err
			}
			r := &rendering{engine: e, repo: repo, set: set, app: *app, fetch: fetch}
			result := r.run(groupCtx)
			if result.moves {
				fetch.passing.Store(true)
			}
			one, err := rootOf(app.Key(), result)
			found[i] = one
			return errors.Join(err, groupCtx.Err())
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var out []root
	for _, one := range found {
		if one != nil {
			out = append(out, *one)
		}
	}
	return out, nil
}

// standing tells which Applications deploy only what stands in files that are looked through anyway. It is not safe for
// concurrent use.
type standing struct {
	urls    []string
	looked  []string // Options.Applications
	borders *borders
	ours    map[string]bool // repository URLs seen
}

func (s *standing) all(app *argocd.Application) bool {
	for i := range app.Sources {
		if !s.source(&app.Sources[i]) {
			return false
		}
	}
	return true
}

func (s *standing) source(source *argocd.Source) bool {
	ours, known := s.ours[source.RepoURL]
	if !known {
		ours = argocd.Ours(source.RepoURL, s.urls)
		s.ours[source.RepoURL] = ours
	}
	if !ours || source.Chart != "" || source.Helm != nil || source.Kustomize != nil {
		return false
	}
	dir := path.Clean(source.Path)
	looked := len(s.looked) == 0 || slices.ContainsFunc(s.looked, func(at string) bool {
		at = path.Clean(strings.TrimPrefix(at, "/"))
		return at == "." || dir == at || strings.HasPrefix(dir, at+"/")
	})
	return looked && !s.borders.makes(dir)
}

// rootOf takes what a result declares; nil when it is nothing.
func rootOf(key string, r Result) (*root, error) {
	out := &root{key: key, unknown: r.Failed || r.Partial}
	for _, o := range r.Objects {
		if !declares(o) {
			continue
		}
		doc, err := document(o)
		if err != nil {
			return nil, err
		}
		out.documents = append(out.documents, doc)
		if o.Source.Via != "" {
			out.inputs = r.Inputs
		}
	}
	if len(out.documents) == 0 && !out.unknown {
		return nil, nil //nolint:nilnil // it is no root
	}
	return out, nil
}

// declares reports whether an object says what is deployed.
func declares(o object.Object) bool {
	id := o.ID()
	kind := manifest.Kind{Group: id.Group, Kind: id.Kind}
	if mark := manifest.Mark(kind); mark != "" {
		raw, err := json.Marshal(o.Fields)
		return err == nil && bytes.Contains(raw, []byte(mark))
	}
	return slices.Contains(manifest.ArgoCD(), kind) || slices.Contains(manifest.Kro(), kind)
}

// document is a rendered object as if it stood where it is rendered from.
func document(o object.Object) (manifest.Document, error) {
	raw, err := json.Marshal(o.Fields)
	if err != nil {
		return manifest.Document{}, fmt.Errorf("write %s: %w", o.ID(), err)
	}
	docs, err := manifest.Split(o.Source.File, raw)
	if err != nil || len(docs) != 1 {
		return manifest.Document{}, fmt.Errorf("read %s: %d documents: %w", o.ID(), len(docs), err)
	}
	doc := docs[0]
	doc.Line = o.Source.Line
	moveTo(doc.Node, o.Source.Line)
	return doc, nil
}

// moveTo gives all nodes of a document one line.
func moveTo(n *yaml.Node, line int) {
	n.Line, n.Column = line, 0
	for _, child := range n.Content {
		moveTo(child, line)
	}
}

// with adds what root applications declare, in place of the manifests that they are rendered from. The mark is equal for
// equal roots.
func (d declared) with(roots []root) (declared, string) {
	out := declared{rules: d.rules, roots: map[writtenAt][]string{}, unknown: map[string]bool{}}
	replaced := map[string]bool{}
	var prints []string
	for _, r := range roots {
		if r.unknown {
			out.unknown[r.key] = true
			prints = append(prints, "unknown "+r.key)
		}
		for _, input := range r.inputs {
			replaced[input] = true
		}
	}
	for _, file := range d.applications {
		if !replaced[file.Path] {
			out.applications = append(out.applications, file)
		}
	}
	for _, file := range d.definitions {
		if !replaced[file.Path] {
			out.definitions = append(out.definitions, file)
		}
	}
	seen := map[string]bool{}
	for _, r := range roots {
		for _, doc := range r.documents {
			prints = append(prints, r.key, doc.File, string(doc.Raw))
			at := writtenAt{doc.File, doc.Line}
			if !slices.Contains(out.roots[at], r.key) {
				out.roots[at] = append(out.roots[at], r.key)
			}
			id := doc.File + "\x00" + string(doc.Raw)
			if seen[id] {
				continue // two roots deploy the very same
			}
			seen[id] = true
			out.rendered++
			file := manifest.File{Path: doc.File, Documents: []manifest.Document{doc}}
			if slices.Contains(manifest.Kro(), doc.GroupKind()) {
				out.definitions = append(out.definitions, file)
			} else {
				out.applications = append(out.applications, file)
			}
		}
	}
	return out, digest(prints...)
}

// lost returns the Application that deploys one of base, when at head it is not known what it deploys.
func (c *comparing) lost(app *argocd.Application) (root string, lost bool) {
	for _, root := range c.before.rootsOf(app) {
		if c.after.unknown[root] {
			return root, true
		}
	}
	return "", false
}

// losses says of which Applications nothing is known.
func (c *comparing) losses() []Finding {
	var findings []Finding
	for _, app := range c.after.Applications {
		if n := c.lostBy[app.Key()]; n > 0 {
			findings = append(findings, Finding{
				Severity: finding.Warning, Code: "applications-unknown", Application: app.Name, File: app.Origin.File, Line: app.Origin.Line,
				Message: fmt.Sprintf("what it deploys could not be rendered in full, so what becomes of %d Applications that it deployed is not known", n),
				Remedy:  "correct what is said of it",
			})
		}
	}
	return findings
}
