package yamledit

import (
	"errors"
	"fmt"
	"strings"
)

// What can be wrong with an edit. Every *Error matches exactly one of these with errors.Is.
var (
	// ErrKeyNotFound: no document has the key, or several have it and the first does not.
	ErrKeyNotFound = errors.New("key not found")
	// ErrNotScalar: the key leads to a mapping or a sequence.
	ErrNotScalar = errors.New("not a scalar")
	// ErrAlias: the path leads to or through an alias or a merge key.
	ErrAlias = errors.New("value is an alias")
	// ErrSyntax: the file is not YAML that can be edited safely.
	ErrSyntax = errors.New("invalid YAML")
	// ErrDuplicateKey: a mapping on the path has a key twice.
	ErrDuplicateKey = errors.New("duplicate key")
	// ErrTooLarge: the file, its nesting or the expansion of its aliases is beyond the bounds.
	ErrTooLarge = errors.New("YAML beyond bounds")
	// ErrValue: the new value cannot be written at that place.
	ErrValue = errors.New("value cannot be written")
)

// Error says what is wrong with one edit, where, and what to do about it.
type Error struct {
	Key     string // as given; empty when the file as a whole is the problem
	Line    int    // 1-based; 0 when unknown
	Column  int    // 1-based, in runes; 0 when unknown
	Problem string // what was found and what was expected
	Remedy  string // what a person can do; may be empty

	reason error // one of the sentinels
}

// Error gives line, key, problem and remedy in one line.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d", e.Line)
		if e.Column > 0 {
			fmt.Fprintf(&b, ", column %d", e.Column)
		}
		b.WriteString(": ")
	}
	if e.Key != "" {
		fmt.Fprintf(&b, "key %q: ", e.Key)
	}
	b.WriteString(e.Problem)
	if e.Remedy != "" {
		b.WriteString("; ")
		b.WriteString(e.Remedy)
	}
	return b.String()
}

// Unwrap gives the sentinel.
func (e *Error) Unwrap() error { return e.reason }
