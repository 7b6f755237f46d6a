// Package githubactions starts workflows of GitHub Actions and watches them. It owns GitHub's two ways to say which run a
// dispatch began: newer servers answer with it, from older ones it has to be found. When a workflow is started, and what its end
// means, is not its matter.
package githubactions

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
)

// Marker is the input that carries Draft.Marker, for workflows that declare it. Shown in `run-name`, it lets a run be found that
// was started just before a crash.
const Marker = "LOCKKEEPER_PROMOTION"

const (
	service        = "github"
	defaultTimeout = 30 * time.Second
	maxAnswer      = 8 << 20
	maxMessage     = 500
	perPage        = 50
)

// Config says how to reach GitHub.
type Config struct {
	URL        string       // of the API; empty: https://api.github.com
	Token      secret.Text  // required; with actions: write
	HTTPClient *http.Client // required
	UserAgent  string
	Timeout    time.Duration // of one request; 0: 30s
}

// Client starts workflows. It may be used by many goroutines at once.
type Client struct{ config Config }

// New returns a Client. It asks GitHub nothing.
func New(config Config) *Client {
	if config.URL == "" {
		config.URL = "https://api.github.com"
	}
	config.URL = strings.TrimRight(config.URL, "/")
	if config.Timeout <= 0 {
		config.Timeout = defaultTimeout
	}
	if config.UserAgent == "" {
		config.UserAgent = "lockkeeper"
	}
	return &Client{config: config}
}

// Draft is a workflow to start.
type Draft struct {
	Repository string            // required: owner/repository
	Workflow   string            // required: the name of its file, or its ID
	Ref        string            // required: branch or tag
	Inputs     map[string]string //
	Marker     string            // required: the same for every attempt to start the same workflow, and for no other
	After      string            // Run.After of an earlier answer: it was started, and has to be found
}

// Run is a run of a workflow as GitHub shows it.
type Run struct {
	ID         int64  `json:"id"` // 0: it was started, and GitHub does not show it yet
	URL        string `json:"html_url"`
	Status     string `json:"status"`
	Conclusion string `json:"conclusion"`
	After      string `json:"-"` // with no ID: where to look for it

	Title      string `json:"display_title"`
	Path       string `json:"path"`
	WorkflowID int64  `json:"workflow_id"`
}

// Over reports whether the run has ended, and whether well.
func (r Run) Over() (over, succeeded bool) {
	return r.Status == "completed", r.Status == "completed" && (r.Conclusion == "success" || r.Conclusion == "neutral")
}

// Words is how far the run is, in GitHub's words.
func (r Run) Words() string {
	if r.Conclusion != "" {
		return r.Conclusion
	}
	return r.Status
}

var repositoryPattern = regexp.MustCompile(`^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$`)

// Start starts a workflow, unless a run shows the same marker in its title already. With Draft.After it only looks for the run.
func (c *Client) Start(ctx context.Context, draft Draft) (Run, error) {
	if !repositoryPattern.MatchString(draft.Repository) || strings.Contains(draft.Repository, "..") {
		return Run{}, fmt.Errorf("%q is not a repository such as acme/web: %w", draft.Repository, promote.ErrInvalid)
	}
	runs, err := c.runs(ctx, draft)
	if err != nil {
		return Run{}, err
	}
	if found, ok := draft.find(runs); ok {
		return found, nil
	}
	if draft.After != "" {
		return Run{After: draft.After}, nil
	}
	started, err := c.dispatch(ctx, draft)
	if err == nil && started.ID == 0 {
		started.After = strconv.FormatInt(newest(runs), 10)
	}
	return started, err
}

// find looks for the run of a draft: the one that shows its marker, else the first one after it was started.
func (d Draft) find(runs []Run) (Run, bool) {
	if i := slices.IndexFunc(runs, func(r Run) bool { return d.runs(r) && shows(r.Title, d.Marker) }); i >= 0 {
		return runs[i], true
	}
	after, err := strconv.ParseInt(d.After, 10, 64)
	if err != nil {
		return Run{}, false
	}
	var first Run
	for _, run := range runs {
		if d.runs(run) && run.ID > after && (first.ID == 0 || run.ID < first.ID) {
			first = run
		}
	}
	return first, first.ID != 0
}

// shows reports whether a title holds a marker as a word of its own: the marker of step-1 is no marker of step-10.
func shows(title, marker string) bool { return slices.Contains(strings.Fields(title), marker) }

// runs reports whether a run is one of the draft's workflow.
func (d Draft) runs(run Run) bool {
	file, _, _ := strings.Cut(run.Path, "@")
	return path.Base(file) == path.Base(d.Workflow) || strconv.FormatInt(run.WorkflowID, 10) == d.Workflow
}

func newest(runs []Run) int64 {
	var id int64
	for _, run := range runs {
		id = max(id, run.ID)
	}
	return id
}

// runs lists the newest runs that somebody started on the draft's ref.
func (c *Client) runs(ctx context.Context, draft Draft) ([]Run, error) {
	query := url.Values{
		"event": {"workflow_dispatch"}, "branch": {strings.TrimPrefix(strings.TrimPrefix(draft.Ref, "refs/heads/"), "refs/tags/")},
		"per_page": {strconv.Itoa(perPage)},
	}
	var answer struct {
		Runs []Run `json:"workflow_runs"`
	}
	err := c.send(ctx, exchange{"list runs of " + draft.Repository, http.MethodGet, "/repos/" + draft.Repository + "/actions/runs?" + query.Encode(), nil}, &answer)
	return answer.Runs, err
}

// dispatch starts the workflow. An input that the workflow does not declare is refused, and so is a key that an older server does
// not know: it is left out then.
func (c *Client) dispatch(ctx context.Context, draft Draft) (Run, error) {
	inputs := map[string]string{Marker: draft.Marker}
	maps.Copy(inputs, draft.Inputs)
	body := map[string]any{"ref": draft.Ref, "inputs": inputs, "return_run_details": true}
	sent := exchange{
		"start workflow " + draft.Workflow + " of " + draft.Repository, http.MethodPost,
		"/repos/" + draft.Repository + "/actions/workflows/" + url.PathEscape(path.Base(draft.Workflow)) + "/dispatches", body,
	}
	var answer struct {
		ID  int64  `json:"workflow_run_id"`
		URL string `json:"html_url"`
	}
	for {
		err := c.send(ctx, sent, &answer)
		refused, ok := errors.AsType[*promote.APIError](err)
		switch {
		case err == nil:
			return Run{ID: answer.ID, URL: answer.URL, Status: "queued"}, nil
		case ok && refused.Status == http.StatusUnprocessableEntity && strings.Contains(refused.Message, Marker) && inputs[Marker] != "":
			delete(inputs, Marker)
		case ok && refused.Status == http.StatusUnprocessableEntity && strings.Contains(refused.Message, "return_run_details") && body["return_run_details"] != nil:
			delete(body, "return_run_details")
		default:
			return Run{}, err
		}
	}
}

// Run returns a run of a repository.
func (c *Client) Run(ctx context.Context, repository string, id int64) (Run, error) {
	if !repositoryPattern.MatchString(repository) || strings.Contains(repository, "..") {
		return Run{}, fmt.Errorf("%q is not a repository such as acme/web: %w", repository, promote.ErrInvalid)
	}
	var run Run
	err := c.send(ctx, exchange{
		fmt.Sprintf("read run %d of %s", id, repository), http.MethodGet, fmt.Sprintf("/repos/%s/actions/runs/%d", repository, id), nil,
	}, &run)
	return run, err
}

// exchange is one call of the API.
type exchange struct {
	name   string
	method string
	path   string
	body   map[string]any
}

func (c *Client) send(ctx context.Context, sent exchange, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	var body io.Reader = http.NoBody
	if sent.body != nil {
		data, err := json.Marshal(sent.body)
		if err != nil {
			return fmt.Errorf("github: %s: %w", sent.name, err)
		}
		body = bytes.NewReader(data)
	}
	request, err := http.NewRequestWithContext(ctx, sent.method, c.config.URL+sent.path, body)
	if err != nil {
		return fmt.Errorf("github: %s: %w", sent.name, err)
	}
	request.Header.Set("Authorization", "Bearer "+c.config.Token.Reveal())
	request.Header.Set("Accept", "application/vnd.github+json")
	request.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	request.Header.Set("User-Agent", c.config.UserAgent)
	if sent.body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.config.HTTPClient.Do(request)
	if err != nil {
		if outer, ok := errors.AsType[*url.Error](err); ok {
			err = outer.Err
		}
		return &promote.APIError{Service: service, Operation: sent.name, Cause: err, Remedy: "check the URL of GitHub's API and the network"}
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return &promote.APIError{Service: service, Operation: sent.name, Cause: fmt.Errorf("the answer broke off: %w", err)}
	case response.StatusCode >= http.StatusMultipleChoices:
		return c.refusal(sent, response, data)
	case len(data) == 0 || response.StatusCode == http.StatusNoContent:
		return nil
	case len(data) > maxAnswer || json.Unmarshal(data, answer) != nil:
		return &promote.APIError{Service: service, Operation: sent.name, Status: response.StatusCode, Message: "the answer is not the expected JSON"}
	}
	return nil
}

// refusal describes an answer that is no success.
func (c *Client) refusal(sent exchange, response *http.Response, data []byte) error {
	var said struct {
		Message string `json:"message"`
	}
	text := http.StatusText(response.StatusCode)
	if json.Unmarshal(data, &said) == nil && said.Message != "" {
		text = strings.Join(strings.Fields(said.Message), " ")
	}
	if token := c.config.Token.Reveal(); token != "" {
		text = strings.ReplaceAll(text, token, secret.Redacted)
	}
	if len(text) > maxMessage {
		text = strings.ToValidUTF8(text[:maxMessage], "")
	}
	failed := &promote.APIError{Service: service, Operation: sent.name, Status: response.StatusCode, Message: text, Remedy: remedy(response.StatusCode)}
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds > 0 {
		failed.RetryAfter = time.Duration(seconds) * time.Second
	}
	return failed
}

func remedy(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "the token of GitHub is wrong, revoked or has expired"
	case http.StatusForbidden, http.StatusNotFound:
		return "check that the repository and the workflow exist, and that the token may write its actions"
	case http.StatusUnprocessableEntity:
		return "check the ref, that the workflow has the trigger workflow_dispatch, and the inputs that it declares"
	}
	return ""
}
