package render

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/lockkeeper/lockkeeper/render/argocd"
)

// gitTree is a tree that knows its object ids, as a Git tree does, and remembers which files were read.
type gitTree struct {
	fstest.MapFS
	mu   *sync.Mutex
	ids  map[string]string
	read map[string]bool
}

func newGitTree(files fstest.MapFS) *gitTree {
	return &gitTree{MapFS: files, mu: new(sync.Mutex), ids: map[string]string{}, read: map[string]bool{}}
}

func (g *gitTree) Open(name string) (fs.File, error) {
	if _, isFile := g.MapFS[name]; isFile {
		g.mu.Lock()
		g.read[name] = true
		g.mu.Unlock()
	}
	return g.MapFS.Open(name)
}

// ObjectID hashes everything below name.
func (g *gitTree) ObjectID(name string) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if id, ok := g.ids[name]; ok {
		return id, nil
	}
	var all strings.Builder
	found := false
	for _, file := range slices.Sorted(maps.Keys(g.MapFS)) {
		if name == "." || file == name || strings.HasPrefix(file, name+"/") {
			found = true
			fmt.Fprintf(&all, "%s %q\n", strings.TrimPrefix(file, name), g.MapFS[file].Data)
		}
	}
	if !found {
		return "", fs.ErrNotExist
	}
	sum := sha256.Sum256([]byte(all.String()))
	g.ids[name] = hex.EncodeToString(sum[:])
	return g.ids[name], nil
}

func (g *gitTree) files() []string { return slices.Sorted(maps.Keys(g.read)) }

// articles is the articles' repository with a second service.
func articles(t testing.TB) fstest.MapFS {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/render/articles.txtar")
	if err != nil {
		t.Fatal(err)
	}
	tree, _ := unpack(archive)
	frontend := tree["develop/frontend/instance.yaml"].Data
	tree["develop/backend/instance.yaml"] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(string(frontend), "wsp-frontend", "wsp-backend"))}
	return tree
}

func edited(files fstest.MapFS, name, before, after string) fstest.MapFS {
	out := maps.Clone(files)
	switch {
	case before == "" && after == "":
		delete(out, name)
	case before == "":
		out[name] = &fstest.MapFile{Data: []byte(after)}
	default:
		out[name] = &fstest.MapFile{Data: []byte(strings.Replace(string(files[name].Data), before, after, 1))}
	}
	return out
}

func repository(tree fs.FS) Repository {
	return Repository{Tree: tree, URLs: []string{repoURL}, Revision: "main"}
}

// summary prints which sides of which applications were rendered, and the images they deploy.
func summary(c Comparison) []string {
	out := []string{fmt.Sprintf("unchanged %d", c.Unchanged)}
	for _, app := range c.Apps {
		out = append(out, fmt.Sprintf("%s: %s → %s", app.Name, images(app.Base), images(app.Head)))
	}
	return out
}

func images(r *Result) string {
	if r == nil {
		return "nothing"
	}
	var out []string
	for _, o := range r.Objects {
		if o.Kind() == "Deployment" {
			text := fmt.Sprint(o.Fields["spec"])
			_, rest, _ := strings.Cut(text, "image:")
			image, _, _ := strings.Cut(rest, " ")
			_, rest, _ = strings.Cut(text, "replicas:")
			replicas, _, _ := strings.Cut(rest, " ")
			out = append(out, replicas+"×"+strings.TrimPrefix(image, "<username>/"))
		}
	}
	if r.Failed {
		out = append(out, "failed")
	}
	return strings.Join(out, " ")
}

func TestCompare(t *testing.T) {
	base := articles(t)
	tests := []struct {
		name string
		head fstest.MapFS
		want []string
		read []string // files that head's side read, beyond those of an index that knows base
	}{
		{
			"nothing changed: nothing is read",
			base,
			[]string{"unchanged 2"},
			nil,
		},
		{
			"one tag changed: only its application is rendered",
			edited(base, "develop/frontend/instance.yaml", `"1.0.1"`, `"1.0.2"`),
			[]string{"unchanged 1", "argocd/frontend-dev-app: 1×<your-project>:1.0.1 → 1×<your-project>:1.0.2"},
			[]string{"develop/frontend/instance.yaml"},
		},
		{
			"a comment in an instance deploys nothing else",
			edited(base, "develop/frontend/instance.yaml", "spec:", "# a comment\nspec:"),
			[]string{"unchanged 2"},
			[]string{"develop/frontend/instance.yaml"},
		},
		{
			"a changed definition is followed into every instance",
			edited(base, "platform/frontend-rgd.yaml", "${schema.spec.values.deployment.replicas}", "${schema.spec.values.deployment.replicas + 1}"),
			[]string{"unchanged 0", "argocd/backend-dev-app: 1×<your-project>:1.0.1 → 2×<your-project>:1.0.1", "argocd/frontend-dev-app: 1×<your-project>:1.0.1 → 2×<your-project>:1.0.1"},
			[]string{"platform/frontend-rgd.yaml"},
		},
		{
			"a comment in a definition deploys nothing else",
			edited(base, "platform/frontend-rgd.yaml", "spec:", "# a comment\nspec:"),
			[]string{"unchanged 2"},
			[]string{"platform/frontend-rgd.yaml"},
		},
		{
			"a new folder is a new application",
			edited(base, "develop/api/instance.yaml", "", strings.ReplaceAll(string(base["develop/frontend/instance.yaml"].Data), "wsp-frontend", "api")),
			[]string{"unchanged 2", "argocd/api-dev-app: nothing → 1×<your-project>:1.0.1"},
			[]string{"develop/api/instance.yaml"},
		},
		{
			"a folder that is gone is an application that is gone",
			edited(base, "develop/backend/instance.yaml", "", ""),
			[]string{"unchanged 1", "argocd/backend-dev-app: 1×<your-project>:1.0.1 → nothing"},
			nil,
		},
		{
			"a broken instance is not a deletion",
			edited(base, "develop/backend/instance.yaml", "kind:", "kind: ["),
			[]string{"unchanged 1", "argocd/backend-dev-app: 1×<your-project>:1.0.1 → failed"},
			[]string{"develop/backend/instance.yaml"},
		},
		{
			"another destination is a change of every application",
			edited(base, "argo-applications/develop-applicationset.yaml", "namespace: develop\n", "namespace: elsewhere\n"),
			[]string{"unchanged 0", "argocd/backend-dev-app: 1×<your-project>:1.0.1 → 1×<your-project>:1.0.1", "argocd/frontend-dev-app: 1×<your-project>:1.0.1 → 1×<your-project>:1.0.1"},
			[]string{"argo-applications/develop-applicationset.yaml", "develop/backend/instance.yaml", "develop/frontend/instance.yaml"},
		},
		{
			"a comment above the ApplicationSet is none",
			edited(base, "argo-applications/develop-applicationset.yaml", "apiVersion", "# a comment\napiVersion"),
			[]string{"unchanged 2"},
			[]string{"argo-applications/develop-applicationset.yaml"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			engine := newEngine(t)
			if _, err := engine.Compare(t.Context(), repository(newGitTree(base)), repository(newGitTree(base)), Options{}); err != nil {
				t.Fatal(err)
			}
			head := newGitTree(test.head)
			got, err := engine.Compare(t.Context(), repository(newGitTree(base)), repository(head), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, summary(got)); diff != "" {
				t.Errorf("comparison (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.read, head.files()); diff != "" {
				t.Errorf("files read (-want +got):\n%s", diff)
			}
			plain, err := newEngine(t).Compare(t.Context(), repository(base), repository(test.head), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, summary(plain)); diff != "" {
				t.Errorf("comparison of trees without object ids (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOptionsRestrictWhatIsLookedAt(t *testing.T) {
	engine := newEngine(t)
	set, err := engine.Applications(t.Context(), repository(articles(t)), Options{Applications: []string{"argo-applications"}, Definitions: []string{"nowhere", "develop"}})
	if err != nil {
		t.Fatal(err)
	}
	var findings []string
	for _, f := range set.Findings {
		findings = append(findings, f.String())
	}
	want := []string{`nowhere: error: path "nowhere" does not exist in the repository; correct the path [invalid-manifest]`}
	if diff := cmp.Diff(want, findings); diff != "" || len(set.Applications) != 2 || len(set.Definitions) != 0 {
		t.Errorf("findings (-want +got):\n%s\n%d applications, %d definitions", diff, len(set.Applications), len(set.Definitions))
	}
}

func TestEngineIsSafeForConcurrentUse(t *testing.T) {
	engine := newEngine(t)
	base := articles(t)
	head := edited(base, "develop/frontend/instance.yaml", `"1.0.1"`, `"1.0.2"`)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			got, err := engine.Compare(t.Context(), repository(newGitTree(base)), repository(newGitTree(head)), Options{})
			if err != nil || len(got.Apps) != 1 {
				t.Errorf("%d applications, %v", len(got.Apps), err)
			}
		})
	}
	group.Wait()
}

func TestEqualKeysMeanEqualObjects(t *testing.T) {
	engine := newEngine(t)
	base := articles(t)
	keys := map[string][]string{}
	for _, tree := range []fstest.MapFS{base, edited(base, "README.md", "", "x"), edited(base, "develop/frontend/instance.yaml", `"1.0.1"`, `"1.0.2"`), edited(base, "platform/frontend-rgd.yaml", "default=3000", "default=3001")} {
		repo := repository(newGitTree(tree))
		set, err := engine.Applications(t.Context(), repo, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, app := range set.Applications {
			keys[app.Name] = append(keys[app.Name], engine.Render(t.Context(), repo, set, app).Key)
		}
	}
	frontend, backend := keys["frontend-dev-app"], keys["backend-dev-app"]
	if frontend[0] != frontend[1] || frontend[0] == frontend[2] || frontend[0] == frontend[3] || frontend[2] == frontend[3] {
		t.Errorf("frontend's keys %q", frontend)
	}
	if backend[0] != backend[1] || backend[0] != backend[2] || backend[0] == backend[3] {
		t.Errorf("backend's keys %q", backend)
	}
}

// many is a repository with n services.
func many(b *testing.B, n int) fstest.MapFS {
	tree := articles(b)
	frontend := string(tree["develop/frontend/instance.yaml"].Data)
	for i := range n {
		name := fmt.Sprintf("service-%04d", i)
		tree["develop/"+name+"/instance.yaml"] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(frontend, "wsp-frontend", name))}
	}
	return tree
}

// BenchmarkRenderKroWarm renders one application whose instance changed; its definition is compiled already.
func BenchmarkRenderKroWarm(b *testing.B) {
	engine := newEngine(b)
	base := articles(b)
	repo := repository(newGitTree(base))
	set, err := engine.Applications(b.Context(), repo, Options{})
	if err != nil {
		b.Fatal(err)
	}
	i := slices.IndexFunc(set.Applications, func(a argocd.Application) bool { return a.Name == "frontend-dev-app" })
	engine.Render(b.Context(), repo, set, set.Applications[i])
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		changed := repository(newGitTree(edited(base, "develop/frontend/instance.yaml", `"1.0.1"`, fmt.Sprintf("%q", fmt.Sprintf("1.0.%d", n)))))
		if result := engine.Render(b.Context(), changed, set, set.Applications[i]); len(result.Objects) != 4 {
			b.Fatalf("%d objects, %v", len(result.Objects), result.Findings)
		}
	}
}

// BenchmarkCompareOneChanged compares two commits of a repository with 500 services, of which one changed; base is known.
func BenchmarkCompareOneChanged(b *testing.B) {
	engine := newEngine(b)
	base := many(b, 500)
	baseTree := newGitTree(base)
	if _, err := engine.Compare(b.Context(), repository(baseTree), repository(baseTree), Options{}); err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		b.StopTimer()
		n++
		head := newGitTree(edited(base, "develop/service-0007/instance.yaml", `"1.0.1"`, fmt.Sprintf("%q", fmt.Sprintf("1.1.%d", n))))
		for id := range baseTree.ids {
			if id != "." && id != "develop" && id != "develop/service-0007" {
				head.ids[id] = baseTree.ids[id]
			}
		}
		b.StartTimer()
		got, err := engine.Compare(b.Context(), repository(baseTree), repository(head), Options{})
		if err != nil || len(got.Apps) != 1 {
			b.Fatalf("%d applications, %v", len(got.Apps), err)
		}
	}
}
