package kro

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kubernetes-sigs/kro/pkg/runtime"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/kro/schema"
	"github.com/lockkeeper/lockkeeper/render/object"
)

func testEngine(t testing.TB) *Engine {
	t.Helper()
	schemas, err := schema.Load()
	if err != nil {
		t.Fatal(err)
	}
	return NewEngine(schemas, 100)
}

// compile reads every definition in text.
func compile(t testing.TB, e *Engine, text string) (*Program, []string) {
	t.Helper()
	return compileAs(t, e, Version{}, text)
}

func compileAs(t testing.TB, e *Engine, version Version, text string) (*Program, []string) {
	t.Helper()
	docs, err := manifest.Split("rgd.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var definitions []Definition
	var findings []string
	for _, doc := range docs {
		d, found, ok := Read(doc)
		for _, f := range found {
			findings = append(findings, f.String())
		}
		if ok {
			definitions = append(definitions, d)
		}
	}
	program := e.Compile(t.Context(), version, definitions)
	for _, f := range program.Findings() {
		findings = append(findings, f.String())
	}
	return program, findings
}

func instance(kind, name string, spec map[string]any) object.Object {
	return object.Object{Fields: map[string]any{
		"apiVersion": "kro.run/v1alpha1", "kind": kind, "metadata": map[string]any{"name": name, "namespace": "ns"}, "spec": spec,
	}}
}

// rgd writes a definition of kind Thing.
func rgd(spec, resources string) string {
	return "apiVersion: kro.run/v1alpha1\nkind: ResourceGraphDefinition\nmetadata: {name: thing}\nspec:\n  schema:\n    apiVersion: v1alpha1\n    kind: Thing\n    spec:\n" +
		indent(spec, 6) + "  resources:\n" + indent(resources, 2)
}

func indent(text string, n int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.Repeat(" ", n) + line)
	}
	return b.String()
}

// configMap is a resource with one data key.
func configMap(id, value string) string {
	return fmt.Sprintf("- id: %s\n  template:\n    apiVersion: v1\n    kind: ConfigMap\n    metadata: {name: %s}\n    data:\n      value: %s\n", id, strings.ToLower(id), value)
}

func TestValues(t *testing.T) {
	spec := map[string]any{"name": "app", "count": int64(3), "list": []any{"a", "b"}, "map": map[string]any{"k": "v"}}
	tests := []struct {
		name string
		expr string
		want string // "?" in front for a value only the cluster knows
	}{
		{"text", "${schema.spec.name}", "app"},
		{"template", "x-${schema.spec.name}-${string(schema.spec.count)}", "x-app-3"},
		{"default of a field", "${schema.spec.defaulted}", "d"},
		{"default inside an absent object", "${string(schema.spec.deep.inner)}", "7"},
		{"instance's metadata", "${schema.metadata.name}.${schema.metadata.namespace}", "thing.ns"},
		{"instance's uid", "${schema.metadata.uid}", "?${schema.metadata.uid}"},
		{"another object's field", "${other.metadata.name}", "other"},
		{"another object's data", "${other.data.value}", "here"},
		{"absent data stays absent", `'${other.data.?nope.orValue("none")}'`, "none"},
		{"a label that is absent stays absent", `'${other.metadata.?labels.?x.orValue("none")}'`, "none"},
		{"another object's status", "${service.status.loadBalancer.ingress[0].ip}", "?${service.status.loadBalancer.ingress[0].ip}"},
		{"a status behind a default", `'${service.status.?loadBalancer.?ingress[?0].?ip.orValue("none")}'`, `?${service.status.?loadBalancer.?ingress[?0].?ip.orValue("none")}`},
		{"a status behind has", `'${has(service.status.loadBalancer) ? "y" : "x"}'`, `?${has(service.status.loadBalancer) ? "y" : "x"}`},
		{"a field that the API server fills in", "${service.spec.type}", "?${service.spec.type}"},
		{"a field that the API server fills in, behind a default", `'${service.spec.?clusterIP.orValue("none")}'`, `?${service.spec.?clusterIP.orValue("none")}`},
		{"a written field", "${string(service.spec.ports[0].port)}", "80"},
		{"a loop over a written list", `'${service.spec.ports.map(p, string(p.port)).join(",")}'`, "80,81"},
		{"a loop over a list that reads what the server fills in", `'${service.spec.ports.map(p, p.protocol).join(",")}'`, `?${service.spec.ports.map(p, p.protocol).join(",")}`},
		{"how many of what is partly unknown", "${string(partly.spec.ports.size())}", "2"},
		{"a loop over what is partly unknown", `'${partly.spec.ports.map(p, p.name).join(",")}'`, "a,b"},
		{"a loop over what is unknown", `'${partly.spec.ports.map(p, string(p.nodePort)).join(",")}'`, `?${partly.spec.ports.map(p, string(p.nodePort)).join(",")}`},
		{"items of what is partly unknown", `'${json.marshal(partly.spec.ports.map(p, p))}'`, `?${json.marshal(partly.spec.ports.map(p, p))}`},
		{"a bound status", `'${cel.bind(s, service.status, s.loadBalancer.hostname)}'`, ""},
		{"the whole object", "${json.marshal(service)}", "?${json.marshal(service)}"},
		{"lists and macros", `'${schema.spec.list.map(x, x + "!").join(",")}'`, "a!,b!"},
		{"maps", "${schema.spec.map.k}", "v"},
		{"hashes", "${base64.encode(hash.md5(schema.spec.name))}", "0qV9wdiD/SH7mVFpnfccxw=="},
		{"seeded randomness is no randomness", `'${random.seededString(5, schema.spec.name)}'`, "seeded"},
		{"quantities", `'${quantity("1Gi").isGreaterThan(quantity("1Mi")) ? "more" : "less"}'`, "more"},
		{"semver", `'${string(semver("1.2.3").major())}'`, "1"},
		{"ternary", `'${schema.spec.count > 2 ? "many" : "few"}'`, "many"},
		{"escaped", `'${"${VAR}"}'`, "${VAR}"},
		{"not an expression", "$VAR $(cmd) ${", "$VAR $(cmd) ${"},
	}
	engine := testEngine(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := rgd("name: string\ncount: integer\nlist: '[]string'\nmap: map[string]string\ndefaulted: string | default=d\ndeep:\n  inner: integer | default=7\n",
				configMap("other", "here")+
					"- id: service\n  template: {apiVersion: v1, kind: Service, metadata: {name: service}, spec: {ports: [{port: 80}, {port: 81}]}}\n"+
					"- id: partly\n  template: {apiVersion: v1, kind: Service, metadata: {name: partly}, spec: {ports: [{name: a, port: 80, nodePort: '${service.status.loadBalancer.ingress.size()}'}, {name: b, port: 81, nodePort: 3}]}}\n"+
					configMap("subject", test.expr))
			program, findings := compile(t, engine, text)
			if test.want == "" {
				if len(findings) == 0 {
					t.Error("kro's builder took what it should reject")
				}
				return
			}
			if len(findings) > 0 {
				t.Fatal(findings)
			}
			out := program.Expand(t.Context(), Instance{Object: instance("Thing", "thing", spec)})
			if len(out.Findings) > 0 || out.Incomplete {
				t.Errorf("findings: %v", out.Findings)
			}
			got, unknown := "", []string(nil)
			for _, o := range out.Objects {
				if o.ID().Name == "subject" {
					got, unknown = o.Fields["data"].(map[string]any)["value"].(string), o.Unknown
				}
			}
			if test.want == "seeded" {
				if len(got) != 5 || len(unknown) > 0 {
					t.Errorf("got %q, unknown %v", got, unknown)
				}
				return
			}
			want, isUnknown := strings.CutPrefix(test.want, "?")
			var wantUnknown []string
			if isUnknown {
				want, wantUnknown = object.UnknownPrefix+": "+want+"⟩", []string{"data.value"}
			}
			if diff := cmp.Diff([]any{want, wantUnknown}, []any{got, unknown}); diff != "" {
				t.Errorf("value and unknown paths (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFindings(t *testing.T) {
	tests := []struct {
		name string
		text string
		spec map[string]any
		want []string
	}{
		{"no schema", "kind: ResourceGraphDefinition\nmetadata: {name: thing}\nspec: {resources: []}\n", nil, []string{`rgd.yaml:3:1: error: ResourceGraphDefinition "thing" has no spec.schema; add one [invalid-definition]`}},
		{"an unknown key", strings.Replace(rgd("name: string\n", configMap("one", "x")), "resources:", "resource:", 1), nil, []string{`rgd.yaml:10:3: error: unknown key "resource" in spec; did you mean "resources"? [invalid-definition]`}},
		{"a reserved id", rgd("name: string\n", configMap("spec", "x")), nil, []string{`rgd.yaml:11:5: error: kro would reject ResourceGraphDefinition "thing": failed to validate resourcegraphdefinition: naming convention violation: id spec is a reserved keyword in KRO [invalid-definition]`}},
		{"a field that its kind does not have", rgd("name: string\n", strings.Replace(configMap("one", "x"), "    data:", "    dta:", 1)), nil, []string{`rgd.yaml:16:7: error: kro would reject ResourceGraphDefinition "thing": failed to build resource "one": failed to extract CEL expressions from schema for resource one: error getting field schema for path .dta: schema not found for field dta [invalid-definition]`}},
		{"a number where text belongs", rgd("name: string\n", configMap("one", "3")), nil, []string{`rgd.yaml:17:9: error: kro would reject ResourceGraphDefinition "thing": failed to build resource "one": failed to extract CEL expressions from schema for resource one: expected string type for path data.value, got integer [invalid-definition]`}},
		{"a reference to itself", rgd("name: string\n", configMap("one", "${one.metadata.name}")), nil, []string{`rgd.yaml:11:5: error: kro would reject ResourceGraphDefinition "thing": failed to build dependency graph: self references are not allowed [invalid-definition]`}},
		{"several broken resources: always the same one is named", rgd("name: string\n", configMap("one", "${nope.a}")+configMap("two", "${nope.b}")+configMap("three", "${schema.spec.name}")), nil, []string{`rgd.yaml:11:5: error: kro would reject ResourceGraphDefinition "thing": failed to build dependency graph: failed to extract dependencies: references unknown identifiers: [nope] [invalid-definition]`}},
		{"an empty type", rgd("port: \"\"\n", configMap("one", "x")), nil, []string{`rgd.yaml:9:7: error: kro would reject ResourceGraphDefinition "thing": spec.schema.spec.port: field port: empty type; a field needs a type: write "port: string", or another of string, integer, boolean, float, object [invalid-schema-field]`}},
		{"a definition that uses itself", rgd("name: string\n", "- id: self2\n  template: {apiVersion: kro.run/v1alpha1, kind: Thing, metadata: {name: x}}\n"), nil, []string{`rgd.yaml:10:3: error: kro would reject ResourceGraphDefinition "thing": it builds on Thing, whose definition kro would reject: definitions need each other: Thing -> Thing [invalid-definition]`}},
		{"a kind defined twice", rgd("name: string\n", configMap("one", "x")) + "---\n" + rgd("name: string\n", configMap("two", "x")), map[string]any{}, []string{`rgd.yaml:25:5: warning: kind Thing is already defined by ResourceGraphDefinition "thing" in rgd.yaml:1, which counts here; remove one of them, or name the one that counts in lockkeeper.yaml ` + "`definitions`" + ` [duplicate-definition]`}},
		{"a wrong enum", rgd("size: string | enum=\"s,m\" default=s\n", configMap("one", "${schema.spec.size}")), map[string]any{"size": "xl"}, []string{`error: the API server would reject it: spec.size: Unsupported value: "xl": supported values: "s", "m" [invalid-instance]`}},
		{"a validation rule", rgd("size: integer | validation=\"self > 3\"\n", configMap("one", "${string(schema.spec.size)}")), map[string]any{"size": int64(2)}, []string{`error: the API server would reject it: spec.size: Invalid value: 2: validation failed [invalid-instance]`}},
		{"too many items", rgd("list: '[]string'\n", "- id: many\n  forEach:\n  - a: ${lists.range(100)}\n  - b: ${lists.range(100)}\n  template: {apiVersion: v1, kind: ConfigMap, metadata: {name: \"x-${string(a)}-${string(b)}\"}}\n"), map[string]any{}, []string{`error: resource "many" of ResourceGraphDefinition "thing": ${lists.range(100)}: collection size of 10000 is over the maximum collection size of 1000 [invalid-instance]`}},
		{"a list of a hostile length", rgd("num: integer\n", configMap("one", "${string(lists.range(schema.spec.num).size())}")), map[string]any{"num": int64(1 << 40)}, []string{`error: resource "one" of ResourceGraphDefinition "thing": ${string(lists.range(schema.spec.num).size())}: lists.range is not called: 1099511627776 is more than 10000 [expression-failed]`}},
		{"an expression that never ends", rgd("text: string\n", configMap("one", "${string(lists.range(9999).map(a, lists.range(9999).map(b, a * b).size()).size())}")), map[string]any{}, []string{`error: resource "one" of ResourceGraphDefinition "thing": ${string(lists.range(9999).map(a, lists.range(9999).map(b, a * b).size()).size())}: operation cancelled: actual cost limit exceeded [expression-failed]`}},
		{"a string that doubles", rgd("text: string\n", configMap("one", "'${cel.bind(a, schema.spec.text + schema.spec.text, cel.bind(b, a + a + a + a + a + a + a + a, cel.bind(c, b + b + b + b + b + b + b + b, cel.bind(d, c + c + c + c + c + c + c + c, cel.bind(e, d + d + d + d + d + d + d + d, e + e + e + e)))))}'")), map[string]any{"text": strings.Repeat("x", 10000)}, []string{`operation cancelled: actual cost limit exceeded`}},
		{"lists that hold one another", rgd("text: string\n", configMap("one", "'${string(cel.bind(a, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1], cel.bind(b, [a, a, a, a, a, a, a, a, a, a], cel.bind(c, [b, b, b, b, b, b, b, b, b, b], cel.bind(d, [c, c, c, c, c, c, c, c, c, c], cel.bind(e, [d, d, d, d, d, d, d, d, d, d], cel.bind(f, [e, e, e, e, e, e, e, e, e, e], [f, f, f, f, f, f, f, f, f, f] == [f, f, f, f, f, f, f, f, f, f])))))))}'")), map[string]any{}, []string{`the result is too large`}},
		{"the same object twice", rgd("text: string\n", "- id: many\n  forEach:\n  - a: '${[\"x\", \"x\"]}'\n  template: {apiVersion: v1, kind: ConfigMap, metadata: {name: \"x-${a}\"}}\n"), map[string]any{}, []string{`error: resource "many" of ResourceGraphDefinition "thing" makes ConfigMap ns/x-x twice [invalid-instance]`}},
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
			if len(test.want) == 1 && len(findings) == 1 && !strings.Contains(test.want[0], "[") && strings.Contains(findings[0], test.want[0]) {
				return
			}
			if diff := cmp.Diff(test.want, findings); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestSameAsController compares with kro's own runtime where nothing is unknown.
func TestSameAsController(t *testing.T) {
	text := rgd("name: string\nregions: '[]string'\nreplicas: integer | default=2\ndebug: boolean | default=false\n", `
- id: config
  template: {apiVersion: v1, kind: ConfigMap, metadata: {name: "${schema.spec.name}"}, data: {a: "${schema.spec.regions.join(\",\")}", b: "x-${string(schema.spec.replicas)}"}}
- id: deploy
  template:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: "${config.metadata.name}-web", labels: {a: "${schema.spec.name}"}}
    spec:
      replicas: ${schema.spec.replicas + 1}
      selector: {matchLabels: {app: "${schema.spec.name}"}}
      template:
        metadata: {labels: {app: "${schema.spec.name}"}}
        spec: {containers: [{name: a, image: "nginx:${string(schema.spec.replicas)}", env: "${schema.spec.regions.map(r, {\"name\": r, \"value\": r + \"1\"})}"}]}
- id: debugger
  includeWhen: ["${schema.spec.debug}"]
  template: {apiVersion: v1, kind: ConfigMap, metadata: {name: debug}}
- id: each1
  forEach: [{region: "${schema.spec.regions}"}, {num: "${[1, 2]}"}]
  template: {apiVersion: v1, kind: ConfigMap, metadata: {name: "r-${region}-${string(num)}"}, data: {deploy: "${deploy.metadata.name}"}}
`)
	program, findings := compile(t, testEngine(t), text)
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	in := instance("Thing", "thing", map[string]any{"name": "app", "regions": []any{"eu", "us"}})
	out := program.Expand(t.Context(), Instance{Object: in})
	if len(out.Findings) > 0 {
		t.Fatal(out.Findings)
	}
	var got []map[string]any
	for _, o := range out.Objects {
		got = append(got, o.Fields)
	}
	if diff := cmp.Diff(controller(t, program, in), got); diff != "" {
		t.Errorf("objects (-kro's runtime +ours):\n%s", diff)
	}
}

func controller(t *testing.T, program *Program, in object.Object) []map[string]any {
	t.Helper()
	c := program.kinds[kindOf(in)]
	fields := in.Copy().Fields
	if problems := c.instance.admit(t.Context(), fields, nil); len(problems) > 0 {
		t.Fatal(problems)
	}
	rt, err := runtime.FromGraph(c.graph, builderConfig(), runtime.WithInstance(&unstructured.Unstructured{Object: fields}))
	if err != nil {
		t.Fatal(err)
	}
	var want []map[string]any
	for _, n := range rt.Nodes() {
		if ignored, err := n.IsIgnored(); err != nil || ignored {
			continue
		}
		objects, err := n.GetDesired()
		if err != nil {
			t.Fatal(err)
		}
		n.SetObserved(objects)
		for _, o := range objects {
			fields := o.DeepCopy()
			labels := fields.GetLabels()
			delete(labels, "kro.run/collection-index")
			if fields.SetLabels(labels); len(labels) == 0 {
				unstructured.RemoveNestedField(fields.Object, "metadata", "labels")
			}
			want = append(want, fields.Object)
		}
	}
	return want
}

func TestCompileStopsWithItsContext(t *testing.T) {
	engine := testEngine(t)
	docs, err := manifest.Split("rgd.yaml", []byte(rgd("name: string\n", configMap("one", "x"))))
	if err != nil {
		t.Fatal(err)
	}
	d, _, _ := Read(docs[0])
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	stopped := engine.Compile(ctx, Version{}, []Definition{d})
	if len(stopped.Findings()) > 1 {
		t.Errorf("findings %v", stopped.Findings())
	}
	if again := engine.Compile(t.Context(), Version{}, []Definition{d}); len(again.Findings()) > 0 {
		t.Errorf("a compilation that was stopped is remembered: %v", again.Findings())
	}
}

func TestKeyFollowsInnerDefinitions(t *testing.T) {
	engine := testEngine(t)
	inner := func(value string) string {
		return strings.NewReplacer("Thing", "Inner", "name: thing", "name: inner").Replace(rgd("name: string\n", configMap("one", value)))
	}
	outer := rgd("name: string\n", "- id: sub\n  template: {apiVersion: kro.run/v1alpha1, kind: Inner, metadata: {name: x}, spec: {name: y}}\n")
	first, _ := compile(t, engine, outer+"---\n"+inner("a"))
	second, _ := compile(t, engine, outer+"---\n"+inner("b"))
	kind := kindOf(instance("Thing", "x", nil))
	if first.Key(kind) == "" || first.Key(kind) == second.Key(kind) {
		t.Errorf("keys %q and %q", first.Key(kind), second.Key(kind))
	}
}

func FuzzRender(f *testing.F) {
	f.Add([]byte(rgd("name: string | default=x\n", configMap("one", "${schema.spec.name}"))), []byte(`{"name": "a"}`))
	f.Add([]byte(rgd("list: '[]string'\n", "- id: many\n  forEach:\n  - a: ${schema.spec.list}\n  template: {apiVersion: v1, kind: ConfigMap, metadata: {name: \"x-${a}\"}}\n")), []byte(`{"list": ["a", "b"]}`))
	f.Add([]byte(rgd("num: integer\n", configMap("one", "${string(lists.range(schema.spec.num).size())}"))), []byte(`{"num": 3}`))
	f.Add([]byte("kind: ResourceGraphDefinition\nspec: {schema: {kind: Thing, apiVersion: v1alpha1, spec: ~, types: {A: B, B: A}}}"), []byte(`{}`))
	f.Add([]byte("kind: ResourceGraphDefinition\nspec: {schema: {kind: Thing, apiVersion: v1alpha1}, resources: [~, {id: a}, {id: b, template: {kind: 3}}]}"), []byte(`null`))
	schemas, err := schema.Load()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, definition, spec []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		docs, _ := manifest.Split("rgd.yaml", definition)
		var definitions []Definition
		for _, doc := range docs {
			if d, _, ok := Read(doc); ok {
				definitions = append(definitions, d)
			}
		}
		program := NewEngine(schemas, 10).Compile(ctx, Version{}, definitions)
		if ctx.Err() != nil {
			t.Errorf("compiling did not end in time")
		}
		var fields map[string]any
		if json.Unmarshal(spec, &fields) != nil {
			return
		}
		in := Instance{Object: instance("Thing", "thing", fields)}
		if !program.Defines(in.Object) {
			return
		}
		first, second := program.Expand(ctx, in), program.Expand(ctx, in)
		if diff := cmp.Diff(first.Objects, second.Objects); diff != "" && ctx.Err() == nil {
			t.Errorf("two renders differ:\n%s", diff)
		}
	})
}
