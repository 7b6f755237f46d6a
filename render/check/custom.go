package check

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	extv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	schemacel "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	k8s "k8s.io/apimachinery/pkg/runtime/schema"
	celconfig "k8s.io/apiserver/pkg/apis/cel"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/directory"
	"github.com/lockkeeper/lockkeeper/render/finding"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// maxRules bounds how much of a definition's validation rules is compiled.
const maxRules = 256 << 10

// definition is a CustomResourceDefinition, read only as far as is needed to find it.
type definition struct {
	kind   k8s.GroupKind
	key    string // equal for equal content
	doc    *manifest.Document
	fields map[string]any // in place of doc
}

var definitionKind = manifest.Kind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}

// definitionVersion is what a definition is written in. One in v1beta1 has its versions elsewhere, and no cluster since
// Kubernetes 1.22 takes it: it defines nothing.
const definitionVersion = "apiextensions.k8s.io/v1"

func definitionOf(doc *manifest.Document) (*definition, bool) {
	_, group := doc.Find("spec.group")
	_, kind := doc.Find("spec.names.kind")
	_, version := doc.Find("apiVersion")
	if group == nil || kind == nil || doc.GroupKind() != definitionKind || version == nil || version.Value != definitionVersion {
		return nil, false
	}
	return &definition{kind: k8s.GroupKind{Group: group.Value, Kind: kind.Value}, key: digest(doc.Raw), doc: doc}, true
}

// definitionsIn returns the CustomResourceDefinitions among objects.
func definitionsIn(objects []object.Object) map[k8s.GroupKind][]*definition {
	found := map[k8s.GroupKind][]*definition{}
	for _, o := range objects {
		if o.APIVersion() != definitionVersion || o.Kind() != definitionKind.Kind {
			continue
		}
		spec, _ := o.Fields["spec"].(map[string]any)
		names, _ := spec["names"].(map[string]any)
		group, _ := spec["group"].(string)
		kind, _ := names["kind"].(string)
		raw, err := json.Marshal(o.Fields)
		if kind == "" || err != nil {
			continue
		}
		gk := k8s.GroupKind{Group: group, Kind: kind}
		found[gk] = append(found[gk], &definition{kind: gk, key: digest(raw), fields: o.Fields})
	}
	return found
}

func digest(parts ...[]byte) string {
	h := sha256.New()
	for _, part := range parts {
		_, _ = fmt.Fprintf(h, "%d:", len(part)) // a hash never fails
		_, _ = h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// definitions returns what may define a kind: what the Application itself deploys, else what lies in the repository.
func (r *run) definitions(kind k8s.GroupKind) []*definition {
	if own := r.own[kind]; len(own) > 0 {
		return own
	}
	return r.rules.definitions[kind]
}

// custom holds an object against the definitions of its kind. Where there are several, such as those of two releases of a
// chart, the one that it fits best counts: nobody knows which one its cluster has.
func (r *run) custom(ctx context.Context, o object.Object, definitions []*definition) []problem {
	var best []problem
	for i, d := range definitions {
		found := r.rules.checker.version(d, kindOf(o).Version).check(ctx, o)
		if i == 0 || weight(found) < weight(best) {
			best = found
		}
		if len(best) == 0 {
			break
		}
	}
	return best
}

// weight counts errors before everything else.
func weight(found []problem) int {
	n := 0
	for _, p := range found {
		if p.severity == finding.Error {
			n += 1000
		}
		n++
	}
	return n
}

// customVersion plays the API server for one version of a custom kind.
type customVersion struct {
	definition string // its name
	versions   []string
	broken     string // why it cannot be used, "" when it can
	unserved   bool
	warning    string // of a deprecated version

	preserve   bool // keeps unknown fields
	status     bool // is written by others
	structural *structuralschema.Structural
	validator  validation.SchemaValidator
	rules      *schemacel.Validator // nil when there are none
}

// version compiles a version of a definition, or remembers having done so.
func (c *Checker) version(d *definition, version string) *customVersion {
	key := d.key + " " + version
	if known, ok := c.kinds.Get(key); ok {
		return known
	}
	compiled := compileVersion(d, version)
	c.kinds.Put(key, compiled, 1)
	return compiled
}

func compileVersion(d *definition, version string) (out *customVersion) {
	out = &customVersion{definition: d.kind.String()}
	defer func() {
		if err := recover(); err != nil {
			out.broken = fmt.Sprintf("reading it ended abnormally: %v", err)
		}
	}()
	crd, err := d.read()
	if err != nil {
		out.broken = err.Error()
		return out
	}
	out.preserve = crd.Spec.PreserveUnknownFields
	at := -1
	for i, v := range crd.Spec.Versions {
		if v.Served {
			out.versions = append(out.versions, v.Name)
		}
		if v.Name == version {
			at = i
		}
	}
	if at < 0 || !crd.Spec.Versions[at].Served {
		out.unserved = true
		return out
	}
	out.compile(crd.Spec.Versions[at])
	return out
}

// read decodes the whole definition.
func (d *definition) read() (*extv1.CustomResourceDefinition, error) {
	fields := d.fields
	if fields == nil {
		var err error
		if fields, err = directory.Fields(*d.doc); err != nil {
			return nil, err
		}
	}
	raw, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	crd := &extv1.CustomResourceDefinition{}
	if err := json.Unmarshal(raw, crd); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	return crd, nil
}

func (v *customVersion) compile(version extv1.CustomResourceDefinitionVersion) {
	if version.Deprecated {
		v.warning = "is deprecated"
		if version.DeprecationWarning != nil {
			v.warning = "is deprecated: " + *version.DeprecationWarning
		}
	}
	v.status = version.Subresources != nil && version.Subresources.Status != nil
	if version.Schema == nil || version.Schema.OpenAPIV3Schema == nil {
		v.broken = "it has no schema"
		return
	}
	var internal apiextensions.JSONSchemaProps
	if err := extv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(version.Schema.OpenAPIV3Schema, &internal, nil); err != nil {
		v.broken = err.Error()
		return
	}
	structural, err := structuralschema.NewStructural(&internal)
	if err != nil {
		v.broken = "its schema is not structural: " + err.Error()
		return
	}
	if wrong := structuralschema.ValidateStructural(nil, structural); len(wrong) > 0 {
		v.broken = "its schema is not structural: " + wrong[0].Error()
		return
	}
	validator, _, err := validation.NewSchemaValidator(&internal)
	if err != nil {
		v.broken = err.Error()
		return
	}
	v.structural, v.validator = structural, validator
	if rulesIn(version.Schema.OpenAPIV3Schema) <= maxRules {
		v.rules = schemacel.NewValidator(structural, true, celconfig.PerCallLimit)
	}
}

// rulesIn adds up the length of the validation rules in a schema.
func rulesIn(s *extv1.JSONSchemaProps) int {
	n := 0
	for _, rule := range s.XValidations {
		n += len(rule.Rule) + len(rule.MessageExpression)
	}
	for _, property := range s.Properties {
		n += rulesIn(&property)
	}
	if s.Items != nil && s.Items.Schema != nil {
		n += rulesIn(s.Items.Schema)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		n += rulesIn(s.AdditionalProperties.Schema)
	}
	for i := range s.AllOf {
		n += rulesIn(&s.AllOf[i])
	}
	return n
}

func (v *customVersion) among() string {
	if len(v.versions) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(slices.Values(v.versions)), ", ")
}

// resource returns how the kind is called in the API, and whether it lives in namespaces.
func (d *definition) resource() (plural string, namespaced, ok bool) {
	if d.fields == nil {
		_, name := d.doc.Find("spec.names.plural")
		_, scope := d.doc.Find("spec.scope")
		if name == nil || scope == nil {
			return "", false, false
		}
		return name.Value, scope.Value == "Namespaced", true
	}
	spec, _ := d.fields["spec"].(map[string]any)
	names, _ := spec["names"].(map[string]any)
	plural, ok = names["plural"].(string)
	return plural, spec["scope"] == "Namespaced", ok
}
