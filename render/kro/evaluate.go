package kro

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	celunstructured "github.com/kubernetes-sigs/kro/pkg/cel/unstructured"
	"github.com/kubernetes-sigs/kro/pkg/graph"
	"github.com/kubernetes-sigs/kro/pkg/graph/variable"
	"github.com/kubernetes-sigs/kro/pkg/runtime/resolver"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/cel/common"

	"github.com/lockkeeper/lockkeeper/render/finding"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// made is one object that an instance makes.
type made struct {
	fields  map[string]any
	unknown []string // paths with placeholders
	note    string   // condition or multiplicity that only the cluster knows, "" when there is none
}

// state is what is known of one resource while an instance is evaluated.
type state struct {
	ignored bool     // an includeWhen is false here or in what it depends on, so that it is not there
	opaque  bool     // nothing is known: it lives in the cluster, or how many there are is not known
	when    []string // conditions that only the cluster can answer, those of what it depends on first
	objects []made
	value   any // what expressions see, nil when opaque
}

// evaluation expands one instance of one definition.
type evaluation struct {
	ctx       context.Context //nolint:containedctx // lives for one expansion
	of        *compiled
	instance  map[string]any
	unknowns  [][]string // fields of the instance with placeholders
	namespace string
	neighbor  func(object.ID) (object.Object, bool) // nil when nothing is known of what stands beside the instance
	states    map[string]*state
	vars      map[string]any
	problems  []problem
}

// run evaluates every resource, in the order in which kro applies them.
func (e *evaluation) run() {
	c := e.of
	e.states, e.vars = map[string]*state{}, map[string]any{}
	visible := make(map[string]any, len(e.instance))
	for key, value := range e.instance {
		if key != "status" {
			visible[key] = value
		}
	}
	e.vars[graph.SchemaVarName] = wrap(visible, c.schema)
	for _, n := range c.nodes {
		s := e.node(n)
		e.states[n.id] = s
		if s.value != nil {
			e.vars[n.id] = s.value
		}
	}
}

func wrap(fields map[string]any, schema common.Schema) any {
	if schema == nil {
		return fields
	}
	return celunstructured.UnstructuredToVal(fields, schema)
}

func (e *evaluation) fail(n *node, code string, expr *expression, err error) {
	p := problem{severity: finding.Error, code: code}
	if code == neverReady {
		err = fmt.Errorf("the instance never becomes ready: %w", err)
		p.remedy = "set the field in the instance, or give it a default in the definition"
		p.path = e.absent(expr)
	}
	p.message = fmt.Sprintf("resource %q of ResourceGraphDefinition %q: %s: %v", n.id, e.of.definition.Name, expr.text, err)
	e.problems = append(e.problems, p)
}

// neverReady is the code of an instance that lacks a field for which kro waits forever.
const neverReady = "instance-never-ready"

// absent is the first field of the instance that an expression reads and that is not there.
func (e *evaluation) absent(expr *expression) string {
	for _, r := range expr.reads {
		if r.root == graph.SchemaVarName && !present(e.instance, r.path) {
			return strings.Join(r.path, ".")
		}
	}
	return ""
}

func (e *evaluation) node(n *node) *state {
	var when []string
	for _, id := range n.depends {
		dep := e.states[id]
		switch {
		case dep == nil:
		case dep.ignored:
			return &state{ignored: true}
		default:
			when = append(when, dep.when...)
		}
	}
	included, own := e.included(n)
	if !included {
		return &state{ignored: true}
	}
	when = unrepeated(append(when, own...))
	if n.external() {
		s := e.outside(n)
		s.when = when
		return s
	}
	s := e.objects(n)
	s.when = when
	if len(when) > 0 {
		for i := range s.objects {
			s.objects[i].note = strings.TrimSpace(s.objects[i].note + " if " + strings.Join(when, " and "))
		}
		s.opaque = true // whether it exists is not known, so nothing read from it is either
	}
	if !s.opaque {
		s.value = observed(n, s.objects)
	}
	return s
}

// outside is what is known of an object that the definition only reads: what the instance's own application deploys. Of
// those that a selector finds there may be more elsewhere.
func (e *evaluation) outside(n *node) *state {
	if e.neighbor == nil || n.kind != graph.NodeTypeExternal {
		return &state{opaque: true}
	}
	ref := object.Object{Fields: e.object(n, nil, false).fields}
	found, ok := e.neighbor(ref.ID())
	if !ok || found.APIVersion() != ref.APIVersion() {
		return &state{opaque: true}
	}
	objects := []made{{fields: found.Fields, unknown: found.Unknown}}
	return &state{objects: objects, value: observed(n, objects)}
}

func unrepeated(texts []string) []string {
	var out []string
	for _, text := range texts {
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}

// included evaluates includeWhen. It returns those conditions that only the cluster can answer.
func (e *evaluation) included(n *node) (included bool, when []string) {
	for _, expr := range n.include {
		if e.unknown(expr) {
			when = append(when, expr.text)
			continue
		}
		value, err := expr.eval(e.ctx, e.activation(expr, nil))
		if err != nil {
			e.fail(n, codeOf(err), expr, err)
			when = append(when, expr.text)
			continue
		}
		if truth, _ := value.(bool); !truth {
			return false, nil
		}
	}
	return true, when
}

func (e *evaluation) objects(n *node) *state {
	if !n.collection() {
		return &state{objects: []made{e.object(n, nil, false)}}
	}
	items, known := e.items(n)
	if !known {
		one := e.object(n, nil, true)
		one.note = "×?"
		return &state{objects: []made{one}, opaque: true}
	}
	s := &state{objects: []made{}}
	names := map[string]bool{}
	for _, item := range items {
		one := e.object(n, item, false)
		id := object.Object{Fields: one.fields}.ID().String()
		if names[id] {
			e.problems = append(e.problems, problem{severity: finding.Error, code: "invalid-instance", message: fmt.Sprintf("resource %q of ResourceGraphDefinition %q makes %s twice", n.id, e.of.definition.Name, id)})
			continue
		}
		names[id] = true
		s.objects = append(s.objects, one)
	}
	return s
}

// items evaluates forEach: every combination of the dimensions' items, the last dimension changing fastest.
func (e *evaluation) items(n *node) (items []map[string]any, known bool) {
	items = []map[string]any{{}}
	for _, d := range n.forEach {
		if e.unknown(d.list) {
			return nil, false
		}
		value, err := d.list.eval(e.ctx, e.activation(d.list, nil))
		if err != nil {
			e.fail(n, codeOf(err), d.list, err)
			return nil, false
		}
		list, ok := value.([]any)
		if !ok {
			e.fail(n, "expression-failed", d.list, errors.New("is not a list"))
			return nil, false
		}
		if size := len(items) * len(list); size > maxCollection {
			e.fail(n, "invalid-instance", d.list, fmt.Errorf("collection size of %d is over the maximum collection size of %d", size, maxCollection))
			return nil, false
		}
		var longer []map[string]any
		for _, item := range items {
			for _, value := range list {
				next := maps.Clone(item)
				next[d.name] = value
				longer = append(longer, next)
			}
		}
		items = longer
	}
	return items, true
}

func codeOf(err error) string {
	if isAbsent(err) {
		return neverReady
	}
	return "expression-failed"
}

// object fills in a resource's template. iterators holds the values of forEach's variables; with unknownItems they have
// none, and what reads them becomes a placeholder.
func (e *evaluation) object(n *node, iterators map[string]any, unknownItems bool) made {
	out := made{fields: runtime.DeepCopyJSON(n.template)}
	values := map[string]any{}
	var descriptors []variable.FieldDescriptor
	for _, f := range n.fields {
		value, known := e.value(n, f.expression, iterators, unknownItems)
		if !known {
			value = object.UnknownPrefix + ": " + f.text + "⟩"
			out.unknown = append(out.unknown, f.descriptor.Path)
		}
		values[f.original] = value
		descriptors = append(descriptors, f.descriptor)
	}
	summary := resolver.NewResolver(out.fields, values).Resolve(descriptors)
	for _, err := range summary.Errors {
		e.problems = append(e.problems, problem{severity: finding.Error, code: "expression-failed", message: fmt.Sprintf("resource %q of ResourceGraphDefinition %q: %v", n.id, e.of.definition.Name, err)})
	}
	slices.Sort(out.unknown)
	e.setNamespace(n, out.fields)
	return out
}

func (e *evaluation) value(n *node, expr *expression, iterators map[string]any, unknownItems bool) (any, bool) {
	if unknownItems && slices.ContainsFunc(n.forEach, func(d dimension) bool {
		return slices.ContainsFunc(expr.reads, func(r read) bool { return r.root == d.name })
	}) {
		return nil, false
	}
	if e.unknown(expr) {
		return nil, false
	}
	value, err := expr.eval(e.ctx, e.activation(expr, iterators))
	if err == nil {
		return value, true
	}
	if isAbsent(err) && e.readsOnlyInstance(expr, n) {
		e.fail(n, neverReady, expr, err)
	} else if !isAbsent(err) {
		e.fail(n, "expression-failed", expr, err)
	}
	return nil, false
}

func (e *evaluation) readsOnlyInstance(expr *expression, n *node) bool {
	return !slices.ContainsFunc(expr.reads, func(r read) bool {
		_, isNode := e.states[r.root]
		return isNode && r.root != n.id
	})
}

// activation is the variables that an expression may see.
func (e *evaluation) activation(expr *expression, iterators map[string]any) map[string]any {
	vars := make(map[string]any, len(expr.refs)+len(iterators)+1)
	maps.Copy(vars, iterators)
	for _, name := range append([]string{graph.SchemaVarName}, expr.refs...) {
		if value, ok := e.vars[name]; ok {
			vars[name] = value
		}
	}
	return vars
}

// setNamespace lets a namespaced object inherit the instance's namespace.
func (e *evaluation) setNamespace(n *node, fields map[string]any) {
	metadata, _ := fields["metadata"].(map[string]any)
	if !n.namespaced || metadata == nil {
		return
	}
	if ns, _ := metadata["namespace"].(string); ns != "" {
		return
	}
	if e.namespace == "" {
		e.problems = append(e.problems, problem{
			severity: finding.Error, code: "invalid-instance",
			message: fmt.Sprintf("resource %q of ResourceGraphDefinition %q is namespaced and has no namespace, and neither has the instance", n.id, e.of.definition.Name),
			remedy:  "set metadata.namespace in the instance or in the template",
		})
		return
	}
	metadata["namespace"] = e.namespace
}

// observed is what expressions of other resources see: the objects as if the cluster had taken them unchanged.
func observed(n *node, objects []made) any {
	list := make([]any, len(objects))
	for i, o := range objects {
		fields := o.fields
		if _, has := fields["status"]; !has {
			// An object without status would keep "x.status.?y" from taking its optional path.
			fields = maps.Clone(fields)
			fields["status"] = map[string]any{}
		}
		list[i] = wrap(fields, n.schema)
	}
	if n.collection() {
		return list
	}
	return list[0]
}
