package yamledit

import (
	"slices"

	yaml "go.yaml.in/yaml/v3"
)

// Remove deletes the key of a mapping and its scalar, with the comment on their line, and nothing else. The key is looked
// up as by [Set], with the same errors. New is empty in the change.
func Remove(src []byte, key string) ([]byte, Change, error) {
	docs, err := parse(src)
	if err != nil {
		return nil, Change{}, err
	}
	t, err := find(docs, key)
	if err != nil {
		return nil, Change{}, err
	}
	if t.parent != nil && t.parent.Kind == yaml.MappingNode {
		w := newWriter(src, docs)
		i := slices.Index(t.parent.Content, t.node) - 1
		for _, out := range w.without(t.parent, i) {
			after, err := parse(out)
			if err == nil && sameWithout(docs, after, t.parent, i) {
				return out, Change{Key: key, Old: t.node.Value, Line: t.node.Line}, nil
			}
		}
	}
	return nil, Change{}, &Error{
		Key: key, Line: t.node.Line, Column: t.node.Column, Problem: "the key cannot be removed without changing anything else",
		Remedy: "remove it by hand", reason: ErrValue,
	}
}

// without gives the ways to leave out the entry whose key is at i.
func (w *writer) without(n *yaml.Node, i int) [][]byte {
	start, ok := offset(w.src, n.Content[i].Line, n.Content[i].Column)
	end, found := w.end(&yaml.Node{Kind: yaml.MappingNode, Line: n.Line, Column: n.Column, Content: n.Content[i : i+2]})
	if !ok || !found {
		return nil
	}
	cut := func(from, to int) []byte { return slices.Concat(w.src[:from], w.src[to:]) }
	var next int
	if i+2 < len(n.Content) {
		next, ok = offset(w.src, n.Content[i+2].Line, n.Content[i+2].Column)
	}
	line := start
	for line > 0 && w.src[line-1] == ' ' {
		line--
	}
	alone := line == 0 || w.src[line-1] == '\n' || w.src[line-1] == '\r'
	flow := n.Style&yaml.FlowStyle != 0
	switch {
	case !flow && alone:
		return [][]byte{w.withoutLines(line, end)}
	case next > 0 && ok:
		return [][]byte{cut(start, next)}
	case flow && i > 0:
		before, ok := w.end(&yaml.Node{Kind: yaml.MappingNode, Line: n.Line, Column: n.Column, Content: n.Content[i-2 : i]})
		if ok {
			return [][]byte{cut(before, end)}
		}
	case flow:
		return [][]byte{cut(start, end)}
	}
	return nil
}

// withoutLines leaves out the lines from the one that begins at line to the one on which end is.
func (w *writer) withoutLines(line, end int) []byte {
	for end < len(w.src) && breakAt(w.src, end) == 0 {
		end++
	}
	end += breakAt(w.src, end)
	if end == len(w.src) && !endsLine(w.src) && line > 0 {
		// The file ends without a line break, and so does what is left of it.
		line--
		if line > 0 && w.src[line-1] == '\r' {
			line--
		}
	}
	return slices.Concat(w.src[:line], w.src[end:])
}

// sameWithout reports whether two streams hold the same documents, but for the entry of n at i.
func sameWithout(before, after []*yaml.Node, n *yaml.Node, i int) bool {
	left := *n
	left.Content = slices.Concat(n.Content[:i], n.Content[i+2:])
	return slices.EqualFunc(before, after, func(a, b *yaml.Node) bool { return sameReplaced(a, b, n, &left) })
}

// sameReplaced is sameNode with the node replaced by another.
func sameReplaced(a, b, node, by *yaml.Node) bool {
	if a == node {
		a = by
	}
	if a.Kind != b.Kind || a.Anchor != b.Anchor || a.Tag != b.Tag || a.Value != b.Value || a.Style != b.Style {
		return false
	}
	return slices.EqualFunc(a.Content, b.Content, func(x, y *yaml.Node) bool { return sameReplaced(x, y, node, by) })
}
