package github

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
)

// A query is one call of the GraphQL API.
type query struct {
	name      string // required; as in request
	subject   string
	text      string // required; the query or mutation
	variables map[string]any
	writes    bool // it is a mutation
}

// graphql sends a query and reads its data into answer. GitHub answers 200 whatever happened: errors in the answer become what
// they would be over REST. An answer with data and errors is an error too, unless all that is missing are facts that we can do without.
func (c *caller) graphql(ctx context.Context, asked query, answer any) error {
	sent := request{
		name: asked.name, subject: asked.subject, method: http.MethodPost, path: c.endpoint.graphql, read: !asked.writes,
		priority: mergePriority,
		body:     map[string]any{"query": asked.text, "variables": asked.variables},
	}
	var got graphqlAnswer
	once := func() error { return c.graphqlOnce(ctx, sent, &got) }
	var err error
	if asked.writes {
		err = once()
	} else {
		err = c.wire.Read(ctx, sent.name, once)
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(got.Data, answer); err != nil {
		return &promote.APIError{
			Service: service, Operation: sent.String(), Status: http.StatusOK, Message: forge.Line("the answer is not the expected JSON: " + err.Error()),
		}
	}
	return nil
}

func (c *caller) graphqlOnce(ctx context.Context, sent request, got *graphqlAnswer) error {
	*got = graphqlAnswer{}
	_, err := c.send(ctx, sent, got)
	if err != nil {
		return err
	}
	none := len(got.Data) == 0 || string(got.Data) == "null"
	if !none {
		got.Errors = slices.DeleteFunc(got.Errors, graphqlError.spared)
	}
	if len(got.Errors) > 0 {
		return c.graphqlRefusal(sent, *got)
	}
	if none {
		return &promote.APIError{
			Service: service, Operation: sent.String(), Status: http.StatusOK, Message: "the answer holds no data",
			Remedy: "check that the URL is that of GitHub itself, with no login page in front",
		}
	}
	return nil
}

type graphqlAnswer struct {
	Data    json.RawMessage `json:"data"`
	Errors  []graphqlError  `json:"errors"`
	Message string          `json:"message"` // instead of both

	token secret.Text // that it was asked with
}

// throttled turns an answer that is a refusal for too many requests into what it would be over REST. GitHub gives it status 200, and
// the headers of such a refusal (https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api).
func (a graphqlAnswer) throttled(kept *exchange) error {
	for _, one := range append(slices.Clip(a.Errors), graphqlError{Message: a.Message}) {
		named := one.Type == "RATE_LIMITED" || one.Type == "RATE_LIMIT"
		if named || one.Type == "" && strings.Contains(strings.ToLower(one.Message), textRateLimit) {
			kept.Status, kept.Body = http.StatusTooManyRequests, []byte(one.Message)
			return promote.ErrLimited
		}
	}
	return nil
}

type graphqlError struct {
	Type    string `json:"type"`
	Message string `json:"message"`
	Path    []any  `json:"path"` // names of fields and places in lists
}

// sparedFields are those that some credentials may not read: fine-grained tokens no checks, who does not administer a repository no
// branch protection, others no merge queue. They are null then, which is what they are too when there is nothing to tell.
var sparedFields = []any{"statusCheckRollup", "branchProtectionRule", "rules", "mergeQueueEntry"}

// spared says whether an error is only that such a field may not be read.
func (e graphqlError) spared() bool {
	return graphqlStatuses[e.Type] == http.StatusForbidden &&
		slices.ContainsFunc(e.Path, func(step any) bool { return slices.Contains(sparedFields, step) })
}

// graphqlStatuses are the types of errors, as the status that the REST API gives for the same.
var graphqlStatuses = map[string]int{
	"NOT_FOUND":               http.StatusNotFound,
	"FORBIDDEN":               http.StatusForbidden,
	"INSUFFICIENT_SCOPES":     http.StatusForbidden,
	"UNPROCESSABLE":           http.StatusUnprocessableEntity,
	"STALE_DATA":              http.StatusConflict,
	"MAX_NODE_LIMIT_EXCEEDED": http.StatusUnprocessableEntity,
	"INTERNAL":                http.StatusInternalServerError,
	"SERVICE_UNAVAILABLE":     http.StatusServiceUnavailable,
	"TIMEOUT":                 http.StatusGatewayTimeout,
}

// graphqlRefusal is what errors in an answer mean. One without a type is a query that GitHub does not understand, or a failure of
// its own, which it owns up to in words.
func (c *caller) graphqlRefusal(sent request, got graphqlAnswer) error {
	var texts []string
	found := got.Errors
	for _, one := range found[:min(len(found), 5)] {
		texts = append(texts, one.Message)
	}
	status, known := graphqlStatuses[found[0].Type]
	if !known {
		status = http.StatusUnprocessableEntity
	}
	if found[0].Type == "" && strings.HasPrefix(found[0].Message, textServerFailed) {
		status = http.StatusBadGateway
	}
	failed := &promote.APIError{
		Service: service, Operation: sent.String(), Status: status, Message: forge.Line(strings.Join(forge.NonEmpty(texts...), ", "), got.token),
	}
	if failed.Message == "" {
		failed.Message = forge.Line(fmt.Sprintf("an error of type %q without a text", found[0].Type))
	}
	failed.Remedy = c.remedy(&exchange{Exchange: forge.Exchange{Status: status}}, failed)
	return failed
}
