package github

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

const (
	hookHead    = "ec26c3e57ca3a959ca5aad62de7213c562f8c821"
	commentBody = `{"action":"created","issue":{"number":7,"pull_request":{"url":"x"}},"comment":{"id":1244,"user":{"id":5,"login":"ann","type":"User"},` +
		`"body":"/promote","created_at":"2026-11-21T11:00:00+01:00"},"repository":{"id":1,"full_name":"acme/gitops"},"sender":{"id":5,"login":"ann","type":"User"}}`
	pushBody   = `{"ref":"refs/heads/main","after":"` + hookHead + `","deleted":false,"repository":{"full_name":"acme/gitops","clone_url":"https://github.com/acme/gitops.git"}}`
	buttonBody = `{"action":"requested_action","requested_action":{"identifier":"promote"},"check_run":{"id":4,"head_sha":"` + hookHead + `","pull_requests":[{"number":7,"base":{"repo":{"id":1}}}]},` +
		`"repository":{"id":1},"sender":{"id":5,"login":"ann","type":"User"}}`
	groupBody  = `{"action":"checks_requested","merge_group":{"head_sha":"` + hookHead + `","head_ref":"refs/heads/gh-readonly-queue/release/1.x/pr-104-929f","base_ref":"refs/heads/release/1.x"}}`
	remarkBody = `{"action":"created","pull_request":{"number":7,"head":{"sha":"` + hookHead + `"}},"comment":{"id":1244,"user":{"id":5,"login":"ann","type":"User"},` +
		`"body":"/promote","commit_id":"0123456789012345678901234567890123456789","created_at":"2026-11-21T10:00:00Z"},"sender":{"id":5,"login":"ann","type":"User"}}`
	reviewBody = `{"action":"submitted","pull_request":{"number":7},"review":{"id":1244,"user":{"id":5,"login":"ann","type":"User"},"state":"approved",` +
		`"body":"Looks good.\n\n/promote","commit_id":"` + hookHead + `","submitted_at":"2026-11-21T10:00:00Z"},"sender":{"id":5,"login":"ann","type":"User"}}`
	imageBody = `{"action":"published","package":{"name":"Web","package_type":"CONTAINER","owner":{"login":"Acme"},"package_version":{"body":{"info":1},"metadata":[]}}}`
)

func hookHeader(event string) http.Header {
	header := http.Header{}
	header.Set("X-GitHub-Event", event)
	header.Set("X-GitHub-Delivery", "guid-1")
	return header
}

func TestParseWebhook(t *testing.T) {
	comment := promote.Event{Kind: promote.EventComment, Delivery: "guid-1", Change: 7, Comment: promote.Comment{
		ID: 1244, Change: 7, AuthorID: 5, Author: "ann", Body: "/promote", At: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC),
	}}
	remark := comment
	remark.Comment.ID, remark.Comment.Head, remark.Comment.Thread = 1<<50|1244, hookHead, "1244"
	replied := remark
	replied.Comment.Thread = "1200"
	review := comment
	review.Comment.ID, review.Comment.Head, review.Comment.Body = 1<<51|1244, hookHead, "Looks good.\n\n/promote"
	timeless := comment
	timeless.Comment.At = time.Time{}
	pressed := promote.Event{Kind: promote.EventComment, Delivery: "guid-1", Change: 7, Comment: promote.Comment{
		ID: 4987389366516487, Change: 7, Head: hookHead, AuthorID: 5, Author: "ann", Body: "/promote", Action: "promote",
	}}
	const source = "https://github.com/acme/gitops.git"
	push := promote.Event{Kind: promote.EventPush, Delivery: "guid-1", Branch: "main", Head: hookHead, Source: source}
	deleted := promote.Event{Kind: promote.EventPush, Delivery: "guid-1", Branch: "main", Source: source}
	tag := promote.Event{Kind: promote.EventArtifact, Delivery: "guid-1", Image: source}
	change := promote.Event{Kind: promote.EventChange, Delivery: "guid-1", Change: 7}
	status := promote.Event{Kind: promote.EventStatus, Delivery: "guid-1", Change: 7}
	unknown := promote.Event{Kind: promote.EventStatus, Delivery: "guid-1"}
	queue := promote.Event{Kind: promote.EventQueue, Delivery: "guid-1", Branch: "release/1.x", Head: hookHead, Change: 104}
	unnumbered := queue
	unnumbered.Change = 0
	image := promote.Event{Kind: promote.EventArtifact, Delivery: "guid-1", Image: "ghcr.io/acme/web"}
	replace := func(body, old, with string) string {
		if !strings.Contains(body, old) {
			t.Fatalf("%q is not in the body", old)
		}
		return strings.ReplaceAll(body, old, with)
	}
	for _, test := range []struct {
		name    string
		event   string
		body    string
		want    promote.Event
		ignored string // the reason; empty: not ignored
	}{
		{"a push", "push", pushBody, push, ""},
		{"a branch is deleted", "push", replace(pushBody, hookHead, strings.Repeat("0", 40)), deleted, ""},
		{"a branch is deleted, and the old head is named", "push", replace(pushBody, "false", "true"), deleted, ""},
		{"a tag is new in the repository", "push", replace(pushBody, "heads", "tags"), tag, ""},
		{"a tag of no repository", "push", replace(replace(pushBody, "heads", "tags"), "https", "ssh"), promote.Event{}, `ref "refs/tags/main" is not a branch`},
		{"a push without ref", "push", `{}`, promote.Event{}, `ref "" is not a branch`},
		{"a branch of a merge queue", "push", replace(pushBody, "main", "gh-readonly-queue/main/pr-1-929f"), promote.Event{}, "a branch of a merge queue"},
		{"a change", "pull_request", `{"action":"closed","number":7,"pull_request":{"number":7}}`, change, ""},
		{"a change with a number that is a text", "pull_request", `{"pull_request":{"number":"7"}}`, promote.Event{Kind: promote.EventChange, Delivery: "guid-1"}, ""},
		{"a review", "pull_request_review", `{"action":"submitted","pull_request":{"number":7}}`, change, ""},
		{"a conversation is resolved", "pull_request_review_thread", `{"action":"resolved","pull_request":{"number":7}}`, change, ""},
		{"a review with a command", "pull_request_review", reviewBody, review, ""},
		{"a review without a command", "pull_request_review", replace(reviewBody, "/promote", "promote"), change, ""},
		{"a review with a command that is edited", "pull_request_review", replace(reviewBody, `"submitted"`, `"edited"`), change, ""},
		{"a review with a command of a program", "pull_request_review", replace(reviewBody, `"User"`, `"Bot"`), change, ""},
		{"a review with a command that another account sends", "pull_request_review", replace(reviewBody, `"sender":{"id":5`, `"sender":{"id":6`), change, ""},
		{"a review with a command and a number beyond all", "pull_request_review", replace(reviewBody, "1244", "1125899906842624"), change, ""},
		{"a comment in a file", "pull_request_review_comment", remarkBody, remark, ""},
		{"a reply in a file", "pull_request_review_comment", replace(remarkBody, `"id":1244`, `"id":1244,"in_reply_to_id":1200`), replied, ""},
		{"an edited comment in a file", "pull_request_review_comment", replace(remarkBody, `"created"`, `"edited"`), promote.Event{}, "not a new comment"},
		{"a deleted comment in a file", "pull_request_review_comment", replace(remarkBody, `"created"`, `"deleted"`), promote.Event{}, "not a new comment"},
		{"a comment in a file by a program", "pull_request_review_comment", replace(remarkBody, `"User"`, `"Bot"`), promote.Event{}, "written by a program"},
		{"a comment in a file that another account sends", "pull_request_review_comment", replace(remarkBody, `"sender":{"id":5`, `"sender":{"id":6`), promote.Event{}, "sent by another account than the comment's author"},
		{"a comment in a file with a number beyond all", "pull_request_review_comment", replace(remarkBody, "1244", "1125899906842624"), promote.Event{}, "the comment, its pull request or its author is not named"},
		{"a comment in a file without anything", "pull_request_review_comment", `{"action":"created","pull_request":{"number":7}}`, promote.Event{}, "the comment, its pull request or its author is not named"},
		{"a comment with a number beyond all", "issue_comment", replace(commentBody, "1244", "1125899906842624"), promote.Event{}, "the comment, its pull request or its author is not named"},
		{"a comment", "issue_comment", commentBody, comment, ""},
		{"a comment whose time cannot be read", "issue_comment", replace(commentBody, "2026-11-21T", "21 Nov "), timeless, ""},
		{"an edited comment", "issue_comment", replace(commentBody, `"created"`, `"edited"`), promote.Event{}, "not a new comment"},
		{"a deleted comment", "issue_comment", replace(commentBody, `"created"`, `"deleted"`), promote.Event{}, "not a new comment"},
		{"a comment on an issue", "issue_comment", replace(commentBody, `"pull_request":{"url":"x"}`, `"pull_request":null`), promote.Event{}, "not on a pull request"},
		{"a comment of a program", "issue_comment", replace(commentBody, `"User"`, `"Bot"`), promote.Event{}, "written by a program"},
		{"a comment that another account sends", "issue_comment", replace(commentBody, `"sender":{"id":5`, `"sender":{"id":6`), promote.Event{}, "sent by another account than the comment's author"},
		{"a comment without number", "issue_comment", replace(commentBody, `"id":1244,`, ""), promote.Event{}, "the comment, its pull request or its author is not named"},
		{"a comment by nobody", "issue_comment", replace(commentBody, `"id":5,`, ""), promote.Event{}, "the comment, its pull request or its author is not named"},
		{"a button of a check run", "check_run", buttonBody, pressed, ""},
		{"a button that a program presses", "check_run", replace(buttonBody, `"User"`, `"Bot"`), promote.Event{}, "pressed by a program"},
		{"a button without name", "check_run", replace(buttonBody, `"identifier":"promote"`, ""), promote.Event{}, "the button is not named"},
		{"a button with a name of two lines", "check_run", replace(buttonBody, `"promote"`, `"promote\n/approve"`), promote.Event{}, "the button is not named"},
		{"a button with a name without end", "check_run", replace(buttonBody, `"promote"`, `"`+strings.Repeat("x", 41)+`"`), promote.Event{}, "the button is not named"},
		{"a button on a change of another repository", "check_run", replace(buttonBody, `"repo":{"id":1}`, `"repo":{"id":2}`), promote.Event{}, "the check run, its one pull request or who pressed is not named"},
		{"a button on two changes", "check_run", replace(buttonBody, `[{`, `[{"number":8},{`), promote.Event{}, "the check run, its one pull request or who pressed is not named"},
		{"a check run ends", "check_run", replace(buttonBody, "requested_action", "completed"), status, ""},
		{"a check run ends whose change is not named", "check_run", `{"action":"completed"}`, unknown, ""},
		{"a check run is asked for again", "check_run", replace(buttonBody, `"action":"requested_action"`, `"action":"rerequested"`), status, ""},
		{"a check run starts", "check_run", `{"action":"created"}`, promote.Event{}, "the check run goes on"},
		{"a check suite ends", "check_suite", `{"action":"completed","check_suite":{"pull_requests":[{"number":7}]}}`, status, ""},
		{"a check suite is asked for again", "check_suite", `{"action":"rerequested","check_suite":{"pull_requests":[{"number":7},{"number":7}]}}`, status, ""},
		{"a check suite starts", "check_suite", `{"action":"requested"}`, promote.Event{}, "a push says the same"},
		{"a status", "status", `{"sha":"` + hookHead + `","context":"ci","state":"success"}`, unknown, ""},
		{"a merge queue tests a commit", "merge_group", groupBody, queue, ""},
		{"a merge queue whose branch has another name", "merge_group", replace(groupBody, "pr-104-929f", "batch-9"), unnumbered, ""},
		{"a merge queue whose branch has a negative number", "merge_group", replace(groupBody, "pr-104-929f", "pr--104-9"), unnumbered, ""},
		{"a merge queue without commit", "merge_group", replace(groupBody, hookHead, "HEAD"), promote.Event{}, "the commit or its target is not named"},
		{"a merge queue that targets a tag", "merge_group", replace(groupBody, `"refs/heads/release/1.x"`, `"refs/tags/v1"`), promote.Event{}, "the commit or its target is not named"},
		{"a change leaves the merge queue", "merge_group", replace(groupBody, "checks_requested", "destroyed"), promote.Event{Kind: promote.EventChange, Delivery: "guid-1", Change: 104}, ""},
		{"a merge queue asks for nothing", "merge_group", `{}`, promote.Event{}, "nothing is asked"},
		{"an image", "package", imageBody, image, ""},
		{"an image, by the newer event", "registry_package", replace(imageBody, `"package":{`, `"registry_package":{`), image, ""},
		{"a package that is no image", "package", replace(imageBody, "CONTAINER", "NPM"), promote.Event{}, `a package of type "NPM" is no image: ignored`},
		{"a deployment", "deployment", `{}`, promote.Event{}, "deployments are written by us and never read"},
		{"a member", "member", `{}`, promote.Event{}, "rights are asked for when they matter"},
		{"an installation", "installation", `{"action":"created"}`, promote.Event{}, "it is about no repository's content"},
		{"a ping", "ping", `{"zen":"Design for failure."}`, promote.Event{}, "it only says that the webhook works"},
		{"an event of tomorrow that looks like a push", "spaceship", pushBody, promote.Event{}, "of no interest"},
		{"a body that is a number", "star", `7`, promote.Event{}, "of no interest"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseWebhook(hookHeader(test.event), []byte(test.body))
			adaptertest.Parsed(t, test.want, test.ignored, got, err)
		})
	}
}

func TestParseWebhookOfAnApp(t *testing.T) {
	for _, test := range []struct {
		name    string
		event   string
		target  string // the type of what the webhook belongs to
		id      string
		ignored bool
	}{
		{"its own check run ended", "check_run", "integration", "9", true},
		{"its own check suite ended", "check_suite", "integration", "9", true},
		{"another App's check run ended", "check_run", "integration", "8", false},
		{"the webhook is the repository's", "check_run", "repository", "9", false},
		{"the App is not named", "check_run", "integration", "x", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			header := hookHeader(test.event)
			header.Set("X-GitHub-Hook-Installation-Target-Type", test.target)
			header.Set("X-GitHub-Hook-Installation-Target-ID", test.id)
			_, err := ParseWebhook(header, []byte(`{"action":"completed","check_run":{"app":{"id":9}},"check_suite":{"app":{"id":9}}}`))
			if got := errors.Is(err, forge.ErrIgnored); got != test.ignored {
				t.Errorf("got %v, want ignored %v", err, test.ignored)
			}
		})
	}
}

func TestParseWebhookThatIsNone(t *testing.T) {
	for name, test := range map[string]struct{ event, body string }{
		"not JSON":                  {"push", "payload=%7B%7D"},
		"half":                      {"push", pushBody[:40]},
		"nothing":                   {"push", ""},
		"too large":                 {"push", strings.Repeat(" ", MaxWebhookBody+1)},
		"no event":                  {"", pushBody},
		"a package that is missing": {"package", `{"action":"published"}`},
		"an image without a name":   {"package", `{"action":"published","package":{"package_type":"container"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			event, err := ParseWebhook(hookHeader(test.event), []byte(test.body))
			if err == nil || errors.Is(err, forge.ErrIgnored) || event != (promote.Event{}) {
				t.Errorf("got %+v, %v", event, err)
			}
		})
	}
}

func TestDeliveryKey(t *testing.T) {
	sum := sha256.Sum256([]byte(pushBody))
	hash := hex.EncodeToString(sum[:])
	for _, test := range []struct{ name, given, want string }{
		{"GitHub's own", "72d3162e-cc78-11e3-81ab-4c9367dc0958", "72d3162e-cc78-11e3-81ab-4c9367dc0958"},
		{"none", "", hash},
		{"one without end", strings.Repeat("b", 1000), hash},
	} {
		t.Run(test.name, func(t *testing.T) {
			header := hookHeader("push")
			header.Set("X-GitHub-Delivery", test.given)
			got, err := ParseWebhook(header, []byte(pushBody))
			if err != nil || got.Delivery != test.want {
				t.Errorf("got %q, %v, want %q", got.Delivery, err, test.want)
			}
		})
	}
}

func TestEachPressingIsACommentOfItsOwn(t *testing.T) {
	id := func(body, delivery string) int {
		header := hookHeader("check_run")
		header.Set("X-GitHub-Delivery", delivery)
		event, err := ParseWebhook(header, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return event.Comment.ID
	}
	first := id(buttonBody, "guid-1")
	if again := id(buttonBody, "guid-1"); again != first {
		t.Errorf("a redelivery got %d, want %d", again, first)
	}
	if second := id(buttonBody, "guid-2"); second == first {
		t.Error("a second pressing is the same comment")
	}
	if other := id(strings.Replace(buttonBody, `"check_run":{"id":4`, `"check_run":{"id":5`, 1), "guid-1"); other == first {
		t.Error("a pressing on another check run is the same comment")
	}
	if first < 1<<52 || first >= 1<<53 {
		t.Errorf("got %d, want a number above those of comments that JSON keeps exact", first)
	}
}

func TestProjectOf(t *testing.T) {
	for _, test := range []struct{ name, body, want string }{
		{"as GitHub says it", pushBody, "acme/gitops"},
		{"an installation", `{"action":"created","installation":{"id":2},"repositories":[{"full_name":"acme/gitops"}]}`, ""},
		{"of the wrong type", `{"repository":"acme/gitops"}`, ""},
		{"not JSON", `acme/gitops`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := ProjectOf([]byte(test.body)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
