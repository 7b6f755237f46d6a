package github

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/internal/registryhook"
	"github.com/lockkeeper/lockkeeper/promote"
)

// MaxWebhookBody is the largest body that GitHub sends.
const MaxWebhookBody = 25 << 20

// unheeded says of events that the webhook or the App may be subscribed to why nothing is done about them.
var unheeded = map[string]string{
	"ping":                      "it only says that the webhook works",
	"installation":              "it is about no repository's content",
	"installation_repositories": "it is about no repository's content",
	"installation_target":       "it is about no repository's content",
	"deployment":                "deployments are written by us and never read",
	"deployment_status":         "deployments are written by us and never read",
	"member":                    "rights are asked for when they matter",
	"membership":                "rights are asked for when they matter",
	"organization":              "rights are asked for when they matter",
	"team":                      "rights are asked for when they matter",
	"team_add":                  "rights are asked for when they matter",
	"create":                    "a push says the same",
	"delete":                    "a push says the same",
	"workflow_job":              "its check run says the same",
	"workflow_run":              "its check suite says the same",
}

// ParseWebhook reads an authentic delivery, see [Verify]. The error wraps [forge.ErrIgnored] for everything that cannot concern a
// promotion, and for bodies that leave out what would be needed; another error means that it is no delivery of GitHub's. A
// redelivery has the Delivery of its first attempt.
func ParseWebhook(header http.Header, body []byte) (promote.Event, error) {
	name := header.Get("X-GitHub-Event")
	switch {
	case len(body) > MaxWebhookBody:
		return promote.Event{}, fmt.Errorf("webhook: the body has %d bytes, more than GitHub sends", len(body))
	case name == "":
		return promote.Event{}, errors.New("webhook: X-GitHub-Event is missing; does a proxy drop it?")
	}
	var hook webhook
	if err := forge.Decode(body, &hook); err != nil {
		return promote.Event{}, fmt.Errorf("webhook %q: body: %w", forge.Clip(name), err)
	}
	delivery := deliveryOf(header, body)
	var event promote.Event
	var err error
	switch name {
	case "check_run":
		event, err = hook.checkRun(appOf(header), delivery)
	case "check_suite":
		event, err = hook.checkSuite(appOf(header))
	case "package", "registry_package":
		event, err = artifact(body)
	default:
		event, err = hook.event(name)
	}
	if err != nil {
		return promote.Event{}, fmt.Errorf("webhook %q: %w", forge.Clip(name), err)
	}
	event.Delivery = delivery
	return event, nil
}

// deliveryOf is the same for every attempt at one delivery.
func deliveryOf(header http.Header, body []byte) string {
	if id := header.Get("X-GitHub-Delivery"); id != "" && len(id) <= forge.MaxDelivery {
		return id
	}
	return forge.Digest(body)
}

// appOf is the number of the GitHub App whose webhook this is; 0 for that of a repository or an organization.
func appOf(header http.Header) int64 {
	if header.Get("X-GitHub-Hook-Installation-Target-Type") != "integration" {
		return 0
	}
	id, err := strconv.ParseInt(header.Get("X-GitHub-Hook-Installation-Target-ID"), 10, 64)
	if err != nil {
		return 0
	}
	return id
}

// webhook is what we read of a body. Nothing in it need be there.
type webhook struct {
	Action      string  `json:"action"`
	Sender      account `json:"sender"`
	Ref         string  `json:"ref"`   // push
	After       string  `json:"after"` // push
	Deleted     bool    `json:"deleted"`
	PullRequest struct {
		Number int `json:"number"`
		Head   struct {
			SHA string `json:"sha"`
		} `json:"head"`
	} `json:"pull_request"`
	Issue struct {
		Number      int              `json:"number"`
		PullRequest *json.RawMessage `json:"pull_request"`
	} `json:"issue"`
	Comment    written `json:"comment"`
	Review     written `json:"review"`
	MergeGroup struct {
		HeadSHA string `json:"head_sha"`
		HeadRef string `json:"head_ref"`
		BaseRef string `json:"base_ref"`
	} `json:"merge_group"`
	CheckRun        check `json:"check_run"`
	CheckSuite      check `json:"check_suite"`
	RequestedAction struct {
		Identifier string `json:"identifier"`
	} `json:"requested_action"`
	Repository struct {
		ID       int64  `json:"id"`
		CloneURL string `json:"clone_url"`
	} `json:"repository"`
}

// written is what somebody wrote: a comment below a pull request, one in a file, or the text of a review.
type written struct {
	ID          int     `json:"id"`
	InReplyTo   int     `json:"in_reply_to_id"`
	User        account `json:"user"`
	Body        string  `json:"body"`
	Commit      string  `json:"commit_id"`
	CreatedAt   string  `json:"created_at"`
	SubmittedAt string  `json:"submitted_at"`
}

// account is a person or a program at GitHub.
type account struct {
	ID    int    `json:"id"`
	Login string `json:"login"`
	Type  string `json:"type"`
}

func (a account) program() bool { return a.Type == "Bot" }

func (h webhook) event(name string) (promote.Event, error) {
	switch name {
	case "push":
		return h.push()
	case "pull_request", "pull_request_review_thread":
		return promote.Event{Kind: promote.EventChange, Change: max(0, h.PullRequest.Number)}, nil
	case "pull_request_review":
		return h.review()
	case "pull_request_review_comment":
		return h.remark()
	case "issue_comment":
		return h.comment()
	case "status":
		return promote.Event{Kind: promote.EventStatus}, nil
	case "merge_group":
		return h.queue()
	}
	if reason := unheeded[name]; reason != "" {
		return promote.Event{}, forge.Ignored(reason)
	}
	return promote.Event{}, forge.Ignored("of no interest")
}

// push reports a branch that was pushed, made or deleted; deleted, its Head is empty. A tag is something new in a Git repository,
// which a warehouse may watch: no pipeline is read from it and no change has it for its head.
func (h webhook) push() (promote.Event, error) {
	source := forge.WebURL(h.Repository.CloneURL)
	if tag, ok := strings.CutPrefix(h.Ref, "refs/tags/"); ok && tag != "" && source != "" {
		return promote.Event{Kind: promote.EventArtifact, Image: source}, nil
	}
	branch, ok := strings.CutPrefix(h.Ref, "refs/heads/")
	switch {
	case !ok || branch == "":
		return promote.Event{}, forge.Ignored(fmt.Sprintf("ref %q is not a branch", forge.Clip(h.Ref)))
	case strings.HasPrefix(branch, queueBranches):
		return promote.Event{}, forge.Ignored("a branch of a merge queue")
	}
	event := promote.Event{Kind: promote.EventPush, Branch: promote.Branch(branch), Source: source}
	if !h.Deleted {
		event.Head = forge.ObjectName(h.After)
	}
	return event, nil
}

// comment reports what a person has just written below a change. The body does not name the change's head.
func (h webhook) comment() (promote.Event, error) {
	if h.Action == "created" && (h.Issue.PullRequest == nil || string(*h.Issue.PullRequest) == "null") {
		return promote.Event{}, forge.Ignored("not on a pull request")
	}
	return h.said(h.Comment, promote.Comment{ID: numbered(0, h.Comment.ID), Change: h.Issue.Number})
}

// remark reports what a person has just written in a file of a change.
func (h webhook) remark() (promote.Event, error) {
	first := h.Comment.InReplyTo
	if first <= 0 {
		first = h.Comment.ID
	}
	return h.said(h.Comment, promote.Comment{
		ID: numbered(remarks, h.Comment.ID), Change: h.PullRequest.Number, Thread: threadOf(first), Head: forge.ObjectName(h.PullRequest.Head.SHA),
	})
}

// review reports a review: as a comment when its text holds a command, of the head that was reviewed, otherwise as a change that
// may be approved. A run that works off a command looks at approvals, too.
func (h webhook) review() (promote.Event, error) {
	if _, _, ok := promote.ParseCommand(h.Review.Body); ok && h.Action == "submitted" {
		h.Action, h.Review.CreatedAt = "created", h.Review.SubmittedAt
		event, err := h.said(h.Review, promote.Comment{ID: numbered(reviews, h.Review.ID), Change: h.PullRequest.Number, Head: forge.ObjectName(h.Review.Commit)})
		if err == nil {
			return event, nil
		}
	}
	return promote.Event{Kind: promote.EventChange, Change: max(0, h.PullRequest.Number)}, nil
}

// said reports what a person has just written. What was written is not trusted beyond that, and who wrote it is asked for.
func (h webhook) said(text written, comment promote.Comment) (promote.Event, error) {
	author := text.User
	reason := ""
	switch {
	case h.Action != "created":
		reason = "not a new comment"
	case h.Sender.program() || author.program():
		reason = "written by a program"
	case h.Sender.ID != author.ID:
		reason = "sent by another account than the comment's author"
	case comment.ID <= 0 || comment.Change <= 0 || author.ID <= 0:
		reason = "the comment, its pull request or its author is not named"
	}
	if reason != "" {
		return promote.Event{}, forge.Ignored(reason)
	}
	written, _ := time.Parse(time.RFC3339, text.CreatedAt) // No time is better than no comment.
	comment.AuthorID, comment.Author, comment.Body, comment.At = author.ID, author.Login, text.Body, written.UTC()
	return promote.Event{Kind: promote.EventComment, Change: comment.Change, Comment: comment}, nil
}

// queue reports the commit that a merge queue wants judged: the target with all changes up to and with the one that its branch
// is named after. When it leaves the queue, merged or not, the change moved.
func (h webhook) queue() (promote.Event, error) {
	change := topOfQueue(h.MergeGroup.HeadRef)
	if h.Action == "destroyed" {
		return promote.Event{Kind: promote.EventChange, Change: change}, nil
	}
	head := forge.ObjectName(h.MergeGroup.HeadSHA)
	branch, ok := strings.CutPrefix(h.MergeGroup.BaseRef, "refs/heads/")
	switch {
	case h.Action != "checks_requested":
		return promote.Event{}, forge.Ignored("nothing is asked")
	case head == "" || !ok || branch == "":
		return promote.Event{}, forge.Ignored("the commit or its target is not named")
	}
	return promote.Event{Kind: promote.EventQueue, Branch: promote.Branch(branch), Head: head, Change: change}, nil
}

// artifact reports an image that was pushed to ghcr.io.
func artifact(body []byte) (promote.Event, error) {
	image, err := registryhook.GitHubImage(body)
	if errors.Is(err, registryhook.ErrIgnored) {
		return promote.Event{}, fmt.Errorf("%w: %w", err, forge.ErrIgnored)
	}
	if err != nil {
		return promote.Event{}, err
	}
	return promote.Event{Kind: promote.EventArtifact, Image: image}, nil
}

// ProjectOf returns the full name of the repository that a body is about, such as "owner/name"; empty when it does not say, as
// those about an installation do not.
func ProjectOf(body []byte) string {
	var hook struct {
		Repository struct {
			FullName string `json:"full_name"`
		} `json:"repository"`
	}
	if forge.Decode(body, &hook) != nil {
		return ""
	}
	return hook.Repository.FullName
}
