package diff_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/render/diff"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// changes prints the fields that differ between two objects given as YAML below their spec.
func changes(t *testing.T, apiVersion, kind, base, head string) []string {
	t.Helper()
	frame := "apiVersion: " + apiVersion + "\nkind: " + kind + "\nmetadata: {name: x, namespace: n}\nspec:\n"
	report := diff.Compare([]diff.App{{Name: "a", Base: parse(t, frame+base), Head: parse(t, frame+head)}})
	out := []string{}
	for _, app := range report.Apps {
		for _, o := range app.Objects {
			for _, f := range o.Fields {
				out = append(out, fmt.Sprintf("%s %s: %v -> %v", f.Kind, f.Path, f.Before, f.After))
			}
		}
	}
	return out
}

func TestFieldChanges(t *testing.T) {
	tests := []struct {
		name, kind string // kind is apps/v1 Deployment when empty
		base, head string
		want       []string
	}{
		{"a plain value", "", "  a: 1", "  a: 2", []string{"changed spec.a: 1 -> 2"}},
		{"a number that becomes text", "", "  a: 1", `  a: "1"`, []string{"changed spec.a: 1 -> 1"}},
		{"a field that comes", "", "  a: 1", "  a: 1\n  b: [1]", []string{"added spec.b: <nil> -> [1]"}},
		{"a field that goes", "", "  a: 1\n  b: {c: d}", "  a: 1", []string{"removed spec.b: map[c:d] -> <nil>"}},
		{"a map that becomes a text", "", "  a: {b: 1}", "  a: t", []string{"changed spec.a: map[b:1] -> t"}},
		{"quantities that say the same", "", "  limits: {cpu: 500m, memory: 1Gi, x: 1e3, y: '2'}", "  limits: {cpu: 0.5, memory: 1024Mi, x: 1k, y: 2}", []string{}},
		{"quantities that differ", "", "  limits: {cpu: 500m}", "  limits: {cpu: 0.6}", []string{"changed spec.limits.cpu: 500m -> 0.6"}},
		{"the same texts elsewhere are no quantities", "", "  cpu: 500m", `  cpu: "0.5"`, []string{"changed spec.cpu: 500m -> 0.5"}},
		{"a port as number and as text", "", "  port: 80", `  port: "80"`, []string{}},
		{"null is absent", "", "  a: null", "  b: null", []string{}},
		{"an empty map is absent in Kubernetes' own kinds", "", "  securityContext: {}", "  c: []", []string{}},
		{"an empty selector is not absent", "", "  podSelector: {}", "  c: []", []string{"removed spec.podSelector: map[] -> <nil>"}},
		{"an empty map may say something in a custom kind", "x.example/v1 X", "  selfSigned: {}", "  ca: {}", []string{"added spec.ca: <nil> -> map[]", "removed spec.selfSigned: map[] -> <nil>"}},
		{
			"containers are paired by name", "", "  containers: [{name: a, image: 'i:1'}, {name: b, image: 'j:1'}]", "  containers: [{name: b, image: 'j:1'}, {name: a, image: 'i:2'}]",
			[]string{"changed spec.containers[name=a].image: i:1 -> i:2"},
		},
		{
			"ports are paired by number and protocol", "", "  ports: [{containerPort: 53}, {containerPort: 53, protocol: UDP}]", "  ports: [{containerPort: 53, protocol: UDP, name: u}, {containerPort: 53, protocol: TCP}]",
			[]string{"added spec.ports[containerPort=53,protocol=UDP].name: <nil> -> u"},
		},
		{
			"mounts are paired by path", "", "  volumeMounts: [{mountPath: /a, name: v}, {mountPath: /b, name: v}]", "  volumeMounts: [{mountPath: /b, name: w}, {mountPath: /a, name: v}]",
			[]string{"changed spec.volumeMounts[mountPath=/b].name: v -> w"},
		},
		{
			"a list of an unknown kind is paired by what names its items", "x.example/v1 X", "  things: [{id: a, v: 1}, {id: b, v: 1}]", "  things: [{id: b, v: 2}, {id: a, v: 1}]",
			[]string{"changed spec.things[id=b].v: 1 -> 2"},
		},
		{
			"names that are not unique do not pair", "x.example/v1 X", "  things: [{name: a, v: 1}, {name: a, v: 2}]", "  things: [{name: a, v: 1}, {name: a, v: 3}]",
			[]string{"changed spec.things[1].v: 2 -> 3"},
		},
		{
			"an item put into an ordered list moves nothing else", "", "  args: [a, b, c]", "  args: [a, x, b, c]",
			[]string{"added spec.args[1]: <nil> -> x"},
		},
		{"the order of arguments counts", "", "  args: [a, b]", "  args: [b, a]", []string{"removed spec.args[0]: a -> <nil>", "added spec.args[1]: <nil> -> a"}},
		{
			"tolerations are an ordered list", "", "  tolerations: [{key: a, effect: x}]", "  tolerations: [{key: a, effect: z}]",
			[]string{"changed spec.tolerations[0].effect: x -> z"},
		},
		{"the order of finalizers does not count", "", "  finalizers: [a, b]", "  finalizers: [b, a]", []string{}},
		{
			"init containers run in order", "", "  initContainers: [{name: a}, {name: b}]", "  initContainers: [{name: b}, {name: a}]",
			[]string{"changed spec.initContainers: in the order a, b -> in the order b, a"},
		},
		{
			"keys with dots are quoted", "", "  m: {a.b/c: 1, '': 2}", "  m: {a.b/c: 2, '': 3}",
			[]string{`changed spec.m[""]: 2 -> 3`, `changed spec.m["a.b/c"]: 1 -> 2`},
		},
		{
			"entries of labels that come as a whole are told one by one", "", "  a: 1", "  a: 1\n  labels: {x: v, z: w}",
			[]string{"added spec.labels.x: <nil> -> v", "added spec.labels.z: <nil> -> w"},
		},
		{
			"a secret tells how it changes and no more", "", "  env: [{name: A_TOKEN, value: a}, {name: B_TOKEN, value: b}]", "  env: [{name: A_TOKEN, value: ''}, {name: C_TOKEN, value: c}]",
			[]string{
				"changed spec.env[name=A_TOKEN].value: <secret old value, short> -> <secret changed, empty>",
				"removed spec.env[name=B_TOKEN]: map[name:B_TOKEN value:<secret removed, short>] -> <nil>",
				"added spec.env[name=C_TOKEN]: <nil> -> map[name:C_TOKEN value:<secret added, short>]",
			},
		},
		{
			"only the user part of a URL is hidden", "", "  u: https://a:b@h/p?q=1", "  u: https://a:c@h/p?q=2",
			[]string{"changed spec.u: https://<secret old value, short>@h/p?q=1 -> https://<secret changed, short>@h/p?q=2"},
		},
		{
			"secrets that change places still differ", "", "  u: https://a@h https://b@h", "  u: https://b@h https://a@h",
			[]string{"changed spec.u: https://<secret old value, short>@h https://<secret old value, short>@h -> https://<secret changed, short>@h https://<secret changed, short>@h"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			apiVersion, kind := "apps/v1", "Deployment"
			if tt.kind != "" {
				apiVersion, kind, _ = strings.Cut(tt.kind, " ")
			}
			if d := cmp.Diff(tt.want, changes(t, apiVersion, kind, tt.base, tt.head)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestObjectsWithoutNamespacePairWithTheDestination(t *testing.T) {
	base := parse(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: '1'}")
	head := parse(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: develop}\ndata: {a: '2'}")
	report := diff.Compare([]diff.App{{Name: "a", Namespace: "develop", Base: base, Head: head}})
	if added, changed, removed := report.Counts(); added != 0 || changed != 1 || removed != 0 {
		t.Errorf("added %d, changed %d, removed %d; want one change", added, changed, removed)
	}
	report = diff.Compare([]diff.App{{Name: "a", Namespace: "other", Base: base, Head: head}})
	if added, changed, removed := report.Counts(); added != 1 || changed != 0 || removed != 1 {
		t.Errorf("added %d, changed %d, removed %d; want one added and one removed", added, changed, removed)
	}
}

func TestCompareLeavesItsInputAlone(t *testing.T) {
	list := apps(t, archive(t, "applications"))
	before := apps(t, archive(t, "applications"))
	diff.Compare(list)
	if !reflect.DeepEqual(before, list) {
		t.Error("the applications were changed")
	}
}

func TestEmptyReport(t *testing.T) {
	app := diff.App{Name: "a", Base: parse(t, "kind: A"), Head: parse(t, "kind: A")}
	for want, list := range map[string][]diff.App{
		"No change in the cluster: no application is affected.":               nil,
		"No change in the cluster: 1 application deploys the same as before.": {app},
	} {
		report := diff.Compare(list)
		if !report.Empty() {
			t.Error("not empty")
		}
		if got := diff.Text(report, diff.TextOptions{}); got != want+"\n" {
			t.Errorf("text %q, want %q", got, want)
		}
		if got := diff.Markdown(report, diff.MarkdownOptions{}); strings.TrimSpace(got) != "**"+want+"**" {
			t.Errorf("Markdown %q, want %q", got, want)
		}
	}
	raw, err := diff.JSON(diff.Compare(nil))
	want := "{\n  \"empty\": true,\n  \"counts\": {\n    \"added\": 0,\n    \"changed\": 0,\n    \"removed\": 0\n  },\n  \"unchanged\": 0,\n  \"facts\": [],\n  \"applications\": []\n}\n"
	if err != nil || string(raw) != want {
		t.Errorf("JSON %s, %v", raw, err)
	}
}

func TestDeepNestingIsComparedButNotShown(t *testing.T) {
	deep := func(v any) object.Object {
		for range 20000 {
			v = map[string]any{"a": v}
		}
		return manifest("x.example/v1", "X", "x", map[string]any{"spec": v})
	}
	report := diff.Compare([]diff.App{{Name: "a", Base: []object.Object{deep(1.0)}, Head: []object.Object{deep(2.0)}}})
	got := diff.Text(report, diff.TextOptions{})
	if !strings.Contains(got, "<nested too deeply to show changed, structured>") {
		t.Errorf("the change is not told:\n%.400s", got)
	}
}

func TestTextColoursAndWidth(t *testing.T) {
	report := diff.Compare(apps(t, archive(t, "promote_image")))
	plain := diff.Text(report, diff.TextOptions{})
	if strings.Contains(plain, "\x1b") {
		t.Error("colours without being asked")
	}
	if got := diff.Text(report, diff.TextOptions{Color: true}); !strings.Contains(got, "\x1b[32m      + spec.template") {
		t.Errorf("no green line:\n%q", got)
	}
	for line := range strings.Lines(diff.Text(report, diff.TextOptions{Width: 30})) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 30 {
			t.Errorf("%d columns: %q", n, line)
		}
	}
}
