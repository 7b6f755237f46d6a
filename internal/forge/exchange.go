package forge

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	maxAnswer      = 64 << 20
	maxErrorAnswer = 64 << 10
	maxRedirects   = 5
)

// An Exchange is what a transport keeps of one call: the libraries of forges drop the body of some refusals.
type Exchange struct {
	Name   string // of the operation
	Status int    // 0: no answer came
	Header http.Header
	Body   []byte // of a refusal, bounded
}

type exchangeKey[E any] struct{}

// WithExchange returns a context whose requests are kept in kept. An adapter may keep more than an [Exchange] in a type of its own.
func WithExchange[E any](ctx context.Context, kept *E) context.Context {
	return context.WithValue(ctx, exchangeKey[E]{}, kept)
}

// ExchangeOf is what [WithExchange] put into a context; a new one without.
func ExchangeOf[E any](ctx context.Context) *E {
	if kept, ok := ctx.Value(exchangeKey[E]{}).(*E); ok {
		return kept
	}
	return new(E)
}

// Keep notes an answer and bounds its body. It takes the headers away that the library of a forge would act on by itself.
func (kept *Exchange) Keep(response *http.Response, unseen ...string) error {
	kept.Header = response.Header.Clone()
	for _, name := range unseen {
		response.Header.Del(name)
	}
	if response.StatusCode < 300 {
		kept.Status = response.StatusCode
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
	kept.Status, kept.Body = response.StatusCode, body
	response.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

// Words are what a refusal says: what read finds in its JSON, or its text if that is no page of HTML, or else what its status means.
func (kept *Exchange) Words(read func(body []byte) (string, error)) string {
	text, err := read(kept.Body)
	if err != nil {
		text = ""
		if !strings.Contains(kept.Header.Get("Content-Type"), "html") {
			text = string(kept.Body)
		}
	}
	if text == "" {
		text = http.StatusText(kept.Status)
	}
	return text
}

// SameOrigin is a rule for redirects. One that leads elsewhere would carry the token along: it ends as the answer.
func SameOrigin(r *http.Request, via []*http.Request) error {
	if first := via[0]; r.URL.Scheme != first.URL.Scheme || r.URL.Host != first.URL.Host {
		return http.ErrUseLastResponse
	}
	if len(via) > maxRedirects {
		return errors.New("too many redirects")
	}
	return nil
}

// Number is a header that holds a whole number; -1 when it does not.
func Number(header http.Header, name string) int {
	number, err := strconv.Atoi(header.Get(name))
	if err != nil || number < 0 {
		return -1
	}
	return number
}

// RetryAfter is how long an answer asks to wait: in seconds, or as a date.
func RetryAfter(header http.Header, now time.Time) (wait time.Duration, asks bool) {
	asked := header.Get("Retry-After")
	if seconds, err := strconv.ParseInt(asked, 10, 32); err == nil {
		return max(0, time.Duration(seconds)*time.Second), true
	}
	if date, err := http.ParseTime(asked); err == nil {
		return max(0, date.Sub(now)), true
	}
	return 0, false
}
