package devforge

import (
	"context"
	"fmt"
)

// PipelineKind is what a pipeline of CI tests.
type PipelineKind int

// The kinds of pipelines that [Forge.RunPipeline] begins. Those of merge trains begin by themselves.
const (
	BranchPipeline  PipelineKind = iota // the head, as one of the source branch
	RequestPipeline                     // the head, as one of the merge request
	ResultPipeline                      // what merging would make (doc/ci/pipelines/merged_results_pipelines.md)
)

// RunPipeline begins a pipeline for an open merge request as CI would, with one job that runs, and returns its number. There is
// no CI here: [Forge.FinishPipeline] ends the job.
func (f *Forge) RunPipeline(ctx context.Context, path string, iid int, kind PipelineKind) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.tables.projectAt(path)
	if p == nil || p.request(iid) == nil {
		return 0, fmt.Errorf("merge request %d of project %q: %w", iid, path, ErrNotFound)
	}
	m := p.request(iid)
	by := f.tables.user(m.Author)
	line := &pipeline{SHA: m.SHA, Ref: m.Source, User: by.ID, Source: "push"}
	if kind != BranchPipeline {
		line.Request, line.SourceSHA, line.Source = iid, m.SHA, "merge_request_event"
		line.Ref = fmt.Sprintf("refs/merge-requests/%d/head", iid)
	}
	if kind == ResultPipeline {
		target, err := p.repo.head(ctx, m.Target)
		if err != nil {
			return 0, err
		}
		line.Ref = fmt.Sprintf("refs/merge-requests/%d/merge", iid)
		if line.SHA, err = f.testCommit(ctx, p, m, testOf{base: target, by: by, ref: line.Ref}); err != nil {
			return 0, err
		}
	}
	f.begin(p, line)
	return line.ID, f.sendPipeline(ctx, p, line, by)
}

// begin adds a pipeline whose only job runs.
func (f *Forge) begin(p *project, line *pipeline) {
	now := f.now()
	line.ID, line.IID, line.CreatedAt, line.UpdatedAt = f.tables.next("pipeline"), len(p.Pipelines)+1, now, now
	line.Statuses = []*status{{ID: f.tables.next("status"), Name: "test", State: "running", User: line.User, CreatedAt: now, StartedAt: now}}
	p.Pipelines = append(p.Pipelines, line)
	f.wrote()
}

// FinishPipeline ends the job that CI ran in a pipeline, with a state such as success or failed, and does what follows from it.
func (f *Forge) FinishPipeline(ctx context.Context, path string, id int, state string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.tables.projectAt(path)
	if p == nil {
		return fmt.Errorf("project %q: %w", path, ErrNotFound)
	}
	line := p.pipeline(id)
	if line == nil || line.Source == "" {
		return fmt.Errorf("pipeline %d of CI in project %q: %w", id, path, ErrNotFound)
	}
	line.Statuses[0].State, line.Statuses[0].FinishedAt, line.UpdatedAt = state, f.now(), f.now()
	f.wrote()
	return f.afterStatus(ctx, p, line, f.tables.user(line.User))
}

func (p *project) pipeline(id int) *pipeline {
	for _, line := range p.Pipelines {
		if line.ID == id {
			return line
		}
	}
	return nil
}

// testOf is what a commit is made of that only a pipeline sees.
type testOf struct {
	base string // what the merge request is merged into
	by   *User
	ref  string // that keeps it
}

// testCommit makes the commit that a merge request would be merged as, without moving its target.
func (f *Forge) testCommit(ctx context.Context, p *project, m *mergeRequest, t testOf) (string, error) {
	merged, err := p.repo.merge(ctx, t.base, m.SHA)
	if err != nil {
		return "", err
	}
	if merged.conflict {
		return "", refuse(400, "Merge request is not mergeable")
	}
	message := fmt.Sprintf("Merge branch '%s' into '%s'\n\n%s\n\nSee merge request %s!%d\n", m.Source, m.Target, m.Title, p.Path, m.IID)
	by := identity{name: t.by.Name, email: t.by.email(), at: f.now()}
	commit, err := p.repo.join(ctx, merged.tree, message, by, t.base, m.SHA)
	if err != nil {
		return "", err
	}
	_, err = p.repo.run(ctx, invocation{args: []string{"update-ref", t.ref, commit}})
	return commit, err
}
