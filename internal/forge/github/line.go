package github

import (
	"context"
	"slices"
)

// maxConcurrent is how many requests GitHub takes at once, over REST and GraphQL together. One of them is kept for the write that may
// be under way: no status waits for reads.
const (
	maxConcurrent = 100
	maxReading    = maxConcurrent - 1
)

// A waiter is a request that was not sent yet. It stands in line from the start, also while it sleeps until a window has room.
type waiter struct {
	sent     request
	resource string
	arrival  int
	turn     chan struct{} // holds one token: look again

	content *charge // once it was sent
	points  *charge
}

// A lane is what requests have in common that wait for the same.
type lane struct {
	writes   bool
	resource string
}

func (w *waiter) lane() lane { return lane{w.sent.writes(), w.resource} }

// before orders a line: what is more important first, and what waits longest among its like.
func (w *waiter) before(other *waiter) bool {
	if w.sent.priority != other.sent.priority {
		return w.sent.priority > other.sent.priority
	}
	return w.arrival < other.arrival
}

// await waits until it is worth looking again.
func (w *waiter) await(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-w.turn:
		return nil
	}
}

// A line is who waits, and who was let through and is not back. The first of each lane is the one that looks whether it may go;
// those behind are told when they have become the first. It is guarded by the lock of its Limits.
type line struct {
	waiting  []*waiter // in order
	arrivals int
	reading  int
	writing  bool // writes go one after another
}

func (l *line) enter(w *waiter) {
	l.arrivals++
	w.arrival = l.arrivals
	at, _ := slices.BinarySearchFunc(l.waiting, w, func(a, b *waiter) int {
		if a.before(b) {
			return -1
		}
		return 1
	})
	l.waiting = slices.Insert(l.waiting, at, w)
}

// drop takes a waiter out of the line, for good.
func (l *line) drop(w *waiter) {
	l.waiting = slices.DeleteFunc(l.waiting, func(other *waiter) bool { return other == w })
	l.wake()
}

// ahead are those that go before w.
func (l *line) ahead(w *waiter) (ahead []*waiter) {
	for _, other := range l.waiting {
		if other == w {
			break
		}
		if other.lane() == w.lane() {
			ahead = append(ahead, other)
		}
	}
	return ahead
}

// free says whether there is room for one more request of that kind.
func (l *line) free(w *waiter) bool {
	if w.sent.writes() {
		return !l.writing
	}
	return l.reading < maxReading
}

// pass lets w through.
func (l *line) pass(w *waiter) {
	if w.sent.writes() {
		l.writing = true
	} else {
		l.reading++
	}
	l.drop(w)
}

// back notes that what was let through was answered.
func (l *line) back(w *waiter) {
	if w.sent.writes() {
		l.writing = false
	} else {
		l.reading--
	}
	l.wake()
}

// wake tells the first of each lane to look again.
func (l *line) wake() {
	told := map[lane]bool{}
	for _, w := range l.waiting {
		if told[w.lane()] {
			continue
		}
		told[w.lane()] = true
		select {
		case w.turn <- struct{}{}:
		default: // It was told already.
		}
	}
}
