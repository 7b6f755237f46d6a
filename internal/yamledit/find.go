package yamledit

import (
	"errors"
	"fmt"
	"strings"

	yaml "go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/keypath"
)

// target is a scalar and what contains it; parent is nil for a document that is one scalar.
type target struct {
	node, parent *yaml.Node
}

// miss says how far a path led before it broke.
type miss struct {
	matched int // parts that exist
	err     *Error
}

// find follows key in the first document that has any content, or else in the only other one that has the key.
func find(docs []*yaml.Node, key string) (target, error) {
	if key == "" {
		return target{}, &Error{Problem: "the key is empty", Remedy: `write a dotted path such as "spec.image.tag"`, reason: ErrKeyNotFound}
	}
	parts := keypath.Split(key)
	var found []target
	var best *miss
	first := true
	for _, doc := range docs {
		if isEmpty(doc) {
			continue
		}
		t, m := walk(doc.Content[0], key, parts)
		if m == nil {
			if first {
				return t, nil
			}
			found = append(found, t)
		} else if first && !errors.Is(m.err, ErrKeyNotFound) {
			return target{}, m.err
		} else if best == nil || m.matched > best.matched {
			best = m
		}
		first = false
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return target{}, ambiguous(key, found)
	case best == nil:
		return target{}, &Error{Key: key, Problem: "the file has no content", Remedy: "add the key to the file", reason: ErrKeyNotFound}
	}
	return target{}, best.err
}

func ambiguous(key string, found []target) *Error {
	lines := make([]string, len(found))
	for i, t := range found {
		lines[i] = fmt.Sprint(t.node.Line)
	}
	return &Error{
		Key: key, Line: found[0].node.Line, Column: found[0].node.Column,
		Problem: "the first document does not have the key and several others do, on lines " + strings.Join(lines, ", "),
		Remedy:  "put the documents into files of their own or the edited one first", reason: ErrKeyNotFound,
	}
}

// walk follows the parts of key from the root of one document to a scalar.
func walk(root *yaml.Node, key string, parts []keypath.Part) (target, *miss) {
	t := target{node: root}
	for i, p := range parts {
		next, err := step(t.node, key, parts[:i], p)
		if err != nil {
			return target{}, &miss{i, err}
		}
		t = target{node: next, parent: t.node}
	}
	switch t.node.Kind {
	case yaml.ScalarNode:
		return t, nil
	case yaml.AliasNode:
		return target{}, &miss{len(parts), throughAlias(key, t.node)}
	default:
		return target{}, &miss{len(parts), notScalar(key, t.node)}
	}
}

// step goes from n to the child that p names; parent is the path to n.
func step(n *yaml.Node, key string, parent []keypath.Part, p keypath.Part) (*yaml.Node, *Error) {
	switch n.Kind {
	case yaml.AliasNode:
		return nil, throughAlias(key, n)
	case yaml.SequenceNode:
		return element(n, key, parent, p)
	case yaml.MappingNode:
		return member(n, key, parent, p)
	default:
		return nil, &Error{
			Key: key, Line: n.Line, Column: n.Column,
			Problem: fmt.Sprintf("%q is the plain value %q and has no key %q", keypath.Join(parent), excerpt(n.Value), p.Text),
			Remedy:  "check the path", reason: ErrKeyNotFound,
		}
	}
}

func element(n *yaml.Node, key string, parent []keypath.Part, p keypath.Part) (*yaml.Node, *Error) {
	i, ok := p.Index()
	if ok && i < len(n.Content) {
		return n.Content[i], nil
	}
	problem := fmt.Sprintf("%q is a list of %d elements and has no element %q", keypath.Join(parent), len(n.Content), p.Text)
	remedy := "the list is empty"
	if len(n.Content) > 0 {
		remedy = fmt.Sprintf("write an index from 0 to %d", len(n.Content)-1)
	}
	return nil, &Error{Key: key, Line: n.Line, Column: n.Column, Problem: problem, Remedy: remedy, reason: ErrKeyNotFound}
}

func member(n *yaml.Node, key string, parent []keypath.Part, p keypath.Part) (*yaml.Node, *Error) {
	seen := make(map[string]*yaml.Node, len(n.Content)/2)
	var value *yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Kind == yaml.AliasNode {
			k = k.Alias
		}
		if k.Kind != yaml.ScalarNode {
			continue
		}
		if earlier, twice := seen[k.Value]; twice && k.Tag != "!!merge" {
			return nil, &Error{
				Key: key, Line: n.Content[i].Line, Column: n.Content[i].Column,
				Problem: fmt.Sprintf("the mapping has %q twice, first on line %d", excerpt(k.Value), earlier.Line),
				Remedy:  "remove one of them", reason: ErrDuplicateKey,
			}
		}
		seen[k.Value] = n.Content[i]
		if k.Value == p.Text {
			value = n.Content[i+1]
		}
	}
	if value != nil {
		return value, nil
	}
	if anchor := merged(n, p.Text); anchor != nil {
		return nil, &Error{
			Key: key, Line: n.Line, Column: n.Column,
			Problem: fmt.Sprintf("%q comes from the merge of anchor %q, which is defined on line %d", p.Text, anchor.Anchor, anchor.Line),
			Remedy:  "edit it there, or add the key here first", reason: ErrAlias,
		}
	}
	return nil, missing(n, key, parent, p)
}

// merged gives the mapping from which a merge key of n takes name, or nil.
func merged(n *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Tag != "!!merge" {
			continue
		}
		sources := []*yaml.Node{n.Content[i+1]}
		if sources[0].Kind == yaml.SequenceNode {
			sources = sources[0].Content
		}
		for _, s := range sources {
			if s.Kind == yaml.AliasNode {
				s = s.Alias
			}
			if s.Kind == yaml.MappingNode && provides(s, name) {
				return s
			}
		}
	}
	return nil
}

func provides(n *yaml.Node, name string) bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return true
		}
	}
	return merged(n, name) != nil
}

func missing(n *yaml.Node, key string, parent []keypath.Part, p keypath.Part) *Error {
	problem := fmt.Sprintf("%q has no key %q", keypath.Join(parent), p.Text)
	if len(parent) == 0 {
		problem = fmt.Sprintf("the document has no key %q", p.Text)
	}
	remedy := "the mapping is empty: add the key to the file"
	if names := keysOf(n); len(names) > 0 {
		remedy = "it has " + strings.Join(keypath.NearestFirst(keypath.Quote(p.Text), names), ", ")
	}
	return &Error{Key: key, Line: n.Line, Column: n.Column, Problem: problem, Remedy: remedy, reason: ErrKeyNotFound}
}

// keysOf lists the keys of a mapping as they are written in a path.
func keysOf(n *yaml.Node) []string {
	var names []string
	for i := 0; i+1 < len(n.Content); i += 2 {
		if k := n.Content[i]; k.Kind == yaml.ScalarNode {
			names = append(names, keypath.Quote(excerpt(k.Value)))
		}
	}
	return names
}

func throughAlias(key string, n *yaml.Node) *Error {
	return &Error{
		Key: key, Line: n.Line, Column: n.Column,
		Problem: fmt.Sprintf("the path leads to the alias *%s, whose anchor is on line %d", n.Value, n.Alias.Line),
		Remedy:  "edit the anchored value, or replace the alias by a value of its own first", reason: ErrAlias,
	}
}

func notScalar(key string, n *yaml.Node) *Error {
	e := &Error{Key: key, Line: n.Line, Column: n.Column, reason: ErrNotScalar}
	if n.Kind == yaml.SequenceNode {
		e.Problem = fmt.Sprintf("the value is a list of %d elements, not a single value", len(n.Content))
		e.Remedy = `append the index of an element, such as ".0"`
		return e
	}
	e.Problem = "the value is a mapping, not a single value"
	if names := keysOf(n); len(names) > 0 {
		e.Remedy = "append one of its keys: " + strings.Join(names[:min(8, len(names))], ", ")
	}
	return e
}

// excerpt bounds a text that goes into a message.
func excerpt(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
