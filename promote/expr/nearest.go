package expr

import (
	"slices"
	"strings"
)

// nearest gives the candidate with the smallest edit distance to name, if it is near enough to be meant.
func nearest(name string, candidates []string) (string, bool) {
	if len(candidates) == 0 {
		return "", false
	}
	best := slices.MinFunc(candidates, func(a, b string) int { return distance(name, a) - distance(name, b) })
	return best, distance(name, best) <= max(1, len(name)/3)
}

// known lists names for a message and singles out the one that may be meant.
func known(name string, candidates []string) string {
	const most = 12
	if len(candidates) == 0 {
		return "; there is none"
	}
	listed := slices.Sorted(slices.Values(candidates))
	text := "; known: " + strings.Join(listed[:min(most, len(listed))], ", ")
	if len(listed) > most {
		text += ", …"
	}
	if best, near := nearest(name, candidates); near {
		text += "; did you mean " + best + "?"
	}
	return text
}

// distance is the Levenshtein distance of two names, ignoring case, over at most their first 64 bytes.
func distance(a, b string) int {
	a, b = strings.ToLower(a[:min(64, len(a))]), strings.ToLower(b[:min(64, len(b))])
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
