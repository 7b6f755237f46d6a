package yamledit

import (
	"bytes"
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/keypath"
)

// writer adds lines to a file in the file's own style.
type writer struct {
	src        []byte
	eol        string
	step       int  // spaces by which a nested mapping is indented
	indentList bool // whether a list is indented below its key
	json       bool // everything is quoted as in JSON
}

func newWriter(src []byte, docs []*yaml.Node) *writer {
	w := &writer{src: src, eol: "\n"}
	for i := range src {
		if n := breakAt(src, i); n > 0 {
			w.eol = string(src[i : i+n])
			break
		}
	}
	for _, doc := range docs {
		w.learn(doc)
	}
	if w.step == 0 {
		w.step = 2
	}
	return w
}

// learn takes the style from the first mapping and the first list below a key.
func (w *writer) learn(n *yaml.Node) {
	if n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle == 0 {
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, v := n.Content[i], n.Content[i+1]
			switch {
			case v.Style&yaml.FlowStyle != 0 || v.Line == k.Line:
			case v.Kind == yaml.MappingNode && w.step == 0 && v.Column > k.Column:
				w.step = v.Column - k.Column
			case v.Kind == yaml.SequenceNode && v.Column > k.Column:
				w.indentList = true
			}
		}
	}
	if n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle != 0 && len(n.Content) > 0 && n.Content[0].Style&yaml.DoubleQuotedStyle != 0 {
		w.json = true
	}
	for _, child := range n.Content {
		w.learn(child)
	}
}

// insert gives the ways to add g with value at its end, the preferred first. Whether one is right, parsing tells.
func (w *writer) insert(g growth, value string) [][]byte {
	switch {
	case g.node == nil:
		return w.lines(len(w.src), w.block(g.rest, value, 0, false))
	case g.node.Kind == yaml.ScalarNode:
		return w.intoNull(g, value)
	case g.flow || g.node.Style&yaml.FlowStyle != 0:
		return w.intoFlow(g, value)
	}
	end, ok := w.end(g.node)
	if !ok {
		return nil
	}
	indent := g.node.Column - 1
	if g.node.Kind == yaml.SequenceNode {
		return w.lines(end, w.item(g.rest[1:], value, indent, w.gap(g.node)))
	}
	indent = g.node.Content[0].Column - 1
	return w.lines(end, w.block(g.rest, value, indent, false))
}

// gap is what stands between the dash of a list's first element and the element.
func (w *writer) gap(list *yaml.Node) int {
	if first := list.Content[0]; first.Line == list.Line && first.Column > list.Column+1 {
		return first.Column - list.Column - 1
	}
	return 1
}

// block writes a path as lines of a block, each indented, the first not if it follows a dash.
func (w *writer) block(path []keypath.Part, value string, indent int, afterDash bool) string {
	lead := strings.Repeat(" ", indent)
	if afterDash {
		lead = ""
	}
	if _, isIndex := path[0].Index(); isIndex {
		text := w.item(path[1:], value, indent, 1)
		if afterDash {
			text = strings.TrimLeft(text, " ")
		}
		return text
	}
	line := lead + w.key(path[0]) + ":"
	if len(path) == 1 {
		return line + " " + value
	}
	below := indent + w.step
	if _, isIndex := path[1].Index(); isIndex && !w.indentList {
		below = indent
	}
	return line + w.eol + w.block(path[1:], value, below, false)
}

// item writes an element of a list, with path below it.
func (w *writer) item(path []keypath.Part, value string, indent, gap int) string {
	text := strings.Repeat(" ", indent) + "-" + strings.Repeat(" ", gap)
	if len(path) == 0 {
		return text + value
	}
	return text + w.block(path, value, indent+1+gap, true)
}

func (w *writer) key(p keypath.Part) string {
	if !w.json && canBePlain(p.Text) {
		return p.Text
	}
	return doubleQuoted(p.Text)
}

// inline writes a path between brackets.
func (w *writer) inline(path []keypath.Part, value string) string {
	if len(path) == 0 {
		return value
	}
	if _, isIndex := path[0].Index(); isIndex {
		return "[" + w.inline(path[1:], value) + "]"
	}
	return "{" + w.pair(path, value) + "}"
}

func (w *writer) pair(path []keypath.Part, value string) string {
	key := w.key(path[0])
	if strings.ContainsAny(key, ",[]{}") && key == path[0].Text {
		key = doubleQuoted(key)
	}
	return key + ": " + w.inline(path[1:], value)
}

// lines adds text as lines of their own after the line on which at stands, or after the blank lines that follow it.
func (w *writer) lines(at int, text string) [][]byte {
	for at < len(w.src) && breakAt(w.src, at) == 0 {
		at++
	}
	ways := [][]byte{w.after(at, text)}
	blank := at
	for n := breakAt(w.src, blank); n > 0; n = breakAt(w.src, blank) {
		next := skipBlanks(w.src, blank+n)
		if breakAt(w.src, next) == 0 {
			break
		}
		blank = next
	}
	if blank != at {
		ways = append(ways, w.after(blank, text))
	}
	return ways
}

// after adds text after a line that ends at i. A file without final line break stays one.
func (w *writer) after(i int, text string) []byte {
	begun := len(bytes.TrimPrefix(w.src[:i], []byte(byteOrder))) == 0 || i == len(w.src) && endsLine(w.src)
	switch {
	case begun && len(w.src[i:]) == 0:
		return slices.Concat(w.src[:i], []byte(text+w.eol))
	case begun:
		return slices.Concat(w.src[:i], []byte(text), w.src[i:])
	}
	return slices.Concat(w.src[:i], []byte(w.eol+text), w.src[i:])
}

func endsLine(src []byte) bool {
	return len(src) > 0 && (src[len(src)-1] == '\n' || src[len(src)-1] == '\r')
}

// intoNull puts a collection in the place of a null: below its key when nothing is written, else between brackets.
func (w *writer) intoNull(g growth, value string) [][]byte {
	at, ok := offset(w.src, g.node.Line, g.node.Column)
	if !ok {
		return nil
	}
	if g.node.Value != "" || g.flow {
		end := at + len(g.node.Value)
		text := w.inline(g.rest, value)
		return [][]byte{
			slices.Concat(w.src[:at], []byte(text), w.src[end:]),
			slices.Concat(w.src[:at], []byte(" "+text), w.src[end:]),
		}
	}
	indent := w.keyIndent(at)
	below := indent + w.step
	if _, isIndex := g.rest[0].Index(); isIndex && !w.indentList {
		below = indent
	}
	return w.lines(at, w.block(g.rest, value, below, false))
}

// keyIndent is the column of the key on the line of i, which may follow dashes.
func (w *writer) keyIndent(i int) int {
	start := i
	for start > 0 && w.src[start-1] != '\n' && w.src[start-1] != '\r' {
		start--
	}
	start += len(byteOrder) * bytes.Count(w.src[start:min(start+len(byteOrder), len(w.src))], []byte(byteOrder))
	column := 0
	for start+column < len(w.src) && (w.src[start+column] == ' ' || w.src[start+column] == '-' && isBlank(w.src, start+column+1)) {
		column++
	}
	return column
}

// intoFlow adds an element before the closing bracket, on a line of its own if the bracket stands on one.
func (w *writer) intoFlow(g growth, value string) [][]byte {
	last, closing, comma, ok := w.brackets(g.node)
	if !ok {
		return nil
	}
	text := w.inline(g.rest[1:], value)
	if g.node.Kind == yaml.MappingNode {
		text = w.pair(g.rest, value)
	}
	if len(g.node.Content) == 0 {
		return [][]byte{slices.Concat(w.src[:last], []byte(text), w.src[closing:])}
	}
	separator := ","
	if comma {
		separator = ""
	}
	between := w.src[last:closing]
	if !bytes.ContainsAny(between, "\r\n") {
		return [][]byte{slices.Concat(w.src[:last], []byte(separator+" "+text), w.src[last:])}
	}
	eol := last
	for breakAt(w.src, eol) == 0 {
		eol++
	}
	element := g.node.Content[len(g.node.Content)-1]
	if g.node.Kind == yaml.MappingNode {
		element = g.node.Content[len(g.node.Content)-2]
	}
	own := w.eol + strings.Repeat(" ", element.Column-1) + text
	if comma {
		own += ","
	}
	return [][]byte{slices.Concat(w.src[:last], []byte(separator), w.src[last:eol], []byte(own), w.src[eol:])}
}

// brackets finds the closing bracket of a flow collection and where what stands before it ends.
func (w *writer) brackets(n *yaml.Node) (last, closing int, comma, ok bool) {
	at, ok := offset(w.src, n.Line, n.Column)
	if !ok {
		return 0, 0, false, false
	}
	_, i := skipProperties(w.src, at)
	if i >= len(w.src) || w.src[i] != '{' && w.src[i] != '[' {
		return 0, 0, false, false
	}
	depth, token := 0, true // token: a quote here begins a scalar
	for ; i < len(w.src); i++ {
		c := w.src[i]
		switch {
		case c == '#' && i > 0 && (isBlank(w.src, i-1) || w.src[i-1] == '\n' || w.src[i-1] == '\r'):
			for i+1 < len(w.src) && breakAt(w.src, i+1) == 0 {
				i++
			}
			continue
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			token = true
			continue
		case token && (c == '"' || c == '\''):
			if i = closeQuote(w.src, i); i == len(w.src) {
				return 0, 0, false, false
			}
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return last, i, comma, true
			}
		}
		token = strings.IndexByte("{[,:", c) >= 0
		comma, last = c == ',', i+1
	}
	return 0, 0, false, false
}

// closeQuote gives the position of the quote that ends the scalar beginning at i, or the length of src.
func closeQuote(src []byte, i int) int {
	quote := src[i]
	for i++; i < len(src); i++ {
		switch {
		case quote == '"' && src[i] == '\\':
			i++
		case src[i] == quote && quote == '\'' && i+1 < len(src) && src[i+1] == quote:
			i++
		case src[i] == quote:
			return i
		}
	}
	return len(src)
}

// end is where the last thing in n is written.
func (w *writer) end(n *yaml.Node) (int, bool) {
	at, ok := offset(w.src, n.Line, n.Column)
	switch {
	case !ok:
		return 0, false
	case n.Kind == yaml.AliasNode:
		return at + 1 + len(n.Value), true
	case n.Kind == yaml.ScalarNode:
		s, ok := locate(w.src, target{node: n, parent: nil})
		return s.end, ok
	case n.Style&yaml.FlowStyle != 0 || len(n.Content) == 0:
		_, closing, _, ok := w.brackets(n)
		return closing + 1, ok
	}
	last := n.Content[len(n.Content)-1]
	if last.Kind == yaml.ScalarNode {
		s, ok := locate(w.src, target{node: last, parent: n})
		if ok && s.end == s.start && n.Kind == yaml.MappingNode && last.Value == "" && last.Style == 0 {
			// The parser may put an empty value where the next token stands; its key is on the line meant.
			return w.end(n.Content[len(n.Content)-2])
		}
		return s.end, ok
	}
	return w.end(last)
}
