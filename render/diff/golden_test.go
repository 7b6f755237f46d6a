package diff_test

import (
	"bytes"
	"flag"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"github.com/lockkeeper/lockkeeper/render/diff"
	"github.com/lockkeeper/lockkeeper/render/object"
)

var update = flag.Bool("update", false, "rewrite the wanted files in testdata")

// parse reads YAML documents; a first line "# from FILE via WHAT" says where a document comes from.
func parse(t testing.TB, text string) []object.Object {
	t.Helper()
	var out []object.Object
	for i, doc := range strings.Split(text, "\n---\n") {
		raw, err := yaml.YAMLToJSON([]byte(doc))
		if err != nil {
			t.Fatalf("document %d: %v", i+1, err)
		}
		var o object.Object
		if err := utiljson.Unmarshal(raw, &o.Fields); err != nil {
			t.Fatalf("document %d: %v", i+1, err)
		}
		first, _, _ := strings.Cut(doc, "\n")
		if from, ok := strings.CutPrefix(first, "# from "); ok {
			o.Source.File, o.Source.Via, _ = strings.Cut(from, " via ")
		}
		out = append(out, o)
	}
	return out
}

// apps reads the applications of an archive: base/NAME.yaml and head/NAME.yaml are the renders of application NAME, which
// does not exist where its file is missing; stages has lines "NAME STAGE", findings has lines "NAME SEVERITY MESSAGE".
func apps(t testing.TB, a *txtar.Archive) []diff.App {
	t.Helper()
	byName := map[string]*diff.App{}
	var names []string
	app := func(name string) *diff.App {
		if byName[name] == nil {
			byName[name] = &diff.App{Name: name, Namespace: "develop", BaseMissing: true, HeadMissing: true}
			names = append(names, name)
		}
		return byName[name]
	}
	for _, f := range a.Files {
		dir, file := path.Split(f.Name)
		name, text := strings.TrimSuffix(file, ".yaml"), strings.TrimSpace(string(f.Data))
		switch {
		case dir == "base/":
			app(name).BaseMissing, app(name).Base = false, parse(t, text)
		case dir == "head/":
			app(name).HeadMissing, app(name).Head = false, parse(t, text)
		case f.Name == "stages":
			for line := range strings.Lines(text) {
				name, stage, _ := strings.Cut(strings.TrimSpace(line), " ")
				app(name).Stage = stage
			}
		case f.Name == "findings":
			for line := range strings.Lines(text) {
				part := strings.SplitN(strings.TrimSpace(line), " ", 3)
				app(part[0]).Findings = append(app(part[0]).Findings, diff.Finding{Severity: diff.Severity(part[1]), Message: part[2]})
			}
		}
	}
	out := make([]diff.App, 0, len(names))
	for _, name := range names {
		out = append(out, *byName[name])
	}
	return out
}

func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			report := diff.Compare(apps(t, a))
			markdown := diff.Markdown(report, diff.MarkdownOptions{})
			checkMarkdown(t, markdown, diff.DefaultLimit)
			for name, got := range map[string]string{"want.md": markdown, "want.txt": diff.Text(report, diff.TextOptions{})} {
				check(t, a, name, got)
			}
			if *update {
				slices.SortStableFunc(a.Files, func(a, b txtar.File) int {
					return strings.Compare(rank(a.Name), rank(b.Name))
				})
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func rank(name string) string {
	if strings.HasPrefix(name, "want.") {
		return "2" + name
	}
	return "1"
}

func check(t *testing.T, a *txtar.Archive, name, got string) {
	t.Helper()
	i := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == name })
	if *update {
		if i < 0 {
			i, a.Files = len(a.Files), append(a.Files, txtar.File{Name: name})
		}
		a.Files[i].Data = []byte(got)
		return
	}
	if i < 0 {
		t.Fatalf("%s is missing; run go test -update", name)
	}
	if d := cmp.Diff(string(bytes.TrimRight(a.Files[i].Data, "\n")), strings.TrimRight(got, "\n")); d != "" {
		t.Errorf("%s (-want +got):\n%s", name, d)
	}
}

func archive(t testing.TB, name string) *txtar.Archive {
	t.Helper()
	a, err := txtar.ParseFile("testdata/" + name + ".txtar")
	if err != nil {
		t.Fatal(err)
	}
	return a
}
