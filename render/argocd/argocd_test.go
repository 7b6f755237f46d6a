package argocd

import (
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

const ours = "https://gitlab.com/your-name/your-repo.git"

// read makes the applications of one file beside some folders.
func applications(t *testing.T, text string, dirs ...string) (apps []Application, findings []string) {
	t.Helper()
	tree := fstest.MapFS{"apps.yaml": {Data: []byte(text)}}
	for _, dir := range dirs {
		tree[dir+"/x.yaml"] = &fstest.MapFile{}
	}
	files, err := manifest.Scan(t.Context(), tree, manifest.Query{Kinds: manifest.ArgoCD()})
	if err != nil {
		t.Fatal(err)
	}
	apps, found, err := Applications(t.Context(), Input{Tree: tree, Files: files, RepoURLs: []string{ours}, Revision: "main"})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		findings = append(findings, f.String())
	}
	return apps, findings
}

// set writes an ApplicationSet with the given generators.
func set(spec string) string {
	return "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: s, namespace: argocd}\nspec:\n" + spec
}

func TestDirectoryGenerator(t *testing.T) {
	dirs := []string{"develop/backend", "develop/frontend/deep", "develop/.hidden", "production/frontend", "develop/legacy", ".github/x", "a[b/c"}
	tests := []struct {
		name  string
		items string
		want  []string
	}{
		{"one level", "[{path: develop/*}]", []string{"develop/backend", "develop/frontend", "develop/legacy"}},
		{"a star does not cross a slash", "[{path: '*'}]", []string{"a[b", "develop", "production"}},
		{"two stars are one", "[{path: develop/**}]", []string{"develop/backend", "develop/frontend", "develop/legacy"}},
		{"any depth by levels", "[{path: '*/*/*'}]", []string{"develop/frontend/deep"}},
		{"excluded, in any order", "[{path: develop/legacy, exclude: true}, {path: develop/*}]", []string{"develop/backend", "develop/frontend"}},
		{"several includes come in the order of the walk", "[{path: production/*}, {path: develop/b*}]", []string{"develop/backend", "production/frontend"}},
		{"an exact folder", "[{path: develop/frontend}]", []string{"develop/frontend"}},
		{"a leading slash never matches", "[{path: /develop/*}]", nil},
		{"a class", "[{path: 'develop/[bf]*'}]", []string{"develop/backend", "develop/frontend"}},
		{"an escaped class", `[{path: 'a\[b/*'}]`, []string{"a[b/c"}},
		{"hidden folders do not exist", "[{path: 'develop/.*'}]", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			apps, findings := applications(t, set(`  generators: [{git: {repoURL: `+ours+`, directories: `+test.items+`}}]
  template:
    metadata: {name: '{{path.basenameNormalized}}-{{path[0]}}'}
    spec: {source: {repoURL: `+ours+`, path: '{{path}}'}, destination: {}}
`), dirs...)
			var got []string
			for _, app := range apps {
				got = append(got, app.Sources[0].Path)
			}
			if diff := cmp.Diff(test.want, got); diff != "" || len(findings) > 0 {
				t.Errorf("folders (-want +got):\n%s\nfindings %v", diff, findings)
			}
		})
	}
}

func TestGenerators(t *testing.T) {
	template := `
  template:
    metadata: {name: 'x-{{a}}'}
    spec: {source: {repoURL: ` + ours + `, path: x}}
`
	goTemplate := `
  goTemplate: true
  template:
    metadata: {name: 'x-{{.a}}', labels: {'{{.a}}': 'l'}}
    spec: {source: {repoURL: ` + ours + `, path: x, helm: {valuesObject: {n: '{{.n}}', k: 1}}}}
`
	tests := []struct {
		name     string
		spec     string
		apps     []string
		findings []string
	}{
		{"list", "  generators: [{list: {elements: [{a: one}, {a: two}]}}]" + template, []string{"x-one", "x-two"}, nil},
		{"list with a number", "  generators: [{list: {elements: [{a: 1}]}}]" + template, nil, []string{`apps.yaml:5:35: error: element 1 of the list generator has a: 1, which is not a string; add quotes, or set goTemplate: true [invalid-generator]`}},
		{"list in Go templates takes any value", "  generators: [{list: {elements: [{a: 1, n: {x: y}}]}}]" + goTemplate, []string{"x-1"}, nil},
		{"elementsYaml", "  generators: [{list: {elementsYaml: \"[{a: z, n: 1}]\"}}]" + goTemplate, []string{"x-z"}, nil},
		{"selector", "  generators: [{list: {elements: [{a: one}, {a: two}, {a: three}]}, selector: {matchExpressions: [{key: a, operator: NotIn, values: [two]}]}}]" + template, []string{"x-one", "x-three"}, nil},
		{"selector by labels", "  generators: [{list: {elements: [{a: one}, {a: two}]}, selector: {matchLabels: {a: two}}}]" + template, []string{"x-two"}, nil},
		{"a generator's own template wins and the gaps are filled", "  generators: [{list: {elements: [{a: one}], template: {metadata: {name: 'own-{{a}}'}}}}]" + template, []string{"own-one"}, nil},
		{"duplicate names", "  generators: [{list: {elements: [{a: one}, {a: one}]}}]" + template, []string{"x-one"}, []string{`apps.yaml:7:16: error: ApplicationSet s contains applications with duplicate name: x-one; make the template's name differ for every parameter set [duplicate-application]`}},
		{"a generator that needs a cluster does not stop the others", "  generators: [{clusters: {}}, {list: {elements: [{a: one}]}}]" + template, []string{"x-one"}, []string{`apps.yaml:5:17: warning: generator cannot be evaluated offline: clusters are only known to Argo CD; list them in lockkeeper.yaml under clusters [not-evaluated-offline]`}},
		{"an unknown generator", "  generators: [{lst: {}}]" + template, nil, []string{`apps.yaml:5:17: error: unknown generator "lst"; did you mean "list"? [invalid-generator]`}},
		{"a repository elsewhere", "  generators: [{git: {repoURL: https://github.com/x/y, directories: [{path: '*'}]}}]" + template, nil, []string{`apps.yaml:5:23: warning: generator reads https://github.com/x/y, which is not this repository: its applications are not shown; if it is this repository, add the URL to those by which it is known [repository-elsewhere]`}},
		{"a repository elsewhere, with a password", "  generators: [{git: {repoURL: 'https://me:hunter%2@github.com/x/y', directories: [{path: '*'}]}}]" + template, nil, []string{`apps.yaml:5:23: warning: generator reads https://github.com/x/y, which is not this repository: its applications are not shown; if it is this repository, add the URL to those by which it is known [repository-elsewhere]`}},
		{"another branch", "  generators: [{git: {repoURL: " + ours + ", revision: stage/x, directories: [{path: '*'}]}}]" + template, nil, []string{`apps.yaml:5:76: warning: generator reads revision "stage/x", not "main": its applications are not shown [revision-elsewhere]`}},
		{"a generator that asks a forge", "  generators: [{pullRequest: {}}]" + template, nil, []string{`apps.yaml:5:17: warning: generator cannot be evaluated offline: only the forge knows its parameters, so its applications are not shown; write it in lockkeeper.yaml: generators: [{applicationSet: s, kind: pullRequest, params: [{number: "1", branch: …, head_sha: …}]}] [not-evaluated-offline]`}},
		{"a bad pattern", "  generators: [{git: {repoURL: " + ours + ", directories: [{path: '['}]}}]" + template, nil, []string{`apps.yaml:5:17: error: pattern "[": syntax error in pattern [invalid-generator]`}},
		{"an unknown template option", "  goTemplateOptions: [missingkey=eror]\n  generators: [{list: {elements: [{a: b}]}}]" + template, nil, []string{`apps.yaml:5:3: error: goTemplateOptions has "missingkey=eror", which Go templates do not know; known are missingkey=default, missingkey=invalid, missingkey=zero, missingkey=error [invalid-template]`}},
		{"no generators", "  generators: []" + template, nil, []string{`apps.yaml:4:1: error: ApplicationSet "s" has no generators, so it makes no application; add one under spec.generators [invalid-application-set]`}},
		{"no template", "  generators: [{list: {elements: []}}]\n", nil, []string{`apps.yaml:4:1: error: ApplicationSet "s" has no spec.template; add one [invalid-application-set]`}},
		{"a wrong type", "  goTemplate: maybe\n  generators: []\n", nil, []string{`apps.yaml:5:15: error: value "maybe" of spec.goTemplate is a string, not true or false [invalid-application-set]`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			apps, findings := applications(t, set(test.spec))
			var names []string
			for _, app := range apps {
				names = append(names, app.Name)
			}
			if diff := cmp.Diff(test.apps, names); diff != "" {
				t.Errorf("applications (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.findings, findings); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestApplication(t *testing.T) {
	apps, findings := applications(t, `# by hand
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: a
  annotations: {kargo.akuity.io/authorized-stage: "develop:front-stage, other:stage,bad"}
spec:
  project: p
  sources:
    - {repoURL: r1, path: x, targetRevision: v1, directory: {include: '*.yaml'}, helm: {}}
    - {repoURL: r2, chart: redis, helm: {releaseName: r}}
    - {repoURL: r3, ref: values}
  source: {repoURL: ignored}
  destination: {name: in-cluster, namespace: ns}
  syncPolicy: {automated: {prune: true}, syncOptions: [CreateNamespace=true]}
  somethingNew: {passed: over}
`)
	want := []Application{{
		Name: "a", Project: "p", Annotations: map[string]string{AuthorizedStageKey: "develop:front-stage, other:stage,bad"},
		Sources: []Source{
			{RepoURL: "r1", Path: "x", TargetRevision: "v1", Directory: &Directory{Include: "*.yaml"}},
			{RepoURL: "r2", Chart: "redis", Helm: map[string]any{"releaseName": "r"}},
			{RepoURL: "r3", Ref: "values"},
		},
		Destination: Destination{Name: "in-cluster", Namespace: "ns"},
		SyncPolicy:  SyncPolicy{Automated: true, Prune: true, Options: []string{"CreateNamespace=true"}},
		Origin:      Origin{File: "apps.yaml", Line: 2},
	}}
	if diff := cmp.Diff(want, apps); diff != "" {
		t.Errorf("application (-want +got):\n%s", diff)
	}
	stages, bad := apps[0].AuthorizedStages()
	if diff := cmp.Diff([]AuthorizedStage{{"develop", "front-stage"}, {"other", "stage"}}, stages); diff != "" || len(bad) != 1 {
		t.Errorf("stages (-want +got):\n%s\nbad %q", diff, bad)
	}
	wantFindings := []string{`apps.yaml:2: error: application "a": annotation kargo.akuity.io/authorized-stage holds "bad", which names no stage; write <project>:<stage> [invalid-authorized-stage]`}
	if diff := cmp.Diff(wantFindings, findings); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestSameRepository(t *testing.T) {
	tests := []struct {
		other string
		want  bool
	}{
		{"https://gitlab.com/your-name/your-repo", true},
		{"https://user:token@gitlab.com/your-name/your-repo.git/", true},
		{"git@gitlab.com:your-name/your-repo.git", true},
		{"gitlab.com:your-name/your-repo", true},
		{"ssh://git@gitlab.com:22/Your-Name/Your-Repo.git", true},
		{"https://gitlab.com:443/your-name/your-repo", true},
		{"ssh://git@gitlab.com:2222/your-name/your-repo.git", false},
		{"https://gitlab.com/your-name/your-repo2", false},
		{"https://github.com/your-name/your-repo", false},
		{"", false},
		{"%zz", false},
	}
	for _, test := range tests {
		if got := SameRepository(ours, test.other); got != test.want {
			t.Errorf("SameRepository(%q) = %v, want %v", test.other, got, test.want)
		}
	}
}

func TestServes(t *testing.T) {
	commit := fmt.Sprintf("%040d", 7)
	tests := []struct {
		branch, target string
		want           bool
	}{
		{"main", "HEAD", true},
		{"main", "", true},
		{"main", "main", true},
		{"main", "refs/heads/main", true},
		{"main", "stage/dev", false},
		{"main", commit, false},
		{"", "v1.2", true},
		{"", commit, false},
		{commit, "main", true},
		{commit, commit, true},
	}
	for _, test := range tests {
		if got := Serves(test.branch, test.target); got != test.want {
			t.Errorf("Serves(%q, %q) = %v, want %v", test.branch, test.target, got, test.want)
		}
	}
}
