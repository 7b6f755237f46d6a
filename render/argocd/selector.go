package argocd

import (
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/util/validation"

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
	return spec, spec.check()
}

// check reports what Argo CD does not take for a selector (applicationset/utils/selector.go).
func (s selectorSpec) check() error {
	for _, key := range sortedKeys(s.MatchLabels) {
		if err := checkSelectorKey(key); err != nil {
			return err
		}
	}
	for _, e := range s.MatchExpressions {
		if err := checkSelectorKey(e.Key); err != nil {
			return err
		}
		switch e.Operator {
		case "In", "NotIn":
			if len(e.Values) == 0 {
				return &generatorError{problem: fmt.Sprintf("selector of %q has no values to be %s", e.Key, e.Operator), remedy: "add values"}
			}
		case "Exists", "DoesNotExist":
			if len(e.Values) > 0 {
				return &generatorError{problem: fmt.Sprintf("selector of %q has values, which %s has no use for", e.Key, e.Operator), remedy: "remove them, or write In"}
			}
		default:
			return fmt.Errorf("selector operator %q is not one of In, NotIn, Exists, DoesNotExist", e.Operator)
		}
	}
	return nil
}

func checkSelectorKey(key string) error {
	if len(validation.IsQualifiedName(key)) > 0 {
		return &generatorError{
			problem: fmt.Sprintf("selector key %q is none: Argo CD takes only what a label could be called", key),
			remedy:  "give the parameter another name by values of the generator, and select by that",
		}
	}
	return nil
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
		for _, key := range slices.Sorted(maps.Keys(v)) { // the last of two with one name wins, always the same
			at := key
			if prefix != "" {
				at = prefix + "." + key
			}
			flatten(at, v[key], into)
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
