package argocd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// listedTree remembers which folders were listed and can fail to list one.
type listedTree struct {
	fstest.MapFS
	listed []string
	broken string
}

var errBroken = errors.New("no connection")

func (l *listedTree) ReadDir(name string) ([]fs.DirEntry, error) {
	if name == l.broken {
		return nil, errBroken
	}
	l.listed = append(l.listed, name)
	return l.MapFS.ReadDir(name)
}

func TestMatchListsOnlyWhatCanMatch(t *testing.T) {
	tree := fstest.MapFS{}
	for _, name := range []string{"develop/a/x/deep", "develop/b/x", "production/a/x", "apps/team/one/dev", "apps/team/two/dev", "[x]/a"} {
		tree[name+"/file"] = &fstest.MapFile{}
	}
	tests := []struct {
		pattern        string
		found, listing []string
	}{
		{"develop/*", []string{"develop/a", "develop/b"}, []string{".", "develop"}},
		{"*", []string{"[x]", "apps", "develop", "production"}, []string{"."}},
		{"apps/*/*/dev", []string{"apps/team/one/dev", "apps/team/two/dev"}, []string{".", "apps", "apps/team", "apps/team/one", "apps/team/two"}},
		{"develop/[a]", []string{"develop/a"}, []string{".", "develop", "develop/a", "develop/a/x", "develop/a/x/deep", "develop/b", "develop/b/x"}},
		{"apps/team/o[n]e/*", []string{"apps/team/one/dev"}, []string{".", "apps", "apps/team", "apps/team/one", "apps/team/one/dev", "apps/team/two", "apps/team/two/dev"}},
		{"nowhere/*", nil, []string{"."}},
	}
	for _, test := range tests {
		t.Run(test.pattern, func(t *testing.T) {
			counted := &listedTree{MapFS: tree}
			f := newFolders(counted, nil)
			for range 2 {
				found, err := f.match(t.Context(), patterns{include: []string{test.pattern}})
				if diff := cmp.Diff(test.found, found); diff != "" || err != nil {
					t.Errorf("found (-want +got):\n%s\n%v", diff, err)
				}
			}
			if diff := cmp.Diff(test.listing, counted.listed); diff != "" {
				t.Errorf("listed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStem(t *testing.T) {
	for pattern, want := range map[string]string{
		"develop/*": "develop", "a/b/c*/d": "a/b", "a/b": "a", "*": ".", "x": ".", "a/[b/c]/d": "a", `a\*/b`: ".", "a/b?/c": "a", "/a/*": "/a",
	} {
		if got := stem(pattern); got != want {
			t.Errorf("stem(%q) = %q, want %q", pattern, got, want)
		}
	}
}

func TestAMemorySharesWhatDocumentsMake(t *testing.T) {
	text := set(`  generators: [{git: {repoURL: ` + ours + `, directories: [{path: 'a/*'}, {path: a/skip, exclude: true}]}, selector: {matchExpressions: [{key: path.basename, operator: NotIn, values: [odd]}]}}]
  template:
    metadata: {name: '{{path.basename}}', labels: {of: '{{path}}', nope: '{{nope}}'}}
    spec: {source: {repoURL: ` + ours + `, path: '{{path}}'}}
`)
	memory := NewMemory(1000)
	evaluate := func(memory *Memory, dirs ...string) ([]Application, []string) {
		t.Helper()
		tree := fstest.MapFS{"apps.yaml": {Data: []byte(text)}}
		for _, dir := range dirs {
			tree["a/"+dir+"/x"] = &fstest.MapFile{}
		}
		files, err := manifest.Scan(t.Context(), tree, manifest.Query{Kinds: manifest.ArgoCD()})
		if err != nil {
			t.Fatal(err)
		}
		apps, found, err := Applications(t.Context(), Input{Tree: tree, Files: files, RepoURLs: []string{ours}, Memory: memory})
		if err != nil {
			t.Fatal(err)
		}
		var findings []string
		for _, f := range found {
			findings = append(findings, f.String())
		}
		return apps, findings
	}
	shared := map[string]uintptr{}
	steps := []struct {
		name string
		dirs []string
		made []string // not shared with an earlier step
	}{
		{"everything is new", []string{"b", "d", "odd", "skip"}, []string{"b", "d"}},
		{"the same folders", []string{"b", "d", "odd", "skip"}, nil},
		{"a folder between others", []string{"b", "c", "d"}, []string{"c"}},
		{"a folder is gone", []string{"c", "d"}, nil},
		{"a name that the selector drops", []string{"c", "d", "odd"}, nil},
		{"one more", []string{"c", "d", "e", "odd"}, []string{"e"}},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			apps, findings := evaluate(memory, step.dirs...)
			wantApps, wantFindings := evaluate(nil, step.dirs...)
			if diff := cmp.Diff(wantApps, apps); diff != "" {
				t.Errorf("applications (-without memory +with):\n%s", diff)
			}
			if diff := cmp.Diff(wantFindings, findings); diff != "" || len(findings) == 0 {
				t.Errorf("findings (-without memory +with):\n%s", diff)
			}
			var made []string
			for _, app := range apps {
				at := reflect.ValueOf(app.Labels).Pointer()
				if shared[app.Name] != at {
					made = append(made, app.Name)
				}
				shared[app.Name] = at
			}
			if diff := cmp.Diff(step.made, made); diff != "" {
				t.Errorf("made (-want +got):\n%s", diff)
			}
		})
	}
}

func TestATreeThatCannotBeListedIsAnErrorAndNotRemembered(t *testing.T) {
	tree := &listedTree{MapFS: fstest.MapFS{"apps.yaml": {Data: []byte(set(`  generators: [{git: {repoURL: ` + ours + `, directories: [{path: 'a/*'}]}}]
  template: {metadata: {name: '{{path.basename}}'}, spec: {source: {repoURL: ` + ours + `, path: '{{path}}'}}}
`))}, "a/b/x": {}}}
	files, err := manifest.Scan(t.Context(), tree, manifest.Query{Kinds: manifest.ArgoCD()})
	if err != nil {
		t.Fatal(err)
	}
	in := Input{Tree: tree, Files: files, RepoURLs: []string{ours}, Memory: NewMemory(10)}
	tree.broken = "a"
	if apps, _, err := Applications(t.Context(), in); !errors.Is(err, errBroken) {
		t.Errorf("%d applications, %v", len(apps), err)
	}
	tree.broken = ""
	if apps, _, err := Applications(t.Context(), in); err != nil || len(apps) != 1 {
		t.Errorf("%d applications, %v", len(apps), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Applications(ctx, in); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

// A decoded template with its texts filled in is the filled template decoded.
func TestBlueprintsFillAsNodesDo(t *testing.T) {
	const source = `spec: {source: {repoURL: r, path: '{{path}}'}}`
	tests := []struct{ name, template string }{
		{"every field", `{metadata: {name: 'n-{{path}}', labels: {a: '{{path}}', b: c}, annotations: {x: '{{path[0]}}/{{path}}'}},
  spec: {project: 'p-{{path}}', sources: [{repoURL: 'r/{{path}}', path: '{{path}}', targetRevision: '{{path}}', chart: '{{path}}', ref: '{{path}}',
    directory: {recurse: true, include: '{{path}}', exclude: '{{path}}', jsonnet: {vars: [{name: '{{path}}'}]}},
    helm: {valuesObject: {a: ['{{path}}', 1, true]}, releaseName: '{{path}}'}, kustomize: {namePrefix: '{{path}}'}, plugin: {name: '{{path}}'}}],
    destination: {server: '{{path}}', name: '{{path}}', namespace: '{{path}}'}, syncPolicy: {automated: {prune: true}, syncOptions: ['{{path}}', x]}}}`},
		{"nothing to fill", `{metadata: {name: n, labels: {a: b}}, spec: {source: {repoURL: r, helm: {x: y}}}}`},
		{"a key with a tag", `{metadata: {name: n, labels: {'{{path}}': x}}, ` + source + `}`},
		{"an unknown parameter", `{metadata: {name: 'n-{{nope}}'}, ` + source + `}`},
		{"an unknown parameter where nobody reads", `{metadata: {name: n}, ` + source + `, other: ['{{nope}}']}`},
		{"a name that becomes empty", `{metadata: {name: '{{empty}}'}, ` + source + `}`},
		{"a block that becomes empty counts as absent", `{metadata: {name: n}, spec: {source: {repoURL: r, directory: {include: '{{empty}}'}, helm: {releaseName: '{{empty}}'}}}}`},
		{"a repository that becomes empty", `{metadata: {name: n}, spec: {source: {repoURL: '{{empty}}'}}}`},
		{"a value of another type", `{metadata: {name: n}, spec: {source: {repoURL: r, directory: {recurse: '{{path}}'}}}}`},
		{"a tag that is not closed", `{metadata: {name: 'n-{{path}}-{{'}, ` + source + `}`},
		{"an alias", `{metadata: {name: &n 'n-{{path}}', labels: {a: *n}}, ` + source + `}`},
		{"a hydrator", `{metadata: {name: n}, spec: {sourceHydrator: {drySource: {repoURL: r, path: '{{path}}'}, syncSource: {repoURL: 'r/{{path}}', targetBranch: '{{path}}', path: 'p/{{path}}'}, hydrateTo: {targetBranch: 'n/{{path}}'}}}}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var root yaml.Node
			if err := yaml.Unmarshal([]byte(test.template), &root); err != nil {
				t.Fatal(err)
			}
			template := root.Content[0]
			outcome := func(b *blueprint) []any {
				e := &expansion{dialect: newDialect(false, nil), doc: manifest.Document{File: "f.yaml", Line: 1, Node: template}}
				p := e.dialect.pathParams("a/b", "")
				p["empty"] = ""
				one := e.instantiate(t.Context(), b, p)
				return []any{e.apps, one.app, fmt.Sprint(one.findings)}
			}
			if diff := cmp.Diff(outcome(&blueprint{template: template}), outcome(newBlueprint("f.yaml", template))); diff != "" {
				t.Errorf("outcome (-by nodes +by blueprint):\n%s", diff)
			}
		})
	}
}

func TestSameSeesEveryField(t *testing.T) {
	full := func() Application {
		var app Application
		populate(reflect.ValueOf(&app).Elem(), "x")
		return app
	}
	if !Same(full(), full()) {
		t.Fatal("an application is not the same as its copy")
	}
	var check func(path string, at func(*Application) reflect.Value)
	check = func(path string, at func(*Application) reflect.Value) {
		app := full()
		v := at(&app)
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				if name := v.Type().Field(i).Name; path+name != "Origin" {
					check(path+name+".", func(a *Application) reflect.Value { return at(a).Field(i) })
				}
			}
		case reflect.Pointer:
			check(path, func(a *Application) reflect.Value { return at(a).Elem() })
		case reflect.Slice:
			check(path, func(a *Application) reflect.Value { return at(a).Index(0) })
		default:
			populate(v, "other")
			if Same(full(), app) {
				t.Errorf("another %s is not seen", path)
			}
		}
		app = full()
		if v := at(&app); path != "" && !v.IsZero() {
			v.SetZero()
			if Same(full(), app) {
				t.Errorf("a missing %s is not seen", path)
			}
		}
	}
	check("", func(a *Application) reflect.Value { return reflect.ValueOf(a).Elem() })
	moved := full()
	moved.Origin = Origin{File: "elsewhere"}
	if !Same(full(), moved) {
		t.Error("where it is written makes a difference")
	}
}

// populate sets everything in a value.
func populate(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		v.SetBool(text == "x")
	case reflect.Int:
		v.SetInt(int64(len(text)))
	case reflect.Interface:
		v.Set(reflect.ValueOf(text))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		populate(v.Elem(), text)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		populate(v.Index(0), text)
	case reflect.Map:
		item := reflect.New(v.Type().Elem()).Elem()
		populate(item, text)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("k"), item)
	case reflect.Struct:
		for _, field := range v.Fields() {
			populate(field, text)
		}
	default:
		panic("populate " + v.Kind().String())
	}
}
