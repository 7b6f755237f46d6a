package argocd

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestJoinedSets(t *testing.T) {
	type m = map[string]any
	list := []any{m{"name": "a"}}
	for _, test := range []struct {
		name       string
		goTemplate bool
		a, b       params
		want       params
		err        string
	}{
		{"plain sets together", false, params{"a": "1"}, params{"b": "2"}, params{"a": "1", "b": "2"}, ""},
		{"plain sets that agree", false, params{"a": "1"}, params{"a": "1"}, params{"a": "1"}, ""},
		{"the first of two conflicts is told", false, params{"b": "1", "a": "1"}, params{"b": "2", "a": "2"}, nil, "found duplicate key a with different value, a: 1 ,b: 2"},
		{"lists, which cannot be compared with ==", false, params{"clusters": list}, params{"clusters": list}, params{"clusters": list}, ""},
		{"Go sets: the first wins", true, params{"a": "1", "m": m{"x": "1"}}, params{"a": "2", "m": m{"x": "2", "y": "2"}}, params{"a": "1", "m": m{"x": "1", "y": "2"}}, ""},
		{"but not with what is empty", true, params{"a": "", "b": false, "c": 0.0, "d": []any{}, "e": m{}, "f": nil}, params{"a": "x", "b": true, "c": 1.0, "d": list, "e": "y"}, params{"a": "x", "b": true, "c": 1.0, "d": list, "e": "y"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := newDialect(test.goTemplate, nil).joined(test.a, test.b)
			text := ""
			if err != nil {
				text = fmt.Sprint(err)
			}
			if diff := cmp.Diff([]any{test.want, test.err}, []any{got, text}); diff != "" {
				t.Errorf("joined (-want +got):\n%s", diff)
			}
		})
	}
}
