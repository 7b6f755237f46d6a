package reconcile

import (
	"errors"
	"testing"
	"time"
)

func TestWhatWasSaidIsRecalledForAMinute(t *testing.T) {
	start := time.Date(2026, 5, 2, 8, 0, 0, 0, time.UTC)
	known := map[string]said[int]{}
	asked := 0
	ask := func() (int, error) { asked++; return asked, nil }
	for _, row := range []struct {
		name string
		at   time.Duration
		ask  func() (int, error)
		want int
	}{
		{"the first time", 0, ask, 1},
		{"soon after", 59 * time.Second, ask, 1},
		{"when it is over", time.Minute, ask, 2},
		{"when the clock went back", 0, ask, 3},
		{"what failed is not remembered", time.Hour, func() (int, error) { return 9, errors.New("no answer") }, 0},
		{"and asked again", time.Hour, ask, 4},
	} {
		got, _ := recall(known, "ann", start.Add(row.at), row.ask)
		if got != row.want {
			t.Errorf("%s: %d, want %d", row.name, got, row.want)
		}
	}
	for i := range 3 * maxStandings {
		if _, err := recall(known, time.Duration(i).String(), start, ask); err != nil || len(known) > maxStandings {
			t.Fatalf("%d answers are remembered: %v", len(known), err)
		}
	}
}
