package forge_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/forge"
)

func TestClock(t *testing.T) {
	now := time.Date(2026, 11, 26, 20, 0, 0, 900_000_000, time.UTC)
	var clock forge.Clock
	if ahead, known := clock.Ahead(); ahead != 0 || known {
		t.Errorf("before the first answer: %s, %t", ahead, known)
	}
	for _, test := range []struct {
		name, date string
		want       time.Duration
		known      bool
	}{
		{"an answer without a time", "", 0, false},
		{"no time", "yesterday", 0, false},
		{"the same second", "Thu, 26 Nov 2026 20:00:00 GMT", 0, true},
		{"two hours ahead", "Thu, 26 Nov 2026 22:00:00 GMT", 2 * time.Hour, true},
		{"a later answer without a time", "", 2 * time.Hour, true},
		{"behind", "Thu, 26 Nov 2026 19:59:00 GMT", -time.Minute, true},
	} {
		clock.Note(http.Header{"Date": {test.date}}, now)
		if ahead, known := clock.Ahead(); ahead != test.want || known != test.known {
			t.Errorf("%s: %s, %t, want %s, %t", test.name, ahead, known, test.want, test.known)
		}
	}
}
