package bot

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

// told has every metric at least once.
func told() *Metrics {
	m := NewMetrics()
	loop := m.Loop()
	m.received("gitlab", 202)
	m.received("gitlab", 401)
	m.received("gitlab", 202)
	m.unrouted("gitlab")
	m.caughtUp("app", 2, nil)
	m.caughtUp("app", 0, errors.New("no"))
	m.waiting("app", 3, true)
	m.gaveUp("app", 2)
	m.ran("app", 200*time.Millisecond, nil)
	m.ran("app", 20*time.Second, errors.New("no"))
	loop.Applied(promote.RecordChange{}, nil)
	loop.Applied(promote.RecordChange{}, errors.New("no"))
	loop.Finished(promote.Promotion{Stage: promote.StageRef{Project: "shop", Name: "dev"}, Phase: promote.PhaseSucceeded})
	m.stages("app", []promote.StageStatus{{Stage: promote.StageRef{Project: "shop", Name: "dev"}, Verdict: promote.Block}})
	m.Called(ForgeCall{Repository: "app", Operation: "open change", Status: 201, Window: "core", Remaining: 1999, Writes: 79, API: "rest", Points: 895})
	m.Called(ForgeCall{Repository: "app", Operation: "open change", Status: 502, Remaining: -1, Writes: -1})
	return m
}

func TestMetricsAreAsDescribed(t *testing.T) {
	m := told()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []Description
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), "lockkeeper_") {
			continue
		}
		d := Description{Name: family.GetName(), Type: strings.ToLower(family.GetType().String()), Help: family.GetHelp()}
		for _, label := range family.GetMetric()[0].GetLabel() {
			d.Labels = append(d.Labels, label.GetName())
		}
		got = append(got, d)
	}
	want := m.Descriptions()
	for i := range want {
		want[i].Labels = slices.Sorted(slices.Values(want[i].Labels))
	}
	slices.SortFunc(want, func(a, b Description) int { return strings.Compare(a.Name, b.Name) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-described +told):\n%s", diff)
	}
}

// exposed are the lines of ours that Prometheus reads, without comments.
func exposed(t *testing.T, m *Metrics) []string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	lines := []string{}
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "lockkeeper_") && !strings.Contains(line, "_bucket{") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func TestMetricsMove(t *testing.T) {
	want := []string{
		`lockkeeper_actions_total{kind="change",result="error"} 1`,
		`lockkeeper_actions_total{kind="change",result="ok"} 1`,
		`lockkeeper_catch_up_events_total{repository="app"} 2`,
		`lockkeeper_catch_up_total{repository="app",result="error"} 1`,
		`lockkeeper_catch_up_total{repository="app",result="ok"} 1`,
		`lockkeeper_events_given_up_total{repository="app"} 2`,
		`lockkeeper_forge_points_remaining{api="rest",repository="app"} 895`,
		`lockkeeper_forge_requests_remaining{repository="app",window="core"} 1999`,
		`lockkeeper_forge_requests_total{operation="open change",status="201"} 1`,
		`lockkeeper_forge_requests_total{operation="open change",status="502"} 1`,
		`lockkeeper_forge_writes_remaining{repository="app"} 79`,
		`lockkeeper_promotions_total{phase="Succeeded",project="shop",stage="dev"} 1`,
		`lockkeeper_queue_events{repository="app"} 3`,
		`lockkeeper_run_seconds_sum{repository="app",result="error"} 20`,
		`lockkeeper_run_seconds_count{repository="app",result="error"} 1`,
		`lockkeeper_run_seconds_sum{repository="app",result="ok"} 0.2`,
		`lockkeeper_run_seconds_count{repository="app",result="ok"} 1`,
		`lockkeeper_stage_verdict{project="shop",repository="app",stage="dev"} 3`,
		`lockkeeper_webhooks_total{forge="gitlab",status="202"} 2`,
		`lockkeeper_webhooks_total{forge="gitlab",status="401"} 1`,
		`lockkeeper_webhooks_unrouted_total{forge="gitlab"} 1`,
	}
	if diff := cmp.Diff(want, exposed(t, told())); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

func TestVerdictsOfStagesThatAreGoneAreForgotten(t *testing.T) {
	m := NewMetrics()
	stage := func(name string) promote.StageStatus {
		return promote.StageStatus{Stage: promote.StageRef{Project: "shop", Name: name}, Verdict: promote.Wait}
	}
	m.stages("app", []promote.StageStatus{stage("dev"), stage("prod")})
	m.stages("web", []promote.StageStatus{stage("prod")})
	m.stages("app", []promote.StageStatus{stage("dev")})
	want := []string{
		`lockkeeper_stage_verdict{project="shop",repository="app",stage="dev"} 2`,
		`lockkeeper_stage_verdict{project="shop",repository="web",stage="prod"} 2`,
	}
	if diff := cmp.Diff(want, exposed(t, m)); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

func TestQueueIsMeasuredWhenAsked(t *testing.T) {
	b := open(t, testConfig(":memory:", map[string]Runner{"app": idle, "web": idle}))
	mustAdd(t, b, "app", 1, 2)
	for _, line := range []string{`lockkeeper_queue_events{repository="app"} 2`, `lockkeeper_queue_events{repository="web"} 0`} {
		if !metric(t, b, line) {
			t.Errorf("the metrics have no %s", line)
		}
	}
	if err := b.queue.run(t.Context(), "app"); err != nil {
		t.Fatal(err)
	}
	if !metric(t, b, `lockkeeper_queue_events{repository="app"} 0`) {
		t.Error("events still wait after their run")
	}
	if err := b.queue.close(); err != nil {
		t.Fatal(err)
	}
	if metric(t, b, `lockkeeper_queue_events{repository="app"} 0`) {
		t.Error("a queue that cannot be asked is told to be empty")
	}
}
