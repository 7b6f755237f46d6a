package expr

import (
	"strings"
	"testing"
)

func TestNearestOfNamesThatSomebodyMayHaveTyped(t *testing.T) {
	long := strings.Repeat("x", 129)
	for _, row := range []struct {
		name, word string
		candidates []string
		want       string
	}{
		{"a letter too few", "updat", []string{"commit", "update"}, "update"},
		{"letters swapped", "qoute", []string{"imageFrom", "quote"}, "quote"},
		{"nothing near", "warehouse", []string{"imageFrom", "quote"}, ""},
		{"nothing at all", "quote", nil, ""},
		{"a name that nobody typed", long, []string{long}, ""},
		{"candidates that nobody typed", long[:64], []string{long, long[:65]}, long[:65]},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got, near := nearest(row.word, row.candidates); got != row.want || near != (row.want != "") {
				t.Errorf("got %q, %v, want %q", got, near, row.want)
			}
		})
	}
}
