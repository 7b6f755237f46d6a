package imageupdater_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/internal/manifest/manifesttest"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/expr"
	"github.com/lockkeeper/lockkeeper/promote/imageupdater"
)

var update = flag.Bool("update", false, "rewrite the wanted results in testdata")

func TestLoadGolden(t *testing.T) {
	manifesttest.Golden(t, *update, func(docs []manifest.Document) string { return dump(imageupdater.Load(docs)) })
}

// TestStepsHoldSoundExpressions checks what Kargo and Lockkeeper will evaluate, wherever it stands in a configuration.
func TestStepsHoldSoundExpressions(t *testing.T) {
	templates := 0
	for file, docs := range manifesttest.Documents(t) {
		pipelines, _ := imageupdater.Load(docs)
		for _, p := range pipelines {
			for _, s := range p.Stages {
				for i, one := range s.Steps {
					names := expr.Names{Status: true}
					for _, before := range s.Steps[:i] {
						names.Outputs = append(names.Outputs, before.As)
					}
					for _, template := range texts(t, one.Config) {
						if strings.Contains(template, "${{") {
							templates++
						}
						for _, problem := range expr.Check(template, names) {
							t.Errorf("%s: stage %s, step %s: %q: %s", file, s.Name, one.As, template, problem.Message)
						}
					}
				}
			}
		}
	}
	if templates == 0 {
		t.Error("no step holds an expression")
	}
}

// texts lists the texts of a configuration.
func texts(t *testing.T, config json.RawMessage) []string {
	t.Helper()
	if config == nil {
		return nil
	}
	var tree any
	if err := json.Unmarshal(config, &tree); err != nil {
		t.Fatalf("config %s: %v", config, err)
	}
	var out []string
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			out = append(out, v)
		case []any:
			for _, item := range v {
				walk(item)
			}
		case map[string]any:
			for _, item := range v {
				walk(item)
			}
		}
	}
	walk(tree)
	return out
}

// dump writes pipelines and findings for people to compare.
func dump(pipelines []promote.Pipeline, findings []promote.Finding) string {
	var b strings.Builder
	for _, p := range pipelines {
		fmt.Fprintf(&b, "project %s declared=%v %s\n", p.Project, p.Declared, p.Position)
		for _, w := range p.Warehouses {
			fmt.Fprintf(&b, "warehouse %s every %s manual=%v %s\n", w.Name, w.Interval, w.Manual, w.Position)
			for _, s := range w.Images {
				fmt.Fprintf(&b, "  image %s %s constraint=%q strict=%v allow=%q ignore=%q platform=%q limit=%d %s\n",
					s.RepoURL, s.Strategy, s.Constraint, s.StrictSemvers, s.Allow, s.Ignore, s.Platform, s.DiscoveryLimit, s.Position)
			}
		}
		for _, s := range p.Stages {
			fmt.Fprintf(&b, "stage %s %s auto=%v\n", s.Name, s.Position, p.AutoPromoted(s))
			for _, r := range s.Requests {
				fmt.Fprintf(&b, "  request %s direct=%v %s\n", r.Warehouse, r.Direct, r.Position)
			}
			for _, one := range s.Steps {
				fmt.Fprintf(&b, "  step %s uses %s %s\n", one.As, one.Uses, one.Config)
			}
		}
	}
	for _, f := range findings {
		fmt.Fprintf(&b, "%s stage=%s\n", f, f.Stage)
	}
	return b.String()
}

func TestLoadWithoutAnnotationsIsNothing(t *testing.T) {
	docs := manifesttest.Split(t, "app.yaml", "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a, annotations: {other: x}}\nspec: {}\n")
	pipelines, findings := imageupdater.Load(docs)
	if len(pipelines) != 0 || len(findings) != 0 {
		t.Errorf("got %v and %v, want nothing", pipelines, findings)
	}
}

func TestFilesNamesWhatLoadLooksFor(t *testing.T) {
	const app = `apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: %s
  annotations: {%s}
spec: {source: {repoURL: https://example.com/r.git, path: %s%s}}
`
	const listed = "argocd-image-updater.argoproj.io/image-list: nginx"
	docs := slices.Concat(
		manifesttest.Split(t, "a.yaml", fmt.Sprintf(app, "a", listed, "./apps/a/", "")),
		manifesttest.Split(t, "b.yaml", fmt.Sprintf(app, "b", listed, "../outside", "")),
		manifesttest.Split(t, "c.yaml", fmt.Sprintf(app, "c", listed, "x", ", chart: c")),
		manifesttest.Split(t, "d.yaml", fmt.Sprintf(app, "d", "", "apps/d", "")),
	)
	want := []string{
		"apps/a/.argocd-source-a.yaml", "apps/a/Chart.yaml", "apps/a/Kustomization", "apps/a/kustomization.yaml", "apps/a/kustomization.yml",
	}
	if diff := cmp.Diff(want, imageupdater.Files(docs)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAuthorizedStage(t *testing.T) {
	listed := map[string]string{"argocd-image-updater.argoproj.io/image-list": "nginx"}
	for _, test := range []struct {
		name        string
		application string
		annotations map[string]string
		want        promote.StageRef
		ok          bool
	}{
		{"an annotated Application authorizes the stage of its name", "guestbook", listed, promote.StageRef{Project: "image-updater", Name: "guestbook"}, true},
		{"without a list it authorizes nothing", "guestbook", map[string]string{"argocd-image-updater.argoproj.io/write-back-method": "git"}, promote.StageRef{}, false},
		{"a name that cannot be a stage's authorizes nothing", "Guest/book", listed, promote.StageRef{}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, ok := imageupdater.AuthorizedStage(test.application, test.annotations)
			if ok != test.ok || ok && got != test.want {
				t.Errorf("got %s, %v; want %s, %v", got, ok, test.want, test.ok)
			}
		})
	}
}
