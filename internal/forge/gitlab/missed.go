package gitlab

import (
	"context"
	"slices"
	"strconv"
	"time"

	gl "github.com/xanzy/go-gitlab"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	maxEventPages = 30
	// dayBefore is how many days earlier is asked for: GitLab takes dates only, leaves the named day out, and counts days in its own
	// time zone.
	dayBefore = 2
)

// Missed returns what happened in the project since then, oldest first, as far as webhooks tell of it: pushes, changes and comments
// (https://docs.gitlab.com/api/events/). GitLab does not say which of them a webhook brought, so all come, with a Delivery that is
// that of the event. Of several pushes to a branch, and of several events of a change, the last one comes.
func (f *Forge) Missed(ctx context.Context, since time.Time) ([]promote.Event, error) {
	happened, err := f.happened(ctx, since)
	if err != nil {
		return nil, err
	}
	type subject struct {
		kind   promote.EventKind
		branch promote.Branch
		change int
	}
	seen := map[subject]bool{}
	var events []promote.Event
	for _, h := range happened { // Newest first.
		event, ok := h.event(f.source)
		about := subject{event.Kind, event.Branch, event.Change}
		if !ok || event.Kind != promote.EventComment && seen[about] {
			continue
		}
		seen[about] = true
		event.Delivery = "event/" + strconv.Itoa(h.ID)
		events = append(events, event)
	}
	slices.Reverse(events)
	return events, nil
}

// happened lists the project's events since a time, newest first, as far as they fit on a bounded number of pages.
func (f *Forge) happened(ctx context.Context, since time.Time) ([]happening, error) {
	after := gl.ISOTime(since.UTC().AddDate(0, 0, -dayBefore))
	var all []happening
	for page := 1; page <= maxEventPages; {
		var items []happening
		response, err := f.get(ctx, request{
			name:    "list events",
			path:    f.base + "/events",
			options: &gl.ListContributionEventsOptions{ListOptions: gl.ListOptions{Page: page, PerPage: perPage}, After: &after, Sort: new("desc")},
		}, &items)
		if err != nil {
			return nil, err
		}
		for _, h := range items {
			if !h.CreatedAt.IsZero() && h.CreatedAt.Before(since) {
				return all, nil
			}
			all = append(all, h)
		}
		next := response.NextPage
		if next == 0 && response.NextLink != "" {
			next = page + 1
		}
		if next <= page || len(items) == 0 {
			return all, nil
		}
		page = next
	}
	f.wire.Logger.WarnContext(ctx, "gitlab: more happened than is looked through", "project", f.project, "events", len(all), "since", since)
	return all, nil
}

// happening is an entry of the project's activity.
type happening struct {
	ID         int    `json:"id"`
	TargetIID  int    `json:"target_iid"`
	TargetType string `json:"target_type"`
	AuthorID   int    `json:"author_id"`
	CreatedAt  stamp  `json:"created_at"`
	PushData   *struct {
		RefType  string `json:"ref_type"`
		Ref      string `json:"ref"` // empty when several were pushed at once
		CommitTo string `json:"commit_to"`
	} `json:"push_data"`
	Note *struct {
		note
		NoteableType string `json:"noteable_type"` //nolint:misspell // GitLab's word
		NoteableIID  int    `json:"noteable_iid"`  //nolint:misspell // GitLab's word
	} `json:"note"`
}

// event is what a webhook of the repository source would have said; ok is false for what none of interest tells.
func (h happening) event(source string) (event promote.Event, ok bool) {
	switch {
	case h.ID <= 0:
		return promote.Event{}, false
	case h.PushData != nil:
		return h.push(source)
	case h.Note != nil:
		return h.comment()
	case h.TargetType == "MergeRequest" && h.TargetIID > 0:
		return promote.Event{Kind: promote.EventChange, Change: h.TargetIID}, true
	}
	return promote.Event{}, false
}

// push names the branch, unless several were pushed at once: then everything is worth a look.
func (h happening) push(source string) (promote.Event, bool) {
	switch {
	case h.PushData.RefType == "tag":
		return promote.Event{Kind: promote.EventArtifact, Image: source}, true
	case h.PushData.Ref == "":
		return promote.Event{Kind: promote.EventSweep}, true
	}
	return promote.Event{Kind: promote.EventPush, Branch: promote.Branch(h.PushData.Ref), Head: forge.ObjectName(h.PushData.CommitTo), Source: source}, true
}

func (h happening) comment() (promote.Event, bool) {
	n := h.Note
	if n.NoteableType != "MergeRequest" || n.System || n.ID <= 0 || n.NoteableIID <= 0 || n.Author.ID <= 0 || h.AuthorID != 0 && h.AuthorID != n.Author.ID {
		return promote.Event{}, false
	}
	return promote.Event{Kind: promote.EventComment, Change: n.NoteableIID, Comment: promote.Comment{
		ID:       n.ID,
		Change:   n.NoteableIID,
		AuthorID: n.Author.ID,
		Author:   n.Author.Username,
		Body:     n.Body,
		At:       n.CreatedAt.Time,
	}}, true
}
