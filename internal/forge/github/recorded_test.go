package github

import (
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/forge/adaptertest"
	"github.com/lockkeeper/lockkeeper/promote"
)

// recordings are deliveries that a real GitHub made.
var recordings = adaptertest.Recordings{Folder: "github-webhooks", Pattern: "*/*/*.json"}

// eventOf is the event of a recorded body: the folder's name, or what the file's name says.
func eventOf(name string) string {
	if folder, _, _ := strings.Cut(strings.TrimPrefix(name, "octokit/"), "/"); folder != "other" {
		return folder
	}
	for part, event := range map[string]string{"pull-request": "pull_request", "package": "package", "ping": "ping"} {
		if strings.Contains(name, part) {
			return event
		}
	}
	return "push"
}

func TestRecordedWebhooks(t *testing.T) {
	recordings.Check(t, map[string]string{
		"octokit/check_run/completed.1.payload.json":                                    "status 2 of Codertocat/Hello-World",
		"octokit/check_run/completed.payload.json":                                      "status 2 of Codertocat/Hello-World",
		"octokit/check_run/completed.with-organization.payload.json":                    "status 2 of Codertocat/Hello-World",
		"octokit/check_run/created.payload.json":                                        "the check run goes on",
		"octokit/check_run/created.with-organization.payload.json":                      "the check run goes on",
		"octokit/check_run/requested_action.payload.json":                               "comment 26764 codebytere /lgtm|26764 of electron/electron",
		"octokit/check_run/rerequested.payload.json":                                    "status of github/hello-world",
		"octokit/check_run/rerequested.with-organization.payload.json":                  "status of github/hello-world",
		"octokit/check_suite/completed.1.payload.json":                                  "status of Codertocat/Hello-World",
		"octokit/check_suite/completed.payload.json":                                    "status 2 of Codertocat/Hello-World",
		"octokit/check_suite/completed.with-organization.payload.json":                  "status 2 of Codertocat/Hello-World",
		"octokit/check_suite/requested.payload.json":                                    "a push says the same",
		"octokit/check_suite/requested.payload.with-email-with-special-characters.json": "a push says the same",
		"octokit/check_suite/requested.with-organization.payload.json":                  "a push says the same",
		"octokit/check_suite/rerequested.payload.json":                                  "status 2 of Codertocat/Hello-World",
		"octokit/check_suite/rerequested.with-organization.payload.json":                "status 2 of Codertocat/Hello-World",
		"octokit/deployment/gh-pages.payload.json":                                      "deployments are written by us and never read",
		"octokit/deployment/payload.json":                                               "deployments are written by us and never read",
		"octokit/deployment/with-installation.payload.json":                             "deployments are written by us and never read",
		"octokit/deployment_status/gh-pages.payload.json":                               "deployments are written by us and never read",
		"octokit/deployment_status/payload.json":                                        "deployments are written by us and never read",
		"octokit/deployment_status/with-installation.payload.json":                      "deployments are written by us and never read",
		"octokit/installation/created.payload.json":                                     "it is about no repository's content",
		"octokit/installation/created.with-requester.payload.json":                      "it is about no repository's content",
		"octokit/installation/deleted.payload.json":                                     "it is about no repository's content",
		"octokit/installation/new_permissions_accepted.payload.json":                    "it is about no repository's content",
		"octokit/installation/suspend.payload.json":                                     "it is about no repository's content",
		"octokit/installation/unsuspend.payload.json":                                   "it is about no repository's content",
		"octokit/installation_repositories/added.payload.json":                          "it is about no repository's content",
		"octokit/installation_repositories/removed.payload.json":                        "it is about no repository's content",
		"octokit/issue_comment/created.1.payload.json":                                  "not on a pull request",
		"octokit/issue_comment/created.payload.json":                                    "not on a pull request",
		"octokit/issue_comment/created.with-installation.payload.json":                  "not on a pull request",
		"octokit/issue_comment/created.with-organization.payload.json":                  "not on a pull request",
		"octokit/issue_comment/deleted.payload.json":                                    "not a new comment",
		"octokit/issue_comment/deleted.with-organization.payload.json":                  "not a new comment",
		"octokit/issue_comment/edited.payload.json":                                     "not a new comment",
		"octokit/issue_comment/edited.with-organization.payload.json":                   "not a new comment",
		"octokit/merge_group/checks_requested.payload.json":                             "queue 104 main 2ffea6db159f6b6c47a24e778fb9ef40cf6b1c7d of octo-org/octo-repo",
		"octokit/package/published.docker.payload.json":                                 "artifact ghcr.io/codertocat/hello-world of Codertocat/hello-world-npm",
		"octokit/package/published.npm.payload.json":                                    "artifact ghcr.io/codertocat/hello-world-npm of Codertocat/hello-world-npm",
		"octokit/ping/payload.json":                                                     "it only says that the webhook works",
		"octokit/ping/with-app_id.payload.json":                                         "it only says that the webhook works",
		"octokit/ping/with-organization.payload.json":                                   "it only says that the webhook works",
		"octokit/pull_request/assigned.payload.json":                                    "change 2 of Codertocat/Hello-World",
		"octokit/pull_request/assigned.with-organization.payload.json":                  "change 2 of Codertocat/Hello-World",
		"octokit/pull_request/closed.payload.json":                                      "change 2 of Codertocat/Hello-World",
		"octokit/pull_request/closed.with-organization.payload.json":                    "change 2 of Codertocat/Hello-World",
		"octokit/pull_request/converted_to_draft.payload.json":                          "change 2 of Codertocat/Hello-World",
		"octokit/pull_request/converted_to_draft.with-installation.payload.json":        "change 2 of Codertocat/Hello-World",
		"octokit/pull_request/converted_to_draft.with-organization.payload.json":        "change 2 of Codertocat/Hello-World",
		"octokit/pull_request/labeled.payload.json":                                     "change 2 of Codertocat/Hello-World",
		"octokit/pull_request/labeled.with-organization.payload.json":                   "change 2 of Codertocat/Hello-World",
		"octokit/pull_request/locked.payload.json":                                      "change 2 of Codertocat/Hello-World",
		"octokit/pull_request/locked.with-organization.payload.json":                    "change 2 of Codertocat/Hello-World",
		"octokit/pull_request/opened.payload.json":                                      "change 2 of Codertocat/Hello-World",
		"octokit/pull_request/opened.with-null-body.json":                               "change 2 of Codertocat/Hello-World",
		"octokit/pull_request/opened.with-organization.payload.json":                    "change 2 of Codertocat/Hello-World",
		"octokit/pull_request/ready_for_review.payload.json":                            "change 2 of Codertocat/Hello-World",
		"octokit/pull_request/ready_for_review.with-installation.payload.json":          "change 2 of Codertocat/Hello-World",
		"octokit/pull_request/ready_for_review.with-organization.payload.json":          "change 2 of Codertocat/Hello-World",
		"octokit/pull_request/reopened.payload.json":                                    "change 2 of Codertocat/Hello-World",
		"octokit/pull_request/reopened.with-organization.payload.json":                  "change 2 of Codertocat/Hello-World",
		"octokit/pull_request/review_request_removed.payload.json":                      "change 2 of Codertocat/Hello-World",
		"octokit/pull_request/review_requested.payload.json":                            "change 2 of Codertocat/Hello-World",
		"octokit/pull_request/synchronize.payload.json":                                 "change 2 of Codertocat/Hello-World",
		"octokit/pull_request/unassigned.payload.json":                                  "change 2 of Codertocat/Hello-World",
		"octokit/pull_request/unassigned.with-organization.payload.json":                "change 2 of Codertocat/Hello-World",
		"octokit/pull_request/unlabeled.payload.json":                                   "change 2 of Codertocat/Hello-World",
		"octokit/pull_request/unlabeled.with-organization.payload.json":                 "change 2 of Codertocat/Hello-World",
		"octokit/pull_request/unlocked.payload.json":                                    "change 2 of Codertocat/Hello-World",
		"octokit/pull_request/unlocked.with-organization.payload.json":                  "change 2 of Codertocat/Hello-World",
		"octokit/pull_request_review/dismissed.payload.json":                            "change 2 of Codertocat/Hello-World",
		"octokit/pull_request_review/submitted.payload.json":                            "change 2 of Codertocat/Hello-World",
		"octokit/pull_request_review/submitted.with-organization.payload.json":          "change 2 of Codertocat/Hello-World",
		"octokit/pull_request_review_comment/created.payload.json":                      "comment 2 Codertocat Maybe you should use more emoji on this line. of Codertocat/Hello-World",
		"octokit/pull_request_review_comment/created.with-organization.payload.json":    "comment 2 Codertocat Maybe you should use more emoji on this line. of Codertocat/Hello-World",
		"octokit/pull_request_review_comment/deleted.payload.json":                      "not a new comment",
		"octokit/pull_request_review_comment/edited.payload.json":                       "not a new comment",
		"octokit/pull_request_review_thread/resolved.payload.json":                      "change 2 of Codertocat/Hello-World",
		"octokit/pull_request_review_thread/unresolved.payload.json":                    "change 2 of Codertocat/Hello-World",
		"octokit/push/1.payload.json":                                                   "artifact https://github.com/Codertocat/Hello-World.git of Codertocat/Hello-World",
		"octokit/push/payload.json":                                                     "artifact https://github.com/Codertocat/Hello-World.git of Codertocat/Hello-World",
		"octokit/push/with-installation.payload.json":                                   "artifact https://github.com/Codertocat/Hello-World.git of Codertocat/Hello-World",
		"octokit/push/with-new-branch.payload.json":                                     "push master 6113728f27ae82c7b1a177c8d03f9e96e0adf246 of Codertocat/Hello-World",
		"octokit/push/with-no-username-committer.payload.json":                          "push master 6113728f27ae82c7b1a177c8d03f9e96e0adf246 of Codertocat/Hello-World",
		"octokit/push/with-organization.payload.json":                                   "artifact https://github.com/Codertocat/Hello-World.git of Codertocat/Hello-World",
		"octokit/registry_package/published.docker.payload.json":                        "artifact ghcr.io/codertocat/hello-world of Codertocat/hello-world-npm",
		"octokit/status/payload.json":                                                   "status of Codertocat/Hello-World",
		"octokit/status/with-author-committer-null.payload.json":                        "status of Codertocat/Hello-World",
		"octokit/status/with-installation.payload.json":                                 "status of Codertocat/Hello-World",
		"other/argo-cd/appset-github-pull-request-assigned-event.json":                  "change 2 of Codertocat/Hello-World",
		"other/argo-cd/appset-github-pull-request-labeled-event.json":                   "change 2 of Codertocat/Hello-World",
		"other/argo-cd/appset-github-pull-request-opened-event.json":                    "change 2 of Codertocat/Hello-World",
		"other/argo-cd/ghcr-package-event.json":                                         "artifact ghcr.io/nitishfy/guestbook of none",
		"other/argo-cd/github-commit-event.json":                                        "push master 63738bb582c8b540af7bcfc18f87c575c3ed66e0 of jessesuen/test-repo",
		"other/argo-cd/github-ping-event.json":                                          "it only says that the webhook works",
		"other/argo-cd/github-tag-event.json":                                           "artifact https://github.com/jessesuen/test-repo.git of jessesuen/test-repo",
	}, func(name string, body []byte) (promote.Event, string, error) {
		event, err := ParseWebhook(hookHeader(eventOf(name)), body)
		return event, ProjectOf(body), err
	})
}
