package argocd

import (
	"context"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestFill(t *testing.T) {
	plain := newDialect(false, nil)
	goDialect := newDialect(true, nil)
	strict := newDialect(true, []string{"missingkey=error"})
	flat := plain.pathParams("services/My_App", "")
	tree := goDialect.pathParams("services/My_App", "")
	tests := []struct {
		name    string
		dialect dialect
		params  params
		text    string
		want    string
		err     string // text, then " | " and the remedy
	}{
		{"plain path", plain, flat, "{{path}}", "services/My_App", ""},
		{"plain parts with blanks", plain, flat, "{{ path.basename }}-{{path[0]}}", "My_App-services", ""},
		{"plain normalized", plain, flat, "{{path.basenameNormalized}}", "my-app", ""},
		{"plain unknown tags stay", plain, flat, "a {{ nope }} b", "a {{ nope }} b", ""},
		{"plain prefix", plain, plain.pathParams("a/b", "app"), "{{app.path}} {{app.path.basename}} {{app.path[1]}} {{path}}", "a/b b b {{path}}", ""},
		{"plain tag that is not closed", plain, flat, "{{path}} {{x", "", `template "{{path}} {{x" is not closed | close every {{ with }}`},
		{"go path", goDialect, tree, "{{.path.path}} {{index .path.segments 1}}", "services/My_App My_App", ""},
		{"go prefix", goDialect, goDialect.pathParams("a/b", "app"), "{{.app.path.basename}}", "b", ""},
		{"go sprig and Argo CD's functions", goDialect, tree, `{{.path.basename | lower | replace "_" "-"}} {{normalize "A_b."}} {{slugify 8 true "Feature Branch Name"}} {{toYaml .path.segments}} {{(fromYaml "a: b").a}} {{index (fromYamlArray "[x, z]") 1}}`, "my-app a-b feature - services\n- My_App b z", ""},
		{"go missing key", goDialect, tree, "{{.nope}}", "<no value>", ""},
		{"go missing key as error", strict, tree, "{{.nope}}", "", `template "{{.nope}}": <.nope>: map has no entry for key "nope" | `},
		{"go template with a plain tag", goDialect, tree, "{{path.basename}}", "", `template "{{path.basename}}": function "path" not defined | with goTemplate: true write {{.path.basename}}`},
		{"go template with a plain path", goDialect, tree, "x-{{ path }}", "", `template "x-{{ path }}": function "path" not defined | with goTemplate: true write {{.path.path}}`},
		{"go template with a plain segment", goDialect, tree, "{{path[0]}}", "", `template "{{path[0]}}": bad character U+005B '[' | with goTemplate: true write {{index .path.segments 0}}`},
		{"environment is out of reach", goDialect, tree, `{{env "HOME"}}`, "", `template "{{env \"HOME\"}}": function "env" not defined | `},
		{"what differs every time is refused", goDialect, tree, `{{randAlphaNum 5}}`, "", `template "{{randAlphaNum 5}}": <randAlphaNum 5>: error calling randAlphaNum: randAlphaNum gives another result each time and cannot be evaluated offline | `},
		{"endless loops end", goDialect, tree, `{{range 1000000000}}{{end}}`, "", `template "{{range 1000000000}}{{end}}": <tick> | `},
		{"loops in loops end", goDialect, tree, `{{range until 9999}}{{range until 9999}}{{end}}{{end}}`, "", `template "{{range until 9999}}{{range until 9999}}{{end}}{{end}}": <tick> | `},
		{"large numbers are refused", goDialect, tree, `{{repeat 1000000000 "x"}}`, "", `template "{{repeat 1000000000 \"x\"}}": <repeat 1000000000 "x">: error calling repeat: an argument is too large | `},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.dialect.fill(t.Context(), test.text, test.params, func(string) {})
			text := ""
			if err != nil {
				text = err.Error() + " | "
				if e, ok := err.(*templateError); ok { //nolint:errorlint // fill returns it bare
					text += e.remedy
				}
				if strings.Contains(text, tickName) {
					text = text[:strings.Index(text, "<"+tickName)] + "<tick> | "
				}
			}
			if diff := cmp.Diff([]string{test.want, test.err}, []string{got, text}); diff != "" {
				t.Errorf("result and error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFillStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newDialect(true, nil).fill(ctx, "{{range 5}}x{{end}}", params{"a": "b"}, func(string) {}); err == nil {
		t.Error("no error from a loop under a cancelled context")
	}
}

func TestSlugify(t *testing.T) {
	tests := []struct {
		args []any
		want string
		ok   bool
	}{
		{[]any{"Feature/ABC 123"}, "feature-abc-123", true},
		{[]any{10, "Feature/ABC 123"}, "feature", true},
		{[]any{10, false, "Feature/ABC 123"}, "feature-ab", true},
		{[]any{3, true, "Feature"}, "fea", true},
		{[]any{}, "", false},
		{[]any{"a", "b"}, "", false},
		{[]any{1, 2, "c"}, "", false},
		{[]any{5}, "", false},
	}
	for _, test := range tests {
		got, err := slugify(test.args...)
		if got != test.want || (err == nil) != test.ok {
			t.Errorf("slugify(%v) = %q, %v, want %q", test.args, got, err, test.want)
		}
	}
}

func TestSanitizeName(t *testing.T) {
	for in, want := range map[string]string{
		"My_App": "my-app", "-a.": "a", "ü": "", "a/b": "a-b", "1.2": "1.2", strings.Repeat("x", 300): strings.Repeat("x", 253),
	} {
		if got := SanitizeName(in); got != want {
			t.Errorf("SanitizeName(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{
		"{{path}}-{{path.basename}}", "{{.path.basename}}", "{{range .path.segments}}{{.}}{{end}}", `{{define "x"}}{{template "x"}}{{end}}{{template "x"}}`,
		"{{ path", "}}{{", `{{printf "%1000000d" 1}}`, `{{toYaml .}}`, `{{(index .path.segments 9)}}`, `{{list 1 2 | toJson | repeat 99}}`, `{{while}}`, "{{/* c */}}", `{{"\u00e9" | normalize}}`,
	} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	plain, goDialect := newDialect(false, nil), newDialect(true, nil)
	f.Fuzz(func(t *testing.T, text string, useGo bool) {
		d := plain
		if useGo {
			d = goDialect
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		got, err := d.fill(ctx, text, d.pathParams("a/b", ""), func(string) {})
		if err == nil && len(got) > maxTemplateOutput {
			t.Errorf("result of %d bytes", len(got))
		}
		if err == nil && !strings.Contains(text, "{{") && got != text {
			t.Errorf("text without tags changed: %q → %q", text, got)
		}
		if err == nil && !useGo && utf8.ValidString(text) && !utf8.ValidString(got) {
			t.Errorf("result is no text: %q", got)
		}
	})
}
