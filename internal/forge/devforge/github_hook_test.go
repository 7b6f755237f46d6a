package devforge_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v62/github"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/lockkeeper/lockkeeper/internal/contract"
	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
)

// loadEvents compiles the schema of GitHub's webhooks once.
var loadEvents = sync.OnceValues(func() (*jsonschema.Compiler, error) {
	dir, err := contract.Dir()
	if err != nil {
		return nil, err
	}
	file, err := os.Open(filepath.Join(dir, "github-webhooks", "webhooks-schema-subset.json"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	document, err := jsonschema.UnmarshalJSON(file)
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	// The checker of this format refuses GitHub's own templates, such as {/number}.
	compiler.RegisterFormat(&jsonschema.Format{Name: "uri-template", Validate: func(any) error { return nil }})
	return compiler, compiler.AddResource("webhooks.json", document)
})

// checkEvent validates one payload; it says so when the schema is not at hand.
func checkEvent(t *testing.T, event string, body []byte) {
	t.Helper()
	compiler, err := loadEvents()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Errorf("this test needs the official webhook schemas: %v", err)
		}
		return
	}
	name := event + "_event"
	if slices.Contains([]string{"push", "ping", "status"}, event) {
		name = event + "$event"
	}
	schema, err := compiler.Compile("webhooks.json#/definitions/" + name)
	if err != nil {
		t.Errorf("schema of %s: %v", event, err)
		return
	}
	payload, err := jsonschema.UnmarshalJSON(strings.NewReader(string(body)))
	if err != nil {
		t.Errorf("payload of %s: %v", event, err)
		return
	}
	if err := schema.Validate(payload); err != nil {
		t.Errorf("payload of %s: %#v in %.300s", event, err, body)
	}
}

// hearing is a receiver and its address.
type hearing struct {
	*receiver
	url string
}

// hear makes a receiver, for the repository or for an App. What it gets is checked at the end of the test.
func (h *hub) hear(t *testing.T) *hearing {
	t.Helper()
	r := &receiver{status: http.StatusOK}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	t.Cleanup(func() {
		for _, call := range r.all() {
			checkEvent(t, call.header.Get("X-GitHub-Event"), call.body)
		}
	})
	return &hearing{r, server.URL}
}

// listen is hear with a hook of the repository.
func (h *hub) listen(t *testing.T, hook devforge.Hook) *hearing {
	t.Helper()
	r := h.hear(t)
	hook.URL = r.url
	if _, err := h.AddHook(repoPath, hook); err != nil {
		t.Fatal(err)
	}
	return r
}

// events are the events received so far, with their actions.
func (r *hearing) events() []string {
	var got []string
	for _, call := range r.all() {
		var body struct {
			Action string `json:"action"`
			Reason string `json:"reason"`
		}
		_ = json.Unmarshal(call.body, &body)
		name := call.header.Get("X-GitHub-Event")
		for _, part := range []string{body.Action, body.Reason} {
			if part != "" {
				name += " " + part
			}
		}
		got = append(got, name)
	}
	return got
}

func TestGitHubHooksHaveGitHubsShape(t *testing.T) {
	h := newHub(t)
	r := h.listen(t, devforge.Hook{Token: "hook-secret"})
	bot := h.as(t, "bot")
	pull := h.openPull(t, "lockkeeper/web")
	number := pull.GetNumber()
	edit := func(change *github.PullRequest) {
		t.Helper()
		if _, _, err := bot.PullRequests.Edit(t.Context(), repoOwner, repoName, number, change); err != nil {
			t.Fatal(err)
		}
	}
	edit(&github.PullRequest{Title: new("Promote web"), Body: new("all of it")})
	if _, _, err := bot.Issues.AddLabelsToIssue(t.Context(), repoOwner, repoName, number, []string{"lockkeeper"}); err != nil {
		t.Fatal(err)
	}
	if _, err := bot.Issues.RemoveLabelForIssue(t.Context(), repoOwner, repoName, number, "lockkeeper"); err != nil {
		t.Fatal(err)
	}
	said, _, err := h.as(t, "reader").Issues.CreateComment(t.Context(), repoOwner, repoName, number, &github.IssueComment{Body: new("/promote")})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.as(t, "reader").Issues.EditComment(t.Context(), repoOwner, repoName, said.GetID(), &github.IssueComment{Body: new("/hold")}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.as(t, "reader").Issues.DeleteComment(t.Context(), repoOwner, repoName, said.GetID()); err != nil {
		t.Fatal(err)
	}
	head := h.push(t, "lockkeeper/web", "apps/web/dev.yaml", "image:\n  tag: 1.0.3\n")
	h.report(t, head, "success")
	if _, _, err := h.as(t, "owner").PullRequests.CreateReview(t.Context(), repoOwner, repoName, number, &github.PullRequestReviewRequest{Event: new("APPROVE")}); err != nil {
		t.Fatal(err)
	}
	remark, _, err := h.as(t, "reader").PullRequests.CreateComment(t.Context(), repoOwner, repoName, number, &github.PullRequestComment{
		Body: new("/promote"), Path: new("apps/web/dev.yaml"), Line: new(2), CommitID: &head,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.as(t, "reader").PullRequests.EditComment(t.Context(), repoOwner, repoName, remark.GetID(), &github.PullRequestComment{Body: new("/hold")}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.as(t, "reader").PullRequests.DeleteComment(t.Context(), repoOwner, repoName, remark.GetID()); err != nil {
		t.Fatal(err)
	}
	edit(&github.PullRequest{State: new("closed")})
	edit(&github.PullRequest{State: new("open")})
	if _, _, err := h.as(t, "owner").PullRequests.Merge(t.Context(), repoOwner, repoName, number, "", nil); err != nil {
		t.Fatal(err)
	}
	h.settle(t)
	want := []string{
		"push", "pull_request opened", "pull_request edited", "pull_request labeled", "pull_request unlabeled", "issue_comment created",
		"issue_comment edited", "issue_comment deleted", "push", "pull_request synchronize", "status", "pull_request_review submitted",
		"pull_request_review submitted", "pull_request_review_comment created", "pull_request_review_comment edited",
		"pull_request_review_comment deleted", "pull_request closed", "pull_request reopened", "pull_request closed", "push",
	}
	if diff := cmp.Diff(want, r.events()); diff != "" {
		t.Error(diff)
	}
	for _, call := range r.all() {
		mac := hmac.New(sha256.New, []byte("hook-secret"))
		mac.Write(call.body)
		if got := call.header.Get("X-Hub-Signature-256"); got != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
			t.Errorf("signature %q", got)
		}
		for _, name := range []string{"X-GitHub-Delivery", "X-GitHub-Hook-ID", "X-GitHub-Hook-Installation-Target-ID"} {
			if call.header.Get(name) == "" {
				t.Errorf("no %s", name)
			}
		}
		if !strings.HasPrefix(call.header.Get("User-Agent"), "GitHub-Hookshot/") {
			t.Errorf("User-Agent %q", call.header.Get("User-Agent"))
		}
		if _, err := github.ParseWebHook(call.header.Get("X-GitHub-Event"), call.body); err != nil {
			t.Errorf("the client library reads %s: %v", call.header.Get("X-GitHub-Event"), err)
		}
	}
}

// Every kind of move of a ref is a push event of GitHub's shape.
func TestGitHubHooksOfPushes(t *testing.T) {
	h := newHub(t)
	r := h.listen(t, devforge.Hook{Events: []devforge.HookEvent{devforge.HookPush}})
	dir := t.TempDir() + "/clone"
	mustGit(t, t.TempDir(), "clone", "-q", strings.Replace(h.url, "http://", "http://x:bot-token@", 1)+"/"+repoPath+".git", dir)
	write(t, dir, "README.md", "# One\n")
	mustGit(t, dir, "commit", "-qam", "One")
	mustGit(t, dir, "push", "-q", "origin", "HEAD:topic")
	write(t, dir, "README.md", "# Two\n")
	mustGit(t, dir, "commit", "-qa", "--amend", "-m", "Two")
	mustGit(t, dir, "push", "-qf", "origin", "HEAD:topic")
	mustGit(t, dir, "tag", "v1")
	mustGit(t, dir, "push", "-q", "origin", "v1")
	mustGit(t, dir, "push", "-q", "origin", ":topic")
	h.settle(t)
	type push struct {
		Ref     string `json:"ref"`
		Created bool   `json:"created"`
		Deleted bool   `json:"deleted"`
		Forced  bool   `json:"forced"`
		Commits []struct {
			Message  string   `json:"message"`
			Modified []string `json:"modified"`
		} `json:"commits"`
	}
	var got []string
	for _, call := range r.all() {
		var body push
		if err := json.Unmarshal(call.body, &body); err != nil {
			t.Fatal(err)
		}
		line := body.Ref
		for word, on := range map[string]bool{" created": body.Created, " deleted": body.Deleted, " forced": body.Forced} {
			if on {
				line += word
			}
		}
		for _, commit := range body.Commits {
			line += ": " + commit.Message + " changes " + strings.Join(commit.Modified, ", ")
		}
		got = append(got, line)
	}
	want := []string{
		"refs/heads/topic created: One changes README.md", "refs/heads/topic forced: Two changes README.md", "refs/tags/v1 created",
		"refs/heads/topic deleted",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What people do around a pull request has GitHub's shape too.
func TestGitHubHooksOfPeople(t *testing.T) {
	h := newHub(t)
	if err := h.CreateTeam(repoOwner, "release", "owner"); err != nil {
		t.Fatal(err)
	}
	r := h.listen(t, devforge.Hook{Events: []devforge.HookEvent{"*"}})
	pull := h.openPull(t, "lockkeeper/web")
	h.settle(t)
	r.reset()
	for _, e := range []exchange{
		{"bot", "POST", pullAPI + "/requested_reviewers", `{"reviewers":["owner"],"team_reviewers":["release"]}`, 201, ""},
		{"bot", "POST", repoAPI + "/issues/1/assignees", `{"assignees":["owner"]}`, 201, ""},
		{"bot", "PATCH", repoAPI + "/issues/1", `{"assignees":[]}`, 200, ""},
	} {
		if status, body, _ := h.rawHub(t, e); status != e.status {
			t.Fatalf("%s answers %d %s", e.path, status, body)
		}
	}
	for _, mutation := range []string{"convertPullRequestToDraft", "markPullRequestReadyForReview"} {
		text := "mutation($id: ID!) { " + mutation + "(input: {pullRequestId: $id}) { pullRequest { isDraft } } }"
		if got := h.graph(t, "bot-token", text, map[string]any{"id": pull.GetNodeID()}).refusedWith(); got != "" {
			t.Errorf("%s: %s", mutation, got)
		}
	}
	h.settle(t)
	want := []string{
		"pull_request review_requested", "pull_request review_requested", "pull_request assigned", "pull_request unassigned",
		"pull_request converted_to_draft", "pull_request ready_for_review",
	}
	if diff := cmp.Diff(want, r.events()); diff != "" {
		t.Error(diff)
	}
}
