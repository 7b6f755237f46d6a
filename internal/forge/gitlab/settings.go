package gitlab

import (
	"context"

	"github.com/lockkeeper/lockkeeper/promote"
)

// Settings are the project's settings that decide whether a gate of ours holds.
type Settings struct {
	ID                        int
	Path                      string // "group/project", also when configured by number
	DefaultBranch             promote.Branch
	CloneURL                  string // over HTTP
	WebURL                    string
	Archived                  bool
	PipelinesMustSucceed      bool // a status that is not green blocks merging
	SkippedIsSuccess          bool // a skipped pipeline counts as success
	DiscussionsMustBeResolved bool
	MergedResults             bool   // pipelines run on the result of the merge instead of the head
	MergeMethod               string // "merge", "rebase_merge" or "ff"
}

// Warnings says what makes the gates weaker than they look, each with its remedy. None: they hold.
func (s Settings) Warnings() []string {
	var out []string
	if s.Archived {
		out = append(out, "the project is archived: nothing can be proposed or merged; unarchive it")
	}
	if !s.PipelinesMustSucceed {
		out = append(out, `a red status blocks nothing, anyone may merge past the gates: switch on "Pipelines must succeed" under Settings > Merge requests`)
	}
	if s.SkippedIsSuccess {
		out = append(out, `a skipped pipeline passes the gates: switch off "Skipped pipelines are considered successful" under Settings > Merge requests`)
	}
	return out
}

// Settings reads the project's settings, for a check at start. PostStatus goes by what was read last.
func (f *Forge) Settings(ctx context.Context) (Settings, error) {
	var project struct {
		ID               int    `json:"id"`
		Path             string `json:"path_with_namespace"`
		DefaultBranch    string `json:"default_branch"`
		HTTPURL          string `json:"http_url_to_repo"`
		WebURL           string `json:"web_url"`
		Archived         bool   `json:"archived"`
		PipelineSucceeds bool   `json:"only_allow_merge_if_pipeline_succeeds"`
		SkippedPipeline  bool   `json:"allow_merge_on_skipped_pipeline"`
		Discussions      bool   `json:"only_allow_merge_if_all_discussions_are_resolved"`
		MergePipelines   bool   `json:"merge_pipelines_enabled"`
		MergeMethod      string `json:"merge_method"`
	}
	if _, err := f.get(ctx, request{name: "read project", path: f.base}, &project); err != nil {
		return Settings{}, err
	}
	settings := Settings{
		ID:                        project.ID,
		Path:                      project.Path,
		DefaultBranch:             promote.Branch(project.DefaultBranch),
		CloneURL:                  project.HTTPURL,
		WebURL:                    project.WebURL,
		Archived:                  project.Archived,
		PipelinesMustSucceed:      project.PipelineSucceeds,
		SkippedIsSuccess:          project.SkippedPipeline,
		DiscussionsMustBeResolved: project.Discussions,
		MergedResults:             project.MergePipelines,
		MergeMethod:               project.MergeMethod,
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settings, f.settingsKnown = settings, true
	return settings, nil
}

// known are the settings as last read, read now if they never were.
func (f *Forge) known(ctx context.Context) (Settings, error) {
	f.mu.Lock()
	settings, known := f.settings, f.settingsKnown
	f.mu.Unlock()
	if known {
		return settings, nil
	}
	return f.Settings(ctx)
}
