package expr

import (
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

// nearest is [promote.Nearest] among names that somebody may have typed: what expressions make up may be of any length.
func nearest(name string, candidates []string) (string, bool) {
	const longest = 64
	if len(name) > longest {
		return "", false
	}
	typed := slices.DeleteFunc(slices.Clone(candidates), func(c string) bool { return len(c) > 2*longest })
	return promote.Nearest(name, typed)
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
