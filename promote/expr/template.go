package expr

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const maxTemplate = 64 << 10

// Value is the result of one template. The zero value is null.
type Value struct {
	value any
	text  string
	from  source
}

// source says what the expressions of a template yielded.
type source int

const (
	fromLiteral source = iota // there was no expression
	fromStrings               // all results were strings
	fromOthers
)

// Any is the result by Kargo's typing rules: string, float64, bool, nil, []any or map[string]any.
func (v Value) Any() any { return v.value }

// Text is the result before it was typed, without the quotes of a quoted string: "1.10" where Any is 1.1, and every
// digit of a number that float64 cannot hold.
func (v Value) Text() string { return v.text }

// FromString reports whether there were expressions and all of them yielded strings.
func (v Value) FromString() bool { return v.from == fromStrings }

// WasRetyped reports whether strings only became a number, a boolean or null because together they look like one.
func (v Value) WasRetyped() bool {
	switch v.value.(type) {
	case float64, bool, nil:
		return v.FromString()
	}
	return false
}

// Eval evaluates one template. Errors name the expression; the sentinels of this package are reachable by errors.Is.
func Eval(template string, env Env) (Value, error) {
	return newEvaluation(env).template(template)
}

// EvalBool evaluates the condition of a step ("if"), which must yield a boolean.
func EvalBool(template string, env Env) (bool, error) {
	v, err := Eval(template, env)
	if err != nil {
		return false, err
	}
	if b, ok := v.Any().(bool); ok {
		return b, nil
	}
	if v.from == fromLiteral {
		return false, fmt.Errorf("condition %q is not an expression: write ${{ … }} around it", excerpt(template))
	}
	return false, fmt.Errorf("condition %q yields %s, not true or false: compare it with something", excerpt(template), describe(v.Any()))
}

// segment is a piece of a template: literal text, or an expression without its delimiters.
type segment struct {
	text   string
	offset int // of text in the template
	isExpr bool
}

// split cuts a template into its segments.
func split(template string) ([]segment, error) {
	if len(template) > maxTemplate {
		return nil, fmt.Errorf("template of %d bytes, at most %d are allowed: %w", len(template), maxTemplate, ErrTooCostly)
	}
	var segments []segment
	at := 0
	for at < len(template) {
		start, opening, closing := nextDelimiter(template[at:])
		if start < 0 {
			break
		}
		if start > 0 {
			segments = append(segments, segment{text: template[at : at+start], offset: at})
		}
		at += start + len(opening)
		length := strings.Index(template[at:], closing)
		if length < 0 {
			return segments, &unclosedError{at - len(opening), opening, closing}
		}
		segments = append(segments, segment{text: template[at : at+length], offset: at, isExpr: true})
		at += length + len(closing)
	}
	if at < len(template) {
		segments = append(segments, segment{text: template[at:], offset: at})
	}
	return segments, nil
}

type unclosedError struct {
	offset           int
	opening, closing string
}

func (u *unclosedError) Error() string {
	return fmt.Sprintf("%q at offset %d is not closed: add %q after the expression", u.opening, u.offset, u.closing)
}

func nextDelimiter(s string) (start int, opening, closing string) {
	braces, percent := strings.Index(s, "${{"), strings.Index(s, "${%")
	if percent >= 0 && (braces < 0 || percent < braces) {
		return percent, "${%", "%}"
	}
	return braces, "${{", "}}"
}

// template evaluates the expressions of a template and types what they yield together.
func (e *evaluation) template(template string) (Value, error) {
	segments, err := split(template)
	if err != nil {
		return Value{}, fmt.Errorf("template %q: %w", excerpt(template), err)
	}
	var text strings.Builder
	from := fromLiteral
	for _, s := range segments {
		if !s.isExpr {
			text.WriteString(s.text)
			continue
		}
		result, err := e.run(s.text)
		if err != nil {
			return Value{}, hint(err, s, template)
		}
		if _, isString := result.(string); !isString {
			from = fromOthers
		} else if from == fromLiteral {
			from = fromStrings
		}
		printed, err := e.print(result)
		if err != nil {
			return Value{}, fmt.Errorf("expression %q: %w", excerpt(strings.TrimSpace(s.text)), err)
		}
		text.WriteString(printed)
	}
	if from == fromLiteral {
		return Value{value: template, text: template}, nil
	}
	value, kept := retype(text.String())
	return Value{value: value, text: kept, from: from}, nil
}

// hint adds what to do when an expression was cut short because it contains its own end delimiter.
func hint(err error, s segment, template string) error {
	rest := template[s.offset+len(s.text):]
	if after, ok := strings.CutPrefix(rest, "}}"); ok {
		if before, _, again := strings.Cut(after, "}}"); again && !strings.Contains(before, "${") {
			return fmt.Errorf(`%w (an expression that contains "}}" has to be written between "${%%" and "%%}")`, err)
		}
	}
	return err
}

// print turns the result of an expression into text.
func (e *evaluation) print(result any) (string, error) {
	if err := e.meter.spend(e.meter.size(result)); err != nil {
		return "", err
	}
	switch r := result.(type) {
	case string:
		return r, nil
	case float64:
		if math.IsNaN(r) || math.IsInf(r, 0) {
			return strconv.FormatFloat(r, 'g', -1, 64), nil
		}
	}
	b, err := json.Marshal(result)
	if err != nil {
		return "", fmt.Errorf("print %s: %w", describe(result), err)
	}
	return string(b), nil
}

// retype gives a text the type that it looks like, and the text that belongs to it.
func retype(text string) (value any, kept string) {
	body, ended := strings.CutSuffix(text, "\n")
	if len(body) > 1 && body[0] == '"' && body[len(body)-1] == '"' {
		unquoted := body[1 : len(body)-1]
		if ended {
			unquoted += "\n"
		}
		return unquoted, unquoted
	}
	if f, err := strconv.ParseFloat(body, 64); err == nil {
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return text, text
		}
		return f, body
	}
	if b, err := strconv.ParseBool(body); err == nil {
		return b, body
	}
	var v any
	if err := json.Unmarshal([]byte(body), &v); err == nil {
		return v, body
	}
	return text, text
}

// describe names a value for a message, without showing what it holds.
func describe(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case int, float64:
		return "a number"
	case []any:
		return "a list"
	case map[string]any, map[string]string:
		return "an object"
	case time.Time:
		return "a time"
	}
	return fmt.Sprintf("a value of type %T", v)
}

// excerpt bounds a text that goes into a message.
func excerpt(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
