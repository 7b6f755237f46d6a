package yamlmerge

import (
	"slices"

	yaml "go.yaml.in/yaml/v3"
	k8s "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/kubernetes/scheme"
)

// schema says which lists of an object Kubernetes merges, and by what. The zero value knows of none.
type schema struct {
	meta strategicpatch.LookupPatchMeta
}

// schemaOf returns the schema of an object of Kubernetes' own kinds.
func schemaOf(root *yaml.Node) schema {
	version, kind := indexOf(root, "apiVersion"), indexOf(root, "kind")
	if version < 0 || kind < 0 {
		return schema{}
	}
	object, err := scheme.Scheme.New(k8s.FromAPIVersionAndKind(root.Content[version+1].Value, root.Content[kind+1].Value))
	if err != nil {
		return schema{}
	}
	meta, err := strategicpatch.NewPatchMetaFromStruct(object)
	if err != nil {
		return schema{}
	}
	return schema{meta}
}

// field returns the schema of a mapping below a key.
func (s schema) field(key string) schema {
	if s.meta == nil {
		return schema{}
	}
	below, _, err := s.meta.LookupPatchMetadataForStruct(key)
	if err != nil {
		return schema{}
	}
	return schema{below}
}

// list returns the schema of the elements of a list below a key, and by which key of theirs they are merged; by is empty for
// lists of single values.
func (s schema) list(key string) (element schema, by string, merges bool) {
	if s.meta == nil {
		return schema{}, "", false
	}
	below, patch, err := s.meta.LookupPatchMetadataForSlice(key)
	if err != nil || !slices.Contains(patch.GetPatchStrategies(), "merge") {
		return schema{}, "", false
	}
	return schema{below}, patch.GetPatchMergeKey(), true
}
