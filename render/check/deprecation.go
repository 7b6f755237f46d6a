package check

import (
	"slices"

	k8s "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
)

// lifetime is when a version of a kind was, or will be, no longer served.
type lifetime struct {
	deprecated, removed int    // 1.x; 0 is not known
	use                 string // the group and version that replaces it, or what else to do
	kind                string // of the replacement, "" for the same
}

func (l lifetime) remedy() string {
	switch {
	case l.use == "":
		return ""
	case l.kind != "":
		return "use " + l.use + " " + l.kind
	}
	return "use " + l.use
}

// removal says that some kinds of a group and version are gone.
type removal struct {
	group, version string
	kinds          []string
	lifetime
}

// removals are what Kubernetes' guide to deprecated APIs lists (kubernetes.io/docs/reference/using-api/deprecation-guide). Of
// newer versions the types themselves know it, see [lifeOf].
var removals = []removal{
	{"extensions", "v1beta1", []string{"DaemonSet", "Deployment", "ReplicaSet"}, lifetime{deprecated: 9, removed: 16, use: "apps/v1"}},
	{"extensions", "v1beta1", []string{"NetworkPolicy"}, lifetime{deprecated: 9, removed: 16, use: "networking.k8s.io/v1"}},
	{"extensions", "v1beta1", []string{"PodSecurityPolicy"}, lifetime{deprecated: 10, removed: 16, use: "Pod Security Admission"}},
	{"extensions", "v1beta1", []string{"Ingress"}, lifetime{deprecated: 14, removed: 22, use: "networking.k8s.io/v1"}},
	{"apps", "v1beta1", []string{"Deployment", "StatefulSet"}, lifetime{deprecated: 9, removed: 16, use: "apps/v1"}},
	{"apps", "v1beta2", []string{"DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"}, lifetime{deprecated: 9, removed: 16, use: "apps/v1"}},
	{"admissionregistration.k8s.io", "v1beta1", []string{"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"}, lifetime{deprecated: 16, removed: 22, use: "admissionregistration.k8s.io/v1"}},
	{"apiextensions.k8s.io", "v1beta1", []string{"CustomResourceDefinition"}, lifetime{deprecated: 16, removed: 22, use: "apiextensions.k8s.io/v1"}},
	{"apiregistration.k8s.io", "v1beta1", []string{"APIService"}, lifetime{deprecated: 19, removed: 22, use: "apiregistration.k8s.io/v1"}},
	{"authentication.k8s.io", "v1beta1", []string{"TokenReview"}, lifetime{deprecated: 19, removed: 22, use: "authentication.k8s.io/v1"}},
	{"authorization.k8s.io", "v1beta1", []string{"LocalSubjectAccessReview", "SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview"}, lifetime{deprecated: 19, removed: 22, use: "authorization.k8s.io/v1"}},
	{"certificates.k8s.io", "v1beta1", []string{"CertificateSigningRequest"}, lifetime{deprecated: 19, removed: 22, use: "certificates.k8s.io/v1"}},
	{"coordination.k8s.io", "v1beta1", []string{"Lease"}, lifetime{deprecated: 19, removed: 22, use: "coordination.k8s.io/v1"}},
	{"networking.k8s.io", "v1beta1", []string{"Ingress", "IngressClass"}, lifetime{deprecated: 19, removed: 22, use: "networking.k8s.io/v1"}},
	{"rbac.authorization.k8s.io", "v1beta1", []string{"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}, lifetime{deprecated: 17, removed: 22, use: "rbac.authorization.k8s.io/v1"}},
	{"rbac.authorization.k8s.io", "v1alpha1", []string{"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}, lifetime{deprecated: 20, removed: 23, use: "rbac.authorization.k8s.io/v1"}},
	{"scheduling.k8s.io", "v1beta1", []string{"PriorityClass"}, lifetime{deprecated: 14, removed: 22, use: "scheduling.k8s.io/v1"}},
	{"scheduling.k8s.io", "v1alpha1", []string{"PriorityClass"}, lifetime{deprecated: 14, removed: 23, use: "scheduling.k8s.io/v1"}},
	{"storage.k8s.io", "v1beta1", []string{"CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"}, lifetime{deprecated: 19, removed: 22, use: "storage.k8s.io/v1"}},
	{"batch", "v1beta1", []string{"CronJob"}, lifetime{deprecated: 21, removed: 25, use: "batch/v1"}},
	{"batch", "v2alpha1", []string{"CronJob"}, lifetime{deprecated: 8, removed: 21, use: "batch/v1"}},
	{"discovery.k8s.io", "v1beta1", []string{"EndpointSlice"}, lifetime{deprecated: 21, removed: 25, use: "discovery.k8s.io/v1"}},
	{"events.k8s.io", "v1beta1", []string{"Event"}, lifetime{deprecated: 19, removed: 25, use: "events.k8s.io/v1"}},
	{"autoscaling", "v2beta1", []string{"HorizontalPodAutoscaler"}, lifetime{deprecated: 22, removed: 25, use: "autoscaling/v2"}},
	{"autoscaling", "v2beta2", []string{"HorizontalPodAutoscaler"}, lifetime{deprecated: 23, removed: 26, use: "autoscaling/v2"}},
	{"policy", "v1beta1", []string{"PodDisruptionBudget"}, lifetime{deprecated: 21, removed: 25, use: "policy/v1"}},
	{"policy", "v1beta1", []string{"PodSecurityPolicy"}, lifetime{deprecated: 21, removed: 25, use: "Pod Security Admission"}},
	{"node.k8s.io", "v1beta1", []string{"RuntimeClass"}, lifetime{deprecated: 22, removed: 25, use: "node.k8s.io/v1"}},
	{"flowcontrol.apiserver.k8s.io", "v1beta1", []string{"FlowSchema", "PriorityLevelConfiguration"}, lifetime{deprecated: 23, removed: 26, use: "flowcontrol.apiserver.k8s.io/v1"}},
	{"flowcontrol.apiserver.k8s.io", "v1beta2", []string{"FlowSchema", "PriorityLevelConfiguration"}, lifetime{deprecated: 26, removed: 29, use: "flowcontrol.apiserver.k8s.io/v1"}},
	{"flowcontrol.apiserver.k8s.io", "v1beta3", []string{"FlowSchema", "PriorityLevelConfiguration"}, lifetime{deprecated: 29, removed: 32, use: "flowcontrol.apiserver.k8s.io/v1"}},
	{"storage.k8s.io", "v1beta1", []string{"CSIStorageCapacity"}, lifetime{deprecated: 24, removed: 27, use: "storage.k8s.io/v1"}},
}

// lifeOf returns when a version of a kind is no longer served. What the guide does not list, Kubernetes' own types say, which
// is where the API server's warnings come from (k8s.io/apiserver/pkg/endpoints/deprecation).
func lifeOf(gvk k8s.GroupVersionKind) (lifetime, bool) {
	for i := range removals {
		r := &removals[i]
		if r.group == gvk.Group && r.version == gvk.Version && slices.Contains(r.kinds, gvk.Kind) {
			return r.lifetime, true
		}
	}
	typed, err := scheme.Scheme.New(gvk)
	if err != nil {
		return lifetime{}, false
	}
	removing, ok := typed.(interface{ APILifecycleRemoved() (major, minor int) })
	if !ok {
		return lifetime{}, false
	}
	var life lifetime
	_, life.removed = removing.APILifecycleRemoved()
	if deprecated, ok := typed.(interface{ APILifecycleDeprecated() (major, minor int) }); ok {
		_, life.deprecated = deprecated.APILifecycleDeprecated()
	}
	if replaced, ok := typed.(interface {
		APILifecycleReplacement() k8s.GroupVersionKind
	}); ok {
		use := replaced.APILifecycleReplacement()
		life.use = use.GroupVersion().String()
		if use.Kind != gvk.Kind {
			life.kind = use.Kind
		}
	}
	return life, true
}
