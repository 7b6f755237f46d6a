package devforge_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
)

// What GitHub's GraphQL refuses is told in an answer of status 200.
func TestGitHubGraphQLRefuses(t *testing.T) {
	h := newHub(t)
	pull := h.openPull(t, "lockkeeper/web")
	a := h.install(t, devforge.Hook{}, map[string]string{"metadata": "read", "pull_requests": "read"})
	app := h.token(t, a, nil)
	const pulls = `{ repository(owner: "acme", name: "gitops") { pullRequests(%s) { totalCount } } }`
	for _, tt := range []struct {
		name, token, query string
		variables          map[string]any
		want               string
	}{
		{"a repository that is not there", "bot-token", `{ repository(owner: "acme", name: "none") { id } }`, nil, "NOT_FOUND: Could not resolve to a Repository with the name 'acme/none'."},
		{"a repository that may not be seen", "stranger-token", `{ repository(owner: "acme", name: "gitops") { id } }`, nil, "NOT_FOUND: Could not resolve to a Repository with the name 'acme/gitops'."},
		{"a pull request that is not there", "bot-token", `{ repository(owner: "acme", name: "gitops") { pullRequest(number: 9) { id } } }`, nil, "NOT_FOUND: Could not resolve to a PullRequest with the number of 9."},
		{"a node that is not there", "bot-token", disableAuto, map[string]any{"id": "PR_x"}, "NOT_FOUND: Could not resolve to a node with the global id of 'PR_x'"},
		{"a list without bounds", "bot-token", fmt.Sprintf(pulls, "states: OPEN"), nil, "MISSING_PAGINATION_BOUNDARIES: You must provide a `first` or `last` value to properly paginate the `pullRequests` connection."},
		{"a list too long", "bot-token", fmt.Sprintf(pulls, "first: 101"), nil, "EXCESSIVE_PAGINATION: Requesting 101 records on the `pullRequests` connection exceeds the `first` limit of 100 records."},
		{"a field that this forge does not know", "bot-token", `{ repository(owner: "acme", name: "gitops") { stargazerCount } }`, nil, ": Field 'stargazerCount' doesn't exist on type 'Repository'"},
		{"an App without the permission", app, disableAuto, map[string]any{"id": pull.GetNodeID()}, "FORBIDDEN: Resource not accessible by integration"},
		{"a reader", "reader-token", disableAuto, map[string]any{"id": pull.GetNodeID()}, "FORBIDDEN: reader does not have the correct permissions to execute `DisablePullRequestAutoMerge`"},
		{"a queue where there is none", "bot-token", enqueue, map[string]any{"id": pull.GetNodeID()}, "UNPROCESSABLE: Merge queue is not enabled on the main branch"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, h.graph(t, tt.token, tt.query, tt.variables).refusedWith()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A selection is executed, whatever its shape: aliases, fragments, directives and pages.
func TestGitHubGraphQLExecutesSelections(t *testing.T) {
	h := newHub(t)
	a := h.install(t, devforge.Hook{}, botPermissions)
	h.rule(t, &devforge.BranchRules{Checks: gates})
	head := h.openPull(t, "lockkeeper/web").GetHead().GetSHA()
	h.openPull(t, "lockkeeper/api")
	h.report(t, head, "success")
	body := fmt.Sprintf(`{"name":"lint","head_sha":%q,"conclusion":"failure"}`, head)
	request := exchange{"", "POST", repoAPI + "/check-runs", body, 201, ""}
	if status, text, _ := h.rawHub(t, request, "Authorization", "token "+h.token(t, a, nil)); status != http.StatusCreated {
		t.Fatalf("check run: %d %s", status, text)
	}
	got := h.graph(t, "reader-token", `query($number: Int = 1, $bare: Boolean!) {
		repository(owner: "acme", name: "gitops") {
			page: pullRequests(first: 1, states: [OPEN, CLOSED], orderBy: {field: CREATED_AT, direction: ASC}) {
				totalCount pageInfo { hasNextPage endCursor } edges { node { number } }
			}
			pullRequest(number: $number) {
				title @skip(if: $bare)
				mergeStateStatus
				statusCheckRollup {
					state
					contexts(first: 10) { nodes { __typename ...on StatusContext { context creator { login } isRequired(pullRequestNumber: $number) } ...run } }
				}
			}
		}
	}
	fragment run on CheckRun { name conclusion isRequired(pullRequestNumber: $number) checkSuite { app { slug } } }`, map[string]any{"bare": true})
	const want = `{"repository":{"page":{"edges":[{"node":{"number":1}}],"pageInfo":{"endCursor":"Y3Vyc29yOjE=","hasNextPage":true},"totalCount":2},` +
		`"pullRequest":{"mergeStateStatus":"UNSTABLE","statusCheckRollup":{"contexts":{"nodes":[` +
		`{"__typename":"StatusContext","context":"lockkeeper/gates","creator":{"login":"bot"},"isRequired":true},` +
		`{"__typename":"CheckRun","checkSuite":{"app":{"slug":"lockkeeper"}},"conclusion":"FAILURE","isRequired":false,"name":"lint"}` +
		`]},"state":"FAILURE"}}}}`
	if diff := cmp.Diff(want, string(got.Data)); diff != "" || got.Errors != nil {
		t.Errorf("%s\n%v", diff, got.Errors)
	}
}

func TestGitHubStateOutlivesTheProcess(t *testing.T) {
	root := t.TempDir()
	persistent := func(c *devforge.Config) { c.Root, c.Persist = root, true }
	h := newHub(t, persistent)
	h.rule(t, &devforge.BranchRules{Checks: gates, Queue: true})
	a := h.install(t, devforge.Hook{}, botPermissions)
	pull := h.queued(t, "web")[0]
	h.enqueue(t, pull)
	token := h.token(t, a, nil)
	h.Close()
	again := newHub(t, persistent)
	state := again.graph(t, token, `{ repository(owner: "acme", name: "gitops") { pullRequest(number: 1) { mergeQueueEntry { headCommit { oid } } } } }`, nil)
	_, sha, _ := strings.Cut(string(state.Data), `"oid":"`)
	if len(sha) < 40 || state.Errors != nil {
		t.Fatalf("after a restart: %s %v", state.Data, state.Errors)
	}
	again.report(t, sha[:40], "success")
	if !again.pull(t, 1).GetMerged() {
		t.Error("the queue does not go on")
	}
}

func TestGitHubJudgesPushes(t *testing.T) {
	h := newHub(t)
	h.rule(t, &devforge.BranchRules{Approvals: 1})
	address := strings.Replace(h.url, "http://", "http://x:bot-token@", 1) + "/" + repoPath + ".git"
	dir := t.TempDir() + "/clone"
	mustGit(t, t.TempDir(), "clone", "-q", address, dir)
	write(t, dir, "README.md", "# Changed\n")
	mustGit(t, dir, "commit", "-qam", "Change")
	for ref, want := range map[string]string{
		"main": "GH013: Repository rule violations found for refs/heads/main.", "refs/pull/1/head": "deny updating a hidden ref",
		"gh-readonly-queue/main/pr-1-x": "GH013: Repository rule violations found",
	} {
		if out, err := git(t, dir, "push", "origin", "HEAD:"+map[bool]string{true: "refs/heads/"}[!strings.HasPrefix(ref, "refs/")]+ref); err == nil || !strings.Contains(out, want) {
			t.Errorf("a push to %s: %v\n%s", ref, err, out)
		}
	}
	mustGit(t, dir, "push", "-q", "origin", "HEAD:lockkeeper/web")
}

// What a client needs to know before it merges, and afterwards.
func TestGitHubGraphQLTellsRulesReviewsAndWhoClosed(t *testing.T) {
	h := newHub(t)
	h.rule(t, &devforge.BranchRules{Checks: gates, Approvals: 1, Linear: true, Methods: []string{"squash"}, Queue: true, QueueMethod: "squash"})
	pull := h.queued(t, "web")[0]
	for _, user := range []string{"reader", "owner"} {
		review := exchange{user, "POST", pullAPI + "/reviews", `{"event":"APPROVE"}`, 200, ""}
		if status, body, _ := h.rawHub(t, review); status != http.StatusOK {
			t.Fatalf("review: %d %s", status, body)
		}
	}
	got := h.graph(t, "bot-token", `{
		repository(owner: "acme", name: "gitops") {
			mergeQueue { configuration { mergeMethod } }
			pullRequest(number: 1) {
				reviewDecision
				baseRef { name branchProtectionRule { requiresLinearHistory } rules(first: 10) { nodes { type repositoryRuleset { enforcement } parameters {
					__typename
					...on PullRequestParameters { allowedMergeMethods }
					...on RequiredStatusChecksParameters { requiredStatusChecks { context integrationId } }
					...on MergeQueueParameters { mergeMethod }
				} } } }
				latestOpinionatedReviews(first: 10, writersOnly: true) { nodes { state author { login } } }
				reviews(first: 10) { totalCount nodes { body submittedAt commit { oid } } }
			}
		}
	}`, nil)
	text := string(got.Data)
	for _, want := range []string{
		`"reviewDecision":"APPROVED"`, `"branchProtectionRule":null`, `"allowedMergeMethods":["SQUASH"]`, `"type":"REQUIRED_LINEAR_HISTORY"`,
		`"nodes":[{"author":{"login":"owner"},"state":"APPROVED"}]`, `"totalCount":2`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s, %v", want, text, got.Errors)
		}
	}
	h.enqueue(t, pull)
	h.rule(t, &devforge.BranchRules{Linear: true})
	if status, body, _ := h.rawHub(t, exchange{"owner", "PUT", pullAPI + "/merge", `{}`, 405, ""}); status != http.StatusMethodNotAllowed || !strings.Contains(body, "must not contain merge commits") {
		t.Errorf("a merge commit in a linear history: %d %s", status, body)
	}
	h.rule(t, &devforge.BranchRules{Methods: []string{"squash"}})
	if status, body, _ := h.rawHub(t, exchange{"owner", "PUT", pullAPI + "/merge", `{"merge_method":"rebase"}`, 405, ""}); status != http.StatusMethodNotAllowed || !strings.Contains(body, "rebase is not allowed") {
		t.Errorf("a method that the rules leave out: %d %s", status, body)
	}
	if status, body, _ := h.rawHub(t, exchange{"owner", "PATCH", pullAPI, `{"state":"closed"}`, 200, ""}); status != http.StatusOK {
		t.Fatalf("close: %d %s", status, body)
	}
	closed := h.graph(t, "reader-token", `{ repository(owner: "acme", name: "gitops") { pullRequest(number: 1) {
		state isInMergeQueue timelineItems(last: 1, itemTypes: [CLOSED_EVENT]) { nodes { __typename ...on ClosedEvent { actor { __typename login } } } }
	} } }`, nil)
	if text := string(closed.Data); !strings.Contains(text, `"actor":{"__typename":"User","login":"owner"}`) || !strings.Contains(text, `"isInMergeQueue":false`) {
		t.Errorf("closed: %s, %v", text, closed.Errors)
	}
}
