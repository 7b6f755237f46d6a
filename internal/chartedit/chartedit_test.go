package chartedit

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"sigs.k8s.io/yaml"

	"github.com/lockkeeper/lockkeeper/internal/yamledit"
)

const shop = `apiVersion: v2
name: shop # the shop
dependencies:
  # cache
  - name: redis
    repository: "https://charts.example.com/"
    version: ~17.0   # pinned
  - {name: redis, alias: second, repository: https://charts.example.com, version: "16.1"}
  - name: common
    repository: oci://registry.example.com/charts
version: 1.0.0
`

func TestUpdateDependencies(t *testing.T) {
	out, changes, err := UpdateDependencies([]byte(shop), []Dependency{{"https://charts.example.com", "redis", "17.1"}, {"oci://Registry.example.com/charts", "common", "2.0.0"}})
	if err != nil {
		t.Fatal(err)
	}
	want := `apiVersion: v2
name: shop # the shop
dependencies:
  # cache
  - name: redis
    repository: "https://charts.example.com/"
    version: "17.1"   # pinned
  - {name: redis, alias: second, repository: https://charts.example.com, version: "17.1"}
  - name: common
    repository: oci://registry.example.com/charts
    version: 2.0.0
version: 1.0.0
`
	if diff := cmp.Diff(want, string(out)); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
	wantChanges := []Change{
		{"redis", "https://charts.example.com/", "dependencies.0.version", "~17.0", "17.1"},
		{"redis", "https://charts.example.com", "dependencies.1.version", "16.1", "17.1"},
		{"common", "oci://registry.example.com/charts", "dependencies.2.version", "", "2.0.0"},
	}
	if diff := cmp.Diff(wantChanges, changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func TestUpdateDependenciesErrors(t *testing.T) {
	tests := []struct {
		name, src string
		dep       Dependency
		want      string
		missing   bool
	}{
		{"a typing mistake", shop, Dependency{"https://charts.example.com", "rediss", "1.0.0"}, `the chart has no dependency "rediss"; did you mean "redis": no such dependency`, true},
		{"another repository", shop, Dependency{"https://other.example.com", "redis", "1.0.0"}, `the chart has no dependency "redis" of "https://other.example.com"; it has "redis" of "https://charts.example.com/": no such dependency`, true},
		{"something else", shop, Dependency{"https://charts.example.com", "postgresql", "1.0.0"}, `the chart has no dependency "postgresql"; it has common, redis, redis: no such dependency`, true},
		{"no dependencies", "name: x\n", Dependency{"", "a", "1"}, `the chart has no dependency "a", and no other either: no such dependency`, true},
		{"no version", shop, Dependency{"r", "redis", ""}, `dependency "redis" of "r": name and version are required`, false},
		{"no list", "dependencies: {a: b}\n", Dependency{"r", "a", "1"}, `key "dependencies": the dependencies cannot be read: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal object into Go struct field .dependencies of type []chartedit.declared; write a list of mappings with name, version and repository`, false},
		{"no YAML", "a: [\n", Dependency{"r", "a", "1"}, "the file is not valid YAML: line 1: did not find expected node content", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			out, changes, err := UpdateDependencies([]byte(test.src), []Dependency{test.dep})
			if err == nil || err.Error() != test.want || errors.Is(err, ErrNoDependency) != test.missing || out != nil || changes != nil {
				t.Errorf("UpdateDependencies = %q, %v, %v, want %s", out, changes, err, test.want)
			}
		})
	}
}

// TestLock compares with digests that Helm computed: of its own tests for HashReq, and of a lock file among its test data.
func TestLock(t *testing.T) {
	generated := time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC)
	tests := []struct {
		name, chart string
		resolved    []Dependency
		want        string
	}{
		{
			"one dependency", "dependencies: [{name: alpine, version: 0.1.0, repository: 'http://localhost:8879/charts'}]\n",
			[]Dependency{{"http://localhost:8879/charts", "alpine", "0.1.0"}},
			"dependencies:\n- name: alpine\n  repository: http://localhost:8879/charts\n  version: 0.1.0\ndigest: sha256:fb239e836325c5fa14b29d1540a13b7d3ba13151b67fe719f820e0ef6d66aaaf\ngenerated: \"2026-01-02T03:04:05.0000006Z\"\n",
		},
		{
			"ranges, conditions, tags and imports",
			"dependencies:\n- {name: dev, repository: 'file://envs/dev', version: '>= 0.0.1', condition: 'dev.enabled,global.dev.enabled', tags: [dev], import-values: [data]}\n- {name: prod, repository: 'file://envs/prod', version: '>= 0.0.1', condition: 'prod.enabled,global.prod.enabled', tags: [prod], import-values: [data]}\n",
			[]Dependency{{"file://envs/dev", "dev", "v0.1.0"}, {"file://envs/prod", "prod", "v0.1.0"}},
			"dependencies:\n- name: dev\n  repository: file://envs/dev\n  version: v0.1.0\n- name: prod\n  repository: file://envs/prod\n  version: v0.1.0\ndigest: sha256:9403fc24f6cf9d6055820126cf7633b4bd1fed3c77e4880c674059f536346182\ngenerated: \"2026-01-02T03:04:05.0000006Z\"\n",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			out, err := Lock([]byte(test.chart), test.resolved, generated)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(out)); diff != "" {
				t.Errorf("lock (-want +got):\n%s", diff)
			}
			var read chart.Lock
			if err := yaml.UnmarshalStrict(out, &read); err != nil || !read.Generated.Equal(generated) || len(read.Dependencies) != len(test.resolved) {
				t.Errorf("Helm reads %+v, %v", read, err)
			}
		})
	}
	for _, resolved := range [][]Dependency{nil, {{"r", "other", "1"}}} {
		if out, err := Lock([]byte(tests[0].chart), resolved, generated); err == nil {
			t.Errorf("Lock of %v = %s", resolved, out)
		}
	}
}

// TestDeclaredIsHelms: the digest is over JSON, so that every field and its order count.
func TestDeclaredIsHelms(t *testing.T) {
	const text = `[{name: a, version: '1', repository: r, condition: c, tags: [t], enabled: true, import-values: [x, {child: y, parent: z}], alias: b}, {name: a}]`
	var ours []declared
	var helms []*chart.Dependency
	if err := errors.Join(yaml.UnmarshalStrict([]byte(text), &ours), yaml.UnmarshalStrict([]byte(text), &helms)); err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(ours)
	if err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal(helms)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("JSON (-Helm +ours):\n%s", diff)
	}
}

func FuzzUpdateDependencies(f *testing.F) {
	f.Add([]byte(shop), "redis", "https://charts.example.com", "17.1.0")
	f.Add([]byte("dependencies:\n- name: &a x\n  repository: ''\n- {name: *a}\n"), "x", "", "1.10")
	f.Fuzz(func(t *testing.T, src []byte, name, repository, version string) {
		before := slices.Clone(src)
		out, changes, err := UpdateDependencies(src, []Dependency{{repository, name, version}})
		if !bytes.Equal(src, before) {
			t.Fatal("the file was modified")
		}
		if err != nil {
			if _, ok := errors.AsType[*yamledit.Error](err); !ok && !errors.Is(err, ErrNoDependency) && name != "" && version != "" {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		for _, change := range changes {
			if got, err := yamledit.Get(out, change.Key); err != nil || got.Text != version {
				t.Fatalf("%s of %q = %+v, %v", change.Key, out, got, err)
			}
		}
		have, err := read(out)
		if err != nil {
			t.Fatalf("%q became %q: %v", src, out, err)
		}
		var resolved []Dependency
		for _, d := range have {
			resolved = append(resolved, Dependency{d.Repository, d.Name, d.Version})
		}
		if _, err := Lock(out, resolved, time.Time{}); err != nil {
			t.Fatal(err)
		}
	})
}
