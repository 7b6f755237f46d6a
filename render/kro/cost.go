package kro

import (
	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/interpreter"
)

// mapInsert is what the macros of CEL call that make a map entry by entry.
const mapInsert = "cel.@mapInsert"

// costs charges every call for the size of what it returns. CEL's own costs do so only where it knows the types.
type costs struct{}

// CallCost returns 1 plus a tenth of the result's weight, for what adds to a list or map that of what is added. What loops
// over a value pays for it anyway.
func (costs) CallCost(function, _ string, args []ref.Val, result ref.Val) *uint64 {
	budget := maxResult
	switch _, list := result.(traits.Lister); {
	case function == orderedName:
	case function == operators.Add && list && len(args) == 2:
		weighValue(args[1], &budget)
	case function == mapInsert && len(args) > 1:
		for _, added := range args[1:] {
			weighValue(added, &budget)
		}
	default:
		weighValue(result, &budget)
	}
	if budget < 0 {
		return new(uint64(maxExpressionCost + 1))
	}
	return new(uint64(1 + (maxResult-budget)/10))
}

// weighValue takes the size of a value from the budget, with parts that stand in it several times counted every time:
// whoever prints or compares the value walks over them every time, too.
func weighValue(v ref.Val, budget *int) {
	if *budget--; *budget < 0 {
		return
	}
	switch v := v.(type) {
	case types.String:
		*budget -= len(v)
	case types.Bytes:
		*budget -= len(v)
	case *types.Optional:
		if v.HasValue() {
			weighValue(v.GetValue(), budget)
		}
	case traits.Mapper:
		for it := v.Iterator(); it.HasNext() == types.True && *budget >= 0; {
			key := it.Next()
			weighValue(key, budget)
			if item, found := v.Find(key); found {
				weighValue(item, budget)
			}
		}
	case traits.Lister:
		for it := v.Iterator(); it.HasNext() == types.True && *budget >= 0; {
			weighValue(it.Next(), budget)
		}
	}
}

// weighed makes lists and maps that are written in an expression errors when they become too large, which they can in few
// steps by holding one another.
type weighed struct {
	interpreter.InterpretableConstructor
}

// Exec makes the list or map.
func (w weighed) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	return small(w.InterpretableConstructor.Exec(frame))
}

// Eval makes the list or map where the interpreter has no frame.
func (w weighed) Eval(vars interpreter.Activation) ref.Val {
	return small(w.InterpretableConstructor.Eval(vars))
}

func small(v ref.Val) ref.Val {
	budget := maxResult
	if weighValue(v, &budget); budget < 0 {
		return types.WrapErr(errResult)
	}
	return v
}

func weighConstructors(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	if c, ok := i.(interpreter.InterpretableConstructor); ok {
		return weighed{c}, nil
	}
	return i, nil
}

// program plans an expression with every bound that there is. It changes the expression.
func program(env *cel.Env, ast *cel.Ast) (cel.Program, error) {
	orderLoops(ast.NativeRep())
	guardCalls(ast.NativeRep())
	return env.Program(ast, cel.CostLimit(maxExpressionCost), cel.CostTracking(costs{}), cel.InterruptCheckFrequency(100), cel.CustomDecoratorV2(weighConstructors))
}
