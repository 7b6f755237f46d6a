package devforge

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// HookEvent is a kind of webhook, by the name of its switch in GitLab's API without "_events".
type HookEvent string

// The kinds of webhooks that this forge sends.
const (
	HookPush         HookEvent = "push"
	HookTagPush      HookEvent = "tag_push"
	HookMergeRequest HookEvent = "merge_requests"
	HookNote         HookEvent = "note"
	HookPipeline     HookEvent = "pipeline"
	HookEmoji        HookEvent = "emoji"
)

var hookEvents = []HookEvent{HookPush, HookTagPush, HookMergeRequest, HookNote, HookPipeline, HookEmoji}

// header is the X-Gitlab-Event of a kind.
func (e HookEvent) header() string {
	switch e {
	case HookPush:
		return "Push Hook"
	case HookTagPush:
		return "Tag Push Hook"
	case HookMergeRequest:
		return "Merge Request Hook"
	case HookNote:
		return "Note Hook"
	case HookPipeline:
		return "Pipeline Hook"
	case HookEmoji:
		return "Emoji Hook"
	case HookPullRequest, HookReview, HookReviewComment, HookIssueComment, HookStatus, HookCheckRun, HookCheckSuite, HookMergeGroup,
		HookDeployment, HookDeploymentStatus, HookInstallation, HookPing: // GitHub's
	}
	return ""
}

// Hook is a webhook of a project.
type Hook struct {
	URL          string // required; http or https
	Token        string // GitLab sends it as X-Gitlab-Token, GitHub signs with it
	SigningToken string // "whsec_" and 32 bytes in base64; signs by Standard Webhooks
	Events       []HookEvent
}

type hookRecord struct {
	ID int `json:"id"`
	Hook
	Created       time.Time `json:"created"`
	Failures      int       `json:"failures"` // in a row
	DisabledUntil time.Time `json:"disabled_until"`
	Inactive      bool      `json:"inactive,omitzero"` // GitHub: switched off
	Form          bool      `json:"form,omitzero"`     // GitHub: sends the payload as a form
}

// AddHook adds a webhook to a project and returns its ID. No events means all.
func (f *Forge) AddHook(path string, h Hook) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.tables.projectAt(path)
	if p == nil {
		return 0, fmt.Errorf("hook of project %q: %w", path, ErrNotFound)
	}
	if err := h.check(); err != nil {
		return 0, err
	}
	if len(h.Events) == 0 {
		h.Events = f.config.Dialect.hookEvents()
	}
	return f.addHook(p, h).ID, nil
}

// RemoveHook takes a webhook off a project. What is already queued is still delivered.
func (f *Forge) RemoveHook(path string, id int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.tables.projectAt(path)
	if p == nil || p.hook(id) == nil {
		return fmt.Errorf("hook %d of project %q: %w", id, path, ErrNotFound)
	}
	p.Hooks = slices.DeleteFunc(p.Hooks, func(h *hookRecord) bool { return h.ID == id })
	f.wrote()
	return nil
}

func (f *Forge) addHook(p *project, h Hook) *hookRecord {
	added := &hookRecord{ID: f.tables.next("hook"), Hook: h, Created: f.now()}
	p.Hooks = append(p.Hooks, added)
	f.wrote()
	return added
}

func (h Hook) check() error {
	if u, err := url.Parse(h.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("hook URL %q: expected http:// or https:// and a host", h.URL)
	}
	if h.SigningToken != "" {
		if _, err := signingKey(h.SigningToken); err != nil {
			return err
		}
	}
	return nil
}

// signingKey decodes a signing token. The error does not repeat it.
func signingKey(token string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(token, "whsec_")
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(key) != 32 {
		return nil, fmt.Errorf("signing token: expected whsec_ and 32 bytes in base64")
	}
	return key, nil
}

func (p *project) hook(id int) *hookRecord {
	for _, h := range p.Hooks {
		if h.ID == id {
			return h
		}
	}
	return nil
}

type hookEntity struct {
	ID                    int        `json:"id"`
	URL                   string     `json:"url"`
	Name                  *string    `json:"name"`
	Description           *string    `json:"description"`
	CreatedAt             moment     `json:"created_at"`
	PushEvents            bool       `json:"push_events"`
	TagPushEvents         bool       `json:"tag_push_events"`
	MergeRequestsEvents   bool       `json:"merge_requests_events"`
	NoteEvents            bool       `json:"note_events"`
	PipelineEvents        bool       `json:"pipeline_events"`
	EmojiEvents           bool       `json:"emoji_events"`
	IssuesEvents          bool       `json:"issues_events"`
	JobEvents             bool       `json:"job_events"`
	EnableSSLVerification bool       `json:"enable_ssl_verification"`
	AlertStatus           string     `json:"alert_status"`
	DisabledUntil         moment     `json:"disabled_until"`
	URLVariables          []struct{} `json:"url_variables"`
	CustomHeaders         []struct{} `json:"custom_headers"`
	TokenPresent          bool       `json:"token_present"`
	SigningTokenPresent   bool       `json:"signing_token_present"`
	ProjectID             int        `json:"project_id"`
}

func (c *call) showHook(h *hookRecord) hookEntity {
	sends := func(e HookEvent) bool { return slices.Contains(h.Events, e) }
	entity := hookEntity{
		ID: h.ID, URL: h.URL, CreatedAt: moment(h.Created), ProjectID: c.project.ID,
		PushEvents: sends(HookPush), TagPushEvents: sends(HookTagPush), MergeRequestsEvents: sends(HookMergeRequest),
		NoteEvents: sends(HookNote), PipelineEvents: sends(HookPipeline), EmojiEvents: sends(HookEmoji),
		EnableSSLVerification: true, AlertStatus: "executable", URLVariables: []struct{}{}, CustomHeaders: []struct{}{},
		TokenPresent: h.Token != "", SigningTokenPresent: h.SigningToken != "",
	}
	if c.forge.now().Before(h.DisabledUntil) {
		entity.AlertStatus, entity.DisabledUntil = "temporarily_disabled", moment(h.DisabledUntil)
	}
	return entity
}

func listHooks(c *call) (reply, error) {
	return shown(c, c.project.Hooks, func(h *hookRecord) (hookEntity, error) { return c.showHook(h), nil })
}

// createHook: push events are on unless switched off, the others are off unless switched on (doc/api/project_webhooks.md).
func createHook(c *call) (reply, error) {
	address, err := c.params.required("url")
	if err != nil {
		return reply{}, err
	}
	h := Hook{URL: address}
	if h.Token, err = c.params.text("token"); err != nil {
		return reply{}, err
	}
	if h.SigningToken, err = c.params.text("signing_token"); err != nil {
		return reply{}, err
	}
	for _, event := range hookEvents {
		wanted, err := c.params.boolean(string(event) + "_events")
		if err != nil {
			return reply{}, err
		}
		if wanted || event == HookPush && !c.params.has("push_events") {
			h.Events = append(h.Events, event)
		}
	}
	if err := h.check(); err != nil {
		return reply{}, refuse(http.StatusUnprocessableEntity, "Invalid url given")
	}
	return reply{http.StatusCreated, c.showHook(c.forge.addHook(c.project, h))}, nil
}

func (c *call) hook() (*hookRecord, error) {
	id, err := c.number("hook_id")
	if err != nil {
		return nil, err
	}
	h := c.project.hook(id)
	if h == nil {
		return nil, missing("")
	}
	return h, nil
}

func getHook(c *call) (reply, error) {
	h, err := c.hook()
	if err != nil {
		return reply{}, err
	}
	return reply{body: c.showHook(h)}, nil
}

func deleteHook(c *call) (reply, error) {
	h, err := c.hook()
	if err != nil {
		return reply{}, err
	}
	c.project.Hooks = slices.DeleteFunc(c.project.Hooks, func(other *hookRecord) bool { return other == h })
	c.forge.wrote()
	return reply{status: http.StatusNoContent}, nil
}

type hookEventEntity struct {
	ID             int               `json:"id"`
	URL            string            `json:"url"`
	Trigger        string            `json:"trigger"`
	RequestHeaders map[string]string `json:"request_headers"`
	ResponseStatus string            `json:"response_status"`
}

func listHookEvents(c *call) (reply, error) {
	h, err := c.hook()
	if err != nil {
		return reply{}, err
	}
	var log []Delivery
	for _, d := range slices.Backward(c.forge.hooks.log()) {
		if d.HookID == h.ID {
			log = append(log, d)
		}
	}
	return shown(c, log, func(d Delivery) (hookEventEntity, error) {
		entity := hookEventEntity{ID: d.ID, URL: d.URL, Trigger: string(d.Event) + "_hooks", RequestHeaders: map[string]string{}}
		for name := range d.Header {
			if !strings.EqualFold(name, "X-Gitlab-Token") {
				entity.RequestHeaders[name] = d.Header.Get(name)
			}
		}
		if entity.ResponseStatus = strconv.Itoa(d.Status); d.Status == 0 {
			entity.ResponseStatus = "internal error"
		}
		return entity, nil
	})
}

func resendHookEvent(c *call) (reply, error) {
	if _, err := c.hook(); err != nil {
		return reply{}, err
	}
	id, err := c.number("hook_log_id")
	if err != nil {
		return reply{}, err
	}
	if err := c.forge.hooks.resend(id, c.forge.now()); err != nil {
		return reply{}, missing("")
	}
	return reply{http.StatusCreated, struct {
		ResponseStatus int `json:"response_status"`
	}{http.StatusOK}}, nil
}
