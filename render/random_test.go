package render

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMask(t *testing.T) {
	type object = map[string]any
	for name, c := range map[string]struct {
		a, b, want any
		paths      []string
	}{
		"nothing differs":     {object{"a": []any{int64(1)}}, object{"a": []any{int64(1)}}, object{"a": []any{int64(1)}}, nil},
		"a value":             {object{"a": "x", "b": "1"}, object{"a": "x", "b": "2"}, object{"a": "x", "b": randomValue}, []string{"b"}},
		"an item":             {object{"a": []any{"x", "1"}}, object{"a": []any{"x", "2"}}, object{"a": []any{"x", randomValue}}, []string{"a[1]"}},
		"a longer list":       {object{"a": []any{"x"}}, object{"a": []any{"x", "y"}}, object{"a": randomValue}, []string{"a"}},
		"keys that are made":  {object{"d": object{"k-1": "v"}}, object{"d": object{"k-2": "v"}}, object{"d": randomValue}, []string{"d"}},
		"another type":        {object{"a": "x"}, object{"a": object{}}, object{"a": randomValue}, []string{"a"}},
		"several, in order":   {object{"b": "1", "a": "1"}, object{"b": "2", "a": "2"}, object{"b": randomValue, "a": randomValue}, []string{"a", "b"}},
		"a key with one more": {object{"d": object{"k": "v"}}, object{"d": object{"k": "v", "l": "v"}}, object{"d": randomValue}, []string{"d"}},
	} {
		t.Run(name, func(t *testing.T) {
			var m masking
			if diff := cmp.Diff(c.want, m.mask("", c.a, c.b)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.paths, m.paths); diff != "" {
				t.Errorf("paths: %s", diff)
			}
		})
	}
}
