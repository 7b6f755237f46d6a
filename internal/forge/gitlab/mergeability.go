package gitlab

import "github.com/lockkeeper/lockkeeper/promote"

// The words that something is done about.
const (
	wordPipelineRuns = "ci_still_running"
	wordRebase       = "need_rebase"
	wordChecks       = "status_checks_must_pass"
)

// mergeStates are the words of detailed_merge_status (https://docs.gitlab.com/api/merge_requests/#merge-status). GitLab names
// only the first thing that stands in the way.
var mergeStates = map[string]promote.MergeState{
	"mergeable": promote.MergeReady,

	"unchecked":         promote.MergeChecking,
	"checking":          promote.MergeChecking,
	"preparing":         promote.MergeChecking,
	"approvals_syncing": promote.MergeChecking,
	// Everything else is met: GitLab says it last. It can be set to merge by itself then, see Merge.
	wordPipelineRuns: promote.MergeChecking,

	wordRebase: promote.MergeBehind,

	"ci_must_pass":                   promote.MergeBlocked,
	"commits_status":                 promote.MergeBlocked,
	"conflict":                       promote.MergeBlocked,
	"discussions_not_resolved":       promote.MergeBlocked,
	"draft_status":                   promote.MergeBlocked,
	"jira_association_missing":       promote.MergeBlocked,
	"locked_lfs_files":               promote.MergeBlocked,
	"locked_paths":                   promote.MergeBlocked,
	"merge_request_blocked":          promote.MergeBlocked,
	"merge_time":                     promote.MergeBlocked,
	"not_approved":                   promote.MergeBlocked,
	"not_open":                       promote.MergeBlocked,
	"requested_changes":              promote.MergeBlocked,
	"security_policy_pipeline_check": promote.MergeBlocked,
	"security_policy_violations":     promote.MergeBlocked,
	wordChecks:                       promote.MergeBlocked,
	"title_regex":                    promote.MergeBlocked,
}

// mergeability reads a word of detailed_merge_status. A word that is new to us, or none, is promote.MergeUnknown.
func mergeability(word string) promote.Mergeability {
	state := mergeStates[word]
	if state == promote.MergeReady {
		return promote.Mergeability{Merge: state}
	}
	return promote.Mergeability{Merge: state, Reason: word}
}

// soon says that waiting some seconds may be enough: what GitLab computes after a push or a status has not caught up.
func soon(m promote.Mergeability) bool {
	return m.Merge == promote.MergeReady || m.Merge == promote.MergeChecking
}

// queued is the mergeability of a change that GitLab merges by itself, whatever it says of merging it now.
func queued(now promote.Mergeability, train bool) promote.Mergeability {
	reason := "auto-merge"
	if train {
		reason = "merge train"
	}
	if now.Merge != promote.MergeReady && now.Reason != "" {
		reason += ", which waits: " + now.Reason
	}
	return promote.Mergeability{Merge: promote.MergeQueued, Reason: reason}
}
