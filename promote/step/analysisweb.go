package step

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/util/jsonpath"

	"github.com/lockkeeper/lockkeeper/promote"
)

type analysisWebConfig struct {
	metricConfig
	URL            string      `json:"url"`
	Method         string      `json:"method"`
	Headers        []nameValue `json:"headers"`
	Body           content     `json:"body"`
	JSONPath       string      `json:"jsonPath"`
	TimeoutSeconds count       `json:"timeoutSeconds"`
	Insecure       flag        `json:"insecure"`
}

// analysisWeb measures what a URL answers (Argo Rollouts: the web provider).
func (r *run) analysisWeb(ctx context.Context, _ promote.Step, c config) (outcome, error) {
	var cfg analysisWebConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	pick, err := newPicker(cfg.JSONPath)
	if err != nil {
		return outcome{}, fmt.Errorf("config.jsonPath: %w", err)
	}
	asked := call{
		url: cfg.URL, method: cfg.Method, headers: cfg.Headers, body: cfg.Body, timeout: seconds(cfg.TimeoutSeconds),
		insecure: bool(cfg.Insecure), limit: maxMeasured,
	}
	if len(cfg.Body) > 0 && json.Valid(cfg.Body) {
		asked.headers = append([]nameValue{{Name: "Content-Type", Value: "application/json"}}, asked.headers...)
	}
	return r.analyse(ctx, cfg.metricConfig, func(ctx context.Context) (any, error) {
		got, err := r.send(ctx, asked)
		if err != nil {
			return nil, err
		}
		if !got.ok() {
			return nil, technicalError{fmt.Errorf("%s answers %s, expected 2xx", asked.named(), got.words())}
		}
		value, err := pick.from(got.body)
		if err != nil {
			return nil, technicalError{fmt.Errorf("%s: %w", asked.named(), err)}
		}
		return value, nil
	})
}

// seconds is the timeout of a request that is written as a number of seconds.
func seconds(n count) time.Duration {
	if n <= 0 {
		return defaultRequestTimeout
	}
	return time.Duration(min(n, 600)) * time.Second
}

// picker takes one value out of a JSON document.
type picker struct{ path string }

const (
	maxJSONPath = 1 << 10
	maxBranches = 8   // unions and searches multiply what is found
	maxNesting  = 100 // a search costs the square of it
)

// newPicker reads a JSONPath of Kubernetes, such as {$.data.status}. Empty takes the whole document.
func newPicker(path string) (picker, error) {
	branches := strings.Count(path, ",") + strings.Count(path, "*")
	switch {
	case path == "":
		return picker{}, nil
	case len(path) > maxJSONPath:
		return picker{}, fmt.Errorf("%d bytes, at most %d", len(path), maxJSONPath)
	case strings.Count(path, "..") > 1 || branches > maxBranches:
		return picker{}, fmt.Errorf("%q searches too much: at most one `..` and %d of `,` and `*`", path, maxBranches)
	case strings.Contains(path, "range") && strings.Contains(path, "end"):
		return picker{}, fmt.Errorf("%q is a loop, expected the path of one value, such as {$.data.status}", path)
	}
	if err := jsonpath.New("jsonPath").Parse(path); err != nil {
		return picker{}, fmt.Errorf("%q: %w", path, err)
	}
	return picker{path: path}, nil
}

// from returns the first value that the path finds.
func (p picker) from(data []byte) (any, error) {
	var document any
	if err := json.Unmarshal(data, &document); err != nil {
		if p.path == "" {
			return string(data), nil
		}
		return nil, fmt.Errorf("the answer is no JSON, in which jsonPath could find anything: %w", err)
	}
	if p.path == "" {
		return document, nil
	}
	if deeper(document, maxNesting) {
		return nil, fmt.Errorf("the answer is nested more than %d levels deep", maxNesting)
	}
	// A parsed path changes while it searches, so it is parsed for each search.
	parsed := jsonpath.New("jsonPath")
	if err := parsed.Parse(p.path); err != nil {
		return nil, err
	}
	found, err := parsed.FindResults(document)
	if err != nil {
		return nil, fmt.Errorf("jsonPath %q: %w", p.path, err)
	}
	values := slices.Concat(found...)
	switch {
	case len(values) == 0:
		return nil, fmt.Errorf("jsonPath %q finds nothing", p.path)
	case !values[0].IsValid() || !values[0].CanInterface():
		return nil, nil //nolint:nilnil // the value is null
	}
	return values[0].Interface(), nil
}

// deeper reports whether a document is nested deeper than a number of levels.
func deeper(document any, levels int) bool {
	if levels == 0 {
		return true
	}
	switch v := document.(type) {
	case map[string]any:
		for _, item := range v {
			if deeper(item, levels-1) {
				return true
			}
		}
	case []any:
		for _, item := range v {
			if deeper(item, levels-1) {
				return true
			}
		}
	}
	return false
}
