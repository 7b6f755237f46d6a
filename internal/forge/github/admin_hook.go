package github

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/internal/secret"
)

// Hook is a webhook of a repository, or that of the App.
type Hook struct {
	ID     int // 0: that of the App
	URL    string
	Events []string // that are sent; "*" stands for all
	Verify bool     // certificates are verified
	Secret bool     // a secret is set
	Active bool
	Form   bool // bodies are sent as a form instead of JSON
}

// HookEvents are the events that Lockkeeper needs.
func HookEvents() []string {
	return []string{
		"push", "pull_request", "pull_request_review", "pull_request_review_comment", "issue_comment", "check_run", "check_suite", "status", "merge_group",
	}
}

type hookConfig struct {
	URL         string      `json:"url,omitempty"`
	ContentType string      `json:"content_type,omitempty"`
	InsecureSSL insecureSSL `json:"insecure_ssl,omitempty"`
	Secret      string      `json:"secret,omitempty"` // in answers: asterisks
}

// insecureSSL is "0", "1", or a number: GitHub answers either.
type insecureSSL string

// UnmarshalJSON takes a text or a number. Something else counts as not verified.
func (s *insecureSSL) UnmarshalJSON(data []byte) error {
	*s = insecureSSL(strings.Trim(string(data), `"`))
	return nil
}

func (c hookConfig) hook() Hook {
	return Hook{URL: c.URL, Verify: c.InsecureSSL == "0" || c.InsecureSSL == "", Secret: c.Secret != "", Form: c.ContentType != "json", Active: true}
}

type wireHook struct {
	ID     int        `json:"id"`
	Active bool       `json:"active"`
	Events []string   `json:"events"`
	Config hookConfig `json:"config"`
}

func (w wireHook) hook() Hook {
	hook := w.Config.hook()
	hook.ID, hook.Events, hook.Active = w.ID, w.Events, w.Active
	return hook
}

// Hooks lists the webhooks of the repository. It takes the right to administer them.
func (f *Forge) Hooks(ctx context.Context) ([]Hook, error) {
	found, err := list[wireHook](ctx, f.caller, request{name: "list webhooks", path: f.base + "/hooks"})
	if err != nil {
		return nil, err
	}
	hooks := make([]Hook, len(found))
	for i, one := range found {
		hooks[i] = one.hook()
	}
	return hooks, nil
}

// HookEdit is how a webhook should be. It sends all that Lockkeeper needs as JSON, with verified certificates.
type HookEdit struct {
	ID     int         // zero: make it
	URL    string      // required
	Secret secret.Text // required to make it; empty: as it is
}

// SetHook makes or changes a webhook of the repository. When the answer to making one is lost, the hooks are searched for it.
func (f *Forge) SetHook(ctx context.Context, edit HookEdit) (Hook, error) {
	config := hookConfig{URL: edit.URL, ContentType: "json", InsecureSSL: "0", Secret: edit.Secret.Reveal()}
	if edit.ID != 0 {
		return Hook{ID: edit.ID}, forge.Concealed(f.editHook(ctx, edit.ID, config), edit.Secret)
	}
	var made wireHook
	_, err := f.send(ctx, request{
		name: "create webhook", method: http.MethodPost, path: f.base + "/hooks",
		body: map[string]any{"name": "web", "active": true, "events": HookEvents(), "config": config},
	}, &made)
	if err == nil || !forge.InDoubt(ctx, err) {
		return made.hook(), forge.Concealed(err, edit.Secret)
	}
	hooks, listErr := f.Hooks(ctx)
	if i := slices.IndexFunc(hooks, func(h Hook) bool { return h.URL == edit.URL }); listErr == nil && i >= 0 {
		return hooks[i], nil
	}
	return Hook{}, forge.Concealed(err, edit.Secret)
}

// editHook sets the events and the configuration apart: a configuration that is sent with the events takes the secret away when
// it names none (docs: repos/update-webhook).
func (f *Forge) editHook(ctx context.Context, id int, config hookConfig) error {
	path := f.base + "/hooks/" + strconv.Itoa(id)
	_, err := f.send(ctx, request{
		name: "edit webhook", method: http.MethodPatch, path: path, body: map[string]any{"active": true, "add_events": HookEvents()},
	}, nil)
	if err != nil {
		return err
	}
	_, err = f.send(ctx, request{name: "edit webhook", method: http.MethodPatch, path: path + "/config", body: config}, nil)
	return err
}

// Delivered is one webhook that GitHub sent.
type Delivered struct {
	Event  string
	At     string // when; RFC 3339
	Status int    // HTTP; 0 when there was no answer
}

// Deliveries lists the newest deliveries of a webhook of the repository, or of the App when hook is 0, the newest first.
func (f *Forge) Deliveries(ctx context.Context, hook int) ([]Delivered, error) {
	asked, by := request{name: "list deliveries", path: f.base + "/hooks/" + strconv.Itoa(hook) + "/deliveries"}, f.caller
	if hook == 0 && f.app != nil {
		asked.path, by = "app/hook/deliveries", f.app.caller
	}
	asked.query = url.Values{"per_page": {"20"}}
	var answer []struct {
		Event       string `json:"event"`
		DeliveredAt string `json:"delivered_at"`
		StatusCode  int    `json:"status_code"`
	}
	if _, err := by.get(ctx, asked, &answer); err != nil {
		return nil, err
	}
	deliveries := make([]Delivered, len(answer))
	for i, one := range answer {
		deliveries[i] = Delivered{Event: one.Event, At: one.DeliveredAt, Status: one.StatusCode}
	}
	return deliveries, nil
}

// PingHook has GitHub send a ping, so that a delivery tells how it goes. The App's webhook cannot be pinged.
func (f *Forge) PingHook(ctx context.Context, hook int) error {
	_, err := f.send(ctx, request{name: "ping webhook", method: http.MethodPost, path: f.base + "/hooks/" + strconv.Itoa(hook) + "/pings"}, nil)
	return err
}
