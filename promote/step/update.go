package step

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/jsonedit"
	"github.com/lockkeeper/lockkeeper/promote"
)

// format is how the files of one kind are edited.
type format struct {
	kind func(data []byte, key string) valueKind // of the value at a key; text where there is none
	set  func(data []byte, edits []edit) (out []byte, changes []change, err error)
}

// valueKind is the type of a value, as far as text can be taken for it.
type valueKind int

const (
	textValue valueKind = iota
	wholeValue
	numberValue
	boolValue
)

// edit gives a key a new value: a string, a json.Number or a bool.
type edit struct {
	key   string
	value any
}

// change is what an edit did.
type change struct {
	key, before, after string
	created            bool // the key was missing
}

// values makes edits those of a format, whose values are of another type.
func values[V, E any](edits []edit, text, number func(string) V, boolean func(bool) V, of func(key string, value V) E) []E {
	all := make([]E, len(edits))
	for i, e := range edits {
		var value V
		switch v := e.value.(type) {
		case bool:
			value = boolean(v)
		case json.Number:
			value = number(v.String())
		case string:
			value = text(v)
		}
		all[i] = of(e.key, value)
	}
	return all
}

const maxUpdates = 500 // of one file in one step: each is checked on its own

type updatesConfig struct {
	Path    string         `json:"path"`
	Updates []updateConfig `json:"updates"`
}

type updateConfig struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
}

// update changes values in a file and not one other byte.
func (r *run) update(ctx context.Context, c config, f format) (outcome, error) {
	var cfg updatesConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	if len(cfg.Updates) == 0 {
		return outcome{}, errors.New("config.updates is missing: name what to change, as in updates: [{key: spec.tag, value: …}]")
	}
	if len(cfg.Updates) > maxUpdates {
		return outcome{}, fmt.Errorf("config.updates lists %d keys, at most %d: use several steps", len(cfg.Updates), maxUpdates)
	}
	data, err := r.workspace.read(ctx, cfg.Path)
	if err != nil {
		return outcome{}, err
	}
	edits := make([]edit, len(cfg.Updates))
	for i, update := range cfg.Updates {
		if edits[i], err = c.edit(i, update, data, f); err != nil {
			return outcome{}, fmt.Errorf("%s: %w", cfg.Path, err)
		}
	}
	edited, changes, err := f.set(data, edits)
	if err != nil {
		return outcome{}, fmt.Errorf("%s: %w", cfg.Path, err)
	}
	if err := r.workspace.write(cfg.Path, edited, 0); err != nil {
		return outcome{}, err
	}
	return succeeded(map[string]any{"commitMessage": r.moved(r.workspace.shown(cfg.Path), changes)}), nil
}

// moved records what changed in a file, and words it for a commit.
func (r *run) moved(file string, changes []change) string {
	var message strings.Builder
	message.WriteString("Update " + file + "\n")
	for _, change := range changes {
		if change.created {
			fmt.Fprintf(&message, "\n- %s: %s (new)", change.key, change.after)
		} else {
			fmt.Fprintf(&message, "\n- %s: %s → %s", change.key, change.before, change.after)
		}
		if change.created || change.before != change.after {
			r.result.Moves = append(r.result.Moves, promote.Move{File: file, Key: change.key, Before: change.before, After: change.after})
		}
	}
	return message.String()
}

// edit makes the i-th update's edit. A value that an unquoted expression made of a string keeps the type of what it
// replaces, so that the tag 1.10 stays 1.10 and a number stays a number; every other value is written as what it is.
func (c config) edit(i int, update updateConfig, data []byte, f format) (edit, error) {
	if len(update.Value) == 0 {
		return edit{}, fmt.Errorf("key %q: value is missing", update.Key)
	}
	if text, retyped := c.retyped[fmt.Sprintf("updates[%d].value", i)]; retyped {
		return edit{update.Key, typed(f.kind(data, update.Key), text)}, nil
	}
	var value any
	decoder := json.NewDecoder(strings.NewReader(string(update.Value)))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return edit{}, fmt.Errorf("key %q: %w", update.Key, err)
	}
	switch value.(type) {
	case string, json.Number, bool:
		return edit{update.Key, value}, nil
	case nil:
		return edit{}, fmt.Errorf("key %q: the value is null: its expression found nothing", update.Key)
	}
	return edit{}, fmt.Errorf("key %q: the value is a list or a mapping: only single values can be set", update.Key)
}

// typed takes text for a value of a kind, if it is one written in the common way, and for text otherwise.
func typed(kind valueKind, text string) any {
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case kind == wholeValue && err == nil && strconv.FormatInt(n, 10) == text, kind == numberValue && jsonedit.IsNumber(text):
		return json.Number(text)
	case kind == boolValue && (text == "true" || text == "false"):
		return text == "true"
	}
	return text
}
