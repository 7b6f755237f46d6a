package github

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/promote"
)

func TestMergeability(t *testing.T) {
	ready := promote.Mergeability{Merge: promote.MergeReady}
	is := func(state promote.MergeState, reason string) promote.Mergeability {
		return promote.Mergeability{Merge: state, Reason: reason}
	}
	blocked := func(reason string) promote.Mergeability { return is(promote.MergeBlocked, reason) }
	for _, test := range []struct {
		name  string
		facts mergeFacts
		want  promote.Mergeability
	}{
		{"clean", mergeFacts{open: true, state: "CLEAN"}, ready},
		{"clean, over REST", mergeFacts{open: true, state: "clean"}, ready},
		{"hooks that run before a merge", mergeFacts{open: true, state: "HAS_HOOKS"}, ready},
		{"a check fails that is not required", mergeFacts{open: true, state: "UNSTABLE", checks: "FAILURE"}, ready},
		{"still computing", mergeFacts{open: true, state: "UNKNOWN", mergeable: "UNKNOWN"}, is(promote.MergeChecking, "unknown")},
		{"not said", mergeFacts{open: true}, is(promote.MergeUnknown, "")},
		{"a word that is new", mergeFacts{open: true, state: "VOTING"}, is(promote.MergeUnknown, "voting")},
		{"a review is missing", mergeFacts{open: true, state: "BLOCKED", review: "REVIEW_REQUIRED", checks: "PENDING"}, blocked("review_required")},
		{"a review wants changes", mergeFacts{open: true, state: "BLOCKED", review: "CHANGES_REQUESTED"}, blocked("changes_requested")},
		{"checks run, approved", mergeFacts{open: true, state: "BLOCKED", review: "APPROVED", checks: "PENDING"}, is(promote.MergeChecking, "checks_pending")},
		{"checks are expected", mergeFacts{open: true, state: "BLOCKED", checks: "EXPECTED"}, is(promote.MergeChecking, "checks_pending")},
		{"nothing was reported yet", mergeFacts{open: true, state: "blocked"}, is(promote.MergeChecking, "checks_pending")},
		{"checks failed", mergeFacts{open: true, state: "BLOCKED", checks: "FAILURE"}, blocked("checks_failed")},
		{"checks broke", mergeFacts{open: true, state: "BLOCKED", checks: "ERROR"}, blocked("checks_failed")},
		{"something else, such as a thread that is not resolved", mergeFacts{open: true, state: "BLOCKED", checks: "SUCCESS"}, blocked("blocked")},
		{"behind", mergeFacts{open: true, state: "BEHIND"}, is(promote.MergeBehind, "behind")},
		{"behind, where a queue merges on top", mergeFacts{open: true, state: "BEHIND", queue: true}, ready},
		{"conflicts", mergeFacts{open: true, state: "DIRTY", mergeable: "CONFLICTING"}, blocked("dirty")},
		{"conflicts that only one field knows", mergeFacts{open: true, state: "UNKNOWN", mergeable: "CONFLICTING"}, blocked("dirty")},
		{"a draft", mergeFacts{open: true, state: "BLOCKED", draft: true}, blocked("draft")},
		{"a draft, by the old word", mergeFacts{open: true, state: "DRAFT"}, blocked("draft")},
		{"in the queue, whatever else", mergeFacts{open: true, state: "BLOCKED", queued: true}, is(promote.MergeQueued, "merge queue")},
		{"set to merge by itself", mergeFacts{open: true, state: "BLOCKED", review: "REVIEW_REQUIRED", auto: true}, is(promote.MergeQueued, "auto-merge")},
		{"set to merge by itself, with conflicts", mergeFacts{open: true, state: "DIRTY", auto: true}, blocked("dirty")},
		{"set to merge by itself, a draft", mergeFacts{open: true, state: "BLOCKED", auto: true, draft: true}, blocked("draft")},
		{"not open", mergeFacts{state: "CLEAN", auto: true, queued: true}, blocked("not_open")},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := mergeability(test.facts); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
