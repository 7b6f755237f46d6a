package render

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// TestNoWayOutIsOverlooked holds what is read by ways that are written seldom against what is known of them beforehand.
func TestNoWayOutIsOverlooked(t *testing.T) {
	const config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {value: '1'}\n"
	const generated = "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: g}\nfiles: ['far.txt=FAR']\n"
	for name, c := range map[string]struct {
		app   string // in place of the path
		files map[string]string
		far   string // what is read outside of app
	}{
		"a patch of the Application": {"path: app, kustomize: {patches: [{path: ../far.txt}]}", map[string]string{
			"app/kustomization.yaml": "resources: [c.yaml]\n", "app/c.yaml": config,
		}, "far.txt"},
		"a chart that requirements.yaml names": {"path: app", map[string]string{
			"app/Chart.yaml": "apiVersion: v1\nname: app\nversion: 1.0.0\n", "app/requirements.yaml": "dependencies: [{name: lib, version: 1.0.0, repository: 'file://../lib'}]\n",
			"lib/Chart.yaml": "apiVersion: v1\nname: lib\nversion: 1.0.0\n", "lib/templates/c.yaml": config + "# {{ .Files.Get \"x\" }}", "app/templates/c.yaml": config,
		}, "lib/templates/c.yaml"},
		"a component of the Application with a dollar": {"path: app, kustomize: {components: [../$c]}", map[string]string{
			"app/kustomization.yaml": "resources: []\n", "$c/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [c.yaml]\n", "$c/c.yaml": config,
		}, "$c/c.yaml"},
		"a configuration that is named by an alias": {"path: app", map[string]string{
			"app/kustomization.yaml": "namePrefix: &a g.yaml\ngenerators: [*a]\n", "app/g.yaml": strings.Replace(generated, "FAR", "../far.txt", 1),
		}, "far.txt"},
		"configurations that are named by an alias": {"path: app", map[string]string{
			"app/kustomization.yaml": "resources: &a [g.yaml]\ngenerators: *a\n", "app/g.yaml": strings.Replace(generated, "FAR", "../far.txt", 1),
		}, "far.txt"},
		"a long path": {"path: app", map[string]string{
			"app/kustomization.yaml": "configMapGenerator: [{name: g, files: ['far.txt=" + strings.Repeat("./", 600) + "../far.txt']}]\n",
		}, "far.txt"},
		"a path with a line break": {"path: app", map[string]string{
			"app/kustomization.yaml": "configMapGenerator: [{name: g, files: [\"far.txt=a\\nb/../../far.txt\"]}]\n", "app/a\nb/x": "",
		}, "far.txt"},
	} {
		t.Run(name, func(t *testing.T) {
			files := fstest.MapFS{
				"apps/a.yaml": {Data: []byte(strings.NewReplacer("NAME", "a", "path: PATH", c.app).Replace(overlayApps))},
				"far.txt":     {Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {far: '1'}\n")},
			}
			for name, text := range c.files {
				files[name] = &fstest.MapFile{Data: []byte(text)}
			}
			engine, repo := newEngine(t), repository(newGitTree(files))
			set, err := engine.Applications(t.Context(), repo, Options{})
			if err != nil {
				t.Fatal(err)
			}
			app := set.Applications[0]
			result, known := engine.Render(t.Context(), repo, set, app), set.borders.around(repo.Tree, app, repo.URLs)
			if result.Failed || !slices.Contains(result.Inputs, c.far) || !inside(c.far, known) {
				t.Errorf("%q were read and %q were known, with %v", result.Inputs, known, result.Findings)
			}
		})
	}
}

// TestAFolderOfConfigurationsIsRefusedByItself: only the Application that it belongs to fails, not the repository.
func TestAFolderOfConfigurationsIsRefusedByItself(t *testing.T) {
	files := fstest.MapFS{"link": {Data: []byte("app"), Mode: fs.ModeSymlink}}
	for name, text := range map[string]string{
		"apps/a.yaml": strings.NewReplacer("NAME", "a", "PATH", "app").Replace(overlayApps), "app/kustomization.yaml": "generators: [gen]\ntransformers: [../link, '']\n",
		"app/gen/kustomization.yaml": "resources: [g.yaml]\n", "app/gen/g.yaml": "kind: ConfigMapGenerator\n",
		"apps/b.yaml": strings.NewReplacer("NAME", "b", "PATH", "plain").Replace(overlayApps), "plain/c.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n",
	} {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	engine, repo := newEngine(t), repository(newGitTree(files))
	set, err := engine.Applications(t.Context(), repo, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, fails := range []bool{true, false} {
		if got := engine.Render(t.Context(), repo, set, set.Applications[i]); got.Failed != fails {
			t.Errorf("%s: %v", set.Applications[i].Name, got.Findings)
		}
	}
}
