package argocd

import (
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestFixtures(t *testing.T) {
	const sha = "0123456789abcdef0123456789abcdef01234567"
	template := func(name, path string) string {
		return "\n  template:\n    metadata: {name: '" + name + "'}\n    spec: {destination: {}, source: {repoURL: " + ours + ", path: '" + path + "'}}\n"
	}
	const goTemplate = "  goTemplate: true\n  goTemplateOptions: [missingkey=error]\n"
	pulls := []map[string]any{
		{"number": int64(12), "branch": "Feature/Add_Thing & more", "head_sha": sha, "target_branch": "main", "labels": []any{"preview", "big"}, "author": "ann"},
		{"number": "7", "branch": "b", "branch_slug": "own", "head_sha": "abc"},
	}
	repositories := []map[string]any{{"organization": "o", "repository": "r", "repository_id": int64(5), "branch": "Release/1.0", "sha": sha, "labels": []any{"a", "b"}}}
	tests := []struct {
		name           string
		spec           string
		kind           string
		params         []map[string]any
		apps, findings []string
	}{
		{
			"a pull request's parameters, and those made of them",
			"  generators: [{pullRequest: {github: {owner: o, repo: r}}}]" + template("{{number}}-{{branch_slug}}-{{head_short_sha}}-{{head_short_sha_7}}", "{{author}}{{target_branch_slug}}{{labels}}"),
			"pullRequest", pulls[:1],
			[]string{"12-feature-add-thing-and-more-01234567-0123456 annmain{{labels}}"},
			[]string{"apps.yaml:8:97: warning: {{labels}} is not replaced: there is no parameter \"labels\"; parameters are author, branch, branch_slug, head_sha, head_short_sha, head_short_sha_7, number, target_branch, target_branch_slug [unknown-template-parameter]"},
		},
		{
			"in Go templates its labels are a list",
			goTemplate + "  generators: [{pullRequest: {values: {v: 'pr-{{.number}}'}}}]" + template("{{.values.v}}", "{{.labels | join \"+\"}}"),
			"pullRequest", pulls[:1],
			[]string{"pr-12 preview+big"},
			nil,
		},
		{
			"what is given is not made",
			goTemplate + "  generators: [{pullRequest: {}}]" + template("{{.branch_slug}}-{{.head_short_sha}}", "x"),
			"pullRequest", pulls[1:],
			[]string{"own-abc x"},
			nil,
		},
		{
			"what is not given is not made up",
			"  generators: [{pullRequest: {}}]" + template("{{number}}", "{{title}}"), "pullRequest", pulls[1:],
			[]string{"7 {{title}}"},
			[]string{"apps.yaml:8:97: warning: {{title}} is not replaced: there is no parameter \"title\"; parameters are branch, branch_slug, head_sha, head_short_sha, head_short_sha_7, number [unknown-template-parameter]"},
		},
		{
			"the slug of letters beyond ASCII is for the settings to say",
			goTemplate + "  generators: [{pullRequest: {}}]" + template("{{dig \"branch_slug\" \"none\" .}}", "x"), "pullRequest",
			[]map[string]any{{"branch": "für-alle"}},
			[]string{"none x"},
			nil,
		},
		{
			"a filter of a selector counts",
			"  generators: [{pullRequest: {}, selector: {matchLabels: {number: '7'}}}]" + template("{{number}}", "x"), "pullRequest", pulls,
			[]string{"7 x"},
			nil,
		},
		{"no pull request is open", "  generators: [{pullRequest: {}}]" + template("{{number}}", "x"), "pullRequest", []map[string]any{}, nil, nil},
		{
			"repositories of a forge",
			goTemplate + "  generators: [{scmProvider: {values: {n: '{{.organization}}-{{.repository}}'}}}]" + template("{{.values.n}}-{{.branchNormalized}}-{{.short_sha_7}}", "{{.labels}}/{{add .repository_id 1}}"),
			"scmProvider", repositories,
			[]string{"o-r-release-1.0-0123456 a,b/6"},
			nil,
		},
		{
			"in plain templates a number is not replaced",
			"  generators: [{scmProvider: {}}]" + template("{{repository}}-{{short_sha}}", "{{labels}}/{{repository_id}}"),
			"scmProvider", repositories,
			[]string{"r-01234567 a,b/{{repository_id}}"},
			[]string{"apps.yaml:8:97: warning: {{repository_id}} is not replaced: the parameter is no text; set goTemplate: true, whose templates print any value [unknown-template-parameter]"},
		},
		{
			"a plugin answers anything, and what it was asked is a parameter",
			goTemplate + "  generators: [{plugin: {configMapRef: {name: p}, input: {parameters: {env: dev}}, values: {n: '{{.deep.n}}'}}}]" + template("{{.deep.n}}-{{.generator.input.parameters.env}}", "{{.values.n}}/{{index .list 1}}"),
			"plugin",
			[]map[string]any{{"deep": map[string]any{"n": int64(1)}, "list": []any{"a", "b"}}},
			[]string{"1-dev 1/b"},
			nil,
		},
		{
			"in plain templates its answer is flat",
			"  generators: [{plugin: {values: {n: '{{deep.n}}'}}}]" + template("{{deep.n}}", "{{values.n}}/{{list.1}}"),
			"plugin",
			[]map[string]any{{"deep": map[string]any{"n": int64(1)}, "list": []any{"a", true}}},
			[]string{"1 1/true"},
			nil,
		},
		{
			"the decision of a cluster, with the server that is known",
			"  generators: [{clusterDecisionResource: {configMapRef: p, name: x, values: {v: w}}}]" + template("{{clusterName}}-{{values.v}}", "{{server}}"),
			"clusterDecisionResource",
			[]map[string]any{{"name": "eu-one", "clusterName": "eu-one"}, {"name": "mars", "server": "https://mars", "clusterName": "m"}},
			[]string{"eu-one-w https://one", "m-w https://mars"},
			nil,
		},
		{
			"inside a matrix, whose parameters its values may use",
			goTemplate + "  generators: [{matrix: {generators: [{list: {elements: [{env: dev}, {env: test}]}}, {pullRequest: {values: {n: '{{.env}}-{{.number}}'}}}]}}]" + template("{{.values.n}}", "x"),
			"pullRequest", pulls,
			[]string{"dev-12 x", "dev-7 x", "test-12 x", "test-7 x"},
			nil,
		},
		{
			"first in a matrix",
			"  generators: [{matrix: {generators: [{pullRequest: {}}, {list: {elements: [{name: 'pr-{{number}}'}]}}]}}]" + template("{{name}}", "x"),
			"pullRequest", pulls,
			[]string{"pr-12 x", "pr-7 x"},
			nil,
		},
		{
			"inside a merge",
			"  generators: [{merge: {mergeKeys: [number], generators: [{pullRequest: {}}, {list: {elements: [{number: '7', author: bob}]}}]}}]" + template("{{number}}", "{{author}}"),
			"pullRequest",
			[]map[string]any{{"number": "7", "author": "ann"}, {"number": "8", "author": "eve"}},
			[]string{"7 bob", "8 eve"},
			nil,
		},
		{
			"nobody was told",
			"  generators: [{plugin: {}}]" + template("x", "x"), "pullRequest", nil, nil,
			[]string{`apps.yaml:5:17: warning: generator cannot be evaluated offline: only the plugin knows its parameters, so its applications are not shown; write it in lockkeeper.yaml: generators: [{applicationSet: s, kind: plugin, params: [{…}]}] [not-evaluated-offline]`},
		},
		{
			"a broken generator", "  generators: [{pullRequest: {values: [1]}}]" + template("x", "x"), "pullRequest", pulls, nil,
			[]string{"apps.yaml:5:39: error: value […] of values is a list, not a mapping [invalid-generator]"},
		},
		{
			"a broken value", goTemplate + "  generators: [{pullRequest: {values: {v: '{{.nope}}'}}}]" + template("x", "x"), "pullRequest", pulls, nil,
			[]string{`apps.yaml:7:17: error: values.v: template "{{.nope}}": <.nope>: map has no entry for key "nope" [invalid-template]`},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tree := fstest.MapFS{"apps.yaml": {Data: []byte(set(test.spec))}}
			files := scanned(t, tree)
			for _, name := range []string{"s", "argocd/s"} {
				in := Input{Tree: tree, Files: files, RepoURLs: []string{ours}, Clusters: known, Fixtures: []Fixture{
					{ApplicationSet: "other", Kind: test.kind, Params: []map[string]any{{"number": "wrong"}}},
					{ApplicationSet: name, Kind: test.kind, Params: test.params},
				}}
				apps, findings := applicationsIn(t, in)
				var got []string
				for _, app := range apps {
					got = append(got, app.Name+" "+app.Sources[0].Path)
				}
				if diff := cmp.Diff(test.apps, got); diff != "" {
					t.Errorf("applications (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(test.findings, findings); diff != "" {
					t.Errorf("findings (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestFixtureCheck(t *testing.T) {
	tests := []struct {
		name    string
		fixture Fixture
		want    []string
	}{
		{"in order", Fixture{"s", "pullRequest", []map[string]any{{"number": int64(1), "branch": "b", "labels": []any{"x"}}}}, nil},
		{"any answer of a plugin", Fixture{"a/s", "plugin", []map[string]any{{"any": []any{int64(1), nil}}}}, nil},
		{"no name", Fixture{"", "plugin", nil}, []string{`applicationSet: "" is no name of an ApplicationSet; write its metadata.name`}},
		{"a generator that is evaluated", Fixture{"s", "git", nil}, []string{`kind: "git" is no generator that has to be told its parameters; known are clusterDecisionResource, plugin, pullRequest, scmProvider`}},
		{"a mistyped kind", Fixture{"s", "pullrequest", nil}, []string{`kind: "pullrequest" is no generator that has to be told its parameters; did you mean "pullRequest"?`}},
		{"a mistyped parameter", Fixture{"s", "pullRequest", []map[string]any{{"headsha": "x"}}}, []string{`params[0].headsha: pullRequest has no such parameter; did you mean "head_sha"?`}},
		{"a number that is none", Fixture{"s", "pullRequest", []map[string]any{{"head_sha": int64(1234567)}}}, []string{`params[0].head_sha: is not a string; add quotes`}},
		{"labels that are none", Fixture{"s", "scmProvider", []map[string]any{{}, {"labels": []any{int64(1)}}}}, []string{`params[1].labels: is not a list of strings; `}},
		{"a decision that is no text", Fixture{"s", "clusterDecisionResource", []map[string]any{{"labels": []any{"x"}, "name": true}}}, []string{`params[0].labels: is not a string; add quotes`, `params[0].name: is not a string; add quotes`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, p := range test.fixture.Check() {
				got = append(got, fmt.Sprintf("%s: %s; %s", p.Path, p.Problem, p.Remedy))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBranchSlug(t *testing.T) {
	for branch, want := range map[string]string{
		"feature/ABC_1.2": "feature-abc-1-2", " it's \"it\" ": "its-it", "a&b@c": "aandbatc", "__x__": "x",
		"a-very-long-name-of-a-branch-that-nobody-should-ever-have-to-type": "a-very-long-name-of-a-branch-that-nobody-should",
	} {
		if got, ok := branchSlug(branch); got != want || !ok {
			t.Errorf("branchSlug(%q) = %q, want %q", branch, got, want)
		}
	}
}
