package kargo

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/promote"
)

// fill puts the arguments into a text of a template that stands at a key of a mapping.
func (r *metricReader) fill(node *yaml.Node, key, text string) string {
	return r.fillAt(r.place(node, key), text)
}

// fillAt puts the arguments into a text: {{args.name}} becomes the argument's value. What looks like an expression and does
// not come from the stage stays text.
func (r *metricReader) fillAt(at promote.Position, text string) string {
	var f filled
	defer func() { r.filled += f.size() + costOfText }()
	if !r.fits(at, len(text)) {
		return ""
	}
	for rest := text; ; {
		before, after, found := strings.Cut(rest, "{{")
		f.text(before)
		if !found {
			break
		}
		tag, after, closed := strings.Cut(after, "}}")
		if !closed {
			r.fail(at, "invalid-template", fmt.Sprintf("\"{{\" in %q is not closed", bounded(text)), `add "}}" after the name of the argument`)
			return ""
		}
		arg, ok := r.lookup(at, strings.TrimSpace(tag))
		switch {
		case !ok || !r.fits(at, f.size()+len(arg.text)):
			return ""
		case arg.expression:
			f.expression(arg.text)
		default:
			f.text(arg.text)
		}
		rest = after
	}
	return f.String()
}

// fits reports whether a text of a size is within the bounds of one and of all.
func (r *metricReader) fits(at promote.Position, size int) bool {
	switch {
	case size > maxFilled:
		r.fail(at, "too-large", fmt.Sprintf("the text with its arguments has more than %d bytes", maxFilled), "use shorter texts and arguments")
	case r.filled > maxAllFilled:
		r.fail(at, "too-large", fmt.Sprintf("the texts of all verifications have more than %d bytes", maxAllFilled), "use fewer metrics")
	default:
		return true
	}
	return false
}

// filled is a text that is put together of plain text and expressions.
type filled struct {
	done  strings.Builder
	plain strings.Builder // not in done yet: an expression must not begin in one piece of text and end in the next
}

func (f *filled) text(s string) { f.plain.WriteString(s) }

func (f *filled) expression(template string) {
	f.done.WriteString(literally(f.plain.String()) + template)
	f.plain.Reset()
}

func (f *filled) size() int { return f.done.Len() + f.plain.Len() }

// String returns the template, in which only what came from expressions is evaluated.
func (f *filled) String() string {
	template := f.done.String() + literally(f.plain.String())
	if strings.HasPrefix(template, `"`) && strings.Contains(template, "${") {
		return " " + template // else the quotes of the whole would be taken for those of a string
	}
	return template
}

// lookup finds what a tag stands for.
func (r *metricReader) lookup(at promote.Position, tag string) (metricArg, bool) {
	name, isArgument := strings.CutPrefix(tag, "args.")
	if !isArgument {
		r.fail(at, "invalid-template", fmt.Sprintf("{{%s}} is no argument", bounded(tag)), "write {{args.<name>}}")
		return metricArg{}, false
	}
	found, ok := r.args[name]
	switch {
	case !ok:
		names := make([]string, 0, len(r.t.manifest.Spec.Args))
		for _, one := range r.t.manifest.Spec.Args {
			names = append(names, one.Name)
		}
		r.fail(at, "unknown-argument", fmt.Sprintf("%s %q has no argument %q", r.t.kind, r.t.name, bounded(name)), r.near(name, names, "arguments of the template"))
		return metricArg{}, false
	case !found.known:
		r.fail(r.o.at("spec.verification"), "missing-argument", fmt.Sprintf("missing value for argument %q of %s %q", bounded(name), r.t.kind, r.t.name),
			fmt.Sprintf("add it to spec.verification.args: {name: %s, value: …}", bounded(name)))
		return metricArg{}, false
	}
	if found.variable != nil {
		r.remember(*found.variable)
	}
	return found, true
}

func (r *metricReader) remember(v promote.Var) {
	for _, known := range r.vars {
		if known.Name == v.Name {
			return
		}
	}
	r.vars = append(r.vars, v)
}

// literally writes a text so that it is not evaluated.
func literally(text string) string { return delimiters.Replace(text) }

var delimiters = strings.NewReplacer("${{", "${{ '${{' }}", "${%", "${{ '${%' }}")

// fillTree copies a value and puts the arguments into every text of it.
func (r *metricReader) fillTree(n *yaml.Node) *yaml.Node {
	n = manifest.Resolve(n)
	out := *n
	out.Content = nil
	switch n.Kind {
	case yaml.MappingNode:
		for _, e := range entries(n) {
			out.Content = append(out.Content, e.key, r.fillTree(e.value))
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			out.Content = append(out.Content, r.fillTree(item))
		}
	default:
		if n.Tag == "!!str" {
			out.Value = r.fillAt(r.t.node(n), n.Value)
		}
	}
	return &out
}
