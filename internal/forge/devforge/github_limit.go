package devforge

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The secondary limits of one account (REST, "About secondary rate limits"), which hold when [Config.SecondaryLimits] is set.
const (
	limitConcurrent    = 100
	limitRESTPoints    = 900
	limitGraphPoints   = 2000
	limitContent       = 80
	limitContentHourly = 500
)

// A usage is what one account did lately.
type usage struct {
	rest, graph, content []spent
}

type spent struct {
	at     time.Time
	points int
}

// within adds up what lies in the span that ends now.
func within(all []spent, now time.Time, span time.Duration) int {
	total := 0
	for _, one := range all {
		if now.Sub(one.at) < span {
			total += one.points
		}
	}
	return total
}

// An excess is a limit that a request would exceed, and how long GitHub asks to wait for it.
type excess struct {
	status int
	wait   time.Duration
}

// spend counts a request, or says which limit it would exceed. One that is refused costs nothing here.
func (u *usage) spend(now time.Time, graph, writes, creates bool) *excess {
	cost := 1
	if writes {
		cost = 5
	}
	points, most := &u.rest, limitRESTPoints
	if graph {
		points, most = &u.graph, limitGraphPoints
	}
	for _, list := range []*[]spent{points, &u.content} {
		*list = slices.DeleteFunc(*list, func(s spent) bool { return now.Sub(s.at) >= time.Hour })
	}
	switch {
	case within(*points, now, time.Minute)+cost > most:
		return &excess{http.StatusTooManyRequests, time.Minute}
	case creates && within(u.content, now, time.Minute) >= limitContent:
		return &excess{http.StatusForbidden, time.Minute}
	case creates && within(u.content, now, time.Hour) >= limitContentHourly:
		return &excess{http.StatusForbidden, time.Hour}
	}
	*points = append(*points, spent{now, cost})
	if creates {
		u.content = append(u.content, spent{now, 1})
	}
	return nil
}

// secondary refuses what exceeds a secondary limit. A token of an App is no content, and neither is a query.
func (c *githubCall) secondary() error {
	f := c.forge
	if !f.config.SecondaryLimits {
		return nil
	}
	if f.usage == nil {
		f.usage = map[int]*usage{}
	}
	used := f.usage[c.limitKey()]
	if used == nil {
		used = &usage{}
		f.usage[c.limitKey()] = used
	}
	graph := c.URL.Path == "/api/graphql"
	writes := !slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodOptions}, c.Method)
	if graph {
		writes = c.mutates()
	}
	over := used.spend(f.now(), graph, writes, writes && !strings.HasSuffix(c.URL.Path, "/access_tokens"))
	if over == nil {
		return nil
	}
	c.header.Set("Retry-After", strconv.Itoa(int(over.wait.Seconds())))
	return &refusal{over.status, secondaryError(over.status)}
}

// mutates says whether a GraphQL request changes something.
func (c *githubCall) mutates() bool {
	var sent struct {
		Query string `json:"query"`
	}
	return c.read(&sent) == nil && strings.HasPrefix(strings.TrimSpace(sent.Query), "mutation")
}

// crowd counts the requests that are under way, by credential.
type crowd struct {
	mu    sync.Mutex
	under map[string]int
}

func (c *crowd) add(of string, by int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.under == nil {
		c.under = map[string]int{}
	}
	c.under[of] += by
	now := c.under[of]
	if now == 0 {
		delete(c.under, of)
	}
	return now
}

// withCrowd refuses a request beyond those that one credential may have under way.
func (f *Forge) withCrowd(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		of := r.Header.Get("Authorization")
		defer f.crowd.add(of, -1)
		if f.crowd.add(of, 1) > limitConcurrent && f.config.SecondaryLimits {
			f.mu.Lock()
			f.record(Call{Method: r.Method, Path: r.URL.EscapedPath(), Status: http.StatusForbidden})
			f.mu.Unlock()
			w.Header().Set("Retry-After", "60")
			limited(w, http.StatusForbidden, secondaryError(http.StatusForbidden))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func secondaryError(status int) githubError {
	return githubError{
		Message:          "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
		DocumentationURL: limitDocs + "secondary-rate-limits", Status: strconv.Itoa(status),
	}
}
