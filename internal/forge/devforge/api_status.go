package devforge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"unicode/utf8"
)

var statusStates = []string{"pending", "running", "success", "failed", "canceled", "skipped"}

// report is one POST of a commit status.
type report struct {
	sha, ref, name, state  string
	description, targetURL *string
	coverage               *float64
	pipeline               int
}

// createStatus follows app/services/ci/create_commit_status_service.rb: the newest pipeline of the commit (and ref) takes the
// status; without one an external pipeline is made, which is then the head pipeline of the branch's merge request.
func createStatus(c *call) (reply, error) {
	r, err := c.readReport()
	if err != nil {
		return reply{}, err
	}
	if r.sha, err = c.commit(); err != nil {
		return reply{}, err
	}
	line := c.project.pipelineFor(r)
	if r.pipeline != 0 && line == nil {
		return reply{}, missing("Pipeline for pipeline_id, sha and ref")
	}
	if r.ref == "" && line != nil {
		r.ref = line.Ref
	}
	if r.ref == "" {
		branches, err := c.project.repo.branchesWith(c.Context(), r.sha)
		if err != nil {
			return reply{}, err
		}
		if len(branches) == 0 {
			return reply{}, missing("References for commit")
		}
		r.ref = branches[0]
	}
	if _, protected := c.project.Protected[r.ref]; protected && !c.project.mayPush(c.user, r.ref) || c.project.level(c.user) < AccessDeveloper {
		return reply{}, forbidden()
	}
	line, s, err := c.forge.report(c.project, c.user, line, r)
	if err != nil {
		return reply{}, err
	}
	c.forge.wrote()
	shown := c.forge.showStatus(line, s)
	if err := c.forge.afterStatus(c.Context(), c.project, line, c.user); err != nil {
		return reply{}, err
	}
	return reply{http.StatusCreated, shown}, nil
}

func (c *call) readReport() (report, error) {
	p := c.params
	if !p.has("state") {
		return report{}, invalid("state is missing, state does not have a valid value")
	}
	state, err := p.oneOf("state", statusStates...)
	if err != nil || state == "" {
		return report{}, cmp.Or(err, invalid("state does not have a valid value"))
	}
	r := report{state: state}
	var problems [5]error
	var named, context string
	named, problems[0] = p.text("name")
	context, problems[1] = p.text("context")
	r.ref, problems[2] = p.text("ref")
	r.pipeline, problems[3] = p.integer("pipeline_id")
	problems[4] = c.readReportTexts(&r)
	r.name = cmp.Or(named, context, "default")
	if utf8.RuneCountInString(r.name) > 255 {
		return report{}, tooLong("name", 255)
	}
	return r, cmp.Or(problems[:]...)
}

func (c *call) readReportTexts(r *report) error {
	for name, field := range map[string]**string{"description": &r.description, "target_url": &r.targetURL} {
		if !c.params.has(name) {
			continue
		}
		value, err := c.params.text(name)
		if err != nil {
			return err
		}
		if utf8.RuneCountInString(value) > 255 {
			return tooLong(name, 255)
		}
		*field = &value
	}
	if r.targetURL != nil && *r.targetURL != "" {
		if u, err := url.Parse(*r.targetURL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return refuse(http.StatusBadRequest, map[string][]string{
				"target_url": {"is blocked: Only allowed schemes are http, https"},
			})
		}
	}
	if text, err := c.params.text("coverage"); err == nil && text != "" {
		var coverage float64
		if _, err := fmt.Sscan(text, &coverage); err != nil {
			return invalid("coverage is invalid")
		}
		r.coverage = &coverage
	}
	return nil
}

func (p *project) pipelineFor(r report) *pipeline {
	for _, line := range slices.Backward(p.Pipelines) {
		if line.SHA == r.sha && (r.ref == "" || line.Ref == r.ref) && (r.pipeline == 0 || line.ID == r.pipeline) {
			return line
		}
	}
	return nil
}

// report moves the status of that name and user that is still running or pending, or else adds a new one, whose elders then
// no longer count.
func (f *Forge) report(p *project, u *User, line *pipeline, r report) (*pipeline, *status, error) {
	now := f.now()
	var s *status
	if line != nil {
		for _, known := range line.Statuses {
			if known.Name == r.name && known.User == u.ID && (known.State == "running" || known.State == "pending") {
				s = known
			}
		}
	}
	state := "created"
	if s != nil {
		state = s.State
	}
	if err := transition(state, r.state); err != nil {
		return nil, nil, err
	}
	if line == nil {
		line = &pipeline{
			ID: f.tables.next("pipeline"), IID: len(p.Pipelines) + 1, SHA: r.sha, Ref: r.ref, User: u.ID, CreatedAt: now,
		}
		p.Pipelines = append(p.Pipelines, line)
	}
	if s == nil {
		for _, old := range line.Statuses {
			old.Retried = old.Retried || old.Name == r.name
		}
		s = &status{ID: f.tables.next("status"), Name: r.name, User: u.ID, CreatedAt: now}
		line.Statuses = append(line.Statuses, s)
	}
	s.State, line.UpdatedAt = r.state, now
	if r.description != nil {
		s.Description = *r.description
	}
	if r.targetURL != nil {
		s.TargetURL = *r.targetURL
	}
	if r.coverage != nil {
		s.Coverage = r.coverage
	}
	switch r.state {
	case "running":
		s.StartedAt = now
	case "success", "failed", "canceled", "skipped":
		s.FinishedAt = now
	}
	return line, s, nil
}

// transition is the state machine of CommitStatus: the text is what clients have to recognise, for asking for the state that
// already is counts as an error (spec/requests/api/commit_statuses_spec.rb).
func transition(from, to string) error {
	event := map[string]string{"pending": "enqueue", "running": "run", "skipped": "skip"}[to]
	allowed := true
	switch to {
	case "pending":
		allowed = from == "created"
	case "running", "skipped":
		allowed = from == "created" || from == "pending"
	}
	if allowed {
		return nil
	}
	return refuse(http.StatusBadRequest, fmt.Sprintf(
		`Cannot transition status via :%s from :%s (Reason(s): Status cannot transition via %q)`, event, from, event))
}

func (f *Forge) afterStatus(ctx context.Context, p *project, line *pipeline, u *User) error {
	if err := f.sendPipeline(ctx, p, line, u); err != nil {
		return err
	}
	if err := f.tryAutoMerge(ctx, p, cmp.Or(line.SourceSHA, line.SHA)); err != nil {
		return err
	}
	return f.moveTrains(ctx, p)
}

type statusRow struct {
	line   *pipeline
	status *status
}

func listStatuses(c *call) (reply, error) {
	id, err := c.commit()
	if err != nil {
		return reply{}, err
	}
	all, err := c.params.boolean("all")
	if err != nil {
		return reply{}, err
	}
	ref, refErr := c.params.text("ref")
	name, nameErr := c.params.text("name")
	pipeline, lineErr := c.params.integer("pipeline_id")
	if err := errors.Join(refErr, nameErr, lineErr); err != nil {
		return reply{}, err
	}
	var rows []statusRow
	for _, line := range c.project.Pipelines {
		if line.SHA != id || ref != "" && line.Ref != ref || pipeline != 0 && line.ID != pipeline {
			continue
		}
		for _, s := range line.Statuses {
			if (all || !s.Retried) && (name == "" || s.Name == name) {
				rows = append(rows, statusRow{line, s})
			}
		}
	}
	if sort, err := c.params.oneOf("sort", "asc", "desc"); err != nil {
		return reply{}, err
	} else if sort == "desc" {
		slices.Reverse(rows)
	}
	return shown(c, rows, func(row statusRow) (statusEntity, error) { return c.forge.showStatus(row.line, row.status), nil })
}

func listPipelines(c *call) (reply, error) {
	ref, refErr := c.params.text("ref")
	sha, shaErr := c.params.text("sha")
	state, stateErr := c.params.text("status")
	if err := errors.Join(refErr, shaErr, stateErr); err != nil {
		return reply{}, err
	}
	var lines []*pipeline
	for _, line := range slices.Backward(c.project.Pipelines) {
		if (ref == "" || line.Ref == ref) && (sha == "" || line.SHA == sha) && (state == "" || line.state() == state) {
			lines = append(lines, line)
		}
	}
	return shown(c, lines, func(line *pipeline) (pipelineBasicEntity, error) {
		return c.forge.showPipelineBasic(c.project, line), nil
	})
}

func getPipeline(c *call) (reply, error) {
	id, err := c.number("pipeline_id")
	if err != nil {
		return reply{}, err
	}
	for _, line := range c.project.Pipelines {
		if line.ID == id {
			return reply{body: c.forge.showPipeline(c.project, line)}, nil
		}
	}
	return reply{}, missing("")
}
