package yamledit

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	sigsyaml "sigs.k8s.io/yaml"
)

func TestSet(t *testing.T) {
	tests := []struct {
		name  string
		src   string
		key   string
		value Value
		want  string
	}{
		{"a plain string stays plain", "tag: v1\n", "tag", String("v2"), "tag: v2\n"},
		{"a semantic version needs no quotes", "tag: 1.0.1\n", "tag", String("1.0.2"), "tag: 1.0.2\n"},
		{"a deep path", "spec:\n  values:\n    deployment:\n      tag: a\n      x: 1\n", "spec.values.deployment.tag", String("b"), "spec:\n  values:\n    deployment:\n      tag: b\n      x: 1\n"},
		{"a trailing comment keeps its place", "tag: v1   # comment\n", "tag", String("v2.0"), "tag: v2.0   # comment\n"},
		{"double quotes are kept", "tag: \"v1\" # c\n", "tag", String("v2"), "tag: \"v2\" # c\n"},
		{"single quotes are kept", "tag: 'v1' # c\n", "tag", String("it's"), "tag: 'it''s' # c\n"},
		{"escaped quotes in the old value", `a: "x\"y\\" # c` + "\n", "a", String(`p"q\`), `a: "p\"q\\" # c` + "\n"},
		{"doubled quotes in the old value", "a: 'x''y' # '\n", "a", String("z"), "a: 'z' # '\n"},
		{"a quoted number text stays a string", "tag: \"0320.1\"\n", "tag", String("0330.1"), "tag: \"0330.1\"\n"},
		{"a string over a number is quoted when it looks like one", "tag: 0320.1\n", "tag", String("0330.1"), "tag: \"0330.1\"\n"},
		{"a string over a number is plain when it can be", "tag: 1\n", "tag", String("v1"), "tag: v1\n"},
		{"a number over a number", "replicas: 1 # n\n", "replicas", Number("3"), "replicas: 3 # n\n"},
		{"a number over a plain string becomes a string", "tag: v1\n", "tag", Number("2"), "tag: \"2\"\n"},
		{"a number over a quoted string keeps the quotes", "tag: '1.10'\n", "tag", Number("1.20"), "tag: '1.20'\n"},
		{"a number keeps its digits", "n: 1\n", "n", Number("9007199254740993"), "n: 9007199254740993\n"},
		{"a boolean over a boolean", "on: true\n", "on", Bool(false), "on: false\n"},
		{"a boolean over a string becomes a string", "on: \"true\"\n", "on", Bool(false), "on: \"false\"\n"},
		{"a boolean over a YAML 1.1 boolean", "a: yes\n", "a", Bool(false), "a: false\n"},
		{"null over a string", "a: \"x\" # c\n", "a", Null(), "a: null # c\n"},
		{"null over null changes nothing", "a: ~\n", "a", Null(), "a: ~\n"},
		{"a string over null", "a: ~ # c\n", "a", String("x"), "a: x # c\n"},
		{"a string over nothing", "a:\nb: 1\n", "a", String("x"), "a: x\nb: 1\n"},
		{"a string over nothing before a comment", "a: # c\nb: 1\n", "a", String("x"), "a: x # c\nb: 1\n"},
		{"a string over nothing at the end", "a:", "a", String("x"), "a: x"},
		{"a string over nothing in a list", "-\n- b\n", "0", String("x"), "- x\n- b\n"},
		{"a string over nothing with an anchor", "a: &x\nb: *x\n", "a", String("w"), "a: &x w\nb: *x\n"},
		{"the same value changes nothing", "a:   'x'   \n", "a", String("x"), "a:   'x'   \n"},
		{"1.10", "a: x\n", "a", String("1.10"), "a: \"1.10\"\n"},
		{"1e3", "a: x\n", "a", String("1e3"), "a: \"1e3\"\n"},
		{"12e4567", "a: x\n", "a", String("12e4567"), "a: \"12e4567\"\n"},
		{"0x1F", "a: x\n", "a", String("0x1F"), "a: \"0x1F\"\n"},
		{"octal", "a: x\n", "a", String("0o17"), "a: \"0o17\"\n"},
		{"binary", "a: x\n", "a", String("0b11"), "a: \"0b11\"\n"},
		{"a number with underscores", "a: x\n", "a", String("2024_01_02"), "a: \"2024_01_02\"\n"},
		{"a date", "a: x\n", "a", String("2024-01-02"), "a: \"2024-01-02\"\n"},
		{"sexagesimal", "a: x\n", "a", String("12:30:45"), "a: \"12:30:45\"\n"},
		{"null as text", "a: x\n", "a", String("null"), "a: \"null\"\n"},
		{"yes as text", "a: x\n", "a", String("yes"), "a: \"yes\"\n"},
		{"n as text", "a: x\n", "a", String("n"), "a: \"n\"\n"},
		{"Off as text", "a: 'x'\n", "a", String("Off"), "a: 'Off'\n"},
		{"t is a string to every YAML parser", "a: x\n", "a", String("t"), "a: t\n"},
		{"a tilde as text", "a: x\n", "a", String("~"), "a: \"~\"\n"},
		{"infinity as text", "a: x\n", "a", String(".inf"), "a: \".inf\"\n"},
		{"the merge key as text", "a: x\n", "a", String("<<"), "a: \"<<\"\n"},
		{"the empty text", "a: x\n", "a", String(""), "a: \"\"\n"},
		{"a colon and a space", "a: x\n", "a", String("k: v"), "a: \"k: v\"\n"},
		{"a comment sign", "a: x # c\n", "a", String("k #v"), "a: \"k #v\" # c\n"},
		{"an inner hash is harmless", "a: x\n", "a", String("k#v"), "a: k#v\n"},
		{"an image with digest", "a: x\n", "a", String("r.io:5000/a/b:1@sha256:00"), "a: r.io:5000/a/b:1@sha256:00\n"},
		{"a leading dash and space", "a: x\n", "a", String("- b"), "a: \"- b\"\n"},
		{"a leading star", "a: x\n", "a", String("*b"), "a: \"*b\"\n"},
		{"a leading brace", "a: x\n", "a", String("{b"), "a: \"{b\"\n"},
		{"surrounding blanks", "a: x\n", "a", String(" b "), "a: \" b \"\n"},
		{"a line break", "a: x\n", "a", String("b\nc"), "a: \"b\\nc\"\n"},
		{"a line break in single quotes", "a: 'x'\n", "a", String("b\nc"), "a: \"b\\nc\"\n"},
		{"control characters", "a: x\n", "a", String("\x00\x1b\u0085\u2028\ufeff"), "a: \"\\x00\\x1B\\x85\\u2028\\uFEFF\"\n"},
		{"letters beyond ASCII", "größe: \"ä\" # ö\n", "größe", String("日本 👍"), "größe: \"日本 👍\" # ö\n"},
		{"runes before the value on its line", "{ä: 1, 日本: x, c: d}\n", "日本", String("w"), "{ä: 1, 日本: w, c: d}\n"},
		{"a flow mapping", "image: {tag: v1, name: x}\n", "image.tag", String("v2"), "image: {tag: v2, name: x}\n"},
		{"a flow mapping and a comma", "image: {tag: v1, name: x}\n", "image.tag", String("a,b"), "image: {tag: \"a,b\", name: x}\n"},
		{"a flow mapping and a bracket", "image: {tag: v1}\n", "image.tag", String("a}"), "image: {tag: \"a}\"}\n"},
		{"JSON", `{"a":{"b":"c"},"d":[1,2]}`, "a.b", String("x"), `{"a":{"b":"x"},"d":[1,2]}`},
		{"a number in JSON", `{"a":[1,2]}`, "a.1", Number("30"), `{"a":[1,30]}`},
		{"a flow sequence over several lines", "a: [x,\n  y, # c\n  z]\n", "a.1", String("w"), "a: [x,\n  w, # c\n  z]\n"},
		{"nothing in a flow mapping", "{a: , b: c}\n", "a", String("x"), "{a: x, b: c}\n"},
		{"an anchor is kept", "a: &x v1\nb: *x\n", "a", String("v2"), "a: &x v2\nb: *x\n"},
		{"a tag is kept", "a: !!str 1\nb: 2\n", "a", String("3"), "a: !!str \"3\"\nb: 2\n"},
		{"an anchor and a tag of its own", "a: !secret &x v1 # c\n", "a", String("v2"), "a: !secret &x v2 # c\n"},
		{"an anchor on the line before", "a: &x # c\n  v1\n", "a", String("v2"), "a: &x # c\n  v2\n"},
		{"an explicit integer", "a: !!int \"3\"\n", "a", Number("4"), "a: !!int 4\n"},
		{"CRLF", "a: v1\r\nb: 2\r\n", "a", String("v2"), "a: v2\r\nb: 2\r\n"},
		{"CR alone", "a: 1\rb: v1\rc: 2", "b", String("v2"), "a: 1\rb: v2\rc: 2"},
		{"mixed line ends", "a: 1\r\nb: 2\nc: v1\r\n\nd: 3", "c", String("v2"), "a: 1\r\nb: 2\nc: v2\r\n\nd: 3"},
		{"a byte order mark", "\xef\xbb\xbfa: v1\n", "a", String("v2"), "\xef\xbb\xbfa: v2\n"},
		{"no final newline", "a: v1", "a", String("v2"), "a: v2"},
		{"trailing blanks and blank lines", "\n\na: v1   \n\n   \n\nb: 2\n\n", "a", String("v2"), "\n\na: v2   \n\n   \n\nb: 2\n\n"},
		{"a sequence without indentation", "a:\n- b: v1\n  c: 1\n-   b:    v1\n", "a.1.b", String("v2"), "a:\n- b: v1\n  c: 1\n-   b:    v2\n"},
		{"uneven indentation", "a:\n    b:\n     - c:\n         - v1 # x\n", "a.b.0.c.0", String("v2"), "a:\n    b:\n     - c:\n         - v2 # x\n"},
		{"a comment first and a directive end", "# c\n---\n# d\na: v1\n...\n", "a", String("v2"), "# c\n---\n# d\na: v2\n...\n"},
		{"the first of several documents", "a: 1\n---\na: 1\n", "a", Number("2"), "a: 2\n---\na: 1\n"},
		{"an empty first document is skipped", "---\n# nothing\n---\na: v1\n---\na: v1\n", "a", String("v2"), "---\n# nothing\n---\na: v2\n---\na: v1\n"},
		{"the only document that has the key", "a: 1\n---\nb: v1\n---\nc: 1\n", "b", String("v2"), "a: 1\n---\nb: v2\n---\nc: 1\n"},
		{"dots in a key", "a.b/c:\n  d: v1\n", `a\.b/c.d`, String("v2"), "a.b/c:\n  d: v2\n"},
		{"a colon in front of a key", ":a: v1\n", `\:a`, String("v2"), ":a: v2\n"},
		{"digits as a mapping key", "a:\n  0: v1\n", "a.:0", String("v2"), "a:\n  0: v2\n"},
		{"digits without the colon in a mapping", "a:\n  \"0\": v1\n", "a.0", String("v2"), "a:\n  \"0\": v2\n"},
		{"a key that is a boolean", "on: v1\ntrue: x\n", "true", String("w"), "on: v1\ntrue: w\n"},
		{"an explicit key", "? a\n: v1\n? b\n: 2\n", "a", String("v2"), "? a\n: v2\n? b\n: 2\n"},
		{"a key of its own beside a merge", "x: &x {a: 1}\ny:\n  <<: *x\n  a: 2\n", "y.a", Number("3"), "x: &x {a: 1}\ny:\n  <<: *x\n  a: 3\n"},
		{"a plain scalar over several lines", "a: one\n  two\n\n  three # c\nb: 1\n", "a", String("x"), "a: x # c\nb: 1\n"},
		{"a quoted scalar over several lines", "a: \"one\n  two \\\n  three\" # c\nb: 1\n", "a", String("x"), "a: \"x\" # c\nb: 1\n"},
		{"a single quoted scalar over several lines", "a: 'one\n\n  two'\nb: 1\n", "a", String("x"), "a: 'x'\nb: 1\n"},
		{"a literal block", "a: |\n  one\n  two\nb: 1\n", "a", String("x\n"), "a: |\n  x\nb: 1\n"},
		{"a literal block without the final newline", "a: |\n  one\n  two\nb: 1\n", "a", String("x"), "a: |-\n  x\nb: 1\n"},
		{"a literal block of more lines", "a: |-  # c\n    one\n\nb: 1\n", "a", String("x\n\n y\n"), "a: |  # c\n    x\n\n     y\n\nb: 1\n"},
		{"a literal block and text with blanks first", "a: | # c\n  one\nb: 1\n", "a", String(" x"), "a: \" x\" # c\nb: 1\n"},
		{"a literal block with explicit indentation", "a: |2-\n    one\nb: 1\n", "a", String(" x"), "a: |2-\n   x\nb: 1\n"},
		{"a literal block and several final newlines", "a: |\n  one\n# c\nb: 1\n", "a", String("x\n\n"), "a: \"x\\n\\n\"\n# c\nb: 1\n"},
		{"a block that keeps its final newlines", "a: |+\n  one\n\n\nb: 1\n", "a", String("x"), "a: |-\n  x\n\n\nb: 1\n"},
		{"a folded block", "a: >-\n  one\n  two\n\n  three\nb: 1\n", "a", String("x y"), "a: >-\n  x y\nb: 1\n"},
		{"a folded block of several lines", "a: >\n  one\n  two\nb: 1\n", "a", String("x\ny\n"), "a: |\n  x\n  y\nb: 1\n"},
		{"an empty block", "a: |\nb: 1\n", "a", String("x\n"), "a: \"x\\n\"\nb: 1\n"},
		{"an empty block with a comment", "a: >- # c\nb: 1\n", "a", String("x"), "a: \"x\" # c\nb: 1\n"},
		{"a block in a list", "- - |\n   one\n  - b\n", "0.0", String("x\ny"), "- - |-\n   x\n   y\n  - b\n"},
		{"a block at the end without a newline", "a: |-\n  one", "a", String("x\ny"), "a: |-\n  x\n  y"},
		{"a block that a missing newline cannot end", "a: |-\n  one", "a", String("x\n"), "a: \"x\\n\""},
		{"a block with CRLF", "a: |\r\n  one\r\n  two\r\nb: 1\r\n", "a", String("x\ny\n"), "a: |\r\n  x\r\n  y\r\nb: 1\r\n"},
		{"a block followed by a comment", "a:\n  b: |\n    one\n  # c\n  d: 1\n", "a.b", String("x\n"), "a:\n  b: |\n    x\n  # c\n  d: 1\n"},
		{"a block with an anchor", "a: &x |\n  one\nb: *x\n", "a", String("x\n"), "a: &x |\n  x\nb: *x\n"},
		{"a block as the whole document", "--- |\n one\n...\n---\na: 1\n", "a", Number("2"), "--- |\n one\n...\n---\na: 2\n"},
		{"null over a block", "a: | # c\n  one\nb: 1\n", "a", Null(), "a: null # c\nb: 1\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, changes, err := Set([]byte(tt.src), Edit{Key: tt.key, Value: tt.value})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(out)); diff != "" {
				t.Errorf("file (-want +got):\n%s", diff)
			}
			if len(changes) != 1 || changes[0].Key != tt.key {
				t.Errorf("changes = %+v", changes)
			}
		})
	}
}

func TestSetRefuses(t *testing.T) {
	bomb := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c <= 'j'; c++ {
		p := "*" + string(c-1)
		bomb += string(c) + ": &" + string(c) + " [" + strings.TrimSuffix(strings.Repeat(p+", ", 10), ", ") + "]\n"
	}
	tests := []struct {
		name  string
		src   string
		key   string
		value Value
		want  error
		text  string
	}{
		{
			"a missing key names the nearest", "spec:\n  image:\n    name: x\n    tga: v1\n", "spec.image.tag", String("v2"), ErrKeyNotFound,
			`line 3, column 5: key "spec.image.tag": "spec.image" has no key "tag"; it has tga, name`,
		},
		{
			"a missing key at the root", "a: 1\nb.c: 2\n", "b.c", String("v2"), ErrKeyNotFound,
			`line 1, column 1: key "b.c": the document has no key "b"; it has a, b\.c`,
		},
		{
			"the deepest of several documents explains", "x: 1\n---\na:\n  b: 1\n", "a.c", String("v"), ErrKeyNotFound,
			`line 4, column 3: key "a.c": "a" has no key "c"; it has b`,
		},
		{
			"several later documents have the key", "x: 1\n---\na: 1\n---\na: 2\n", "a", String("v"), ErrKeyNotFound,
			`line 3, column 4: key "a": the first document does not have the key and several others do, on lines 3, 5; put the documents into files of their own or the edited one first`,
		},
		{
			"a path through a plain value", "a: v1\n", "a.b", String("v"), ErrKeyNotFound,
			`line 1, column 4: key "a.b": "a" is the plain value "v1" and has no key "b"; check the path`,
		},
		{
			"an index that is too large", "a: [x, y]\n", "a.2", String("v"), ErrKeyNotFound,
			`line 1, column 4: key "a.2": "a" is a list of 2 elements and has no element "2"; write an index from 0 to 1`,
		},
		{
			"a negative index", "a: [x, y]\n", "a.-1", String("v"), ErrKeyNotFound,
			`line 1, column 4: key "a.-1": "a" is a list of 2 elements and has no element "-1"; write an index from 0 to 1`,
		},
		{
			"a forced key in a list", "a: [x]\n", "a.:0", String("v"), ErrKeyNotFound,
			`line 1, column 4: key "a.:0": "a" is a list of 1 elements and has no element "0"; write an index from 0 to 0`,
		},
		{
			"a mapping", "a:\n  b: 1\n  c: 2\n", "a", String("v"), ErrNotScalar,
			`line 2, column 3: key "a": the value is a mapping, not a single value; append one of its keys: b, c`,
		},
		{
			"a list", "a: []\n", "a", String("v"), ErrNotScalar,
			`line 1, column 4: key "a": the value is a list of 0 elements, not a single value; append the index of an element, such as ".0"`,
		},
		{
			"an alias", "x: &x v1\na: *x\n", "a", String("v"), ErrAlias,
			`line 2, column 4: key "a": the path leads to the alias *x, whose anchor is on line 1; edit the anchored value, or replace the alias by a value of its own first`,
		},
		{
			"a path through an alias", "x: &x {b: 1}\na: *x\n", "a.b", String("v"), ErrAlias,
			`line 2, column 4: key "a.b": the path leads to the alias *x, whose anchor is on line 1; edit the anchored value, or replace the alias by a value of its own first`,
		},
		{
			"a merged key", "x: &x {b: 1}\na:\n  <<: *x\n  c: 1\n", "a.b", String("v"), ErrAlias,
			`line 3, column 3: key "a.b": "b" comes from the merge of anchor "x", which is defined on line 1; edit it there, or add the key here first`,
		},
		{
			"a key twice", "a: 1\nb: 2\na: 3\n", "a", Number("4"), ErrDuplicateKey,
			`line 3, column 1: key "a": the mapping has "a" twice, first on line 1; remove one of them`,
		},
		{
			"an explicit tag that does not fit", "a: !!int 1\n", "a", String("x"), ErrValue,
			`line 1, column 4: key "a": the old value has the explicit tag !!int, which the new value "x" does not fit; remove the tag from the file or give a fitting value`,
		},
		{
			"a number that is none", "a: 1\n", "a", Number("1.2.3"), ErrValue,
			`line 1, column 4: key "a": the new value "1.2.3" is not a number; give another value`,
		},
		{
			"a value that is not UTF-8", "a: 1\n", "a", String("\xff"), ErrValue,
			`line 1, column 4: key "a": the new value is not UTF-8; give another value`,
		},
		{
			"a bare key in a flow mapping", "{a}\n", "a", String("x"), ErrValue,
			`line 1, column 3: key "a": the value cannot be changed to "x" without changing anything else; write the old value on one line, quoted, and repeat the edit`,
		},
		{"an empty key", "a: 1\n", "", String("x"), ErrKeyNotFound, `the key is empty; write a dotted path such as "spec.image.tag"`},
		{"an empty file", "", "a", String("x"), ErrKeyNotFound, `key "a": the file has no content; add the key to the file`},
		{"a file of comments", "# a: 1\n", "a", String("x"), ErrKeyNotFound, `key "a": the file has no content; add the key to the file`},
		{"a broken file", "a: [1\n", "a", String("x"), ErrSyntax, `the file is not valid YAML: line 1: did not find expected ',' or ']'`},
		{"a version directive of the future", "%YAML 1.2\n---\na: 1\n", "a", String("x"), ErrSyntax, `the file is not valid YAML: found incompatible YAML document`},
		{"a file in UTF-16", "\xff\xfea\x00:\x00 \x00b\x00", "a", String("x"), ErrSyntax, `the file is not UTF-8; convert it to UTF-8`},
		{"a file that is too large", strings.Repeat("#", maxBytes+1), "a", String("x"), ErrTooLarge, `the file has 10485761 bytes, more than the 10485760 that can be edited; split it`},
		{"aliases that explode", bomb, "a.0", String("x"), ErrTooLarge, `line 7, column 4: the aliases of the document expand to more than 10000000 values; simplify the file`},
		{"an anchor that contains itself", "a: &a [*a]\n", "a.0", String("x"), ErrTooLarge, `line 1, column 4: the anchor "a" contains an alias of itself; simplify the file`},
		{"deep nesting", strings.Repeat("[", 600) + strings.Repeat("]", 600), "0", String("x"), ErrTooLarge, `line 1, column 501: the document is nested more than 500 levels deep; simplify the file`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			src := []byte(tt.src)
			out, changes, err := Set(src, Edit{Key: tt.key, Value: tt.value})
			if !errors.Is(err, tt.want) || out != nil || changes != nil {
				t.Fatalf("Set = %q, %v, %v, want %v", out, changes, err, tt.want)
			}
			if diff := cmp.Diff(tt.text, err.Error()); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Errorf("%T is not *Error", err)
			}
			if string(src) != tt.src {
				t.Error("the source was modified")
			}
		})
	}
}

func TestSetIsAllOrNothing(t *testing.T) {
	src := []byte("a: 1 # x\nb: 'v1'\nc: 3\n")
	out, changes, err := Set(src, Edit{Key: "b", Value: String("v2")}, Edit{Key: "a", Value: Number("10")})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("a: 10 # x\nb: 'v2'\nc: 3\n", string(out)); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
	want := []Change{{Key: "b", Old: "v1", New: "v2", Line: 2}, {Key: "a", Old: "1", New: "10", Line: 1}}
	if diff := cmp.Diff(want, changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if out, _, err := Set(src, Edit{Key: "b", Value: String("v2")}, Edit{Key: "d", Value: Number("10")}); !errors.Is(err, ErrKeyNotFound) || out != nil {
		t.Errorf("Set with a wrong second edit = %q, %v", out, err)
	}
	if out, changes, err := Set(src); err != nil || !bytes.Equal(out, src) || changes != nil {
		t.Errorf("Set without edits = %q, %v, %v", out, changes, err)
	}
}

func TestGet(t *testing.T) {
	src := []byte("# c\na:\n  - t: '1.10'\n    n: 1.10\nb: yes\nc:\nd: 2024-01-02\n")
	for key, want := range map[string]Scalar{
		"a.0.t": {"1.10", "!!str", 3, 8},
		"a.0.n": {"1.10", "!!float", 4, 8},
		"b":     {"yes", "!!str", 5, 4},
		"c":     {"", "!!null", 6, 3},
		"d":     {"2024-01-02", "!!timestamp", 7, 4},
	} {
		got, err := Get(src, key)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Get(%q) (-want +got):\n%s", key, diff)
		}
	}
	if _, err := Get(src, "a.0"); !errors.Is(err, ErrNotScalar) {
		t.Errorf("Get of a mapping = %v", err)
	}
}

func FuzzSet(f *testing.F) {
	for _, src := range []string{
		"a: v1 # c\nb: {c: 'x', d: [1, \"y\\\"\"]}\n", "a: |\n  x\n  y\n\n# c\nb: 1\n", "a: &x !!str v1\r\nb: *x\r\n",
		"- a\n-\n- >-\n  x\n   y\n", "\xef\xbb\xbf---\n# e\n---\na: one\n  two\n...\n", "? a\n: b\n<<: {c: d}\n", "a: 'x\n\n  y'\nb:\n",
		"a: |2+\n    x\n \n", "ä: \"\\u00e4\\\n  b\"", "a: [x, {b: , c}, ]",
	} {
		for _, key := range []string{"a", "b.c", "2"} {
			f.Add([]byte(src), key, "1.10")
			f.Add([]byte(src), key, "x\n y\n")
		}
	}
	f.Fuzz(func(t *testing.T, src []byte, key, value string) {
		docs, err := parse(src)
		if err != nil {
			return
		}
		out, changes, err := Set(src, Edit{Key: key, Value: String(value)})
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		target, err := find(docs, key)
		if err != nil {
			t.Fatal(err)
		}
		s, ok := locate(src, target)
		if !ok || !bytes.HasPrefix(out, src[:s.start]) || !bytes.HasSuffix(out, src[s.end:]) || len(out) < len(src)-(s.end-s.start) {
			t.Fatalf("Set(%q, %q, %q) changed more than %+v: %q", src, key, value, s, out)
		}
		got, err := Get(out, key)
		if err != nil || got.Text != value || changes[0].Old != target.node.Value {
			t.Fatalf("Get(%q, %q) = %+v, %v after setting %q in %q", out, key, got, err, value, src)
		}
		after, err := parse(out)
		if err != nil || !sameExcept(docs, after, target.node, value, got.Tag) {
			t.Fatalf("Set(%q, %q, %q) = %q is another document: %v", src, key, value, out, err)
		}
		again, _, err := Set(out, Edit{Key: key, Value: String(value)})
		if err != nil || !bytes.Equal(again, out) {
			t.Fatalf("Set(%q, %q, %q) again = %q, %v", out, key, value, again, err)
		}
	})
}

// FuzzString checks with the parser that Kubernetes uses, which follows YAML 1.1, that text stays text.
func FuzzString(f *testing.F) {
	for _, s := range []string{"v1", "1.10", "yes", "0b1_0", "1:30", "x: y", "\u0085", "-", "2001-1-1 1:2:3Z", "=", "\U000e0001"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, src := range []string{"a: x\nb: 1\n", "a: 'x'\n", "{a: x, b: [1]}", "a: |\n  x\nb: 1\n", "a: 1\n", "a:\n"} {
			out, _, err := Set([]byte(src), Edit{Key: "a", Value: String(s)})
			if err != nil {
				if !errors.Is(err, ErrValue) {
					t.Fatalf("%q in %q: %v", s, src, err)
				}
				continue
			}
			var got struct{ A any }
			if err := sigsyaml.Unmarshal(out, &got); err != nil {
				t.Fatalf("%q in %q = %q: %v", s, src, out, err)
			}
			if got.A != s {
				t.Fatalf("%q in %q = %q is read as %#v", s, src, out, got.A)
			}
		}
	})
}

func FuzzGet(f *testing.F) {
	f.Add([]byte("a: &x {b: 1}\nc: *x\n"), "c.b")
	f.Add([]byte("a: &a [*a]\n"), "a.0.0")
	f.Add([]byte("a: 1\n---\n\"\\u0061\": |\n x"), `\:.:0.a`)
	f.Fuzz(func(t *testing.T, src []byte, key string) {
		got, err := Get(src, key)
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		if got.Line < 1 || got.Column < 1 || got.Tag == "" {
			t.Fatalf("Get(%q, %q) = %+v", src, key, got)
		}
	})
}

func BenchmarkSet(b *testing.B) {
	src := []byte("apiVersion: kro.run/v1alpha1\nkind: Service\nmetadata:\n  name: shop # the shop\n  namespace: dev\nspec:\n" +
		strings.Repeat("  # a comment\n", 8) + "  values:\n    deployment:\n      image: ghcr.io/acme/shop\n      tag: \"1.0.1\"\n      replicas: 2\n")
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		if _, _, err := Set(src, Edit{Key: "spec.values.deployment.tag", Value: String("1.0.2")}); err != nil {
			b.Fatal(err)
		}
	}
}
