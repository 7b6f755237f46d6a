package gitlab

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	gl "github.com/xanzy/go-gitlab"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
)

// Hook is a webhook of a project or a group.
type Hook struct {
	ID       int
	URL      string
	Events   []string // that are sent, by the names of their switches without "_events"
	Verify   bool     // certificates are verified
	Secret   bool     // a secret or a signing token is set; true when GitLab does not say
	Disabled bool     // GitLab sends nothing, because of failures
	Filtered string   // pushes of other branches are not sent; empty: all are
}

// HookEvents are the kinds of events that Lockkeeper needs, as in [Hook]. Where merge trains run, only the events of their jobs name
// the train.
func HookEvents(trains bool) []string {
	events := []string{"push", "tag_push", "merge_requests", "note", "pipeline"}
	if trains {
		events = append(events, "job")
	}
	return events
}

// wireHook is a hook as GitLab shows it. Older versions do not tell about secrets.
type wireHook struct {
	ID             int    `json:"id"`
	URL            string `json:"url"`
	Push           bool   `json:"push_events"`
	TagPush        bool   `json:"tag_push_events"`
	MergeRequests  bool   `json:"merge_requests_events"`
	Note           bool   `json:"note_events"`
	Pipeline       bool   `json:"pipeline_events"`
	Job            bool   `json:"job_events"`
	SSL            bool   `json:"enable_ssl_verification"`
	AlertStatus    string `json:"alert_status"`
	TokenPresent   *bool  `json:"token_present"`
	SigningPresent *bool  `json:"signing_token_present"`
	BranchFilter   string `json:"push_events_branch_filter"`
}

func (w wireHook) hook() Hook {
	hook := Hook{
		ID: w.ID, URL: w.URL, Verify: w.SSL, Filtered: w.BranchFilter,
		Secret:   w.TokenPresent == nil || *w.TokenPresent || w.SigningPresent != nil && *w.SigningPresent,
		Disabled: w.AlertStatus != "" && w.AlertStatus != "executable",
	}
	sent := map[string]bool{"push": w.Push, "tag_push": w.TagPush, "merge_requests": w.MergeRequests, "note": w.Note, "pipeline": w.Pipeline, "job": w.Job}
	for _, event := range slices.Sorted(maps.Keys(sent)) {
		if sent[event] {
			hook.Events = append(hook.Events, event)
		}
	}
	return hook
}

// HookEdit is how a webhook should be. It is sent with everything that Lockkeeper needs, and with verified certificates.
type HookEdit struct {
	ID           int         // zero: make it
	Group        string      // path of the group whose hook it is; empty: the project's
	URL          string      // required
	Token        secret.Text // empty: as it is
	SigningToken secret.Text // empty: as it is
	Trains       bool        // merge trains run: events of jobs are sent, too
}

// Hooks lists the webhooks of the project, or of a group. It needs the role Maintainer, in a group Owner; groups have
// webhooks in GitLab Premium only.
func (f *Forge) Hooks(ctx context.Context, group string) ([]Hook, error) {
	found, err := list[wireHook](ctx, f, request{name: "list webhooks", path: f.hooks(group)}, func(page gl.ListOptions) any { return &page })
	if err != nil {
		return nil, err
	}
	hooks := make([]Hook, len(found))
	for i, each := range found {
		hooks[i] = each.hook()
	}
	return hooks, nil
}

func (f *Forge) hooks(group string) string {
	if group == "" {
		return f.base + "/hooks"
	}
	return "groups/" + gl.PathEscape(strings.Trim(group, "/")) + "/hooks"
}

// SetHook makes or changes a webhook. When the answer to making one is lost, the hooks are searched for it.
func (f *Forge) SetHook(ctx context.Context, edit HookEdit) (Hook, error) {
	sent := request{name: "create webhook", method: http.MethodPost, path: f.hooks(edit.Group)}
	if edit.ID != 0 {
		sent = request{name: "edit webhook", subject: strconv.Itoa(edit.ID), method: http.MethodPut, path: f.hooks(edit.Group) + "/" + strconv.Itoa(edit.ID)}
	}
	options := map[string]any{"url": edit.URL, "enable_ssl_verification": true, "push_events_branch_filter": ""}
	for _, event := range HookEvents(edit.Trains) {
		options[event+"_events"] = true
	}
	if edit.Token != "" {
		options["token"] = edit.Token.Reveal()
	}
	if edit.SigningToken != "" {
		options["signing_token"] = edit.SigningToken.Reveal()
	}
	sent.options = options
	var answer wireHook
	_, err := f.send(ctx, sent, &answer)
	if err == nil || edit.ID != 0 || !forge.InDoubt(ctx, err) {
		return answer.hook(), forge.Concealed(err, edit.Token, edit.SigningToken)
	}
	hooks, listErr := f.Hooks(ctx, edit.Group)
	if i := slices.IndexFunc(hooks, func(h Hook) bool { return h.URL == edit.URL }); listErr == nil && i >= 0 {
		return hooks[i], nil
	}
	return Hook{}, forge.Concealed(err, edit.Token, edit.SigningToken)
}

// Delivery is one webhook that GitLab sent.
type Delivery struct {
	Event  string
	Status int // HTTP; 0 when there was no answer
}

// Deliveries lists the newest deliveries of a webhook of the project, the newest first.
func (f *Forge) Deliveries(ctx context.Context, hook int) ([]Delivery, error) {
	var answer []struct {
		Trigger        string `json:"trigger"`
		ResponseStatus string `json:"response_status"`
	}
	_, err := f.get(ctx, request{
		name: "list deliveries", subject: fmt.Sprintf("of webhook %d", hook), path: f.base + "/hooks/" + strconv.Itoa(hook) + "/events",
		options: &gl.ListOptions{PerPage: 20},
	}, &answer)
	if err != nil {
		return nil, err
	}
	deliveries := make([]Delivery, len(answer))
	for i, each := range answer {
		deliveries[i].Event = strings.TrimSuffix(each.Trigger, "_hooks")
		deliveries[i].Status, _ = strconv.Atoi(each.ResponseStatus) // words stand there when there was no answer
	}
	return deliveries, nil
}

// TestHook has GitLab send the newest push of the project to a webhook, so that a delivery tells how it goes. That it went wrong is
// told by [Forge.Deliveries] only.
func (f *Forge) TestHook(ctx context.Context, hook int) error {
	var answer struct{}
	_, err := f.send(ctx, request{
		name: "test webhook", subject: strconv.Itoa(hook), method: http.MethodPost,
		path: f.base + "/hooks/" + strconv.Itoa(hook) + "/test/push_events",
	}, &answer)
	if errors.Is(err, promote.ErrInvalid) {
		return nil // GitLab answers 422 when the receiver refused, or when there is nothing to send.
	}
	return err
}
