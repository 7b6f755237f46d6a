package gitlab

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

// MaxWebhookBody is the largest body that GitLab sends.
const MaxWebhookBody = 25 << 20

// eventKinds are the values of X-Gitlab-Event, of the webhooks of projects and groups, as the object_kind of their body. A hook
// of a whole instance is a "System Hook", whatever it is about.
var eventKinds = map[string]string{
	"Push Hook":                  "push",
	"Tag Push Hook":              "tag_push",
	"Merge Request Hook":         "merge_request",
	"Note Hook":                  "note",
	"Confidential Note Hook":     "note",
	"Pipeline Hook":              "pipeline",
	"Job Hook":                   "build",
	"Deployment Hook":            "deployment",
	"Emoji Hook":                 "emoji",
	"Member Hook":                "member",
	"Feature Flag Hook":          "feature_flag",
	"Release Hook":               "release",
	"Issue Hook":                 "issue",
	"Confidential Issue Hook":    "issue",
	"Wiki Page Hook":             "wiki_page",
	"Project Hook":               "project",
	"Subgroup Hook":              "subgroup",
	"Resource Access Token Hook": "access_token",
}

// unheeded says of kinds that a webhook may be subscribed to why nothing is done about them.
var unheeded = map[string]string{
	"deployment":   "deployments are written by us and never read",
	"emoji":        "a reaction is no command",
	"member":       "rights are asked for when they matter",
	"feature_flag": "nothing that is promoted hangs on it",
	"release":      "nothing that is promoted hangs on it",
	"issue":        "nothing that is promoted hangs on it",
	"wiki_page":    "nothing that is promoted hangs on it",
	"project":      "it is about no project's content",
	"subgroup":     "it is about no project's content",
	"access_token": "a token that expires is noticed when it is used",

	"repository_update":     "a push says the same", // Of instances, by the name of the event.
	"user_add_to_team":      "rights are asked for when they matter",
	"user_update_for_team":  "rights are asked for when they matter",
	"user_remove_from_team": "rights are asked for when they matter",
	"user_add_to_group":     "rights are asked for when they matter",
}

// ParseWebhook reads an authentic delivery, see [Verify]. The error wraps [forge.ErrIgnored] for everything that cannot concern a
// promotion, and for bodies in which a custom template left out what would be needed; another error means that the body is not JSON.
func ParseWebhook(header http.Header, body []byte) (promote.Event, error) {
	if len(body) > MaxWebhookBody {
		return promote.Event{}, fmt.Errorf("webhook: the body has %d bytes, more than GitLab sends", len(body))
	}
	var hook webhook
	if err := forge.Decode(body, &hook); err != nil {
		return promote.Event{}, fmt.Errorf("webhook: body: %w", err)
	}
	name := header.Get("X-Gitlab-Event")
	kind := eventKinds[name]
	if name == "" || name == "System Hook" {
		kind = cmp.Or(hook.ObjectKind, hook.EventName)
	}
	event, err := hook.event(kind)
	if err != nil {
		return promote.Event{}, fmt.Errorf("webhook %q: %w", forge.Clip(cmp.Or(name, kind)), err)
	}
	event.Delivery = delivery(header, body)
	return event, nil
}

// delivery is the same for every attempt at one delivery. X-Gitlab-Event-UUID alone is not: one event may make several hooks.
func delivery(header http.Header, body []byte) string {
	for _, name := range []string{"Webhook-Id", "Idempotency-Key"} {
		if id := header.Get(name); id != "" && len(id) <= forge.MaxDelivery {
			return id
		}
	}
	parts := forge.NonEmpty(
		forge.Clip(header.Get("X-Gitlab-Event-Uuid")),
		forge.Clip(header.Get("X-Gitlab-Webhook-Uuid")),
		forge.Digest(body),
	)
	return strings.Join(parts, "/")
}

// webhook is what we read of a body. Templates and versions differ: nothing in it need be there.
type webhook struct {
	ObjectKind string `json:"object_kind"`
	EventName  string `json:"event_name"` // what pushes have instead when an instance sends them
	Ref        string `json:"ref"`
	After      string `json:"after"` // of a push
	SHA        string `json:"sha"`   // of a job
	User       user   `json:"user"`
	Attributes struct {
		ID           int    `json:"id"`
		IID          int    `json:"iid"`
		Action       string `json:"action"`
		Ref          string `json:"ref"`
		SHA          string `json:"sha"`
		Status       string `json:"status"`
		NoteableType string `json:"noteable_type"` //nolint:misspell // GitLab's word
		Note         string `json:"note"`
		NoteType     string `json:"type"`
		DiscussionID string `json:"discussion_id"`
		Description  string `json:"description"`
		System       bool   `json:"system"`
		AuthorID     int    `json:"author_id"`
		CreatedAt    stamp  `json:"created_at"`
	} `json:"object_attributes"`
	Project struct {
		GitURL string `json:"git_http_url"`
	} `json:"project"`
	MergeRequest struct {
		IID          int    `json:"iid"`
		TargetBranch string `json:"target_branch"`
		LastCommit   struct {
			ID string `json:"id"`
		} `json:"last_commit"`
	} `json:"merge_request"`
}

func (h webhook) event(kind string) (promote.Event, error) {
	switch kind {
	case "push", "tag_push":
		return h.push()
	case "merge_request":
		return promote.Event{Kind: promote.EventChange, Change: max(0, h.Attributes.IID)}, nil
	case "note":
		return h.comment()
	case "pipeline":
		return h.pipeline(h.Attributes.Ref, h.Attributes.SHA), nil
	case "build":
		return h.pipeline(h.Ref, h.SHA), nil
	default:
		return promote.Event{}, forge.Ignored(cmp.Or(unheeded[kind], "of no interest"))
	}
}

// pipeline reports that a pipeline or a job moved. In a merge train it tests a commit of its own, which is the target with all
// changes up to and with this one, and which waits for our status until the pipeline ended. Jobs name the train in their ref; the
// pipeline itself names the source branch there in today's versions, and is then a status like every other.
func (h webhook) pipeline(ref, sha string) promote.Event {
	change, train := trainOf(ref)
	head := forge.ObjectName(sha)
	if !train {
		return promote.Event{Kind: promote.EventStatus, Change: max(0, h.MergeRequest.IID), Head: head}
	}
	if head == "" || endedPipelines[h.Attributes.Status] {
		return promote.Event{Kind: promote.EventStatus, Change: change, Head: head}
	}
	return promote.Event{Kind: promote.EventQueue, Branch: promote.Branch(h.MergeRequest.TargetBranch), Head: head, Change: change}
}

// endedPipelines are the states that a pipeline does not leave by itself.
var endedPipelines = map[string]bool{"success": true, "failed": true, "canceled": true, "skipped": true}

// trainOf reads refs/merge-requests/<number>/train. Pipelines of merged results have refs of their own, which end in merge.
func trainOf(ref string) (change int, ok bool) {
	digits, found := strings.CutPrefix(ref, "refs/merge-requests/")
	digits, train := strings.CutSuffix(digits, "/train")
	change, err := strconv.Atoi(digits)
	if !found || !train || err != nil || change <= 0 {
		return 0, false
	}
	return change, true
}

// push reports a branch that was pushed, made or deleted; deleted, its Head is empty. A tag is something new in a Git repository,
// which a warehouse may watch: no pipeline is read from it and no change has it for its head.
func (h webhook) push() (promote.Event, error) {
	source := forge.WebURL(h.Project.GitURL)
	if tag, ok := strings.CutPrefix(h.Ref, "refs/tags/"); ok && tag != "" && source != "" {
		return promote.Event{Kind: promote.EventArtifact, Image: source}, nil
	}
	branch, ok := strings.CutPrefix(h.Ref, "refs/heads/")
	if !ok || branch == "" {
		return promote.Event{}, forge.Ignored(fmt.Sprintf("ref %q is not a branch", forge.Clip(h.Ref)))
	}
	return promote.Event{Kind: promote.EventPush, Branch: promote.Branch(branch), Head: forge.ObjectName(h.After), Source: source}, nil
}

// comment reports what a person has just written on a change. What was written is not trusted beyond that; who wrote it is
// asked for by AuthorID, with [Forge.Permission].
func (h webhook) comment() (promote.Event, error) {
	note, author := h.Attributes, h.User
	if author.ID == 0 {
		author.ID = note.AuthorID
	}
	reason := ""
	switch {
	case note.NoteableType != "MergeRequest":
		reason = "not on a merge request"
	case note.System:
		reason = "written by GitLab itself"
	case note.Action != "" && note.Action != "create": // Old versions have no action, and send only new notes.
		reason = "not a new note"
	case note.AuthorID != 0 && note.AuthorID != author.ID:
		reason = "sent by another user than the note's author"
	case note.ID <= 0 || h.MergeRequest.IID <= 0 || author.ID <= 0:
		reason = "the note, its merge request or its author is not named"
	}
	if reason != "" {
		return promote.Event{}, forge.Ignored(reason)
	}
	return promote.Event{Kind: promote.EventComment, Change: h.MergeRequest.IID, Comment: promote.Comment{
		ID:       note.ID,
		Change:   h.MergeRequest.IID,
		Thread:   h.thread(),
		Head:     forge.ObjectName(h.MergeRequest.LastCommit.ID),
		AuthorID: author.ID,
		Author:   author.Username,
		Body:     cmp.Or(note.Note, note.Description),
		At:       note.CreatedAt.Time,
	}}, nil
}

// thread is the discussion that a note is in. GitLab names one for each note, also for those that stand alone.
func (h webhook) thread() promote.Thread {
	id, ok := discussionID(h.Attributes.DiscussionID)
	if !ok || !threaded(h.Attributes.NoteType) {
		return ""
	}
	return promote.Thread(id)
}

// ProjectOf returns the path of the project that a body is about, such as "group/project"; empty when it does not say.
func ProjectOf(body []byte) (path string) {
	var hook struct {
		Project struct {
			Path   string `json:"path_with_namespace"`
			WebURL string `json:"web_url"`
		} `json:"project"`
		Path       string `json:"path_with_namespace"` // of system hooks
		Repository struct {
			Homepage string `json:"homepage"`
		} `json:"repository"`
	}
	if forge.Decode(body, &hook) != nil {
		return ""
	}
	return cmp.Or(hook.Project.Path, hook.Path, urlPath(hook.Project.WebURL), urlPath(hook.Repository.Homepage))
}

func urlPath(link string) string {
	parsed, err := url.Parse(link)
	if err != nil {
		return ""
	}
	return strings.Trim(parsed.Path, "/")
}
