package kargo

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/promote"
)

// providers are what metrics of Argo Rollouts can be measured with, and what to do about those that nobody can ask from here.
var providers = map[string]string{
	"web":        "",
	"prometheus": "",
	"job":        "run the check as a workflow or pipeline, with gha-dispatch-workflow or gitlab-trigger-pipeline as last step of the stage, or measure with web",
	"datadog":    "ask its HTTP API with web, or measure with prometheus",
	"newRelic":   "ask its HTTP API with web, or measure with prometheus",
	"wavefront":  "ask its HTTP API with web, or measure with prometheus",
	"kayenta":    "ask its HTTP API with web, or measure with prometheus",
	"cloudWatch": "measure with prometheus, or with web what an endpoint of yours says",
	"graphite":   "ask its HTTP API with web, or measure with prometheus",
	"influxdb":   "ask its HTTP API with web, or measure with prometheus",
	"skywalking": "ask its HTTP API with web, or measure with prometheus",
	"plugin":     "measure with web or prometheus",
}

// metricReader makes the step of one metric.
type metricReader struct {
	*verifier
	t      analysis
	node   *yaml.Node // the metric
	name   string
	vars   []promote.Var // arguments that hold expressions
	failed bool          // an error was found: what is left of the metric may say yes to everything
}

// fail reports an error in the metric.
func (r *metricReader) fail(at promote.Position, code, message, remedy string) {
	r.failed = true
	r.wrong(at, code, message, remedy)
}

// measure adds a step for each metric of a template.
func (v *verifier) measure(t analysis) {
	spec := t.manifest.Spec
	if len(spec.Metrics)+len(spec.Templates) == 0 {
		v.wrong(t.at("spec"), "missing-key", fmt.Sprintf("%s %q measures nothing", t.kind, t.name), "add metrics")
		v.invalid(t.name, t.position())
	}
	dry := v.dryRun(t)
	for i, one := range spec.Metrics {
		_, node := t.doc.Find(fmt.Sprintf("spec.metrics[%d]", i))
		if len(v.made) > maxSteps || v.steps > maxAllSteps || v.filled > maxAllFilled {
			v.wrong(t.node(node), "too-many-steps", fmt.Sprintf("the stage is verified by more than %d metrics, or all stages together by too many", maxSteps), "use fewer metrics")
			v.invalid(t.name, t.node(node))
			return
		}
		v.steps++
		r := &metricReader{verifier: v, t: t, node: node, name: one.Name, failed: v.broken[t.ref()]}
		r.checkName()
		step := r.step(one)
		step.ContinueOnError = !r.failed && slices.ContainsFunc(dry, func(p *regexp.Regexp) bool { return p.MatchString(one.Name) })
		v.made = append(v.made, step)
	}
}

func (r *metricReader) checkName() {
	at := r.t.node(r.node)
	first, twice := r.metrics[r.name]
	switch {
	case r.name == "":
		r.fail(at, "missing-name", fmt.Sprintf("a metric of %s %q has no name", r.t.kind, r.t.name), "add name")
	case twice:
		r.fail(at, "duplicate-name", fmt.Sprintf("metric %q stands twice in what verifies the stage, first at %s", bounded(r.name), first), "rename one of them")
	default:
		r.metrics[r.name] = at
	}
}

// dryRun returns which metrics of a template do not count.
func (v *verifier) dryRun(t analysis) []*regexp.Regexp {
	var out []*regexp.Regexp
	for i, one := range t.manifest.Spec.DryRun {
		pattern, err := regexp.Compile(one.MetricName)
		if err == nil {
			pattern, err = regexp.Compile("^(?:" + one.MetricName + ")$")
		}
		if err != nil {
			v.wrong(t.at(fmt.Sprintf("spec.dryRun[%d].metricName", i)), "invalid-regex", fmt.Sprintf("%q is not a regular expression: %v", bounded(one.MetricName), err), "correct it (Go's RE2 syntax)")
			continue
		}
		out = append(out, pattern)
	}
	return out
}

// step makes the step of a metric; of one that cannot be measured a step that no runner knows.
func (r *metricReader) step(m metric) promote.Step {
	out := promote.Step{Uses: invalidMetric, As: "verify-" + r.t.name + "-" + m.Name, Position: r.t.node(r.node)}
	var config any
	provider, node := r.provider(m)
	switch provider {
	case "web":
		config = r.web(node, m)
	case "prometheus":
		config = r.prometheus(node, m)
	}
	if config == nil || r.failed {
		return out
	}
	var b bytes.Buffer
	writeValue(&b, config)
	out.Uses, out.Config, out.Vars = "analysis-"+provider, b.Bytes(), r.vars
	return out
}

// provider returns what a metric is measured with; "" when that cannot be done.
func (r *metricReader) provider(m metric) (string, *yaml.Node) {
	found := entries(&m.Provider)
	what := fmt.Sprintf("metric %q of %s %q", bounded(m.Name), r.t.kind, r.t.name)
	switch {
	case len(found) == 0:
		r.fail(r.t.node(r.node), "missing-key", what+" has no provider", "add provider: {web: {url: …}}")
		return "", nil
	case len(found) > 1:
		r.fail(r.t.node(found[1].key), "conflicting-keys", what+" has more than one provider", "make each its own metric")
		return "", nil
	}
	name := found[0].key.Value
	at := r.t.node(found[0].key)
	switch remedy, known := providers[name]; {
	case !known:
		r.fail(at, "unknown-provider", fmt.Sprintf("%s is measured with %q, which is not known", what, bounded(name)), r.near(name, []string{"web", "prometheus", "job"}, "providers"))
		return "", nil
	case remedy != "":
		r.fail(at, "unsupported", fmt.Sprintf("%s is measured with %s, which cannot be run without a cluster", what, name), remedy)
		return "", nil
	}
	return name, found[0].value
}

// decode reads the keys of a provider strictly.
func (r *metricReader) decode(node *yaml.Node, into any) {
	for _, e := range manifest.Errors(manifest.Decode(manifest.Document{File: r.t.doc.File, Line: node.Line, Node: node}, into)) {
		r.fail(promote.Position{File: e.File, Line: e.Line, Column: e.Column}, "invalid-manifest", e.Problem, e.Remedy)
	}
}

func (r *metricReader) web(node *yaml.Node, m metric) any {
	var p webProvider
	r.decode(node, &p)
	r.authentication(node, p.Authentication)
	out := webConfig{
		Name: m.Name, URL: r.fill(node, "url", p.URL), Method: r.fill(node, "method", p.Method), Headers: r.headers(node, p.Headers),
		Body: r.fill(node, "body", p.Body), JSONPath: r.fill(node, "jsonPath", p.JSONPath),
		TimeoutSeconds: p.TimeoutSeconds, Insecure: p.Insecure, measureConfig: r.measureConfig(m),
	}
	if p.URL == "" {
		r.fail(r.t.node(node), "missing-key", fmt.Sprintf("metric %q names no address to ask", bounded(m.Name)), "add url")
	}
	if present(p.JSONBody) {
		out.Body = string(configJSON(r.fillTree(&p.JSONBody)))
		if !slices.ContainsFunc(out.Headers, func(h headerConfig) bool { return strings.EqualFold(h.Name, "Content-Type") }) {
			out.Headers = append(out.Headers, headerConfig{"Content-Type", "application/json"})
		}
	}
	switch {
	case out.Body != "" && p.Body != "" && present(p.JSONBody):
		r.fail(r.place(node, "jsonBody"), "conflicting-keys", fmt.Sprintf("metric %q has body and jsonBody, which exclude each other", bounded(m.Name)), "keep one of them")
	case out.Body != "" && (out.Method == "" || out.Method == "GET"):
		r.fail(r.t.node(node), "conflicting-keys", fmt.Sprintf("metric %q sends a body with GET", bounded(m.Name)), "write method: POST or PUT")
	case !slices.Contains([]string{"", "GET", "POST", "PUT"}, out.Method) && !strings.Contains(out.Method, "${"):
		r.fail(r.place(node, "method"), "invalid-value", fmt.Sprintf("method %q is not known", bounded(out.Method)), "write GET, POST or PUT")
	}
	return out
}

func (r *metricReader) prometheus(node *yaml.Node, m metric) any {
	var p prometheusProvider
	r.decode(node, &p)
	r.authentication(node, p.Authentication)
	out := prometheusConfig{
		Name: m.Name, Address: r.fill(node, "address", p.Address), Query: r.fill(node, "query", p.Query), Headers: r.headers(node, p.Headers),
		TimeoutSeconds: p.Timeout, Insecure: p.Insecure, measureConfig: r.measureConfig(m),
	}
	if q := p.RangeQuery; q != nil {
		out.RangeQuery = &rangeConfig{r.fill(node, "rangeQuery", q.Start), r.fill(node, "rangeQuery", q.End), r.fill(node, "rangeQuery", q.Step)}
	}
	if p.Address == "" {
		r.fail(r.t.node(node), "missing-key", fmt.Sprintf("metric %q names no Prometheus to ask", bounded(m.Name)), "add address: https://<host>")
	}
	if p.Query == "" {
		r.fail(r.t.node(node), "missing-key", fmt.Sprintf("metric %q asks nothing", bounded(m.Name)), "add query")
	}
	return out
}

func (r *metricReader) authentication(node *yaml.Node, written yaml.Node) {
	if present(written) {
		r.fail(r.place(node, "authentication"), "unsupported", fmt.Sprintf("metric %q signs in with authentication, which is not supported", bounded(r.name)),
			"send a token in headers, from an argument with valueFrom.secretKeyRef")
	}
}

func (r *metricReader) headers(node *yaml.Node, headers []metricHeader) []headerConfig {
	out := make([]headerConfig, len(headers))
	for i, h := range headers {
		out[i] = headerConfig{r.fill(node, "headers", h.Key), r.fill(node, "headers", h.Value)}
		if h.Key == "" {
			r.fail(r.place(node, "headers"), "missing-key", fmt.Sprintf("a header of metric %q has no key", bounded(r.name)), "add key")
		}
	}
	return out
}

// place is where the value of a key stands, or the mapping that lacks it.
func (r *metricReader) place(node *yaml.Node, key string) promote.Position {
	if value := child(node, key); value != nil {
		return r.t.node(value)
	}
	return r.t.node(node)
}

// measureConfig reads how often a metric is measured and what counts.
func (r *metricReader) measureConfig(m metric) measureConfig {
	out := measureConfig{
		SuccessCondition: r.condition("successCondition", m.SuccessCondition), FailureCondition: r.condition("failureCondition", m.FailureCondition),
		Interval: r.interval("interval", m.Interval), InitialDelay: r.interval("initialDelay", m.InitialDelay),
		Count: r.number(m.Count), FailureLimit: r.number(m.FailureLimit), InconclusiveLimit: r.number(m.InconclusiveLimit),
		ConsecutiveErrorLimit: r.number(m.ConsecutiveErrorLimit), ConsecutiveSuccessLimit: r.number(m.ConsecutiveSuccessLimit),
	}
	count, known := out.Count.(int64)
	switch {
	case known && count > 1 && out.Interval == "":
		r.fail(r.t.node(r.node), "missing-key", fmt.Sprintf("metric %q is measured %d times without a pause", bounded(m.Name), count), `add interval, such as "30s"`)
	case out.Count == nil && out.Interval != "" && out.ConsecutiveSuccessLimit == nil:
		r.complain(promote.SeverityWarning, r.t.node(r.node), "endless-metric", fmt.Sprintf("metric %q has an interval and no count, so its measuring never ends", bounded(m.Name)), "add count")
	}
	return out
}

func (r *metricReader) condition(key, text string) string {
	out := r.fill(r.node, key, text)
	if out == "" || strings.Contains(out, "${") {
		return out
	}
	if err := checkSyntax(out); err != nil {
		r.fail(r.place(r.node, key), "invalid-expression", fmt.Sprintf("%s: expression: %v", key, err), "")
	}
	return out
}

func (r *metricReader) interval(key, text string) string {
	out := r.fill(r.node, key, text)
	if out == "" || strings.Contains(out, "${") {
		return out
	}
	if parsed, err := time.ParseDuration(out); err != nil || parsed < 0 {
		r.fail(r.place(r.node, key), "invalid-interval", fmt.Sprintf("%s %q is not a duration", key, bounded(out)), `write hours, minutes and seconds, such as "1m30s"`)
	}
	return out
}

// number reads a whole number, which may be an argument; nil when there is none.
func (r *metricReader) number(n yaml.Node) any {
	if !present(n) {
		return nil
	}
	if number, ok := manifest.Free(&n).(int64); ok {
		return number
	}
	text := r.fillAt(r.t.node(&n), n.Value)
	if strings.Contains(text, "${") {
		return text
	}
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n.Kind != yaml.ScalarNode {
		r.fail(r.t.node(&n), "wrong-type", fmt.Sprintf("%s is not a whole number", shown(&n, text)), "write a whole number")
		return nil
	}
	return number
}

// shown writes a value for people.
func shown(n *yaml.Node, text string) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	default:
		return fmt.Sprintf("%q", bounded(text))
	}
}
