package github

import (
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

// The reasons that are not GitHub's words for a state of merging, but for what merges by itself or stands in the way before that.
const (
	reasonQueue    = "merge queue"
	reasonAuto     = "auto-merge"
	reasonNotOpen  = "not_open"
	reasonDraft    = "draft"
	reasonConflict = "dirty"
	reasonChecks   = "checks_pending"
	reasonFailed   = "checks_failed"
	wordBlocked    = "blocked"
	wordBehind     = "behind"
)

// mergeStates are the words of mergeStateStatus (https://docs.github.com/en/graphql/reference/enums#mergestatestatus), which REST
// writes in lower case and calls mergeable_state. "unstable" is mergeable: what fails is not required. "blocked" says too little, see
// there.
var mergeStates = map[string]promote.MergeState{
	"clean":     promote.MergeReady,
	"has_hooks": promote.MergeReady,
	"unstable":  promote.MergeReady,

	"unknown": promote.MergeChecking,

	wordBehind: promote.MergeBehind,

	"dirty": promote.MergeBlocked,
	"draft": promote.MergeBlocked,
}

// reviewReasons are the words of reviewDecision that say more than "blocked".
var reviewReasons = map[string]string{
	"REVIEW_REQUIRED":   "review_required",
	"CHANGES_REQUESTED": "changes_requested",
}

// A mergeFacts is all that GitHub says about merging a change.
type mergeFacts struct {
	open      bool
	draft     bool
	state     string // mergeStateStatus or mergeable_state, in any case
	mergeable string // of GraphQL; REST knows null, true and false
	review    string // reviewDecision
	checks    string // the state of all statuses and checks of the head together; empty when there are none or it is not known
	queue     bool   // the target has a merge queue
	queued    bool   // it is in the merge queue
	auto      bool   // it merges when what is required has passed
}

// mergeability judges what GitHub says. A word that is new to us, or none, is promote.MergeUnknown. What is set to merge by itself
// and cannot, because it is a draft or has conflicts, is blocked: it needs somebody.
func mergeability(facts mergeFacts) promote.Mergeability {
	word := strings.ToLower(facts.state)
	state := mergeStates[word]
	switch {
	case !facts.open:
		return promote.Mergeability{Merge: promote.MergeBlocked, Reason: reasonNotOpen}
	case facts.queued:
		return promote.Mergeability{Merge: promote.MergeQueued, Reason: reasonQueue}
	case facts.draft:
		return promote.Mergeability{Merge: promote.MergeBlocked, Reason: reasonDraft}
	case facts.mergeable == "CONFLICTING" || word == reasonConflict:
		return promote.Mergeability{Merge: promote.MergeBlocked, Reason: reasonConflict}
	case facts.auto:
		return promote.Mergeability{Merge: promote.MergeQueued, Reason: reasonAuto}
	case state == promote.MergeReady, word == wordBehind && facts.queue: // A queue merges on top by itself.
		return promote.Mergeability{Merge: promote.MergeReady}
	case word == wordBlocked:
		return blocked(facts)
	}
	return promote.Mergeability{Merge: state, Reason: word}
}

// blocked takes "blocked" apart. Checks that have not ended are no reason not to try: it can be set to merge by itself then, or our
// own status was one of them and has passed since, see Merge.
func blocked(facts mergeFacts) promote.Mergeability {
	if review, ok := reviewReasons[facts.review]; ok {
		return promote.Mergeability{Merge: promote.MergeBlocked, Reason: review}
	}
	switch facts.checks {
	case "", "PENDING", "EXPECTED":
		return promote.Mergeability{Merge: promote.MergeChecking, Reason: reasonChecks}
	case "FAILURE", "ERROR":
		return promote.Mergeability{Merge: promote.MergeBlocked, Reason: reasonFailed}
	}
	return promote.Mergeability{Merge: promote.MergeBlocked, Reason: wordBlocked}
}
