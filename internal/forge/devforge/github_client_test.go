package devforge_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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

func numbers(pulls []*github.PullRequest) []int {
	var got []int
	for _, pull := range pulls {
		got = append(got, pull.GetNumber())
	}
	return got
}

func TestGitHubClientListsByFilterAndPage(t *testing.T) {
	h := newHub(t)
	for _, name := range []string{"a", "b", "c"} {
		h.openPull(t, "lockkeeper/"+name)
	}
	bot := h.as(t, "bot")
	if _, _, err := bot.PullRequests.Edit(t.Context(), repoOwner, repoName, 3, &github.PullRequest{State: new("closed")}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := bot.PullRequests.Edit(t.Context(), repoOwner, repoName, 1, &github.PullRequest{Body: new("newer")}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		ask  github.PullRequestListOptions
		want []int
	}{
		{"open ones, newest first", github.PullRequestListOptions{}, []int{2, 1}},
		{"closed ones", github.PullRequestListOptions{State: "closed"}, []int{3}},
		{"all, oldest first", github.PullRequestListOptions{State: "all", Direction: "asc"}, []int{1, 2, 3}},
		{"by head, with its owner", github.PullRequestListOptions{Head: "acme:lockkeeper/b"}, []int{2}},
		{"by a head of somebody else", github.PullRequestListOptions{Head: "other:lockkeeper/b"}, nil},
		{"by a head without an owner, which filters nothing", github.PullRequestListOptions{Head: "lockkeeper/b"}, []int{2, 1}},
		{"by base", github.PullRequestListOptions{Base: "release"}, nil},
		{"by update, which starts with the oldest", github.PullRequestListOptions{Sort: "updated"}, []int{2, 1}},
		{"the second page", github.PullRequestListOptions{State: "all", ListOptions: github.ListOptions{Page: 2, PerPage: 2}}, []int{1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			found, _, err := bot.PullRequests.List(t.Context(), repoOwner, repoName, &tt.ask)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, numbers(found)); diff != "" {
				t.Error(diff)
			}
		})
	}
	_, answer, err := bot.PullRequests.List(t.Context(), repoOwner, repoName, &github.PullRequestListOptions{State: "all", ListOptions: github.ListOptions{PerPage: 2}})
	if err != nil || answer.NextPage != 2 || answer.LastPage != 2 || !strings.Contains(answer.Header.Get("Link"), h.url+"/api/v3/repositories/1/pulls?") {
		t.Errorf("page header %q, %v", answer.Header.Get("Link"), err)
	}
	next, _, err := bot.PullRequests.List(t.Context(), repoOwner, repoName, &github.PullRequestListOptions{State: "all", ListOptions: github.ListOptions{Page: 2, PerPage: 2}})
	if err != nil || len(next) != 1 {
		t.Errorf("second page %v, %v", numbers(next), err)
	}
}

func TestGitHubClientTalks(t *testing.T) {
	h := newHub(t)
	h.openPull(t, "lockkeeper/web")
	bot, reader := h.as(t, "bot"), h.as(t, "reader")
	said, _, err := reader.Issues.CreateComment(t.Context(), repoOwner, repoName, 1, &github.IssueComment{Body: new("/status")})
	if err != nil || said.GetUser().GetLogin() != "reader" || said.GetAuthorAssociation() != "COLLABORATOR" {
		t.Fatalf("comment %v, %v", said, err)
	}
	for _, want := range []int{http.StatusCreated, http.StatusOK} { // the second time it is there already
		eyes, answer, err := bot.Reactions.CreateIssueCommentReaction(t.Context(), repoOwner, repoName, said.GetID(), "eyes")
		if err != nil || answer.StatusCode != want || eyes.GetContent() != "eyes" {
			t.Errorf("reaction %v: %d, want %d, %v", eyes, answer.StatusCode, want, err)
		}
	}
	reactions, _, err := bot.Reactions.ListIssueCommentReactions(t.Context(), repoOwner, repoName, said.GetID(), nil)
	if err != nil || len(reactions) != 1 {
		t.Errorf("reactions %v, %v", reactions, err)
	}
	if _, _, err := bot.Reactions.CreateIssueReaction(t.Context(), repoOwner, repoName, 1, "rocket"); err != nil {
		t.Error(err)
	}
	sticky, _, err := bot.Issues.CreateComment(t.Context(), repoOwner, repoName, 1, &github.IssueComment{Body: new("<!-- lockkeeper -->\nv1")})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := bot.Issues.EditComment(t.Context(), repoOwner, repoName, sticky.GetID(), &github.IssueComment{Body: new("<!-- lockkeeper -->\nv2")}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := reader.Issues.EditComment(t.Context(), repoOwner, repoName, sticky.GetID(), &github.IssueComment{Body: new("mine")}); err == nil {
		t.Error("a reader edits the bot's comment")
	}
	hidden := h.graph(t, "bot-token", `mutation($id: ID!) { minimizeComment(input: {subjectId: $id, classifier: OUTDATED}) { minimizedComment { isMinimized minimizedReason } } }`,
		map[string]any{"id": said.GetNodeID()})
	if text := string(hidden.Data); text != `{"minimizeComment":{"minimizedComment":{"isMinimized":true,"minimizedReason":"outdated"}}}` {
		t.Errorf("minimised %s, %v", text, hidden.Errors)
	}
	comments, _, err := bot.Issues.ListComments(t.Context(), repoOwner, repoName, 1, nil)
	if err != nil || len(comments) != 2 || comments[1].GetBody() != "<!-- lockkeeper -->\nv2" || comments[0].GetReactions().GetEyes() != 1 {
		t.Errorf("comments %v, %v", comments, err)
	}
	if _, err := reader.Issues.DeleteComment(t.Context(), repoOwner, repoName, said.GetID()); err != nil {
		t.Error(err)
	}
	if got := h.pull(t, 1).GetComments(); got != 1 {
		t.Errorf("%d comments", got)
	}
}

func TestGitHubClientAssignsAndAsks(t *testing.T) {
	h := newHub(t)
	if err := h.CreateTeam(repoOwner, "release", "owner", "reader"); err != nil {
		t.Fatal(err)
	}
	h.openPull(t, "lockkeeper/web")
	bot := h.as(t, "bot")
	issue, _, err := bot.Issues.Edit(t.Context(), repoOwner, repoName, 1, &github.IssueRequest{
		Labels: &[]string{"lockkeeper", "stage/dev"}, Assignees: &[]string{"owner", "stranger", "nobody"},
	})
	if err != nil || len(issue.Labels) != 2 || len(issue.Assignees) != 1 || issue.Assignees[0].GetLogin() != "owner" || !issue.IsPullRequest() {
		t.Errorf("issue %v, %v", issue, err)
	}
	pull, _, err := bot.PullRequests.RequestReviewers(t.Context(), repoOwner, repoName, 1, github.ReviewersRequest{
		Reviewers: []string{"owner"}, TeamReviewers: []string{"release"},
	})
	if err != nil || len(pull.RequestedReviewers) != 1 || len(pull.RequestedTeams) != 1 || pull.RequestedTeams[0].GetSlug() != "release" {
		t.Errorf("reviewers %v, %v", pull, err)
	}
	for name, want := range map[string]string{"bot": "author", "stranger": "Reviews may only be requested from collaborators"} {
		_, _, err := bot.PullRequests.RequestReviewers(t.Context(), repoOwner, repoName, 1, github.ReviewersRequest{Reviewers: []string{name}})
		if status, text := githubRefused(err); status != http.StatusUnprocessableEntity || !strings.Contains(text, want) {
			t.Errorf("review of %s: %d %q", name, status, text)
		}
	}
	membership, _, err := bot.Teams.GetTeamMembershipBySlug(t.Context(), repoOwner, "release", "reader")
	if err != nil || membership.GetState() != "active" {
		t.Errorf("membership %v, %v", membership, err)
	}
	if _, _, err := bot.Teams.GetTeamMembershipBySlug(t.Context(), repoOwner, "release", "bot"); err == nil {
		t.Error("the bot is in the team")
	}
	for name, want := range map[string][2]string{
		"admin": {"admin", "admin"}, "owner": {"write", "maintain"}, "bot": {"write", "write"}, "reader": {"read", "read"}, "stranger": {"none", ""},
	} {
		level, _, err := bot.Repositories.GetPermissionLevel(t.Context(), repoOwner, repoName, name)
		if err != nil || level.GetPermission() != want[0] || level.GetUser().GetRoleName() != want[1] || level.GetUser().GetPermissions()["pull"] != (want[0] != "none") {
			t.Errorf("permission of %s: %v, %v", name, level, err)
		}
	}
	if _, _, err := bot.Repositories.GetPermissionLevel(t.Context(), repoOwner, repoName, "nobody"); err == nil {
		t.Error("somebody unknown has a permission")
	}
}

func TestGitHubClientReadsTheRepository(t *testing.T) {
	h := newHub(t)
	pull := h.openPull(t, "lockkeeper/web")
	bot := h.as(t, "bot")
	files, _, err := bot.PullRequests.ListFiles(t.Context(), repoOwner, repoName, 1, nil)
	if err != nil || len(files) != 1 || files[0].GetFilename() != "apps/web/dev.yaml" || files[0].GetStatus() != "modified" ||
		files[0].GetPatch() != "@@ -1,2 +1,2 @@\n image:\n-  tag: 1.0.1\n+  tag: 1.0.2" {
		t.Errorf("files %v, %v", files, err)
	}
	commits, _, err := bot.PullRequests.ListCommits(t.Context(), repoOwner, repoName, 1, nil)
	if err != nil || len(commits) != 1 || commits[0].GetSHA() != pull.GetHead().GetSHA() || commits[0].GetAuthor().GetLogin() != "bot" {
		t.Errorf("commits %v, %v", commits, err)
	}
	h.report(t, pull.GetHead().GetSHA(), "failure")
	h.report(t, pull.GetHead().GetSHA(), "success")
	combined, _, err := bot.Repositories.GetCombinedStatus(t.Context(), repoOwner, repoName, "lockkeeper/web", nil)
	if err != nil || combined.GetState() != "success" || combined.GetTotalCount() != 1 {
		t.Errorf("combined status %v, %v", combined, err)
	}
	statuses, _, err := bot.Repositories.ListStatuses(t.Context(), repoOwner, repoName, pull.GetHead().GetSHA(), nil)
	if err != nil || len(statuses) != 2 || statuses[0].GetState() != "success" || statuses[0].GetCreator().GetLogin() != "bot" {
		t.Errorf("statuses %v, %v", statuses, err)
	}
	me, answer, err := bot.Users.Get(t.Context(), "")
	if err != nil || me.GetLogin() != "bot" || answer.Rate.Limit != 5000 || answer.Rate.Remaining >= 5000 {
		t.Errorf("user %v, rate %v, %v", me, answer.Rate, err)
	}
	if other, _, err := bot.Users.Get(t.Context(), "reader"); err != nil || other.GetLogin() != "reader" {
		t.Errorf("user %v, %v", other, err)
	}
	if limits, _, err := bot.RateLimit.Get(t.Context()); err != nil || limits.GetCore().Limit != 5000 {
		t.Errorf("limits %v, %v", limits, err)
	}
	if _, _, err := bot.Meta.Get(t.Context()); err != nil {
		t.Errorf("meta: %v", err)
	}
	clone := mustGit(t, t.TempDir(), "ls-remote", strings.Replace(h.url, "http://", "http://x:bot-token@", 1)+"/"+repoPath+".git", "refs/pull/*")
	if clone != pull.GetHead().GetSHA()+"\trefs/pull/1/head" {
		t.Errorf("git serves %q", clone)
	}
}

func TestGitHubClientSetsUpARepository(t *testing.T) {
	h := newHub(t)
	admin, bot := h.as(t, "admin"), h.as(t, "bot")
	repo, _, err := admin.Repositories.Edit(t.Context(), repoOwner, repoName, &github.Repository{AllowAutoMerge: new(true), AllowMergeCommit: new(false)})
	if err != nil || !repo.GetAllowAutoMerge() || repo.GetAllowMergeCommit() || !repo.GetAllowSquashMerge() {
		t.Errorf("settings %v, %v", repo, err)
	}
	if _, _, err := bot.Repositories.Edit(t.Context(), repoOwner, repoName, &github.Repository{AllowAutoMerge: new(false)}); err == nil {
		t.Error("the bot changes settings")
	}
	if _, _, err := admin.Repositories.GetBranchProtection(t.Context(), repoOwner, repoName, "main"); err == nil {
		t.Error("main is protected at first")
	}
	if _, _, err := admin.Repositories.UpdateBranchProtection(t.Context(), repoOwner, repoName, "main", &github.ProtectionRequest{
		RequiredStatusChecks: &github.RequiredStatusChecks{
			Strict: true, Contexts: &[]string{}, Checks: &[]*github.RequiredStatusCheck{{Context: "lockkeeper/gates"}},
		},
		RequiredPullRequestReviews: &github.PullRequestReviewsEnforcementRequest{RequiredApprovingReviewCount: 2},
		EnforceAdmins:              true,
	}); err != nil {
		t.Fatal(err)
	}
	got, _, err := admin.Repositories.GetBranchProtection(t.Context(), repoOwner, repoName, "main")
	if err != nil || !got.GetRequiredStatusChecks().Strict || got.GetRequiredPullRequestReviews().RequiredApprovingReviewCount != 2 || !got.GetEnforceAdmins().Enabled {
		t.Errorf("protection %v, %v", got, err)
	}
	branch, _, err := bot.Repositories.GetBranch(t.Context(), repoOwner, repoName, "main", 1)
	if err != nil || !branch.GetProtected() || len(*branch.GetProtection().GetRequiredStatusChecks().Checks) != 1 {
		t.Errorf("branch %v, %v", branch, err)
	}
	if rules, _, err := bot.Repositories.GetRulesForBranch(t.Context(), repoOwner, repoName, "main"); err != nil || len(rules) != 0 {
		t.Errorf("protections are among the rules: %v, %v", rules, err)
	}
	h.rule(t, &devforge.BranchRules{Checks: []devforge.RequiredCheck{{Context: "lockkeeper/gates", App: 7}}, Approvals: 1, Queue: true})
	rules, _, err := bot.Repositories.GetRulesForBranch(t.Context(), repoOwner, repoName, "main")
	if err != nil || len(rules) != 3 || !strings.Contains(string(*rules[0].Parameters), `"integration_id":7`) {
		t.Errorf("rules %v, %v", rules, err)
	}
	r := h.hear(t)
	hook, _, err := admin.Repositories.CreateHook(t.Context(), repoOwner, repoName, &github.Hook{
		Events: []string{"pull_request", "issue_comment"}, Active: new(true),
		Config: &github.HookConfig{URL: &r.url, ContentType: new("json"), Secret: new("s")},
	})
	if err != nil || hook.GetConfig().GetSecret() != "********" {
		t.Fatalf("hook %v, %v", hook, err)
	}
	h.settle(t)
	if diff := cmp.Diff([]string{"ping"}, r.events()); diff != "" {
		t.Error(diff)
	}
	if _, _, err := admin.Repositories.EditHook(t.Context(), repoOwner, repoName, hook.GetID(), &github.Hook{Active: new(false)}); err != nil {
		t.Error(err)
	}
	hooks, _, err := admin.Repositories.ListHooks(t.Context(), repoOwner, repoName, nil)
	if err != nil || len(hooks) != 1 || hooks[0].GetActive() {
		t.Errorf("hooks %v, %v", hooks, err)
	}
	deliveries, _, err := admin.Repositories.ListHookDeliveries(t.Context(), repoOwner, repoName, hook.GetID(), nil)
	if err != nil || len(deliveries) != 1 || deliveries[0].GetEvent() != "ping" {
		t.Errorf("deliveries %v, %v", deliveries, err)
	}
	if _, _, err := bot.Repositories.ListHooks(t.Context(), repoOwner, repoName, nil); err == nil {
		t.Error("the bot lists hooks")
	}
}

func TestGitHubClientDeploys(t *testing.T) {
	h := newHub(t)
	r := h.listen(t, devforge.Hook{Events: []devforge.HookEvent{devforge.HookDeployment, devforge.HookDeploymentStatus}})
	bot := h.as(t, "bot")
	deploy := func(environment string) *github.Deployment {
		t.Helper()
		made, _, err := bot.Repositories.CreateDeployment(t.Context(), repoOwner, repoName, &github.DeploymentRequest{
			Ref: new("main"), Environment: &environment, AutoMerge: new(false), RequiredContexts: &[]string{}, Description: new("web 1.0.2"),
			Payload: map[string]string{"promotion": "web-1.0.2"}, ProductionEnvironment: new(false),
		})
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	first, second := deploy("dev"), deploy("dev")
	for _, step := range []struct {
		id    int64
		state string
	}{{first.GetID(), "in_progress"}, {first.GetID(), "success"}, {second.GetID(), "success"}} {
		if _, _, err := bot.Repositories.CreateDeploymentStatus(t.Context(), repoOwner, repoName, step.id, &github.DeploymentStatusRequest{
			State: &step.state, LogURL: new("https://lockkeeper.example/1"), EnvironmentURL: new("https://dev.example"),
		}); err != nil {
			t.Fatal(err)
		}
	}
	found, _, err := bot.Repositories.ListDeployments(t.Context(), repoOwner, repoName, &github.DeploymentsListOptions{Environment: "dev"})
	if err != nil || len(found) != 2 || found[0].GetID() != second.GetID() || string(found[0].Payload) != `{"promotion":"web-1.0.2"}` {
		t.Errorf("deployments %v, %v", found, err)
	}
	statuses, _, err := bot.Repositories.ListDeploymentStatuses(t.Context(), repoOwner, repoName, first.GetID(), nil)
	if err != nil || len(statuses) != 3 || statuses[0].GetState() != "inactive" {
		t.Errorf("statuses of what was superseded: %v, %v", statuses, err)
	}
	environments, _, err := bot.Repositories.ListEnvironments(t.Context(), repoOwner, repoName, nil)
	if err != nil || environments.GetTotalCount() != 1 || environments.Environments[0].GetName() != "dev" {
		t.Errorf("environments %v, %v", environments, err)
	}
	if _, page, _ := h.visit(t, "/"+repoPath, nil); !strings.Contains(page, `<a href="https://lockkeeper.example/1"><b>dev</b></a> <span class="quiet">bot</span>`) || !strings.Contains(page, `<span class="state success">success</span>`) {
		t.Error("the page does not show what runs in dev")
	}
	h.settle(t)
	want := []string{"deployment created", "deployment created", "deployment_status created", "deployment_status created", "deployment_status created"}
	if diff := cmp.Diff(want, r.events()); diff != "" {
		t.Error(diff)
	}
}

func TestGitHubDraftsReviewsAndMethods(t *testing.T) {
	h := newHub(t)
	h.rule(t, &devforge.BranchRules{Approvals: 1, DismissStale: true})
	h.push(t, "lockkeeper/web", "apps/web/dev.yaml", "image:\n  tag: 1.0.2\n")
	h.push(t, "lockkeeper/web", "apps/web/prod.yaml", "image:\n  tag: 1.0.2\n")
	pull, _, err := h.as(t, "bot").PullRequests.Create(t.Context(), repoOwner, repoName, &github.NewPullRequest{
		Title: new("Promote web"), Head: new("lockkeeper/web"), Base: new("main"), Draft: new(true),
	})
	if err != nil || !pull.GetDraft() || pull.GetMergeableState() != "draft" {
		t.Fatalf("draft %v, %v", pull, err)
	}
	state := func() string { return h.pull(t, 1).GetMergeableState() }
	ready := h.graph(t, "bot-token", `mutation($id: ID!) { markPullRequestReadyForReview(input: {pullRequestId: $id}) { pullRequest { isDraft reviewDecision } } }`,
		map[string]any{"id": pull.GetNodeID()})
	if text := string(ready.Data); !strings.Contains(text, `"isDraft":false,"reviewDecision":"REVIEW_REQUIRED"`) {
		t.Errorf("ready %s, %v", text, ready.Errors)
	}
	review := func(user, event string) {
		t.Helper()
		if _, _, err := h.as(t, user).PullRequests.CreateReview(t.Context(), repoOwner, repoName, 1, &github.PullRequestReviewRequest{
			Event: &event, Body: new("seen"),
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct{ user, event, want string }{
		{"reader", "APPROVE", "blocked"}, // who may not write does not count
		{"owner", "APPROVE", "clean"},
		{"admin", "REQUEST_CHANGES", "blocked"},
		{"admin", "COMMENT", "blocked"},
		{"admin", "APPROVE", "clean"},
	} {
		review(step.user, step.event)
		if got := state(); got != step.want {
			t.Errorf("after %s of %s it is %s, want %s", step.event, step.user, got, step.want)
		}
	}
	h.push(t, "lockkeeper/web", "apps/web/dev.yaml", "image:\n  tag: 1.0.3\n")
	if got := state(); got != "blocked" {
		t.Errorf("after a push it is %s", got)
	}
	review("owner", "APPROVE")
	reviews, _, err := h.as(t, "bot").PullRequests.ListReviews(t.Context(), repoOwner, repoName, 1, nil)
	if err != nil || len(reviews) != 6 || reviews[1].GetState() != "DISMISSED" || reviews[5].GetState() != "APPROVED" {
		t.Errorf("reviews %v, %v", reviews, err)
	}
	h.push(t, "main", "README.md", "# Moved\n")
	h.allow(t, func(s *devforge.Settings) { s.GitHub.NoMergeCommit = true })
	_, _, err = h.as(t, "owner").PullRequests.Merge(t.Context(), repoOwner, repoName, 1, "", &github.PullRequestOptions{MergeMethod: "merge"})
	if status, text := githubRefused(err); status != http.StatusMethodNotAllowed || text != "Merge commits are not allowed on this repository." {
		t.Errorf("a method that is off: %d %q", status, text)
	}
	if _, _, err := h.as(t, "owner").PullRequests.Merge(t.Context(), repoOwner, repoName, 1, "", &github.PullRequestOptions{MergeMethod: "rebase"}); err != nil {
		t.Fatal(err)
	}
	commit, _, err := h.as(t, "bot").Repositories.GetCommit(t.Context(), repoOwner, repoName, "main", nil)
	if err != nil || commit.GetAuthor().GetLogin() != "bot" || commit.GetCommitter().GetLogin() != "owner" || len(commit.Parents) != 1 {
		t.Errorf("main is at %v, %v", commit, err)
	}
	dir := t.TempDir()
	mustGit(t, dir, "clone", "-q", strings.Replace(h.url, "http://", "http://x:bot-token@", 1)+"/"+repoPath+".git", "clone")
	if got := mustGit(t, dir+"/clone", "log", "--format=%s"); got != "Set apps/web/dev.yaml\nSet apps/web/prod.yaml\nSet apps/web/dev.yaml\nSet README.md\nInitial commit" {
		t.Errorf("the history is\n%s", got)
	}
	if got := mustGit(t, dir+"/clone", "show", "HEAD:apps/web/dev.yaml"); got != "image:\n  tag: 1.0.3" {
		t.Errorf("main has %q", got)
	}
}
