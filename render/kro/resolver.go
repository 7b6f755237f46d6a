package kro

import (
	"fmt"
	"strings"

	krographschema "github.com/kubernetes-sigs/kro/pkg/graph/schema"
	"k8s.io/apimachinery/pkg/api/meta"
	k8s "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"github.com/lockkeeper/lockkeeper/internal/nearest"
	"github.com/lockkeeper/lockkeeper/render/kro/schema"
)

// view is what one definition sees of the cluster: Kubernetes' kinds, the kinds of the definitions it builds on, and any
// object under a group that nobody here knows.
type view struct {
	meta.RESTMapper // nil; the builder asks for nothing but RESTMapping
	builtin         *schema.Set
	defined         map[k8s.GroupVersionKind]*compiled
	unknown         map[k8s.GroupVersionKind]bool // filled: kinds whose fields could not be checked
}

// ResolveSchema returns the fields of a kind.
func (v *view) ResolveSchema(gvk k8s.GroupVersionKind) (*spec.Schema, error) {
	if c, ok := v.defined[gvk]; ok {
		return c.objectSchema(v.builtin)
	}
	found, err := v.builtin.Schema(gvk)
	if err != nil || found != nil {
		return found, err
	}
	if v.builtin.Serves(gvk.Group) {
		return nil, fmt.Errorf("no kind %q in %s%s", gvk.Kind, gvk.GroupVersion(), v.suggestion(gvk))
	}
	v.unknown[gvk] = true
	return anyObject(), nil
}

func (v *view) suggestion(gvk k8s.GroupVersionKind) string {
	if versions := v.builtin.Versions(gvk.Kind); len(versions) > 0 {
		return fmt.Sprintf(" (Kubernetes %s serves it as %s)", schema.Version, strings.Join(versions, ", "))
	}
	if near := nearest.Of(gvk.Kind, v.builtin.Kinds(gvk.GroupVersion())); near != "" {
		return fmt.Sprintf(" (did you mean %q?)", near)
	}
	return ""
}

func anyObject() *spec.Schema {
	return &spec.Schema{
		SchemaProps:      spec.SchemaProps{Type: spec.StringOrArray{"object"}},
		VendorExtensible: spec.VendorExtensible{Extensions: spec.Extensions{"x-kubernetes-preserve-unknown-fields": true}},
	}
}

// RESTMapping returns how a kind is served. Kinds that nobody here knows count as namespaced.
func (v *view) RESTMapping(gk k8s.GroupKind, versions ...string) (*meta.RESTMapping, error) {
	version := ""
	if len(versions) > 0 {
		version = versions[0]
	}
	gvk := gk.WithVersion(version)
	mapping := &meta.RESTMapping{
		Resource:         gk.WithVersion(version).GroupVersion().WithResource(strings.ToLower(gk.Kind) + "s"),
		GroupVersionKind: gvk,
		Scope:            meta.RESTScopeNamespace,
	}
	if c, ok := v.defined[gvk]; ok {
		if !c.definition.namespaced() {
			mapping.Scope = meta.RESTScopeRoot
		}
		return mapping, nil
	}
	if r, ok := v.builtin.Resource(gvk); ok {
		mapping.Resource.Resource = r.Plural
		if !r.Namespaced {
			mapping.Scope = meta.RESTScopeRoot
		}
	}
	return mapping, nil
}

// objectSchema is the fields of the kind that a definition defines, as the API server publishes them: with those that
// every object has.
func (c *compiled) objectSchema(builtin *schema.Set) (*spec.Schema, error) {
	out, err := krographschema.ConvertJSONSchemaPropsToSpecSchema(c.graph.CRD.Spec.Versions[0].Schema.OpenAPIV3Schema)
	if err != nil {
		return nil, fmt.Errorf("convert the generated schema of %s: %w", c.definition.Kind, err)
	}
	if status, ok := out.Properties["status"]; ok && c.unchecked {
		loosen(&status)
		out.Properties["status"] = status
	}
	metadata, err := builtin.ObjectMeta()
	if err != nil {
		return nil, err
	}
	properties := map[string]spec.Schema{"apiVersion": *spec.StringProperty(), "kind": *spec.StringProperty(), "metadata": *metadata}
	for name, property := range out.Properties {
		if _, common := properties[name]; !common {
			properties[name] = property
		}
	}
	out.Properties = properties
	return out, nil
}

// loosen lets fields of a status be of any type when nobody knows their type, as where they come from a kind without a schema.
// CEL has no other way to say so than that a field is a number or a text.
func loosen(s *spec.Schema) {
	if preserved, _ := s.Extensions.GetBool("x-kubernetes-preserve-unknown-fields"); preserved && len(s.Type) == 0 {
		s.AddExtension("x-kubernetes-int-or-string", true)
	}
	for name, property := range s.Properties {
		loosen(&property)
		s.Properties[name] = property
	}
	if s.Items != nil && s.Items.Schema != nil {
		loosen(s.Items.Schema)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		loosen(s.AdditionalProperties.Schema)
	}
}
