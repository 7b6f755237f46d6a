package yamltext

import (
	"strings"
	"testing"
	"unicode/utf8"

	"sigs.k8s.io/yaml"
)

func FuzzMarshal(f *testing.F) {
	for _, s := range []string{"", "plain", "0\x7f0", "\ufeffa", "\u0085\u0080", "\ufffe\uffff", "\x00\x1b", "é😀", "\xff", "no", "- a: |\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		data, err := Marshal(map[string]string{"text": text})
		if err != nil {
			t.Fatal(err)
		}
		var back map[string]string
		if err := yaml.UnmarshalStrict(data, &back); err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		if want := strings.ToValidUTF8(text, string(utf8.RuneError)); utf8.ValidString(text) && back["text"] != want {
			t.Errorf("%q became %q", text, back["text"])
		}
	})
}
