package devforge

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
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
	maxPullTitle  = 256
	maxGitHubBody = 65_536 // characters of a description or comment
)

func pullURL(f *Forge, p *project, m *mergeRequest) string {
	return f.webURL(p) + "/pull/" + strconv.Itoa(m.IID)
}

// showPull is a pull request as lists and reviews have it.
func (f *Forge) showPull(p *project, m *mergeRequest) object {
	api, web := f.repoURL(p, "/pulls/%d", m.IID), pullURL(f, p, m)
	issue := f.repoURL(p, "/issues/%d", m.IID)
	statuses := f.repoURL(p, "/statuses/%s", m.SHA)
	teams := []object{}
	for _, slug := range m.GitHub.Teams {
		if t := f.tables.GitHub.team(p.namespace(), slug); t != nil {
			teams = append(teams, f.showTeam(t))
		}
	}
	assignees := f.showPeople(m.GitHub.Assignees)
	link := func(address string) object { return object{"href": address} }
	shown := object{
		"url": api, "id": m.ID, "node_id": nodeID("PR", m.ID), "html_url": web, "diff_url": web + ".diff", "patch_url": web + ".patch",
		"issue_url": issue, "number": m.IID, "state": pullState(m), "locked": false, "title": m.Title, "user": f.showPersonID(m.Author),
		"body": optional(m.Description), "created_at": stamp(m.CreatedAt), "updated_at": stamp(m.UpdatedAt),
		"closed_at": stamp(latest(m.ClosedAt, m.MergedAt, m.State)), "merged_at": stamp(m.MergedAt), "merge_commit_sha": f.testMerge(m),
		"assignee": nil, "assignees": assignees, "requested_reviewers": f.showPeople(m.GitHub.Reviewers), "requested_teams": teams,
		"labels": f.showLabels(p, m.Labels), "milestone": nil, "draft": m.GitHub.Draft, "commits_url": api + "/commits",
		"review_comments_url": api + "/comments", "review_comment_url": f.repoURL(p, "/pulls/comments") + "{/number}",
		"comments_url": issue + "/comments", "statuses_url": statuses, "head": f.showHead(p, m),
		"base": f.showSide(p, m.Target, m.StartSHA), "author_association": p.association(f.tables.user(m.Author)),
		"auto_merge": f.showAuto(m), "active_lock_reason": nil,
		"_links": object{
			"self": link(api), "html": link(web), "issue": link(issue), "comments": link(issue + "/comments"),
			"review_comments": link(api + "/comments"), "review_comment": link(f.repoURL(p, "/pulls/comments") + "{/number}"),
			"commits": link(api + "/commits"), "statuses": link(statuses),
		},
	}
	if len(assignees) > 0 {
		shown["assignee"] = assignees[0]
	}
	return shown
}

func pullState(m *mergeRequest) string {
	if m.State == stateOpened {
		return "open"
	}
	return "closed"
}

func latest(closed, merged time.Time, state string) time.Time {
	switch state {
	case stateMerged:
		return merged
	case stateClosed:
		return closed
	}
	return time.Time{}
}

// testMerge: before the merge, merge_commit_sha names GitHub's trial merge, which is on no branch (REST, "Get a pull request").
// Here it is a commit that does not exist.
func (f *Forge) testMerge(m *mergeRequest) any {
	if m.State == stateMerged {
		return cmp.Or(m.MergeCommit, m.SHA)
	}
	if m.Unchecked > 0 {
		return nil
	}
	sum := sha256.Sum256([]byte(m.StartSHA + m.SHA))
	return hex.EncodeToString(sum[:20])
}

func (f *Forge) showSide(p *project, branch, sha string) object {
	return object{
		"label": p.namespace() + ":" + branch, "ref": branch, "sha": sha, "user": f.showOwner(p.namespace()), "repo": f.showRepository(p),
	}
}

func (f *Forge) showHead(p *project, m *mergeRequest) object {
	if m.GitHub.Fork == "" {
		return f.showSide(p, m.Source, m.SHA)
	}
	fork := *p
	fork.ID, fork.Path, fork.Requests = p.ID+1_000_000, m.GitHub.Fork, nil
	shown := f.showSide(&fork, m.Source, m.SHA)
	shown["repo"] = f.showRepository(&fork).with(object{"fork": true})
	return shown
}

func (f *Forge) showAuto(m *mergeRequest) any {
	auto := m.GitHub.Auto
	if auto.By == 0 {
		return nil
	}
	return object{
		"enabled_by": f.showPersonID(auto.By), "merge_method": cmp.Or(auto.Method, "merge"), "commit_title": auto.Title,
		"commit_message": auto.Message,
	}
}

// showWholePull adds what only one pull request has, mergeability among it.
func (f *Forge) showWholePull(ctx context.Context, p *project, m *mergeRequest) (object, error) {
	found, err := f.judgePull(ctx, p, m)
	if err != nil {
		return nil, err
	}
	commits, err := f.requestCommits(ctx, p, m)
	if err != nil {
		return nil, err
	}
	files, err := f.requestDiff(ctx, p, m)
	if err != nil {
		return nil, err
	}
	stats := countLines(files)
	shown := f.showPull(p, m).with(object{
		"merged": m.State == stateMerged, "mergeable": nil, "rebaseable": nil, "mergeable_state": "unknown", "merged_by": f.showPersonID(m.MergedBy),
		"comments": countNotes(m), "review_comments": len(m.GitHub.Comments), "maintainer_can_modify": false, "commits": len(commits),
		"additions": stats.Additions, "deletions": stats.Deletions, "changed_files": len(files),
	})
	if m.State == stateOpened && m.Unchecked == 0 {
		shown["mergeable"], shown["rebaseable"], shown["mergeable_state"] = !found.conflict, !found.conflict, found.state
	}
	return shown, nil
}

// pullReply is showWholePull as an answer, which tells the kind of a team, as webhooks do not.
func (c *githubCall) pullReply(status int, m *mergeRequest) (reply, error) {
	shown, err := c.forge.showWholePull(c.Context(), c.project, m)
	return reply{status, withTeamKind(shown)}, err
}

func withTeamKind(pull object) object {
	if teams, ok := pull["requested_teams"].([]object); ok {
		for _, t := range teams {
			t["type"] = "organization"
		}
	}
	return pull
}

func getPull(c *githubCall) (reply, error) {
	m, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	answer, err := c.pullReply(http.StatusOK, m)
	if m.State == stateOpened && m.Unchecked > 0 {
		m.Unchecked-- // asking starts the computation (REST, "Get a pull request")
	}
	return answer, err
}

func listPulls(c *githubCall) (reply, error) {
	query := c.URL.Query()
	state := c.choice("state", "open", "open", "closed", "all")
	owner, branch, qualified := strings.Cut(query.Get("head"), ":")
	base := query.Get("base")
	var found []*mergeRequest
	for _, m := range c.project.Requests {
		ofHead := !qualified || strings.EqualFold(owner, m.headOwner(c.project)) && m.Source == branch
		if (state == "all" || pullState(m) == state) && (base == "" || m.Target == base) && ofHead {
			found = append(found, m)
		}
	}
	sort := c.choice("sort", "created", "created", "updated", "popularity", "long-running")
	otherwise := "asc"
	if sort == "created" {
		otherwise = "desc"
	}
	direction := c.choice("direction", otherwise, "asc", "desc")
	slices.SortStableFunc(found, func(a, b *mergeRequest) int {
		order := cmp.Compare(a.IID, b.IID)
		if sort == "updated" {
			order = cmp.Or(a.UpdatedAt.Compare(b.UpdatedAt), order)
		}
		if direction == "desc" {
			return -order
		}
		return order
	})
	return listed(c, found, func(m *mergeRequest) (object, error) { return withTeamKind(c.forge.showPull(c.project, m)), nil })
}

func pullProblem(field, code, message string) error {
	return validationFailed(fieldError{Resource: "PullRequest", Field: field, Code: code, Message: message})
}

// noDrafts is what GitHub says where the plan has none (docs, About pull requests: draft pull requests by plan).
func noDrafts() error {
	return pullProblem("", "custom", "Draft pull requests are not supported in this repository.")
}

func createPull(c *githubCall) (reply, error) {
	var asked struct {
		Title *string `json:"title"`
		Head  *string `json:"head"`
		Base  *string `json:"base"`
		Body  string  `json:"body"`
		Draft bool    `json:"draft"`
	}
	if err := c.read(&asked); err != nil {
		return reply{}, err
	}
	for name, field := range map[string]*string{"head": asked.Head, "base": asked.Base} {
		if field == nil {
			return reply{}, invalidRequest("%q wasn't supplied.", name)
		}
	}
	if asked.Title == nil || strings.TrimSpace(*asked.Title) == "" {
		return reply{}, pullProblem("title", "missing_field", "")
	}
	if asked.Draft && c.project.Settings.GitHub.NoDrafts {
		return reply{}, noDrafts()
	}
	head := *asked.Head
	if owner, branch, ok := strings.Cut(head, ":"); ok && strings.EqualFold(owner, c.project.namespace()) {
		head = branch
	}
	m := &mergeRequest{
		State: stateOpened, Author: c.user.ID, Title: *asked.Title, Description: asked.Body, Source: head, Target: *asked.Base,
		GitHub: githubRequest{Draft: asked.Draft},
	}
	if err := c.forge.openPull(c.Context(), c.project, m, c.user); err != nil {
		return reply{}, err
	}
	return c.pullReply(http.StatusCreated, m)
}

func (f *Forge) openPull(ctx context.Context, p *project, m *mergeRequest, by *User) error {
	if err := checkPullText(m); err != nil {
		return err
	}
	if err := f.checkPull(ctx, p, m); err != nil {
		return err
	}
	m.ID, m.IID = f.tables.next("merge_request"), f.tables.next(fmt.Sprintf("merge_request of project %d", p.ID))
	m.CreatedAt = f.now()
	m.UpdatedAt = m.CreatedAt
	if err := f.takeHead(ctx, p, m); err != nil {
		return err
	}
	p.Requests = append(p.Requests, m)
	f.wrote()
	return f.sendRequest(ctx, p, m, requestEvent{action: "open", by: by})
}

func checkPullText(m *mergeRequest) error {
	switch {
	case utf8.RuneCountInString(m.Title) > maxPullTitle:
		return pullProblem("title", "custom", fmt.Sprintf("title is too long (maximum is %d characters)", maxPullTitle))
	case utf8.RuneCountInString(m.Description) > maxGitHubBody:
		return pullProblem("body", "custom", fmt.Sprintf("body is too long (maximum is %d characters)", maxGitHubBody))
	}
	return nil
}

// checkPull gives the answers of GitHub's "Validation Failed" for a new or reopened pull request.
func (f *Forge) checkPull(ctx context.Context, p *project, m *mergeRequest) error {
	head, err := p.repo.head(ctx, m.Source)
	if m.GitHub.Fork != "" {
		head, err = m.SHA, nil
	}
	if errors.Is(err, errNoRevision) {
		return pullProblem("head", "invalid", "")
	}
	target, targetErr := p.repo.head(ctx, m.Target)
	if errors.Is(targetErr, errNoRevision) {
		return pullProblem("base", "invalid", "")
	}
	if err := errors.Join(err, targetErr); err != nil {
		return err
	}
	for _, other := range p.Requests {
		same := other.Source == m.Source && other.Target == m.Target && other.GitHub.Fork == m.GitHub.Fork
		if other != m && other.State == stateOpened && same {
			return pullProblem("", "custom", fmt.Sprintf("A pull request already exists for %s:%s.", m.headOwner(p), m.Source))
		}
	}
	included, err := p.repo.contains(ctx, target, head)
	if err == nil && included {
		return pullProblem("", "custom", fmt.Sprintf("No commits between %s and %s", m.Target, m.Source))
	}
	return err
}

// mayEditPull: the author, or who may write.
func (c *githubCall) mayEditPull(m *mergeRequest) error {
	if c.token == nil && m.Author != c.user.ID && c.project.level(c.user) < AccessDeveloper {
		return githubRefusal(http.StatusForbidden, "Must have push access to repository")
	}
	return nil
}

// pullEdit is what an update of a pull request, or of it as an issue, may say. Nil fields stay.
type pullEdit struct {
	Title     *string   `json:"title"`
	Body      *string   `json:"body"`
	State     *string   `json:"state"`
	Base      *string   `json:"base"`
	Labels    *[]string `json:"-"`
	Assignees *[]string `json:"assignees"`
}

func updatePull(c *githubCall) (reply, error) {
	m, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	var asked pullEdit
	if err := c.read(&asked); err != nil {
		return reply{}, err
	}
	asked.Assignees = nil // the pulls API does not know them
	if err := c.editPull(m, asked); err != nil {
		return reply{}, err
	}
	return c.pullReply(http.StatusOK, m)
}

func (c *githubCall) editPull(m *mergeRequest, asked pullEdit) error {
	if err := c.mayEditPull(m); err != nil {
		return err
	}
	next := *m
	if asked.Title != nil {
		next.Title = *asked.Title
	}
	if asked.Body != nil {
		next.Description = *asked.Body
	}
	if asked.Labels != nil {
		next.Labels = *asked.Labels
	}
	if strings.TrimSpace(next.Title) == "" {
		return pullProblem("title", "missing_field", "")
	}
	if err := checkPullText(&next); err != nil {
		return err
	}
	if asked.State != nil && *asked.State != "open" && *asked.State != "closed" {
		return pullProblem("state", "invalid", "")
	}
	if asked.Base != nil && *asked.Base != m.Target {
		next.Target = *asked.Base
		if err := c.forge.checkPull(c.Context(), c.project, &next); err != nil {
			return err
		}
		if err := c.forge.takeHead(c.Context(), c.project, &next); err != nil {
			return err
		}
	}
	if err := c.forge.edit(c.Context(), c.project, m, next, c.user); err != nil {
		return err
	}
	if asked.Assignees != nil {
		if err := c.assign(m, *asked.Assignees); err != nil {
			return err
		}
	}
	return c.changeState(m, asked.State)
}

func (c *githubCall) changeState(m *mergeRequest, state *string) error {
	switch {
	case state == nil || *state == pullState(m):
		return nil
	case *state == "closed":
		if err := c.forge.dequeue(c.Context(), c.project, m, "MANUAL"); err != nil {
			return err
		}
		return c.forge.close(c.Context(), c.project, m, c.user)
	case m.State == stateMerged:
		return pullProblem("state", "custom", "state cannot be changed. The pull request was merged.")
	}
	return c.forge.reopenPull(c.Context(), c.project, m, c.user)
}

func (f *Forge) reopenPull(ctx context.Context, p *project, m *mergeRequest, u *User) error {
	if _, err := p.repo.head(ctx, m.Source); errors.Is(err, errNoRevision) && m.GitHub.Fork == "" {
		return pullProblem("state", "custom", "state cannot be changed. The "+m.Source+" branch has been deleted.")
	}
	if err := f.checkPull(ctx, p, m); err != nil {
		return err
	}
	return f.reopen(ctx, p, m, u)
}

func listPullFiles(c *githubCall) (reply, error) {
	m, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	files, err := c.forge.requestDiff(c.Context(), c.project, m)
	if err != nil {
		return reply{}, err
	}
	return listed(c, files, func(file fileDiff) (object, error) {
		stats := countLines([]fileDiff{file})
		web := c.forge.webURL(c.project)
		shown := object{
			"sha": nil, "filename": file.newPath, "status": map[byte]string{'A': "added", 'D': "removed", 'R': "renamed", 'T': "changed"}[file.status],
			"additions": stats.Additions, "deletions": stats.Deletions, "changes": stats.Total, "blob_url": web + "/blob/" + m.SHA + "/" + file.newPath,
			"raw_url": web + "/raw/" + m.SHA + "/" + file.newPath, "contents_url": c.forge.repoURL(c.project, "/contents/%s?ref=%s", file.newPath, m.SHA),
		}
		if shown["status"] == "" {
			shown["status"] = "modified"
		}
		if file.oldPath != file.newPath {
			shown["previous_filename"] = file.oldPath
		}
		if !file.tooLarge && file.text != "" {
			shown["patch"] = strings.TrimSuffix(file.text, "\n")
		}
		return shown, nil
	})
}

func listPullCommits(c *githubCall) (reply, error) {
	m, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	commits, err := c.forge.requestCommits(c.Context(), c.project, m)
	if err != nil {
		return reply{}, err
	}
	slices.Reverse(commits) // oldest first
	return listed(c, commits, func(one commitRecord) (object, error) {
		return c.forge.showGitCommit(c.Context(), c.project, one.id)
	})
}

func requestReviewers(c *githubCall) (reply, error) {
	m, err := c.pull()
	if err != nil {
		return reply{}, err
	}
	var asked struct {
		Reviewers []string `json:"reviewers"`
		Teams     []string `json:"team_reviewers"`
	}
	if err := c.read(&asked); err != nil {
		return reply{}, err
	}
	outside := githubRefusal(http.StatusUnprocessableEntity, "Reviews may only be requested from collaborators. "+
		"One or more of the users or teams you specified is not a collaborator of the %s repository.", c.project.Path)
	var people []int
	for _, name := range asked.Reviewers {
		u := c.forge.tables.userNamed(name)
		if u == nil || c.project.level(u) == 0 {
			return reply{}, outside
		}
		if u.ID == m.Author {
			return reply{}, githubRefusal(http.StatusUnprocessableEntity, "Review cannot be requested from pull request author.")
		}
		people = append(people, u.ID)
	}
	for _, slug := range asked.Teams {
		if c.forge.tables.GitHub.team(c.project.namespace(), slug) == nil {
			return reply{}, outside
		}
	}
	if err := c.addReviewers(m, people, asked.Teams); err != nil {
		return reply{}, err
	}
	return reply{http.StatusCreated, withTeamKind(c.forge.showPull(c.project, m))}, nil
}

func (c *githubCall) addReviewers(m *mergeRequest, people []int, teams []string) error {
	for _, id := range people {
		if slices.Contains(m.GitHub.Reviewers, id) {
			continue
		}
		m.GitHub.Reviewers = append(m.GitHub.Reviewers, id)
		if err := c.changed(c.Context(), m, "review_requested", object{"requested_reviewer": c.forge.showPersonID(id)}); err != nil {
			return err
		}
	}
	for _, slug := range teams {
		if slices.Contains(m.GitHub.Teams, slug) {
			continue
		}
		m.GitHub.Teams = append(m.GitHub.Teams, slug)
		asked := object{"requested_team": c.forge.showTeam(c.forge.tables.GitHub.team(c.project.namespace(), slug))}
		if err := c.changed(c.Context(), m, "review_requested", asked); err != nil {
			return err
		}
	}
	return nil
}

// changed marks the end of a change of a pull request and announces it.
func (c *githubCall) changed(ctx context.Context, m *mergeRequest, action string, more object) error {
	m.UpdatedAt = c.forge.now()
	c.forge.wrote()
	return c.forge.sendPullAction(ctx, c.project, m, pullAction{name: action, by: c.user, more: more})
}

func checkMerged(c *githubCall) (reply, error) {
	m, err := c.pull()
	if err != nil || m.State != stateMerged {
		return reply{}, cmp.Or(err, notFound())
	}
	return reply{status: http.StatusNoContent}, nil
}
