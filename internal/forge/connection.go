package forge

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	// MaxRereads is how often a read is repeated.
	MaxRereads = 2
	// LongestWait is the longest that a request waits for. A longer wait is left to the caller.
	LongestWait = 10 * time.Second
	// ClockSlack is how far the clock of a forge may be behind ours.
	ClockSlack = time.Minute

	firstWait        = 250 * time.Millisecond
	defaultTimeout   = 30 * time.Second
	defaultUserAgent = "lockkeeper"
)

// A Connection is how an adapter reaches its forge. [Connection.Ready] fills in what may be left out.
type Connection struct {
	Service string // required; as in promote.APIError
	Title   string // required; what people call the forge

	HTTPClient *http.Client
	Timeout    time.Duration // of one exchange including its body
	UserAgent  string
	Logger     *slog.Logger
	Sleep      func(context.Context, time.Duration) error // waits between attempts
	Now        func() time.Time
	Clock      *Clock // of the forge
}

// Ready returns the connection with a default for what was left out.
func (c Connection) Ready() Connection {
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.UserAgent == "" {
		c.UserAgent = defaultUserAgent
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Sleep == nil {
		c.Sleep = sleep
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Clock == nil {
		c.Clock = &Clock{}
	}
	return c
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Client returns a copy of the HTTP client that sends through what through makes of its transport, and follows redirects by a rule.
func (c Connection) Client(through func(http.RoundTripper) http.RoundTripper, redirect func(*http.Request, []*http.Request) error) *http.Client {
	client := &http.Client{}
	if c.HTTPClient != nil {
		*client = *c.HTTPClient
	}
	if client.Transport == nil {
		client.Transport = http.DefaultTransport
	}
	client.Transport = through(client.Transport)
	client.Timeout = c.Timeout
	client.CheckRedirect = redirect
	return client
}

// Pause waits for about d: up to a half more, so that several processes that failed together do not return together.
func (c Connection) Pause(ctx context.Context, d time.Duration) error {
	return c.Sleep(ctx, d+rand.N(d/2+1))
}

// Read calls send, which changes nothing on the forge, and again as long as [Reread] finds that worthwhile.
func (c Connection) Read(ctx context.Context, operation string, send func() error) error {
	for attempt := 0; ; attempt++ {
		err := send()
		wait, again := Reread(err, attempt)
		if !again || ctx.Err() != nil {
			return err
		}
		c.Logger.DebugContext(ctx, "forge: asking again", "operation", operation, "attempt", attempt+1, "error", err)
		if c.Pause(ctx, wait) != nil {
			return err
		}
	}
}

// Reread decides whether a read is worth repeating, and after how long. A server that hung once is not given the time again.
func Reread(err error, attempt int) (wait time.Duration, again bool) {
	failed, ok := errors.AsType[*promote.APIError](err)
	if !ok || !failed.Temporary() || attempt >= MaxRereads || failed.RetryAfter > LongestWait || timedOut(failed.Cause) {
		return 0, false
	}
	return max(failed.RetryAfter, firstWait<<attempt), true
}

// InDoubt says that a write may have happened although it failed.
func InDoubt(ctx context.Context, err error) bool {
	failed, ok := errors.AsType[*promote.APIError](err)
	return ok && ctx.Err() == nil && (failed.Status == 0 || failed.Status >= http.StatusInternalServerError)
}
