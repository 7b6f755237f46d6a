package expr

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

var errDelimited = errors.New(`this is an expression without delimiters: take off "${{" and "}}"`)

// Run evaluates an expression that is written without delimiters, such as the fromExpression of yaml-parse, on the
// variables of env. It sees expr-lang's functions and those that only compute (quote, semverParse …). The result is a Go
// value as expr-lang yields it.
func Run(expression string, env map[string]any) (any, error) {
	e := rawEvaluation(orEmpty(env))
	e.define(utilities())
	return e.raw(expression)
}

// Filter evaluates the expressionFilter of a git subscription for one commit or tag, whose values FilterKind names. A text or
// number that reads as a boolean counts as one; anything else is an error.
func Filter(expression string, env map[string]any) (bool, error) {
	return filterEvaluation(env).condition(expression)
}

func filterEvaluation(env map[string]any) *evaluation {
	e := rawEvaluation(orEmpty(env))
	e.define(utilities())
	return e
}

// Response is what the expressions of the http step see as `response`.
type Response struct {
	Status  int
	Headers map[string][]string // of type http.Header
	Body    any                 // the parsed JSON or YAML, or the text
}

// RunResponse evaluates an expression of the http step, such as its successExpression or an output's fromExpression, on
// response.status, response.headers, response.header(name) and response.body. As a body belongs to somebody else, a key that it
// does not have is null.
func RunResponse(expression string, r Response) (any, error) {
	return responseEvaluation(r).raw(expression)
}

func responseEvaluation(r Response) *evaluation {
	e := rawEvaluation(map[string]any{"response": map[string]any{
		"status": r.Status, "headers": r.Headers, "header": r.header, "body": r.Body,
	}})
	e.shallow = true
	e.define(utilities())
	e.names.members = map[string][]string{"response": {"status", "headers", "header", "body"}}
	return e
}

// header gives the first value of a header, whatever its case; empty when there is none.
func (r Response) header(args ...any) (any, error) {
	name, ok := "", false
	if len(args) == 1 {
		name, ok = args[0].(string)
	}
	if !ok {
		return nil, errors.New("response.header wants the name of one header, such as response.header('Content-Type')")
	}
	for _, key := range sortedKeys(r.Headers) {
		if values := r.Headers[key]; len(values) > 0 && strings.EqualFold(key, name) {
			return values[0], nil
		}
	}
	return "", nil
}

// raw evaluates an expression without delimiters.
func (e *evaluation) raw(expression string) (any, error) {
	if err := bounded(expression); err != nil {
		return nil, err
	}
	if strings.HasPrefix(strings.TrimSpace(expression), "${") {
		return nil, fmt.Errorf("expression %q: %w", excerpt(expression), errDelimited)
	}
	result, err := e.run(expression)
	if err != nil {
		return nil, err
	}
	if err := e.meter.spend(e.meter.size(result)); err != nil {
		return nil, fmt.Errorf("expression %q: %w", excerpt(expression), err)
	}
	return result, nil
}

func bounded(expression string) error {
	if len(expression) > maxTemplate {
		return fmt.Errorf("expression of %d bytes, at most %d are allowed: %w", len(expression), maxTemplate, ErrTooCostly)
	}
	return nil
}

// condition evaluates an expression that has to say yes or no (Kargo: strconv.ParseBool of what is printed).
func (e *evaluation) condition(expression string) (bool, error) {
	result, err := e.raw(expression)
	if err != nil {
		return false, err
	}
	if b, ok := result.(bool); ok {
		return b, nil
	}
	printed, isText := result.(string)
	if !isText {
		if printed, err = e.print(result); err != nil {
			return false, fmt.Errorf("expression %q: %w", excerpt(expression), err)
		}
	}
	b, err := strconv.ParseBool(printed)
	if err != nil {
		return false, fmt.Errorf("expression %q yields %q, %s, not true or false: compare it with something",
			excerpt(strings.TrimSpace(expression)), excerpt(printed), describe(result))
	}
	return b, nil
}
