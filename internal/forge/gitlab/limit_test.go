package gitlab

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

func TestLimitsKeepTheLastRequestsForStatuses(t *testing.T) {
	words, changes, statuses := request{priority: wordPriority}, request{}, request{priority: statusPriority}
	for _, test := range []struct {
		left int
		want map[string]time.Duration
	}{
		{21, map[string]time.Duration{"words": 0, "changes": 0, "statuses": 0}},
		{20, map[string]time.Duration{"words": 30 * time.Second, "changes": 0, "statuses": 0}},
		{5, map[string]time.Duration{"words": 30 * time.Second, "changes": 30 * time.Second, "statuses": 0}},
		{0, map[string]time.Duration{"words": 30 * time.Second, "changes": 30 * time.Second, "statuses": 30 * time.Second}},
	} {
		got := map[string]time.Duration{}
		for name, sent := range map[string]request{"words": words, "changes": changes, "statuses": statuses} {
			l := &Limits{}
			l.learn(testNow, window(100, test.left, 30*time.Second))
			got[name] = l.take(testNow, sent)
			if l.take(testNow.Add(30*time.Second), sent) != 0 {
				t.Errorf("%s with %d left: still waits when the window is over", name, test.left)
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("with %d left: %s", test.left, diff)
		}
	}
}

func window(limit, left int, ends time.Duration) *forge.Exchange {
	header := http.Header{}
	header.Set("RateLimit-Limit", fmt.Sprint(limit))
	header.Set("RateLimit-Remaining", fmt.Sprint(left))
	header.Set("RateLimit-Reset", fmt.Sprint(testNow.Add(ends).Unix()))
	return &forge.Exchange{Status: 200, Header: header}
}

func TestLimitsLearn(t *testing.T) {
	refused := func(after string) *forge.Exchange {
		header := http.Header{}
		if after != "" {
			header.Set("Retry-After", after)
		}
		return &forge.Exchange{Name: "post status", Status: http.StatusTooManyRequests, Header: header}
	}
	odd := window(100, 0, 30*time.Second)
	odd.Header.Set("RateLimit-Limit", "many")
	for _, test := range []struct {
		name string
		kept *forge.Exchange
		want time.Duration
		own  bool // other operations go on
	}{
		{"an answer without limits", &forge.Exchange{Status: 200, Header: http.Header{}}, 0, false},
		{"no answer", &forge.Exchange{}, 0, false},
		{"GitLab asks to wait", refused("7"), 7 * time.Second, false},
		{"GitLab refuses one operation and does not say for how long", refused(""), leastPause, true},
		{"GitLab asks to wait for days", refused("999999"), longestPause, false},
		{"a window that ends in days", window(100, 0, 48*time.Hour), 0, false},
		{"a window that is over", window(100, 0, -time.Second), 0, false},
		{"limits that cannot be read", odd, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := &Limits{}
			l.learn(testNow, test.kept)
			if got := l.take(testNow, request{name: "post status", priority: statusPriority}); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			others := l.take(testNow, request{name: "read change", priority: statusPriority})
			if want := map[bool]time.Duration{false: test.want}[test.own]; others != want {
				t.Errorf("other operations wait %s, want %s", others, want)
			}
		})
	}
}

func TestNotesAreSpreadOverMinutes(t *testing.T) {
	const add = "POST " + project + "/merge_requests/7/notes"
	made := answer{Status: 201, Body: `{"id":1,"author":{"id":42}}`}
	f, s := play(t, map[string][]answer{add: slices.Repeat([]answer{made}, notesPerMinute+1)})
	for range notesPerMinute {
		if _, err := f.AddNote(t.Context(), 7, "text"); err != nil {
			t.Fatal(err)
		}
		s.At = s.At.Add(900 * time.Millisecond)
	}
	// The first one is 54 seconds old: the next one has six to wait.
	if _, err := f.AddNote(t.Context(), 7, "text"); err != nil || len(s.Waits) != 1 || s.Waits[0] < 6*time.Second {
		t.Errorf("got %v after waiting %v", err, s.Waits)
	}
}

func TestALongWaitIsLeftToTheCaller(t *testing.T) {
	f, s := play(t, map[string][]answer{"GET " + project: {{
		Status: 429, Body: "Retry later\n", Header: map[string]string{"Retry-After": "37", "Content-Type": "text/plain"},
	}}})
	if _, err := f.Settings(t.Context()); !errors.Is(err, promote.ErrLimited) {
		t.Fatalf("got %v", err)
	}
	_, err := f.AddNote(t.Context(), 7, "text")
	api, ok := errors.AsType[*promote.APIError](err)
	if !ok || api.RetryAfter != 37*time.Second || !api.Temporary() || len(s.Got) != 1 {
		t.Errorf("got %v after %v", err, s.Routes())
	}
	if want := "gitlab: add note to change 7: HTTP 429: not sent, GitLab's limits allow it again in 37s; it is tried again then"; err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestForgesOfOneTokenShareLimits(t *testing.T) {
	first, _ := play(t, map[string][]answer{"GET " + project: {{Status: 429, Header: map[string]string{"Retry-After": "37"}}}})
	second, s := play(t, nil)
	second.limits = first.limits
	_, _ = first.Settings(t.Context())
	if _, err := second.Settings(t.Context()); !errors.Is(err, promote.ErrLimited) || len(s.Got) != 0 {
		t.Errorf("got %v after %v", err, s.Routes())
	}
}
