package document_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/render/diff/document"
)

func TestParse(t *testing.T) {
	type m = map[string]any
	tests := []struct {
		name, file, text string
		want             any // nil: it is no document
	}{
		{"JSON", "a.json", `{"a":[1,-2.50,true,null,"x"]}`, m{"a": []any{int64(1), -2.5, true, nil, "x"}}},
		{"JSON with something behind it", "a.json", `{"a":1} x`, nil},
		{"JSON that is no map or list", "a.json", `"a"`, nil},
		{"an empty map", "a.json", `{}`, nil},
		{"a key twice", "a.json", `{"a":1,"a":1}`, nil},
		{"YAML in a file for JSON", "a.json", "a: 1\nb: {c: 2}\n", m{"a": int64(1), "b": m{"c": int64(2)}}},
		{"JSON with a comma too much is YAML", "a.json", `{"a":[1,],}`, m{"a": []any{int64(1)}}},
		{"a large number", "a.json", `[1e400, 12345678901234567890]`, []any{document.Literal("1e400"), document.Literal("12345678901234567890")}},
		{"YAML", "a.YAML", "a: 1\nb: [x, 'y', ~, 1.50, true]\n", m{"a": int64(1), "b": []any{"x", "y", nil, 1.5, true}}},
		{"YAML 1.1", "a.yml", "a: [yes, 'yes', off, 0777, 0x1F, 1:30, 1_000, 2020-01-01, .inf]\n", m{"a": []any{
			document.Literal("yes"), "yes", document.Literal("off"), document.Literal("0777"), document.Literal("0x1F"), document.Literal("1:30"),
			document.Literal("1_000"), document.Literal("2020-01-01"), document.Literal(".inf"),
		}}},
		{"anchors", "a.yaml", "a: &x {b: 1}\nc: *x\nd: {<<: *x}\n", m{"a": m{"b": int64(1)}, "c": m{"b": int64(1)}, "d": m{"<<": m{"b": int64(1)}}}},
		{"tags", "a.yaml", "a: !x 1\nb: !!binary aaaa\n", m{"a": document.Literal("!x 1"), "b": document.Literal("!!binary aaaa")}},
		{"a tagged map", "a.yaml", "a: !x {b: 1}\n", nil},
		{"a key that is a map", "a.yaml", "{a: 1}: 2\n", nil},
		{"wrong YAML", "a.yaml", "a: [\n", nil},
		{"documents", "a.yaml", "---\na: 1\n---\nb: 1\n", []any{m{"a": int64(1)}, m{"b": int64(1)}}},
		{"a text of one line", "", "a: 1", nil},
		{"a text of several lines", "", "# x\n\na: 1\nb: 2\n", m{"a": int64(1), "b": int64(2)}},
		{"prose", "", "We say it as it is.\nAnd again: so.\n", nil},
		{"a script", "", "#!/bin/sh\na: 1\n", nil},
		{"an address", "", "https://a.example\nb: 1\n", nil},
		{"properties", "a.properties", "! x\n a.b = c \\\n   d\ne\\ f: g\nh\ni=j=k\n", m{"a.b": "c d", `e\ f`: "g", "h": "", "i": "j=k"}},
		{"a property twice", "a.properties", "a=1\na=2\n", nil},
		{"an environment file", ".env", "# x\nexport A=\"b c\"\nB=\n", m{"A": `"b c"`, "B": ""}},
		{"no environment file", ".env", "A\n", nil},
		{"INI", "a.ini", "x=1\n; c\n[a b]\ny = 2 # z\n[c]\n", m{"x": "1", "a b": m{"y": "2 # z"}, "c": m{}}},
		{"a section twice", "a.ini", "[a]\nx=1\n[a]\ny=1\n", nil},
		{"a server's own language", "a.cfg", "server {\n listen 80;\n}\n", nil},
		{"TOML", "a.toml", "a = 1\n[[b]]\nc = 1.5\nd = 07:32:00\n", m{"a": int64(1), "b": []any{m{"c": 1.5, "d": document.Literal("07:32:00")}}}},
		{"wrong TOML", "a.toml", "a = \n", nil},
		{"nothing", "a.json", " \n", nil},
		{"too much", "a.json", `["` + strings.Repeat("x", document.MaxBytes) + `"]`, nil},
		{"too deep", "a.json", strings.Repeat("[", 60) + strings.Repeat("]", 60), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, format := document.Parse(tt.file, tt.text)
			is := format != ""
			if is != (tt.want != nil) {
				t.Fatalf("document: %v, %v", is, got)
			}
			if !is {
				got = nil
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"a.json", "a.yaml", "a.toml", "a.properties", "a.env", "a.ini", ""} {
		f.Add(name, "a: 1\nb: [x, {y: 2}]\n")
		f.Add(name, `{"a": [1, 2.5, null, {"b": "c"}]}`)
		f.Add(name, "[a]\nb = 1\n# c\nd = \\\n e\n")
		f.Add(name, "a: &a [*a, *a]\n<<: *a\n---\n? x\n: y\n")
	}
	f.Fuzz(func(t *testing.T, name, text string) {
		v, format := document.Parse(name, text)
		again, formatAgain := document.Parse(name, text)
		if format != formatAgain || !reflect.DeepEqual(v, again) {
			t.Error("read in two ways")
		}
		if format == "" {
			return
		}
		if n := nodes(v); n > 60_000 {
			t.Errorf("%d values", n)
		}
		if format == document.JSON && !json.Valid([]byte(text)) {
			t.Error("no valid JSON")
		}
	})
}

func nodes(v any) int {
	n := 1
	switch v := v.(type) {
	case map[string]any:
		for _, item := range v {
			n += nodes(item)
		}
	case []any:
		for _, item := range v {
			n += nodes(item)
		}
	}
	return n
}
