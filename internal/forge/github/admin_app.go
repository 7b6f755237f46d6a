package github

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
)

// about asks who the App is, and what its installation on a repository may do.
func (a *App) about(ctx context.Context, repository string) (Token, error) {
	var app struct {
		Slug  string `json:"slug"`
		Owner struct {
			Login string `json:"login"`
			Type  string `json:"type"`
		} `json:"owner"`
	}
	if _, err := a.get(ctx, request{name: "ask which App it is", path: "app"}, &app); err != nil {
		return Token{}, err
	}
	token := Token{Kind: TokenApp, User: app.Slug + "[bot]", App: a.id, Slug: app.Slug}
	if app.Owner.Type == "Organization" {
		token.Organization = app.Owner.Login
	}
	var answer struct {
		HTMLURL     string            `json:"html_url"`
		Events      []string          `json:"events"`
		Permissions map[string]string `json:"permissions"`
	}
	_, err := a.get(ctx, request{name: "find the installation", subject: fmt.Sprintf("for repository %q", repository), path: "repos/" + repository + "/installation"}, &answer)
	if api, ok := errors.AsType[*promote.APIError](err); ok && api.Status == http.StatusNotFound {
		api.Remedy = fmt.Sprintf("install the App %d on repository %q", a.id, repository)
	}
	token.Page, token.Events, token.Permissions = answer.HTMLURL, answer.Events, answer.Permissions
	return token, err
}

// AppHook reads the webhook of the App that the Forge uses. The events are those of its installation, in [Token].
func (f *Forge) AppHook(ctx context.Context) (Hook, error) {
	if f.app == nil {
		return Hook{}, fmt.Errorf("github: read webhook: no App is used: %w", promote.ErrNotFound)
	}
	var answer hookConfig
	_, err := f.app.get(ctx, request{name: "read webhook of the App", path: "app/hook/config"}, &answer)
	return answer.hook(), err
}

// SetAppHook sets the address of the App's webhook, and its secret unless that is empty. The events cannot be set: they are chosen on
// the App's page.
func (f *Forge) SetAppHook(ctx context.Context, edit HookEdit) error {
	if f.app == nil {
		return fmt.Errorf("github: edit webhook: no App is used: %w", promote.ErrNotFound)
	}
	config := hookConfig{URL: edit.URL, ContentType: "json", InsecureSSL: "0", Secret: edit.Secret.Reveal()}
	_, err := f.app.send(ctx, request{name: "edit webhook of the App", method: http.MethodPatch, path: "app/hook/config", body: config}, nil)
	return forge.Concealed(err, edit.Secret)
}

// Manifest is the description by which GitHub makes an App (docs: "Registering a GitHub App from a manifest").
type Manifest struct {
	Name               string            `json:"name"`
	URL                string            `json:"url"` // of a page about it
	Hook               ManifestHook      `json:"hook_attributes"`
	RedirectURL        string            `json:"redirect_url,omitempty"` // where GitHub sends the browser with a code
	Description        string            `json:"description"`
	Public             bool              `json:"public"`
	DefaultPermissions map[string]string `json:"default_permissions"`
	DefaultEvents      []string          `json:"default_events"`
}

// ManifestHook is the webhook in a manifest.
type ManifestHook struct {
	URL    string `json:"url"`
	Active bool   `json:"active"`
}

// NewManifest describes an App that may do what Lockkeeper needs, and is told what it needs to know at the address of its webhook.
func NewManifest(name, hook string) Manifest {
	events := slices.Clone(HookEvents())
	slices.Sort(events)
	return Manifest{
		Name: name, URL: "https://github.com/lockkeeper/lockkeeper", Hook: ManifestHook{URL: hook, Active: true},
		Description: "Lifts releases through the stages of a GitOps repository, one gated pull request at a time.", DefaultPermissions: NeededPermissions(), DefaultEvents: events,
	}
}

// Created is an App that GitHub made of a manifest.
type Created struct {
	ID            int64
	Slug          string
	URL           string // of its page
	PrivateKey    secret.Text
	WebhookSecret secret.Text
}

// Conversion says on which GitHub a manifest was submitted.
type Conversion struct {
	URL        string       // required; as in Config
	HTTPClient *http.Client // default: one of its own
	Logger     *slog.Logger // default: silent
	Now        func() time.Time
}

var conversionCode = regexp.MustCompile(`^[A-Za-z0-9_-]{1,200}$`)

// Convert exchanges the code that GitHub gave the browser for the App that it made. A code is good once, for an hour.
func Convert(ctx context.Context, on Conversion, code string) (Created, error) {
	if !conversionCode.MatchString(code) {
		return Created{}, errors.New("github: the code is none of GitHub's: begin again")
	}
	c, err := newCaller(connection{
		url: on.URL, credential: &tokenCredential{limits: NewLimits()}, subject: "the manifest of an App",
		wire: forge.Connection{HTTPClient: on.HTTPClient, Logger: on.Logger, Now: on.Now},
	})
	if err != nil {
		return Created{}, fmt.Errorf("github: %w", err)
	}
	var answer struct {
		ID            int64       `json:"id"`
		Slug          string      `json:"slug"`
		HTMLURL       string      `json:"html_url"`
		PEM           secret.Text `json:"pem"`
		WebhookSecret secret.Text `json:"webhook_secret"`
	}
	_, err = c.send(ctx, request{name: "exchange the code of a manifest", method: http.MethodPost, path: "app-manifests/" + code + "/conversions"}, &answer)
	if err != nil {
		return Created{}, err
	}
	if answer.ID <= 0 || answer.PEM == "" {
		return Created{}, &promote.APIError{
			Service: service, Operation: "exchange the code of a manifest", Status: http.StatusCreated, Message: "the answer holds no App",
			Remedy: "look for the App on GitHub, and make a private key there",
		}
	}
	return Created{ID: answer.ID, Slug: answer.Slug, URL: answer.HTMLURL, PrivateKey: answer.PEM, WebhookSecret: answer.WebhookSecret}, nil
}
