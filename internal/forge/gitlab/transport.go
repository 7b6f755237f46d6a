package gitlab

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

const (
	maxAnswer      = 64 << 20
	maxErrorAnswer = 64 << 10
	maxRedirects   = 5
)

// An exchange is what the transport keeps of one call: the library drops the body of some refusals.
type exchange struct {
	name   string
	status int
	header http.Header
	body   []byte // of a refusal, bounded
}

type exchangeKey struct{}

func withExchange(ctx context.Context, kept *exchange) context.Context {
	return context.WithValue(ctx, exchangeKey{}, kept)
}

// transport bounds, records and reports every exchange, whichever method of the library it comes from.
type transport struct {
	next    http.RoundTripper
	public  bool // no token: send no empty one
	observe func(Call)
	now     func() time.Time
}

func (f *Forge) httpClient(cfg Config) *http.Client {
	client := &http.Client{}
	if cfg.HTTPClient != nil {
		*client = *cfg.HTTPClient
	}
	if client.Transport == nil {
		client.Transport = http.DefaultTransport
	}
	client.Transport = &transport{next: client.Transport, public: cfg.Token == "", observe: cfg.Observe, now: f.now}
	client.Timeout = f.timeout
	client.CheckRedirect = sameOrigin
	return client
}

// sameOrigin follows GitLab's redirects of renamed projects. A redirect elsewhere would carry the token along, and one of a write
// would turn it into a read: both end with the redirect as the answer.
func sameOrigin(r *http.Request, via []*http.Request) error {
	first := via[0]
	if first.Method != http.MethodGet || r.URL.Scheme != first.URL.Scheme || r.URL.Host != first.URL.Host {
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
	if t.public {
		r = r.Clone(r.Context())
		for _, name := range tokenHeaders {
			r.Header.Del(name)
		}
	}
	started := t.now()
	response, err := t.next.RoundTrip(r)
	*kept = exchange{name: kept.name}
	call := Call{Operation: kept.name, Method: r.Method, RateRemaining: -1}
	if err == nil {
		err = kept.keep(response)
		call.Status, call.RateRemaining = response.StatusCode, rateRemaining(response.Header)
	}
	call.Duration = t.now().Sub(started)
	if t.observe != nil {
		t.observe(call)
	}
	if err != nil {
		return nil, err
	}
	return response, nil
}

func (kept *exchange) keep(response *http.Response) error {
	kept.header = response.Header.Clone()
	// The library would install a limiter of its own from this header, without a lock.
	response.Header.Del("RateLimit-Limit")
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

func rateRemaining(header http.Header) int {
	left, err := strconv.Atoi(header.Get("RateLimit-Remaining"))
	if err != nil || left < 0 {
		return -1
	}
	return left
}
