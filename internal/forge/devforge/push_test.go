package devforge_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xanzy/go-gitlab"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
)

// Real git pushes, and what the forge does about it.
func TestAPushMovesTheMergeRequest(t *testing.T) {
	b := newBench(t)
	received := b.listen(t, devforge.Hook{Token: "hook-secret"})
	m := b.open(t, "lockkeeper/web")
	dir := b.clone(t, "bot")
	mustGit(t, dir, "checkout", "-q", "lockkeeper/web")
	write(t, dir, "apps/web/dev.yaml", "image:\n  tag: 1.0.3\n")
	mustGit(t, dir, "commit", "-q", "-am", "Set 1.0.3")
	b.settle(t)
	received.reset()
	mustGit(t, dir, "push", "-q", "origin", "lockkeeper/web")
	head := mustGit(t, dir, "rev-parse", "HEAD")

	got, _, err := b.as(t, "bot").MergeRequests.GetMergeRequest(projectPath, m.IID, nil)
	if err != nil || got.SHA != head || got.DiffRefs.HeadSha != head || !got.UpdatedAt.After(*m.UpdatedAt) {
		t.Errorf("after the push it is %+v, %v", got, err)
	}
	b.settle(t)
	events := received.all()
	if len(events) != 2 {
		t.Fatalf("%d webhooks, want 2", len(events))
	}
	push := parseHook[*gitlab.PushEvent](t, events[0])
	if push.Ref != "refs/heads/lockkeeper/web" || push.Before != m.SHA || push.After != head || push.UserUsername != "bot" ||
		push.TotalCommitsCount != 1 || push.Commits[0].Modified[0] != "apps/web/dev.yaml" || push.Project.PathWithNamespace != projectPath {
		t.Errorf("push hook %s", events[0].body)
	}
	change := parseHook[*gitlab.MergeEvent](t, events[1])
	if change.ObjectAttributes.Action != "update" || change.ObjectAttributes.OldRev != m.SHA || change.ObjectAttributes.LastCommit.ID != head {
		t.Errorf("merge request hook %s", events[1].body)
	}
}

func TestPushesAreJudgedAndAnnounced(t *testing.T) {
	b := newBench(t)
	received := b.listen(t, devforge.Hook{})
	for _, tt := range []struct {
		name, user string
		push       []string
		refusal    string // part of git's output; empty when the push goes through
		hooks      []string
	}{
		{"a Developer makes a branch", "bot", []string{"HEAD:refs/heads/one"}, "", []string{"Push Hook"}},
		{"a Developer may not move a protected branch", "bot", []string{"HEAD:refs/heads/main"}, "not allowed to push code to protected branches", nil},
		{"one refused ref refuses all", "bot", []string{"HEAD:refs/heads/two", "HEAD:refs/heads/main"}, "pre-receive hook declined", nil},
		{"nobody deletes a protected branch", "owner", []string{":refs/heads/main"}, "delete protected branches", nil},
		{"a Reporter may not push", "reader", []string{"HEAD:refs/heads/three"}, "403", nil},
		{"a stranger sees nothing", "stranger", []string{"HEAD:refs/heads/three"}, "Authentication failed", nil},
		{"a Maintainer moves a protected branch", "owner", []string{"HEAD:refs/heads/main"}, "", []string{"Push Hook"}},
		{"a tag", "bot", []string{"HEAD:refs/tags/v1"}, "", []string{"Tag Push Hook"}},
		{"four refs at once send no hooks", "bot", []string{"HEAD:refs/heads/a", "HEAD:refs/heads/b", "HEAD:refs/heads/c", "HEAD:refs/heads/d"}, "", nil},
		{"a branch goes", "bot", []string{":refs/heads/one"}, "", []string{"Push Hook"}},
		{"the forge's own refs are hidden", "owner", []string{"HEAD:refs/merge-requests/9/head"}, "hidden ref", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := b.clone(t, "owner")
			write(t, dir, "note.txt", tt.name)
			mustGit(t, dir, "add", ".")
			mustGit(t, dir, "commit", "-q", "-m", tt.name)
			address := strings.Replace(b.url, "http://", "http://x:"+tt.user+"-token@", 1) + "/" + projectPath + ".git"
			received.reset()
			out, err := git(t, dir, append([]string{"push", address}, tt.push...)...)
			if (err == nil) != (tt.refusal == "") || !strings.Contains(out, tt.refusal) {
				t.Errorf("push: %v\n%s", err, out)
			}
			b.settle(t)
			var hooks []string
			for _, event := range received.all() {
				hooks = append(hooks, event.header.Get("X-Gitlab-Event"))
			}
			if strings.Join(hooks, ",") != strings.Join(tt.hooks, ",") {
				t.Errorf("hooks %v, want %v", hooks, tt.hooks)
			}
		})
	}
}

func TestAPushOfTheHeadToTheTargetMerges(t *testing.T) {
	b := newBench(t)
	m := b.open(t, "lockkeeper/web")
	dir := b.clone(t, "owner")
	mustGit(t, dir, "merge", "-q", "--no-ff", "-m", "By hand", "origin/lockkeeper/web")
	mustGit(t, dir, "push", "-q", "origin", "HEAD:main")
	got, _, err := b.as(t, "bot").MergeRequests.GetMergeRequest(projectPath, m.IID, nil)
	if err != nil || got.State != "merged" || got.MergedBy.Username != "owner" {
		t.Errorf("after the push it is %+v, %v", got, err)
	}
}

func TestALargePushAndItsFetchByCommit(t *testing.T) {
	b := newBench(t)
	dir := b.clone(t, "bot")
	large := make([]byte, 3<<20)
	for i, x := 0, uint32(7); i < len(large); i++ {
		x = x*1664525 + 1013904223
		large[i] = byte(x >> 24)
	}
	write(t, dir, "large.bin", string(large))
	mustGit(t, dir, "add", ".")
	mustGit(t, dir, "commit", "-q", "-m", "large")
	mustGit(t, dir, "push", "-q", "origin", "HEAD:refs/heads/large")
	head := mustGit(t, dir, "rev-parse", "HEAD")
	other := b.clone(t, "reader")
	mustGit(t, other, "fetch", "-q", "--depth=1", "origin", head)
	if kind := mustGit(t, other, "cat-file", "-t", head); kind != "commit" {
		t.Errorf("fetched a %s", kind)
	}
}

// A person comes back to a killed demo.
func TestStateOutlivesTheProcess(t *testing.T) {
	root := t.TempDir()
	persistent := func(c *devforge.Config) { c.Root, c.Persist = root, true }
	first := newBench(t, persistent)
	m := first.open(t, "lockkeeper/web")
	setStatus(t, first, m.SHA, gitlab.Success)
	if _, _, err := first.as(t, "bot").Notes.CreateMergeRequestNote(projectPath, m.IID, &gitlab.CreateMergeRequestNoteOptions{Body: new("hello")}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(root, "state.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("state file: %v, %v", info, err)
	}
	first.Close()
	bare := filepath.Join(root, "repositories", projectPath+".git")
	// What a push leaves behind when the forge is killed before it notices.
	pushed := mustGit(t, bare, "commit-tree", "main^{tree}", "-p", m.SHA, "-m", "pushed")
	mustGit(t, bare, "update-ref", "refs/heads/"+m.SourceBranch, pushed)

	second := newBench(t, persistent)
	got, _, err := second.as(t, "bot").MergeRequests.GetMergeRequest(projectPath, m.IID, nil)
	if err != nil || got.SHA != pushed || got.HeadPipeline != nil || got.UserNotesCount != 1 {
		t.Errorf("after a restart it is %+v, %v", got, err)
	}
	if statuses, _, err := second.as(t, "bot").Commits.GetCommitStatuses(projectPath, m.SHA, nil); err != nil || len(statuses) != 1 {
		t.Errorf("statuses %v, %v", statuses, err)
	}
	if next := second.open(t, "lockkeeper/next"); next.IID != 2 {
		t.Errorf("the next merge request is number %d", next.IID)
	}
	if _, err := second.CreateProject(projectPath, "main", nil); !strings.Contains(err.Error(), "already exists") {
		t.Errorf("making the project again: %v", err)
	}
	if err := os.WriteFile(filepath.Join(root, "state.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := devforge.New(devforge.Config{Root: root, Persist: true}); err == nil || !strings.Contains(err.Error(), "delete the directory") {
		t.Errorf("a broken state file: %v", err)
	}
}

// parseHook decodes with the client library, as a receiver would.
func parseHook[E any](t *testing.T, event hookCall) E {
	t.Helper()
	request := &http.Request{Header: event.header}
	parsed, err := gitlab.ParseWebhook(gitlab.HookEventType(request), event.body)
	if err != nil {
		t.Fatalf("%s: %v\n%s", event.header.Get("X-Gitlab-Event"), err, event.body)
	}
	typed, ok := parsed.(E)
	if !ok {
		t.Fatalf("a %T, not a %T: %s", parsed, typed, event.body)
	}
	if !json.Valid(event.body) {
		t.Errorf("not JSON: %s", event.body)
	}
	return typed
}
