package devforge_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-github/v62/github"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
)

// The life of a pull request through the unmodified client library.
func TestGitHubClientOpensGatesAndMerges(t *testing.T) {
	h := newHub(t)
	h.rule(t, &devforge.BranchRules{Checks: []devforge.RequiredCheck{{Context: "lockkeeper/gates"}}})
	pull := h.openPull(t, "lockkeeper/web/dev")
	if pull.GetNumber() != 1 || pull.GetState() != "open" || pull.GetHead().GetSHA() == "" || pull.GetHTMLURL() != h.url+"/acme/gitops/pull/1" {
		t.Errorf("created %v", pull)
	}
	head := pull.GetHead().GetSHA()
	if got := h.pull(t, 1); got.GetMergeableState() != "blocked" || !got.GetMergeable() || got.GetChangedFiles() != 1 || got.GetAdditions() != 1 {
		t.Errorf("before any status: %v", got)
	}
	for _, step := range []struct{ state, mergeable, reason string }{
		{"pending", "blocked", `Required status check "lockkeeper/gates" is pending.`},
		{"failure", "blocked", `Required status check "lockkeeper/gates" is failing.`},
		{"success", "clean", ""},
	} {
		if step.reason != "" {
			h.report(t, head, step.state)
			_, _, err := h.as(t, "owner").PullRequests.Merge(t.Context(), repoOwner, repoName, 1, "", &github.PullRequestOptions{SHA: head})
			if status, text := githubRefused(err); status != http.StatusMethodNotAllowed || !strings.Contains(text, step.reason) {
				t.Errorf("with a status %s the merge answers %d %q", step.state, status, text)
			}
		} else {
			h.report(t, head, step.state)
		}
		if got := h.pull(t, 1).GetMergeableState(); got != step.mergeable {
			t.Errorf("with a status %s it is %s, want %s", step.state, got, step.mergeable)
		}
	}
	result, _, err := h.as(t, "owner").PullRequests.Merge(t.Context(), repoOwner, repoName, 1, "Lockkeeper-Stage: dev", &github.PullRequestOptions{
		SHA: head, CommitTitle: "Promote web", MergeMethod: "merge",
	})
	if err != nil || !result.GetMerged() {
		t.Fatalf("merge: %v, %v", result, err)
	}
	got := h.pull(t, 1)
	if got.GetState() != "closed" || !got.GetMerged() || got.GetMergedBy().GetLogin() != "owner" || got.GetMergeCommitSHA() != result.GetSHA() {
		t.Errorf("merged %v", got)
	}
	branch, _, err := h.as(t, "bot").Repositories.GetBranch(t.Context(), repoOwner, repoName, "main", 1)
	if err != nil || branch.GetCommit().GetSHA() != result.GetSHA() || branch.GetCommit().Commit.GetMessage() != "Promote web\n\nLockkeeper-Stage: dev" || len(branch.GetCommit().Parents) != 2 {
		t.Errorf("main is at %v, %v", branch, err)
	}
}

func TestGitHubClientListsOpenPullsByGraphQL(t *testing.T) {
	h := newHub(t)
	for _, name := range []string{"a", "b", "c"} {
		h.openPull(t, "lockkeeper/"+name)
	}
	if _, _, err := h.as(t, "bot").Issues.AddLabelsToIssue(t.Context(), repoOwner, repoName, 2, []string{"lockkeeper"}); err != nil {
		t.Fatal(err)
	}
	h.allow(t, func(s *devforge.Settings) { s.GitHub.AutoMerge = true })
	got := h.graph(t, "bot-token", `query($owner: String!, $name: String!, $labels: [String!]) {
		repository(owner: $owner, name: $name) {
			autoMergeAllowed
			pullRequests(states: [OPEN], labels: $labels, first: 50, orderBy: {field: UPDATED_AT, direction: DESC}) {
				pageInfo { hasNextPage endCursor }
				nodes { ...change }
			}
		}
	}
	fragment change on PullRequest {
		number title headRefOid mergeable mergeStateStatus author { login }
		labels(first: 5) { nodes { name } }
		commits(last: 1) { nodes { commit { statusCheckRollup { state } } } }
	}`, map[string]any{"owner": repoOwner, "name": repoName, "labels": []string{"lockkeeper"}})
	const want = `{"repository":{"autoMergeAllowed":true,"pullRequests":{"nodes":[{"author":{"login":"bot"},` +
		`"commits":{"nodes":[{"commit":{"statusCheckRollup":null}}]},"headRefOid":"HEAD","labels":{"nodes":[{"name":"lockkeeper"}]},` +
		`"mergeStateStatus":"CLEAN","mergeable":"MERGEABLE","number":2,"title":"Promote web to 1.0.2"}],` +
		`"pageInfo":{"endCursor":"Y3Vyc29yOjE=","hasNextPage":false}}}}`
	text := strings.Replace(string(got.Data), h.pull(t, 2).GetHead().GetSHA(), "HEAD", 1)
	if text != want || got.Errors != nil {
		t.Errorf("got %s, %v", text, got.Errors)
	}
}
