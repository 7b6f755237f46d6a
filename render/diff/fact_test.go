package diff_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/render/diff"
)

const (
	deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: "
	instance   = "apiVersion: kro.run/v1alpha1\nkind: App\nmetadata: {name: web}\nspec: "
	stateful   = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\nspec: "
	service    = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: "
	secret     = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"
	next       = "\n---\n"
)

// container is the spec of a workload with one container that has the image.
func container(image string) string {
	return "{template: {spec: {containers: [{name: web, image: '" + image + "'}]}}}"
}

func TestFacts(t *testing.T) {
	tests := []struct {
		name, base, head string
		want             []string // with "!" before a danger, "!!" before a grave one
	}{
		{
			"instance and Deployment tell the same image and replicas once",
			instance + "{image: r/web, tag: '1.0.1', replicas: 1}" + next + deployment + "{replicas: 1, template: {spec: {containers: [{name: web, image: 'r/web:1.0.1'}]}}}",
			instance + "{image: r/web, tag: '1.0.2', replicas: 2}" + next + deployment + "{replicas: 2, template: {spec: {containers: [{name: web, image: 'r/web:1.0.2'}]}}}",
			[]string{"image r/web 1.0.1 → 1.0.2 in Deployment web", "replicas 1 → 2 in Deployment web", "restarts 1 pod of Deployment web"},
		},
		{
			"an instance that is not expanded speaks for itself", instance + "{deployment: {repository: r/web, tag: '1.0.1'}}", instance + "{deployment: {repository: r/web, tag: '1.0.2'}}",
			[]string{"image r/web 1.0.1 → 1.0.2 in kro.run/App web"},
		},
		{
			"an instance with its own registry", instance + "{registry: q.io, image: r/web, tag: a}", instance + "{registry: q.io, image: r/web, tag: b}",
			[]string{"image q.io/r/web a → b in kro.run/App web"},
		},
		{
			"one image in two workloads is one fact",
			deployment + container("r/web:1") + next + stateful + container("r/web:1"), deployment + container("r/web:2") + next + stateful + container("r/web:2"),
			[]string{"image r/web 1 → 2 in Deployment web, StatefulSet db", "restarts 1 pod of Deployment web, 1 pod of StatefulSet db"},
		},
		{
			"an image with its tag beside it has one", instance + "{a: 1}", instance + "{a: 1, worker: {name: w, image: r/w, tag: '1'}, other: {name: o, image: r/o}}",
			[]string{"!image r/o has no tag, so the version that runs is not fixed, in kro.run/App web"},
		},
		{
			"a registry with a port is not a tag", deployment + container("h:5000/web:1"), deployment + container("h:5000/web:2"),
			[]string{"image h:5000/web 1 → 2 in Deployment web", "restarts 1 pod of Deployment web"},
		},
		{
			"only the digest changes", deployment + container("web:1@sha256:aaaaaaaaaaaaaaaa"), deployment + container("web:1@sha256:bbbbbbbbbbbbbbbb"),
			[]string{"image web 1@sha256:aaaaaaaaaaaa… → 1@sha256:bbbbbbbbbbbb… in Deployment web", "restarts 1 pod of Deployment web"},
		},
		{
			"digests that begin alike are shown in full", deployment + container("web@sha256:aaaaaaaaaaaaaaaa1"), deployment + container("web@sha256:aaaaaaaaaaaaaaaa2"),
			[]string{"image web web@sha256:aaaaaaaaaaaaaaaa1 → web@sha256:aaaaaaaaaaaaaaaa2 in Deployment web", "restarts 1 pod of Deployment web"},
		},
		{
			"the repository changes", deployment + container("a/web:1"), deployment + container("b/web:1"),
			[]string{"image from another repository: a/web:1 → b/web:1 in Deployment web", "restarts 1 pod of Deployment web"},
		},
		{
			"a tag that moves", deployment + container("web:1"), deployment + container("web:latest"),
			[]string{"!image web has the tag latest, so the version that runs is not fixed, in Deployment web", "image web 1 → latest in Deployment web", "restarts 1 pod of Deployment web"},
		},
		{
			"an image that only the cluster knows", deployment + container("web:1"), deployment + container("⟨known after deploy: ${a.b}⟩"),
			[]string{"image web:1 → ⟨known after deploy: ${a.b}⟩ in Deployment web", "restarts 1 pod of Deployment web"},
		},
		{
			"the volumes of a StatefulSet cannot change", stateful + "{volumeClaimTemplates: [{metadata: {name: d}, spec: {size: 1}}]}", stateful + "{volumeClaimTemplates: [{metadata: {name: d}, spec: {size: 2}}]}",
			[]string{"!immutable field spec.volumeClaimTemplates changes: the cluster refuses it unless the object is deleted and made anew: StatefulSet db"},
		},
		{
			"removed objects", stateful + "{}" + next + deployment + "{}", service + "{}",
			[]string{"!!removed StatefulSet db", "!removed Deployment web", "new Service web"},
		},
		{
			"ports of a Service", service + "{ports: [{port: 80}, {port: 53, protocol: UDP}]}", service + "{ports: [{port: 80}, {port: 443, targetPort: 8443}, {port: 9}]}",
			[]string{"Service web ports +443:8443 +9 -53/UDP"},
		},
		{
			"keys of a Secret, without values", secret + "stringData: {a: x, b: y}", secret + "stringData: {a: z, c: y}",
			[]string{"Secret s: added key c; removed key b; changed key a"},
		},
		{"the type of a Secret", secret + "type: a", secret + "type: b", []string{"!immutable field type changes: the cluster refuses it unless the object is deleted and made anew: Secret s"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := []string{}
			for _, f := range diff.Compare([]diff.App{{Name: "a", Base: parse(t, tt.base), Head: parse(t, tt.head)}}).Facts {
				mark := ""
				if f.Danger {
					mark = "!"
				}
				if f.Grave {
					mark = "!!"
				}
				got = append(got, mark+f.String())
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestImages(t *testing.T) {
	two := func(a, b string) string {
		return deployment + "{template: {spec: {initContainers: [{name: init, image: '" + a + "'}], containers: [{name: web, image: '" + b + "'}]}}}"
	}
	for name, c := range map[string]struct {
		base, head string
		want       []string
	}{
		"containers of both lists":         {two("i:1", "r/web:1.0.2@sha256:aa"), two("i:2", "r/web:1.0.1"), []string{"Deployment web: r/web 1.0.2 → 1.0.1", "Deployment web: i 1 → 2"}},
		"another repository is another":    {two("i:1", "a/web:2"), two("i:1", "b/web:1"), nil},
		"a container that comes":           {deployment + "{}", two("i:1", "web:1"), nil},
		"an image of something else":       {instance + "{image: 'r/web:2'}", instance + "{image: 'r/web:1'}", nil},
		"a field that is called image too": {deployment + "{image: 'r/web:2'}", deployment + "{image: 'r/web:1'}", nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, image := range diff.Compare([]diff.App{{Name: "a", Base: parse(t, c.base), Head: parse(t, c.head)}}).Images() {
				got = append(got, image.ID.Kind+" "+image.ID.Name+": "+image.Repository+" "+image.Before+" → "+image.After)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestJSONSaysWhatTheReportSays(t *testing.T) {
	raw, err := diff.JSON(diff.Compare(apps(t, archive(t, "promote_image"))))
	if err != nil {
		t.Fatal(err)
	}
	type field struct {
		Path, Kind    string
		Before, After any
	}
	var got struct {
		Empty        bool
		Counts       struct{ Added, Changed, Removed int }
		Facts        []struct{ Kind, Text string }
		Applications []struct {
			Name, Stage, Kind string
			Unchanged         int
			Objects           []struct {
				ID     struct{ Group, Kind, Namespace, Name string }
				Source struct{ File, Via string }
				Fields []field
				Head   map[string]any
			}
		}
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if got.Empty || got.Counts.Changed != 2 || len(got.Facts) != 2 || len(got.Applications) != 1 {
		t.Fatalf("JSON:\n%s", raw)
	}
	app := got.Applications[0]
	if app.Name != "frontend-dev-app" || app.Stage != "dev" || app.Kind != "changed" || app.Unchanged != 1 || len(app.Objects) != 2 {
		t.Fatalf("application %+v", app)
	}
	o := app.Objects[0]
	if o.ID.Group != "apps" || o.ID.Kind != "Deployment" || o.Source.Via != "kro FrontendAppV2/deploy" || o.Head["kind"] != "Deployment" {
		t.Errorf("object %+v", o)
	}
	want := []field{{
		Path: "spec.template.spec.containers[name=wsp-frontend].image", Kind: "changed",
		Before: "example/frontend:1.0.1", After: "example/frontend:1.0.2",
	}}
	if d := cmp.Diff(want, o.Fields); d != "" {
		t.Errorf("fields (-want +got):\n%s", d)
	}
}
