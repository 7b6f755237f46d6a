package gitlab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	gl "github.com/xanzy/go-gitlab"

	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	perPage     = 100
	maxPages    = 60 // GitLab keeps at most 5,000 notes for one merge request
	maxRereads  = 2
	firstWait   = 250 * time.Millisecond
	longestWait = 10 * time.Second // a longer Retry-After is left to the caller
	clockSlack  = time.Minute      // how far GitLab's clock may be behind ours
)

// A request is one call of the API.
type request struct {
	name    string // required; for metrics, one of a few
	subject string // what it is about, for messages; may be empty
	method  string // required
	path    string // required; below /api/v4/, escaped
	options any    // the library's option struct: query of a GET, body of the rest

	priority priority // when requests run short; zero is that of reading and of changes
}

// String names the call in messages.
func (r request) String() string {
	if r.subject == "" {
		return r.name
	}
	return r.name + " " + r.subject
}

// send makes one exchange.
func (f *Forge) send(ctx context.Context, sent request, answer any) (*gl.Response, error) {
	if err := f.admit(ctx, sent); err != nil {
		return nil, err
	}
	kept := &exchange{name: sent.name}
	req, err := f.client.NewRequest(sent.method, sent.path, sent.options, []gl.RequestOptionFunc{
		gl.WithContext(withExchange(ctx, kept)),
	})
	if err != nil {
		return nil, fmt.Errorf("gitlab: %s: %w", sent, err)
	}
	response, err := f.client.Do(req, answer)
	f.limits.learn(f.now(), kept)
	if err != nil {
		return nil, f.refusal(sent, kept, err)
	}
	return response, nil
}

// get is send for what may be asked again.
func (f *Forge) get(ctx context.Context, sent request, answer any) (*gl.Response, error) {
	sent.method = http.MethodGet
	for attempt := 0; ; attempt++ {
		response, err := f.send(ctx, sent, answer)
		wait, again := reread(err, attempt)
		if !again || ctx.Err() != nil {
			return response, err
		}
		f.logger.DebugContext(ctx, "gitlab: asking again", "operation", sent.name, "attempt", attempt+1, "error", err)
		if f.pause(ctx, wait) != nil {
			return nil, err
		}
	}
}

// reread decides whether a read is worth repeating, and after how long. A server that hung once is not given the time again.
func reread(err error, attempt int) (wait time.Duration, again bool) {
	failed, ok := errors.AsType[*promote.APIError](err)
	if !ok || !failed.Temporary() || attempt >= maxRereads || failed.RetryAfter > longestWait {
		return 0, false
	}
	if timeout, ok := errors.AsType[net.Error](failed.Cause); ok && timeout.Timeout() {
		return 0, false
	}
	return max(failed.RetryAfter, firstWait<<attempt), true
}

// inDoubt says that a write may have happened although it failed.
func inDoubt(ctx context.Context, err error) bool {
	failed, ok := errors.AsType[*promote.APIError](err)
	return ok && ctx.Err() == nil && (failed.Status == 0 || failed.Status >= http.StatusInternalServerError)
}

// list reads all pages. options builds the query of one page.
func list[T any](ctx context.Context, f *Forge, sent request, options func(gl.ListOptions) any) ([]T, error) {
	var all []T
	for page := 1; page <= maxPages; {
		sent.options = options(gl.ListOptions{Page: page, PerPage: perPage})
		var items []T
		response, err := f.get(ctx, sent, &items)
		if err != nil {
			return nil, err
		}
		all = append(all, items...)
		next := response.NextPage
		if next == 0 && response.NextLink != "" {
			next = page + 1
		}
		if next <= page {
			return all, nil
		}
		page = next
	}
	return nil, fmt.Errorf("gitlab: %s: more than %d pages of %d; clean up the project, this many cannot be handled", sent, maxPages, perPage)
}
