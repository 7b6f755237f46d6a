package step

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/lockkeeper/lockkeeper/promote"
)

// shownError is an error whose text holds no secret. What it wraps is for errors.Is and errors.As only.
type shownError struct {
	text string
	err  error
}

func (e *shownError) Error() string { return e.text }

func (e *shownError) Unwrap() error { return e.err }

// shown takes secrets out of the text of an error, which is logged.
func (r *run) shown(err error) error { return &shownError{r.secrets.Redact(err.Error()), err} }

// concealed returns the output of a step as it may be recorded. Later steps see nothing else either: a run that goes on from
// the record must find what the run before it found.
func (r *run) concealed(output map[string]any) (map[string]any, error) {
	if len(r.secrets.Values()) == 0 {
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
	clean, _ := r.secrets.RedactAny(tree).(map[string]any)
	return clean, nil
}

// conceal takes secrets out of everything that a run hands over to be recorded or shown.
func (r *run) conceal() error {
	if len(r.secrets.Values()) == 0 {
		return nil
	}
	result := &r.result
	result.Message = r.secrets.Redact(result.Message)
	result.Alias = r.secrets.Redact(result.Alias)
	for i := range result.Results {
		result.Results[i].Message = r.secrets.Redact(result.Results[i].Message)
		for _, kept := range []*json.RawMessage{&result.Results[i].State, &result.Results[i].Output} {
			clean, err := r.concealedJSON(*kept)
			if err != nil {
				return fmt.Errorf("record of step %q: %w", result.Results[i].As, err)
			}
			*kept = clean
		}
	}
	for i, move := range result.Moves {
		result.Moves[i] = promote.Move{
			File: move.File, Key: move.Key, Before: r.secrets.Redact(move.Before), After: r.secrets.Redact(move.After),
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
		push.Title, push.Description = r.secrets.Redact(push.Title), r.secrets.Redact(push.Description)
		for i := range push.Labels {
			push.Labels[i] = r.secrets.Redact(push.Labels[i])
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
	return json.Marshal(r.secrets.RedactAny(tree))
}
