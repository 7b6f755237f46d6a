package render

import (
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// TestNothingIsReadBeyondTheBorders holds the files that renderers opened against what is known of them beforehand: an
// Application is not rendered again unless one of these changed.
func TestNothingIsReadBeyondTheBorders(t *testing.T) {
	archives, err := filepath.Glob("testdata/render/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	outside := 0
	for _, file := range archives {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tree, _ := unpack(archive)
		engine, repo := newEngine(t), repository(tree)
		set, err := engine.Applications(t.Context(), repo, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, app := range set.Applications {
			known := set.borders.around(repo.Tree, app, repo.URLs)
			outside += len(known)
			for _, s := range app.Sources {
				known = append(known, path.Clean(s.Path))
			}
			for _, input := range engine.Render(t.Context(), repo, set, app).Inputs {
				if !slices.ContainsFunc(known, func(dir string) bool { return dir == "." || input == dir || strings.HasPrefix(input, dir+"/") }) {
					t.Errorf("%s: %s was read for %s, and only %q were known", file, input, app.Key(), known)
				}
			}
		}
	}
	if outside < 5 {
		t.Errorf("%d files outside of their Application's folder", outside)
	}
}

func TestBorders(t *testing.T) {
	tree := fstest.MapFS{}
	for name, text := range map[string]string{
		"overlays/dev/kustomization.yaml":  "resources: [../../base, ./inside.yaml]\nconfigMapGenerator: [{name: a, files: [key=../../shared/a.txt]}]\n",
		"base/kustomization.yaml":          "resources: [/lib/one.yaml, deployment.yaml]\n",
		"base/sub/Kustomization":           "components: ['../../component']\n",
		"overlays/dev/.argocd-source.yaml": "helm: {valueFiles: [../common.yaml]}\n",
		"chart/Chart.yaml":                 "dependencies: [{name: lib, repository: 'file://../libs/lib'}]\n",
		"above/kustomization.yaml":         "resources: [../../../etc]\n",
		"plugged/kustomization.yaml":       "transformers: [sub/t.yaml, t.yaml]\ngenerators:\n- |\n  kind: ConfigMapGenerator\n  files: [../inline.txt]\n",
		"plugged/sub/t.yaml":               "kind: PatchTransformer\npath: ../patched.yaml\n",
		"far/kustomization.yaml":           "validators: [../v.yaml]\n",
		"plain/kustomization.yaml":         "resources: [a.yaml, https://example.com/../x]\n",
		"broken/kustomization.yaml":        "resources: [\n",
		"notes/README.md":                  "../base\n",
	} {
		tree[name] = &fstest.MapFile{Data: []byte(text)}
	}
	b, err := newEngine(t).bordersOf(t.Context(), tree)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{
		"overlays/dev": {overridden, engine, "base", "overlays/dev/shared/a.txt", "shared/a.txt"}, "base": {engine, "lib/one.yaml"},
		"base/sub": {engine, "component"}, "chart": {engine, "libs/lib"}, "above": {engine, "etc"}, "plain": {engine, "plain/https:/x"},
		"plugged": {engine, "patched.yaml", "inline.txt"}, "far": {engine, "v.yaml", "."}, "broken": {engine, "."},
	}
	if diff := cmp.Diff(want, b.leads); diff != "" {
		t.Error(diff)
	}
}

const overlayApps = `apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: NAME, namespace: argocd}
spec:
  destination: {namespace: shop}
  source: {repoURL: "https://gitlab.com/your-name/your-repo.git", path: PATH}
`

// TestWhatLiesOutsideIsFollowed changes files that Applications share.
func TestWhatLiesOutsideIsFollowed(t *testing.T) {
	app := func(name, dir string) string {
		return strings.NewReplacer("NAME", name, "PATH", dir).Replace(overlayApps)
	}
	config := func(value string) string {
		return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {value: '" + value + "'}\n"
	}
	files := fstest.MapFS{}
	for name, text := range map[string]string{
		"apps/dev.yaml": app("dev", "overlays/dev"), "apps/prod.yaml": app("prod", "overlays/prod"), "apps/other.yaml": app("other", "other"),
		"apps/chart.yaml":                  strings.Replace(app("chart", "chart"), "path: chart}", "path: chart, helm: {valueFiles: [../values.yaml, '/env/*.yaml']}}", 1),
		"overlays/dev/kustomization.yaml":  "resources: [../../base]\n",
		"overlays/prod/kustomization.yaml": "resources: [../../base]\npatches: [{path: ../../patch.yaml}]\n",
		"base/kustomization.yaml":          "resources: [c.yaml, ../lib]\n", "base/c.yaml": config("1"),
		"lib/kustomization.yaml": "resources: [l.yaml]\n", "lib/l.yaml": strings.Replace(config("1"), "name: c", "name: l", 1),
		"patch.yaml":   "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {patched: a}\n",
		"other/c.yaml": config("1"), "values.yaml": "a: 1\n", "env/one.yaml": "b: 1\n",
		"apps/plugged.yaml": app("plugged", "plugged"), "plugged/kustomization.yaml": "resources: [c.yaml]\ntransformers: [t.yaml]\n", "plugged/c.yaml": config("1"),
		"plugged/t.yaml":  "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: t}\npath: ../plug/patch.yaml\n",
		"plug/patch.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {patched: a}\n",
		"apps/over.yaml":  app("over", "over/chart"), "over/chart/Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\n", "over/chart/templates/c.yaml": config("{{ .Values.a }}"),
		"over/chart/.argocd-source.yaml": "helm: {valueFiles: ['/{over,other}/*.yaml']}\n", "over/web.yaml": "a: 1\n",
		"chart/Chart.yaml": "apiVersion: v2\nname: chart\nversion: 1.0.0\n", "chart/templates/c.yaml": config("{{ .Values.a }}{{ .Values.b }}{{ .Values.c }}"),
	} {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	for name, c := range map[string]struct {
		head fstest.MapFS
		want []string
	}{
		"a base":                      {edited(files, "base/c.yaml", "'1'", "'2'"), []string{"argocd/dev", "argocd/prod"}},
		"a base of a base":            {edited(files, "lib/l.yaml", "'1'", "'2'"), []string{"argocd/dev", "argocd/prod"}},
		"a patch of one":              {edited(files, "patch.yaml", "patched: a", "patched: b"), []string{"argocd/prod"}},
		"a values file":               {edited(files, "values.yaml", "1", "2"), []string{"argocd/chart"}},
		"a file that comes to match":  {edited(files, "env/two.yaml", "", "c: 3\n"), []string{"argocd/chart"}},
		"a folder of its own":         {edited(files, "other/c.yaml", "'1'", "'2'"), []string{"argocd/other"}},
		"a patch that a plugin reads": {edited(files, "plug/patch.yaml", "patched: a", "patched: b"), []string{"argocd/plugged"}},
		"a values file that an override names by a pattern": {edited(files, "over/web.yaml", "a: 1", "a: 2"), []string{"argocd/over"}},
		"a base that goes away":                             {edited(files, "base/kustomization.yaml", "", ""), []string{"argocd/dev", "argocd/prod"}},
		"nothing that is read":                              {edited(files, "README.md", "", "x"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			for _, known := range []bool{true, false} {
				var base, head fs.FS = files, c.head
				if known {
					base, head = newGitTree(files), newGitTree(c.head)
				}
				got, err := newEngine(t).Compare(t.Context(), repository(base), repository(head), Options{})
				if err != nil {
					t.Fatal(err)
				}
				var apps []string
				for _, app := range got.Apps {
					apps = append(apps, app.Name)
				}
				if diff := cmp.Diff(c.want, apps); diff != "" || got.Unchanged != 6-len(c.want) {
					t.Errorf("with ids %t: %d unchanged (-want +got):\n%s", known, got.Unchanged, diff)
				}
			}
		})
	}
}

// TestWhatJsonnetImportsIsFollowed changes libraries outside of the folders of the Applications that import them.
func TestWhatJsonnetImportsIsFollowed(t *testing.T) {
	app := func(name, libs string) string {
		return strings.NewReplacer("NAME", name, "path: PATH", "path: "+name+", directory: {jsonnet: {libs: ["+libs+"], tlas: [{name: who, value: $ARGOCD_APP_NAME}]}}").Replace(overlayApps)
	}
	const program = "{apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: 'c'}, data: {v: VALUE}}"
	imports := func(path string) string { return strings.Replace(program, "VALUE", path, 1) }
	files := fstest.MapFS{}
	for name, text := range map[string]string{
		"apps/up.yaml": app("up", ""), "up/a.jsonnet": imports("import '../shared/x.libsonnet'"),
		"shared/x.libsonnet": "(import 'y.libsonnet') + importstr 'z.txt'", "shared/y.libsonnet": "'1'", "shared/z.txt": "z", "shared/unused.libsonnet": "1",
		"apps/lib.yaml": app("lib", "vendor"), "lib/a.jsonnet": imports("import 'k/main.libsonnet'"),
		"vendor/k/main.libsonnet": "importstr '../../up-from-vendor.txt'", "up-from-vendor.txt": "1",
		"apps/both.yaml": app("both", "/libs/one"), "both/sub/a.libsonnet": "import '../../beside.libsonnet'", "both/a.jsonnet": imports("import 'sub/a.libsonnet'"),
		"libs/beside.libsonnet": "'from libs/one/../../libs? no'", "beside.libsonnet": "'1'",
		"apps/odd.yaml": app("odd", ""), "odd/a.jsonnet": imports("import 'conf/c.json'"), "odd/conf/c.json": "import '../../far/away.txt'", "far/away.txt": "'1'",
		"apps/code.yaml": strings.Replace(app("code", "vendor"), "value: $ARGOCD_APP_NAME", "code: true, value: \"import '../far/$ARGOCD_APP_NAME.txt'\"", 1),
		"code/a.jsonnet": "function(who) " + imports("who"), "far/code.txt": "'1'",
		"apps/none.yaml": app("none", ""), "none/a.jsonnet": imports("'1'"),
	} {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	for name, c := range map[string]struct {
		head fstest.MapFS
		want []string
	}{
		"a library beside":                          {edited(files, "shared/x.libsonnet", "'y", "'./y"), nil}, // rendered, and the same
		"a library that a library imports":          {edited(files, "shared/y.libsonnet", "1", "2"), []string{"argocd/up"}},
		"a text that a library imports":             {edited(files, "shared/z.txt", "z", "y"), []string{"argocd/up"}},
		"a file beside a library":                   {edited(files, "shared/unused.libsonnet", "1", "2"), nil},
		"a folder of libraries":                     {edited(files, "vendor/k/main.libsonnet", "importstr", "'x' + importstr"), []string{"argocd/lib"}},
		"a file that a library finds above":         {edited(files, "up-from-vendor.txt", "1", "2"), []string{"argocd/lib"}},
		"a file that comes to be found":             {edited(files, "vendor/sub/a.libsonnet", "", "1"), nil},
		"a file that comes before the library's":    {edited(files, "lib/k/main.libsonnet", "", "'2'"), []string{"argocd/lib"}},
		"a file above a folder below":               {edited(files, "beside.libsonnet", "1", "2"), []string{"argocd/both"}},
		"a file that JSON with code in it imports":  {edited(files, "far/away.txt", "1", "2"), []string{"argocd/odd"}},
		"a file that an argument imports":           {edited(files, "far/code.txt", "1", "2"), []string{"argocd/code"}},
		"an argument of an Application":             {edited(files, "apps/none.yaml", "value: $ARGOCD_APP_NAME", "value: x"), []string{"argocd/none"}},
		"a program":                                 {edited(files, "none/a.jsonnet", "'1'", "'2'"), []string{"argocd/none"}},
		"a library that goes away, and so fails it": {edited(files, "beside.libsonnet", "", ""), []string{"argocd/both"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, known := range []bool{true, false} {
				var base, head fs.FS = files, c.head
				if known {
					base, head = newGitTree(files), newGitTree(c.head)
				}
				engine := newEngine(t)
				got, err := engine.Compare(t.Context(), repository(base), repository(head), Options{})
				if err != nil {
					t.Fatal(err)
				}
				var apps []string
				for _, app := range got.Apps {
					apps = append(apps, app.Name)
				}
				if diff := cmp.Diff(c.want, apps); diff != "" {
					t.Errorf("with ids %t (-want +got):\n%s", known, diff)
				}
				for _, app := range got.HeadSet.Applications {
					if led := got.HeadSet.borders.around(head, app, []string{repoURL}); slices.Contains(led, ".") {
						t.Errorf("%s is led everywhere: %q", app.Name, led)
					}
				}
			}
		})
	}
}

func FuzzLeads(f *testing.F) {
	for _, seed := range []string{"resources: [../a, /b]\n", "a: &a [../x]\nb: *a\n", "- $values/x\n", "a: |\n  ../x\n", "=../", "x: file://../y"} {
		f.Add(seed)
	}
	engine := newEngine(f)
	f.Fuzz(func(t *testing.T, text string) {
		tree := fstest.MapFS{"a/b/kustomization.yaml": {Data: []byte(text)}}
		b, err := engine.bordersOf(t.Context(), tree)
		if err != nil {
			t.Fatal(err)
		}
		for _, leads := range b.leads {
			for _, lead := range leads {
				if !fs.ValidPath(lead) && strings.ToValidUTF8(lead, "") == lead {
					t.Errorf("%q leads to %q", text, lead)
				}
			}
		}
	})
}
