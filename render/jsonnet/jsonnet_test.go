package jsonnet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-jsonnet"
	"github.com/google/go-jsonnet/ast"
	"github.com/google/go-jsonnet/toolutils"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

func tree(files map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, text := range files {
		name, link := strings.CutSuffix(name, " link")
		out[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
		if link {
			out[name].Mode |= fs.ModeSymlink
		}
	}
	return out
}

// outcome is what the programs print, on one line, or the error.
func outcome(ctx context.Context, req Request) string {
	out, err := Evaluate(ctx, req)
	if err != nil {
		return err.Error()
	}
	var all []string
	for _, d := range out.Documents {
		all = append(all, d.File+": "+strings.Join(strings.Fields(string(d.JSON)), " "))
	}
	return strings.Join(append(all, fmt.Sprint("read ", out.Inputs)), "\n")
}

func TestEvaluate(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		req   Request
		want  string
	}{
		{"a value", map[string]string{"app/a.jsonnet": "{a: 1 + 1}"}, Request{}, "app/a.jsonnet: { \"a\": 2 }\nread [app/a.jsonnet]"},
		{"top-level arguments, as text and as code", map[string]string{"app/a.jsonnet": "function(n, t) [n, t]"}, Request{TLAs: []Variable{{"n", "1+1", true}, {"t", "1+1", false}}}, "app/a.jsonnet: [ 2, \"1+1\" ]\nread [app/a.jsonnet]"},
		{"arguments that nothing takes", map[string]string{"app/a.jsonnet": "{}"}, Request{TLAs: []Variable{{"n", "1", true}}}, "app/a.jsonnet: { }\nread [app/a.jsonnet]"},
		{"external variables", map[string]string{"app/a.jsonnet": "[std.extVar('n'), std.extVar('t')]"}, Request{ExtVars: []Variable{{"n", "{a: 1}.a", true}, {"t", "x", false}}}, "app/a.jsonnet: [ 1, \"x\" ]\nread [app/a.jsonnet]"},
		{"an import beside the file wins", map[string]string{"app/a.jsonnet": "import 'x.libsonnet'", "app/x.libsonnet": "1", "lib/x.libsonnet": "2"}, Request{Libs: []string{"lib"}}, "app/a.jsonnet: 1\nread [app/a.jsonnet app/x.libsonnet]"},
		{"the last library wins over the others", map[string]string{"app/a.jsonnet": "import 'x.libsonnet'", "one/x.libsonnet": "1", "two/x.libsonnet": "2"}, Request{Libs: []string{"one", "/two"}}, "app/a.jsonnet: 2\nread [app/a.jsonnet two/x.libsonnet]"},
		{"the application's folder comes last", map[string]string{"app/a.jsonnet": "import 'sub/b.libsonnet'", "app/sub/b.libsonnet": "[import 'x', importstr 'y']", "app/x": "1", "app/y": "app", "lib/y": "lib"}, Request{Libs: []string{"lib"}}, "app/a.jsonnet: [ 1, \"lib\" ]\nread [app/a.jsonnet app/sub/b.libsonnet app/x lib/y]"},
		{"an import from above", map[string]string{"app/a.jsonnet": "import '../lib/x.libsonnet'", "lib/x.libsonnet": "importbin 'y'", "lib/y": "A"}, Request{}, "app/a.jsonnet: [ 65 ]\nread [app/a.jsonnet lib/x.libsonnet lib/y]"},
		{"an import in a variable, beside no file", map[string]string{"app/a.jsonnet": "function(x) x", "x": "'root'", "app/x": "'app'", "lib/x": "'lib'"}, Request{Libs: []string{"lib"}, TLAs: []Variable{{"x", "import 'x'", true}}}, "app/a.jsonnet: \"lib\"\nread [app/a.jsonnet lib/x]"},
		{"the file's name is that in the repository", map[string]string{"app/a.jsonnet": "std.thisFile"}, Request{}, "app/a.jsonnet: \"app/a.jsonnet\"\nread [app/a.jsonnet]"},

		{"a mistake in the text", map[string]string{"app/a.jsonnet": "{\n  a: ,\n}"}, Request{}, "app/a.jsonnet:2:6: Unexpected: \",\" while parsing terminal"},
		{"an unknown variable", map[string]string{"app/a.jsonnet": "{\n a: b }"}, Request{}, "app/a.jsonnet:2:5: Unknown variable: b"},
		{"an error of the program, at its innermost place", map[string]string{"app/a.jsonnet": "import 'x'", "app/x": "{\n  a: error 'no ' + 'way' }"}, Request{}, "app/x:2:6: RUNTIME ERROR: no way"},
		{"an error in the standard library", map[string]string{"app/a.jsonnet": "[\nstd.parseInt('x')]"}, Request{}, "app/a.jsonnet:2:1: RUNTIME ERROR: x is not a base 10 integer"},
		{"a mistake in an argument", map[string]string{"app/a.jsonnet": "function(n) n"}, Request{TLAs: []Variable{{"n", "{", true}}}, "app/a.jsonnet: <top-level-arg:n>:1:2 Unexpected: end of file while parsing field definition"},
		{"a missing argument", map[string]string{"app/a.jsonnet": "function(n) n"}, Request{}, "app/a.jsonnet: RUNTIME ERROR: Missing argument: n"},
		{"an import that does not exist", map[string]string{"app/a.jsonnet": "{}+\nimport 'x'"}, Request{}, "app/a.jsonnet:2:1: RUNTIME ERROR: couldn't open import \"x\": no match locally or in the Jsonnet library paths"},
		{"no native functions", map[string]string{"app/a.jsonnet": "std.native('x')()"}, Request{}, "app/a.jsonnet:1:1: RUNTIME ERROR: Unexpected type null, expected function"},

		{"an import that leaves the repository", map[string]string{"app/a.jsonnet": "importstr '../../../etc/passwd'"}, Request{Libs: []string{"lib"}}, "app/a.jsonnet:1:1: RUNTIME ERROR: import \"../../../etc/passwd\" leads outside of the repository"},
		{"an absolute path", map[string]string{"app/a.jsonnet": "importstr '/etc/passwd'"}, Request{}, "app/a.jsonnet:1:1: RUNTIME ERROR: import \"/etc/passwd\" is an absolute path, and only files of the repository are read"},
		{"a link", map[string]string{"app/a.jsonnet": "importstr 'x'", "app/x link": "../../etc/passwd"}, Request{}, "app/a.jsonnet:1:1: RUNTIME ERROR: import \"app/x\": app/x is a symbolic link, which is not followed"},
		{"a link to a folder", map[string]string{"app/a.jsonnet": "importstr 'x/y'", "app/x link": "../lib", "lib/y": "1"}, Request{}, "app/a.jsonnet:1:1: RUNTIME ERROR: import \"app/x/y\": app/x is a symbolic link, which is not followed"},
		{"a library outside of the repository", map[string]string{"app/a.jsonnet": "1"}, Request{Libs: []string{"../lib"}}, "the Jsonnet library \"../lib\" is outside of the repository; write a path relative to its root"},
		{"recursion", map[string]string{"app/a.jsonnet": "local f(x) = f(x + 1) + 1; f(0)"}, Request{}, "app/a.jsonnet:1:28: RUNTIME ERROR: max stack frames exceeded."},
		{"a file that imports itself", map[string]string{"app/a.jsonnet": "import 'a.jsonnet'"}, Request{}, "app/a.jsonnet:1:1: RUNTIME ERROR: max stack frames exceeded."},
		{"too many files", map[string]string{"app/a.jsonnet": "[import 'b', import 'c']", "app/b": "1", "app/c": "2"}, Request{Limits: Limits{Reads: 2}}, "app/c: with this file more than 2 files were imported; import less"},
		{"too many bytes", map[string]string{"app/a.jsonnet": "import 'b'", "app/b": "'" + strings.Repeat("x", 99) + "'"}, Request{Limits: Limits{InputBytes: 100}}, "app/b: with this file more than 100 bytes were imported; import less"},
		{"too long an output", map[string]string{"app/a.jsonnet": "std.repeat('x', 1000)"}, Request{Limits: Limits{OutputBytes: 1000}}, "app/a.jsonnet: with this file the Jsonnet programs print more than 1000 bytes; split the application"},
		{"a long message", map[string]string{"app/a.jsonnet": "error std.repeat('x\\n', 100000)"}, Request{}, "app/a.jsonnet:1:1: RUNTIME ERROR: " + strings.Repeat("x ", 292) + "x…"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			req := test.req
			req.Tree, req.Dir, req.Files = tree(test.files), "app", []string{"app/a.jsonnet"}
			for range 2 {
				if diff := cmp.Diff(test.want, outcome(t.Context(), req)); diff != "" {
					t.Fatalf("outcome (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestSeveralFilesShareWhatTheyImport(t *testing.T) {
	files := tree(map[string]string{"a.jsonnet": "import 'x'", "b.jsonnet": "[import 'x']", "x": "1"})
	got := outcome(t.Context(), Request{Tree: files, Dir: ".", Files: []string{"a.jsonnet", "b.jsonnet"}, Limits: Limits{Reads: 3}})
	if want := "a.jsonnet: 1\nb.jsonnet: [ 1 ]\nread [a.jsonnet b.jsonnet x]"; got != want {
		t.Errorf("got %s", got)
	}
}

func TestAProgramThatDoesNotEndIsGivenUp(t *testing.T) {
	files := tree(map[string]string{"a.jsonnet": "std.foldl(function(a, b) a + b, std.range(1, 3000000), 0)"})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := Evaluate(ctx, Request{Tree: files, Dir: ".", Files: []string{"a.jsonnet"}})
	if want := "evaluating Jsonnet took too long and was given up; look for loops and recursion"; err == nil || err.Error() != want || !errors.Is(err, manifest.ErrBound) {
		t.Errorf("error is %v", err)
	}
}

func TestImports(t *testing.T) {
	tests := []struct {
		name, text string
		want       []Import
		unreadable bool
	}{
		{"the three kinds", `import "a"; importstr 'b'; importbin "c"`, []Import{{"a", true}, {"b", false}, {"c", false}}, false},
		{"without a space, and over comments", "import'a' import // x\n# y\n/* z\n */\n\"b\"", []Import{{"a", true}, {"b", true}}, false},
		{"escapes", `import "\u002e./\"a\\\ud83d\ude00"`, []Import{{`../"a\😀`, true}}, false},
		{"verbatim texts", `import @'\a''b' import @"c""d"`, []Import{{`\a'b`, true}, {`c"d`, true}}, false},
		{"each once", `import 'a' + import 'a' + importstr 'a'`, []Import{{"a", true}, {"a", false}}, false},
		{"not a text", `import a; importance("x"); import |||` + "\n x\n|||", nil, false},
		{"an import in what looks like a comment behind another one", "# import /*\nlocal a = import '../x';\n# */ 'y'\na", []Import{{"y", true}, {"../x", true}}, false},
		{"a comment that closes nowhere", "import /*/ 'a'", nil, false},
		{"a comment that is too long to be looked over", "import /*" + strings.Repeat(" ", 2000) + "*/ 'a'", nil, true},
		{"an escape that is none", `import "\x"`, nil, true},
		{"half an escape", `import "\u12`, nil, true},
		{"a text without an end", `import "abc`, nil, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, ok := Imports([]byte(test.text))
			if diff := cmp.Diff(test.want, got); diff != "" || ok == test.unreadable {
				t.Errorf("readable %t, imports (-want +got):\n%s", ok, diff)
			}
		})
	}
}

// FuzzImports holds what is found by looking at the text against what jsonnet's own parser finds.
func FuzzImports(f *testing.F) {
	f.Add("{a: import 'x.libsonnet', b: importstr \"y\", c: importbin @'z'}")
	f.Add("function(n) [n, import /* x */ \"\\u0078.libsonnet\"]")
	f.Add("(import 'a')(import // 'b'\n'c') + [importstr 'd' for x in []]")
	f.Add("import # x\n @\"a\"\"b\"")
	f.Add("# import /*\nimport '../x'\n# */ 'y'")
	f.Fuzz(func(t *testing.T, program string) {
		found, ok := Imports([]byte(program))
		if len(program) > 10_000 {
			return // the parser goes as deep as the text
		}
		node, err := jsonnet.SnippetToAST("a.jsonnet", program)
		if err != nil || !ok {
			return
		}
		for _, want := range importedBy(node) {
			if want.Path != "" && !slices.Contains(found, want) {
				t.Errorf("%q imports %v, and only %v was found", program, want, found)
			}
		}
	})
}

// importedBy lists the imports of a parsed program.
func importedBy(n ast.Node) []Import {
	var out []Import
	switch n := n.(type) {
	case *ast.Import:
		return []Import{{n.File.Value, true}}
	case *ast.ImportStr:
		return []Import{{n.File.Value, false}}
	case *ast.ImportBin:
		return []Import{{n.File.Value, false}}
	}
	for _, child := range toolutils.Children(n) {
		out = append(out, importedBy(child)...)
	}
	return out
}
