// Package keypath reads the dotted paths that name a value in a file, for example "spec.containers.0.image", as Kargo's update
// steps do.
//
// `\.` is a dot and `\:` a colon inside a part; other backslashes stand for themselves. A part of digits indexes a list. A part
// that begins with ':' is always a key of a mapping, and the colon is not part of it.
//
// The package knows nothing of the formats whose values are named.
package keypath

import (
	"slices"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/nearest"
)

// Part is one step of a path.
type Part struct {
	Text   string
	Forced bool // written with a leading ':': a key of a mapping even if it is all digits
}

// Index gives the index of a list that p stands for.
func (p Part) Index() (int, bool) {
	if p.Forced || p.Text == "" || strings.Trim(p.Text, "0123456789") != "" {
		return 0, false
	}
	i, err := strconv.Atoi(p.Text)
	return i, err == nil
}

// Split cuts a path into its parts. Every text is a path; there is always at least one part.
func Split(path string) []Part {
	var parts []Part
	var text strings.Builder
	forced, start := false, true
	for i := 0; i < len(path); i++ {
		c := path[i]
		switch {
		case c == '\\' && i+1 < len(path) && (path[i+1] == '.' || path[i+1] == ':'):
			i++
			text.WriteByte(path[i])
		case c == '.':
			parts = append(parts, Part{text.String(), forced})
			text.Reset()
			forced, start = false, true
			continue
		case c == ':' && start:
			forced = true
		default:
			text.WriteByte(c)
		}
		start = false
	}
	return append(parts, Part{text.String(), forced})
}

// Quote writes a key of a mapping so that Split reads it back as one part.
func Quote(key string) string {
	key = strings.ReplaceAll(key, ".", `\.`)
	if strings.HasPrefix(key, ":") {
		key = `\` + key
	}
	return key
}

// Join writes parts as a path again, for messages.
func Join(parts []Part) string {
	texts := make([]string, len(parts))
	for i, p := range parts {
		texts[i] = Quote(p.Text)
	}
	return strings.Join(texts, ".")
}

// NearestFirst orders keys by how near they are to a mistyped one, and keeps the first few, for messages.
func NearestFirst(key string, candidates []string) []string {
	const most = 8
	distances := make(map[string]int, len(candidates))
	for _, candidate := range candidates {
		distances[candidate] = nearest.Distance(key, candidate)
	}
	sorted := slices.Clone(candidates)
	slices.SortStableFunc(sorted, func(a, b string) int { return distances[a] - distances[b] })
	return sorted[:min(most, len(sorted))]
}
