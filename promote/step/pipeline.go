package step

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
)

type dispatchWorkflowConfig struct {
	Owner    string              `json:"owner"` // or in repo: owner/repository
	Repo     string              `json:"repo"`
	Workflow string              `json:"workflow"`
	Ref      string              `json:"ref"`
	Inputs   map[string]scalarIn `json:"inputs"`
	Wait     *flag               `json:"wait"`
	Timeout  interval            `json:"timeout"`
}

type triggerPipelineConfig struct {
	Project   string              `json:"project"`
	Ref       string              `json:"ref"`
	Variables map[string]scalarIn `json:"variables"`
	Wait      *flag               `json:"wait"`
	Timeout   interval            `json:"timeout"`
}

// scalarIn is a text that may be written as a number or a boolean.
type scalarIn string

// UnmarshalJSON reads "a", 7 and true.
func (s *scalarIn) UnmarshalJSON(data []byte) error {
	var text content
	if err := text.UnmarshalJSON(data); err != nil {
		return err
	}
	if strings.ContainsAny(string(data[:1]), "{[n") {
		return fmt.Errorf("%s is not a text", data)
	}
	*s = scalarIn(text)
	return nil
}

const (
	pipelinePoll   = 15 * time.Second
	pipelineAppear = 5 * time.Second
	maxVariables   = 100
)

// started is what a step keeps of the pipeline that it has started.
type started struct {
	ID    string `json:"id,omitempty"`
	URL   string `json:"url,omitempty"`
	After string `json:"after,omitempty"` // as Pipeline.After
}

// ghaDispatchWorkflow starts a workflow of GitHub Actions, and waits for it.
func (r *run) ghaDispatchWorkflow(ctx context.Context, step promote.Step, c config) (outcome, error) {
	var cfg dispatchWorkflowConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	project := cfg.Repo
	if cfg.Owner != "" {
		project = path.Join(cfg.Owner, cfg.Repo)
	}
	switch {
	case strings.Count(project, "/") != 1 || cfg.Repo == "":
		return outcome{}, errors.New("config.owner and config.repo do not name a repository: write owner: acme and repo: web")
	case cfg.Workflow == "":
		return outcome{}, errors.New("config.workflow is missing: name the file of the workflow, such as deploy.yaml")
	case r.World.GitHub == nil:
		return outcome{}, notConfigured("access to GitHub Actions", "its operator can configure github")
	}
	request := PipelineRequest{Project: project, Workflow: cfg.Workflow, Ref: cfg.Ref, Variables: texts(cfg.Inputs)}
	return r.pipeline(ctx, step, r.World.GitHub, request, waitConfig{cfg.Wait, cfg.Timeout})
}

// gitlabTriggerPipeline starts a pipeline of GitLab, and waits for it.
func (r *run) gitlabTriggerPipeline(ctx context.Context, step promote.Step, c config) (outcome, error) {
	var cfg triggerPipelineConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	switch {
	case strings.Trim(cfg.Project, "/") == "":
		return outcome{}, errors.New("config.project is missing: name the project, such as group/project")
	case r.World.GitLab == nil:
		return outcome{}, notConfigured("access to the pipelines of GitLab", "set LOCKKEEPER_GITLAB_TOKEN on the server")
	}
	request := PipelineRequest{Project: strings.Trim(cfg.Project, "/"), Ref: cfg.Ref, Variables: texts(cfg.Variables)}
	return r.pipeline(ctx, step, r.World.GitLab, request, waitConfig{cfg.Wait, cfg.Timeout})
}

func texts(values map[string]scalarIn) map[string]string {
	all := make(map[string]string, len(values))
	for key, value := range values {
		all[key] = string(value)
	}
	return all
}

// waitConfig says whether and for how long a pipeline is waited for.
type waitConfig struct {
	wait    *flag
	timeout interval
}

// pipeline starts a pipeline and waits until it is over. What was started is on record before it is waited for; what was
// started just before a crash is found by its marker.
func (r *run) pipeline(ctx context.Context, step promote.Step, forge Pipelines, request PipelineRequest, w waitConfig) (outcome, error) {
	switch {
	case request.Ref == "":
		return outcome{}, errors.New("config.ref is missing: name the branch or tag to run on, such as main")
	case len(request.Variables) > maxVariables:
		return outcome{}, fmt.Errorf("%d variables, at most %d can be passed", len(request.Variables), maxVariables)
	}
	request.Marker = fmt.Sprintf("%s/%s/%s", r.Promotion.Stage.Project, r.Promotion.ID, step.As)
	request.NotBefore = r.Promotion.CreatedAt
	var kept started
	begun, err := r.resume(&kept)
	if err != nil {
		return outcome{}, err
	}
	var now Pipeline
	if begun && kept.ID != "" {
		now, err = forge.Pipeline(ctx, request.Project, kept.ID)
	} else {
		request.After = kept.After
		now, err = forge.Start(ctx, request)
	}
	if err != nil {
		return outcome{}, technicalError{fmt.Errorf("pipeline of %q on %q: %w", request.Project, request.Ref, err)}
	}
	return r.watched(now, kept, w)
}

// watched says what a pipeline means for the step.
func (r *run) watched(now Pipeline, kept started, w waitConfig) (outcome, error) {
	keep := started{ID: now.ID, URL: now.URL, After: now.After}
	named := strings.TrimSpace("pipeline " + now.ID + " " + now.URL)
	output := map[string]any{"id": now.ID, "url": now.URL, "status": now.Status}
	limit := w.timeout.or(0)
	late := limit > 0 && r.Now.Sub(r.since()) >= limit
	switch wait := w.wait == nil || bool(*w.wait); {
	case now.ID == "" && late:
		return outcome{}, fmt.Errorf("the pipeline was started, but was not found within %s", limit)
	case now.ID == "":
		return r.pause(pipelineAppear, "the pipeline was started, and does not show yet", keep)
	case !wait && kept.ID == "":
		return outcome{status: promote.StepSucceeded, output: output, message: "started " + named, acted: true}, nil
	case !wait, now.State == PipelineSucceeded:
		return outcome{status: promote.StepSucceeded, output: output, message: named + " is over: " + now.Status}, nil
	case now.State == PipelineFailed:
		return outcome{output: output}, fmt.Errorf("%s ended as %q", named, now.Status)
	case late:
		return outcome{}, fmt.Errorf("%s is %q still after %s", named, now.Status, limit)
	}
	return r.pause(pipelinePoll, fmt.Sprintf("%s is %q", named, now.Status), keep)
}
