package github

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

// Settings are what of a repository and of one of its branches decides whether a gate of ours holds.
type Settings struct {
	Renamed       string         // what the repository is called now, where that is not what is configured
	Branch        promote.Branch // that they speak of
	DefaultBranch promote.Branch
	Archived      bool
	Private       bool
	Methods       []string // of "merge", "squash" and "rebase", those that are allowed, as far as the credentials may know
	AutoMerge     bool     // changes can be set to merge when their checks pass
	Required      []RequiredStatus
	UpToDate      bool // a change must contain the tip of the branch to be merged
	MergeQueue    bool
	Reviews       int   // how many approvals a change needs
	App           int64 // the App that posts our check runs; 0 when it is no App that does
}

// A RequiredStatus is a status or check that must pass before a merge.
type RequiredStatus struct {
	Name string
	App  int64 // only that of this App counts; 0: anybody's does
}

// Warnings says what makes the gates weaker than they look, each with its remedy. None: they hold.
func (s Settings) Warnings() []string {
	var out []string
	if s.Renamed != "" {
		out = append(out, movedRemedy(s.Renamed))
	}
	if s.Archived {
		out = append(out, "the repository is archived: nothing can be proposed or merged; unarchive it")
	}
	if len(s.Methods) == 0 && !s.MergeQueue {
		out = append(out, "no way of merging is allowed, or the credentials may not see it: allow one under Settings > General > Pull Requests")
	}
	required := s.requiredAs(promote.StatusName)
	switch {
	case len(required) == 0:
		out = append(out, fmt.Sprintf("a red status blocks nothing, anyone may merge past the gates: require the status %q for branch %q under Settings > Rules",
			promote.StatusName, s.Branch))
	case s.App != 0 && !slices.Contains(required, s.App):
		out = append(out, fmt.Sprintf("anyone who may write to the repository can post %q: choose App %d as its source under Settings > Rules",
			promote.StatusName, s.App))
	}
	return out
}

// requiredAs lists the Apps whose status of a name is required, 0 for anybody's.
func (s Settings) requiredAs(name string) []int64 {
	var apps []int64
	for _, one := range s.Required {
		if strings.EqualFold(one.Name, name) {
			apps = append(apps, one.App)
		}
	}
	return apps
}

// Settings reads the settings of the repository and of its default branch, for a check at start.
func (f *Forge) Settings(ctx context.Context) (Settings, error) {
	return f.SettingsOf(ctx, "")
}

// SettingsOf is Settings for another branch; empty is the default one. Rules of repositories and organizations count together with
// the older branch protection, of which everybody may see the required statuses.
func (f *Forge) SettingsOf(ctx context.Context, branch promote.Branch) (Settings, error) {
	var repository struct {
		FullName      string         `json:"full_name"`
		DefaultBranch promote.Branch `json:"default_branch"`
		Archived      bool           `json:"archived"`
		Private       bool           `json:"private"`
		Merge         bool           `json:"allow_merge_commit"`
		Squash        bool           `json:"allow_squash_merge"`
		Rebase        bool           `json:"allow_rebase_merge"`
		AutoMerge     bool           `json:"allow_auto_merge"`
	}
	if _, err := f.get(ctx, request{name: "read repository", path: f.base}, &repository); err != nil {
		return Settings{}, err
	}
	settings := Settings{
		Renamed: f.renamed(repository.FullName), Branch: branch, DefaultBranch: repository.DefaultBranch, Archived: repository.Archived, Private: repository.Private, AutoMerge: repository.AutoMerge,
	}
	if f.app != nil && f.checks {
		settings.App = f.app.id
	}
	if branch == "" {
		settings.Branch = repository.DefaultBranch
	}
	for _, method := range []struct {
		name    string
		allowed bool
	}{{"merge", repository.Merge}, {"squash", repository.Squash}, {"rebase", repository.Rebase}} {
		if method.allowed {
			settings.Methods = append(settings.Methods, method.name)
		}
	}
	if err := f.readRules(ctx, &settings); err != nil {
		return Settings{}, err
	}
	return settings, f.readProtection(ctx, &settings)
}

// readRules adds what rulesets say about the branch.
func (f *Forge) readRules(ctx context.Context, settings *Settings) error {
	rules, err := list[branchRule](ctx, f.caller, request{
		name: "read rules", subject: fmt.Sprintf("of branch %q", settings.Branch), path: f.base + "/rules/branches/" + escapeBranch(settings.Branch),
	})
	for _, rule := range rules {
		switch given := rule.Parameters; rule.Type {
		case "required_status_checks":
			settings.UpToDate = settings.UpToDate || given.Strict
			for _, one := range given.RequiredStatusChecks {
				settings.Required = append(settings.Required, RequiredStatus{Name: one.Context, App: one.IntegrationID})
			}
		case "merge_queue":
			settings.MergeQueue = true
		case "pull_request":
			settings.Reviews = max(settings.Reviews, given.Reviews)
			if given.Methods != nil {
				settings.Methods = slices.DeleteFunc(settings.Methods, func(name string) bool { return !slices.Contains(given.Methods, name) })
			}
		case "required_linear_history":
			settings.Methods = slices.DeleteFunc(settings.Methods, func(name string) bool { return name == "merge" })
		}
	}
	return err
}

type branchRule struct {
	Type       string `json:"type"`
	Parameters struct {
		RequiredStatusChecks []struct {
			Context       string `json:"context"`
			IntegrationID int64  `json:"integration_id"`
		} `json:"required_status_checks"`
		Strict  bool     `json:"strict_required_status_checks_policy"`
		Reviews int      `json:"required_approving_review_count"`
		Methods []string `json:"allowed_merge_methods"`
	} `json:"parameters"`
}

// readProtection adds what branch protection requires. A branch that does not exist yet has none.
func (f *Forge) readProtection(ctx context.Context, settings *Settings) error {
	var branch struct {
		Protection struct {
			RequiredStatusChecks struct {
				EnforcementLevel string   `json:"enforcement_level"`
				Contexts         []string `json:"contexts"`
				Checks           []struct {
					Context string `json:"context"`
					AppID   int64  `json:"app_id"`
				} `json:"checks"`
			} `json:"required_status_checks"`
		} `json:"protection"`
	}
	_, err := f.get(ctx, request{
		name: "read branch", subject: fmt.Sprintf("%q", settings.Branch), path: f.base + "/branches/" + escapeBranch(settings.Branch),
	}, &branch)
	if notThere(err) {
		return nil
	}
	required := branch.Protection.RequiredStatusChecks
	if err != nil || required.EnforcementLevel == "off" {
		return err
	}
	for _, one := range required.Checks {
		settings.Required = append(settings.Required, RequiredStatus{Name: one.Context, App: max(0, one.AppID)})
	}
	for _, name := range required.Contexts {
		if len(settings.requiredAs(name)) == 0 {
			settings.Required = append(settings.Required, RequiredStatus{Name: name})
		}
	}
	return nil
}

// escapeBranch escapes a branch for a path, where GitHub takes its slashes as they are.
func escapeBranch(branch promote.Branch) string {
	return strings.ReplaceAll(url.PathEscape(string(branch)), "%2F", "/")
}
