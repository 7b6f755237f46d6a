package argocd

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestOverride(t *testing.T) {
	base := Source{RepoURL: ours, Path: "shop", TargetRevision: "HEAD"}
	with := func(change func(*Source)) Source {
		s := base
		change(&s)
		return s
	}
	tests := []struct {
		name      string
		namespace string
		source    Source
		files     map[string]string
		want      Source
		read      []string
		err       string
	}{
		{"nothing is overridden", "", base, nil, base, nil, ""},
		{
			"the file of all applications, then the one of this", "", with(func(s *Source) { s.Directory = &Directory{Recurse: true, Include: "*"} }),
			map[string]string{"shop/.argocd-source.yaml": "directory: {exclude: a, include: b}", "shop/.argocd-source-shop.yaml": "directory: {exclude: b}", "shop/.argocd-source-other.yaml": "directory: {exclude: c}"},
			with(func(s *Source) { s.Directory = &Directory{Recurse: true, Include: "b", Exclude: "b"} }),
			[]string{"shop/.argocd-source.yaml", "shop/.argocd-source-shop.yaml"},
			"",
		},
		{
			"what a source points at stays", "", base,
			map[string]string{"shop/.argocd-source.yaml": "repoURL: x\npath: other\nchart: z\ntargetRevision: v1\nhelm: {releaseName: r}"},
			with(func(s *Source) { s.Helm = map[string]any{"releaseName": "r"} }),
			[]string{"shop/.argocd-source.yaml"},
			"",
		},
		{
			"lists are replaced, mappings are merged, and null removes nothing", "",
			with(func(s *Source) {
				s.Directory, s.Helm = &Directory{Recurse: true}, map[string]any{"valueFiles": []any{"a", "b"}, "releaseName": "r", "valuesObject": map[string]any{"x": "1", "y": "2"}}
			}),
			map[string]string{"shop/.argocd-source.yaml": "directory: null\nhelm: {valueFiles: [c], releaseName: null, valuesObject: {x: null, z: '3'}}"},
			with(func(s *Source) {
				s.Directory, s.Helm = &Directory{Recurse: true}, map[string]any{"valueFiles": []any{"c"}, "releaseName": "r", "valuesObject": map[string]any{"y": "2", "z": "3"}}
			}),
			[]string{"shop/.argocd-source.yaml"},
			"",
		},
		{
			"an application in another namespace goes by both names", "team", base,
			map[string]string{"shop/.argocd-source-shop.yaml": "helm: {releaseName: plain}", "shop/.argocd-source-team_shop.yaml": "helm: {releaseName: both}"},
			with(func(s *Source) { s.Helm = map[string]any{"releaseName": "both"} }),
			[]string{"shop/.argocd-source-team_shop.yaml"},
			"",
		},
		{
			"one in Argo CD's own by its name", "argocd", base,
			map[string]string{"shop/.argocd-source-shop.yaml": "helm: {releaseName: plain}"},
			with(func(s *Source) { s.Helm = map[string]any{"releaseName": "plain"} }),
			[]string{"shop/.argocd-source-shop.yaml"},
			"",
		},
		{
			"a chart has none", "",
			Source{RepoURL: "r", Chart: "redis"},
			map[string]string{".argocd-source.yaml": "helm: {releaseName: r}"},
			Source{RepoURL: "r", Chart: "redis"},
			nil,
			"",
		},
		{"a path that leaves the repository has none", "", with(func(s *Source) { s.Path = "../x" }), nil, with(func(s *Source) { s.Path = "../x" }), nil, ""},
		{"a folder of that name is none", "", base, map[string]string{"shop/.argocd-source.yaml/x": ""}, base, nil, ""},
		{
			"the wrong type", "", base,
			map[string]string{"shop/.argocd-source.yaml": "directory: [1]"},
			base,
			[]string{"shop/.argocd-source.yaml"},
			"shop/.argocd-source.yaml: not a patch of an Application's source: json: cannot unmarshal array into Go struct field sourceSpec.directory of type argocd.directorySpec",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tree := fstest.MapFS{}
			for name, text := range test.files {
				tree[name] = &fstest.MapFile{Data: []byte(text)}
			}
			got, read, err := Application{Name: "shop", Namespace: test.namespace}.Override(tree, test.source)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("source (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.read, read); diff != "" {
				t.Errorf("read (-want +got):\n%s", diff)
			}
			if (err == nil) != (test.err == "") || err != nil && err.Error() != test.err {
				t.Errorf("error %v, want %q", err, test.err)
			}
		})
	}
}

func FuzzOverride(f *testing.F) {
	for _, seed := range []string{"directory: {recurse: true}", "helm: {valuesObject: {a: null}}", "[]", "a: &a [*a]", "kustomize: {images: [x]}\nref: y", "null", "helm: 5"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var tree fs.FS = fstest.MapFS{"x/.argocd-source.yaml": {Data: []byte(text)}}
		source := Source{RepoURL: ours, Path: "x", TargetRevision: "v", Helm: map[string]any{"releaseName": "r"}}
		got, _, err := Application{Name: "a"}.Override(tree, source)
		if err == nil && (got.RepoURL != source.RepoURL || got.Path != "x" || got.TargetRevision != "v" || got.Chart != "") {
			t.Errorf("%q changes what the source points at: %+v", text, got)
		}
	})
}
