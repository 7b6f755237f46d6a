package nearest

import (
	"strings"
	"testing"
)

func TestOf(t *testing.T) {
	candidates := []string{"integer", "string", "boolean", "promotionPolicies"}
	for word, want := range map[string]string{
		"strng": "string", "sting": "string", "String": "string", "stirng": "string", "promotionPolicy": "promotionPolicies", "x": "", "colour": "", "": "",
	} {
		if got := Of(word, candidates); got != want {
			t.Errorf("Of(%q) = %q, want %q", word, got, want)
		}
	}
	if got := Of("cat", []string{"bat", "hat"}); got != "bat" {
		t.Errorf("of two that are as near, got %q, want the first", got)
	}
	if got := Of("x", nil); got != "" {
		t.Errorf("of nothing, got %q", got)
	}
}

func TestDistance(t *testing.T) {
	for _, row := range []struct {
		name, a, b string
		want       int
	}{
		{"the same", "tag", "tag", 0},
		{"case does not count", "TAG", "tag", 0},
		{"a letter too many", "tagg", "tag", 1},
		{"a letter too few", "tg", "tag", 1},
		{"another letter", "tug", "tag", 1},
		{"neighbours swapped", "tga", "tag", 1},
		{"the classic", "kitten", "sitting", 3},
		{"nothing to something", "", "tag", 3},
		{"nothing to nothing", "", "", 0},
		{"as long as is compared", strings.Repeat("a", 200), strings.Repeat("a", 199), 1},
		{"too long to compare", strings.Repeat("a", 201), strings.Repeat("a", 200), 401},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := Distance(row.a, row.b); got != row.want {
				t.Errorf("Distance(%q, %q) = %d, want %d", row.a, row.b, got, row.want)
			}
			if got := Distance(row.b, row.a); got != row.want {
				t.Errorf("the other way round it is %d, want %d", got, row.want)
			}
		})
	}
}
