package step

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/expr"
)

type httpConfig struct {
	URL          string             `json:"url"`
	Method       string             `json:"method"`
	Headers      []nameValue        `json:"headers"`
	QueryParams  []nameValue        `json:"queryParams"`
	Body         content            `json:"body"`
	BodyFromFile string             `json:"bodyFromFile"`
	Timeout      interval           `json:"timeout"`
	PollInterval interval           `json:"pollInterval"`
	Proxy        string             `json:"proxy"`
	SkipTLS      flag               `json:"insecureSkipTLSVerify"`
	ContentType  string             `json:"responseContentType"`
	Success      string             `json:"successExpression"`
	Failure      string             `json:"failureExpression"`
	Error        string             `json:"errorExpression"`
	Outputs      []expressionConfig `json:"outputs"`
}

const (
	defaultRequestTimeout = 10 * time.Second
	defaultPollInterval   = 30 * time.Second
)

// http makes a request and judges the answer by the task's expressions: failure fails, error counts as an error, success ends
// the step. When success or failure is asked for and neither is there yet, the request is made again after a while. Without
// either, any 2xx is a success and everything else a failure; Kargo asks for ever then.
func (r *run) http(ctx context.Context, _ promote.Step, c config) (outcome, error) {
	var cfg httpConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	asked, err := r.httpCall(ctx, cfg)
	if err != nil {
		return outcome{}, err
	}
	got, err := r.send(ctx, asked)
	if err != nil {
		return outcome{}, err
	}
	response, err := got.response(cfg.ContentType)
	if err != nil {
		return outcome{}, technicalError{fmt.Errorf("%s: %w", asked.named(), err)}
	}
	done, err := cfg.judge(asked, got, response)
	if err != nil {
		return outcome{}, err
	}
	if !done {
		return r.pause(cfg.PollInterval.or(defaultPollInterval), fmt.Sprintf("%s answers %s; it is asked again until an expression decides", asked.named(), got.words()), nil)
	}
	output, err := outputsOf(cfg.Outputs, response)
	if err != nil {
		return outcome{}, err
	}
	reads := asked.method == "" || strings.EqualFold(asked.method, http.MethodGet) || strings.EqualFold(asked.method, http.MethodHead)
	return outcome{
		status: promote.StepSucceeded, output: output, message: fmt.Sprintf("%s answers %s", asked.named(), got.words()), acted: !reads,
	}, nil
}

func (r *run) httpCall(ctx context.Context, cfg httpConfig) (call, error) {
	asked := call{
		url: cfg.URL, method: cfg.Method, headers: cfg.Headers, query: cfg.QueryParams, body: cfg.Body,
		timeout: cfg.Timeout.or(defaultRequestTimeout), proxy: cfg.Proxy, insecure: bool(cfg.SkipTLS),
	}
	if cfg.BodyFromFile == "" {
		return asked, nil
	}
	if len(cfg.Body) > 0 {
		return call{}, errors.New("config.body and config.bodyFromFile are both set: keep one")
	}
	var err error
	asked.body, err = r.workspace.read(ctx, cfg.BodyFromFile)
	return asked, err
}

// judge says whether the step is done with an answer.
func (cfg httpConfig) judge(asked call, got answer, response expr.Response) (done bool, err error) {
	failed, err := holds("failureExpression", cfg.Failure, response)
	if err != nil {
		return false, err
	}
	broken, err := holds("errorExpression", cfg.Error, response)
	if err != nil {
		return false, err
	}
	succeeded, err := holds("successExpression", cfg.Success, response)
	switch {
	case failed:
		return false, fmt.Errorf("%s answers %s, for which failureExpression is true", asked.named(), got.words())
	case broken:
		return false, technicalError{fmt.Errorf("%s answers %s, for which errorExpression is true", asked.named(), got.words())}
	case err != nil:
		return false, err
	case cfg.Success == "" && cfg.Failure == "" && !got.ok():
		return false, fmt.Errorf("%s answers %s, expected 2xx: write a successExpression to accept or await anything else", asked.named(), got.words())
	}
	return succeeded || cfg.Success == "" && cfg.Failure == "", nil
}
