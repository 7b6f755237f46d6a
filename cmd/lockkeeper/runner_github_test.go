package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
)

// TestActionInARunner runs the action as workflows use it, in a runner of GitHub Actions (https://github.com/nektos/act) that has no
// containers: its steps run on this machine.
func TestActionInARunner(t *testing.T) {
	t.Parallel()
	act := tool(t, "act")
	t.Run("the workflow of the docs", func(t *testing.T) {
		t.Parallel()
		newActions(t, act).job(t)
	})
	t.Run("the action builds what it is", func(t *testing.T) {
		t.Parallel()
		newActions(t, act).build(t)
	})
	t.Run("lint and diff of a pull request", func(t *testing.T) {
		t.Parallel()
		newActions(t, act).review(t)
	})
}

// actions is a runner of GitHub Actions.
type actions struct {
	*runner
	act string
}

func newActions(t *testing.T, act string) *actions {
	t.Helper()
	b := newBedOn(t, true)
	b.adopt()
	if _, err := b.forge.AddHook(worldProject, devforge.Hook{URL: "http://127.0.0.1:1/"}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile(filepath.Join(checkoutDir, "action.yml")); err != nil { // go test runs this anew when it is another
		t.Fatal(err)
	}
	return &actions{runner: newRunner(t, b), act: act}
}

// logLine is a line of a runner's log, as JSON.
type logLine struct {
	Text    string            `json:"msg"`
	Command string            `json:"command"` // a workflow command was obeyed; "ignored": it was in a fence
	Data    string            `json:"arg"`
	Place   map[string]string `json:"kvPairs"`
	Result  string            `json:"jobResult"`
}

// start has a workflow run as one that an event has started, and returns its log.
func (a *actions) start(t *testing.T, event, workflow string, by *actor) (lines []logLine, result string) {
	t.Helper()
	if err := a.forge.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	dir := a.clone(t, "main")
	checkout, err := filepath.Abs(checkoutDir)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string]string{".github/workflows/lockkeeper.yaml": workflow})
	args := []string{
		event, "--json", "--platform", "ubuntu-latest=-self-hosted", "--local-repository", "lockkeeper/lockkeeper@main=" + checkout,
		"--actor", by.name, "--secret", "GITHUB_TOKEN=" + worldToken, "--secret", "LOCKKEEPER_ARGOCD_TOKEN=" + argoToken,
		"--env", "GITHUB_SERVER_URL=" + a.forgeURL, "--env", "GITHUB_API_URL=" + a.forgeURL + "/api/v3", "--env", "GITHUB_GRAPHQL_URL=" + a.forgeURL + "/api/graphql",
		"--env", "GITHUB_REPOSITORY=" + worldProject, "--env", "GITHUB_ACTOR_ID=" + strconv.Itoa(by.id), "--env", "LOCKKEEPER_OUTBOUND_ALLOW=" + a.env["LOCKKEEPER_OUTBOUND_ALLOW"],
		"--env", "GOCACHE=" + a.env["GOCACHE"], "--env", "GOMODCACHE=" + a.env["GOMODCACHE"],
	}
	if payload := a.payload(t, event); payload != nil {
		name := filepath.Join(t.TempDir(), "event.json")
		if err := os.WriteFile(name, payload, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--eventpath", name)
	}
	_, out := a.run(t, dir, a.act, args...)
	for line := range strings.Lines(out) {
		var l logLine
		if json.Unmarshal([]byte(line), &l) != nil {
			continue // the runner's own word about Docker
		}
		lines = append(lines, l)
		result += l.Result
	}
	return lines, result
}

// payload is the newest webhook of an event, which is what GitHub describes the event to a job with.
func (a *actions) payload(t *testing.T, event string) (payload []byte) {
	t.Helper()
	for _, delivery := range a.forge.Deliveries() {
		if delivery.Header.Get("X-GitHub-Event") == strings.TrimSuffix(event, "_target") {
			payload = delivery.Body
		}
	}
	return payload
}

// logText is the log as a person reads it.
func logText(lines []logLine) string {
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "%s%s\n", l.Text, map[bool]string{true: "   (" + l.Command + " obeyed)"}[l.Command != ""])
	}
	return b.String()
}

// command are the workflow commands of a kind that the runner obeyed.
func command(lines []logLine, kind string) (found []logLine) {
	for _, l := range lines {
		if l.Command == kind {
			found = append(found, l)
		}
	}
	return found
}

// installed has the workflow's action use the lockkeeper of this test, and be the step of a name.
func installed(t *testing.T, workflow, step string) string {
	t.Helper()
	return replaced(t, workflow,
		"- uses: lockkeeper/", "- id: "+step+"\n        uses: lockkeeper/", "        with:\n", "        with:\n          binary: lockkeeper\n")
}

// job is a promotion by the workflow that docs/github.md shows: from a new image to the pull request, and a comment that is obeyed.
func (a *actions) job(t *testing.T) {
	workflow := installed(t, documented(t, "github.md", "# .github/workflows/lockkeeper.yaml"), "lockkeeper")
	workflow = replaced(t, workflow, "https://argocd.example.com", a.argoURL)
	workflow += "      - {run: 'echo \"the promotion waits: $WAITS.\"', env: {WAITS: '${{ steps.lockkeeper.outputs.waits }}'}}\n"
	lines, result := a.start(t, "schedule", workflow, a.you)
	if log := logText(lines); result != "success" {
		t.Fatalf("%s:\n%s", result, log)
	} else {
		contains(t, log, "the promotion waits: .\n")
	}
	// The workflow's own token, which may not ask who it is.
	a.forge.Fault(sends(http.MethodGet, "/user"), devforge.Answer(http.StatusForbidden, 0))
	a.push(t, a.image(), "1.0.2")
	lines, result = a.start(t, "schedule", workflow, a.you)
	log := logText(lines)
	if result != "success" {
		t.Errorf("%s:\n%s", result, log)
	}
	contains(t, log, "propose 1.0.2 for "+devStage, "the promotion waits: true.\n")
	summaries := command(lines, "summary")
	if len(summaries) == 0 {
		t.Fatalf("no summary:\n%s", log)
	}
	contains(t, summaries[0].Text, "## Lockkeeper: a promotion is on its way and waits", devStage)
	all := a.mergeRequests()
	if len(all) != 1 || all[0].State != "opened" {
		t.Fatalf("%+v", all)
	}
	a.you.comment(all[0].IID, "/hold because I say so")
	lines, result = a.start(t, "issue_comment", workflow, a.you)
	if result != "success" {
		t.Errorf("%s:\n%s", result, logText(lines))
	}
	contains(t, logText(lines), "hold")
	if outcome := a.sweep(); !strings.Contains(stageOf(outcome, devStage).Reason, "held by you") {
		t.Errorf("it is not on hold:\n%s", outcome.Plan)
	}
	lines, result = a.start(t, "workflow_dispatch", replaced(t, workflow, "${{ inputs.command }}", "/promote frontend-dev-stage 9.9.9"), a.you)
	if result != "failure" {
		t.Errorf("a command that nobody can obey: %s:\n%s", result, logText(lines))
	}
	contains(t, logText(lines), "## Lockkeeper: the command was refused")
}

// checkoutStep does what actions/checkout does, which is nowhere to be had here.
const checkoutStep = `- run: |
          git init --quiet && git remote add origin $CLONE
          git fetch --quiet origin $REFS
          git checkout --quiet --detach refs/remotes/origin/$GITHUB_HEAD_REF
`

// build uses no lockkeeper that is installed. The action is a link to this checkout, most of which is built already.
func (a *actions) build(t *testing.T) {
	checkout, err := filepath.Abs(checkoutDir)
	if err != nil {
		t.Fatal(err)
	}
	lines, result := a.start(t, "push", replaced(t, buildWorkflow, "$CLONE", a.cloneURL(), "$CHECKOUT", checkout), a.you)
	if result != "success" {
		t.Errorf("%s:\n%s", result, logText(lines))
	}
	contains(t, logText(lines), "All in order")
}

const buildWorkflow = `name: Lint
on: push
jobs:
  lint:
    runs-on: ubuntu-latest
    steps:
      - run: |
          git clone --quiet $CLONE . && echo /action >> .git/info/exclude
          ln -s $CHECKOUT action
      - uses: ./action
`

// review shows a pull request whose files would command the runner.
func (a *actions) review(t *testing.T) {
	a.commit("topic", map[string]string{
		worked:               strings.ReplaceAll(a.text("main", worked), "replicas: 1", "replicas: 3"),
		"kargo/hostile.yaml": hostile, "develop/frontend/hostile.yaml": hostileMap,
	})
	a.you.open("topic", "main", "More replicas")
	workflow := replaced(t, documented(t, "github.md", "# .github/workflows/review.yaml"),
		"- uses: actions/checkout@v4\n        with: {fetch-depth: 0}\n", checkoutStep, "with: {command: ", "with: {binary: lockkeeper, command: ")
	workflow += "      - {uses: lockkeeper/lockkeeper@main, if: always(), with: {binary: lockkeeper, command: render}}\n"
	workflow = replaced(t, workflow, "$CLONE", a.cloneURL(), "$REFS", "+refs/heads/*:refs/remotes/origin/*")
	lines, result := a.start(t, "pull_request", workflow, a.you)
	log := logText(lines)
	if result != "failure" {
		t.Errorf("%s, though lint finds an error:\n%s", result, log)
	}
	if summaries := command(lines, "summary"); len(summaries) == 0 {
		t.Errorf("no summary:\n%s", log)
	} else {
		contains(t, summaries[0].Text, "replicas", "replicas: 3")
	}
	errs := command(lines, "error")
	if len(errs) == 0 || errs[0].Place["file"] != "kargo/hostile.yaml" || errs[0].Place["line"] == "" {
		t.Errorf("errors: %+v\n%s", errs, log)
	}
	if inside, outside := fenced(lines, "::error::forged"); inside == 0 || outside != 0 {
		t.Errorf("what would be a command stands %d times in a fence, and %d times outside:\n%s", inside, outside, log)
	}
	for _, forged := range append(errs, command(lines, "add-mask")...) {
		if forged.Data == "forged" || forged.Command == "add-mask" {
			t.Errorf("the runner obeyed what stands in a file: %+v\n%s", forged, log)
		}
	}
	workflow = replaced(t, workflow, "+refs/heads/*:refs/remotes/origin/*", "+refs/heads/topic:refs/remotes/origin/topic")
	lines, _ = a.start(t, "pull_request", workflow, a.you)
	contains(t, logText(lines), "give actions/checkout fetch-depth: 0")
}

// fenced counts the lines that begin with a text, in fences and outside. GitHub's own runner leaves out spaces before a command.
func fenced(lines []logLine, text string) (inside, outside int) {
	fence := ""
	for _, l := range lines {
		begins := strings.HasPrefix(strings.TrimSpace(l.Text), text)
		switch {
		case l.Command == "stop-commands":
			fence = l.Data
		case fence != "" && l.Command == fence:
			fence = ""
		case begins && fence != "":
			inside++
		case begins:
			outside++
		}
	}
	return inside, outside
}
