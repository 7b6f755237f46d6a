package expr

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func branchCommit() map[string]any {
	return map[string]any{
		"id": "c0ffee", "commitDate": time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC), "author": "A <a@x>", "committer": "C <c@x>", "subject": "feat: x",
	}
}

func tagCommit() map[string]any {
	return map[string]any{
		"tag": "v1.2.3", "id": "beef", "creatorDate": time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC), "author": "A <a@x>", "committer": "C <c@x>",
		"subject": "release", "tagger": "T <t@x>", "annotation": "signed off",
	}
}

func TestFilter(t *testing.T) {
	tests := []struct {
		name       string
		expression string
		env        map[string]any
		want       bool
		err        string
	}{
		{name: "a subject", expression: "subject startsWith 'feat:'", env: branchCommit(), want: true},
		{name: "another subject", expression: "!(subject contains '[skip ci]')", env: branchCommit(), want: true},
		{name: "an author", expression: "author == 'B'", env: branchCommit()},
		{name: "a commit after a date", expression: "commitDate > date('2024-01-01')", env: branchCommit(), want: true},
		{name: "a commit before a date", expression: "commitDate < date('2024-01-01')", env: branchCommit()},
		{name: "a part of a date", expression: "commitDate.Year() == 2024 && commitDate.Format('01') == '05'", env: branchCommit(), want: true},
		{name: "an age", expression: "now() - commitDate > duration('24h')", env: branchCommit(), want: true},
		{name: "a tag", expression: "tag matches '^v1' and tagger contains 'T ' and annotation != '' and creatorDate.Year() < 2025", env: tagCommit(), want: true},
		{name: "a version", expression: "semverParse(tag).Minor() == 2", env: tagCommit(), want: true},
		{name: "a text that reads as a boolean", expression: "'t'", env: tagCommit(), want: true},
		{name: "a number that reads as a boolean", expression: "0", env: tagCommit()},
		{name: "a text", expression: "tag", env: tagCommit(), err: `expression "tag" yields "v1.2.3", a string, not true or false: compare it with something`},
		{name: "a number", expression: "len(tag)", env: tagCommit(), err: `expression "len(tag)" yields "6", a number, not true or false: compare it with something`},
		{name: "null", expression: "nil", env: tagCommit(), err: `expression "nil" yields "null", null, not true or false: compare it with something`},
		{name: "a time", expression: "creatorDate", env: tagCommit(), err: `expression "creatorDate" yields "\"2024-05-06T07:08:09Z\"", a time, not true or false: compare it with something`},
		{name: "a name of tags for a branch", expression: "tag == 'x'", env: branchCommit(), err: `expression "tag == 'x'": unknown name: tag; known: author, commitDate, committer, id, subject`},
		{name: "a typing mistake", expression: "subjct == 'x'", env: branchCommit(), err: `expression "subjct == 'x'": unknown name: subjct; known: author, commitDate, committer, id, subject; did you mean subject?`},
		{name: "a function of templates", expression: "imageFrom('x') != nil", env: branchCommit(), err: `expression "imageFrom('x') != nil": unknown name: function imageFrom, which exists only in templates`},
		{name: "delimiters", expression: "${{ true }}", env: branchCommit(), err: `expression "${{ true }}": this is an expression without delimiters: take off "${{" and "}}"`},
		{name: "nothing", expression: " ", env: branchCommit(), err: `an expression is empty: write a variable or a function`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Filter(tt.expression, tt.env)
			text := ""
			if err != nil {
				text = err.Error()
			}
			if diff := cmp.Diff(tt.err, text); diff != "" || got != tt.want {
				t.Errorf("%v, want %v, error (-want +got):\n%s", got, tt.want, diff)
			}
		})
	}
}

func TestCompileFilter(t *testing.T) {
	filter, err := CompileFilter("tag startsWith 'v' and len(repeat('x', 900000)) > 0", FilterTag)
	if err != nil {
		t.Fatal(err)
	}
	other := tagCommit()
	other["tag"] = "x"
	for i, env := range []map[string]any{tagCommit(), other, tagCommit(), tagCommit(), tagCommit()} {
		if got, err := filter(env); err != nil || got != (env["tag"] != "x") {
			t.Errorf("commit %d: %v, %v", i, got, err)
		}
	}
	if _, err := CompileFilter("tag", FilterBranch); !errors.Is(err, ErrUnknownName) {
		t.Errorf("a name of tags for a branch: %v", err)
	}
	if _, err := CompileFilter("${{ true }}", FilterTag); !errors.Is(err, errDelimited) {
		t.Errorf("delimiters: %v", err)
	}
}

func BenchmarkFilter(b *testing.B) {
	b.ReportAllocs()
	filter, err := CompileFilter("!(subject contains '[skip ci]') && commitDate.Year() > 2020", FilterBranch)
	if err != nil {
		b.Fatal(err)
	}
	env := branchCommit()
	for b.Loop() {
		if ok, err := filter(env); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

func TestRunResponse(t *testing.T) {
	response := Response{
		Status: 200, Headers: map[string][]string{"Content-Type": {"application/json", "x"}, "X-Empty": nil},
		Body: map[string]any{"state": "done", "items": []any{map[string]any{"id": 7.0}}},
	}
	tests := []struct {
		name       string
		expression string
		response   Response
		want       any
		err        string
	}{
		{name: "the status", expression: "response.status == 200", response: response, want: true},
		{name: "a header", expression: "response.header('content-type')", response: response, want: "application/json"},
		{name: "a header that is not there", expression: "response.header('x') + response.header('x-empty')", response: response, want: ""},
		{name: "all values of a header", expression: "response.headers['Content-Type'][1]", response: response, want: "x"},
		{name: "the body", expression: "response.body.items[0].id", response: response, want: 7.0},
		{name: "a text as the body", expression: "response.body contains 'ok'", response: Response{Body: "is ok"}, want: true},
		{name: "a key that the body does not have is null", expression: "response.body.stat == 'done'", response: response, want: false},
		{name: "a member of null", expression: "response.body.a.b", response: response, err: `expression "response.body.a.b": unknown name: response.body.a is null and has no member "b"`},
		{name: "a member of null that is asked for", expression: "response.body.a.b ?? 'd'", response: response, want: "d"},
		{name: "a typing mistake", expression: "response.stauts == 200", response: response, err: `expression "response.stauts == 200": unknown name: response.stauts; known: body, header, headers, status; did you mean status?`},
		{name: "a header without name", expression: "response.header()", response: response, err: `expression "response.header()": response.header wants the name of one header, such as response.header('Content-Type')`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := RunResponse(tt.expression, tt.response)
			text := ""
			if err != nil {
				text = err.Error()
			}
			if diff := cmp.Diff(tt.err, text); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRawExpressionsAreBounded(t *testing.T) {
	for _, expression := range []string{
		strings.Repeat("x", maxTemplate+1),
		"len(repeat(subject, 1000000000)) > 0",
		"all(1..100000, all(1..100000, true))",
	} {
		if _, err := Filter(expression, branchCommit()); !errors.Is(err, ErrTooCostly) {
			t.Errorf("Filter(%q): %v", excerpt(expression), err)
		}
		if _, err := RunResponse(strings.ReplaceAll(expression, "subject", "'x'"), Response{}); !errors.Is(err, ErrTooCostly) {
			t.Errorf("RunResponse(%q): %v", excerpt(expression), err)
		}
	}
}

func TestCheckFilter(t *testing.T) {
	tests := []struct {
		name       string
		expression string
		kind       FilterKind
		want       []Problem
	}{
		{"all is well with a branch", "subject contains 'x' and commitDate.Year() > 2023", FilterBranch, nil},
		{"all is well with a tag", "tag contains 'x' and annotation != ''", FilterTag, nil},
		{"a name of branches for a tag", " commitDate == nil or commitDate.x", FilterTag, []Problem{{1, `unknown name: commitDate; known: annotation, author, committer, creatorDate, id, subject, tag, tagger; did you mean committer?`}}},
		{"a syntax error", "subject ==", FilterBranch, []Problem{{0, `column 10: unexpected token EOF`}}},
		{"an unknown function", "uppper(subject) == 'X'", FilterBranch, []Problem{{0, `unknown name: function uppper; did you mean upper?`}}},
		{"a method that no version has", "semverParse(tag).major() > 1", FilterTag, []Problem{{0, `unknown name: semverParse(…).major; did you mean .Major?`}}},
		{"delimiters", "${{ true }}", FilterBranch, []Problem{{0, `this is an expression without delimiters: take off "${{" and "}}"`}}},
		{"nothing", "", FilterBranch, []Problem{{0, `the expression is empty: write a variable or a function`}}},
		{"too long", strings.Repeat("x", maxTemplate+1), FilterBranch, []Problem{{0, `expression of 65537 bytes, at most 65536 are allowed: expression beyond bounds`}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, CheckFilter(tt.expression, tt.kind)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFilterKindNamesWhatFilterSees(t *testing.T) {
	for kind, env := range map[FilterKind]map[string]any{FilterBranch: branchCommit(), FilterTag: tagCommit()} {
		if diff := cmp.Diff(sortedKeys(env), sorted(kind.Names())); diff != "" {
			t.Errorf("kind %d (-want +got):\n%s", kind, diff)
		}
	}
}

func TestCheckResponse(t *testing.T) {
	for expression, want := range map[string][]Problem{
		"response.status < 300 && response.body.anything.at.all == 1": nil,
		"response.stauts == 200": {{0, `unknown name: response.stauts; known: body, header, headers, status; did you mean status?`}},
		"status == 200":          {{0, `unknown name: status; known: response`}},
	} {
		if diff := cmp.Diff(want, CheckResponse(expression)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", expression, diff)
		}
	}
}

// FuzzFilter checks that what is evaluated has no problems in the static check, and comes to the same when it is compiled first.
func FuzzFilter(f *testing.F) {
	for _, s := range []string{
		"subject contains 'x'", "commitDate > date('2024-01-01')", "now() - commitDate < duration('1h')", "commitDate.Format('2006')", "author", "1",
		"commitDate.AddDate(1, 2, 3).Unix()", "commitDate in [commitDate]", "commitDate == nil", "let a = commitDate; a.In(a.Location())",
		"sort([commitDate, commitDate])", "${{ true }}", "commitDate.Nope()", "commitDate.MarshalJSON()", "commitDate.Format()", "duration('1h').Hours()",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, expression string) {
		got, err := Filter(expression, branchCommit())
		filter, compileErr := CompileFilter(expression, FilterBranch)
		if err == nil && compileErr != nil {
			t.Fatalf("%q is evaluated, but not compiled: %v", expression, compileErr)
		}
		if err == nil && !strings.Contains(expression, "now") {
			for range 2 {
				if again, err := filter(branchCommit()); err != nil || again != got {
					t.Fatalf("%q is %v, and compiled %v, %v", expression, got, again, err)
				}
			}
		}
		if problems := CheckFilter(expression, FilterBranch); err == nil && len(problems) > 0 {
			t.Fatalf("%q is evaluated, but has problems: %v", expression, problems)
		}
		_, _ = RunResponse(expression, Response{Body: branchCommit()})
	})
}

func sorted(names []string) []string {
	all := map[string]bool{}
	for _, name := range names {
		all[name] = true
	}
	return sortedKeys(all)
}
