package render

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// TestAChangedDefinitionIsFollowedIntoItsInstancesAlone compares again and again with one Engine, which knows what the
// applications hold.
func TestAChangedDefinitionIsFollowedIntoItsInstancesAlone(t *testing.T) {
	app := func(name string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(fmt.Sprintf("apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: %s, namespace: argocd}\nspec:\n  source: {repoURL: %q, targetRevision: main, path: %[1]s}\n  destination: {name: in-cluster, namespace: shop}\n", name, repoURL))}
	}
	instance := func(kind string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("apiVersion: kro.run/v1alpha1\nkind: " + kind + "\nmetadata: {name: x}\nspec: {name: x}\n")}
	}
	definition := func(kind, resource string) string {
		return "apiVersion: kro.run/v1alpha1\nkind: ResourceGraphDefinition\nmetadata: {name: " + strings.ToLower(kind) + "}\nspec:\n  schema: {apiVersion: v1alpha1, kind: " + kind +
			", spec: {name: string}}\n  resources:\n    - id: one\n      template: " + resource + "\n"
	}
	config := func(value string) string {
		return "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {a: " + value + "}}"
	}
	base := fstest.MapFS{
		"apps/outer.yaml": app("outer"), "apps/inner.yaml": app("inner"), "apps/other.yaml": app("other"), "apps/none.yaml": app("none"),
		"outer/x.yaml": instance("Outer"), "inner/x.yaml": instance("Inner"), "other/x.yaml": instance("Other"), "none/x.yaml": instance("None"),
		"rgd/outer.yaml": {Data: []byte(definition("Outer", "{apiVersion: kro.run/v1alpha1, kind: Inner, metadata: {name: y}, spec: {name: y}}"))},
		"rgd/inner.yaml": {Data: []byte(definition("Inner", config("x")))},
		"rgd/other.yaml": {Data: []byte(definition("Other", config("x")))},
	}
	tests := []struct {
		name string
		head fstest.MapFS
		want []string
	}{
		{"another", edited(base, "rgd/other.yaml", "{a: x}", "{a: z}"), []string{"argocd/other"}},
		{"an inner one", edited(base, "rgd/inner.yaml", "{a: x}", "{a: z}"), []string{"argocd/inner", "argocd/outer"}},
		{"one that is gone", edited(base, "rgd/other.yaml", "", ""), []string{"argocd/other"}},
		{"a new one", edited(base, "rgd/none.yaml", "", definition("None", config("x"))), []string{"argocd/none"}},
		{"one that is broken", edited(base, "rgd/other.yaml", "{a: x}", "{a: '${nope}'}"), []string{"argocd/other"}},
		{"one and an instance", edited(edited(base, "rgd/other.yaml", "{a: x}", "{a: z}"), "none/x.yaml", "name: x", "name: z"), []string{"argocd/none", "argocd/other"}},
		{"an instance that becomes another kind", edited(edited(base, "rgd/other.yaml", "{a: x}", "{a: z}"), "none/x.yaml", "kind: None", "kind: Other"), []string{"argocd/none", "argocd/other"}},
		{"nothing", base, nil},
	}
	engine := newEngine(t)
	for range 3 {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				got, err := engine.Compare(t.Context(), repository(newGitTree(base)), repository(newGitTree(test.head)), Options{})
				if err != nil {
					t.Fatal(err)
				}
				var names []string
				for _, app := range got.Apps {
					names = append(names, app.Name)
				}
				if diff := cmp.Diff(test.want, names); diff != "" {
					t.Errorf("applications (-want +got):\n%s", diff)
				}
			})
		}
	}
}
