package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
	"github.com/lockkeeper/lockkeeper/promote/step"
)

// afterwards is what the task of the example does in this story once the application is synced. URL stands for a site.
const afterwards = `
    - uses: argocd-wait
      config:
        apps: [{selector: {matchLabels: {tier: develop}}, waitFor: [health, sync]}]
    - uses: analysis-web
      as: probe
      config:
        name: smoke
        url: URL/health
        jsonPath: '{$.status}'
        successCondition: result == 'up'
        interval: 1ms
        count: 2
    - uses: http
      as: tell
      config: {url: URL/deployed, method: POST, body: '{"freight": "${{ ctx.targetFreight.name }}"}'}
    - uses: add-comment
      config: {body: 'Smoke test: ${{ task.outputs["probe"].value }}'}
    - uses: wait-for-approval
      as: sign-off
      config: {approvers: [worldPerson]}
`

// site counts what it is asked.
type site struct {
	url   string
	mu    sync.Mutex
	asked []string
}

// visit lets tasks reach a site.
func (b *bed) visit() *site {
	visited := &site{}
	server := httptest.NewServer(visited)
	b.t.Cleanup(server.Close)
	visited.url = server.URL
	b.reach = step.World{HTTP: func(step.HTTPOptions) *http.Client { return server.Client() }}
	b.loop = b.newLoop(b.wire)
	return visited
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.Method+" "+r.URL.Path)
	_, _ = io.WriteString(w, `{"status":"up"}`)
}

func (s *site) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// TestATaskGoesOnOutsideOfTheRepository tells of a stage whose task measures, tells, comments and waits for a person after the
// merge, with a process that dies in between.
func TestATaskGoesOnOutsideOfTheRepository(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.adopt()
	visited := b.visit()
	const applications = "argo-applications/develop-applicationset.yaml"
	const task = "kargo/promotion-task.yaml"
	more := strings.NewReplacer("URL", visited.url, "worldPerson", worldPerson).Replace(afterwards)
	b.commit("main", map[string]string{
		task:         strings.TrimRight(b.text("main", task), "\n") + more,
		applications: strings.Replace(b.text("main", applications), "      annotations:\n", "      labels: {tier: develop}\n      annotations:\n", 1),
	})
	change := b.propose("1.0.2")
	b.you.merge(change)
	waits := func(o reconcile.Outcome) bool {
		return strings.Contains(stageOf(o, devStage).Reason, "waits for approval")
	}
	b.until("the task to wait for a person", waits)

	b.loop = b.newLoop(b.wire) // another process goes on from what is recorded
	outcome := b.sweep()
	if !waits(outcome) {
		t.Fatalf("after a restart: %s", stageOf(outcome, devStage).Reason)
	}
	want := []string{"GET /health", "GET /health", "POST /deployed"}
	if diff := cmp.Diff(want, visited.requests()); diff != "" {
		t.Errorf("what was measured and told:\n%s", diff)
	}
	said := slices.IndexFunc(b.notes(change.Number), func(note string) bool { return strings.Contains(note, "Smoke test: up") })
	if said < 0 {
		t.Errorf("the comment is missing: %q", b.notes(change.Number))
	}
	b.run(b.you.comment(change.Number, "/admit frontend-dev-stage"))
	outcome = b.until("dev to run 1.0.2", runs(devStage, "1.0.2"))
	if all := promotions(outcome, devStage); !slices.Contains(all, "1.0.2 "+string(promote.PhaseSucceeded)) {
		t.Errorf("promotions: %v", all)
	}
}

// A review on the forge is an approval, and nothing is merged before it.
func TestAReviewIsAnApproval(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	task := b.text("main", "kargo/promotion-task.yaml")
	asks := strings.Replace(toTheLetter, "    - uses: git-wait-for-pr\n", "    - uses: wait-for-approval\n      config: {approvers: ["+worldPerson+"]}\n    - uses: git-wait-for-pr\n", 1)
	own := strings.Replace(task, "    - uses: git-push\n      config:\n        path: ./repo\n", asks, 1)
	own = strings.Replace(own, "task.outputs['commit'].commit }}", "task.outputs['wait-for-pr'].commit }}", 1)
	b.commit("main", map[string]string{"kargo/promotion-task.yaml": own})
	b.edit("main", devFile, "1.0.1", "1.0.0")
	change := b.propose("1.0.2")
	outcome := b.sweep()
	if status := b.status(change.Head); strings.HasPrefix(status, "success") {
		t.Errorf("the status is %q before anybody reviewed:\n%s", status, outcome.Plan)
	}
	b.you.do(http.MethodPost, fmt.Sprintf("merge_requests/%d/approve", change.Number), nil)
	b.sweep()
	if status := b.status(change.Head); !strings.HasPrefix(status, "success") {
		t.Errorf("the status is %q after the review", status)
	}
	b.you.merge(change)
	b.until("dev to run 1.0.2", runs(devStage, "1.0.2"))
}

// A task that waits for its merge no longer than an hour says by its own steps what happens then.
func TestAMergeThatTookTooLongIsForTheTaskToHandle(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.adopt()
	visited := b.visit()
	task := b.text("main", "kargo/promotion-task.yaml")
	patient := toTheLetter + "      retry: {timeout: 1h}\n    - uses: http\n      if: ${{ failure() }}\n" +
		"      config: {url: " + visited.url + "/late, method: POST}\n"
	own := strings.Replace(task, "    - uses: git-push\n      config:\n        path: ./repo\n", patient, 1)
	own = strings.Replace(own, "task.outputs['commit'].commit }}", "task.outputs['wait-for-pr'].commit }}", 1)
	b.commit("main", map[string]string{"kargo/promotion-task.yaml": own})
	b.propose("1.0.2")
	b.ahead = 59 * time.Minute
	if b.sweep(); len(visited.requests()) > 0 || b.mergeRequests()[0].State != "opened" {
		t.Fatalf("an hour is not over: %q, %+v", visited.requests(), b.mergeRequests())
	}
	b.ahead = 2 * time.Hour
	outcome := b.until("the promotion to fail", func(o reconcile.Outcome) bool {
		return slices.Contains(promotions(o, devStage), "1.0.2 "+string(promote.PhaseFailed))
	})
	contains(t, stageOf(outcome, devStage).Reason, "not done after 1h0m0s, which its retry.timeout allows")
	b.sweep()
	if diff := cmp.Diff([]string{"POST /late"}, visited.requests()); diff != "" {
		t.Errorf("what was told:\n%s", diff)
	}
	if state := b.mergeRequests()[0].State; state != "closed" {
		t.Errorf("the change is %s", state)
	}
}
