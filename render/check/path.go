package check

import (
	"slices"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/render/object"
)

// Path leads to a value in an object. Each step is a key or, when Key is "", an index of a list.
type Path []Step

// Step is one step of a [Path].
type Step struct {
	Key   string
	Index int
}

// key returns the path of a key of the value at p. The memory is never shared.
func (p Path) key(name string) Path { return append(slices.Clip(p), Step{Key: name}) }

func (p Path) index(i int) Path { return append(slices.Clip(p), Step{Index: i}) }

// String prints the path as Kubernetes does: spec.containers[0].image, and keys that are no plain names in brackets.
func (p Path) String() string {
	var b strings.Builder
	for i, s := range p {
		switch {
		case s.Key == "":
			b.WriteString("[" + strconv.Itoa(s.Index) + "]")
		case strings.ContainsAny(s.Key, ".[]\"/ "):
			b.WriteString("[" + strconv.Quote(s.Key) + "]")
		default:
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(s.Key)
		}
	}
	return b.String()
}

// last is the key that the path ends with, "" for an index.
func (p Path) last() string {
	if len(p) == 0 {
		return ""
	}
	return p[len(p)-1].Key
}

// pathIn reads a path that one of Kubernetes' libraries printed, as far as it exists in the object: keys that contain dots are
// told from steps by looking.
func pathIn(fields any, text string) Path {
	var out Path
	at := fields
	for text = strings.TrimLeft(text, "."); text != ""; text = strings.TrimLeft(text, ".") {
		step, rest, ok := nextStep(at, text)
		if !ok {
			break
		}
		out, text = append(out, step), rest
		at = child(at, step)
	}
	return out
}

func nextStep(at any, text string) (Step, string, bool) {
	if inner, isBracket := strings.CutPrefix(text, "["); isBracket {
		inside, rest, closed := strings.Cut(inner, "]")
		if i, err := strconv.Atoi(inside); err == nil && closed {
			return Step{Index: i}, rest, true
		}
		if unquoted, err := strconv.Unquote(inside); err == nil {
			inside = unquoted
		}
		return Step{Key: inside}, rest, closed && inside != ""
	}
	fields, _ := at.(map[string]any)
	longest := ""
	for name := range fields {
		end := strings.TrimPrefix(text, name)
		if len(name) > len(longest) && strings.HasPrefix(text, name) && (end == "" || end[0] == '.' || end[0] == '[') {
			longest = name
		}
	}
	if longest == "" { // a field that is missing
		if i := strings.IndexAny(text, ".["); i >= 0 {
			longest = text[:i]
		} else {
			longest = text
		}
	}
	return Step{Key: longest}, text[len(longest):], longest != ""
}

func child(at any, step Step) any {
	switch at := at.(type) {
	case map[string]any:
		return at[step.Key]
	case []any:
		if step.Key == "" && step.Index >= 0 && step.Index < len(at) {
			return at[step.Index]
		}
	}
	return nil
}

// isUnknown reports whether a value, or a part of its text, is known to the cluster alone.
func isUnknown(v any) bool {
	text, ok := v.(string)
	return ok && strings.Contains(text, object.UnknownPrefix)
}

// withoutUnknown returns a copy of a value without the fields that only the cluster knows, and where they stood.
func withoutUnknown(v any) (any, []Path) {
	var removed []Path
	return cut(v, nil, &removed), removed
}

func cut(v any, at Path, removed *[]Path) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, value := range v {
			if isUnknown(value) {
				*removed = append(*removed, at.key(name))
				continue
			}
			out[name] = cut(value, at.key(name), removed)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, value := range v {
			if isUnknown(value) { // the list keeps its length
				*removed = append(*removed, at.index(i))
			}
			out[i] = cut(value, at.index(i), removed)
		}
		return out
	}
	return v
}

// touches reports whether one of two paths leads through the other.
func (p Path) touches(other Path) bool {
	for i := range min(len(p), len(other)) {
		if p[i] != other[i] {
			return false
		}
	}
	return true
}
