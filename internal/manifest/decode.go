package manifest

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/nearest"
)

// Decode fills into, a pointer to a struct, from the document, strictly: a key that the struct does not have, a key that
// stands twice and a value of another type are errors. It returns all problems joined, each an [*Error] with its place,
// and fills in what it can beside them.
//
// Fields are matched by their json tag, else their yaml tag; anonymous structs and those tagged "inline" are flattened.
// Fields of type any take the value as JSON has it (map[string]any, []any, string, bool, int64, float64, nil); fields of
// type yaml.Node take the node itself. Types with UnmarshalYAML or UnmarshalText decode themselves. time.Duration takes
// "1h30m".
//
// A string field takes only what the API server would take for a string: 1.27, yes or 2 must be quoted.
func Decode(doc Document, into any) error { return decode(doc, into, true) }

// DecodeKnown is like [Decode] but passes over keys that the struct does not have.
func DecodeKnown(doc Document, into any) error { return decode(doc, into, false) }

func decode(doc Document, into any, strict bool) error {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return fmt.Errorf("decode into %T: not a pointer", into)
	}
	if doc.Node == nil {
		return &Error{File: doc.File, Line: doc.Line, Problem: "the document is empty"}
	}
	d := decoder{file: doc.File, strict: strict}
	d.value(doc.Node, v.Elem(), "")
	return errors.Join(d.problems...)
}

type decoder struct {
	file     string
	strict   bool
	problems []error
}

func (d *decoder) report(n *yaml.Node, path, problem, remedy string) {
	d.problems = append(d.problems, &Error{File: d.file, Line: n.Line, Column: n.Column, Path: path, Problem: problem, Remedy: remedy})
}

var (
	nodeType     = reflect.TypeFor[yaml.Node]()
	durationType = reflect.TypeFor[time.Duration]()
	rawJSONType  = reflect.TypeFor[json.RawMessage]()
)

func (d *decoder) value(n *yaml.Node, v reflect.Value, path string) {
	n = Resolve(n)
	if v.Type() == nodeType {
		v.Set(reflect.ValueOf(*n))
		return
	}
	if v.Kind() == reflect.Pointer && n.Tag != "!!null" {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		d.value(n, v.Elem(), path)
		return
	}
	if d.custom(n, v, path) {
		return
	}
	if n.Tag == "!!null" && n.Kind == yaml.ScalarNode {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(n, v, path)
	case reflect.Map:
		d.mapping(n, v, path)
	case reflect.Slice:
		d.sequence(n, v, path)
	case reflect.Interface:
		if x := d.free(n, path); x != nil {
			v.Set(reflect.ValueOf(x))
		}
	default:
		d.scalar(n, v, path)
	}
}

// custom decodes types that know how to decode themselves.
func (d *decoder) custom(n *yaml.Node, v reflect.Value, path string) bool {
	if v.Type() == rawJSONType {
		raw, err := json.Marshal(d.free(n, path))
		if err != nil {
			d.report(n, path, fmt.Sprintf("value of %s cannot be JSON: %v", name(path), err), "")
		}
		v.SetBytes(raw)
		return true
	}
	if !v.CanAddr() {
		return false
	}
	switch target := v.Addr().Interface().(type) {
	case yaml.Unmarshaler:
		if err := target.UnmarshalYAML(n); err != nil {
			d.report(n, path, fmt.Sprintf("value of %s: %v", name(path), err), "")
		}
		return true
	case encoding.TextUnmarshaler:
		if n.Kind != yaml.ScalarNode {
			d.mismatch(n, path, "a string")
		} else if err := target.UnmarshalText([]byte(n.Value)); err != nil {
			d.report(n, path, fmt.Sprintf("value %q of %s: %v", n.Value, name(path), err), "")
		}
		return true
	}
	return false
}

func (d *decoder) structure(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.mismatch(n, path, "a mapping")
		return
	}
	known := fields(v.Type())
	d.duplicates(n, path)
	for _, p := range pairs(n) {
		at := join(path, p.key.Value)
		i := slices.IndexFunc(known, func(f field) bool { return f.name == p.key.Value })
		if i < 0 {
			if d.strict {
				d.unknown(p.key, path, known)
			}
			continue
		}
		d.value(p.value, v.FieldByIndex(known[i].index), at)
	}
}

func (d *decoder) unknown(key *yaml.Node, path string, known []field) {
	names := make([]string, len(known))
	for i, f := range known {
		names[i] = f.name
	}
	remedy := ""
	if near := nearest.Of(key.Value, names); near != "" {
		remedy = fmt.Sprintf("did you mean %q?", near)
	} else if len(names) > 0 && len(names) <= 12 {
		remedy = "known keys are " + strings.Join(names, ", ")
	}
	where := ""
	if path != "" {
		where = " in " + path
	}
	d.report(key, join(path, key.Value), fmt.Sprintf("unknown key %q%s", key.Value, where), remedy)
}

func (d *decoder) duplicates(n *yaml.Node, path string) {
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if line, twice := first[key.Value]; twice && key.Tag != "!!merge" {
			d.problems = append(d.problems, &Error{
				File: d.file, Line: key.Line, Column: key.Column, Path: join(path, key.Value), Cause: ErrTwice,
				Problem: fmt.Sprintf("key %q stands twice in %s, first in line %d", key.Value, name(path), line), Remedy: "remove one of them",
			})
			continue
		}
		first[key.Value] = key.Line
	}
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.mismatch(n, path, "a mapping")
		return
	}
	if v.Type().Key().Kind() != reflect.String {
		d.report(n, path, fmt.Sprintf("%s cannot be decoded: its keys are not strings", name(path)), "")
		return
	}
	d.duplicates(n, path)
	v.Set(reflect.MakeMapWithSize(v.Type(), len(n.Content)/2))
	for _, p := range pairs(n) {
		item := reflect.New(v.Type().Elem()).Elem()
		d.value(p.value, item, join(path, p.key.Value))
		v.SetMapIndex(reflect.ValueOf(p.key.Value).Convert(v.Type().Key()), item)
	}
}

func (d *decoder) sequence(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		d.mismatch(n, path, "a list")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		d.value(item, v.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode {
		d.mismatch(n, path, expected(v.Type()))
		return
	}
	if v.Type() == durationType {
		duration, err := time.ParseDuration(n.Value)
		if err != nil {
			d.mismatch(n, path, `a duration such as "1h30m"`)
			return
		}
		v.SetInt(int64(duration))
		return
	}
	if !setScalar(n, v) {
		d.mismatch(n, path, expected(v.Type()))
	}
}

func setScalar(n *yaml.Node, v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String:
		if !isText(n) {
			return false
		}
		v.SetString(n.Value)
		return true
	case reflect.Bool:
		truth, ok := boolean(n)
		v.SetBool(truth)
		return ok
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		var i int64
		if n.Tag != "!!int" || n.Decode(&i) != nil || v.OverflowInt(i) {
			return false
		}
		v.SetInt(i)
		return true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		var i uint64
		if n.Tag != "!!int" || n.Decode(&i) != nil || v.OverflowUint(i) {
			return false
		}
		v.SetUint(i)
		return true
	case reflect.Float32, reflect.Float64:
		var f float64
		if n.Tag != "!!int" && n.Tag != "!!float" || n.Decode(&f) != nil {
			return false
		}
		v.SetFloat(f)
		return true
	default:
		return false
	}
}

// isText reports whether the API server takes the scalar for a string. It reads YAML 1.1, in which an unquoted yes, no, on
// or off is a boolean.
func isText(n *yaml.Node) bool {
	if n.Tag == "!!timestamp" || n.Tag == "!!binary" {
		return true
	}
	if n.Tag != "!!str" {
		return false
	}
	_, truth := boolean(n)
	return !truth
}

func boolean(n *yaml.Node) (value, ok bool) {
	if n.Tag == "!!bool" {
		return strings.EqualFold(n.Value, "true"), true
	}
	if n.Tag != "!!str" || n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle|yaml.TaggedStyle) != 0 {
		return false, false
	}
	switch n.Value {
	case "y", "Y", "yes", "Yes", "YES", "on", "On", "ON":
		return true, true
	case "n", "N", "no", "No", "NO", "off", "Off", "OFF":
		return false, true
	}
	return false, false
}

func (d *decoder) mismatch(n *yaml.Node, path, want string) {
	remedy := ""
	if want == "a string" && n.Kind == yaml.ScalarNode {
		remedy = fmt.Sprintf("add quotes: %q", n.Value)
	}
	d.report(n, path, fmt.Sprintf("value %s of %s is %s, not %s", written(n), name(path), actual(n), want), remedy)
}

func written(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "{…}"
	case yaml.SequenceNode:
		return "[…]"
	default:
		const most = 60
		if r := []rune(n.Value); len(r) > most {
			return strconv.Quote(string(r[:most]) + "…")
		}
		if n.Tag == "!!str" {
			return strconv.Quote(n.Value)
		}
		return n.Value
	}
}

func actual(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!int" || n.Tag == "!!float":
		return "a number"
	}
	if _, truth := boolean(n); truth {
		return "a boolean"
	}
	return "a string"
}

func expected(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Float32, reflect.Float64:
		return "a number"
	default:
		return "a whole number"
	}
}

func (d *decoder) free(n *yaml.Node, path string) any {
	n = Resolve(n)
	switch n.Kind {
	case yaml.MappingNode:
		d.duplicates(n, path)
		out := make(map[string]any, len(n.Content)/2)
		for _, p := range pairs(n) {
			out[p.key.Value] = d.free(p.value, join(path, p.key.Value))
		}
		return out
	case yaml.SequenceNode:
		out := make([]any, len(n.Content))
		for i, item := range n.Content {
			out[i] = d.free(item, fmt.Sprintf("%s[%d]", path, i))
		}
		return out
	default:
		return freeScalar(n)
	}
}

func freeScalar(n *yaml.Node) any {
	if truth, ok := boolean(n); ok {
		return truth
	}
	switch n.Tag {
	case "!!null":
		return nil
	case "!!int":
		var i int64
		if n.Decode(&i) == nil {
			return i
		}
		fallthrough
	case "!!float":
		var f float64
		if n.Decode(&f) == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f
		}
	}
	return n.Value
}

// Free returns a node's value as JSON has it: map[string]any, []any, string, bool, int64, float64 or nil. Of a key that
// stands twice the last wins.
func Free(n *yaml.Node) any { return new(decoder).free(n, "") }

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func name(path string) string {
	if path == "" {
		return "the document"
	}
	return path
}

type field struct {
	name  string
	index []int
}

// fields lists the keys that a struct takes, its embedded structs' included.
func fields(t reflect.Type) []field {
	var out []field
	for f := range t.Fields() {
		tag, tagged := f.Tag.Lookup("json")
		if !tagged {
			tag = f.Tag.Get("yaml")
		}
		key, options, _ := strings.Cut(tag, ",")
		if key == "-" && options == "" {
			continue
		}
		if f.Type.Kind() == reflect.Struct && (f.Anonymous && key == "" || strings.Contains(options, "inline")) {
			for _, inner := range fields(f.Type) {
				out = append(out, field{inner.name, append(slices.Clone(f.Index), inner.index...)})
			}
			continue
		}
		if !f.IsExported() {
			continue
		}
		if key == "" {
			key = f.Name
		}
		out = append(out, field{key, f.Index})
	}
	return out
}
