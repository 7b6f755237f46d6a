package step

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/expr"
)

// metricConfig is how a value is measured again and again, and judged (Argo Rollouts: the metrics of an AnalysisTemplate).
type metricConfig struct {
	Name                    string   `json:"name"`
	SuccessCondition        string   `json:"successCondition"`
	FailureCondition        string   `json:"failureCondition"`
	Interval                interval `json:"interval"`
	InitialDelay            interval `json:"initialDelay"`
	Count                   count    `json:"count"`
	FailureLimit            count    `json:"failureLimit"`          // negative: failures do not count
	InconclusiveLimit       count    `json:"inconclusiveLimit"`     //
	ConsecutiveErrorLimit   *count   `json:"consecutiveErrorLimit"` // nil: 4
	ConsecutiveSuccessLimit count    `json:"consecutiveSuccessLimit"`
}

const (
	defaultErrorLimit = 4
	errorInterval     = 10 * time.Second // between measurements after an error, when no interval is set
	maxMeasured       = 1 << 20          // bytes of an answer
	maxValueShown     = 200
)

// measured is what a step keeps of its measurements.
type measured struct {
	Successful      int    `json:"successful,omitempty"`
	Failed          int    `json:"failed,omitempty"`
	Inconclusive    int    `json:"inconclusive,omitempty"`
	Errors          int    `json:"errors,omitempty"`
	ErrorsInARow    int    `json:"errorsInARow,omitempty"`
	SuccessesInARow int    `json:"successesInARow,omitempty"`
	Last            string `json:"last,omitempty"` // value, or error
}

// count is the number of measurements that gave a value.
func (m measured) count() int { return m.Successful + m.Failed + m.Inconclusive }

// errNoCount: an analysis that would never end.
var errNoCount = errors.New("config.count is missing: with an interval, say how many measurements to make, as in count: 5")

// analyse takes a measurement, and decides whether it was the last one.
func (r *run) analyse(ctx context.Context, cfg metricConfig, measure func(context.Context) (any, error)) (outcome, error) {
	if cfg.Interval > 0 && cfg.Count == 0 && cfg.ConsecutiveSuccessLimit == 0 {
		return outcome{}, errNoCount
	}
	var kept measured
	begun, err := r.resume(&kept)
	if err != nil {
		return outcome{}, err
	}
	if !begun && cfg.InitialDelay > 0 {
		return r.pause(time.Duration(cfg.InitialDelay), fmt.Sprintf("measures %s in %s", cfg.named(), time.Duration(cfg.InitialDelay)), kept)
	}
	value, err := measure(ctx)
	if err != nil {
		if _, isTechnical := errors.AsType[technicalError](err); !isTechnical || ctx.Err() != nil {
			return outcome{}, err
		}
	}
	kept.add(cfg, value, err)
	return r.assess(cfg, kept)
}

func (cfg metricConfig) named() string { return cmp.Or(cfg.Name, "the metric") }

// add counts a measurement.
func (m *measured) add(cfg metricConfig, value any, err error) {
	phase := phaseError
	if err == nil {
		m.Last = shownValue(value)
		phase, err = cfg.judge(value)
	}
	switch phase {
	case phaseSuccessful:
		m.Successful++
		m.SuccessesInARow++
		m.ErrorsInARow = 0
		return
	case phaseFailed:
		m.Failed++
	case phaseInconclusive:
		m.Inconclusive++
	case phaseError:
		m.Errors++
		m.ErrorsInARow++
		m.Last = limitText(err.Error())
	}
	m.SuccessesInARow = 0
	if phase != phaseError {
		m.ErrorsInARow = 0
	}
}

// phase is what one measurement says.
type phase int

const (
	phaseSuccessful phase = iota
	phaseFailed
	phaseInconclusive
	phaseError
)

// judge evaluates the conditions over a value. Without any it is a success; with both, neither of which is true, it says nothing.
func (cfg metricConfig) judge(value any) (phase, error) {
	failed, err := cfg.condition("failureCondition", cfg.FailureCondition, value)
	if err != nil {
		return phaseError, err
	}
	succeeded, err := cfg.condition("successCondition", cfg.SuccessCondition, value)
	switch {
	case err != nil:
		return phaseError, err
	case failed:
		return phaseFailed, nil
	case succeeded, cfg.SuccessCondition == "":
		return phaseSuccessful, nil
	case cfg.FailureCondition == "":
		return phaseFailed, nil
	}
	return phaseInconclusive, nil
}

func (cfg metricConfig) condition(name, expression string, value any) (bool, error) {
	if expression == "" {
		return false, nil
	}
	got, err := expr.RunMeasurement(expression, value)
	if err != nil {
		return false, fmt.Errorf("%s: %w", name, err)
	}
	isTrue, ok := got.(bool)
	if !ok {
		return false, fmt.Errorf("%s: %q gives %T, expected true or false", name, expression, got)
	}
	return isTrue, nil
}

// assess decides whether the analysis is over, in the order of Argo Rollouts: too many failures, too many that say nothing, too
// many errors in a row, enough successes in a row, enough measurements.
func (r *run) assess(cfg metricConfig, m measured) (outcome, error) {
	limit := defaultErrorLimit
	if cfg.ConsecutiveErrorLimit != nil {
		limit = int(*cfg.ConsecutiveErrorLimit)
	}
	wanted := int(cfg.Count)
	if wanted == 0 && cfg.Interval == 0 {
		wanted = 1
	}
	output := map[string]any{
		"value": m.Last, "successful": m.Successful, "failed": m.Failed, "inconclusive": m.Inconclusive, "errors": m.Errors,
	}
	over := func(what string, n, limit int) (outcome, error) {
		return outcome{output: output}, fmt.Errorf("%s: %d %s, at most %d; last value %s", cfg.named(), n, what, max(limit, 0), m.Last)
	}
	switch {
	case cfg.FailureLimit >= 0 && m.Failed > int(cfg.FailureLimit):
		return over("measurements failed", m.Failed, int(cfg.FailureLimit))
	case m.Inconclusive > int(cfg.InconclusiveLimit):
		return over("measurements were inconclusive", m.Inconclusive, int(cfg.InconclusiveLimit))
	case m.ErrorsInARow > limit:
		return outcome{output: output}, technicalError{fmt.Errorf("%s: %d errors in a row, at most %d: %s", cfg.named(), m.ErrorsInARow, limit, m.Last)}
	case cfg.ConsecutiveSuccessLimit > 0 && m.SuccessesInARow >= int(cfg.ConsecutiveSuccessLimit),
		cfg.ConsecutiveSuccessLimit == 0 && wanted > 0 && m.count() >= wanted:
		return outcome{
			status: promote.StepSucceeded, output: output, message: fmt.Sprintf("%s: %d of %d measurements succeeded; last value %s", cfg.named(), m.Successful, m.count(), m.Last),
		}, nil
	case wanted > 0 && m.count() >= wanted:
		return outcome{output: output}, fmt.Errorf("%s: only the last %d of %d measurements succeeded in a row, expected %d; last value %s",
			cfg.named(), m.SuccessesInARow, m.count(), cfg.ConsecutiveSuccessLimit, m.Last)
	}
	after := time.Duration(cfg.Interval) // 0: at once
	if after == 0 && m.ErrorsInARow > 0 {
		after = errorInterval
	}
	return r.pause(after, fmt.Sprintf("%s: %d measurements so far, %d failed; last value %s", cfg.named(), m.count(), m.Failed, m.Last), m)
}

// shownValue writes a measured value for people. NaN and infinities are no JSON.
func shownValue(value any) string {
	switch v := value.(type) {
	case string:
		return limitText(v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return strconv.FormatFloat(v, 'g', -1, 64)
		}
	case []any:
		if _, err := json.Marshal(v); err == nil {
			break
		}
		parts := make([]string, 0, len(v))
		for _, item := range v[:min(len(v), maxValueShown)] {
			parts = append(parts, shownValue(item))
		}
		return limitText("[" + strings.Join(parts, ",") + "]")
	}
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprintf("a value of type %T", value)
	}
	return limitText(string(data))
}

func limitText(text string) string {
	if len(text) <= maxValueShown {
		return text
	}
	return strings.ToValidUTF8(text[:maxValueShown], "") + "…"
}
