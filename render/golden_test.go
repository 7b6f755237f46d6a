package render

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	"sigs.k8s.io/yaml"

	"github.com/lockkeeper/lockkeeper/render/object"
)

var update = flag.Bool("update", false, "rewrite the golden parts of testdata")

const repoURL = "https://gitlab.com/your-name/your-repo.git"

// TestGolden renders the repositories in testdata/render. The part "want" of each archive is the whole outcome.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/render/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			tree, want := unpack(archive)
			got := outcome(t, tree)
			if again := outcome(t, tree); again != got {
				t.Errorf("second render differs:\n%s", cmp.Diff(got, again))
			}
			if *update {
				rewrite(t, file, archive, got)
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
		})
	}
}

func unpack(archive *txtar.Archive) (tree fstest.MapFS, want string) {
	tree = fstest.MapFS{}
	for _, f := range archive.Files {
		if f.Name == "want" {
			want = string(f.Data)
			continue
		}
		name, link := strings.CutSuffix(f.Name, " link")
		file := &fstest.MapFile{Data: f.Data, Mode: 0o644}
		if link {
			file.Mode |= fs.ModeSymlink
		}
		tree[name] = file
	}
	return tree, want
}

func rewrite(t *testing.T, file string, archive *txtar.Archive, got string) {
	t.Helper()
	kept := archive.Files[:0]
	for _, f := range archive.Files {
		if f.Name != "want" {
			kept = append(kept, f)
		}
	}
	archive.Files = append(kept, txtar.File{Name: "want", Data: []byte(got)})
	if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

// outcome prints everything that a fresh Engine says about a repository.
func outcome(t *testing.T, tree fs.FS) string {
	t.Helper()
	return outcomeOf(t, newEngine(t), tree)
}

func outcomeOf(t *testing.T, engine *Engine, tree fs.FS) string {
	t.Helper()
	repo := Repository{Tree: tree, URLs: []string{repoURL}, Revision: "main"}
	set, err := engine.Applications(t.Context(), repo, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range set.Findings {
		fmt.Fprintln(&b, f)
	}
	for _, app := range set.Applications {
		result := engine.Render(t.Context(), repo, set, app)
		fmt.Fprintf(&b, "\n=== %s → %s %s\n", app.Key(), app.Destination.Server, app.Destination.Namespace)
		stages, _ := app.AuthorizedStages()
		for _, s := range stages {
			fmt.Fprintf(&b, "stage %s of %s\n", s.Stage, s.Project)
		}
		fmt.Fprintf(&b, "read %s\n", strings.Join(result.Inputs, " "))
		if result.Failed {
			fmt.Fprintln(&b, "failed")
		}
		if result.Partial {
			fmt.Fprintln(&b, "partial")
		}
		for _, f := range result.Findings {
			fmt.Fprintln(&b, f)
		}
		for _, o := range result.Objects {
			printObject(t, &b, o)
		}
		for _, o := range result.Hooks {
			fmt.Fprint(&b, "hook ")
			printObject(t, &b, o)
		}
	}
	return b.String()
}

func printObject(t *testing.T, b *strings.Builder, o object.Object) {
	t.Helper()
	text, err := yaml.Marshal(o.Fields)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(b, "--- %s (%s:%d", o.ID(), o.Source.File, o.Source.Line)
	if o.Source.Via != "" {
		fmt.Fprintf(b, ", %s", o.Source.Via)
	}
	fmt.Fprintln(b, ")")
	for _, path := range o.Unknown {
		fmt.Fprintf(b, "unknown %s\n", path)
	}
	b.Write(text)
}

func newEngine(t testing.TB) *Engine {
	t.Helper()
	engine, err := NewEngine()
	if err != nil {
		t.Fatal(err)
	}
	return engine
}
