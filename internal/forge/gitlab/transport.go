package gitlab

import (
	"net/http"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/forge"
)

// transport bounds, records and reports every exchange, whichever method of the library it comes from.
type transport struct {
	next    http.RoundTripper
	public  bool // no token: send no empty one
	observe func(Call)
	now     func() time.Time
}

// redirected follows GitLab's redirects of renamed projects. One of a write would turn it into a read: it ends as the answer, as does
// one that leads elsewhere.
func redirected(r *http.Request, via []*http.Request) error {
	if via[0].Method != http.MethodGet {
		return http.ErrUseLastResponse
	}
	return forge.SameOrigin(r, via)
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	kept := forge.ExchangeOf[forge.Exchange](r.Context())
	if t.public {
		r = r.Clone(r.Context())
		for _, name := range tokenHeaders {
			r.Header.Del(name)
		}
	}
	started := t.now()
	response, err := t.next.RoundTrip(r)
	*kept = forge.Exchange{Name: kept.Name}
	call := Call{Operation: kept.Name, Method: r.Method, RateRemaining: -1}
	if err == nil {
		// The library would install a limiter of its own from this header, without a lock.
		err = kept.Keep(response, "RateLimit-Limit")
		call.Status, call.RateRemaining = response.StatusCode, forge.Number(response.Header, "RateLimit-Remaining")
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
