package forge

import (
	"net/http"
	"sync"
	"time"
)

// A Clock is how far that of a forge is from ours, as far as its answers say, refusals too. It may be used by many goroutines at once.
type Clock struct {
	mu    sync.Mutex
	ahead time.Duration
	known bool
}

// Note reads the time of an answer, which HTTP writes in whole seconds.
func (c *Clock) Note(header http.Header, now time.Time) {
	at, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead, c.known = at.Sub(now.Truncate(time.Second)), true
}

// Ahead is how far the forge's clock was ahead of ours in its last answer that named a time; known is false before.
func (c *Clock) Ahead() (ahead time.Duration, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ahead, c.known
}
