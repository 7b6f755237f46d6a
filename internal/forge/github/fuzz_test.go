package github

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/forge/adaptertest"
	"github.com/lockkeeper/lockkeeper/promote"
)

func FuzzPush(f *testing.F)        { fuzzWebhook(f, "push", pushBody) }
func FuzzPullRequest(f *testing.F) { fuzzWebhook(f, "pull_request", `{"pull_request":{"number":7}}`) }

func FuzzReview(f *testing.F) {
	fuzzWebhook(f, "pull_request_review", `{"pull_request":{"number":-7}}`)
}

func FuzzReviewWithACommand(f *testing.F) { fuzzWebhook(f, "pull_request_review", reviewBody) }

func FuzzReviewComment(f *testing.F) { fuzzWebhook(f, "pull_request_review_comment", remarkBody) }

func FuzzReviewThread(f *testing.F) {
	fuzzWebhook(f, "pull_request_review_thread", `{"pull_request":7}`)
}
func FuzzIssueComment(f *testing.F) { fuzzWebhook(f, "issue_comment", commentBody) }
func FuzzCheckRun(f *testing.F)     { fuzzWebhook(f, "check_run", buttonBody) }
func FuzzCheckSuite(f *testing.F) {
	fuzzWebhook(f, "check_suite", `{"action":"completed","check_suite":{"app":{"id":9}}}`)
}
func FuzzStatus(f *testing.F)     { fuzzWebhook(f, "status", `{"sha":null,"branches":[]}`) }
func FuzzMergeGroup(f *testing.F) { fuzzWebhook(f, "merge_group", groupBody) }
func FuzzPackage(f *testing.F)    { fuzzWebhook(f, "package", imageBody) }
func FuzzRegistry(f *testing.F)   { fuzzWebhook(f, "registry_package", imageBody) }
func FuzzUnheeded(f *testing.F) {
	fuzzWebhook(f, "installation", `{"action":"created","installation":{"id":2}}`)
}

// fuzzWebhook begins with what a real GitHub sent, where that is at hand.
func fuzzWebhook(f *testing.F, event, seed string) {
	f.Add(seed)
	f.Add(`[]`)
	recordings.Seed(f, func(name string, _ []byte) bool { return eventOf(name) == event })
	f.Fuzz(func(t *testing.T, body string) {
		parsed, err := ParseWebhook(hookHeader(event), []byte(body))
		_ = ProjectOf([]byte(body))
		adaptertest.Sound(t, parsed, err)
		if parsed.Kind == promote.EventQueue && parsed.Branch == "" {
			t.Error("a queue that does not say where it leads")
		}
	})
}
