package kro

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	"golang.org/x/tools/txtar"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/object"
)

var update = flag.Bool("update", false, "rewrite the golden parts of testdata")

// TestGolden expands the instances of the archives in testdata/golden. Files are definitions, instances.yaml and, where there
// are others in the application, beside.yaml; want is the whole outcome.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want, kept := "", archive.Files[:0:0]
			for _, f := range archive.Files {
				if f.Name == "want" {
					want = string(f.Data)
				} else {
					kept = append(kept, f)
				}
			}
			got := goldenOutcome(t, kept)
			if *update {
				archive.Files = append(kept, txtar.File{Name: "want", Data: []byte(got)})
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
		})
	}
}

func goldenOutcome(t *testing.T, files []txtar.File) string {
	t.Helper()
	var definitions []Definition
	var instances []manifest.Document
	beside := map[object.ID]object.Object{}
	var b strings.Builder
	for _, file := range files {
		docs, err := manifest.Split(file.Name, file.Data)
		if err != nil {
			t.Fatal(err)
		}
		for _, doc := range docs {
			switch file.Name {
			case "instances.yaml":
				instances = append(instances, doc)
			case "beside.yaml":
				o := objectOf(doc)
				beside[o.ID()] = o
			default:
				d, findings, ok := Read(doc)
				for _, f := range findings {
					fmt.Fprintln(&b, f)
				}
				if ok {
					definitions = append(definitions, d)
				}
			}
		}
	}
	program := testEngine(t).Compile(t.Context(), Version{}, definitions)
	for _, f := range program.Findings() {
		fmt.Fprintln(&b, f)
	}
	for _, doc := range instances {
		o := objectOf(doc)
		fmt.Fprintf(&b, "\n=== %s\n", o.ID())
		out := program.Expand(t.Context(), Instance{
			Object: o, Namespace: "default", Annotations: map[string]string{"example.com/applied-by": "test"},
			Neighbor: func(id object.ID) (object.Object, bool) { o, ok := beside[id]; return o, ok },
			Written: func(path string) *yaml.Node {
				for path != "" {
					if _, value := doc.Find(path); value != nil {
						return value
					}
					path = path[:max(0, strings.LastIndexAny(path, ".["))]
				}
				return nil
			},
		})
		if out.Incomplete {
			fmt.Fprintln(&b, "incomplete")
		}
		for _, f := range out.Findings {
			fmt.Fprintln(&b, f)
		}
		for _, made := range out.Objects {
			text, err := sigsyaml.Marshal(made.Fields)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "--- %s (%s)\n", made.ID(), made.Source.Via)
			for _, path := range made.Unknown {
				fmt.Fprintf(&b, "unknown %s\n", path)
			}
			b.Write(text)
		}
	}
	return b.String()
}

func objectOf(doc manifest.Document) object.Object {
	fields, _ := manifest.Free(doc.Node).(map[string]any)
	return object.Object{Fields: fields, Source: object.Source{File: doc.File, Line: doc.Line}}
}
