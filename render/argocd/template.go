package argocd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"

	"github.com/valyala/fasttemplate"

	"github.com/lockkeeper/lockkeeper/internal/nearest"
)

// params is one set of values that a generator gives to the template: dotted names to strings for the plain dialect, a
// tree of JSON values for Go templates.
type params map[string]any

// dialect fills the templates of one ApplicationSet. Every text is parsed once. It is not safe for concurrent use.
type dialect struct {
	goTemplate bool
	options    []string
	functions  func() template.FuncMap
	plain      map[string]*fasttemplate.Template // nil values for texts without a tag
	parsed     map[string]goText
}

// goText is one Go template with what counts its work.
type goText struct {
	template *template.Template
	meter    *meter
}

func newDialect(goTemplate bool, options []string) dialect {
	return dialect{
		goTemplate: goTemplate, options: options, functions: functions,
		plain: map[string]*fasttemplate.Template{}, parsed: map[string]goText{},
	}
}

// The bounds of one template string.
const (
	maxTemplateOutput = 1 << 20 // bytes
	maxTemplateTicks  = 100_000 // loop rounds and template calls
)

// A templateError says what is wrong with one template string and what to write instead.
type templateError struct {
	problem string
	remedy  string
	cause   error
}

func (e *templateError) Error() string { return e.problem }
func (e *templateError) Unwrap() error { return e.cause }

var templated = regexp.MustCompile(`.*{{.*}}.*`)

// fill replaces the parameters in one string. In the plain dialect a tag without a parameter stays as it is, and unknown
// is called with it.
func (d dialect) fill(ctx context.Context, text string, p params, unknown func(tag string)) (string, error) {
	if d.goTemplate {
		return d.fillGo(ctx, text, p)
	}
	t, err := d.parsePlain(text)
	if err != nil {
		return "", err
	}
	if t == nil {
		return text, nil
	}
	return t.ExecuteFuncString(func(w io.Writer, tag string) (int, error) {
		name := strings.TrimSpace(tag)
		value, ok := p[name].(string)
		if name == "" || !ok {
			unknown(name)
			return io.WriteString(w, "{{"+tag+"}}")
		}
		return io.WriteString(w, value)
	}), nil
}

// parsePlain returns nil for a text without a tag.
func (d dialect) parsePlain(text string) (*fasttemplate.Template, error) {
	if known, ok := d.plain[text]; ok {
		return known, nil
	}
	var t *fasttemplate.Template
	if templated.MatchString(text) {
		var err error
		if t, err = fasttemplate.NewTemplate(text, "{{", "}}"); err != nil {
			return nil, &templateError{problem: fmt.Sprintf("template %q is not closed", text), remedy: "close every {{ with }}", cause: err}
		}
	}
	d.plain[text] = t
	return t, nil
}

// optionValues are the options that text/template knows; it panics on any other.
var optionValues = []string{"missingkey=default", "missingkey=invalid", "missingkey=zero", "missingkey=error"}

func (d dialect) checkOptions() error {
	for _, option := range d.options {
		if !slices.Contains(optionValues, option) {
			return &templateError{problem: fmt.Sprintf("goTemplateOptions has %q, which Go templates do not know", option), remedy: "known are " + strings.Join(optionValues, ", ")}
		}
	}
	return nil
}

func (d dialect) fillGo(ctx context.Context, text string, p params) (string, error) {
	if !strings.Contains(text, "{{") {
		return text, nil
	}
	t, err := d.parseGo(text, p)
	if err != nil {
		return "", err
	}
	t.meter.ctx, t.meter.ticks = ctx, 0
	out := &boundedWriter{}
	if err := t.template.Execute(out, map[string]any(p)); err != nil {
		return "", &templateError{problem: fmt.Sprintf("template %q: %v", text, trimTemplateError(err)), cause: err}
	}
	return out.String(), nil
}

func (d dialect) parseGo(text string, p params) (goText, error) {
	if known, ok := d.parsed[text]; ok {
		return known, nil
	}
	meter := &meter{}
	t, err := template.New("").Funcs(d.functions()).Funcs(template.FuncMap{tickName: meter.tick}).Parse(text)
	if err != nil {
		return goText{}, explainParse(text, p, err)
	}
	if err := d.checkOptions(); err != nil {
		return goText{}, err
	}
	t.Option(d.options...)
	for _, defined := range t.Templates() {
		if defined.Tree != nil {
			meter.install(defined.Root)
		}
	}
	d.parsed[text] = goText{t, meter}
	return d.parsed[text], nil
}

var plainTag = regexp.MustCompile(`\{\{-?\s*([A-Za-z]\w*)((?:\.\w+|\[\d+\])*)\s*-?\}\}`)

// explainParse tells an author who wrote a plain tag in a Go template what the tag is called there.
func explainParse(text string, p params, err error) error {
	e := &templateError{problem: fmt.Sprintf("template %q: %v", text, trimTemplateError(err)), cause: err}
	for _, m := range plainTag.FindAllStringSubmatch(text, -1) {
		if _, isParam := p[m[1]]; !isParam {
			continue
		}
		e.remedy = fmt.Sprintf("with goTemplate: true write {{%s}}", goTag(m[1], m[2]))
		break
	}
	return e
}

func goTag(head, tail string) string {
	if head == "path" {
		switch {
		case tail == "":
			return ".path.path"
		case strings.HasPrefix(tail, "["):
			return "index .path.segments " + strings.Trim(tail, "[]")
		}
	}
	return "." + head + tail
}

var templateErrorPlace = regexp.MustCompile(`^template: :?\d+(:\d+)?: (executing "" at )?`)

func trimTemplateError(err error) string {
	return templateErrorPlace.ReplaceAllString(err.Error(), "")
}

// meter counts what a template does, through calls that it plants into the parsed template: at the start of every loop
// body and of every defined template.
type meter struct {
	ctx   context.Context //nolint:containedctx // lives for one template execution
	ticks int
}

const tickName = "lockkeeperTick"

var errTooMuchWork = errors.New("the template loops too often")

func (m *meter) tick() (string, error) {
	m.ticks++
	if m.ticks > maxTemplateTicks {
		return "", errTooMuchWork
	}
	return "", m.ctx.Err()
}

func (m *meter) install(list *parse.ListNode) {
	if list == nil {
		return
	}
	for _, n := range list.Nodes {
		switch n := n.(type) {
		case *parse.RangeNode:
			m.install(n.List)
			m.install(n.ElseList)
		case *parse.IfNode:
			m.install(n.List)
			m.install(n.ElseList)
		case *parse.WithNode:
			m.install(n.List)
			m.install(n.ElseList)
		}
	}
	list.Nodes = append([]parse.Node{tickNode()}, list.Nodes...)
}

func tickNode() parse.Node {
	none := func() string { return "" }
	trees, err := parse.Parse("", "{{"+tickName+"}}", "", "", map[string]any{tickName: none})
	if err != nil || trees[""] == nil {
		return &parse.TextNode{NodeType: parse.NodeText}
	}
	return trees[""].Root.Nodes[0]
}

type boundedWriter struct{ strings.Builder }

var errTooLong = errors.New("the template's result is too long")

func (w *boundedWriter) Write(p []byte) (int, error) {
	if w.Len()+len(p) > maxTemplateOutput {
		return 0, errTooLong
	}
	return w.Builder.Write(p)
}

// missing describes a plain tag that has no parameter.
func missing(tag string, p params) (problem, remedy string) {
	if _, there := p[tag]; there {
		return fmt.Sprintf("{{%s}} is not replaced: the parameter is no text", tag), "set goTemplate: true, whose templates print any value"
	}
	problem = fmt.Sprintf("{{%s}} is not replaced: there is no parameter %q", tag, tag)
	names := make([]string, 0, len(p))
	for name := range p {
		names = append(names, name)
	}
	slices.Sort(names)
	if rest, dotted := strings.CutPrefix(tag, "."); dotted {
		if rest == "path.path" {
			rest = "path"
		}
		return problem, fmt.Sprintf("write {{%s}}, or set goTemplate: true", rest)
	}
	if near := nearest.Of(tag, names); near != "" {
		return problem, fmt.Sprintf("did you mean {{%s}}?", near)
	}
	return problem, "parameters are " + strings.Join(names, ", ")
}
