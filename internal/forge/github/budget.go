package github

import (
	"net/http"
	"slices"
	"time"
)

// What GitHub lets one account do before it refuses for a while
// (https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits). GitHub may mean the points
// of each endpoint by themselves; they are counted together here, which holds either way.
const (
	contentPerMinute       = 80
	contentPerHour         = 500
	restPointsPerMinute    = 900
	graphqlPointsPerMinute = 2000
)

// The names of GitHub's windows for the two APIs.
const (
	coreResource    = "core"
	graphqlResource = "graphql"
)

// pointsPerMinute is what may be spent on one API.
func pointsPerMinute(resource string) int {
	if resource == graphqlResource {
		return graphqlPointsPerMinute
	}
	return restPointsPerMinute
}

// points is what a request costs: five times as much when it changes something. Over REST the method alone says so.
func (r request) points(resource string) int {
	switch {
	case resource == graphqlResource && !r.writes():
		return 1
	case resource == graphqlResource:
		return 5
	case r.method == http.MethodGet, r.method == http.MethodHead, r.method == http.MethodOptions:
		return 1
	}
	return 5
}

// A charge is what one request cost, and when. It is dated when the request is sent, and once more when it is answered: GitHub
// received it some time in between.
type charge struct {
	at     time.Time
	points int
}

// A spending is what was spent, oldest first.
type spending []*charge

// forget drops what lies longer ago than a span.
func (s *spending) forget(now time.Time, span time.Duration) {
	*s = slices.DeleteFunc(*s, func(c *charge) bool { return now.Sub(c.at) >= span })
}

// date gives a charge a new time. It is none any more when it was forgotten meanwhile.
func (s *spending) date(c *charge, at time.Time) {
	if i := slices.Index(*s, c); i >= 0 {
		c.at = at
		*s = append(slices.Delete(*s, i, i+1), c)
	}
}

// within is what was spent in the span that ends now.
func (s spending) within(now time.Time, span time.Duration) int {
	total := 0
	for _, c := range s {
		if now.Sub(c.at) < span {
			total += c.points
		}
	}
	return total
}

// until is how long it takes until no more than most is spent in the span that ends then.
func (s spending) until(now time.Time, span time.Duration, most int) time.Duration {
	total := s.within(now, span)
	for _, c := range s {
		if total <= most {
			break
		}
		if now.Sub(c.at) < span {
			if total -= c.points; total <= most {
				return c.at.Add(span).Sub(now)
			}
		}
	}
	if total <= most {
		return 0
	}
	return span // More is asked for than there is.
}
