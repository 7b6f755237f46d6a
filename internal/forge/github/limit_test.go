package github

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/internal/forge/adaptertest"
	"github.com/lockkeeper/lockkeeper/promote"
)

// write is a request that creates content.
func write(p priority) request { return request{name: "write", method: "POST", priority: p} }

// read is a request that does not.
func read() request { return request{name: "read", method: "GET"} }

// spend sends a request and has it answered at once, unless it has to wait.
func spend(l *Limits, now time.Time, resource string, sent request) (wait time.Duration) {
	w := l.enter(sent, resource)
	wait, admitted := l.try(now, w)
	if !admitted {
		l.giveUp(w)
		return wait
	}
	l.leave(now, w)
	return 0
}

// waits is how long a request would have to wait.
func waits(l *Limits, now time.Time, resource string, sent request) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wait(now, &waiter{sent: sent, resource: resource}, nil)
}

func TestPrioritiesShareTheBudget(t *testing.T) {
	for _, test := range []struct {
		name     string
		priority priority
		inMinute int
		inHour   int
	}{
		{"comments leave the last quarter", commentPriority, 60, 375},
		{"merges leave the last tenth", mergePriority, 72, 450},
		{"statuses take all", statusPriority, 80, 500},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := NewLimits()
			sent := 0
			for spend(l, testNow, "core", write(test.priority)) == 0 {
				sent++
			}
			if sent != test.inMinute {
				t.Errorf("%d in a minute, want %d", sent, test.inMinute)
			}
			if wait := waits(l, testNow, "core", write(test.priority)); wait != time.Minute {
				t.Errorf("waits %v", wait)
			}
			if left := l.contentLeft(testNow); left != contentPerMinute-sent {
				t.Errorf("%d left", left)
			}
			at := testNow
			for range 100 {
				at = at.Add(time.Minute)
				if at.Sub(testNow) >= time.Hour {
					break
				}
				for spend(l, at, "core", write(test.priority)) == 0 {
					sent++
				}
			}
			if sent != test.inHour {
				t.Errorf("%d in an hour, want %d", sent, test.inHour)
			}
			if wait := waits(l, testNow.Add(time.Hour), "core", write(test.priority)); wait != 0 {
				t.Errorf("after an hour it waits %v", wait)
			}
			if wait := waits(l, testNow, "core", request{method: "GET"}); wait != 0 {
				t.Errorf("a read waits %v", wait)
			}
		})
	}
}

func TestAWriteThatWouldExceedTheBudgetIsNotSent(t *testing.T) {
	limits := NewLimits()
	for range 60 {
		spend(limits, testNow, "core", write(statusPriority))
	}
	f, s := play(t, map[string][]answer{"POST …/statuses/" + string(head): {created(`{}`)}}, func(cfg *Config) { cfg.Limits = limits })
	_, err := f.AddNote(t.Context(), 7, "text")
	api, ok := errors.AsType[*promote.APIError](err)
	if !ok || !errors.Is(err, promote.ErrLimited) || api.RetryAfter != time.Minute || !api.Temporary() {
		t.Errorf("got %v", err)
	}
	want := "github: add note to change 7: HTTP 429: not sent, GitHub's limits allow it again in 1m0s; it is tried again then"
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	if err := f.PostStatus(t.Context(), gates(promote.StatusPending)); err != nil {
		t.Errorf("a status goes on: %v", err)
	}
	if diff := cmp.Diff([]string{"POST …/statuses/" + string(head)}, s.Routes()); diff != "" {
		t.Error(diff)
	}
	if got := s.calls[0].ContentLeft; got != 19 {
		t.Errorf("%d left", got)
	}
}

func TestAShortWaitIsWaited(t *testing.T) {
	limits := NewLimits()
	for range 60 {
		spend(limits, testNow.Add(-55*time.Second), "core", write(statusPriority))
	}
	f, s := play(t, map[string][]answer{"POST …/issues/7/comments": {created(`{"id":1}`)}}, func(cfg *Config) { cfg.Limits = limits })
	if _, err := f.AddNote(t.Context(), 7, "text"); err != nil {
		t.Error(err)
	}
	if len(s.Waits) != 1 || s.Waits[0] < 5*time.Second {
		t.Errorf("waited %v", s.Waits)
	}
}

// TestALimitHoldsForAllThatShareIt: GitHub blocks for longer who goes on asking.
func TestALimitHoldsForAllThatShareIt(t *testing.T) {
	limits := NewLimits()
	share := func(cfg *Config) { cfg.Limits = limits }
	f, _ := play(t, map[string][]answer{"GET …/pulls": {{Status: 403, Body: `{"message":"You have exceeded a secondary rate limit"}`, Header: map[string]string{"Retry-After": "120"}}}}, share)
	_, err := f.ChangesFrom(t.Context(), "x")
	if !errors.Is(err, promote.ErrLimited) {
		t.Errorf("got %v", err)
	}
	second, s := play(t, map[string][]answer{"Change": {ok(changeJSON(t, nil))}}, share)
	for _, call := range []func() error{
		func() error { _, err := second.Change(t.Context(), 7); return err },
		func() error { return second.Update(t.Context(), 7, promote.ChangeEdit{}) },
	} {
		err := call()
		api, ok := errors.AsType[*promote.APIError](err)
		if !ok || !errors.Is(err, promote.ErrLimited) || api.RetryAfter != 2*time.Minute {
			t.Errorf("got %v", err)
		}
	}
	if len(s.Got) != 0 {
		t.Errorf("asked %v", s.Routes())
	}
	s.At = testNow.Add(2 * time.Minute)
	if _, err := second.Change(t.Context(), 7); err != nil {
		t.Error(err)
	}
}

// TestALimitThatGraphQLTellsHoldsForAll: it comes with status 200.
func TestALimitThatGraphQLTellsHoldsForAll(t *testing.T) {
	reset := fmt.Sprint(testNow.Add(10 * time.Minute).Unix())
	secondary := `"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."`
	for _, test := range []struct {
		name  string
		body  string
		after map[string]string
		want  time.Duration
		rest  time.Duration
	}{
		{"the points of an hour", `{"errors":[{"type":"RATE_LIMITED","message":"API rate limit exceeded"}]}`, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset, "X-RateLimit-Resource": "graphql"}, 10 * time.Minute, 0},
		{"a secondary limit", `{"errors":[{` + secondary + `}]}`, map[string]string{"Retry-After": "120"}, 2 * time.Minute, 2 * time.Minute},
		{"a secondary limit that names no time", `{"data":null,"errors":[{` + secondary + `}]}`, nil, time.Minute, time.Minute},
		{"in the form of REST", `{` + secondary + `}`, nil, time.Minute, time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, s := play(t, map[string][]answer{"Change": {{Status: 200, Body: test.body, Header: test.after}}})
			for range 2 { // The second is not sent.
				_, err := f.Change(t.Context(), 7)
				if api, ok := errors.AsType[*promote.APIError](err); !ok || !errors.Is(err, promote.ErrLimited) || api.Status != 429 || api.RetryAfter != test.want {
					t.Errorf("got %v", err)
				}
			}
			limits := f.credential.(*tokenCredential).limits
			if wait := waits(limits, s.Now(), coreResource, read()); wait != test.rest {
				t.Errorf("REST waits %v", wait)
			}
		})
	}
}

func TestOneWindowThatIsUsedUpLeavesTheOthers(t *testing.T) {
	reset := fmt.Sprint(testNow.Add(10 * time.Minute).Unix())
	f, s := play(t, map[string][]answer{
		"GET …/pulls": {{Status: 200, Body: "[]", Header: map[string]string{
			"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset, "X-RateLimit-Resource": "core",
		}}},
		"Change": {ok(changeJSON(t, nil))},
	})
	if _, err := f.ChangesFrom(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	_, err := f.ChangesFrom(t.Context(), "x")
	if api, ok := errors.AsType[*promote.APIError](err); !ok || api.RetryAfter != 10*time.Minute {
		t.Errorf("got %v", err)
	}
	if _, err := f.Change(t.Context(), 7); err != nil {
		t.Errorf("GraphQL has a window of its own: %v", err)
	}
	want := []Call{
		{Operation: "list changes", Method: "GET", Status: 200, Resource: "core", RateRemaining: 0, ContentLeft: 80, API: "rest", PointsLeft: 899},
		{Operation: "read change", Method: "POST", Status: 200, RateRemaining: -1, ContentLeft: 80, API: "graphql", PointsLeft: 1999},
	}
	if diff := cmp.Diff(want, s.calls); diff != "" {
		t.Error(diff)
	}
}

// TestTheLastRequestsOfAWindowAreKept: GitHub lets a token make so many requests in an hour, reads among them.
func TestTheLastRequestsOfAWindowAreKept(t *testing.T) {
	rate := func(left int) http.Header {
		return http.Header{"X-Ratelimit-Limit": {"5000"}, "X-Ratelimit-Remaining": {fmt.Sprint(left)}, "X-Ratelimit-Reset": {fmt.Sprint(testNow.Add(20 * time.Minute).Unix())}}
	}
	for _, test := range []struct {
		left                   int
		comment, merge, status time.Duration
	}{
		{400, 0, 0, 0},
		{250, 20 * time.Minute, 0, 0},
		{100, 20 * time.Minute, 20 * time.Minute, 0},
		{60, 20 * time.Minute, 20 * time.Minute, 0},
	} {
		l := NewLimits()
		l.learn(testNow, "core", answered(200, rate(test.left)))
		for p, want := range map[priority]time.Duration{commentPriority: test.comment, mergePriority: test.merge, statusPriority: test.status} {
			if got := waits(l, testNow, "core", write(p)); got != want {
				t.Errorf("%d left, priority %d: waits %v, want %v", test.left, p, got, want)
			}
		}
		if got := waits(l, testNow, "core", request{method: "GET"}); got != 0 {
			t.Errorf("%d left: a read waits %v", test.left, got)
		}
		l.learn(testNow, "core", answered(200, rate(5000)))
		if got := waits(l, testNow, "core", write(commentPriority)); got != 0 {
			t.Errorf("a full window: waits %v", got)
		}
	}
}

func answered(status int, header http.Header) *exchange {
	return &exchange{Exchange: forge.Exchange{Status: status, Header: header}}
}

// TestACredentialThatIsNotTakenHasNoWindow: GitHub counts it with all who ask from this address without one, 60 in an hour.
func TestACredentialThatIsNotTakenHasNoWindow(t *testing.T) {
	l := NewLimits()
	reset := fmt.Sprint(testNow.Add(50 * time.Minute).Unix())
	l.learn(testNow, "core", answered(401, http.Header{
		"X-Ratelimit-Limit": {"60"}, "X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {reset}, "X-Ratelimit-Resource": {"core"},
	}))
	for _, sent := range []request{{method: "GET"}, write(commentPriority), write(statusPriority)} {
		if wait := waits(l, testNow, "core", sent); wait != 0 {
			t.Errorf("%s waits %v", sent.method, wait)
		}
	}
}

func TestPausesGrowWhenGitHubNamesNoTime(t *testing.T) {
	limits := NewLimits()
	at := testNow
	var got []time.Duration
	for range 6 {
		kept := answered(429, nil)
		limits.learn(at, "core", kept)
		got = append(got, kept.wait)
	}
	limits.learn(at, "core", answered(200, nil))
	kept := answered(429, nil)
	limits.learn(at, "core", kept)
	got = append(got, kept.wait)
	want := []time.Duration{1, 2, 4, 8, 15, 15, 1}
	for i := range want {
		want[i] *= time.Minute
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAClockThatIsWrongDoesNotStopEverything(t *testing.T) {
	header := map[string][]string{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {fmt.Sprint(testNow.Add(100 * time.Hour).Unix())}}
	if got := rateReset(header, testNow); got != time.Hour {
		t.Errorf("waits %v", got)
	}
	header["X-Ratelimit-Reset"] = []string{fmt.Sprint(testNow.Add(-time.Hour).Unix())}
	if got := rateReset(header, testNow); got != time.Second {
		t.Errorf("waits %v", got)
	}
}

func TestAnAnswerThatHoldsIsNotCounted(t *testing.T) {
	first := answer{Status: 200, Body: "[" + pullJSON(t, nil) + "]", Header: map[string]string{"ETag": `W/"abc"`, "X-RateLimit-Remaining": "9"}}
	f, s := play(t, map[string][]answer{"GET …/pulls": {
		first, {Status: 304, Header: map[string]string{"X-RateLimit-Remaining": "9"}}, {Status: 304}, ok("[]"),
	}})
	for i, want := range []int{1, 1, 1, 0} {
		got, err := f.ChangesFrom(t.Context(), "x")
		if err != nil || len(got) != want {
			t.Errorf("call %d: got %d, %v", i, len(got), err)
		}
	}
	var statuses []int
	for _, call := range s.calls {
		statuses = append(statuses, call.Status)
	}
	if diff := cmp.Diff([]int{200, 304, 304, 200}, statuses); diff != "" {
		t.Error(diff)
	}
}

// TestAnAnswerThatHoldsTellsTheTimeOfNow: what is kept of it was sent at another time.
func TestAnAnswerThatHoldsTellsTheTimeOfNow(t *testing.T) {
	date := func(after time.Duration) string { return testNow.Add(after).Format(http.TimeFormat) }
	f, s := play(t, map[string][]answer{"GET …/pulls": {
		{Status: 200, Body: "[]", Header: map[string]string{"ETag": `W/"abc"`, "Date": date(0)}},
		{Status: 304, Header: map[string]string{"Date": date(time.Hour)}},
	}})
	for range 2 {
		if _, err := f.ChangesFrom(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
		if ahead, known := f.wire.Clock.Ahead(); ahead != 0 || !known {
			t.Errorf("ahead %v, %t", ahead, known)
		}
		s.Skip(time.Hour)
	}
}

// TestAnswersAreSharedByAllReaders: forges of one token, or of one installation, ask GitHub whether what any of them was told holds.
func TestAnswersAreSharedByAllReaders(t *testing.T) {
	members := "GET /orgs/acme/teams/release/memberships/ann"
	fresh := answer{Status: 200, Body: `{"state":"active"}`, Header: map[string]string{"ETag": `W/"abc"`}}
	for _, test := range []struct {
		name   string
		shared *Limits
		want   []int
	}{
		{"of one token", NewLimits(), []int{200, 304}},
		{"each with limits of its own", nil, []int{200, 200}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newServer(t, map[string][]answer{members: {fresh, fresh}})
			if test.shared != nil {
				s.Script[members][1] = answer{Status: 304}
			}
			at := adaptertest.Listen(t, s)
			for _, repository := range []string{"acme/shop", "acme/web"} {
				f, err := New(Config{URL: at, Repository: repository, Token: testToken, Limits: test.shared, Observe: s.observe})
				if err != nil {
					t.Fatal(err)
				}
				if in, err := f.InGroup(t.Context(), "acme/release", "ann"); err != nil || !in {
					t.Errorf("%s: got %t, %v", repository, in, err)
				}
			}
			var statuses []int
			for _, call := range s.calls {
				statuses = append(statuses, call.Status)
			}
			if diff := cmp.Diff(test.want, statuses); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatIsCached(t *testing.T) {
	c := &cache{}
	for i := range maxCached + 5 {
		c.put(&cachedAnswer{key: fmt.Sprint(i), body: []byte("x")})
	}
	if _, ok := c.find("0"); ok || c.order.Len() != maxCached || c.bytes != maxCached || len(c.index) != maxCached {
		t.Errorf("%d answers of %d bytes", c.order.Len(), c.bytes)
	}
	large := strings.Repeat("x", maxCachedAnswer)
	for i := range 40 {
		c.put(&cachedAnswer{key: fmt.Sprint("large", i), body: []byte(large)})
	}
	if c.bytes > maxCachedBytes || c.order.Len() != 32 {
		t.Errorf("%d answers of %d bytes", c.order.Len(), c.bytes)
	}
	for i := range 40 {
		c.put(&cachedAnswer{key: fmt.Sprint("header", i), header: http.Header{"X": {large}}})
	}
	if c.bytes > maxCachedBytes || c.order.Len() != 31 {
		t.Errorf("%d answers of %d bytes", c.order.Len(), c.bytes)
	}
}

func TestALargeAnswerIsReadWholeAndNotKept(t *testing.T) {
	large := pullJSON(t, map[string]any{"body": strings.Repeat("x", maxCachedAnswer)})
	served := answer{Status: 200, Body: "[" + large + "]", Header: map[string]string{"ETag": `"abc"`}}
	f, _ := play(t, map[string][]answer{"GET …/pulls": {served, served}})
	for range 2 {
		got, err := f.ChangesFrom(t.Context(), "x")
		if err != nil || len(got) != 1 || len(got[0].Description) != maxCachedAnswer {
			t.Errorf("got %d, %v", len(got), err)
		}
	}
}
