package devforge

import (
	"context"
	"errors"
)

// verdict is GitLab's detailed_merge_status and what it was made from.
type verdict struct {
	status   string
	conflict bool
}

// coarse is the deprecated merge_status.
func (v verdict) coarse() string {
	switch {
	case v.status == "checking":
		return "checking"
	case v.conflict || v.status == "commits_status":
		return "cannot_be_merged"
	}
	return "can_be_merged"
}

// waitsForPipeline says that nothing but a running pipeline may stand in the way.
func (v verdict) waitsForPipeline() bool {
	return v.status == "mergeable" || v.status == "ci_still_running"
}

// mergeability names the first check that fails, in GitLab's order: the checks of the merge request itself, then those that
// ask git, and the pipeline last (app/services/merge_requests/mergeability/detailed_merge_status_service.rb).
func (f *Forge) mergeability(ctx context.Context, p *project, m *mergeRequest) (verdict, error) {
	if m.State == stateOpened && m.Unchecked > 0 {
		m.Unchecked--
		return verdict{status: "checking"}, nil
	}
	return f.judge(ctx, p, m)
}

func (f *Forge) judge(ctx context.Context, p *project, m *mergeRequest) (verdict, error) {
	if m.State != stateOpened {
		return verdict{status: "not_open"}, nil
	}
	git, err := f.gitVerdict(ctx, p, m)
	if err != nil {
		return verdict{}, err
	}
	switch {
	case m.draft():
		git.status = "draft_status"
	case git.status == "commits_status":
	case p.Settings.DiscussionsMustResolve && m.unresolved():
		git.status = "discussions_not_resolved"
	case git.status == "" && p.Settings.StatusChecksMustPass && p.unchecked(m):
		git.status = "status_checks_must_pass"
	case git.status == "":
		git.status = p.pipelineVerdict(m)
	}
	return git, nil
}

// gitVerdict has an empty status when git has nothing against a merge.
func (f *Forge) gitVerdict(ctx context.Context, p *project, m *mergeRequest) (verdict, error) {
	target, err := p.repo.head(ctx, m.Target)
	if errors.Is(err, errNoRevision) || m.SHA == "" {
		return verdict{status: "commits_status"}, nil
	}
	if err != nil {
		return verdict{}, err
	}
	included, err := p.repo.contains(ctx, target, m.SHA)
	if err != nil {
		return verdict{}, err
	}
	if included {
		return verdict{status: "commits_status"}, nil
	}
	merged, err := p.repo.merge(ctx, target, m.SHA)
	if err != nil {
		return verdict{}, err
	}
	if merged.conflict {
		return verdict{status: "conflict", conflict: true}, nil
	}
	if p.Settings.MergeMethod == "ff" || p.Settings.MergeMethod == "rebase_merge" {
		current, err := p.repo.contains(ctx, m.SHA, target)
		if err != nil {
			return verdict{}, err
		}
		if !current {
			return verdict{status: "need_rebase"}, nil
		}
	}
	return verdict{}, nil
}

// pipelineVerdict: with "Pipelines must succeed", a merge request without any pipeline is not mergeable either
// (app/services/merge_requests/mergeability/check_ci_status_service.rb).
func (p *project) pipelineVerdict(m *mergeRequest) string {
	if !p.Settings.PipelineMustSucceed {
		return "mergeable"
	}
	head := p.headPipeline(m)
	if head == nil {
		return "ci_must_pass"
	}
	switch state := head.state(); {
	case state == "success" || state == "skipped" && p.Settings.AllowSkippedPipeline:
		return "mergeable"
	case state == "running" || state == "pending":
		return "ci_still_running"
	}
	return "ci_must_pass"
}
