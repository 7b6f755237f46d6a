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
		"spec.storageClassName", "spec.accessModes", "spec.volumeName", "spec.volumeMode", "spec.selector", "spec.dataSource", "spec.dataSourceRef",
	},
	{"scheduling.k8s.io", "PriorityClass"}:              {"value", "preemptionPolicy"},
	{"node.k8s.io", "RuntimeClass"}:                     {"handler"},
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
	says := " changes: the cluster refuses it unless the object is deleted and made anew: "
	if forced(o) {
		says = " changes: Argo CD deletes the object and makes it anew: "
	}
	for _, field := range immutableFields[groupKind{o.ID.Group, o.ID.Kind}] {
		if slices.ContainsFunc(o.Fields, func(f FieldChange) bool { return within(f.Path, field) && !o.keptByServer(f) }) {
			c.danger(FactImmutable, sentence("immutable field ", field, says, name(o.ID)))
		}
	}
	c.source(o, says)
	c.frozen(o)
	c.shrunk(o)
}

// forced reports whether Argo CD replaces an object that cannot be updated (argo-cd: sync option Force=true).
func forced(o ObjectChange) bool { return hasOption(o.Head.Fields, "Force=true") }

// keptByServer reports whether a change is none in the cluster: the API server keeps the address of a Service that no longer says
// it (Kubernetes: patchAllocatedValues of the Service storage).
func (o ObjectChange) keptByServer(f FieldChange) bool {
	return o.ID.Kind == "Service" && f.Path == "spec.clusterIP" && f.After == nil && f.Before != "None"
}

// mutableVolumeFields are what can change in a PersistentVolume; all else that stands in its spec says where the data is
// (Kubernetes: ValidatePersistentVolumeUpdate).
var mutableVolumeFields = map[string]bool{
	"capacity": true, "accessModes": true, "claimRef": true, "persistentVolumeReclaimPolicy": true, "storageClassName": true,
	"mountOptions": true, "nodeAffinity": true, "volumeAttributesClassName": true,
}

// source is about PersistentVolumes that get another place for their data.
func (c *collector) source(o ObjectChange, says string) {
	if o.ID.Group != "" || o.ID.Kind != "PersistentVolume" {
		return
	}
	var told []string
	for _, f := range o.Fields {
		if len(f.steps) < 2 || f.steps[0].key != "spec" || mutableVolumeFields[f.steps[1].key] || slices.Contains(told, f.steps[1].key) {
			continue
		}
		told = append(told, f.steps[1].key)
		c.danger(FactImmutable, sentence("immutable field ", "spec."+f.steps[1].key, says, name(o.ID)))
	}
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
