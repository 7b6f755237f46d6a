package step

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/tomledit"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/expr"
)

type parseConfig struct {
	Path    string             `json:"path"`
	Outputs []expressionConfig `json:"outputs"`
}

type expressionConfig struct {
	Name           string `json:"name"`
	FromExpression string `json:"fromExpression"`
}

// parse evaluates expressions over what a file holds.
func (r *run) parse(ctx context.Context, c config, fields func(name string, data []byte) (map[string]any, error)) (outcome, error) {
	var cfg parseConfig
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
	document, err := fields(cfg.Path, data)
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
	return succeeded(output), nil
}

// jsonParse evaluates expressions over a JSON file. Whole numbers keep every digit that 64 bits can hold.
func (r *run) jsonParse(ctx context.Context, _ promote.Step, c config) (outcome, error) {
	return r.parse(ctx, c, func(name string, data []byte) (map[string]any, error) {
		var value any
		decoder := json.NewDecoder(strings.NewReader(strings.TrimPrefix(string(data), "\ufeff")))
		decoder.UseNumber()
		if err := decoder.Decode(&value); err != nil {
			return nil, fmt.Errorf("%q is not valid JSON: %w", name, err)
		}
		if decoder.More() {
			return nil, fmt.Errorf("%q holds more than one JSON value", name)
		}
		fields, ok := numbers(value).(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%q holds no JSON object", name)
		}
		return fields, nil
	})
}

// numbers makes numbers what expressions calculate with: whole ones where they fit, else floats.
func numbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, item := range v {
			v[key] = numbers(item)
		}
	case []any:
		for i, item := range v {
			v[i] = numbers(item)
		}
	case json.Number:
		if whole, err := v.Int64(); err == nil {
			return whole
		}
		if float, err := v.Float64(); err == nil {
			return float
		}
		return v.String()
	}
	return v
}

// tomlParse evaluates expressions over a TOML file. Dates and times are text.
func (r *run) tomlParse(ctx context.Context, _ promote.Step, c config) (outcome, error) {
	return r.parse(ctx, c, func(name string, data []byte) (map[string]any, error) {
		fields, err := tomledit.Decode(data)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", name, err)
		}
		return fields, nil
	})
}
