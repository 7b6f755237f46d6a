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

// selectParams keeps the parameter sets that a generator's selector matches. Values are free text, unlike labels.
func selectParams(doc manifest.Document, n *yaml.Node, sets []params) ([]params, error) {
	if n == nil {
		return sets, nil
	}
	var spec selectorSpec
	if err := decodeAt(doc, n, &spec); err != nil {
		return nil, err
	}
	for _, e := range spec.MatchExpressions {
		if !slices.Contains([]string{"In", "NotIn", "Exists", "DoesNotExist"}, e.Operator) {
			return nil, fmt.Errorf("selector operator %q is not one of In, NotIn, Exists, DoesNotExist", e.Operator)
		}
	}
	return slices.DeleteFunc(sets, func(p params) bool { return !spec.matches(flatten("", map[string]any(p), map[string]string{})) }), nil
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
