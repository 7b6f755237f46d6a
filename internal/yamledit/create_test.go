package yamledit

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCreate(t *testing.T) {
	tests := []struct {
		name, src, key string
		value          Value
		want           string
	}{
		{"a key that exists is changed", "a: 1 # c\nb: 2\n", "a", Number("3"), "a: 3 # c\nb: 2\n"},
		{"a key at the top", "a: 1\n", "b", String("x"), "a: 1\nb: x\n"},
		{"a file without final line break stays one", "a: 1", "b", String("x"), "a: 1\nb: x"},
		{"CRLF", "a: 1\r\nb:\r\n  c: 1\r\n", "b.d", String("x"), "a: 1\r\nb:\r\n  c: 1\r\n  d: x\r\n"},
		{"a byte order mark", "\xef\xbb\xbfa: 1\n", "b", String("x"), "\xef\xbb\xbfa: 1\nb: x\n"},
		{"a deep key", "a:\n  b:\n    c: 1\nd: 2\n", "a.b.e", Bool(true), "a:\n  b:\n    c: 1\n    e: true\nd: 2\n"},
		{"several levels", "a: 1\n", "b.c.d", String("x"), "a: 1\nb:\n  c:\n    d: x\n"},
		{"the file's indentation", "a:\n    b: 1\n", "c.d.e", String("x"), "a:\n    b: 1\nc:\n    d:\n        e: x\n"},
		{"behind a comment on the line", "a:\n  b: 1 # c\n# d\n", "a.e", String("x"), "a:\n  b: 1 # c\n  e: x\n# d\n"},
		{"before the next section's comment", "a:\n  b: 1\n\n# about c\nc: 2\n", "a.e", String("x"), "a:\n  b: 1\n  e: x\n\n# about c\nc: 2\n"},
		{"behind a literal", "a:\n  b: |\n    x\n    y\nc: 1\n", "a.d", String("x"), "a:\n  b: |\n    x\n    y\n  d: x\nc: 1\n"},
		{"behind a literal that keeps its blank lines", "a:\n  b: |+\n    x\n\n\nc: 1\n", "a.d", String("x"), "a:\n  b: |+\n    x\n\n\n  d: x\nc: 1\n"},
		{"behind quotes over several lines", "a: \"x\n  y\"\n", "b", String("x"), "a: \"x\n  y\"\nb: x\n"},
		{"behind a plain text over several lines", "a:\n  b: x\n    y\nc: 1\n", "a.d", String("x"), "a:\n  b: x\n    y\n  d: x\nc: 1\n"},
		{"behind an empty value", "a:\n  b:\nc: 1\n", "a.d", String("x"), "a:\n  b:\n  d: x\nc: 1\n"},
		{"behind an empty value at the end", "a:\n  b:", "a.d", String("x"), "a:\n  b:\n  d: x"},
		{"behind a list", "a:\n- 1\n- 2\n", "b", String("x"), "a:\n- 1\n- 2\nb: x\n"},
		{"behind an alias", "a: &x 1\nb: *x\n", "c", String("x"), "a: &x 1\nb: *x\nc: x\n"},
		{"behind brackets over several lines", "a: [1,\n  2 # c\n  ]\n", "b", String("x"), "a: [1,\n  2 # c\n  ]\nb: x\n"},
		{"below an empty key", "a:\nb: 1\n", "a.c", String("x"), "a:\n  c: x\nb: 1\n"},
		{"below an empty key with a comment", "a: # c\nb: 1\n", "a.c", String("x"), "a: # c\n  c: x\nb: 1\n"},
		{"below an empty key in a list", "- a:\n", "0.a.b", String("x"), "- a:\n    b: x\n"},
		{"in the place of null", "a: null # c\n", "a.b.c", String("x"), "a: {b: {c: x}} # c\n"},
		{"in the place of a tilde", "a: ~\n", "a.0.b", String("x"), "a: [{b: x}]\n"},
		{"an element", "a:\n- x\n- y\nb: 1\n", "a.2", String("z"), "a:\n- x\n- y\n- z\nb: 1\n"},
		{"an element of an indented list", "a:\n  - x\n", "a.1", String("z"), "a:\n  - x\n  - z\n"},
		{"an element behind a wide dash", "a:\n-   x: 1\n    y: 2\n", "a.1.x", Number("3"), "a:\n-   x: 1\n    y: 2\n-   x: 3\n"},
		{"a key of an element", "a:\n- x: 1\n- x: 2\n", "a.0.n2", String("z"), "a:\n- x: 1\n  n2: z\n- x: 2\n"},
		{"an element of mappings", "images:\n- name: a\n  newTag: v1\n", "images.1.name", String("b"), "images:\n- name: a\n  newTag: v1\n- name: b\n"},
		{"a new list, as kustomize writes it", "resources:\n- a.yaml\n", "images.0.name", String("b"), "resources:\n- a.yaml\nimages:\n- name: b\n"},
		{"a new list, indented as the others", "resources:\n  - a.yaml\n", "images.0.name", String("b"), "resources:\n  - a.yaml\nimages:\n  - name: b\n"},
		{"a list in a list", "a:\n- - 1\n", "a.1.0", Number("2"), "a:\n- - 1\n- - 2\n"},
		{"a list at the top", "- a\n", "1.b", String("x"), "- a\n- b: x\n"},
		{"between braces", "a: {b: 1}\n", "a.c", String("x"), "a: {b: 1, c: x}\n"},
		{"between padded braces", "a: { b: 1 }\n", "a.c", String("x"), "a: { b: 1, c: x }\n"},
		{"between empty braces", "a: {}\n", "a.c.d", String("x"), "a: {c: {d: x}}\n"},
		{"between empty brackets", "a: []\n", "a.0", String("x"), "a: [x]\n"},
		{"between brackets", "a: [x, 'y]']\n", "a.2", String("z,"), "a: [x, 'y]', \"z,\"]\n"},
		{"between brackets in braces", "a: {b: [1, {c: it's}]}\n", "a.b.1.d", String("x"), "a: {b: [1, {c: it's, d: x}]}\n"},
		{"behind a comma", "a: [x, ]\n", "a.1", String("z"), "a: [x, z ]\n"},
		{"brackets over several lines", "a: [\n  x, # first\n  y # second\n]\n", "a.2", String("z"), "a: [\n  x, # first\n  y, # second\n  z\n]\n"},
		{"braces over several lines with a last comma", "a: {\n  b: 1,\n}\n", "a.c", String("z"), "a: {\n  b: 1,\n  c: z,\n}\n"},
		{"JSON", "{\n  \"a\": {\n    \"b\": \"c\"\n  }\n}\n", "a.d", String("x"), "{\n  \"a\": {\n    \"b\": \"c\",\n    \"d\": \"x\"\n  }\n}\n"},
		{"JSON on one line", `{"a":[1]}`, "b.0.c", Null(), `{"a":[1], "b": [{"c": null}]}`},
		{"an empty file", "", "a.b", String("x"), "a:\n  b: x\n"},
		{"a file of comments", "# c\n", "a", String("x"), "# c\na: x\n"},
		{"a file of comments without final line break", "# c", "a", String("x"), "# c\na: x"},
		{"a document that is empty", "---\n", "a", String("x"), "---\na: x\n"},
		{"the first document of several", "a: 1\n---\nb: 2\n", "c", String("x"), "a: 1\nc: x\n---\nb: 2\n"},
		{"a key in the only other document is changed there", "a: 1\n---\nb: 2\n", "b", Number("3"), "a: 1\n---\nb: 3\n"},
		{"before the end of a document", "a: 1\n...\n", "b", String("x"), "a: 1\nb: x\n...\n"},
		{"a text that looks like a number", "a: 1\n", "b", String("1.10"), "a: 1\nb: \"1.10\"\n"},
		{"a text that has to be quoted", "a: 1\n", "b", String("x: y"), "a: 1\nb: \"x: y\"\n"},
		{"an empty text", "a: 1\n", "b", String(""), "a: 1\nb: \"\"\n"},
		{"null", "a: 1\n", "b", Null(), "a: 1\nb: null\n"},
		{"a key that has to be quoted", "a: 1\n", `b\.c: d`, String("x"), "a: 1\n\"b.c: d\": x\n"},
		{"a key that looks like a number", "a: 1\n", ":1", String("x"), "a: 1\n\"1\": x\n"},
		{"a key that looks like a boolean", "a: 1\n", "yes", String("x"), "a: 1\n\"yes\": x\n"},
		{"a key with a dot", "a:\n  b: 1\n", `a.example\.com/x`, String("z"), "a:\n  b: 1\n  example.com/x: z\n"},
		{"a mapping with an anchor", "a: &x\n  b: 1\nc: *x\n", "a.d", String("z"), "a: &x\n  b: 1\n  d: z\nc: *x\n"},
		{"beside a merge", "x: &x {b: 1}\na:\n  <<: *x\n  c: 1\n", "a.d", String("z"), "x: &x {b: 1}\na:\n  <<: *x\n  c: 1\n  d: z\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			edit := Edit{Key: tt.key, Value: tt.value, Create: true}
			out, changes, err := Set([]byte(tt.src), edit)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(out)); diff != "" {
				t.Errorf("file (-want +got):\n%s", diff)
			}
			_, err = Get([]byte(tt.src), tt.key)
			if changes[0].Created != errors.Is(err, ErrKeyNotFound) {
				t.Errorf("change = %+v, and before: %v", changes[0], err)
			}
			if again, _, err := Set(out, edit); err != nil || !bytes.Equal(again, out) {
				t.Errorf("again = %q, %v", again, err)
			}
		})
	}
}

func TestCreateErrors(t *testing.T) {
	tests := []struct {
		name, src, key string
		value          Value
		want           error
		text           string
	}{
		{"below a text", "a: x\n", "a.b", String("v"), ErrKeyNotFound, `line 1, column 4: key "a.b": "a" is the plain value "x" and has no key "b"; check the path`},
		{"behind the end of a list", "a: [x]\n", "a.2", String("v"), ErrKeyNotFound, `line 1, column 4: key "a.2": "a" is a list of 1 elements and has no element "2"; write an index from 0 to 0`},
		{"a name in a list", "a: [x]\n", "a.b", String("v"), ErrKeyNotFound, `line 1, column 4: key "a.b": "a" is a list of 1 elements and has no element "b"; write an index from 0 to 0`},
		{"a list that does not begin with its first element", "a: 1\n", "b.1", String("v"), ErrKeyNotFound, `line 1, column 1: key "b.1": there is no list yet, so element 1 cannot be added; write the index 0`},
		{"the same in an empty file", "", "1", String("v"), ErrKeyNotFound, `key "1": there is no list yet, so element 1 cannot be added; write the index 0`},
		{"deeper in an empty file", "# c\n", "0.1", String("v"), ErrKeyNotFound, `key "0.1": there is no list yet, so element 1 cannot be added; write the index 0`},
		{"below a null in a list", "a: [null]\n", "a.0.3", String("v"), ErrKeyNotFound, `line 1, column 5: key "a.0.3": there is no list yet, so element 3 cannot be added; write the index 0`},
		{"a mapping", "a: {b: 1}\n", "a", String("v"), ErrNotScalar, `line 1, column 4: key "a": the value is a mapping, not a single value; append one of its keys: b`},
		{"through an alias", "x: &x {b: 1}\na: *x\n", "a.c", String("v"), ErrAlias, `line 2, column 4: key "a.c": the path leads to the alias *x, whose anchor is on line 1; edit the anchored value, or replace the alias by a value of its own first`},
		{"a merged key", "x: &x {b: 1}\na:\n  <<: *x\n", "a.b", String("v"), ErrAlias, `line 3, column 3: key "a.b": "b" comes from the merge of anchor "x", which is defined on line 1; edit it there, or add the key here first`},
		{"several documents have it", "a: 1\n---\nb: 1\n---\nb: 2\n", "b", String("v"), ErrKeyNotFound, `line 3, column 4: key "b": the first document does not have the key and several others do, on lines 3, 5; put the documents into files of their own or the edited one first`},
		{"an empty part", "a: 1\n", "b..c", String("v"), ErrValue, `line 1, column 1: key "b..c": a key "" cannot be added; name one on a single line`},
		{"a number that is none", "a: 1\n", "b", Number("x"), ErrValue, `line 1, column 1: key "b": the new value "x" is not a number; give another value`},
		{"an empty key", "a: 1\n", "", String("v"), ErrKeyNotFound, `the key is empty; write a dotted path such as "spec.image.tag"`},
		{"a null with an anchor", "a: &x\nb: *x\n", "a.b", String("v"), ErrKeyNotFound, `line 1, column 4: key "a.b": "a" is the plain value "" and has no key "b"; check the path`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, changes, err := Set([]byte(tt.src), Edit{Key: tt.key, Value: tt.value, Create: true})
			if !errors.Is(err, tt.want) || out != nil || changes != nil {
				t.Fatalf("Set = %q, %v, %v, want %v", out, changes, err, tt.want)
			}
			if diff := cmp.Diff(tt.text, err.Error()); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzCreate(f *testing.F) {
	for _, src := range []string{
		"a: v1 # c\nb: {c: 'x', d: [1, \"y\\\"\"]}\n", "a: |+\n  x\n\n\n# c\nb:\n- 1\n", "a: &x !!str v1\r\nb: *x\r\n", "- a\n-\n- >-\n  x\n   y\n",
		"\xef\xbb\xbf---\n# e\n---\na: one\n  two\n...\n", "? a\n: b\n<<: {c: d}\n", "a: 'x\n\n  y'\nb:\n", "{\n  \"a\": 1,\n  \"b\": []\n}", "a:\n    - b: [x, # c\n       y,\n      ]\n", "a: ~\nb: {}", "",
	} {
		for _, key := range []string{"n", "a.n", "b.0", "b.n.0.m", "3.x"} {
			f.Add([]byte(src), key, "1.10")
		}
	}
	f.Fuzz(func(t *testing.T, src []byte, key, value string) {
		_, before := Get(src, key)
		out, changes, err := Set(src, Edit{Key: key, Value: String(value), Create: true})
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		if changes[0].Created != (before != nil) {
			t.Fatalf("Set(%q, %q) = %+v, and before: %v", src, key, changes[0], before)
		}
		got, err := Get(out, key)
		if err != nil || got.Text != value {
			t.Fatalf("Get(%q, %q) = %+v, %v after adding %q to %q", out, key, got, err, value, src)
		}
		if changes[0].Created && !isSubsequence(src, out) && !strings.Contains(string(src), "~") && !strings.Contains(strings.ToLower(string(src)), "null") {
			t.Fatalf("adding %q to %q lost something: %q", key, src, out)
		}
	})
}

// isSubsequence reports whether out is all of src with something added.
func isSubsequence(src, out []byte) bool {
	for _, c := range src {
		i := bytes.IndexByte(out, c)
		if i < 0 {
			return false
		}
		out = out[i+1:]
	}
	return true
}
