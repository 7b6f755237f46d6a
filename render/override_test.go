package render

import (
	"maps"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// The files that override a source are part of what an Application is rendered from, also those outside of its folders that they
// lead to.
func TestOverridesOfSeveralSources(t *testing.T) {
	config := func(name string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\n")}
	}
	base := fstest.MapFS{
		"apps.yaml": {Data: []byte("apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: shop, namespace: team}\nspec:\n  sources:\n" +
			"    - {repoURL: " + repoURL + ", path: one}\n    - {repoURL: " + repoURL + ", path: two}\n    - {repoURL: 'https://charts.example.com', chart: redis, targetRevision: 1.0.0}\n")},
		"one/a.yaml": config("one"), "two/kustomization.yaml": {Data: []byte("resources: [b.yaml]\n")}, "two/b.yaml": config("two"), ".argocd-source.yaml": {Data: []byte("helm: {releaseName: [1]}\n")},
		"shared/c/kustomization.yaml": {Data: []byte("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnamePrefix: v1-\n")},
	}
	engine := newEngine(t)
	key := ""
	steps := []struct {
		name  string
		files fstest.MapFS
		want  []string
		reads []string
	}{
		{"none", nil, []string{"one", "two"}, []string{"one/a.yaml", "two/b.yaml", "two/kustomization.yaml"}},
		{
			"of the second source",
			fstest.MapFS{"two/.argocd-source.yaml": {Data: []byte("kustomize: {namePrefix: x-}\n")}},
			[]string{"one", "x-two"},
			[]string{"one/a.yaml", "two/.argocd-source.yaml", "two/b.yaml", "two/kustomization.yaml"},
		},
		{
			"of this application",
			fstest.MapFS{"two/.argocd-source.yaml": {Data: []byte("kustomize: {namePrefix: x-}\n")}, "two/.argocd-source-team_shop.yaml": {Data: []byte("kustomize: {namePrefix: y-}\n")}},
			[]string{"one", "y-two"},
			[]string{"one/a.yaml", "two/.argocd-source-team_shop.yaml", "two/.argocd-source.yaml", "two/b.yaml", "two/kustomization.yaml"},
		},
		{
			"of another application",
			fstest.MapFS{"two/.argocd-source-other.yaml": {Data: []byte("kustomize: {namePrefix: z-}\n")}},
			[]string{"one", "two"},
			[]string{"one/a.yaml", "two/b.yaml", "two/kustomization.yaml"},
		},
		{
			"that leads outside",
			fstest.MapFS{"two/.argocd-source.yaml": {Data: []byte("kustomize: {components: [../shared/c]}\n")}},
			[]string{"one", "v1-two"},
			[]string{"one/a.yaml", "shared/c/kustomization.yaml", "two/.argocd-source.yaml", "two/b.yaml", "two/kustomization.yaml"},
		},
		{
			"and changes there",
			fstest.MapFS{
				"two/.argocd-source.yaml":     {Data: []byte("kustomize: {components: [../shared/c]}\n")},
				"shared/c/kustomization.yaml": {Data: []byte("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnamePrefix: v2-\n")},
			},
			[]string{"one", "v2-two"},
			[]string{"one/a.yaml", "shared/c/kustomization.yaml", "two/.argocd-source.yaml", "two/b.yaml", "two/kustomization.yaml"},
		},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			files := fstest.MapFS{}
			for _, from := range []fstest.MapFS{base, step.files} {
				maps.Copy(files, from)
			}
			repo := repository(newGitTree(files))
			set, err := engine.Applications(t.Context(), repo, Options{})
			if err != nil || len(set.Applications) != 1 {
				t.Fatalf("%d applications, %v", len(set.Applications), err)
			}
			result := engine.Render(t.Context(), repo, set, set.Applications[0])
			var got []string
			for _, o := range result.Objects {
				got = append(got, o.ID().Name)
			}
			if diff := cmp.Diff([][]string{step.want, step.reads}, [][]string{got, result.Inputs}); diff != "" {
				t.Errorf("objects and files (-want +got):\n%s\n%v", diff, result.Findings)
			}
			if result.Key == key {
				t.Error("the key is that of the step before")
			}
			key = result.Key
		})
	}
}
