package github

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/contract"
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
	if dir, err := contract.Dir(); err == nil {
		files, err := filepath.Glob(filepath.Join(dir, "github-webhooks", "octokit", event, "*.json"))
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			body, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(body))
		}
	}
	f.Fuzz(func(t *testing.T, body string) {
		parsed, err := ParseWebhook(hookHeader(event), []byte(body))
		_ = ProjectOf([]byte(body))
		if err != nil {
			if parsed != (promote.Event{}) {
				t.Errorf("an event beside the error %v: %+v", err, parsed)
			}
			return
		}
		comment := parsed.Comment
		switch {
		case parsed.Delivery == "" || parsed.Change < 0 || comment.Change != 0 && comment.Change != parsed.Change:
			t.Errorf("got %+v", parsed)
		case parsed.Kind == promote.EventPush && parsed.Branch == "":
			t.Error("a push without branch")
		case parsed.Kind == promote.EventQueue && (parsed.Branch == "" || parsed.Head == ""):
			t.Error("a queue that does not say what it tests")
		case parsed.Kind == promote.EventArtifact && parsed.Image == "":
			t.Error("an artifact without name")
		case parsed.Kind == promote.EventComment && (comment.ID <= 0 || comment.Change <= 0 || comment.AuthorID <= 0):
			t.Errorf("a comment that nobody can answer: %+v", comment)
		}
	})
}
