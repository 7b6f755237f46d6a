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
