package diff

import (
	"regexp"
	"strconv"
	"strings"
)

// step is one part of a path: a key of a map, or an item of a list, by its key or else by its index.
type step struct {
	key   string // of a map, when item is ""
	item  string // such as name=web or 3
	named bool   // item is a key, not an index
}

// field returns the map key of the step, "" for a list item.
func (s step) field() string {
	if s.item != "" {
		return ""
	}
	return s.key
}

var (
	plainKey  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)
	plainItem = regexp.MustCompile(`^[A-Za-z0-9_./=,:@+*-]+$`)
)

// pathText prints steps for people. Keys that could be misread are quoted.
func pathText(steps []step) string {
	var b strings.Builder
	for i, s := range steps {
		switch {
		case s.item != "" && plainItem.MatchString(s.item):
			b.WriteString("[" + s.item + "]")
		case s.item != "":
			b.WriteString("[" + strconv.Quote(s.item) + "]")
		case !plainKey.MatchString(s.key):
			b.WriteString("[" + strconv.Quote(s.key) + "]")
		default:
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(s.key)
		}
	}
	return b.String()
}

// within reports whether path is the field prefix or lies below it.
func within(path, prefix string) bool {
	rest, ok := strings.CutPrefix(path, prefix)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}
