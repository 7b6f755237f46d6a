package render

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// farm is a large tree that knows its object ids, as a Git tree does, and counts what is read of it. A farm that was made
// from another one by [farm.with] shares every folder that did not change.
type farm struct {
	root *plot

	mu     sync.Mutex
	read   []string // files
	listed []string // folders
}

// plot is one file or folder. It never changes.
type plot struct {
	id    string
	data  []byte
	below map[string]*plot // nil for a file
	names []string         // of below, sorted
}

func filePlot(data string) *plot {
	sum := sha256.Sum256([]byte(data))
	return &plot{id: hex.EncodeToString(sum[:20]), data: []byte(data)}
}

func folderPlot(below map[string]*plot) *plot {
	p := &plot{below: below, names: slices.Sorted(maps.Keys(below))}
	h := sha256.New()
	for _, name := range p.names {
		_, _ = io.WriteString(h, name+" "+below[name].id+"\n")
	}
	p.id = hex.EncodeToString(h.Sum(nil)[:20])
	return p
}

func (p *plot) with(name, data string) *plot {
	below := map[string]*plot{}
	if p != nil {
		maps.Copy(below, p.below)
	}
	if head, rest, deeper := strings.Cut(name, "/"); deeper {
		below[head] = below[head].with(rest, data)
	} else {
		below[name] = filePlot(data)
	}
	return folderPlot(below)
}

// with returns the tree with one file written.
func (f *farm) with(name, data string) *farm { return &farm{root: f.root.with(name, data)} }

func (f *farm) find(op, name string) (*plot, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	here := f.root
	for rest := name; rest != "" && name != "."; {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		if here = here.below[part]; here == nil {
			return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
		}
	}
	return here, nil
}

func (f *farm) ObjectID(name string) (string, error) {
	p, err := f.find("objectid", name)
	if err != nil {
		return "", err
	}
	return p.id, nil
}

func (f *farm) Open(name string) (fs.File, error) {
	p, err := f.find("open", name)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if p.below == nil {
		f.read = append(f.read, name)
	}
	return &openPlot{Reader: bytes.NewReader(p.data), plotInfo: plotInfo{path.Base(name), p}}, nil
}

func (f *farm) ReadDir(name string) ([]fs.DirEntry, error) {
	p, err := f.find("readdir", name)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.listed = append(f.listed, name)
	f.mu.Unlock()
	out := make([]fs.DirEntry, len(p.names))
	for i, name := range p.names {
		out[i] = plotInfo{name, p.below[name]}
	}
	return out, nil
}

func (f *farm) Stat(name string) (fs.FileInfo, error) {
	p, err := f.find("stat", name)
	return plotInfo{path.Base(name), p}, err
}

type plotInfo struct {
	name string
	plot *plot
}

func (i plotInfo) Name() string               { return i.name }
func (i plotInfo) Size() int64                { return int64(len(i.plot.data)) }
func (i plotInfo) IsDir() bool                { return i.plot.below != nil }
func (i plotInfo) Type() fs.FileMode          { return i.Mode().Type() }
func (i plotInfo) Info() (fs.FileInfo, error) { return i, nil }
func (i plotInfo) ModTime() time.Time         { return time.Time{} }
func (i plotInfo) Sys() any                   { return nil }
func (i plotInfo) Mode() fs.FileMode {
	if i.IsDir() {
		return fs.ModeDir | 0o755
	}
	return 0o644
}

type openPlot struct {
	*bytes.Reader
	plotInfo
}

func (o *openPlot) Size() int64                { return o.plotInfo.Size() }
func (o *openPlot) Stat() (fs.FileInfo, error) { return o.plotInfo, nil }
func (o *openPlot) Close() error               { return nil }

// farmStages are the folders of a farm, each with its own ApplicationSet. The last one uses Go templates.
var farmStages = [...]string{"develop", "production", "staging"}

const farmSet = `apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: %[1]s, namespace: argocd}
spec:
  generators:
    - git:
        repoURL: ` + repoURL + `
        revision: HEAD
        directories: [{path: %[1]s/*}]
  template:
    metadata:
      name: '{{path.basename}}-{{path[0]}}'
      labels: {team: '{{path.basename}}', app.kubernetes.io/part-of: shop}
      annotations:
        kargo.akuity.io/authorized-stage: 'shop:%[1]s'
    spec:
      project: default
      source: {repoURL: ` + repoURL + `, targetRevision: HEAD, path: '{{path}}'}
      destination: {server: https://kubernetes.default.svc, namespace: %[1]s}
      syncPolicy:
        automated: {prune: true, selfHeal: true}
        syncOptions: [CreateNamespace=true]
`

func farmService(name, image string) string {
	return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " + name + "}\nspec:\n  selector: {matchLabels: {app: " + name + "}}\n  template:\n    metadata: {labels: {app: " + name + "}}\n    spec: {containers: [{name: main, image: 'shop:" + image + "'}]}\n"
}

// newFarm is a repository with n services in each of the stages.
func newFarm(n int) *farm {
	root, sets := map[string]*plot{}, map[string]*plot{}
	for i, stage := range farmStages {
		text := fmt.Sprintf(farmSet, stage)
		if i == len(farmStages)-1 {
			text = strings.NewReplacer("{{path[0]}}", "{{index .path.segments 0}}", "{{path.", "{{.path.", "{{path}}", "{{.path.path}}", "spec:\n  gen", "spec:\n  goTemplate: true\n  gen").Replace(text)
		}
		sets[stage+".yaml"] = filePlot(text)
		services := make(map[string]*plot, n)
		for i := range n {
			name := fmt.Sprintf("service-%05d", i)
			services[name] = folderPlot(map[string]*plot{"deployment.yaml": filePlot(farmService(name, "1"))})
		}
		root[stage] = folderPlot(services)
	}
	root["applications"] = folderPlot(sets)
	return &farm{root: folderPlot(root)}
}

// counts is what was done to a tree.
type counts struct{ Read, Listed []string }

func (f *farm) counts() counts { return counts{f.read, f.listed} }

func TestCompareCostsWhatChanged(t *testing.T) {
	const instance = "develop/service-00007/deployment.yaml"
	base := newFarm(20)
	tests := []struct {
		name      string
		head      *farm
		unchanged int
		apps      []string // that were rendered
		made      []string // that base has not
		want      counts   // of head
		wantBase  counts
	}{
		{"nothing", &farm{root: base.root}, 60, nil, nil, counts{}, counts{}},
		{"a file that nobody looks at", base.with("README.md", "x"), 60, nil, nil, counts{nil, []string{"."}}, counts{}},
		{
			"one service", base.with(instance, farmService("service-00007", "2")), 59,
			[]string{"argocd/service-00007-develop"},
			nil,
			counts{[]string{instance}, []string{".", "develop", "develop/service-00007"}},
			counts{[]string{instance}, []string{"develop/service-00007"}},
		},
		{
			"a new service", base.with("staging/service-new/deployment.yaml", farmService("service-new", "2")), 60,
			[]string{"argocd/service-new-staging"},
			[]string{"argocd/service-new-staging"},
			counts{[]string{"staging/service-new/deployment.yaml"}, []string{".", "staging", "staging/service-new"}},
			counts{},
		},
		{
			"the Secret of a cluster", base.with("clusters/eu.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: eu, labels: {argocd.argoproj.io/secret-type: cluster}}\nstringData: {name: eu, server: 'https://eu'}\n"), 60, nil, nil,
			counts{[]string{"clusters/eu.yaml"}, []string{".", "clusters"}},
			counts{},
		},
		{
			"another ApplicationSet", base.with("applications/staging.yaml", string(base.root.below["applications"].below["staging.yaml"].data)+"# a comment\n"), 60, nil,
			farmKeys(base, "staging"),
			counts{[]string{"applications/develop.yaml", "applications/production.yaml", "applications/staging.yaml"}, []string{".", "applications"}},
			counts{},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			engine, before := newEngine(t), &farm{root: base.root}
			set, err := engine.Applications(t.Context(), repository(before), Options{})
			if err != nil || len(set.Applications) != 60 {
				t.Fatalf("%d applications, %v", len(set.Applications), err)
			}
			before.read, before.listed = nil, nil
			if _, err := engine.Applications(t.Context(), repository(test.head), Options{}); err != nil {
				t.Fatal(err)
			}
			got, err := engine.Compare(t.Context(), repository(before), repository(test.head), Options{})
			if err != nil {
				t.Fatal(err)
			}
			var apps []string
			for _, app := range got.Apps {
				apps = append(apps, app.Name)
			}
			if diff := cmp.Diff(test.apps, apps); diff != "" || got.Unchanged != test.unchanged {
				t.Errorf("rendered (-want +got):\n%s\n%d unchanged, want %d", diff, got.Unchanged, test.unchanged)
			}
			if diff := cmp.Diff(test.made, madeAnew(got.BaseSet, got.HeadSet)); diff != "" {
				t.Errorf("made (-want +got):\n%s", diff)
			}
			checkCounts(t, "head", test.want, test.head)
			checkCounts(t, "base", test.wantBase, before)
			fresh, err := newEngine(t).Applications(t.Context(), repository(test.head), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(fresh.Applications, got.HeadSet.Applications); diff != "" {
				t.Errorf("applications (-without memory +with):\n%s", diff)
			}
		})
	}
}

// checkCounts compares what was done at least once.
func checkCounts(t *testing.T, side string, want counts, tree *farm) {
	t.Helper()
	got := tree.counts()
	for _, list := range []*[]string{&want.Read, &want.Listed, &got.Read, &got.Listed} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s was read (-want +got):\n%s", side, diff)
	}
}

func farmKeys(f *farm, stage string) []string {
	var keys []string
	for _, name := range f.root.below[stage].names {
		keys = append(keys, "argocd/"+name+"-"+stage)
	}
	return keys
}

// madeAnew lists the Applications of head that share nothing with base.
func madeAnew(base, head Set) []string {
	known := map[uintptr]bool{}
	for _, app := range base.Applications {
		known[reflect.ValueOf(app.Labels).Pointer()] = true
	}
	var anew []string
	for _, app := range head.Applications {
		if !known[reflect.ValueOf(app.Labels).Pointer()] {
			anew = append(anew, app.Key())
		}
	}
	return anew
}

func TestSetsAreRememberedByEverythingThatDecidesThem(t *testing.T) {
	engine, tree := newEngine(t), newFarm(2)
	names := func(repo Repository, opts Options) int {
		t.Helper()
		set, err := engine.Applications(t.Context(), repo, opts)
		if err != nil {
			t.Fatal(err)
		}
		return len(set.Applications)
	}
	repo := repository(tree)
	elsewhere, branch := repo, repo
	elsewhere.URLs, branch.Revision = []string{"https://example.com/other"}, "other"
	for range 2 {
		got := []int{
			names(repo, Options{}), names(elsewhere, Options{}), names(branch, Options{}),
			names(repo, Options{Applications: []string{"applications/develop.yaml"}}), names(repo, Options{Definitions: []string{"applications"}}),
		}
		if diff := cmp.Diff([]int{6, 0, 6, 2, 6}, got); diff != "" {
			t.Errorf("applications (-want +got):\n%s", diff)
		}
	}
}

// BenchmarkCompareOneChanged30000 compares two commits of a repository with 30,000 applications, of which one changed.
func BenchmarkCompareOneChanged30000(b *testing.B) {
	base := newFarm(10_000)
	edit := func(n int) *farm {
		return base.with("develop/service-00007/deployment.yaml", farmService("service-00007", fmt.Sprint("2.", n)))
	}
	compare := func(b *testing.B, engine *Engine, head *farm) {
		b.Helper()
		set, err := engine.Applications(b.Context(), repository(head), Options{})
		if err != nil || len(set.Applications) != 30_000 || len(set.Findings) > 0 {
			b.Fatalf("%d applications, %d findings, %v", len(set.Applications), len(set.Findings), err)
		}
		got, err := engine.Compare(b.Context(), repository(base), repository(head), Options{})
		if err != nil || len(got.Apps) != 1 {
			b.Fatalf("%d applications, %v", len(got.Apps), err)
		}
	}
	b.Run("cold", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			engine, head := newEngine(b), edit(0)
			b.StartTimer()
			compare(b, engine, head)
		}
	})
	b.Run("warm", func(b *testing.B) {
		engine := newEngine(b)
		compare(b, engine, edit(0))
		b.ReportAllocs()
		n := 0
		for b.Loop() {
			b.StopTimer()
			n++
			head := edit(n)
			b.StartTimer()
			compare(b, engine, head)
		}
	})
}
