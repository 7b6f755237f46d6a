package expr

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func demoEnv() Env {
	return Env{
		Ctx: map[string]any{"project": "shop", "stage": "dev", "targetFreight": map[string]any{"name": "abc", "origin": map[string]any{"name": "images"}}},
		Vars: map[string]any{
			"n": "42", "imageRepo": "ghcr.io/acme/shop", "warehouseName": "images", "list": []any{1.0, "x"}, "empty": nil,
		},
		Outputs: map[string]map[string]any{"update": {"commitMessage": "m", "commit": "c0ffee"}},
		Images: []Image{
			{RepoURL: "ghcr.io/acme/shop", Tag: "1.10", Digest: "sha256:00", Warehouse: "images", Annotations: map[string]string{"a": "b"}},
			{RepoURL: "docker.io/library/nginx", Tag: "1.27", Warehouse: "base"},
			{RepoURL: "ghcr.io/acme/both", Tag: "1", Warehouse: "base"},
			{RepoURL: "ghcr.io/acme/both", Tag: "2", Warehouse: "images"},
		},
		Commits: []Commit{{RepoURL: shopSource, ID: "c0ffee", SubscriptionName: "source", Warehouse: "images"}},
		Charts:  []Chart{{RepoURL: ociChart, Version: "4.5.6", Warehouse: "images"}},
		Secret:  texts("", map[string]map[string]string{"db": {"password": canary}}),
		Used:    &Secrets{},
		Requested: []Warehouse{
			{Name: "images", Images: []Subscription{{RepoURL: "ghcr.io/acme/shop"}, {RepoURL: "ghcr.io/acme/both"}, {RepoURL: "ghcr.io/acme/absent"}}},
			{Name: "base", Images: []Subscription{{RepoURL: "docker.io/library/nginx"}, {RepoURL: "ghcr.io/acme/both"}}},
		},
		Status: &Status{Task: "t", Steps: map[string]string{"update": "Succeeded", "t::commit": "Skipped", "commit": "Failed"}},
	}
}

func TestEval(t *testing.T) {
	tests := []struct {
		name     string
		template string
		want     any
		text     string // of Text, if it is not want
		retyped  bool
	}{
		{name: "no delimiter, a number", template: "42", want: "42"},
		{name: "no delimiter, a boolean", template: "true", want: "true"},
		{name: "no delimiter, in quotes", template: `"x"`, want: `"x"`},
		{name: "the empty template", template: "", want: ""},
		{name: "a version becomes a number", template: "${{ '1.10' }}", want: 1.1, text: "1.10", retyped: true},
		{name: "a quoted version stays", template: "${{ quote('1.10') }}", want: "1.10"},
		{name: "leading zeros", template: "${{ '007' }}", want: 7.0, text: "007", retyped: true},
		{name: "underscores", template: "${{ '1_000' }}", want: 1000.0, text: "1_000", retyped: true},
		{name: "a date with underscores", template: "${{ '2024_01_02' }}", want: 20240102.0, text: "2024_01_02", retyped: true},
		{name: "an exponent", template: "${{ '1e10' }}", want: 1e10, text: "1e10", retyped: true},
		{name: "an exponent out of range", template: "${{ '12e4567' }}", want: "12e4567"},
		{name: "hexadecimal", template: "${{ '0x10' }}", want: "0x10"},
		{name: "not a number, unlike Kargo", template: "${{ 'nan' }}", want: "nan"},
		{name: "infinity, unlike Kargo", template: "${{ 'inf' }}", want: "inf"},
		{name: "an infinite number, unlike Kargo", template: "${{ 1/0 }}", want: "+Inf"},
		{name: "t", template: "${{ 't' }}", want: true, text: "t", retyped: true},
		{name: "F", template: "${{ 'F' }}", want: false, text: "F", retyped: true},
		{name: "null as a string", template: "${{ 'null' }}", want: nil, text: "null", retyped: true},
		{name: "nil", template: "${{ nil }}", want: nil, text: "null"},
		{name: "the empty string", template: "${{ '' }}", want: ""},
		{name: "single quotes outside", template: "'${{ vars.n }}'", want: "'42'"},
		{name: "quotes in the middle are visible", template: "a ${{ quote('b') }}", want: `a "b"`},
		{name: "two quoted ones", template: "${{ quote('a') }}-${{ quote('b') }}", want: `a"-"b`},
		{name: "an object", template: `{"k": ${{ 1 }}}`, want: map[string]any{"k": 1.0}, text: `{"k": 1}`},
		{name: "a list", template: "[1,${{ vars.n }}]", want: []any{1.0, 42.0}, text: "[1,42]"},
		{name: "a number and a line break", template: "${{ 42 }}\n", want: 42.0, text: "42"},
		{name: "text and a line break", template: "line\n${{ 'x' }}\n", want: "line\nx\n"},
		{name: "quotes and a line break", template: "\"${{ 'x' }}\"\n", want: "x\n"},
		{name: "an integer that float64 cannot hold", template: "${{ 9007199254740993 }}", want: 9007199254740992.0, text: "9007199254740993"},
		{name: "text and a boolean", template: "x${{ true }}", want: "xtrue"},
		{name: "a fraction", template: "${{ 1/2 }}", want: 0.5, text: "0.5"},
		{name: "a real number is not retyped", template: "${{ 1 + 1 }}", want: 2.0, text: "2"},
		{name: "text and a string that look like a number", template: "1.${{ '10' }}", want: 1.1, text: "1.10", retyped: true},
		{name: "inner quotes stay escaped", template: `${{ quote('a"b') }}`, want: `a\"b`},
		{name: "quote of a number", template: "${{ quote(1.5) }}", want: "1.5"},
		{name: "unsafeQuote keeps quotes", template: "${{ unsafeQuote('a') }}", want: `"a"`},
		{name: "unsafeQuote of a number", template: "${{ unsafeQuote(1) }}", want: "1"},
		{name: "asYAML", template: "${{ asYAML({'a': [1]}) }}", want: "a:\n- 1\n"},
		{name: "asJSON", template: "${{ asJSON({'a': 1}) }}", want: "{\n  \"a\": 1\n}\n"},
		{name: "percent delimiters may contain braces", template: "${% {'a': {'b': 1}} %}", want: map[string]any{"a": map[string]any{"b": 1.0}}, text: `{"a":{"b":1}}`},
		{name: "both delimiters", template: "${% 'a' %}-${{ 'b' }}", want: "a-b"},
		{name: "the articles' tag", template: "${{ quote(imageFrom(vars.imageRepo, warehouse(vars.warehouseName)).Tag) }}", want: "1.10"},
		{name: "the unquoted tag", template: "${{ imageFrom(vars.imageRepo).Tag }}", want: 1.1, text: "1.10", retyped: true},
		{name: "digest and annotation", template: "${{ imageFrom(vars.imageRepo).Digest }} ${{ imageFrom(vars.imageRepo).Annotations['a'] }}", want: "sha256:00 b"},
		{name: "a repository written otherwise", template: "v${{ imageFrom('Nginx').Tag }}", want: "v1.27"},
		{name: "a repository of two warehouses", template: "v${{ imageFrom('ghcr.io/acme/both', warehouse('base')).Tag }}", want: "v1"},
		{name: "no image compared with nil", template: "${{ imageFrom('x') == nil }}", want: true, text: "true"},
		{name: "no image with a default", template: "${{ imageFrom('x')?.Tag ?? 'none' }}", want: "none"},
		{name: "an image as an object", template: "${{ imageFrom('nginx') }}", want: map[string]any{"repoURL": "docker.io/library/nginx", "tag": "1.27"}, text: `{"repoURL":"docker.io/library/nginx","tag":"1.27"}`},
		{name: "an image in a local variable", template: "${{ let i = imageFrom('nginx'); 'v' + i.Tag }}", want: "v1.27"},
		{name: "the context", template: "${{ ctx.project }}/${{ ctx.targetFreight.origin.name }}", want: "shop/images"},
		{name: "outputs", template: "${{ outputs.update.commit }} ${{ outputs['update']['commitMessage'] }}", want: "c0ffee m"},
		{name: "a missing variable with a default", template: "${{ vars.absent ?? 'd' }}", want: "d"},
		{name: "a missing output with a default", template: "${{ outputs?.absent?.commit ?? 'd' }}", want: "d"},
		{name: "a missing variable compared with nil", template: "${{ vars.absent != nil }}", want: false, text: "false"},
		{name: "a missing name compared with nil", template: "${{ nil == absent }}", want: true, text: "true"},
		{name: "parsing a version", template: "v${{ semverParse('v1.2.3').IncMinor().String() }}", want: "v1.3.0"},
		{name: "parts of a version", template: "${{ semverParse('1.2.3').Major() }}", want: 1.0, text: "1"},
		{name: "comparing versions", template: "${{ semverDiff('1.0.0', '1.1.0') }}", want: "Minor"},
		{name: "pre-releases are equal", template: "${{ semverDiff('1.0.0-rc.1', '1.0.0') }}", want: "None"},
		{name: "no versions", template: "${{ semverDiff('x', '1.0.0') }}", want: "Incomparable"},
		{name: "builtins", template: "${{ join(map(filter([1, 2, 3], # > 1), 'x' + string(#)), '-') }}", want: "x2-x3"},
		{name: "matches", template: "${{ 'v1' matches '^v[0-9]$' }}", want: true, text: "true"},
		{name: "a pipe", template: "${{ 'a,b' | split(',') | len() }}", want: 2.0, text: "2"},
		{name: "status functions", template: "${{ success() and always() and !failure() and status('update') == 'Succeeded' and status('x') == '' }}", want: true, text: "true"},
		{name: "the status of a step of the own task", template: "${{ status('commit') }} ${{ status('t::commit') }}", want: "Skipped Skipped"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Eval(tt.template, demoEnv())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got.Any()); diff != "" {
				t.Errorf("Any (-want +got):\n%s", diff)
			}
			text := tt.text
			if s, ok := tt.want.(string); ok && text == "" {
				text = s
			}
			if diff := cmp.Diff(text, got.Text()); diff != "" {
				t.Errorf("Text (-want +got):\n%s", diff)
			}
			if got.WasRetyped() != tt.retyped {
				t.Errorf("WasRetyped = %v, want %v", got.WasRetyped(), tt.retyped)
			}
		})
	}
}

func TestEvalExplainsWhatIsWrong(t *testing.T) {
	bare := Env{Vars: map[string]any{"n": 1}, Images: demoEnv().Images}
	tests := []struct {
		name     string
		template string
		env      Env
		is       error
		want     string
	}{
		{"an unknown variable", "${{ vars.imageRep }}", demoEnv(), ErrUnknownName, `expression "vars.imageRep": unknown name: vars.imageRep; known: empty, imageRepo, list, n, warehouseName; did you mean imageRepo?`},
		{"an unknown variable by index", "${{ vars['xyz'] }}", bare, ErrUnknownName, `expression "vars['xyz']": unknown name: vars.xyz; known: n`},
		{"an unknown identifier", "${{ image.tag }}", demoEnv(), ErrUnknownName, `expression "image.tag": unknown name: image; known: ctx, outputs, vars; a variable is written vars.image`},
		{"an unknown output", "${{ outputs.updat.commit }}", demoEnv(), ErrUnknownName, `expression "outputs.updat.commit": unknown name: outputs.updat; known: update; did you mean update?`},
		{"an unknown key of an output", "${{ outputs.update.Commit }}", demoEnv(), ErrUnknownName, `expression "outputs.update.Commit": unknown name: outputs.update.Commit; known: commit, commitMessage; did you mean commit?`},
		{"a member of null", "${{ vars.empty.x }}", demoEnv(), ErrUnknownName, `expression "vars.empty.x": unknown name: vars.empty is null and has no member "x"`},
		{"task outside of a task", "${{ task.outputs.x }}", demoEnv(), ErrNotAvailable, `expression "task.outputs.x": task is not available: it exists only in the steps of a PromotionTask; outside, use outputs`},
		{"an unknown function", "${{ quot('x') }}", demoEnv(), ErrUnknownName, `expression "quot('x')": unknown name: function quot; did you mean quote?`},
		{"a function that is not called", "${{ quote }}", demoEnv(), ErrUnknownName, `expression "quote": unknown name: quote is a function: write quote(…)`},
		{"lower case on an image", "${{ imageFrom('nginx').tag }}", demoEnv(), ErrUnknownName, `expression "imageFrom('nginx').tag": unknown name: imageFrom(…).tag; did you mean .Tag?`},
		{"no image", "${{ imageFrom('x').Tag }}", demoEnv(), ErrMissing, `expression "imageFrom('x').Tag": imageFrom("x"): no image of this freight comes from "x"; the freight has: docker.io/library/nginx, ghcr.io/acme/both, ghcr.io/acme/shop; check the Warehouse's repoURL and the variable`},
		{"no image in that warehouse", "${{ imageFrom('nginx', warehouse('images')).Tag }}", Env{Images: demoEnv().Images[:2]}, ErrMissing, `expression "imageFrom('nginx', warehouse('images')).Tag": imageFrom("nginx", warehouse("images")): no image of this freight comes from "nginx"; the freight has: docker.io/library/nginx (warehouse base), ghcr.io/acme/shop (warehouse images); check the Warehouse's repoURL and the variable`},
		{"no image in a local variable", "${{ let i = imageFrom('x'); i.Tag }}", Env{}, ErrMissing, `expression "let i = imageFrom('x'); i.Tag": i is null and has no member "Tag"; imageFrom("x"): no image of this freight comes from "x"; the freight has: no images; check the Warehouse's repoURL and the variable`},
		{"subscribed but not in the freight", "${{ imageFrom('ghcr.io/acme/absent').Tag }}", Env{Requested: demoEnv().Requested}, ErrMissing, `expression "imageFrom('ghcr.io/acme/absent').Tag": imageFrom("ghcr.io/acme/absent"): no image of this freight comes from "ghcr.io/acme/absent"; the freight has: no images; check the Warehouse's repoURL and the variable`},
		{"two warehouses", "${{ imageFrom('ghcr.io/acme/both').Tag }}", demoEnv(), nil, `expression "imageFrom('ghcr.io/acme/both').Tag": imageFrom("ghcr.io/acme/both"): the warehouses base, images all subscribe to it: add which one, such as imageFrom("ghcr.io/acme/both", warehouse("base"))`},
		{"two warehouses without requests", "${{ imageFrom('ghcr.io/acme/both').Tag }}", bare, nil, `expression "imageFrom('ghcr.io/acme/both').Tag": imageFrom("ghcr.io/acme/both"): the warehouses base, images all subscribe to it: add which one, such as imageFrom("ghcr.io/acme/both", warehouse("base"))`},
		{"a status function in a variable", "${{ success() }}", bare, ErrNotAvailable, `expression "success()": success() is not available in variables: use it in the "if" or "config" of a step`},
		{"a number where a string belongs", "${{ semverParse(vars.n) }}", bare, nil, `expression "semverParse(vars.n)": argument 1 of semverParse has to be of type string, not a number: quote the value where it is defined, if it only looks like another type`},
		{"null where a string belongs", "${{ upper(vars.empty) }}", demoEnv(), nil, `expression "upper(vars.empty)": argument 1 of upper has to be of type string, not null: quote the value where it is defined, if it only looks like another type`},
		{"a string where an origin belongs", "${{ imageFrom('x', vars.n).Tag }}", bare, nil, `expression "imageFrom('x', vars.n).Tag": argument 2 of imageFrom has to be of type Origin, not a number: quote the value where it is defined, if it only looks like another type`},
		{"an unclosed delimiter", "a ${{ vars.n", bare, nil, `template "a ${{ vars.n": "${{" at offset 2 is not closed: add "}}" after the expression`},
		{"an unclosed percent delimiter", "${% vars.n }}", bare, nil, `template "${% vars.n }}": "${%" at offset 0 is not closed: add "%}" after the expression`},
		{"braces inside braces", "${{ {'a': {'b': 1}} }}", bare, nil, `expression "{'a': {'b': 1": column 13: unexpected token EOF (an expression that contains "}}" has to be written between "${%" and "%}")`},
		{"a syntax error", "${{ 1 + }}", bare, nil, `expression "1 +": column 3: unexpected token EOF`},
		{"an empty expression", "${{ }}", bare, nil, `an expression is empty: write a variable or a function`},
		{"a wrong type", "${{ warehouse(1) }}", bare, nil, `expression "warehouse(1)": column 11: cannot use int as argument (type string) to call warehouse`},
		{"a version that is none", "${{ semverParse('x').Major() }}", bare, nil, `expression "semverParse('x').Major()": semverParse("x"): invalid semantic version`},
		{"a function as the result", "${{ semverParse('1.0.0').Major }}", bare, nil, `expression "semverParse('1.0.0').Major": print a value of type func() uint64: json: unsupported type: func() uint64`},
		{"a template that is too long", strings.Repeat("x", maxTemplate+1), bare, ErrTooCostly, `template "` + strings.Repeat("x", 120) + `…": template of 65537 bytes, at most 65536 are allowed: expression beyond bounds`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := Eval(tt.template, tt.env)
			if err == nil {
				t.Fatalf("Eval = %#v, want an error", v.Any())
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("errors.Is(%v) is false", tt.is)
			}
		})
	}
}

func TestEvalBool(t *testing.T) {
	tests := []struct {
		template string
		want     bool
		err      string
	}{
		{template: "${{ success() }}", want: true},
		{template: "${{ 1 > 2 }}"},
		{template: "true", err: `condition "true" is not an expression: write ${{ … }} around it`},
		{template: "", err: `condition "" is not an expression: write ${{ … }} around it`},
		{template: "${{ 1 }}", err: `condition "${{ 1 }}" yields a number, not true or false: compare it with something`},
		{template: "${{ nil }}", err: `condition "${{ nil }}" yields null, not true or false: compare it with something`},
		{template: "${{ quote(true) }}", err: `condition "${{ quote(true) }}" yields a string, not true or false: compare it with something`},
		{template: "${{ vars.x }}", err: `expression "vars.x": unknown name: vars.x; there is none`},
	}
	for _, tt := range tests {
		got, err := EvalBool(tt.template, Env{Status: &Status{}})
		text := ""
		if err != nil {
			text = err.Error()
		}
		if got != tt.want || text != tt.err {
			t.Errorf("EvalBool(%q) = %v, %q, want %v, %q", tt.template, got, text, tt.want, tt.err)
		}
	}
}

func TestEvalTree(t *testing.T) {
	input := map[string]any{
		"path": "apps/${{ ctx.stage }}", "${{ key }}": "v", "count": 3.0, "none": nil, "flag": true,
		"updates": []any{
			map[string]any{"key": "a.b", "value": "${{ imageFrom(vars.imageRepo).Tag }}"},
			map[string]any{"key": "c", "value": "${{ quote(imageFrom(vars.imageRepo).Tag) }}"},
		},
		"a.b": map[string]any{"t": "${{ 't' }}"},
	}
	got, err := EvalTree(input, demoEnv())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"path": "apps/dev", "${{ key }}": "v", "count": 3.0, "none": nil, "flag": true,
		"updates": []any{
			map[string]any{"key": "a.b", "value": 1.1},
			map[string]any{"key": "c", "value": "1.10"},
		},
		"a.b": map[string]any{"t": true},
	}
	if diff := cmp.Diff(want, got.Any()); diff != "" {
		t.Errorf("Any (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"updates[0].value": "1.10", `["a.b"].t`: "t"}, got.Retyped()); diff != "" {
		t.Errorf("Retyped (-want +got):\n%s", diff)
	}
	if input["path"] != "apps/${{ ctx.stage }}" {
		t.Error("the input was modified")
	}

	_, err = EvalTree(map[string]any{"updates": []any{map[string]any{"value": "${{ vars.x }}"}}}, Env{})
	if want := `updates[0].value: expression "vars.x": unknown name: vars.x; there is none`; err == nil || err.Error() != want {
		t.Errorf("error = %v, want %s", err, want)
	}
	var deep any = "x"
	for range 70 {
		deep = []any{deep}
	}
	if _, err := EvalTree(deep, Env{}); !errors.Is(err, ErrTooCostly) {
		t.Errorf("deep tree: %v", err)
	}
}

func TestRun(t *testing.T) {
	doc := map[string]any{"spec": map[string]any{"tag": "1.10", "ports": []any{map[string]any{"name": "http", "n": 80}}}, "task": "x"}
	for expression, want := range map[string]any{
		"spec.tag":                            "1.10",
		"spec.ports[0].n":                     80,
		"spec.absent":                         nil,
		"quote(spec.tag)":                     `"1.10"`,
		"task":                                "x",
		"spec?.absent":                        nil,
		"spec.absent ?? 'd'":                  "d",
		"find(spec.ports, .name == 'http').n": 80,
		"filter(spec.ports, .absent == 1)":    []any{},
		"$env['spec']['tag']":                 "1.10",
	} {
		got, err := Run(expression, doc)
		if expression == "spec.absent" {
			if !errors.Is(err, ErrUnknownName) || err.Error() != `expression "spec.absent": unknown name: spec.absent; known: ports, tag` {
				t.Errorf("Run(%q) = %v, %v", expression, got, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("Run(%q): %v", expression, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Run(%q) (-want +got):\n%s", expression, diff)
		}
	}
	if _, err := Run("imageFrom('x')", doc); !errors.Is(err, ErrUnknownName) {
		t.Errorf("imageFrom in a document: %v", err)
	}
}

func TestHostileExpressionsEnd(t *testing.T) {
	for _, expression := range []string{
		"filter(1..1000000000, true)",
		"map(1..1000, map(1..1000, map(1..1000, 1)))",
		"let a = 1..1000; all(a, all(a, all(a, all(a, true))))",
		"let a = 1..1000; all(a, all(a, all(a, all(a, # + 1 > 0))))",
		"repeat('x', 1000000000)",
		"repeat(repeat('x', 1000000), 1000000)",
		"repeat(repeat('x', 100000), 1e6)",
		"reduce(1..60, #acc + #acc, 'xxxxxxxxxx')",
		"reduce(1..60, [#acc, #acc], 'x')",
		"reduce(1..5000, [#acc], 'x')",
		"let a = repeat('x', 100000); replace(a, 'x', a)",
		"let a = repeat('x', 100000); join(map(1..1000, a), a)",
		"let a = repeat('x', 100000); map(1..100000, upper(a))",
		"let a = repeat('x', 100000); let b = upper(a); all(1..100000, a != b)",
		"let a = repeat('x', 100000); all(1..100000, not (a contains 'y'))",
		"let a = repeat('x', 100000); a matches '((x{0,30}){0,30})*y'",
		"let a = repeat('(x|y)?', 10000); repeat('x', 10000) matches a",
		"reduce(1..60, concat(#acc, #acc), [1])",
		"reduce(1..60, flatten([#acc, #acc]), [1])",
		"toJSON(reduce(1..60, [#acc, #acc], 'x'))",
		"string(reduce(1..60, [#acc, #acc], 'x'))",
		"quote(reduce(1..60, [#acc, #acc], 'x'))",
		"reduce(1..60, [#acc, #acc], 'x') == reduce(1..60, [#acc, #acc], 'x')",
		strings.Repeat("(", 20000) + "1" + strings.Repeat(")", 20000),
		strings.Repeat("!", 20000) + "true",
		strings.Repeat("[", 20000) + strings.Repeat("]", 20000),
		"1" + strings.Repeat("+1", 20000),
	} {
		if v, err := Run(expression, nil); err == nil && !strings.HasPrefix(expression, "(((") {
			t.Errorf("Run(%q) = %T, want an error", excerpt(expression), v)
		}
		template := "${% " + expression + " %}"
		if v, err := Eval(template, Env{}); err == nil && !strings.HasPrefix(expression, "(((") {
			t.Errorf("Eval(%q) = %T, want an error", excerpt(template), v.Any())
		}
	}
}

func FuzzEval(f *testing.F) {
	for _, s := range []string{
		"plain", "${{ vars.n }}", "a ${{ quote('b') }}\n", "${% {'a': {'b': [1]}} %}", "${{ imageFrom('x').Tag }}", "${{ 'x' | upper() }}",
		"${{ outputs?.a?.b ?? [1,2][0] }}", "${{ let a = vars.list; map(a, # == 1) }}", "${{ semverParse('1.2.3').IncPatch().String() }}",
		"${{ vars.n matches '^[0-9]+$' and 'a' in ['a'] }}", "${{ sortBy(1..9, -#)[1:3] }}", "${{ toPairs(ctx) }}", "${{ $env }}",
		"${{ asYAML(ctx) + asJSON(vars) }}", "${{ toBase64(secret('db').password) }}", "${{ commitFrom('x')?.ID ?? artifactFrom('source').Version }}", "${{ reduce(1..9, #acc + #, 0) }}", "${{ date('2024-01-01').Year() }}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, template string) {
		v, err := Eval(template, demoEnv())
		if err != nil {
			if strings.Contains(err.Error(), canary) && !strings.Contains(template, canary) {
				t.Fatalf("Eval(%q) shows a secret: %v", template, err)
			}
			return
		}
		if !strings.Contains(template, "${{") && !strings.Contains(template, "${%") && (v.Any() != template || v.Text() != template) {
			t.Fatalf("Eval(%q) = %#v without a delimiter", template, v)
		}
		if s, ok := v.Any().(string); ok && s != v.Text() {
			t.Fatalf("Eval(%q): string %q with text %q", template, s, v.Text())
		}
	})
}

// BenchmarkEval evaluates one template, and the configuration of a typical step.
func BenchmarkEval(b *testing.B) {
	env := demoEnv()
	b.Run("template", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			v, err := Eval("${{ quote(imageFrom(vars.imageRepo, warehouse(vars.warehouseName)).Tag) }}", env)
			if err != nil || v.Text() != "1.10" {
				b.Fatal(v, err)
			}
		}
	})
	config := map[string]any{
		"path": "out/${{ ctx.stage }}/values.yaml",
		"updates": []any{
			map[string]any{"key": "image.tag", "value": "${{ quote(imageFrom(vars.imageRepo).Tag) }}"},
			map[string]any{"key": "image.digest", "value": "${{ imageFrom(vars.imageRepo, warehouse(vars.warehouseName)).Digest }}"},
			map[string]any{"key": "stage", "value": "${{ ctx.project + '-' + ctx.stage }}"},
		},
		"message": "${{ outputs.update.commitMessage ?? 'update' }}",
	}
	b.Run("step", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := EvalTree(config, env); err != nil {
				b.Fatal(err)
			}
		}
	})
}
