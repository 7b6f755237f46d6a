package gitlab

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	// notesPerMinute is what gitlab.com lets one user write; a self-managed GitLab lets more unless somebody set it lower.
	notesPerMinute = 60
	leastPause     = time.Minute      // when GitLab refuses and does not say how long
	longestPause   = 15 * time.Minute // whatever GitLab's clock says
)

// A priority says what goes on when requests run short: what gates a merge before what makes or merges a change, before words.
type priority int

const (
	wordPriority priority = iota + 1
	changePriority
	statusPriority
)

// reserve is how many hundredths of GitLab's window are kept for higher priorities.
func (p priority) reserve() int {
	switch p {
	case statusPriority:
		return 0
	case wordPriority:
		return 20
	case changePriority:
	}
	return 5
}

// Limits are what GitLab counts together: the requests of one token (https://docs.gitlab.com/security/rate_limits/). When a window
// comes to its end, words wait for the next one before changes do, and those before statuses; when GitLab refuses, nothing is sent
// for as long as it says. Forges of the same token should share them. The zero value has nothing used up.
type Limits struct {
	mu     sync.Mutex
	notes  []time.Time          // that were written in the last minute, oldest first
	until  map[string]time.Time // by operation: it is not asked for before; "" holds for all
	limit  int                  // of the window; 0: GitLab did not say
	left   int                  // in the window
	window time.Time            // its end
}

// admit waits until a request may be sent. A wait that is long is left to the caller: the error wraps promote.ErrLimited and says
// how long.
func (f *Forge) admit(ctx context.Context, sent request) error {
	wait := f.limits.take(f.now(), sent)
	if wait > 0 && wait <= forge.LongestWait {
		if err := f.pause(ctx, wait); err != nil {
			return &promote.APIError{Service: service, Operation: sent.String(), Cause: err}
		}
		wait = f.limits.take(f.now(), sent)
	}
	if wait > 0 {
		return f.wire.NotSent(sent.String(), wait)
	}
	return nil
}

// take is how long a request has to wait; one that need not is counted.
func (l *Limits) take(now time.Time, sent request) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	wait := max(0, l.until[""].Sub(now), l.until[sent.name].Sub(now))
	if l.limit > 0 && l.left <= l.limit*sent.priority.reserve()/100 {
		wait = max(wait, l.window.Sub(now))
	}
	if sent.makesNote() {
		l.notes = slices.DeleteFunc(l.notes, func(at time.Time) bool { return now.Sub(at) >= time.Minute })
		if len(l.notes) >= notesPerMinute {
			wait = max(wait, l.notes[len(l.notes)-notesPerMinute].Add(time.Minute).Sub(now))
		}
	}
	if wait == 0 {
		l.left--
		if sent.makesNote() {
			l.notes = append(l.notes, now)
		}
	}
	return wait
}

// learn takes from an answer what is left, and how long nothing is to be sent. A refusal that names no time is that of one
// operation, such as writing notes: GitLab counts some by themselves, and does not say when they may go on.
func (l *Limits) learn(now time.Time, kept *forge.Exchange) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if kept.Status == http.StatusTooManyRequests {
		which, pause := "", retryAfter(kept, now)
		if pause == 0 {
			which, pause = kept.Name, leastPause
		}
		if l.until == nil {
			l.until = map[string]time.Time{}
		}
		l.until[which] = now.Add(min(pause, longestPause))
	}
	limit, limitErr := strconv.Atoi(kept.Header.Get("RateLimit-Limit"))
	left, leftErr := strconv.Atoi(kept.Header.Get("RateLimit-Remaining"))
	reset, resetErr := strconv.ParseInt(kept.Header.Get("RateLimit-Reset"), 10, 64)
	if limitErr != nil || leftErr != nil || resetErr != nil || limit <= 0 || left < 0 {
		return // projects, groups and users leave them out
	}
	end := time.Unix(reset, 0)
	if end.After(now.Add(longestPause)) {
		return // one of the clocks is wrong
	}
	l.limit, l.left, l.window = limit, left, end
}

func (r request) makesNote() bool { return r.method == http.MethodPost && r.name == "add note" }
