package render

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// rootChart is a repository whose only Application is rendered by a chart, with a value for its path.
func rootChart(service string) fstest.MapFS {
	app := func(name, path string) string {
		return "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: " + name + ", namespace: argocd}\nspec:\n  destination: {name: in-cluster, namespace: argocd}\n  source: {repoURL: " + repoURL + ", path: " + path + "}\n"
	}
	return fstest.MapFS{
		"root.yaml":                  {Data: []byte(app("root", "bootstrap"))},
		"bootstrap/Chart.yaml":       {Data: []byte("apiVersion: v2\nname: bootstrap\nversion: 1.0.0\n")},
		"bootstrap/values.yaml":      {Data: []byte("services: [" + service + "]\n")},
		"bootstrap/templates/a.yaml": {Data: []byte("{{ range .Values.services }}\n---\n" + app("{{ . }}", "services/{{ . }}") + "{{ end }}\n")},
		"services/web/map.yaml":      {Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n")},
		"services/api/map.yaml":      {Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: api}\n")},
		"other/Chart.yaml":           {Data: []byte("apiVersion: v2\nname: other\nversion: 1.0.0\n")},
		"other.yaml":                 {Data: []byte(app("other", "other"))},
	}
}

func TestApplicationsOfRootsAreCompared(t *testing.T) {
	base := rootChart("web, api")
	for _, c := range []struct {
		name string
		head fstest.MapFS
		want []string
		read []string // beside root.yaml and other.yaml, which are beside what changed
	}{
		{"nothing changed", base, []string{"unchanged 4"}, nil},
		{"what one of them deploys", edited(base, "services/web/map.yaml", "web}", "web}\ndata: {a: b}"), []string{"unchanged 3", "argocd/web: 1 → 1"}, []string{"services/web/map.yaml"}},
		{
			"one less", edited(base, "bootstrap/values.yaml", ", api", ""),
			[]string{"unchanged 2", "argocd/api: 1 → nothing", "argocd/root: 2 → 1"},
			[]string{"bootstrap/Chart.yaml", "bootstrap/templates/a.yaml", "bootstrap/values.yaml"},
		},
		{
			"a root that cannot be rendered: what it deployed is not deleted", edited(base, "bootstrap/templates/a.yaml", "end", "edn"),
			[]string{"unchanged 1", "argocd/root: 2 → failed", `root.yaml:1: warning: application "root": what it deploys could not be rendered in full, so what becomes of 2 Applications that it deployed is not known; correct what is said of it [applications-unknown]`},
			[]string{"bootstrap/Chart.yaml", "bootstrap/templates/a.yaml", "bootstrap/values.yaml"},
		},
		{
			"a root that is gone takes along what it deployed", edited(base, "root.yaml", "", ""),
			[]string{"unchanged 1", "argocd/api: 1 → nothing", "argocd/root: 2 → nothing", "argocd/web: 1 → nothing"},
			nil,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			engine, before := newEngine(t), newGitTree(base)
			if _, err := engine.Compare(t.Context(), repository(before), repository(before), Options{}); err != nil {
				t.Fatal(err)
			}
			head := newGitTree(c.head)
			got, err := engine.Compare(t.Context(), repository(before), repository(head), Options{})
			if err != nil {
				t.Fatal(err)
			}
			lines := []string{fmt.Sprintf("unchanged %d", got.Unchanged)}
			for _, app := range got.Apps {
				lines = append(lines, fmt.Sprintf("%s: %s → %s", app.Name, counted(app.Base), counted(app.Head)))
			}
			for _, f := range got.Findings {
				lines = append(lines, f.String())
			}
			if diff := cmp.Diff(c.want, lines); diff != "" {
				t.Errorf("comparison (-want +got):\n%s", diff)
			}
			var read []string
			for _, file := range head.files() {
				if strings.Contains(file, "/") {
					read = append(read, file)
				}
			}
			if diff := cmp.Diff(c.read, read); diff != "" {
				t.Errorf("files read (-want +got):\n%s", diff)
			}
		})
	}
}

func counted(r *Result) string {
	switch {
	case r == nil:
		return "nothing"
	case r.Failed:
		return "failed"
	}
	return fmt.Sprint(len(r.Objects))
}

func TestApplicationsWithoutEnd(t *testing.T) {
	tree := rootChart("web")
	tree["bootstrap/templates/b.yaml"] = &fstest.MapFile{Data: []byte("apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: {{ .Release.Name }}-x}\nspec:\n  destination: {name: in-cluster, namespace: argocd}\n  source: {repoURL: " + repoURL + ", path: bootstrap}\n")}
	set, err := newEngine(t).Applications(t.Context(), repository(newGitTree(tree)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := "error: Applications deploy Applications more than 10 deep, or more than 50000: not all are shown; look for one that deploys itself under another name [applications-without-end]"
	if !slices.ContainsFunc(set.Findings, func(f Finding) bool { return f.String() == want }) || len(set.Applications) < 10 {
		t.Errorf("%d applications, findings %v", len(set.Applications), set.Findings)
	}
}

func TestTheRootThatDeploysItself(t *testing.T) {
	tree := rootChart("web")
	tree["bootstrap/templates/b.yaml"] = tree["root.yaml"]
	set, err := newEngine(t).Applications(t.Context(), repository(newGitTree(tree)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, app := range set.Applications {
		names = append(names, app.Key())
	}
	if diff := cmp.Diff([]string{"argocd/other", "argocd/root", "argocd/web"}, names); diff != "" || len(set.Findings) != 0 {
		t.Errorf("findings %v, applications (-want +got):\n%s", set.Findings, diff)
	}
}

func TestAChartFromElsewhereDeploysApplications(t *testing.T) {
	engine, elsewhere := newEngine(t), elsewhereShelf()
	engine.Remotes = elsewhere
	elsewhere.trees["https://charts.example.com argocd-apps 2.0.0"] = remote("apps", "2.0.0",
		"Chart.yaml", "apiVersion: v2\nname: argocd-apps\nversion: 2.0.0\n", "templates/a.yaml", "{{ range $name, $spec := .Values.applications }}\n---\napiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: {{ $name }}}\nspec: {{ toJson $spec }}\n{{ end }}\n")
	tree := elsewhereApp("  source:\n    repoURL: https://charts.example.com\n    chart: argocd-apps\n    targetRevision: 2.0.0\n    helm: {valuesObject: {applications: {shop: {destination: {name: in-cluster}, source: {repoURL: " + repoURL + ", path: shop}}}}}\n")
	set, err := engine.Applications(t.Context(), repository(newGitTree(tree)), Options{Fetch: allowed})
	if err != nil || len(set.Applications) != 2 || set.Applications[1].Key() != "shop/shop" || set.Applications[1].Origin.String() != "argocd-apps 2.0.0 › templates/a.yaml" {
		t.Errorf("applications %+v, findings %v: %v", set.Applications, set.Findings, err)
	}
}

func TestARootThatMovesIsNotRemembered(t *testing.T) {
	const shared, ranged = "https://gitlab.com/your-name/roots.git main", "https://charts.example.com roots ^1.0"
	app := func(name string) string {
		return "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: " + name + "}\nspec:\n  destination: {name: in-cluster}\n  source: {repoURL: " + repoURL + ", path: shop}\n"
	}
	folder := func(id, name string) Remote {
		return remote(id, "0123456789012345678901234567890123456789", "a.yaml", app(name))
	}
	chart := func(version, name string) Remote {
		return remote(version, version, "Chart.yaml", "apiVersion: v2\nname: roots\nversion: "+version+"\n", "templates/a.yaml", app(name))
	}
	for name, c := range map[string]struct {
		source, key   string
		before, after Remote
	}{
		"a branch of another repository": {"  source: {repoURL: https://gitlab.com/your-name/roots.git, targetRevision: main, path: .}\n", shared, folder("1", "one"), folder("2", "two")},
		"a range of versions":            {"  source: {repoURL: https://charts.example.com, chart: roots, targetRevision: ^1.0}\n", ranged, chart("1.0.0", "one"), chart("1.1.0", "two")},
		"what a chart depends on":        {"  source: {repoURL: " + repoURL + ", path: umbrella}\n", ranged, chart("1.0.0", "one"), chart("1.1.0", "two")},
	} {
		t.Run(name, func(t *testing.T) {
			engine, elsewhere := newEngine(t), elsewhereShelf()
			engine.Remotes = elsewhere
			tree := newGitTree(elsewhereApp(c.source, "umbrella/Chart.yaml",
				"apiVersion: v2\nname: umbrella\nversion: 1.0.0\ndependencies: [{name: roots, version: ^1.0, repository: \"https://charts.example.com\"}]\n"))
			for _, now := range []struct {
				remote *Remote // nil: it is not there
				want   []string
			}{{nil, []string{"web"}}, {&c.before, []string{"web", "one"}}, {&c.before, []string{"web", "one"}}, {&c.after, []string{"web", "two"}}} {
				if now.remote != nil {
					elsewhere.trees[c.key] = *now.remote
				}
				set, err := engine.Applications(t.Context(), repository(tree), Options{Fetch: allowed})
				if err != nil {
					t.Fatal(err)
				}
				var names []string
				for _, app := range set.Applications {
					names = append(names, app.Name)
				}
				if diff := cmp.Diff(now.want, names); diff != "" {
					t.Errorf("applications (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestWhatTheBaseMayNotFetchIsNotRememberedForIt(t *testing.T) {
	engine, elsewhere := newEngine(t), elsewhereShelf()
	engine.Remotes = elsewhere
	elsewhere.trees["https://charts.example.com roots 1.0.0"] = remote("r", "1.0.0", "Chart.yaml", "apiVersion: v2\nname: roots\nversion: 1.0.0\n",
		"templates/a.yaml", "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: one}\nspec:\n  destination: {name: in-cluster}\n  source: {repoURL: "+repoURL+", path: shop}\n")
	base := newGitTree(elsewhereApp("  source: {repoURL: https://charts.example.com, chart: roots, targetRevision: 1.0.0}\n"))
	if _, err := engine.Compare(t.Context(), repository(base), repository(newGitTree(fstest.MapFS{})), Options{Fetch: allowed, Base: &Options{}}); err != nil {
		t.Fatal(err)
	}
	set, err := engine.Applications(t.Context(), repository(base), Options{})
	if err != nil || len(set.Applications) != 1 {
		t.Errorf("applications %+v: %v", set.Applications, err)
	}
}
