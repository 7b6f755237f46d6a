package github

import (
	"net/http"
	"net/url"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/forge"
)

// An exchange is what the transport keeps of one call: the library drops the body of some refusals, and must not see the limits.
type exchange struct {
	forge.Exchange
	resource string // of GitHub's windows, as we count it
	given    grant
	wait     time.Duration
}

// transport authorizes, bounds, caches, records and reports every exchange, whichever method of the library it comes from.
type transport struct {
	next    http.RoundTripper
	origin  *url.URL // only what goes there is authorized
	observe func(Call)
	now     func() time.Time
}

// redirected follows GitHub's redirects of renamed repositories: 301 of reads, 307 and 308 of writes. Some would turn a write into a
// read: they end as the answer, as do those that lead elsewhere.
func redirected(r *http.Request, via []*http.Request) error {
	if r.Method != via[0].Method {
		return http.ErrUseLastResponse
	}
	return forge.SameOrigin(r, via)
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	kept := forge.ExchangeOf[exchange](r.Context())
	r = r.Clone(r.Context())
	t.authorize(r, kept.given)
	key := cacheKey(r, kept.given.holder)
	known, cached := kept.given.limits.answers.find(key)
	if cached {
		r.Header.Set("If-None-Match", known.etag)
	}
	started := t.now()
	response, err := t.next.RoundTrip(r)
	kept.Exchange = forge.Exchange{Name: kept.Name}
	call := Call{Operation: kept.Name, Method: r.Method, RateRemaining: -1, API: apiName(kept.resource)}
	if err == nil {
		call.Status, call.Resource = response.StatusCode, response.Header.Get("X-Ratelimit-Resource")
		call.RateRemaining = forge.Number(response.Header, "X-Ratelimit-Remaining")
		if cached && response.StatusCode == http.StatusNotModified {
			replay(response, known)
		}
		err = kept.Keep(response, ownHeaders...)
	}
	if err == nil {
		err = kept.given.limits.answers.store(key, response)
	}
	if err != nil {
		kept.Status = 0
	}
	call.Duration = t.now().Sub(started)
	t.report(call, kept)
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

func (t *transport) report(call Call, kept *exchange) {
	if t.observe == nil {
		return
	}
	if limits := kept.given.limits; limits != nil {
		call.ContentLeft, call.PointsLeft = limits.contentLeft(t.now()), limits.pointsLeft(t.now(), kept.resource)
	}
	t.observe(call)
}

func apiName(resource string) string {
	if resource == graphqlResource {
		return "graphql"
	}
	return "rest"
}

// ownHeaders are those that the library would draw conclusions from: it refuses later requests without asking GitHub.
var ownHeaders = []string{"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset", "Retry-After"}
