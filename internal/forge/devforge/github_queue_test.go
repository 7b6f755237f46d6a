package devforge_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v62/github"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
)

const (
	enableAuto = `mutation($id: ID!, $head: GitObjectID) {
		enablePullRequestAutoMerge(input: {pullRequestId: $id, mergeMethod: SQUASH, expectedHeadOid: $head}) {
			pullRequest { autoMergeRequest { mergeMethod } isInMergeQueue }
		}
	}`
	disableAuto = `mutation($id: ID!) { disablePullRequestAutoMerge(input: {pullRequestId: $id}) { pullRequest { number } } }`
	enqueue     = `mutation($id: ID!, $head: GitObjectID) {
		enqueuePullRequest(input: {pullRequestId: $id, expectedHeadOid: $head}) { mergeQueueEntry { state position headCommit { oid } } }
	}`
	dequeue = `mutation($id: ID!) { dequeuePullRequest(input: {id: $id}) { mergeQueueEntry { id } } }`
)

var gates = []devforge.RequiredCheck{{Context: "lockkeeper/gates"}}

// refusedWith is the type and text of the first error of a GraphQL answer.
func (a graphAnswer) refusedWith() string {
	if len(a.Errors) == 0 {
		return ""
	}
	return a.Errors[0].Type + ": " + a.Errors[0].Message
}

func TestGitHubMergesByItself(t *testing.T) {
	h := newHub(t)
	h.rule(t, &devforge.BranchRules{Checks: gates})
	r := h.listen(t, devforge.Hook{Events: []devforge.HookEvent{devforge.HookPullRequest}})
	pull := h.openPull(t, "lockkeeper/web")
	id, head := pull.GetNodeID(), pull.GetHead().GetSHA()
	enable := func(head string) string {
		t.Helper()
		return h.graph(t, "bot-token", enableAuto, map[string]any{"id": id, "head": head}).refusedWith()
	}
	if got := enable(head); got != "UNPROCESSABLE: Auto merge is not allowed for this repository" {
		t.Errorf("before it is allowed: %s", got)
	}
	h.allow(t, func(s *devforge.Settings) { s.GitHub.AutoMerge = true })
	if got := enable(strings.Repeat("0", 40)); !strings.Contains(got, "expected head oid") {
		t.Errorf("with another head: %s", got)
	}
	h.report(t, head, "success")
	if got := enable(head); got != "UNPROCESSABLE: Pull request Pull request is in clean status" {
		t.Errorf("with nothing to wait for: %s", got)
	}
	h.report(t, head, "pending")
	if got := enable(head); got != "" {
		t.Fatalf("with a gate to wait for: %s", got)
	}
	if auto := h.pull(t, 1).GetAutoMerge(); auto.GetMergeMethod() != "squash" || auto.GetEnabledBy().GetLogin() != "bot" {
		t.Errorf("auto-merge %v", auto)
	}
	if got := h.graph(t, "bot-token", disableAuto, map[string]any{"id": id}).refusedWith(); got != "" {
		t.Errorf("disable: %s", got)
	}
	if got := enable(head); got != "" {
		t.Fatalf("again: %s", got)
	}
	h.report(t, head, "success")
	got := h.pull(t, 1)
	if !got.GetMerged() || got.GetMergedBy().GetLogin() != "bot" {
		t.Errorf("after success: %v", got)
	}
	commit, _, err := h.as(t, "bot").Repositories.GetCommit(t.Context(), repoOwner, repoName, "main", nil)
	if err != nil || commit.GetSHA() != got.GetMergeCommitSHA() || len(commit.Parents) != 1 || commit.Commit.GetMessage() != "Promote web to 1.0.2 (#1)" {
		t.Errorf("main is at %v, %v", commit, err)
	}
	h.settle(t)
	want := []string{
		"pull_request opened", "pull_request auto_merge_enabled", "pull_request auto_merge_disabled disabled by user", "pull_request auto_merge_enabled",
		"pull_request closed",
	}
	if diff := cmp.Diff(want, r.events()); diff != "" {
		t.Error(diff)
	}
}

// group is what a merge_group webhook says.
type group struct {
	Action string `json:"action"`
	Group  struct {
		HeadSHA string `json:"head_sha"`
		HeadRef string `json:"head_ref"`
		BaseSHA string `json:"base_sha"`
	} `json:"merge_group"`
}

// lastGroup is the last merge_group received.
func (r *hearing) lastGroup(t *testing.T) group {
	t.Helper()
	var last group
	for _, call := range r.all() {
		if call.header.Get("X-GitHub-Event") == "merge_group" && strings.Contains(string(call.body), "checks_requested") {
			if err := json.Unmarshal(call.body, &last); err != nil {
				t.Fatal(err)
			}
		}
	}
	return last
}

// queued opens pull requests that are ready for the queue.
func (h *hub) queued(t *testing.T, names ...string) []*github.PullRequest {
	t.Helper()
	var pulls []*github.PullRequest
	for _, name := range names {
		h.push(t, name, "apps/"+name+"/dev.yaml", "tag: 2\n")
		pull, _, err := h.as(t, "bot").PullRequests.Create(t.Context(), repoOwner, repoName, &github.NewPullRequest{
			Title: new("Promote " + name), Head: &name, Base: new("main"),
		})
		if err != nil {
			t.Fatal(err)
		}
		h.report(t, pull.GetHead().GetSHA(), "success")
		pulls = append(pulls, pull)
	}
	return pulls
}

func (h *hub) enqueue(t *testing.T, pull *github.PullRequest) {
	t.Helper()
	got := h.graph(t, "bot-token", enqueue, map[string]any{"id": pull.GetNodeID(), "head": pull.GetHead().GetSHA()})
	if text := got.refusedWith(); text != "" {
		t.Fatalf("enqueue: %s", text)
	}
}

func TestGitHubQueueMergesWhatItsChecksPass(t *testing.T) {
	h := newHub(t)
	h.rule(t, &devforge.BranchRules{Checks: gates, Queue: true})
	r := h.listen(t, devforge.Hook{Events: []devforge.HookEvent{devforge.HookPullRequest, devforge.HookMergeGroup}})
	pull := h.queued(t, "web")[0]
	_, _, err := h.as(t, "owner").PullRequests.Merge(t.Context(), repoOwner, repoName, 1, "", nil)
	if status, text := githubRefused(err); status != http.StatusMethodNotAllowed || !strings.Contains(text, "Changes must be made through the merge queue") {
		t.Errorf("a plain merge answers %d %q", status, text)
	}
	h.enqueue(t, pull)
	h.settle(t)
	asked := r.lastGroup(t)
	if want := "refs/heads/gh-readonly-queue/main/pr-1-" + asked.Group.BaseSHA; asked.Group.HeadRef != want {
		t.Errorf("the group's branch is %q, want %q", asked.Group.HeadRef, want)
	}
	state := h.graph(t, "bot-token", `{ repository(owner: "acme", name: "gitops") { pullRequest(number: 1) { isInMergeQueue mergeQueueEntry { state headCommit { oid } } } } }`, nil)
	if text := string(state.Data); !strings.Contains(text, `"isInMergeQueue":true`) || !strings.Contains(text, asked.Group.HeadSHA) {
		t.Errorf("in the queue it is %s", text)
	}
	h.report(t, asked.Group.HeadSHA, "pending")
	if h.pull(t, 1).GetMerged() {
		t.Error("it is merged while its checks are pending")
	}
	h.report(t, asked.Group.HeadSHA, "success")
	got := h.pull(t, 1)
	if !got.GetMerged() || got.GetMergeCommitSHA() != asked.Group.HeadSHA {
		t.Errorf("after success: %v", got)
	}
	if _, _, err := h.as(t, "bot").Repositories.GetBranch(t.Context(), repoOwner, repoName, strings.TrimPrefix(asked.Group.HeadRef, "refs/heads/"), 1); err == nil {
		t.Error("the group's branch stays")
	}
	h.settle(t)
	want := []string{
		"pull_request opened", "pull_request enqueued", "merge_group checks_requested", "pull_request closed", "pull_request dequeued MERGE",
		"merge_group destroyed merged",
	}
	if diff := cmp.Diff(want, r.events()); diff != "" {
		t.Error(diff)
	}
}

func TestGitHubQueueTakesFailuresOut(t *testing.T) {
	h := newHub(t)
	h.rule(t, &devforge.BranchRules{Checks: gates, Queue: true, QueueMethod: "squash"})
	r := h.listen(t, devforge.Hook{Events: []devforge.HookEvent{devforge.HookPullRequest, devforge.HookMergeGroup}})
	pulls := h.queued(t, "web", "api")
	for _, pull := range pulls {
		h.enqueue(t, pull)
	}
	h.settle(t)
	first, second := group{}, r.lastGroup(t)
	if err := json.Unmarshal(r.all()[3].body, &first); err != nil || second.Group.BaseSHA != first.Group.HeadSHA {
		t.Errorf("the second group is on %s, the first is %s, %v", second.Group.BaseSHA, first.Group.HeadSHA, err)
	}
	r.reset()
	h.report(t, first.Group.HeadSHA, "failure")
	h.settle(t)
	want := []string{
		"merge_group destroyed dequeued", "pull_request dequeued CI_FAILURE", "merge_group destroyed invalidated", "merge_group checks_requested",
	}
	if diff := cmp.Diff(want, r.events()); diff != "" {
		t.Error(diff)
	}
	h.report(t, r.lastGroup(t).Group.HeadSHA, "success")
	if !h.pull(t, 2).GetMerged() || h.pull(t, 1).GetMerged() {
		t.Error("not exactly the second is merged")
	}
	if got := h.graph(t, "bot-token", dequeue, map[string]any{"id": pulls[0].GetNodeID()}).refusedWith(); got != "UNPROCESSABLE: Pull request is not in the queue" {
		t.Errorf("dequeue: %s", got)
	}
}

// grouped is a hub whose queue tests up to three changes in one commit, and waits for as many; its events are heard.
func grouped(t *testing.T) (*hub, *hearing) {
	t.Helper()
	h := newHub(t)
	h.rule(t, &devforge.BranchRules{Checks: gates, Queue: true, QueueMost: 3, QueueLeast: 3, QueueMinutes: 30})
	return h, h.listen(t, devforge.Hook{Events: []devforge.HookEvent{devforge.HookMergeGroup, devforge.HookPullRequest}})
}

func (h *hub) wait(t *testing.T, passed time.Duration) {
	t.Helper()
	if err := h.QueueWaits(t.Context(), repoOwner+"/"+repoName, passed); err != nil {
		t.Fatal(err)
	}
	h.settle(t)
}

func (h *hub) mergedOf(t *testing.T, pulls ...*github.PullRequest) []bool {
	t.Helper()
	var merged []bool
	for _, pull := range pulls {
		merged = append(merged, h.pull(t, pull.GetNumber()).GetMerged())
	}
	return merged
}

func TestGitHubQueueTestsSeveralChangesInOneCommit(t *testing.T) {
	h, r := grouped(t)
	pulls := h.queued(t, "web", "api", "db")
	for i, pull := range pulls {
		h.settle(t)
		if asked := r.lastGroup(t); asked.Action != "" {
			t.Fatalf("with %d of three changes there is a group: %+v", i, asked)
		}
		h.enqueue(t, pull)
	}
	h.settle(t)
	asked := r.lastGroup(t)
	main, _, err := h.as(t, "bot").Repositories.GetBranch(t.Context(), repoOwner, repoName, "main", 1)
	if want := "refs/heads/gh-readonly-queue/main/pr-3-" + main.GetCommit().GetSHA(); err != nil || asked.Group.HeadRef != want || asked.Group.BaseSHA != main.GetCommit().GetSHA() {
		t.Errorf("the group is %+v, want %q, %v", asked, want, err)
	}
	h.report(t, asked.Group.HeadSHA, "success")
	if diff := cmp.Diff([]bool{true, true, true}, h.mergedOf(t, pulls...)); diff != "" {
		t.Errorf("merged: %s", diff)
	}
	if main, _, err := h.as(t, "bot").Repositories.GetBranch(t.Context(), repoOwner, repoName, "main", 1); err != nil || main.GetCommit().GetSHA() != asked.Group.HeadSHA {
		t.Errorf("main is at %s, not what was tested, %v", main.GetCommit().GetSHA(), err)
	}
}

func TestGitHubQueueTakesTheTopOfAGroupOut(t *testing.T) {
	h, r := grouped(t)
	pulls := h.queued(t, "web", "api", "db")
	for _, pull := range pulls {
		h.enqueue(t, pull)
	}
	h.settle(t)
	failed := r.lastGroup(t)
	r.reset()
	h.report(t, failed.Group.HeadSHA, "failure")
	h.settle(t)
	if diff := cmp.Diff([]string{"merge_group destroyed dequeued", "pull_request dequeued CI_FAILURE", "merge_group checks_requested"}, r.events()); diff != "" {
		t.Error(diff)
	}
	again := r.lastGroup(t)
	if !strings.Contains(again.Group.HeadRef, "/pr-2-") {
		t.Errorf("without the top the group is %+v", again)
	}
	if got := h.graph(t, "bot-token", dequeue, map[string]any{"id": pulls[0].GetNodeID()}).refusedWith(); got != "" {
		t.Fatal(got)
	}
	h.settle(t)
	h.report(t, again.Group.HeadSHA, "success")
	alone := r.lastGroup(t)
	if alone.Group.HeadSHA == again.Group.HeadSHA || h.pull(t, 2).GetMerged() {
		t.Errorf("what was tested with a change that left is merged: %+v", alone)
	}
	h.report(t, alone.Group.HeadSHA, "success")
	if diff := cmp.Diff([]bool{false, true, false}, h.mergedOf(t, pulls...)); diff != "" {
		t.Errorf("merged: %s", diff)
	}
}

func TestGitHubQueueHasNotAllTheTimeThereIs(t *testing.T) {
	h, r := grouped(t)
	pulls := h.queued(t, "web", "api")
	for _, pull := range pulls {
		h.enqueue(t, pull)
	}
	h.wait(t, 4*time.Minute)
	if asked := r.lastGroup(t); asked.Action != "" {
		t.Errorf("before five minutes there is a group: %+v", asked)
	}
	h.wait(t, time.Minute)
	first := r.lastGroup(t)
	if !strings.Contains(first.Group.HeadRef, "/pr-2-") {
		t.Fatalf("after five minutes the group is %+v", first)
	}
	h.wait(t, 29*time.Minute)
	r.reset()
	h.wait(t, time.Minute)
	if diff := cmp.Diff([]string{"merge_group destroyed dequeued", "pull_request dequeued CI_TIMEOUT", "merge_group checks_requested"}, r.events()); diff != "" {
		t.Error(diff)
	}
	h.report(t, r.lastGroup(t).Group.HeadSHA, "success")
	if diff := cmp.Diff([]bool{true, false}, h.mergedOf(t, pulls...)); diff != "" {
		t.Errorf("merged: %s", diff)
	}
}

func TestGitHubQueueDropsWhatCannotBeMergedInItsGroup(t *testing.T) {
	h, r := grouped(t)
	pulls := h.queued(t, "web", "api", "db")
	h.push(t, "same", "apps/web/dev.yaml", "tag: 3\n")
	same, _, err := h.as(t, "bot").PullRequests.Create(t.Context(), repoOwner, repoName, &github.NewPullRequest{Title: new("Same"), Head: new("same"), Base: new("main")})
	if err != nil {
		t.Fatal(err)
	}
	h.report(t, same.GetHead().GetSHA(), "success")
	for _, pull := range []*github.PullRequest{pulls[0], same, pulls[1]} {
		h.enqueue(t, pull)
	}
	h.settle(t)
	if !slices.Contains(r.events(), "pull_request dequeued MERGE_CONFLICT") {
		t.Errorf("events %q", r.events())
	}
	h.enqueue(t, pulls[2])
	h.settle(t)
	h.report(t, r.lastGroup(t).Group.HeadSHA, "success")
	if diff := cmp.Diff([]bool{true, false, true, true}, h.mergedOf(t, pulls[0], same, pulls[1], pulls[2])); diff != "" {
		t.Errorf("merged: %s", diff)
	}
}

func TestGitHubQueueStartsAnewWhenTheTargetMoves(t *testing.T) {
	h := newHub(t)
	h.rule(t, &devforge.BranchRules{Checks: gates, Queue: true})
	r := h.listen(t, devforge.Hook{Events: []devforge.HookEvent{devforge.HookMergeGroup}})
	pull := h.queued(t, "web")[0]
	h.enqueue(t, pull)
	h.settle(t)
	before := r.lastGroup(t)
	moved := h.push(t, "main", "README.md", "# Moved\n")
	h.settle(t)
	after := r.lastGroup(t)
	if after.Group.BaseSHA != moved || after.Group.HeadSHA == before.Group.HeadSHA {
		t.Errorf("the group is %+v after a push to main", after)
	}
	h.report(t, before.Group.HeadSHA, "success")
	if h.pull(t, 1).GetMerged() {
		t.Error("the checks of an old group merge")
	}
	h.report(t, after.Group.HeadSHA, "success")
	if !h.pull(t, 1).GetMerged() {
		t.Error("it is not merged")
	}
}

func TestGitHubAutoMergeGoesThroughTheQueue(t *testing.T) {
	h := newHub(t)
	h.rule(t, &devforge.BranchRules{Checks: gates, Queue: true})
	h.allow(t, func(s *devforge.Settings) { s.GitHub.AutoMerge = true })
	pull := h.openPull(t, "lockkeeper/web")
	got := h.graph(t, "bot-token", enableAuto, map[string]any{"id": pull.GetNodeID()})
	if text := string(got.Data); !strings.Contains(text, `"isInMergeQueue":false`) || got.Errors != nil {
		t.Errorf("with a pending gate: %s %v", text, got.Errors)
	}
	h.report(t, pull.GetHead().GetSHA(), "success")
	state := h.graph(t, "bot-token", `{ repository(owner: "acme", name: "gitops") { pullRequest(number: 1) { isInMergeQueue autoMergeRequest { mergeMethod } } } }`, nil)
	if text := string(state.Data); !strings.Contains(text, `"isInMergeQueue":true`) || !strings.Contains(text, `"autoMergeRequest":null`) {
		t.Errorf("after success: %s", text)
	}
}
