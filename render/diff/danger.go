package diff

import "slices"

// groupKind is a kind with its group, which is what the rules about fields hang on.
type groupKind struct{ group, kind string }

// immutableFields cannot change once the object exists (Kubernetes: the ValidateUpdate functions of each kind).
var immutableFields = map[groupKind][]string{
	{"apps", "Deployment"}:  {"spec.selector"},
	{"apps", "DaemonSet"}:   {"spec.selector"},
	{"apps", "ReplicaSet"}:  {"spec.selector"},
	{"apps", "StatefulSet"}: {"spec.selector", "spec.serviceName", "spec.volumeClaimTemplates", "spec.podManagementPolicy"},
	{"batch", "Job"}:        {"spec.template", "spec.selector", "spec.completionMode"},
	{"", "Service"}:         {"spec.clusterIP"},
	{"", "Secret"}:          {"type"},
	{"", "PersistentVolumeClaim"}: {
		"spec.storageClassName", "spec.accessModes", "spec.volumeName", "spec.volumeMode", "spec.selector",
	},
	{"rbac.authorization.k8s.io", "RoleBinding"}:        {"roleRef"},
	{"rbac.authorization.k8s.io", "ClusterRoleBinding"}: {"roleRef"},
	{"storage.k8s.io", "StorageClass"}:                  {"provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"},
	{"networking.k8s.io", "IngressClass"}:               {"spec.controller"},
	{"apiextensions.k8s.io", "CustomResourceDefinition"}: {
		"spec.group", "spec.scope", "spec.names.kind", "spec.names.plural",
	},
}

// immutable collects changes that the API server will refuse.
func (c *collector) immutable(o ObjectChange) {
	for _, field := range immutableFields[groupKind{o.ID.Group, o.ID.Kind}] {
		if slices.ContainsFunc(o.Fields, func(f FieldChange) bool { return within(f.Path, field) }) {
			c.danger(FactImmutable, sentence("immutable field ", field, " changes: the cluster refuses it unless the object is deleted and made anew: ", name(o.ID)))
		}
	}
	c.frozen(o)
	c.shrunk(o)
}

// frozen is about ConfigMaps and Secrets that say they never change.
func (c *collector) frozen(o ObjectChange) {
	if o.ID.Group != "" || o.ID.Kind != "ConfigMap" && o.ID.Kind != "Secret" || o.Base.Fields["immutable"] != true {
		return
	}
	for _, f := range o.Fields {
		if top := f.steps[0].key; top == "data" || top == "binaryData" || top == "immutable" {
			c.danger(FactImmutable, sentence("", name(o.ID), " is immutable, but ", f.Path, " changes: give it a new name"))
			return
		}
	}
}

// shrunk is about volumes, which only grow.
func (c *collector) shrunk(o ObjectChange) {
	if o.ID.Group != "" || o.ID.Kind != "PersistentVolumeClaim" {
		return
	}
	for _, f := range o.Fields {
		if f.Path != "spec.resources.requests.storage" {
			continue
		}
		before, beforeOK := quantity(f.Before)
		after, afterOK := quantity(f.After)
		if beforeOK && afterOK && after.Cmp(before) < 0 {
			c.danger(FactImmutable, sentence("a volume cannot shrink, ", orUnset(f.Before), " → ", orUnset(f.After), " is refused: ", name(o.ID)))
		}
	}
}
