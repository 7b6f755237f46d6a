// Package tomledit changes single values of a TOML file and not one other byte, and reads such files.
//
// A change is a splice: the bytes of one value are found and replaced, and the result is parsed again. Unless both parses
// describe the same file except for that one value, the edit is refused. Comments, order, spacing and the notation of all other
// values therefore survive by construction. Keys are never created.
//
// # Keys
//
// A key is a dotted path, see package keypath. It follows tables, dotted keys and inline tables alike; an index leads into a
// list or an array of tables.
//
// # Types
//
// The author of the file has decided the type of a value, and an edit keeps it where that loses nothing: whatever replaces a
// string is a string, a whole number that replaces a float is written as a float, and text that is a date replaces a date as one.
//
// The package reads no files.
package tomledit

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2/unstable"
)

// Kind is the type of a single value.
type Kind int

// The kinds of single values.
const (
	KindString Kind = iota
	KindInteger
	KindFloat
	KindBool
	KindTime // a date, a time, or both
)

// Value is what a value is changed to. The zero value is the empty text.
type Value struct {
	kind Kind
	text string
}

// String is a text, whatever it looks like.
func String(text string) Value { return Value{KindString, text} }

// Number is a number, written as given. A text that is no TOML number is refused by Set.
func Number(text string) Value {
	if whole.MatchString(text) {
		return Value{KindInteger, text}
	}
	return Value{KindFloat, text}
}

// Bool is true or false.
func Bool(b bool) Value { return Value{KindBool, strconv.FormatBool(b)} }

// Edit gives one key a new value.
type Edit struct {
	Key   string // required; dotted path, see the package comment
	Value Value
}

// Change is what an edit did. Old and New are decoded texts, equal if the value was there already.
type Change struct {
	Key, Old, New string
}

// Scalar is a single value of a file.
type Scalar struct {
	Text string // decoded
	Kind Kind
}

// Set applies the edits in their order, all or none, and returns a file that differs from src in these values only. An error
// is for a person; src is never modified.
func Set(src []byte, edits ...Edit) (out []byte, changes []Change, err error) {
	doc, err := parse(src)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range edits {
		var change Change
		doc, change, err = doc.set(e)
		if err != nil {
			return nil, nil, err
		}
		changes = append(changes, change)
	}
	return slices.Clone(doc.src), changes, nil
}

// Get reads the value that Set would edit, with the same errors.
func Get(src []byte, key string) (Scalar, error) {
	doc, err := parse(src)
	if err != nil {
		return Scalar{}, err
	}
	found, err := doc.find(key)
	if err != nil {
		return Scalar{}, err
	}
	return Scalar{found.text, found.kind()}, nil
}

func (d *document) set(e Edit) (*document, Change, error) {
	old, err := d.find(e.Key)
	if err != nil {
		return nil, Change{}, err
	}
	if !utf8.ValidString(e.Value.text) {
		return nil, Change{}, d.problem(e.Key, old.start, "the new value is not UTF-8", "give another value")
	}
	for _, want := range e.Value.ways(old, d.src) {
		if old.kind() == want.kind && old.text == want.text {
			return d, Change{e.Key, old.text, old.text}, nil
		}
		after, err := parse(slices.Concat(d.src[:old.start], []byte(want.written), d.src[old.end:]))
		if err == nil && sameExcept(d, after, old, want) {
			return after, Change{e.Key, old.text, want.text}, nil
		}
	}
	return nil, Change{}, d.problem(e.Key, old.start, fmt.Sprintf("the value cannot be changed to %q", excerpt(e.Value.text)), "give a text, a number, true or false")
}

// way is one way to write a value, and how it must then be read.
type way struct {
	Value
	written string
}

var whole = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)

// ways gives the ways to write v in place of old, the preferred first.
func (v Value) ways(old *leaf, src []byte) []way {
	text := way{Value{KindString, v.text}, basic(v.text)}
	if src[old.start] == '\'' && literal(v.text) {
		text.written = "'" + v.text + "'"
	}
	switch {
	case old.kind() == KindString:
		return []way{text}
	case v.kind == KindString && old.kind() == KindTime:
		return []way{{Value{KindTime, v.text}, v.text}, text}
	case v.kind == KindString:
		return []way{text}
	case v.kind == KindInteger && old.kind() == KindFloat:
		v = Value{KindFloat, v.text + ".0"}
	}
	return []way{{v, v.text}}
}

// literal reports whether a text can stand between single quotes.
func literal(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r == '\'' || r < ' ' && r != '\t' || r == 0x7f })
}

// basic writes a text between double quotes, on one line.
func basic(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// sameExcept reports whether two files hold the same values, but for target, which is now as wanted.
func sameExcept(before, after *document, target *leaf, want way) bool {
	if len(before.leaves) != len(after.leaves) {
		return false
	}
	for i, a := range before.leaves {
		b := after.leaves[i]
		switch {
		case a.path != b.path:
			return false
		case a == target && (b.kind() != want.kind || b.text != want.text):
			return false
		case a != target && (a.toml != b.toml || a.text != b.text):
			return false
		}
	}
	return true
}

// kind is the kind of a value, as far as an edit keeps it.
func (l *leaf) kind() Kind {
	switch l.toml {
	case unstable.Integer:
		return KindInteger
	case unstable.Float:
		return KindFloat
	case unstable.Bool:
		return KindBool
	case unstable.LocalDate, unstable.LocalTime, unstable.LocalDateTime, unstable.DateTime:
		return KindTime
	default:
		return KindString
	}
}
