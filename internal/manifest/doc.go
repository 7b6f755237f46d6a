// Package manifest finds Kubernetes manifests in a tree of files, splits them into documents that remember where they
// stand, and decodes a document strictly into Go structs.
//
// It owns the bounds for hostile YAML (size, nesting, aliases) and the wording of "file:line:column" errors. It does not
// know what a Stage or an Application means: readers declare a struct and call [Decode].
//
// Files are looked at when their name ends with .yaml, .yml or .json. The folders ".git" and, beside a Chart.yaml,
// "templates" and "charts" are passed over: the former is not content, the latter hold templates and other people's charts.
package manifest

import (
	"errors"
	"fmt"
	"strings"
)

// The bounds that apply to every file. A file beyond one of them is an [Error], never a crash.
const (
	MaxFileSize  = 10 << 20 // bytes of one file
	MaxDocuments = 10_000   // documents of one file
	MaxDepth     = 200      // mappings and sequences inside each other
	MaxExpansion = 200_000  // nodes that aliases may add to one document
)

// ErrBound is the cause of an [Error] that reports one of the package's bounds.
var ErrBound = errors.New("manifest is beyond a bound")

// ErrTwice is the cause of an [Error] about a key that stands twice. Most readers of YAML take the last one without a word.
var ErrTwice = errors.New("key stands twice")

// ErrElsewhere is the cause of an [Error] about something that would have to be fetched: what is written may be right.
var ErrElsewhere = errors.New("not in this repository")

// Error is one problem at one place of one file.
type Error struct {
	File    string
	Line    int    // 1-based, 0 when the problem is about the whole file
	Column  int    // 1-based, 0 when only the line is known
	Kind    string // the kind that a document which could not be parsed names; "" when it is not known
	Path    string // dotted path of the value, such as "spec.vars[2].name"; "" for the document itself
	Problem string // what is wrong, with the value as written
	Remedy  string // what to do, "" when the problem says it
	Cause   error  // what caused it, nil when nothing else did
}

// Error prints "file:line:column: problem; remedy" and leaves out what is not known.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
		if e.Column > 0 {
			fmt.Fprintf(&b, ":%d", e.Column)
		}
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	b.WriteString(e.Problem)
	if e.Remedy != "" {
		b.WriteString("; ")
		b.WriteString(e.Remedy)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Errors lists every [*Error] inside err in order, through errors.Join and %w. An error of another type yields one Error
// with its text as the problem, so nothing is lost.
func Errors(err error) []*Error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*Error
		for _, one := range joined.Unwrap() {
			all = append(all, Errors(one)...)
		}
		return all
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return []*Error{e}
	}
	return []*Error{{Problem: err.Error(), Cause: err}}
}
