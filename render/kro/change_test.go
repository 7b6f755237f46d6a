package kro

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCompare(t *testing.T) {
	base := rgd("name: string\nsize: string | enum=\"s,m,l\" default=s\nports: '[]Port'\ndeep:\n  count: integer | default=1 minimum=1\n  note: string | default=\"\"\n",
		configMap("one", "${schema.spec.name}"))
	base = strings.Replace(base, "    kind: Thing\n", "    kind: Thing\n    types:\n      Port:\n        port: integer\n        open: boolean | default=true\n    status:\n      first: ${one.metadata.name}\n", 1)
	change := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(base) }
	allowed := func(text string) string {
		return strings.Replace(text, "{name: thing}", "{name: thing, annotations: {kro.run/allow-breaking-changes: \"true\"}}", 1)
	}
	const refused = `error: kro refuses the update of ResourceGraphDefinition "thing", because it breaks instances that exist: `
	const keep = `; keep the field as it was, or, when every instance fits the new schema, annotate the definition with kro.run/allow-breaking-changes: "true" [breaking-schema-change]`
	const fixed = `error: the API server refuses the update of ResourceGraphDefinition "thing": `
	const another = `; keep it, or give the definition another name, which makes it a new one beside the old one [immutable-definition-field]`
	tests := []struct {
		name string
		head string
		want []string // findings, and changed defaults
	}{
		{"nothing", base, nil},
		{"a comment", "# a comment\n" + base, nil},
		{"a field that may be left out", change("      name: string\n", "      name: string\n      more: string\n"), nil},
		{"a field with a default", change("      name: string\n", "      name: string\n      more: string | default=x required=true\n"), nil},
		{"a field that must be there", change("      name: string\n", "      name: string\n      more: string | required=true\n"), []string{"rgd.yaml:16:7: " + refused + "spec.more: a required property was added, without a default" + keep}},
		{"a field that goes", change("        note: string | default=\"\"\n", ""), []string{"rgd.yaml:18:7: " + refused + "spec.deep.note: property note was removed" + keep}},
		{"a field that goes, allowed", allowed(change("        note: string | default=\"\"\n", "")), []string{
			`rgd.yaml:18:7: warning: the update of ResourceGraphDefinition "thing" breaks instances that exist, which kro.run/allow-breaking-changes allows: spec.deep.note: property note was removed; check that every instance fits the new schema, and remove the annotation afterwards [breaking-schema-change]`,
		}},
		{"another type", change("name: string", "name: integer", "value: ${schema.spec.name}", "value: ${string(schema.spec.name)}"), []string{"rgd.yaml:15:7: " + refused + "spec.name: type changed from string to integer" + keep}},
		{"a type by name", change("port: integer", "port: string"), []string{"rgd.yaml:17:7: " + refused + "spec.ports[].port: type changed from integer to string" + keep}},
		{"fewer values", change("s,m,l", "s,m"), []string{"rgd.yaml:16:7: " + refused + `spec.size: enum value "l" was removed` + keep}},
		{"more values", change("s,m,l", "s,m,l,xl"), nil},
		{"tighter bounds", change("minimum=1", "minimum=2 maximum=5"), []string{
			"rgd.yaml:19:9: " + refused + "spec.deep.count: maximum constraint 5 was added" + keep,
			"rgd.yaml:19:9: " + refused + "spec.deep.count: minimum was increased from 1 to 2" + keep,
		}},
		{"required from now on", change("name: string\n", "name: string | required=true\n"), []string{"rgd.yaml:15:7: " + refused + "spec.name: field name is newly required" + keep}},
		{"a status that goes", change("      first: ${one.metadata.name}\n", "      second: ${one.metadata.name}\n"), []string{"rgd.yaml:12:5: " + refused + "status.first: property first was removed" + keep}},
		{"another default", change("default=1", "default=2", "default=s", "default=m"), []string{"spec.deep.count 1 → 2", `spec.size "s" → "m"`}},
		{"a default in a list", change("default=true", "default=false"), []string{"spec.ports[].open true → false"}},
		{"no default any more", change("default=s", ""), []string{`spec.size "s" → `}},
		{"another version", change("apiVersion: v1alpha1\n", "apiVersion: v1beta1\n"), []string{"rgd.yaml:6:5: " + fixed + "spec.schema.apiVersion is immutable, and changes from v1alpha1 to v1beta1" + another}},
		{"another kind and group", change("kind: Thing\n", "kind: Other\n    group: example.com\n"), []string{
			"rgd.yaml:7:5: " + fixed + "spec.schema.kind is immutable, and changes from Thing to Other" + another,
			"rgd.yaml:8:5: " + fixed + "spec.schema.group is immutable, and changes from kro.run to example.com" + another,
		}},
		{"another scope", change("kind: Thing\n", "kind: Thing\n    scope: Cluster\n"), []string{"rgd.yaml:8:5: " + fixed + "spec.schema.scope is immutable, and changes from Namespaced to Cluster" + another}},
		{"another name", change("{name: thing}", "{name: other}"), []string{`rgd.yaml:3:12: warning: kind Thing was defined by ResourceGraphDefinition "thing" and now by "other": kro leaves a kind to the definition that made it, and reports that it is owned by another one; keep the name, or remove the old definition and its CustomResourceDefinition, and with it every instance, before the new one comes [renamed-definition]`}},
		{"another name and kind", change("{name: thing}", "{name: other}", "kind: Thing\n", "kind: Other\n"), nil},
		{"broken at head", change("${schema.spec.name}", "${nope.a}"), nil},
		{"gone", "kind: ResourceGraphDefinition\napiVersion: kro.run/v1alpha1\nmetadata: {name: z}\nspec: {schema: {kind: Z, apiVersion: v1}}\n", nil},
	}
	engine := testEngine(t)
	before, findings := compile(t, engine, base)
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			after, _ := compile(t, engine, test.head)
			changes := Compare(before, after)
			var got []string
			for _, f := range changes.Findings {
				got = append(got, f.String())
			}
			for _, d := range changes.Defaults {
				got = append(got, d.path.String()+" "+d.old+" → "+d.new)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestManyBreakingChangesAreCounted(t *testing.T) {
	var fields strings.Builder
	for i := range 3 * maxChanges {
		fmt.Fprintf(&fields, "field%d: string\n", i)
	}
	engine := testEngine(t)
	before, _ := compile(t, engine, rgd("name: string\n"+fields.String(), configMap("one", "x")))
	after, _ := compile(t, engine, rgd("name: string\n", configMap("one", "x")))
	found := Compare(before, after).Findings
	if len(found) != maxChanges+1 || !strings.Contains(found[0].Message+found[len(found)-1].Message, "and 40 more changes") {
		t.Errorf("%d findings: %v", len(found), found)
	}
}

func TestKeeps(t *testing.T) {
	definition := func(count, open string) string {
		text := rgd("name: string\nports: '[]Port'\ndeep:\n  count: integer | default="+count+"\nneeded:\n  must: string | required=true\n  may: string | default="+open+"\n", configMap("one", "x"))
		return strings.Replace(text, "    kind: Thing\n", "    kind: Thing\n    types:\n      Port:\n        port: integer\n        open: string | default="+open+"\n", 1)
	}
	engine := testEngine(t)
	before, _ := compile(t, engine, definition("1", "a"))
	after, _ := compile(t, engine, definition("2", "b"))
	changes := Compare(before, after)
	type fields = map[string]any
	tests := []struct {
		name       string
		base, head fields
		want       []string
	}{
		{"left out, with what is around it", fields{}, fields{}, []string{"spec.deep.count"}},
		{"left out alone", fields{"deep": fields{}}, fields{"deep": fields{}}, []string{"spec.deep.count"}},
		{"written on both sides", fields{"deep": fields{"count": int64(1)}}, fields{"deep": fields{"count": int64(1)}}, nil},
		{"written at base: the API server never filled it in", fields{"deep": fields{"count": int64(1)}}, fields{}, nil},
		{"written from now on", fields{}, fields{"deep": fields{"count": int64(1)}}, nil},
		{"an object that nobody fills in is not there", fields{"deep": fields{"count": int64(1)}, "needed": nil}, fields{"deep": fields{"count": int64(1)}}, nil},
		{"in an object that is written", fields{"deep": fields{"count": int64(1)}, "needed": fields{"must": "x"}}, fields{"deep": fields{"count": int64(1)}, "needed": fields{"must": "x"}}, []string{"spec.needed.may"}},
		{"in an item of a list", fields{"deep": fields{"count": int64(1)}, "ports": []any{fields{"open": "x"}, fields{"port": int64(1)}}}, fields{"deep": fields{"count": int64(1)}, "ports": []any{fields{"port": int64(1)}}}, []string{"spec.ports[].open"}},
		{"in every item of a list", fields{"deep": fields{"count": int64(1)}, "ports": []any{fields{"open": "x"}}}, fields{"deep": fields{"count": int64(1)}, "ports": []any{fields{"open": "x"}}}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, d := range changes.Defaults {
				if d.Keeps(instance("Thing", "thing", test.base), instance("Thing", "thing", test.head)) {
					got = append(got, d.path.String())
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
}
