package manifest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// gitTree is a tree that knows object ids and counts what is read of it.
type gitTree struct {
	fstest.MapFS
	opened     []string
	prefetched [][]string
}

func (g *gitTree) ReadDir(name string) ([]fs.DirEntry, error) {
	g.opened = append(g.opened, name)
	return g.MapFS.ReadDir(name)
}

func (g *gitTree) Open(name string) (fs.File, error) {
	g.opened = append(g.opened, name)
	return g.MapFS.Open(name)
}

func (g *gitTree) Prefetch(_ context.Context, names ...string) error {
	g.prefetched = append(g.prefetched, names)
	return nil
}

// ObjectID makes an id of everything below name.
func (g *gitTree) ObjectID(name string) (string, error) {
	var b strings.Builder
	for _, path := range []string{"a/app.yaml", "a/sub/rgd.yaml", "b/app.yaml", "b/x.txt"} {
		if file := g.MapFS[path]; file != nil && (name == "." || strings.HasPrefix(path, name+"/")) {
			fmt.Fprintf(&b, "%s %q ", path, file.Data)
		}
	}
	return b.String(), nil
}

func sampleTree() *gitTree {
	return &gitTree{MapFS: fstest.MapFS{
		"a/app.yaml":     {Data: []byte("kind: Application\napiVersion: argoproj.io/v1alpha1\n")},
		"a/sub/rgd.yaml": {Data: []byte("apiVersion: kro.run/v1alpha1\nkind: ResourceGraphDefinition\n")},
		"b/app.yaml":     {Data: []byte("apiVersion: v1\nkind: ConfigMap\n---\napiVersion: argoproj.io/v1alpha1\nkind: 'ApplicationSet' # set\n")},
		"b/x.txt":        {Data: []byte("apiVersion: argoproj.io/v1alpha1\nkind: Application\n")},
	}}
}

func describe(files []File) []string {
	var out []string
	for _, f := range files {
		for _, d := range f.Documents {
			out = append(out, fmt.Sprintf("%s:%d %s", f.Path, d.Line, d.GroupKind().Kind))
		}
		if f.Err != nil {
			out = append(out, f.Err.Error())
		}
	}
	return out
}

func TestScan(t *testing.T) {
	const app = "apiVersion: argoproj.io/v1alpha1\nkind: Application\n"
	tests := []struct {
		name  string
		tree  fstest.MapFS
		paths []string
		want  []string
	}{
		{"wanted kinds in path order, by their group", sampleTree().MapFS, nil, []string{"a/app.yaml:1 Application", "b/app.yaml:4 ApplicationSet"}},
		{"only below the given paths", sampleTree().MapFS, []string{"b", "b/app.yaml", "/b/"}, []string{"b/app.yaml:4 ApplicationSet"}},
		{"a single file", sampleTree().MapFS, []string{"a/app.yaml"}, []string{"a/app.yaml:1 Application"}},
		{"a path that does not exist", sampleTree().MapFS, []string{"c"}, []string{`c: path "c" does not exist in the repository; correct the path`}},
		{"a path that leaves the repository", sampleTree().MapFS, []string{"../c"}, []string{`../c: path "../c" is outside the repository; write a path relative to its root`}},
		{"another group of the same kind", fstest.MapFS{"x.yaml": {Data: []byte("apiVersion: other.io/v1 # argoproj.io\nkind: Application\n")}}, nil, nil},
		{"JSON", fstest.MapFS{"x.json": {Data: []byte(`{"kind": "Application", "apiVersion": "argoproj.io/v1alpha1"}`)}}, nil, []string{"x.json:1 Application"}},
		{"a kind that is only mentioned", fstest.MapFS{"x.yaml": {Data: []byte("apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nx: Application\n")}}, nil, nil},
		{"broken YAML of a wanted kind is reported", fstest.MapFS{"x.yaml": {Data: []byte(app + "spec: [\n")}}, nil, []string{"x.yaml:3: not YAML: did not find expected node content"}},
		{"broken YAML of another kind is not", fstest.MapFS{"x.yaml": {Data: []byte("kind: X\nspec: [\n")}}, nil, nil},
		{"chart templates and .git are passed over", fstest.MapFS{
			"c/Chart.yaml": {}, "c/templates/a.yaml": {Data: []byte(app + "x: {{ .y }}")}, "c/charts/d/a.yaml": {Data: []byte(app)}, ".git/a.yaml": {Data: []byte(app)}, "templates/a.yaml": {Data: []byte(app)},
		}, nil, []string{"templates/a.yaml:1 Application"}},
		{"of Secrets those of clusters", fstest.MapFS{
			"plain.yaml":    {Data: []byte("apiVersion: v1\nkind: Secret\nmetadata: {labels: {argocd.argoproj.io/secret-type: cluster}}\n---\napiVersion: v1\nkind: Secret\n")},
			"sealed.yaml":   {Data: []byte("apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nspec: {template: {metadata: {labels: {argocd.argoproj.io/secret-type: cluster}}}}\n")},
			"external.yaml": {Data: []byte("apiVersion: external-secrets.io/v1\nkind: ExternalSecret\n---\n" + app)},
			"template.yaml": {Data: []byte("apiVersion: v1\nkind: Secret\nmetadata: {labels: {argocd.argoproj.io/secret-type: cluster}}\n{{- if .x }}\n")},
			"other.yaml":    {Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {labels: {argocd.argoproj.io/secret-type: cluster}}\ndata: {for: Secret}\n")},
		}, nil, []string{"external.yaml:4 Application", "plain.yaml:1 Secret", "sealed.yaml:1 SealedSecret"}},
		{"links are not followed", fstest.MapFS{"x.yaml": {Data: []byte(app), Mode: fs.ModeSymlink}}, nil, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			files, err := Scan(t.Context(), test.tree, Query{Kinds: ArgoCD(), Paths: test.paths})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, describe(files)); diff != "" {
				t.Errorf("found (-want +got):\n%s", diff)
			}
		})
	}
}

// TestScanForAGroup looks for every kind of Kargo, also for mistyped ones, and for two kinds of a group with many others.
func TestScanForAGroup(t *testing.T) {
	tree := fstest.MapFS{
		"broken.yaml":   {Data: []byte("apiVersion: kargo.akuity.io/v1alpha1\nkind: Stag\nspec: [\n")},
		"json.json":     {Data: []byte(`{"kind": "Stage", "apiVersion": "kargo.akuity.io/v1alpha1"}`)},
		"mention.yaml":  {Data: []byte("apiVersion: argoproj.io/v1alpha1\nkind: Application\nx: kargo.akuity.io/Stage\nspec: [\n")},
		"order.yaml":    {Data: []byte("kind: \"Stag\" # mistyped\nmetadata: {name: a}\n'apiVersion': kargo.akuity.io/v2\n")},
		"other.yaml":    {Data: []byte("apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\n---\napiVersion: argoproj.io/v1alpha1\nkind: AnalysisRun\n")},
		"untyped.yaml":  {Data: []byte("apiVersion: kargo.akuity.io/v1alpha1\n")},
		"template.yaml": {Data: []byte("apiVersion: project.openshift.io/v1\nkind: Project\n{{- with .x }}\n---\nkind: Stage\n{{- if .x }}\n")},
		"wrong.yaml": {Data: []byte("kind: Stage\n---\napiVersion: kargo.akutiy.io/v1alpha1\nkind: Warehouse\n---\napiVersion: example.com/v1\nkind: Project\n" +
			"---\nkind: ConfigMap\n---\napiVersion: argoproj.oi/v1alpha1\nkind: Stage\n")},
	}
	files, err := Scan(t.Context(), tree, Query{Kinds: Kargo()})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"broken.yaml:3: not YAML: did not find expected node content", "json.json:1 Stage", "order.yaml:1 Stag", "other.yaml:1 AnalysisTemplate", "wrong.yaml:1 Stage", "wrong.yaml:3 Warehouse"}
	if diff := cmp.Diff(want, describe(files)); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
}

func TestIndexReadsUnchangedFoldersOnce(t *testing.T) {
	index := NewIndex(100)
	scan := func(tree *gitTree) []string {
		t.Helper()
		files, err := index.Scan(t.Context(), tree, Query{Kinds: ArgoCD()})
		if err != nil {
			t.Fatal(err)
		}
		return describe(files)
	}
	first := sampleTree()
	want := scan(first)
	if diff := cmp.Diff([][]string{{"a/app.yaml", "a/sub/rgd.yaml", "b/app.yaml"}}, first.prefetched); diff != "" {
		t.Errorf("prefetched (-want +got):\n%s", diff)
	}
	second := sampleTree()
	if diff := cmp.Diff(want, scan(second)); diff != "" {
		t.Errorf("second scan (-want +got):\n%s", diff)
	}
	if len(second.opened) > 0 {
		t.Errorf("of an unchanged tree %q were opened again", second.opened)
	}
	third := sampleTree()
	third.MapFS["b/app.yaml"] = &fstest.MapFile{Data: []byte("kind: AppProject\napiVersion: argoproj.io/v1alpha1\n")}
	if diff := cmp.Diff([]string{"a/app.yaml:1 Application", "b/app.yaml:1 AppProject"}, scan(third)); diff != "" {
		t.Errorf("changed tree (-want +got):\n%s", diff)
	}
	for _, name := range third.opened {
		if strings.HasPrefix(name, "a") {
			t.Errorf("unchanged %q was opened", name)
		}
	}
}

func TestScanStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Scan(ctx, sampleTree(), Query{Kinds: Kro()}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestErrorsNameTheKind(t *testing.T) {
	tree := fstest.MapFS{
		"block.yaml": {Data: []byte("apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec: [\n")},
		"flow.yaml":  {Data: []byte("{kind: Application, apiVersion: argoproj.io/v1alpha1, spec: [}\n")},
	}
	files, err := Scan(t.Context(), tree, Query{Kinds: ArgoCD()})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range files {
		for _, e := range Errors(f.Err) {
			got[f.Path] = e.Kind
		}
	}
	if diff := cmp.Diff(map[string]string{"block.yaml": "Application", "flow.yaml": ""}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
