package devforge

import (
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// maxNote and maxNotes are GitLab's limits for one comment and for one merge request (doc/administration/instance_limits.md).
const (
	maxNote  = 1_000_000
	maxNotes = 5_000
)

func listNotes(c *call) (reply, error) {
	m, err := c.request()
	if err != nil {
		return reply{}, err
	}
	by, err := c.params.oneOf("order_by", "created_at", "updated_at")
	if err != nil {
		return reply{}, err
	}
	sort, err := c.params.oneOf("sort", "asc", "desc")
	if err != nil {
		return reply{}, err
	}
	filter, err := c.params.oneOf("activity_filter", "all_notes", "only_comments", "only_activity")
	if err != nil {
		return reply{}, err
	}
	var notes []*note
	for _, n := range m.Notes {
		if filter != "only_comments" && n.System || filter != "only_activity" && !n.System {
			notes = append(notes, n)
		}
	}
	slices.SortStableFunc(notes, func(a, b *note) int {
		order := a.ID - b.ID
		if moved := a.UpdatedAt.Compare(b.UpdatedAt); by == "updated_at" && moved != 0 {
			order = moved
		}
		if sort == "asc" {
			return order
		}
		return -order
	})
	return shown(c, notes, func(n *note) (noteEntity, error) { return c.forge.showNote(c.project, m, n), nil })
}

// noteBody reads the body of a note, with GitLab's bounds.
func (c *call) noteBody() (string, error) {
	body, err := c.params.required("body")
	switch {
	case err != nil:
		return "", err
	case strings.TrimSpace(body) == "":
		return "", refuse(http.StatusBadRequest, "400 Bad request - Note {:note=>[\"can't be blank\"]}")
	case utf8.RuneCountInString(body) > maxNote:
		return "", refuse(http.StatusBadRequest, "400 Bad request - Note {:note=>[\"is too long (maximum is 1000000 characters)\"]}")
	}
	return body, nil
}

func createNote(c *call) (reply, error) {
	m, err := c.request()
	if err != nil {
		return reply{}, err
	}
	body, err := c.noteBody()
	if err != nil {
		return reply{}, err
	}
	if len(m.Notes) >= maxNotes {
		return reply{}, refuse(http.StatusBadRequest, "400 Bad request - Maximum number of comments exceeded")
	}
	internal, err := c.params.boolean("internal")
	if err != nil {
		return reply{}, err
	}
	body, done, err := c.noteAfterActions(m, body)
	if err != nil || done != nil {
		return deref(done), err
	}
	n := c.forge.addNote(m, c.user, body)
	n.Internal = internal
	c.forge.wrote()
	if err := c.forge.sendNote(c.Context(), c.project, m, n, "create"); err != nil {
		return reply{}, err
	}
	return reply{http.StatusCreated, c.forge.showNote(c.project, m, n)}, nil
}

func deref(r *reply) reply {
	if r == nil {
		return reply{}
	}
	return *r
}

// note finds the merge request and the note of the path.
func (c *call) note() (*mergeRequest, *note, error) {
	m, err := c.request()
	if err != nil {
		return nil, nil, err
	}
	id, err := c.number("note_id")
	if err != nil {
		return nil, nil, err
	}
	n := m.note(id)
	if n == nil {
		return nil, nil, missing("Note")
	}
	return m, n, nil
}

// ownNote is note for a change of it: the author's, or a Maintainer's right; system notes are nobody's.
func (c *call) ownNote() (*mergeRequest, *note, error) {
	m, n, err := c.note()
	if err != nil {
		return nil, nil, err
	}
	if n.System || n.Author != c.user.ID && c.project.level(c.user) < AccessMaintainer {
		return nil, nil, forbidden()
	}
	return m, n, nil
}

func getNote(c *call) (reply, error) {
	m, n, err := c.note()
	if err != nil {
		return reply{}, err
	}
	return reply{body: c.forge.showNote(c.project, m, n)}, nil
}

func updateNote(c *call) (reply, error) {
	m, n, err := c.ownNote()
	if err != nil {
		return reply{}, err
	}
	body, err := c.noteBody()
	if err != nil {
		return reply{}, err
	}
	n.Body, n.UpdatedAt = body, c.forge.now()
	m.UpdatedAt = n.UpdatedAt
	c.forge.wrote()
	if err := c.forge.sendNote(c.Context(), c.project, m, n, "update"); err != nil {
		return reply{}, err
	}
	return reply{body: c.forge.showNote(c.project, m, n)}, nil
}

func deleteNote(c *call) (reply, error) {
	m, n, err := c.ownNote()
	if err != nil {
		return reply{}, err
	}
	m.Notes = slices.DeleteFunc(m.Notes, func(other *note) bool { return other == n })
	m.UpdatedAt = c.forge.now()
	c.forge.wrote()
	return reply{status: http.StatusNoContent}, nil
}

type discussionEntity struct {
	ID             string       `json:"id"`
	IndividualNote bool         `json:"individual_note"`
	Resolvable     bool         `json:"resolvable"`
	Resolved       *bool        `json:"resolved,omitempty"`
	Notes          []noteEntity `json:"notes"`
}

// discussions are the notes by thread, in order of their first note.
func (m *mergeRequest) discussions() [][]*note {
	var threads [][]*note
	for _, n := range m.Notes {
		i := slices.IndexFunc(threads, func(thread []*note) bool { return thread[0].Discussion == n.Discussion })
		if i < 0 {
			threads = append(threads, []*note{n})
			continue
		}
		threads[i] = append(threads[i], n)
	}
	return threads
}

func (c *call) showDiscussion(m *mergeRequest, thread []*note) discussionEntity {
	entity := discussionEntity{ID: thread[0].Discussion, IndividualNote: !thread[0].Resolvable, Resolvable: thread[0].Resolvable}
	resolved := true
	for _, n := range thread {
		entity.Notes = append(entity.Notes, c.forge.showNote(c.project, m, n))
		resolved = resolved && n.Resolved
	}
	if entity.Resolvable {
		entity.Resolved = &resolved
	}
	return entity
}

func listDiscussions(c *call) (reply, error) {
	m, err := c.request()
	if err != nil {
		return reply{}, err
	}
	return shown(c, m.discussions(), func(thread []*note) (discussionEntity, error) { return c.showDiscussion(m, thread), nil })
}

func (c *call) discussion() (*mergeRequest, []*note, error) {
	m, err := c.request()
	if err != nil {
		return nil, nil, err
	}
	for _, thread := range m.discussions() {
		if thread[0].Discussion == c.PathValue("discussion_id") {
			return m, thread, nil
		}
	}
	return nil, nil, missing("Discussion")
}

func getDiscussion(c *call) (reply, error) {
	m, thread, err := c.discussion()
	if err != nil {
		return reply{}, err
	}
	return reply{body: c.showDiscussion(m, thread)}, nil
}

func createDiscussion(c *call) (reply, error) {
	m, err := c.request()
	if err != nil {
		return reply{}, err
	}
	body, err := c.noteBody()
	if err != nil {
		return reply{}, err
	}
	at, err := c.place(m)
	if err != nil {
		return reply{}, err
	}
	n := c.forge.addNote(m, c.user, body)
	n.Resolvable, n.Place = true, at
	c.forge.wrote()
	if err := c.forge.sendNote(c.Context(), c.project, m, n, "create"); err != nil {
		return reply{}, err
	}
	return reply{http.StatusCreated, c.showDiscussion(m, []*note{n})}, nil
}

func resolveDiscussion(c *call) (reply, error) {
	m, thread, err := c.discussion()
	if err != nil {
		return reply{}, err
	}
	if !c.params.has("resolved") {
		return reply{}, invalid("resolved is missing")
	}
	resolved, err := c.params.boolean("resolved")
	if err != nil {
		return reply{}, err
	}
	if c.project.level(c.user) < AccessDeveloper && m.Author != c.user.ID {
		return reply{}, forbidden()
	}
	if thread[0].Resolvable && thread[0].Resolved == resolved {
		return reply{body: c.showDiscussion(m, thread)}, nil
	}
	for _, n := range thread {
		if n.Resolved = resolved && n.Resolvable; n.Resolved {
			n.ResolvedBy, n.ResolvedAt = c.user.ID, c.forge.now()
		} else {
			n.ResolvedBy, n.ResolvedAt = 0, time.Time{}
		}
	}
	c.forge.wrote()
	return reply{body: c.showDiscussion(m, thread)}, nil
}

func replyToDiscussion(c *call) (reply, error) {
	m, thread, err := c.discussion()
	if err != nil {
		return reply{}, err
	}
	body, err := c.noteBody()
	if err != nil {
		return reply{}, err
	}
	n := c.forge.addNote(m, c.user, body)
	n.Discussion, n.Resolvable, n.Place = thread[0].Discussion, thread[0].Resolvable, thread[0].Place
	c.forge.wrote()
	if err := c.forge.sendNote(c.Context(), c.project, m, n, "create"); err != nil {
		return reply{}, err
	}
	return reply{http.StatusCreated, c.forge.showNote(c.project, m, n)}, nil
}
