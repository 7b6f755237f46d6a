package bot

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
)

// DefaultCatchUp is how often it is worth asking a forge for what webhooks did not say.
const DefaultCatchUp = time.Hour

const (
	// lookBack is how far back is asked at most: GitHub knows for so long what it sent.
	lookBack = 3 * 24 * time.Hour
	// firstLookBack is how far back is asked by a queue that does not know when it was asked last. What was commented longer ago
	// may have been meant for somebody else.
	firstLookBack = time.Hour
	// overlap is asked for twice: deliveries that were under way the last time, and clocks that differ.
	overlap = 10 * time.Minute
)

// catchUp asks the forge of a repository for what was missed, now and then again, until ctx ends. What fails for a while is
// tried again like a run; a refusal waits for the next time.
func (b *Bot) catchUp(ctx context.Context, repository Repository) {
	for attempt := 1; ; attempt++ {
		wait := b.CatchUp
		err := b.catchUpOnce(ctx, repository)
		pause, giveUp := retry(err, attempt)
		if _, refused := answered(err); err != nil && !giveUp && !refused {
			wait = pause
		} else {
			attempt = 0
		}
		if wait == 0 {
			return
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// catchUpOnce asks once. That it did not work is logged once for each reason until it works again.
func (b *Bot) catchUpOnce(ctx context.Context, repository Repository) error {
	found, err := b.missed(ctx, repository)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ErrNotAsked):
		return nil
	}
	b.Metrics.caughtUp(repository.Name, found, err)
	if found > 0 {
		b.Log.InfoContext(ctx, "events that no webhook brought", "repository", repository.Name, "events", found)
	}
	switch {
	case err == nil:
		b.failures.end(repository.Name)
	case b.failures.first(repository.Name, reasonOf(err)):
		b.Log.WarnContext(ctx, "what webhooks did not say could not be asked for: comments that came while the server was down are not answered",
			"repository", repository.Name, "error", err)
	}
	return err
}

// missed stores the events that no webhook brought, and then until when that is so. Dying in between does them once more, which
// finds them there; so does a failure that left some of them out.
func (b *Bot) missed(ctx context.Context, repository Repository) (found int, err error) {
	now := b.Now()
	through, err := b.queue.caughtUp(ctx, repository.Name)
	if err != nil {
		return 0, err
	}
	if through.IsZero() { // Kept, so that the time does not move on while asking fails.
		through = now.Add(overlap - firstLookBack)
		if err := b.queue.catchUp(ctx, repository.Name, through); err != nil {
			return 0, err
		}
	}
	events, failure := b.ask(ctx, repository, since(through, now))
	for _, event := range events {
		added, err := b.addMissed(ctx, repository, event)
		if err != nil {
			return found, err
		}
		if added {
			found++
		}
	}
	if failure != nil {
		return found, failure
	}
	return found, b.queue.catchUp(ctx, repository.Name, now)
}

// addMissed stores one event, unless it is known.
func (b *Bot) addMissed(ctx context.Context, repository Repository, event promote.Event) (added bool, err error) {
	if event.Delivery == "" {
		body, err := json.Marshal(event)
		if err != nil {
			return false, fmt.Errorf("event: %w", err)
		}
		event.Delivery = "missed/" + digest(body)
	}
	return b.queue.add(ctx, arrival{repository: repository.Name, event: event})
}

// since is the time from which on events may have been missed.
func since(through, now time.Time) time.Time {
	from := through.Add(-overlap)
	if oldest := now.Add(-lookBack); from.Before(oldest) {
		return oldest
	}
	if latest := now.Add(-overlap); from.After(latest) { // A clock was put back.
		return latest
	}
	return from
}

// ask calls Missed. It is a border like that of a webhook, because what it reads are webhooks: a panic ends here.
func (b *Bot) ask(ctx context.Context, repository Repository, since time.Time) (events []promote.Event, err error) {
	defer func() {
		if v := recover(); v != nil {
			b.Log.ErrorContext(ctx, "panic in catch-up", "repository", repository.Name, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, b.RunTimeout)
	defer cancel()
	return repository.Missed(ctx, since)
}

// reasonOf tells kinds of failures apart, so that each is told once.
func reasonOf(err error) string {
	for _, known := range []error{promote.ErrUnauthorized, promote.ErrForbidden, promote.ErrNotFound, promote.ErrLimited} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	if api, ok := errors.AsType[*promote.APIError](err); ok {
		return cmp.Or(http.StatusText(api.Status), "no answer")
	}
	return "other"
}

// failures remembers which reasons were told. The zero value knows none.
type failures struct {
	mu   sync.Mutex
	told map[string]map[string]bool // reasons by repository
}

// first reports whether a reason is new since the last success.
func (f *failures) first(repository, reason string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.told[repository][reason] {
		return false
	}
	if f.told == nil {
		f.told = map[string]map[string]bool{}
	}
	if f.told[repository] == nil {
		f.told[repository] = map[string]bool{}
	}
	f.told[repository][reason] = true
	return true
}

func (f *failures) end(repository string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.told, repository)
}
