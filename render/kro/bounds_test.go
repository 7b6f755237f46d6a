package kro

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// TestBounds holds what a repository may do to whoever reads it: each must end soon, with a message that says what is too much.
func TestBounds(t *testing.T) {
	many := func(n int, line string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, line, i)
		}
		return b.String()
	}
	types := func(n int) string {
		var b strings.Builder
		b.WriteString("    types:\n")
		for i := range n {
			fmt.Fprintf(&b, "      T%d: {a: T%d, b: T%d}\n", i, i+1, i+1)
		}
		fmt.Fprintf(&b, "      T%d: {a: string}\n", n)
		return b.String()
	}
	withTypes := func(n int) string {
		return strings.Replace(rgd("root: T0\n", configMap("one", "x")), "    kind: Thing\n", "    kind: Thing\n"+types(n), 1)
	}
	chain := func(n int) string {
		var b strings.Builder
		for i := range n {
			text := rgd("name: string\n", fmt.Sprintf("- id: next\n  template: {apiVersion: kro.run/v1alpha1, kind: Thing%d, metadata: {name: x}, spec: {name: x}}\n", i+1))
			text = strings.Replace(text, "{name: thing}", fmt.Sprintf("{name: d%d}", i), 1)
			b.WriteString(strings.Replace(text, "kind: Thing\n", "kind: Thing"+suffix(i)+"\n", 1) + "---\n")
		}
		b.WriteString(strings.NewReplacer("{name: thing}", "{name: last}", "kind: Thing", fmt.Sprintf("kind: Thing%d", n)).Replace(rgd("name: string\n", configMap("one", "x"))))
		return b.String()
	}
	expression := func(text string) string {
		return rgd("num: integer\ntext: string\n", configMap("one", "'${"+text+"}'"))
	}
	long := map[string]any{"num": int64(1 << 40), "text": strings.Repeat("x", 500_000)}
	tests := []struct {
		name string
		text string
		spec map[string]any
		want string // in the only finding; "" when there is none
	}{
		{"a schema with many fields", rgd(many(5000, "f%d: string\n"), configMap("one", "x")), map[string]any{}, ""},
		{"a schema with too many fields", rgd(many(20_000, "f%d: string\n"), configMap("one", "x")), nil, "its schema has more than 10000 fields, those of its types counted wherever they are used; make it smaller [definition-too-large]"},
		{"types that double", withTypes(40), nil, "its schema has more than 10000 fields"},
		{"types that double a little", withTypes(8), map[string]any{}, ""},
		{"types inside of themselves", strings.Replace(rgd("root: A\n", configMap("one", "x")), "    kind: Thing\n", "    kind: Thing\n    types: {A: {b: B}, B: {a: '[]A'}}\n", 1), nil, "cyclic dependency"},
		{"many resources", rgd("name: string\n", many(200, "- {id: r%d, template: {apiVersion: v1, kind: ConfigMap, metadata: {name: \"x%[1]d\"}, data: {a: \"${schema.spec.?name.orValue('x')}\"}}}\n")), map[string]any{}, ""},
		{"too many resources", rgd("name: string\n", many(2000, "- {id: r%d, template: {apiVersion: v1, kind: ConfigMap, metadata: {name: x}}}\n")), nil, "it has 2000 resources, more than the 1000 that are looked at; split it [definition-too-large]"},
		{"a large definition", rgd("name: string\n", configMap("one", strings.Repeat("x", 2<<20))), nil, "the definition has more than 1048576 bytes"},
		{"definitions in a chain", chain(7), map[string]any{"name": "x"}, ""},
		{"definitions in a chain that is too long", chain(8), map[string]any{"name": "x"}, "kro.run/Thing8 ns/x stands more than 8 definitions deep: it is not expanded [definitions-too-deep]"},
		{"a collection that is too large", rgd("num: integer\n", "- id: many\n  forEach: [{a: '${lists.range(1001)}'}]\n  template: {apiVersion: v1, kind: ConfigMap, metadata: {name: \"x-${string(a)}\"}}\n"), map[string]any{}, "collection size of 1001 is over the maximum collection size of 1000 [invalid-instance]"},
		{"billions of iterations", expression(`string(lists.range(9000).map(a, lists.range(9000).map(b, lists.range(9000).size())).size())`), map[string]any{}, "operation cancelled: actual cost limit exceeded"},
		{"a long list", expression(`string(lists.range(schema.spec.num).size())`), long, "lists.range is not called: 1099511627776 is more than 10000"},
		{"a long random text", expression(`random.seededString(schema.spec.num, "x")`), long, "random.seededString is not called: 1099511627776 is more than 1048576"},
		{"a replacement that multiplies", expression(`schema.spec.text.replace("x", schema.spec.text)`), long, "replace is not called: the result is too large"},
		{"a separator that multiplies", expression(`schema.spec.text.split("").join(schema.spec.text)`), long, "join is not called: the result is too large"},
		{"a separator that multiplies a little less", expression(`lists.range(9000).map(a, "").join(schema.spec.text)`), map[string]any{"text": strings.Repeat("x", 5000)}, "join is not called: the result is too large"},
		{"all with all", expression(`string((schema.spec.text + "y").indexOf(schema.spec.text))`), long, "indexOf is not called: it takes too long"},
		{"a pattern over a long text", expression(`schema.spec.text.matches(schema.spec.text) ? "a" : "b"`), long, "matches is not called: it takes too long"},
	}
	engine := testEngine(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			program, findings := compile(t, engine, test.text)
			if test.spec != nil {
				for _, f := range program.Expand(t.Context(), Instance{Object: instance("Thing", "thing", test.spec)}).Findings {
					findings = append(findings, f.String())
				}
			}
			if test.want == "" && len(findings) > 0 || test.want != "" && (len(findings) != 1 || !strings.Contains(findings[0], test.want)) {
				t.Errorf("findings %.500q, want %q", findings, test.want)
			}
		})
	}
}

// suffix leaves the first kind of a chain its name.
func suffix(i int) string {
	if i == 0 {
		return ""
	}
	return strconv.Itoa(i)
}

func TestDefinitionsThatBuildOnManyOthers(t *testing.T) {
	kind := func(i int) string { return fmt.Sprintf("Kind%d", i) }
	definition := func(i int, uses ...string) string {
		var resources strings.Builder
		for j, used := range uses {
			fmt.Fprintf(&resources, "- id: r%d\n  template: {apiVersion: kro.run/v1alpha1, kind: %s, metadata: {name: x}, spec: {name: x}}\n", j, used)
		}
		return strings.NewReplacer("{name: thing}", "{name: "+strings.ToLower(kind(i))+"}", "kind: Thing", "kind: "+kind(i)).Replace(rgd("name: string\n", resources.String())) + "---\n"
	}
	var all, chain strings.Builder
	for i := range 40 {
		var others []string
		for j := range 40 {
			if j != i {
				others = append(others, kind(j))
			}
		}
		all.WriteString(definition(i, others...))
	}
	if _, findings := compile(t, testEngine(t), all.String()); len(findings) < 40 || !strings.Contains(strings.Join(findings, "\n"), "definitions need each other") {
		t.Errorf("40 definitions that all need each other: %d findings", len(findings))
	}
	for i := range 3000 {
		chain.WriteString(definition(i, kind(i+1)))
	}
	_, findings := compile(t, testEngine(t), chain.String())
	if !strings.Contains(strings.Join(findings, "\n"), "more than 100 definitions build on one another") {
		t.Errorf("a chain of 3000 definitions: %d findings", len(findings))
	}
}
