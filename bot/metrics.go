package bot

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
)

// Description says what a metric means. The Go runtime's and the process's own metrics are not among them.
type Description struct {
	Name   string
	Type   string // "counter", "gauge" or "histogram"
	Labels []string
	Help   string
}

var (
	webhooks = Description{
		"lockkeeper_webhooks_total", "counter",
		[]string{"forge", "status"},
		"Webhook deliveries, by forge (or registry/KIND) and answered HTTP status.",
	}
	webhooksUnrouted = Description{
		"lockkeeper_webhooks_unrouted_total", "counter",
		[]string{"forge"},
		"Authentic webhook deliveries that no configured repository is told of.",
	}
	catchUps = Description{
		"lockkeeper_catch_up_total", "counter",
		[]string{"repository", "result"},
		"How often the forge was asked for what webhooks did not say, by repository and result (ok, error).",
	}
	catchUpEvents = Description{
		"lockkeeper_catch_up_events_total", "counter",
		[]string{"repository"},
		"Events that were found by asking the forge and not known yet.",
	}
	queueEvents = Description{
		"lockkeeper_queue_events", "gauge",
		[]string{"repository"},
		"Events that wait for a run or are being worked off.",
	}
	givenUp = Description{
		"lockkeeper_events_given_up_total", "counter",
		[]string{"repository"},
		"Events that nobody works off any more, because every run that had them failed.",
	}
	runSeconds = Description{
		"lockkeeper_run_seconds", "histogram",
		[]string{"repository", "result"},
		"Duration of one run of the loop, by repository and result (ok, error).",
	}
	actions = Description{
		"lockkeeper_actions_total", "counter",
		[]string{"kind", "result"},
		"Actions of plans that were applied, by kind and result (ok, error).",
	}
	promotions = Description{
		"lockkeeper_promotions_total", "counter",
		[]string{"project", "stage", "phase"},
		"Promotions that ended, by project, stage and phase.",
	}
	stageVerdict = Description{
		"lockkeeper_stage_verdict", "gauge",
		[]string{"repository", "project", "stage"},
		"Verdict on the way to each stage's next freight: 0 pass, 1 skip, 2 wait, 3 block.",
	}
	forgeRequests = Description{
		"lockkeeper_forge_requests_total", "counter",
		[]string{"operation", "status"},
		"HTTP requests to the forge, by operation and status.",
	}
	forgeRemaining = Description{
		"lockkeeper_forge_requests_remaining", "gauge",
		[]string{"repository", "window"},
		"Requests that the forge still allows in a window of its: core or graphql on GitHub, api on GitLab.",
	}
	forgeWrites = Description{
		"lockkeeper_forge_writes_remaining", "gauge",
		[]string{"repository"},
		"Changes, comments and statuses that may still be written before GitHub's secondary limits are planned for.",
	}
	forgePoints = Description{
		"lockkeeper_forge_points_remaining", "gauge",
		[]string{"repository", "api"},
		"Points of a minute that may still be spent on an API of GitHub (rest, graphql): a read costs 1, a write 5.",
	}
)

// Metrics are what Prometheus is told. All methods may be called by several goroutines.
type Metrics struct {
	registry   *prometheus.Registry
	webhooks   *prometheus.CounterVec
	stray      *prometheus.CounterVec
	catchUps   *prometheus.CounterVec
	caught     *prometheus.CounterVec
	queued     *prometheus.GaugeVec
	givenUp    *prometheus.CounterVec
	runs       *prometheus.HistogramVec
	actions    *prometheus.CounterVec
	promotions *prometheus.CounterVec
	verdicts   *prometheus.GaugeVec
	calls      *prometheus.CounterVec
	remaining  *prometheus.GaugeVec
	writes     *prometheus.GaugeVec
	points     *prometheus.GaugeVec

	mu     sync.Mutex
	judged map[string]map[promote.StageRef]bool // stages with a verdict, by repository
}

// NewMetrics returns metrics with a registry of their own.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry:   prometheus.NewRegistry(),
		webhooks:   webhooks.counter(),
		stray:      webhooksUnrouted.counter(),
		catchUps:   catchUps.counter(),
		caught:     catchUpEvents.counter(),
		queued:     queueEvents.gauge(),
		givenUp:    givenUp.counter(),
		runs:       runSeconds.histogram(.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300),
		actions:    actions.counter(),
		promotions: promotions.counter(),
		verdicts:   stageVerdict.gauge(),
		calls:      forgeRequests.counter(),
		remaining:  forgeRemaining.gauge(),
		writes:     forgeWrites.gauge(),
		points:     forgePoints.gauge(),
		judged:     map[string]map[promote.StageRef]bool{},
	}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registry.MustRegister(m.webhooks, m.stray, m.catchUps, m.caught, m.queued, m.givenUp, m.runs, m.actions, m.promotions, m.verdicts, m.calls, m.remaining, m.writes, m.points)
	return m
}

// Descriptions lists every metric, for the documentation.
func (*Metrics) Descriptions() []Description {
	return []Description{
		webhooks, webhooksUnrouted, catchUps, catchUpEvents, queueEvents, givenUp, runSeconds, actions, promotions, stageVerdict, forgeRequests, forgeRemaining, forgeWrites, forgePoints,
	}
}

func (d Description) counter() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: d.Name, Help: d.Help}, d.Labels)
}

func (d Description) gauge() *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: d.Name, Help: d.Help}, d.Labels)
}

func (d Description) histogram(buckets ...float64) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: d.Name, Help: d.Help, Buckets: buckets}, d.Labels)
}

// Handler serves the metrics. What waits in the queue is as the Bot's own endpoint was last asked.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Loop returns what a Reconciler reports to.
func (m *Metrics) Loop() reconcile.Metrics {
	return reconcile.Metrics{
		Applied: func(action promote.Action, err error) {
			kind, _, _ := strings.Cut(action.Key(), "/")
			m.actions.WithLabelValues(kind, result(err)).Inc()
		},
		Finished: func(p promote.Promotion) {
			m.promotions.WithLabelValues(p.Stage.Project, p.Stage.Name, string(p.Phase)).Inc()
		},
	}
}

// ForgeCall is one HTTP request to a forge.
type ForgeCall struct {
	Repository string
	Operation  string // one of a few fixed words
	Status     int    // 0 when no answer came
	Window     string // which of the forge's limits it counted against
	Remaining  int    // what is left there; less than 0 when the forge did not say
	Writes     int    // what is left of the budget for writing; less than 0 where there is none
	API        string // whose points are counted; empty where none are
	Points     int    // what is left of them
}

// Called counts one HTTP request to the forge.
func (m *Metrics) Called(call ForgeCall) {
	m.calls.WithLabelValues(call.Operation, strconv.Itoa(call.Status)).Inc()
	if call.Remaining >= 0 {
		m.remaining.WithLabelValues(call.Repository, call.Window).Set(float64(call.Remaining))
	}
	if call.Writes >= 0 {
		m.writes.WithLabelValues(call.Repository).Set(float64(call.Writes))
	}
	if call.API != "" {
		m.points.WithLabelValues(call.Repository, call.API).Set(float64(call.Points))
	}
}

func (m *Metrics) received(forge string, status int) {
	m.webhooks.WithLabelValues(forge, strconv.Itoa(status)).Inc()
}

// unrouted counts a delivery that no repository wants.
func (m *Metrics) unrouted(forge string) { m.stray.WithLabelValues(forge).Inc() }

// caughtUp counts one asking for what was missed, and the events that it found.
func (m *Metrics) caughtUp(repository string, events int, err error) {
	m.catchUps.WithLabelValues(repository, result(err)).Inc()
	m.caught.WithLabelValues(repository).Add(float64(events))
}

// waiting tells how many events wait; nothing when that is not known.
func (m *Metrics) waiting(repository string, events int, known bool) {
	if !known {
		m.queued.DeleteLabelValues(repository)
		return
	}
	m.queued.WithLabelValues(repository).Set(float64(events))
}

// gaveUp counts events; none makes the counter known, so that the first one is seen as a change.
func (m *Metrics) gaveUp(repository string, events int) {
	m.givenUp.WithLabelValues(repository).Add(float64(events))
}

func (m *Metrics) ran(repository string, took time.Duration, err error) {
	m.runs.WithLabelValues(repository, result(err)).Observe(took.Seconds())
}

// stages tells the verdicts of a repository's stages, and forgets those of stages that are gone.
func (m *Metrics) stages(repository string, stages []promote.StageStatus) {
	m.mu.Lock()
	defer m.mu.Unlock()
	judged := map[promote.StageRef]bool{}
	for _, s := range stages {
		judged[s.Stage] = true
		m.verdicts.WithLabelValues(repository, s.Stage.Project, s.Stage.Name).Set(float64(s.Verdict))
	}
	for stage := range m.judged[repository] {
		if !judged[stage] {
			m.verdicts.DeleteLabelValues(repository, stage.Project, stage.Name)
		}
	}
	m.judged[repository] = judged
}

func result(err error) string {
	if err != nil {
		return "error"
	}
	return "ok"
}
