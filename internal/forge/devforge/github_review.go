package devforge

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// reviewCounts counts the last word of each reviewer with write access. Comments do not take an approval back.
func (p *project) reviewCounts(m *mergeRequest) (approved, changes int) {
	last := map[int]string{}
	for _, r := range m.GitHub.Reviews {
		if p.Members[r.User] < AccessDeveloper || r.State == "COMMENTED" {
			continue
		}
		last[r.User] = r.State
	}
	for _, state := range last {
		switch state {
		case "APPROVED":
			approved++
		case "CHANGES_REQUESTED":
			changes++
		}
	}
	return approved, changes
}

// dismissStale takes approvals of an older head away, where the rules say so.
func (p *project) dismissStale(m *mergeRequest) {
	if !slices.ContainsFunc(p.ruled(m.Target), func(r *BranchRules) bool { return r.DismissStale }) {
		return
	}
	for _, r := range m.GitHub.Reviews {
		if r.State == "APPROVED" && r.Commit != m.SHA {
			r.State = "DISMISSED"
		}
	}
}

func (f *Forge) showReview(p *project, m *mergeRequest, r *review) object {
	web, api := fmt.Sprintf("%s#pullrequestreview-%d", pullURL(f, p, m), r.ID), f.repoURL(p, "/pulls/%d", m.IID)
	return object{
		"id": r.ID, "node_id": nodeID("PRR", r.ID), "user": f.showPersonID(r.User), "body": r.Body, "state": r.State, "html_url": web,
		"pull_request_url": api, "author_association": p.association(f.tables.user(r.User)), "submitted_at": stamp(r.At), "commit_id": r.Commit,
		"_links": object{"html": object{"href": web}, "pull_request": object{"href": api}},
	}
}

func listReviews(c *githubCall) (reply, error) {
	m, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	return listed(c, m.GitHub.Reviews, func(r *review) (object, error) { return c.forge.showReview(c.project, m, r), nil })
}

func getReview(c *githubCall) (reply, error) {
	m, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	id, err := c.number("review_id")
	if err != nil {
		return reply{}, err
	}
	for _, r := range m.GitHub.Reviews {
		if r.ID == id {
			return reply{body: c.forge.showReview(c.project, m, r)}, nil
		}
	}
	return reply{}, notFound()
}

func createReview(c *githubCall) (reply, error) {
	m, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	var asked struct {
		Commit string `json:"commit_id"`
		Body   string `json:"body"`
		Event  string `json:"event"`
	}
	if err := c.read(&asked); err != nil {
		return reply{}, err
	}
	made := &review{
		User: c.user.ID, Body: asked.Body, Commit: m.SHA, At: c.forge.now(),
		State: map[string]string{"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}[asked.Event],
	}
	unprocessable := func(text string) error {
		return &refusal{http.StatusUnprocessableEntity, githubError{
			Message: "Unprocessable Entity", Errors: []string{text}, DocumentationURL: gitHubDocs, Status: "422",
		}}
	}
	switch {
	case made.State == "":
		return reply{}, unprocessable("Variable $event of type PullRequestReviewEvent was provided invalid value")
	case m.Author == c.user.ID && asked.Event == "APPROVE":
		return reply{}, unprocessable("Can not approve your own pull request")
	case m.Author == c.user.ID && asked.Event == "REQUEST_CHANGES":
		return reply{}, unprocessable("Can not request changes on your own pull request")
	case asked.Event != "APPROVE" && strings.TrimSpace(asked.Body) == "":
		return reply{}, unprocessable("Body can't be blank")
	}
	if asked.Commit != "" {
		made.Commit = asked.Commit
	}
	made.ID = c.forge.tables.next("review")
	m.GitHub.Reviews = append(m.GitHub.Reviews, made)
	m.GitHub.Reviewers = slices.DeleteFunc(m.GitHub.Reviewers, func(id int) bool { return id == c.user.ID })
	m.UpdatedAt = made.At
	c.forge.wrote()
	if err := c.forge.sendReview(c.project, m, made, c.user); err != nil {
		return reply{}, err
	}
	return reply{body: c.forge.showReview(c.project, m, made)}, c.forge.progress(c.Context(), c.project)
}
