package forge

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCutting(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{CutRunes("äöü", 3), "äöü"},
		{CutRunes("äöüß", 3), "äö…"},
		{CutBytes("abc", 3), "abc"},
		{CutBytes("abcdef", 5), "ab…"},
		{CutBytes("ääää", 6), "ä…"},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}

func TestFence(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"no fence", "a\n", ""},
		{"of backticks", "```go\na\n", "```"},
		{"of tildes, whatever stands behind them", "~~~~ `x`\n", "~~~~"},
		{"a code span", "```a`b\n", ""},
		{"two are too few", "``\n", ""},
		{"an indented code block", "    ```\n", ""},
		{"a shorter one does not end it", "````\n```\n", "````"},
		{"nor does one of another kind", "```\n~~~\n", "```"},
		{"nor one with a word", "```\n```go\n", "```"},
		{"a longer one does", "```\n`````  \n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var fence Fence
			for line := range strings.Lines(test.text) {
				fence = fence.After(line)
			}
			if string(fence) != test.want || fence.Open() != (test.want != "") {
				t.Errorf("got %q, want %q", fence, test.want)
			}
		})
	}
}

func FuzzText(f *testing.F) {
	f.Add("```a\n~~~\n", 4)
	f.Add("ääää", 3)
	f.Fuzz(func(t *testing.T, text string, n int) {
		n = 3 + max(n, -n)&0xff
		text = strings.ToValidUTF8(text, "")
		if cut := CutBytes(text, n); len(cut) > n || !utf8.ValidString(cut) {
			t.Errorf("%q in %d bytes is %q", text, n, cut)
		}
		if cut := CutRunes(text, n); utf8.RuneCountInString(cut) > n {
			t.Errorf("%q in %d characters is %q", text, n, cut)
		}
		var fence Fence
		for line := range strings.Lines(text) {
			fence = fence.After(line)
		}
		if fence.After(fence.Close()).Open() {
			t.Errorf("%q does not close %q", fence.Close(), text)
		}
	})
}
