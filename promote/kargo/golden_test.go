package kargo_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// golden is a file of wanted lines for each row of a table.
type golden struct {
	want map[string]string
	got  txtar.Archive
}

// goldenFindings reads the wanted lines, and writes them after the test when -update is set.
func goldenFindings(t *testing.T, file string) *golden {
	t.Helper()
	g := &golden{want: map[string]string{}}
	g.got.Comment = []byte("The findings of every row of " + t.Name() + ", by its name. Rewritten by go test -update.\n")
	archive, err := txtar.ParseFile(file)
	if err != nil && !*update {
		t.Fatal(err)
	}
	if err == nil {
		for _, f := range archive.Files {
			g.want[f.Name] = string(f.Data)
		}
	}
	t.Cleanup(func() {
		if !*update {
			return
		}
		if err := os.WriteFile(file, txtar.Format(&g.got), 0o644); err != nil {
			t.Error(err)
		}
	})
	return g
}

// compare compares the lines of one row.
func (g *golden) compare(t *testing.T, row string, lines []string) {
	t.Helper()
	got := ""
	if len(lines) > 0 {
		got = strings.Join(lines, "\n") + "\n"
	}
	g.got.Files = append(g.got.Files, txtar.File{Name: row, Data: []byte(got)})
	if *update {
		return
	}
	want, ok := g.want[row]
	if !ok {
		t.Fatalf("no wanted findings for %q; run with -update and read them", row)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
