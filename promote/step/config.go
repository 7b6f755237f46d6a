package step

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/expr"
)

// config is a step's evaluated configuration.
type config struct {
	tree    any               // JSON values
	retyped map[string]string // path → the text of a string that Kargo's rules turned into something else
}

// evaluate evaluates the templates in a step's configuration.
func evaluate(raw json.RawMessage, env expr.Env) (config, error) {
	var tree any = map[string]any{}
	if len(raw) > 0 {
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()
		if err := decoder.Decode(&tree); err != nil {
			return config{}, fmt.Errorf("config: %w", err)
		}
	}
	evaluated, err := expr.EvalTree(tree, env)
	if err != nil {
		return config{}, fmt.Errorf("config: %w", err)
	}
	return config{tree: evaluated.Any(), retyped: evaluated.Retyped()}, nil
}

// embedded are the names of structs that configurations embed, which nobody wrote.
var embedded = regexp.MustCompile(`\b(metricConfig|appConfig)\.`)

// decode reads the configuration into a struct, strictly. Strings that look like something else are given as the text they
// were; flag and count accept text.
func (c config) decode(into any) error {
	data, err := json.Marshal(restore(c.tree, "", c.retyped))
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(into)
	var wrongType *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrongType):
		return fmt.Errorf("config.%s: %s is not a %s", embedded.ReplaceAllString(wrongType.Field, ""), wrongType.Value, wrongType.Type)
	}
	if unknown, found := strings.CutPrefix(err.Error(), "json: unknown field "); found {
		return unknownKey(strings.Trim(unknown, `"`), into)
	}
	return fmt.Errorf("config: %w", err)
}

func unknownKey(key string, into any) error {
	known := keys(reflect.TypeOf(into).Elem())
	text := fmt.Sprintf("config: unknown key %q", key)
	if near, ok := promote.Nearest(key, known); ok {
		text += fmt.Sprintf("; did you mean %q?", near)
	}
	return fmt.Errorf("%s expected: %s", text, strings.Join(known, ", "))
}

// keys lists the JSON names of a config struct and of those inside it.
func keys(t reflect.Type) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var names []string
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name != "" { // an embedded struct has none
			names = append(names, name)
		}
		names = append(names, keys(field.Type)...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// restore puts back the text of strings that were retyped.
func restore(tree any, at string, retyped map[string]string) any {
	if text, ok := retyped[at]; ok {
		return text
	}
	switch v := tree.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			out[key] = restore(item, join(at, key), retyped)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = restore(item, fmt.Sprintf("%s[%d]", at, i), retyped)
		}
		return out
	}
	return tree
}

func join(at, key string) string {
	if at == "" {
		return key
	}
	return at + "." + key
}

// flag is a boolean that may be written as text.
type flag bool

// UnmarshalJSON reads true, false, "true" and "false".
func (f *flag) UnmarshalJSON(data []byte) error {
	value, err := strconv.ParseBool(strings.Trim(string(data), `"`))
	if err != nil {
		return fmt.Errorf("%s is not true or false", data)
	}
	*f = flag(value)
	return nil
}

// count is a whole number that may be written as text.
type count int

// UnmarshalJSON reads 7 and "7".
func (c *count) UnmarshalJSON(data []byte) error {
	value, err := strconv.Atoi(strings.Trim(string(data), `"`))
	if err != nil {
		return fmt.Errorf("%s is not a whole number", data)
	}
	*c = count(value)
	return nil
}
