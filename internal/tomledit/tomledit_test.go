package tomledit

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"
)

const sample = `# the service
title = "shop"   # trailing
[image]
tag='v1.0.0'
digest = """sha256:
aa"""
pull.policy = "Always"
ratio = 1.50
since = 2024-01-02T03:04:05Z
"example.com/version" = "1"
count = 0x1F

[[server]]
name = "a"
ports = [ 80,  # plain
  443 ]
[[server]]
name = "b"
limits = { cpu = 1, "mem.max" = "1Gi" }
[server.meta]
on = true
`

func TestSet(t *testing.T) {
	for name, c := range map[string]struct {
		key   string
		value Value
		old   string
		new   string
	}{
		"a text keeps its single quotes":           {"image.tag", String("v2"), "'v1.0.0'", "'v2'"},
		"a single quote needs double ones":         {"image.tag", String("it's"), "'v1.0.0'", `"it's"`},
		"a comment behind the value stays":         {"title", String("a \"b\"\n"), `"shop"`, `"a \"b\"\n"`},
		"many lines become one":                    {"image.digest", String("x"), "\"\"\"sha256:\naa\"\"\"", `"x"`},
		"a dotted key":                             {"image.pull.policy", String("Never"), `"Always"`, `"Never"`},
		"a key with a dot":                         {`image.example\.com/version`, String("2"), `"1"`, `"2"`},
		"a number that replaces text is text":      {`image.example\.com/version`, Number("2"), `"1"`, `"2"`},
		"a whole number stays a float":             {"image.ratio", Number("2"), "1.50", "2.0"},
		"a float":                                  {"image.ratio", Number("2.25"), "1.50", "2.25"},
		"a number":                                 {"image.count", Number("7"), "0x1F", "7"},
		"a text that replaces a number":            {"image.count", String("7"), "0x1F", `"7"`},
		"a date stays a date":                      {"image.since", String("2025-06-07"), "2024-01-02T03:04:05Z", "2025-06-07"},
		"what is no date becomes text":             {"image.since", String("soon"), "2024-01-02T03:04:05Z", `"soon"`},
		"an element of a list over many lines":     {"server.0.ports.1", Number("8443"), "443", "8443"},
		"a key of an inline table":                 {"server.1.limits.cpu", Number("2"), "cpu = 1", "cpu = 2"},
		"a quoted key of an inline table":          {`server.1.limits.mem\.max`, String("2Gi"), `"1Gi"`, `"2Gi"`},
		"a table below the last array table":       {"server.1.meta.on", Bool(false), "on = true", "on = false"},
		"the same value leaves its notation alone": {"image.tag", String("v1.0.0"), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			out, changes, err := Set([]byte(sample), Edit{c.key, c.value})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Replace(sample, c.old, c.new, 1), string(out)); diff != "" {
				t.Error(diff)
			}
			if len(changes) != 1 || changes[0].Key != c.key {
				t.Errorf("changes %+v", changes)
			}
		})
	}
}

func TestProblemsAreExplained(t *testing.T) {
	for name, c := range map[string]struct{ src, key, want string }{
		"not TOML":                       {"a = 1\nb = ", "a", "line 2: the file is not valid TOML"},
		"a key twice":                    {"a = 1\na = 2\n", "a", "not valid TOML"},
		"a table below a value":          {"a = 1\n[a.b]\n", "a", "not valid TOML"},
		"an impossible date":             {"a = 2024-99-01\n", "a", "line 1: the file is not valid TOML"},
		"not UTF-8":                      {"a = '\xff'", "a", "not UTF-8"},
		"a list too deep":                {"a = " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "a", "levels deep"},
		"a list far too deep":            {"a = " + strings.Repeat("[", 1<<20), "a", "levels deep"},
		"a dotted key too deep":          {strings.Repeat("a.", 1<<19) + "a = 1", "a", "levels deep"},
		"a header too deep":              {"[" + strings.Repeat("a.", 1<<19) + "a]", "a", "levels deep"},
		"no key":                         {"a = 1", "", "the key is empty"},
		"a missing key names the near":   {"[image]\ntga = 1\nname = 2\n", "image.tag", `"image" has no key "tag"; it has tga, name`},
		"a missing key at the top":       {"a = 1", "b", `the file has no key "b"; it has a`},
		"a table":                        {"[image]\ntag = 1\n", "image", `the value is a table, not a single value; append one of its keys: tag`},
		"a list":                         {"a = [1]", "a", "the value is a list"},
		"an index too far":               {"a = [1]", "a.1", `"a" is a list of 1 elements and has no element "1"`},
		"through a single value":         {"\na = 1", "a.b", `line 2: key "a.b": "a" is a single value and has no key "b"`},
		"a forced key is not an index":   {"a = [1]", "a.:0", "has no element"},
		"a number that TOML cannot hold": {"a = 1", "a", "cannot be changed"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := Set([]byte(c.src), Edit{c.key, Number("99999999999999999999")})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v\nwant %s", err, c.want)
			}
		})
	}
}

func TestDecode(t *testing.T) {
	got, err := Decode([]byte("a = 1\nb = 1.5\ni = -inf\nn = nan\nd = 2024-01-02\nt = 03:04:05\nx = 2024-01-02T03:04:05Z\n[[l]]\nd = 2024-01-02T03:04:05\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"a": int64(1), "b": 1.5, "i": "-inf", "n": "nan", "d": "2024-01-02", "t": "03:04:05", "x": "2024-01-02T03:04:05Z",
		"l": []any{map[string]any{"d": "2024-01-02T03:04:05"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got, err := Decode([]byte("a = 1\n[")); err == nil {
		t.Errorf("read %v", got)
	}
}

// FuzzSet checks that an edit gives valid TOML in which the key has the value, and that the file then differs there only.
func FuzzSet(f *testing.F) {
	f.Add(sample, "image.tag", "v2")
	f.Add(sample, "server.1.limits.cpu", "\x00\u2028")
	f.Add("a.b = [ { c = 1 }, '' ]", "a.b.0.c", "2024-01-02")
	f.Add("a = inf\r\nb = '''\r\n'''", "b", "'''")
	f.Fuzz(func(t *testing.T, src, key, value string) {
		old, err := Get([]byte(src), key)
		out, _, setErr := Set([]byte(src), Edit{key, String(value)})
		if setErr != nil {
			return
		}
		if err != nil {
			t.Fatalf("Set works where Get fails: %v", err)
		}
		var fields map[string]any
		if err := toml.Unmarshal(out, &fields); err != nil {
			t.Fatalf("%q made %q of %q: %v", key, out, src, err)
		}
		got, err := Get(out, key)
		if err != nil || got.Text != value || got.Kind != KindString && got.Kind != KindTime {
			t.Fatalf("%q: got %+v (%v), want %q", key, got, err, value)
		}
		if old.Kind != KindString {
			return
		}
		back, _, err := Set(out, Edit{key, String(old.Text)})
		if err != nil {
			t.Fatalf("%q: %q cannot be undone: %v", key, out, err)
		}
		if again, err := Get(back, key); err != nil || again != old {
			t.Fatalf("%q: %+v, then %+v (%v)", key, old, again, err)
		}
	})
}
