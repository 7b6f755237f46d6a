package github

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	gh "github.com/google/go-github/v62/github"
)

// A connection is what a caller is made of.
type connection struct {
	url        string     // required
	credential credential // required
	subject    string     // required; what is asked about, for remedies: `repository "o/r"`

	client    *http.Client
	timeout   time.Duration
	userAgent string
	logger    *slog.Logger
	observe   func(Call)
	sleep     func(context.Context, time.Duration) error
	now       func() time.Time
}

// A caller sends requests with one credential. Forge and App each have one.
type caller struct {
	client     *gh.Client
	endpoint   endpoint
	credential credential
	subject    string
	timeout    time.Duration
	logger     *slog.Logger
	sleep      func(context.Context, time.Duration) error
	now        func() time.Time
}

// newCaller is the only place that constructs the library's client. The library would refuse requests by itself after some
// refusals of GitHub, and follow redirects anywhere; see transport.go for what happens instead.
func newCaller(with connection) (*caller, error) {
	found, err := parseEndpoint(with.url)
	if err != nil {
		return nil, err
	}
	c := &caller{
		endpoint:   found,
		credential: with.credential,
		subject:    with.subject,
		timeout:    with.timeout,
		logger:     with.logger,
		sleep:      with.sleep,
		now:        with.now,
	}
	if c.timeout == 0 {
		c.timeout = defaultTimeout
	}
	if c.logger == nil {
		c.logger = slog.New(slog.DiscardHandler)
	}
	if c.sleep == nil {
		c.sleep = sleep
	}
	if c.now == nil {
		c.now = time.Now
	}
	c.client = gh.NewClient(c.httpClient(with))
	c.client.BaseURL = found.rest
	c.client.UserAgent = with.userAgent
	if with.userAgent == "" {
		c.client.UserAgent = defaultUserAgent
	}
	return c, nil
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

// pause waits for about d: up to a half more, so that several processes that failed together do not return together.
func (c *caller) pause(ctx context.Context, d time.Duration) error {
	return c.sleep(ctx, d+rand.N(d/2+1))
}
