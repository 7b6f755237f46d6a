package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"

	gh "github.com/google/go-github/v62/github"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	perPage  = 100
	maxPages = 30
)

// A request is one call of the API.
type request struct {
	name     string     // required; for metrics, one of a few
	subject  string     // what it is about, for messages; may be empty
	method   string     // required
	path     string     // required; below the REST API, escaped, without a leading slash; or a whole URL of the same GitHub
	query    url.Values // of the URL
	body     any        // JSON; nil: none
	read     bool       // it changes nothing although it is a POST
	priority priority   // of a write that creates content
}

// String names the call in messages.
func (r request) String() string {
	if r.subject == "" {
		return r.name
	}
	return r.name + " " + r.subject
}

func (r request) address() string {
	if len(r.query) == 0 {
		return r.path
	}
	return r.path + "?" + r.query.Encode()
}

func (r request) writes() bool { return r.method != http.MethodGet && !r.read }

// send makes one exchange: two when GitHub does not take a token of an App any more. A write waits for the one before it, and for
// the budget of what creates content.
func (c *caller) send(ctx context.Context, sent request, answer any) (*gh.Response, error) {
	for again := false; ; again = true {
		given, err := c.credential.grant(ctx)
		if err != nil {
			return nil, err
		}
		response, err := c.sendWith(ctx, sent, given, answer)
		if again || !errors.Is(err, promote.ErrUnauthorized) || !c.credential.reject(given) {
			return response, err
		}
	}
}

func (c *caller) sendWith(ctx context.Context, sent request, given grant, answer any) (*gh.Response, error) {
	done, err := given.limits.admit(ctx, c, sent)
	if err != nil {
		return nil, err
	}
	defer done()
	kept := &exchange{Exchange: forge.Exchange{Name: sent.name}, resource: c.resource(sent), given: given}
	req, err := c.client.NewRequest(sent.method, sent.address(), sent.body)
	if err != nil {
		return nil, fmt.Errorf("github: %s: %w", sent, err)
	}
	response, err := c.client.Do(forge.WithExchange(ctx, kept), req, answer)
	if accepted, ok := errors.AsType[*gh.AcceptedError](err); ok {
		err = decodeAccepted(accepted.Raw, answer)
	}
	if got, ok := answer.(*graphqlAnswer); ok && err == nil {
		got.token, err = given.secret, got.throttled(kept)
	}
	given.limits.learn(c.now(), c.resource(sent), kept)
	c.wire.Clock.Note(kept.Header, c.now())
	if err != nil {
		return nil, c.refusal(sent, kept, err)
	}
	return response, nil
}

// decodeAccepted reads an answer with status 202, which the library takes for an error.
func decodeAccepted(raw []byte, answer any) error {
	if answer == nil || len(raw) == 0 {
		return nil
	}
	return json.Unmarshal(raw, answer)
}

// get is send for what may be asked again.
func (c *caller) get(ctx context.Context, sent request, answer any) (response *gh.Response, err error) {
	if sent.method == "" {
		sent.method = http.MethodGet
	}
	err = c.wire.Read(ctx, sent.name, func() error {
		response, err = c.send(ctx, sent, answer)
		return err
	})
	return response, err
}

// settle is send for a write that is the same twice as once, such as the replacement of a text. When it is in doubt whether it
// arrived it is sent once more, but not to a server that hung.
func (c *caller) settle(ctx context.Context, sent request, answer any) error {
	_, err := c.send(ctx, sent, answer)
	if wait, again := forge.Reread(err, 0); again && forge.InDoubt(ctx, err) && c.pause(ctx, wait) == nil {
		_, err = c.send(ctx, sent, answer)
	}
	return err
}

// list reads all pages. GitHub's links to the next page may lead through another path, by numeric IDs; the number of the page is
// all that is taken of them.
func list[T any](ctx context.Context, c *caller, sent request) ([]T, error) {
	query := url.Values{}
	maps.Copy(query, sent.query)
	query.Set("per_page", strconv.Itoa(perPage))
	sent.query = query
	var all []T
	for page := 1; page <= maxPages; {
		var items []T
		response, err := c.get(ctx, sent, &items)
		if err != nil {
			return nil, err
		}
		all = append(all, items...)
		if response.NextPage <= page {
			return all, nil
		}
		page = response.NextPage
		query.Set("page", strconv.Itoa(page))
	}
	return nil, fmt.Errorf("github: %s: more than %d pages of %d; clean up the repository, this many cannot be handled", sent, maxPages, perPage)
}
