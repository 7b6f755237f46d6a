package devforge

import (
	"bytes"
	"html"
	"html/template"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer"
	gmhtml "github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/util"
)

// markdown renders what people and bots write: GitHub-flavoured Markdown, whose raw HTML is cut down by sanitize.
type markdown struct {
	engine goldmark.Markdown
}

func newMarkdown() markdown {
	return markdown{goldmark.New(
		goldmark.WithExtensions(
			extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute)),
			extension.Strikethrough, extension.Linkify, extension.TaskList,
		),
		goldmark.WithRendererOptions(
			gmhtml.WithUnsafe(), // sanitize comes after it
			renderer.WithNodeRenderers(util.Prioritized(fences{}, 100)),
		),
	)}
}

// render never fails: text that cannot be rendered is shown as it is.
func (m markdown) render(source string) template.HTML {
	var out bytes.Buffer
	if err := m.engine.Convert([]byte(source), &out); err != nil {
		return template.HTML("<pre>" + html.EscapeString(source) + "</pre>") //nolint:gosec // escaped
	}
	return template.HTML(sanitize(out.String())) //nolint:gosec // sanitized
}

// fences renders code fences; those of a diff get a colour for each line.
type fences struct{}

func (fences) RegisterFuncs(register renderer.NodeRendererFuncRegisterer) {
	register.Register(ast.KindFencedCodeBlock, renderFence)
}

func renderFence(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	fence, ok := node.(*ast.FencedCodeBlock)
	if !ok || !entering {
		return ast.WalkContinue, nil
	}
	var text strings.Builder
	for i := range fence.Lines().Len() {
		line := fence.Lines().At(i)
		text.Write(line.Value(source))
	}
	isDiff := string(fence.Language(source)) == "diff"
	code := html.EscapeString(text.String())
	if isDiff {
		code = diffLines(text.String())
	}
	class := ""
	if isDiff {
		class = ` class="diff"`
	}
	_, err := w.WriteString("<pre" + class + "><code>" + code + "</code></pre>\n")
	return ast.WalkSkipChildren, err
}

// diffLines wraps each line of a diff in a span whose class says what it is. The result is safe HTML.
func diffLines(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		out.WriteString(`<span class="` + diffClass(line) + `">` + html.EscapeString(strings.TrimSuffix(line, "\n")) + "</span>\n")
	}
	return out.String()
}

func diffClass(line string) string {
	switch {
	case strings.HasPrefix(line, "@@"):
		return "hunk"
	case strings.HasPrefix(line, "+++ "), strings.HasPrefix(line, "--- "):
		return "name"
	case strings.HasPrefix(line, "+"):
		return "add"
	case strings.HasPrefix(line, "-"):
		return "del"
	case strings.HasPrefix(line, "!"):
		return "mark"
	}
	return "same"
}
