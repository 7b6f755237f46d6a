package diff

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Bounds of the search for objects that are much alike. What it costs grows with the number of objects, not with its square.
const (
	sketchSize    = 192  // values of an object that stand for all of it
	maxPieces     = 8192 // of one object that are looked at
	maxAlike      = 24   // objects that share a value before it tells nothing
	maxCandidates = 8    // of one object that are looked at closely
)

// sketch is a sample of what an object says: the smallest hashes of its values, in order. Equal objects have equal sketches, and
// the share of hashes that two sketches have in common estimates the share of values that two objects have in common (the
// bottom-k estimate of Broder's resemblance).
type sketch []uint64

// sketcher collects the pieces of an object or of several.
type sketcher struct {
	pieces []uint64
	name   string // of the object, which counts for nothing wherever it stands; "" counts it
}

// add takes the values of v, which stands at the place that the hash of its path says. Items of lists count without their index.
func (s *sketcher) add(v any, at uint64) {
	if len(s.pieces) >= maxPieces {
		return
	}
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			s.add(v[key], hashed(at, key))
		}
	case []any:
		for _, item := range v {
			s.add(item, at)
		}
	case nil:
	case string:
		s.text(v, at)
	default:
		s.pieces = append(s.pieces, hashed(at, fmt.Sprint(v)))
	}
}

// text takes the lines of a text.
func (s *sketcher) text(text string, at uint64) {
	if len(s.name) > 1 {
		text = strings.ReplaceAll(text, s.name, "\x00")
	}
	for line := range strings.SplitSeq(text, "\n") {
		if len(s.pieces) >= maxPieces {
			return
		}
		s.pieces = append(s.pieces, hashed(at, line))
	}
}

func (s *sketcher) sketch() sketch {
	slices.Sort(s.pieces)
	s.pieces = slices.Compact(s.pieces)
	return sketch(s.pieces[:min(len(s.pieces), sketchSize)])
}

// hashed is FNV-1a of a text, continued from another hash, with its bits mixed so that small hashes are a fair sample.
func hashed(from uint64, text string) uint64 {
	h := from ^ 14695981039346656037
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// resemblance estimates which share of what two objects say both of them say.
func (s sketch) resemblance(other sketch) float64 {
	both, all := 0, 0
	for i, j := 0, 0; all < sketchSize && (i < len(s) || j < len(other)); all++ {
		switch {
		case j == len(other) || i < len(s) && s[i] < other[j]:
			i++
		case i == len(s) || other[j] < s[i]:
			j++
		default:
			both, i, j = both+1, i+1, j+1
		}
	}
	if all == 0 {
		return 0
	}
	return float64(both) / float64(all)
}

// entrant is one of those that look for a partner.
type entrant struct {
	sketch sketch
	hints  []uint64 // what else may lead to its partner, such as a part of its name
}

// couple is two entrants that are much alike.
type couple struct {
	base, head int
	score      float64
}

// couples pairs entrants, those that are most alike first, each once. score says how much two are alike, and 0 when they are no
// pair.
func couples(base, head []entrant, score func(base, head int) float64) []couple {
	at := map[uint64][]int{}
	for i, e := range head {
		for _, hash := range slices.Concat(e.sketch, e.hints) {
			at[hash] = append(at[hash], i)
		}
	}
	var found []couple
	for i, e := range base {
		shared := map[int]int{}
		for _, hash := range slices.Concat(e.sketch, e.hints) {
			if alike := at[hash]; len(alike) <= maxAlike {
				for _, j := range alike {
					shared[j]++
				}
			}
		}
		candidates := slices.SortedFunc(maps.Keys(shared), func(a, b int) int {
			return cmp.Or(cmp.Compare(shared[b], shared[a]), cmp.Compare(a, b))
		})
		for _, j := range candidates[:min(len(candidates), maxCandidates)] {
			if s := score(i, j); s > 0 {
				found = append(found, couple{i, j, s})
			}
		}
	}
	slices.SortStableFunc(found, func(a, b couple) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.base, b.base), cmp.Compare(a.head, b.head))
	})
	takenBase, takenHead := map[int]bool{}, map[int]bool{}
	return slices.DeleteFunc(found, func(c couple) bool {
		if takenBase[c.base] || takenHead[c.head] {
			return true
		}
		takenBase[c.base], takenHead[c.head] = true, true
		return false
	})
}
