package devforge

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Every pull request is an issue as well: labels, assignees and comments live there (REST, "Working with pull requests").

func (f *Forge) showIssue(p *project, m *mergeRequest) object {
	api, web := f.repoURL(p, "/issues/%d", m.IID), pullURL(f, p, m)
	pull := f.showPull(p, m)
	shown := object{
		"url": api, "repository_url": f.repoURL(p, ""), "labels_url": api + "/labels{/name}", "comments_url": api + "/comments",
		"events_url": api + "/events", "html_url": web, "id": m.ID, "node_id": nodeID("PR", m.ID), "comments": countNotes(m),
		"reactions": showReactions(api, m.Awards), "timeline_url": api + "/timeline", "performed_via_github_app": nil, "state_reason": nil,
		"pull_request": object{
			"url": pull["url"], "html_url": web, "diff_url": pull["diff_url"], "patch_url": pull["patch_url"], "merged_at": stamp(m.MergedAt),
		},
	}
	for _, same := range []string{
		"number", "title", "user", "labels", "state", "locked", "assignee", "assignees", "milestone", "created_at", "updated_at",
		"closed_at", "author_association", "active_lock_reason", "draft", "body",
	} {
		shown[same] = pull[same]
	}
	return shown
}

func (f *Forge) showLabels(p *project, names []string) []object {
	shown := []object{}
	for _, name := range names {
		if l := p.label(name); l != nil {
			shown = append(shown, f.showGitHubLabel(p, l))
		}
	}
	return shown
}

func (f *Forge) showGitHubLabel(p *project, l *label) object {
	return object{
		"id": l.ID, "node_id": nodeID("LA", l.ID), "url": f.repoURL(p, "/labels/%s", l.Name), "name": l.Name,
		"color": strings.TrimPrefix(l.Color, "#"), "default": false, "description": l.Description,
	}
}

func getIssue(c *githubCall) (reply, error) {
	m, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	return reply{body: c.forge.showIssue(c.project, m)}, nil
}

func updateIssue(c *githubCall) (reply, error) {
	m, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	var asked struct {
		pullEdit
		Labels *[]json.RawMessage `json:"labels"`
	}
	if err := c.read(&asked); err != nil {
		return reply{}, err
	}
	if asked.Labels != nil {
		names, err := labelNames(*asked.Labels)
		if err != nil {
			return reply{}, err
		}
		asked.pullEdit.Labels = &names
	}
	asked.Base = nil
	if err := c.editPull(m, asked.pullEdit); err != nil {
		return reply{}, err
	}
	return getIssue(c)
}

// labelNames reads labels, each a string or an object with a name.
func labelNames(labels []json.RawMessage) ([]string, error) {
	names := []string{}
	for _, raw := range labels {
		var name string
		var whole struct {
			Name string `json:"name"`
		}
		if json.Unmarshal(raw, &name) != nil {
			if json.Unmarshal(raw, &whole) != nil {
				return nil, invalidRequest("For 'labels', %s is not a string or object.", raw)
			}
			name = whole.Name
		}
		if strings.TrimSpace(name) == "" || utf8.RuneCountInString(name) > 50 {
			return nil, validationFailed(fieldError{Resource: "Label", Field: "name", Code: "invalid"})
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

func listPullLabels(c *githubCall) (reply, error) {
	m, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	return listed(c, c.forge.showLabels(c.project, m.Labels), func(o object) (object, error) { return o, nil })
}

// addPullLabels takes {"labels": […]} or the bare list, as the documentation says.
func addPullLabels(c *githubCall) (reply, error) {
	m, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	var bare []json.RawMessage
	if json.Unmarshal(c.body, &bare) != nil {
		var asked struct {
			Labels []json.RawMessage `json:"labels"`
		}
		if err := c.read(&asked); err != nil {
			return reply{}, err
		}
		bare = asked.Labels
	}
	added, err := labelNames(bare)
	if err != nil {
		return reply{}, err
	}
	next := *m
	next.Labels = slices.Clone(m.Labels)
	for _, name := range added {
		if !slices.Contains(next.Labels, name) {
			next.Labels = append(next.Labels, name)
		}
	}
	if err := c.forge.edit(c.Context(), c.project, m, next, c.user); err != nil {
		return reply{}, err
	}
	return reply{body: c.forge.showLabels(c.project, m.Labels)}, nil
}

func removePullLabel(c *githubCall) (reply, error) {
	m, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	name := c.PathValue("name")
	if !slices.Contains(m.Labels, name) {
		return reply{}, githubRefusal(http.StatusNotFound, "Label does not exist")
	}
	next := *m
	next.Labels = slices.DeleteFunc(slices.Clone(m.Labels), func(l string) bool { return l == name })
	if err := c.forge.edit(c.Context(), c.project, m, next, c.user); err != nil {
		return reply{}, err
	}
	return reply{body: c.forge.showLabels(c.project, m.Labels)}, nil
}

// listGitHubLabels and createGitHubLabel serve the labels of the repository.
func listGitHubLabels(c *githubCall) (reply, error) {
	return listed(c, c.project.Labels, func(l *label) (object, error) { return c.forge.showGitHubLabel(c.project, l), nil })
}

func createGitHubLabel(c *githubCall) (reply, error) {
	var asked struct {
		Name        string `json:"name"`
		Color       string `json:"color"`
		Description string `json:"description"`
	}
	if err := c.read(&asked); err != nil {
		return reply{}, err
	}
	if c.project.label(asked.Name) != nil {
		return reply{}, validationFailed(fieldError{Resource: "Label", Field: "name", Code: "already_exists"})
	}
	made := c.forge.addLabel(c.project, asked.Name)
	made.Description = asked.Description
	if asked.Color != "" {
		made.Color = "#" + asked.Color
	}
	c.forge.wrote()
	return reply{http.StatusCreated, c.forge.showGitHubLabel(c.project, made)}, nil
}

// assign replaces the assignees. Names that cannot be assigned are left out in silence (REST, "Update an issue").
func (c *githubCall) assign(m *mergeRequest, names []string) error {
	var next []int
	for _, name := range names {
		if u := c.forge.tables.userNamed(name); u != nil && c.project.level(u) > 0 && !slices.Contains(next, u.ID) {
			next = append(next, u.ID)
		}
	}
	before := m.GitHub.Assignees
	m.GitHub.Assignees = next
	for _, id := range next {
		if !slices.Contains(before, id) {
			if err := c.changed(c.Context(), m, "assigned", object{"assignee": c.forge.showPersonID(id)}); err != nil {
				return err
			}
		}
	}
	for _, id := range before {
		if !slices.Contains(next, id) {
			if err := c.changed(c.Context(), m, "unassigned", object{"assignee": c.forge.showPersonID(id)}); err != nil {
				return err
			}
		}
	}
	return nil
}

func addAssignees(c *githubCall) (reply, error) {
	m, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	var asked struct {
		Assignees []string `json:"assignees"`
	}
	if err := c.read(&asked); err != nil {
		return reply{}, err
	}
	names := asked.Assignees
	for _, id := range m.GitHub.Assignees {
		names = append(names, c.forge.tables.user(id).Name)
	}
	if err := c.assign(m, names); err != nil {
		return reply{}, err
	}
	return reply{http.StatusCreated, c.forge.showIssue(c.project, m)}, nil
}

func (f *Forge) showComment(p *project, m *mergeRequest, n *note) object {
	api := f.repoURL(p, "/issues/comments/%d", n.ID)
	shown := object{
		"url": api, "html_url": fmt.Sprintf("%s#issuecomment-%d", pullURL(f, p, m), n.ID), "issue_url": f.repoURL(p, "/issues/%d", m.IID),
		"id": n.ID, "node_id": nodeID("IC", n.ID), "user": f.showPersonID(n.Author), "created_at": stamp(n.CreatedAt),
		"updated_at": stamp(n.UpdatedAt), "author_association": p.association(f.tables.user(n.Author)), "body": n.Body,
		"reactions": showReactions(api, n.Awards), "performed_via_github_app": nil,
	}
	return shown
}

func listComments(c *githubCall) (reply, error) {
	m, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	since := c.URL.Query().Get("since")
	var said []*note
	for _, n := range m.Notes {
		if updated, _ := stamp(n.UpdatedAt).(string); !n.System && updated >= since {
			said = append(said, n)
		}
	}
	return listed(c, said, func(n *note) (object, error) { return c.forge.showComment(c.project, m, n), nil })
}

func (c *githubCall) commentBody() (string, error) {
	var asked struct {
		Body *string `json:"body"`
	}
	if err := c.read(&asked); err != nil {
		return "", err
	}
	if asked.Body == nil {
		return "", invalidRequest(`"body" wasn't supplied.`)
	}
	return *asked.Body, checkComment(*asked.Body)
}

func checkComment(body string) error {
	switch {
	case strings.TrimSpace(body) == "":
		return validationFailed(fieldError{Resource: "IssueComment", Field: "data", Code: "unprocessable", Message: "Body cannot be blank"})
	case utf8.RuneCountInString(body) > maxGitHubBody:
		return validationFailed(fieldError{
			Resource: "IssueComment", Field: "data", Code: "unprocessable",
			Message: fmt.Sprintf("Body is too long (maximum is %d characters)", maxGitHubBody),
		})
	}
	return nil
}

func createComment(c *githubCall) (reply, error) {
	m, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	body, err := c.commentBody()
	if err != nil {
		return reply{}, err
	}
	if len(m.Notes) >= maxNotes {
		return reply{}, githubRefusal(http.StatusForbidden, "Commenting is disabled on issues with more than 2500 comments")
	}
	n, err := c.forge.comment(c.Context(), c.project, m, c.user, body)
	if err != nil {
		return reply{}, err
	}
	return reply{http.StatusCreated, c.forge.showComment(c.project, m, n)}, nil
}

func (c *githubCall) comment() (*mergeRequest, *note, error) {
	id, err := c.number("comment_id")
	if err != nil {
		return nil, nil, err
	}
	for _, m := range c.project.Requests {
		if n := m.note(id); n != nil && !n.System {
			return m, n, nil
		}
	}
	return nil, nil, notFound()
}

func getComment(c *githubCall) (reply, error) {
	m, n, err := c.comment()
	if err != nil {
		return reply{}, err
	}
	return reply{body: c.forge.showComment(c.project, m, n)}, nil
}

// mayEditComment: its author, or who may write.
func (c *githubCall) mayEditComment(n *note) error {
	if n.Author != c.user.ID && c.project.level(c.user) < AccessDeveloper {
		return githubRefusal(http.StatusForbidden, "Must have admin rights to Repository.")
	}
	return nil
}

func updateComment(c *githubCall) (reply, error) {
	m, n, err := c.comment()
	if err != nil {
		return reply{}, err
	}
	if err := c.mayEditComment(n); err != nil {
		return reply{}, err
	}
	body, err := c.commentBody()
	if err != nil {
		return reply{}, err
	}
	before := n.Body
	n.Body, n.UpdatedAt = body, c.forge.now()
	c.forge.wrote()
	event := commentEvent{note: n, action: "edited", by: c.user, before: before}
	if err := c.forge.sendComment(c.Context(), c.project, m, event); err != nil {
		return reply{}, err
	}
	return reply{body: c.forge.showComment(c.project, m, n)}, nil
}

func deleteComment(c *githubCall) (reply, error) {
	m, n, err := c.comment()
	if err != nil {
		return reply{}, err
	}
	if err := c.mayEditComment(n); err != nil {
		return reply{}, err
	}
	m.Notes = slices.DeleteFunc(m.Notes, func(other *note) bool { return other == n })
	c.forge.wrote()
	event := commentEvent{note: n, action: "deleted", by: c.user}
	return reply{status: http.StatusNoContent}, c.forge.sendComment(c.Context(), c.project, m, event)
}

var gitHubReactions = []string{"+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes"}

func showReactions(api string, awards []*award) object {
	shown := object{"url": api + "/reactions", "total_count": len(awards)}
	for _, name := range gitHubReactions {
		shown[name] = 0
	}
	for _, a := range awards {
		if count, ok := shown[a.Name].(int); ok {
			shown[a.Name] = count + 1
		}
	}
	return shown
}

func (f *Forge) showReaction(a *award) object {
	return object{
		"id": a.ID, "node_id": nodeID("REA", a.ID), "user": f.showPersonID(a.User), "content": a.Name, "created_at": stamp(a.CreatedAt),
	}
}

// awards are the reactions to the comment of the path, or to the pull request.
func (c *githubCall) awards() (*[]*award, error) {
	if c.PathValue("review_comment_id") != "" {
		_, r, err := c.reviewComment()
		if err != nil {
			return nil, err
		}
		return &r.Awards, nil
	}
	if c.PathValue("comment_id") != "" {
		_, n, err := c.comment()
		if err != nil {
			return nil, err
		}
		return &n.Awards, nil
	}
	m, err := c.pull()
	if err != nil {
		return nil, err
	}
	return &m.Awards, nil
}

func listReactions(c *githubCall) (reply, error) {
	awards, err := c.awards()
	if err != nil {
		return reply{}, err
	}
	content := c.URL.Query().Get("content")
	wanted := slices.DeleteFunc(slices.Clone(*awards), func(a *award) bool { return content != "" && a.Name != content })
	return listed(c, wanted, func(a *award) (object, error) { return c.forge.showReaction(a), nil })
}

// createReaction answers 200 when the reaction is there already.
func createReaction(c *githubCall) (reply, error) {
	awards, err := c.awards()
	if err != nil {
		return reply{}, err
	}
	var asked struct {
		Content string `json:"content"`
	}
	if err := c.read(&asked); err != nil {
		return reply{}, err
	}
	if !slices.Contains(gitHubReactions, asked.Content) {
		return reply{}, validationFailed(fieldError{Resource: "Reaction", Field: "content", Code: "invalid"})
	}
	for _, a := range *awards {
		if a.Name == asked.Content && a.User == c.user.ID {
			return reply{http.StatusOK, c.forge.showReaction(a)}, nil
		}
	}
	made := &award{ID: c.forge.tables.next("award"), User: c.user.ID, Name: asked.Content, CreatedAt: c.forge.now()}
	*awards = append(*awards, made)
	c.forge.wrote()
	return reply{http.StatusCreated, c.forge.showReaction(made)}, nil
}

func deleteReaction(c *githubCall) (reply, error) {
	awards, err := c.awards()
	if err != nil {
		return reply{}, err
	}
	i := slices.IndexFunc(*awards, func(a *award) bool { return strconv.Itoa(a.ID) == c.PathValue("reaction_id") })
	if i < 0 || (*awards)[i].User != c.user.ID {
		return reply{}, notFound()
	}
	*awards = slices.Delete(*awards, i, i+1)
	c.forge.wrote()
	return reply{status: http.StatusNoContent}, nil
}
