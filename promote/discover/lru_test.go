package discover

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLRUKeepsWhatWasUsedLast(t *testing.T) {
	l := newLRU[string, int](10)
	l.put("a", 1, 4)
	l.put("b", 2, 4)
	l.get("a")
	l.put("c", 3, 4) // b has to go
	l.put("d", 4, 11)
	l.put("a", 5, 6) // again, larger
	got := map[string]int{}
	for _, key := range []string{"a", "b", "c", "d"} {
		if value, ok := l.get(key); ok {
			got[key] = value
		}
	}
	if diff := cmp.Diff(map[string]int{"a": 5, "c": 3}, got); diff != "" || l.used != 10 {
		t.Errorf("%d used; -want +got:\n%s", l.used, diff)
	}
}
