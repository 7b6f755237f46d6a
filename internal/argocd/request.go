package argocd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// Application observes one application. The error wraps [ErrNotFound], [ErrForbidden] or [ErrUnauthorized].
func (c *Client) Application(ctx context.Context, ref Ref) (Application, error) {
	return c.get(ctx, ref, getOptions{op: "get"})
}

// Refresh makes Argo CD compare the application with its sources now, resolving branches anew, and observes it after that. A
// hard refresh also renders again what is cached. When the controller does not come to it within Config.RefreshWait, the
// application is observed as it is, with RefreshPending: the refresh happens later.
func (c *Client) Refresh(ctx context.Context, ref Ref, hard bool) (Application, error) {
	return c.refresh(ctx, ref, hard, c.refreshWait)
}

func (c *Client) refresh(ctx context.Context, ref Ref, hard bool, wait time.Duration) (Application, error) {
	refresh := "normal"
	if hard {
		refresh = "hard"
	}
	app, err := c.get(ctx, ref, getOptions{op: "refresh", refresh: refresh, limit: wait})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil || gatewayTimeout(err) {
		return c.Application(ctx, ref)
	}
	return app, err
}

// gatewayTimeout recognises a proxy that did not wait as long as the controller took.
func gatewayTimeout(err error) bool {
	answer, ok := errors.AsType[*APIError](err)
	return ok && answer.Status == http.StatusGatewayTimeout
}

type getOptions struct {
	op      string
	refresh string
	limit   time.Duration
}

func (c *Client) get(ctx context.Context, ref Ref, options getOptions) (Application, error) {
	query := ref.query()
	if options.refresh != "" {
		query.Set("refresh", options.refresh)
	}
	var answer wireApplication
	err := c.do(ctx, call{
		op:     options.op,
		ref:    ref,
		method: http.MethodGet,
		path:   []string{"api", "v1", "applications", ref.Name},
		query:  query,
		limit:  options.limit,
	}, &answer)
	if err != nil {
		return Application{}, err
	}
	return answer.application(), nil
}

func (r Ref) query() url.Values {
	query := url.Values{}
	if r.Namespace != "" {
		query.Set("appNamespace", r.Namespace)
	}
	if r.Project != "" {
		query.Set("project", r.Project)
	}
	return query
}

// A SyncRequest asks for one sync operation. What the sources no longer have is not deleted by it.
type SyncRequest struct {
	Ref       Ref               // required
	Revision  string            // of a single source; empty means the tracked one, all that Argo CD allows with automated sync
	Revisions map[int]string    // by source, counted from 0, for applications with several; the others keep what they track
	Infos     map[string]string // shown with the operation, and found again in Operation.Infos
}

type wireSync struct {
	Name            string     `json:"name"`
	AppNamespace    string     `json:"appNamespace,omitempty"`
	Project         string     `json:"project,omitempty"`
	Revision        string     `json:"revision,omitempty"`
	Revisions       []string   `json:"revisions,omitempty"`
	SourcePositions []string   `json:"sourcePositions,omitempty"` // int64 as JSON strings, counted from 1
	Infos           []wireInfo `json:"infos,omitempty"`
}

// Sync asks for an operation and returns when Argo CD has noted it, long before it ends. The error wraps [ErrBusy] while
// another operation runs, [ErrSyncWindow] outside of the project's windows, [ErrForbidden] without the permission.
func (c *Client) Sync(ctx context.Context, request SyncRequest) error {
	body := wireSync{
		Name:         request.Ref.Name,
		AppNamespace: request.Ref.Namespace,
		Project:      request.Ref.Project,
		Revision:     request.Revision,
	}
	for _, position := range slices.Sorted(maps.Keys(request.Revisions)) {
		body.SourcePositions = append(body.SourcePositions, strconv.Itoa(position+1))
		body.Revisions = append(body.Revisions, request.Revisions[position])
	}
	for _, name := range slices.Sorted(maps.Keys(request.Infos)) {
		body.Infos = append(body.Infos, wireInfo{Name: name, Value: request.Infos[name]})
	}
	var noted struct{}
	return c.do(ctx, call{
		op:     "sync",
		ref:    request.Ref,
		method: http.MethodPost,
		path:   []string{"api", "v1", "applications", request.Ref.Name, "sync"},
		body:   body,
	}, &noted)
}

// A Selection narrows a list. The zero value selects everything that the token may see.
type Selection struct {
	Projects  []string
	Namespace string
	Selector  string // of labels, as kubectl takes it
	RepoURL   string // applications with a source of this repository
}

// List lists the selected applications, in the server's order, without what takes an answer of its own: ask for an
// [Application] to learn revisions and operations. Argo CD leaves out, without a word, what the token may not see.
func (c *Client) List(ctx context.Context, selection Selection) ([]Summary, error) {
	query := url.Values{"fields": {listMask}}
	for _, project := range selection.Projects {
		query.Add("projects", project)
	}
	for name, value := range map[string]string{
		"appNamespace": selection.Namespace,
		"selector":     selection.Selector,
		"repo":         selection.RepoURL,
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	var answer struct {
		Items []wireApplication `json:"items"`
	}
	err := c.do(ctx, call{op: "list applications", method: http.MethodGet, path: []string{"api", "v1", "applications"}, query: query}, &answer)
	if err != nil {
		return nil, err
	}
	var apps []Summary
	for _, item := range answer.Items {
		apps = append(apps, item.summary())
	}
	return apps, nil
}

// Version is the server's version, such as "v3.6.1+abcdef0". It needs no permission and proves no token: see [Client.User].
func (c *Client) Version(ctx context.Context) (string, error) {
	var answer struct {
		Version string `json:"Version"`
	}
	err := c.do(ctx, call{op: "ask for the version", method: http.MethodGet, path: []string{"api", "version"}}, &answer)
	if err == nil && answer.Version == "" {
		return "", fmt.Errorf("argo cd: the answer to %s/api/version has no version; is this Argo CD?", c.base)
	}
	return answer.Version, err
}

// User is whom the token belongs to, such as "proj:develop:lockkeeper". The error wraps [ErrUnauthorized] when Argo CD does not
// accept the token.
func (c *Client) User(ctx context.Context) (string, error) {
	var answer struct {
		LoggedIn bool   `json:"loggedIn"`
		Username string `json:"username"`
	}
	sent := call{op: "ask whom the token belongs to", method: http.MethodGet, path: []string{"api", "v1", "session", "userinfo"}}
	if err := c.do(ctx, sent, &answer); err != nil {
		return "", err
	}
	if !answer.LoggedIn {
		failed := &APIError{Op: sent.String(), Status: http.StatusUnauthorized, Message: "not logged in"}
		failed.classify(sent, "")
		return "", failed
	}
	return answer.Username, nil
}

// May says whether the token may do action ("get", "sync") to the application, which needs its project.
func (c *Client) May(ctx context.Context, action string, ref Ref) (bool, error) {
	objects := [][]string{{ref.Project, ref.Name}}
	if ref.Namespace != "" {
		// Policies name the namespace only of applications outside of Argo CD's own, which a client does not know.
		objects = append(objects, []string{ref.Project, ref.Namespace, ref.Name})
	}
	for _, object := range objects {
		var answer struct {
			Value string `json:"value"`
		}
		err := c.do(ctx, call{
			op:     "ask for the permission to " + action,
			ref:    ref,
			method: http.MethodGet,
			path:   append([]string{"api", "v1", "account", "can-i", "applications", action}, object...),
		}, &answer)
		if err != nil {
			return false, err
		}
		if answer.Value == "yes" {
			return true, nil
		}
	}
	return false, nil
}
