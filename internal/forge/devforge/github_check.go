package devforge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// checkRun is reported by an App.
type checkRun struct {
	ID          int           `json:"id"`
	App         int           `json:"app"`
	Suite       int           `json:"suite"` // one per commit and App
	Name        string        `json:"name"`
	SHA         string        `json:"sha"`
	ExternalID  string        `json:"external_id"`
	DetailsURL  string        `json:"details_url"`
	Status      string        `json:"status"`
	Conclusion  string        `json:"conclusion"`
	StartedAt   time.Time     `json:"started_at"`
	CompletedAt time.Time     `json:"completed_at"`
	Title       string        `json:"title"`
	Summary     string        `json:"summary"`
	Text        string        `json:"text"`
	Annotations []annotation  `json:"annotations"`
	Actions     []checkAction `json:"actions"`
}

type annotation struct {
	Path      string `json:"path"`
	StartLine int    `json:"start_line"`
	EndLine   int    `json:"end_line"`
	Level     string `json:"annotation_level"`
	Title     string `json:"title"`
	Message   string `json:"message"`
	Details   string `json:"raw_details"`
}

// checkAction is a button on a check run.
type checkAction struct {
	Label       string `json:"label"`
	Description string `json:"description"`
	Identifier  string `json:"identifier"`
}

// The limits of REST, "Create a check run".
const (
	maxCheckText   = 65_535
	maxAnnotations = 50 // per request
	maxActions     = 3
)

// outcome is what a required check makes of the run: skipped and neutral count as success.
func (r *checkRun) outcome() string {
	switch {
	case r.Status != "completed":
		return "pending"
	case slices.Contains([]string{"success", "neutral", "skipped"}, r.Conclusion):
		return "success"
	}
	return "failure"
}

// latestChecks are the newest run of each name and App.
func (p *project) latestChecks(sha string) []*checkRun {
	var newest []*checkRun
	for _, run := range slices.Backward(p.GitHub.Checks) {
		known := func(other *checkRun) bool { return other.Name == run.Name && other.App == run.App }
		if run.SHA == sha && !slices.ContainsFunc(newest, known) {
			newest = append(newest, run)
		}
	}
	slices.Reverse(newest)
	return newest
}

func (f *Forge) showCheck(p *project, run *checkRun) object {
	api := f.repoURL(p, "/check-runs/%d", run.ID)
	return object{
		"id": run.ID, "node_id": nodeID("CR", run.ID), "head_sha": run.SHA, "external_id": run.ExternalID, "url": api,
		"html_url":    fmt.Sprintf("%s/runs/%d", f.webURL(p), run.ID),
		"details_url": cmp.Or(run.DetailsURL, f.url+"/apps/"+f.tables.GitHub.app(run.App).Slug), "status": run.Status, "conclusion": optional(run.Conclusion), "started_at": stamp(run.StartedAt),
		"completed_at": stamp(run.CompletedAt), "name": run.Name, "app": f.showApp(f.tables.GitHub.app(run.App)),
		"pull_requests": f.showCheckPulls(p, run.SHA), "check_suite": object{"id": run.Suite},
		"output": object{
			"title": optional(run.Title), "summary": optional(run.Summary), "text": optional(run.Text),
			"annotations_count": len(run.Annotations), "annotations_url": api + "/annotations",
		},
	}
}

func (f *Forge) showCheckPulls(p *project, sha string) []object {
	shown := []object{}
	repo := object{"id": p.ID, "url": f.repoURL(p, ""), "name": p.name()}
	for _, m := range p.Requests {
		if m.SHA == sha && m.State == stateOpened {
			shown = append(shown, object{
				"url": f.repoURL(p, "/pulls/%d", m.IID), "id": m.ID, "number": m.IID,
				"head": object{"ref": m.Source, "sha": m.SHA, "repo": repo}, "base": object{"ref": m.Target, "sha": m.StartSHA, "repo": repo},
			})
		}
	}
	return shown
}

// showSuite is the check suite of a run as webhooks have it.
func (f *Forge) showSuite(p *project, run *checkRun) object {
	status, conclusion := p.suiteState(run)
	return object{
		"id": run.Suite, "node_id": nodeID("CS", run.Suite), "head_branch": optional(p.branchAt(run.SHA)), "head_sha": run.SHA, "status": status,
		"conclusion": conclusion, "url": f.repoURL(p, "/check-suites/%d", run.Suite), "before": nil, "after": run.SHA,
		"pull_requests": f.showCheckPulls(p, run.SHA), "app": f.showApp(f.tables.GitHub.app(run.App)), "created_at": stamp(run.StartedAt),
		"updated_at": stamp(run.StartedAt),
	}
}

func (p *project) branchAt(sha string) string {
	for _, m := range p.Requests {
		if m.SHA == sha {
			return m.Source
		}
	}
	for _, e := range p.GitHub.Queue {
		if e.SHA == sha {
			return strings.TrimPrefix(e.Ref, headsPrefix)
		}
	}
	return ""
}

// suiteState is completed when every run of the suite is; the worst conclusion wins.
func (p *project) suiteState(of *checkRun) (status string, conclusion any) {
	worst := "success"
	for _, run := range p.latestChecks(of.SHA) {
		if run.App != of.App {
			continue
		}
		if run.Status != "completed" {
			return "in_progress", nil
		}
		if run.outcome() == "failure" {
			worst = run.Conclusion
		}
	}
	return "completed", worst
}

// checkInput is what creating and updating a check run may say. Nil fields stay.
type checkInput struct {
	Name        *string    `json:"name"`
	SHA         *string    `json:"head_sha"`
	DetailsURL  *string    `json:"details_url"`
	ExternalID  *string    `json:"external_id"`
	Status      *string    `json:"status"`
	Conclusion  *string    `json:"conclusion"`
	StartedAt   *time.Time `json:"started_at"`
	CompletedAt *time.Time `json:"completed_at"`
	Output      *struct {
		Title       *string      `json:"title"`
		Summary     *string      `json:"summary"`
		Text        string       `json:"text"`
		Annotations []annotation `json:"annotations"`
	} `json:"output"`
	Actions *[]checkAction `json:"actions"`
}

// onlyApps refuses people: check runs are written by Apps alone (REST, "Create a check run").
func (c *githubCall) onlyApps() error {
	if c.token == nil {
		return githubRefusal(http.StatusForbidden, "You must authenticate via a GitHub App.")
	}
	return nil
}

func createCheck(c *githubCall) (reply, error) {
	if err := c.onlyApps(); err != nil {
		return reply{}, err
	}
	var asked checkInput
	if err := c.read(&asked); err != nil {
		return reply{}, err
	}
	if asked.Name == nil || asked.SHA == nil {
		return reply{}, invalidRequest("\"name\", \"head_sha\" weren't supplied.")
	}
	if !commitID(*asked.SHA) {
		return reply{}, invalidRequest("The sha parameter must be exactly 40 characters and contain only [0-9a-f].")
	}
	if _, err := c.project.repo.verify(c.Context(), *asked.SHA); errors.Is(err, errNoRevision) {
		return reply{}, githubRefusal(http.StatusUnprocessableEntity, "No commit found for SHA: %s", *asked.SHA)
	}
	app := c.forge.tables.GitHub.appOf(c.user.ID)
	run := &checkRun{App: app.ID, Name: *asked.Name, SHA: *asked.SHA, Status: "queued", StartedAt: c.forge.now()}
	if err := run.take(asked, c.forge.now()); err != nil {
		return reply{}, err
	}
	run.ID, run.Suite = c.forge.tables.next("check run"), c.forge.suiteOf(c.project, run)
	c.project.GitHub.Checks = append(c.project.GitHub.Checks, run)
	c.forge.wrote()
	return c.reported(http.StatusCreated, run, "created")
}

func (f *Forge) suiteOf(p *project, run *checkRun) int {
	for _, other := range p.GitHub.Checks {
		if other.SHA == run.SHA && other.App == run.App {
			return other.Suite
		}
	}
	return f.tables.next("check suite")
}

// reported announces a run: completed as such, whichever request made it so.
func (c *githubCall) reported(status int, run *checkRun, action string) (reply, error) {
	f, p := c.forge, c.project
	if action != "" {
		if err := f.sendCheck(p, run, checkEvent{action: action, by: c.user}); err != nil {
			return reply{}, err
		}
	}
	if run.Status == "completed" {
		if err := f.sendCheck(p, run, checkEvent{action: "completed", by: c.user}); err != nil {
			return reply{}, err
		}
		if state, _ := p.suiteState(run); state == "completed" {
			if err := f.sendSuite(c.Context(), p, run, "completed", c.user); err != nil {
				return reply{}, err
			}
		}
	}
	return reply{status, f.showCheck(p, run)}, f.progress(c.Context(), p)
}

func (r *checkRun) take(asked checkInput, now time.Time) error {
	for value, field := range map[*string]*string{
		asked.Name: &r.Name, asked.DetailsURL: &r.DetailsURL, asked.ExternalID: &r.ExternalID, asked.Status: &r.Status, asked.Conclusion: &r.Conclusion,
	} {
		if value != nil {
			*field = *value
		}
	}
	switch {
	case asked.Conclusion != nil:
		r.Status = "completed" // "Providing conclusion will automatically set the status parameter to completed."
	case asked.Status != nil && *asked.Status == "completed":
		return invalidRequest("\"conclusion\" wasn't supplied.")
	case asked.Status != nil:
		r.Conclusion, r.CompletedAt = "", time.Time{}
	}
	if asked.StartedAt != nil {
		r.StartedAt = *asked.StartedAt
	}
	if r.Status == "completed" && r.CompletedAt.IsZero() {
		r.CompletedAt = now
	}
	if asked.CompletedAt != nil {
		r.CompletedAt = *asked.CompletedAt
	}
	if err := r.takeOutput(asked); err != nil {
		return err
	}
	if asked.Actions != nil {
		if len(*asked.Actions) > maxActions {
			return invalidRequest("No more than %d items are allowed; %d were supplied.", maxActions, len(*asked.Actions))
		}
		for _, action := range *asked.Actions {
			if len([]rune(action.Label)) > 20 || len([]rune(action.Description)) > 40 || len([]rune(action.Identifier)) > 20 {
				return invalidRequest("Only 20 characters are allowed for a label and an identifier, 40 for a description.")
			}
		}
		r.Actions = *asked.Actions
	}
	return nil
}

// takeOutput replaces the texts and adds the annotations (REST, "Update a check run").
func (r *checkRun) takeOutput(asked checkInput) error {
	out := asked.Output
	if out == nil {
		return nil
	}
	if out.Summary == nil {
		return invalidRequest("\"summary\" wasn't supplied.")
	}
	if len([]rune(*out.Summary)) > maxCheckText || len([]rune(out.Text)) > maxCheckText {
		return invalidRequest("Only %d characters are allowed; more were supplied.", maxCheckText)
	}
	if len(out.Annotations) > maxAnnotations {
		return invalidRequest("No more than %d items are allowed; %d were supplied.", maxAnnotations, len(out.Annotations))
	}
	for _, a := range out.Annotations {
		if a.Path == "" || a.StartLine < 1 || a.EndLine < a.StartLine || a.Message == "" ||
			!slices.Contains([]string{"notice", "warning", "failure"}, a.Level) {
			return invalidRequest("An annotation needs a path, lines, a level and a message.")
		}
	}
	if out.Title != nil {
		r.Title = *out.Title
	}
	r.Summary, r.Text, r.Annotations = *out.Summary, out.Text, append(r.Annotations, out.Annotations...)
	return nil
}

func (c *githubCall) check() (*checkRun, error) {
	id, err := c.number("check_run_id")
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(c.project.GitHub.Checks, func(run *checkRun) bool { return run.ID == id })
	if i < 0 {
		return nil, notFound()
	}
	return c.project.GitHub.Checks[i], nil
}

// updateCheck: only the App that made a run changes it.
func updateCheck(c *githubCall) (reply, error) {
	if err := c.onlyApps(); err != nil {
		return reply{}, err
	}
	run, err := c.check()
	if err != nil {
		return reply{}, err
	}
	if app := c.forge.tables.GitHub.appOf(c.user.ID); run.App != app.ID {
		return reply{}, githubRefusal(http.StatusForbidden, "Invalid app_id `%d` - check run can only be modified by the GitHub App that created it.", app.ID)
	}
	var asked checkInput
	if err := c.read(&asked); err != nil {
		return reply{}, err
	}
	next := *run
	if err := next.take(asked, c.forge.now()); err != nil {
		return reply{}, err
	}
	*run = next
	c.forge.wrote()
	return c.reported(http.StatusOK, run, "")
}

func getCheck(c *githubCall) (reply, error) {
	run, err := c.check()
	if err != nil {
		return reply{}, err
	}
	return reply{body: c.forge.showCheck(c.project, run)}, nil
}

func listAnnotations(c *githubCall) (reply, error) {
	run, err := c.check()
	if err != nil {
		return reply{}, err
	}
	return listed(c, run.Annotations, func(a annotation) (object, error) {
		return object{
			"path": a.Path, "start_line": a.StartLine, "end_line": a.EndLine, "start_column": nil, "end_column": nil, "annotation_level": a.Level,
			"title": optional(a.Title), "message": a.Message, "raw_details": optional(a.Details),
			"blob_href": c.forge.repoURL(c.project, "/contents/%s?ref=%s", a.Path, run.SHA),
		}, nil
	})
}

func listCheckRuns(c *githubCall, sha string) (reply, error) {
	query := c.URL.Query()
	runs := c.project.latestChecks(sha)
	if query.Get("filter") == "all" {
		runs = slices.DeleteFunc(slices.Clone(c.project.GitHub.Checks), func(run *checkRun) bool { return run.SHA != sha })
	}
	runs = slices.DeleteFunc(slices.Clone(runs), func(run *checkRun) bool {
		name, status, app := query.Get("check_name"), query.Get("status"), query.Get("app_id")
		return name != "" && name != run.Name || status != "" && status != run.Status || app != "" && app != fmt.Sprint(run.App)
	})
	shown := []object{}
	for _, run := range githubPage(c, runs) {
		shown = append(shown, c.forge.showCheck(c.project, run))
	}
	return reply{body: object{"total_count": len(runs), "check_runs": shown}}, nil
}

// PressButton presses a button on a check run as user: the App that made the run gets check_run requested_action.
func (f *Forge) PressButton(path string, checkRun int, user, identifier string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, u := f.tables.projectAt(path), f.tables.userNamed(user)
	if p == nil || u == nil {
		return fmt.Errorf("button by %q in project %q: %w", user, path, ErrNotFound)
	}
	for _, run := range p.GitHub.Checks {
		known := func(a checkAction) bool { return a.Identifier == identifier }
		if run.ID == checkRun && slices.ContainsFunc(run.Actions, known) {
			return f.sendCheck(p, run, checkEvent{action: "requested_action", by: u, identifier: identifier})
		}
	}
	return fmt.Errorf("button %q of check run %d: %w", identifier, checkRun, ErrNotFound)
}

// Rerequest asks for a check run again, as the "Re-run" of GitHub's page does.
func (f *Forge) Rerequest(path string, checkRun int, user string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, u := f.tables.projectAt(path), f.tables.userNamed(user)
	if p == nil || u == nil {
		return fmt.Errorf("re-run by %q in project %q: %w", user, path, ErrNotFound)
	}
	for _, run := range p.GitHub.Checks {
		if run.ID == checkRun {
			return f.sendCheck(p, run, checkEvent{action: "rerequested", by: u})
		}
	}
	return fmt.Errorf("check run %d: %w", checkRun, ErrNotFound)
}

// requestSuites tells each App that wants check suites of a pushed commit.
func (f *Forge) requestSuites(ctx context.Context, p *project, sha string, by *User) error {
	for _, a := range f.tables.GitHub.Apps {
		if f.tables.GitHub.installed(a, p) == nil || !(&appToken{Permissions: a.Permissions}).may("checks:read") {
			continue
		}
		run := &checkRun{App: a.ID, SHA: sha, StartedAt: f.now()}
		run.Suite = f.suiteOf(p, run)
		if err := f.sendSuite(ctx, p, run, "requested", by); err != nil {
			return err
		}
	}
	return nil
}
