package devforge

import (
	"net/http"
	"regexp"
	"slices"
)

// awarded is what a reaction is given to: a merge request, or one of its notes.
type awarded struct {
	awards *[]*award
	id     int
	kind   string
	note   *note // nil for the merge request itself
}

func (c *call) awarded() (*mergeRequest, awarded, error) {
	if c.PathValue("note_id") != "" {
		m, n, err := c.note()
		if err != nil {
			return nil, awarded{}, err
		}
		return m, awarded{&n.Awards, n.ID, "Note", n}, nil
	}
	m, err := c.request()
	if err != nil {
		return nil, awarded{}, err
	}
	return m, awarded{&m.Awards, m.ID, "MergeRequest", nil}, nil
}

func (c *call) showAward(on awarded, a *award) awardEntity {
	return awardEntity{
		ID: a.ID, Name: a.Name, User: c.forge.showUserID(a.User), CreatedAt: moment(a.CreatedAt), UpdatedAt: moment(a.CreatedAt),
		AwardableID: on.id, AwardableType: on.kind,
	}
}

func listAwards(c *call) (reply, error) {
	_, on, err := c.awarded()
	if err != nil {
		return reply{}, err
	}
	return shown(c, *on.awards, func(a *award) (awardEntity, error) { return c.showAward(on, a), nil })
}

var awardName = regexp.MustCompile(`^[a-z0-9_+-]{1,64}$`)

// createAward refuses a second reaction of the same name by the same user with 404, as GitLab does (doc/api/emoji_reactions.md;
// lib/api/award_emoji.rb: not_found! with the validation message).
func createAward(c *call) (reply, error) {
	m, on, err := c.awarded()
	if err != nil {
		return reply{}, err
	}
	name, err := c.params.required("name")
	if err != nil {
		return reply{}, err
	}
	if !awardName.MatchString(name) {
		return reply{}, missing("Award Emoji Name is not a valid emoji name")
	}
	if slices.ContainsFunc(*on.awards, func(a *award) bool { return a.User == c.user.ID && a.Name == name }) {
		return reply{}, missing("Award Emoji Name has already been taken")
	}
	a := &award{ID: c.forge.tables.next("award"), User: c.user.ID, Name: name, CreatedAt: c.forge.now()}
	*on.awards = append(*on.awards, a)
	c.forge.wrote()
	if err := c.forge.sendAward(c.Context(), c.project, m, awardEvent{on: on, award: a, by: c.user, action: "award"}); err != nil {
		return reply{}, err
	}
	return reply{http.StatusCreated, c.showAward(on, a)}, nil
}

func deleteAward(c *call) (reply, error) {
	m, on, err := c.awarded()
	if err != nil {
		return reply{}, err
	}
	id, err := c.number("award_id")
	if err != nil {
		return reply{}, err
	}
	i := slices.IndexFunc(*on.awards, func(a *award) bool { return a.ID == id })
	if i < 0 {
		return reply{}, missing("Award Emoji")
	}
	a := (*on.awards)[i]
	if a.User != c.user.ID {
		return reply{}, unauthorized()
	}
	*on.awards = slices.Delete(*on.awards, i, i+1)
	c.forge.wrote()
	event := awardEvent{on: on, award: a, by: c.user, action: "revoke"}
	return reply{status: http.StatusNoContent}, c.forge.sendAward(c.Context(), c.project, m, event)
}
