package discover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/lockkeeper/lockkeeper/promote"
)

// maxBody bounds what is read of any answer: a page of 1,000 tags of full length has 130 KB, a manifest at most 4 MiB.
const maxBody = 16 << 20

// defaultPause is how long a registry that limits us is left alone when it does not say.
const defaultPause = time.Minute

// maxPause is how long a registry is left alone at most, whatever it asks for.
const maxPause = 10 * time.Minute

// headAgain is when a registry that does not answer HEAD well is given another chance.
const headAgain = time.Hour

// gate is what all requests to one registry share.
type gate struct {
	limiter *rate.Limiter
	slots   chan struct{} // taken by those who read many images
	mu      sync.Mutex
	until   time.Time // no request before
	noHead  time.Time // no HEAD before
}

func (g *gate) answersHead(now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !now.Before(g.noHead)
}

// poorHead notes that the registry answered GET where it had not answered HEAD.
func (g *gate) poorHead(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.noHead = now.Add(headAgain)
}

// enter waits for one of the places for those who read many images.
func (g *gate) enter(ctx context.Context) error {
	select {
	case g.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (g *gate) leave() { <-g.slots }

// paused returns a limitedError while the registry wants to be left alone.
func (g *gate) paused(now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if left := g.until.Sub(now); left > 0 {
		return &limitedError{after: left, until: g.until}
	}
	return nil
}

// errTooLarge: an answer beyond maxBody.
var errTooLarge = fmt.Errorf("the answer has more than %d MiB", maxBody>>20)

// errTimeout: no answer within Config.Timeout.
var errTimeout = errors.New("timeout")

// limitedError is a 429, or a request that was not made because of an earlier one.
type limitedError struct {
	after time.Duration
	until time.Time
}

func (e *limitedError) Error() string { return "too many requests" }

// Unwrap gives promote.ErrLimited.
func (e *limitedError) Unwrap() error { return promote.ErrLimited }

// transport sends requests to one registry within the limits.
type transport struct {
	config Config
	base   http.RoundTripper
	gate   *gate
	scheme string // by which the library names the registry
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := t.admit(req.Context()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(req.Context(), t.config.Timeout, errTimeout)
	sent := req.Clone(ctx)
	sent.URL.Scheme = "https"
	if t.config.Insecure(sent.URL.Hostname()) {
		sent.URL.Scheme = "http"
	}
	resp, err := t.base.RoundTrip(sent)
	if err != nil {
		defer cancel()
		if errors.Is(context.Cause(ctx), errTimeout) {
			return nil, fmt.Errorf("%w after %s", errTimeout, t.config.Timeout)
		}
		return nil, err
	}
	asked := *req.URL
	asked.Scheme = t.scheme
	resp.Request = &http.Request{Method: req.Method, URL: &asked, Header: req.Header} // links are compared with it
	resp.Body = &body{ReadCloser: resp.Body, left: maxBody, ctx: ctx, cancel: cancel}
	localLink(resp)
	if resp.StatusCode == http.StatusTooManyRequests {
		_ = resp.Body.Close()
		return nil, t.pause(resp.Header.Get("Retry-After"))
	}
	return resp, nil
}

// admit waits for the registry's turn.
func (t *transport) admit(ctx context.Context) error {
	now := t.config.Now()
	if err := t.gate.paused(now); err != nil {
		return err
	}
	if wait := t.gate.limiter.ReserveN(now, 1).DelayFrom(now); wait > 0 {
		if err := t.config.Sleep(ctx, wait); err != nil {
			return err
		}
		return t.gate.paused(t.config.Now()) // others were told meanwhile
	}
	return ctx.Err()
}

// pause notes that the registry wants to be left alone, by everyone.
func (t *transport) pause(retryAfter string) error {
	now := t.config.Now()
	after := defaultPause
	if seconds, err := strconv.Atoi(retryAfter); err == nil && seconds >= 0 {
		after = time.Duration(min(seconds, int(maxPause/time.Second))) * time.Second
	} else if at, err := http.ParseTime(retryAfter); err == nil {
		after = min(max(at.Sub(now), 0), maxPause)
	}
	until := now.Add(after)
	t.gate.mu.Lock()
	defer t.gate.mu.Unlock()
	if until.After(t.gate.until) {
		t.gate.until = until
	}
	return &limitedError{after: after, until: until}
}

// localLink makes the link to the next page relative when it names the registry that was asked. A registry behind a proxy
// often names itself with another scheme.
func localLink(resp *http.Response) {
	header := resp.Header.Get("Link")
	start, end := strings.Index(header, "<"), strings.Index(header, ">")
	if start != 0 || end < 0 {
		return
	}
	link, err := url.Parse(header[1:end])
	if err != nil || link.Host != resp.Request.URL.Host {
		return
	}
	link.Scheme, link.Host, link.User = "", "", nil
	resp.Header.Set("Link", "<"+link.String()+header[end:])
}

// body bounds an answer and ends its deadline when it is closed.
type body struct {
	io.ReadCloser
	left   int64
	ctx    context.Context //nolint:containedctx // lives as long as the answer
	cancel context.CancelFunc
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLarge
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err != nil && errors.Is(context.Cause(b.ctx), errTimeout) {
		err = errTimeout
	}
	return n, err
}

// Close implements io.Closer.
func (b *body) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
