package check

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"github.com/lockkeeper/lockkeeper/internal/nearest"
	"github.com/lockkeeper/lockkeeper/render/finding"
	"github.com/lockkeeper/lockkeeper/render/kro/schema"
	"github.com/lockkeeper/lockkeeper/render/object"
)

const (
	objectMeta   = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
	quantity     = "io.k8s.apimachinery.pkg.api.resource.Quantity"
	refsBegin    = "#/components/schemas/"
	maxNesting   = 200
	intOrString  = "int-or-string"
	preserveMark = "x-kubernetes-preserve-unknown-fields"
)

// schema holds an object against its kind: one of Kubernetes', or one that a CustomResourceDefinition defines.
func (r *run) schema(ctx context.Context, o object.Object) []problem {
	gvk := kindOf(o)
	if gvk.Kind == "List" && gvk.Group == "" {
		return nil // what applies it takes it apart
	}
	if definitions := r.definitions(gvk.GroupKind()); len(definitions) > 0 {
		return append(r.custom(ctx, o, definitions), r.identity(o, "", true)...)
	}
	if !r.target.set.Serves(gvk.Group) && !r.rules.checker.newest.Serves(gvk.Group) && !r.target.formerly(gvk) {
		return r.identity(o, "", false) // a kind of somebody else
	}
	found, set := r.target.served(gvk)
	if set == nil {
		return found
	}
	w := &walk{set: set, newer: r.target.newer}
	root := set.Definition(set.Name(gvk))
	if root == nil {
		return found
	}
	w.value(nil, o.Fields, root, set.Name(gvk))
	return append(append(found, w.found...), r.identity(o, set.Name(gvk), true)...)
}

// walk goes through an object beside the schema of its kind. Kubernetes does not validate its own kinds with schemas but reads
// them into structures, which the schemas describe: a field that is none is dropped, null is the same as nothing, and a
// value of another type refuses the object (k8s.io/apimachinery/pkg/runtime/serializer/json).
type walk struct {
	set    *schema.Set
	newer  bool // the cluster is newer than what is known here: it may have more fields
	status bool // inside the status, which may lack what it will have
	found  []problem
}

func (w *walk) report(severity finding.Severity, code string, path Path, message, remedy string) {
	w.found = append(w.found, problem{severity, code, message, remedy, path})
}

// resolved follows references, and returns the name of the last one.
func (w *walk) resolved(s *spec.Schema, name string) (*spec.Schema, string) {
	for range 10 {
		ref := s.Ref.String()
		if ref == "" && len(s.AllOf) == 1 {
			ref = s.AllOf[0].Ref.String()
		}
		if ref == "" {
			break
		}
		name = strings.TrimPrefix(ref, refsBegin)
		next := w.set.Definition(name)
		if next == nil {
			return nil, name
		}
		s = next
	}
	return s, name
}

// value checks one value. name is that of its schema where it has one.
func (w *walk) value(path Path, v any, s *spec.Schema, name string) {
	if v == nil || isUnknown(v) || len(path) > maxNesting {
		return
	}
	s, name = w.resolved(s, name)
	switch {
	case s == nil:
	case name == quantity:
		w.quantity(path, v)
	case s.Format == intOrString:
		w.scalar(path, v, intOrString, "")
	case s.Type.Contains("object"):
		w.object(path, v, s, name)
	case s.Type.Contains("array"):
		w.list(path, v, s)
	case len(s.Type) == 1:
		w.scalar(path, v, s.Type[0], s.Format)
	}
}

func (w *walk) object(path Path, v any, s *spec.Schema, name string) {
	fields, ok := v.(map[string]any)
	if !ok {
		w.mismatch(path, v, "object")
		return
	}
	values := s.AdditionalProperties
	if len(s.Properties) == 0 && (values == nil || values.Schema == nil) {
		return // anything
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		at := path.key(key)
		switch property, known := s.Properties[key]; {
		case known && len(path) == 0 && key == "status":
			w.status = true
			w.value(at, fields[key], &property, "")
			w.status = false
		case known:
			w.value(at, fields[key], &property, "")
		case values != nil && values.Schema != nil:
			w.value(at, fields[key], values.Schema, "")
		default:
			w.unknown(at, s)
		}
	}
	for _, key := range s.Required {
		if fields[key] == nil && !w.status && !optional[requirement{unversioned(name), key}] {
			w.report(finding.Error, CodeRequired, path, fmt.Sprintf("%s is missing: the API server refuses the object", path.key(key)), "add "+key)
		}
	}
	if name == objectMeta {
		w.found = append(w.found, labelsAndNotes(path, fields)...)
	}
}

func (w *walk) unknown(path Path, s *spec.Schema) {
	if w.newer || s.Extensions[preserveMark] == true {
		return
	}
	remedy := "remove it, or write it where it belongs"
	if near := nearest.Of(path.last(), slices.Sorted(maps.Keys(s.Properties))); near != "" {
		remedy = fmt.Sprintf("did you mean %q?", near)
	}
	w.report(finding.Warning, CodeUnknownField, path, fmt.Sprintf("%s is not known to Kubernetes %s and will be dropped", path, w.set.Version()), remedy)
}

func (w *walk) list(path Path, v any, s *spec.Schema) {
	items, ok := v.([]any)
	if !ok {
		w.mismatch(path, v, "array")
		return
	}
	if s.Items == nil || s.Items.Schema == nil {
		return
	}
	for i, item := range items {
		w.value(path.index(i), item, s.Items.Schema, "")
	}
}

// quantity checks an amount such as 500m, which may be written as a number, too.
func (w *walk) quantity(path Path, v any) {
	switch v := v.(type) {
	case int64, float64:
	case string:
		if _, err := resource.ParseQuantity(strings.TrimSpace(v)); err != nil {
			w.report(finding.Error, CodeValue, path, fmt.Sprintf("%s is no quantity: the API server refuses it", path), `write a number and a unit, such as 500m, 2 or 1.5Gi`)
		}
	default:
		w.mismatch(path, v, "quantity")
	}
}

func (w *walk) scalar(path Path, v any, want, format string) {
	switch want {
	case "string":
		if text, ok := v.(string); ok {
			w.text(path, text, format)
			return
		}
	case "boolean":
		if _, ok := v.(bool); ok {
			return
		}
	case "integer":
		if n, ok := whole(v); ok {
			if format == "int32" && (n < math.MinInt32 || n > math.MaxInt32) {
				w.report(finding.Error, CodeValue, path, fmt.Sprintf("%s does not fit into 32 bits: the API server refuses it", path), "")
			}
			return
		}
	case "number":
		switch v.(type) {
		case int64, float64:
			return
		}
	case intOrString:
		if _, ok := v.(string); ok {
			return
		}
		if _, ok := whole(v); ok {
			return
		}
	default:
		return
	}
	w.mismatch(path, v, want)
}

// whole returns a number without a fraction, however it is written: 2.0 reaches the API server as 2.
func whole(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v), true
		}
	}
	return 0, false
}

func (w *walk) text(path Path, text, format string) {
	switch format {
	case "byte":
		if _, err := base64.StdEncoding.DecodeString(text); err != nil {
			remedy := "encode it, as base64 does"
			if len(path) > 0 && path[0].Key == "data" {
				remedy += ", or write it as it is under stringData"
			}
			w.report(finding.Error, CodeValue, path, fmt.Sprintf("%s is not base64: the API server refuses it", path), remedy)
		}
	case "date-time":
		if _, err := time.Parse(time.RFC3339, text); err != nil {
			w.report(finding.Error, CodeValue, path, fmt.Sprintf("%s is no time: the API server refuses it", path), "write one such as 2026-01-31T12:00:00Z")
		}
	}
}

// mismatch reports a value of another type. The value itself is not told: it may be a secret.
func (w *walk) mismatch(path Path, v any, want string) {
	w.report(finding.Error, CodeType, path, fmt.Sprintf("%s is %s: the API server refuses it, it must be %s", path, typeOf(v), typeWords[want]), rewritten(v, want))
}

// rewritten says how a value is written as another type, where that is likely what was meant.
func rewritten(v any, want string) string {
	switch v := v.(type) {
	case string:
		if want != "integer" && want != "number" && want != "boolean" {
			return ""
		}
		if kind := plainType(v); kind == want || kind == "integer" && want == "number" {
			return "remove the quotes"
		}
	case int64, float64, bool:
		if want == "string" {
			return "put it in quotes"
		}
		if want == "array" {
			return "write it as an item of a list"
		}
	case map[string]any:
		if want == "array" {
			return "write it as an item of a list, behind a dash"
		}
	}
	return ""
}

// plainType is the type that a text has without its quotes.
func plainType(text string) string {
	switch text {
	case "true", "false":
		return "boolean"
	}
	digits := strings.TrimPrefix(text, "-")
	whole, fraction, _ := strings.Cut(digits, ".")
	if whole == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return "string"
	}
	if fraction != "" {
		return "number"
	}
	return "integer"
}

var typeWords = map[string]string{
	"string": "a string", "boolean": "true or false", "integer": "a whole number", "number": "a number", "object": "an object",
	"array": "a list", intOrString: "a whole number or a string", "quantity": "a quantity",
}

func typeOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	default:
		if _, ok := whole(v); ok {
			return "a number"
		}
		return "a number with a fraction"
	}
}
