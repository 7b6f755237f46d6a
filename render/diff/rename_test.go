package diff_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/render/diff"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// told are the objects of a report, with what they were called before.
func told(r diff.Report) []string {
	var out []string
	for _, app := range r.Apps {
		for _, o := range app.Objects {
			text := string(o.Kind) + " " + o.ID.String()
			if o.Kind == diff.Renamed {
				text += " from " + o.Was.String()
			}
			for _, f := range o.Fields {
				text += ", " + f.Path
			}
			out = append(out, text)
		}
	}
	return out
}

func TestRenamedObjects(t *testing.T) {
	long := func(kind, name, more string) string {
		return "apiVersion: apps/v1\nkind: " + kind + "\nmetadata: {name: " + name + ", labels: {app: " + name + "}}\n" +
			"spec: {" + more + "selector: {matchLabels: {app: " + name + "}}, template: {spec: {containers: [{name: " + name + ", image: 'x:1', args: [a, b]}]}}}"
	}
	config := func(name, data string) string {
		return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\ndata: {" + data + "}"
	}
	charted := func(kind, name, more string) string {
		return "apiVersion: v1\nkind: " + kind + "\nmetadata: {name: " + name + ", labels: {helm.sh/chart: c-1, app.kubernetes.io/name: c, app.kubernetes.io/managed-by: Helm, tier: web}}\n" + more
	}
	tests := []struct {
		name, base, head string
		want             []string // nil: nothing is renamed
	}{
		{"another name, with all that follows from it", long("Deployment", "web", ""), long("Deployment", "shop-web", ""), []string{
			"renamed Deployment shop-web from Deployment web, metadata.labels.app, spec.selector.matchLabels.app, spec.template.spec.containers[name=web], spec.template.spec.containers[name=shop-web]",
		}},
		{"another kind", long("Deployment", "web", "replicas: 2, "), long("StatefulSet", "web", "serviceName: web, "), []string{"renamed StatefulSet web from Deployment web, spec.replicas, spec.serviceName"}},
		{"another group", "apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: web}\nspec: {rules: [{host: a}, {host: b}]}", "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web}\nspec: {rules: [{host: a}, {host: b}]}", []string{
			"renamed networking.k8s.io/Ingress web from Ingress web",
		}},
		{"another namespace", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a, namespace: one}", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a, namespace: two}", []string{"renamed ServiceAccount two/a from ServiceAccount one/a"}},
		{"a generated name, whatever changes", config("web-m4g7f8h2k9", "A: '1'"), config("web-9fd2h7ktb5", "B: '2'"), []string{"renamed ConfigMap web-9fd2h7ktb5 from ConfigMap web-m4g7f8h2k9, data.A, data.B"}},
		{"a name that only looks generated", config("web-production", "A: '1'"), config("web-developers", "B: '2'"), nil},
		{"two of one stem are told apart by content", config("web-m4g7f8h2k9", "A: '1', B: '2'") + next + config("web-bbbbbbbbbb", "C: '1', D: '2'"), config("web-9fd2h7ktb5", "C: '1', D: '2', E: '3'") + next + config("web-cccccccccc", "A: '1', B: '3'"), []string{
			"renamed ConfigMap web-9fd2h7ktb5 from ConfigMap web-bbbbbbbbbb, data.E", "added ConfigMap web-cccccccccc", "removed ConfigMap web-m4g7f8h2k9",
		}},
		{"little in common", config("a", "A: '1', B: '2'"), config("b", "C: '1', D: '2'"), nil},
		{"nothing in either", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: b}", nil},
		{"the labels of a chart on objects of one kind", charted("ConfigMap", "a", "data: {A: '1'}"), charted("ConfigMap", "b", "data: {B: '2'}"), nil},
		{"and of two kinds", charted("ServiceAccount", "a", ""), charted("ConfigMap", "b", "data: {B: '2'}"), nil},
		{"the same values in kinds that do not become each other", charted("Service", "a", "spec: {selector: {app: x}, type: y}"), charted("NetworkPolicy", "a", "spec: {selector: {app: x}, type: y}"), nil},
		{"for all of the cluster", charted("Role", "a", "rules: [{verbs: [get], resources: [pods]}]"), charted("ClusterRole", "a", "rules: [{verbs: [get], resources: [pods]}]"), []string{"renamed ClusterRole a from Role a"}},
		{"kinds that have nothing to do with each other", config("a", "A: '1', B: '2'"), "apiVersion: v1\nkind: Secret\nmetadata: {name: b}\nstringData: {C: '1'}", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			report := diff.Compare([]diff.App{{Name: "a", Base: parse(t, tt.base), Head: parse(t, tt.head)}})
			got := told(report)
			if tt.want == nil && report.Renamed() == 0 {
				return
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestRenamedApplications(t *testing.T) {
	objects := parse(t, settings+"data: {a: '1', b: '2', c: '3'}"+next+deployment+container("w:1"))
	changed := parse(t, settings+"data: {a: '1', b: '2', c: '4'}"+next+deployment+container("w:1"))
	other := parse(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {y: '1'}")
	gone := diff.App{Name: "old", Base: objects, HeadMissing: true, BaseCluster: "c"}
	for name, test := range map[string]struct {
		apps []diff.App
		want []string
	}{
		"the same under another name":    {[]diff.App{gone, {Name: "new", Head: objects, BaseMissing: true, HeadCluster: "c"}}, []string{"new changed old 0 false"}},
		"almost the same":                {[]diff.App{gone, {Name: "new", Head: changed, BaseMissing: true, HeadCluster: "c"}}, []string{"new changed old 1 false"}},
		"the same on another cluster":    {[]diff.App{gone, {Name: "new", Head: objects, BaseMissing: true, HeadCluster: "d"}}, []string{"new changed old 0 true"}},
		"another application":            {[]diff.App{gone, {Name: "new", Head: other, BaseMissing: true}}, []string{"new added  1 false", "old removed  2 false"}},
		"one that is not rendered whole": {[]diff.App{gone, {Name: "new", Head: objects, BaseMissing: true, Partial: true}}, []string{"new added  2 false", "old removed  2 false"}},
		"two that could be it":           {[]diff.App{gone, {Name: "new", Head: objects, BaseMissing: true}, {Name: "old2", Head: objects, BaseMissing: true}}, []string{"new changed old 0 false", "old2 added  2 false"}},
	} {
		report := diff.Compare(test.apps)
		var got []string
		for _, app := range report.Apps {
			got = append(got, fmt.Sprintf("%s %s %s %d %v", app.Name, app.Kind, app.Was, len(app.Objects), app.From != app.To))
		}
		if d := cmp.Diff(test.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestAnApplicationThatIsRenamedAndMovesIsOneFact(t *testing.T) {
	objects := parse(t, settings+"data: {a: '1', b: '2', c: '3'}")
	report := diff.Compare([]diff.App{{Name: "old", Base: objects, HeadMissing: true, BaseCluster: "c"}, {Name: "new", Head: objects, BaseMissing: true, HeadCluster: "d"}})
	want := []string{"!!renamed from old, and moves from cluster c to d: everything is deployed anew there, and what runs on the old cluster goes with the old application, or stays when that has no finalizer"}
	if d := cmp.Diff(want, marked(report)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestManyObjectsArePairedInLittleTime renames thousands of objects that are all much alike: a search for the most alike among
// all of them would take minutes.
func TestManyObjectsArePairedInLittleTime(t *testing.T) {
	const n = 4000
	var base, head []object.Object
	for i := range n {
		data := map[string]any{}
		for k := range 20 {
			data[fmt.Sprint("key-", k)] = fmt.Sprint("value ", k)
		}
		data["own"] = fmt.Sprint("own ", i)
		base = append(base, configMap(fmt.Sprint("settings-", i), data))
		head = append(head, configMap(fmt.Sprint("prod-settings-", i), data))
	}
	report := diff.Compare([]diff.App{{Name: "a", Base: base, Head: head}})
	if got := report.Renamed(); got != n {
		t.Errorf("%d of %d objects are renamed", got, n)
	}
	for _, o := range report.Apps[0].Objects {
		if o.ID.Name != "prod-"+o.Was.Name {
			t.Fatalf("%s is not %s", o.ID, o.Was)
		}
	}
}
