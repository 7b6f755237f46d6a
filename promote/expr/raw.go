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
	return filterEvaluation(env).decide(expression)
}

// CompileFilter is Filter for many commits or tags: the expression is compiled once. What it gives evaluates the expression for
// one of them, each within bounds of its own; it must not be used concurrently.
func CompileFilter(expression string, kind FilterKind) (func(env map[string]any) (bool, error), error) {
	e := filterEvaluation(kind.sample())
	p, err := e.prepareRaw(expression)
	if err != nil {
		return nil, err
	}
	return func(env map[string]any) (bool, error) {
		e.variables, e.meter.left = orEmpty(env), maxWork
		return e.condition(p)
	}, nil
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
	p, err := e.prepareRaw(expression)
	if err != nil {
		return nil, err
	}
	return e.executeRaw(p)
}

func (e *evaluation) prepareRaw(expression string) (*prepared, error) {
	if err := bounded(expression); err != nil {
		return nil, err
	}
	if delimited(expression) {
		return nil, fmt.Errorf("expression %q: %w", excerpt(expression), errDelimited)
	}
	return e.prepare(expression)
}

func delimited(expression string) bool { return strings.HasPrefix(strings.TrimSpace(expression), "${") }

func (e *evaluation) executeRaw(p *prepared) (any, error) {
	result, err := e.execute(p)
	if err != nil {
		return nil, err
	}
	if err := e.meter.spend(e.meter.size(result)); err != nil {
		return nil, p.wrap(err)
	}
	return result, nil
}

func bounded(expression string) error {
	if len(expression) > maxTemplate {
		return fmt.Errorf("expression of %d bytes, at most %d are allowed: %w", len(expression), maxTemplate, ErrTooCostly)
	}
	return nil
}

// decide evaluates an expression that has to say yes or no.
func (e *evaluation) decide(expression string) (bool, error) {
	p, err := e.prepareRaw(expression)
	if err != nil {
		return false, err
	}
	return e.condition(p)
}

// condition is whether an expression is true (Kargo: strconv.ParseBool of what is printed).
func (e *evaluation) condition(p *prepared) (bool, error) {
	result, err := e.executeRaw(p)
	if err != nil {
		return false, err
	}
	if b, ok := result.(bool); ok {
		return b, nil
	}
	printed, err := e.print(result)
	if err != nil {
		return false, p.wrap(err)
	}
	b, err := strconv.ParseBool(printed)
	if err != nil {
		return false, fmt.Errorf("expression %q yields %q, %s, not true or false: compare it with something",
			excerpt(p.source), excerpt(printed), describe(result))
	}
	return b, nil
}
