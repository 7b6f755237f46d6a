package directory

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func configMap(name string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\n"
}

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text), Mode: 0o644} }

func outcome(r Result) []string {
	var out []string
	for _, o := range r.Objects {
		out = append(out, fmt.Sprintf("%s:%d %s", o.Source.File, o.Source.Line, o.ID().Name))
	}
	for _, f := range r.Findings {
		out = append(out, f.String())
	}
	if r.Failed {
		out = append(out, "failed")
	}
	if r.Partial {
		out = append(out, "partial")
	}
	return out
}

func TestSelection(t *testing.T) {
	tree := fstest.MapFS{}
	for _, name := range []string{"app/a.yaml", "app/b.yml", "app/c.json", "app/d.txt", "app/e.yaml.bak", "app/sub/a.yaml", "app/sub/deep/z.yaml", "app/z.yaml", "app/Sub2/x.yaml", "other/o.yaml"} {
		text := configMap(strings.NewReplacer("/", "-", ".", "-").Replace(name))
		if strings.HasSuffix(name, ".json") {
			text = `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}`
		}
		tree[name] = file(text)
	}
	tests := []struct {
		name string
		req  Request
		want []string
	}{
		{"the top level only, by ending", Request{}, []string{"a.yaml", "b.yml", "c.json", "z.yaml"}},
		{"everything below, in the order of a walk", Request{Recurse: true}, []string{"Sub2/x.yaml", "a.yaml", "b.yml", "c.json", "sub/a.yaml", "sub/deep/z.yaml", "z.yaml"}},
		{"a star crosses slashes", Request{Recurse: true, Include: "*.yaml"}, []string{"Sub2/x.yaml", "a.yaml", "sub/a.yaml", "sub/deep/z.yaml", "z.yaml"}},
		{"alternatives", Request{Recurse: true, Include: "{a.yaml,sub/deep/*}"}, []string{"a.yaml", "sub/deep/z.yaml"}},
		{"exclude wins over include", Request{Recurse: true, Include: "sub/*", Exclude: "sub/deep/*"}, []string{"sub/a.yaml"}},
		{"exclude alone", Request{Exclude: "{b.yml,c.json}"}, []string{"a.yaml", "z.yaml"}},
		{"a class", Request{Include: "[ab].y*"}, []string{"a.yaml", "b.yml"}},
		{"a question mark", Request{Include: "?.json"}, []string{"c.json"}},
		{"patterns are for the whole relative path", Request{Recurse: true, Include: "a.yaml"}, []string{"a.yaml"}},
		{"two stars", Request{Recurse: true, Include: "**/z.yaml"}, []string{"sub/deep/z.yaml"}},
		{"include matches nothing below without recurse", Request{Include: "sub/*"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			req := test.req
			req.Tree, req.Path = tree, "app"
			result := Render(t.Context(), req)
			var got []string
			for _, input := range result.Inputs {
				got = append(got, strings.TrimPrefix(input, "app/"))
			}
			if diff := cmp.Diff(test.want, got); diff != "" || len(result.Findings) > 0 {
				t.Errorf("files (-want +got):\n%s\nfindings %v", diff, result.Findings)
			}
		})
	}
}

func TestContent(t *testing.T) {
	tests := []struct {
		name string
		tree fstest.MapFS
		want []string
	}{
		{"several documents", fstest.MapFS{"a.yaml": file("# head\n" + configMap("a") + "---\n---\n# b\n" + configMap("b"))}, []string{"a.yaml:2 a", "a.yaml:8 b"}},
		{"lists are flattened", fstest.MapFS{"a.yaml": file("kind: List\nitems:\n- {kind: A, metadata: {name: x}}\n- {kind: A, metadata: {name: z}}\n")}, []string{"a.yaml:1 x", "a.yaml:1 z"}},
		{"a null list is dropped", fstest.MapFS{"a.yaml": file("kind: ConfigMapList\nitems: null\n")}, nil},
		{"a marked file is passed over", fstest.MapFS{"a.yaml": file("# +argocd:skip-file-rendering\n" + configMap("a"))}, nil},
		{"YAML that is no manifest is passed over", fstest.MapFS{"values.yaml": file("replicas: 3\n"), "broken.yaml": file("a: [\n")}, nil},
		{"broken YAML that looks like a manifest", fstest.MapFS{"a.yaml": file(configMap("a") + "data: [\n")}, []string{"a.yaml:4: error: not YAML: did not find expected node content [invalid-manifest]", "failed"}},
		{"broken YAML behind a good document", fstest.MapFS{"a.yaml": file(configMap("a") + "---\nx: [\n")}, []string{"a.yaml:5: error: not YAML: did not find expected node content [invalid-manifest]", "failed"}},
		{"an object without kind behind a good document", fstest.MapFS{"a.yaml": file(configMap("a") + "---\nx: 1\n")}, []string{"a.yaml:5: error: the object has no kind; add one, or exclude the file [invalid-manifest]", "failed"}},
		{"one JSON object", fstest.MapFS{"a.json": file(`{"kind": "A", "metadata": {"name": "x"}}`)}, []string{"a.json:1 x"}},
		{"several JSON objects", fstest.MapFS{"a.json": file(`{"kind": "A"} {"kind": "B"}`)}, []string{"a.json: error: holds several JSON objects; Argo CD takes only one per JSON file; use one file per object, or YAML [invalid-manifest]", "failed"}},
		{"JSON that is no manifest", fstest.MapFS{"a.json": file(`{"a": 1}`)}, []string{"a.json: error: the object has no kind; add one, or exclude the file [invalid-manifest]", "failed"}},
		{"a link", fstest.MapFS{"a.yaml": {Data: []byte("/etc/passwd"), Mode: fs.ModeSymlink}}, []string{"a.yaml: error: is a symbolic link, which is not followed; put the file itself here [invalid-manifest]", "failed"}},
		{"too much", fstest.MapFS{"a.yaml": file(strings.Repeat("#", 6<<20)), "b.yaml": file(strings.Repeat("#", 6<<20))}, []string{"b.yaml: error: with this file the directory's manifests have more than 10485760 bytes together; split the application [invalid-manifest]", "failed"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := outcome(Render(t.Context(), Request{Tree: test.tree, Path: "."}))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPrograms gives Jsonnet files to a directory. What evaluating them may end in is package jsonnet's to prove.
func TestPrograms(t *testing.T) {
	object := func(name string) string {
		return "{apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: '" + name + "'}}"
	}
	const refusal = "; join lists with +, or by std.flattenArrays [invalid-manifest]"
	tests := []struct {
		name string
		tree fstest.MapFS
		want []string
	}{
		{"one object, between manifests", fstest.MapFS{"a.yaml": file(configMap("a")), "b.jsonnet": file(object("b")), "c.yaml": file(configMap("c"))}, []string{"a.yaml:1 a", "b.jsonnet:0 b", "c.yaml:1 c"}},
		{"a list, in which null is nothing", fstest.MapFS{"a.jsonnet": file("[" + object("a") + ", null, " + object("b") + "]")}, []string{"a.jsonnet:0 a", "a.jsonnet:0 b"}},
		{"a Kubernetes list is flattened", fstest.MapFS{"a.jsonnet": file("{kind: 'List', apiVersion: 'v1', items: [" + object("a") + "]}")}, []string{"a.jsonnet:0 a"}},
		{"nothing", fstest.MapFS{"a.jsonnet": file("null"), "b.jsonnet": file("[]")}, nil},
		{"libraries are not evaluated", fstest.MapFS{"a.libsonnet": file("error 'no'")}, nil},
		{"a marked program is passed over", fstest.MapFS{"a.jsonnet": file("// +argocd:skip-file-rendering\nerror 'no'")}, nil},
		{"lists inside of a list", fstest.MapFS{"a.jsonnet": file("[[" + object("a") + "]]")}, []string{"a.jsonnet: error: value 1 of what the program makes is no object: Argo CD takes one object or a list of objects, without lists in it" + refusal, "failed"}},
		{"a text", fstest.MapFS{"a.jsonnet": file("'a'")}, []string{"a.jsonnet: error: value 1 of what the program makes is no object: Argo CD takes one object or a list of objects, without lists in it" + refusal, "failed"}},
		{"a map of objects", fstest.MapFS{"a.jsonnet": file("{a: " + object("a") + "}")}, []string{"a.jsonnet: error: object 1 of what the program makes has no kind; return Kubernetes objects; a map of them becomes a list by std.objectValues [invalid-manifest]", "failed"}},
		{"a broken program fails the directory", fstest.MapFS{"a.yaml": file(configMap("a")), "b.jsonnet": file("{\n")}, []string{`b.jsonnet:2:1: error: Unexpected: end of file while parsing field definition [invalid-manifest]`, "failed"}},
		{
			"a program beyond a bound leaves the manifests",
			fstest.MapFS{"a.yaml": file(configMap("a")), "b.jsonnet": file("local d(s, n) = if n == 0 then s else d(s + s, n - 1); d('x', 24)")},
			[]string{"a.yaml:1 a", "b.jsonnet: warning: with this file the Jsonnet programs print more than 10485760 bytes: what it deploys is not shown; split the application [not-rendered-offline]", "partial"},
		},
		{"a long program does not count as a manifest", fstest.MapFS{"a.jsonnet": file(object("a") + strings.Repeat("\n", 6<<20)), "b.yaml": file(configMap("b") + strings.Repeat("#", 6<<20))}, []string{"a.jsonnet:0 a", "b.yaml:1 b"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, outcome(Render(t.Context(), Request{Tree: test.tree, Path: "."}))); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRequestErrors(t *testing.T) {
	tree := fstest.MapFS{"a.yaml": file(configMap("a"))}
	tests := []struct {
		name string
		req  Request
		want []string
	}{
		{"a path that does not exist", Request{Path: "nope"}, []string{`error: path "nope" does not exist at this commit; create it or correct spec.source.path [invalid-source]`, "failed"}},
		{"a path that leaves the repository", Request{Path: "../x"}, []string{`error: path "../x" is outside the repository; write a path relative to its root [invalid-source]`, "failed"}},
		{"a pattern that is none", Request{Path: ".", Include: "{a"}, []string{"error: directory.include \"{a\" is not a pattern (glob: syntax error at 2: unclosed `{`), so it matches no file; correct the pattern [invalid-glob]"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.req.Tree = tree
			if diff := cmp.Diff(test.want, outcome(Render(t.Context(), test.req))); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNumbersKeepTheirType(t *testing.T) {
	tree := fstest.MapFS{"a.yaml": file("kind: A\nint: 3000\nfloat: 1.5\nbig: 9007199254740993\nyes: yes\ntext: \"1\"\n")}
	result := Render(t.Context(), Request{Tree: tree, Path: "."})
	want := map[string]any{"kind": "A", "int": int64(3000), "float": 1.5, "big": int64(9007199254740993), "true": true, "text": "1"}
	if diff := cmp.Diff(want, result.Objects[0].Fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

// FuzzRender checks that hostile files end in objects or findings, the same ones every time. Programs are not among them: they
// may take all memory, which package render bounds by where it evaluates them.
func FuzzRender(f *testing.F) {
	f.Add(configMap("a"), `{"kind": "A"}`, "*", "")
	f.Add("a: &a [*a]\n---\nkind: List\nitems: [1, {kind: A}]\n", `[]`, "{a,b}*", "b.json")
	f.Add("kind: A\nx: &x [1, 1]\ny: [*x, *x]\n---\n...\n%YAML 1.2\n---\nkind: B", `{"kind": "List", "items": null}`, "[!a]", "**")
	f.Add("\ufeffkind: A\n---\n? {a: b}\n: c\n", `{"kind":1e999}`, "\\", "{{{{")
	f.Fuzz(func(t *testing.T, manifest, json, include, exclude string) {
		req := Request{Tree: fstest.MapFS{"a.yaml": file(manifest), "b.json": file(json)}, Path: ".", Include: include, Exclude: exclude}
		first, again := Render(t.Context(), req), Render(t.Context(), req)
		if diff := cmp.Diff(first, again); diff != "" {
			t.Errorf("two renders differ:\n%s", diff)
		}
		if first.Failed && (len(first.Objects) > 0 || len(first.Findings) == 0) {
			t.Errorf("it failed with %d objects and %v", len(first.Objects), first.Findings)
		}
	})
}
