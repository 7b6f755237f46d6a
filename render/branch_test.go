package render_test

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/render"
)

func branchAt(tag string) render.Repository {
	return render.Repository{
		Tree: fstest.MapFS{
			"web/settings.yaml": {Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {tag: \"" + tag + "\"}\n")},
		},
		URLs: []string{"https://git.example.com/team/deploy.git"}, Revision: "env/dev",
	}
}

// application is a manifest of an Application that deploys web from a branch.
func application(name, branch string) string {
	return "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: " + name + ", namespace: argocd}\nspec:\n" +
		"  project: default\n  source: {repoURL: \"https://git.example.com/team/deploy\", path: web, targetRevision: " + branch + "}\n" +
		"  destination: {server: \"https://kubernetes.default.svc\", namespace: web}\n---\n"
}

func TestCompareBranch(t *testing.T) {
	for _, c := range []struct {
		name string
		apps string
		want []string
	}{
		{"applications that deploy from the branch are rendered", application("web", "env/dev") + application("other", "main"), []string{"argocd/web"}},
		{"applications that are written to the branch are rendered from it", "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: web, namespace: argocd}\nspec:\n" +
			"  sourceHydrator:\n    drySource: {repoURL: \"https://git.example.com/team/deploy\", path: charts/web, targetRevision: main}\n" +
			"    syncSource: {targetBranch: env/dev, path: web}\n", []string{"argocd/web"}},
		{"without any, the manifests of the branch are", application("other", "main"), []string{"branch env/dev"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			engine, err := render.NewEngine()
			if err != nil {
				t.Fatal(err)
			}
			set, err := engine.Applications(t.Context(), render.Repository{
				Tree: fstest.MapFS{"apps.yaml": {Data: []byte(c.apps)}}, URLs: branchAt("").URLs, Revision: "main",
			}, render.Options{})
			if err != nil {
				t.Fatal(err)
			}
			compared, err := engine.CompareBranch(t.Context(), set, branchAt("1.0.0"), branchAt("1.0.1"))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, app := range compared.Apps {
				got = append(got, app.Name)
				if len(app.Base.Objects) != 1 || len(app.Head.Objects) != 1 || app.Head.Failed {
					t.Errorf("%s: base %d objects, head %d: %v", app.Name, len(app.Base.Objects), len(app.Head.Objects), app.Head.Findings)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			same, err := engine.CompareBranch(t.Context(), set, branchAt("1.0.0"), branchAt("1.0.0"))
			if err != nil || len(same.Apps) > 0 {
				t.Errorf("equal commits differ: %v, %v", same.Apps, err)
			}
		})
	}
}

func TestWhatIsShownOfAHydratedApplicationIsTold(t *testing.T) {
	const apps = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: web}\nspec:\n  sourceHydrator:\n" +
		"    drySource: {repoURL: \"https://git.example.com/team/deploy\", path: dry, targetRevision: HEAD}\n    syncSource: {targetBranch: env/dev, path: web}\n"
	config := func(from string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + from + "}\n")}
	}
	tree := fstest.MapFS{
		"apps.yaml": {Data: []byte(apps)}, "dry/a.yaml": config("made"),
		"web/manifest.yaml": config("written"), "web/README.md": {Data: []byte("# x")}, "web/hydrator.metadata": {Data: []byte("{}")},
	}
	engine, err := render.NewEngine()
	if err != nil {
		t.Fatal(err)
	}
	for revision, want := range map[string][]string{
		"main":    {"made", `apps.yaml:1: info: application "web": sourceHydrator: shown is what Argo CD makes of the dry source; it deploys it from folder "web" of branch "env/dev" [hydrated-source]`},
		"env/dev": {"written", `apps.yaml:1: info: application "web": sourceHydrator: shown is what stands in folder "web" of branch "env/dev", which Argo CD wrote; the dry source is not rendered [hydrated-source]`},
	} {
		repository := render.Repository{Tree: tree, URLs: branchAt("").URLs, Revision: revision}
		set, err := engine.Applications(t.Context(), repository, render.Options{})
		if err != nil || len(set.Applications) != 1 {
			t.Fatalf("%d applications, %v", len(set.Applications), err)
		}
		result := engine.Render(t.Context(), repository, set, set.Applications[0])
		var got []string
		for _, o := range result.Objects {
			got = append(got, o.ID().Name)
		}
		for _, f := range result.Findings {
			got = append(got, f.String())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", revision, diff)
		}
	}
}
