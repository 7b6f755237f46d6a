package step

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/chartedit"
	"github.com/lockkeeper/lockkeeper/promote"
)

const umbrella = `apiVersion: v2
name: umbrella
version: 1.0.0
dependencies:
- name: redis
  repository: https://charts.example.com # ours
  version: 17.0.3
- name: common
  repository: oci://registry.example.com/charts
  version: ^2.0
`

// umbrellaLock is the lock of a Chart.yaml, of redis in a version.
func umbrellaLock(t *testing.T, chartYAML, redis string) string {
	t.Helper()
	out, err := chartedit.Lock([]byte(chartYAML), []chartedit.Dependency{
		{Repository: "https://charts.example.com", Name: "redis", Version: redis},
		{Repository: "oci://registry.example.com/charts", Name: "common", Version: "2.4.1"},
	}, when)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestHelmUpdateChart(t *testing.T) {
	updated := strings.ReplaceAll(umbrella, "17.0.3", "17.1.0")
	move := []promote.Move{{File: "c/Chart.yaml", Key: "dependencies.0.version", Before: "17.0.3", After: "17.1.0"}}
	const changed = "Update c/Chart.yaml\n\n- redis: 17.0.3 → 17.1.0"
	for name, c := range map[string]struct {
		files         map[string]string // beside Chart.yaml
		config        string
		want, left    string
		commit, words string
		moves         []promote.Move
	}{
		"a chart without a lock": {
			nil, "charts: [{repository: https://charts.example.com/, name: redis, version: 17.1.0}]",
			"== repo/c/Chart.yaml\n" + updated, "Chart.yaml", changed, "", move,
		},
		"a lock, and archives of the old version": {
			map[string]string{
				"c/Chart.lock": umbrellaLock(t, umbrella, "17.0.3"), "c/charts/redis-17.0.3.tgz": "x", "c/charts/redis-cluster-1.0.0.tgz": "x",
				"c/charts/common-2.4.1.tgz": "x", "c/charts/redis-17.1.0.tgz": "x", "c/charts/deep/redis-1.0.0.tgz": "x",
			},
			"charts: [{repository: https://charts.example.com, name: redis, version: 17.1.0}]",
			"== repo/c/Chart.lock\n" + umbrellaLock(t, updated, "17.1.0") + "== repo/c/Chart.yaml\n" + updated,
			"Chart.lock Chart.yaml charts/common-2.4.1.tgz charts/deep/redis-1.0.0.tgz charts/redis-17.1.0.tgz charts/redis-cluster-1.0.0.tgz",
			changed + "\n- removed charts/redis-17.0.3.tgz",
			"removed charts/redis-17.0.3.tgz: of another version; nothing is fetched here, so vendor the new one or leave that to Argo CD", move,
		},
		"the version that is there": {
			map[string]string{"c/Chart.lock": umbrellaLock(t, umbrella, "17.0.3"), "c/charts/redis-17.0.3.tgz": "x"},
			"charts: [{repository: https://charts.example.com, name: redis, version: 17.0.3}]",
			"== repo/c/Chart.lock\n" + umbrellaLock(t, umbrella, "17.0.3") + "== repo/c/Chart.yaml\n" + umbrella,
			"Chart.lock Chart.yaml charts/redis-17.0.3.tgz", "Update c/Chart.yaml\n\n- redis: 17.0.3 → 17.0.3", "", nil,
		},
		"a folder of the right version": {
			map[string]string{"c/charts/redis/Chart.yaml": "name: redis\nversion: 17.1.0\n"},
			"charts: [{repository: https://charts.example.com, name: redis, version: '17.1.0'}]",
			"== repo/c/Chart.yaml\n" + updated, "Chart.yaml charts/redis/Chart.yaml", changed, "", move,
		},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"c/Chart.yaml": umbrella}
			maps.Copy(files, c.files)
			r := newSeed(t, plainSeed(files)).at(t, "./repo")
			out := r.must(t, "helm-update-chart", "{path: ./repo/c, "+c.config+"}")
			if diff := cmp.Diff(c.want, r.written(t)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.commit, out.output["commitMessage"]); diff != "" || out.message != c.words {
				t.Errorf("message %q, want %q; commit message %s", out.message, c.words, diff)
			}
			if diff := cmp.Diff(c.moves, r.result.Moves); diff != "" {
				t.Error(diff)
			}
			left, err := r.workspace.walk(t.Context(), "./repo/c")
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, file := range left {
				names = append(names, strings.TrimPrefix(file.path, "repo/c/"))
			}
			if got := strings.Join(names, " "); got != c.left {
				t.Errorf("left %s, want %s", got, c.left)
			}
		})
	}
}

func TestHelmUpdateChartProblemsAreExplained(t *testing.T) {
	b := newSeed(t, plainSeed(map[string]string{
		"c/Chart.yaml": umbrella, "u/Chart.yaml": umbrella, "u/charts/redis/Chart.yaml": "name: redis\nversion: 17.0.3\n",
		"l/Chart.yaml": umbrella, "l/Chart.lock": "dependencies: []\ndigest: x\n", "b/Chart.yaml": umbrella, "b/Chart.lock": "a: [\n",
	}))
	const redis = "{repository: https://charts.example.com, name: redis, version: 17.1.0}"
	for _, c := range []struct{ config, want string }{
		{"{path: ./repo/c}", "config.charts is missing"},
		{"{path: ./repo/d, charts: [" + redis + "]}", `config.path is no Helm chart: "./repo/d/Chart.yaml": no such file on main`},
		{"{path: ./repo/c, charts: [{repository: r, version: 1.0.0}]}", "config.charts[0].name is missing"},
		{"{path: ./repo/c, charts: [{repository: r, name: redis, version: '${{ nil }}'}]}", `config.charts[0].version of "redis" is missing, or its expression found nothing`},
		{"{path: ./repo/c, charts: [{repository: https://charts.example.com, name: rediss, version: 1.0.0}]}", `./repo/c/Chart.yaml: the chart has no dependency "rediss"; did you mean "redis"`},
		{"{path: ./repo/u, charts: [" + redis + "]}", "./repo/u/charts/redis holds redis 17.0.3 unpacked, which would still be rendered"},
		{"{path: ./repo/l, charts: [" + redis + "]}", `./repo/l/Chart.lock: "common" of "oci://registry.example.com/charts" is "^2.0" in Chart.yaml and "" in Chart.lock`},
		{"{path: ./repo/b, charts: [" + redis + "]}", "./repo/b/Chart.lock: the file is not valid YAML"},
	} {
		r := b.at(t, "./repo")
		_, err := r.do(t, "helm-update-chart", c.config)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v\nwant %q", c.config, err, c.want)
		}
		if wrote := r.written(t); wrote != "" || len(r.result.Moves) > 0 {
			t.Errorf("%s: a step that failed wrote\n%s", c.config, wrote)
		}
	}
}

func TestAChartIsUpdatedRenderedAndCommitted(t *testing.T) {
	b := newSeed(t, plainSeed(map[string]string{
		"c/Chart.yaml":            "apiVersion: v2\nname: c\nversion: 1.0.0\n",
		"c/templates/config.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {tag: {{ .Values.tag | quote }}}\n",
	}))
	const task = `
- {uses: git-clone, as: clone, config: {repoURL: "${{ vars.gitopsRepo }}", checkout: [{branch: main, path: ./repo}]}}
- uses: helm-template
  as: render
  config: {path: ./repo/c, releaseName: web, outPath: ./repo/rendered, setValues: [{key: tag, value: "${{ imageFrom(vars.imageRepo).Tag }}"}]}
- {uses: git-commit, as: commit, config: {path: ./repo, message: Render}}
- {uses: git-push, as: push, config: {path: ./repo}}
`
	result := run1(t, b.request(t, task, "1.10"))
	if got, want := statuses(result), "Succeeded Succeeded Succeeded Running"; got != want || result.Push == nil {
		t.Fatalf("statuses %q, want %q: %s", got, want, result.Message)
	}
	tree, err := b.git.Tree(t.Context(), string(result.Push.Head))
	if err != nil {
		t.Fatal(err)
	}
	data, err := tree.ReadFile("rendered/c/templates/config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := "---\n# Source: c/templates/config.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {tag: \"1.10\"}\n"
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Error(diff)
	}
	if again := run1(t, b.request(t, task, "1.10")); again.Push.Head != result.Push.Head {
		t.Errorf("%s, then %s", result.Push.Head, again.Push.Head)
	}
}
