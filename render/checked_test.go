package render

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/render/argocd"
	"github.com/lockkeeper/lockkeeper/render/check"
)

const widgetDefinition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  names: {kind: Widget, plural: widgets}
  scope: Namespaced
  versions:
    - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer, minimum: 1}}}}}}}
`

const growOnly = `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: grow}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [example.com], apiVersions: [v1], operations: [UPDATE], resources: [widgets]}]
  validations: [{expression: object.spec.size >= oldObject.spec.size, message: widgets only grow}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: grow}
spec: {policyName: grow, validationActions: [Deny]}
`

// shop is a repository with two applications: a Widget of some size, and a ConfigMap.
func shop(size int) fstest.MapFS {
	app := func(name string) string {
		return "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: " + name + ", namespace: argocd}\nspec:\n" +
			"  destination: {name: production, namespace: shop}\n  source: {repoURL: \"" + repoURL + "\", path: " + name + "}\n"
	}
	return fstest.MapFS{
		"apps/widget.yaml": {Data: []byte(app("widget"))}, "apps/config.yaml": {Data: []byte(app("config"))},
		"config/config.yaml":   {Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config}\ndata: {a: b}\n")},
		"widget/widget.yaml":   {Data: fmt.Appendf(nil, "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\nspec: {size: %d}\n", size)},
		"crds/widget.yaml":     {Data: []byte(widgetDefinition)},
		"policies/nothing.txt": {Data: []byte("nothing yet")},
	}
}

func changed(files fstest.MapFS, name, text string) fstest.MapFS {
	out := maps.Clone(files)
	out[name] = &fstest.MapFile{Data: []byte(text)}
	return out
}

// toldOf prints what is said of each application that differs.
func toldOf(c Comparison) []string {
	out := []string{}
	for _, app := range c.Apps {
		for _, f := range app.Head.Findings {
			f.File, f.Line, f.Column, f.Remedy = "", 0, 0, ""
			out = append(out, f.String())
		}
	}
	return out
}

func TestCompareTellsWhatTheChangeBrings(t *testing.T) {
	const refused = `error: application "widget": example.com/Widget shop/w: the API server refuses spec.size: should be greater than or equal to `
	stricter := strings.Replace(widgetDefinition, "minimum: 1", "minimum: 3", 1)
	policy := check.Options{Policies: []check.Policy{{Name: "small", Kinds: []string{"example.com/Widget"}, Rule: "object.spec.size < 2", Message: "too large"}}}
	for _, c := range []struct {
		name         string
		base, head   fstest.MapFS
		before, opts Options
		unchanged    int
		want         []string
	}{
		{"a value that is refused", shop(2), shop(0), Options{}, Options{}, 1, []string{refused + "1 [schema-value]"}},
		{"it was refused before", shop(0), shop(-1), Options{}, Options{}, 1, []string{`info: application "widget": one problem of what it deploys was there before [known-problems]`}},
		{"it is no longer", shop(0), shop(1), Options{}, Options{}, 1, []string{}},
		{"a stricter definition reaches those of its kind", shop(2), changed(shop(2), "crds/widget.yaml", stricter), Options{}, Options{}, 1, []string{refused + "3 [schema-value]"}},
		{"a definition that nobody uses reaches nobody", shop(2), changed(shop(2), "crds/other.yaml", strings.ReplaceAll(strings.ReplaceAll(widgetDefinition, "Widget", "Gadget"), "widgets", "gadgets")), Options{}, Options{}, 2, []string{}},
		{"checks that are switched on", shop(0), shop(0), Options{Checks: check.Options{Schema: check.ModeOff}}, Options{}, 1, []string{refused + "1 [schema-value]"}},
		{"a new policy", shop(2), shop(2), Options{}, Options{Checks: policy}, 1, []string{`error: application "widget": example.com/Widget shop/w: policy "small": too large [repository-policy]`}},
		{"what was there is asked for", changed(shop(2), "policies/grow.yaml", growOnly), changed(shop(1), "policies/grow.yaml", growOnly), Options{}, Options{}, 1, []string{
			`error: application "widget": example.com/Widget shop/w: ValidatingAdmissionPolicy grow refuses it: widgets only grow [admission-policy]`,
		}},
		{"what grows is let in", changed(shop(2), "policies/grow.yaml", growOnly), changed(shop(3), "policies/grow.yaml", growOnly), Options{}, Options{}, 1, []string{}},
		{"what is new replaces nothing", fstest.MapFS{}, changed(shop(3), "policies/grow.yaml", growOnly), Options{}, Options{}, 0, []string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			engine := newEngine(t)
			opts := c.opts
			opts.Base = &c.before
			for range 2 { // the second time from memory
				got, err := engine.Compare(t.Context(), repository(newGitTree(c.base)), repository(newGitTree(c.head)), opts)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.want, toldOf(got)); diff != "" || got.Unchanged != c.unchanged {
					t.Errorf("%d unchanged, findings (-want +got):\n%s", got.Unchanged, diff)
				}
			}
		})
	}
}

func TestTheVersionOfTheClusterDecides(t *testing.T) {
	files := changed(shop(1), "config/config.yaml", "apiVersion: flowcontrol.apiserver.k8s.io/v1beta3\nkind: FlowSchema\nmetadata: {name: f}\nspec: {priorityLevelConfiguration: {name: p}}\n")
	engine := newEngine(t)
	for version, want := range map[string]string{
		"1.31": "warning: api-deprecated", "1.32": "error: api-removed", "": "warning: api-removed",
	} {
		clusters := []argocd.Cluster{{Name: "production", Server: "https://production.example.com", KubernetesVersion: version}}
		repo := repository(newGitTree(files))
		set, err := engine.Applications(t.Context(), repo, Options{Clusters: clusters})
		if err != nil {
			t.Fatal(err)
		}
		for _, app := range set.Applications {
			if app.Name != "config" {
				continue
			}
			got := engine.Render(t.Context(), repo, set, app).Findings
			if len(got) != 1 || got[0].Severity.String()+": "+got[0].Code != want {
				t.Errorf("%q: %v, want %s", version, got, want)
			}
		}
	}
}

func TestAPolicyOfOneClusterIsNotAskedInAnother(t *testing.T) {
	never := strings.ReplaceAll(strings.Replace(growOnly, "object.spec.size >= oldObject.spec.size", "'false'", 1), "[UPDATE]", "['*']")
	for folder, want := range map[string]int{"config/policy.yaml": 1, "elsewhere/policy.yaml": 0, "policies/policy.yaml": 1} {
		files := changed(shop(1), folder, never)
		files["apps/elsewhere.yaml"] = &fstest.MapFile{Data: []byte("apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: elsewhere, namespace: argocd}\n" +
			"spec:\n  destination: {server: \"https://other.example.com\", namespace: shop}\n  source: {repoURL: \"" + repoURL + "\", path: elsewhere}\n")}
		engine, repo := newEngine(t), repository(newGitTree(files))
		set, err := engine.Applications(t.Context(), repo, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, app := range set.Applications {
			if got := engine.Render(t.Context(), repo, set, app).Findings; app.Name == "widget" && len(got) != want {
				t.Errorf("%s: %v", folder, got)
			}
		}
	}
}

func TestWhatCannotBeCheckedInTimeIsAnError(t *testing.T) {
	options := Options{Checks: check.Options{Policies: []check.Policy{{Name: "small", Rule: "false"}}}}
	engine, repo := newEngine(t), repository(newGitTree(shop(1)))
	engine.checks = time.Nanosecond
	set, err := engine.Applications(t.Context(), repo, options)
	if err != nil {
		t.Fatal(err)
	}
	late := engine.Render(t.Context(), repo, set, set.Applications[0]).Findings
	if len(late) != 1 || late[0].Severity != Error || late[0].Code != check.CodeUnchecked || late[0].Remedy == "" {
		t.Errorf("checked too late: %v", late)
	}
	engine.checks = renderTimeout
	again := engine.Render(t.Context(), repo, set, set.Applications[0]).Findings
	if len(again) != 1 || again[0].Code != check.CodePolicy {
		t.Errorf("checked again: %v", again)
	}
}

// TestWhatIsNewIsToldAmongManyOldProblems: what the base has is taken away before the findings are bounded.
func TestWhatIsNewIsToldAmongManyOldProblems(t *testing.T) {
	objects := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "---\napiVersion: v1\nkind: Service\nmetadata: {name: s%03d}\nspec: {ports: [{port: wrong}]}\n", i)
		}
		return b.String()
	}
	tree := func(text string) *gitTree {
		return newGitTree(elsewhereApp("  source: {repoURL: "+repoURL+", path: shop}\n", "shop/all.yaml", text))
	}
	got, err := newEngine(t).Compare(t.Context(), repository(tree(objects(300))), repository(tree(objects(301))), Options{})
	if err != nil || len(got.Apps) != 1 {
		t.Fatal(len(got.Apps), err)
	}
	var told []string
	for _, f := range got.Apps[0].Head.Findings {
		told = append(told, f.Code+" "+f.Message)
	}
	if len(told) != 2 || !strings.Contains(strings.Join(told, "\n"), "s300") || !strings.Contains(strings.Join(told, "\n"), "300 problems of what it deploys were there before") {
		t.Errorf("findings:\n%s", strings.Join(told, "\n"))
	}
	if n := len(got.Apps[0].Base.Findings); n != maxFindings+1 {
		t.Errorf("the base has %d findings", n)
	}
}
