package check

import (
	"fmt"
	"slices"
	"strings"

	k8s "k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/finding"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// Kinds lists the kinds of manifests that say what other objects must be like.
func Kinds() []manifest.Kind {
	return []manifest.Kind{definitionKind, policyKind, bindingKind}
}

// Sources is what a commit holds that says what objects must be like.
type Sources struct {
	Documents []manifest.Document // of [Kinds]
	// Find returns the documents of more kinds: of Namespaces and parameters, where policies ask for them.
	Find func(kinds []manifest.Kind) ([]manifest.Document, error)
	// Clusters returns the clusters that a file is deployed to, by [Cluster.ID]; none means that it is not known, and counts as
	// everywhere.
	Clusters func(file string) []string
	Options  Options
}

// Rules is what objects of one commit are held against. It is safe for concurrent use.
type Rules struct {
	checker     *Checker
	options     Options
	definitions map[k8s.GroupKind][]*definition
	admissions  []*admissionPolicy
	own         []*policy
	namespaces  map[string]map[string]any // metadata by name
	params      []object.Object
	key         string // of all but the definitions
	all         string
}

// Rules reads what a commit holds. What is wrong with its policies is a finding. It fails only when Find does.
func (c *Checker) Rules(s Sources) (*Rules, []finding.Finding, error) {
	r := &Rules{checker: c, options: s.Options, definitions: map[k8s.GroupKind][]*definition{}, namespaces: map[string]map[string]any{}}
	var admission []manifest.Document
	var defined []string
	for i := range s.Documents {
		doc := &s.Documents[i]
		if d, ok := definitionOf(doc); ok {
			known := r.definitions[d.kind]
			if !slices.ContainsFunc(known, func(other *definition) bool { return other.key == d.key }) {
				r.definitions[d.kind] = append(known, d)
				defined = append(defined, d.key)
			}
		} else if kind := doc.GroupKind(); kind == policyKind || kind == bindingKind {
			admission = append(admission, *doc)
		}
	}
	findings := r.admit(s, admission)
	more, err := r.find(s)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range s.Options.Policies {
		compiled, err := compilePolicy(p)
		if err != nil {
			continue // told where the settings are read
		}
		r.own = append(r.own, compiled)
	}
	r.key = r.digest(append(admission, more...), s.Clusters)
	slices.Sort(defined)
	r.all = digest([]byte(r.key), []byte(strings.Join(defined, "\n")))
	return r, findings, nil
}

// find reads the Namespaces and parameters that the policies ask for.
func (r *Rules) find(s Sources) ([]manifest.Document, error) {
	kinds := r.needs()
	if len(kinds) == 0 || s.Find == nil {
		return nil, nil
	}
	docs, err := s.Find(kinds)
	if err != nil {
		return nil, err
	}
	for _, doc := range docs {
		fields, ok := manifest.Free(doc.Node).(map[string]any)
		if !ok {
			continue
		}
		o := object.Object{Fields: fields, Source: object.Source{File: doc.File, Line: doc.Line}}
		if doc.GroupKind() == namespaceKind {
			metadata, _ := fields["metadata"].(map[string]any)
			r.namespaces[o.ID().Name] = metadata
		}
		r.params = append(r.params, o)
	}
	return docs, nil
}

func (r *Rules) digest(docs []manifest.Document, clusters func(string) []string) string {
	parts := [][]byte{fmt.Appendf(nil, "%+v", r.options)}
	for _, doc := range docs {
		parts = append(parts, fmt.Appendf(nil, "%s:%d", doc.File, doc.Line), doc.Raw) // remedies name the place
		if clusters != nil {
			parts = append(parts, fmt.Appendf(nil, "%q", clusters(doc.File)))
		}
	}
	return digest(parts...)
}

// Key is equal for equal rules.
func (r *Rules) Key() string { return r.all }

// KeyFor is equal when the rules say the same about the objects in a cluster. It tells apart less than [Rules.Key]: a
// CustomResourceDefinition that none of the objects is of does not matter.
func (r *Rules) KeyFor(cluster Cluster, objects []object.Object) string {
	parts := [][]byte{[]byte(r.key), fmt.Appendf(nil, "%q", cluster)}
	seen := map[k8s.GroupKind]bool{}
	var used []string
	for _, o := range objects {
		kind := kindOf(o).GroupKind()
		if seen[kind] {
			continue
		}
		seen[kind] = true
		for _, d := range r.definitions[kind] {
			used = append(used, d.key)
		}
	}
	slices.Sort(used)
	return digest(append(parts, []byte(strings.Join(used, "\n")))...)
}

// AsksForOld reports whether it matters what stood in the cluster before.
func (r *Rules) AsksForOld() bool {
	return len(r.admissions) > 0 || slices.ContainsFunc(r.own, func(p *policy) bool { return strings.Contains(p.Rule, "oldObject") })
}
