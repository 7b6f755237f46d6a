package render

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/render/finding"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// randomValue stands for a value that is another one at every render, on both sides of a comparison.
const randomValue = object.UnknownPrefix + ": it is another one at every render⟩"

// twice renders a source once, and once more when templates called functions that answer differently every time: what
// differs between the two is not what a change makes.
func twice(render func() sourceOutput) sourceOutput {
	first := render()
	if len(first.random) == 0 {
		return first
	}
	second := render()
	if first.failed || second.failed || len(first.objects) != len(second.objects) {
		return first
	}
	masked := 0
	for i, o := range first.objects {
		m := masking{}
		fields, _ := m.mask("", o.Fields, second.objects[i].Fields).(map[string]any)
		if fields == nil || len(m.paths) == 0 {
			continue
		}
		o.Fields, o.Unknown = fields, append(slices.Clip(o.Unknown), m.paths...)
		first.objects[i] = o
		masked += len(m.paths)
	}
	if masked == 0 {
		return first
	}
	first.findings = append(first.findings, Finding{
		Severity: finding.Warning, Code: "not-deterministic",
		Message: fmt.Sprintf("the templates call %s, so %d values are others at every render and every sync changes them", strings.Join(first.random, ", "), masked),
		Remedy:  "set these values, or read them from the cluster's Secret",
	})
	return first
}

// masking replaces what differs between two renders.
type masking struct{ paths []string }

func (m *masking) mask(at string, a, b any) any {
	switch a := a.(type) {
	case map[string]any:
		other, ok := b.(map[string]any)
		if !ok || len(a) != len(other) || slices.ContainsFunc(slices.Collect(maps.Keys(a)), func(key string) bool { _, has := other[key]; return !has }) {
			break // keys are made up, too
		}
		out := make(map[string]any, len(a))
		for _, key := range slices.Sorted(maps.Keys(a)) {
			out[key] = m.mask(strings.TrimPrefix(at+"."+key, "."), a[key], other[key])
		}
		return out
	case []any:
		other, ok := b.([]any)
		if !ok || len(a) != len(other) {
			break
		}
		out := make([]any, len(a))
		for i, value := range a {
			out[i] = m.mask(fmt.Sprintf("%s[%d]", at, i), value, other[i])
		}
		return out
	default:
		if reflect.DeepEqual(a, b) {
			return a
		}
	}
	m.paths = append(m.paths, at)
	return randomValue
}
