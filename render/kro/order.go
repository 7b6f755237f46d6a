package kro

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/google/cel-go/cel"
	celast "github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// orderedName is a function that no author can call: loops go through it, so that they take the keys of a map in order. CEL
// leaves the order open, and kro's controller may take another one every time.
const orderedName = "@ordered"

func orderedFunction() cel.EnvOption {
	return cel.Function(orderedName, cel.Overload("ordered_dyn", []*cel.Type{cel.DynType}, cel.DynType, cel.UnaryBinding(ordered)))
}

// orderLoops puts the function around whatever is looped over.
func orderLoops(ast *celast.AST) {
	factory, next := celast.NewExprFactory(), celast.MaxID(ast)
	celast.PostOrderVisit(ast.Expr(), celast.NewExprVisitor(func(e celast.Expr) {
		if e.Kind() != celast.ComprehensionKind {
			return
		}
		over := e.AsComprehension().IterRange()
		if over.Kind() == celast.ListKind {
			return
		}
		next++
		inner := factory.NewUnspecifiedExpr(next)
		inner.SetKindCase(over)
		over.SetKindCase(factory.NewCall(over.ID(), orderedName, inner))
	}))
}

// orderedMap is a map whose keys come in order.
type orderedMap struct{ traits.Mapper }

func ordered(v ref.Val) ref.Val {
	if m, ok := v.(traits.Mapper); ok {
		return orderedMap{m}
	}
	return v
}

// Iterator returns the keys in order.
func (m orderedMap) Iterator() traits.Iterator {
	var keys []ref.Val
	for it := m.Mapper.Iterator(); it.HasNext() == types.True; {
		keys = append(keys, it.Next())
	}
	slices.SortFunc(keys, compareKeys)
	return types.NewRefValList(types.DefaultTypeAdapter, keys).Iterator()
}

// compareKeys orders by type, then by value.
func compareKeys(a, b ref.Val) int {
	if order := cmp.Compare(a.Type().TypeName(), b.Type().TypeName()); order != 0 {
		return order
	}
	if c, ok := a.(traits.Comparer); ok {
		if order, ok := c.Compare(b).(types.Int); ok {
			return int(order)
		}
	}
	return cmp.Compare(fmt.Sprint(a.Value()), fmt.Sprint(b.Value()))
}
