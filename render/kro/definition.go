package kro

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/kubernetes-sigs/kro/api/v1alpha1"
	k8s "k8s.io/apimachinery/pkg/runtime/schema"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/finding"
)

// Definition is one ResourceGraphDefinition as written.
type Definition struct {
	Name string
	Kind k8s.GroupVersionKind // the kind that it defines

	doc      manifest.Document
	rgd      *v1alpha1.ResourceGraphDefinition
	types    map[string]any    // spec.schema.types
	typed    bool              // types is what is written there
	findings []finding.Finding // from reading it; an error among them means that it cannot be compiled
}

// Makes lists the kinds of its resources.
func (d Definition) Makes() []k8s.GroupVersionKind { return d.uses() }

type definitionManifest struct {
	manifest.Envelope
	Spec struct {
		Schema *struct {
			Kind                     string         `json:"kind"`
			APIVersion               string         `json:"apiVersion"`
			Group                    string         `json:"group"`
			Scope                    string         `json:"scope"`
			Spec                     any            `json:"spec"`
			Types                    any            `json:"types"`
			Status                   any            `json:"status"`
			AdditionalPrinterColumns []any          `json:"additionalPrinterColumns"`
			ShortNames               []string       `json:"shortNames"`
			Categories               []string       `json:"categories"`
			Metadata                 map[string]any `json:"metadata"`
		} `json:"schema"`
		Resources []struct {
			ID          string              `json:"id"`
			Template    map[string]any      `json:"template"`
			ExternalRef map[string]any      `json:"externalRef"`
			ReadyWhen   []string            `json:"readyWhen"`
			IncludeWhen []string            `json:"includeWhen"`
			ForEach     []map[string]string `json:"forEach"`
		} `json:"resources"`
	} `json:"spec"`
}

// Read reads one ResourceGraphDefinition document. It returns false, and why, when not even the kind that it defines can
// be told.
func Read(doc manifest.Document) (Definition, []finding.Finding, bool) {
	d := Definition{doc: doc}
	var m definitionManifest
	if len(doc.Raw) > maxDefinition {
		return d, []finding.Finding{d.finding(finding.Error, "invalid-definition", fmt.Sprintf("the definition has more than %d bytes", maxDefinition), "split it", "")}, false
	}
	problems := manifest.Decode(doc, &m)
	for _, problem := range manifest.Errors(problems) {
		d.findings = append(d.findings, finding.FromError("invalid-definition", problem)...)
		if errors.Is(problem, manifest.ErrTwice) {
			twice := &d.findings[len(d.findings)-1]
			twice.Severity = finding.Warning // as for Argo CD and kubectl
			twice.Message += ": the last one counts"
		}
	}
	d.Name = m.Metadata.Name
	if m.Spec.Schema == nil {
		d.findings = append(d.findings, d.finding(finding.Error, "invalid-definition", fmt.Sprintf("ResourceGraphDefinition %q has no spec.schema", d.Name), "add one", "spec"))
		return d, d.findings, false
	}
	raw, err := sigsyaml.YAMLToJSON(doc.Raw)
	if err == nil {
		d.rgd = new(v1alpha1.ResourceGraphDefinition)
		err = json.Unmarshal(raw, d.rgd)
	}
	if err != nil || d.rgd.Spec.Schema == nil {
		if problems == nil {
			d.findings = append(d.findings, d.finding(finding.Error, "invalid-definition", fmt.Sprintf("not a ResourceGraphDefinition: %v", err), "", ""))
		}
		return d, d.findings, false
	}
	s := d.rgd.Spec.Schema
	if s.Group == "" {
		s.Group = Group // the API server fills in these two
	}
	if s.Scope == "" {
		s.Scope = v1alpha1.ResourceScopeNamespaced
	}
	d.Kind = k8s.GroupVersionKind{Group: s.Group, Version: s.APIVersion, Kind: s.Kind}
	if s.Kind == "" || s.APIVersion == "" {
		d.findings = append(d.findings, d.finding(finding.Error, "invalid-definition", "spec.schema needs both kind and apiVersion", "add them", "spec.schema"))
		return d, d.findings, false
	}
	if n := len(m.Spec.Resources); n > maxResources {
		d.findings = append(d.findings, d.finding(finding.Error, "definition-too-large",
			fmt.Sprintf("%sit has %d resources, more than the %d that are looked at", d.rejects(), n, maxResources), "split it", "spec.resources"))
	}
	d.types, d.typed = m.Spec.Schema.Types.(map[string]any)
	d.typed = d.typed || m.Spec.Schema.Types == nil
	return d, nil, true
}

func (d *Definition) namespaced() bool {
	return d.rgd == nil || d.rgd.Spec.Schema.Scope != v1alpha1.ResourceScopeCluster
}

// rejects begins every message about a definition that kro would not take.
func (d *Definition) rejects() string {
	return fmt.Sprintf("kro would reject ResourceGraphDefinition %q: ", d.Name)
}

func (d *Definition) line() int {
	if d.doc.Node != nil {
		return d.doc.Node.Line
	}
	return d.doc.Line
}

// finding places a finding at a path of the definition, or at the nearest place above it.
func (d *Definition) finding(severity finding.Severity, code, message, remedy, path string) finding.Finding {
	f := finding.Finding{Severity: severity, Code: code, Message: message, Remedy: remedy, File: d.doc.File, Line: d.line()}
	for path != "" {
		if key, _ := d.doc.Find(path); key != nil {
			f.Line, f.Column = key.Line, key.Column
			break
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return f
}

// again reports a definition of a kind that another one defines before it. A folder for every cluster, each with a copy of
// its own, is one way to get there.
func (d *Definition) again(first Definition) finding.Finding {
	message := fmt.Sprintf("kind %s is already defined by ResourceGraphDefinition %q in %s:%d, which counts here", d.Kind.Kind, first.Name, first.doc.File, first.line())
	if d.Name != first.Name {
		message += "; in one cluster kro leaves the kind to whoever defined it first"
	}
	return d.finding(finding.Warning, "duplicate-definition", message, "remove one of them, or name the one that counts in lockkeeper.yaml `definitions`", "spec.schema.kind")
}
