// Package manifesttest holds what the tests of those who read manifests share.
package manifesttest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

const wanted = "want"

// Golden loads the files of each archive testdata/*.txtar and compares what load says of them with the archive's section
// "want". With update it writes that section instead.
func Golden(t *testing.T, update bool, load func(docs []manifest.Document) string) {
	t.Helper()
	for _, file := range archives(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive := parse(t, file)
			want := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == wanted })
			if want < 0 && !update {
				t.Fatalf("no section %q: run with -update and read it", wanted)
			}
			if want < 0 {
				archive.Files, want = append(archive.Files, txtar.File{Name: wanted}), len(archive.Files)
			}
			got := load(split(t, archive))
			if diff := cmp.Diff(string(archive.Files[want].Data), got); diff != "" && !update {
				t.Errorf("-want +got:\n%s", diff)
			}
			if update {
				archive.Files[want].Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil { //nolint:gosec // testdata
					t.Fatal(err)
				}
			}
		})
	}
}

// Documents returns the documents of the archives testdata/*.txtar, by the file of the archive.
func Documents(tb testing.TB) map[string][]manifest.Document {
	tb.Helper()
	all := map[string][]manifest.Document{}
	for _, file := range archives(tb) {
		all[file] = split(tb, parse(tb, file))
	}
	return all
}

// Seed gives a fuzz target the text of every file of the archives testdata/*.txtar.
func Seed(f *testing.F) {
	f.Helper()
	for _, file := range archives(f) {
		for _, one := range parse(f, file).Files {
			if one.Name != wanted {
				f.Add(string(one.Data))
			}
		}
	}
}

// Split returns the documents of a file.
func Split(tb testing.TB, name, text string) []manifest.Document {
	tb.Helper()
	docs, err := manifest.Split(name, []byte(text))
	if err != nil {
		tb.Fatalf("split %q: %v", name, err)
	}
	return docs
}

func split(tb testing.TB, archive *txtar.Archive) []manifest.Document {
	tb.Helper()
	var docs []manifest.Document
	for _, f := range archive.Files {
		if f.Name != wanted {
			docs = append(docs, Split(tb, f.Name, string(f.Data))...)
		}
	}
	return docs
}

func archives(tb testing.TB) []string {
	tb.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		tb.Fatalf("no archive in testdata: %v", err)
	}
	return files
}

func parse(tb testing.TB, file string) *txtar.Archive {
	tb.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	return archive
}
