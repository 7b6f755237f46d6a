package gitlab

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

// MaxWebhookBody is the largest body that GitLab sends.
const MaxWebhookBody = 25 << 20

const maxDeliveryHeader = 200

// ErrIgnored marks a delivery that is authentic and of no interest. Answer it with 2xx: GitLab switches a webhook off after some
// answers of another kind.
var ErrIgnored = errors.New("webhook ignored")

// eventKinds are the values of X-Gitlab-Event that are of interest, as the object_kind of their body.
var eventKinds = map[string]string{
	"Push Hook":              "push",
	"Tag Push Hook":          "tag_push",
	"Merge Request Hook":     "merge_request",
	"Note Hook":              "note",
	"Confidential Note Hook": "note",
	"Pipeline Hook":          "pipeline",
	"Job Hook":               "build",
	"System Hook":            "", // of a whole instance; the body says of what
}

// ParseWebhook reads an authentic delivery, see [Verify]. The error wraps [ErrIgnored] for everything that cannot concern a
// promotion, and for bodies in which a custom template left out what would be needed; another error means that the body is not JSON.
func ParseWebhook(header http.Header, body []byte) (promote.Event, error) {
	if len(body) > MaxWebhookBody {
		return promote.Event{}, fmt.Errorf("webhook: the body has %d bytes, more than GitLab sends", len(body))
	}
	var hook webhook
	if err := lenient(body, &hook); err != nil {
		return promote.Event{}, fmt.Errorf("webhook: body: %w", err)
	}
	name := header.Get("X-Gitlab-Event")
	kind := eventKinds[name]
	if name == "" || name == "System Hook" {
		kind = hook.ObjectKind
	}
	event, err := hook.event(kind)
	if err != nil {
		return promote.Event{}, fmt.Errorf("webhook %q: %w", firstNonEmpty(name, kind), err)
	}
	event.Delivery = delivery(header, body)
	return event, nil
}

// lenient decodes what fits. A field of another type than expected stays zero, like one that is missing.
func lenient(body []byte, into any) error {
	err := json.Unmarshal(body, into)
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return nil
	}
	return err
}

// delivery is the same for every attempt at one delivery. X-Gitlab-Event-UUID alone is not: one event may make several hooks.
func delivery(header http.Header, body []byte) string {
	for _, name := range []string{"Webhook-Id", "Idempotency-Key"} {
		if id := header.Get(name); id != "" && len(id) <= maxDeliveryHeader {
			return id
		}
	}
	sum := sha256.Sum256(body)
	parts := nonEmpty(
		cutBytes(header.Get("X-Gitlab-Event-Uuid"), maxDeliveryHeader),
		cutBytes(header.Get("X-Gitlab-Webhook-Uuid"), maxDeliveryHeader),
		hex.EncodeToString(sum[:]),
	)
	return strings.Join(parts, "/")
}

// webhook is what we read of a body. Templates and versions differ: nothing in it need be there.
type webhook struct {
	ObjectKind string `json:"object_kind"`
	Ref        string `json:"ref"`
	After      string `json:"after"`
	User       user   `json:"user"`
	Attributes struct {
		ID           int    `json:"id"`
		IID          int    `json:"iid"`
		Action       string `json:"action"`
		NoteableType string `json:"noteable_type"` //nolint:misspell // GitLab's word
		Note         string `json:"note"`
		Description  string `json:"description"`
		System       bool   `json:"system"`
		AuthorID     int    `json:"author_id"`
		CreatedAt    stamp  `json:"created_at"`
	} `json:"object_attributes"`
	MergeRequest struct {
		IID        int `json:"iid"`
		LastCommit struct {
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
	case "pipeline", "build":
		return promote.Event{Kind: promote.EventStatus, Change: max(0, h.MergeRequest.IID)}, nil
	default:
		return promote.Event{}, fmt.Errorf("of no interest: %w", ErrIgnored)
	}
}

// push reports a branch that was pushed, made or deleted; deleted, its Head is empty. Tags are not branches: nothing that is
// promoted hangs on them.
func (h webhook) push() (promote.Event, error) {
	branch, ok := strings.CutPrefix(h.Ref, "refs/heads/")
	if !ok || branch == "" {
		return promote.Event{}, fmt.Errorf("ref %q is not a branch: %w", cutBytes(h.Ref, maxDeliveryHeader), ErrIgnored)
	}
	return promote.Event{Kind: promote.EventPush, Branch: promote.Branch(branch), Head: commit(h.After)}, nil
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
		return promote.Event{}, fmt.Errorf("%s: %w", reason, ErrIgnored)
	}
	return promote.Event{Kind: promote.EventComment, Change: h.MergeRequest.IID, Comment: promote.Comment{
		ID:       note.ID,
		Change:   h.MergeRequest.IID,
		Head:     commit(h.MergeRequest.LastCommit.ID),
		AuthorID: author.ID,
		Author:   author.Username,
		Body:     firstNonEmpty(note.Note, note.Description),
		At:       note.CreatedAt.Time,
	}}, nil
}

// commit reads a full object name; GitLab writes none as zeros.
func commit(id string) promote.Commit {
	if len(id) != 40 && len(id) != 64 || strings.Trim(id, "0123456789abcdef") != "" || strings.Trim(id, "0") == "" {
		return ""
	}
	return promote.Commit(id)
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
	if lenient(body, &hook) != nil {
		return ""
	}
	return firstNonEmpty(hook.Project.Path, hook.Path, urlPath(hook.Project.WebURL), urlPath(hook.Repository.Homepage))
}

func urlPath(link string) string {
	parsed, err := url.Parse(link)
	if err != nil {
		return ""
	}
	return strings.Trim(parsed.Path, "/")
}
