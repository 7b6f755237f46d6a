package gitlab

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/internal/forge/adaptertest"
	"github.com/lockkeeper/lockkeeper/promote"
)

//nolint:misspell // GitLab's word
const noteBody = `{"object_kind":"note","user":{"id":5,"username":"ann"},"project":{"path_with_namespace":"group/project"},
		"object_attributes":{"id":1244,"note":"/promote","noteable_type":"MergeRequest","author_id":5,"created_at":"2015-05-17 18:21:36 UTC","system":false,"action":"create"},
		"merge_request":{"iid":7,"last_commit":{"id":"cb86d70f464632bdfbe1bb9bc0f2f9d847a774a0"}}}`

const pushBody = `{"object_kind":"push","ref":"refs/heads/main","after":"cb86d70f464632bdfbe1bb9bc0f2f9d847a774a0","project":{"path_with_namespace":"group/project","git_http_url":"https://gitlab.com/group/project.git"}}`

const (
	trainPipeline = `{"object_kind":"pipeline","object_attributes":{"id":31,"ref":"refs/merge-requests/7/train","sha":"cb86d70f464632bdfbe1bb9bc0f2f9d847a774a0","status":"running"},"merge_request":{"iid":7,"target_branch":"main"}}`
	trainJob      = `{"object_kind":"build","ref":"refs/merge-requests/7/train","sha":"cb86d70f464632bdfbe1bb9bc0f2f9d847a774a0","build_status":"created"}`
)

func eventHeader(name string) http.Header {
	header := http.Header{}
	header.Set("X-Gitlab-Event", name)
	header.Set("Idempotency-Key", "key-1")
	return header
}

func TestParseWebhook(t *testing.T) {
	comment := promote.Event{Kind: promote.EventComment, Delivery: "key-1", Change: 7, Comment: promote.Comment{
		ID: 1244, Change: 7, Head: head, AuthorID: 5, Author: "ann", Body: "/promote", At: time.Date(2015, 5, 17, 18, 21, 36, 0, time.UTC),
	}}
	threaded := comment
	threaded.Comment.Thread = testThread
	headless := comment
	headless.Comment.Head = ""
	const source = "https://gitlab.com/group/project.git"
	push := promote.Event{Kind: promote.EventPush, Delivery: "key-1", Branch: "main", Head: head, Source: source}
	tag := promote.Event{Kind: promote.EventArtifact, Delivery: "key-1", Image: source}
	deleted := promote.Event{Kind: promote.EventPush, Delivery: "key-1", Branch: "lockkeeper/develop/dev"}
	train := promote.Event{Kind: promote.EventQueue, Delivery: "key-1", Branch: "main", Head: head, Change: 7}
	trainless := train
	trainless.Branch = ""
	replace := func(body, old, with string) string {
		if !strings.Contains(body, old) {
			t.Fatalf("%q is not in the body", old)
		}
		return strings.Replace(body, old, with, 1)
	}
	for _, test := range []struct {
		name    string
		event   string
		body    string
		want    promote.Event
		ignored string // the reason; empty: not ignored
	}{
		{"a push", "Push Hook", pushBody, push, ""},
		{"a push of a whole instance's hook", "System Hook", pushBody, push, ""},
		{"a push whose header a proxy dropped", "", pushBody, push, ""},
		{"a branch is deleted", "Push Hook", `{"ref":"refs/heads/lockkeeper/develop/dev","after":"0000000000000000000000000000000000000000"}`, deleted, ""},
		{"a tag is new in the repository", "Tag Push Hook", strings.Replace(pushBody, "refs/heads/main", "refs/tags/v1", 1), tag, ""},
		{"a tag of no repository", "Tag Push Hook", `{"ref":"refs/tags/v1","after":"` + string(head) + `"}`, promote.Event{}, `ref "refs/tags/v1" is not a branch`},
		{"a tag of a repository with a password", "Tag Push Hook", strings.NewReplacer("refs/heads/main", "refs/tags/v1", "https://", "https://me:pw@").Replace(pushBody), promote.Event{}, `ref "refs/tags/v1" is not a branch`},
		{"a push without ref", "Push Hook", `{}`, promote.Event{}, `ref "" is not a branch`},
		{"a change", "Merge Request Hook", `{"object_attributes":{"iid":7,"action":"merge"}}`, promote.Event{Kind: promote.EventChange, Delivery: "key-1", Change: 7}, ""},
		{"a change, by a template without number", "Merge Request Hook", `{}`, promote.Event{Kind: promote.EventChange, Delivery: "key-1"}, ""},
		{"a change with a number that is a text", "Merge Request Hook", `{"object_attributes":{"iid":"7"}}`, promote.Event{Kind: promote.EventChange, Delivery: "key-1"}, ""},
		{"a pipeline of a change", "Pipeline Hook", `{"merge_request":{"iid":7}}`, promote.Event{Kind: promote.EventStatus, Delivery: "key-1", Change: 7}, ""},
		{"a pipeline of a branch", "Pipeline Hook", `{"merge_request":null}`, promote.Event{Kind: promote.EventStatus, Delivery: "key-1"}, ""},
		{"a job", "Job Hook", `{"object_kind":"build","commit":{"id":743121198}}`, promote.Event{Kind: promote.EventStatus, Delivery: "key-1"}, ""},
		{"a pipeline of a branch, by its commit", "Pipeline Hook", `{"merge_request":null,"object_attributes":{"sha":"` + string(head) + `"}}`, promote.Event{Kind: promote.EventStatus, Delivery: "key-1", Head: head}, ""},
		{"a comment", "Note Hook", noteBody, comment, ""},
		{"a comment in a thread", "Note Hook", replace(noteBody, `"note":`, `"type":"DiscussionNote","discussion_id":"`+testThread+`","note":`), threaded, ""},
		{"a comment at a line", "Note Hook", replace(noteBody, `"note":`, `"type":"DiffNote","discussion_id":"`+testThread+`","note":`), threaded, ""},
		{"a comment that stands alone, which has a discussion, too", "Note Hook", replace(noteBody, `"note":`, `"type":null,"discussion_id":"`+testThread+`","note":`), comment, ""},
		{"a comment in a thread that is none", "Note Hook", replace(noteBody, `"note":`, `"type":"DiffNote","discussion_id":"../../x","note":`), comment, ""},
		{"an internal comment", "Confidential Note Hook", noteBody, comment, ""},
		{"a comment of an old version, without action", "Note Hook", replace(noteBody, `,"action":"create"`, ""), comment, ""},
		{"a comment whose user has no ID", "Note Hook", replace(noteBody, `"user":{"id":5,`, `"user":{`), comment, ""},
		{"a comment with a head that is none", "Note Hook", replace(noteBody, string(head), "HEAD"), headless, ""},
		{"an edited comment", "Note Hook", replace(noteBody, `"create"`, `"update"`), promote.Event{}, "not a new note"},
		{"a note of GitLab itself", "Note Hook", replace(noteBody, `"system":false`, `"system":true`), promote.Event{}, "written by GitLab itself"},
		{"a comment on an issue", "Note Hook", replace(noteBody, `"MergeRequest"`, `"Issue"`), promote.Event{}, "not on a merge request"},
		{"a comment that another user sends", "Note Hook", replace(noteBody, `"author_id":5`, `"author_id":6`), promote.Event{}, "sent by another user than the note's author"},
		{"a comment without number", "Note Hook", replace(noteBody, `"id":1244,`, ""), promote.Event{}, "the note, its merge request or its author is not named"},
		{"a comment on a merge request without number", "Note Hook", replace(noteBody, `"iid":7`, `"iid":-7`), promote.Event{}, "the note, its merge request or its author is not named"},
		{"a push of an instance's hook, which has no kind", "System Hook", strings.Replace(pushBody, "object_kind", "event_name", 1), push, ""},
		{"a change of an instance's hook", "System Hook", `{"object_kind":"merge_request","object_attributes":{"iid":7}}`, promote.Event{Kind: promote.EventChange, Delivery: "key-1", Change: 7}, ""},
		{"a repository of an instance's hook", "System Hook", `{"event_name":"repository_update"}`, promote.Event{}, "a push says the same"},
		{"a job of a merge train", "Job Hook", trainJob, trainless, ""},
		{"a pipeline of a merge train", "Pipeline Hook", trainPipeline, train, ""},
		{"a pipeline of a merge train, of an instance's hook", "System Hook", trainPipeline, train, ""},
		{"a pipeline of a merge train has ended", "Pipeline Hook", replace(trainPipeline, `"running"`, `"success"`), promote.Event{Kind: promote.EventStatus, Delivery: "key-1", Head: head, Change: 7}, ""},
		{"a pipeline of a merge train without commit", "Pipeline Hook", replace(trainPipeline, string(head), "HEAD"), promote.Event{Kind: promote.EventStatus, Delivery: "key-1", Change: 7}, ""},
		{"a pipeline of merged results", "Pipeline Hook", replace(trainPipeline, "7/train", "7/merge"), promote.Event{Kind: promote.EventStatus, Delivery: "key-1", Head: head, Change: 7}, ""},
		{"a pipeline of a branch that is called like a train", "Pipeline Hook", replace(trainPipeline, "refs/merge-requests/7/train", "merge-requests/7/train"), promote.Event{Kind: promote.EventStatus, Delivery: "key-1", Head: head, Change: 7}, ""},
		{"a train of no change", "Pipeline Hook", replace(trainPipeline, "requests/7/", "requests/-7/"), promote.Event{Kind: promote.EventStatus, Delivery: "key-1", Head: head, Change: 7}, ""},
		{"an emoji", "Emoji Hook", `{"object_kind":"emoji"}`, promote.Event{}, "a reaction is no command"},
		{"a member", "Member Hook", `{"event_name":"user_add_to_group"}`, promote.Event{}, "rights are asked for when they matter"},
		{"a member of an instance", "System Hook", `{"event_name":"user_add_to_group"}`, promote.Event{}, "rights are asked for when they matter"},
		{"a deployment", "Deployment Hook", `{"object_kind":"deployment","status":"success"}`, promote.Event{}, "deployments are written by us and never read"},
		{"a feature flag", "Feature Flag Hook", `{"object_kind":"feature_flag"}`, promote.Event{}, "nothing that is promoted hangs on it"},
		{"a release", "Release Hook", `{"object_kind":"release"}`, promote.Event{}, "nothing that is promoted hangs on it"},
		{"an event of tomorrow that looks like a push", "Spaceship Hook", pushBody, promote.Event{}, "of no interest"},
		{"a body that is a number", "", `7`, promote.Event{}, "of no interest"},
	} {
		t.Run(test.name, func(t *testing.T) {
			header := eventHeader(test.event)
			if test.event == "" {
				header.Del("X-Gitlab-Event")
			}
			got, err := ParseWebhook(header, []byte(test.body))
			adaptertest.Parsed(t, test.want, test.ignored, got, err)
		})
	}
}

func TestParseWebhookThatIsNone(t *testing.T) {
	for name, body := range map[string]string{
		"not JSON": "object_kind=push", "half": pushBody[:40], "nothing": "", "too large": strings.Repeat(" ", MaxWebhookBody+1),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseWebhook(eventHeader("Push Hook"), []byte(body))
			if err == nil || errors.Is(err, forge.ErrIgnored) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestDeliveryKey(t *testing.T) {
	sum := sha256.Sum256([]byte(pushBody))
	hash := hex.EncodeToString(sum[:])
	for _, test := range []struct {
		name   string
		header map[string]string
		want   string
	}{
		{"the signed ID first", map[string]string{"webhook-id": "a", "Idempotency-Key": "b", "X-Gitlab-Event-UUID": "c"}, "a"},
		{"then the key", map[string]string{"Idempotency-Key": "b", "X-Gitlab-Event-UUID": "c", "X-Gitlab-Webhook-UUID": "d"}, "b"},
		{"the event's ID is not enough: it is shared", map[string]string{"X-Gitlab-Event-UUID": "c", "X-Gitlab-Webhook-UUID": "d"}, "c/d/" + hash},
		{"an old version", nil, hash},
		{"a key without end", map[string]string{"Idempotency-Key": strings.Repeat("b", 1000)}, hash},
	} {
		t.Run(test.name, func(t *testing.T) {
			header := http.Header{}
			header.Set("X-Gitlab-Event", "Push Hook")
			for name, value := range test.header {
				header.Set(name, value)
			}
			got, err := ParseWebhook(header, []byte(pushBody))
			if err != nil || got.Delivery != test.want {
				t.Errorf("got %q, %v, want %q", got.Delivery, err, test.want)
			}
		})
	}
}

func TestProjectOf(t *testing.T) {
	for _, test := range []struct{ name, body, want string }{
		{"as GitLab says it", pushBody, "group/project"},
		{"of a system hook", `{"path_with_namespace":"group/project"}`, "group/project"},
		{"by the address only", `{"project":{"web_url":"https://gitlab.example.com/group/sub/project"}}`, "group/sub/project"},
		{"of an old job hook", `{"repository":{"homepage":"https://gitlab.com/group/project"}}`, "group/project"},
		{"nothing is said", `{}`, ""},
		{"of the wrong type", `{"project":"group/project"}`, ""},
		{"not JSON", `group/project`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := ProjectOf([]byte(test.body)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
