package github

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

// What GitHub lets one account create before it refuses for a while
// (https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits).
const (
	contentPerMinute = 80
	contentPerHour   = 500
	leastPause       = time.Minute // when GitHub does not say how long
	longestPause     = 15 * time.Minute
	maxResources     = 50 // GitHub has about ten
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

// Limits are what GitHub counts together: the requests of one token or of one installation of an App. Writes go one after another,
// at most 80 in a minute and 500 in an hour, the last ones of which are kept for statuses and merges; so are the last requests of
// GitHub's own windows. When GitHub says to wait, nothing is sent until then. With them are kept the answers that GitHub does not count
// when they still hold, for all readers. The zero value is not usable, see [NewLimits].
type Limits struct {
	answers cache
	writing chan struct{} // holds one token; whoever has it may write

	mu      sync.Mutex
	created []time.Time          // of writes in the last hour, oldest first
	until   map[string]time.Time // by resource: nothing is sent before; "" holds for all
	low     map[string]lowWindow // by resource: windows of which little is left
	strikes int                  // refusals in a row for which GitHub named no time
}

// NewLimits returns limits of which nothing is used up.
func NewLimits() *Limits {
	l := &Limits{writing: make(chan struct{}, 1), until: map[string]time.Time{}, low: map[string]lowWindow{}}
	l.writing <- struct{}{}
	return l
}

// admit waits until a request may be sent, and returns what must be called when it has been answered. A wait that is long is left
// to the caller: the error wraps promote.ErrLimited and says how long.
func (l *Limits) admit(ctx context.Context, c *caller, sent request) (done func(), err error) {
	for range forge.MaxRereads {
		if wait := l.wait(c.now(), c.resource(sent), sent); wait > 0 {
			if wait > forge.LongestWait {
				return nil, c.wire.NotSent(sent.String(), wait)
			}
			if err := c.pause(ctx, wait); err != nil {
				return nil, &promote.APIError{Service: service, Operation: sent.String(), Cause: err}
			}
		}
	}
	if !sent.writes() {
		return func() {}, nil
	}
	select {
	case <-ctx.Done():
		return nil, &promote.APIError{Service: service, Operation: sent.String(), Cause: ctx.Err()}
	case <-l.writing:
	}
	if wait := l.reserve(c.now(), c.resource(sent), sent); wait > 0 {
		l.writing <- struct{}{}
		return nil, c.wire.NotSent(sent.String(), wait)
	}
	return func() { l.writing <- struct{}{} }, nil
}

// wait is how long sent has to wait at a time.
func (l *Limits) wait(now time.Time, resource string, sent request) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waitLocked(now, resource, sent)
}

// reserve is wait for a write that is sent now if it need not wait.
func (l *Limits) reserve(now time.Time, resource string, sent request) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	wait := l.waitLocked(now, resource, sent)
	if wait == 0 {
		l.created = append(l.created, now)
	}
	return wait
}

func (l *Limits) waitLocked(now time.Time, resource string, sent request) time.Duration {
	wait := max(0, l.until[""].Sub(now), l.until[resource].Sub(now))
	if !sent.writes() {
		return wait
	}
	l.forget(now)
	kept := sent.priority.reserve()
	if low, ok := l.low[resource]; ok && low.hundredths <= kept/5 {
		wait = max(wait, low.reset.Sub(now))
	}
	return max(wait,
		l.full(now, time.Minute, contentPerMinute-contentPerMinute*kept/100),
		l.full(now, time.Hour, contentPerHour-contentPerHour*kept/100))
}

func (l *Limits) forget(now time.Time) {
	l.created = slices.DeleteFunc(l.created, func(at time.Time) bool { return now.Sub(at) >= time.Hour })
}

// full is how long it takes until fewer than most writes lie in the span that ends now.
func (l *Limits) full(now time.Time, span time.Duration, most int) time.Duration {
	if len(l.created) < most {
		return 0
	}
	return max(0, l.created[len(l.created)-most].Add(span).Sub(now))
}

// contentLeft is how many writes of the highest priority may be sent now.
func (l *Limits) contentLeft(now time.Time) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget(now)
	lastMinute := 0
	for _, at := range l.created {
		if now.Sub(at) < time.Minute {
			lastMinute++
		}
	}
	return max(0, min(contentPerMinute-lastMinute, contentPerHour-len(l.created)))
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
		return "graphql"
	}
	return "core"
}
