package main

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/render"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// kindOrder is the order in which Argo CD applies kinds within a sync wave; others follow by name (gitops-engine:
// pkg/sync/sync_tasks.go).
var kindOrder = []string{
	"Namespace", "NetworkPolicy", "ResourceQuota", "LimitRange", "PodSecurityPolicy", "PodDisruptionBudget", "ServiceAccount", "Secret",
	"SecretList", "ConfigMap", "StorageClass", "PersistentVolume", "PersistentVolumeClaim", "CustomResourceDefinition", "ClusterRole",
	"ClusterRoleList", "ClusterRoleBinding", "ClusterRoleBindingList", "Role", "RoleList", "RoleBinding", "RoleBindingList", "Service",
	"DaemonSet", "Pod", "ReplicationController", "ReplicaSet", "Deployment", "StatefulSet", "Job", "CronJob", "IngressClass", "Ingress",
	"APIService",
}

// phases are those of a sync, in order. An object that is no hook belongs to Sync.
var phases = []string{"PreSync", "Sync", "PostSync", "SyncFail", "PostDelete"}

// applied is an object that Argo CD applies, with those that kro makes of it.
type applied struct {
	phase, wave, kind int
	id                object.ID
	objects           []object.Object
}

// applyOrder returns the objects of an application in the order in which they reach the cluster: by phase, wave, kind and
// name. What kro makes of an instance follows it.
func applyOrder(result render.Result) []object.Object {
	var groups []applied
	for _, o := range slices.Concat(result.Objects, result.Hooks) {
		if o.Source.Via != "" && len(groups) > 0 {
			last := &groups[len(groups)-1]
			last.objects = append(last.objects, o)
			continue
		}
		groups = append(groups, applied{phase: phase(o), wave: wave(o), kind: kindRank(o), id: o.ID(), objects: []object.Object{o}})
	}
	slices.SortStableFunc(groups, func(a, b applied) int {
		return cmp.Or(cmp.Compare(a.phase, b.phase), cmp.Compare(a.wave, b.wave), cmp.Compare(a.kind, b.kind), a.id.Compare(b.id))
	})
	var out []object.Object
	for _, g := range groups {
		out = append(out, g.objects...)
	}
	return out
}

func kindRank(o object.Object) int {
	if i := slices.Index(kindOrder, o.Kind()); i >= 0 {
		return i
	}
	return len(kindOrder)
}

func annotation(o object.Object, name string) string {
	metadata, _ := o.Fields["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	text, _ := annotations[name].(string)
	return text
}

// wave is the sync wave; what is no number is wave 0, as for Argo CD.
func wave(o object.Object) int {
	for _, name := range []string{"argocd.argoproj.io/sync-wave", "helm.sh/hook-weight"} {
		if n, err := strconv.Atoi(annotation(o, name)); err == nil {
			return n
		}
	}
	return 0
}

// helmPhases are the phases that Argo CD gives to Helm's hooks.
var helmPhases = [][2]string{
	{"pre-install", "PreSync"}, {"pre-upgrade", "PreSync"}, {"post-install", "PostSync"}, {"post-upgrade", "PostSync"}, {"post-delete", "PostDelete"},
}

// phase is the first of the phases in which an object is applied.
func phase(o object.Object) int {
	hooks := hookNames(annotation(o, "argocd.argoproj.io/hook"))
	if len(hooks) == 0 {
		helm := hookNames(annotation(o, "helm.sh/hook"))
		for _, pair := range helmPhases {
			if slices.Contains(helm, pair[0]) {
				hooks = append(hooks, pair[1])
			}
		}
	}
	for i, name := range phases {
		if slices.Contains(hooks, name) {
			return i
		}
	}
	return slices.Index(phases, "Sync")
}

func hookNames(text string) []string {
	return strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c == ' ' })
}
