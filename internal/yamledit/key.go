package yamledit

import (
	"slices"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/nearest"
)

// part is one step of a key.
type part struct {
	text   string
	forced bool // written with a leading ':': a mapping key even if it is all digits
}

// index gives the sequence index that p stands for.
func (p part) index() (int, bool) {
	if p.forced || p.text == "" || strings.Trim(p.text, "0123456789") != "" {
		return 0, false
	}
	i, err := strconv.Atoi(p.text)
	return i, err == nil
}

// splitKey cuts a key into its parts; see the package comment for the syntax.
func splitKey(key string) []part {
	var parts []part
	var text strings.Builder
	forced, start := false, true
	for i := 0; i < len(key); i++ {
		c := key[i]
		switch {
		case c == '\\' && i+1 < len(key) && (key[i+1] == '.' || key[i+1] == ':'):
			i++
			text.WriteByte(key[i])
		case c == '.':
			parts = append(parts, part{text.String(), forced})
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
	return append(parts, part{text.String(), forced})
}

// quotePart writes a mapping key so that splitKey reads it back as that one part.
func quotePart(s string) string {
	s = strings.ReplaceAll(s, ".", `\.`)
	if strings.HasPrefix(s, ":") {
		s = `\` + s
	}
	return s
}

// joinParts writes parts as a key again, for messages.
func joinParts(parts []part) string {
	texts := make([]string, len(parts))
	for i, p := range parts {
		texts[i] = quotePart(p.text)
	}
	return strings.Join(texts, ".")
}

// nearestFirst orders candidates by their distance to name and keeps the first few.
func nearestFirst(name string, candidates []string) []string {
	const most = 8
	distances := make(map[string]int, len(candidates))
	for _, candidate := range candidates {
		distances[candidate] = nearest.Distance(name, candidate)
	}
	sorted := slices.Clone(candidates)
	slices.SortStableFunc(sorted, func(a, b string) int { return distances[a] - distances[b] })
	return sorted[:min(most, len(sorted))]
}
