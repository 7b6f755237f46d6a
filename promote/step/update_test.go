package step

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

// TestUpdatesKeepTypes holds a row for each format and kind of value: an unquoted expression gives a string, and the file says
// what becomes of it.
func TestUpdatesKeepTypes(t *testing.T) {
	rows := map[string]struct{ uses, file, before, key, value, after string }{
		"text in YAML":            {"yaml-update", "f.yaml", "a: \"1.9\"\n", "a", "'${{ vars.tag }}'", "a: \"1.10\"\n"},
		"a number in YAML":        {"yaml-update", "f.yaml", "a: 1 # c\n", "a", "'${{ vars.replicas }}'", "a: 3 # c\n"},
		"no number in YAML":       {"yaml-update", "f.yaml", "a: 1\n", "a", "'${{ vars.version }}'", "a: v2\n"},
		"text in JSON":            {"json-update", "f.json", `{"a":"1.9"}`, "a", "'${{ vars.tag }}'", `{"a":"1.10"}`},
		"a number in JSON":        {"json-update", "f.json", `{"a":1.9}`, "a", "'${{ vars.tag }}'", `{"a":1.10}`},
		"a boolean in JSON":       {"json-update", "f.json", `{"a":false}`, "a", "'${{ vars.on }}'", `{"a":true}`},
		"a new key of JSON":       {"json-update", "f.json", `{"a":false}`, "b", "'${{ vars.tag }}'", `{"a":false,"b":"1.10"}`},
		"a literal in JSON":       {"json-update", "f.json", `{}`, "a.b", "7", `{"a": {"b": 7}}`},
		"a large literal in JSON": {"json-update", "f.json", `{"a":1}`, "a", "12345678901234567890", `{"a":12345678901234567890}`},
		"text in TOML":            {"toml-update", "f.toml", "a = '1.9' # c\n", "a", "'${{ vars.tag }}'", "a = '1.10' # c\n"},
		"a whole number in TOML":  {"toml-update", "f.toml", "a = 1\n", "a", "'${{ vars.replicas }}'", "a = 3\n"},
		"a float in TOML":         {"toml-update", "f.toml", "a = 1.9\n", "a", "'${{ vars.replicas }}'", "a = 3.0\n"},
		"a boolean in TOML":       {"toml-update", "f.toml", "a = false\n", "a", "'${{ vars.on }}'", "a = true\n"},
		"no whole number in TOML": {"toml-update", "f.toml", "a = 1\n", "a", "'${{ vars.tag }}'", "a = \"1.10\"\n"},
	}
	files := map[string]string{}
	for name, c := range rows {
		files[strings.ReplaceAll(name, " ", "-")+"/"+c.file] = c.before
	}
	r := newSeed(t, plainSeed(files)).at(t, "./repo")
	for name, c := range rows {
		t.Run(name, func(t *testing.T) {
			file := "./repo/" + strings.ReplaceAll(name, " ", "-") + "/" + c.file
			r.must(t, c.uses, "{path: "+file+", updates: [{key: "+c.key+", value: "+c.value+"}]}")
			data, err := r.workspace.read(t.Context(), file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.after, string(data)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUpdatesSayWhatChanged(t *testing.T) {
	r := newSeed(t, plainSeed(map[string]string{"c/f.json": `{"a":"x","b":1}`, "f.toml": "a = 'x'\n"})).at(t, "./repo")
	out := r.must(t, "json-update", "{path: ./repo/c/f.json, updates: [{key: a, value: z}, {key: b, value: 1}, {key: c, value: true}]}")
	if diff := cmp.Diff("Update c/f.json\n\n- a: x → z\n- b: 1 → 1\n- c: true (new)", out.output["commitMessage"]); diff != "" {
		t.Error(diff)
	}
	out = r.must(t, "toml-update", "{path: ./repo/f.toml, updates: [{key: a, value: z}]}")
	if diff := cmp.Diff("Update f.toml\n\n- a: x → z", out.output["commitMessage"]); diff != "" {
		t.Error(diff)
	}
	want := []promote.Move{
		{File: "c/f.json", Key: "a", Before: "x", After: "z"},
		{File: "c/f.json", Key: "c", After: "true"},
		{File: "f.toml", Key: "a", Before: "x", After: "z"},
	}
	if diff := cmp.Diff(want, r.result.Moves); diff != "" {
		t.Error(diff)
	}
}

func TestUpdateProblemsAreExplained(t *testing.T) {
	r := newSeed(t, plainSeed(map[string]string{"f.json": `{"a":{"tag":1}}`, "f.toml": "[a]\ntag = 1\n", "bad.json": "{"})).at(t, "./repo")
	for _, c := range []struct{ uses, config, want string }{
		{"json-update", "{path: ./repo/f.json}", "config.updates is missing"},
		{"json-update", "{path: ./repo/f.json, updates: [{key: a, value: 1}]}", `./repo/f.json: line 1: key "a": the value is an object`},
		{"json-update", "{path: ./repo/f.json, updates: [{key: a.tag}]}", `key "a.tag": value is missing`},
		{"json-update", "{path: ./repo/f.json, updates: [{key: a.tag, value: null}]}", `the value is null`},
		{"json-update", "{path: ./repo/f.json, updates: [{key: a.tag, value: [1]}]}", `only single values can be set`},
		{"json-update", "{path: ./repo/f.json, updates: [{kye: a.tag, value: 1}]}", `did you mean "key"?`},
		{"json-update", "{path: ./repo/bad.json, updates: [{key: a, value: 1}]}", "./repo/bad.json: line 1: the file is not valid JSON"},
		{"json-update", "{path: ./repo/none.json, updates: [{key: a, value: 1}]}", "no such file"},
		{"toml-update", "{path: ./repo/f.toml, updates: [{key: a.tga, value: 1}]}", `./repo/f.toml: key "a.tga": "a" has no key "tga"; it has tag`},
		{"json-parse", "{path: ./repo/f.json}", "config.outputs is missing"},
		{"json-parse", "{path: ./repo/bad.json, outputs: [{name: x, fromExpression: a}]}", "is not valid JSON"},
		{"toml-parse", "{path: ./repo/f.json, outputs: [{name: x, fromExpression: a}]}", "line 1: the file is not valid TOML"},
		{"yaml-merge", "{outFile: ./repo/x}", "config.inFiles is missing"},
		{"yaml-merge", "{inFiles: [./repo/f.json]}", "config.outFile is missing"},
		{"yaml-merge", "{inFiles: [./repo/f.json, ./repo/none], outFile: ./repo/x}", "no such file"},
		{"yaml-merge", "{inFiles: [./repo/none], outFile: ./repo/x, ignoreMissingFiles: true}", "none of config.inFiles exists"},
		{"yaml-merge", "{inFile: [./repo/none], outFile: ./repo/x}", `did you mean "inFiles"?`},
	} {
		r.refused(t, c.uses, c.config, c.want)
	}
}

func TestParse(t *testing.T) {
	r := newSeed(t, plainSeed(map[string]string{
		"f.json": `{"num": 9007199254740993, "f": 1.5, "l": [{"x": "y"}], "huge": 1e999}`, "f.toml": "when = 2024-01-02\n[a]\nnum = 3\n",
	})).at(t, "./repo")
	out := r.must(t, "json-parse", "{path: ./repo/f.json, outputs: [{name: num, fromExpression: num}, {name: f, fromExpression: f * 2}, {name: x, fromExpression: 'l[0].x'}, {name: huge, fromExpression: huge}]}")
	if diff := cmp.Diff(map[string]any{"num": int64(9007199254740993), "f": 3.0, "x": "y", "huge": "1e999"}, out.output); diff != "" {
		t.Error(diff)
	}
	out = r.must(t, "toml-parse", "{path: ./repo/f.toml, outputs: [{name: when, fromExpression: when}, {name: num, fromExpression: a.num + 1}]}")
	if diff := cmp.Diff(map[string]any{"when": "2024-01-02", "num": 4}, out.output); diff != "" {
		t.Error(diff)
	}
}

func TestYAMLMerge(t *testing.T) {
	r := newSeed(t, plainSeed(map[string]string{"base.yaml": "a: 1 # one\nb: [x]\n", "dev.yaml": "b: null\nc: 2\n"})).at(t, "./repo")
	out := r.must(t, "yaml-merge", "{inFiles: [./repo/base.yaml, ./repo/none.yaml, ./repo/dev.yaml], outFile: ./repo/out/values.yaml, ignoreMissingFiles: true}")
	if diff := cmp.Diff("Merge YAML files into out/values.yaml\n\n- base.yaml\n- dev.yaml", out.output["commitMessage"]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff("644 repo/out/values.yaml: \"a: 1 # one\\nc: 2\\n\"\n", r.workspace.listing(t, "./repo/out")); diff != "" {
		t.Error(diff)
	}
}

func TestATaskOfFileStepsIsProposedAsOneCommit(t *testing.T) {
	b := newSeed(t, plainSeed(map[string]string{
		"base/values.yaml": "tag: 1.0.1 # of the image\nreplicas: 1\n", "base/app.json": `{"tag": "1.0.1"}`, "base/notes.txt": "x",
		"dev/values.yaml": "replicas: 3\n", "dev/old.yaml": "old: true\n",
	}))
	result := run1(t, b.request(t, `
- {uses: git-clone, as: clone, config: {repoURL: "${{ vars.gitopsRepo }}", checkout: [{branch: main, path: ./repo}]}}
- {uses: delete, as: delete, config: {path: './repo/dev/old*', pathsAreGlobs: true, strict: true}}
- {uses: copy, as: copy, config: {inPath: ./repo/base, outPath: ./work, ignore: '*.txt'}}
- {uses: json-update, as: json, config: {path: ./work/app.json, updates: [{key: tag, value: "${{ imageFrom(vars.imageRepo).Tag }}"}]}}
- {uses: json-parse, as: parse, config: {path: ./work/app.json, outputs: [{name: tag, fromExpression: tag}]}}
- {uses: yaml-merge, as: merge, config: {inFiles: [./work/values.yaml, ./repo/dev/values.yaml], outFile: ./repo/dev/values.yaml}}
- {uses: yaml-update, as: update, config: {path: ./repo/dev/values.yaml, updates: [{key: tag, value: "${{ outputs.parse.tag }}"}]}}
- {uses: copy, as: back, config: {inPath: ./work/app.json, outPath: ./repo/dev/app.json}}
- {uses: set-metadata, as: meta, config: {updates: [{kind: Freight, name: "${{ ctx.targetFreight.name }}", values: {by: "${{ ctx.stage }}"}}]}}
- {uses: git-commit, as: commit, config: {path: ./repo, message: "${{ outputs.update.commitMessage }}"}}
- {uses: git-push, as: push, config: {path: ./repo}}
`, "1.10"))
	if result.Failed || result.Push == nil {
		t.Fatal(statuses(result), result.Message)
	}
	changed, err := b.git.Diff(t.Context(), b.repo.Head("main"), string(result.Push.Head))
	if err != nil {
		t.Fatal(err)
	}
	tree, err := b.git.Tree(t.Context(), string(result.Push.Head))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, change := range changed {
		data, _ := tree.ReadFile(change.Path)
		got[change.Path] = string(change.Kind) + " " + string(data)
	}
	want := map[string]string{
		"dev/app.json":    `added {"tag": "1.10"}`,
		"dev/old.yaml":    "deleted ",
		"dev/values.yaml": "modified tag: \"1.10\" # of the image\nreplicas: 3\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(result.Metadata) != 1 || string(result.Metadata[0].Values["by"]) != `"frontend-dev-stage"` {
		t.Errorf("metadata %+v", result.Metadata)
	}
}
