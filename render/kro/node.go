package kro

import (
	"fmt"
	"slices"

	"github.com/google/cel-go/cel"
	"github.com/kubernetes-sigs/kro/pkg/graph"
	"github.com/kubernetes-sigs/kro/pkg/graph/fieldpath"
	"github.com/kubernetes-sigs/kro/pkg/graph/variable"
	"k8s.io/apiserver/pkg/cel/common"
)

// node is one resource of a definition with its expressions compiled.
type node struct {
	id         string
	kind       graph.NodeType
	namespaced bool
	depends    []string
	template   map[string]any
	schema     common.Schema
	fields     []fieldExpression
	include    []*expression
	forEach    []dimension
}

type fieldExpression struct {
	*expression
	descriptor variable.FieldDescriptor
}

type dimension struct {
	name string
	list *expression
}

// newNodes compiles the resources of a graph, in the order in which kro applies them.
func newNodes(g *graph.Graph) ([]*node, error) {
	shared, err := environment(g, nil)
	if err != nil {
		return nil, err
	}
	var nodes []*node
	for _, id := range g.TopologicalOrder {
		n, err := newNode(g, shared, id)
		if err != nil {
			return nil, fmt.Errorf("resource %q: %w", id, err)
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

func newNode(g *graph.Graph, env *cel.Env, id string) (*node, error) {
	from := g.Nodes[id]
	n := &node{
		id: id, kind: from.Meta.Type, namespaced: from.Meta.Namespaced, depends: from.Meta.Dependencies,
		template: from.Template.Object, schema: newFastSchema(g.ResourceSchemas[id]),
	}
	var iterators []string
	for _, d := range from.ForEach {
		iterators = append(iterators, d.Name)
	}
	if len(iterators) > 0 {
		var err error
		if env, err = environment(g, iterators); err != nil {
			return nil, err
		}
	}
	for _, v := range from.Variables {
		e, err := newExpression(env, v.Expression)
		if err != nil {
			return nil, err
		}
		n.fields = append(n.fields, fieldExpression{e, v.FieldDescriptor})
	}
	for _, include := range from.IncludeWhen {
		e, err := newExpression(env, include)
		if err != nil {
			return nil, err
		}
		n.include = append(n.include, e)
	}
	return n, n.addDimensions(env, from.ForEach)
}

func (n *node) addDimensions(env *cel.Env, dimensions []graph.ForEachDimension) error {
	for _, d := range dimensions {
		e, err := newExpression(env, d.Expression)
		if err != nil {
			return err
		}
		n.forEach = append(n.forEach, dimension{d.Name, e})
	}
	return nil
}

func (n *node) external() bool {
	return n.kind == graph.NodeTypeExternal || n.kind == graph.NodeTypeExternalCollection
}

func (n *node) collection() bool { return n.kind == graph.NodeTypeCollection }

// readsAnnotations reports whether a field reads the annotations of the instance, or all that is around them.
func (n *node) readsAnnotations() bool {
	path := []string{"metadata", "annotations"}
	return slices.ContainsFunc(n.fields, func(f fieldExpression) bool {
		return slices.ContainsFunc(f.reads, func(r read) bool { return r.root == graph.SchemaVarName && overlap(path, r.path) })
	})
}

// segments splits a path as kro writes it into names and anyIndex-like index elements.
func segments(path string) []string {
	parsed, err := fieldpath.Parse(path)
	if err != nil {
		return []string{path}
	}
	out := make([]string, len(parsed))
	for i, s := range parsed {
		if s.Index >= 0 {
			out[i] = fmt.Sprintf("[%d]", s.Index)
		} else {
			out[i] = s.Name
		}
	}
	return out
}
