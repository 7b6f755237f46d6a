package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
)

// TestJobsOfGitHubActionsActOnTheirEvents runs jobs as GitHub starts them, without a server.
func TestJobsOfGitHubActionsActOnTheirEvents(t *testing.T) {
	t.Parallel()
	b := newBedOn(t, true)
	b.adopt()
	if _, err := b.forge.AddHook(worldProject, devforge.Hook{URL: "http://127.0.0.1:1/"}); err != nil {
		t.Fatal(err)
	}
	change := b.propose("1.0.2")

	b.you.comment(change.Number, "/hold because I say so")
	if code, out, errs := b.actionsJob(t, b.you, "issue_comment"); code != 2 {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	contains(t, b.notes(change.Number)[0], "on hold")

	reader := b.actor("rob", devforge.AccessReporter)
	reader.comment(change.Number, "/resume")
	b.actionsJob(t, reader, "issue_comment")
	if notes := b.notes(change.Number); len(notes) != 2 || !strings.Contains(notes[1], "needs write permission") {
		t.Errorf("notes: %q", notes)
	}

	b.branch("topic", "replicas: 1", "replicas: 3")
	number := b.you.open("topic", "main", "More replicas")
	b.actionsJob(t, b.you, "pull_request")
	contains(t, b.notes(number)[0], "What this changes in the cluster")

	summary, err := os.ReadFile(filepath.Join(b.dir, "summary.md"))
	if err != nil {
		t.Fatal(err)
	}
	contains(t, string(summary), "## Lockkeeper: a promotion is on its way and waits")
}

// actionsJob runs ci as a job that was started by the newest event of a kind.
func (b *bed) actionsJob(t *testing.T, by *actor, kind string) (code int, out, errs string) {
	t.Helper()
	if err := b.forge.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var payload []byte
	for _, delivery := range b.forge.Deliveries() {
		if delivery.Header.Get("X-GitHub-Event") == kind {
			payload = delivery.Body
		}
	}
	event := filepath.Join(b.dir, "event.json")
	if err := os.WriteFile(event, payload, 0o600); err != nil {
		t.Fatal(err)
	}
	return b.inJob(t, map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": b.forgeURL, "GITHUB_REPOSITORY": worldProject, "GITHUB_RUN_ID": "7",
		"GITHUB_ACTOR": by.name, "GITHUB_ACTOR_ID": strconv.Itoa(by.id), "GITHUB_EVENT_NAME": kind, "GITHUB_EVENT_PATH": event,
		"GITHUB_STEP_SUMMARY": filepath.Join(b.dir, "summary.md"),
	}, "ci")
}
