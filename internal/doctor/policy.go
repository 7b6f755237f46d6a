package doctor

import (
	"fmt"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

// Policy is what the default branch asks for that the settings of its forge may defeat.
type Policy struct {
	Approvals bool // a step counts approvals
	Unseen    bool // changes of people are not looked at: forge.review is off
}

// GitLabApprovals is what a project does with approvals when commits are added.
type GitLabApprovals struct {
	URL   string // of the project's page
	Reset bool   // it takes them away
	Err   error
}

// Findings says where people see approvals that count no more. Those that count are bound to their commit whatever the setting.
func (a GitLabApprovals) Findings() []Finding {
	const setting = `"Remove all approvals when commits are added"`
	page := a.URL + "/-/settings/merge_requests"
	switch {
	case a.Err != nil:
		return []Finding{unreadable("approvals", a.Err, "compare it yourself on "+page+"; where the edition has no such setting (Premium), GitLab goes on showing approvals of older commits, which do not count")}
	case !a.Reset:
		return []Finding{{
			Warning, "approvals", setting + " is off, and a step counts approvals: GitLab goes on showing those of older commits, which do not count",
			"switch it on under " + page,
			Fix{Kind: FixApprovals},
		}}
	}
	return []Finding{{Verdict: OK, Check: "approvals", Text: setting + " is on"}}
}

// GitLabUnseen is a project whose changes by people get no status of ours.
type GitLabUnseen struct {
	URL                  string // of the project's page
	PipelinesMustSucceed bool
}

// Findings says which changes of people cannot be merged: GitLab wants a pipeline, and our status is one.
func (u GitLabUnseen) Findings() []Finding {
	if !u.PipelinesMustSucceed {
		return nil
	}
	return []Finding{{
		Verdict: Warning, Check: "review",
		Text:   `forge.review is off while "Pipelines must succeed" is on: changes of people that have no pipeline of their own cannot be merged`,
		Remedy: "write forge: {review: status} in lockkeeper.yaml, or let a pipeline run for every change; switching it off under " + u.URL + "/-/settings/merge_requests would let anyone merge past the gates",
	}}
}

// GitHubUnseen is a repository whose changes by people get no status of ours.
type GitHubUnseen struct {
	URL      string // of the repository's page
	Branch   promote.Branch
	Required bool // the branch requires our status
}

// Findings says that no change of a person can be merged.
func (u GitHubUnseen) Findings() []Finding {
	if !u.Required {
		return nil
	}
	return []Finding{{
		Verdict: Failure, Check: "review",
		Text:   fmt.Sprintf("forge.review is off while %s requires the status %s: no change of a person can be merged", u.Branch, promote.StatusName),
		Remedy: "write forge: {review: status} in lockkeeper.yaml; taking the status out of the rules on " + u.URL + "/settings/rules would let anyone merge past the gates",
	}}
}

// Renamed is the finding of a repository that has another name by now. ok is false when it has not, or its name is not known.
func Renamed(configured, name string) (f Finding, ok bool) {
	if name == "" || strings.EqualFold(configured, name) {
		return Finding{}, false
	}
	return Finding{
		Verdict: Failure, Check: "name", Text: fmt.Sprintf("%q was renamed: it is %q now, and its webhooks say so, which nobody here is configured for", configured, name),
		Remedy: fmt.Sprintf("write project: %s below repositories in the server's configuration, and restart the server", name),
	}, true
}
