package imageupdater

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/promote"
)

// application is one annotated Application, with what is found about it on the way.
type application struct {
	doc         manifest.Document
	name        string
	namespace   string
	at          promote.Position
	annotations map[string]annotation // by name without the prefix
	source      sourceManifest
	sourceKey   string           // where source stands, as a key of yaml-update
	sources     []sourceManifest // all of them
	findings    []promote.Finding
}

// applicationManifest is what counts of an Application.
type applicationManifest struct {
	Metadata struct {
		Name        string               `json:"name"`
		Namespace   string               `json:"namespace"`
		Annotations map[string]yaml.Node `json:"annotations"`
	} `json:"metadata"`
	Spec struct {
		Source         *sourceManifest  `json:"source"`
		Sources        []sourceManifest `json:"sources"`
		SourceHydrator *struct {
			DrySource sourceManifest `json:"drySource"`
		} `json:"sourceHydrator"`
	} `json:"spec"`
}

type sourceManifest struct {
	RepoURL        string          `json:"repoURL"`
	Path           string          `json:"path"`
	TargetRevision string          `json:"targetRevision"`
	Chart          string          `json:"chart"`
	Helm           *helmBlock      `json:"helm"`
	Kustomize      *kustomizeBlock `json:"kustomize"`
}

// helmBlock and kustomizeBlock hold what an Application, or a file that overrides it, says of versions.
type helmBlock struct {
	Parameters   []parameter `json:"parameters"`
	ValuesObject yaml.Node   `json:"valuesObject"`
}

type kustomizeBlock struct {
	Images []string `json:"images"`
}

type parameter struct {
	Name string `json:"name"`
}

// read decodes an Application. annotated is false when Image Updater has nothing to do with it.
func (l *loader) read(doc manifest.Document) (a *application, annotated bool) {
	var m applicationManifest
	err := manifest.DecodeKnown(doc, &m)
	a = &application{
		doc: doc, name: m.Metadata.Name, namespace: m.Metadata.Namespace, at: position(doc, doc.Node), annotations: map[string]annotation{},
	}
	_, mapping := doc.Find("metadata.annotations")
	for key, node := range m.Metadata.Annotations {
		if name, ours := strings.CutPrefix(key, prefix); ours {
			keyNode, _ := manifest.Child(mapping, key)
			a.annotate(name, keyNode, manifest.Resolve(&node))
		}
	}
	if _, annotated = a.annotations[imageList]; !annotated {
		return a, false
	}
	for _, e := range manifest.Errors(err) {
		a.report(promote.SeverityError, promote.Position{File: e.File, Line: e.Line, Column: e.Column}, "invalid-manifest", e.Problem, e.Remedy)
	}
	a.pickSource(m)
	return a, true
}

// annotate takes over one annotation.
func (a *application) annotate(name string, key, value *yaml.Node) {
	one := annotation{name: name, value: strings.TrimSpace(value.Value), at: position(a.doc, value), keyAt: position(a.doc, value)}
	if key != nil {
		one.keyAt = position(a.doc, key)
	}
	a.annotations[name] = one
	switch {
	case value.Kind != yaml.ScalarNode || value.Tag != "!!str":
		a.fail(one, "invalid-value", fmt.Sprintf("annotation %s is not a text", name), "write it in quotes: Kubernetes takes nothing else")
	case strings.Contains(one.value, "${") && !filters(name):
		a.fail(one, "invalid-value", fmt.Sprintf("annotation %s holds %q, which the steps of a stage would take for an expression", name, "${"), "leave it out")
	}
}

// pickSource picks the source that versions are written to, as Image Updater does: of several the first with a block for Helm
// or Kustomize, else the first.
func (a *application) pickSource(m applicationManifest) {
	switch spec := m.Spec; {
	case spec.SourceHydrator != nil:
		a.sources, a.sourceKey = []sourceManifest{spec.SourceHydrator.DrySource}, "spec.sourceHydrator.drySource"
	case len(spec.Sources) > 0:
		i := max(0, slices.IndexFunc(spec.Sources, func(s sourceManifest) bool { return s.Helm != nil || s.Kustomize != nil }))
		a.sources, a.sourceKey = spec.Sources, fmt.Sprintf("spec.sources.%d", i)
		a.source = spec.Sources[i]
	case spec.Source != nil:
		a.sources, a.sourceKey = []sourceManifest{*spec.Source}, "spec.source"
	default:
		a.report(promote.SeverityError, a.at, "missing-key", fmt.Sprintf("Application %q has neither spec.source nor spec.sources", a.name), "add one")
		return
	}
	if len(a.sources) == 1 {
		a.source = a.sources[0]
	}
	for _, source := range a.sources {
		for _, text := range []string{source.RepoURL, source.Path, source.TargetRevision} {
			if strings.Contains(text, "${") {
				a.report(promote.SeverityError, a.at, "invalid-value",
					fmt.Sprintf("%q in a source of Application %q would be taken for an expression by the steps of a stage", clip(text), a.name), "leave ${ out")
			}
		}
	}
}

// report notes a finding about the Application's stage.
func (a *application) report(severity promote.Severity, at promote.Position, code, message, remedy string) {
	a.findings = append(a.findings, promote.Finding{
		Severity: severity, Code: code, Position: at, Message: clip(message), Remedy: clip(remedy),
		Project: Project, Stage: promote.StageRef{Project: Project, Name: a.name},
	})
}

// fail notes an error in an annotation.
func (a *application) fail(at annotation, code, message, remedy string) {
	a.report(promote.SeverityError, at.at, code, message, remedy)
}

// unnamed takes from the findings the stage that cannot be, so that they stand in nobody's way.
func (a *application) unnamed() {
	for i := range a.findings {
		a.findings[i].Stage = promote.StageRef{}
		a.findings[i].Severity = min(a.findings[i].Severity, promote.SeverityWarning)
	}
}

// broken reports whether the stage must not be promoted to.
func (a *application) broken() bool {
	return slices.ContainsFunc(a.findings, func(f promote.Finding) bool { return f.Severity == promote.SeverityError })
}

// clip bounds a text that may quote what somebody wrote.
func clip(text string) string {
	const most = 1000
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// within makes a path of an Application one inside the repository; ok is false when it leaves it.
func within(name string) (cleaned string, ok bool) {
	cleaned = path.Clean(strings.TrimLeft(name, "/"))
	return cleaned, cleaned != ".." && !strings.HasPrefix(cleaned, "../") && !strings.ContainsAny(name, "\x00\\")
}
