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

// Version is the newest Kubernetes version that is described.
const Version = "1.37"

//go:generate go run ./generate 1.30.14 1.31.14 1.32.13 1.33.13 1.34.4 1.35.4 1.36.3 1.37.2

//go:embed kubernetes.json.gz
var description []byte

// Library is the descriptions of several versions. It is safe for concurrent use.
type Library struct {
	versions  []string // oldest first
	schemas   map[string][]variant
	resources []served

	mu   sync.Mutex
	sets map[string]*Set
}

// variant is one form of a schema, with a bit for each version that has it.
type variant struct {
	In     uint32          `json:"in"`
	Schema json.RawMessage `json:"s"`
}

// served is how a kind is served, with a bit for each version that serves it so.
type served struct {
	Group      string `json:"g"`
	Version    string `json:"v"`
	Kind       string `json:"k"`
	Plural     string `json:"r"`
	Namespaced bool   `json:"n"`
	In         uint32 `json:"in"`
}

func (r served) kind() k8s.GroupVersionKind {
	return k8s.GroupVersionKind{Group: r.Group, Version: r.Version, Kind: r.Kind}
}

// Set is the built-in kinds of one version. It is safe for concurrent use. A schema is decoded when it is asked for: a run of
// the program needs a handful of some eight hundred.
type Set struct {
	version   string
	raw       map[string]json.RawMessage // by the name of the schema
	names     func() map[k8s.GroupVersionKind]string
	resources map[k8s.GroupVersionKind]Resource

	mu       sync.Mutex
	resolved map[k8s.GroupVersionKind]*spec.Schema

	reading sync.Mutex // of decoded; taken with mu or alone, never the other way round
	decoded map[string]*spec.Schema
}

// Resource says how a kind is served.
type Resource struct {
	Plural     string
	Namespaced bool
}

// Load opens the newest description. It takes some milliseconds: keep the Set.
func Load() (*Set, error) {
	library, err := Open()
	if err != nil {
		return nil, err
	}
	return library.At(Version)
}

// Open reads the embedded descriptions. Keep the Library, and with it what was decoded.
func Open() (*Library, error) {
	zipped, err := gzip.NewReader(bytes.NewReader(description))
	if err != nil {
		return nil, fmt.Errorf("unzip the Kubernetes description: %w", err)
	}
	raw, err := io.ReadAll(zipped)
	if err != nil {
		return nil, fmt.Errorf("unzip the Kubernetes description: %w", err)
	}
	var blob struct {
		Versions  []string             `json:"versions"`
		Schemas   map[string][]variant `json:"schemas"`
		Resources []served             `json:"resources"`
	}
	if err := json.Unmarshal(raw, &blob); err != nil {
		return nil, fmt.Errorf("decode the Kubernetes description: %w", err)
	}
	return &Library{versions: blob.Versions, schemas: blob.Schemas, resources: blob.Resources, sets: map[string]*Set{}}, nil
}

// Versions lists the described versions, such as "1.36", oldest first.
func (l *Library) Versions() []string { return slices.Clone(l.versions) }

// Serving lists the described versions that serve a kind, oldest first.
func (l *Library) Serving(gvk k8s.GroupVersionKind) []string {
	var in uint32
	for _, r := range l.resources {
		if r.kind() == gvk {
			in |= r.In
		}
	}
	var out []string
	for i, version := range l.versions {
		if in&(1<<i) != 0 {
			out = append(out, version)
		}
	}
	return out
}

// At returns the kinds of one of the [Library.Versions]. Another version is an error.
func (l *Library) At(version string) (*Set, error) {
	i := slices.Index(l.versions, version)
	if i < 0 {
		return nil, fmt.Errorf("kubernetes %s is not described here", version)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if known := l.sets[version]; known != nil {
		return known, nil
	}
	set := l.set(version, 1<<i)
	l.sets[version] = set
	return set, nil
}

func (l *Library) set(version string, bit uint32) *Set {
	s := &Set{
		version:   version,
		raw:       map[string]json.RawMessage{},
		resources: map[k8s.GroupVersionKind]Resource{},
		resolved:  map[k8s.GroupVersionKind]*spec.Schema{},
		decoded:   map[string]*spec.Schema{},
	}
	for _, r := range l.resources {
		if r.In&bit != 0 {
			s.resources[r.kind()] = Resource{Plural: r.Plural, Namespaced: r.Namespaced}
		}
	}
	for name, variants := range l.schemas {
		for _, v := range variants {
			if v.In&bit != 0 {
				s.raw[name] = v.Schema
			}
		}
	}
	s.names = sync.OnceValue(func() map[k8s.GroupVersionKind]string { return namesIn(s.raw) })
	return s
}

// Version is the Kubernetes version that the Set is of, such as "1.36".
func (s *Set) Version() string { return s.version }

// Definition returns a schema by its name, such as "io.k8s.api.core.v1.Container", nil when there is none. References in it
// are names behind "#/components/schemas/". It is shared and must not be changed.
func (s *Set) Definition(name string) *spec.Schema {
	s.reading.Lock()
	defer s.reading.Unlock()
	if known, ok := s.decoded[name]; ok {
		return known
	}
	raw, ok := s.raw[name]
	if !ok {
		return nil
	}
	schema := &spec.Schema{}
	if err := json.Unmarshal(raw, schema); err != nil {
		return nil // no description that passes this package's tests has one
	}
	s.decoded[name] = schema
	return schema
}

// Name returns the name of the schema of a kind, "" when Kubernetes does not serve it.
func (s *Set) Name(gvk k8s.GroupVersionKind) string { return s.names()[gvk] }

// namesIn finds out which schemas describe which kinds, by an extension, without decoding the rest of them.
func namesIn(raw map[string]json.RawMessage) map[k8s.GroupVersionKind]string {
	names := map[k8s.GroupVersionKind]string{}
	for name, text := range raw {
		if !bytes.Contains(text, []byte(`"x-kubernetes-group-version-kind"`)) {
			continue
		}
		var described struct {
			Kinds []struct{ Group, Version, Kind string } `json:"x-kubernetes-group-version-kind"`
		}
		if err := json.Unmarshal(text, &described); err != nil {
			continue // as in Definition
		}
		for _, k := range described.Kinds {
			names[k8s.GroupVersionKind{Group: k.Group, Version: k.Version, Kind: k.Kind}] = name
		}
	}
	return names
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
	name := s.Name(gvk)
	if name == "" {
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
		found := s.Definition(strings.TrimPrefix(ref, "#/components/schemas/"))
		return found, found != nil
	}, name)
}
