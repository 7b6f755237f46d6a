package bot

import (
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
)

// pause keeps a repository whose last run failed from being run again too soon.
type pause struct {
	until time.Time
	asked bool                       // a service asked for it
	kinds map[promote.EventKind]bool // of the events that the run had
	early int                        // attempts that broke pauses, which do not count for the events that waited already
	seen  int64                      // the newest event that broke it: each does so once
}

// brokenBy reports whether an event ends the pause at once. A comment always does, so that nobody who says "hold" is kept
// waiting. What is of another kind than what failed may well succeed; it waits only when a service asked for that.
func (p pause) brokenBy(kind promote.EventKind) bool {
	return kind == promote.EventComment || !p.asked && !p.kinds[kind]
}

// next is the pause after another failure. It never ends before the one that was broken.
func (p pause) next(failure error, attempt int, now time.Time, events []stored) pause {
	length, _ := retry(failure, attempt+p.early)
	next := pause{
		until: now.Add(length), asked: patient(failure), kinds: map[promote.EventKind]bool{}, early: p.early, seen: p.seen,
	}
	if p.until.After(next.until) {
		next.until, next.asked = p.until, p.asked
	}
	for _, e := range events {
		next.kinds[e.event.Kind] = true
	}
	return next
}

// pauses are those of all repositories. They are forgotten with the process.
type pauses struct {
	mu sync.Mutex
	of map[string]pause
}

// get returns the pause of a repository, and how long it still lasts; not more than 0 when there is none.
func (p *pauses) get(repository string) (pause, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := p.of[repository]
	return found, time.Until(found.until)
}

func (p *pauses) set(repository string, to pause) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.of[repository] = to
}

func (p *pauses) end(repository string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.of, repository)
}
