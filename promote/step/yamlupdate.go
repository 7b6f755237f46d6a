package step

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/yamledit"
	"github.com/lockkeeper/lockkeeper/promote"
)

type yamlUpdateConfig struct {
	Path    string         `json:"path"`
	Updates []updateConfig `json:"updates"`
}

type updateConfig struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
}

// yamlUpdate changes values in a file and not one other byte.
func (r *run) yamlUpdate(ctx context.Context, _ promote.Step, c config) (outcome, error) {
	var cfg yamlUpdateConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	if len(cfg.Updates) == 0 {
		return outcome{}, errors.New("config.updates is missing: name what to change, as in updates: [{key: spec.tag, value: …}]")
	}
	data, err := r.workspace.read(ctx, cfg.Path)
	if err != nil {
		return outcome{}, err
	}
	edits := make([]yamledit.Edit, len(cfg.Updates))
	for i, update := range cfg.Updates {
		if edits[i], err = c.edit(i, update, data); err != nil {
			return outcome{}, fmt.Errorf("%s: %w", cfg.Path, err)
		}
	}
	edited, changes, err := yamledit.Set(data, edits...)
	if err != nil {
		return outcome{}, fmt.Errorf("%s: %w", cfg.Path, err)
	}
	if err := r.workspace.write(cfg.Path, edited, 0); err != nil {
		return outcome{}, err
	}
	inside := r.workspace.shown(cfg.Path)
	var message strings.Builder
	message.WriteString("Update " + inside + "\n")
	for _, change := range changes {
		fmt.Fprintf(&message, "\n- %s: %s → %s", change.Key, change.Old, change.New)
		if change.Old != change.New {
			r.result.Moves = append(r.result.Moves, promote.Move{File: inside, Key: change.Key, Before: change.Old, After: change.New})
		}
	}
	return outcome{status: promote.StepSucceeded, output: map[string]any{"commitMessage": message.String()}}, nil
}

// edit makes the i-th update's edit. A value that an unquoted expression made of a string keeps the type of what it
// replaces, so that the tag 1.10 stays 1.10 and a number stays a number; every other value is written as what it is.
func (c config) edit(i int, update updateConfig, data []byte) (yamledit.Edit, error) {
	edit := yamledit.Edit{Key: update.Key}
	if len(update.Value) == 0 {
		return edit, fmt.Errorf("key %q: value is missing", update.Key)
	}
	if text, retyped := c.retyped[fmt.Sprintf("updates[%d].value", i)]; retyped {
		edit.Value = yamledit.String(text)
		old, err := yamledit.Get(data, update.Key)
		if err == nil && takes(old.Tag, text) {
			edit.Value = plain(old.Tag, text)
		}
		return edit, nil
	}
	var value any
	decoder := json.NewDecoder(strings.NewReader(string(update.Value)))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return edit, fmt.Errorf("key %q: %w", update.Key, err)
	}
	switch v := value.(type) {
	case string:
		edit.Value = yamledit.String(v)
	case json.Number:
		edit.Value = yamledit.Number(v.String())
	case bool:
		edit.Value = yamledit.Bool(v)
	case nil:
		return edit, fmt.Errorf("key %q: the value is null: its expression found nothing", update.Key)
	default:
		return edit, fmt.Errorf("key %q: the value is a list or a mapping: only single values can be set", update.Key)
	}
	return edit, nil
}

// takes reports whether text is a value of the type that tag names.
func takes(tag, text string) bool {
	switch tag {
	case "!!int":
		_, err := strconv.ParseInt(text, 10, 64)
		return err == nil
	case "!!float":
		_, err := strconv.ParseFloat(text, 64)
		return err == nil && !strings.Contains(text, "_")
	case "!!bool":
		return text == "true" || text == "false"
	}
	return false
}

func plain(tag, text string) yamledit.Value {
	if tag == "!!bool" {
		return yamledit.Bool(text == "true")
	}
	return yamledit.Number(text)
}
