package lru

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCacheForgetsTheLeastUsed(t *testing.T) {
	type put struct {
		key    string
		weight int
	}
	tests := []struct {
		name string
		puts []put
		use  string // got before the last put
		want []string
	}{
		{"everything fits", []put{{"a", 1}, {"b", 1}, {"c", 1}}, "", []string{"a=0", "b=1", "c=2"}},
		{"the oldest goes first", []put{{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}}, "", []string{"b=1", "c=2", "d=3"}},
		{"what was used stays", []put{{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}}, "a", []string{"a=0", "c=2", "d=3"}},
		{"a heavy value takes the room of several", []put{{"a", 1}, {"b", 1}, {"c", 1}, {"d", 2}}, "", []string{"c=2", "d=3"}},
		{"one that is too heavy is held alone", []put{{"a", 1}, {"b", 9}}, "", []string{"b=1"}},
		{"a value put again takes the place of the first", []put{{"a", 2}, {"b", 1}, {"a", 1}, {"c", 1}}, "", []string{"a=2", "b=1", "c=3"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := New[string, int](3)
			for i, p := range test.puts {
				if i == len(test.puts)-1 && test.use != "" {
					c.Get(test.use)
				}
				c.Put(p.key, i, p.weight)
			}
			var got []string
			for _, key := range []string{"a", "b", "c", "d"} {
				if v, ok := c.Get(key); ok {
					got = append(got, fmt.Sprintf("%s=%d", key, v))
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("held (-want +got):\n%s", diff)
			}
		})
	}
}
