package check

import (
	"slices"
	"strings"

	v1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// matching decides whether a policy is about a request (apiserver/pkg/admission/plugin/policy/matching).
type matching struct {
	request           request
	labels, oldLabels map[string]string
}

// verdict is yes, no, or that it cannot be told.
type verdict int

const (
	no verdict = iota
	yes
	untold
)

// matches decides about both what a policy and what its binding is about. Nothing at all is everything.
func (m matching) matches(r *v1.MatchResources) verdict {
	if r == nil {
		return yes
	}
	if !m.selected(r.ObjectSelector) || m.anyRule(r.ExcludeResourceRules) || len(r.ResourceRules) > 0 && !m.anyRule(r.ResourceRules) {
		return no
	}
	return m.inNamespace(r.NamespaceSelector)
}

// selected reports whether the object, or what it replaces, has the labels.
func (m matching) selected(selector *metav1.LabelSelector) bool {
	if selector == nil {
		return true
	}
	match := matcherOf(selector)
	return match(m.labels) || m.oldLabels != nil && match(m.oldLabels)
}

// inNamespace decides by the labels of the object's namespace. Objects outside of namespaces match always.
func (m matching) inNamespace(selector *metav1.LabelSelector) verdict {
	if selector == nil || m.request.namespace == nil || len(selector.MatchLabels)+len(selector.MatchExpressions) == 0 {
		return yes
	}
	known := matcherOf(onlyNames(selector, m.request.noSpace))
	switch {
	case !known(m.request.namespace.Labels):
		return no
	case m.request.noSpace && !namesOnly(selector):
		return untold
	}
	return yes
}

// nameLabel is the one label that every namespace has.
const nameLabel = corev1.LabelMetadataName

func namesOnly(selector *metav1.LabelSelector) bool {
	for key := range selector.MatchLabels {
		if key != nameLabel {
			return false
		}
	}
	return !slices.ContainsFunc(selector.MatchExpressions, func(e metav1.LabelSelectorRequirement) bool { return e.Key != nameLabel })
}

// onlyNames leaves of a selector what can be decided by the namespace's name, where nothing else is known of it.
func onlyNames(selector *metav1.LabelSelector, only bool) *metav1.LabelSelector {
	if !only {
		return selector
	}
	out := &metav1.LabelSelector{MatchLabels: map[string]string{}}
	if value, ok := selector.MatchLabels[nameLabel]; ok {
		out.MatchLabels[nameLabel] = value
	}
	for _, e := range selector.MatchExpressions {
		if e.Key == nameLabel {
			out.MatchExpressions = append(out.MatchExpressions, e)
		}
	}
	return out
}

type labelMatcher func(map[string]string) bool

// matcherOf returns what a selector selects; one that is wrong selects nothing.
func matcherOf(selector *metav1.LabelSelector) labelMatcher {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return func(map[string]string) bool { return false }
	}
	return func(set map[string]string) bool { return parsed.Matches(labels.Set(set)) }
}

func (m matching) anyRule(rules []v1.NamedRuleWithOperations) bool {
	return slices.ContainsFunc(rules, m.rule)
}

func (m matching) rule(r v1.NamedRuleWithOperations) bool {
	a := m.request.attributes.Attributes
	resource := a.GetResource()
	operation := slices.ContainsFunc(r.Operations, func(o v1.OperationType) bool { return o == v1.OperationAll || string(o) == string(a.GetOperation()) })
	return operation && oneOf(r.APIGroups, resource.Group) && oneOf(r.APIVersions, resource.Version) &&
		slices.ContainsFunc(r.Resources, func(name string) bool { return isResource(name, resource.Resource) }) &&
		(len(r.ResourceNames) == 0 || slices.Contains(r.ResourceNames, a.GetName())) && m.scope(r.Scope)
}

func oneOf(list []string, name string) bool {
	return slices.Contains(list, "*") || slices.Contains(list, name)
}

// isResource compares with a resource of a rule, such as pods, pods/*, * or */*; pods/log is about something else.
func isResource(rule, resource string) bool {
	name, sub, _ := strings.Cut(rule, "/")
	return (name == "*" || name == resource) && (sub == "" || sub == "*")
}

func (m matching) scope(scope *v1.ScopeType) bool {
	if scope == nil || *scope == v1.AllScopes {
		return true
	}
	a := m.request.attributes
	inside := a.GetNamespace() != "" && !isNamespace(a.GetKind())
	return inside == (*scope == v1.NamespacedScope)
}
