package argocd

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "rewrite the golden parts of testdata")

// TestApplicationSets makes the Applications of the repositories in testdata/applicationset. The part "want" of each archive is the
// whole outcome, and "told" what the settings say.
func TestApplicationSets(t *testing.T) {
	files, err := filepath.Glob("testdata/applicationset/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			in := Input{RepoURLs: []string{ours}, Revision: "main"}
			tree, want, kept := fstest.MapFS{}, "", archive.Files[:0:0]
			for _, f := range archive.Files {
				switch f.Name {
				case "want":
					want = string(f.Data)
					continue
				case "told":
					if err := yaml.UnmarshalStrict(f.Data, &in); err != nil {
						t.Fatal(err)
					}
				default:
					tree[f.Name] = &fstest.MapFile{Data: f.Data}
				}
				kept = append(kept, f)
			}
			in.Tree, in.Files = tree, scanned(t, tree)
			got := outcome(t, in)
			in.Memory = NewMemory(1000)
			for range 2 {
				if again := outcome(t, in); again != got {
					t.Errorf("with a memory:\n%s", cmp.Diff(got, again))
				}
			}
			if *update {
				archive.Files = append(kept, txtar.File{Name: "want", Data: []byte(got)})
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil { //nolint:gosec // a file of the repository
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

// outcome prints what is made and found.
func outcome(t *testing.T, in Input) string {
	t.Helper()
	apps, findings := applicationsIn(t, in)
	var b strings.Builder
	for _, app := range apps {
		fmt.Fprintf(&b, "%s in project %q to %s\n", app.Key(), app.Project, strings.TrimSpace(app.Destination.Server+app.Destination.Name+" "+app.Destination.Namespace))
		if len(app.Labels)+len(app.Annotations) > 0 {
			fmt.Fprintf(&b, "  labels %v annotations %v\n", app.Labels, app.Annotations)
		}
		if p := app.SyncPolicy; p.Automated || len(p.Options) > 0 {
			fmt.Fprintf(&b, "  sync %+v\n", p)
		}
		for _, s := range app.Sources {
			blocks := map[string]any{}
			for name, block := range map[string]map[string]any{"helm": s.Helm, "kustomize": s.Kustomize, "plugin": s.Plugin} {
				if block != nil {
					blocks[name] = block
				}
			}
			if s.Directory != nil {
				blocks["directory"] = s.Directory
			}
			fmt.Fprintf(&b, "  %s %s%s@%s", s.RepoURL, s.Path, s.Chart, s.TargetRevision)
			if s.Ref != "" {
				fmt.Fprintf(&b, " as $%s", s.Ref)
			}
			if text, err := json.Marshal(blocks); err == nil && len(blocks) > 0 {
				fmt.Fprintf(&b, " %s", text)
			}
			b.WriteString("\n")
		}
	}
	for _, f := range findings {
		fmt.Fprintln(&b, f)
	}
	return b.String()
}
