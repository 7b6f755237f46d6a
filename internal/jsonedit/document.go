package jsonedit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lockkeeper/lockkeeper/internal/keypath"
)

// maxBytes bounds a file. Its nesting is bounded by encoding/json, which checks it; nothing here recurses.
const (
	maxBytes  = 10 << 20
	byteOrder = "\xef\xbb\xbf"
)

// document is a file that is known to be JSON.
type document struct {
	src []byte
}

// span is where a value begins and ends.
type span struct{ start, end int }

// place is where a path leads: to a value, or to the last object or list on it that exists.
type place struct {
	value   span           // the value, or what has to hold it
	missing []keypath.Part // of the path; empty when the value exists
	insert  int            // where to write what is missing, and how
	layout  layout
}

func parse(src []byte) (*document, error) {
	body := bytes.TrimPrefix(src, []byte(byteOrder))
	if len(src) > maxBytes {
		return nil, fmt.Errorf("the file has %d bytes, more than the %d that can be edited: split it", len(src), maxBytes)
	}
	if !utf8.Valid(src) {
		return nil, errors.New("the file is not UTF-8: convert it to UTF-8")
	}
	var raw json.RawMessage
	err := json.Unmarshal(body, &raw)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		line := bytes.Count(body[:min(int(syntax.Offset), len(body))], []byte("\n")) + 1
		return nil, fmt.Errorf("line %d: the file is not valid JSON: %w", line, err)
	}
	if err != nil {
		return nil, fmt.Errorf("the file is not valid JSON: %w", err)
	}
	return &document{slices.Clone(src)}, nil
}

func (d *document) splice(s span, text string) {
	d.src = slices.Concat(d.src[:s.start], []byte(text), d.src[s.end:])
}

// find follows a path as far as it exists.
func (d *document) find(key string) (place, error) {
	if key == "" {
		return place{}, errors.New(`the key is empty: write a dotted path such as "image.tag"`)
	}
	start := d.space(len(d.src) - len(bytes.TrimPrefix(d.src, []byte(byteOrder))))
	at := place{value: span{start, d.skip(start)}}
	parts := keypath.Split(key)
	for i, p := range parts {
		var err error
		switch d.src[at.value.start] {
		case '{':
			at, err = d.member(key, at.value, parts[i:])
		case '[':
			at, err = d.element(key, at.value, parts[i:])
		default:
			where := fmt.Sprintf("%q is", keypath.Join(parts[:i]))
			if i == 0 {
				where = "the file is"
			}
			err = d.problem(key, at.value.start, where+fmt.Sprintf(" a single value and has no key %q", excerpt(p.Text)), "check the path")
		}
		if err != nil || len(at.missing) > 0 {
			return at, err
		}
	}
	return at, nil
}

// member is one key of an object and its value.
type member struct {
	lead       int // where the space before the key begins
	key        string
	start, end int // of the key
	value      span
}

// each calls visit for every member of an object until it returns false.
func (d *document) each(object int, visit func(member) bool) {
	for i := object + 1; ; i++ {
		m := member{lead: i, start: d.space(i)}
		if d.src[m.start] == '}' {
			return
		}
		m.end = d.skip(m.start)
		m.key = unquoted(string(d.src[m.start:m.end]))
		m.value.start = d.space(d.space(m.end) + 1)
		m.value.end = d.skip(m.value.start)
		if i = d.space(m.value.end); !visit(m) || d.src[i] == '}' {
			return
		}
	}
}

// member goes from an object to the value that the first part names.
func (d *document) member(key string, object span, parts []keypath.Part) (place, error) {
	var last, found member
	var duplicate error
	d.each(object.start, func(m member) bool {
		last = m
		if m.key != parts[0].Text {
			return true
		}
		if found.end > 0 {
			duplicate = d.problem(key, m.start, fmt.Sprintf("the object has %q twice", excerpt(m.key)), "remove one of them")
		}
		found = m
		return duplicate == nil
	})
	switch {
	case duplicate != nil:
		return place{}, duplicate
	case found.end > 0:
		return place{value: found.value}, nil
	case last.end == 0:
		return place{value: object, missing: parts, insert: object.start + 1, layout: layout{colon: ": "}}, nil
	}
	lay := layout{",", string(d.src[last.lead:last.start]), string(d.src[last.end:last.value.start])}
	return place{value: object, missing: parts, insert: last.value.end, layout: lay}, nil
}

// element goes from a list to the value that the first part names.
func (d *document) element(key string, list span, parts []keypath.Part) (place, error) {
	wanted, isIndex := parts[0].Index()
	count := 0
	at := place{value: list, missing: parts, insert: list.start + 1}
	for i := list.start + 1; ; i++ {
		start := d.space(i)
		if d.src[start] == ']' {
			break
		}
		s := span{start, d.skip(start)}
		if isIndex && count == wanted {
			return place{value: s}, nil
		}
		at.insert, at.layout = s.end, layout{comma: ",", lead: string(d.src[i:start])}
		count++
		if i = d.space(s.end); d.src[i] == ']' {
			break
		}
	}
	if isIndex && wanted == count {
		return at, nil
	}
	return place{}, d.problem(key, list.start, fmt.Sprintf("the list has %d elements and no element %q", count, excerpt(parts[0].Text)),
		fmt.Sprintf("write an index from 0; %d appends", count))
}

// space returns the offset of the first byte from i on that is no white space.
func (d *document) space(i int) int {
	for i < len(d.src) && strings.IndexByte(" \t\r\n", d.src[i]) >= 0 {
		i++
	}
	return i
}

// skip returns the offset behind the value that begins at i.
func (d *document) skip(i int) int {
	for depth := 0; i < len(d.src); {
		switch d.src[i] {
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
		case '"':
			i = d.skipString(i)
		case ',', ':', ' ', '\t', '\r', '\n':
			i++
			continue
		default:
			i = d.skipWord(i)
		}
		if depth == 0 {
			return i
		}
	}
	return i
}

func (d *document) skipString(i int) int {
	for i++; d.src[i] != '"'; i++ {
		if d.src[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// skipWord skips a number, true, false or null.
func (d *document) skipWord(i int) int {
	for i < len(d.src) && strings.IndexByte("{}[]\",: \t\r\n", d.src[i]) < 0 {
		i++
	}
	return i
}
