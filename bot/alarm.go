package bot

import (
	"sync"
	"time"
)

// minWake keeps a plan that wants to be looked at again at once from becoming a hot loop.
const minWake = time.Second

// alarm rings once for each name, at the earliest time that was asked for. It is forgotten with the process: one that starts
// looks at everything.
type alarm struct {
	ring func(name string)

	mu      sync.Mutex
	stopped bool
	clocks  map[string]*clock
	ringing sync.WaitGroup
}

type clock struct {
	at    time.Time
	timer *time.Timer
}

func newAlarm(ring func(name string)) *alarm {
	return &alarm{ring: ring, clocks: map[string]*clock{}}
}

// set makes the alarm ring after a pause, unless it rings earlier anyway.
func (a *alarm) set(name string, after time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := time.Now().Add(after)
	old := a.clocks[name]
	if a.stopped || old != nil && !at.Before(old.at) {
		return
	}
	if old != nil {
		old.timer.Stop()
	}
	c := &clock{at: at}
	a.clocks[name] = c
	c.timer = time.AfterFunc(after, func() { a.due(name, c) })
}

// due rings, unless the clock was replaced while its timer fired.
func (a *alarm) due(name string, c *clock) {
	a.mu.Lock()
	if a.stopped || a.clocks[name] != c {
		a.mu.Unlock()
		return
	}
	delete(a.clocks, name)
	a.ringing.Add(1)
	a.mu.Unlock()
	defer a.ringing.Done()
	a.ring(name)
}

// stop ends all timers and returns when nothing rings any more.
func (a *alarm) stop() {
	a.mu.Lock()
	a.stopped = true
	for _, c := range a.clocks {
		c.timer.Stop()
	}
	clear(a.clocks)
	a.mu.Unlock()
	a.ringing.Wait()
}
