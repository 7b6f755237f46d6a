package yamledit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v3"
)

const (
	maxBytes     = 10 << 20
	maxDepth     = 500
	maxExpansion = 10_000_000
	byteOrder    = "\xef\xbb\xbf"
)

// parse reads all documents of src and enforces the bounds of the package.
func parse(src []byte) ([]*yaml.Node, error) {
	if len(src) > maxBytes {
		return nil, &Error{
			Problem: fmt.Sprintf("the file has %d bytes, more than the %d that can be edited", len(src), maxBytes),
			Remedy:  "split it", reason: ErrTooLarge,
		}
	}
	if !utf8.Valid(src) {
		return nil, &Error{Problem: "the file is not UTF-8", Remedy: "convert it to UTF-8", reason: ErrSyntax}
	}
	var docs []*yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(src))
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return nil, &Error{Problem: "the file is not valid YAML: " + strings.TrimPrefix(err.Error(), "yaml: "), reason: ErrSyntax}
		}
		if err := bounded(&doc); err != nil {
			return nil, err
		}
		docs = append(docs, &doc)
	}
}

// Documents parses a file and returns its documents that are not empty. It enforces the bounds of the package, so that callers
// may follow aliases and recurse. An error is an *Error.
func Documents(src []byte) ([]*yaml.Node, error) {
	docs, err := parse(src)
	return slices.DeleteFunc(docs, isEmpty), err
}

// bounded refuses documents that are nested too deeply or that aliases would blow up.
func bounded(doc *yaml.Node) error {
	m := measure{sizes: map[*yaml.Node]int{}}
	m.size(doc, 0)
	return m.err
}

type measure struct {
	sizes map[*yaml.Node]int // expanded sizes of anchored nodes; -1 while being measured
	err   error
}

// size is the number of nodes that n stands for when every alias is expanded, at most maxExpansion.
func (m *measure) size(n *yaml.Node, depth int) int {
	if m.err != nil {
		return 0
	}
	if depth > maxDepth {
		m.refuse(n, fmt.Sprintf("the document is nested more than %d levels deep", maxDepth))
		return 0
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if size, known := m.sizes[n]; known {
		if size < 0 {
			m.refuse(n, fmt.Sprintf("the anchor %q contains an alias of itself", n.Anchor))
			return 0
		}
		return size
	}
	if n.Anchor != "" {
		m.sizes[n] = -1
	}
	size := 1
	for _, c := range n.Content {
		size += m.size(c, depth+1)
		if size > maxExpansion {
			m.refuse(n, fmt.Sprintf("the aliases of the document expand to more than %d values", maxExpansion))
			return 0
		}
	}
	if n.Anchor != "" {
		m.sizes[n] = size
	}
	return size
}

func (m *measure) refuse(n *yaml.Node, problem string) {
	if m.err == nil {
		m.err = &Error{Line: n.Line, Column: n.Column, Problem: problem, Remedy: "simplify the file", reason: ErrTooLarge}
	}
}

// isEmpty reports whether a document holds nothing but comments.
func isEmpty(doc *yaml.Node) bool {
	if len(doc.Content) == 0 {
		return true
	}
	root := doc.Content[0]
	return root.Kind == yaml.ScalarNode && root.Value == "" && root.Style == 0 && root.Anchor == ""
}

// sameExcept reports whether two streams hold the same documents, but for target, which is now the wanted scalar.
func sameExcept(before, after []*yaml.Node, target *yaml.Node, value, tag string) bool {
	if len(before) != len(after) {
		return false
	}
	for i := range before {
		if !sameNode(before[i], after[i], target, value, tag) {
			return false
		}
	}
	return true
}

func sameNode(a, b, target *yaml.Node, value, tag string) bool {
	if a.Kind != b.Kind || a.Anchor != b.Anchor || len(a.Content) != len(b.Content) {
		return false
	}
	if a == target {
		return b.Value == value && b.Tag == tag && a.Style&yaml.TaggedStyle == b.Style&yaml.TaggedStyle
	}
	if a.Tag != b.Tag || a.Value != b.Value || a.Style != b.Style {
		return false
	}
	for i := range a.Content {
		if !sameNode(a.Content[i], b.Content[i], target, value, tag) {
			return false
		}
	}
	return true
}
