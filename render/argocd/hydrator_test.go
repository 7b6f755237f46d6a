package argocd

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// hydrated writes an Application with a sourceHydrator.
func hydrated(name, dry, sync, to string) string {
	return "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: " + name + "}\nspec:\n  sourceHydrator:\n    drySource: {repoURL: " + ours + ", path: charts/x, targetRevision: " + dry + ", helm: {releaseName: r}}\n" +
		"    syncSource: " + sync + "\n    hydrateTo: " + to + "\n---\n"
}

func TestHydrators(t *testing.T) {
	const sync = "{targetBranch: env/dev, path: x}"
	dry := Source{RepoURL: ours, Path: "charts/x", TargetRevision: "HEAD", Helm: map[string]any{"releaseName": "r"}}
	tests := []struct {
		name     string
		text     string
		revision string
		want     []Source // of the first Application
		deployed bool
		findings []string
	}{
		{"on the branch of the dry source", hydrated("a", "HEAD", sync, "{}"), "main", []Source{dry}, false, nil},
		{"on no branch", hydrated("a", "HEAD", sync, "{}"), "", []Source{dry}, false, nil},
		{"on the branch that is deployed", hydrated("a", "HEAD", sync, "{}"), "env/dev", []Source{{RepoURL: ours, Path: "x", TargetRevision: "env/dev"}}, true, nil},
		{"spelled in full", hydrated("a", "HEAD", sync, "{}"), "refs/heads/env/dev", []Source{{RepoURL: ours, Path: "x", TargetRevision: "env/dev"}}, true, nil},
		{"on the branch that is written to first", hydrated("a", "HEAD", sync, "{targetBranch: env/dev-next}"), "env/dev-next", []Source{{RepoURL: ours, Path: "x", TargetRevision: "env/dev-next"}}, true, nil},
		{"a branch of both shows the dry source", hydrated("a", "env/dev", sync, "{}"), "env/dev", []Source{{RepoURL: ours, Path: "charts/x", TargetRevision: "env/dev", Helm: dry.Helm}}, false, nil},
		{
			"another repository is written to", hydrated("a", "HEAD", "{repoURL: https://example.com/manifests, targetBranch: env/dev, path: x}", "{}"), "env/dev",
			[]Source{{RepoURL: "https://example.com/manifests", Path: "x", TargetRevision: "env/dev"}},
			true,
			nil,
		},
		{
			"at the root", hydrated("a", "HEAD", "{targetBranch: env/dev, path: ./}", "{}"), "main",
			[]Source{dry},
			false,
			[]string{`apps.yaml:1: error: application "a": sourceHydrator would write the manifests of "a" to the root of branch "env/dev", which Argo CD refuses; write a folder in spec.sourceHydrator.syncSource.path [hydrates-to-root]`},
		},
		{
			"without a branch", hydrated("a", "HEAD", "{path: x}", "{}"), "main",
			[]Source{dry},
			false,
			[]string{`apps.yaml:1: error: application "a": sourceHydrator of "a" has no syncSource.targetBranch; add one [invalid-application]`},
		},
		{
			"two in one folder", hydrated("a", "HEAD", sync, "{}") + hydrated("b", "HEAD", "{targetBranch: env/dev, path: ./x/}", "{}"), "main",
			[]Source{dry},
			false,
			[]string{`apps.yaml:10: error: application "b": sourceHydrator would write the manifests of "b" to folder "x" of branch "env/dev", as that of "a" (apps.yaml:1) does; give each a folder of its own in spec.sourceHydrator.syncSource.path [hydrates-to-same-folder]`},
		},
		{"two in one folder of two branches", hydrated("a", "HEAD", sync, "{}") + hydrated("b", "HEAD", "{targetBranch: env/test, path: x}", "{}"), "main", []Source{dry}, false, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tree := fstest.MapFS{"apps.yaml": {Data: []byte(test.text)}}
			memory := NewMemory(100)
			applicationsOf(t, memory, tree) // on main
			in := Input{Tree: tree, Files: scanned(t, tree), RepoURLs: []string{ours}, Revision: test.revision, Memory: memory}
			apps, findings := applicationsIn(t, in)
			if diff := cmp.Diff(test.want, apps[0].Sources); diff != "" {
				t.Errorf("sources (-want +got):\n%s", diff)
			}
			if apps[0].Hydrator.Deployed != test.deployed {
				t.Errorf("deployed is %t", apps[0].Hydrator.Deployed)
			}
			if diff := cmp.Diff(test.findings, findings); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAHydratorOfAnApplicationSet(t *testing.T) {
	text := set(`  generators: [{list: {elements: [{env: dev}, {env: test}]}}]
  template:
    metadata: {name: 'x-{{env}}'}
    spec:
      sourceHydrator:
        drySource: {repoURL: ` + ours + `, path: 'charts/{{env}}', targetRevision: HEAD}
        syncSource: {targetBranch: 'env/{{env}}', path: 'x-{{env}}'}
        hydrateTo: {targetBranch: 'env/{{env}}-next'}
`)
	tree := fstest.MapFS{"apps.yaml": {Data: []byte(text)}}
	for revision, want := range map[string]string{"main": "charts/dev charts/test", "env/dev": "x-dev charts/test", "env/test-next": "charts/dev x-test"} {
		apps, findings := applicationsIn(t, Input{Tree: tree, Files: scanned(t, tree), RepoURLs: []string{ours}, Revision: revision})
		var got []string
		for _, app := range apps {
			got = append(got, app.Sources[0].Path)
		}
		if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" || len(findings) > 0 {
			t.Errorf("%s (-want +got):\n%s\nfindings %v", revision, diff, findings)
		}
	}
}
