package gitlab

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	gl "github.com/xanzy/go-gitlab"

	"github.com/lockkeeper/lockkeeper/internal/forge"
)

// PipelineMarker is the variable that carries PipelineDraft.Marker.
const PipelineMarker = "LOCKKEEPER_PROMOTION"

// maxCandidates bounds how many pipelines are looked at for one that was started before.
const maxCandidates = 20

// PipelineDraft is a pipeline to start.
type PipelineDraft struct {
	Ref       string            // required: branch or tag
	Variables map[string]string //
	Marker    string            // required: the same for every attempt to start the same pipeline, and for no other
	NotBefore time.Time         // no pipeline from before is the one; zero: it may be any
}

// Pipeline is a pipeline as GitLab shows it.
type Pipeline struct {
	ID     int    `json:"id"`
	URL    string `json:"web_url"`
	Status string `json:"status"`
}

// Over reports whether nothing runs any more, and whether all that had to succeed did. A pipeline that waits for a click is not
// over.
func (p Pipeline) Over() (over, succeeded bool) {
	switch p.Status {
	case "success":
		return true, true
	case "failed", "canceled", "skipped":
		return true, false
	}
	return false, false
}

// StartPipeline starts a pipeline in the project, unless it finds one of ours with the same marker. Where GitLab does not let
// the variables of a pipeline be read, none is found.
func (f *Forge) StartPipeline(ctx context.Context, draft PipelineDraft) (Pipeline, error) {
	if found, ok, err := f.startedAlready(ctx, draft); err != nil || ok {
		return found, err
	}
	variables := maps.Clone(draft.Variables)
	if variables == nil {
		variables = map[string]string{}
	}
	variables[PipelineMarker] = draft.Marker
	options := &gl.CreatePipelineOptions{Ref: new(draft.Ref), Variables: &[]*gl.PipelineVariableOptions{}}
	for _, key := range slices.Sorted(maps.Keys(variables)) {
		*options.Variables = append(*options.Variables, &gl.PipelineVariableOptions{Key: new(key), Value: new(variables[key])})
	}
	var started Pipeline
	_, err := f.send(ctx, request{
		name: "start pipeline", subject: fmt.Sprintf("on %q", draft.Ref), method: http.MethodPost, path: f.base + "/pipeline", options: options,
	}, &started)
	if err == nil || !forge.InDoubt(ctx, err) {
		return started, err
	}
	if found, ok, lookErr := f.startedAlready(ctx, draft); lookErr == nil && ok {
		return found, nil
	}
	return Pipeline{}, err
}

// startedAlready looks for a pipeline that we started with the same marker.
func (f *Forge) startedAlready(ctx context.Context, draft PipelineDraft) (Pipeline, bool, error) {
	self, err := f.me(ctx)
	if err != nil {
		return Pipeline{}, false, err
	}
	options := &gl.ListProjectPipelinesOptions{
		ListOptions: gl.ListOptions{PerPage: maxCandidates}, Source: new("api"), Ref: new(draft.Ref), Username: new(self.Username),
		OrderBy: new("id"), Sort: new("desc"),
	}
	if !draft.NotBefore.IsZero() {
		options.UpdatedAfter = new(draft.NotBefore.Add(-forge.ClockSlack).UTC())
	}
	var candidates []Pipeline
	sent := request{name: "list pipelines", subject: fmt.Sprintf("on %q", draft.Ref), path: f.base + "/pipelines", options: options}
	if _, err := f.get(ctx, sent, &candidates); err != nil {
		return Pipeline{}, false, err
	}
	for _, candidate := range candidates {
		if f.marked(ctx, candidate, draft.Marker) {
			return candidate, true, nil
		}
	}
	return Pipeline{}, false, nil
}

func (f *Forge) marked(ctx context.Context, candidate Pipeline, marker string) bool {
	var variables []struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}
	_, err := f.get(ctx, request{
		name: "read variables", subject: "of pipeline " + strconv.Itoa(candidate.ID), path: f.pipelinePath(candidate.ID) + "/variables",
	}, &variables)
	if err != nil {
		f.wire.Logger.DebugContext(ctx, "gitlab: variables of a pipeline cannot be read", "pipeline", candidate.ID, "error", err)
		return false
	}
	for _, variable := range variables {
		if variable.Key == PipelineMarker {
			return variable.Value == marker
		}
	}
	return false
}

// Pipeline returns a pipeline of the project.
func (f *Forge) Pipeline(ctx context.Context, id int) (Pipeline, error) {
	var found Pipeline
	_, err := f.get(ctx, request{name: "read pipeline", subject: strconv.Itoa(id), path: f.pipelinePath(id)}, &found)
	return found, err
}

func (f *Forge) pipelinePath(id int) string { return f.base + "/pipelines/" + strconv.Itoa(id) }
