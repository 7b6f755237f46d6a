package kro

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"
	celast "github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/parser"
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
	ranges   []cel.Program // arguments of lists.range, which must be small before it is called
}

var (
	errResult = errors.New("the result is too large")
	errRange  = errors.New("lists.range is called with a number above 10000, or with one that cannot be told beforehand")
)

const maxRange = 10_000

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
	return env.Extend(orderedFunction())
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
	for _, arg := range rangeArguments(parsed.NativeRep()) {
		text, err := parser.Unparse(arg, parsed.NativeRep().SourceInfo())
		if err != nil {
			return nil, fmt.Errorf("print the argument of lists.range in %q: %w", e.UserExpression(), err)
		}
		inner, issues := env.Parse(text)
		if issues.Err() != nil {
			return nil, fmt.Errorf("parse the argument of lists.range in %q: %w", e.UserExpression(), issues.Err())
		}
		p, err := program(env, inner)
		if err != nil {
			return nil, fmt.Errorf("plan the argument of lists.range in %q: %w", e.UserExpression(), err)
		}
		out.ranges = append(out.ranges, p)
	}
	var err error
	if out.program, err = program(env, parsed); err != nil {
		return nil, fmt.Errorf("plan %q: %w", e.UserExpression(), err)
	}
	return out, nil
}

// rangeArguments finds the arguments of lists.range, the one function whose result is as large as a number says.
func rangeArguments(ast *celast.AST) []celast.Expr {
	var out []celast.Expr
	celast.PostOrderVisit(ast.Expr(), celast.NewExprVisitor(func(e celast.Expr) {
		if e.Kind() != celast.CallKind {
			return
		}
		call := e.AsCall()
		if name := call.FunctionName(); (name == "range" || name == "lists.range") && len(call.Args()) == 1 {
			out = append(out, call.Args()[0])
		}
	}))
	return out
}

// eval evaluates the expression to JSON values.
func (e *expression) eval(ctx context.Context, vars map[string]any) (any, error) {
	for _, p := range e.ranges {
		n, _, err := p.ContextEval(ctx, vars)
		if err != nil {
			return nil, errRange
		}
		if i, ok := n.Value().(int64); !ok || i > maxRange {
			return nil, errRange
		}
	}
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
