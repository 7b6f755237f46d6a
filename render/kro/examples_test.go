package kro

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// TestPublicExamples compiles every definition that kro publishes with its library and expands the instances beside it. The
// file testdata/examples.txt says what comes of each.
func TestPublicExamples(t *testing.T) {
	const golden = "testdata/examples.txt"
	want, err := os.ReadFile(golden)
	if err != nil && !*update {
		t.Fatal(err)
	}
	got := publicExamples(t, moduleDir(t))
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("outcome (-want +got):\n%s", diff)
	}
}

// moduleDir is where the library's module lies, with the examples that belong to it.
func moduleDir(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/kubernetes-sigs/kro").Output()
	if err != nil {
		t.Fatalf("find kro's module: %v", err)
	}
	return strings.TrimSpace(string(out))
}

func publicExamples(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	for _, root := range []string{"examples", "test/upgrade/fixtures", "test/e2e/chainsaw"} {
		tree := os.DirFS(filepath.Join(dir, root))
		folders := map[string][]manifest.Document{}
		err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".yaml") || strings.Contains(entry.Name(), "assert") {
				return err
			}
			data, err := fs.ReadFile(tree, name)
			if err != nil {
				return err
			}
			docs, _ := manifest.Split(name, data) // templates of charts are no YAML
			folders[filepath.Dir(name)] = append(folders[filepath.Dir(name)], docs...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "# %s\n", root)
		engine := testEngine(t)
		for _, folder := range sortedKeys(folders) {
			exampleFolder(t, &b, engine, folders[folder])
		}
	}
	return b.String()
}

func sortedKeys(folders map[string][]manifest.Document) []string {
	var keys []string
	for key := range folders {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// exampleFolder writes a line for each definition and each instance: what kro rejects, or how many objects there are and
// what of them only a cluster knows.
func exampleFolder(t *testing.T, b *strings.Builder, engine *Engine, docs []manifest.Document) {
	t.Helper()
	var definitions []Definition
	for _, doc := range docs {
		if doc.GroupKind() != manifest.Kro()[0] {
			continue
		}
		d, findings, ok := Read(doc)
		for _, f := range findings {
			fmt.Fprintln(b, f)
		}
		if ok {
			definitions = append(definitions, d)
		}
	}
	program := engine.Compile(t.Context(), Version{}, definitions)
	for _, d := range definitions {
		if program.kinds[d.Kind].broken == "" {
			fmt.Fprintf(b, "%s: %s\n", d.doc.File, d.Name)
		}
	}
	for _, f := range program.Findings() {
		if f.Code != "no-schema" {
			fmt.Fprintln(b, f)
		}
	}
	for _, doc := range docs {
		o := objectOf(doc)
		if !program.Defines(o) {
			continue
		}
		out := program.Expand(t.Context(), Instance{Object: o, Namespace: "default", Written: func(string) *yaml.Node { return nil }})
		var unknown []string
		for _, made := range out.Objects {
			unknown = append(unknown, unknownOf(made)...)
		}
		fmt.Fprintf(b, "%s: %s makes %d objects, unknown %v\n", doc.File, o.ID(), len(out.Objects), unknown)
		for _, f := range out.Findings {
			fmt.Fprintf(b, "  %s\n", f)
		}
	}
}

func unknownOf(o object.Object) []string {
	var out []string
	for _, path := range o.Unknown {
		out = append(out, o.Kind()+"."+path)
	}
	return out
}
