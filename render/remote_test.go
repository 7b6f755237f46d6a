package render

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/render/argocd"
)

// shelf is what there is elsewhere: trees by "url name version", and how often each was asked for.
type shelf struct {
	trees map[string]Remote

	mu    sync.Mutex
	asked map[string]int
}

func (s *shelf) take(key string) (Remote, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked == nil {
		s.asked = map[string]int{}
	}
	s.asked[key]++
	if remote, ok := s.trees[key]; ok {
		return remote, nil
	}
	if strings.Contains(key, "silent") {
		return Remote{}, fmt.Errorf("no answer from %s", key)
	}
	return Remote{}, fmt.Errorf("no version %q: %w", key, fs.ErrNotExist)
}

// Chart implements Remotes.
func (s *shelf) Chart(_ context.Context, repoURL, name, version string) (Remote, error) {
	return s.take(strings.Join(strings.Fields(repoURL+" "+name+" "+version), " "))
}

// Repository implements Remotes.
func (s *shelf) Repository(_ context.Context, url, revision string) (Remote, error) {
	return s.take(url + " " + revision)
}

// File implements Remotes.
func (s *shelf) File(_ context.Context, url string) (Remote, error) { return s.take(url) }

// remote is a chart or repository of a shelf.
func remote(id, version string, files ...string) Remote {
	tree := fstest.MapFS{}
	for i := 0; i+1 < len(files); i += 2 {
		tree[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}
	return Remote{Tree: tree, ID: id, Version: version}
}

// redis is a chart that deploys its values and its version.
func redis(version string) Remote {
	return remote("redis-"+version, version,
		"Chart.yaml", "apiVersion: v2\nname: redis\nversion: "+version+"\n", "values.yaml", "size: small\n", "values-large.yaml", "size: large\n",
		"templates/map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata: {size: {{ .Values.size }}, version: {{ .Chart.Version }}}\n")
}

func elsewhereShelf() *shelf {
	return &shelf{trees: map[string]Remote{
		"https://charts.example.com redis 1.0.0":        redis("1.0.0"),
		"https://charts.example.com redis 1.1.0":        redis("1.1.0"),
		"https://charts.example.com redis ^1.0":         redis("1.1.0"),
		"oci://registry.example.com/charts redis 1.0.0": redis("1.0.0"),
		"https://charts.example.com broken 1.0.0": remote("broken", "1.0.0",
			"Chart.yaml", "apiVersion: v2\nname: broken\nversion: 1.0.0\n", "templates/a.yaml", "kind: {{ .Values.a.b.c }}\n"),
		"oci://registry.example.com/manifests latest": remote("manifests", "latest",
			"eu/map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: eu}\ndata: {region: eu}\n"),
		"https://gitlab.com/your-name/bases main": remote("bases-1", "0123456789012345678901234567890123456789",
			"web/kustomization.yaml", "resources: [map.yaml]\nnamePrefix: base-\n", "web/map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {from: bases}\n"),
		"https://charts.example.com/files/install.yaml": remote("installed", "", "install.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: installed}\n"),
		"https://gitlab.com/your-name/bases.git main": remote("bases-1", "0123456789012345678901234567890123456789",
			"web/kustomization.yaml", "resources: [map.yaml]\nnamePrefix: base-\n", "web/map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {from: bases}\n",
			"values/redis.yaml", "size: huge\n",
			"labelled/kustomization.yaml", "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ncommonAnnotations: {by: component}\n"),
	}}
}

// elsewhereApp is a repository with one Application of these sources, and the files "name", "text" beside it.
func elsewhereApp(sources string, files ...string) fstest.MapFS {
	tree := fstest.MapFS{"app.yaml": {Data: []byte("apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: web, namespace: argocd}\nspec:\n  destination: {name: production, namespace: shop}\n" + sources)}}
	for i := 0; i+1 < len(files); i += 2 {
		tree[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}
	return tree
}

var allowed = []string{"https://charts.example.com", "oci://registry.example.com", "https://gitlab.com/your-name", "https://silent.example.com"}

func TestSourcesFromElsewhere(t *testing.T) {
	const umbrella = "apiVersion: v2\nname: shop\nversion: 0.1.0\ndependencies: [{name: redis, version: ^1.0, repository: \"https://charts.example.com\"}]\n"
	for _, c := range []struct {
		name  string
		tree  fstest.MapFS
		fetch []string
		want  []string
	}{
		{
			"a chart of an HTTP repository",
			elsewhereApp("  source: {repoURL: https://charts.example.com, chart: redis, targetRevision: 1.0.0}\n"), allowed,
			[]string{"ConfigMap shop/web map[size:small version:1.0.0] redis 1.0.0 › templates/map.yaml"},
		},
		{
			"a range means its newest version",
			elsewhereApp("  source: {repoURL: https://charts.example.com, chart: redis, targetRevision: ^1.0}\n"), allowed,
			[]string{"ConfigMap shop/web map[size:small version:1.1.0] redis 1.1.0 › templates/map.yaml"},
		},
		{
			"a chart of a registry, whose scheme Argo CD leaves out",
			elsewhereApp("  source: {repoURL: registry.example.com/charts, chart: redis, targetRevision: 1.0.0}\n"), allowed,
			[]string{"ConfigMap shop/web map[size:small version:1.0.0] redis 1.0.0 › templates/map.yaml"},
		},
		{
			"values of the chart itself",
			elsewhereApp("  source: {repoURL: https://charts.example.com, chart: redis, targetRevision: 1.0.0, helm: {valueFiles: [values-large.yaml]}}\n"), allowed,
			[]string{"ConfigMap shop/web map[size:large version:1.0.0] redis 1.0.0 › templates/map.yaml"},
		},
		{
			"values of this repository",
			elsewhereApp("  sources:\n  - {repoURL: https://charts.example.com, chart: redis, targetRevision: 1.0.0, helm: {valueFiles: [$mine/values/web.yaml]}}\n  - {repoURL: "+repoURL+", ref: mine}\n", "values/web.yaml", "size: mine\n"), allowed,
			[]string{"read values/web.yaml", "ConfigMap shop/web map[size:mine version:1.0.0] redis 1.0.0 › templates/map.yaml"},
		},
		{
			"values of another repository",
			elsewhereApp("  sources:\n  - {repoURL: https://charts.example.com, chart: redis, targetRevision: 1.0.0, helm: {valueFiles: [$b/values/redis.yaml]}}\n  - {repoURL: https://gitlab.com/your-name/bases.git, targetRevision: main, ref: b}\n"), allowed,
			[]string{"ConfigMap shop/web map[size:huge version:1.0.0] redis 1.0.0 › templates/map.yaml"},
		},
		{
			"a kustomization of another repository",
			elsewhereApp("  source: {repoURL: https://gitlab.com/your-name/bases.git, targetRevision: main, path: web}\n"), allowed,
			[]string{"ConfigMap shop/base-web map[from:bases] bases › web"},
		},
		{
			"an artifact",
			elsewhereApp("  source: {repoURL: oci://registry.example.com/manifests, targetRevision: latest, path: eu}\n"), allowed,
			[]string{"ConfigMap shop/eu map[region:eu] manifests latest › eu/map.yaml:1"},
		},
		{
			"a chart of this repository that depends on one",
			elsewhereApp("  source: {repoURL: "+repoURL+", path: shop}\n", "shop/Chart.yaml", umbrella), allowed,
			[]string{"read shop/Chart.yaml", "ConfigMap shop/web map[size:small version:1.1.0] shop/charts/redis/templates/map.yaml"},
		},
		{
			"Chart.lock says which version it is",
			elsewhereApp("  source: {repoURL: "+repoURL+", path: shop}\n", "shop/Chart.yaml", umbrella, "shop/Chart.lock", "dependencies: [{name: redis, version: 1.0.0, repository: \"https://charts.example.com\"}]\n"), allowed,
			[]string{"read shop/Chart.lock shop/Chart.yaml", "ConfigMap shop/web map[size:small version:1.0.0] shop/charts/redis/templates/map.yaml"},
		},
		{
			"a chart of the old kind",
			elsewhereApp("  source: {repoURL: "+repoURL+", path: shop}\n", "shop/Chart.yaml", "apiVersion: v1\nname: shop\nversion: 0.1.0\n", "shop/requirements.yaml", umbrella[strings.Index(umbrella, "dependencies"):], "shop/requirements.lock", "dependencies: [{name: redis, version: 1.0.0, repository: \"https://charts.example.com\"}]\n"), allowed,
			[]string{"read shop/Chart.yaml shop/requirements.lock shop/requirements.yaml", "ConfigMap shop/web map[size:small version:1.0.0] shop/charts/redis/templates/map.yaml"},
		},
		{
			"a chart of a kustomization",
			elsewhereApp("  source: {repoURL: "+repoURL+", path: k}\n", "k/kustomization.yaml", "helmCharts: [{name: redis, repo: \"https://charts.example.com\", version: 1.0.0, releaseName: r, valuesInline: {size: inline}}]\n"), allowed,
			[]string{"read k/kustomization.yaml", "ConfigMap shop/r map[size:inline version:1.0.0] k"},
		},
		{
			"a base, a file and a component from elsewhere",
			elsewhereApp("  source: {repoURL: "+repoURL+", path: k/dev}\n", "k/dev/kustomization.yaml", "resources:\n- https://gitlab.com/your-name/bases//web?ref=main\n- https://charts.example.com/files/install.yaml\n- ../own.yaml\ncomponents: [\"git@gitlab.com:your-name/bases.git//labelled?ref=main\"]\n", "k/own.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: own}\n"), allowed,
			[]string{
				"read k/dev/kustomization.yaml k/own.yaml", "ConfigMap shop/base-web map[from:bases] k/dev",
				"ConfigMap shop/installed <nil> k/dev", "ConfigMap shop/own <nil> k/dev",
			},
		},
		{
			"a base that is not allowed",
			elsewhereApp("  source: {repoURL: "+repoURL+", path: k}\n", "k/kustomization.yaml", "resources: [\"github.com/acme/bases/web?ref=v1\"]\n"), allowed,
			[]string{"partial", "read k/kustomization.yaml", `k/kustomization.yaml:1:13: warning: application "web": repository https://github.com/acme/bases is not fetched: what it deploys is not shown; allow it in lockkeeper.yaml of the default branch, as in fetch: ["https://github.com/acme/bases"], or copy it into the repository and name the copy [not-rendered-offline]`},
		},
		{
			"a repository that is named for SSH, with a password, and is not allowed",
			elsewhereApp("  source: {repoURL: \"ssh://git:hunter2@git.example.com:2222/Acme/bases.git\", path: web}\n"), allowed,
			[]string{"partial", `app.yaml:1: warning: application "web": repository ssh://git.example.com:2222/Acme/bases.git is not fetched: what it deploys is not shown; allow it in lockkeeper.yaml of the default branch, as in fetch: ["https://git.example.com/Acme/bases.git"]; or, if it is this repository, add the URL to those by which it is known [repository-elsewhere]`},
		},
		{
			"values of a repository that is named with a password",
			elsewhereApp("  sources:\n  - {repoURL: https://charts.example.com, chart: redis, targetRevision: 1.0.0, helm: {valueFiles: [$b/redis.yaml]}}\n  - {repoURL: \"https://me:hunter%2@git.example.com/bases.git\", ref: b}\n"), allowed,
			[]string{"partial", `app.yaml:1: warning: application "web": the values of $b are in https://git.example.com/bases.git at "", which is not looked at: what it deploys is not shown; allow it in lockkeeper.yaml of the default branch, as in fetch: ["https://git.example.com/bases.git"]; or, if it is this repository, add the URL to those by which it is known [not-rendered-offline]`},
		},
		{
			"a repository that is not allowed",
			elsewhereApp("  source: {repoURL: https://charts.example.com, chart: redis, targetRevision: 1.0.0}\n"),
			[]string{"https://charts.example.org", "https://charts.example.com/stable"},
			[]string{"partial", `app.yaml:1: warning: application "web": chart "redis" of https://charts.example.com is not fetched: what it deploys is not shown; allow it in lockkeeper.yaml of the default branch, as in fetch: ["https://charts.example.com"] [chart-not-fetched]`},
		},
		{
			"a dependency that is not allowed",
			elsewhereApp("  source: {repoURL: "+repoURL+", path: shop}\n", "shop/Chart.yaml", umbrella), nil,
			[]string{"partial", "read shop/Chart.yaml", `shop/Chart.yaml: warning: application "web": a dependency that is not in charts/: chart "redis" of https://charts.example.com is not fetched: what it deploys is not shown; allow it in lockkeeper.yaml of the default branch, as in fetch: ["https://charts.example.com"], or run helm dependency build and commit charts/ [not-rendered-offline]`},
		},
		{
			"a version that is not there",
			elsewhereApp("  source: {repoURL: https://charts.example.com, chart: redis, targetRevision: 9.9.9}\n"), allowed,
			[]string{"failed", `app.yaml:1: error: application "web": no version "https://charts.example.com redis 9.9.9": file does not exist; correct repoURL, chart or targetRevision [chart-not-fetched]`},
		},
		{
			"a repository that does not answer",
			elsewhereApp("  source: {repoURL: https://silent.example.com, chart: redis, targetRevision: 1.0.0}\n"), allowed,
			[]string{"partial", `app.yaml:1: warning: application "web": chart "redis" of https://silent.example.com could not be fetched: no answer from https://silent.example.com redis 1.0.0: what it deploys is not shown [chart-not-fetched]`},
		},
		{
			"what is wrong in a chart is said where it can be mended",
			elsewhereApp("  source: {repoURL: https://charts.example.com, chart: broken, targetRevision: 1.0.0}\n"), allowed,
			[]string{"failed", `app.yaml:1: error: application "web": broken 1.0.0 › templates/a.yaml:1: .Values.a.b.c: nil pointer evaluating interface {}.b [helm-error]`},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			engine := newEngine(t)
			engine.Remotes = elsewhereShelf()
			repo := repository(newGitTree(c.tree))
			set, err := engine.Applications(t.Context(), repo, Options{Fetch: c.fetch})
			if err != nil || len(set.Applications) != 1 {
				t.Fatal(set.Findings, err)
			}
			if diff := cmp.Diff(c.want, told(engine.Render(t.Context(), repo, set, set.Applications[0]))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// told is what a result says, a line for each thing.
func told(r Result) []string {
	var out []string
	if r.Failed {
		out = append(out, "failed")
	}
	if r.Partial {
		out = append(out, "partial")
	}
	if len(r.Inputs) > 0 {
		out = append(out, "read "+strings.Join(r.Inputs, " "))
	}
	for _, f := range r.Findings {
		out = append(out, f.String())
	}
	for _, o := range r.Objects {
		line := fmt.Sprintf("%s %v %s", o.ID(), o.Fields["data"], o.Source.File)
		if o.Source.Line > 0 {
			line += fmt.Sprintf(":%d", o.Source.Line)
		}
		out = append(out, line)
	}
	return out
}

func TestARevisionOfThisRepository(t *testing.T) {
	released := map[string]Remote{
		"v1.0.0": remote("c1", "c1", "web/map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {release: one}\n"),
		"v1.1.0": remote("c2", "c2", "web/map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {release: two}\n"),
	}
	app := func(revision string) Repository {
		repo := repository(newGitTree(elsewhereApp("  source: {repoURL: "+repoURL+", targetRevision: "+revision+", path: web}\n", "web/map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {release: next}\n")))
		repo.At = func(_ context.Context, revision string) (Remote, error) {
			switch found, ok := released[revision]; {
			case ok:
				return found, nil
			case revision == "local":
				return Remote{}, fmt.Errorf("it is not fetched")
			}
			return Remote{}, fs.ErrNotExist
		}
		return repo
	}
	for _, c := range []struct{ name, revision, want string }{
		{"another tag", "v1.1.0", "ConfigMap shop/web map[release:two] v1.1.0 › web/map.yaml:1"},
		{"the branch", "main", "ConfigMap shop/web map[release:next] web/map.yaml:1"},
		{"no such tag", "v9.9.9", `failed, app.yaml:1: error: application "web": revision "v9.9.9" is not there: file does not exist; correct targetRevision, or push the branch or tag [revision-elsewhere]`},
		{"one that cannot be told", "local", `partial, app.yaml:1: warning: application "web": source deploys revision "local", not "main", which could not be fetched: it is not fetched: what it deploys is not shown [revision-elsewhere]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := newEngine(t).Compare(t.Context(), app("v1.0.0"), app(c.revision), Options{})
			if err != nil || len(got.Apps) != 1 {
				t.Fatal(len(got.Apps), err)
			}
			lines := slices.DeleteFunc(told(*got.Apps[0].Head), func(line string) bool { return strings.HasPrefix(line, "read ") })
			if diff := cmp.Diff(c.want, strings.Join(lines, ", ")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestAnotherChartVersionIsAChange(t *testing.T) {
	engine, elsewhere := newEngine(t), elsewhereShelf()
	engine.Remotes = elsewhere
	source := "  source: {repoURL: https://charts.example.com, chart: redis, targetRevision: 1.0.0}\n"
	base := newGitTree(elsewhereApp(source))
	compare := func(head fstest.MapFS) []string {
		got, err := engine.Compare(t.Context(), repository(base), repository(newGitTree(head)), Options{Fetch: allowed})
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, app := range got.Apps {
			out = append(out, fmt.Sprint(app.Base.Objects[0].Fields["data"], " → ", app.Head.Objects[0].Fields["data"]))
		}
		return out
	}
	for range 2 { // once it is looked through for Applications
		if got := compare(base.MapFS); got != nil || len(elsewhere.asked) != 1 || elsewhere.asked["https://charts.example.com redis 1.0.0"] != 1 {
			t.Errorf("an equal commit differs: %v, and was asked for: %v", got, elsewhere.asked)
		}
	}
	want := []string{"map[size:small version:1.0.0] → map[size:small version:1.1.0]"}
	for range 2 {
		if diff := cmp.Diff(want, compare(elsewhereApp(strings.Replace(source, "1.0.0", "^1.0", 1)))); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	elsewhere.mu.Lock()
	defer elsewhere.mu.Unlock()
	elsewhere.trees["https://charts.example.com redis ^1.0"] = redis("1.2.0")
	elsewhere.mu.Unlock()
	want = []string{"map[size:small version:1.0.0] → map[size:small version:1.2.0]"}
	if diff := cmp.Diff(want, compare(elsewhereApp(strings.Replace(source, "1.0.0", "^1.0", 1)))); diff != "" {
		t.Errorf("a range that means another version now: -want +got:\n%s", diff)
	}
	elsewhere.mu.Lock()
	if want := []string{"https://charts.example.com redis 1.0.0", "https://charts.example.com redis ^1.0"}; !slices.Equal(want, slices.Sorted(maps.Keys(elsewhere.asked))) {
		t.Errorf("asked for %v", elsewhere.asked)
	}
}

func TestValuesOfThisRepositoryForAChart(t *testing.T) {
	source := "  sources:\n  - {repoURL: https://charts.example.com, chart: redis, targetRevision: 1.0.0, helm: {valueFiles: [$mine/values/web.yaml]}}\n  - {repoURL: " + repoURL + ", ref: mine}\n"
	base := elsewhereApp(source, "values/web.yaml", "size: mine\n", "other.txt", "a")
	for _, c := range []struct {
		name string
		head fstest.MapFS
		want int      // applications that differ
		read []string // app.yaml is beside what changed
	}{
		{"its values", edited(base, "values/web.yaml", "mine", "ours"), 1, []string{"app.yaml", "values/web.yaml"}},
		{"a file beside them", edited(base, "other.txt", "a", "b"), 0, []string{"app.yaml"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			engine := newEngine(t)
			engine.Remotes = elsewhereShelf()
			before := newGitTree(base)
			if _, err := engine.Compare(t.Context(), repository(before), repository(before), Options{Fetch: allowed}); err != nil {
				t.Fatal(err)
			}
			head := newGitTree(c.head)
			got, err := engine.Compare(t.Context(), repository(before), repository(head), Options{Fetch: allowed})
			if err != nil || len(got.Apps) != c.want {
				t.Errorf("%d applications differ: %v", len(got.Apps), err)
			}
			if diff := cmp.Diff(c.read, head.files()); diff != "" {
				t.Errorf("files read (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDefinitionsOfAnotherRepository(t *testing.T) {
	engine, elsewhere := newEngine(t), elsewhereShelf()
	engine.Remotes = elsewhere
	definition := func(value string) string {
		return "apiVersion: kro.run/v1alpha1\nkind: ResourceGraphDefinition\nmetadata: {name: web}\nspec:\n  schema: {apiVersion: v1alpha1, kind: Web, spec: {name: string}}\n  resources:\n  - id: map\n    template: {apiVersion: v1, kind: ConfigMap, metadata: {name: \"${schema.spec.name}\"}, data: {a: " + value + "}}\n"
	}
	elsewhere.trees["https://gitlab.com/your-name/platform.git v1"] = remote("p1", "p1", "rgd/web.yaml", definition("one"))
	elsewhere.trees["https://gitlab.com/your-name/platform.git v2"] = remote("p2", "p2", "rgd/web.yaml", definition("two"))
	at := func(revision string) Options {
		return Options{Fetch: allowed, DefinitionRepositories: []DefinitionRepository{{URL: "https://gitlab.com/your-name/platform.git", Revision: revision, Path: "rgd"}}}
	}
	repo := repository(newGitTree(elsewhereApp("  source: {repoURL: "+repoURL+", path: shop}\n", "shop/web.yaml", "apiVersion: kro.run/v1alpha1\nkind: Web\nmetadata: {name: x}\nspec: {name: x}\n")))
	base, head := at("v1"), at("v2")
	head.Base = &base
	got, err := engine.Compare(t.Context(), repo, repo, head)
	if err != nil || len(got.Apps) != 1 {
		t.Fatal(len(got.Apps), got.Findings, err)
	}
	if change := fmt.Sprint(got.Apps[0].Base.Objects[1].Fields["data"], " → ", got.Apps[0].Head.Objects[1].Fields["data"]); change != "map[a:one] → map[a:two]" {
		t.Errorf("change %s", change)
	}
	gone := at("v3")
	set, err := engine.Applications(t.Context(), repo, gone)
	if err != nil || len(set.Findings) != 1 || set.Findings[0].Code != "definitions-not-fetched" || set.Findings[0].Severity != Error {
		t.Errorf("findings %v: %v", set.Findings, err)
	}
}

// flaky is a tree whose files cannot be read as long as it is down.
type flaky struct {
	*gitTree
	down *atomic.Bool
}

func (f flaky) Open(name string) (fs.File, error) {
	if f.down.Load() && strings.HasPrefix(name, "shop/") {
		return nil, errors.New("connection reset by peer")
	}
	return f.gitTree.Open(name)
}

func (f flaky) ReadFile(name string) ([]byte, error) {
	if _, err := f.Open(name); err != nil {
		return nil, err
	}
	return f.gitTree.ReadFile(name)
}

func TestWhatCouldNotBeReadIsReadAgain(t *testing.T) {
	for name, files := range map[string][]string{
		"a plain directory": {"shop/map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"},
		"a chart":           {"shop/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n", "shop/templates/map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"},
		"a kustomization":   {"shop/kustomization.yaml", "configMapGenerator: [{name: x, literals: [a=b]}]\n"},
	} {
		t.Run(name, func(t *testing.T) {
			engine := newEngine(t)
			tree := flaky{newGitTree(elsewhereApp("  source: {repoURL: "+repoURL+", path: shop}\n", files...)), &atomic.Bool{}}
			set, err := engine.Applications(t.Context(), repository(tree), Options{})
			if err != nil {
				t.Fatal(err)
			}
			tree.down.Store(true)
			if got := engine.Render(t.Context(), repository(tree), set, set.Applications[0]); len(got.Findings) == 0 {
				t.Errorf("nothing is said: %v", told(got))
			}
			tree.down.Store(false)
			if got := engine.Render(t.Context(), repository(tree), set, set.Applications[0]); got.Failed || len(got.Objects) != 1 {
				t.Errorf("once it can be read: %v", told(got))
			}
		})
	}
}

func TestWhatIsNotThereNowIsAskedForAgain(t *testing.T) {
	engine, elsewhere := newEngine(t), elsewhereShelf()
	engine.Remotes = elsewhere
	repo := repository(newGitTree(elsewhereApp("  source: {repoURL: https://silent.example.com, chart: redis, targetRevision: 1.0.0}\n")))
	set, err := engine.Applications(t.Context(), repo, Options{Fetch: allowed})
	if err != nil {
		t.Fatal(err)
	}
	if got := engine.Render(t.Context(), repo, set, set.Applications[0]); !got.Partial {
		t.Errorf("got %v", told(got))
	}
	elsewhere.trees["https://silent.example.com redis 1.0.0"] = redis("1.0.0")
	if got := engine.Render(t.Context(), repo, set, set.Applications[0]); got.Partial || len(got.Objects) != 1 {
		t.Errorf("got %v", told(got))
	}
}

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		allow, wanted string
		want          bool
	}{
		{"https://charts.example.com", "https://charts.example.com", true},
		{"https://charts.example.com/", "https://charts.example.com/stable", true},
		{"https://charts.example.com/stable", "https://charts.example.com", false},
		{"https://charts.example.com/stable", "https://charts.example.com/stable-evil", false},
		{"https://charts.example.com", "https://charts.example.com.evil.org", false},
		{"https://charts.example.com", "http://charts.example.com", false},
		{"http://charts.example.com", "https://charts.example.com", true},
		{"https://charts.example.com/a", "https://charts.example.com/a/../b", false},
		{"https://charts.example.com/a", "https://charts.example.com/a/%2e%2e/b", false},
		{"https://charts.example.com", "https://user@charts.example.com/x", true},
		{"https://charts.example.com", "https://charts.example.com@evil.org/x", false},
		{"oci://ghcr.io/acme", "oci://ghcr.io/acme/charts", true},
		{"https://ghcr.io/acme", "oci://ghcr.io/acme/charts", false},
		{"https://github.com/acme", "git@github.com:acme/bases.git", true},
		{"https://github.com/acme", "ssh://git@github.com:22/acme/bases.git", true},
		{"https://git.example.com/acme", "ssh://git@git.example.com:2222/acme/bases.git", true},
		{"https://git.example.com:2222/acme", "ssh://git@git.example.com:2222/acme/bases.git", false},
		{"https://github.com/22", "git@github.com:22/acme/bases.git", true},
		{"https://github.com/acme", "git@github.com:22/acme/bases.git", false},
		{"https://github.com/acme/bases", "https://github.com/acme/bases.git", true},
		{"", "https://charts.example.com", false},
		{"*", "https://charts.example.com", false},
	} {
		if got := covers(c.allow, argocd.OverHTTPS(c.wanted)); got != c.want {
			t.Errorf("covers(%q, overHTTPS(%q)) = %v", c.allow, c.wanted, got)
		}
	}
}

func TestGeneratorsThatReadElsewhere(t *testing.T) {
	generator := func(where, what string) string {
		return "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: s}\nspec:\n  generators: [{git: {" + where + ", " + what + "}}]\n" +
			"  template: {metadata: {name: 'x-{{path.basename}}'}, spec: {destination: {name: in-cluster}, source: {repoURL: " + repoURL + ", path: '{{path}}'}}}\n"
	}
	const folders, files = "directories: [{path: apps/*}]", "files: [{path: apps/*/c.json}]"
	for _, c := range []struct{ name, where, what, want string }{
		{"folders of another revision", "repoURL: " + repoURL + ", revision: stage/dev", folders, "x-api x-web"},
		{"files of another revision", "repoURL: " + repoURL + ", revision: stage/dev", files, "x-web"},
		{"folders of another repository", "repoURL: https://gitlab.com/your-name/list.git, revision: v1", folders, "x-shop"},
		{"the branch itself", "repoURL: " + repoURL + ", revision: main", folders, "x-here"},
		{"a revision that is not there", "repoURL: " + repoURL + ", revision: nope", folders, `set.yaml:5:76: error: generator reads revision "nope", not "main": revision "nope" is not there: file does not exist: its applications are not shown; correct repoURL or revision [revision-elsewhere]`},
		{"a repository that does not answer", "repoURL: https://silent.example.com/x, revision: v1", folders, `set.yaml:5:23: warning: generator reads https://silent.example.com/x, which is not this repository: repository https://silent.example.com/x could not be fetched: no answer from https://silent.example.com/x v1: its applications are not shown; if it is this repository, add the URL to those by which it is known [repository-elsewhere]`},
		{"a repository that is not allowed", "repoURL: https://git.example.com/x, revision: v1", folders, `set.yaml:5:23: warning: generator reads https://git.example.com/x, which is not this repository: its applications are not shown; allow it in lockkeeper.yaml of the default branch, as in fetch: ["https://git.example.com/x"]; or, if it is this repository, add the URL to those by which it is known [repository-elsewhere]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			engine, elsewhere := newEngine(t), elsewhereShelf()
			engine.Remotes = elsewhere
			elsewhere.trees["https://gitlab.com/your-name/list.git v1"] = remote("l", "c", "apps/shop/x", "")
			repo := repository(newGitTree(fstest.MapFS{"set.yaml": {Data: []byte(generator(c.where, c.what))}, "apps/here/x": {}}))
			repo.At = func(_ context.Context, revision string) (Remote, error) {
				if revision != "stage/dev" {
					return Remote{}, fs.ErrNotExist
				}
				return remote("d", "c", "apps/web/c.json", "{}", "apps/api/x", ""), nil
			}
			for range 2 {
				set, err := engine.Applications(t.Context(), repo, Options{Fetch: allowed})
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, app := range set.Applications {
					got = append(got, app.Name)
				}
				for _, f := range set.Findings {
					got = append(got, f.String())
				}
				if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			}
		})
	}
}

func TestGeneratorsElsewhereAreNotRemembered(t *testing.T) {
	engine := newEngine(t)
	repo := repository(newGitTree(fstest.MapFS{"set.yaml": {Data: []byte("apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: s}\nspec:\n  generators: [{matrix: {generators: [{list: {elements: [{a: b}]}}, {git: {repoURL: " + repoURL + ", revision: dev, directories: [{path: '*'}]}}]}}]\n" +
		"  template: {metadata: {name: '{{path}}-{{a}}'}, spec: {destination: {name: in-cluster}, source: {repoURL: " + repoURL + ", path: '{{path}}'}}}\n")}}))
	for _, folder := range []string{"one", "two"} {
		repo.At = func(context.Context, string) (Remote, error) { return remote(folder, folder, folder+"/x", ""), nil }
		set, err := engine.Applications(t.Context(), repo, Options{})
		if err != nil || len(set.Applications) != 1 || set.Applications[0].Name != folder+"-b" {
			t.Errorf("want %s-b: %+v, findings %v: %v", folder, set.Applications, set.Findings, err)
		}
	}
}

// dead is a repository of charts that never answers.
type dead struct {
	shelf
	asked atomic.Int32
}

func (d *dead) Chart(ctx context.Context, repoURL, name, version string) (Remote, error) {
	if !strings.Contains(repoURL, "silent") {
		return d.shelf.Chart(ctx, repoURL, name, version)
	}
	d.asked.Add(1)
	<-ctx.Done()
	return Remote{}, ctx.Err()
}

func TestARepositoryThatDoesNotAnswerIsAskedOnce(t *testing.T) {
	tree := fstest.MapFS{}
	for i := range 20 {
		tree[fmt.Sprintf("app%d.yaml", i)] = &fstest.MapFile{Data: fmt.Appendf(nil, "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a%d}\nspec:\n  destination: {name: in-cluster}\n  source: {repoURL: https://silent.example.com, chart: c%d, targetRevision: 1.0.0}\n", i, i)}
	}
	maps.Copy(tree, fstest.MapFS{"redis.yaml": {Data: elsewhereApp("  source: {repoURL: https://charts.example.com, chart: redis, targetRevision: 1.0.0}\n")["app.yaml"].Data}})
	synctest.Test(t, func(t *testing.T) {
		engine, host := newEngine(t), &dead{shelf: shelf{trees: elsewhereShelf().trees}}
		engine.Remotes = host
		base, head := repository(newGitTree(fstest.MapFS{})), repository(newGitTree(tree))
		got, err := engine.Compare(t.Context(), base, head, Options{Fetch: allowed})
		if err != nil || len(got.Apps) != 21 {
			t.Fatal(len(got.Apps), err)
		}
		if asked := int(host.asked.Load()); asked > runtime.GOMAXPROCS(0) {
			t.Errorf("asked %d times, want at most once for each that runs at once", asked)
		}
		for _, app := range got.Apps {
			if app.Head.Failed || app.Head.Partial != (app.Name != "argocd/web") {
				t.Errorf("%s: failed %v, partial %v", app.Name, app.Head.Failed, app.Head.Partial)
			}
		}
	})
}
