package devforge

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// updateHook changes what the request names. A new address takes the secret along only if it names one
// (doc/api/project_webhooks.md, "Edit a project webhook").
func updateHook(c *call) (reply, error) {
	h, err := c.hook()
	if err != nil {
		return reply{}, err
	}
	next := h.Hook
	next.Events = slices.Clone(next.Events)
	if c.params.has("url") {
		if next.URL, err = c.params.text("url"); err != nil {
			return reply{}, err
		}
		if next.URL != h.URL {
			next.Token = ""
		}
	}
	for name, field := range map[string]*string{"token": &next.Token, "signing_token": &next.SigningToken} {
		if !c.params.has(name) {
			continue
		}
		if *field, err = c.params.text(name); err != nil {
			return reply{}, err
		}
	}
	for _, event := range hookEvents {
		name := string(event) + "_events"
		wanted, err := c.params.boolean(name)
		if err != nil {
			return reply{}, err
		}
		if !c.params.has(name) {
			continue
		}
		next.Events = slices.DeleteFunc(next.Events, func(e HookEvent) bool { return e == event })
		if wanted {
			next.Events = append(next.Events, event)
		}
	}
	if err := next.check(); err != nil {
		return reply{}, refuse(http.StatusUnprocessableEntity, "Invalid url given")
	}
	h.Hook = next
	c.forge.wrote()
	return getHook(c)
}

// testHook sends one delivery of a kind. It has the body of no event: GitLab makes one up from the newest of the project
// (doc/api/project_webhooks.md, "Trigger a test project webhook"). What the receiver answers is in the events of the hook.
func testHook(c *call) (reply, error) {
	h, err := c.hook()
	if err != nil {
		return reply{}, err
	}
	event := HookEvent(strings.TrimSuffix(c.PathValue("trigger"), "_events"))
	if !slices.Contains(hookEvents, event) {
		return reply{}, invalid("trigger does not have a valid value")
	}
	only := *c.project
	wanted := *h
	wanted.Events = []HookEvent{event}
	only.Hooks = []*hookRecord{&wanted}
	if err := c.forge.post(&only, event, []byte(`{"object_kind":`+strconv.Quote(string(event))+`}`)); err != nil {
		return reply{}, err
	}
	return reply{http.StatusCreated, messageBody{"201 Created"}}, nil
}
