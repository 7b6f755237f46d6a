package argocd

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// joined is two parameter sets as one. In Go templates the first one wins, with what is not empty in it; plain ones must not
// differ.
func (d dialect) joined(a, b params) (params, error) {
	if d.goTemplate {
		both := filled(a, b)
		maps.DeleteFunc(both, func(_ string, v any) bool { return v == nil })
		return both, nil
	}
	out := maps.Clone(b)
	for _, key := range slices.Sorted(maps.Keys(a)) {
		if other, twice := b[key]; twice && !reflect.DeepEqual(other, a[key]) {
			return nil, fmt.Errorf("found duplicate key %s with different value, a: %v ,b: %v", key, a[key], other)
		}
		out[key] = a[key]
	}
	return out, nil
}

// filled is a tree of values with what is absent or empty in it taken from another one.
func filled(first, second map[string]any) map[string]any {
	out := maps.Clone(first)
	if out == nil {
		out = map[string]any{}
	}
	for key, value := range second {
		own, isMap := out[key].(map[string]any)
		inner, both := value.(map[string]any)
		switch {
		case isMap && both:
			out[key] = filled(own, inner)
		case value != nil && isEmpty(out[key]):
			out[key] = value
		}
	}
	return out
}

// isEmpty reports whether mergo, by which Argo CD joins the sets, takes a value for none.
func isEmpty(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return len(v) == 0
	case float64:
		return v == 0
	case int:
		return v == 0
	}
	return isZero(v) // of a list, a text, a truth or a whole number
}

// overlaid lays one tree of values over another: mappings are merged, everything else is replaced.
func overlaid(base, over map[string]any) map[string]any {
	out := maps.Clone(base)
	if out == nil {
		out = map[string]any{}
	}
	for key, value := range over {
		below, isMap := out[key].(map[string]any)
		if inner, both := value.(map[string]any); both && isMap {
			value = overlaid(below, inner)
		}
		out[key] = value
	}
	return out
}

// mergeKey writes the values of the keys of a set: those of a set without one of the keys are null.
func mergeKey(p params, keys []string) string {
	values := map[string]any{}
	for _, key := range keys {
		values[key] = p[key]
	}
	text, err := json.Marshal(values)
	if err != nil {
		return fmt.Sprint(values)
	}
	return string(text)
}
