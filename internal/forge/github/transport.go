package github

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	maxAnswer      = 64 << 20
	maxErrorAnswer = 64 << 10
	maxRedirects   = 5
)

// An exchange is what the transport keeps of one call: the library drops the body of some refusals, and must not see the limits.
type exchange struct {
	name   string
	given  grant
	status int
	header http.Header
	body   []byte // of a refusal, bounded
	wait   time.Duration
}

type exchangeKey struct{}

func withExchange(ctx context.Context, kept *exchange) context.Context {
	return context.WithValue(ctx, exchangeKey{}, kept)
}

// transport authorizes, bounds, caches, records and reports every exchange, whichever method of the library it comes from.
type transport struct {
	next    http.RoundTripper
	origin  *url.URL // only what goes there is authorized
	cache   *cache
	observe func(Call)
	now     func() time.Time
}

func (c *caller) httpClient(with connection) *http.Client {
	client := &http.Client{}
	if with.client != nil {
		*client = *with.client
	}
	if client.Transport == nil {
		client.Transport = http.DefaultTransport
	}
	client.Transport = &transport{next: client.Transport, origin: c.endpoint.rest, cache: &cache{}, observe: with.observe, now: c.now}
	client.Timeout = c.timeout
	client.CheckRedirect = sameOrigin
	return client
}

// sameOrigin follows GitHub's redirects of renamed repositories: 301 of reads, 307 and 308 of writes. A redirect elsewhere would
// carry the token along, and some would turn a write into a read: both end with the redirect as the answer.
func sameOrigin(r *http.Request, via []*http.Request) error {
	first := via[0]
	if r.Method != first.Method || r.URL.Scheme != first.URL.Scheme || r.URL.Host != first.URL.Host {
		return http.ErrUseLastResponse
	}
	if len(via) > maxRedirects {
		return errors.New("too many redirects")
	}
	return nil
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	kept, _ := r.Context().Value(exchangeKey{}).(*exchange)
	if kept == nil {
		kept = &exchange{}
	}
	r = r.Clone(r.Context())
	t.authorize(r, kept.given)
	key := cacheKey(r, kept.given.holder)
	known, cached := t.cache.find(key)
	if cached {
		r.Header.Set("If-None-Match", known.etag)
	}
	started := t.now()
	response, err := t.next.RoundTrip(r)
	kept.status, kept.header, kept.body = 0, nil, nil
	call := Call{Operation: kept.name, Method: r.Method, RateRemaining: -1}
	if err == nil {
		call.Status, call.Resource = response.StatusCode, response.Header.Get("X-Ratelimit-Resource")
		call.RateRemaining = number(response.Header, "X-Ratelimit-Remaining")
		if cached && response.StatusCode == http.StatusNotModified {
			replay(response, known)
		}
		err = kept.keep(response)
	}
	if err == nil {
		err = t.cache.store(key, response)
	}
	if err != nil {
		kept.status = 0
	}
	call.Duration = t.now().Sub(started)
	t.report(call, kept.given.limits)
	if err != nil {
		return nil, err
	}
	return response, nil
}

func (t *transport) authorize(r *http.Request, given grant) {
	r.Header.Del("Authorization")
	if given.scheme != "" && r.URL.Scheme == t.origin.Scheme && r.URL.Host == t.origin.Host {
		r.Header.Set("Authorization", given.scheme+" "+given.secret.Reveal())
	}
}

func (t *transport) report(call Call, limits *Limits) {
	if t.observe == nil {
		return
	}
	if limits != nil {
		call.ContentLeft = limits.contentLeft(t.now())
	}
	t.observe(call)
}

// ownHeaders are those that the library would draw conclusions from: it refuses later requests without asking GitHub.
var ownHeaders = []string{"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset", "Retry-After"}

func (kept *exchange) keep(response *http.Response) error {
	kept.header = response.Header.Clone()
	for _, name := range ownHeaders {
		response.Header.Del(name)
	}
	if response.StatusCode < 300 {
		kept.status = response.StatusCode
		response.Body = http.MaxBytesReader(nil, response.Body, maxAnswer)
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxErrorAnswer))
	if closeErr := response.Body.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	kept.status, kept.body = response.StatusCode, body
	response.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

// number is a header that holds a whole number; -1 when it does not.
func number(header http.Header, name string) int {
	left, err := strconv.Atoi(header.Get(name))
	if err != nil || left < 0 {
		return -1
	}
	return left
}
