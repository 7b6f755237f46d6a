package render

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// codeInSource is how the sources write the code of a finding.
var codeInSource = regexp.MustCompile(`(?:[cC]ode: |FromError\(|without\(|unrendered\(|report\([a-zA-Z.]*,? ?|finding\.(?:Error|Warning|Info), )"([a-z]+(?:-[a-z]+)+)"`)

// TestFindingsAreDocumented holds docs/rendering.md against the codes in the sources. Those of render/check have a page and a
// test of their own, and render/diff has none.
func TestFindingsAreDocumented(t *testing.T) {
	var want []string
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			if name == "check" || name == "diff" {
				return fs.SkipDir
			}
			return err
		}
		if filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(name)
		for _, match := range codeInSource.FindAllSubmatch(text, -1) {
			want = append(want, string(match[1]))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../docs/rendering.md")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, match := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|").FindAllSubmatch(page, -1) {
		got = append(got, string(match[1]))
	}
	slices.Sort(want)
	if diff := cmp.Diff(slices.Compact(want), got); diff != "" {
		t.Errorf("codes in docs/rendering.md (-sources +page):\n%s", diff)
	}
}
