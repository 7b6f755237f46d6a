package kro

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kubernetes-sigs/kro/pkg/graph"
	k8s "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/cel/common"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/finding"
)

// compiled is one definition after kro's library took it, or why it did not.
type compiled struct {
	key        string
	definition Definition
	findings   []finding.Finding
	broken     string    // why kro would reject the definition, "" when it would not
	root       *compiled // the broken one that it builds on, nil when there is none

	graph *graph.Graph
	nodes []*node // in the order in which kro applies them

	schema           common.Schema // of instances, as expressions see them
	readsAnnotations bool          // of the instance
	unchecked        bool          // it uses kinds without a schema, or what uses them
	instance         *instanceKind
}

type compilation struct {
	engine      *Engine
	ctx         context.Context //nolint:containedctx // lives for one call of Compile
	version     Version
	definitions map[k8s.GroupVersionKind]Definition
	order       []k8s.GroupVersionKind
	done        map[k8s.GroupVersionKind]*compiled
	findings    []finding.Finding
}

// compile compiles the definition of one kind after those that it builds on. open are the kinds being compiled.
func (c *compilation) compile(kind k8s.GroupVersionKind, open []k8s.GroupVersionKind) *compiled {
	if one, ok := c.done[kind]; ok {
		return one
	}
	d := c.definitions[kind]
	one := &compiled{definition: d, findings: slices.Clone(d.findings)}
	if i := slices.Index(open, kind); i >= 0 {
		return one.reject("definition-cycle", fmt.Sprintf("definitions need each other: %s", kindNames(append(open[i:], kind))), "let one of them not use the other", "spec.resources")
	}
	if len(open) >= maxChain {
		return one.reject("definitions-too-deep", fmt.Sprintf("more than %d definitions build on one another", maxChain), "let them build on fewer", "spec.resources")
	}
	defined := map[k8s.GroupVersionKind]*compiled{}
	keys := []string{c.version.text, d.doc.File, strconv.Itoa(d.doc.Line), string(d.doc.Raw)}
	var broken []string
	for _, used := range d.uses() {
		if _, known := c.definitions[used]; !known {
			continue
		}
		inner := c.compile(used, append(slices.Clone(open), kind))
		if inner.broken != "" {
			one.root = cmp.Or(inner.root, inner)
			through := ""
			if one.root != inner {
				through = ", and that in the end on " + one.root.definition.Kind.Kind
			}
			broken = append(broken, fmt.Sprintf("it builds on %s%s, whose definition kro would reject: %s", used.Kind, through, one.root.broken))
			continue
		}
		defined[used] = inner
		keys = append(keys, inner.key)
	}
	one.key = digest(append(keys, broken...)...)
	if known, ok := c.engine.lookup(one.key); ok {
		c.done[kind] = known
		return known
	}
	c.done[kind] = one
	one.read(c.version)
	for _, why := range broken {
		one.reject("invalid-definition", why, "", "spec.resources")
	}
	if one.broken != "" {
		c.engine.remember(one)
		return one
	}
	if err := c.build(one, defined); err != nil {
		return one // the time ran out; the next attempt may do better
	}
	c.engine.remember(one)
	return one
}

// read takes the definition as a version of kro reads it.
func (c *compiled) read(v Version) {
	d := c.definition.under(v)
	d.findings = slices.Clone(d.findings)
	d.checkFields(v)
	c.definition, c.findings = d, d.findings
	for _, f := range c.findings {
		if f.Severity == finding.Error && c.broken == "" {
			c.broken = strings.TrimPrefix(f.Message, d.rejects())
		}
	}
}

func kindNames(kinds []k8s.GroupVersionKind) string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.Kind
	}
	return strings.Join(names, " -> ")
}

func (c *compiled) reject(code, message, remedy, path string) *compiled {
	c.broken = message
	c.findings = append(c.findings, c.definition.finding(finding.Error, code, c.definition.rejects()+message, remedy, path))
	return c
}

// uses lists the kinds of the definition's resources.
func (d *Definition) uses() []k8s.GroupVersionKind {
	var out []k8s.GroupVersionKind
	for i := range d.rgd.Spec.Resources {
		for _, part := range []string{"template", "externalRef"} {
			_, node := d.doc.Find(fmt.Sprintf("spec.resources[%d].%s", i, part))
			if node == nil {
				continue
			}
			_, apiVersion := manifest.Child(node, "apiVersion")
			_, kind := manifest.Child(node, "kind")
			if apiVersion == nil || kind == nil {
				continue
			}
			if gv, err := k8s.ParseGroupVersion(apiVersion.Value); err == nil {
				out = append(out, gv.WithKind(kind.Value))
			}
		}
	}
	return out
}

// build runs kro's builder. It returns an error only when the context ended first; then one is marked broken but must not
// be remembered.
func (c *compilation) build(one *compiled, defined map[k8s.GroupVersionKind]*compiled) error {
	v := &view{builtin: c.engine.schemas, defined: defined, unknown: map[k8s.GroupVersionKind]bool{}}
	ctx, cancel := context.WithTimeout(c.ctx, compileTimeout)
	defer cancel()
	done := make(chan *rejection, 1)
	built := &compiled{definition: one.definition}
	go func() { done <- built.buildOrExplain(v) }()
	select {
	case <-ctx.Done():
		one.reject("definition-timeout", fmt.Sprintf("compiling it did not end in time: %v", ctx.Err()), "make it smaller", "")
		return ctx.Err()
	case rejected := <-done:
		if rejected != nil {
			one.reject("invalid-definition", rejected.text, "", rejected.place())
			return nil
		}
	}
	one.graph, one.nodes, one.schema, one.instance, one.readsAnnotations = built.graph, built.nodes, built.schema, built.instance, built.readsAnnotations
	if c.version.before(withStrictTexts) {
		one.rejectConditions(c.version)
	}
	one.unchecked = len(v.unknown) > 0
	for _, inner := range defined {
		one.unchecked = one.unchecked || inner.unchecked
	}
	for _, gvk := range sortedKinds(v.unknown) {
		one.findings = append(one.findings, one.definition.finding(finding.Info, "no-schema",
			fmt.Sprintf("no schema for %s %s: the types of its fields are not checked", gvk.GroupVersion(), gvk.Kind), "", one.definition.resourceOf(gvk)))
	}
	return nil
}

func sortedKinds(set map[k8s.GroupVersionKind]bool) []k8s.GroupVersionKind {
	out := make([]k8s.GroupVersionKind, 0, len(set))
	for gvk := range set {
		out = append(out, gvk)
	}
	slices.SortFunc(out, func(a, b k8s.GroupVersionKind) int { return strings.Compare(a.String(), b.String()) })
	return out
}

func (c *compiled) buildOrExplain(v *view) *rejection {
	err := c.build(v)
	if err == nil {
		return nil
	}
	return new(c.diagnose(v, err))
}

func (c *compiled) build(v *view) (err error) {
	defer func() {
		// kro's builder panics on some definitions that its own API would not let in.
		if r := recover(); r != nil {
			err = fmt.Errorf("kro's builder gave up: %v", r)
		}
	}()
	builder, err := graph.NewBuilder(nil, nil, graph.WithSchemaResolver(v), graph.WithRESTMapper(v))
	if err != nil {
		return err
	}
	if c.graph, err = builder.NewResourceGraphDefinition(c.definition.rgd, builderConfig()); err != nil {
		return err
	}
	if c.instance, err = newInstanceKind(c.graph.CRD); err != nil {
		return err
	}
	c.schema = newFastSchema(c.graph.ResourceSchemas[graph.SchemaVarName])
	c.nodes, err = newNodes(c.graph)
	c.readsAnnotations = slices.ContainsFunc(c.nodes, (*node).readsAnnotations)
	return err
}

func (d *Definition) resourceOf(gvk k8s.GroupVersionKind) string {
	for i, used := range d.uses() {
		if used == gvk {
			return fmt.Sprintf("spec.resources[%d]", i)
		}
	}
	return ""
}
