package yamledit

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/keypath"
)

// growth is a place where something can be added: the deepest existing node of a path and what is missing below it.
type growth struct {
	node *yaml.Node     // mapping, sequence or null; nil when the file holds nothing but comments
	rest []keypath.Part // at least one, unless node is nil and all of the key is missing
	flow bool           // node stands between brackets
}

// create adds what e.Key names, after everything that is there, and checks that nothing else changed.
func create(src []byte, docs []*yaml.Node, e Edit) ([]byte, []*yaml.Node, Change, error) {
	g, err := grow(docs, e.Key)
	if err != nil {
		return nil, nil, Change{}, err
	}
	refuse := func(problem, remedy string) ([]byte, []*yaml.Node, Change, error) {
		line, column := g.position()
		return nil, nil, Change{}, &Error{Key: e.Key, Line: line, Column: column, Problem: problem, Remedy: remedy, reason: ErrValue}
	}
	if problem := e.Value.check(); problem != "" {
		return refuse(problem, "give another value")
	}
	for _, p := range g.rest {
		if strings.ContainsAny(p.Text, "\r\n\u0085\u2028\u2029") || p.Text == "" {
			return refuse(fmt.Sprintf("a key %q cannot be added", excerpt(p.Text)), "name one on a single line")
		}
	}
	w := newWriter(src, docs)
	fresh := e.Value.fresh(w.json)
	for _, text := range fresh.ways {
		for _, out := range w.insert(g, text) {
			after, err := parse(out)
			if err == nil && grown(docs, after, g, fresh) {
				line, _ := g.position()
				return out, after, Change{Key: e.Key, New: fresh.value, Line: line, Created: true}, nil
			}
		}
	}
	return refuse("the key cannot be added without changing anything else", "add it to the file by hand and repeat the edit")
}

func (g growth) position() (line, column int) {
	if g.node == nil {
		return 0, 0
	}
	return g.node.Line, g.node.Column
}

// fresh plans a scalar that does not exist yet. JSON has double quotes only.
func (v Value) fresh(json bool) plan {
	switch {
	case v.kind == kindNull:
		return plan{tag: "!!null", value: v.text, ways: []string{v.text}}
	case v.kind != kindString:
		return plan{tag: plainTag(v.text), value: v.text, ways: []string{v.text}}
	}
	p := plan{tag: "!!str", value: v.text}
	if !json && v.text != "" && canBePlain(v.text) {
		p.ways = append(p.ways, v.text)
	}
	p.ways = append(p.ways, doubleQuoted(v.text))
	return p
}

// grow follows key in the first document with content as far as it leads.
func grow(docs []*yaml.Node, key string) (growth, error) {
	parts := keypath.Split(key)
	if key == "" {
		_, err := find(docs, key)
		return growth{}, err
	}
	var first *yaml.Node
	for _, doc := range docs {
		if isEmpty(doc) {
			continue
		}
		if first == nil {
			first = doc.Content[0]
		} else if _, m := walk(doc.Content[0], key, parts); m == nil {
			// Several documents have the key: which one is meant cannot be known.
			_, err := find(docs, key)
			return growth{}, err
		}
	}
	if first != nil {
		return growFrom(first, key, parts)
	}
	return growth{rest: parts}, firsts(new(yaml.Node), key, parts)
}

func growFrom(n *yaml.Node, key string, parts []keypath.Part) (growth, error) {
	flow := false
	for i, p := range parts {
		flow = flow || n.Style&yaml.FlowStyle != 0
		if n.Kind == yaml.ScalarNode && n.Tag == "!!null" && n.Anchor == "" && n.Style&yaml.TaggedStyle == 0 {
			return growth{n, parts[i:], flow}, firsts(n, key, parts[i:])
		}
		next, err := step(n, key, parts[:i], p)
		if err == nil {
			n = next
			continue
		}
		index, isIndex := p.Index()
		appends := n.Kind == yaml.SequenceNode && isIndex && index == len(n.Content)
		if !errors.Is(err, ErrKeyNotFound) || n.Kind != yaml.MappingNode && !appends {
			return growth{}, err
		}
		return growth{n, parts[i:], flow}, firsts(n, key, parts[i+1:])
	}
	return growth{}, notScalar(key, n)
}

// firsts makes sure that lists which do not exist yet begin with their first element.
func firsts(n *yaml.Node, key string, parts []keypath.Part) error {
	for _, p := range parts {
		if index, ok := p.Index(); ok && index > 0 {
			return &Error{Key: key, Line: n.Line, Column: n.Column, Problem: fmt.Sprintf("there is no list yet, so element %d cannot be added", index), Remedy: "write the index 0", reason: ErrKeyNotFound}
		}
	}
	return nil
}

// grown reports whether two streams hold the same documents, but for what g adds.
func grown(before, after []*yaml.Node, g growth, p plan) bool {
	if g.node == nil {
		added := 0
		for _, doc := range after {
			if !isEmpty(doc) {
				added++
				if !isNew(doc.Content[0], g.rest, p) {
					return false
				}
			}
		}
		return added == 1
	}
	if len(before) != len(after) {
		return false
	}
	for i := range before {
		if !grownNode(before[i], after[i], g, p) {
			return false
		}
	}
	return true
}

func grownNode(a, b *yaml.Node, g growth, p plan) bool {
	if a == g.node {
		switch a.Kind {
		case yaml.MappingNode:
			return len(b.Content) == len(a.Content)+2 && sameBeginning(a, b) &&
				isKey(b.Content[len(a.Content)], g.rest[0]) && isNew(b.Content[len(a.Content)+1], g.rest[1:], p)
		case yaml.SequenceNode:
			return len(b.Content) == len(a.Content)+1 && sameBeginning(a, b) && isNew(b.Content[len(a.Content)], g.rest[1:], p)
		default:
			return isNew(b, g.rest, p)
		}
	}
	if a.Kind != b.Kind || a.Anchor != b.Anchor || a.Tag != b.Tag || a.Value != b.Value || a.Style != b.Style || len(a.Content) != len(b.Content) {
		return false
	}
	for i := range a.Content {
		if !grownNode(a.Content[i], b.Content[i], g, p) {
			return false
		}
	}
	return true
}

// sameBeginning reports whether the collection b begins with all of a.
func sameBeginning(a, b *yaml.Node) bool {
	if a.Kind != b.Kind || a.Anchor != b.Anchor || a.Tag != b.Tag || a.Style != b.Style {
		return false
	}
	return slices.EqualFunc(a.Content, b.Content[:len(a.Content)], func(x, y *yaml.Node) bool { return sameNode(x, y, nil, "", "") })
}

func isKey(n *yaml.Node, p keypath.Part) bool {
	return n.Kind == yaml.ScalarNode && n.Value == p.Text && n.Anchor == "" && n.Tag == "!!str"
}

// isNew reports whether n is nothing but the path and the value at its end.
func isNew(n *yaml.Node, path []keypath.Part, p plan) bool {
	if n.Anchor != "" {
		return false
	}
	if len(path) == 0 {
		return n.Kind == yaml.ScalarNode && n.Value == p.value && n.Tag == p.tag
	}
	if _, ok := path[0].Index(); ok {
		return n.Kind == yaml.SequenceNode && len(n.Content) == 1 && isNew(n.Content[0], path[1:], p)
	}
	return n.Kind == yaml.MappingNode && len(n.Content) == 2 && isKey(n.Content[0], path[0]) && isNew(n.Content[1], path[1:], p)
}
