// Package schema knows the kinds that Kubernetes itself serves: their fields and whether they live in a namespace.
//
// It reads one embedded description (see README.md) and needs no cluster. It knows no custom resources.
package schema

import (
	"bytes"
	"compress/gzip"
	_ "embed" // the description itself
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	k8s "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/cel/openapi/resolver"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// Version is the Kubernetes version that the description is of.
const Version = "1.36"

//go:embed kubernetes-1.36.json.gz
var description []byte

// Set is the built-in kinds. It is safe for concurrent use.
type Set struct {
	schemas   map[string]*spec.Schema
	names     map[k8s.GroupVersionKind]string
	resources map[k8s.GroupVersionKind]Resource

	mu       sync.Mutex
	resolved map[k8s.GroupVersionKind]*spec.Schema
}

// Resource says how a kind is served.
type Resource struct {
	Plural     string
	Namespaced bool
}

type blob struct {
	Schemas   map[string]*spec.Schema `json:"schemas"`
	Resources []struct {
		Group      string `json:"g"`
		Version    string `json:"v"`
		Kind       string `json:"k"`
		Plural     string `json:"r"`
		Namespaced bool   `json:"n"`
	} `json:"resources"`
}

// Load decodes the embedded description. It takes some milliseconds: keep the Set.
func Load() (*Set, error) {
	zipped, err := gzip.NewReader(bytes.NewReader(description))
	if err != nil {
		return nil, fmt.Errorf("unzip the Kubernetes description: %w", err)
	}
	raw, err := io.ReadAll(zipped)
	if err != nil {
		return nil, fmt.Errorf("unzip the Kubernetes description: %w", err)
	}
	var b blob
	if err := json.Unmarshal(raw, &b); err != nil {
		return nil, fmt.Errorf("decode the Kubernetes description: %w", err)
	}
	s := &Set{
		schemas:   b.Schemas,
		names:     map[k8s.GroupVersionKind]string{},
		resources: map[k8s.GroupVersionKind]Resource{},
		resolved:  map[k8s.GroupVersionKind]*spec.Schema{},
	}
	for _, r := range b.Resources {
		s.resources[k8s.GroupVersionKind{Group: r.Group, Version: r.Version, Kind: r.Kind}] = Resource{Plural: r.Plural, Namespaced: r.Namespaced}
	}
	for name, schema := range b.Schemas {
		for _, gvk := range kindsOf(schema) {
			s.names[gvk] = name
		}
	}
	return s, nil
}

// kindsOf reads the extension that names the kinds a schema describes.
func kindsOf(schema *spec.Schema) []k8s.GroupVersionKind {
	list, _ := schema.Extensions["x-kubernetes-group-version-kind"].([]any)
	var out []k8s.GroupVersionKind
	for _, item := range list {
		m, _ := item.(map[string]any)
		group, _ := m["group"].(string)
		version, _ := m["version"].(string)
		kind, _ := m["kind"].(string)
		out = append(out, k8s.GroupVersionKind{Group: group, Version: version, Kind: kind})
	}
	return out
}

// Resource returns how a kind is served, false when Kubernetes does not serve it.
func (s *Set) Resource(gvk k8s.GroupVersionKind) (Resource, bool) {
	r, ok := s.resources[gvk]
	return r, ok
}

// Namespaced reports whether a kind lives in a namespace, whatever its version; known is false for kinds that Kubernetes
// does not serve.
func (s *Set) Namespaced(group, kind string) (namespaced, known bool) {
	for gvk, r := range s.resources {
		if gvk.Group == group && gvk.Kind == kind {
			return r.Namespaced, true
		}
	}
	return false, false
}

// Serves reports whether a group is one of Kubernetes' own, so that a kind which is not in it does not exist.
func (s *Set) Serves(group string) bool {
	for gvk := range s.resources {
		if gvk.Group == group {
			return true
		}
	}
	return false
}

// Kinds lists the kinds of a group and version, sorted.
func (s *Set) Kinds(gv k8s.GroupVersion) []string {
	var out []string
	for gvk := range s.resources {
		if gvk.GroupVersion() == gv {
			out = append(out, gvk.Kind)
		}
	}
	slices.Sort(out)
	return out
}

// Versions lists the group/versions that serve a kind, sorted.
func (s *Set) Versions(kind string) []string {
	var out []string
	for gvk := range s.resources {
		if gvk.Kind == kind {
			out = append(out, gvk.GroupVersion().String())
		}
	}
	slices.Sort(out)
	return out
}

// Schema returns the fields of a kind with every reference resolved, nil when Kubernetes does not serve it. The result is
// shared: it must not be changed.
func (s *Set) Schema(gvk k8s.GroupVersionKind) (*spec.Schema, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if schema, ok := s.resolved[gvk]; ok {
		return schema, nil
	}
	name, ok := s.names[gvk]
	if !ok {
		return nil, nil
	}
	schema, err := s.resolve(name)
	if err != nil {
		return nil, fmt.Errorf("resolve the schema of %s: %w", gvk, err)
	}
	s.resolved[gvk] = schema
	return schema, nil
}

// ObjectMeta returns the fields of every object's metadata. The result must not be changed.
func (s *Set) ObjectMeta() (*spec.Schema, error) {
	return s.resolve("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
}

func (s *Set) resolve(name string) (*spec.Schema, error) {
	return resolver.PopulateRefs(func(ref string) (*spec.Schema, bool) {
		found, ok := s.schemas[strings.TrimPrefix(ref, "#/components/schemas/")]
		return found, ok
	}, name)
}
