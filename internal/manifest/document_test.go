package manifest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
)

func TestSplit(t *testing.T) {
	tests := []struct {
		name string
		text string
		want []string // "line kind"
		err  string
	}{
		{"one document", "kind: A\n", []string{"1 A"}, ""},
		{"several documents keep their lines", "# head\nkind: A\n---\n\nkind: B\n---\nkind: C", []string{"1 A", "4 B", "7 C"}, ""},
		{"empty documents and comments are left out", "---\n# nothing\n---\n---\nkind: B\n---\n", []string{"5 B"}, ""},
		{"a marker with content on its line", "--- {kind: A}\n--- # comment\nkind: B\n", []string{"1 A", "2 B"}, ""},
		{"an end marker ends a document", "kind: A\n...\nkind: B\n", []string{"1 A", "3 B"}, ""},
		{"directives belong to their document", "%YAML 1.1\n---\nkind: A\n", []string{"1 A"}, ""},
		{"dashes inside a block scalar are text", "kind: A\ntext: |\n  ---\n  kind: B\n", []string{"1 A"}, ""},
		{"windows line ends", "kind: A\r\n---\r\nkind: B\r\n", []string{"1 A", "3 B"}, ""},
		{"byte order mark", "\xef\xbb\xbfkind: A\n", []string{"1 A"}, ""},
		{"a broken document does not hide the others", "kind: A\n---\nkind: [\n---\nkind: C\n", []string{"1 A", "5 C"}, "f.yaml:3: not YAML: did not find expected node content"},
		{"tabs are named with their line", "kind: A\n---\na:\n\t- b\n", []string{"1 A"}, "f.yaml:4: not YAML: found character that cannot start any token"},
		{"an alias inside its own anchor", "a: &x [*x]\n", nil, "f.yaml:1:8: alias *x stands inside its own anchor"},
		{"an alias that multiplies", bomb(), nil, "f.yaml:1: aliases expand to more than 200000 values; write the values out or split the file"},
		{"nesting", strings.Repeat("[", 300) + strings.Repeat("]", 300), nil, "f.yaml:1: the document nests deeper than 200 levels; split the file"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			docs, err := Split("f.yaml", []byte(test.text))
			var got []string
			for _, d := range docs {
				_, kind := d.Find("kind")
				if kind == nil {
					t.Fatalf("document at line %d has no kind", d.Line)
				}
				got = append(got, fmt.Sprintf("%d %s", d.Line, kind.Value))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("documents (-want +got):\n%s", diff)
			}
			if text := errorText(err); text != test.err {
				t.Errorf("error %q, want %q", text, test.err)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func bomb() string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 10; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	return b.String()
}

func TestSplitUTF16(t *testing.T) {
	for name, order := range map[string][2]int{"big endian": {8, 0}, "little endian": {0, 8}} {
		t.Run(name, func(t *testing.T) {
			var data []byte
			for _, unit := range append([]uint16{0xfeff}, utf16.Encode([]rune("kind: Ä\n"))...) {
				data = append(data, byte(unit>>order[0]), byte(unit>>order[1]))
			}
			docs, err := Split("f.yaml", data)
			if err != nil || len(docs) != 1 || string(docs[0].Raw) != "kind: Ä\n" {
				t.Errorf("got %v, %v", docs, err)
			}
		})
	}
}

func TestSplitRefusesLargeFiles(t *testing.T) {
	if _, err := Split("f.yaml", make([]byte, MaxFileSize+1)); !errors.Is(err, ErrBound) {
		t.Errorf("got %v, want ErrBound", err)
	}
}

func TestFind(t *testing.T) {
	docs, err := Split("f.yaml", []byte("# one\n---\nbase: &base {x: 1, y: 2}\nspec:\n  list:\n    - name: a\n    - {name: b, <<: *base, y: 3}\n"))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		path string
		want string // "line:column value"
	}{
		{"spec.list[0].name", "6:7 a"},
		{"spec.list[1].y", "7:28 3"},
		{"spec.list[1].x", "3:14 1"},
		{"spec.list[2].name", ""},
		{"spec.nothing", ""},
		{"spec.list[x]", ""},
	}
	for _, test := range tests {
		got := ""
		if key, value := docs[0].Find(test.path); key != nil {
			got = fmt.Sprintf("%d:%d %s", key.Line, key.Column, value.Value)
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.path, got, test.want)
		}
	}
}

func FuzzSplit(f *testing.F) {
	for _, seed := range []string{"kind: A\n---\nkind: B\n", "--- {a: b}\n...\n", "%YAML 1.1\n---\na: *b", "a: &a [*a]", bomb(), "\xff\xfea\x00", "? [a]\n: b\n", "<<: *x", "a: !!binary x\n<<: [{b: c}, {b: d}]"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		docs, err := Split("f.yaml", data)
		for _, e := range Errors(err) {
			if e.File != "f.yaml" {
				t.Errorf("error without its file: %v", e)
			}
		}
		lines := strings.Count(string(toUTF8(data)), "\n") + 1
		last := 0
		for _, d := range docs {
			if d.Node == nil || d.Line <= last || d.Line > lines {
				t.Errorf("document at line %d after %d of %d", d.Line, last, lines)
			}
			last = d.Line
			d.GroupKind()
			Free(d.Node)
		}
	})
}
