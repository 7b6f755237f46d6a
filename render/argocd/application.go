// Package argocd reads Argo CD's Applications and ApplicationSets and says which Applications they make.
//
// It models the part of the types that decides what is deployed where; other fields are passed over, wrong types are
// reported with their place. It does not render sources: that is for the engines beside it.
//
// Rules follow Argo CD 3.6: applicationset/generators, applicationset/utils, pkg/apis/application/v1alpha1.
package argocd

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// Application is one Argo CD Application, written by hand or made by an ApplicationSet.
type Application struct {
	Name        string
	Namespace   string // where the Application object lives, "" when not written
	Project     string
	Labels      map[string]string
	Annotations map[string]string
	Sources     []Source  // at least one
	Hydrator    *Hydrator // nil for one that deploys its sources itself
	Destination Destination
	SyncPolicy  SyncPolicy
	Origin      Origin
}

// Source is one place that an Application takes manifests from.
type Source struct {
	RepoURL        string
	Path           string
	TargetRevision string
	Chart          string // Helm chart name; set means the source is a chart repository and Path counts for nothing
	Ref            string // name by which other sources take files from this one

	// The explicit blocks, nil when absent or empty, which Argo CD takes as absent.
	Directory *Directory
	Helm      map[string]any
	Kustomize map[string]any
	Plugin    map[string]any
}

// Directory says which files of a plain directory are manifests.
type Directory struct {
	Recurse bool
	Include string
	Exclude string
	Jsonnet map[string]any
}

// Destination is the cluster and namespace that an Application deploys to.
type Destination struct {
	Server    string
	Name      string
	Namespace string
}

// SyncPolicy says what Argo CD does by itself.
type SyncPolicy struct {
	Automated bool
	Prune     bool
	SelfHeal  bool
	Options   []string
}

// Origin is where an Application is written.
type Origin struct {
	File           string
	Line           int    // 0 for what a template makes
	ApplicationSet string // name of the ApplicationSet that makes it, "" when it is written by hand
}

// String prints "file:line", or the file alone for what a template makes.
func (o Origin) String() string {
	if o.Line == 0 {
		return o.File
	}
	return fmt.Sprintf("%s:%d", o.File, o.Line)
}

// AuthorizedStageKey is the annotation by which an Application lets Kargo stages touch it.
const AuthorizedStageKey = "kargo.akuity.io/authorized-stage"

// AuthorizedStage names one stage that may touch an Application.
type AuthorizedStage struct{ Project, Stage string }

// AuthorizedStages parses the annotation "project:stage[,project:stage…]", in order. It is empty when there is none. Parts
// that are not of that form are left out and returned as bad.
func (a Application) AuthorizedStages() (stages []AuthorizedStage, bad []string) {
	for part := range strings.SplitSeq(a.Annotations[AuthorizedStageKey], ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		project, stage, found := strings.Cut(part, ":")
		if !found || project == "" || stage == "" || strings.Contains(stage, ":") {
			bad = append(bad, part)
			continue
		}
		stages = append(stages, AuthorizedStage{Project: project, Stage: stage})
	}
	return stages, bad
}

// Key returns the application's identity: "namespace/name", or the name alone when no namespace is written.
func (a Application) Key() string {
	if a.Namespace == "" {
		return a.Name
	}
	return a.Namespace + "/" + a.Name
}

type applicationManifest struct {
	manifest.Envelope
	Spec applicationSpec `json:"spec"`
}

type applicationSpec struct {
	Project        string          `json:"project"`
	Source         *sourceSpec     `json:"source"`
	Sources        []sourceSpec    `json:"sources"`
	SourceHydrator *hydratorSpec   `json:"sourceHydrator"`
	Destination    destinationSpec `json:"destination"`
	SyncPolicy     *syncPolicySpec `json:"syncPolicy"`
}

type sourceSpec struct {
	RepoURL        string         `json:"repoURL"`
	Path           string         `json:"path"`
	TargetRevision string         `json:"targetRevision"`
	Chart          string         `json:"chart"`
	Ref            string         `json:"ref"`
	Directory      *directorySpec `json:"directory"`
	Helm           map[string]any `json:"helm"`
	Kustomize      map[string]any `json:"kustomize"`
	Plugin         map[string]any `json:"plugin"`
}

type directorySpec struct {
	Recurse bool           `json:"recurse"`
	Include string         `json:"include"`
	Exclude string         `json:"exclude"`
	Jsonnet map[string]any `json:"jsonnet"`
}

type destinationSpec struct {
	Server    string `json:"server"`
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
}

type syncPolicySpec struct {
	Automated *struct {
		Enabled  *bool `json:"enabled"`
		Prune    bool  `json:"prune"`
		SelfHeal bool  `json:"selfHeal"`
	} `json:"automated"`
	SyncOptions []string `json:"syncOptions"`
}

// parseApplication decodes one Application document and says what is missing in it.
func parseApplication(doc manifest.Document) (Application, error) {
	var m applicationManifest
	if err := manifest.DecodeKnown(doc, &m); err != nil {
		return Application{}, err
	}
	return m.application(doc)
}

// application is what the manifest says, with the document as the place of problems.
func (m *applicationManifest) application(doc manifest.Document) (Application, error) {
	app := Application{
		Name:        m.Metadata.Name,
		Namespace:   m.Metadata.Namespace,
		Project:     m.Spec.Project,
		Labels:      m.Metadata.Labels,
		Annotations: m.Metadata.Annotations,
		Hydrator:    m.Spec.SourceHydrator.hydrator(),
		Destination: Destination(m.Spec.Destination),
		Origin:      Origin{File: doc.File, Line: doc.Node.Line},
	}
	if app.Name == "" {
		return Application{}, at(doc, "metadata", "the Application has no metadata.name", "add one")
	}
	sources := m.Spec.sources()
	app.Sources = make([]Source, len(sources))
	for i, s := range sources {
		app.Sources[i] = s.normalize()
	}
	if len(app.Sources) == 0 {
		return Application{}, at(doc, "spec", fmt.Sprintf("Application %q has neither spec.source nor spec.sources", app.Name), "add one")
	}
	for i, s := range app.Sources {
		if s.RepoURL == "" {
			return Application{}, at(doc, "spec", fmt.Sprintf("source %d of Application %q has no repoURL", i+1, app.Name), "add one")
		}
	}
	if p := m.Spec.SyncPolicy; p != nil {
		app.SyncPolicy.Options = p.SyncOptions
		if a := p.Automated; a != nil && (a.Enabled == nil || *a.Enabled) {
			app.SyncPolicy.Automated, app.SyncPolicy.Prune, app.SyncPolicy.SelfHeal = true, a.Prune, a.SelfHeal
		}
	}
	return app, nil
}

// at makes an error at a path of a document, or at the document itself when the path does not exist.
func at(doc manifest.Document, path, problem, remedy string) *manifest.Error {
	e := &manifest.Error{File: doc.File, Line: doc.Line, Path: path, Problem: problem, Remedy: remedy}
	if doc.Node != nil {
		e.Line, e.Column = doc.Node.Line, doc.Node.Column
		if key, _ := doc.Find(path); key != nil {
			e.Line, e.Column = key.Line, key.Column
		}
	}
	return e
}

// sources picks what counts: sourceHydrator over sources over source.
func (s applicationSpec) sources() []sourceSpec {
	switch {
	case s.SourceHydrator != nil:
		return []sourceSpec{s.SourceHydrator.DrySource}
	case len(s.Sources) > 0:
		return s.Sources
	case s.Source != nil:
		return []sourceSpec{*s.Source}
	default:
		return nil
	}
}

func (s sourceSpec) normalize() Source {
	out := Source{
		RepoURL: s.RepoURL, Path: s.Path, TargetRevision: s.TargetRevision, Chart: s.Chart, Ref: s.Ref,
		Helm: nilIfEmpty(s.Helm), Kustomize: nilIfEmpty(s.Kustomize), Plugin: nilIfEmpty(s.Plugin),
	}
	if d := s.Directory; d != nil && (d.Recurse || d.Include != "" || d.Exclude != "" || len(nilIfEmpty(d.Jsonnet)) > 0) {
		out.Directory = &Directory{Recurse: d.Recurse, Include: d.Include, Exclude: d.Exclude, Jsonnet: nilIfEmpty(d.Jsonnet)}
	}
	return out
}

// nilIfEmpty drops a block in which nothing is set.
func nilIfEmpty(block map[string]any) map[string]any {
	if isZero(block) {
		return nil
	}
	return block
}

func isZero(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case map[string]any:
		return !slices.ContainsFunc(slices.Collect(maps.Values(v)), func(item any) bool { return !isZero(item) })
	case []any:
		return len(v) == 0
	case string:
		return v == ""
	case bool:
		return !v
	case int64:
		return v == 0
	}
	return false
}
