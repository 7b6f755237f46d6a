package argocd

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestProjectsPermit(t *testing.T) {
	project := func(spec string) string {
		return "apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {name: web, namespace: argocd}\nspec: {sourceRepos: ['*'], " + spec + "}\n"
	}
	app := func(project, namespace, destination string) string {
		return "---\napiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a, namespace: '" + namespace + "'}\nspec: {project: '" + project + "', destination: " + destination +
			", source: {repoURL: " + ours + ", path: x}}\n"
	}
	const anywhere = "destinations: [{server: '*', namespace: '*'}]"
	clusters := []Cluster{{Name: "eu", Server: "https://eu", Project: "web"}, {Name: "us", Server: "https://us"}, {Name: "sealed"}}
	refused := func(what, remedy string) []string {
		return []string{`apps.yaml:6: error: application "a": project "web" does not let "a" ` + what + "; " + remedy + " [not-permitted-by-project]"}
	}
	tests := []struct {
		name string
		text string
		want []string
	}{
		{"a cluster by its name, permitted by its server", project("destinations: [{server: https://eu, namespace: ns}]") + app("web", "argocd", "{name: eu, namespace: ns}"), nil},
		{"a cluster by its server, permitted by its name", project("destinations: [{name: eu, namespace: ns}]") + app("web", "argocd", "{server: https://eu, namespace: ns}"), nil},
		{
			"another cluster", project("destinations: [{server: https://eu, namespace: ns}]") + app("web", "argocd", "{name: us, namespace: ns}"),
			refused(`deploy to namespace "ns" of "us"`, "add us ns to spec.destinations of the AppProject (apps.yaml:1), or choose another project"),
		},
		{"a cluster whose server nobody knows may be the one", project("destinations: [{server: https://eu, namespace: ns}]") + app("web", "argocd", "{name: mars, namespace: ns}"), nil},
		{
			"but not in another namespace", project("destinations: [{server: https://eu, namespace: ns}]") + app("web", "argocd", "{name: mars, namespace: other}"),
			refused(`deploy to namespace "other" of "mars"`, "add mars other to spec.destinations of the AppProject (apps.yaml:1), or choose another project"),
		},
		{"any server is any name", project(anywhere) + app("web", "argocd", "{name: mars, namespace: ns}"), nil},
		{"a cluster of the project's own", project(anywhere+", permitOnlyProjectScopedClusters: true") + app("web", "argocd", "{name: eu, namespace: ns}"), nil},
		{
			"a cluster of all projects", project(anywhere+", permitOnlyProjectScopedClusters: true") + app("web", "argocd", "{server: https://us, namespace: ns}"),
			refused(`deploy to cluster "us", which is not one of the project's own`, "write project: web for the cluster, or take permitOnlyProjectScopedClusters out of the AppProject (apps.yaml:1)"),
		},
		{
			"Argo CD's own cluster", project(anywhere+", permitOnlyProjectScopedClusters: true") + app("web", "argocd", "{name: in-cluster, namespace: ns}"),
			refused(`deploy to cluster "in-cluster", which is not one of the project's own`, "write project: web for the cluster, or take permitOnlyProjectScopedClusters out of the AppProject (apps.yaml:1)"),
		},
		{"whose a cluster is that nobody knows is not told", project(anywhere+", permitOnlyProjectScopedClusters: true") + app("web", "argocd", "{name: mars, namespace: ns}"), nil},
		{"an Application in another namespace that is listed", project(anywhere+", sourceNamespaces: [team-*]") + app("web", "team-a", "{name: eu}"), nil},
		{"listed by an expression", project(anywhere+", sourceNamespaces: ['/^team-[ab]$/']") + app("web", "team-a", "{name: eu}"), nil},
		{
			"not listed", project(anywhere+", sourceNamespaces: ['/^team-[bc]$/', '/[/', z]") + app("web", "team-a", "{name: eu}"),
			refused(`live in namespace "team-a"`, "add team-a to spec.sourceNamespaces of the AppProject (apps.yaml:1), or choose another project"),
		},
		{
			"a hydrator that writes elsewhere",
			"apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {name: web}\nspec: {sourceRepos: [" + ours + "], " + anywhere + "}\n" +
				"---\napiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a}\nspec: {project: web, destination: {name: eu}, sourceHydrator: {drySource: {repoURL: " + ours + ", path: x}, syncSource: {repoURL: 'https://example.com/x', targetBranch: b, path: p}}}\n",
			refused("take manifests from https://example.com/x", "add https://example.com/x to spec.sourceRepos of the AppProject (apps.yaml:1), or choose another project"),
		},
		{"no project is the default one, which permits all", project(anywhere) + app("", "argocd", "{name: eu}"), nil},
		{
			"a default one that is declared",
			"apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {name: default}\nspec: {sourceRepos: ['*']}\n" + app("", "argocd", "{name: eu, namespace: ns}"),
			[]string{`apps.yaml:6: error: application "a": project "default" does not let "a" deploy to namespace "ns" of "eu"; add eu ns to spec.destinations of the AppProject (apps.yaml:1), or choose another project [not-permitted-by-project]`},
		},
		{
			"a project that nobody declares, once", project(anywhere) + app("wep", "argocd", "{name: eu}") + app("wep", "b", "{name: eu}"),
			[]string{`apps.yaml:6: warning: application "a": project "wep" of "a" is not among the AppProjects of this repository; did you mean "web"? [unknown-project]`},
		},
		{"where no project is declared none is missed", app("wep", "argocd", "{name: eu}"), nil},
		{
			"what holds up a sync",
			project(anywhere + ", signatureKeys: [{keyID: AB}], roles: [{name: x}], orphanedResources: {warn: true}, destinationServiceAccounts: [{}]" +
				", syncWindows: [{kind: allow, applications: ['*']}, {kind: deny, applications: [x]}, {kind: deny, schedule: '0 22 * * *', duration: 8h, applications: ['*']}, {kind: deny, schedule: '0 6 * * 6', duration: 1h, applications: ['*'], manualSync: true}]"),
			[]string{
				`apps.yaml:4:75: info: Argo CD syncs the applications of project "web" only from commits that are signed by one of its signatureKeys [signed-commits-only]`,
				`apps.yaml:4:275: info: Argo CD syncs no application of project "web" for 8h from each "0 22 * * *" on [sync-window]`,
				`apps.yaml:4:348: info: Argo CD syncs no application by itself of project "web" for 1h from each "0 6 * * 6" on [sync-window]`,
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tree := fstest.MapFS{"apps.yaml": {Data: []byte(test.text)}}
			files := scanned(t, tree)
			apps, _ := applicationsIn(t, Input{Tree: tree, Files: files, RepoURLs: []string{ours}})
			projects, findings := Projects(files)
			findings = append(findings, CheckProjects(apps, projects, clusters)...)
			var got []string
			for _, f := range findings {
				got = append(got, f.String())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
