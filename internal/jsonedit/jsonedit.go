// Package jsonedit changes single values of a JSON file and not one other byte.
//
// A change is a splice: the file is checked, the bytes of one value are found and replaced. Indentation, the order of keys,
// numbers of any size and every escape elsewhere survive by construction. A key that is missing is created, at the end of the
// object that it belongs to and laid out like the member before it; so are the objects on the way to it.
//
// # Keys
//
// A key is a dotted path, see package keypath. The index of a list may be one beyond its end, which appends. A path on which an
// object has a key twice is refused, since readers disagree about which one counts.
//
// # Types
//
// The author of the file has decided the type of a value, and an edit keeps it where that loses nothing: a number or a boolean
// that replaces a string becomes that text as a string. Text is always written as a string. An object or a list is never
// replaced by a single value.
//
// The package reads no files.
package jsonedit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lockkeeper/lockkeeper/internal/keypath"
)

// Kind is the type of a single value.
type Kind int

// The kinds of single values.
const (
	KindNull Kind = iota
	KindString
	KindNumber
	KindBool
)

// Value is what a value is changed to. The zero value is null, which Set refuses.
type Value struct {
	kind Kind
	text string
}

// String is a text, whatever it looks like.
func String(text string) Value { return Value{KindString, text} }

// Number is a number, written as given. A text that is no JSON number is refused by Set.
func Number(text string) Value { return Value{KindNumber, text} }

// Bool is true or false.
func Bool(b bool) Value { return Value{KindBool, strconv.FormatBool(b)} }

// IsNumber reports whether a text is a number of JSON.
func IsNumber(text string) bool {
	return text != "" && (text[0] == '-' || text[0] >= '0' && text[0] <= '9') && json.Valid([]byte(text)) &&
		!strings.ContainsAny(text, " \t\r\n")
}

// Edit gives one key a new value.
type Edit struct {
	Key   string // required; dotted path, see the package comment
	Value Value
}

// Change is what an edit did. Old and New are decoded texts, equal if the value was there already.
type Change struct {
	Key, Old, New string
	Created       bool // the key was missing; Old is empty
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
		change, err := doc.set(e)
		if err != nil {
			return nil, nil, err
		}
		changes = append(changes, change)
	}
	return doc.src, changes, nil
}

// Get reads the single value that Set would replace. ok is false where Set would create the key.
func Get(src []byte, key string) (value Scalar, ok bool, err error) {
	doc, err := parse(src)
	if err != nil {
		return Scalar{}, false, err
	}
	at, err := doc.find(key)
	if err != nil || len(at.missing) > 0 {
		return Scalar{}, false, err
	}
	value, err = doc.scalar(key, at.value)
	return value, err == nil, err
}

func (d *document) set(e Edit) (Change, error) {
	switch {
	case !utf8.ValidString(e.Key) || !utf8.ValidString(e.Value.text):
		return Change{}, d.problem(e.Key, -1, "the key or the new value is not UTF-8", "convert it to UTF-8")
	case e.Value.kind == KindNull:
		return Change{}, d.problem(e.Key, -1, "the new value is null", "give a text, a number, true or false")
	case e.Value.kind == KindNumber && !IsNumber(e.Value.text):
		return Change{}, d.problem(e.Key, -1, fmt.Sprintf("the new value %q is no JSON number", excerpt(e.Value.text)), "write it in digits, or in quotes")
	}
	at, err := d.find(e.Key)
	if err != nil {
		return Change{}, err
	}
	if len(at.missing) > 0 {
		return Change{Key: e.Key, New: e.Value.text, Created: true}, d.create(e, at)
	}
	old, err := d.scalar(e.Key, at.value)
	if err != nil {
		return Change{}, err
	}
	if old.Kind == KindString {
		e.Value.kind = KindString
	}
	if old.Kind != e.Value.kind || old.Text != e.Value.text {
		d.splice(at.value, e.Value.json())
	}
	return Change{Key: e.Key, Old: old.Text, New: e.Value.text}, nil
}

// json writes a value.
func (v Value) json() string {
	if v.kind == KindString {
		return quoted(v.text)
	}
	return v.text
}

func quoted(text string) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // a string always can be
	return strings.TrimSuffix(b.String(), "\n")
}

// create adds what is missing of a path at the end of the object or the list that has to hold it.
func (d *document) create(e Edit, at place) error {
	text := e.Value.json()
	for _, p := range slices.Backward(at.missing[1:]) {
		i, isIndex := p.Index()
		switch {
		case isIndex && i > 0:
			return d.problem(e.Key, at.value.start, fmt.Sprintf("%q is missing, so a list made for it cannot begin with the index %d", excerpt(e.Key), i), "begin with .0")
		case isIndex:
			text = "[" + text + "]"
		default:
			text = "{" + quoted(p.Text) + ": " + text + "}"
		}
	}
	key := ""
	if d.src[at.value.start] == '{' {
		key = quoted(at.missing[0].Text)
	}
	d.splice(span{at.insert, at.insert}, at.layout.write(key, text))
	return nil
}

// layout is how the members of an object or the elements of a list are written.
type layout struct {
	comma string // before one that is not the first
	lead  string // between the comma and the key
	colon string // between key and value
}

func (l layout) write(key, text string) string {
	if key == "" {
		return l.comma + l.lead + text
	}
	return l.comma + l.lead + key + l.colon + text
}

// scalar reads the single value at a place.
func (d *document) scalar(key string, s span) (Scalar, error) {
	text := string(d.src[s.start:s.end])
	switch text[0] {
	case '{':
		var remedy string
		if names := d.keys(s.start); len(names) > 0 {
			remedy = "append one of its keys: " + strings.Join(names[:min(8, len(names))], ", ")
		}
		return Scalar{}, d.problem(key, s.start, "the value is an object, not a single value", remedy)
	case '[':
		return Scalar{}, d.problem(key, s.start, "the value is a list, not a single value", `append the index of an element, such as ".0"`)
	case '"':
		return Scalar{unquoted(text), KindString}, nil
	case 't', 'f':
		return Scalar{text, KindBool}, nil
	case 'n':
		return Scalar{text, KindNull}, nil
	}
	return Scalar{text, KindNumber}, nil
}

func unquoted(text string) string {
	var decoded string
	_ = json.Unmarshal([]byte(text), &decoded) // the file was checked
	return decoded
}

// problem words an error for a person. at is an offset, or -1.
func (d *document) problem(key string, at int, what, remedy string) error {
	var b strings.Builder
	if at >= 0 {
		fmt.Fprintf(&b, "line %d: ", bytes.Count(d.src[:at], []byte("\n"))+1)
	}
	fmt.Fprintf(&b, "key %q: %s", excerpt(key), what)
	if remedy != "" {
		b.WriteString("; " + remedy)
	}
	return errors.New(b.String())
}

// excerpt bounds a text that goes into a message.
func excerpt(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// keys lists the keys of an object as they are written in a path.
func (d *document) keys(object int) []string {
	var names []string
	d.each(object, func(m member) bool {
		names = append(names, keypath.Quote(excerpt(m.key)))
		return true
	})
	return names
}
