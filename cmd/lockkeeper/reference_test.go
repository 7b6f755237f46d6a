package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lockkeeper/lockkeeper/bot"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
	"github.com/lockkeeper/lockkeeper/promote/step"
)

const referenceFile = "../../docs/reference.md"

// TestReferenceIsPrintedFromTheCode keeps docs/reference.md equal to what the code says. Run with -update to rewrite it.
func TestReferenceIsPrintedFromTheCode(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Reference\n\nPrinted from the code; `make update` rewrites it.\n")
	writeCommands(&b)
	writeKeys(&b, t, "Server configuration", "`lockkeeper serve --config FILE`. Unknown keys are errors. It holds no secret.",
		".", "serverConfig")
	writeKeys(&b, t, "lockkeeper.yaml", "Optional, at the root of the default branch. Unknown keys are errors.",
		"../../promote/reconcile", "Settings")
	fmt.Fprintf(&b, "\nA file that uses them all; what it leaves out keeps its default.\n\n```yaml\n%s```\n",
		archived(t, "lint_whole_settings.txtar", "repo/"+reconcile.SettingsFile))
	writeEnvironment(&b)
	writeGates(&b)
	writeVerbs(&b)
	writeSteps(&b)
	writeMetrics(&b)
	if *update {
		if err := os.WriteFile(referenceFile, []byte(b.String()), 0o644); err != nil { //nolint:gosec // a page of the repository
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.String(), string(have)); diff != "" {
		t.Errorf("docs/reference.md is not what the code says; run make update\n%s", diff)
	}
}

func writeCommands(b *strings.Builder) {
	b.WriteString("\n## Commands\n\nExit codes: 0 done or nothing to do, 1 failed, 2 a promotion waits (`ci`).\n")
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			if sub.Name() == "help" || sub.Name() == "completion" {
				continue
			}
			fmt.Fprintf(b, "\n### %s\n\n%s\n", sub.CommandPath(), sub.Short)
			if sub.Example != "" {
				fmt.Fprintf(b, "\n```sh\n%s\n```\n", unindent(sub.Example))
			}
			writeFlags(b, sub)
			walk(sub)
		}
	}
	walk(newRoot(environment{getenv: func(string) string { return "" }}))
}

func unindent(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(line, "  ")
	}
	return strings.Join(lines, "\n")
}

func writeFlags(b *strings.Builder, cmd *cobra.Command) {
	if !cmd.HasLocalFlags() {
		return
	}
	b.WriteString("\n| flag | default | meaning |\n|---|---|---|\n")
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" {
			return
		}
		name := "`--" + f.Name + "`"
		if f.Shorthand != "" {
			name = "`-" + f.Shorthand + "`, " + name
		}
		fmt.Fprintf(b, "| %s | `%s` | %s |\n", name, f.DefValue, strings.ReplaceAll(f.Usage, "|", "\\|"))
	})
}

// archived is one file of a scenario.
func archived(t *testing.T, scenario, name string) string {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("testdata/script", scenario))
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == name })
	if i < 0 {
		t.Fatalf("%s has no file %s", scenario, name)
	}
	return string(archive.Files[i].Data)
}

// structsOf are the struct types that a package declares, wherever in it.
func structsOf(t *testing.T, dir string) map[string]*ast.StructType {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	structs := map[string]*ast.StructType{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				if s, ok := spec.Type.(*ast.StructType); ok {
					structs[spec.Name.Name] = s
				}
			}
			return true
		})
	}
	return structs
}

// writeKeys lists the keys of a YAML file from the doc comments of its struct and of those below it in the package in dir.
func writeKeys(b *strings.Builder, t *testing.T, title, intro, dir, root string) {
	t.Helper()
	structs := structsOf(t, dir)
	fmt.Fprintf(b, "\n## %s\n\n%s\n\n| key | meaning |\n|---|---|\n", title, intro)
	var walk func(prefix, name string)
	walk = func(prefix, name string) {
		for _, field := range structs[name].Fields.List {
			if !field.Names[0].IsExported() {
				continue
			}
			if field.Tag == nil {
				t.Fatalf("%s: field %s of %s has no key", dir, field.Names[0].Name, name)
			}
			key := prefix + reflect.StructTag(strings.Trim(field.Tag.Value, "`")).Get("json")
			meaning := strings.Join(strings.Fields(field.Doc.Text()), " ")
			if meaning == "" {
				t.Errorf("%s: field of key %q has no comment", dir, key)
			}
			_, rest, found := strings.Cut(meaning, " ")
			if found && strings.EqualFold(field.Names[0].Name, strings.SplitN(meaning, " ", 2)[0]) {
				meaning = strings.TrimPrefix(strings.TrimPrefix(rest, "is "), "are ")
			}
			element, list := elementType(field.Type)
			if list {
				key += "[]"
			}
			fmt.Fprintf(b, "| `%s` | %s |\n", key, meaning)
			switch {
			case structs[element] != nil:
				walk(key+".", element)
			case element != "" && types.Universe.Lookup(element) == nil:
				t.Errorf("%s: key %q is of type %s, whose keys are not known here", dir, key, element)
			}
		}
	}
	walk("", root)
}

func elementType(expr ast.Expr) (name string, list bool) {
	if array, ok := expr.(*ast.ArrayType); ok {
		expr, list = array.Elt, true
	}
	if ident, ok := expr.(*ast.Ident); ok {
		name = ident.Name
	}
	return name, list
}

func writeEnvironment(b *strings.Builder) {
	b.WriteString("\n## Environment\n\n| variable | meaning |\n|---|---|\n")
	for _, v := range slices.Concat(variables(), gitVariables()) {
		fmt.Fprintf(b, "| `%s` | %s |\n", v.name, v.meaning)
	}
	b.WriteString("| `NO_COLOR` | no colours, whatever the terminal |\n\n" +
		"Credentials of registries are those of docker: `~/.docker/config.json` and its credential helpers.\n")
}

func writeGates(b *strings.Builder) {
	fmt.Fprintf(b, "\n## Gates\n\nTogether they are the commit status `%s`, and a table in the merge request.\n\n| gate | passes when |\n|---|---|\n",
		promote.StatusName)
	for _, gate := range promote.GateNames() {
		fmt.Fprintf(b, "| %s | %s |\n", gate.Name, gate.Reason)
	}
}

func writeVerbs(b *strings.Builder) {
	b.WriteString("\n## Commands in comments\n\nWhat a command needs where no rule says otherwise: [who may command](commands.md).\n\n" +
		"| command | needs | what it does |\n|---|---|---|\n")
	for _, v := range promote.Verbs() {
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", strings.TrimSpace("/"+string(v.Verb)+" "+v.Arguments), v.Permission, v.Text)
	}
}

func writeSteps(b *strings.Builder) {
	b.WriteString("\n## Steps\n\n| step | what it does |\n|---|---|\n")
	for _, kind := range step.Kinds() {
		fmt.Fprintf(b, "| `%s` | %s |\n", kind.Name, kind.Does)
	}
}

func writeMetrics(b *strings.Builder) {
	b.WriteString("\n## Metrics\n\nBeside those of the Go runtime and the process.\n\n| metric | labels | meaning |\n|---|---|---|\n")
	for _, m := range bot.NewMetrics().Descriptions() {
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", m.Name, strings.Join(m.Labels, ", "), m.Help)
	}
}
