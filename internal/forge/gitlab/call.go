package gitlab

import (
	"context"
	"fmt"
	"net/http"

	gl "github.com/xanzy/go-gitlab"

	"github.com/lockkeeper/lockkeeper/internal/forge"
)

const (
	perPage  = 100
	maxPages = 60 // GitLab keeps at most 5,000 notes for one merge request
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
	kept := &forge.Exchange{Name: sent.name}
	req, err := f.client.NewRequest(sent.method, sent.path, sent.options, []gl.RequestOptionFunc{
		gl.WithContext(forge.WithExchange(ctx, kept)),
	})
	if err != nil {
		return nil, fmt.Errorf("gitlab: %s: %w", sent, err)
	}
	response, err := f.client.Do(req, answer)
	f.limits.learn(f.now(), kept)
	f.wire.Clock.Note(kept.Header, f.now())
	if err != nil {
		return nil, f.moved(ctx, sent, f.refusal(sent, kept, err))
	}
	return response, nil
}

// get is send for what may be asked again.
func (f *Forge) get(ctx context.Context, sent request, answer any) (response *gl.Response, err error) {
	sent.method = http.MethodGet
	err = f.wire.Read(ctx, sent.name, func() error {
		response, err = f.send(ctx, sent, answer)
		return err
	})
	return response, err
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
