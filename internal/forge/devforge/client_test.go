package devforge_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xanzy/go-gitlab"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
)

// The life of a merge request through the unmodified client library.
func TestClientOpensGatesAndMerges(t *testing.T) {
	b := newBench(t)
	bot, owner := b.as(t, "bot"), b.as(t, "owner")
	if _, _, err := owner.Projects.EditProject(projectPath, &gitlab.EditProjectOptions{
		OnlyAllowMergeIfPipelineSucceeds: new(true),
	}); err != nil {
		t.Fatal(err)
	}
	m := b.open(t, "lockkeeper/web/dev")
	if m.IID != 1 || m.State != "opened" || m.SHA == "" || m.DiffRefs.HeadSha != m.SHA || m.ChangesCount != "1" {
		t.Errorf("created %+v", m)
	}
	if m.DetailedMergeStatus != "ci_must_pass" || m.HeadPipeline != nil {
		t.Errorf("before any status it is %q with pipeline %v", m.DetailedMergeStatus, m.HeadPipeline)
	}
	for _, step := range []struct {
		state gitlab.BuildStateValue
		want  string
	}{{gitlab.Pending, "ci_still_running"}, {gitlab.Failed, "ci_must_pass"}, {gitlab.Running, "ci_still_running"}, {gitlab.Success, "mergeable"}} {
		status, answer, err := bot.Commits.SetCommitStatus(projectPath, m.SHA, &gitlab.SetCommitStatusOptions{
			State: step.state, Name: new("lockkeeper/gates"), Description: new("4 of 7 gates"),
			Ref: new(m.SourceBranch), TargetURL: new("https://lockkeeper.example/1"),
		})
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != http.StatusCreated || status.Status != string(step.state) || status.Author.Username != "bot" {
			t.Errorf("status %s: %d %+v", step.state, answer.StatusCode, status)
		}
		got, _, err := bot.MergeRequests.GetMergeRequest(projectPath, m.IID, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got.DetailedMergeStatus != step.want || got.HeadPipeline == nil || got.HeadPipeline.SHA != m.SHA {
			t.Errorf("after %s it is %q with pipeline %v, want %q", step.state, got.DetailedMergeStatus, got.HeadPipeline, step.want)
		}
	}
	merged, _, err := owner.MergeRequests.AcceptMergeRequest(projectPath, m.IID, &gitlab.AcceptMergeRequestOptions{
		SHA: &m.SHA, ShouldRemoveSourceBranch: new(true), MergeCommitMessage: new("Promote web\n\nLockkeeper-Stage: dev\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if merged.State != "merged" || merged.MergeCommitSHA == "" || merged.MergedBy.Username != "owner" || merged.DetailedMergeStatus != "not_open" {
		t.Errorf("merged %+v", merged)
	}
	branch, _, err := bot.Branches.GetBranch(projectPath, "main")
	if err != nil {
		t.Fatal(err)
	}
	if branch.Commit.ID != merged.MergeCommitSHA || !strings.Contains(branch.Commit.Message, "Lockkeeper-Stage: dev") || len(branch.Commit.ParentIDs) != 2 {
		t.Errorf("main is at %+v", branch.Commit)
	}
	content, _, err := bot.RepositoryFiles.GetRawFile(projectPath, "apps/web/dev.yaml", &gitlab.GetRawFileOptions{Ref: new("main")})
	if err != nil || string(content) != "image:\n  tag: 1.0.2\n" {
		t.Errorf("main has %q, %v", content, err)
	}
	if _, answer, _ := bot.Branches.GetBranch(projectPath, m.SourceBranch); answer.StatusCode != http.StatusNotFound {
		t.Errorf("the source branch answers %d", answer.StatusCode)
	}
}

func TestClientListsByFilterAndPage(t *testing.T) {
	b := newBench(t)
	bot := b.as(t, "bot")
	for _, name := range []string{"a", "b", "c"} {
		b.open(t, "lockkeeper/"+name)
	}
	second := 2
	if _, _, err := bot.MergeRequests.UpdateMergeRequest(projectPath, second, &gitlab.UpdateMergeRequestOptions{
		Title: new("Second"), Description: new("- [x] one\n- [ ] two"), AddLabels: &gitlab.LabelOptions{"lockkeeper", "stage::dev"},
	}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := bot.MergeRequests.UpdateMergeRequest(projectPath, 3, &gitlab.UpdateMergeRequestOptions{StateEvent: new("close")}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		ask  gitlab.ListProjectMergeRequestsOptions
		want []int
	}{
		{"all, newest first", gitlab.ListProjectMergeRequestsOptions{}, []int{3, 2, 1}},
		{"open ones", gitlab.ListProjectMergeRequestsOptions{State: new("opened")}, []int{2, 1}},
		{"closed ones", gitlab.ListProjectMergeRequestsOptions{State: new("closed")}, []int{3}},
		{"by source branch", gitlab.ListProjectMergeRequestsOptions{SourceBranch: new("lockkeeper/a")}, []int{1}},
		{"by target branch", gitlab.ListProjectMergeRequestsOptions{TargetBranch: new("release")}, nil},
		{"by both labels", gitlab.ListProjectMergeRequestsOptions{Labels: &gitlab.LabelOptions{"lockkeeper", "stage::dev"}}, []int{2}},
		{"by a label nobody has", gitlab.ListProjectMergeRequestsOptions{Labels: &gitlab.LabelOptions{"lockkeeper", "stage::prod"}}, nil},
		{"by author", gitlab.ListProjectMergeRequestsOptions{AuthorUsername: new("owner")}, nil},
		{"by number", gitlab.ListProjectMergeRequestsOptions{IIDs: &[]int{1, 2}}, []int{2, 1}},
		{"by update, oldest first", gitlab.ListProjectMergeRequestsOptions{OrderBy: new("updated_at"), Sort: new("asc")}, []int{1, 2, 3}},
		{"the second page", gitlab.ListProjectMergeRequestsOptions{ListOptions: gitlab.ListOptions{Page: 2, PerPage: 2}}, []int{1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			found, _, err := bot.MergeRequests.ListProjectMergeRequests(projectPath, &tt.ask)
			if err != nil {
				t.Fatal(err)
			}
			var got []int
			for _, m := range found {
				got = append(got, m.IID)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	m, _, err := bot.MergeRequests.GetMergeRequest(projectPath, second, nil)
	if err != nil {
		t.Fatal(err)
	}
	since, _, err := bot.MergeRequests.ListProjectMergeRequests(projectPath, &gitlab.ListProjectMergeRequestsOptions{UpdatedAfter: m.UpdatedAt})
	if err != nil || len(since) != 2 {
		t.Errorf("updated since the second: %d, %v", len(since), err)
	}
	if m.TaskCompletionStatus.Count != 2 || m.TaskCompletionStatus.CompletedCount != 1 {
		t.Errorf("tasks are %+v", m.TaskCompletionStatus)
	}
	_, answer, err := bot.MergeRequests.ListProjectMergeRequests(projectPath, &gitlab.ListProjectMergeRequestsOptions{ListOptions: gitlab.ListOptions{PerPage: 2}})
	if err != nil || answer.NextPage != 2 || answer.TotalItems != 3 || answer.TotalPages != 2 ||
		!strings.Contains(answer.Header.Get("Link"), `rel="next"`) || !strings.Contains(answer.Header.Get("Link"), "per_page=2") {
		t.Errorf("page header is %+v, %v", answer, err)
	}
	labels, _, err := bot.Labels.ListLabels(projectPath, nil)
	if err != nil || len(labels) != 2 || labels[0].Name != "lockkeeper" {
		t.Errorf("labels %v, %v", labels, err)
	}
}

func TestClientTalks(t *testing.T) {
	b := newBench(t)
	bot, reader := b.as(t, "bot"), b.as(t, "reader")
	m := b.open(t, "lockkeeper/web")
	said, _, err := reader.Notes.CreateMergeRequestNote(projectPath, m.IID, &gitlab.CreateMergeRequestNoteOptions{Body: new("/status")})
	if err != nil {
		t.Fatal(err)
	}
	if said.Author.Username != "reader" || said.System || said.NoteableType != "MergeRequest" || said.NoteableIID != m.IID {
		t.Errorf("note %+v", said)
	}
	eyes, _, err := bot.AwardEmoji.CreateMergeRequestAwardEmojiOnNote(projectPath, m.IID, said.ID, &gitlab.CreateAwardEmojiOptions{Name: "eyes"})
	if err != nil || eyes.Name != "eyes" || eyes.AwardableType != "Note" {
		t.Fatalf("award %+v, %v", eyes, err)
	}
	if _, _, err := bot.AwardEmoji.CreateMergeRequestAwardEmojiOnNote(projectPath, m.IID, said.ID, &gitlab.CreateAwardEmojiOptions{Name: "eyes"}); err == nil {
		t.Error("the same reaction twice is no error")
	}
	if _, err := bot.AwardEmoji.DeleteMergeRequestAwardEmojiOnNote(projectPath, m.IID, said.ID, eyes.ID); err != nil {
		t.Error(err)
	}
	up, _, err := reader.AwardEmoji.CreateMergeRequestAwardEmoji(projectPath, m.IID, &gitlab.CreateAwardEmojiOptions{Name: "thumbsup"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bot.AwardEmoji.DeleteMergeRequestAwardEmoji(projectPath, m.IID, up.ID); err == nil {
		t.Error("somebody else's reaction can be taken back")
	}
	sticky, _, err := bot.Notes.CreateMergeRequestNote(projectPath, m.IID, &gitlab.CreateMergeRequestNoteOptions{Body: new("<!-- lockkeeper -->\nv1")})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := bot.Notes.UpdateMergeRequestNote(projectPath, m.IID, sticky.ID, &gitlab.UpdateMergeRequestNoteOptions{Body: new("<!-- lockkeeper -->\nv2")}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := reader.Notes.UpdateMergeRequestNote(projectPath, m.IID, sticky.ID, &gitlab.UpdateMergeRequestNoteOptions{Body: new("mine")}); err == nil {
		t.Error("a Reporter edits the bot's note")
	}
	if _, err := reader.Notes.DeleteMergeRequestNote(projectPath, m.IID, said.ID); err != nil {
		t.Error(err)
	}
	notes, _, err := bot.Notes.ListMergeRequestNotes(projectPath, m.IID, &gitlab.ListMergeRequestNotesOptions{Sort: new("asc")})
	if err != nil || len(notes) != 1 || notes[0].Body != "<!-- lockkeeper -->\nv2" || !notes[0].UpdatedAt.After(*notes[0].CreatedAt) {
		t.Errorf("notes %v, %v", notes, err)
	}
	got, _, err := bot.MergeRequests.GetMergeRequest(projectPath, m.IID, nil)
	if err != nil || got.Upvotes != 1 || got.UserNotesCount != 1 {
		t.Errorf("merge request %+v, %v", got, err)
	}
	if level := memberLevel(t, b, "reader"); level != devforge.AccessReporter {
		t.Errorf("reader has level %d", level)
	}
	if level := memberLevel(t, b, "stranger"); level != 0 {
		t.Errorf("stranger has level %d", level)
	}
}

func memberLevel(t *testing.T, b *bench, name string) int {
	t.Helper()
	client := b.as(t, "bot")
	users, _, err := client.Users.ListUsers(&gitlab.ListUsersOptions{Username: &name})
	if err != nil || len(users) != 1 {
		t.Fatalf("user %q: %v, %v", name, users, err)
	}
	member, answer, err := client.ProjectMembers.GetInheritedProjectMember(projectPath, users[0].ID)
	if answer != nil && answer.StatusCode == http.StatusNotFound {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	return int(member.AccessLevel)
}

func TestClientReadsTheRepository(t *testing.T) {
	b := newBench(t)
	bot := b.as(t, "bot")
	m := b.open(t, "lockkeeper/web")
	diffs, _, err := bot.MergeRequests.ListMergeRequestDiffs(projectPath, m.IID, nil)
	if err != nil || len(diffs) != 1 || diffs[0].NewPath != "apps/web/dev.yaml" || diffs[0].Diff != "@@ -1,2 +1,2 @@\n image:\n-  tag: 1.0.1\n+  tag: 1.0.2\n" {
		t.Errorf("diffs %+v, %v", diffs, err)
	}
	commits, _, err := bot.MergeRequests.GetMergeRequestCommits(projectPath, m.IID, nil)
	if err != nil || len(commits) != 1 || commits[0].ID != m.SHA {
		t.Errorf("commits %v, %v", commits, err)
	}
	compared, _, err := bot.Repositories.Compare(projectPath, &gitlab.CompareOptions{From: new("main"), To: new("lockkeeper/web")})
	if err != nil || len(compared.Commits) != 1 || len(compared.Diffs) != 1 || compared.Commit.ID != m.SHA {
		t.Errorf("compare %+v, %v", compared, err)
	}
	made, _, err := bot.Branches.CreateBranch(projectPath, &gitlab.CreateBranchOptions{Branch: new("copy"), Ref: new("lockkeeper/web")})
	if err != nil || made.Commit.ID != m.SHA {
		t.Errorf("branch %+v, %v", made, err)
	}
	if _, err := bot.Branches.DeleteBranch(projectPath, "copy"); err != nil {
		t.Error(err)
	}
	branches, _, err := bot.Branches.ListBranches(projectPath, &gitlab.ListBranchesOptions{Search: new("^lockkeeper/")})
	if err != nil || len(branches) != 1 || branches[0].Name != "lockkeeper/web" || branches[0].Merged {
		t.Errorf("branches %v, %v", branches, err)
	}
	history, _, err := bot.Commits.ListCommits(projectPath, &gitlab.ListCommitsOptions{RefName: new("lockkeeper/web"), Path: new("apps/web/dev.yaml")})
	if err != nil || len(history) != 2 {
		t.Errorf("history %v, %v", history, err)
	}
	one, _, err := bot.Commits.GetCommit(projectPath, m.SHA, nil)
	if err != nil || one.Stats.Additions != 1 || one.Stats.Deletions != 1 {
		t.Errorf("commit %+v, %v", one, err)
	}
	me, _, err := bot.Users.CurrentUser()
	if err != nil || me.Username != "bot" {
		t.Errorf("user %+v, %v", me, err)
	}
	version, _, err := bot.Version.GetVersion()
	if err != nil || !strings.HasPrefix(version.Version, "19.") {
		t.Errorf("version %+v, %v", version, err)
	}
	calls := b.Calls()
	if want := "/projects/{id}/repository/compare"; !slices.ContainsFunc(calls, func(c devforge.Call) bool { return c.Route == want && c.User == "bot" && c.Status == 200 }) {
		t.Errorf("no call of %s in %v", want, calls)
	}
	if b.ResetCalls(); len(b.Calls()) != 0 {
		t.Error("calls stay after a reset")
	}
}

func TestClientResolvesAThread(t *testing.T) {
	b := newBench(t)
	set(t, b, func(s *devforge.Settings) { s.DiscussionsMustResolve = true })
	b.open(t, "lockkeeper/web")
	bot := b.as(t, "bot")
	thread, _, err := bot.Discussions.CreateMergeRequestDiscussion(projectPath, 1, &gitlab.CreateMergeRequestDiscussionOptions{Body: new("on hold")})
	if err != nil {
		t.Fatal(err)
	}
	if got := b.state(t); got.DetailedMergeStatus != "discussions_not_resolved" || got.BlockingDiscussionsResolved {
		t.Errorf("with an open thread: %+v", got)
	}
	if _, _, err := bot.Discussions.AddMergeRequestDiscussionNote(projectPath, 1, thread.ID, &gitlab.AddMergeRequestDiscussionNoteOptions{Body: new("go on")}); err != nil {
		t.Fatal(err)
	}
	thread, _, err = bot.Discussions.ResolveMergeRequestDiscussion(projectPath, 1, thread.ID, &gitlab.ResolveMergeRequestDiscussionOptions{Resolved: new(true)})
	if err != nil || len(thread.Notes) != 2 || !thread.Notes[0].Resolved {
		t.Errorf("resolved %+v, %v", thread, err)
	}
	if got := b.state(t).DetailedMergeStatus; got != "mergeable" {
		t.Errorf("after resolving it is %s", got)
	}
}

func TestClientWaitsForThePipeline(t *testing.T) {
	b := newBench(t)
	m := b.open(t, "lockkeeper/web")
	setStatus(t, b, m.SHA, gitlab.Running)
	got, _, err := b.as(t, "owner").MergeRequests.AcceptMergeRequest(projectPath, m.IID, &gitlab.AcceptMergeRequestOptions{
		SHA: &m.SHA, MergeWhenPipelineSucceeds: new(true),
	})
	if err != nil || got.State != "opened" || !got.MergeWhenPipelineSucceeds {
		t.Fatalf("auto-merge: %+v, %v", got, err)
	}
	setStatus(t, b, m.SHA, gitlab.Success)
	got, _, err = b.as(t, "bot").MergeRequests.GetMergeRequest(projectPath, m.IID, nil)
	if err != nil || got.State != "merged" || got.MergedBy.Username != "owner" {
		t.Errorf("after success: %+v, %v", got, err)
	}
}

func setStatus(t *testing.T, b *bench, sha string, state gitlab.BuildStateValue) {
	t.Helper()
	_, _, err := b.as(t, "bot").Commits.SetCommitStatus(projectPath, sha, &gitlab.SetCommitStatusOptions{State: state, Name: new("gates")})
	if err != nil {
		t.Fatal(err)
	}
}

func TestMergeabilityIsComputedForAWhileIfSoConfigured(t *testing.T) {
	b := newBench(t, func(c *devforge.Config) { c.Checking = 2 })
	m := b.open(t, "lockkeeper/web")
	var got []string
	got = append(got, m.DetailedMergeStatus)
	for range 2 {
		m, _, err := b.as(t, "bot").MergeRequests.GetMergeRequest(projectPath, m.IID, nil)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m.DetailedMergeStatus)
	}
	if diff := cmp.Diff([]string{"checking", "checking", "mergeable"}, got); diff != "" {
		t.Error(diff)
	}
}
