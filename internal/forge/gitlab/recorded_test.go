package gitlab

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/forge/adaptertest"
	"github.com/lockkeeper/lockkeeper/promote"
)

// recordedHeader is the header that GitLab sends with a body of that kind.
func recordedHeader(t testing.TB, body []byte) http.Header {
	t.Helper()
	var hook struct {
		Kind string `json:"object_kind"`
	}
	if err := json.Unmarshal(body, &hook); err != nil {
		t.Fatal(err)
	}
	return eventHeader(map[string]string{
		"push": "Push Hook", "tag_push": "Tag Push Hook", "merge_request": "Merge Request Hook", "note": "Note Hook", "pipeline": "Pipeline Hook",
		"build": "Job Hook", "deployment": "Deployment Hook", "emoji": "Emoji Hook", "access_token": "Resource Access Token Hook", "": "Member Hook",
	}[hook.Kind])
}

// recordings are deliveries that a real GitLab made.
var recordings = adaptertest.Recordings{Folder: "gitlab-webhooks", Pattern: "*/*.json"}

func TestRecordedWebhooks(t *testing.T) {
	recordings.Check(t, map[string]string{
		"argo-cd/gitlab-event.json":                              "push master bb0748feaa336d841c251017e4e374c22d0c8a98 of group/name",
		"argo-cd/gitlab-merge-request-approval-event.json":       "change 1 of group/name",
		"argo-cd/gitlab-merge-request-open-event.json":           "change 1 of group/name",
		"argo-cd/push-tag.json":                                  "push master bb0748feaa336d841c251017e4e374c22d0c8a98 of group/name",
		"atlantis/gitlabMergeCommentEvent_notAllowlisted.json":   "comment 1 root atlantis plan of gitlabhq/gitlab-test",
		"atlantis/gitlabMergeCommentEvent_shouldIgnore.json":     "comment 1 root This MR needs work. of gitlabhq/gitlab-test",
		"gitlab-client-go-v2/deployment.json":                    "deployments are written by us and never read",
		"gitlab-client-go-v2/emoji_merge_request.json":           "a reaction is no command",
		"gitlab-client-go-v2/emoji_note_merge_request.json":      "a reaction is no command",
		"gitlab-client-go-v2/group_merge_request.json":           "change of exm-namespace/example-project",
		"gitlab-client-go-v2/job.json":                           "status 95d49d1efbd941908580e79d65e4b5ecaf4a8305 of gitlab-org/gitlab-test",
		"gitlab-client-go-v2/member.json":                        "rights are asked for when they matter",
		"gitlab-client-go-v2/merge_request.json":                 "change 1 of gitlabhq/gitlab-test",
		"gitlab-client-go-v2/note_commit.json":                   "not on a merge request",
		"gitlab-client-go-v2/note_issue.json":                    "not on a merge request",
		"gitlab-client-go-v2/note_merge_request.json":            "comment 1 root This MR needs work. of gitlab-org/gitlab-test",
		"gitlab-client-go-v2/pipeline.json":                      "status 1 bcbb5ec396a2c0f828686f14fac9b80b780504f2 of gitlab-org/gitlab-test",
		"gitlab-client-go-v2/push.json":                          "push master da1560886d4f094c3e6c9ef40349f7d38b5d27d7 of mike/diaspora",
		"gitlab-client-go-v2/resource_access_token_project.json": "a token that expires is noticed when it is used",
		"gitlab-client-go-v2/tag_push.json":                      "artifact http://example.com/jsmith/example.git of jsmith/example",
		"jenkins-x-go-scm/branch_create.json":                    "push feature c4c79227ed610f1151f05bbc5be33b4f340d39c8 of gitlab-org/hello-world",
		"jenkins-x-go-scm/branch_delete.json":                    "push feature of gitlab-org/hello-world",
		"jenkins-x-go-scm/pull_request_close.json":               "change 1 of gitlab-org/hello-world",
		"jenkins-x-go-scm/pull_request_comment_create.json":      "comment 1 sytses lgtm of gitlab-org/hello-world",
		"jenkins-x-go-scm/pull_request_create.json":              "change 1 of gitlab-org/hello-world",
		"jenkins-x-go-scm/pull_request_edited.json":              "change 1 of gitlab-org/hello-world",
		"jenkins-x-go-scm/pull_request_merge.json":               "change 1 of gitlab-org/hello-world",
		"jenkins-x-go-scm/pull_request_reopen.json":              "change 1 of gitlab-org/hello-world",
		"jenkins-x-go-scm/push.json":                             "push master 2adc9465c4edfc33834e173fe89436a7cb899a1d of gitlab-org/hello-world",
		"jenkins-x-go-scm/push2.json":                            "push master 8f784b32840472e7fda687b1c18e2bef26af768b of repo-org/repo-name",
		"jenkins-x-go-scm/push_merge.json":                       "push master 78a76ee6b4992a6baf64c59fc4c44c7323d60438 of gitlab-org/hello-world",
		"jenkins-x-go-scm/review_comment_create.json":            "comment 1 sytses check spelling of gitlab-org/hello-world",
		"jenkins-x-go-scm/tag_create.json":                       "artifact https://gitlab.com/gitlab-org/hello-world.git of gitlab-org/hello-world",
		"jenkins-x-go-scm/tag_delete.json":                       "artifact https://gitlab.com/gitlab-org/hello-world.git of gitlab-org/hello-world",
		"xanzy-go-gitlab/build.json":                             "status 2293ada6b400935a1378653304eaf6221e0fdb8f of gitlab-org/gitlab-test",
		"xanzy-go-gitlab/deployment.json":                        "deployments are written by us and never read",
		"xanzy-go-gitlab/group_merge_request.json":               "change of exm-namespace/example-project",
		"xanzy-go-gitlab/job.json":                               "status 95d49d1efbd941908580e79d65e4b5ecaf4a8305 of jsmithy2/release-tools-fake",
		"xanzy-go-gitlab/member.json":                            "rights are asked for when they matter",
		"xanzy-go-gitlab/merge_request.json":                     "change 1 of gitlabhq/gitlab-test",
		"xanzy-go-gitlab/note_commit.json":                       "not on a merge request",
		"xanzy-go-gitlab/note_issue.json":                        "not on a merge request",
		"xanzy-go-gitlab/note_merge_request.json":                "comment 1 root This MR needs work. of gitlab-org/gitlab-test",
		"xanzy-go-gitlab/pipeline.json":                          "status 1 bcbb5ec396a2c0f828686f14fac9b80b780504f2 of gitlab-org/gitlab-test",
		"xanzy-go-gitlab/push.json":                              "push master da1560886d4f094c3e6c9ef40349f7d38b5d27d7 of mike/diaspora",
		"xanzy-go-gitlab/tag_push.json":                          "artifact http://example.com/jsmith/example.git of jsmith/example",
	}, func(_ string, body []byte) (promote.Event, string, error) {
		event, err := ParseWebhook(recordedHeader(t, body), body)
		if event.Kind == promote.EventComment && (event.Comment.Head == "" || event.Comment.Body == "" || event.Comment.At.IsZero() || event.Comment.AuthorID == 0) {
			t.Errorf("a field is empty: %+v", event.Comment)
		}
		return event, ProjectOf(body), err
	})
}
