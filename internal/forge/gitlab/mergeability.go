package gitlab

import "github.com/lockkeeper/lockkeeper/promote"

// mergeStates are the words of detailed_merge_status (https://docs.gitlab.com/api/merge_requests/#merge-status). GitLab names
// only the first thing that stands in the way.
var mergeStates = map[string]promote.MergeState{
	"mergeable": promote.MergeReady,

	"unchecked":         promote.MergeChecking,
	"checking":          promote.MergeChecking,
	"preparing":         promote.MergeChecking,
	"approvals_syncing": promote.MergeChecking,

	"ci_must_pass":                   promote.MergeBlocked,
	"ci_still_running":               promote.MergeBlocked,
	"commits_status":                 promote.MergeBlocked,
	"conflict":                       promote.MergeBlocked,
	"discussions_not_resolved":       promote.MergeBlocked,
	"draft_status":                   promote.MergeBlocked,
	"jira_association_missing":       promote.MergeBlocked,
	"locked_lfs_files":               promote.MergeBlocked,
	"locked_paths":                   promote.MergeBlocked,
	"merge_request_blocked":          promote.MergeBlocked,
	"merge_time":                     promote.MergeBlocked,
	"need_rebase":                    promote.MergeBlocked,
	"not_approved":                   promote.MergeBlocked,
	"not_open":                       promote.MergeBlocked,
	"requested_changes":              promote.MergeBlocked,
	"security_policy_pipeline_check": promote.MergeBlocked,
	"security_policy_violations":     promote.MergeBlocked,
	"status_checks_must_pass":        promote.MergeBlocked,
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
	return m.Merge == promote.MergeReady || m.Merge == promote.MergeChecking || m.Reason == "ci_still_running"
}
