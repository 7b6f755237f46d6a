package github

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestMarkdownIsCutWhereItDoesNotTear(t *testing.T) {
	line := "a line that says something\n"
	for _, test := range []struct {
		name string
		text string
		end  string // before the sentence
	}{
		{"plain", strings.Repeat(line, 4000), line},
		{"inside of a code block", "```diff\n" + strings.Repeat(line, 4000) + "```\n", line + "```\n"},
		{"inside of a longer code block", "~~~~\n```\n" + strings.Repeat(line, 4000), line + "~~~~\n"},
		{"inside of a folded part", "<details><summary>x</summary>\n\n" + strings.Repeat(line, 4000) + "</details>\n", line + "\n</details>\n"},
		{"inside of both", "<details><summary>x</summary>\n\n```yaml\n</details>\n" + strings.Repeat(line, 4000), line + "```\n\n</details>\n"},
		{"one endless line", strings.Repeat("x", 100_000), ""},
		{"bytes that are no text", strings.Repeat("\xff\n", 50_000), "\uFFFD\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := markdown(test.text)
			cut, rest, found := strings.Cut(got, "\n\nThe rest is left out: the text has ")
			if !found || len(got) > maxText || !utf8.ValidString(got) || !strings.HasSuffix(rest, " bytes, more than GitHub takes.\n") {
				t.Errorf("%d bytes, ends in %q", len(got), got[max(0, len(got)-120):])
			}
			if !strings.HasSuffix(cut, test.end) {
				t.Errorf("before the sentence: %q", cut[max(0, len(cut)-60):])
			}
		})
	}
	for _, whole := range []string{"", "text", strings.Repeat("x", maxText)} {
		if got := markdown(whole); got != whole {
			t.Errorf("%d bytes became %d", len(whole), len(got))
		}
	}
}

func FuzzMarkdown(f *testing.F) {
	f.Add("```diff\n+a\n```\n")
	f.Add("<details>\n~~~\n</details>\n")
	f.Fuzz(func(t *testing.T, text string) {
		long := strings.Repeat(text+"\n", 1+maxText/(len(text)+1))
		for _, given := range []string{text, long} {
			got := markdown(given)
			if len(got) > maxText {
				t.Fatalf("%d bytes", len(got))
			}
			if again := markdown(got); again != got {
				t.Fatal("what was cut is cut again")
			}
		}
	})
}
