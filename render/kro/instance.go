package kro

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	extv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	schemacel "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"

	"github.com/lockkeeper/lockkeeper/internal/nearest"
	"github.com/lockkeeper/lockkeeper/render/finding"
)

// instanceKind plays the API server for the kind that a definition defines.
type instanceKind struct {
	structural *structuralschema.Structural
	validator  validation.SchemaValidator
	rules      *schemacel.Validator // nil when the schema has no validation rules
}

func newInstanceKind(crd *extv1.CustomResourceDefinition) (*instanceKind, error) {
	// The library's in-memory schema forbids additional properties beside describing them; only its JSON form is right.
	raw, err := json.Marshal(crd.Spec.Versions[0].Schema.OpenAPIV3Schema)
	if err != nil {
		return nil, fmt.Errorf("encode the generated schema: %w", err)
	}
	var v1 extv1.JSONSchemaProps
	if err := json.Unmarshal(raw, &v1); err != nil {
		return nil, fmt.Errorf("decode the generated schema: %w", err)
	}
	var internal apiextensions.JSONSchemaProps
	if err := extv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(&v1, &internal, nil); err != nil {
		return nil, fmt.Errorf("convert the generated schema: %w", err)
	}
	structural, err := structuralschema.NewStructural(&internal)
	if err != nil {
		return nil, fmt.Errorf("generated schema is not structural: %w", err)
	}
	validator, _, err := validation.NewSchemaValidator(&internal)
	if err != nil {
		return nil, fmt.Errorf("generated schema: %w", err)
	}
	return &instanceKind{
		structural: structural,
		validator:  validator,
		rules:      schemacel.NewValidator(structural, true, celconfig.PerCallLimit),
	}, nil
}

// problem is a finding about an instance, at a dotted path of it.
type problem struct {
	severity              finding.Severity
	code, message, remedy string
	path                  string
}

// admit changes an instance as the API server would (unknown fields dropped, defaults filled in) and says what it would
// drop or refuse. written returns the node at a path as it stands in the file, nil when it does not.
func (k *instanceKind) admit(ctx context.Context, fields map[string]any, written func(path string) *yaml.Node) []problem {
	var out []problem
	err := contained(func() {
		for _, path := range k.complete(fields) {
			remedy := "add it to the definition's schema or remove it"
			if near := nearest.Of(last(path), k.siblings(path)); near != "" {
				remedy = fmt.Sprintf("did you mean %q?", near)
			}
			out = append(out, problem{finding.Warning, "unknown-instance-field", fmt.Sprintf("%s is not in the definition's schema: the API server drops it without a word", path), remedy, path})
		}
		for _, err := range k.validate(ctx, fields) {
			out = append(out, problem{finding.Error, "invalid-instance", "the API server would reject it: " + err.Error(), k.remedy(err, written), strings.TrimPrefix(err.Field, ".")})
		}
	})
	if err != nil {
		out = append(out, problem{finding.Error, "invalid-instance", fmt.Sprintf("checking it %v", err), "", ""})
	}
	return out
}

// contained runs code of Kubernetes or kro, which may panic on values that no API server would hand to it.
func contained(run func()) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("ended abnormally: %v", r)
		}
	}()
	run()
	return nil
}

// complete drops unknown fields, which it returns, and fills in defaults.
func (k *instanceKind) complete(fields map[string]any) (dropped []string) {
	dropped = pruning.PruneWithOptions(fields, k.structural, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	slices.Sort(dropped)
	defaulting.PruneNonNullableNullsWithoutDefaults(fields, k.structural)
	defaulting.Default(fields, k.structural)
	return dropped
}

func (k *instanceKind) validate(ctx context.Context, fields map[string]any) field.ErrorList {
	errs := validation.ValidateCustomResource(nil, fields, k.validator)
	if k.rules != nil && len(errs) == 0 {
		ruleErrs, _ := k.rules.Validate(ctx, nil, k.structural, fields, nil, celconfig.RuntimeCELCostBudget)
		errs = append(errs, ruleErrs...)
	}
	return errs
}

// remedy says how to write a value whose type is wrong.
func (k *instanceKind) remedy(err *field.Error, written func(path string) *yaml.Node) string {
	at := k.at(err.Field)
	if err.Type == field.ErrorTypeRequired {
		return "add it"
	}
	node := written(err.Field)
	if at == nil || node == nil || node.Kind != yaml.ScalarNode {
		return ""
	}
	quoted := node.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0
	switch {
	case at.Type == "string" && !quoted && node.Tag != "!!str":
		return fmt.Sprintf("must be a string: add quotes: %s: %q", last(err.Field), node.Value)
	case (at.Type == "integer" || at.Type == "number" || at.Type == "boolean") && quoted:
		return fmt.Sprintf("must be of type %s: remove the quotes: %s: %s", at.Type, last(err.Field), node.Value)
	case at.Type != "" && err.Type == field.ErrorTypeTypeInvalid:
		return "must be of type " + at.Type
	}
	return ""
}

// at returns the schema of a path, nil when there is none.
func (k *instanceKind) at(path string) *structuralschema.Structural {
	s := k.structural
	for segment := range strings.SplitSeq(path, ".") {
		name, index, indexed := strings.Cut(segment, "[")
		if next, ok := s.Properties[name]; ok {
			s = &next
		} else if s.AdditionalProperties != nil && s.AdditionalProperties.Structural != nil {
			s = s.AdditionalProperties.Structural
		} else if name != "" {
			return nil
		}
		if indexed && index != "" {
			if s.Items == nil {
				return nil
			}
			s = s.Items
		}
	}
	return s
}

// siblings lists the fields that could stand where path points.
func (k *instanceKind) siblings(path string) []string {
	parent := k.structural
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		parent = k.at(path[:i])
	}
	if parent == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(parent.Properties))
}

func last(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }
