package gitlab

import (
	"context"
	"time"
)

// settingsLast is how long settings are good enough to merge by. Somebody may switch merge trains on.
const settingsLast = 10 * time.Minute

// Settings are the project's settings that decide whether a gate of ours holds.
type Settings struct {
	Renamed              string // what the project is called now, where that is not what is configured
	Archived             bool
	PipelinesMustSucceed bool // a status that is not green blocks merging
	SkippedIsSuccess     bool // a skipped pipeline counts as success
	MergedResults        bool // pipelines run on the result of the merge instead of the head
	MergeTrains          bool // changes are merged by a train, which tests them one after the other
	SquashByDefault      bool // new changes are to be squashed
}

// Warnings says what makes the gates weaker than they look, each with its remedy. None: they hold.
func (s Settings) Warnings() []string {
	var out []string
	if s.Renamed != "" {
		out = append(out, movedRemedy(s.Renamed))
	}
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
		Path             string `json:"path_with_namespace"`
		Archived         bool   `json:"archived"`
		PipelineSucceeds bool   `json:"only_allow_merge_if_pipeline_succeeds"`
		SkippedPipeline  bool   `json:"allow_merge_on_skipped_pipeline"`
		MergePipelines   bool   `json:"merge_pipelines_enabled"`
		MergeTrains      bool   `json:"merge_trains_enabled"`
		SquashOption     string `json:"squash_option"`
	}
	if _, err := f.get(ctx, request{name: "read project", path: f.base}, &project); err != nil {
		return Settings{}, err
	}
	settings := Settings{
		Renamed:              f.renamed(project.Path),
		Archived:             project.Archived,
		PipelinesMustSucceed: project.PipelineSucceeds,
		SkippedIsSuccess:     project.SkippedPipeline,
		MergedResults:        project.MergePipelines,
		MergeTrains:          project.MergePipelines && project.MergeTrains, // GitLab keeps the second when the first is switched off
		SquashByDefault:      project.SquashOption == "default_on" || project.SquashOption == "always",
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settings, f.settingsAt = settings, f.now()
	return settings, nil
}

// known are the settings as last read, read now if they never were.
func (f *Forge) known(ctx context.Context) (Settings, error) {
	f.mu.Lock()
	settings, known := f.settings, !f.settingsAt.IsZero()
	f.mu.Unlock()
	if known {
		return settings, nil
	}
	return f.Settings(ctx)
}

// recent are the settings as read not long ago.
func (f *Forge) recent(ctx context.Context) (Settings, error) {
	f.mu.Lock()
	settings, at := f.settings, f.settingsAt
	f.mu.Unlock()
	if !at.IsZero() && f.now().Sub(at) < settingsLast {
		return settings, nil
	}
	return f.Settings(ctx)
}
