package devforge_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-github/v62/github"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
)

const pullPage = "/" + repoPath + "/pull/1"

func TestAPersonReadsAndMergesAPullRequest(t *testing.T) {
	h := newHub(t)
	h.rule(t, &devforge.BranchRules{Checks: gates})
	head := h.openPull(t, "lockkeeper/web").GetHead().GetSHA()
	shows := func(what string, wanted ...string) {
		t.Helper()
		status, page, _ := h.visit(t, pullPage, nil)
		if status != http.StatusOK || strings.Contains(page, "merge request") || strings.Contains(page, `href="/`+repoPath+`/-/`) {
			t.Errorf("%s: status %d, or words and addresses of another forge", what, status)
		}
		for _, want := range wanted {
			if !strings.Contains(page, want) {
				t.Errorf("%s: the page has no %q", what, want)
			}
		}
	}
	shows("before the gates", "Promote web to 1.0.2", "#1", `Repository rule violations found: Required status check &#34;lockkeeper/gates&#34; is expected.`)
	status, page, _ := h.visit(t, pullPage+"/merge", url.Values{"sha": {head}})
	if status != http.StatusMethodNotAllowed || !strings.Contains(page, `role="alert"`) {
		t.Errorf("merging too early answers %d", status)
	}
	status, _, header := h.visit(t, pullPage+"/notes", url.Values{"body": {"/help\r\nplease"}})
	if status != http.StatusSeeOther || header.Get("Location") != pullPage {
		t.Errorf("commenting answers %d to %q", status, header.Get("Location"))
	}
	if status, page, _ := h.visit(t, pullPage+"/notes", url.Values{"body": {strings.Repeat("x", 65_537)}}); status != http.StatusUnprocessableEntity || !strings.Contains(page, "Body is too long") {
		t.Errorf("a comment that is too long answers %d", status)
	}
	comments, _, err := h.as(t, "bot").Issues.ListComments(t.Context(), repoOwner, repoName, 1, nil)
	if err != nil || len(comments) != 1 || comments[0].GetBody() != "/help\nplease" || comments[0].GetUser().GetLogin() != "you" {
		t.Errorf("comments %v, %v", comments, err)
	}
	if _, _, err := h.as(t, "bot").Reactions.CreateIssueCommentReaction(t.Context(), repoOwner, repoName, comments[0].GetID(), "+1"); err != nil {
		t.Fatal(err)
	}
	h.report(t, head, "success")
	shows("after the gates", `<span class="dot success"`, "👍 1", "Ready to merge", `id="issuecomment-`)
	for _, step := range []struct{ form, want string }{{"close", "closed"}, {"reopen", "open"}} {
		if status, _, _ := h.visit(t, pullPage+"/"+step.form, url.Values{}); status != http.StatusSeeOther || h.pull(t, 1).GetState() != step.want {
			t.Errorf("%s answers %d, it is %s", step.form, status, h.pull(t, 1).GetState())
		}
	}
	if status, _, _ := h.visit(t, pullPage+"/merge", url.Values{"sha": {strings.Repeat("0", 40)}}); status != http.StatusConflict {
		t.Errorf("merging another head answers %d", status)
	}
	if status, _, _ := h.visit(t, pullPage+"/merge", url.Values{"sha": {head}}); status != http.StatusSeeOther {
		t.Errorf("merging answers %d", status)
	}
	if got := h.pull(t, 1); !got.GetMerged() || got.GetMergedBy().GetLogin() != "you" {
		t.Errorf("merged %v", got)
	}
	shows("after the merge", "Merged", "by you at")
	for _, path := range []string{"/", "/" + repoPath, "/" + repoPath + "/pulls", "/" + repoPath + "/commit/" + head, "/" + repoPath + "/commits/main"} {
		if status, page, _ := h.visit(t, path, nil); status != http.StatusOK || strings.Contains(page, "merge request") {
			t.Errorf("%s answers %d, or has words of another forge", path, status)
		}
	}
	for _, path := range []string{"/" + repoPath + "/pull/9", "/" + repoPath + "/-/merge_requests/1", "/acme"} {
		if status, _, _ := h.visit(t, path, nil); status != http.StatusNotFound {
			t.Errorf("%s answers %d", path, status)
		}
	}
}

func TestAPersonPutsAPullRequestInTheQueue(t *testing.T) {
	h := newHub(t)
	h.rule(t, &devforge.BranchRules{Checks: gates, Queue: true})
	pull := h.queued(t, "web")[0]
	if status, _, _ := h.visit(t, pullPage+"/merge", url.Values{"sha": {pull.GetHead().GetSHA()}}); status != http.StatusSeeOther {
		t.Errorf("the button answers %d", status)
	}
	if _, page, _ := h.visit(t, pullPage, nil); !strings.Contains(page, "It is in the merge queue") {
		t.Error("the page does not say that it is in the queue")
	}
}

// A fork's pull request is readable by its number alone, and nothing of it is a branch here.
func TestGitHubForks(t *testing.T) {
	h := newHub(t)
	number, err := h.OpenFromFork(t.Context(), repoPath, devforge.Fork{
		Owner: "stranger", Branch: "main", Title: "Be nice", Files: map[string]string{"README.md": "# Mine\n"},
	})
	if err != nil {
		t.Fatal(err)
	}
	pull := h.pull(t, number)
	if pull.GetHead().GetRepo().GetFullName() != "stranger/gitops" || pull.GetHead().GetLabel() != "stranger:main" || pull.GetAuthorAssociation() != "NONE" {
		t.Errorf("head %v by %s", pull.GetHead(), pull.GetAuthorAssociation())
	}
	h.push(t, "main", "apps/web/dev.yaml", "image:\n  tag: 2.0.0\n")
	if got := h.pull(t, number).GetHead().GetSHA(); got != pull.GetHead().GetSHA() {
		t.Errorf("a push to our main moved its head to %s", got)
	}
	found, _, err := h.as(t, "bot").PullRequests.List(t.Context(), repoOwner, repoName, &github.PullRequestListOptions{Head: "acme:main"})
	if err != nil || len(found) != 0 {
		t.Errorf("our main heads %v, %v", numbers(found), err)
	}
	got := h.graph(t, "bot-token", `{ repository(owner: "acme", name: "gitops") { pullRequest(number: 1) { isCrossRepository headRepository { nameWithOwner } headRepositoryOwner { login } } } }`, nil)
	const want = `{"repository":{"pullRequest":{"headRepository":{"nameWithOwner":"stranger/gitops"},"headRepositoryOwner":{"login":"stranger"},"isCrossRepository":true}}}`
	if string(got.Data) != want {
		t.Errorf("graphql says %s, %v", got.Data, got.Errors)
	}
	if refs := mustGit(t, t.TempDir(), "ls-remote", strings.Replace(h.url, "http://", "http://x:bot-token@", 1)+"/"+repoPath+".git", "refs/heads/*", "refs/pull/*"); strings.Contains(refs, "fork") || !strings.Contains(refs, pull.GetHead().GetSHA()+"\trefs/pull/1/head") {
		t.Errorf("git serves\n%s", refs)
	}
}
