package kro

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/kubernetes-sigs/kro/api/v1alpha1"
	"github.com/kubernetes-sigs/kro/pkg/graph"
	"github.com/kubernetes-sigs/kro/pkg/graph/parser"
	"github.com/kubernetes-sigs/kro/pkg/simpleschema"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/lockkeeper/lockkeeper/render/finding"
)

// The versions of kro that changed what a definition may say, by its CRDs and release notes.
var (
	withForEach     = Version{"0.8", 0, 8, 0}
	withStrictTexts = Version{"0.9", 0, 9, 0} // templates of strings alone, no text behind markers, scopes, selectors
	withShortNames  = Version{"0.9.4", 0, 9, 4}
)

// under returns the definition as kro's library must see it to do what an older kro does, with what that one lacks among
// its findings.
//
// Before 0.9 the parts of a text template could be of any type and were printed; since then they must be strings. And words
// behind the last marker of a field were passed over; since then they are an error.
func (d Definition) under(v Version) Definition {
	if !v.before(newest) {
		return d
	}
	d.findings = append(slices.Clone(d.findings), d.lacking(v)...)
	if !v.before(withStrictTexts) {
		return d
	}
	d.rgd = d.rgd.DeepCopy()
	for _, r := range d.rgd.Spec.Resources {
		if r != nil {
			r.Template = rewritten(r.Template, printed)
		}
	}
	s := d.rgd.Spec.Schema
	s.Spec, s.Types, s.Status = rewritten(s.Spec, trimmed), rewritten(s.Types, trimmed), rewritten(s.Status, printed)
	return d
}

// lacking reports what the version has no word for. Its API server would drop the field without one.
func (d *Definition) lacking(v Version) []finding.Finding {
	var out []finding.Finding
	report := func(severity finding.Severity, since Version, path, what string) {
		if !v.before(since) {
			return
		}
		message := fmt.Sprintf("%s came with kro %s, and lockkeeper.yaml says that kro is %s", what, since, v)
		if severity == finding.Error {
			message = d.rejects() + message
		}
		out = append(out, d.finding(severity, "needs-newer-kro", message, "upgrade kro and kro.version, or leave it out", path))
	}
	s := d.rgd.Spec.Schema
	if s.Scope == v1alpha1.ResourceScopeCluster {
		report(finding.Error, withStrictTexts, "spec.schema.scope", "the scope of instances")
	}
	if s.Metadata != nil {
		report(finding.Warning, withForEach, "spec.schema.metadata", "metadata of the kind")
	}
	if len(s.ShortNames) > 0 {
		report(finding.Warning, withShortNames, "spec.schema.shortNames", "shortNames")
	}
	if len(s.Categories) > 0 {
		report(finding.Warning, withShortNames, "spec.schema.categories", "categories")
	}
	for i, r := range d.rgd.Spec.Resources {
		if r == nil {
			continue
		}
		at := fmt.Sprintf("spec.resources[%d]", i)
		if len(r.ForEach) > 0 {
			report(finding.Error, withForEach, at+".forEach", "forEach")
		}
		if r.ExternalRef == nil {
			continue
		}
		if selector := r.ExternalRef.Metadata.Selector.Raw; len(selector) > 0 {
			report(finding.Error, withStrictTexts, at+".externalRef.metadata.selector", "externalRef by selector")
			if selector[0] == '"' && !v.before(withStrictTexts) {
				report(finding.Error, withShortNames, at+".externalRef.metadata.selector", "a selector that is an expression")
			}
		}
	}
	return out
}

// rejectConditions rejects conditions over other resources, which came with kro 0.9; before, only the instance was seen there.
func (c *compiled) rejectConditions(v Version) {
	for _, n := range c.nodes {
		for _, condition := range n.include {
			if i := slices.IndexFunc(condition.refs, func(id string) bool { return id != graph.SchemaVarName }); i >= 0 && c.broken == "" {
				c.reject("needs-newer-kro", fmt.Sprintf("includeWhen of resource %q reads resource %q, which came with kro %s, and lockkeeper.yaml says that kro is %s",
					n.id, condition.refs[i], withStrictTexts, v), "upgrade kro and kro.version, or leave it out", fmt.Sprintf("spec.resources[%d].includeWhen", c.indexOf(n.id)))
			}
		}
	}
}

// rewritten changes every string value of a JSON document.
func rewritten(raw runtime.RawExtension, change func(string) string) runtime.RawExtension {
	var value any
	decoder := json.NewDecoder(bytes.NewReader(raw.Raw))
	decoder.UseNumber()
	if len(raw.Raw) == 0 || decoder.Decode(&value) != nil {
		return raw // kro's builder says what is wrong with it
	}
	out, err := json.Marshal(changedTexts(value, change))
	if err != nil {
		return raw
	}
	return runtime.RawExtension{Raw: out}
}

func changedTexts(value any, change func(string) string) any {
	switch v := value.(type) {
	case string:
		return change(v)
	case []any:
		for i, item := range v {
			v[i] = changedTexts(item, change)
		}
	case map[string]any:
		for key, item := range v {
			v[key] = changedTexts(item, change)
		}
	}
	return value
}

// printed wraps the parts of a text template in string(), which leaves strings as they are.
func printed(text string) string {
	if standalone, err := parser.IsStandaloneExpression(text); err != nil || standalone {
		return text
	}
	parts, err := parser.ExtractExpressions(text)
	if err != nil {
		return text
	}
	var b strings.Builder
	rest := text
	for _, part := range parts {
		before, after, _ := strings.Cut(rest, "${"+part+"}")
		b.WriteString(before + "${string(" + part + ")}")
		rest = after
	}
	b.WriteString(rest)
	return b.String()
}

// trimmed leaves out words behind the last marker of a field.
func trimmed(text string) string {
	const most = 100
	kind, markers, ok := strings.Cut(text, "|")
	if !ok {
		return text
	}
	for range most {
		if _, err := simpleschema.ParseMarkers(markers); err == nil {
			return kind + "|" + markers
		}
		cut := strings.LastIndexAny(strings.TrimRight(markers, " \t"), " \t")
		if cut < 0 || strings.ContainsAny(markers[cut:], `="`) {
			return text
		}
		markers = markers[:cut]
	}
	return text
}
