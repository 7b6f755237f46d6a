package diff_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/render/diff"
)

func TestValues(t *testing.T) {
	type m = map[string]any
	tests := []struct {
		name       string
		base, head any
		want       []string
	}{
		{"equal values", m{"a": []any{int64(1), "x"}}, m{"a": []any{int64(1), "x"}}, nil},
		{"a plain value", m{"a": m{"b": "x"}}, m{"a": m{"b": "z"}}, []string{"a.b: x → z"}},
		{"a number and its text", m{"port": int64(80)}, m{"port": "80"}, []string{`port: 80 → "80"`}},
		{"numbers written otherwise", m{"a": int64(1)}, m{"a": 1.0}, nil},
		{"quantities written otherwise", m{"limits": m{"cpu": "500m"}}, m{"limits": m{"cpu": "0.5"}}, []string{`limits.cpu: 500m → "0.5"`}},
		{"null and absent", m{"a": nil}, m{}, []string{"- a: null"}},
		{"null in both", m{"a": nil, "b": []any{nil}}, m{"a": nil, "b": []any{nil}}, nil},
		{"null and a text", m{"a": nil}, m{"a": "null"}, []string{`a: null → "null"`}},
		{"empty and absent", m{"metadata": m{"labels": m{}}}, m{"metadata": m{}}, []string{"- metadata.labels: {}"}},
		{"a default and absent", m{"protocol": "TCP"}, m{}, []string{"- protocol: TCP"}},
		{"a list by name", m{"c": []any{m{"name": "a", "v": "1"}, m{"name": "b"}}}, m{"c": []any{m{"name": "b"}, m{"name": "a", "v": "2"}}}, []string{`c[name=a].v: "1" → "2"`}},
		{"a list by index", []any{"a", "b"}, []any{"a", "c"}, []string{"[1]: b → c"}},
		{"a document that is a scalar", "a", "b", []string{"a → b"}},
		{"a text of lines", m{"a": "x\ny\n"}, m{"a": "x\nz\n"}, []string{"  a:", "@@ -1,2 +1,2 @@", "    x", "-   y", "+   z"}},
		{"an object for a value", m{"a": "x"}, m{"a": m{"b": "x"}}, []string{"- a: x", "+ a:", "+     b: x"}},
		{"a password", m{"db": m{"password": "hunter2"}}, m{"db": m{"password": "hunter3"}}, []string{"db.password: <secret old value, short> → <secret changed, short>"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, f := range diff.Values(test.base, test.head, nil) {
				if line, ok := f.Arrow(); ok {
					got = append(got, line)
				} else {
					got = append(got, f.Lines()...)
				}
			}
			if d := cmp.Diff(test.want, got); d != "" {
				t.Errorf("lines (-want +got):\n%s", d)
			}
		})
	}
}

// withoutNames leaves everything of a map but what says that a value beside it is a secret.
func withoutNames(v any) (any, bool) {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, child := range v {
			if left, ok := withoutNames(child); ok && key != "kind" && key != "name" && key != "apiVersion" {
				out[key] = left
			}
		}
		return out, true
	case []any:
		var out []any
		for _, child := range v {
			if text, isText := child.(string); !isText || !strings.HasPrefix(text, "--") {
				left, _ := withoutNames(child)
				out = append(out, left)
			}
		}
		return out, true
	}
	return v, true
}

func TestValuesWithoutSome(t *testing.T) {
	type m = map[string]any
	base := m{"kind": "Secret", "apiVersion": "v1", "data": m{"same": "x", "other": "x", "gone": ""}, "name": "a", "null": nil}
	head := m{"kind": "Secret", "apiVersion": "v1", "data": m{"same": "x", "other": strings.Repeat("z", 70)}, "name": "b", "null": nil}
	var got []string
	for _, f := range diff.Values(base, head, withoutNames) {
		got = append(got, f.Lines()...)
	}
	want := []string{"- data.gone: <secret removed, empty>", "- data.other: <secret old value, short>", "+ data.other: <secret changed, long>"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("lines (-want +got):\n%s", d)
	}
}

func TestValuesHidesSecrets(t *testing.T) {
	for name, hide := range hidingPlaces {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			for _, without := range []func(any) (any, bool){nil, withoutNames} {
				for _, f := range diff.Values(hide("a ", canary, " b").Fields, hide("a ", canary+"2", " c").Fields, without) {
					line, _ := f.Arrow()
					b.WriteString(strings.Join(append(f.Lines(), line), "\n"))
				}
			}
			if strings.Contains(b.String(), canary) {
				t.Errorf("the secret is shown:\n%s", b.String())
			}
		})
	}
}
