package step

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/lockkeeper/lockkeeper/promote"
)

// redactor takes the secrets that expressions have read out of what is recorded. Nil takes out nothing.
type redactor interface {
	Redact(text string) string
	RedactAny(value any) any
}

// concealed returns the output of a step as it may be recorded. Later steps see nothing else either: a run that goes on from
// the record must find what the run before it found.
func (r *run) concealed(output map[string]any) (map[string]any, error) {
	if r.redact == nil {
		return output, nil
	}
	data, err := json.Marshal(output)
	if err != nil {
		return nil, err
	}
	var tree any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&tree); err != nil {
		return nil, err
	}
	clean, _ := r.redact.RedactAny(tree).(map[string]any)
	return clean, nil
}

// conceal takes secrets out of everything that a run hands over to be recorded or shown.
func (r *run) conceal() error {
	if r.redact == nil {
		return nil
	}
	result := &r.result
	result.Message = r.redact.Redact(result.Message)
	result.Alias = r.redact.Redact(result.Alias)
	for i := range result.Results {
		result.Results[i].Message = r.redact.Redact(result.Results[i].Message)
		state, err := r.concealedJSON(result.Results[i].State)
		if err != nil {
			return fmt.Errorf("state of step %q: %w", result.Results[i].As, err)
		}
		result.Results[i].State = state
	}
	for i, move := range result.Moves {
		result.Moves[i] = promote.Move{
			File: move.File, Key: move.Key, Before: r.redact.Redact(move.Before), After: r.redact.Redact(move.After),
		}
	}
	for _, metadata := range result.Metadata {
		for key, value := range metadata.Values {
			clean, err := r.concealedJSON(value)
			if err != nil {
				return fmt.Errorf("metadata %q: %w", key, err)
			}
			metadata.Values[key] = clean
		}
	}
	if push := result.Push; push != nil {
		push.Title, push.Description = r.redact.Redact(push.Title), r.redact.Redact(push.Description)
		for i := range push.Labels {
			push.Labels[i] = r.redact.Redact(push.Labels[i])
		}
	}
	return nil
}

// concealedJSON takes secrets out of a JSON value.
func (r *run) concealedJSON(data json.RawMessage) (json.RawMessage, error) {
	if len(data) == 0 {
		return data, nil
	}
	var tree any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&tree); err != nil {
		return nil, err
	}
	return json.Marshal(r.redact.RedactAny(tree))
}
