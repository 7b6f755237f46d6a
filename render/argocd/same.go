package argocd

import (
	"maps"
	"reflect"
	"slices"
)

// Same reports whether two Applications say the same, wherever they are written. It allocates nothing unless a source has
// a block of an engine.
func Same(a, b Application) bool {
	return a.Name == b.Name && a.Namespace == b.Namespace && a.Project == b.Project && a.Destination == b.Destination &&
		samePolicy(a.SyncPolicy, b.SyncPolicy) && slices.EqualFunc(a.Sources, b.Sources, sameSource) && sameHydrator(a.Hydrator, b.Hydrator) &&
		maps.Equal(a.Labels, b.Labels) && maps.Equal(a.Annotations, b.Annotations)
}

func samePolicy(a, b SyncPolicy) bool {
	return a.Automated == b.Automated && a.Prune == b.Prune && a.SelfHeal == b.SelfHeal && slices.Equal(a.Options, b.Options)
}

func sameSource(a, b Source) bool {
	return a.RepoURL == b.RepoURL && a.Path == b.Path && a.TargetRevision == b.TargetRevision && a.Chart == b.Chart && a.Ref == b.Ref &&
		sameDirectory(a.Directory, b.Directory) &&
		sameBlock(a.Helm, b.Helm) && sameBlock(a.Kustomize, b.Kustomize) && sameBlock(a.Plugin, b.Plugin)
}

func sameHydrator(a, b *Hydrator) bool {
	if a == nil || b == nil {
		return a == b
	}
	return sameSource(a.Dry, b.Dry) && sameSource(a.Sync, b.Sync) && a.HydrateTo == b.HydrateTo && a.Deployed == b.Deployed
}

func sameDirectory(a, b *Directory) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Recurse == b.Recurse && a.Include == b.Include && a.Exclude == b.Exclude && sameBlock(a.Jsonnet, b.Jsonnet)
}

func sameBlock(a, b map[string]any) bool {
	return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b)
}
