package step

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
)

type analysisPrometheusConfig struct {
	metricConfig
	Address        string       `json:"address"`
	Query          string       `json:"query"`
	RangeQuery     *rangeConfig `json:"rangeQuery"`
	Headers        []nameValue  `json:"headers"`
	TimeoutSeconds count        `json:"timeoutSeconds"`
	Insecure       flag         `json:"insecure"`
}

// rangeConfig asks for a span of time instead of one moment. Its ends are "now", a distance from now such as -5m, or a time in
// RFC 3339.
type rangeConfig struct {
	Start string   `json:"start"`
	End   string   `json:"end"`
	Step  interval `json:"step"`
}

// analysisPrometheus measures what a query gives (Argo Rollouts: the prometheus provider): a list of numbers, one for each
// series, or one number.
func (r *run) analysisPrometheus(ctx context.Context, _ promote.Step, c config) (outcome, error) {
	var cfg analysisPrometheusConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	switch {
	case cfg.Address == "":
		return outcome{}, errors.New("config.address is missing: write where Prometheus is, as in address: http://prometheus.monitoring:9090")
	case strings.TrimSpace(cfg.Query) == "":
		return outcome{}, errors.New("config.query is missing: write what to ask Prometheus")
	}
	asked := call{
		url: strings.TrimRight(cfg.Address, "/") + "/api/v1/query", headers: cfg.Headers, query: []nameValue{{"query", cfg.Query}},
		timeout: seconds(cfg.TimeoutSeconds), insecure: bool(cfg.Insecure), limit: maxMeasured,
	}
	if cfg.RangeQuery != nil {
		span, err := cfg.RangeQuery.parameters(r.Now)
		if err != nil {
			return outcome{}, err
		}
		asked.url, asked.query = asked.url+"_range", append(asked.query, span...)
	}
	return r.analyse(ctx, cfg.metricConfig, func(ctx context.Context) (any, error) {
		got, err := r.send(ctx, asked)
		if err != nil {
			return nil, err
		}
		value, err := prometheusValue(got)
		if err != nil {
			return nil, technicalError{fmt.Errorf("%s: %w", asked.named(), err)}
		}
		return value, nil
	})
}

func (c rangeConfig) parameters(now time.Time) ([]nameValue, error) {
	start, err := moment("start", c.Start, now)
	if err != nil {
		return nil, err
	}
	end, err := moment("end", c.End, now)
	switch {
	case err != nil:
		return nil, err
	case c.Step < interval(time.Second):
		return nil, errors.New("config.rangeQuery.step is missing: write the distance between two values, at least 1s")
	case !start.Before(end):
		return nil, errors.New("config.rangeQuery.start is not before its end")
	}
	return []nameValue{
		{"start", start.UTC().Format(time.RFC3339)},
		{"end", end.UTC().Format(time.RFC3339)},
		{"step", strconv.FormatFloat(time.Duration(c.Step).Seconds(), 'f', -1, 64)},
	}, nil
}

func moment(key, text string, now time.Time) (time.Time, error) {
	if text == "now" || text == "now()" {
		return now, nil
	}
	if distance, err := time.ParseDuration(text); err == nil {
		return now.Add(distance), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, fmt.Errorf("config.rangeQuery.%s is %q: expected now, a distance such as -5m, or a time such as 2006-01-02T15:04:05Z", key, text)
	}
	return at, nil
}

// prometheusAnswer is an answer of Prometheus' HTTP API.
type prometheusAnswer struct {
	Status string `json:"status"`
	Error  string `json:"error"`
	Data   struct {
		Type   string          `json:"resultType"`
		Result json.RawMessage `json:"result"`
	} `json:"data"`
}

// sample is a time and a number, which is written as text.
type sample [2]any

func (s sample) value() (float64, error) {
	text, ok := s[1].(string)
	if !ok {
		return 0, fmt.Errorf("the answer holds %v where a number in quotes was expected", s[1])
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil && !math.IsInf(value, 0) {
		return 0, fmt.Errorf("the answer holds %q, which is no number", limitText(text))
	}
	return value, nil
}

// prometheusValue reads an answer: a vector is the numbers of its series, a matrix those of each of its series, a scalar a number.
func prometheusValue(got answer) (any, error) {
	var said prometheusAnswer
	if err := json.Unmarshal(got.body, &said); err != nil {
		return nil, fmt.Errorf("it answers %s, and not as Prometheus does", got.words())
	}
	if said.Status != "success" {
		return nil, fmt.Errorf("it answers %s: %s", got.words(), limitText(said.Error))
	}
	switch said.Data.Type {
	case "vector":
		var series []struct {
			Value sample `json:"value"`
		}
		if err := json.Unmarshal(said.Data.Result, &series); err != nil {
			return nil, fmt.Errorf("its vector: %w", err)
		}
		values := make([]sample, len(series))
		for i, one := range series {
			values[i] = one.Value
		}
		return sampleValues(values)
	case "matrix":
		var series []struct {
			Values []sample `json:"values"`
		}
		if err := json.Unmarshal(said.Data.Result, &series); err != nil {
			return nil, fmt.Errorf("its matrix: %w", err)
		}
		all := make([]any, len(series))
		for i, one := range series {
			values, err := sampleValues(one.Values)
			if err != nil {
				return nil, err
			}
			all[i] = values
		}
		return all, nil
	case "scalar":
		var one sample
		if err := json.Unmarshal(said.Data.Result, &one); err != nil {
			return nil, fmt.Errorf("its scalar: %w", err)
		}
		return one.value()
	}
	return nil, fmt.Errorf("its result is a %q, expected a vector, a scalar or a matrix", limitText(said.Data.Type))
}

func sampleValues(samples []sample) ([]any, error) {
	values := make([]any, len(samples))
	for i, one := range samples {
		value, err := one.value()
		if err != nil {
			return nil, err
		}
		values[i] = value
	}
	return values, nil
}
