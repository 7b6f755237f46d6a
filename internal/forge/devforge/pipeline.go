package devforge

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

// headPipeline is the newest pipeline for the head of the merge request; one of its own counts before one of its source branch
// (app/finders/ci/pipelines_for_merge_request_finder.rb).
func (p *project) headPipeline(m *mergeRequest) *pipeline {
	var ofBranch *pipeline
	for _, line := range slices.Backward(p.Pipelines) {
		switch {
		case line.Request == m.IID && line.SourceSHA == m.SHA:
			return line
		case ofBranch == nil && line.Request == 0 && line.SHA == m.SHA && line.Ref == m.Source:
			ofBranch = line
		}
	}
	return ofBranch
}

// source says what began the pipeline.
func (l *pipeline) source() string { return cmp.Or(l.Source, "external") }

// latest are the statuses that count: of each name and user, those that were not reported again.
func (l *pipeline) latest() []*status {
	var latest []*status
	for _, s := range l.Statuses {
		if !s.Retried {
			latest = append(latest, s)
		}
	}
	return latest
}

// state combines the statuses as lib/gitlab/ci/status/composite.rb does.
func (l *pipeline) state() string {
	only := func(allowed ...string) bool {
		return !slices.ContainsFunc(l.latest(), func(s *status) bool { return !slices.Contains(allowed, s.State) })
	}
	switch {
	case len(l.latest()) == 0:
		return "created"
	case only("skipped"):
		return "skipped"
	case only("success", "skipped"):
		return "success"
	case only("canceled", "success", "skipped"):
		return "canceled"
	case only("pending", "skipped"):
		return "pending"
	case slices.ContainsFunc(l.latest(), func(s *status) bool { return s.State == "running" || s.State == "pending" }):
		return "running"
	}
	return "failed"
}

func (l *pipeline) started() time.Time {
	var first time.Time
	for _, s := range l.Statuses {
		if !s.StartedAt.IsZero() && (first.IsZero() || s.StartedAt.Before(first)) {
			first = s.StartedAt
		}
	}
	return first
}

func (l *pipeline) finished() time.Time {
	var last time.Time
	switch l.state() {
	case "success", "failed", "canceled", "skipped":
		for _, s := range l.latest() {
			if s.FinishedAt.After(last) {
				last = s.FinishedAt
			}
		}
	}
	return last
}

type pipelineBasicEntity struct {
	ID        int    `json:"id"`
	IID       int    `json:"iid"`
	ProjectID int    `json:"project_id"`
	SHA       string `json:"sha"`
	Ref       string `json:"ref"`
	Status    string `json:"status"`
	Source    string `json:"source"`
	CreatedAt moment `json:"created_at"`
	UpdatedAt moment `json:"updated_at"`
	WebURL    string `json:"web_url"`
}

type detailedStatusEntity struct {
	Icon         string  `json:"icon"`
	Text         string  `json:"text"`
	Label        string  `json:"label"`
	Group        string  `json:"group"`
	Tooltip      string  `json:"tooltip"`
	HasDetails   bool    `json:"has_details"`
	DetailsPath  string  `json:"details_path"`
	Illustration *string `json:"illustration"`
	Favicon      string  `json:"favicon"`
}

type pipelineEntity struct {
	pipelineBasicEntity
	BeforeSHA      string               `json:"before_sha"`
	Tag            bool                 `json:"tag"`
	YAMLErrors     *string              `json:"yaml_errors"`
	User           *userEntity          `json:"user"`
	StartedAt      moment               `json:"started_at"`
	FinishedAt     moment               `json:"finished_at"`
	CommittedAt    moment               `json:"committed_at"`
	Duration       *int                 `json:"duration"`
	QueuedDuration *int                 `json:"queued_duration"`
	Coverage       *string              `json:"coverage"`
	DetailedStatus detailedStatusEntity `json:"detailed_status"`
}

func (f *Forge) showPipelineBasic(p *project, l *pipeline) pipelineBasicEntity {
	return pipelineBasicEntity{
		ID: l.ID, IID: l.IID, ProjectID: p.ID, SHA: l.SHA, Ref: l.Ref, Status: l.state(), Source: l.source(),
		CreatedAt: moment(l.CreatedAt), UpdatedAt: moment(l.UpdatedAt), WebURL: f.pipelineURL(p, l),
	}
}

func (f *Forge) pipelineURL(p *project, l *pipeline) string {
	return f.webURL(p) + "/-/pipelines/" + strconv.Itoa(l.ID)
}

func (f *Forge) showPipeline(p *project, l *pipeline) pipelineEntity {
	state := l.state()
	text := state
	if state == "success" {
		text = "passed"
	}
	entity := pipelineEntity{
		pipelineBasicEntity: f.showPipelineBasic(p, l), BeforeSHA: zeroID, User: f.showUserID(l.User),
		StartedAt: moment(l.started()), FinishedAt: moment(l.finished()),
		DetailedStatus: detailedStatusEntity{
			Icon: "status_" + state, Text: text, Label: text, Group: state, Tooltip: text,
			DetailsPath: "/" + p.Path + "/-/pipelines/" + strconv.Itoa(l.ID),
		},
	}
	if started, finished := l.started(), l.finished(); !started.IsZero() && !finished.IsZero() {
		seconds := int(finished.Sub(started).Seconds())
		entity.Duration = &seconds
	}
	return entity
}

type statusEntity struct {
	ID           int         `json:"id"`
	SHA          string      `json:"sha"`
	Ref          string      `json:"ref"`
	Status       string      `json:"status"`
	Name         string      `json:"name"`
	TargetURL    *string     `json:"target_url"`
	Description  *string     `json:"description"`
	CreatedAt    moment      `json:"created_at"`
	StartedAt    moment      `json:"started_at"`
	FinishedAt   moment      `json:"finished_at"`
	AllowFailure bool        `json:"allow_failure"`
	Coverage     *float64    `json:"coverage"`
	PipelineID   int         `json:"pipeline_id"`
	Author       *userEntity `json:"author"`
}

func (f *Forge) showStatus(l *pipeline, s *status) statusEntity {
	return statusEntity{
		ID: s.ID, SHA: l.SHA, Ref: l.Ref, Status: s.State, Name: s.Name, TargetURL: optional(s.TargetURL),
		Description: optional(s.Description), CreatedAt: moment(s.CreatedAt), StartedAt: moment(s.StartedAt),
		FinishedAt: moment(s.FinishedAt), Coverage: s.Coverage, PipelineID: l.ID, Author: f.showUserID(s.User),
	}
}
