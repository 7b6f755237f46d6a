package kro

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseVersion(t *testing.T) {
	tests := []struct {
		text    string
		want    string // as it prints, or the error
		unknown string
	}{
		{"", "0.9.4", ""},
		{"0.9.4", "0.9.4", ""},
		{"v0.8.5", "0.8.5", ""},
		{"0.9", "0.9", ""},
		{"0.7", "0.7", ""},
		{"0.9.5", "0.9.5", "kro 0.9.5 is newer than 0.9.4: the rules of 0.9.4 are used"},
		{"0.10", "0.10", "kro 0.10 is newer than 0.9.4: the rules of 0.9.4 are used"},
		{"1.0", "1.0", "kro 1.0 is newer than 0.9.4: the rules of 0.9.4 are used"},
		{"0.6.3", "0.6.3", "kro 0.6.3 is older than 0.7.0: the rules of 0.7.0 are used, which may let through what 0.6.3 does not know"},
		{"latest", `"latest" is no version of kro`, ""},
		{"0.8.x", `"0.8.x" is no version of kro`, ""},
		{"0.99999", `"0.99999" is no version of kro`, ""},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			v, err := ParseVersion(test.text)
			got := v.String()
			if err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff([]string{test.want, test.unknown}, []string{got, v.Unknown()}); diff != "" {
				t.Errorf("version and warning (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOlderKro(t *testing.T) {
	printing := rgd("port: integer\nopen: boolean | default=true\nname: string | default=web\n", configMap("one", "x-${schema.spec.port}-${schema.spec.open}-${schema.spec.name}-${\"a\"}"))
	trailing := rgd("name: string | default=web server of the shop\nkept: string | default=\"a b\" description=\"a = b\"\n", configMap("one", "${schema.spec.name}"))
	each := rgd("list: '[]string'\n", "- id: many\n  forEach: [{a: '${schema.spec.list}'}]\n  template: {apiVersion: v1, kind: ConfigMap, metadata: {name: \"x-${a}\"}}\n")
	selector := rgd("name: string\n", "- id: others\n  externalRef: {apiVersion: v1, kind: ConfigMap, metadata: {selector: {matchLabels: {a: b}}}}\n"+configMap("one", "x"))
	condition := rgd("name: string\n", configMap("one", "x")+"- id: two\n  includeWhen: ['${one.metadata.name == \"x\"}']\n  template: {apiVersion: v1, kind: ConfigMap, metadata: {name: two}}\n")
	cluster := strings.Replace(rgd("name: string\n", "- id: one\n  template: {apiVersion: v1, kind: Namespace, metadata: {name: x}}\n"), "    kind: Thing\n", "    kind: Thing\n    scope: Cluster\n    shortNames: [th]\n    metadata: {labels: {a: b}}\n", 1)
	const rejects = `error: kro would reject ResourceGraphDefinition "thing": `
	const upgrade = `; upgrade kro and kro.version, or leave it out [needs-newer-kro]`
	tests := []struct {
		name, version, text string
		spec                map[string]any
		want                []string // findings, or what data.value of the first object is
	}{
		{"texts are printed", "0.8", printing, map[string]any{"port": int64(80)}, []string{"x-80-true-web-a"}},
		{"texts are checked", "0.9", printing, map[string]any{"port": int64(80)}, []string{"rgd.yaml:19:9: " + rejects + "failed to validate resource \"one\": failed to compile template expression \"x-${schema.spec.port}-${schema.spec.open}-${schema.spec.name}-${\\\"a\\\"}\" at path \"data.value\": ERROR: <input>:1:6: found no matching overload for '_+_' applied to '(string, int)'\n | \"x-\" + (schema.spec.port) + \"-\" + (schema.spec.open) + \"-\" + (schema.spec.name) + \"-\" + (\"a\")\n | .....^\nERROR: <input>:1:33: found no matching overload for '_+_' applied to '(string, bool)'\n | \"x-\" + (schema.spec.port) + \"-\" + (schema.spec.open) + \"-\" + (schema.spec.name) + \"-\" + (\"a\")\n | ................................^ [invalid-definition]"}},
		{"words behind a marker are passed over", "0.8.5", trailing, map[string]any{}, []string{"web"}},
		{"words behind a marker are an error", "", trailing, nil, []string{`rgd.yaml:9:7: ` + rejects + `spec.schema.spec.name: field name: marker key 'serveroftheshop' without a value; write it as "type | marker=value"; types are string, integer, boolean, float, object [invalid-schema-field]`}},
		{"forEach", "0.7", each, map[string]any{"list": []any{"a"}}, []string{"rgd.yaml:12:5: " + rejects + "forEach came with kro 0.8, and lockkeeper.yaml says that kro is 0.7" + upgrade}},
		{"forEach where it is known", "0.8", each, map[string]any{"list": []any{"a"}}, nil},
		{"a selector", "0.8", selector, nil, []string{"rgd.yaml:12:63: " + rejects + "externalRef by selector came with kro 0.9, and lockkeeper.yaml says that kro is 0.8" + upgrade}},
		{"a selector where it is known", "0.9.0", selector, map[string]any{}, []string{"x"}},
		{"a condition over a resource", "0.8", condition, nil, []string{"rgd.yaml:19:5: " + rejects + `includeWhen of resource "two" reads resource "one", which came with kro 0.9, and lockkeeper.yaml says that kro is 0.8` + upgrade}},
		{"a condition over a resource where it is known", "0.9", condition, map[string]any{}, []string{"x"}},
		{"what a kind may be called", "0.7", cluster, nil, []string{
			"rgd.yaml:8:5: " + rejects + "the scope of instances came with kro 0.9, and lockkeeper.yaml says that kro is 0.7" + upgrade,
			"rgd.yaml:9:5: warning: shortNames came with kro 0.9.4, and lockkeeper.yaml says that kro is 0.7" + upgrade,
			"rgd.yaml:10:5: warning: metadata of the kind came with kro 0.8, and lockkeeper.yaml says that kro is 0.7" + upgrade,
		}},
	}
	engine := testEngine(t) // one for all: what is remembered of one version must not serve another
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			version, err := ParseVersion(test.version)
			if err != nil {
				t.Fatal(err)
			}
			program, got := compileAs(t, engine, version, test.text)
			if got == nil {
				out := program.Expand(t.Context(), Instance{Object: instance("Thing", "thing", test.spec)})
				for _, f := range out.Findings {
					got = append(got, f.String())
				}
				if len(out.Objects) > 0 {
					data, _ := out.Objects[0].Fields["data"].(map[string]any)
					if text, ok := data["value"].(string); ok {
						got = append(got, text)
					}
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("findings or value (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzPrinted(f *testing.F) {
	for _, text := range []string{"a-${b}", "${a}${a}", "${", "${a", "${{}", "x ${\"}\"} y", "${a(${b})}", "string | default=a b c"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		once := printed(text)
		if strings.Count(once, "${") < strings.Count(text, "${") || len(once) < len(text) {
			t.Errorf("%q became %q", text, once)
		}
		if cut := trimmed(text); !strings.HasPrefix(text, cut) {
			t.Errorf("%q was not cut but became %q", text, cut)
		}
	})
}
