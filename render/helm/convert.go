package helm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/BurntSushi/toml"
	"sigs.k8s.io/yaml"
	goyaml "sigs.k8s.io/yaml/goyaml.v3"
)

// conversions are Helm's own functions between values and texts. Those without "must" never fail: what cannot be written
// is "", and what cannot be read is a value that holds the reason.
func conversions() template.FuncMap {
	return template.FuncMap{
		"toYaml": toYAML, "mustToYaml": mustWrite(toYAMLText), "toYamlPretty": toYAMLPretty,
		"fromYaml": fromYAML, "fromYamlArray": fromYAMLArray,
		"toJson": toJSON, "mustToJson": mustWrite(toJSONText), "fromJson": fromJSON, "fromJsonArray": fromJSONArray,
		"toToml": toTOML, "mustToToml": mustWrite(toTOMLText), "fromToml": fromTOML,
	}
}

func mustWrite(write func(any) (string, error)) func(any) (string, error) { return write }

func toYAMLText(v any) (string, error) {
	data, err := yaml.Marshal(v)
	return strings.TrimSuffix(string(data), "\n"), err
}

func toYAML(v any) string {
	text, err := toYAMLText(v)
	if err != nil {
		return ""
	}
	return text
}

func toYAMLPretty(v any) string {
	var out bytes.Buffer
	encoder := goyaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(v); err != nil {
		return ""
	}
	return strings.TrimSuffix(out.String(), "\n")
}

func fromYAML(text string) map[string]any {
	out := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		out["Error"] = err.Error()
	}
	return out
}

func fromYAMLArray(text string) []any {
	out := []any{}
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		return []any{err.Error()}
	}
	return out
}

func toJSONText(v any) (string, error) {
	data, err := json.Marshal(v)
	return string(data), err
}

func toJSON(v any) string {
	text, err := toJSONText(v)
	if err != nil {
		return ""
	}
	return text
}

func fromJSON(text string) map[string]any {
	out := map[string]any{}
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		out["Error"] = err.Error()
	}
	return out
}

func fromJSONArray(text string) []any {
	out := []any{}
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		return []any{err.Error()}
	}
	return out
}

func toTOMLText(v any) (string, error) {
	var out bytes.Buffer
	err := toml.NewEncoder(&out).Encode(v)
	return out.String(), err
}

func toTOML(v any) string {
	text, err := toTOMLText(v)
	if err != nil {
		return err.Error()
	}
	return text
}

func fromTOML(text string) map[string]any {
	out := map[string]any{}
	err := errors.New("nested too deeply")
	if nesting(text) <= maxDepth {
		err = toml.Unmarshal([]byte(text), &out)
	}
	if err != nil {
		out["Error"] = err.Error()
	}
	return out
}

// nesting is how deep brackets are at most nested in text: the parser has no bound of its own.
func nesting(text string) int {
	depth, most := 0, 0
	for i := range len(text) {
		switch text[i] {
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		}
		most = max(most, depth)
	}
	return most
}

// durations are Helm's functions on spans of time.
func durations() template.FuncMap {
	number := func(of func(time.Duration) float64) func(any) float64 {
		return func(v any) float64 {
			d, err := span(v)
			if err != nil {
				return 0
			}
			return of(d)
		}
	}
	count := func(of func(time.Duration) int64) func(any) int64 {
		return func(v any) int64 {
			d, err := span(v)
			if err != nil {
				return 0
			}
			return of(d)
		}
	}
	return template.FuncMap{
		"mustToDuration":       span,
		"durationSeconds":      number(time.Duration.Seconds),
		"durationMinutes":      number(time.Duration.Minutes),
		"durationHours":        number(time.Duration.Hours),
		"durationDays":         number(func(d time.Duration) float64 { return d.Hours() / 24 }),
		"durationWeeks":        number(func(d time.Duration) float64 { return d.Hours() / 24 / 7 }),
		"durationMilliseconds": count(time.Duration.Milliseconds),
		"durationMicroseconds": count(time.Duration.Microseconds),
		"durationNanoseconds":  count(time.Duration.Nanoseconds),
		"durationRoundTo":      stepwise(time.Duration.Round),
		"durationTruncateTo":   stepwise(time.Duration.Truncate),
	}
}

func stepwise(of func(d, step time.Duration) time.Duration) func(v, step any) time.Duration {
	return func(v, step any) time.Duration {
		d, err := span(v)
		if err != nil {
			return 0
		}
		by, err := span(step)
		if err != nil {
			return d
		}
		return of(d, by)
	}
}

// span reads a duration: one of Go's, a text such as "1h30m", or a number of seconds.
func span(v any) (time.Duration, error) {
	switch v := v.(type) {
	case time.Duration:
		return v, nil
	case string:
		text := strings.TrimSpace(v)
		if d, err := time.ParseDuration(text); err == nil {
			return d, nil
		}
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return 0, fmt.Errorf("could not parse duration %q", v)
		}
		return seconds(f)
	}
	n := reflect.ValueOf(v)
	switch {
	case !n.IsValid():
		return 0, errors.New("invalid duration")
	case n.CanInt():
		return wholeSeconds(n.Int())
	case n.CanUint():
		return wholeSeconds(int64(min(n.Uint(), math.MaxInt64)))
	case n.CanFloat():
		return seconds(n.Float())
	}
	return 0, fmt.Errorf("unsupported duration type %T", v)
}

func wholeSeconds(n int64) (time.Duration, error) {
	if most := int64(math.MaxInt64 / time.Second); n > most || n < -most {
		return 0, fmt.Errorf("duration seconds overflow: %d", n)
	}
	return time.Duration(n) * time.Second, nil
}

func seconds(f float64) (time.Duration, error) {
	nanoseconds := f * float64(time.Second)
	if math.IsNaN(f) || nanoseconds >= math.MaxInt64 || nanoseconds <= math.MinInt64 {
		return 0, fmt.Errorf("duration seconds overflow: %v", f)
	}
	return time.Duration(nanoseconds), nil
}
