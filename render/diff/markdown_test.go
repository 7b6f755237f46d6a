package diff_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"

	"github.com/lockkeeper/lockkeeper/render/diff"
)

var fenceLine = regexp.MustCompile("^`{3,}")

// checkMarkdown asserts what must hold for any report: within the limit, valid text, fences and folds closed in order,
// and no line outside of a fence that could be a command.
func checkMarkdown(t testing.TB, text string, limit int) {
	t.Helper()
	if len(text) > limit {
		t.Errorf("%d bytes, the limit is %d", len(text), limit)
	}
	if !utf8.ValidString(text) {
		t.Error("not valid UTF-8")
	}
	open, depth := "", 0
	for line := range strings.SplitSeq(text, "\n") {
		ticks := fenceLine.FindString(line)
		switch {
		case open == "" && ticks != "":
			open = ticks
			if strings.TrimPrefix(line, ticks) != "diff" {
				t.Errorf("a fence opens with %q", line)
			}
		case open != "" && line == ticks && len(ticks) >= len(open):
			open = ""
		case open != "":
		case strings.HasPrefix(line, "<details>"):
			depth++
		case line == "</details>":
			if depth--; depth < 0 {
				t.Fatal("a fold closes that is not open")
			}
		case strings.HasPrefix(strings.TrimSpace(line), "/"), strings.HasPrefix(strings.TrimSpace(line), "<"):
			t.Errorf("line %q can act", line)
		}
	}
	if open != "" || depth != 0 {
		t.Errorf("at the end: fence %q open, %d folds open", open, depth)
	}
}

func render(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	md := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithUnsafe()))
	if err := md.Convert([]byte(text), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var codeHTML = regexp.MustCompile(`(?s)<code[^>]*>.*?</code>`)

// checkHTML asserts that what stands outside of code in the rendered page is ours alone.
func checkHTML(t testing.TB, page string, hostile ...string) {
	t.Helper()
	outside := codeHTML.ReplaceAllString(page, "")
	for _, s := range hostile {
		if strings.Contains(outside, s) {
			t.Errorf("%q stands outside of code:\n%s", s, outside)
		}
	}
	if o, c := strings.Count(outside, "<details>"), strings.Count(outside, "</details>"); o != c {
		t.Errorf("%d folds open, %d close", o, c)
	}
}

func TestMarkdownRendersAsFoldsAndTables(t *testing.T) {
	report := diff.Compare(apps(t, archive(t, "promote_image")))
	page := render(t, diff.Markdown(report, diff.MarkdownOptions{}))
	for _, want := range []string{
		"<p><strong>1 application changes: 2 objects changed.</strong></p>",
		"<td><code>frontend-dev-app (dev)</code></td>",
		"<summary><code>frontend-dev-app (dev)</code>: 2 objects changed</summary>",
		`<pre><code class="language-diff">- spec.template.spec.containers[name=wsp-frontend].image: example/frontend:1.0.1`,
		"<summary>manifest</summary>",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("page lacks %q", want)
		}
	}
	if got := strings.Count(page, "<details>"); got != 3 {
		t.Errorf("%d folds, want one for the application and one for each of its two objects", got)
	}
	checkHTML(t, page)
	if t.Failed() {
		t.Log(page)
	}
}

func TestHostileValuesDoNotAct(t *testing.T) {
	report := diff.Compare(apps(t, archive(t, "hostile_values")))
	text := diff.Markdown(report, diff.MarkdownOptions{})
	checkMarkdown(t, text, diff.DefaultLimit)
	checkHTML(t, render(t, text), "/merge", "@all", "<script", "<img", "|evil", "[x](", "**bold")
}

// wide is a report of n applications with m changed ConfigMaps each, every one with a large value.
func wide(n, m int) diff.Report {
	var list []diff.App
	for i := range n {
		app := diff.App{Name: "app-" + strings.Repeat("x", i%7) + string(rune('a'+i%26)), Stage: "dev"}
		for j := range m {
			name := string(rune('a'+j%26)) + strings.Repeat("y", j/26)
			app.Base = append(app.Base, configMap(name, map[string]any{"k": strings.Repeat("old line\n", 20*(i%9+1))}))
			app.Head = append(app.Head, configMap(name, map[string]any{"k": strings.Repeat("new line\n", 20*(i%9+1))}))
		}
		list = append(list, app)
	}
	return diff.Compare(list)
}

func TestMarkdownLeavesOutWholeFoldsOnly(t *testing.T) {
	report := wide(5, 4)
	full := diff.Markdown(report, diff.MarkdownOptions{Limit: 1 << 20})
	checkMarkdown(t, full, 1<<20)
	tests := []struct {
		name  string
		limit int
		want  []string
		not   []string
	}{
		{"all fits: no note", len(full), []string{"manifest"}, []string{"Left out"}},
		{
			"one byte too little: the last manifests go, every object stays", len(full) - 1,
			[]string{"Left out, because it would be too long: the manifests of 1 object. [The full diff](<https://x.example/1>)."},
			[]string{"the changes of"},
		},
		{
			"far too little: objects go too, headline and table stay", 6000,
			[]string{"**5 applications change", "| `app-a (dev)` | 0 | 4 | 0 |", "the changes of", "the manifests of 20 objects"},
			[]string{"<summary>manifest"},
		},
		{"hardly anything: the headline alone", 90, []string{"**5 applications change"}, []string{"<details>"}},
		{"nothing fits: nothing", 3, nil, []string{"*"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := diff.Markdown(report, diff.MarkdownOptions{Limit: tt.limit, Link: "https://x.example/1"})
			checkMarkdown(t, got, tt.limit)
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("lacks %q:\n%s", want, got)
				}
			}
			for _, not := range tt.not {
				if strings.Contains(got, not) {
					t.Errorf("has %q:\n%s", not, got)
				}
			}
		})
	}
	for limit := 1; limit < len(full)+10; limit += 997 {
		checkMarkdown(t, diff.Markdown(report, diff.MarkdownOptions{Limit: limit, Link: "https://x.example/1"}), limit)
	}
}

func TestMarkdownCapsLongLists(t *testing.T) {
	report := wide(600, 1)
	got := diff.Markdown(report, diff.MarkdownOptions{Limit: 20000})
	checkMarkdown(t, got, 20000)
	for _, want := range []string{"| … and ", " more | | | |", "**600 applications change"} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %q", want)
		}
	}
}

func TestMarkdownRefusesLinksThatAreNone(t *testing.T) {
	for _, link := range []string{"javascript:alert(1)", "https://x.example/>) @all", "https://x.example/\n/merge", ""} {
		got := diff.Markdown(wide(3, 3), diff.MarkdownOptions{Limit: 4000, Link: link})
		checkMarkdown(t, got, 4000)
		if strings.Contains(got, "full diff") {
			t.Errorf("link %q is shown", link)
		}
	}
}
