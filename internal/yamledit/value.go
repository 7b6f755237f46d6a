package yamledit

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v3"
)

// Value is what a scalar is changed to. The zero value is null.
type Value struct {
	kind kind
	text string
}

type kind int

const (
	kindNull kind = iota
	kindString
	kindNumber
	kindBool
)

// String is a text: whatever it looks like, it is read back as that text.
func String(s string) Value { return Value{kindString, s} }

// Number is a number, written as given ("1", "0.50", "1e3"). A text that YAML does not read as a number is refused by Set.
func Number(text string) Value { return Value{kindNumber, text} }

// Bool is true or false.
func Bool(b bool) Value { return Value{kindBool, strconv.FormatBool(b)} }

// Null is the absence of a value; it replaces a value of any type.
func Null() Value { return Value{kindNull, "null"} }

// plan is how a value is to be written: the tag that the scalar must have afterwards, the value it must then have, and
// the ways to write it, the preferred first.
type plan struct {
	tag, value string
	ways       []string
}

// check refuses values that no YAML file can hold.
func (v Value) check() string {
	switch {
	case !utf8.ValidString(v.text):
		return "the new value is not UTF-8"
	case len(v.text) > maxBytes:
		return fmt.Sprintf("the new value has %d bytes, more than a file may have", len(v.text))
	case v.kind == kindNumber && plainTag(v.text) != "!!int" && plainTag(v.text) != "!!float":
		return fmt.Sprintf("the new value %q is not a number", excerpt(v.text))
	}
	return ""
}

// plainTag is the type of a text when it is written plain, "" if it cannot be.
func plainTag(text string) string {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil || len(doc.Content) != 1 {
		return ""
	}
	if n := doc.Content[0]; n.Kind == yaml.ScalarNode && n.Style == 0 && n.Value == text && n.LineComment == "" && n.HeadComment == "" {
		return n.Tag
	}
	return ""
}

// write decides how v replaces old, which is at s.
func (v Value) write(old *yaml.Node, s span) (plan, string) {
	if old.Style&yaml.TaggedStyle != 0 {
		return v.writeTagged(old, s)
	}
	if v.kind == kindNull {
		if old.Tag == "!!null" {
			return plan{tag: old.Tag, value: old.Value, ways: []string{old.Value}}, ""
		}
		return plan{tag: "!!null", value: v.text, ways: s.dress([]string{v.text})}, ""
	}
	wasString := old.Tag == "!!str" && (isQuoted(old) || !retyped(old.Value))
	if v.kind == kindString || wasString {
		return plan{tag: "!!str", value: v.text, ways: v.writeString(old, s)}, ""
	}
	return plan{tag: plainTag(v.text), value: v.text, ways: s.dress([]string{v.text})}, ""
}

// writeTagged keeps an explicit tag: a standard one decides what may follow it, the meaning of others is not known here.
func (v Value) writeTagged(old *yaml.Node, s span) (plan, string) {
	fits := true
	switch old.Tag {
	case "!!int":
		fits = v.kind == kindNumber && plainTag(v.text) == "!!int"
	case "!!float":
		fits = v.kind == kindNumber
	case "!!bool":
		fits = v.kind == kindBool
	case "!!null":
		fits = v.kind == kindNull
	}
	if !fits {
		return plan{}, fmt.Sprintf("the old value has the explicit tag %s, which the new value %q does not fit", old.Tag, excerpt(v.text))
	}
	if v.kind == kindString || old.Tag == "!!str" {
		return plan{tag: old.Tag, value: v.text, ways: v.writeString(old, s)}, ""
	}
	return plan{tag: old.Tag, value: v.text, ways: s.dress([]string{v.text})}, ""
}

func isQuoted(n *yaml.Node) bool {
	return n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
}

// writeString gives the ways to write the text of v, first in the style of old.
func (v Value) writeString(old *yaml.Node, s span) []string {
	var ways []string
	switch {
	case s.block != nil:
		ways = append(ways, s.block.write(v.text)...)
	case !isQuoted(old) && canBePlain(v.text):
		ways = append(ways, s.dress([]string{v.text})...)
	case old.Style&yaml.SingleQuotedStyle != 0 && isPrintable(v.text):
		ways = append(ways, singleQuoted(v.text))
	}
	return append(ways, s.dress([]string{doubleQuoted(v.text)})...)
}

// dress adds to flow scalars what has to surround them at s.
func (s span) dress(texts []string) []string {
	for i, text := range texts {
		if s.gap {
			texts[i] = " " + text
		} else if s.block != nil && s.block.rest != "" {
			texts[i] = text + strings.TrimRight(s.block.rest, "\r\n\u0085\u2028\u2029")
		}
	}
	return texts
}

// write gives the text as a block scalar like b, if it can be one.
func (b *block) write(text string) []string {
	body, ended := strings.CutSuffix(text, "\n")
	if b.indent == "" || body == "" || strings.HasSuffix(body, "\n") || !isPrintable(strings.ReplaceAll(body, "\n", "")) {
		return nil
	}
	if strings.ContainsAny(body[:1], " \t\n") && b.indicator == "" {
		return nil
	}
	style := b.style
	if style == '>' && (strings.Contains(body, "\n") || strings.ContainsAny(body[:1], " \t")) {
		style = '|'
	}
	chomp := "-"
	if ended {
		chomp = ""
	}
	eol := b.rest[len(strings.TrimRight(b.rest, "\r\n\u0085\u2028\u2029")):]
	lines := strings.Split(body, "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = b.indent + line
		}
	}
	return []string{string(style) + b.indicator + chomp + b.rest + strings.Join(lines, eol)}
}
