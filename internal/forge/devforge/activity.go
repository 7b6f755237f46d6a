package devforge

import (
	"slices"
	"strings"
	"time"
)

const (
	// maxActivity bounds what is kept; the oldest goes.
	maxActivity = 1000

	aboutRequest = "MergeRequest"
	aboutNote    = "Note"
)

// activity is an entry of a project's activity (doc/api/events.md). The other tables hold what it is about.
type activity struct {
	ID      int       `json:"id"`
	By      int       `json:"by"`
	At      time.Time `json:"at"`
	Action  string    `json:"action"`
	Request int       `json:"merge_request,omitempty"` // its number in the project
	Note    int       `json:"note,omitempty"`
	Push    *pushed   `json:"push,omitempty"`
}

// pushed is a branch or tag that was pushed. The zero ID means that it did not, or does not, exist.
type pushed struct {
	Ref  string `json:"ref"`
	From string `json:"from"`
	To   string `json:"to"`
}

func (f *Forge) happened(p *project, a activity) {
	if f.config.Dialect == GitHub {
		return // its activity is that of people
	}
	a.ID, a.At = f.tables.next("activity"), f.now()
	p.Activity = append(p.Activity, a)
	p.Activity = p.Activity[max(0, len(p.Activity)-maxActivity):]
	f.wrote()
}

// activityWords are what happens to merge requests, by the action that webhooks say. An edit is no activity.
var activityWords = map[string]string{"open": "opened", "close": "closed", "reopen": "reopened", "merge": "accepted", "approved": "approved"}

func (f *Forge) recordRequest(p *project, m *mergeRequest, e requestEvent) {
	if word := activityWords[e.action]; word != "" {
		f.happened(p, activity{By: e.by.ID, Action: word, Request: m.IID})
	}
}

func (f *Forge) recordNote(p *project, m *mergeRequest, n *note) {
	f.happened(p, activity{By: n.Author, Action: "commented on", Request: m.IID, Note: n.ID})
}

func (f *Forge) recordPush(p *project, u *User, moved move) {
	word := "pushed to"
	switch zeroID {
	case moved.from:
		word = "pushed new"
	case moved.to:
		word = "deleted"
	}
	f.happened(p, activity{By: u.ID, Action: word, Push: &pushed{Ref: moved.ref, From: moved.from, To: moved.to}})
}

type activityEntity struct {
	ID             int                 `json:"id"`
	ProjectID      int                 `json:"project_id"`
	ActionName     string              `json:"action_name"`
	TargetID       *int                `json:"target_id"`
	TargetIID      *int                `json:"target_iid"`
	TargetType     *string             `json:"target_type"`
	AuthorID       int                 `json:"author_id"`
	TargetTitle    *string             `json:"target_title"`
	CreatedAt      moment              `json:"created_at"`
	Note           *noteEntity         `json:"note,omitempty"`
	PushData       *activityPushEntity `json:"push_data,omitempty"`
	Author         *userEntity         `json:"author"`
	Imported       bool                `json:"imported"`
	ImportedFrom   string              `json:"imported_from"`
	AuthorUsername string              `json:"author_username"`
}

type activityPushEntity struct {
	CommitCount int     `json:"commit_count"`
	Action      string  `json:"action"`
	RefType     string  `json:"ref_type"`
	CommitFrom  *string `json:"commit_from"`
	CommitTo    *string `json:"commit_to"`
	Ref         string  `json:"ref"`
	CommitTitle *string `json:"commit_title"`
	RefCount    *int    `json:"ref_count"`
}

// listActivity: before and after are days, which are left out themselves.
func listActivity(c *call) (reply, error) {
	after, err := c.params.moment("after")
	if err != nil {
		return reply{}, err
	}
	before, err := c.params.moment("before")
	if err != nil {
		return reply{}, err
	}
	sort, err := c.params.oneOf("sort", "asc", "desc")
	if err != nil {
		return reply{}, err
	}
	const day = 24 * time.Hour
	all := slices.DeleteFunc(slices.Clone(c.project.Activity), func(a activity) bool {
		return !after.IsZero() && a.At.Before(after.Truncate(day).Add(day)) || !before.IsZero() && !a.At.Before(before.Truncate(day))
	})
	if sort != "asc" {
		slices.Reverse(all)
	}
	return shown(c, all, func(a activity) (activityEntity, error) { return c.showActivity(a), nil })
}

func (c *call) showActivity(a activity) activityEntity {
	shown := activityEntity{
		ID: a.ID, ProjectID: c.project.ID, ActionName: a.Action, AuthorID: a.By, CreatedAt: moment(a.At),
		Author: c.forge.showUserID(a.By), ImportedFrom: "none",
	}
	if shown.Author != nil {
		shown.AuthorUsername = shown.Author.Username
	}
	if a.Push != nil {
		shown.PushData = showActivityPush(*a.Push)
		return shown
	}
	m := c.project.request(a.Request)
	if m == nil {
		return shown
	}
	shown.TargetTitle = &m.Title
	if a.Note == 0 {
		shown.TargetID, shown.TargetIID, shown.TargetType = &m.ID, &m.IID, new(aboutRequest)
		return shown
	}
	shown.TargetID, shown.TargetIID, shown.TargetType = &a.Note, &a.Note, new(aboutNote)
	if n := m.note(a.Note); n != nil {
		shown.Note = new(c.forge.showNote(c.project, m, n))
	}
	return shown
}

func showActivityPush(push pushed) *activityPushEntity {
	shown := activityPushEntity{CommitCount: 1, Action: "pushed", RefType: "branch", CommitFrom: &push.From, CommitTo: &push.To}
	name, isBranch := strings.CutPrefix(push.Ref, headsPrefix)
	if !isBranch {
		name, shown.RefType = strings.TrimPrefix(push.Ref, tagsPrefix), "tag"
	}
	shown.Ref = name
	switch zeroID {
	case push.From:
		shown.Action, shown.CommitFrom = "created", nil
	case push.To:
		shown.Action, shown.CommitTo, shown.CommitCount = "removed", nil, 0
	}
	return &shown
}
