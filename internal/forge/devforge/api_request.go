package devforge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxTitle       = 255
	maxDescription = 1_048_576
)

func listRequests(c *call) (reply, error) {
	filter, err := c.requestFilter()
	if err != nil {
		return reply{}, err
	}
	var found []*mergeRequest
	for _, m := range c.project.Requests {
		if filter(m) {
			found = append(found, m)
		}
	}
	orderBy, err := c.params.oneOf("order_by", "created_at", "updated_at", "merged_at", "title")
	if err != nil {
		return reply{}, err
	}
	sort, err := c.params.oneOf("sort", "asc", "desc")
	if err != nil {
		return reply{}, err
	}
	slices.SortStableFunc(found, func(a, b *mergeRequest) int {
		order := cmp.Or(compareRequests(a, b, orderBy), cmp.Compare(a.ID, b.ID))
		if sort == "asc" {
			return order
		}
		return -order
	})
	return shown(c, found, func(m *mergeRequest) (requestBasicEntity, error) {
		return c.forge.showRequestBasic(c.Context(), c.project, m)
	})
}

func compareRequests(a, b *mergeRequest, by string) int {
	switch by {
	case "updated_at":
		return a.UpdatedAt.Compare(b.UpdatedAt)
	case "merged_at":
		return a.MergedAt.Compare(b.MergedAt)
	case "title":
		return strings.Compare(a.Title, b.Title)
	}
	return a.CreatedAt.Compare(b.CreatedAt)
}

// requestFilter knows the filters that clients of ours use; GitLab has more.
func (c *call) requestFilter() (func(*mergeRequest) bool, error) {
	p := c.params
	state, err := p.oneOf("state", stateOpened, stateClosed, "locked", stateMerged, "all")
	var failed []error
	failed = append(failed, err)
	text := func(name string) string {
		value, err := p.text(name)
		failed = append(failed, err)
		return value
	}
	at := func(name string) time.Time {
		value, err := p.moment(name)
		failed = append(failed, err)
		return value
	}
	source, target, search := text("source_branch"), text("target_branch"), strings.ToLower(text("search"))
	authorName, scope := text("author_username"), text("scope")
	authorID, err := p.integer("author_id")
	failed = append(failed, err)
	labels, err := p.list("labels")
	failed = append(failed, err)
	iids, err := p.list("iids")
	failed = append(failed, err)
	updatedAfter, updatedBefore := at("updated_after"), at("updated_before")
	createdAfter, createdBefore := at("created_after"), at("created_before")
	if i := slices.IndexFunc(failed, func(err error) bool { return err != nil }); i >= 0 {
		return nil, failed[i]
	}
	if scope == "created_by_me" {
		authorID = c.user.ID
	}
	within := func(t, after, before time.Time) bool {
		return (after.IsZero() || !t.Before(after)) && (before.IsZero() || !t.After(before))
	}
	return func(m *mergeRequest) bool {
		author := c.forge.tables.user(m.Author)
		return (state == "" || state == "all" || m.State == state) &&
			(source == "" || m.Source == source) && (target == "" || m.Target == target) &&
			(authorID == 0 || m.Author == authorID) &&
			(authorName == "" || author != nil && strings.EqualFold(author.Name, authorName)) &&
			(search == "" || strings.Contains(strings.ToLower(m.Title+"\n"+m.Description), search)) &&
			(len(iids) == 0 || slices.Contains(iids, fmt.Sprint(m.IID))) &&
			hasLabels(m, labels) &&
			within(m.UpdatedAt, updatedAfter, updatedBefore) && within(m.CreatedAt, createdAfter, createdBefore)
	}, nil
}

// hasLabels: all of them, or the words None and Any (doc/api/merge_requests.md).
func hasLabels(m *mergeRequest, wanted []string) bool {
	if len(wanted) == 1 && strings.EqualFold(wanted[0], "none") {
		return len(m.Labels) == 0
	}
	if len(wanted) == 1 && strings.EqualFold(wanted[0], "any") {
		return len(m.Labels) > 0
	}
	return !slices.ContainsFunc(wanted, func(name string) bool { return !slices.Contains(m.Labels, name) })
}

func getRequest(c *call) (reply, error) {
	m, err := c.request()
	if err != nil {
		return reply{}, err
	}
	return c.showRequest(http.StatusOK, m)
}

func (c *call) showRequest(status int, m *mergeRequest) (reply, error) {
	entity, err := c.forge.showRequest(c.Context(), c.project, m, c.user)
	if err != nil {
		return reply{}, err
	}
	if wanted, err := c.params.boolean("include_diverged_commits_count"); err == nil && wanted {
		if entity.DivergedCommitsCount, err = c.forge.diverged(c.Context(), c.project, m); err != nil {
			return reply{}, err
		}
	}
	if wanted, err := c.params.boolean("include_rebase_in_progress"); err == nil && wanted {
		entity.RebaseInProgress = new(bool)
	}
	return reply{status, entity}, nil
}

func createRequest(c *call) (reply, error) {
	m := &mergeRequest{State: stateOpened, Author: c.user.ID, RemoveSource: c.project.Settings.RemoveSourceBranch}
	for name, field := range map[string]*string{"title": &m.Title, "source_branch": &m.Source, "target_branch": &m.Target} {
		value, err := c.params.required(name)
		if err != nil {
			return reply{}, err
		}
		*field = value
	}
	if err := c.readText(m); err != nil {
		return reply{}, err
	}
	if target, err := c.params.integer("target_project_id"); err != nil || target != 0 && target != c.project.ID {
		return reply{}, cmp.Or(err, refuse(http.StatusUnprocessableEntity, []string{"Target project is not a fork parent"}))
	}
	if err := c.forge.checkBranches(c.Context(), c.project, m); err != nil {
		return reply{}, err
	}
	text, actions := splitQuickActions(m.Description)
	m.Description = text
	m.ID, m.IID = c.forge.tables.next("merge_request"), c.forge.tables.next(fmt.Sprintf("merge_request of project %d", c.project.ID))
	m.CreatedAt = c.forge.now()
	m.UpdatedAt = m.CreatedAt
	if err := c.forge.takeHead(c.Context(), c.project, m); err != nil {
		return reply{}, err
	}
	for _, name := range m.Labels {
		c.forge.addLabel(c.project, name)
	}
	c.project.Requests = append(c.project.Requests, m)
	c.forge.wrote()
	if err := c.forge.sendRequest(c.Context(), c.project, m, requestEvent{action: "open", by: c.user}); err != nil {
		return reply{}, err
	}
	if _, err := c.forge.obey(c.Context(), orders{project: c.project, request: m, by: c.user, actions: actions}); err != nil {
		return reply{}, err
	}
	return c.showRequest(http.StatusCreated, m)
}

// checkBranches gives the answers of app/models/merge_request.rb: both branches exist, they differ, and no other open merge
// request has them.
func (f *Forge) checkBranches(ctx context.Context, p *project, m *mergeRequest) error {
	if m.Source == m.Target {
		return refuse(http.StatusUnprocessableEntity, []string{"You can't use same project/branch for source and target"})
	}
	problems := map[string][]string{}
	for field, branch := range map[string]string{"source_branch": m.Source, "target_branch": m.Target} {
		_, err := p.repo.head(ctx, branch)
		if errors.Is(err, errNoRevision) {
			problems[field] = []string{"does not exist"}
		} else if err != nil {
			return err
		}
	}
	if len(problems) > 0 {
		return refuse(http.StatusBadRequest, problems)
	}
	for _, other := range p.Requests {
		if other != m && other.State == stateOpened && other.Source == m.Source && other.Target == m.Target {
			return refuse(http.StatusConflict,
				[]string{fmt.Sprintf("Another open merge request already exists for this source branch: !%d", other.IID)})
		}
	}
	return nil
}

// readText takes what may be given at creation and at each update.
func (c *call) readText(m *mergeRequest) error {
	p := c.params
	if p.has("title") {
		title, err := p.text("title")
		if err != nil {
			return err
		}
		m.Title = title
	}
	if p.has("description") {
		description, err := p.text("description")
		if err != nil {
			return err
		}
		m.Description = description
	}
	switch {
	case strings.TrimSpace(m.Title) == "":
		return refuse(http.StatusBadRequest, map[string][]string{"title": {"can't be blank"}})
	case utf8.RuneCountInString(m.Title) > maxTitle:
		return tooLong("title", maxTitle)
	case utf8.RuneCountInString(m.Description) > maxDescription:
		return tooLong("description", maxDescription)
	}
	for name, field := range map[string]*bool{"squash": &m.Squash, "remove_source_branch": &m.RemoveSource} {
		if p.has(name) {
			value, err := p.boolean(name)
			if err != nil {
				return err
			}
			*field = value
		}
	}
	if err := c.readPeople(m); err != nil {
		return err
	}
	return c.readLabels(m)
}

// readPeople: numbers of nobody are passed over, and 0 means nobody (doc/api/merge_requests.md assignee_ids).
func (c *call) readPeople(m *mergeRequest) error {
	for name, field := range map[string]*[]int{"assignee_ids": &m.Assignees, "reviewer_ids": &m.Reviewers} {
		if !c.params.has(name) {
			continue
		}
		listed, err := c.params.list(name)
		if err != nil {
			return err
		}
		*field = nil
		for _, text := range listed {
			id, err := strconv.Atoi(text)
			if err != nil {
				return invalid("%s is invalid", name)
			}
			if c.project.level(c.forge.tables.user(id)) > 0 && !slices.Contains(*field, id) {
				*field = append(*field, id)
			}
		}
	}
	return nil
}

func tooLong(field string, limit int) error {
	return refuse(http.StatusBadRequest, map[string][]string{field: {fmt.Sprintf("is too long (maximum is %d characters)", limit)}})
}

func (c *call) readLabels(m *mergeRequest) error {
	next := slices.Clone(m.Labels)
	if c.params.has("labels") {
		labels, err := c.params.list("labels")
		if err != nil {
			return err
		}
		next = labels
	}
	added, err := c.params.list("add_labels")
	if err != nil {
		return err
	}
	removed, err := c.params.list("remove_labels")
	if err != nil {
		return err
	}
	next = slices.DeleteFunc(append(next, added...), func(name string) bool { return slices.Contains(removed, name) })
	slices.Sort(next)
	m.Labels = slices.Compact(next)
	return nil
}

// takeHead reads the head of the source branch and what it is compared with.
func (f *Forge) takeHead(ctx context.Context, p *project, m *mergeRequest) error {
	head, err := p.repo.head(ctx, m.Source)
	if m.GitHub.Fork != "" {
		head, err = m.SHA, nil // its branch is elsewhere
	}
	if err != nil {
		return err
	}
	target, err := p.repo.head(ctx, m.Target)
	if err != nil {
		return err
	}
	base, err := p.repo.mergeBase(ctx, target, head)
	if err != nil {
		return err
	}
	if m.SHA != head || len(m.Versions) == 0 {
		m.Versions = append(slices.Clip(m.Versions), pushedVersion{ID: f.tables.next("version"), Head: head, Start: target, Base: base, CreatedAt: f.now()})
	}
	m.SHA, m.StartSHA, m.BaseSHA, m.Unchecked = head, target, base, f.config.Checking
	return p.repo.keep(ctx, m.IID, head)
}

func (f *Forge) requestCommits(ctx context.Context, p *project, m *mergeRequest) ([]commitRecord, error) {
	if m.SHA == "" {
		return nil, nil
	}
	return p.repo.log(ctx, history{from: m.SHA, without: m.StartSHA, limit: maxCommits})
}
