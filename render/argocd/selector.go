package argocd

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

type selectorSpec struct {
	MatchLabels      map[string]string `json:"matchLabels"`
	MatchExpressions []struct {
		Key      string   `json:"key"`
		Operator string   `json:"operator"`
		Values   []string `json:"values"`
	} `json:"matchExpressions"`
}

// parseSelector reads a generator's selector; one that is not written matches everything. Values are free text, unlike
// labels.
func parseSelector(doc manifest.Document, n *yaml.Node) (selectorSpec, error) {
	var spec selectorSpec
	if n == nil {
		return spec, nil
	}
	if err := decodeAt(doc, n, &spec); err != nil {
		return spec, err
	}
	for _, e := range spec.MatchExpressions {
		if !slices.Contains([]string{"In", "NotIn", "Exists", "DoesNotExist"}, e.Operator) {
			return spec, fmt.Errorf("selector operator %q is not one of In, NotIn, Exists, DoesNotExist", e.Operator)
		}
	}
	return spec, nil
}

// selects reports whether a parameter set is one of those that the selector asks for.
func (s selectorSpec) selects(p params) bool {
	if len(s.MatchLabels) == 0 && len(s.MatchExpressions) == 0 {
		return true
	}
	return s.matches(flatten("", map[string]any(p), map[string]string{}))
}

func (s selectorSpec) matches(flat map[string]string) bool {
	for key, want := range s.MatchLabels {
		if have, ok := flat[key]; !ok || have != want {
			return false
		}
	}
	for _, e := range s.MatchExpressions {
		have, ok := flat[e.Key]
		matched := false
		switch e.Operator {
		case "In":
			matched = ok && slices.Contains(e.Values, have)
		case "NotIn":
			matched = !ok || !slices.Contains(e.Values, have)
		case "Exists":
			matched = ok
		case "DoesNotExist":
			matched = !ok
		}
		if !matched {
			return false
		}
	}
	return true
}

func flatten(prefix string, v any, into map[string]string) map[string]string {
	switch v := v.(type) {
	case map[string]any:
		for key, item := range v {
			if prefix != "" {
				key = prefix + "." + key
			}
			flatten(key, item, into)
		}
	case []any:
		for i, item := range v {
			flatten(fmt.Sprintf("%s.%d", prefix, i), item, into)
		}
	default:
		into[prefix] = fmt.Sprint(v)
	}
	return into
}
