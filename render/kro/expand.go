package kro

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/kubernetes-sigs/kro/api/v1alpha1"
	"go.yaml.in/yaml/v3"
	k8s "k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lockkeeper/lockkeeper/render/finding"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// Instance is what [Program.Expand] expands.
type Instance struct {
	Object    object.Object // required
	Namespace string        // where the instance goes when it does not say so itself
	// Annotations are those that whoever applies the instance adds to it, such as Argo CD's tracking id.
	Annotations map[string]string
	// Neighbor returns what is deployed beside the instance; nil when nothing is known of it.
	Neighbor func(object.ID) (object.Object, bool)
	// Written returns the node at a dotted path of the instance as it stands in its file, nil when there is none. It gives
	// findings their line; nil when there is no file.
	Written func(path string) *yaml.Node
}

// Expansion is what an instance makes.
type Expansion struct {
	Objects  []object.Object // in the order in which kro applies them, those of inner instances right behind them
	Findings []finding.Finding
	// Incomplete says that objects are missing because an instance could not be expanded; an error finding says why.
	Incomplete bool
}

// Defines reports whether a definition defines the object's kind.
func (p *Program) Defines(o object.Object) bool {
	_, ok := p.kinds[kindOf(o)]
	return ok
}

func kindOf(o object.Object) k8s.GroupVersionKind {
	gv, err := k8s.ParseGroupVersion(o.APIVersion())
	if err != nil {
		return k8s.GroupVersionKind{}
	}
	return gv.WithKind(o.Kind())
}

// Expand returns the objects that kro would make of an instance. What keeps it from doing so is a finding. The instance
// must be of a kind for which [Program.Defines] is true.
func (p *Program) Expand(ctx context.Context, in Instance) Expansion {
	x := &expander{program: p, ctx: ctx}
	x.expand(in, nil)
	x.out.Findings = finding.Sort(x.out.Findings)
	return x.out
}

type expander struct {
	program *Program
	ctx     context.Context //nolint:containedctx // lives for one expansion
	out     Expansion
}

func (x *expander) report(in Instance, pr problem) {
	f := finding.Finding{Severity: pr.severity, Code: pr.code, Message: pr.message, Remedy: pr.remedy, File: in.Object.Source.File, Line: in.Object.Source.Line}
	if node := in.written(pr.path); node != nil {
		f.Line, f.Column = node.Line, node.Column
	}
	x.out.Findings = append(x.out.Findings, f)
}

func (in Instance) written(path string) *yaml.Node {
	if in.Written == nil || path == "" {
		return nil
	}
	return in.Written(path)
}

// expand appends what one instance makes. open are the instances that it is inside of.
func (x *expander) expand(in Instance, open []string) {
	c := x.program.kinds[kindOf(in.Object)]
	id := in.Object.APIVersion() + " " + in.Object.ID().String()
	switch {
	case c == nil:
		return
	case c.broken != "":
		x.report(in, problem{severity: finding.Error, code: "invalid-definition", message: fmt.Sprintf("%s cannot be expanded: %s%s", in.Object.ID(), c.definition.rejects(), c.broken)})
		x.out.Incomplete = true
		return
	case slices.Contains(open, id):
		x.report(in, problem{severity: finding.Error, code: "definition-cycle", message: fmt.Sprintf("%s stands inside itself: it is not expanded", in.Object.ID())})
		x.out.Incomplete = true
		return
	case len(open) >= maxDepth:
		x.report(in, problem{severity: finding.Error, code: "definitions-too-deep", message: fmt.Sprintf("%s stands more than %d definitions deep: it is not expanded", in.Object.ID(), maxDepth)})
		x.out.Incomplete = true
		return
	}
	e, ok := x.admitted(c, in)
	if !ok {
		x.out.Incomplete = true
		return
	}
	for _, pr := range e.problems {
		x.report(in, pr)
	}
	x.suspended(in)
	for _, n := range c.nodes {
		if n.external() {
			continue // read, not applied
		}
		for _, one := range e.states[n.id].objects {
			x.copied(in, c, n, one)
			if len(x.out.Objects) >= maxObjects {
				x.report(in, problem{severity: finding.Error, code: "too-many-objects", message: fmt.Sprintf("%s makes more than %d objects: the rest is not shown", in.Object.ID(), maxObjects)})
				x.out.Incomplete = true
				return
			}
			child := object.Object{Fields: one.fields, Unknown: one.unknown, Source: object.Source{File: in.Object.Source.File, Line: in.Object.Source.Line, Via: via(in, c, n, one)}}
			x.out.Objects = append(x.out.Objects, child)
			if x.program.Defines(child) {
				x.expand(Instance{Object: child, Namespace: e.namespace, Neighbor: in.Neighbor}, append(slices.Clone(open), id))
			}
		}
	}
}

// suspended says that what an instance makes stays as it is for now.
func (x *expander) suspended(in Instance) {
	if value := annotations(in.Object.Fields)[v1alpha1.InstanceReconcileAnnotation]; value != nil {
		if text, ok := value.(string); ok && v1alpha1.IsReconcileSuspended(text) {
			x.report(in, problem{
				severity: finding.Info, code: "suspended-instance", path: "metadata.annotations",
				message: fmt.Sprintf("%s is suspended: kro changes nothing of what it makes, whatever is shown", in.Object.ID()),
				remedy:  "remove the annotation " + v1alpha1.InstanceReconcileAnnotation + " when it shall go on",
			})
		}
	}
}

// copied warns of objects that get annotations which somebody else wrote on the instance for its own use.
func (x *expander) copied(in Instance, c *compiled, n *node, one made) {
	for _, key := range slices.Sorted(maps.Keys(in.Annotations)) {
		if annotations(one.fields)[key] == in.Annotations[key] {
			x.out.Findings = append(x.out.Findings, c.definition.finding(finding.Warning, "copied-annotation",
				fmt.Sprintf("resource %q of ResourceGraphDefinition %q copies all annotations of its instance, also %s, which speaks of the instance alone", n.id, c.definition.Name, key),
				"copy those that are meant by their names", fmt.Sprintf("spec.resources[%d]", c.indexOf(n.id))))
		}
	}
}

func annotations(fields map[string]any) map[string]any {
	metadata, _ := fields["metadata"].(map[string]any)
	out, _ := metadata["annotations"].(map[string]any)
	return out
}

func via(in Instance, c *compiled, n *node, one made) string {
	text := "kro " + c.definition.Kind.Kind + "/" + n.id
	if in.Object.Source.Via != "" {
		text = in.Object.Source.Via + ", " + text
	}
	if one.note != "" {
		text += " " + one.note
	}
	return text
}

// admitted puts an instance through the API server's checks and evaluates it. It reports false when the API server would
// refuse it or the time ran out.
func (x *expander) admitted(c *compiled, in Instance) (*evaluation, bool) {
	fields := in.Object.Copy().Fields
	metadata, _ := fields["metadata"].(map[string]any)
	if metadata == nil {
		metadata = map[string]any{}
		fields["metadata"] = metadata
	}
	namespace, _ := metadata["namespace"].(string)
	if namespace == "" && c.definition.namespaced() && in.Namespace != "" {
		namespace = in.Namespace
		metadata["namespace"] = namespace
	}
	problems := c.instance.admit(x.ctx, fields, in.written)
	refused := false
	for _, pr := range problems {
		// A value that only the cluster knows has the wrong type for every field that is not text.
		refused = refused || pr.severity == finding.Error && len(in.Object.Unknown) == 0
		if pr.severity != finding.Error || len(in.Object.Unknown) == 0 {
			x.report(in, pr)
		}
	}
	if refused {
		return nil, false
	}
	if c.readsAnnotations {
		annotate(metadata, in.Annotations)
	}
	e := &evaluation{ctx: x.ctx, of: c, instance: fields, namespace: namespace, neighbor: in.Neighbor}
	for _, path := range in.Object.Unknown {
		e.unknowns = append(e.unknowns, segments(path))
	}
	if err := cmp.Or(contained(e.run), x.ctx.Err()); err != nil {
		x.report(in, problem{severity: finding.Error, code: "render-timeout", message: fmt.Sprintf("%s was not expanded: %v", in.Object.ID(), err)})
		return nil, false
	}
	return e, true
}

// annotate adds what others write on an instance, unless it says so itself.
func annotate(metadata map[string]any, more map[string]string) {
	all, ok := metadata["annotations"].(map[string]any)
	if !ok && len(more) > 0 {
		all = map[string]any{}
		metadata["annotations"] = all
	}
	for key, value := range more {
		if _, written := all[key]; !written {
			all[key] = value
		}
	}
}
