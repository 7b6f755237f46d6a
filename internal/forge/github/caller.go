package github

import (
	"context"
	"net/http"
	"time"

	gh "github.com/google/go-github/v62/github"

	"github.com/lockkeeper/lockkeeper/internal/forge"
)

// A connection is what a caller is made of.
type connection struct {
	url        string     // required
	credential credential // required
	subject    string     // required; what is asked about, for remedies: `repository "o/r"`

	wire    forge.Connection
	observe func(Call)
}

// A caller sends requests with one credential. Forge and App each have one.
type caller struct {
	client     *gh.Client
	endpoint   endpoint
	credential credential
	subject    string
	wire       forge.Connection
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
		wire:       with.wire.Ready(),
	}
	c.wire.Service, c.wire.Title = service, "GitHub"
	c.client = gh.NewClient(c.wire.Client(func(next http.RoundTripper) http.RoundTripper {
		return &transport{next: next, origin: found.rest, observe: with.observe, now: c.wire.Now}
	}, redirected))
	c.client.BaseURL = found.rest
	c.client.UserAgent = c.wire.UserAgent
	return c, nil
}

func (c *caller) now() time.Time { return c.wire.Now() }

func (c *caller) pause(ctx context.Context, d time.Duration) error { return c.wire.Pause(ctx, d) }
