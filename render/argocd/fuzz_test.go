package argocd

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// Whatever a file holds, its Applications are made without a panic, the same every time, and a memory changes nothing.
func FuzzManifests(f *testing.F) {
	corpus, err := filepath.Glob("testdata/applicationset/*.txtar")
	if err != nil || len(corpus) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, name := range corpus {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range txtar.Parse(data).Files {
			f.Add(string(file.Data), false)
			f.Add(string(file.Data), true)
		}
	}
	f.Add("apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {name: p, namespace: argocd}\nspec: {sourceRepos: ['!a', '*'], destinations: [{server: '*', namespace: '!x'}], sourceNamespaces: [/a/], syncWindows: [{kind: deny, applications: ['*']}]}\n---\n"+hydrated("a", "HEAD", "{targetBranch: b, path: p}", "{}"), false)
	f.Add(hydrated("a", "HEAD", "{targetBranch: main, path: ./..}", "{targetBranch: '{{x}}'}"), true)
	fixtures := []Fixture{
		{ApplicationSet: "previews", Kind: "pullRequest", Params: []map[string]any{{"number": int64(1), "branch": "b", "labels": []any{"x"}}}},
		{ApplicationSet: "plugged", Kind: "plugin", Params: []map[string]any{{"a": []any{nil, int64(1), map[string]any{}}}}},
		{ApplicationSet: "decided", Kind: "clusterDecisionResource", Params: []map[string]any{{"name": "eu-one"}}},
	}
	f.Fuzz(func(t *testing.T, text string, newGlobbing bool) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		tree := fstest.MapFS{"f.yaml": {Data: []byte(text)}, "addons/a/x.yaml": {Data: []byte("a: b\nlist: [{b: c}]\n")}, "addons/b/config.json": {Data: []byte("[{}, {\"cluster\": {\"name\": \"n\"}}]")}}
		docs, err := manifest.Split("f.yaml", []byte(text))
		in := Input{
			Tree: tree, Files: []manifest.File{{Path: "f.yaml", Documents: docs, Err: err}}, RepoURLs: []string{ours}, Revision: "main", Clusters: known,
			Fixtures: fixtures, NewGitFileGlobbing: newGlobbing,
		}
		apps, findings, err := Applications(ctx, in)
		if errors.Is(err, context.DeadlineExceeded) {
			t.Fatal("it takes too long")
		}
		if err != nil {
			return
		}
		in.Memory = NewMemory(1000)
		for range 2 {
			again, found, err := Applications(t.Context(), in)
			if diff := cmp.Diff([]any{apps, findings}, []any{again, found}); diff != "" || err != nil {
				t.Errorf("with a memory (-without +with):\n%s\n%v", diff, err)
			}
		}
		projects, _ := Projects(in.Files)
		CheckProjects(apps, projects, KnownClusters(in.Clusters, in.Files))
		for _, app := range apps {
			if len(app.Sources) == 0 || app.Name == "" {
				t.Errorf("an application without sources or name: %+v", app)
			}
			_, _ = app.Hydrated("main")
		}
	})
}
