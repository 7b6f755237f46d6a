package kro

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"
	krocel "github.com/kubernetes-sigs/kro/pkg/cel"
	"github.com/kubernetes-sigs/kro/pkg/cel/conversion"
	"github.com/kubernetes-sigs/kro/pkg/graph"
)

// expression is one compiled expression with bounds, which kro's own programs do not have.
type expression struct {
	original string // as kro's library keys it
	text     string // as the author wrote it, with ${ }
	refs     []string
	reads    []read
	program  cel.Program
}

var errResult = errors.New("the result is too large")

// environment parses the expressions of one definition. Types were checked by kro's builder before.
func environment(g *graph.Graph, iterators []string) (*cel.Env, error) {
	names := append([]string{graph.SchemaVarName, graph.EachVarName}, iterators...)
	for id := range g.Nodes {
		names = append(names, id)
	}
	env, err := krocel.DefaultEnvironment(krocel.WithResourceIDs(names))
	if err != nil {
		return nil, err
	}
	return env.Extend(append(guarded(env), orderedFunction())...)
}

func newExpression(env *cel.Env, e *krocel.Expression) (*expression, error) {
	parsed, issues := env.Parse(e.Original)
	if issues.Err() != nil {
		return nil, fmt.Errorf("parse %q: %w", e.UserExpression(), issues.Err())
	}
	out := &expression{original: e.Original, text: e.OriginalTemplate, refs: e.References, reads: readsOf(parsed.NativeRep().Expr())}
	if out.text == "" {
		out.text = "${" + e.Original + "}"
	}
	var err error
	if out.program, err = program(env, parsed); err != nil {
		return nil, fmt.Errorf("plan %q: %w", e.UserExpression(), err)
	}
	return out, nil
}

// eval evaluates the expression to JSON values.
func (e *expression) eval(ctx context.Context, vars map[string]any) (any, error) {
	out, _, err := e.program.ContextEval(ctx, vars)
	if err != nil {
		return nil, err
	}
	budget := maxResult
	if weighValue(out, &budget); budget < 0 {
		return nil, errResult
	}
	native, err := conversion.GoNativeType(out)
	if err != nil {
		return nil, err
	}
	return conversion.EnsureJSONSafe(native)
}

// absentTexts are how CEL says that a field is not there. It has no other way of telling this from a wrong expression;
// kro's controller goes by the same texts and waits for the field.
var absentTexts = []string{"no such key", "no such field", "no such attribute", "index out of bounds"}

func isAbsent(err error) bool {
	for _, text := range absentTexts {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}
