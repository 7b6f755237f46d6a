package devforge

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A commit status belongs to a commit, whatever branch it is on. In the tables a commit has one pipeline without a ref, which
// holds every status ever reported; those that a later one of the same context replaced are marked as retried.

const maxStatuses = 1000 // per commit and context (REST, "Create a commit status")

func (p *project) statusesOf(sha string) *pipeline {
	for _, line := range p.Pipelines {
		if line.SHA == sha && line.Ref == "" {
			return line
		}
	}
	return nil
}

// latestStatuses are the last of each context, in the order of their first report.
func (p *project) latestStatuses(sha string) []*status {
	line := p.statusesOf(sha)
	if line == nil {
		return nil
	}
	return line.latest()
}

func createGitHubStatus(c *githubCall) (reply, error) {
	sha := c.PathValue("sha")
	if !commitID(sha) {
		return reply{}, invalidRequest("The sha parameter must be exactly 40 characters and contain only [0-9a-f].")
	}
	if _, err := c.project.repo.verify(c.Context(), sha); errors.Is(err, errNoRevision) {
		return reply{}, githubRefusal(http.StatusUnprocessableEntity, "No commit found for SHA: %s", sha)
	}
	var asked struct {
		State       string  `json:"state"`
		TargetURL   *string `json:"target_url"`
		Description *string `json:"description"`
		Context     *string `json:"context"`
	}
	if err := c.read(&asked); err != nil {
		return reply{}, err
	}
	if !slices.Contains([]string{"error", "failure", "pending", "success"}, asked.State) {
		return reply{}, validationFailed(fieldError{Resource: "Status", Field: "state", Code: "custom", Message: "state is not included in the list"})
	}
	made := &status{Name: "default", State: asked.State, User: c.user.ID}
	if asked.Context != nil {
		made.Name = *asked.Context
	}
	if asked.Description != nil {
		made.Description = *asked.Description
	}
	if asked.TargetURL != nil {
		made.TargetURL = *asked.TargetURL
	}
	if err := checkStatus(made); err != nil {
		return reply{}, err
	}
	if err := c.report(sha, made); err != nil {
		return reply{}, err
	}
	return reply{http.StatusCreated, c.forge.showFullStatus(c.project, sha, made)}, c.forge.progress(c.Context(), c.project)
}

func checkStatus(s *status) error {
	problem := func(field, message string) error {
		return validationFailed(fieldError{Resource: "Status", Field: field, Code: "custom", Message: message})
	}
	if len([]rune(s.Description)) > 140 {
		return problem("description", "description is too long (maximum is 140 characters)")
	}
	if address, err := url.Parse(s.TargetURL); s.TargetURL != "" && (err != nil || address.Scheme != "http" && address.Scheme != "https") {
		return problem("target_url", "target_url must use http(s) scheme")
	}
	return nil
}

func (c *githubCall) report(sha string, made *status) error {
	line := c.project.statusesOf(sha)
	now := c.forge.now()
	if line == nil {
		line = &pipeline{ID: c.forge.tables.next("pipeline"), SHA: sha, User: c.user.ID, CreatedAt: now}
		c.project.Pipelines = append(c.project.Pipelines, line)
	}
	count := 0
	for _, before := range line.Statuses {
		if strings.EqualFold(before.Name, made.Name) { // contexts are case-insensitive
			before.Retried = true
			count++
		}
	}
	if count >= maxStatuses {
		return validationFailed(fieldError{
			Resource: "Status", Field: "base", Code: "custom",
			Message: "This SHA and context has reached the maximum number of statuses.",
		})
	}
	made.ID, made.CreatedAt = c.forge.tables.next("status"), now
	line.UpdatedAt, line.Statuses = now, append(line.Statuses, made)
	c.forge.wrote()
	return c.forge.sendStatus(c.Context(), c.project, sha, made)
}

func (f *Forge) showGitHubStatus(p *project, sha string, s *status) object {
	return object{
		"url": f.repoURL(p, "/statuses/%s", sha), "avatar_url": f.url + "/avatars/status", "id": s.ID, "node_id": nodeID("SC", s.ID),
		"state": s.State, "description": optional(s.Description), "target_url": optional(s.TargetURL), "context": s.Name,
		"created_at": stamp(s.CreatedAt), "updated_at": stamp(s.CreatedAt),
	}
}

func (f *Forge) showFullStatus(p *project, sha string, s *status) object {
	return f.showGitHubStatus(p, sha, s).with(object{"creator": f.showPersonID(s.User)})
}

// aboutCommit answers below /commits/{ref}/, where a ref may have slashes.
func aboutCommit(c *githubCall) (reply, error) {
	rest := c.PathValue("rest")
	for _, known := range []struct {
		suffix string
		handle func(*githubCall, string) (reply, error)
	}{
		{"/status", combinedStatus}, {"/statuses", listGitHubStatuses}, {"/check-runs", listCheckRuns}, {"/pulls", listPullsOfCommit},
	} {
		ref, ok := strings.CutSuffix(rest, known.suffix)
		if !ok {
			continue
		}
		sha, err := c.resolve(ref)
		if stop := (*refusal)(nil); errors.As(err, &stop) {
			return reply{}, notFound()
		} else if err != nil {
			return reply{}, err
		}
		return known.handle(c, sha)
	}
	sha, err := c.resolve(rest)
	if err != nil {
		return reply{}, err
	}
	shown, err := c.forge.showGitCommit(c.Context(), c.project, sha)
	return reply{body: shown}, err
}

func (c *githubCall) resolve(ref string) (string, error) {
	ref = strings.TrimPrefix(strings.TrimPrefix(ref, "refs/"), "heads/")
	sha, err := c.project.repo.commit(c.Context(), ref)
	if errors.Is(err, errNoRevision) {
		return "", githubRefusal(http.StatusUnprocessableEntity, "No commit found for SHA: %s", ref)
	}
	return sha, err
}

func listGitHubStatuses(c *githubCall, sha string) (reply, error) {
	var all []*status
	if line := c.project.statusesOf(sha); line != nil {
		all = slices.Clone(line.Statuses)
		slices.Reverse(all) // "The first status in the list will be the latest one."
	}
	return listed(c, all, func(s *status) (object, error) { return c.forge.showFullStatus(c.project, sha, s), nil })
}

// combinedStatus does not know check runs (REST, "Get the combined status for a specific reference").
func combinedStatus(c *githubCall, sha string) (reply, error) {
	all := c.project.latestStatuses(sha)
	shown := []object{}
	for _, s := range githubPage(c, all) {
		shown = append(shown, c.forge.showGitHubStatus(c.project, sha, s))
	}
	return reply{body: object{
		"state": combine(all), "statuses": shown, "sha": sha, "total_count": len(all), "repository": c.forge.showRepository(c.project),
		"commit_url": c.forge.repoURL(c.project, "/commits/%s", sha), "url": c.forge.repoURL(c.project, "/commits/%s/status", sha),
	}}, nil
}

// combine: failure if any is error or failure, pending if there is none or any is pending, else success.
func combine(all []*status) string {
	has := func(states ...string) bool {
		return slices.ContainsFunc(all, func(s *status) bool { return slices.Contains(states, s.State) })
	}
	switch {
	case has("error", "failure"):
		return "failure"
	case len(all) == 0 || has("pending"):
		return "pending"
	}
	return "success"
}

func listPullsOfCommit(c *githubCall, sha string) (reply, error) {
	var found []*mergeRequest
	for _, m := range c.project.Requests {
		if m.SHA == sha || m.MergeCommit == sha {
			found = append(found, m)
		}
	}
	return listed(c, found, func(m *mergeRequest) (object, error) { return withTeamKind(c.forge.showPull(c.project, m)), nil })
}

// required says how a required check of a commit stands: success, pending, failure, or expected when nobody reported it.
func (f *Forge) required(p *project, sha string, check RequiredCheck) string {
	state := "expected"
	for _, s := range p.latestStatuses(sha) {
		if strings.EqualFold(s.Name, check.Context) && (check.App == 0 || f.appNumber(s.User) == check.App) {
			state = map[string]string{"success": "success", "pending": "pending"}[s.State]
		}
	}
	for _, run := range p.latestChecks(sha) {
		if run.Name == check.Context && (check.App == 0 || run.App == check.App) {
			state = run.outcome()
		}
	}
	if state == "" {
		return "failure"
	}
	return state
}

func (f *Forge) appNumber(bot int) int {
	if a := f.tables.GitHub.appOf(bot); a != nil {
		return a.ID
	}
	return 0
}

// unmet is what GitHub says about the first required check that has not succeeded, or empty (recorded answers of PUT merge).
func (f *Forge) unmet(p *project, sha, branch string) string {
	for _, rules := range p.ruled(branch) {
		if reason := f.unmetOf(p, sha, rules); reason != "" {
			return reason
		}
	}
	return ""
}

func (f *Forge) unmetOf(p *project, sha string, rules *BranchRules) string {
	for _, check := range rules.Checks {
		switch f.required(p, sha, check) {
		case "success":
		case "expected":
			return fmt.Sprintf("Required status check %q is expected.", check.Context)
		case "pending":
			return fmt.Sprintf("Required status check %q is pending.", check.Context)
		default:
			return fmt.Sprintf("Required status check %q is failing.", check.Context)
		}
	}
	return ""
}
