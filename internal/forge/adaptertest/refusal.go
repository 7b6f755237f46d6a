package adaptertest

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lockkeeper/lockkeeper/promote"
)

// Refused checks that err is the wanted refusal, which stands for is, and does not show a token.
func Refused(t testing.TB, want promote.APIError, is, err error, token string) {
	t.Helper()
	got, ok := errors.AsType[*promote.APIError](err)
	if !ok {
		t.Fatalf("got %T %v", err, err)
	}
	if diff := cmp.Diff(want, *got, cmpopts.EquateErrors()); diff != "" {
		t.Error(diff)
	}
	if is != nil && !errors.Is(err, is) {
		t.Errorf("%v is not %v", err, is)
	}
	if strings.Contains(err.Error(), token) {
		t.Errorf("the error shows the token: %v", err)
	}
}

// RereadsBoundedly lets a read fail in all ways before its good answer. failed are answers of the forge's own that are failures.
func RereadsBoundedly(t *testing.T, read func(t *testing.T, answers []Answer) (*Server, error), good Answer, failed ...Answer) {
	t.Helper()
	busy := func(seconds string) Answer {
		return Answer{Status: http.StatusTooManyRequests, Body: "{}", Header: map[string]string{"Retry-After": seconds}}
	}
	type row struct {
		name    string
		answers []Answer
		waits   []time.Duration // at least; up to a half more
		fails   bool
	}
	rows := []row{
		{"at once", []Answer{good}, nil, false},
		{"after a 502", []Answer{{Status: 502}, good}, []time.Duration{250 * time.Millisecond}, false},
		{"after a broken connection", []Answer{{}, good}, []time.Duration{250 * time.Millisecond}, false},
		{"as late as the forge asks", []Answer{busy("3"), good}, []time.Duration{3 * time.Second}, false},
		{"not when the forge asks for too long", []Answer{busy("60")}, nil, true},
		{"three times in all", []Answer{{Status: 503}, {Status: 503}, {Status: 503}}, []time.Duration{250 * time.Millisecond, 500 * time.Millisecond}, true},
		{"not when it is refused for good", []Answer{{Status: 403}}, nil, true},
	}
	for _, answer := range failed {
		rows = append(rows, row{"after a failure inside of an answer", []Answer{answer, good}, []time.Duration{250 * time.Millisecond}, false})
	}
	for _, test := range rows {
		t.Run(test.name, func(t *testing.T) {
			s, err := read(t, test.answers)
			if (err != nil) != test.fails {
				t.Errorf("got %v", err)
			}
			asked := func(wait, least time.Duration) bool { return wait >= least && wait <= least*3/2 }
			if !slices.EqualFunc(s.Waits, test.waits, asked) {
				t.Errorf("waited %v, want %v to a half more", s.Waits, test.waits)
			}
		})
	}
}

// Hangs makes calls to a forge that never answers: each ends by its timeout, and is not made again.
func Hangs(t *testing.T, title string, calls func(url string, timeout time.Duration) map[string]func() error) {
	t.Helper()
	var asked atomic.Int32
	released := make(chan struct{})
	url := Listen(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		select {
		case <-r.Context().Done():
		case <-released:
		}
	}))
	defer close(released)
	for name, call := range calls(url, 200*time.Millisecond) {
		asked.Store(0)
		err := call()
		api, ok := errors.AsType[*promote.APIError](err)
		if !ok || api.Status != 0 || !errors.Is(err, context.DeadlineExceeded) || api.Remedy != title+" did not answer within 200ms; it is tried again later" {
			t.Errorf("%s: got %v", name, err)
		}
		if asked.Load() != 1 {
			t.Errorf("%s: asked %d times", name, asked.Load())
		}
	}
}

// None checks the error of an answer that is none: its status, which is 0 when it did not arrive whole, and a part of its text.
func None(t testing.TB, status int, text string, err error) {
	t.Helper()
	api, ok := errors.AsType[*promote.APIError](err)
	if !ok || api.Status != status || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v", err)
	}
}

// Elsewhere is the URL of a host that nobody may ask.
func Elsewhere(t testing.TB) string {
	t.Helper()
	return Listen(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect to another host was followed") }))
}
