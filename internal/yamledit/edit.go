package yamledit

import (
	"errors"
	"slices"

	yaml "go.yaml.in/yaml/v3"
)

// Edit gives one scalar a new value.
type Edit struct {
	Key   string // required; dotted path, see the package comment
	Value Value
	// Create adds the key when it is missing, at the end of the deepest mapping or list on its path that exists, with
	// everything between. A list grows by the index that is its length. A key that exists is changed as without Create.
	Create bool
}

// Change is what an edit did. Old and New are the decoded texts of the scalar, equal if it had the value already.
type Change struct {
	Key, Old, New string
	Line          int  // 1-based line of the scalar before the edit, or of what it was added to; 0 for an empty file
	Created       bool // the key was missing
}

// Scalar is a value of a file.
type Scalar struct {
	Text         string // decoded
	Tag          string // resolved: "!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp" or the file's own
	Line, Column int    // 1-based, columns in runes
}

// Set applies the edits in their order, all or none, and returns a file that differs from src in these scalars only.
// With [Edit.Create] it also has the keys that were missing, and is the same file otherwise.
//
// A key is looked up in the first document that is not empty, and if that one lacks it, in the only other document that
// has it. Every error is an *Error; src is never modified.
func Set(src []byte, edits ...Edit) (out []byte, changes []Change, err error) {
	docs, err := parse(src)
	if err != nil {
		return nil, nil, err
	}
	out = slices.Clone(src)
	for _, e := range edits {
		var change Change
		out, docs, change, err = set(out, docs, e)
		if err != nil {
			return nil, nil, err
		}
		changes = append(changes, change)
	}
	return out, changes, nil
}

// Get reads the scalar that Set would edit, with the same errors.
func Get(src []byte, key string) (Scalar, error) {
	docs, err := parse(src)
	if err != nil {
		return Scalar{}, err
	}
	t, err := find(docs, key)
	if err != nil {
		return Scalar{}, err
	}
	return Scalar{Text: t.node.Value, Tag: t.node.Tag, Line: t.node.Line, Column: t.node.Column}, nil
}

// set applies one edit to src, whose documents are docs, and returns both anew.
func set(src []byte, docs []*yaml.Node, e Edit) ([]byte, []*yaml.Node, Change, error) {
	t, err := find(docs, e.Key)
	if e.Create && err != nil && errors.Is(err, ErrKeyNotFound) {
		return create(src, docs, e)
	}
	if err != nil {
		return nil, nil, Change{}, err
	}
	refuse := func(problem, remedy string) ([]byte, []*yaml.Node, Change, error) {
		return nil, nil, Change{}, &Error{
			Key: e.Key, Line: t.node.Line, Column: t.node.Column, Problem: problem, Remedy: remedy, reason: ErrValue,
		}
	}
	if problem := e.Value.check(); problem != "" {
		return refuse(problem, "give another value")
	}
	s, ok := locate(src, t)
	if !ok {
		return refuse("the place of the value in the file cannot be determined", "write the value on one line, plain or quoted")
	}
	p, problem := e.Value.write(t.node, s)
	if problem != "" {
		return refuse(problem, "remove the tag from the file or give a fitting value")
	}
	change := Change{Key: e.Key, Old: t.node.Value, New: p.value, Line: t.node.Line}
	if unchanged(t.node, p) {
		return src, docs, change, nil
	}
	for _, text := range p.ways {
		out := slices.Concat(src[:s.start], []byte(text), src[s.end:])
		after, err := parse(out)
		if err == nil && sameExcept(docs, after, t.node, p.value, p.tag) {
			return out, after, change, nil
		}
	}
	return refuse("the value cannot be changed to "+quotedExcerpt(e.Value.text)+" without changing anything else",
		"write the old value on one line, quoted, and repeat the edit")
}

// unchanged reports whether the scalar already is what p wants, also for readers with other rules about plain texts.
func unchanged(n *yaml.Node, p plan) bool {
	return n.Value == p.value && n.Tag == p.tag && (p.tag != "!!str" || isQuoted(n) || !retyped(n.Value))
}

func quotedExcerpt(s string) string { return doubleQuoted(excerpt(s)) }
