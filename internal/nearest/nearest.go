// Package nearest finds the name that a mistyped one was most likely meant to be, for messages.
//
// It owns the distance between two names and how near is near enough, also for the paths of a tree. It does not own the names, nor what a message says.
// The package promote, which imports nothing of ours, has a rule of its own for words that people write in comments.
package nearest

import "strings"

// longest is how many bytes of a name are compared at most: nobody mistypes a longer one by a letter.
const longest = 200

// Of returns the candidate that word was most likely meant to be: the one at the smallest [Distance], provided that this is
// at most a third of the word (at least 1), the first of equals. It returns "" when none is near.
func Of(word string, candidates []string) string {
	best, least := "", max(1, len(word)/3)+1
	for _, candidate := range candidates {
		if d := Distance(word, candidate); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// Distance is the number of insertions, deletions, replacements and swaps of neighbouring bytes that turn a into b, ignoring
// case. Of names longer than 200 bytes it is the sum of their lengths, so that its cost is bounded.
func Distance(a, b string) int {
	if len(a) > longest || len(b) > longest {
		return len(a) + len(b)
	}
	a, b = strings.ToLower(a), strings.ToLower(b)
	before, previous, current := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		current[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			current[j] = min(previous[j]+1, current[j-1]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				current[j] = min(current[j], before[j-2]+1)
			}
		}
		before, previous, current = previous, current, before
	}
	return previous[len(b)]
}
