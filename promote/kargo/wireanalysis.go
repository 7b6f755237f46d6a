package kargo

import (
	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// verification is what a stage says about measuring its freight.
type verification struct {
	AnalysisTemplates []struct {
		Name string `json:"name"`
		Kind string `json:"kind"`
	} `json:"analysisTemplates"`
	AnalysisRunMetadata struct { // there are no AnalysisRuns to put it on
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	} `json:"analysisRunMetadata"`
	Args []variable `json:"args"`
}

// analysisManifest is an AnalysisTemplate or ClusterAnalysisTemplate of Argo Rollouts. Numbers that may be arguments are nodes.
type analysisManifest struct {
	manifest.Envelope
	Spec struct {
		Args    []analysisArg `json:"args"`
		Metrics []metric      `json:"metrics"`
		DryRun  []struct {
			MetricName string `json:"metricName"`
		} `json:"dryRun"`
		MeasurementRetention any `json:"measurementRetention"`
		Templates            []struct {
			TemplateName string `json:"templateName"`
			ClusterScope bool   `json:"clusterScope"`
		} `json:"templates"`
	} `json:"spec"`
}

type analysisArg struct {
	Name      string  `json:"name"`
	Value     *string `json:"value"`
	ValueFrom *struct {
		SecretKeyRef *struct {
			Name string `json:"name"`
			Key  string `json:"key"`
		} `json:"secretKeyRef"`
		FieldRef yaml.Node `json:"fieldRef"`
	} `json:"valueFrom"`
}

type metric struct {
	Name                    string    `json:"name"`
	Interval                string    `json:"interval"`
	InitialDelay            string    `json:"initialDelay"`
	Count                   yaml.Node `json:"count"`
	SuccessCondition        string    `json:"successCondition"`
	FailureCondition        string    `json:"failureCondition"`
	FailureLimit            yaml.Node `json:"failureLimit"`
	InconclusiveLimit       yaml.Node `json:"inconclusiveLimit"`
	ConsecutiveErrorLimit   yaml.Node `json:"consecutiveErrorLimit"`
	ConsecutiveSuccessLimit yaml.Node `json:"consecutiveSuccessLimit"`
	Provider                yaml.Node `json:"provider"`
}

type webProvider struct {
	Method         string         `json:"method"`
	URL            string         `json:"url"`
	Headers        []metricHeader `json:"headers"`
	Body           string         `json:"body"`
	JSONBody       yaml.Node      `json:"jsonBody"`
	JSONPath       string         `json:"jsonPath"`
	TimeoutSeconds int            `json:"timeoutSeconds"`
	Insecure       bool           `json:"insecure"`
	Authentication yaml.Node      `json:"authentication"`
}

type metricHeader struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type prometheusProvider struct {
	Address        string         `json:"address"`
	Query          string         `json:"query"`
	Headers        []metricHeader `json:"headers"`
	Timeout        int            `json:"timeout"` // seconds
	Insecure       bool           `json:"insecure"`
	Authentication yaml.Node      `json:"authentication"`
	RangeQuery     *struct {
		Start string `json:"start"`
		End   string `json:"end"`
		Step  string `json:"step"`
	} `json:"rangeQuery"`
}

// The structs below are the configurations of the steps that metrics become.

type webConfig struct {
	Name           string         `json:"name"`
	URL            string         `json:"url"`
	Method         string         `json:"method,omitempty"`
	Headers        []headerConfig `json:"headers,omitempty"`
	Body           string         `json:"body,omitempty"`
	JSONPath       string         `json:"jsonPath,omitempty"`
	TimeoutSeconds int            `json:"timeoutSeconds,omitempty"`
	Insecure       bool           `json:"insecure,omitempty"`
	measureConfig
}

type prometheusConfig struct {
	Name           string         `json:"name"`
	Address        string         `json:"address"`
	Query          string         `json:"query"`
	Headers        []headerConfig `json:"headers,omitempty"`
	RangeQuery     *rangeConfig   `json:"rangeQuery,omitempty"`
	TimeoutSeconds int            `json:"timeoutSeconds,omitempty"`
	Insecure       bool           `json:"insecure,omitempty"`
	measureConfig
}

type headerConfig struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type rangeConfig struct {
	Start string `json:"start"`
	End   string `json:"end"`
	Step  string `json:"step"`
}

// measureConfig says how often to measure and what counts as success. A number is an int64, or a string with an expression.
type measureConfig struct {
	SuccessCondition        string `json:"successCondition,omitempty"`
	FailureCondition        string `json:"failureCondition,omitempty"`
	Interval                string `json:"interval,omitempty"`
	InitialDelay            string `json:"initialDelay,omitempty"`
	Count                   any    `json:"count,omitempty"`
	FailureLimit            any    `json:"failureLimit,omitempty"`
	InconclusiveLimit       any    `json:"inconclusiveLimit,omitempty"`
	ConsecutiveErrorLimit   any    `json:"consecutiveErrorLimit,omitempty"`
	ConsecutiveSuccessLimit any    `json:"consecutiveSuccessLimit,omitempty"`
}
