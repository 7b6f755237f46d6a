package yamlmerge

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

const deployment = `apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      containers:
      - name: app
        image: app:1 # the app
        args: [a, b]
      - name: proxy
        image: proxy:1
`

func TestMerge(t *testing.T) {
	for name, c := range map[string]struct {
		files []string
		want  string
	}{
		"later files win, comments and order stay": {
			[]string{"# top\na: 1 # one\nb:\n  # inner\n  c: x\nz: 0\n", "b:\n  c: y\na: 2\nn: 3\n", "a: 4\n"},
			"# top\na: 4 # one\nb:\n  # inner\n  c: y\nz: 0\nn: 3\n",
		},
		"null takes a key away":            {[]string{"a: 1\nb: {c: 1, d: 2}\n", "a: null\nb: {c: ~}\n"}, "b: {d: 2}\n"},
		"null takes nothing away from new": {[]string{"a: 1\n", "b: {c: null, d: 1}\ne: null\n"}, "a: 1\nb: {d: 1}\n"},
		"a null of the base stays":         {[]string{"a: null\nb: ~\n", "c: 1\n"}, "a: null\nb: ~\nc: 1\n"},
		"lists are replaced":               {[]string{"l: [1, 2]\nm:\n  - x\n", "l: [3]\nm:\n  - y\n"}, "l: [3]\nm:\n  - y\n"},
		"lists of names too, in values":    {[]string{"l:\n- {name: a, v: 1}\n", "l:\n- {name: a, w: 1}\n"}, "l:\n- {name: a, w: 1}\n"},
		"another type replaces":            {[]string{"a: {b: 1}\nc: x\n", "a: [1]\nc: {d: 1}\n"}, "a: [1]\nc: {d: 1}\n"},
		"types and quotes are kept":        {[]string{"a: \"1.10\"\nb: 1.10\n", "a: 1.20\nb: '1.20'\n"}, "a: 1.20\nb: '1.20'\n"},
		"an alias is a value of its own":   {[]string{"x: &a {k: v}\ny: *a\n", "y: {k: w}\n"}, "x: {k: v}\ny: {k: w}\n"},
		"a merge key is written out":       {[]string{"x: &a {k: v, l: 1}\nz:\n  <<: *a\n  l: 2\n", "z: {m: 3}\n"}, "x: {k: v, l: 1}\nz:\n  l: 2\n  k: v\n  m: 3\n"},
		"aliases of a later file":          {[]string{"a: 1\n", "x: &q [1]\ny: *q\n"}, "a: 1\nx: [1]\ny: [1]\n"},
		"empty files change nothing":       {[]string{"", "a: 1\n", "# nothing\n", "---\n"}, "a: 1\n"},
		"nothing is left":                  {[]string{"a: 1\n", "a: null\n"}, "{}\n"},
		"the indent of lists stays":        {[]string{"a:\n- 1\n", "b:\n    - 2\n"}, "a:\n- 1\nb:\n- 2\n"},
		"one file is written out":          {[]string{"a: &x 1\nb: *x\n"}, "a: 1\nb: 1\n"},
		"containers are merged by name": {
			[]string{deployment, "spec: {template: {spec: {containers: [{name: proxy, image: 'proxy:2'}, {name: new, image: 'n:1'}, {name: app, args: [c]}]}}}\n"},
			strings.NewReplacer("proxy:1", "'proxy:2'", "[a, b]", "[c]").Replace(deployment) + "      - {name: new, image: 'n:1'}\n",
		},
		"a container is deleted": {
			[]string{deployment, "spec: {template: {spec: {containers: [{name: proxy, $patch: delete}]}}}\n"},
			strings.Replace(deployment, "      - name: proxy\n        image: proxy:1\n", "", 1),
		},
		"finalizers add up": {
			[]string{"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  finalizers: [a]\n", "metadata: {finalizers: [b, a]}\n"},
			"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  finalizers: [a, b]\n",
		},
		"a mapping is replaced on request": {[]string{"a: {b: 1, c: 2}\n", "a: {$patch: replace, d: 3}\n"}, "a: {d: 3}\n"},
		"a byte order mark goes":           {[]string{"\ufeffa: 1\r\nb: 2\r\n", "a: 2\n"}, "a: 2\nb: 2\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var files []File
			for _, text := range c.files {
				files = append(files, File{"f.yaml", []byte(text)})
			}
			got, err := Merge(files...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestProblemsAreExplained(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"several documents":  {"a: 1\n---\nb: 2\n", `"f.yaml": the file holds 2 documents`},
		"a list":             {"- a\n", `line 1: the file is no mapping`},
		"not YAML":           {"a: [", "the file is not valid YAML"},
		"a key twice":        {"a: 1\nb: 1\na: 2\n", `line 3: the mapping has "a" twice`},
		"a key that is none": {"? [a]\n: 1\n", "a key is no single value"},
		"a directive":        {"a: {$patch: purge}\n", `line 1: $patch is "purge"`},
		"an alias of itself": {"a: &a {b: *a}\n", "contains an alias of itself"},
		"aliases that blow up": {
			"a: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\n" +
				"d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\ne: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\nf: [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]\n", "more than 1000000 values",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Merge(File{"base.yaml", []byte("a: {}\n")}, File{"f.yaml", []byte(c.text)})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v\nwant %s", err, c.want)
			}
		})
	}
}

// FuzzMerge checks that merging never fails to be YAML, and that a file laid over itself changes nothing but its nulls.
func FuzzMerge(f *testing.F) {
	f.Add("a: 1 # one\nb: [x, {c: d}]\n", "b: null\n")
	f.Add(deployment, "spec: {template: {spec: {containers: [{name: app, $patch: delete}]}}}")
	f.Add("x: &a {k: v}\ny: {<<: [*a, *a]}\n# end\n", "# head\ny: |\n  text\n")
	f.Add("a: {b: 1, # c\n  d: 2}\n", "a:\n  # e\n  f: [ ]\n")
	f.Fuzz(func(t *testing.T, base, over string) {
		out, err := Merge(File{"a", []byte(base)}, File{"b", []byte(over)})
		if err != nil {
			return
		}
		var fields any
		if err := yaml.Unmarshal(out, &fields); err != nil && !strings.Contains(err.Error(), "json") && !strings.Contains(err.Error(), "cannot decode") {
			t.Fatalf("%q and %q: %q: %v", base, over, out, err)
		}
		again, err := Merge(File{"a", out})
		if err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		twice, err := Merge(File{"a", again})
		if err != nil || string(twice) != string(again) {
			t.Fatalf("%q, then %q: %v", again, twice, err)
		}
	})
}
