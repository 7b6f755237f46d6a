package check

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"

	"github.com/lockkeeper/lockkeeper/internal/nearest"
	"github.com/lockkeeper/lockkeeper/render/finding"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// check puts an object through what the API server does with one of this kind (apiextensions-apiserver, customresource_handler):
// unknown fields dropped, defaults filled in, schema, lists and rules.
func (v *customVersion) check(ctx context.Context, o object.Object) []problem {
	switch {
	case v.broken != "":
		return []problem{{severity: finding.Info, code: CodeUnchecked, message: fmt.Sprintf("is not checked, because the CustomResourceDefinition of %s cannot be used: %s", v.definition, v.broken)}}
	case v.unserved:
		return []problem{{
			severity: finding.Error, code: CodeKind, path: Path{{Key: "apiVersion"}},
			message: fmt.Sprintf("the CustomResourceDefinition of %s does not serve %s", v.definition, o.APIVersion()), remedy: "it serves: " + v.among(),
		}}
	}
	var out []problem
	if v.warning != "" {
		out = append(out, problem{severity: finding.Warning, code: CodeDeprecated, message: o.APIVersion() + " " + o.Kind() + " " + v.warning, path: Path{{Key: "apiVersion"}}})
	}
	copied, unknown := withoutUnknown(o.Fields)
	fields, _ := copied.(map[string]any)
	if v.status {
		delete(fields, "status") // it is written by others
	}
	out = append(out, v.pruned(fields, o.Fields)...)
	defaulting.PruneNonNullableNullsWithoutDefaults(fields, v.structural)
	defaulting.Default(fields, v.structural)
	errs := validation.ValidateCustomResource(nil, fields, v.validator)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, v.structural, fields)...)
	if v.rules != nil && len(errs) == 0 && len(unknown) == 0 {
		broken, _ := v.rules.Validate(ctx, nil, v.structural, fields, nil, celconfig.RuntimeCELCostBudget)
		errs = append(errs, broken...)
	}
	for _, err := range errs {
		path := pathIn(o.Fields, strings.TrimSuffix(err.Field, "<nil>"))
		if slices.ContainsFunc(unknown, path.touches) {
			continue // what it lacks, or is, the cluster knows
		}
		out = append(out, v.refused(err, path))
	}
	return out
}

// pruned drops the fields that the schema does not have, and reports each.
func (v *customVersion) pruned(fields, written map[string]any) []problem {
	if v.preserve {
		return nil
	}
	dropped := pruning.PruneWithOptions(fields, v.structural, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	slices.Sort(dropped)
	var out []problem
	for _, text := range dropped {
		path := pathIn(written, text)
		if len(path) == 1 && path.last() == "status" {
			continue // nobody expects it to be kept
		}
		remedy := "remove it, or write it where it belongs"
		if near := nearest.Of(path.last(), v.siblings(path)); near != "" {
			remedy = fmt.Sprintf("did you mean %q?", near)
		}
		out = append(out, problem{finding.Warning, CodeUnknownField, fmt.Sprintf("%s is not known to its CustomResourceDefinition and will be dropped", path), remedy, path})
	}
	return out
}

// siblings lists the fields that could stand where a path ends.
func (v *customVersion) siblings(path Path) []string {
	at := v.structural
	for _, step := range path[:max(0, len(path)-1)] {
		switch {
		case at == nil:
			return nil
		case step.Key == "":
			at = at.Items
		default:
			property, ok := at.Properties[step.Key]
			if ok {
				at = &property
			} else if at.AdditionalProperties != nil {
				at = at.AdditionalProperties.Structural
			} else {
				return nil
			}
		}
	}
	if at == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(at.Properties))
}

// refused turns what the libraries say into a problem. The value itself is left out: it may be a secret.
func (v *customVersion) refused(err *field.Error, path Path) problem {
	p := problem{severity: finding.Error, code: CodeValue, path: path}
	at := path.String()
	if at == "" {
		at = "it"
	}
	detail := strings.TrimPrefix(strings.ReplaceAll(err.Detail, " in body", ""), err.Field+" ")
	if err.Type == field.ErrorTypeRequired && err.Detail == "" {
		p.code, p.message, p.remedy = CodeRequired, at+" is missing: the API server refuses the object", "add "+path.last()
		return p
	}
	if err.Type == field.ErrorTypeTypeInvalid {
		p.code = CodeType
		detail, _, _ = strings.Cut(detail, `: "`) // what it is, in words of the library
	}
	if err.Type == field.ErrorTypeNotSupported {
		detail = "it is none of the " + detail
	}
	if err.Type == field.ErrorTypeDuplicate {
		detail = "it stands there twice"
	}
	if detail == "" {
		detail = strings.ToLower(err.Type.String())
	}
	p.message = fmt.Sprintf("the API server refuses %s: %s", at, detail)
	return p
}
