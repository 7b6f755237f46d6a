package keypath

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplit(t *testing.T) {
	for path, want := range map[string][]Part{
		"a":             {{Text: "a"}},
		"a.b.0":         {{Text: "a"}, {Text: "b"}, {Text: "0"}},
		`a\.b.c`:        {{Text: "a.b"}, {Text: "c"}},
		`a\:b`:          {{Text: "a:b"}},
		`\:a`:           {{Text: ":a"}},
		":0.x":          {{Text: "0", Forced: true}, {Text: "x"}},
		"a:b":           {{Text: "a:b"}},
		`a\b`:           {{Text: `a\b`}},
		"":              {{}},
		"a..b":          {{Text: "a"}, {}, {Text: "b"}},
		"x.:8080.y":     {{Text: "x"}, {Text: "8080", Forced: true}, {Text: "y"}},
		"a.b\\.c\\.d.e": {{Text: "a"}, {Text: "b.c.d"}, {Text: "e"}},
	} {
		if diff := cmp.Diff(want, Split(path)); diff != "" {
			t.Errorf("%q: %s", path, diff)
		}
	}
}

func TestIndex(t *testing.T) {
	for path, want := range map[string]int{"0": 0, "12": 12, ":0": -1, "": -1, "-1": -1, "+1": -1, "1x": -1, "99999999999999999999": -1} {
		got, ok := Split(path)[0].Index()
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("index of %q is %d, want %d", path, got, want)
		}
	}
}

// FuzzKey checks that a mapping key survives being written as a part of a path.
func FuzzKey(f *testing.F) {
	f.Add("a.b", ":c")
	f.Fuzz(func(t *testing.T, a, b string) {
		parts := Split(Quote(a) + "." + Quote(b))
		if strings.HasSuffix(a, `\`) || strings.Contains(a+b, `\.`) || strings.Contains(a+b, `\:`) {
			return // a backslash before a dot or a colon cannot be written
		}
		if len(parts) != 2 || parts[0].Text != a || parts[1].Text != b {
			t.Fatalf("%q and %q came back as %+v", a, b, parts)
		}
	})
}
