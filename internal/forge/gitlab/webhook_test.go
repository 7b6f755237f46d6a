package gitlab

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

//nolint:misspell // GitLab's word
const noteBody = `{"object_kind":"note","user":{"id":5,"username":"ann"},"project":{"path_with_namespace":"group/project"},
		"object_attributes":{"id":1244,"note":"/promote","noteable_type":"MergeRequest","author_id":5,"created_at":"2015-05-17 18:21:36 UTC","system":false,"action":"create"},
		"merge_request":{"iid":7,"last_commit":{"id":"cb86d70f464632bdfbe1bb9bc0f2f9d847a774a0"}}}`

const pushBody = `{"object_kind":"push","ref":"refs/heads/main","after":"cb86d70f464632bdfbe1bb9bc0f2f9d847a774a0","project":{"path_with_namespace":"group/project"}}`

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
	headless := comment
	headless.Comment.Head = ""
	push := promote.Event{Kind: promote.EventPush, Delivery: "key-1", Branch: "main", Head: head}
	deleted := promote.Event{Kind: promote.EventPush, Delivery: "key-1", Branch: "lockkeeper/develop/dev"}
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
		{"a tag", "Tag Push Hook", `{"ref":"refs/tags/v1","after":"` + string(head) + `"}`, promote.Event{}, `ref "refs/tags/v1" is not a branch`},
		{"a push without ref", "Push Hook", `{}`, promote.Event{}, `ref "" is not a branch`},
		{"a change", "Merge Request Hook", `{"object_attributes":{"iid":7,"action":"merge"}}`, promote.Event{Kind: promote.EventChange, Delivery: "key-1", Change: 7}, ""},
		{"a change, by a template without number", "Merge Request Hook", `{}`, promote.Event{Kind: promote.EventChange, Delivery: "key-1"}, ""},
		{"a change with a number that is a text", "Merge Request Hook", `{"object_attributes":{"iid":"7"}}`, promote.Event{Kind: promote.EventChange, Delivery: "key-1"}, ""},
		{"a pipeline of a change", "Pipeline Hook", `{"merge_request":{"iid":7}}`, promote.Event{Kind: promote.EventStatus, Delivery: "key-1", Change: 7}, ""},
		{"a pipeline of a branch", "Pipeline Hook", `{"merge_request":null}`, promote.Event{Kind: promote.EventStatus, Delivery: "key-1"}, ""},
		{"a job", "Job Hook", `{"object_kind":"build","commit":{"id":743121198}}`, promote.Event{Kind: promote.EventStatus, Delivery: "key-1"}, ""},
		{"a comment", "Note Hook", noteBody, comment, ""},
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
		{"an emoji", "Emoji Hook", `{"object_kind":"emoji"}`, promote.Event{}, "of no interest"},
		{"a member", "System Hook", `{"event_name":"user_add_to_group"}`, promote.Event{}, "of no interest"},
		{"an event of tomorrow that looks like a push", "Spaceship Hook", pushBody, promote.Event{}, "of no interest"},
		{"a body that is a number", "", `7`, promote.Event{}, "of no interest"},
	} {
		t.Run(test.name, func(t *testing.T) {
			header := eventHeader(test.event)
			if test.event == "" {
				header.Del("X-Gitlab-Event")
			}
			got, err := ParseWebhook(header, []byte(test.body))
			if test.ignored != "" {
				if !errors.Is(err, ErrIgnored) || !strings.Contains(err.Error(), ": "+test.ignored+": webhook ignored") {
					t.Errorf("got %v, want %s", err, test.ignored)
				}
			} else if err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseWebhookThatIsNone(t *testing.T) {
	for name, body := range map[string]string{
		"not JSON": "object_kind=push", "half": pushBody[:40], "nothing": "", "too large": strings.Repeat(" ", MaxWebhookBody+1),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseWebhook(eventHeader("Push Hook"), []byte(body))
			if err == nil || errors.Is(err, ErrIgnored) {
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

// recordedHeader is the header that GitLab sends with a body of that kind.
func recordedHeader(t *testing.T, body []byte) http.Header {
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

func TestRecordedWebhooks(t *testing.T) {
	const ignored = "ignored"
	want := map[string]string{
		"argo-cd/gitlab-event.json":                              "push master 0 none",
		"argo-cd/gitlab-merge-request-approval-event.json":       "change  1 none",
		"argo-cd/gitlab-merge-request-open-event.json":           "change  1 none",
		"argo-cd/push-tag.json":                                  "push master 0 none",
		"atlantis/gitlabMergeCommentEvent_notAllowlisted.json":   "comment  1 root",
		"atlantis/gitlabMergeCommentEvent_shouldIgnore.json":     "comment  1 root",
		"gitlab-client-go-v2/deployment.json":                    ignored,
		"gitlab-client-go-v2/emoji_merge_request.json":           ignored,
		"gitlab-client-go-v2/emoji_note_merge_request.json":      ignored,
		"gitlab-client-go-v2/group_merge_request.json":           "change  0 none",
		"gitlab-client-go-v2/job.json":                           "status  0 none",
		"gitlab-client-go-v2/member.json":                        ignored,
		"gitlab-client-go-v2/merge_request.json":                 "change  1 none",
		"gitlab-client-go-v2/note_commit.json":                   ignored,
		"gitlab-client-go-v2/note_issue.json":                    ignored,
		"gitlab-client-go-v2/note_merge_request.json":            "comment  1 root",
		"gitlab-client-go-v2/pipeline.json":                      "status  1 none",
		"gitlab-client-go-v2/push.json":                          "push master 0 none",
		"gitlab-client-go-v2/resource_access_token_project.json": ignored,
		"gitlab-client-go-v2/tag_push.json":                      ignored,
	}
	files, err := filepath.Glob(filepath.Join(recorded(t), "gitlab-webhooks", "*", "*.json"))
	if err != nil || len(files) < 46 {
		t.Fatalf("found %d recorded webhooks, %v", len(files), err)
	}
	for _, file := range files {
		name := filepath.Join(filepath.Base(filepath.Dir(file)), filepath.Base(file))
		t.Run(name, func(t *testing.T) {
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			event, err := ParseWebhook(recordedHeader(t, body), body)
			got := describe(event)
			if errors.Is(err, ErrIgnored) {
				got = ignored
			} else if err != nil {
				t.Fatal(err)
			}
			if want, ok := want[name]; ok && got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			if event.Kind == promote.EventComment && (event.Comment.Head == "" || event.Comment.Body == "" || event.Comment.At.IsZero() || event.Comment.AuthorID == 0) {
				t.Errorf("a field is empty: %+v", event.Comment)
			}
			if path := ProjectOf(body); path == "" && got != ignored {
				t.Error("no project")
			}
		})
	}
}

func describe(e promote.Event) string {
	author := e.Comment.Author
	if author == "" {
		author = "none"
	}
	number := json.Number("0")
	if data, err := json.Marshal(e.Change); err == nil {
		number = json.Number(data)
	}
	return e.Kind.String() + " " + string(e.Branch) + " " + number.String() + " " + author
}

func FuzzParseWebhook(f *testing.F) {
	f.Add("Note Hook", noteBody)
	f.Add("Push Hook", pushBody)
	f.Add("Merge Request Hook", `{"object_kind":"merge_request","object_attributes":{"iid":7,"action":"open"}}`)
	f.Add("Pipeline Hook", `{"object_kind":"pipeline","merge_request":{"iid":1}}`)
	f.Add("Job Hook", `{"object_kind":"build","ref":"main","commit":{"id":743121198}}`)
	f.Add("System Hook", `{"object_kind":"push","ref":"refs/heads/\u0000","after":7}`)
	f.Add("", `[{"object_kind":null}]`)
	f.Fuzz(func(t *testing.T, name, body string) {
		header := http.Header{}
		header.Set("X-Gitlab-Event", name)
		event, err := ParseWebhook(header, []byte(body))
		if err != nil {
			if event != (promote.Event{}) {
				t.Errorf("an event beside the error %v: %+v", err, event)
			}
			return
		}
		switch {
		case event.Delivery == "" || event.Change < 0:
			t.Errorf("got %+v", event)
		case event.Kind == promote.EventPush && event.Branch == "":
			t.Error("a push without branch")
		case event.Kind == promote.EventComment && (event.Comment.ID <= 0 || event.Comment.Change <= 0 || event.Comment.AuthorID <= 0):
			t.Errorf("a comment that nobody can answer: %+v", event.Comment)
		}
		_ = ProjectOf([]byte(body))
	})
}
