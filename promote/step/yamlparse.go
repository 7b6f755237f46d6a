package step

import (
	"context"
	"errors"
	"fmt"

	"sigs.k8s.io/yaml"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/expr"
)

type yamlParseConfig struct {
	Path    string             `json:"path"`
	Outputs []expressionConfig `json:"outputs"`
}

type expressionConfig struct {
	Name           string `json:"name"`
	FromExpression string `json:"fromExpression"`
}

// yamlParse evaluates expressions over the first document of a file.
func (r *run) yamlParse(ctx context.Context, _ promote.Step, c config) (outcome, error) {
	var cfg yamlParseConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	if len(cfg.Outputs) == 0 {
		return outcome{}, errors.New("config.outputs is missing: name what to read, as in outputs: [{name: oldTag, fromExpression: spec.tag}]")
	}
	data, err := r.workspace.read(ctx, cfg.Path)
	if err != nil {
		return outcome{}, err
	}
	document, err := firstDocument(cfg.Path, data)
	if err != nil {
		return outcome{}, err
	}
	output := map[string]any{}
	for _, o := range cfg.Outputs {
		value, err := expr.Run(o.FromExpression, document)
		if err != nil {
			return outcome{}, fmt.Errorf("output %q: expression %q over %s: %w", o.Name, o.FromExpression, cfg.Path, err)
		}
		output[o.Name] = value
	}
	return outcome{status: promote.StepSucceeded, output: output}, nil
}

func firstDocument(name string, data []byte) (map[string]any, error) {
	documents, err := manifest.Separate(name, data)
	if err != nil {
		return nil, err
	}
	for _, document := range documents {
		var fields map[string]any
		if err := yaml.Unmarshal(document.Raw, &fields); err != nil {
			return nil, fmt.Errorf("%q: %w", name, err)
		}
		if fields != nil {
			return fields, nil
		}
	}
	return nil, fmt.Errorf("%q holds no YAML mapping", name)
}
