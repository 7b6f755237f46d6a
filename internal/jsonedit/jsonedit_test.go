package jsonedit

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSet(t *testing.T) {
	for name, c := range map[string]struct {
		src   string
		edits []Edit
		want  string
	}{
		"only the value changes": {
			"{\n\t\"image\" :  { \"tag\": \"v1\" , \"n\": 12345678901234567890.10 }\n}\n",
			[]Edit{{"image.tag", String("v2")}},
			"{\n\t\"image\" :  { \"tag\": \"v2\" , \"n\": 12345678901234567890.10 }\n}\n",
		},
		"line endings and a byte order mark stay":    {"\ufeff{\r\n  \"a\": 1\r\n}", []Edit{{"a", Number("2")}}, "\ufeff{\r\n  \"a\": 2\r\n}"},
		"a large number is kept as written":          {`{"a":1}`, []Edit{{"a", Number("123456789012345678901234567890")}}, `{"a":123456789012345678901234567890}`},
		"a number that replaces text becomes text":   {`{"a":"1.10"}`, []Edit{{"a", Number("1.20")}}, `{"a":"1.20"}`},
		"text that replaces a number is text":        {`{"a":1}`, []Edit{{"a", String("1.10")}}, `{"a":"1.10"}`},
		"a boolean replaces null":                    {`{"a":null}`, []Edit{{"a", Bool(true)}}, `{"a":true}`},
		"markup is not escaped":                      {`{"a":""}`, []Edit{{"a", String("<b>&\"\n")}}, `{"a":"<b>&\"\n"}`},
		"an escape that means the same stays":        {`{"a":"\u0041"}`, []Edit{{"a", String("A")}}, `{"a":"\u0041"}`},
		"a dot in a key is escaped":                  {`{"example.com/v":{"x":1}}`, []Edit{{`example\.com/v.x`, Number("2")}}, `{"example.com/v":{"x":2}}`},
		"an index leads into a list":                 {`[{"a":1},{"a":2}]`, []Edit{{"1.a", Number("3")}}, `[{"a":1},{"a":3}]`},
		"a colon forces a key of digits":             {`{"0":1}`, []Edit{{":0", Number("2")}}, `{"0":2}`},
		"a key may be written with escapes":          {`{"\u0061":1}`, []Edit{{"a", Number("2")}}, `{"\u0061":2}`},
		"brackets in text are text":                  {`{"x":"}]{[\"","a":1}`, []Edit{{"a", Number("2")}}, `{"x":"}]{[\"","a":2}`},
		"a missing key is laid out like its sibling": {"{\n  \"a\": 1\n}\n", []Edit{{"b", String("x")}}, "{\n  \"a\": 1,\n  \"b\": \"x\"\n}\n"},
		"a missing key of a compact file is compact": {`{"a":1}`, []Edit{{"b", Number("2")}}, `{"a":1,"b":2}`},
		"objects on the way are made":                {`{}`, []Edit{{"a.b.c", Number("1")}}, `{"a": {"b": {"c": 1}}}`},
		"a list on the way is made":                  {`{"a":1}`, []Edit{{"l.0.n", String("x")}}, `{"a":1,"l":[{"n": "x"}]}`},
		"the index after the last appends":           {`{"a":[1, 2]}`, []Edit{{"a.2", Number("3")}}, `{"a":[1, 2, 3]}`},
		"an empty list takes its first":              {`{"a":[ ]}`, []Edit{{"a.0", Number("3")}}, `{"a":[3 ]}`},
		"a later edit sees an earlier one":           {`{}`, []Edit{{"a.b", Number("1")}, {"a.c", Number("2")}}, `{"a": {"b": 1,"c": 2}}`},
		"a duplicate beside the path is no matter":   {`{"x":{"d":1,"d":2},"a":1}`, []Edit{{"a", Number("2")}}, `{"x":{"d":1,"d":2},"a":2}`},
	} {
		t.Run(name, func(t *testing.T) {
			out, _, err := Set([]byte(c.src), c.edits...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(out)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestChanges(t *testing.T) {
	_, changes, err := Set([]byte(`{"a":1,"b":"x"}`), Edit{"a", Number("2")}, Edit{"b", String("x")}, Edit{"c", Bool(false)})
	if err != nil {
		t.Fatal(err)
	}
	want := []Change{{Key: "a", Old: "1", New: "2"}, {Key: "b", Old: "x", New: "x"}, {Key: "c", New: "false", Created: true}}
	if diff := cmp.Diff(want, changes); diff != "" {
		t.Error(diff)
	}
}

func TestProblemsAreExplained(t *testing.T) {
	for name, c := range map[string]struct{ src, key, want string }{
		"not JSON":                   {"{\n  a: 1}", "a", "line 2: the file is not valid JSON"},
		"an empty file":              {"", "a", "line 1: the file is not valid JSON"},
		"two values":                 {"{} {}", "a", "not valid JSON"},
		"not UTF-8":                  {"{\"a\":\"\xff\"}", "a", "not UTF-8"},
		"too deep":                   {strings.Repeat("[", 20000) + strings.Repeat("]", 20000), "0", "exceeded max depth"},
		"no key":                     {`{}`, "", "the key is empty"},
		"an object":                  {`{"a":{"tag":1}}`, "a", `line 1: key "a": the value is an object, not a single value; append one of its keys: tag`},
		"a list":                     {"{\n\"a\":[]}", "a", `line 2: key "a": the value is a list`},
		"through a single value":     {`{"a":1}`, "a.b", `"a" is a single value and has no key "b"`},
		"a single value as the file": {`1`, "a", `the file is a single value`},
		"an index too far":           {`{"a":[1]}`, "a.3", `the list has 1 elements and no element "3"; write an index from 0; 1 appends`},
		"a name in a list":           {`{"a":[1]}`, "a.b", `no element "b"`},
		"a key twice":                {"{\"a\":1,\n\"a\":2}", "a", `line 2: key "a": the object has "a" twice`},
		"a key twice, escaped":       {`{"a":1,"\u0061":2}`, "a", "twice"},
		"a new list from the middle": {`{}`, "a.2", "begin with .0"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := Set([]byte(c.src), Edit{c.key, String("x")})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v\nwant %s", err, c.want)
			}
		})
	}
	for _, bad := range []Value{Number("0x1F"), Number("+1"), Number("1_0"), Number(""), Number("true"), Number("1 "), {}} {
		if _, _, err := Set([]byte(`{"a":1}`), Edit{"a", bad}); err == nil {
			t.Errorf("%+v was written", bad)
		}
	}
}

func TestGet(t *testing.T) {
	src := []byte(`{"s":"x","n":1.50,"b":true,"z":null,"o":{}}`)
	for key, want := range map[string]Scalar{"s": {"x", KindString}, "n": {"1.50", KindNumber}, "b": {"true", KindBool}, "z": {"null", KindNull}} {
		got, ok, err := Get(src, key)
		if err != nil || !ok || got != want {
			t.Errorf("%s: %+v, %v, %v", key, got, ok, err)
		}
	}
	if _, ok, err := Get(src, "none"); ok || err != nil {
		t.Errorf("a missing key: %v, %v", ok, err)
	}
	if _, _, err := Get(src, "o"); err == nil {
		t.Error("an object was read as a single value")
	}
}

// FuzzSet checks that an edit gives valid JSON in which the key has the value, and that the reverse edit restores every byte.
func FuzzSet(f *testing.F) {
	for _, src := range []string{`{"a":{"b":[1,"x",null,true]}}`, `[]`, "{\n \"a\" : 1e400 }", `{"a":"\ud800"}`, `"x"`, `{"a":{},"b":[ ]}`} {
		f.Add(src, "a.b.1", "v")
		f.Add(src, "a", "\x00")
	}
	f.Fuzz(func(t *testing.T, src, key, value string) {
		old, existed, err := Get([]byte(src), key)
		out, changes, setErr := Set([]byte(src), Edit{key, String(value)})
		if setErr != nil {
			return
		}
		if err != nil {
			t.Fatalf("Set works where Get fails: %v", err)
		}
		if !json.Valid(bytes.TrimPrefix(out, []byte(byteOrder))) {
			t.Fatalf("%q made %q of %q", key, out, src)
		}
		got, ok, err := Get(out, key)
		if err != nil || !ok || got.Kind != KindString || got.Text != value {
			t.Fatalf("%q: got %+v (%v, %v), want %q", key, got, ok, err, value)
		}
		if existed && old.Kind == KindString && !strings.Contains(src, `\`) && !changes[0].Created {
			back, _, err := Set(out, Edit{key, String(old.Text)})
			var a, b any
			if err != nil || json.Unmarshal(bytes.TrimPrefix([]byte(src), []byte(byteOrder)), &a) == nil && (json.Unmarshal(bytes.TrimPrefix(back, []byte(byteOrder)), &b) != nil || !reflect.DeepEqual(a, b)) {
				t.Fatalf("%q: %q, then %q, then %q", key, src, out, back)
			}
		}
	})
}
