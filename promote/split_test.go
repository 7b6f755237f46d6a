package promote

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplitNote(t *testing.T) {
	for _, c := range []struct {
		name, text string
		limit      int
		want       []string
	}{
		{"what fits", "a\nb\n", 100, []string{"a\nb\n"}},
		{"lines", strings.Repeat("0123456789\n", 4), 40, []string{"0123456789\n0123456789\n", "0123456789\n0123456789\n"}},
		{
			"inside of a block of code", "<details>\n\n```diff\n" + strings.Repeat("+ 0123456789\n", 6) + "```\n</details>\n", 100,
			[]string{
				"<details>\n\n```diff\n+ 0123456789\n+ 0123456789\n+ 0123456789\n```\n</details>\n",
				"<details><summary>continued</summary>\n\n```diff\n+ 0123456789\n```\n</details>\n",
				"<details><summary>continued</summary>\n\n```diff\n+ 0123456789\n```\n</details>\n",
				"<details><summary>continued</summary>\n\n```diff\n+ 0123456789\n```\n</details>\n",
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, SplitNote(c.text, c.limit)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzSplitNote(f *testing.F) {
	f.Add("a\n```diff\n+b\n```\n<details>\n\nc\n</details>\n", 600)
	f.Add(strings.Repeat("<details>", 30), 500)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = 5000 + limit&1023
		parts := SplitNote(text, limit)
		if len(parts) > maxParts+1 {
			t.Errorf("%d parts", len(parts))
		}
		for _, part := range parts {
			if len(part) > limit {
				t.Errorf("%d bytes, the limit is %d", len(part), limit)
			}
		}
	})
}
