package render

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/render/kro"
)

// withoutDefinition is the articles' repository without its definition, and the definition.
func withoutDefinition(t *testing.T) (repo fstest.MapFS, definition string) {
	t.Helper()
	repo = articles(t)
	definition = string(repo["platform/frontend-rgd.yaml"].Data)
	delete(repo, "platform/frontend-rgd.yaml")
	return repo, definition
}

func definitionTree(t *testing.T, name string, files map[string]string) DefinitionTree {
	t.Helper()
	tree := fstest.MapFS{}
	for file, text := range files {
		tree[file] = &fstest.MapFile{Data: []byte(text)}
	}
	out, err := NewDefinitionTree(t.Context(), name, tree)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestDefinitionsMayLiveElsewhere(t *testing.T) {
	repo, definition := withoutDefinition(t)
	const replicas = "${schema.spec.values.deployment.replicas}"
	more := strings.Replace(definition, replicas, "${schema.spec.values.deployment.replicas + 1}", 1)
	with := func(text string) Options {
		return Options{DefinitionTrees: []DefinitionTree{definitionTree(t, "../platform", map[string]string{"web/rgd.yaml": text})}}
	}
	own := maps.Clone(repo)
	own["rgd.yaml"] = &fstest.MapFile{Data: []byte(definition)}
	tests := []struct {
		name string
		tree fstest.MapFS
		opts Options
		want []string
	}{
		{"nowhere", repo, Options{}, []string{"backend-dev-app: ", "frontend-dev-app: "}},
		{"in a folder", repo, with(definition), []string{"backend-dev-app: 1×", "frontend-dev-app: 1×"}},
		{"in a folder that changed", repo, with(more), []string{"backend-dev-app: 2×", "frontend-dev-app: 2×"}},
		{"in a folder that knows no key", repo, Options{DefinitionTrees: []DefinitionTree{{Name: "x", Tree: with(definition).DefinitionTrees[0].Tree}}}, []string{"backend-dev-app: 1×", "frontend-dev-app: 1×"}},
		{"in a folder, which changes and knows no key", repo, Options{DefinitionTrees: []DefinitionTree{{Name: "x", Tree: with(more).DefinitionTrees[0].Tree}}}, []string{"backend-dev-app: 2×", "frontend-dev-app: 2×"}},
		{"in both: the repository's counts", own, with(more), []string{
			"../platform/web/rgd.yaml:8:5: warning: kind FrontendAppV2 is already defined by ResourceGraphDefinition \"frontend-app-v2\" in rgd.yaml:1, which counts here; remove one of them, or name the one that counts in lockkeeper.yaml `definitions` [duplicate-definition]",
			"backend-dev-app: 1×", "frontend-dev-app: 1×",
		}},
		{"broken", repo, with(strings.Replace(definition, "kind: FrontendAppV2", "kind: FrontendAppV2\n    knid: X", 1)), []string{
			`../platform/web/rgd.yaml:9:5: error: unknown key "knid" in spec.schema; did you mean "kind"? [invalid-definition]`, "backend-dev-app: ", "frontend-dev-app: ",
		}},
		{"no YAML", repo, with("kind: ResourceGraphDefinition\napiVersion: kro.run/v1alpha1\nspec: [\n"), []string{
			`../platform/web/rgd.yaml:3: error: not YAML: did not find expected node content [invalid-manifest]`, "backend-dev-app: ", "frontend-dev-app: ",
		}},
	}
	engine := newEngine(t) // one for all: nothing that is remembered may show through
	for _, test := range tests {
		for range 2 {
			t.Run(test.name, func(t *testing.T) {
				tree := repository(newGitTree(test.tree))
				set, err := engine.Applications(t.Context(), tree, test.opts)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, f := range set.Findings {
					got = append(got, f.String())
				}
				for _, app := range set.Applications {
					result := engine.Render(t.Context(), tree, set, app)
					image, _, _ := strings.Cut(images(&result), "×")
					if image != "" {
						image += "×"
					}
					got = append(got, app.Name+": "+image)
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("findings and replicas (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestCompareWithDefinitionsElsewhere(t *testing.T) {
	repo, definition := withoutDefinition(t)
	tree := func(text string) []DefinitionTree {
		return []DefinitionTree{definitionTree(t, "../platform", map[string]string{"rgd.yaml": text})}
	}
	engine := newEngine(t)
	for range 2 {
		changed := strings.Replace(definition, "replicas: integer | default=1", "replicas: integer | default=3", 1)
		opts := Options{DefinitionTrees: tree(changed), Base: &Options{DefinitionTrees: tree(definition)}}
		files := edited(repo, "develop/backend/instance.yaml", "      replicas: 1\n", "")
		got, err := engine.Compare(t.Context(), repository(newGitTree(files)), repository(newGitTree(files)), opts)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"unchanged 1", "argocd/backend-dev-app: 1×<your-project>:1.0.1 → 3×<your-project>:1.0.1"}
		if diff := cmp.Diff(want, summary(got)); diff != "" {
			t.Errorf("comparison (-want +got):\n%s", diff)
		}
		if len(got.Definitions) != 1 || got.Definitions[0].File != "../platform/rgd.yaml" || !strings.Contains(got.Definitions[0].Message, "changes from 1 to 3, but only for new instances") {
			t.Errorf("findings about definitions: %v", got.Definitions)
		}
	}
}

func TestTheVersionOfKroIsPartOfWhatIsRemembered(t *testing.T) {
	files := edited(articles(t), "platform/frontend-rgd.yaml", "name: ${schema.spec.name}", "name: ${schema.spec.name}-${schema.spec.values.deployment.replicas}")
	old, err := kro.ParseVersion("0.8")
	if err != nil {
		t.Fatal(err)
	}
	engine := newEngine(t)
	for range 2 {
		for _, test := range []struct {
			version kro.Version
			want    int
		}{{kro.Version{}, 1}, {old, 0}} {
			set, err := engine.Applications(t.Context(), repository(newGitTree(files)), Options{Kro: test.version})
			if err != nil || len(set.Findings) != test.want {
				t.Errorf("kro %s: %v, %v", test.version, set.Findings, err)
			}
		}
		got, err := engine.Compare(t.Context(), repository(newGitTree(files)), repository(newGitTree(files)), Options{Kro: old, Base: &Options{}})
		if err != nil || len(got.Apps) != 2 {
			t.Errorf("an upgrade of kro changes %d applications, %v", len(got.Apps), err)
		}
	}
}

func TestNewDefinitionTreeStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	files := fstest.MapFS{}
	for i := range 10 {
		files[fmt.Sprintf("f%d/x.yaml", i)] = &fstest.MapFile{Data: []byte("kind: X\n")}
	}
	if _, err := NewDefinitionTree(ctx, "x", files); err == nil {
		t.Error("no error")
	}
}
