package github

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	leastPause   = time.Minute // when GitHub does not say how long
	longestPause = 15 * time.Minute
	maxResources = 50 // GitHub has about ten
	maxPauses    = 5  // of one request that finds no room
)

// A priority says which writes go on when the budget runs short: what gates a merge before what changes a change, before words.
type priority int

const (
	commentPriority priority = iota
	mergePriority
	statusPriority
)

// A lowWindow is one of GitHub's windows of which only some hundredths are left.
type lowWindow struct {
	hundredths int
	reset      time.Time
}

// reserve is how many hundredths of a budget are kept for higher priorities; of GitHub's own windows it is a fifth of that.
func (p priority) reserve() int {
	switch p {
	case statusPriority:
		return 0
	case mergePriority:
		return 10
	case commentPriority:
	}
	return 25
}

// reserve is how many hundredths of GitHub's points a request leaves to others. Reads have their part, too: without them nobody knows
// which status to post.
func (r request) reserve() int {
	if !r.writes() {
		return mergePriority.reserve()
	}
	return r.priority.reserve()
}

// Limits are what GitHub counts together: the requests of one token or of one installation of an App. At most 100 are under way, for
// 900 points in a minute over REST and 2,000 over GraphQL. Writes go one after another, at most 80 in a minute and 500 in an hour, the
// last ones of which are kept for statuses and merges; so are the last points, and the last requests of GitHub's own windows. When
// GitHub says to wait, nothing is sent until then. With them are kept the answers that GitHub does not count when they still hold, for
// all readers. The zero value is not usable, see [NewLimits].
type Limits struct {
	answers cache

	mu      sync.Mutex
	line    line
	created spending             // writes in the last hour, one point each
	spent   map[string]spending  // points in the last minute, by resource
	until   map[string]time.Time // by resource: nothing is sent before; "" holds for all
	low     map[string]lowWindow // by resource: windows of which little is left
	strikes int                  // refusals in a row for which GitHub named no time
}

// NewLimits returns limits of which nothing is used up.
func NewLimits() *Limits {
	return &Limits{spent: map[string]spending{}, until: map[string]time.Time{}, low: map[string]lowWindow{}}
}

// admit waits until a request may be sent, and returns what must be called when it has been answered. A wait that is long is left
// to the caller: the error wraps promote.ErrLimited and says how long.
func (l *Limits) admit(ctx context.Context, c *caller, sent request) (done func(), err error) {
	w := l.enter(sent, c.resource(sent))
	for pauses := 0; ; {
		wait, admitted := l.try(c.now(), w)
		switch {
		case admitted:
			return func() { l.leave(c.now(), w) }, nil
		case wait > forge.LongestWait || wait > 0 && pauses == maxPauses:
			l.giveUp(w)
			return nil, c.wire.NotSent(sent.String(), wait)
		case wait > 0:
			pauses++
			err = c.pause(ctx, wait)
		default:
			err = w.await(ctx)
		}
		if err != nil {
			l.giveUp(w)
			return nil, &promote.APIError{Service: service, Operation: sent.String(), Cause: err}
		}
	}
}

// enter puts a request in line. It goes with leave after try let it through, and with giveUp otherwise.
func (l *Limits) enter(sent request, resource string) *waiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := &waiter{sent: sent, resource: resource, turn: make(chan struct{}, 1)}
	l.line.enter(w)
	return w
}

// try lets a request through if it may go at a time. Otherwise wait is how long there is no room for it in a window; 0 when it is
// not its turn, of which it will be told.
func (l *Limits) try(now time.Time, w *waiter) (wait time.Duration, admitted bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ahead := l.line.ahead(w)
	if wait := l.wait(now, w, ahead); wait > 0 {
		return wait, false
	}
	if len(ahead) > 0 || !l.line.free(w) {
		return 0, false
	}
	w.points = &charge{at: now, points: w.sent.points(w.resource)}
	l.spent[w.resource] = append(l.spent[w.resource], w.points)
	if w.sent.writes() {
		w.content = &charge{at: now, points: 1}
		l.created = append(l.created, w.content)
	}
	l.line.pass(w)
	return 0, true
}

// leave notes that what was let through was answered.
func (l *Limits) leave(now time.Time, w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	spent := l.spent[w.resource]
	spent.date(w.points, now)
	l.spent[w.resource] = spent
	if w.content != nil {
		l.created.date(w.content, now)
	}
	l.line.back(w)
}

// giveUp takes a request out of the line that will not be sent.
func (l *Limits) giveUp(w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line.drop(w)
}

// wait is how long it takes until the windows have room for w and for those that go before it.
func (l *Limits) wait(now time.Time, w *waiter, ahead []*waiter) time.Duration {
	wait := max(0, l.until[""].Sub(now), l.until[w.resource].Sub(now))
	l.forget(now)
	needed := w.sent.points(w.resource)
	for _, other := range ahead {
		needed += other.sent.points(other.resource)
	}
	wait = max(wait, l.spent[w.resource].until(now, time.Minute, without(pointsPerMinute(w.resource), w.sent.reserve())-needed))
	if !w.sent.writes() {
		return wait
	}
	kept := w.sent.priority.reserve()
	if low, ok := l.low[w.resource]; ok && low.hundredths <= kept/5 {
		wait = max(wait, low.reset.Sub(now))
	}
	writes := 1 + len(ahead)
	return max(wait,
		l.created.until(now, time.Minute, without(contentPerMinute, kept)-writes),
		l.created.until(now, time.Hour, without(contentPerHour, kept)-writes))
}

// without is what of a budget is left when some hundredths are kept.
func without(most, hundredths int) int { return most - most*hundredths/100 }

func (l *Limits) forget(now time.Time) {
	l.created.forget(now, time.Hour)
	for resource, spent := range l.spent {
		spent.forget(now, time.Minute)
		l.spent[resource] = spent
	}
}

// contentLeft is how many writes of the highest priority may be sent now.
func (l *Limits) contentLeft(now time.Time) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(0, min(contentPerMinute-l.created.within(now, time.Minute), contentPerHour-l.created.within(now, time.Hour)))
}

// pointsLeft is how many points of an API may be spent now by the highest priority.
func (l *Limits) pointsLeft(now time.Time, resource string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(0, pointsPerMinute(resource)-l.spent[resource].within(now, time.Minute))
}

// learn takes from an answer how long nothing is to be sent, and notes it there. A credential that GitHub does not take is counted
// with all who ask from the same address without one: that window says nothing about the next credential.
func (l *Limits) learn(now time.Time, resource string, kept *exchange) {
	l.mu.Lock()
	defer l.mu.Unlock()
	asked, _ := forge.RetryAfter(kept.Header, now)
	asked = min(asked, window)
	reset := rateReset(kept.Header, now)
	if kept.Status == http.StatusUnauthorized {
		kept.wait = asked
		return
	}
	named := kept.Header.Get("X-Ratelimit-Resource")
	if named == "" {
		named = resource
	}
	l.noteLow(now, named, kept.Header)
	switch {
	case kept.Status == 0:
	case !limited(kept):
		kept.wait = asked
		l.strikes = 0
		if reset > 0 {
			l.block(named, now.Add(reset))
		}
	case asked > 0:
		kept.wait = asked
		l.block("", now.Add(asked))
	case reset > 0:
		kept.wait = reset
		l.block(named, now.Add(reset))
	default:
		kept.wait = min(leastPause<<min(l.strikes, 10), longestPause)
		l.strikes++
		l.block("", now.Add(kept.wait))
	}
}

// block sends nothing of a resource until a time. However many names a server makes up, few are kept.
func (l *Limits) block(resource string, until time.Time) {
	if len(l.until) >= maxResources {
		clear(l.until)
	}
	l.until[resource] = until
}

// noteLow remembers a window of which less than five hundredths are left, and forgets one that is full again.
func (l *Limits) noteLow(now time.Time, resource string, header http.Header) {
	left, most, reset := forge.Number(header, "X-Ratelimit-Remaining"), forge.Number(header, "X-Ratelimit-Limit"), forge.Number(header, "X-Ratelimit-Reset")
	if left < 0 || most <= 0 || reset < 0 {
		return
	}
	delete(l.low, resource)
	if hundredths := left * 100 / most; hundredths <= commentPriority.reserve()/5 && len(l.low) < maxResources {
		l.low[resource] = lowWindow{hundredths: hundredths, reset: now.Add(min(time.Unix(int64(reset), 0).Sub(now), window))}
	}
}

// limited tells a refusal for too many requests from the other meanings of 403.
func limited(kept *exchange) bool {
	switch kept.Status {
	case http.StatusTooManyRequests:
		return true
	case http.StatusForbidden:
		text := strings.ToLower(string(kept.Body))
		return kept.Header.Get("Retry-After") != "" || kept.Header.Get("X-Ratelimit-Remaining") == "0" ||
			strings.Contains(text, textRateLimit) || strings.Contains(text, textAbuse)
	case http.StatusUnprocessableEntity:
		return strings.Contains(string(kept.Body), textTooQuick)
	}
	return false
}

// window is how long GitHub counts. Nothing is waited for longer: a clock that differs from GitHub's, or a proxy that is wrong, must
// not end in waiting for days.
const window = time.Hour

// rateReset is how long it takes until a window ends of which nothing is left; 0 when something is.
func rateReset(header http.Header, now time.Time) time.Duration {
	if header.Get("X-Ratelimit-Remaining") != "0" {
		return 0
	}
	reset, err := strconv.ParseInt(header.Get("X-Ratelimit-Reset"), 10, 64)
	if err != nil {
		return 0
	}
	return min(max(time.Second, time.Unix(reset, 0).Sub(now)), window)
}

// resource is which of GitHub's windows a request is counted in.
func (c *caller) resource(sent request) string {
	if sent.path == c.endpoint.graphql {
		return graphqlResource
	}
	return coreResource
}
