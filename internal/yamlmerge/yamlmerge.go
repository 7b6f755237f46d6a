// Package yamlmerge lays YAML files over each other.
//
// The first file is the base; each later one changes it. Mappings are merged key by key, null takes a key away, and everything
// else replaces what was there. Lists are replaced too, but for lists of Kubernetes' own objects that Kubernetes merges itself:
// the containers of a Deployment are merged by their name, and finalizers are added up. A mapping in a later file may say
// `$patch: delete` or `$patch: replace`, as in strategic merge patches.
//
// What a later file does not touch keeps its order, its notation and its comments; a value that is replaced keeps the comment
// beside it. Aliases and merge keys are written out, since a change to one use must not change the others. The result has the
// base's style of indenting lists, LF line endings, and two spaces a level.
//
// A file holds one document. The package reads no files.
package yamlmerge

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	yaml "go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/yamledit"
)

// File is a file to merge.
type File struct {
	Name string // for messages
	Data []byte
}

// maxNodes bounds what the aliases of a file expand to, and the result.
const maxNodes = 1_000_000

// Merge lays files over the first one, in their order. Empty files change nothing. An error is for a person.
func Merge(files ...File) ([]byte, error) {
	var base *yaml.Node
	var compact bool
	for _, file := range files {
		root, err := document(file)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%q: %w", file.Name, err)
		case root == nil:
			continue
		case base == nil:
			base, compact = root, isCompact(root)
			continue
		}
		if base, err = merge(base, root, schemaOf(base)); err != nil {
			return nil, fmt.Errorf("%q: %w", file.Name, err)
		}
		if base == nil {
			base = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Style: yaml.FlowStyle}
		}
	}
	if base == nil {
		return nil, nil
	}
	return written(base, compact)
}

// document reads the one document of a file, with aliases written out; nil when the file is empty.
func document(file File) (*yaml.Node, error) {
	docs, err := yamledit.Documents(file.Data)
	switch {
	case err != nil:
		return nil, err
	case len(docs) == 0:
		return nil, nil
	case len(docs) > 1:
		return nil, fmt.Errorf("the file holds %d documents, of which only one can be merged: split it", len(docs))
	}
	root := docs[0].Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: the file is no mapping, so nothing can be merged", root.Line)
	}
	// Comments above the first key and below the last belong to the document.
	root.HeadComment = joined(docs[0].HeadComment, root.HeadComment)
	root.FootComment = joined(root.FootComment, docs[0].FootComment)
	return (&expansion{left: maxNodes}).expand(root)
}

func joined(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "\n\n" + b
}

// isCompact reports whether the lists of a document stand no further in than the keys that they belong to.
func isCompact(n *yaml.Node) bool {
	if n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle == 0 {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if v := n.Content[i+1]; v.Kind == yaml.SequenceNode && v.Style&yaml.FlowStyle == 0 && len(v.Content) > 0 {
				return v.Column == n.Content[i].Column
			}
		}
	}
	return slices.ContainsFunc(n.Content, isCompact)
}

// written writes a document, and makes sure that it is read back as what was meant. Comments that would change it are left out.
func written(root *yaml.Node, compact bool) ([]byte, error) {
	for _, tidy := range []func(*yaml.Node){func(*yaml.Node) {}, uncommented} {
		tidy(root)
		var b bytes.Buffer
		encoder := yaml.NewEncoder(&b)
		encoder.SetIndent(2)
		if compact {
			encoder.CompactSeqIndent()
		}
		if err := encoder.Encode(root); err != nil {
			return nil, fmt.Errorf("write the merged file: %w", err)
		}
		if err := encoder.Close(); err != nil {
			return nil, fmt.Errorf("write the merged file: %w", err)
		}
		docs, err := yamledit.Documents(b.Bytes())
		if err == nil && len(docs) == 1 && same(root, docs[0].Content[0]) {
			return b.Bytes(), nil
		}
	}
	return nil, errors.New("the merged file cannot be written as YAML without changing its meaning: simplify its values")
}

func uncommented(n *yaml.Node) {
	n.HeadComment, n.LineComment, n.FootComment = "", "", ""
	for _, c := range n.Content {
		uncommented(c)
	}
}

func same(a, b *yaml.Node) bool {
	return a.Kind == b.Kind && a.ShortTag() == b.ShortTag() && a.Value == b.Value && slices.EqualFunc(a.Content, b.Content, same)
}

// expansion writes out the aliases of a document.
type expansion struct{ left int }

// expand copies a node without aliases, anchors and merge keys. Keys that are there twice are refused.
func (e *expansion) expand(n *yaml.Node) (*yaml.Node, error) {
	if e.left--; e.left < 0 {
		return nil, fmt.Errorf("the file holds, or its aliases expand to, more than %d values", maxNodes)
	}
	if n.Kind == yaml.AliasNode {
		out, err := e.expand(n.Alias)
		if err == nil {
			out.HeadComment, out.LineComment, out.FootComment = n.HeadComment, n.LineComment, n.FootComment
		}
		return out, err
	}
	out := *n
	out.Anchor, out.Content = "", nil
	if n.Kind == yaml.MappingNode {
		return &out, e.expandMapping(n, &out)
	}
	for _, c := range n.Content {
		copied, err := e.expand(c)
		if err != nil {
			return nil, err
		}
		out.Content = append(out.Content, copied)
	}
	return &out, nil
}

func (e *expansion) expandMapping(n, out *yaml.Node) error {
	keys := map[string]bool{}
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, err := e.expand(n.Content[i])
		if err != nil {
			return err
		}
		value, err := e.expand(n.Content[i+1])
		switch {
		case err != nil:
			return err
		case key.Kind != yaml.ScalarNode:
			return fmt.Errorf("line %d: a key is no single value: only files whose keys are can be merged", key.Line)
		case key.Tag == "!!merge":
			merges = append(merges, value)
			continue
		case keys[key.Value]:
			return fmt.Errorf("line %d: the mapping has %q twice: remove one of them", key.Line, key.Value)
		}
		keys[key.Value] = true
		out.Content = append(out.Content, key, value)
	}
	for _, value := range merges {
		sources := []*yaml.Node{value}
		if value.Kind == yaml.SequenceNode {
			sources = value.Content
		}
		for _, source := range sources {
			inherit(out, source, keys)
		}
	}
	return nil
}

// inherit adds what a merge key gives and the mapping does not say itself.
func inherit(out, source *yaml.Node, keys map[string]bool) {
	if source.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(source.Content); i += 2 {
		if key := source.Content[i]; !keys[key.Value] {
			keys[key.Value] = true
			out.Content = append(out.Content, key, source.Content[i+1])
		}
	}
}
