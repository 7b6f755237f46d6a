package discover

import (
	"context"
	"sync"
	"time"
)

// shared asks once for everyone who wants to know the same at the same time, and for those who come within keep after the
// answer. Refusals are not kept. Unlike with x/sync/singleflight a caller who gives up does not take the others with him.
type shared[T any] struct {
	now     func() time.Time
	keep    time.Duration
	mu      sync.Mutex
	answers map[string]*answer[T]
	swept   time.Time
}

type answer[T any] struct {
	done      chan struct{} // closed when the other fields are set
	value     T
	err       error
	abandoned bool // whoever asked gave up: the answer says nothing
	at        time.Time
}

func newShared[T any](now func() time.Time, keep time.Duration) *shared[T] {
	return &shared[T]{now: now, keep: keep, answers: map[string]*answer[T]{}}
}

// get returns the answer of others, or that of ask. Callers must not change what they get.
func (s *shared[T]) get(ctx context.Context, key string, ask func(context.Context) (T, error)) (T, error) {
	for {
		a, mine := s.join(key)
		if mine {
			s.ask(ctx, key, a, ask)
			return a.value, a.err
		}
		select {
		case <-a.done:
			if !a.abandoned {
				return a.value, a.err
			}
		case <-ctx.Done():
			var none T
			return none, context.Cause(ctx)
		}
	}
}

// join returns the answer that is there or will be; mine, when the caller has to find it.
func (s *shared[T]) join(key string) (a *answer[T], mine bool) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.swept) >= s.keep {
		s.sweep(now)
	}
	if a, ok := s.answers[key]; ok && !s.stale(a, now) {
		return a, false
	}
	a = &answer[T]{done: make(chan struct{})}
	s.answers[key] = a
	return a, true
}

func (s *shared[T]) ask(ctx context.Context, key string, a *answer[T], ask func(context.Context) (T, error)) {
	defer close(a.done)
	a.abandoned = true // unless ask returns
	a.value, a.err = ask(ctx)
	a.at = s.now()
	a.abandoned = ctx.Err() != nil
	s.mu.Lock()
	defer s.mu.Unlock()
	if (a.err != nil || a.abandoned || s.keep <= 0) && s.answers[key] == a {
		delete(s.answers, key)
	}
}

// stale reports whether an answer is too old. A clock that goes back makes answers stale too.
func (s *shared[T]) stale(a *answer[T], now time.Time) bool {
	select {
	case <-a.done:
		age := now.Sub(a.at)
		return age < 0 || age >= s.keep
	default:
		return false
	}
}

func (s *shared[T]) sweep(now time.Time) {
	s.swept = now
	for key, a := range s.answers {
		if s.stale(a, now) {
			delete(s.answers, key)
		}
	}
}

// forget lets nobody have an answer that was asked for before.
func (s *shared[T]) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.answers)
}
