package yamledit

import (
	"bytes"
	"strings"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v3"
)

// span is where a scalar is written: src[start:end], without its anchor and tag.
type span struct {
	start, end int
	gap        bool // nothing is written, as in "key:", and what will be has to be set off by a blank
	block      *block
}

// block describes a literal or folded scalar.
type block struct {
	style     byte   // '|' or '>'
	indicator string // explicit indentation, a digit or ""
	rest      string // what follows the indicators on the header's line, with the line break
	indent    string // what each line of the content begins with; "" if there is no content
}

// locate finds the bytes of t in src and makes sure that they are the scalar that was parsed.
func locate(src []byte, t target) (span, bool) {
	at, ok := offset(src, t.node.Line, t.node.Column)
	if !ok {
		return span{}, false
	}
	at, content := skipProperties(src, at)
	switch {
	case t.node.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		return locateQuoted(src, content, t.node)
	case t.node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return locateBlock(src, content, t)
	case t.node.Value == "":
		return span{start: at, end: at, gap: at == 0 || !isBlank(src, at-1)}, true
	}
	end, ok := matchPlain(src, content, t.node.Value)
	return span{start: content, end: end}, ok
}

// offset turns a position of the parser (1-based, columns in runes) into a byte offset.
func offset(src []byte, line, column int) (int, bool) {
	i := 0
	if bytes.HasPrefix(src, []byte(byteOrder)) {
		i = len(byteOrder)
	}
	for ; line > 1; line-- {
		for i < len(src) && breakAt(src, i) == 0 {
			i++
		}
		if i == len(src) {
			return 0, false
		}
		i += breakAt(src, i)
	}
	for ; column > 1; column-- {
		if i == len(src) || breakAt(src, i) > 0 {
			return 0, false
		}
		_, n := utf8.DecodeRune(src[i:])
		i += n
	}
	return i, true
}

// breakAt is the length of the line break at src[i], or 0. The parser also breaks lines at NEL, LS and PS.
func breakAt(src []byte, i int) int {
	rest := src[i:]
	switch {
	case len(rest) == 0:
		return 0
	case rest[0] == '\n':
		return 1
	case rest[0] == '\r':
		if len(rest) > 1 && rest[1] == '\n' {
			return 2
		}
		return 1
	case rest[0] == 0xC2 && len(rest) > 1 && rest[1] == 0x85:
		return 2
	case rest[0] == 0xE2 && len(rest) > 2 && rest[1] == 0x80 && (rest[2] == 0xA8 || rest[2] == 0xA9):
		return 3
	}
	return 0
}

func isBlank(src []byte, i int) bool { return i < len(src) && (src[i] == ' ' || src[i] == '\t') }

func skipBlanks(src []byte, i int) int {
	for isBlank(src, i) {
		i++
	}
	return i
}

// skipProperties steps over an anchor and a tag at i. It returns where they end and where the scalar begins.
func skipProperties(src []byte, i int) (after, content int) {
	content = i
	for content < len(src) && (src[content] == '&' || src[content] == '!') {
		i = content
		for i < len(src) && !isBlank(src, i) && breakAt(src, i) == 0 && !bytes.ContainsRune([]byte(",[]{}"), rune(src[i])) {
			i++
		}
		content = skipSpace(src, i)
	}
	return i, content
}

// skipSpace steps over blanks, line breaks and comments.
func skipSpace(src []byte, i int) int {
	for {
		start := i
		i = skipBlanks(src, i)
		if i < len(src) && src[i] == '#' && i > start {
			for i < len(src) && breakAt(src, i) == 0 {
				i++
			}
		}
		n := breakAt(src, i)
		if n == 0 {
			return i
		}
		i += n
		if j := skipBlanks(src, i); j < len(src) && src[j] == '#' {
			for i = j; i < len(src) && breakAt(src, i) == 0; i++ {
				continue
			}
		}
	}
}

// matchPlain walks a plain scalar, which may be folded over several lines, along its value.
func matchPlain(src []byte, i int, value string) (end int, ok bool) {
	for len(value) > 0 {
		fold := skipBlanks(src, i)
		want := string(src[i:fold])
		if breaks, after := skipBreaks(src, fold); breaks > 0 {
			fold, want = after, strings.Repeat("\n", breaks-1)
			if breaks == 1 {
				want = " "
			}
		}
		if fold == i && i < len(src) {
			fold, want = i+1, string(src[i:i+1])
		}
		if want == "" || !strings.HasPrefix(value, want) {
			return 0, false
		}
		i, value = fold, value[len(want):]
	}
	return i, true
}

// skipBreaks steps over the line breaks from i on and the blanks after each, and counts the breaks.
func skipBreaks(src []byte, i int) (breaks, after int) {
	for n := breakAt(src, i); n > 0; n = breakAt(src, i) {
		breaks++
		i = skipBlanks(src, i+n)
	}
	return breaks, i
}

// locateQuoted finds the closing quote and decodes what is between to compare it.
func locateQuoted(src []byte, start int, n *yaml.Node) (span, bool) {
	quote := byte('"')
	if n.Style&yaml.SingleQuotedStyle != 0 {
		quote = '\''
	}
	if start == len(src) || src[start] != quote {
		return span{}, false
	}
	end := start + 1
	for ; end < len(src); end++ {
		if quote == '"' && src[end] == '\\' {
			end++
		} else if src[end] == quote {
			if quote == '"' || end+1 == len(src) || src[end+1] != quote {
				break
			}
			end++
		}
	}
	if end >= len(src) {
		return span{}, false
	}
	end++
	var doc yaml.Node
	if err := yaml.Unmarshal(src[start:end], &doc); err != nil || len(doc.Content) != 1 {
		return span{}, false
	}
	return span{start: start, end: end}, doc.Content[0].Value == n.Value
}

// locateBlock finds the header and the last line with content of a block scalar.
func locateBlock(src []byte, start int, t target) (span, bool) {
	if start == len(src) || src[start] != '|' && src[start] != '>' {
		return span{}, false
	}
	b := &block{style: src[start]}
	i := start + 1
	for ; i < len(src) && strings.IndexByte("+-0123456789", src[i]) >= 0; i++ {
		if src[i] >= '0' && src[i] <= '9' {
			b.indicator = string(src[i])
		}
	}
	header := i
	for i < len(src) && breakAt(src, i) == 0 {
		i++
	}
	body := i + breakAt(src, i)
	b.rest = string(src[header:body])
	indent := contentIndent(src, body, parentIndent(src, t), b.indicator)
	var lines []string
	end := header
	for i = body; i < len(src); {
		eol := i
		for eol < len(src) && breakAt(src, eol) == 0 {
			eol++
		}
		spaces := countSpaces(src, i)
		if spaces < indent && i+spaces < eol {
			break
		}
		lines = append(lines, string(src[i+min(spaces, indent):eol]))
		if eol > i+indent {
			end = eol
			b.indent = strings.Repeat(" ", indent)
		}
		i = eol + breakAt(src, eol)
	}
	if b.indent == "" {
		b.rest = ""
	}
	return span{start: start, end: end, block: b}, blockHolds(lines, t.node)
}

func countSpaces(src []byte, i int) int {
	n := 0
	for i+n < len(src) && src[i+n] == ' ' {
		n++
	}
	return n
}

// contentIndent is the indentation of a block scalar whose lines begin at i, by the rules of the parser.
func contentIndent(src []byte, i, parent int, indicator string) int {
	if indicator != "" {
		return max(parent, 0) + int(indicator[0]-'0')
	}
	indent := 0
	for i < len(src) {
		spaces := countSpaces(src, i)
		indent = max(indent, spaces)
		n := breakAt(src, i+spaces)
		if n == 0 {
			break
		}
		i += spaces + n
	}
	return max(indent, parent+1, 1)
}

// parentIndent is the indentation of the collection that holds t: the column of its keys or dashes, -1 at the root.
func parentIndent(src []byte, t target) int {
	if t.parent == nil {
		return -1
	}
	n, lead := t.parent.Content[0], byte('?')
	if t.parent.Kind == yaml.SequenceNode {
		n, lead = t.node, '-'
	}
	at, ok := offset(src, n.Line, n.Column)
	if !ok {
		return n.Column - 1
	}
	i := at
	for i > 0 && isBlank(src, i-1) {
		i--
	}
	if i > 0 && i < at && src[i-1] == lead {
		return n.Column - 1 - (at - i) - 1
	}
	return n.Column - 1
}

// blockHolds reports whether the lines of a block scalar are the value of n, up to folding and the final line breaks.
func blockHolds(lines []string, n *yaml.Node) bool {
	text := strings.Join(lines, "\n")
	if n.Style&yaml.FoldedStyle != 0 {
		return strings.Join(strings.Fields(text), "") == strings.Join(strings.Fields(n.Value), "")
	}
	return strings.TrimRight(text, "\n") == strings.TrimRight(n.Value, "\n")
}
