package devforge

import (
	"fmt"
	"net/http"
	"slices"
)

// reviewComment is a comment on a file of a pull request. Its number is of another series than those of other comments. Whether a
// thread is resolved is written at its first comment.
type reviewComment struct {
	note
	Root   int    `json:"root"` // the first comment of its thread; 0: it is the first itself
	Review int    `json:"review"`
	Path   string `json:"path"`
	Line   int    `json:"line"` // 0: the file as a whole
	Side   string `json:"side"`
	Commit string `json:"commit"`
	Hunk   string `json:"hunk"`
}

func (m *mergeRequest) reviewComment(id int) *reviewComment {
	for _, one := range m.GitHub.Comments {
		if one.ID == id {
			return one
		}
	}
	return nil
}

func (f *Forge) showReviewComment(p *project, m *mergeRequest, r *reviewComment) object {
	api, pull := f.repoURL(p, "/pulls/comments/%d", r.ID), f.repoURL(p, "/pulls/%d", m.IID)
	web := fmt.Sprintf("%s#discussion_r%d", pullURL(f, p, m), r.ID)
	shown := object{
		"url": api, "pull_request_review_id": r.Review, "id": r.ID, "node_id": nodeID("PRRC", r.ID), "diff_hunk": r.Hunk, "path": r.Path,
		"position": 1, "original_position": 1, "commit_id": r.Commit, "original_commit_id": r.Commit, "user": f.showPersonID(r.Author),
		"body": r.Body, "created_at": stamp(r.CreatedAt), "updated_at": stamp(r.UpdatedAt), "html_url": web, "pull_request_url": pull,
		"author_association": p.association(f.tables.user(r.Author)), "reactions": showReactions(api, r.Awards),
		"_links":     object{"self": object{"href": api}, "html": object{"href": web}, "pull_request": object{"href": pull}},
		"start_line": nil, "original_start_line": nil, "start_side": nil, "line": max(1, r.Line), "original_line": max(1, r.Line), "side": r.Side,
		"subject_type": "line",
	}
	if r.Line == 0 {
		shown["subject_type"] = "file"
	}
	if r.Root != 0 {
		shown["in_reply_to_id"] = r.Root
	}
	return shown
}

func listReviewComments(c *githubCall) (reply, error) {
	m, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	since := c.URL.Query().Get("since")
	wanted := slices.DeleteFunc(slices.Clone(m.GitHub.Comments), func(r *reviewComment) bool {
		updated, _ := stamp(r.UpdatedAt).(string)
		return updated < since
	})
	return listed(c, wanted, func(r *reviewComment) (object, error) { return c.forge.showReviewComment(c.project, m, r), nil })
}

// createReviewComment refuses a place that the diff does not show (REST, "Create a review comment for a pull request").
func createReviewComment(c *githubCall) (reply, error) {
	m, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	var asked struct {
		Body    string `json:"body"`
		Commit  string `json:"commit_id"`
		Path    string `json:"path"`
		Line    int    `json:"line"`
		Side    string `json:"side"`
		Subject string `json:"subject_type"`
	}
	if err := c.read(&asked); err != nil {
		return reply{}, err
	}
	made := &reviewComment{Path: asked.Path, Line: asked.Line, Side: "RIGHT", Commit: asked.Commit}
	if asked.Side != "" {
		made.Side = asked.Side
	}
	switch {
	case asked.Body == "" || asked.Commit == "" || asked.Path == "":
		return reply{}, invalidRequest(`"body", "commit_id" and "path" weren't all supplied.`)
	case asked.Subject == "file":
		made.Line = 0
	case asked.Line < 1:
		return reply{}, invalidRequest(`"line" wasn't supplied.`)
	}
	if err := c.placeReviewComment(m, made); err != nil {
		return reply{}, err
	}
	return c.writeReviewComment(m, made, asked.Body)
}

// placeReviewComment finds the hunk that shows the line.
func (c *githubCall) placeReviewComment(m *mergeRequest, made *reviewComment) error {
	outside := func(field, message string) error {
		return validationFailed(fieldError{Resource: "PullRequestReviewComment", Field: field, Code: "custom", Message: field + " " + message})
	}
	commits, err := c.forge.requestCommits(c.Context(), c.project, m)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(commits, func(one commitRecord) bool { return one.id == made.Commit }) {
		return outside("commit_id", "is not part of the pull request")
	}
	files, err := c.forge.requestDiff(c.Context(), c.project, m)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(files, func(d fileDiff) bool { return d.newPath == made.Path })
	if i < 0 {
		return outside("pull_request_review_thread.path", "is not part of the diff")
	}
	if made.Line == 0 {
		return nil
	}
	hunk, ok := files[i].hunkOf(made.Line, made.Side == "LEFT")
	if !ok {
		return outside("pull_request_review_thread.line", "must be part of the diff")
	}
	made.Hunk = hunk
	return nil
}

// replyToReviewComment answers in a thread: "Replies to replies are not supported" (REST, "Create a reply for a review comment").
func replyToReviewComment(c *githubCall) (reply, error) {
	m, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	id, err := c.number("comment_id")
	if err != nil {
		return reply{}, err
	}
	root := m.reviewComment(id)
	if root == nil || root.Root != 0 {
		return reply{}, notFound()
	}
	body, err := c.commentBody()
	if err != nil {
		return reply{}, err
	}
	made := &reviewComment{Root: root.ID, Path: root.Path, Line: root.Line, Side: root.Side, Commit: root.Commit, Hunk: root.Hunk}
	return c.writeReviewComment(m, made, body)
}

// writeReviewComment adds a comment, which is a review of its own, as GitHub does with each that is written at once.
func (c *githubCall) writeReviewComment(m *mergeRequest, made *reviewComment, body string) (reply, error) {
	if err := checkComment(body); err != nil {
		return reply{}, err
	}
	f, now := c.forge, c.forge.now()
	review := &review{ID: f.tables.next("review"), User: c.user.ID, State: "COMMENTED", Commit: m.SHA, At: now}
	made.note = note{ID: f.tables.next("review_comment"), Author: c.user.ID, Body: body, CreatedAt: now, UpdatedAt: now, Resolvable: true}
	made.Review, m.UpdatedAt = review.ID, now
	m.GitHub.Reviews, m.GitHub.Comments = append(m.GitHub.Reviews, review), append(m.GitHub.Comments, made)
	f.wrote()
	if err := f.sendReview(c.project, m, review, c.user); err != nil {
		return reply{}, err
	}
	if err := f.sendReviewComment(c.project, m, reviewCommentEvent{comment: made, action: "created", by: c.user}); err != nil {
		return reply{}, err
	}
	return reply{http.StatusCreated, f.showReviewComment(c.project, m, made)}, nil
}

// reviewComment finds the comment of the path, whichever pull request it is on.
func (c *githubCall) reviewComment() (*mergeRequest, *reviewComment, error) {
	id, err := c.number("review_comment_id")
	if err != nil {
		return nil, nil, err
	}
	for _, m := range c.project.Requests {
		if r := m.reviewComment(id); r != nil {
			return m, r, nil
		}
	}
	return nil, nil, notFound()
}

func getReviewComment(c *githubCall) (reply, error) {
	m, r, err := c.reviewComment()
	if err != nil {
		return reply{}, err
	}
	return reply{body: c.forge.showReviewComment(c.project, m, r)}, nil
}

func updateReviewComment(c *githubCall) (reply, error) {
	m, r, err := c.reviewComment()
	if err != nil {
		return reply{}, err
	}
	if err := c.mayEditComment(&r.note); err != nil {
		return reply{}, err
	}
	body, err := c.commentBody()
	if err != nil {
		return reply{}, err
	}
	event := reviewCommentEvent{comment: r, action: "edited", by: c.user, before: r.Body}
	r.Body, r.UpdatedAt = body, c.forge.now()
	c.forge.wrote()
	if err := c.forge.sendReviewComment(c.project, m, event); err != nil {
		return reply{}, err
	}
	return reply{body: c.forge.showReviewComment(c.project, m, r)}, nil
}

func deleteReviewComment(c *githubCall) (reply, error) {
	m, r, err := c.reviewComment()
	if err != nil {
		return reply{}, err
	}
	if err := c.mayEditComment(&r.note); err != nil {
		return reply{}, err
	}
	m.GitHub.Comments = slices.DeleteFunc(m.GitHub.Comments, func(other *reviewComment) bool { return other == r })
	c.forge.wrote()
	event := reviewCommentEvent{comment: r, action: "deleted", by: c.user}
	return reply{status: http.StatusNoContent}, c.forge.sendReviewComment(c.project, m, event)
}

// reviewCommentEvent is something that happened to a review comment.
type reviewCommentEvent struct {
	comment *reviewComment // required
	action  string         // required: created, edited or deleted
	by      *User          // required
	before  string         // the text before an edit
}

func (f *Forge) sendReviewComment(p *project, m *mergeRequest, e reviewCommentEvent) error {
	return f.tell(p, event{kind: HookReviewComment, action: e.action, by: e.by, payload: func() (object, error) {
		shown := object{"comment": f.showReviewComment(p, m, e.comment), "pull_request": f.showPull(p, m)}
		if e.action == "edited" {
			shown["changes"] = object{"body": object{"from": e.before}}
		}
		return shown, nil
	}})
}
