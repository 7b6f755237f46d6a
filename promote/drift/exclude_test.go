package drift

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/diff"
)

func TestFileGlobs(t *testing.T) {
	tests := []struct {
		glob string
		yes  []string
		no   []string
	}{
		{"README.md", []string{"README.md", "a/README.md", "README.md/x"}, []string{"README", "a/README.mdx"}},
		{"*.md", []string{"x.md", "a/b/x.md"}, []string{"x.yaml"}},
		{"own/", []string{"own/x", "a/own/x"}, []string{"owner/x", "own", "a/own"}},
		{"/x.yaml", []string{"x.yaml"}, []string{"a/x.yaml"}},
		{"docs/*.md", []string{"docs/x.md"}, []string{"a/docs/x.md", "docs/a/x.md", "docs"}},
		{"**/test/*.yaml", []string{"test/x.yaml", "a/b/test/x.yaml"}, []string{"test/a/x.yaml", "x.yaml"}},
		{"docs/**", []string{"docs/x", "docs/a/b"}, []string{"docs", "a/docs/x"}},
		{"a/b/", []string{"a/b/x", "a/b/c/x"}, []string{"a/b", "c/a/b/x"}},
		{"a/**/z", []string{"a/z", "a/b/z", "a/b/c/z/y"}, []string{"z", "b/a/z"}},
	}
	for _, test := range tests {
		t.Run(test.glob, func(t *testing.T) {
			g, err := parseFileGlob(test.glob)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range test.yes {
				if !g.matches(name, false) {
					t.Errorf("%q is not matched", name)
				}
			}
			for _, name := range test.no {
				if g.matches(name, false) {
					t.Errorf("%q is matched", name)
				}
			}
		})
	}
}

const pruned = `
metadata: {annotations: {example.com/a: x, example.com/b: z, other: w}}
spec:
  containers: [{name: web, image: a}, {name: job, image: b}]
  args: [x, z]
  "a.b": {c: x}
  "*": x
`

func TestPrune(t *testing.T) {
	tests := []struct {
		key  string
		want []string // the paths that are gone
	}{
		{"spec", []string{"spec"}},
		{`metadata.annotations.example\.com/*`, []string{`metadata.annotations["example.com/a"]`, `metadata.annotations["example.com/b"]`}},
		{"metadata.annotations.*", []string{"metadata"}},
		{"spec.containers.*.image", []string{"spec.containers[name=web].image", "spec.containers[name=job].image"}},
		{"spec.containers[*].image", []string{"spec.containers[name=web].image", "spec.containers[name=job].image"}},
		{"spec.containers.1.image", []string{"spec.containers[name=job].image"}},
		{"spec.containers[name=web].image", []string{"spec.containers[name=web].image"}},
		{"spec.containers[name=w*]", []string{"spec.containers[name=web]"}},
		{"spec.containers[name=web,image=b]", nil},
		{"spec.containers[name=job,image=b]", []string{"spec.containers[name=job]"}},
		{"spec.args[z]", []string{"spec.args[1]"}},
		{"spec.args[7]", nil},
		{`spec["a.b"].c`, []string{`spec["a.b"]`}},
		{`spec["*"]`, []string{`spec["*"]`}},
		{"spec.a*", []string{`spec["a.b"]`, "spec.args"}},
		{"nowhere.at.all", nil},
		{"spec.args.x.y", nil},
	}
	docs, err := manifest.Split("x.yaml", []byte(pruned))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		t.Run(test.key, func(t *testing.T) {
			key, err := parseKey(test.key)
			if err != nil {
				t.Fatal(err)
			}
			value, used := manifest.Free(docs[0].Node), map[int]bool{}
			left, _ := prune(value, []trail{{7, key}}, func(i int) { used[i] = true })
			var got []string
			for _, change := range diff.Values(value, left, nil) {
				got = append(got, change.Path)
			}
			if d := cmp.Diff(test.want, got); d != "" {
				t.Errorf("gone (-want +got):\n%s", d)
			}
			if (len(test.want) > 0) != slices.Contains(slices.Collect(maps.Keys(used)), 7) {
				t.Errorf("used: %v", used)
			}
			if d := cmp.Diff(manifest.Free(docs[0].Node), value); d != "" {
				t.Errorf("the value was changed:\n%s", d)
			}
		})
	}
}
