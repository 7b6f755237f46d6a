package check

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const widgets = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  names: {kind: Widget, plural: widgets}
  scope: Namespaced
  versions:
    - {name: v1alpha1, served: false, storage: false, schema: {openAPIV3Schema: {type: object}}}
    - name: v1beta1
      served: true
      storage: false
      deprecated: true
      deprecationWarning: use v1
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
    - name: v1
      served: true
      storage: true
      subresources: {status: {}}
      schema:
        openAPIV3Schema:
          type: object
          required: [spec]
          properties:
            spec:
              type: object
              required: [size]
              x-kubernetes-validations:
                - {rule: "!has(self.max) || self.size <= self.max", message: size is more than max}
              properties:
                size: {type: integer, minimum: 1}
                max: {type: integer}
                color: {type: string, enum: [red, green], default: red}
                code: {type: string, pattern: "^[a-z]+$"}
                port: {x-kubernetes-int-or-string: true}
                free: {type: object, x-kubernetes-preserve-unknown-fields: true}
                parts:
                  type: array
                  x-kubernetes-list-type: map
                  x-kubernetes-list-map-keys: [name]
                  items: {type: object, required: [name], properties: {name: {type: string}}}
            status: {type: object, properties: {ready: {type: boolean}}}
`

func widget(spec string) string {
	return "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w, namespace: shop}\nspec: {" + spec + "}\n"
}

func TestCustomKinds(t *testing.T) {
	const w = "example.com/Widget shop/w: "
	for _, c := range []struct {
		name, manifest string
		want           []string
	}{
		{"all is well", widget("size: 3, port: http, free: {a: {b: 1}}") + "status: {anything: 1}\n", nil},
		{"an unknown field", widget("size: 3, colour: red"), []string{
			`warning: ` + w + `spec.colour is not known to its CustomResourceDefinition and will be dropped; did you mean "color"? [schema-unknown-field]`,
		}},
		{"another type", widget(`size: "3"`), []string{
			`error: ` + w + `the API server refuses spec.size: must be of type integer [schema-type]`,
		}},
		{"what is required", widget(`color: green`), []string{
			`error: ` + w + `spec.size is missing: the API server refuses the object; add size [schema-required]`,
		}},
		{"minimum, enumeration and pattern", widget(`size: 0, color: blue, code: A1`), []string{
			`error: ` + w + `the API server refuses spec.code: should match '^[a-z]+$' [schema-value]`,
			`error: ` + w + `the API server refuses spec.color: it is none of the supported values: "red", "green" [schema-value]`,
			`error: ` + w + `the API server refuses spec.size: should be greater than or equal to 1 [schema-value]`,
		}},
		{"null gets the default", widget(`size: 1, color: null`), nil},
		{"a rule", widget(`size: 3, max: 2`), []string{
			`error: ` + w + `the API server refuses spec: size is more than max [schema-value]`,
		}},
		{"a key that stands twice", widget(`size: 3, parts: [{name: a}, {name: a}]`), []string{
			`error: ` + w + `the API server refuses spec.parts[1]: it stands there twice [schema-value]`,
		}},
		{"a version that is not served", "apiVersion: example.com/v1alpha1\nkind: Widget\nmetadata: {name: w, namespace: shop}\n", []string{
			`error: ` + w + `the CustomResourceDefinition of Widget.example.com does not serve example.com/v1alpha1; it serves: v1, v1beta1 [schema-kind]`,
		}},
		{"a deprecated version", "apiVersion: example.com/v1beta1\nkind: Widget\nmetadata: {name: w, namespace: shop}\nx: 1\n", []string{
			`warning: ` + w + `example.com/v1beta1 Widget is deprecated: use v1 [api-deprecated]`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rules, _ := rulesOf(t, widgets, Options{})
			got := said(rules.Check(t.Context(), Subject{Objects: objects(t, c.manifest)}))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			alone, _ := rulesOf(t, "", Options{})
			got = said(alone.Check(t.Context(), Subject{Objects: objects(t, widgets+"---\n"+c.manifest)}))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("findings with the definition among the objects (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOfSeveralDefinitionsTheBestCounts(t *testing.T) {
	const stricter = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  names: {kind: Widget, plural: widgets}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
`
	rules, _ := rulesOf(t, stricter+"---\n"+widgets, Options{})
	if got := said(rules.Check(t.Context(), Subject{Objects: objects(t, widget("size: 3"))})); got != nil {
		t.Errorf("findings: %v", got)
	}
}

func TestADefinitionThatCannotBeUsedChecksNothing(t *testing.T) {
	const loose = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  names: {kind: Widget, plural: widgets}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {properties: {spec: {items: {}}}}}}]
`
	rules, _ := rulesOf(t, loose, Options{})
	got := rules.Check(t.Context(), Subject{Objects: objects(t, widget("size: 3"))})
	if len(got) != 1 || got[0].Code != CodeUnchecked {
		t.Errorf("findings: %v", got)
	}
}

func TestADefinitionOfFormerTimesDefinesNothing(t *testing.T) {
	const former = "apiVersion: apiextensions.k8s.io/v1beta1\nkind: CustomResourceDefinition\nmetadata: {name: widgets.example.com}\n" +
		"spec: {group: example.com, names: {kind: Widget, plural: widgets}, scope: Namespaced, version: v1}\n"
	rules, _ := rulesOf(t, former, Options{})
	if got := said(rules.Check(t.Context(), Subject{Objects: objects(t, widget("size: 3"))})); len(got) > 0 {
		t.Errorf("it lies in the repository: %v", got)
	}
	rules, _ = rulesOf(t, "", Options{})
	got := rules.Check(t.Context(), Subject{Objects: objects(t, former+"---\n"+widget("size: 3"))})
	if len(got) != 1 || got[0].Code != CodeRemoved {
		t.Errorf("the application deploys it: %v", got)
	}
}

func TestKeysTellApartWhatMatters(t *testing.T) {
	none, _ := rulesOf(t, "", Options{})
	some, _ := rulesOf(t, widgets, Options{})
	here, _ := rulesOf(t, admissionText("true"), Options{})
	below, _ := rulesOf(t, "# a line more\n"+admissionText("true"), Options{})
	if here.Key() == below.Key() {
		t.Error("a policy that stands elsewhere in its file does not change the rules: remedies name its line")
	}
	if none.Key() == some.Key() {
		t.Error("a definition more does not change the rules")
	}
	web, w := objects(t, deployment), objects(t, widget("size: 3"))
	cluster := Cluster{Version: "1.31"}
	if none.KeyFor(cluster, web) != some.KeyFor(cluster, web) {
		t.Error("a definition that no object is of matters")
	}
	if none.KeyFor(cluster, w) == some.KeyFor(cluster, w) {
		t.Error("the definition of an object does not matter")
	}
	if some.KeyFor(cluster, web) == some.KeyFor(Cluster{Version: "1.32"}, web) {
		t.Error("the version does not matter")
	}
	for _, options := range []Options{{Schema: ModeOff}, {Policies: []Policy{{Name: "a", Rule: "true"}}}} {
		if other, _ := rulesOf(t, "", options); other.Key() == none.Key() || other.KeyFor(cluster, web) == none.KeyFor(cluster, web) {
			t.Errorf("%+v does not matter", options)
		}
	}
}
