package devforge

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the older signature, which GitHub still sends
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// The further kinds of webhooks in GitHub's dialect, by the name of the event.
const (
	HookPullRequest      HookEvent = "pull_request"
	HookReview           HookEvent = "pull_request_review"
	HookReviewComment    HookEvent = "pull_request_review_comment"
	HookIssueComment     HookEvent = "issue_comment"
	HookStatus           HookEvent = "status"
	HookCheckRun         HookEvent = "check_run"
	HookCheckSuite       HookEvent = "check_suite"
	HookMergeGroup       HookEvent = "merge_group"
	HookDeployment       HookEvent = "deployment"
	HookDeploymentStatus HookEvent = "deployment_status"
	HookInstallation     HookEvent = "installation" // goes to every App; cannot be chosen
	HookPing             HookEvent = "ping"         // goes to every new hook; cannot be chosen
)

var gitHubEvents = []HookEvent{
	HookPush, HookPullRequest, HookReview, HookReviewComment, HookIssueComment, HookStatus, HookCheckRun, HookCheckSuite, HookMergeGroup,
	HookDeployment, HookDeploymentStatus,
}

// event is something that hooks hear of. The payload is made only if one wants it.
type event struct {
	kind    HookEvent // required
	action  string
	by      *User // required
	only    *app  // nil means every hook
	payload func() (object, error)
}

// tell hands an event to the hooks of a repository and of the Apps installed there.
func (f *Forge) tell(p *project, e event) error {
	wants := func(h *hookRecord) bool {
		return !h.Inactive && (slices.Contains(h.Events, e.kind) || slices.Contains(h.Events, "*"))
	}
	var hooks []*hookRecord
	if e.only == nil {
		hooks = slices.DeleteFunc(slices.Clone(p.Hooks), func(h *hookRecord) bool { return !wants(h) })
	}
	var apps []*app
	for _, a := range f.tables.GitHub.Apps {
		if (e.only == nil || e.only == a) && a.Hook.URL != "" && wants(a.Hook) && f.tables.GitHub.installed(a, p) != nil {
			apps = append(apps, a)
		}
	}
	if len(hooks)+len(apps) == 0 {
		return nil
	}
	payload, err := e.payload()
	if err != nil {
		return fmt.Errorf("webhook %s: %w", e.kind, err)
	}
	payload = payload.with(object{"repository": f.showRepository(p), "sender": f.showPerson(e.by)})
	if e.action != "" {
		payload["action"] = e.action
	}
	for _, h := range hooks {
		if err := f.mail(h, letter{kind: e.kind, target: "repository", targetID: p.ID, payload: payload}); err != nil {
			return err
		}
	}
	for _, a := range apps {
		in := f.tables.GitHub.installed(a, p)
		whole := payload.with(object{"installation": object{"id": in.ID, "node_id": nodeID("MDIzOkludGVncmF0aW9uSW5zdGFsbGF0aW9u", in.ID)}})
		if err := f.mail(a.Hook, letter{kind: e.kind, target: "integration", targetID: a.ID, payload: whole}); err != nil {
			return err
		}
	}
	return nil
}

// letter is one webhook to one hook.
type letter struct {
	kind     HookEvent
	target   string // whose hook: repository or integration
	targetID int
	payload  object
}

// mail signs and queues a webhook (docs, "Webhook events and payloads", "Delivery headers"). GitHub tries once.
func (f *Forge) mail(h *hookRecord, l letter) error {
	if h == nil || h.URL == "" {
		return nil
	}
	body, err := json.Marshal(l.payload)
	if err != nil {
		return fmt.Errorf("webhook %s: %w", l.kind, err)
	}
	header := http.Header{}
	header.Set("Content-Type", "application/json")
	if h.Form {
		header.Set("Content-Type", "application/x-www-form-urlencoded")
		body = []byte(url.Values{"payload": {string(body)}}.Encode())
	}
	for name, value := range map[string]string{
		"Accept":                                 "*/*",
		"User-Agent":                             "GitHub-Hookshot/" + newDiscussionID()[:7],
		"X-GitHub-Event":                         string(l.kind),
		"X-GitHub-Delivery":                      newUUID(),
		"X-GitHub-Hook-ID":                       strconv.Itoa(h.ID),
		"X-GitHub-Hook-Installation-Target-ID":   strconv.Itoa(l.targetID),
		"X-GitHub-Hook-Installation-Target-Type": l.target,
	} {
		header.Set(name, value)
	}
	if h.Token != "" {
		newer, older := hmac.New(sha256.New, []byte(h.Token)), hmac.New(sha1.New, []byte(h.Token))
		newer.Write(body) // a hash takes everything
		older.Write(body)
		header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(newer.Sum(nil)))
		header.Set("X-Hub-Signature", "sha1="+hex.EncodeToString(older.Sum(nil)))
	}
	packed := parcel{hook: h.Hook, id: h.ID, Delivery: Delivery{HookID: h.ID, Event: l.kind, URL: h.URL, Header: header, Body: body, At: f.now()}}
	packed.fault = f.hookFault(packed)
	f.hooks.send(packed)
	return nil
}

func (f *Forge) showGitHubHook(p *project, h *hookRecord) object {
	api := f.repoURL(p, "/hooks/%d", h.ID)
	last := object{"code": nil, "status": "unused", "message": nil}
	for _, d := range f.hooks.log() {
		if d.HookID == h.ID {
			last = object{"code": optional(d.Status), "status": "active", "message": deliveryText(d)}
		}
	}
	return object{
		"type": "Repository", "id": h.ID, "name": "web", "active": !h.Inactive, "events": h.Events, "config": showHookConfig(h),
		"updated_at": stamp(h.Created), "created_at": stamp(h.Created), "url": api, "test_url": api + "/test", "ping_url": api + "/pings",
		"deliveries_url": api + "/deliveries", "last_response": last,
	}
}

// showHookConfig hides the secret (REST, "Get a repository webhook").
func showHookConfig(h *hookRecord) object {
	shown := object{"url": h.URL, "content_type": "json", "insecure_ssl": "0"}
	if h.Form {
		shown["content_type"] = "form"
	}
	if h.Token != "" {
		shown["secret"] = "********"
	}
	return shown
}

type hookConfig struct {
	URL         *string `json:"url"`
	Secret      *string `json:"secret"`
	ContentType *string `json:"content_type"`
}

func (h *hookRecord) configure(asked hookConfig) error {
	if asked.URL != nil {
		h.URL = *asked.URL
	}
	if asked.Secret != nil {
		h.Token = *asked.Secret
	}
	if asked.ContentType != nil {
		h.Form = *asked.ContentType != "json"
	}
	if err := h.check(); err != nil {
		return validationFailed(fieldError{Resource: "Hook", Field: "url", Code: "custom", Message: "url is missing a scheme"})
	}
	return nil
}

func listGitHubHooks(c *githubCall) (reply, error) {
	return listed(c, c.project.Hooks, func(h *hookRecord) (object, error) { return c.forge.showGitHubHook(c.project, h), nil })
}

type hookInput struct {
	Config *hookConfig  `json:"config"`
	Events *[]HookEvent `json:"events"`
	Active *bool        `json:"active"`
	Add    []HookEvent  `json:"add_events"`
	Remove []HookEvent  `json:"remove_events"`
}

func (h *hookRecord) take(asked hookInput) error {
	if asked.Events != nil {
		h.Events = *asked.Events
	}
	h.Events = append(slices.Clone(h.Events), asked.Add...)
	h.Events = slices.DeleteFunc(h.Events, func(e HookEvent) bool { return slices.Contains(asked.Remove, e) })
	if asked.Active != nil {
		h.Inactive = !*asked.Active
	}
	for _, e := range h.Events {
		if e != "*" && strings.Trim(string(e), "abcdefghijklmnopqrstuvwxyz_") != "" {
			return validationFailed(fieldError{Resource: "Hook", Field: "events", Code: "custom", Message: "Events is invalid"})
		}
	}
	if asked.Config != nil {
		return h.configure(*asked.Config)
	}
	return nil
}

// createGitHubHook refuses a second hook of the same URL and events, and pings a new one. Without a content type it sends forms.
func createGitHubHook(c *githubCall) (reply, error) {
	var asked hookInput
	if err := c.read(&asked); err != nil {
		return reply{}, err
	}
	made := &hookRecord{Hook: Hook{Events: []HookEvent{HookPush}}, Created: c.forge.now(), Form: true}
	if asked.Config == nil {
		asked.Config = &hookConfig{}
	}
	if err := made.take(asked); err != nil {
		return reply{}, err
	}
	for _, other := range c.project.Hooks {
		if other.URL == made.URL && slices.Equal(other.Events, made.Events) {
			return reply{}, validationFailed(fieldError{Resource: "Hook", Code: "custom", Message: "Hook already exists on this repository"})
		}
	}
	made.ID = c.forge.tables.next("hook")
	c.project.Hooks = append(c.project.Hooks, made)
	c.forge.wrote()
	return reply{http.StatusCreated, c.forge.showGitHubHook(c.project, made)}, c.forge.ping(c.project, made, c.user)
}

func (f *Forge) ping(p *project, h *hookRecord, by *User) error {
	shown := f.showGitHubHook(p, h).with(object{"last_response": object{"code": nil, "status": "unused", "message": nil}})
	return f.mail(h, letter{kind: HookPing, target: "repository", targetID: p.ID, payload: object{
		"zen": "Keep it logically awesome.", "hook_id": h.ID, "hook": shown, "repository": f.showRepository(p), "sender": f.showPerson(by),
	}})
}

func (c *githubCall) hook() (*hookRecord, error) {
	id, err := c.number("hook_id")
	if err != nil {
		return nil, err
	}
	h := c.project.hook(id)
	if h == nil {
		return nil, notFound()
	}
	return h, nil
}

func getGitHubHook(c *githubCall) (reply, error) {
	h, err := c.hook()
	if err != nil {
		return reply{}, err
	}
	return reply{body: c.forge.showGitHubHook(c.project, h)}, nil
}

func updateGitHubHook(c *githubCall) (reply, error) {
	h, err := c.hook()
	if err != nil {
		return reply{}, err
	}
	var asked hookInput
	if err := c.read(&asked); err != nil {
		return reply{}, err
	}
	next := *h
	if asked.Config != nil && asked.Config.Secret == nil {
		next.Token = "" // "if you omit the secret, it is removed" (REST, "Update a repository webhook")
	}
	if err := next.take(asked); err != nil {
		return reply{}, err
	}
	*h = next
	c.forge.wrote()
	return reply{body: c.forge.showGitHubHook(c.project, h)}, nil
}

func deleteGitHubHook(c *githubCall) (reply, error) {
	h, err := c.hook()
	if err != nil {
		return reply{}, err
	}
	c.project.Hooks = slices.DeleteFunc(c.project.Hooks, func(other *hookRecord) bool { return other == h })
	c.forge.wrote()
	return reply{status: http.StatusNoContent}, nil
}

func pingGitHubHook(c *githubCall) (reply, error) {
	h, err := c.hook()
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusNoContent}, c.forge.ping(c.project, h, c.user)
}

func (c *githubCall) getHookConfig(h *hookRecord) (reply, error) {
	return reply{body: showHookConfig(h)}, nil
}

// updateHookConfig leaves what is not said as it is, the secret among it.
func (c *githubCall) updateHookConfig(h *hookRecord) (reply, error) {
	var asked hookConfig
	if err := c.read(&asked); err != nil {
		return reply{}, err
	}
	next := *h
	if err := next.configure(asked); err != nil {
		return reply{}, err
	}
	*h = next
	c.forge.wrote()
	return reply{body: showHookConfig(h)}, nil
}

func deliveryText(d Delivery) string {
	switch {
	case d.Status == 0:
		return "failed to connect to host"
	case d.Status >= 200 && d.Status < 300:
		return "OK"
	}
	return fmt.Sprintf("Invalid HTTP Response: %d", d.Status)
}

// payload is the JSON that went out, whichever way it was wrapped.
func (d Delivery) payload() json.RawMessage {
	if strings.HasPrefix(d.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		form, err := url.ParseQuery(string(d.Body))
		if err != nil {
			return nil
		}
		return json.RawMessage(form.Get("payload"))
	}
	return d.Body
}

func showDelivery(d Delivery) object {
	var about struct {
		Action       *string `json:"action"`
		Installation *struct {
			ID int `json:"id"`
		} `json:"installation"`
		Repository *struct {
			ID int `json:"id"`
		} `json:"repository"`
	}
	_ = json.Unmarshal(d.payload(), &about) // made here: what is missing is null
	shown := object{
		"id": d.ID, "guid": d.Header.Get("X-GitHub-Delivery"), "delivered_at": stamp(d.At), "redelivery": d.Again, "duration": 0.1,
		"status": deliveryText(d), "status_code": d.Status, "event": string(d.Event), "action": about.Action, "installation_id": nil,
		"repository_id": nil, "throttled_at": nil,
	}
	if about.Installation != nil {
		shown["installation_id"] = about.Installation.ID
	}
	if about.Repository != nil {
		shown["repository_id"] = about.Repository.ID
	}
	return shown
}

// deliveriesOf are the deliveries of a hook, the newest first. The forge keeps a bounded number of them, GitHub three days.
func (c *githubCall) deliveriesOf(h *hookRecord) []Delivery {
	var all []Delivery
	for _, d := range slices.Backward(c.forge.hooks.log()) {
		if d.HookID == h.ID {
			all = append(all, d)
		}
	}
	slices.SortStableFunc(all, func(a, b Delivery) int { return b.ID - a.ID })
	return all
}

// deliveries pages by cursor: the ID of the last delivery of the page before.
func (c *githubCall) deliveries(h *hookRecord) (reply, error) {
	query := c.URL.Query()
	size, _ := strconv.Atoi(query.Get("per_page"))
	if size = min(size, 100); size < 1 {
		size = 30
	}
	before, err := strconv.Atoi(query.Get("cursor"))
	if query.Get("cursor") != "" && err != nil {
		return reply{}, githubRefusal(http.StatusBadRequest, "Invalid cursor")
	}
	wanted := query.Get("status")
	shown := []object{}
	last := 0
	for _, d := range c.deliveriesOf(h) {
		good := d.Status >= 200 && d.Status < 300
		if before > 0 && d.ID >= before || wanted == "success" && !good || wanted == "failure" && good {
			continue
		}
		if len(shown) == size {
			query.Set("cursor", strconv.Itoa(last))
			c.header.Set("Link", fmt.Sprintf(`<%s?%s>; rel="next"`, c.numericURL(), query.Encode()))
			break
		}
		shown, last = append(shown, showDelivery(d)), d.ID
	}
	return reply{body: shown}, nil
}

func (c *githubCall) delivery(h *hookRecord) (Delivery, error) {
	id, err := c.number("delivery_id")
	if err != nil {
		return Delivery{}, err
	}
	for _, d := range c.deliveriesOf(h) {
		if d.ID == id {
			return d, nil
		}
	}
	return Delivery{}, notFound()
}

func (c *githubCall) showWholeDelivery(h *hookRecord) (reply, error) {
	d, err := c.delivery(h)
	if err != nil {
		return reply{}, err
	}
	sent := object{}
	for name := range d.Header {
		sent[name] = d.Header.Get(name)
	}
	return reply{body: showDelivery(d).with(object{
		"url": d.URL, "request": object{"headers": sent, "payload": d.payload()},
		"response": object{"headers": object{}, "payload": ""},
	})}, nil
}

// redeliver sends a delivery again, with the same GUID, and answers before it is there.
func (c *githubCall) redeliver(h *hookRecord) (reply, error) {
	d, err := c.delivery(h)
	if err != nil {
		return reply{}, err
	}
	return reply{http.StatusAccepted, object{}}, c.forge.hooks.resend(d.ID, c.forge.now())
}

// ofHook and ofApp say whose deliveries an endpoint is about.
func ofHook(handle func(*githubCall, *hookRecord) (reply, error)) func(*githubCall) (reply, error) {
	return func(c *githubCall) (reply, error) {
		h, err := c.hook()
		if err != nil {
			return reply{}, err
		}
		return handle(c, h)
	}
}

func ofApp(handle func(*githubCall, *hookRecord) (reply, error)) func(*githubCall) (reply, error) {
	return func(c *githubCall) (reply, error) { return handle(c, c.app.Hook) }
}
