package adaptertest

import (
	"context"
	"sync"
	"time"
)

// A Clock is the time of a forge and of the adapter on it. It moves when somebody sleeps, at once, and by Tick with each look.
type Clock struct {
	At    time.Time
	Tick  time.Duration // so that nothing happens at the same time as something else
	Waits []time.Duration

	mu sync.Mutex
}

// NewClock returns a clock that ticks, or stands still until somebody sleeps when tick is 0.
func NewClock(tick time.Duration) *Clock {
	return &Clock{At: time.Date(2026, 9, 4, 8, 0, 0, 0, time.UTC), Tick: tick}
}

// Now is the time after a tick.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.At = c.At.Add(c.Tick)
	return c.At
}

// Peek is the time, which does not move for it.
func (c *Clock) Peek() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.At
}

// Skip lets time pass.
func (c *Clock) Skip(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.At = c.At.Add(d)
}

// Sleep lets time pass at once, and notes it.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Waits = append(c.Waits, d)
	c.At = c.At.Add(d)
	return ctx.Err()
}
