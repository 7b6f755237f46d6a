package diff_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/lockkeeper/lockkeeper/render/diff"
	"github.com/lockkeeper/lockkeeper/render/object"
)

func TestDocumentsWithinTexts(t *testing.T) {
	tests := []struct {
		name, key  string
		base, head string
		want       []string
	}{
		{"a value of YAML", "a.yaml", "server: {port: 80}\n", "server:\n  port: 8080\n", []string{`data["a.yaml"].server.port: 80 -> 8080`}},
		{"YAML that only looks different", "a.yaml", "a: {b: 1, c: [x]}\n", "# new\na:\n  c:\n  - x\n  b: 0001.0e0\n", []string{`data["a.yaml"] only formatting`}},
		{"YAML without a name that says so", "config", "a: 1\nb: 2\n", "b: 2\na: 2\n", []string{`data.config.a: 1 -> 2`}},
		{"JSON without a name that says so", "config", `{"a":[{"b":1}]}`, `{"a": [{"b": 2}]}`, []string{`data.config.a[0].b: 1 -> 2`}},
		{"a number and its text are two things", "a.json", `{"a":1}`, `{"a":"1"}`, []string{`data["a.json"].a: 1 -> 1`}},
		{"numbers that no machine tells apart", "a.json", `{"a":12345678901234567890}`, `{"a":12345678901234567891}`, []string{`data["a.json"].a: 12345678901234567890 -> 12345678901234567891`}},
		{"null is not absent", "a.json", `{"a":null,"b":1}`, `{"b":1}`, []string{`data["a.json"].a: null -> <nil>`}},
		{"an empty map is not absent", "a.json", `{"a":{},"b":1}`, `{"b":1}`, []string{`data["a.json"].a: map[] -> <nil>`}},
		{"quantities are texts like others", "a.yaml", "limits: {cpu: 500m}\n", "limits: {cpu: 0.5}\n", []string{`data["a.yaml"].limits.cpu: 500m -> 0.5`}},
		{"the order of rules counts", "a.yaml", "- {name: a}\n- {name: b}\n", "- {name: b}\n- {name: a}\n", []string{`data["a.yaml"]: in the order a, b -> in the order b, a`}},
		{"the order of texts counts", "a.yaml", "verbs: [a, b]\n", "verbs: [b, a]\n", []string{`data["a.yaml"].verbs: in the order a, b -> in the order b, a`}},
		{"a word that two versions of YAML read in two ways", "a.yaml", "a: yes\nb: 1\n", "a: 'yes'\nb: 1\n", []string{`data["a.yaml"].a: yes -> yes`}},
		{"an octal number", "a.yaml", "a: 010\n", "a: 8\n", []string{`data["a.yaml"].a: 010 -> 8`}},
		{"a key twice is read in two ways", "a.json", `{"a":1,"a":2}`, `{"a":2}`, []string{`data["a.json"]: {"a":1,"a":2} -> {"a":2}`}},
		{"several documents", "a.yaml", "a: 1\n---\nb: 1\n", "a: 1\n---\nb: 2\n", []string{`data["a.yaml"][1].b: 1 -> 2`}},
		{"properties", "a.properties", "a.b = 1\nc : 2\n", "# x\nc=3\na.b=1", []string{`data["a.properties"].c: 2 -> 3`}},
		{"spaces behind a property count", "a.properties", "a=1\n", "a=1 \n", []string{`data["a.properties"].a: 1 -> 1 `}},
		{"an environment file", "x.env", "A=1\nexport B=2\n", "B=2\nA=2\n", []string{`data["x.env"].A: 1 -> 2`}},
		{"TOML", "a.toml", "[a]\nb = 1\n", "a.b = 2\n", []string{`data["a.toml"].a.b: 1 -> 2`}},
		{"TOML dates", "a.toml", "a = 2020-01-01\n", "a = \"2020-01-01\"\n", []string{`data["a.toml"].a: 2020-01-01 -> 2020-01-01`}},
		{"INI", "a.ini", "[a]\nb=1\n", "; x\n[a]\nb = 1\n", []string{`data["a.ini"] only formatting`}},
		{"a script is no document", "a.sh", "#!/bin/sh\na: 1\n", "#!/bin/sh\na: 2\n", []string{"data[\"a.sh\"]: #!/bin/sh\na: 1\n -> #!/bin/sh\na: 2\n"}},
		{"only one of them is a document", "a.json", `{"a":1}`, `{"a":`, []string{`data["a.json"]: {"a":1} -> {"a":`}},
		{"an image in a document is no container's", "a.yaml", "containers: [{name: a, image: 'x:1'}]\n", "containers: [{name: a, image: 'x:latest'}]\n", []string{`data["a.yaml"].containers[name=a].image: x:1 -> x:latest`}},
		{"a secret by its name", "a.yaml", "password: a\nb: 1\n", "password: b\nb: 1\n", []string{`data["a.yaml"].password: <secret old value, short> -> <secret changed, short>`}},
		{"a map of secrets", "a.yaml", "passwords: {x: a}\n", "passwords: {x: b}\n", []string{`data["a.yaml"].passwords: <secret old value, structured> -> <secret changed, structured>`}},
		{"where a secret is, is none", "a.yaml", "passwordFile: /a\n", "passwordFile: /b\n", []string{`data["a.yaml"].passwordFile: /a -> /b`}},
		{"JSON in YAML", "a.yaml", "x: '{\"a\": 1}'\n", "x: '{\"a\": 2}'\n", []string{`data["a.yaml"].x.a: 1 -> 2`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := func(text string) object.Object { return configMap("c", map[string]any{tt.key: text}) }
			report := diff.Compare(app(o(tt.base), o(tt.head)))
			var got []string
			for _, f := range report.Apps[0].Objects[0].Fields {
				if f.Only != "" {
					got = append(got, fmt.Sprintf("%s only %s", f.Path, f.Only))
				} else {
					got = append(got, fmt.Sprintf("%s: %v -> %v", f.Path, f.Before, f.After))
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			for _, f := range report.Facts {
				if f.Kind != diff.FactConfig {
					t.Errorf("fact %s", f)
				}
			}
		})
	}
}

// TestDocumentsAreBounded has documents that are small to write and large to read, and asks for no more than that the change is
// seen, in little time.
func TestDocumentsAreBounded(t *testing.T) {
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
	for i := range 12 {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 9), ", "))
	}
	for name, text := range map[string]string{
		"a bomb":               bomb,
		"a circle":             "a: &a [*a]\nb: 1\n",
		"deep YAML":            strings.Repeat("[", 100000) + strings.Repeat("]", 100000),
		"deep maps of YAML":    strings.Repeat("{a: ", 5000) + "1" + strings.Repeat("}", 5000) + "\n",
		"a very large file":    strings.Repeat("name: value\n", 25000),
		"many changes":         "x: 0\n" + strings.Repeat("- a\n", 1000),
		"deep by indentation":  indented(3000),
		"keys without a value": strings.Repeat("? a\n", 10000),
	} {
		for _, key := range []string{"a.yaml", "a.json", "a.toml", "a.ini", "a.properties", "plain"} {
			base, head := configMap("c", map[string]any{key: text}), configMap("c", map[string]any{key: text + "z: 1\n"})
			if report := diff.Compare(app(base, head)); report.Empty() {
				t.Errorf("%s in %s: the change is not seen", name, key)
			}
		}
	}
	many := func(n int) object.Object {
		var b strings.Builder
		for i := range 500 {
			fmt.Fprintf(&b, "k%d: %d\n", i, i*n)
		}
		return configMap("c", map[string]any{"a.yaml": b.String()})
	}
	if fields := diff.Compare(app(many(1), many(2))).Apps[0].Objects[0].Fields; len(fields) != 1 {
		t.Errorf("%d changes of one document are told one by one", len(fields))
	}
}

func indented(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i%200) + "a:\n")
	}
	return b.String()
}

func TestADocumentThatIsTooLargeToReadHidesItsSecrets(t *testing.T) {
	text := strings.Repeat("k: "+strings.Repeat("v", 2000)+"\n", 140) + "credentials:\n    x: " + canary + "\n"
	checkHidden(t, "added", diff.Compare([]diff.App{{Name: "a", Head: []object.Object{configMap("c", map[string]any{"a.yaml": text})}}}))
}

// TestAnyDocumentHidesItsSecrets puts a secret below a name that gives it away, anywhere in any document.
func TestAnyDocumentHidesItsSecrets(t *testing.T) {
	names := []string{"password", "dbPasswords", "api_key", "TOKEN", "credentials", "client-secret", "dsn"}
	rapid.Check(t, func(rt *rapid.T) {
		hide := func(label string, secret string) string {
			v := anyValue(3).Draw(rt, label)
			name := rapid.SampledFrom(names).Draw(rt, label+" name")
			for i := range rapid.IntRange(1, 3).Draw(rt, label+" depth") {
				value := any(map[string]any{"beside": v, name: secret})
				if i > 0 {
					value = map[string]any{"in": v}
				} else if shape := rapid.IntRange(0, 3).Draw(rt, label+" shape"); shape > 0 {
					value = map[string]any{name: []any{nil, secret, []any{map[string]any{"x": secret}}, map[string]any{"x": secret, "value": secret}}[shape]}
				}
				if rapid.Bool().Draw(rt, label+" list") {
					value = []any{v, value}
				}
				v = value
			}
			raw, err := json.Marshal(v)
			if err != nil {
				rt.Fatal(err)
			}
			if rapid.Bool().Draw(rt, label+" as YAML") {
				if raw, err = yaml.JSONToYAML(raw); err != nil {
					rt.Fatal(err)
				}
			}
			return string(raw)
		}
		key := rapid.SampledFrom([]string{"a.yaml", "config", "a.yml", "config.json"}).Draw(rt, "key")
		base := configMap("c", map[string]any{key: hide("base", canary)})
		head := configMap("c", map[string]any{key: hide("head", canary+"2")})
		kept := configMap("c", map[string]any{key: base.Fields["data"].(map[string]any)[key], "other": "x"})
		checkHidden(rt, "changed", diff.Compare(app(base, head)))
		checkHidden(rt, "kept", diff.Compare(app(base, kept)))
		checkHidden(rt, "added", diff.Compare([]diff.App{{Name: "a", Head: []object.Object{head}}}))
		for _, f := range diff.Values(base.Fields, head.Fields, nil) {
			if text := fmt.Sprint(f.Before, f.After, f.Lines()); strings.Contains(text, canary) {
				rt.Errorf("values: %s", text)
			}
		}
	})
}

func TestDocumentsWhoseSecretsHaveOtherNames(t *testing.T) {
	for key, text := range map[string]string{
		"merged.yaml":   "secrets: &s\n  a: CANARY\napp:\n  <<: *s\n  x: 1\n",
		"alias.yaml":    "x: &p CANARY\npassword: *p\n",
		"flow.yaml":     "list: [&p CANARY, b]\nlogin: {user: a, password: *p}\n",
		"template.yaml": "apiVersion: v1\nkind: Secret\nstringData:\n  a: CANARY\n  b: {{ .x }}\n",
		"config.json":   `{"auths":{"r.example":{"auth":"CANARY"}}}`,
	} {
		base, head := strings.ReplaceAll(text, "CANARY", canary+"1"), strings.ReplaceAll(text, "CANARY", canary+"2")
		for _, pair := range [][2]map[string]any{{{key: base}, {key: head}}, {{key: base}, {key: base, "b": "c"}}, {{}, {key: head}}, {{key: base}, {}}} {
			report := diff.Compare([]diff.App{{Name: "a", Base: []object.Object{configMap("c", pair[0])}, Head: []object.Object{configMap("c", pair[1])}}})
			if report.Empty() {
				t.Errorf("%s: nothing changes", key)
			}
			checkHidden(t, key, report)
		}
	}
}
