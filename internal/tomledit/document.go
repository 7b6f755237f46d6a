package tomledit

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/lockkeeper/lockkeeper/internal/keypath"
)

const (
	maxBytes = 2 << 20
	maxDepth = 200     // of tables, lists and dotted keys
	maxNodes = 500_000 // values, tables and lists
)

// document is a file that is known to be TOML, and where its values are.
type document struct {
	src    []byte
	root   *node
	leaves []*leaf // in the order of the file
	nodes  int
}

// node is a table, a list or a value.
type node struct {
	members  map[string]*node // of a table
	names    []string         // its keys, in the order of the file
	elements []*node          // of a list
	list     bool
	leaf     *leaf
}

// leaf is a single value.
type leaf struct {
	path       string // of keys and indexes
	toml       unstable.Kind
	text       string // decoded
	start, end int
}

// Decode reads a file. Dates, times and infinities are given as text. An error is for a person.
func Decode(src []byte) (map[string]any, error) {
	if _, err := parse(src); err != nil {
		return nil, err
	}
	var fields map[string]any
	if err := toml.Unmarshal(src, &fields); err != nil {
		return nil, wrong(src, err)
	}
	plain, _ := textual(fields).(map[string]any)
	return plain, nil
}

// textual writes as text what JSON has no type for: dates, times, infinities.
func textual(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, item := range v {
			v[key] = textual(item)
		}
	case []any:
		for i, item := range v {
			v[i] = textual(item)
		}
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return strings.ToLower(strings.TrimPrefix(fmt.Sprint(v), "+"))
		}
	case time.Time:
		return v.Format(time.RFC3339Nano)
	case toml.LocalDate, toml.LocalTime, toml.LocalDateTime:
		return fmt.Sprint(v)
	}
	return v
}

// parse finds every value of a file. What it does not check itself, such as keys that are there twice, the decoder does.
func parse(src []byte) (*document, error) {
	if len(src) > maxBytes {
		return nil, fmt.Errorf("the file has %d bytes, more than the %d that can be edited: split it", len(src), maxBytes)
	}
	if !utf8.Valid(src) {
		return nil, errors.New("the file is not UTF-8: convert it to UTF-8")
	}
	d := &document{src: src, root: table()}
	var parser unstable.Parser
	parser.Reset(src)
	here, at := d.root, ""
	for parser.NextExpression() {
		expression := parser.Expression()
		var err error
		switch expression.Kind {
		case unstable.Table, unstable.ArrayTable:
			here, at, err = d.header(expression)
		case unstable.KeyValue:
			err = d.keyValue(here, at, expression, 0)
		default:
		}
		if err != nil {
			return nil, err
		}
	}
	if err := parser.Error(); err != nil {
		return nil, wrong(src, err)
	}
	var fields map[string]any
	if err := toml.Unmarshal(src, &fields); err != nil {
		return nil, wrong(src, err)
	}
	return d, nil
}

func table() *node { return &node{members: map[string]*node{}} }

// wrong words what the parser says for a person.
func wrong(src []byte, err error) error {
	if decode, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, _ := decode.Position()
		return fmt.Errorf("line %d: the file is not valid TOML: %s", line, strings.TrimPrefix(decode.Error(), "toml: "))
	}
	if parse, ok := errors.AsType[*unstable.ParserError](err); ok {
		var parser unstable.Parser
		parser.Reset(src)
		line := 0
		if len(parse.Highlight) > 0 {
			line = bytes.Count(src[:parser.Range(parse.Highlight).Offset], []byte("\n")) + 1
		}
		return fmt.Errorf("line %d: the file is not valid TOML: %s", line, parse.Message)
	}
	return fmt.Errorf("the file is not valid TOML: %w", err)
}

// header goes to the table that a header names.
func (d *document) header(e *unstable.Node) (*node, string, error) {
	names, err := keyOf(e)
	if err != nil {
		return nil, "", err
	}
	here, at := d.root, ""
	for i, name := range names {
		next, err := d.child(here, name)
		if err != nil {
			return nil, "", err
		}
		here, at = next, at+"\x00"+name
		if e.Kind == unstable.ArrayTable && i == len(names)-1 {
			here.list = true
			here.elements = append(here.elements, table())
		}
		if n := len(here.elements); n > 0 {
			here, at = here.elements[n-1], at+"\x00"+strconv.Itoa(n-1)
		}
	}
	return here, at, nil
}

func keyOf(e *unstable.Node) ([]string, error) {
	var names []string
	for it := e.Key(); it.Next(); {
		if names = append(names, string(it.Node().Data)); len(names) > maxDepth {
			return nil, tooDeep()
		}
	}
	return names, nil
}

func tooDeep() error {
	return fmt.Errorf("the file is nested more than %d levels deep: simplify it", maxDepth)
}

// child returns the member of a table, which it makes when there is none yet.
func (d *document) child(n *node, name string) (*node, error) {
	if n.members == nil {
		return nil, fmt.Errorf("the file is not valid TOML: %q is below a value", excerpt(name))
	}
	next, ok := n.members[name]
	if !ok {
		if d.nodes++; d.nodes > maxNodes {
			return nil, fmt.Errorf("the file has more than %d values: split it", maxNodes)
		}
		next = table()
		n.members[name] = next
		n.names = append(n.names, name)
	}
	return next, nil
}

// keyValue adds a key and its value to a table.
func (d *document) keyValue(n *node, at string, e *unstable.Node, depth int) error {
	names, err := keyOf(e)
	if err != nil {
		return err
	}
	for _, name := range names {
		if n, err = d.child(n, name); err != nil {
			return err
		}
		at += "\x00" + name
	}
	return d.value(n, at, e.Value(), depth)
}

// value fills a node.
func (d *document) value(n *node, at string, v *unstable.Node, depth int) error {
	if depth > maxDepth {
		return tooDeep()
	}
	switch v.Kind {
	case unstable.InlineTable:
		for it := v.Children(); it.Next(); {
			if err := d.keyValue(n, at, it.Node(), depth+1); err != nil {
				return err
			}
		}
	case unstable.Array:
		n.list = true
		for it := v.Children(); it.Next(); {
			if d.nodes++; d.nodes > maxNodes {
				return fmt.Errorf("the file has more than %d values: split it", maxNodes)
			}
			element := table()
			if err := d.value(element, at+"\x00"+strconv.Itoa(len(n.elements)), it.Node(), depth+1); err != nil {
				return err
			}
			n.elements = append(n.elements, element)
		}
	default:
		n.members = nil
		n.leaf = &leaf{
			path: at, toml: v.Kind, text: string(v.Data), start: int(v.Raw.Offset), end: int(v.Raw.Offset + v.Raw.Length),
		}
		d.leaves = append(d.leaves, n.leaf)
	}
	return nil
}

// find follows a path to a single value.
func (d *document) find(key string) (*leaf, error) {
	if key == "" {
		return nil, errors.New(`the key is empty: write a dotted path such as "image.tag"`)
	}
	here := d.root
	parts := keypath.Split(key)
	for i, p := range parts {
		next, err := d.step(here, key, parts[:i], p)
		if err != nil {
			return nil, err
		}
		here = next
	}
	switch {
	case here.leaf != nil:
		return here.leaf, nil
	case here.list:
		return nil, d.problem(key, -1, "the value is a list, not a single value", `append the index of an element, such as ".0"`)
	}
	return nil, d.problem(key, -1, "the value is a table, not a single value", "append one of its keys: "+strings.Join(here.keys("")[:min(8, len(here.names))], ", "))
}

// step goes from a node to the one that a part names.
func (d *document) step(n *node, key string, parents []keypath.Part, p keypath.Part) (*node, error) {
	switch {
	case n.leaf != nil:
		return nil, d.problem(key, n.leaf.start, fmt.Sprintf("%q is a single value and has no key %q", keypath.Join(parents), excerpt(p.Text)), "check the path")
	case n.list:
		if i, ok := p.Index(); ok && i < len(n.elements) {
			return n.elements[i], nil
		}
		return nil, d.problem(key, -1, fmt.Sprintf("%q is a list of %d elements and has no element %q", keypath.Join(parents), len(n.elements), excerpt(p.Text)), "write an index from 0")
	}
	if next, ok := n.members[p.Text]; ok {
		return next, nil
	}
	where := "the file"
	if len(parents) > 0 {
		where = strconv.Quote(keypath.Join(parents))
	}
	remedy := "add the key to the file"
	if names := n.keys(p.Text); len(names) > 0 {
		remedy = "it has " + strings.Join(names, ", ")
	}
	return nil, d.problem(key, -1, fmt.Sprintf("%s has no key %q", where, excerpt(p.Text)), remedy)
}

// keys lists the keys of a table as they are written in a path; near is the one that was looked for.
func (n *node) keys(near string) []string {
	names := make([]string, len(n.names))
	for i, name := range n.names {
		names[i] = keypath.Quote(excerpt(name))
	}
	if near == "" {
		return names
	}
	return keypath.NearestFirst(keypath.Quote(near), names)
}

// problem words an error for a person. at is an offset, or -1.
func (d *document) problem(key string, at int, what, remedy string) error {
	where := ""
	if at >= 0 {
		where = fmt.Sprintf("line %d: ", bytes.Count(d.src[:at], []byte("\n"))+1)
	}
	return fmt.Errorf("%skey %q: %s; %s", where, excerpt(key), what, remedy)
}

// excerpt bounds a text that goes into a message.
func excerpt(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
