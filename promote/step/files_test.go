package step

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/internal/git/gittest"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/expr"
)

// seed is a repository with folders, a program, a symbolic link and a submodule.
const seed = `commit refs/heads/main
committer Seed <seed@example.com> 1700000000 +0000
data 4
seed
M 100644 inline README.md
data 7
readme

M 100755 inline base/run.sh
data 4
run

M 100644 inline base/app.yaml
data 4
app

M 100644 inline base/deep/x.log
data 4
log

M 120000 inline base/link
data 8
app.yaml
M 160000 1111111111111111111111111111111111111111 vendor/sub
done
`

// plainSeed is a repository of ordinary files.
func plainSeed(files map[string]string) string {
	var b strings.Builder
	b.WriteString("commit refs/heads/main\ncommitter Seed <seed@example.com> 1700000000 +0000\ndata 4\nseed\n")
	for name, text := range files {
		fmt.Fprintf(&b, "M 100644 inline %s\ndata %d\n%s\n", name, len(text), text)
	}
	return b.String() + "done\n"
}

// newSeed is a repository made of what git fast-import reads.
func newSeed(t *testing.T, imported string) *bed {
	t.Helper()
	repo := gittest.NewServer(t).Repo("gitops.git", nil)
	repo.GitInput(imported, "fast-import", "--quiet", "--done")
	opened, err := git.Open(git.Config{URL: repo.URL, Author: git.Signature{Name: "bot", Email: "bot@example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	return &bed{repo, opened}
}

// at is a new run with the repository checked out at each of the paths.
func (b *bed) at(t *testing.T, paths ...string) *run {
	t.Helper()
	r := newRun(b.request(t, "", "1.0.2"))
	for _, path := range paths {
		if err := r.workspace.add(t.Context(), checkout{path: path, git: b.git, own: true, branch: "main", base: r.Repository.Head}); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// do runs one step.
func (r *run) do(t *testing.T, uses, text string) (outcome, error) {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	evaluated, err := evaluate(raw, expr.Env{Vars: map[string]any{"tag": "1.10", "replicas": "3", "on": "true", "version": "v2"}})
	if err != nil {
		t.Fatal(err)
	}
	kind, err := kindOf(promote.Step{Uses: uses})
	if err != nil {
		t.Fatal(err)
	}
	return kind.run(r, t.Context(), promote.Step{Uses: uses, As: "step"}, evaluated)
}

// must is do for a step that has to succeed.
func (r *run) must(t *testing.T, uses, text string) outcome {
	t.Helper()
	out, err := r.do(t, uses, text)
	if err != nil {
		t.Fatalf("%s: %v", uses, err)
	}
	return out
}

// listing shows the files at or below a path.
func (w *workspace) listing(t *testing.T, name string) string {
	t.Helper()
	files, err := w.walk(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, file := range files {
		if file.link {
			fmt.Fprintf(&b, "link %s\n", file.path)
			continue
		}
		content, err := w.file(t.Context(), file.path)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%o %s: %q\n", git644(content.mode), file.path, content.data)
	}
	return b.String()
}

// refused is what a step says that does not work.
func (r *run) refused(t *testing.T, uses, text, want string) {
	t.Helper()
	_, err := r.do(t, uses, text)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: %v\nwant %s", uses, err, want)
	}
}

func TestCopy(t *testing.T) {
	b := newSeed(t, seed)
	for name, c := range map[string]struct{ config, want, message string }{
		"a file": {
			"{inPath: ./repo/README.md, outPath: ./out/a.md}", "644 out/a.md: \"readme\\n\"\n", "copied 1 file",
		},
		"a folder with its modes, without links": {
			"{inPath: ./repo/base, outPath: ./out}",
			"644 out/app.yaml: \"app\\n\"\n644 out/deep/x.log: \"log\\n\"\n755 out/run.sh: \"run\\n\"\n",
			"copied 3 files; left out 1 symbolic link, which is never followed",
		},
		"ignored files stay behind": {
			"{inPath: ./repo/base, outPath: ./out, ignore: \"# none\\n*.log\\n/link\\n\"}",
			"644 out/app.yaml: \"app\\n\"\n755 out/run.sh: \"run\\n\"\n", "copied 2 files",
		},
		"into itself, once": {
			"{inPath: ./repo/base/deep, outPath: ./repo/base/deep/more}", "", "copied 1 file",
		},
		"the whole checkout": {
			"{inPath: ./repo, outPath: ./out, ignore: base}", "644 out/README.md: \"readme\\n\"\n",
			"copied 1 file; left out 1 symbolic link, which is never followed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := b.at(t, "./repo")
			out := r.must(t, "copy", c.config)
			if out.message != c.message {
				t.Errorf("says %q, want %q", out.message, c.message)
			}
			if diff := cmp.Diff(c.want, r.workspace.listing(t, "./out")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCopyReplacesFilesOnly(t *testing.T) {
	r := newSeed(t, seed).at(t, "./repo")
	r.must(t, "file-write", "{path: ./repo/base/app.yaml, contents: new, overwrite: true}")
	r.must(t, "copy", "{inPath: ./repo/base/app.yaml, outPath: ./repo/README.md}")
	if got, want := r.workspace.listing(t, "./repo/README.md"), "644 repo/README.md: \"new\"\n"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestDelete(t *testing.T) {
	b := newSeed(t, seed)
	for name, c := range map[string]struct{ config, want, message string }{
		"a file":                {"path: ./repo/base/app.yaml", "README.md base/deep/x.log base/link base/run.sh vendor/sub", "deleted 1 file"},
		"a folder":              {"path: ./repo/base", "README.md vendor/sub", "deleted 4 files"},
		"a link, not its file":  {"path: ./repo/base/link", "README.md base/app.yaml base/deep/x.log base/run.sh vendor/sub", "deleted 1 file"},
		"nothing":               {"path: ./repo/none", "README.md base/app.yaml base/deep/x.log base/link base/run.sh vendor/sub", "deleted 0 files"},
		"several, one in other": {"paths: [./repo/base/deep, ./repo/base]", "README.md vendor/sub", "deleted 4 files"},
		"a star is one level":   {"{path: './repo/base/*.log', pathsAreGlobs: true}", "README.md base/app.yaml base/deep/x.log base/link base/run.sh vendor/sub", "deleted 0 files"},
		"two stars are any":     {"{path: './repo/**/*.log', pathsAreGlobs: true}", "README.md base/app.yaml base/link base/run.sh vendor/sub", "deleted 1 file"},
		"a glob of folders":     {"{path: './repo/ba?e', pathsAreGlobs: true}", "README.md vendor/sub", "deleted 4 files"},
		"alternatives":          {"{paths: ['repo/base/{app.yaml,run.sh}'], pathsAreGlobs: true, strict: true}", "README.md base/deep/x.log base/link vendor/sub", "deleted 2 files"},
		"a star that is a name": {"path: './repo/*'", "README.md base/app.yaml base/deep/x.log base/link base/run.sh vendor/sub", "deleted 0 files"},
	} {
		t.Run(name, func(t *testing.T) {
			r := b.at(t, "./repo")
			if out := r.must(t, "delete", c.config); out.message != c.message {
				t.Errorf("says %q, want %q", out.message, c.message)
			}
			files, err := r.workspace.walk(t.Context(), ".")
			if err != nil {
				t.Fatal(err)
			}
			var left []string
			for _, file := range files {
				left = append(left, strings.TrimPrefix(file.path, "repo/"))
			}
			if diff := cmp.Diff(c.want, strings.Join(left, " ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAFailingDeleteDeletesNothing(t *testing.T) {
	r := newSeed(t, seed).at(t, "./repo")
	before := r.workspace.listing(t, ".")
	r.refused(t, "delete", "{paths: [./repo/base, ./repo/none], strict: true}", `"./repo/none": there is nothing to delete`)
	if diff := cmp.Diff(before, r.workspace.listing(t, ".")); diff != "" {
		t.Error(diff)
	}
}

func TestFileWrite(t *testing.T) {
	r := newSeed(t, seed).at(t, "./repo")
	r.must(t, "file-write", "{path: ./repo/new/a.sh, contents: \"a\\n\", permissions: \"0700\"}")
	r.must(t, "file-write", "{path: ./repo/new/b, contents: \"\"}")
	r.must(t, "file-write", "{path: ./repo/new/c, contents: \"${{ vars.tag }}\"}")
	r.must(t, "file-write", "{path: ./repo/base/run.sh, contents: x, overwrite: true}")
	want := "755 repo/new/a.sh: \"a\\n\"\n644 repo/new/b: \"\"\n644 repo/new/c: \"1.10\"\n"
	if diff := cmp.Diff(want, r.workspace.listing(t, "./repo/new")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff("644 repo/base/run.sh: \"x\"\n", r.workspace.listing(t, "./repo/base/run.sh")); diff != "" {
		t.Error(diff)
	}
}

// TestFileProblemsAreExplained holds a row for each way in which a step on files can be wrong.
func TestFileProblemsAreExplained(t *testing.T) {
	r := newSeed(t, seed).at(t, "./repo")
	for _, c := range []struct{ uses, config, want string }{
		{"copy", "{inPath: ./repo/bas, outPath: ./out}", `no such file on main`},
		{"copy", "{inPath: ./repo/bas, outPath: ./out}", `did you mean "base"?`},
		{"copy", "{outPath: ./out}", "config.inPath is missing"},
		{"copy", "{inPath: ./repo}", "config.outPath is missing"},
		{"copy", "{inPath: ../x, outPath: ./out}", "leaves the promotion's directory"},
		{"copy", "{inPath: ./repo/README.md, outPath: /etc/passwd}", "config.outPath: path"},
		{"copy", "{inPath: ./repo/base/link, outPath: ./out}", "is a symbolic link"},
		{"copy", "{inPath: ./repo/base/link/x, outPath: ./out}", "symbolic link"},
		{"copy", "{inPath: ./repo/README.md, outPath: ./repo/base}", `"repo/base" is a folder`},
		{"copy", "{inPath: ./repo/README.md, outPath: ./repo/README.md/x}", `"README.md" is a file, so nothing can be below it`},
		{"copy", "{inPath: ./repo/README.md, outPath: ./repo/base/link}", "is a symbolic link, which is never written to"},
		{"copy", "{inPath: ./repo/README.md, outPath: ./repo/base/link/x}", "is a symbolic link, so nothing can be below it"},
		{"copy", "{inPath: ./repo/README.md, outPath: ./out, ignored: x}", `unknown key "ignored"; did you mean "ignore"?`},
		{"copy", "{inPath: ./repo/base, outPath: ./out, ignore: \"a\\n[x\"}", `config.ignore, line 2: "[x" is no pattern`},
		{"delete", "{}", "config.path is missing"},
		{"delete", "{path: ./repo/../../x}", "leaves the promotion's directory"},
		{"delete", "{path: './repo/[', pathsAreGlobs: true}", "is no pattern"},
		{"delete", "{path: './repo/{a,b}{a,b}{a,b}{a,b}{a,b}', pathsAreGlobs: true}", "at most 4 groups"},
		{"delete", "{path: './repo/*.none', pathsAreGlobs: true, strict: true}", "there is nothing to delete"},
		{"delete", "{path: ./repo/none, strickt: true}", `did you mean "strict"?`},
		{"file-write", "{path: ./repo/README.md, contents: x}", "is there already: set overwrite: true"},
		{"file-write", "{path: ./repo/base, contents: x}", "is there already"},
		{"file-write", "{path: ./repo/base, contents: x, overwrite: true}", "is a folder"},
		{"file-write", "{path: ./repo, contents: x, overwrite: true}", "is a folder"},
		{"file-write", "{path: ./repo/x}", "config.contents is missing"},
		{"file-write", "{contents: x}", "config.path is missing"},
		{"file-write", "{path: ./repo/x, contents: x, permissions: \"rwx\"}", "write four octal digits"},
	} {
		r.refused(t, c.uses, c.config, c.want)
	}
}

func TestIgnore(t *testing.T) {
	for name, c := range map[string]struct {
		patterns string
		ignored  []string
		kept     []string
	}{
		"a name is ignored at every depth":       {"*.log", []string{"a.log", "x/y/a.log"}, []string{"a.logs", "log"}},
		"a slash anchors":                        {"/a", []string{"a", "a/b"}, []string{"x/a"}},
		"a slash inside anchors too":             {"x/a", []string{"x/a", "x/a/b"}, []string{"y/x/a"}},
		"two stars are any depth":                {"x/**/a", []string{"x/a", "x/y/z/a"}, []string{"a"}},
		"a slash at the end is for folders":      {"a/", []string{"a/b", "x/a/b"}, []string{"a", "x/a"}},
		"an exclamation mark takes back":         {"*.log\n!keep.log", []string{"a.log"}, []string{"keep.log", "x/keep.log"}},
		"but not from an ignored folder":         {"x\n!x/keep", []string{"x/keep"}, nil},
		"the last pattern counts":                {"!a\na", []string{"a"}, nil},
		"only yaml of every folder":              {"*\n!*/\n!*.yaml", []string{"a.txt", "x/a.txt"}, []string{"a.yaml", "x/a.yaml"}},
		"a hash is a comment, escaped it is not": {"#a\n\\#b\n\\!c", []string{"#b", "!c"}, []string{"#a"}},
		"spaces at the end are no part":          {"a  \nb\\ ", []string{"a", "b "}, []string{"b"}},
		"braces are braces":                      {"{a,b}", []string{"{a,b}"}, []string{"a", "b"}},
		"classes":                                {"[a-c][!0-9]", []string{"ax"}, []string{"a1", "dx"}},
		"carriage returns":                       {"a\r\nb\r\n", []string{"a", "b"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			patterns, err := parseIgnore(c.patterns)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range c.ignored {
				if !patterns.file(name) {
					t.Errorf("%q is kept", name)
				}
			}
			for _, name := range c.kept {
				if patterns.file(name) {
					t.Errorf("%q is ignored", name)
				}
			}
		})
	}
}

// FuzzIgnore checks that a folder's files are ignored with it, and that what is in no pattern is kept.
func FuzzIgnore(f *testing.F) {
	for _, seed := range []string{"*\n!*/\n!*.yaml", "a/**/b\n\\!x", "[a-", "/\n!\n**", "{a,b}\\", "x/\n!x/y"} {
		f.Add(seed, "a/b/x.yaml")
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		name, err := clean(name)
		patterns, ignoreErr := parseIgnore(text)
		if err != nil || ignoreErr != nil || name == "." {
			return
		}
		if patterns.folder(name) && !patterns.file(name+"/x") {
			t.Errorf("%q ignores the folder %q, but not what is in it", text, name)
		}
		if strings.TrimSpace(text) == "" && patterns.file(name) {
			t.Errorf("%q ignores %q", text, name)
		}
	})
}

func TestSetMetadata(t *testing.T) {
	r := newSeed(t, seed).at(t)
	freight := string(r.Promotion.Freight)
	r.must(t, "set-metadata", "updates: [{kind: Stage, name: frontend-dev-stage, values: {a: \"${{ vars.tag }}\", b: {c: [1, true]}}}, {kind: Freight, name: "+freight+", values: {x: 1}}]")
	r.must(t, "set-metadata", "updates: [{kind: Stage, name: frontend-dev-stage, values: {b: 2}}]")
	want := []promote.Metadata{
		{Kind: "Stage", Project: "develop", Name: "frontend-dev-stage", Values: map[string]json.RawMessage{"a": json.RawMessage(`"1.10"`), "b": json.RawMessage(`2`)}},
		{Kind: "Freight", Project: "develop", Name: freight, Values: map[string]json.RawMessage{"x": json.RawMessage(`1`)}},
	}
	if diff := cmp.Diff(want, r.result.Metadata); diff != "" {
		t.Error(diff)
	}
	for config, want := range map[string]string{
		"{}":                                   "config.updates is missing",
		"updates: [{kind: Stage, values: {}}]": "config.updates[0].name is missing",
		"updates: [{kind: Stage, name: x}]":    "config.updates[0].values is missing",
		"updates: [{kind: Warehouse, name: x, values: {a: 1}}]":                                           `config.updates[0].kind is "Warehouse": write Stage or Freight`,
		"updates: [{kind: Freight, name: other, values: {a: 1}}]":                                         "which the promotion does not carry; it carries " + freight,
		"updates: [{kind: Stage, name: ../x, values: {a: 1}}]":                                            "which no stage can be called",
		"updates: [{kind: Stage, name: x, value: {a: 1}}]":                                                `did you mean "values"?`,
		"updates: [{kind: Stage, name: x, values: {a: &a '" + strings.Repeat("x", 40_000) + "', b: *a}}]": "at most 65536",
	} {
		r.refused(t, "set-metadata", config, want)
	}
	if diff := cmp.Diff(want, r.result.Metadata); diff != "" {
		t.Errorf("a failing step sets something: %s", diff)
	}
}

func TestSetFreightAlias(t *testing.T) {
	r := newSeed(t, seed).at(t)
	freight := string(r.Promotion.Freight)
	r.Freights = append(r.Freights, promote.Freight{ID: "0123", Alias: "shy-fox"})
	r.must(t, "set-freight-alias", "{name: "+freight+", alias: release-1.10}")
	if r.result.Alias != "release-1.10" {
		t.Errorf("alias %q", r.result.Alias)
	}
	for _, row := range [][2]string{
		{"alias: x", "config.name is missing"},
		{"name: " + freight, `config.alias is ""`},
		{"alias: -x, name: " + freight, "with a letter or a digit first and last"},
		{"alias: " + strings.Repeat("x", 64) + ", name: " + freight, "at most 63"},
		{"alias: x, name: nobody", `config.name is "nobody", which the promotion does not carry`},
		{"alias: x, name: shy-fox", "which the stage keeps"},
		{"alias: shy-fox, name: " + freight, "as freight 0123 is called already"},
		{"alais: x, name: " + freight, `did you mean "alias"?`},
	} {
		r.refused(t, "set-freight-alias", "{"+row[0]+"}", row[1])
	}
}

func TestKindsAreSorted(t *testing.T) {
	names := kindNames()
	for i := 1; i < len(names); i++ {
		if names[i-1] >= names[i] {
			t.Errorf("%q stands before %q", names[i-1], names[i])
		}
	}
}
