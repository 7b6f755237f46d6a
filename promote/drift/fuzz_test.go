package drift_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"unicode"

	"github.com/lockkeeper/lockkeeper/promote/drift"
	"github.com/lockkeeper/lockkeeper/render/diff"
)

func FuzzCompare(f *testing.F) {
	f.Add("x.yaml", []byte("a: {b: [1, {name: x}]}\n---\nkind: A\nmetadata: {name: n}\n"), []byte("a: {b: [{name: x, c: 2}]}\n"), "*.yaml:a.b[name=x].*")
	f.Add("x.json", []byte("{\n\t\"a\": 1}"), []byte(`{"a": null, "b": {}}`), `x.json:["a"]`)
	f.Add("values.yaml", []byte("x: &a {k: v}\ny: *a\n<<: *a\n"), []byte("x: {{ .Values.x }}\n"), "**/v*:x.0")
	f.Add("d/run.sh", []byte("\x1b[31m"), []byte(""), "d/**")
	f.Add("s.yml", []byte("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: aHVudGVyMg==}\n"), []byte("? [a]\n: b\n"), `s.yml:data.\*`)
	f.Fuzz(func(t *testing.T, name string, before, after []byte, exclude string) {
		if !fs.ValidPath(name) || name == "." {
			return
		}
		files := fstest.MapFS{"a/" + name: {Data: before}, "b/" + name: {Data: after}, "c/" + name: {Data: before}}
		rules := []drift.Rule{{From: "a", To: []string{"b"}, Exclude: []string{exclude}}, {From: "a", To: []string{"c"}}}
		report, err := drift.Compare(t.Context(), drift.Request{Tree: files, Rules: rules})
		if err != nil {
			t.Fatal(err)
		}
		for _, pair := range report.Pairs {
			if pair.To == "c" && !pair.Empty() {
				t.Errorf("a copy drifts:\n%s", drift.Text(report))
			}
			for _, file := range pair.Files {
				if file.Kind == drift.Differs && file.Note == "" && len(file.Keys) == 0 {
					t.Errorf("%q drifts for no reason", file.Name)
				}
			}
		}
		text := drift.Text(report)
		if strings.ContainsFunc(strings.ReplaceAll(strings.ReplaceAll(text, "\n", ""), "\t", ""), unicode.IsControl) {
			t.Errorf("control characters in %q", text)
		}
		if again, _ := drift.Compare(t.Context(), drift.Request{Tree: files, Rules: rules}); drift.Text(again) != text {
			t.Errorf("another time it reads:\n%s\nnot:\n%s", drift.Text(again), text)
		}
		for _, limit := range []int{400, 2000} {
			if markdown := drift.Markdown(report, limit); len(markdown) > limit {
				t.Errorf("%d bytes of %d", len(markdown), limit)
			}
		}
		if _, err := drift.JSON(report); err != nil {
			t.Error(err)
		}
	})
}

// A path of a report that is used as an exclusion leaves out what it was printed for.
func TestPathsAreKeys(t *testing.T) {
	const before = "a: {b.c: {d/e: x}, \"*\": x, \"q\\\"\": x}\nl: [{name: \"x y\", v: x}, {name: z, v: x}]\nports: [{containerPort: 80, v: x}]\nargs: [a, b]\n"
	after := strings.ReplaceAll(strings.ReplaceAll(before, ": x", ": w"), ", b]", ", c]")
	files := fstest.MapFS{"a/x.yaml": {Data: []byte(before)}, "b/x.yaml": {Data: []byte(after)}}
	rule := drift.Rule{From: "a", To: []string{"b"}}
	keys := compare(t, files, rule).Pairs[0].Files[0].Keys
	if len(keys) != 7 {
		t.Fatalf("%d keys: %v", len(keys), keys)
	}
	for _, key := range keys {
		rule.Exclude = []string{"x.yaml:" + key.Path}
		report := compare(t, files, rule)
		if left := report.Pairs[0].Files[0].Keys; len(report.Problems) > 0 || len(left) != len(keys)-1 {
			t.Errorf("%s: %v\n%s", key.Path, report.Problems, drift.Text(report))
		}
	}
}

// secrets is a file whose values of "canary" must not be seen, whatever is left out of it.
const secrets = `apiVersion: v1
kind: Secret
metadata: {name: s, annotations: {kubectl.kubernetes.io/last-applied-configuration: "canary%[1]d"}}
stringData: {a: canary%[1]d, b: {c: canary%[1]d}}
---
apiVersion: v1
kind: ConfigMap
data: {apiKeyName: canary%[1]d, url: "https://me:canary%[1]d@example.com"}
---
env: [{name: TOKEN, value: canary%[1]d}]
args: [--password, canary%[1]d]
db: {password: canary%[1]d, tokens: [canary%[1]d]}
`

func FuzzExclusionHidesSecrets(f *testing.F) {
	for _, seed := range []string{"s.yaml:kind", "*:apiVersion", "*:metadata", "*:env[*].name", "*:args[0]", "*:args[--password]", "*:*[*].n*", "*:db.*", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, exclude string) {
		files := fstest.MapFS{"a/s.yaml": {Data: fmt.Appendf(nil, secrets, 1)}, "b/s.yaml": {Data: fmt.Appendf(nil, secrets, 2)}}
		report := compare(t, files, drift.Rule{From: "a", To: []string{"b"}, Exclude: []string{exclude}})
		data, err := drift.JSON(report)
		if err != nil {
			t.Fatal(err)
		}
		shown := drift.Text(report) + drift.Markdown(report, 0) + string(data)
		if strings.Contains(shown, "canary") && !strings.Contains(exclude, "canary") {
			t.Errorf("a secret is shown:\n%s", shown)
		}
	})
}

func FuzzExclusion(f *testing.F) {
	for _, seed := range []string{"*.md", "a/**/b:c.d", `x:a\.b["c"][name=*].*`, "x:[", "x:a..b", `x:["\u00e9"]`, "[a-z]*:0"} {
		f.Add(seed, "a: {b: [x, {name: y, c: {d: 1}}]}")
	}
	f.Fuzz(func(t *testing.T, exclude, document string) {
		problems := drift.Check([]drift.Rule{{From: "a", To: []string{"b"}, Exclude: []string{exclude}}})
		files := fstest.MapFS{"a/x.yaml": {Data: []byte(document)}, "b/x.yaml": {Data: []byte("b: 1")}}
		report, err := drift.Compare(t.Context(), drift.Request{
			Tree: files, Rules: []drift.Rule{{From: "a", To: []string{"b"}}, {From: "a", To: []string{"b"}, Exclude: []string{exclude}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(problems) > 0 {
			if len(report.Pairs) != 1 {
				t.Errorf("a rule with %v was used", problems)
			}
			return
		}
		all, left := count(report.Pairs[0]), count(report.Pairs[1])
		if len(report.Pairs[1].Excluded) == 0 && all != left {
			t.Errorf("%q matches nothing, but %d became %d", exclude, all, left)
		}
		for _, p := range report.Problems {
			if diff.Visible(p.String()) == "" {
				t.Error("a problem says nothing")
			}
		}
	})
}

func count(pair drift.Pair) int {
	n := 0
	for _, file := range pair.Files {
		n += 1 + len(file.Keys) + file.More
	}
	return n
}
