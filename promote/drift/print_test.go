package drift_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote/drift"
)

const world = `
-- a/x.yaml --
a: "1.0.2"
v: ~
-- a/own.txt --
-- b/x.yaml --
a: "1.0.1"
-- b/z` + "`</details>@all" + ` --
-- c/x.yaml --
a: "1.0.2"
v: ~
`

func TestMarkdown(t *testing.T) {
	report := compare(t, tree(world), drift.Rule{From: "a", To: []string{"b", "c"}, Exclude: []string{"own.txt"}})
	want := "**1 of 2 pairs of folders drifts.**\n\n" +
		"<details><summary><code>a</code> → <code>b</code>: 2 files drift</summary>\n\nLeft out: `own.txt`\n\n" +
		"```diff\n~ x.yaml\n    a: 1.0.2 → 1.0.1\n  - v: null\n+ z`</details>@all\n```\n\n\n</details>\n\n" +
		"- `a` → `c`: alike, left out: `own.txt`\n"
	if d := cmp.Diff(want, drift.Markdown(report, 0)); d != "" {
		t.Errorf("markdown (-want +got):\n%s", d)
	}
}

func TestMarkdownKeepsToItsLimit(t *testing.T) {
	var archive strings.Builder
	var rule drift.Rule
	for i := range 30 {
		fmt.Fprintf(&archive, "-- a/f%d --\n-- b%d/f%d --\nx\n", i, i, i)
		rule.To = append(rule.To, fmt.Sprintf("b%d", i))
	}
	rule.From = "a"
	report := compare(t, tree(archive.String()), rule)
	for _, limit := range []int{300, 1000, 5000} {
		text := drift.Markdown(report, limit)
		if len(text) > limit || !strings.Contains(text, "left out because of the length") {
			t.Errorf("%d bytes of %d:\n%s", len(text), limit, text)
		}
		if strings.Count(text, "<details>") != strings.Count(text, "</details>") || strings.Count(text, "```")%2 != 0 {
			t.Errorf("not closed:\n%s", text)
		}
	}
}

func TestJSON(t *testing.T) {
	report := compare(t, tree(world), drift.Rule{From: "a", To: []string{"b"}, Exclude: []string{"own.txt", "*.md"}})
	got, err := drift.JSON(report)
	if err != nil {
		t.Fatal(err)
	}
	want := `{
  "empty": false,
  "pairs": [
    {
      "from": "a",
      "to": "b",
      "same": 0,
      "excluded": [
        "own.txt"
      ],
      "files": [
        {
          "name": "x.yaml",
          "kind": "differs",
          "keys": [
            {
              "path": "a",
              "kind": "changed",
              "before": "1.0.2",
              "after": "1.0.1"
            },
            {
              "path": "v",
              "kind": "removed",
              "before": null
            }
          ]
        },
        {
          "name": "z` + "`</details>@all" + `",
          "kind": "onlyTo"
        }
      ]
    }
  ],
  "problems": [
    {
      "rule": 0,
      "key": "exclude[1]",
      "message": "exclude \"*.md\" matches nothing in these folders",
      "remedy": "correct it, or remove it"
    }
  ]
}
`
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Errorf("JSON (-want +got):\n%s", d)
	}
}

func TestTheZeroReport(t *testing.T) {
	if text := drift.Text(drift.Report{}); text != "Nothing was compared.\n" {
		t.Errorf("text: %q", text)
	}
}
