package reconcile

import (
	"fmt"
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	start := time.Date(2026, 5, 2, 8, 0, 0, 0, time.UTC)
	p := pace{}
	for i := range maxCommands + 1 {
		if nth := p.take("ann", commentKey{1, i, ""}, start); nth != i+1 {
			t.Errorf("command %d is the %d.", i+1, nth)
		}
	}
	for _, row := range []struct {
		name   string
		person string
		key    commentKey
		at     time.Duration
		want   int
	}{
		{"one that came before", "ann", commentKey{1, 4, ""}, time.Minute, 5},
		{"the one that is answered last", "ann", commentKey{1, maxCommands, ""}, time.Minute, maxCommands + 1},
		{"one more", "ANN", commentKey{1, 500, ""}, time.Minute, maxCommands + 2},
		{"and another", "ann", commentKey{1, 501, ""}, time.Minute, maxCommands + 2},
		{"somebody else", "bob", commentKey{1, 502, ""}, time.Minute, 1},
		{"a button with the number of a comment", "bob", commentKey{1, 502, "hold"}, time.Minute, 2},
		{"when that is over", "ann", commentKey{1, 503, ""}, paceOver, 1},
	} {
		if got := p.take(row.person, row.key, start.Add(row.at)); got != row.want {
			t.Errorf("%s: the %d., want the %d.", row.name, got, row.want)
		}
	}
}

func TestWhoWasToldIsNotLookedAt(t *testing.T) {
	at := time.Date(2026, 5, 2, 8, 0, 0, 0, time.UTC)
	p := pace{}
	for i := range maxCommands + 1 {
		if p.over("ann", commentKey{1, i, ""}, at) {
			t.Errorf("command %d is too many", i+1)
		}
		p.take("ann", commentKey{1, i, ""}, at)
	}
	if !p.over("ann", commentKey{1, 99, ""}, at) || p.over("ann", commentKey{1, maxCommands, ""}, at) || p.over("ann", commentKey{1, 99, ""}, at.Add(paceOver)) {
		t.Error("the one after the last, the last one itself, or one when it is over")
	}
}

func TestPaceIsBounded(t *testing.T) {
	at := time.Date(2026, 5, 2, 8, 0, 0, 0, time.UTC)
	p := pace{}
	for i := range 5 * maxPaces {
		p.take(fmt.Sprint("sock", i), commentKey{1, i, ""}, at)
		if i%10 == 0 {
			at = at.Add(time.Second)
		}
	}
	if len(p) > maxPaces {
		t.Errorf("%d people are remembered", len(p))
	}
}
