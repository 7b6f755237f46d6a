package check

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	v1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	k8s "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/directory"
	"github.com/lockkeeper/lockkeeper/render/finding"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// request is an object on its way into the cluster, as a policy sees it.
type request struct {
	attributes *admission.VersionedAttributes
	admission  *admissionv1.AdmissionRequest
	namespace  *corev1.Namespace // whose labels selectors look at, for a Namespace its own; nil for what is in none
	params     runtime.Object    // nil when the policy has none
	noSpace    bool              // the namespace is not in the repository: only its name is known
}

// nobody is an authorizer without opinion: who applies something is known to the cluster alone.
type nobody struct{}

// Authorize implements the authorizer's interface.
func (nobody) Authorize(context.Context, authorizer.Attributes) (authorizer.Decision, string, error) {
	return authorizer.DecisionNoOpinion, "", nil
}

// unknown returns the first thing asked for that is not known.
func (q request) unknown(asked []string) string {
	for _, ask := range asked {
		if ask == askUser || ask == askNamespace && q.noSpace {
			return ask
		}
	}
	return ""
}

// namespaceObject is the namespace as expressions see it: a Namespace itself is in none (apiserver's validating dispatcher).
func (q request) namespaceObject() *corev1.Namespace {
	if isNamespace(q.attributes.GetKind()) {
		return nil
	}
	return q.namespace
}

func isNamespace(kind k8s.GroupVersionKind) bool {
	return kind.Group == namespaceKind.Group && kind.Kind == namespaceKind.Kind
}

// decodeInto reads a manifest as the API server does, without refusing what it does not know.
func decodeInto(doc *manifest.Document, into any) error {
	fields, err := directory.Fields(*doc)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(fields)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	return json.Unmarshal(raw, into)
}

// policiesSkip are the kinds that no ValidatingAdmissionPolicy is asked about, so that none can lock itself in.
func policiesSkip(id object.ID) bool {
	return id.Group == admissionGroup && strings.Contains(id.Kind, "AdmissionPolicy")
}

// admission holds an object against the ValidatingAdmissionPolicies that are in force in its cluster.
func (r *run) admission(ctx context.Context, o object.Object) {
	id := o.ID()
	if policiesSkip(id) {
		return
	}
	for _, p := range r.rules.admissions {
		if !in(r.subject.Cluster, p.clusters) {
			continue
		}
		for _, b := range p.bindings {
			if ctx.Err() == nil && in(r.subject.Cluster, b.clusters) {
				r.bound(ctx, o, p, b)
			}
		}
	}
}

func in(cluster Cluster, clusters []string) bool {
	return len(clusters) == 0 || slices.Contains(clusters, cluster.ID)
}

// bound holds an object against a policy, as one binding puts it into force.
func (r *run) bound(ctx context.Context, o object.Object, p *admissionPolicy, b binding) {
	q := r.request(o)
	m := matching{request: q, labels: labelsOf(o.Fields)}
	if old, ok := r.old(o); ok {
		m.oldLabels = labelsOf(old.Fields)
	}
	constraints, resources := m.matches(p.spec.MatchConstraints), m.matches(b.spec.MatchResources)
	if constraints == no || resources == no {
		return
	}
	if constraints == untold || resources == untold {
		r.report(o, r.untold(p, fmt.Sprintf("the labels of namespace %q are not in this repository", o.ID().Namespace))...)
		return
	}
	params, missing := r.paramsOf(o, p, b)
	if missing != "" {
		r.report(o, r.untold(p, missing)...)
		return
	}
	for _, param := range params {
		if r.spent[p] >= maxCost {
			r.report(o, r.tooCostly(p)...)
			return
		}
		q.params = param
		decisions, cost := p.evaluate(ctx, q)
		r.spent[p] += cost
		for _, d := range decisions {
			if ctx.Err() == nil {
				r.report(o, r.decided(o, p, b, d)...)
			}
		}
	}
}

// untold says that a policy cannot be decided here, and why.
func (r *run) untold(p *admissionPolicy, why string) []problem {
	if wrong, ok := r.undecided(p.name, fmt.Sprintf("ValidatingAdmissionPolicy %s cannot be decided here: %s", p.name, why)); ok {
		return []problem{wrong}
	}
	return nil
}

// tooCostly says that a policy is not asked any more. It is an error because what it would have refused would pass.
func (r *run) tooCostly(p *admissionPolicy) []problem {
	wrong, ok := r.undecided(p.name+" costs", fmt.Sprintf("ValidatingAdmissionPolicy %s is not asked about this and what follows: it costs too much to ask it about all objects", p.name))
	if !ok {
		return nil
	}
	wrong.severity, wrong.code, wrong.remedy = finding.Error, CodeUnchecked, fmt.Sprintf("make the expressions of %s:%d cheaper, or its matchConstraints narrower", p.file, p.line)
	return []problem{wrong}
}

// decided turns a decision into what the binding's actions make of it.
func (r *run) decided(o object.Object, p *admissionPolicy, b binding, d decision) []problem {
	if d.unknown == "" && len(o.Unknown) > 0 {
		d.unknown = "values that only the cluster knows"
	}
	if d.unknown != "" {
		return r.untold(p, "it asks for "+d.unknown)
	}
	if d.failed {
		if p.spec.FailurePolicy != nil && *p.spec.FailurePolicy == v1.Ignore {
			return nil
		}
		d.message = "it could not be evaluated, which counts as refused: " + d.message
	}
	var out []problem
	for _, action := range b.spec.ValidationActions {
		one := problem{code: CodeAdmissionPolicy, remedy: fmt.Sprintf("change the object, or the policy in %s:%d", p.file, p.line)}
		switch action {
		case v1.Deny:
			one.severity, one.message = finding.Error, fmt.Sprintf("ValidatingAdmissionPolicy %s refuses it: %s", p.name, d.message)
		case v1.Warn:
			one.severity, one.message = finding.Warning, fmt.Sprintf("ValidatingAdmissionPolicy %s warns: %s", p.name, d.message)
		case v1.Audit:
			one.severity, one.message = finding.Info, fmt.Sprintf("ValidatingAdmissionPolicy %s notes: %s", p.name, d.message)
		default:
			continue
		}
		out = append(out, one)
	}
	return out
}

// request builds what a policy sees of an object.
func (r *run) request(o object.Object) request {
	id, kind := o.ID(), kindOf(o)
	plural, namespaced := r.resource(kind)
	resource := kind.GroupVersion().WithResource(plural)
	operation, options := admission.Create, runtime.Object(&metav1.CreateOptions{})
	current := &unstructured.Unstructured{Object: o.Fields}
	var before runtime.Object
	if old, ok := r.old(o); ok {
		operation, options = admission.Update, &metav1.UpdateOptions{}
		before = &unstructured.Unstructured{Object: old.Fields}
	}
	space := id.Namespace
	switch {
	case isNamespace(kind):
		space = id.Name // the API server has it so
	case !namespaced:
		space = ""
	}
	attributes := admission.NewAttributesRecord(current, before, kind, space, id.Name, resource, "", operation, options, false, &user.DefaultInfo{})
	q := request{attributes: &admission.VersionedAttributes{Attributes: attributes, VersionedKind: kind, VersionedObject: admission.NewLazyObject(current)}}
	if before != nil {
		q.attributes.VersionedOldObject.Set(before)
	}
	q.admission = cel.CreateAdmissionRequest(attributes, metav1.GroupVersionResource(resource), metav1.GroupVersionKind(kind))
	switch {
	case isNamespace(kind):
		q.namespace = namespaceFrom(id.Name, metadataOf(o.Fields))
	case namespaced && space != "":
		metadata, known := r.namespace(space)
		q.namespace, q.noSpace = namespaceFrom(space, metadata), !known
	}
	return q
}

// resource returns how a kind is called in the API, and whether it lives in namespaces.
func (r *run) resource(kind k8s.GroupVersionKind) (plural string, namespaced bool) {
	if known, ok := r.target.set.Resource(kind); ok {
		return known.Plural, known.Namespaced
	}
	for _, d := range r.definitions(kind.GroupKind()) {
		if plural, namespaced, ok := d.resource(); ok {
			return plural, namespaced
		}
	}
	return strings.ToLower(kind.Kind) + "s", true
}

// namespace returns the metadata of a namespace that the Application or the repository holds.
func (r *run) namespace(name string) (map[string]any, bool) {
	if metadata, ok := r.spaces[name]; ok {
		return metadata, true
	}
	metadata, ok := r.rules.namespaces[name]
	return metadata, ok
}

// spacesIn returns the metadata of the Namespaces among objects, by name.
func spacesIn(objects []object.Object) map[string]map[string]any {
	found := map[string]map[string]any{}
	for _, o := range objects {
		if o.Kind() == namespaceKind.Kind && o.APIVersion() == "v1" {
			found[o.ID().Name] = metadataOf(o.Fields)
		}
	}
	return found
}

// namespaceFrom is a Namespace as a policy sees it. Each has its name as a label.
func namespaceFrom(name string, metadata map[string]any) *corev1.Namespace {
	out := &corev1.Namespace{}
	out.Name = name
	out.Labels, out.Annotations = texts(metadata["labels"]), texts(metadata["annotations"])
	out.Labels[corev1.LabelMetadataName] = name
	return out
}

func metadataOf(fields map[string]any) map[string]any {
	metadata, _ := fields["metadata"].(map[string]any)
	return metadata
}

func labelsOf(fields map[string]any) map[string]string { return texts(metadataOf(fields)["labels"]) }

func texts(v any) map[string]string {
	out := map[string]string{}
	fields, _ := v.(map[string]any)
	for key, value := range fields {
		if text, ok := value.(string); ok {
			out[key] = text
		}
	}
	return out
}

// paramsOf returns the parameters of a policy for an object: one nil when it has none. missing says that they are not in the
// repository.
func (r *run) paramsOf(o object.Object, p *admissionPolicy, b binding) (params []runtime.Object, missing string) {
	kind, ref := p.spec.ParamKind, b.spec.ParamRef
	if kind == nil || ref == nil {
		return []runtime.Object{nil}, ""
	}
	space := cmp.Or(ref.Namespace, o.ID().Namespace)
	var selector labelMatcher
	if ref.Selector != nil {
		selector = matcherOf(ref.Selector)
	}
	for _, one := range r.candidates(*kind) {
		id := one.ID()
		if id.Namespace != "" && id.Namespace != space {
			continue
		}
		if ref.Name != "" && id.Name == ref.Name || ref.Name == "" && selector != nil && selector(labelsOf(one.Fields)) {
			params = append(params, &unstructured.Unstructured{Object: one.Fields})
			if ref.Name != "" {
				return params, ""
			}
		}
	}
	if len(params) > 0 || ref.ParameterNotFoundAction != nil && *ref.ParameterNotFoundAction == v1.AllowAction {
		return params, ""
	}
	return nil, fmt.Sprintf("its parameters, %s %s, are not in this repository", kind.Kind, ref.Name)
}

// candidates returns the objects of a kind of parameters that the Application or the repository holds.
func (r *run) candidates(kind v1.ParamKind) []object.Object {
	known, ok := r.params[kind]
	if !ok {
		for _, o := range slices.Concat(r.subject.Objects, r.rules.params) {
			if o.APIVersion() == kind.APIVersion && o.Kind() == kind.Kind {
				known = append(known, o)
			}
		}
		r.params[kind] = known
	}
	return known
}
