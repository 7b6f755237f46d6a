package argocd

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// blueprint is the template of a generator, decoded once, so that a parameter set costs only the texts that it fills in.
type blueprint struct {
	template *yaml.Node
	texts    []*yaml.Node         // the values with tags, in the order of the template
	decoded  *applicationManifest // with the tags in its texts; nil when each instance has to be decoded by itself
}

func newBlueprint(file string, template *yaml.Node) *blueprint {
	b := &blueprint{template: template}
	if !b.collect(template) {
		return b
	}
	var m applicationManifest
	if err := manifest.DecodeKnown(manifest.Document{File: file, Line: template.Line, Node: template}, &m); err == nil {
		b.decoded = &m
	}
	return b
}

// collect finds the texts with tags. It returns false for a template whose keys have tags or where something else than
// plain text does: what that decodes to depends on what is filled in.
func (b *blueprint) collect(n *yaml.Node) bool {
	n = manifest.Resolve(n)
	if n.Kind == yaml.ScalarNode {
		if !tagged(n.Value) {
			return true
		}
		b.texts = append(b.texts, n)
		return n.Tag == "!!str"
	}
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			if child = manifest.Resolve(child); child.Kind != yaml.ScalarNode || tagged(child.Value) {
				return false
			}
			continue
		}
		if !b.collect(child) {
			return false
		}
	}
	return true
}

func tagged(text string) bool { return strings.Contains(text, "{{") }

// fill returns the manifest with the texts filled in, nil when they do not tell what it would be.
func (b *blueprint) fill(f *filler) *applicationManifest {
	filled := make(filling, len(b.texts))
	for _, n := range b.texts {
		text := f.text(n)
		if other, twice := filled[n.Value]; twice && other != text {
			return nil
		}
		filled[n.Value] = text
	}
	if f.failed {
		return nil
	}
	m := *b.decoded
	m.Metadata.Name = filled.text(m.Metadata.Name)
	m.Metadata.Namespace = filled.text(m.Metadata.Namespace)
	m.Metadata.Labels = filled.texts(m.Metadata.Labels)
	m.Metadata.Annotations = filled.texts(m.Metadata.Annotations)
	m.Spec = filled.spec(m.Spec)
	return &m
}

// filling maps a text with tags to what it becomes. What holds no tag is shared, not copied.
type filling map[string]string

func (f filling) text(text string) string {
	if !tagged(text) {
		return text
	}
	if filled, ok := f[text]; ok {
		return filled
	}
	return text
}

func (f filling) texts(m map[string]string) map[string]string {
	if !hasTags(m) {
		return m
	}
	out := make(map[string]string, len(m))
	for key, value := range m {
		out[key] = f.text(value)
	}
	return out
}

func hasTags(m map[string]string) bool {
	for _, value := range m {
		if tagged(value) {
			return true
		}
	}
	return false
}

func (f filling) list(texts []string) []string {
	if !slices.ContainsFunc(texts, tagged) {
		return texts
	}
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = f.text(text)
	}
	return out
}

// block fills a value as JSON has it.
func (f filling) block(m map[string]any) map[string]any {
	if m == nil {
		return nil
	}
	out := make(map[string]any, len(m))
	for key, value := range m {
		out[key] = f.value(value)
	}
	return out
}

func (f filling) value(v any) any {
	switch v := v.(type) {
	case string:
		return f.text(v)
	case map[string]any:
		return f.block(v)
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = f.value(item)
		}
		return out
	default:
		return v
	}
}

func (f filling) spec(s applicationSpec) applicationSpec {
	s.Project = f.text(s.Project)
	if s.Source != nil {
		s.Source = new(f.source(*s.Source))
	}
	s.Sources = slices.Clone(s.Sources)
	for i := range s.Sources {
		s.Sources[i] = f.source(s.Sources[i])
	}
	if s.SourceHydrator != nil {
		hydrator := *s.SourceHydrator
		hydrator.DrySource = f.source(hydrator.DrySource)
		for _, text := range []*string{
			&hydrator.SyncSource.RepoURL, &hydrator.SyncSource.TargetBranch, &hydrator.SyncSource.Path, &hydrator.HydrateTo.TargetBranch,
		} {
			*text = f.text(*text)
		}
		s.SourceHydrator = &hydrator
	}
	s.Destination = destinationSpec{
		Server: f.text(s.Destination.Server), Name: f.text(s.Destination.Name), Namespace: f.text(s.Destination.Namespace),
	}
	if s.SyncPolicy != nil {
		policy := *s.SyncPolicy
		policy.SyncOptions = f.list(policy.SyncOptions)
		s.SyncPolicy = &policy
	}
	return s
}

func (f filling) source(s sourceSpec) sourceSpec {
	s.RepoURL, s.Path, s.TargetRevision = f.text(s.RepoURL), f.text(s.Path), f.text(s.TargetRevision)
	s.Chart, s.Ref = f.text(s.Chart), f.text(s.Ref)
	s.Helm, s.Kustomize, s.Plugin = f.block(s.Helm), f.block(s.Kustomize), f.block(s.Plugin)
	if s.Directory != nil {
		directory := *s.Directory
		directory.Include, directory.Exclude = f.text(directory.Include), f.text(directory.Exclude)
		directory.Jsonnet = f.block(directory.Jsonnet)
		s.Directory = &directory
	}
	return s
}
