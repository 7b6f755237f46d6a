package kro

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubernetes-sigs/kro/api/v1alpha1"
	"github.com/kubernetes-sigs/kro/pkg/graph/crd/compat"

	"github.com/lockkeeper/lockkeeper/render/finding"
)

// maxChanges bounds how much is said of one definition.
const maxChanges = 20

// Changes is what an update of definitions does beside changing what instances make.
type Changes struct {
	Findings []finding.Finding // what the API server or kro refuses, or would refuse without an annotation
	Defaults []DefaultChange   // fields whose default is another one
}

// Compare says what happens when the definitions of base become those of head in one cluster. Definitions are the same when
// their names are. Of those that kro would reject on one side only what needs no compiling is compared.
func Compare(base, head *Program) Changes {
	var out Changes
	for _, kind := range head.order {
		after := head.kinds[kind]
		before, renamed := base.before(after, head)
		switch {
		case before == nil || before.key == after.key:
		case renamed:
			out.Findings = append(out.Findings, after.takesOver(before))
		default:
			out.add(before, after)
		}
	}
	out.Findings = finding.Sort(out.Findings)
	return out
}

// before finds what a definition of head was: the one of its kind, which may have another name, else the one of its name.
func (p *Program) before(after *compiled, head *Program) (before *compiled, renamed bool) {
	if one, ok := p.kinds[after.definition.Kind]; ok {
		return one, one.definition.Name != after.definition.Name
	}
	for _, kind := range p.order {
		one := p.kinds[kind]
		if _, kept := head.kinds[kind]; !kept && one.definition.Name == after.definition.Name {
			return one, false
		}
	}
	return nil, false
}

// takesOver reports a definition whose kind another one defined before: kro's controller marks the kind with the name of the
// definition that made it, and touches no other's.
func (c *compiled) takesOver(before *compiled) finding.Finding {
	return c.definition.finding(finding.Warning, "renamed-definition",
		fmt.Sprintf("kind %s was defined by ResourceGraphDefinition %q and now by %q: kro leaves a kind to the definition that made it, and reports that it is owned by another one",
			c.definition.Kind.Kind, before.definition.Name, c.definition.Name),
		"keep the name, or remove the old definition and its CustomResourceDefinition, and with it every instance, before the new one comes", "metadata.name")
}

// add compares one definition with what it was.
func (out *Changes) add(before, after *compiled) {
	if fixed := after.immutable(before); fixed != nil {
		out.Findings = append(out.Findings, fixed...)
		return // the update never gets to kro
	}
	if before.graph == nil || after.graph == nil {
		return
	}
	report, err := compat.CompareVersions(before.graph.CRD.Spec.Versions, after.graph.CRD.Spec.Versions)
	if err != nil {
		return // both were made by the library itself, of one version each
	}
	out.Findings = append(out.Findings, after.breaking(report.BreakingChanges)...)
	for _, change := range report.NonBreakingChanges {
		// Where there was no default nothing was stored, so that the new one counts for all; {} only leads to defaults below.
		if change.ChangeType == compat.DefaultChanged && change.OldValue != "" && change.OldValue != "{}" {
			path := schemaPath(change)
			if path.of("spec") {
				out.Defaults = append(out.Defaults, DefaultChange{before: before, after: after, path: path, old: change.OldValue, new: change.NewValue})
			}
		}
	}
	slices.SortFunc(out.Defaults, func(a, b DefaultChange) int {
		return cmp.Or(cmp.Compare(a.after.definition.Name, b.after.definition.Name), cmp.Compare(a.path.String(), b.path.String()))
	})
}

// immutable reports the fields of a definition that the API server lets nobody change.
func (c *compiled) immutable(before *compiled) []finding.Finding {
	was, is := before.definition.Kind, c.definition.Kind
	var out []finding.Finding
	for _, field := range []struct{ name, was, is string }{
		{"kind", was.Kind, is.Kind}, {"apiVersion", was.Version, is.Version}, {"group", was.Group, is.Group}, {"scope", before.scope(), c.scope()},
	} {
		if field.was != field.is {
			out = append(out, c.definition.finding(finding.Error, "immutable-definition-field",
				fmt.Sprintf("the API server refuses the update of ResourceGraphDefinition %q: spec.schema.%s is immutable, and changes from %s to %s", c.definition.Name, field.name, field.was, field.is),
				"keep it, or give the definition another name, which makes it a new one beside the old one", "spec.schema."+field.name))
		}
	}
	return out
}

func (c *compiled) scope() string {
	if c.definition.namespaced() {
		return string(v1alpha1.ResourceScopeNamespaced)
	}
	return string(v1alpha1.ResourceScopeCluster)
}

// breaking reports changes of the schema for which kro refuses an update. The library lists them in random order.
func (c *compiled) breaking(changes []compat.Change) []finding.Finding {
	severity, code := finding.Error, "breaking-schema-change"
	message := fmt.Sprintf("kro refuses the update of ResourceGraphDefinition %q, because it breaks instances that exist: ", c.definition.Name)
	remedy := fmt.Sprintf("keep the field as it was, or, when every instance fits the new schema, annotate the definition with %s: \"true\"", v1alpha1.AllowBreakingChangesAnnotation)
	if c.definition.rgd.Annotations[v1alpha1.AllowBreakingChangesAnnotation] == "true" {
		severity = finding.Warning
		message = fmt.Sprintf("the update of ResourceGraphDefinition %q breaks instances that exist, which %s allows: ", c.definition.Name, v1alpha1.AllowBreakingChangesAnnotation)
		remedy = "check that every instance fits the new schema, and remove the annotation afterwards"
	}
	slices.SortFunc(changes, func(a, b compat.Change) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.ChangeType, b.ChangeType), cmp.Compare(a.OldValue, b.OldValue), cmp.Compare(a.NewValue, b.NewValue))
	})
	var out []finding.Finding
	for i, change := range changes {
		if i == maxChanges {
			out = append(out, c.definition.finding(severity, code, message+fmt.Sprintf("and %d more changes", len(changes)-i), remedy, "spec.schema"))
			break
		}
		path := schemaPath(change)
		out = append(out, c.definition.finding(severity, code, message+path.String()+": "+described(change), remedy, path.written()))
	}
	return out
}

// described is a change in the library's words, which calls every new property optional.
func described(change compat.Change) string {
	if change.ChangeType == compat.PropertyAdded {
		return "a required property was added, without a default"
	}
	text := change.Description()
	return strings.ToLower(text[:1]) + text[1:]
}
