package render

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/tools/txtar"

	"github.com/lockkeeper/lockkeeper/internal/worker"
	"github.com/lockkeeper/lockkeeper/render/kustomize"
)

// The arguments by which this test binary becomes a worker.
const (
	asWorker = "as-worker"
	asVictim = "as-victim" // is killed at every job, as by the kernel when memory is short
)

func TestMain(m *testing.M) {
	served := Engines()
	switch os.Args[len(os.Args)-1] {
	case asWorker:
	case asVictim:
		for name := range served {
			served[name] = func(context.Context, worker.Parent, []byte) ([]byte, error) {
				self, err := os.FindProcess(os.Getpid())
				if err == nil {
					err = self.Kill()
				}
				time.Sleep(time.Minute) // until it is
				return nil, err
			}
		}
	default:
		os.Exit(m.Run())
	}
	if worker.Serve(served) != nil {
		os.Exit(1)
	}
}

// withWorkers is an engine whose Jsonnet and kustomize run in processes of this test binary.
func withWorkers(t testing.TB) *Engine {
	t.Helper()
	command, err := worker.Self(asWorker)
	if err != nil {
		t.Fatal(err)
	}
	engine := newEngine(t)
	engine.Workers = &worker.Pool{Command: command, Memory: 512 << 20, Warn: func(err error) { t.Error(err) }}
	t.Cleanup(engine.Workers.Close)
	return engine
}

// TestWorkersRenderTheSame holds what workers render, say and read against what this process does.
func TestWorkersRenderTheSame(t *testing.T) {
	archives, err := filepath.Glob("testdata/render/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	engine := withWorkers(t)
	for _, file := range archives {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tree, want := unpack(archive)
		if diff := cmp.Diff(want, outcomeOf(t, engine, tree)); diff != "" {
			t.Errorf("%s (-want +in workers):\n%s", file, diff)
		}
	}
}

// TestWithoutWorkers renders in this process when none can be started.
func TestWithoutWorkers(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/render/jsonnet.txtar")
	if err != nil {
		t.Fatal(err)
	}
	tree, want := unpack(archive)
	engine, warnings := newEngine(t), 0
	engine.Workers = &worker.Pool{Command: []string{"/does/not/exist", "x"}, Warn: func(error) { warnings++ }}
	if diff := cmp.Diff(want, outcomeOf(t, engine, tree)); diff != "" || warnings != 1 {
		t.Errorf("%d warnings (-want +got):\n%s", warnings, diff)
	}
}

// TestWhatWasLateIsRenderedAgain stops a program that only took long, and then gives it the time.
func TestWhatWasLateIsRenderedAgain(t *testing.T) {
	app := strings.NewReplacer("NAME", "slow", "PATH", "slow").Replace(overlayApps)
	files := fstest.MapFS{
		"apps/slow.yaml": {Data: []byte(app)},
		"slow/a.jsonnet": {Data: []byte("{kind: 'ConfigMap', apiVersion: 'v1', metadata: {name: 'c'}, n: std.foldl(function(a, b) a + b, std.range(1, 300000), 0)}")},
	}
	engine, repo := withWorkers(t), repository(newGitTree(files))
	set, err := engine.Applications(t.Context(), repo, Options{})
	if err != nil {
		t.Fatal(err)
	}
	engine.timeout = time.Millisecond
	late := engine.Render(t.Context(), repo, set, set.Applications[0])
	engine.timeout = time.Minute
	again := engine.Render(t.Context(), repo, set, set.Applications[0])
	if !late.Partial || len(late.Findings) != 1 || again.Partial || len(again.Objects) != 1 {
		t.Errorf("first %v, then %v with %d objects", late.Findings, again.Findings, len(again.Objects))
	}
}

// TestWhatWasKilledIsRenderedAgain: what else happens on a machine is not remembered as what an Application deploys.
func TestWhatWasKilledIsRenderedAgain(t *testing.T) {
	victim, err := worker.Self(asVictim)
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{
		"apps/a.yaml":          {Data: []byte(strings.NewReplacer("NAME", "a", "PATH", "a").Replace(overlayApps))},
		"a/a.jsonnet":          {Data: []byte("{kind: 'ConfigMap', apiVersion: 'v1', metadata: {name: 'c'}}")},
		"apps/b.yaml":          {Data: []byte(strings.NewReplacer("NAME", "b", "PATH", "b").Replace(overlayApps))},
		"b/kustomization.yaml": {Data: []byte("configMapGenerator: [{name: c, literals: [a=b]}]\n")},
	}
	engine, repo := withWorkers(t), repository(newGitTree(files))
	set, err := engine.Applications(t.Context(), repo, Options{})
	if err != nil {
		t.Fatal(err)
	}
	workers := engine.Workers
	for _, app := range set.Applications {
		engine.Workers = &worker.Pool{Command: victim}
		killed := engine.Render(t.Context(), repo, set, app)
		engine.Workers = workers
		again := engine.Render(t.Context(), repo, set, app)
		if len(killed.Objects) != 0 || len(killed.Findings) != 1 || len(again.Objects) != 1 || len(again.Findings) != 0 {
			t.Errorf("%s: first %v, then %v with %d objects", app.Name, killed.Findings, again.Findings, len(again.Objects))
		}
	}
}

// TestAKustomizationOfNoApplication is built in a worker, or else here, and says the same.
func TestAKustomizationOfNoApplication(t *testing.T) {
	files := fstest.MapFS{
		"a/kustomization.yaml": {Data: []byte("resources: [../b]\n")}, "far/kustomization.yaml": {Data: []byte("resources: ['https://example.com/x.yaml']\n")},
		"b/kustomization.yaml": {Data: []byte("configMapGenerator: [{name: c, literals: [a=b]}]\n")},
	}
	for _, dir := range []string{"a", "far", "none"} {
		want, wantErr := newEngine(t).Kustomize(t.Context(), kustomize.Request{Files: files, Dir: dir})
		got, err := withWorkers(t).Kustomize(t.Context(), kustomize.Request{Files: files, Dir: dir})
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" || fmt.Sprint(err) != fmt.Sprint(wantErr) || (err == nil) != (dir == "a") {
			t.Errorf("%s: %v, want %v (-here +in a worker):\n%s", dir, err, wantErr, diff)
		}
	}
}

// BenchmarkKustomizeInAWorker renders an overlay and its base anew every time, and here for comparison.
func BenchmarkKustomizeInAWorker(b *testing.B) {
	files := fstest.MapFS{
		"apps/a.yaml":          {Data: []byte(strings.NewReplacer("NAME", "a", "PATH", "o").Replace(overlayApps))},
		"o/kustomization.yaml": {Data: []byte("resources: [../b]\nnamespace: x\n")}, "b/kustomization.yaml": {Data: []byte("resources: [c.yaml]\n")},
		"b/c.yaml": {Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n")},
	}
	repo := repository(files)
	for name, engine := range map[string]*Engine{"worker": withWorkers(b), "here": newEngine(b)} {
		b.Run(name, func(b *testing.B) {
			set, err := engine.Applications(b.Context(), repo, Options{})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				s := &sourcing{repo: repo, app: set.Applications[0], fetch: engine.fetching(nil), workers: workers{engine.Workers, engine.timeout}}
				s.find(b.Context())
				if out := s.render(b.Context()); out.failed || len(out.objects) != 1 {
					b.Fatal(out.findings)
				}
			}
		})
	}
}

// FuzzJsonnet checks that whatever a program and its libraries hold, the Application has a result, and that what it read was
// known beforehand.
func FuzzJsonnet(f *testing.F) {
	f.Add("{apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: 'c'}, data: import 'x.libsonnet'}", "{a: importstr '../b'}", "1")
	f.Add("function(who) [std.extVar('v'), import /* x */ \"\\u0078.libsonnet\"]", "{}", "{a: 1}")
	f.Add("importbin @'lib.txt' + importstr '../lib/../b'", "import 'a.jsonnet'", "'")
	f.Add("std.range(1, 1e9)", "", "std.repeat('x', 1e9)")
	f.Add("local f(x) = [f(x), f(x)]; f(1)", "error 'x'", "import 'config.json'")
	engine := withWorkers(f)
	engine.timeout = 2 * time.Second
	f.Fuzz(func(t *testing.T, program, library, value string) {
		app, err := json.Marshal(map[string]any{
			"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": map[string]any{"name": "a"},
			"spec": map[string]any{"destination": map[string]any{"namespace": "x"}, "source": map[string]any{
				"repoURL": repoURL, "path": "app", "directory": map[string]any{"jsonnet": map[string]any{
					"libs": []string{"lib"}, "tlas": []any{map[string]any{"name": "who", "value": value, "code": true}}, "extVars": []any{map[string]any{"name": "v", "value": value}},
				}},
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		tree := fstest.MapFS{}
		for name, text := range map[string]string{"apps/a.json": string(app), "app/a.jsonnet": program, "app/x.libsonnet": library, "b": library, "lib/lib.txt": value} {
			tree[name] = &fstest.MapFile{Data: []byte(text)}
		}
		repo := repository(tree)
		set, err := engine.Applications(t.Context(), repo, Options{})
		if err != nil || len(set.Applications) != 1 {
			return // a value that is no text in YAML
		}
		result := engine.Render(t.Context(), repo, set, set.Applications[0])
		if (result.Failed || result.Partial) && len(result.Findings) == 0 {
			t.Error("it failed, and nothing says why")
		}
		known := append(set.borders.around(tree, set.Applications[0], repo.URLs), "app")
		for _, input := range result.Inputs {
			if !inside(input, known) && !strings.Contains(value, "import") {
				t.Errorf("%s was read, and only %q were known", input, known)
			}
		}
	})
}
