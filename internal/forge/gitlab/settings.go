package gitlab

import "context"

// Settings are the project's settings that decide whether a gate of ours holds.
type Settings struct {
	Archived             bool
	PipelinesMustSucceed bool // a status that is not green blocks merging
	SkippedIsSuccess     bool // a skipped pipeline counts as success
	MergedResults        bool // pipelines run on the result of the merge instead of the head
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
		Archived         bool `json:"archived"`
		PipelineSucceeds bool `json:"only_allow_merge_if_pipeline_succeeds"`
		SkippedPipeline  bool `json:"allow_merge_on_skipped_pipeline"`
		MergePipelines   bool `json:"merge_pipelines_enabled"`
	}
	if _, err := f.get(ctx, request{name: "read project", path: f.base}, &project); err != nil {
		return Settings{}, err
	}
	settings := Settings{
		Archived:             project.Archived,
		PipelinesMustSucceed: project.PipelineSucceeds,
		SkippedIsSuccess:     project.SkippedPipeline,
		MergedResults:        project.MergePipelines,
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
