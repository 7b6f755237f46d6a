package kro

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"
	celast "github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/decls"
	"github.com/google/cel-go/common/functions"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

const (
	maxRange   = 10_000      // items of lists.range
	maxCompare = 100_000_000 // steps of one function that compares all with all
)

// guards are the functions whose result can be much larger than what they are given, or that take much longer than to read
// it. Each says why a call is not made, before it is.
var guards = map[string]func(args []ref.Val) error{
	"lists.range":         func(args []ref.Val) error { return atMost(args[0], maxRange) },
	"random.seededString": func(args []ref.Val) error { return atMost(args[0], maxResult) },
	"replace":             guardReplace,
	"join":                guardJoin,
	"matches":             guardProduct,
	"find":                guardProduct,
	"findAll":             guardProduct,
	"indexOf":             guardProduct,
	"lastIndexOf":         guardProduct,
	"distinct":            func(args []ref.Val) error { return product(length(args[0]), length(args[0])) },
}

func atMost(v ref.Val, most int64) error {
	if n, ok := v.Value().(int64); ok && n > most {
		return fmt.Errorf("%d is more than %d", n, most)
	}
	return nil
}

// length is that of a text or list, 0 of what is neither.
func length(v ref.Val) int {
	switch v := v.(type) {
	case types.String:
		return len(v)
	case traits.Lister:
		if n, ok := v.Size().Value().(int64); ok {
			return int(n)
		}
	}
	return 0
}

func product(a, b int) error {
	if a > 0 && b > maxCompare/a {
		return errors.New("it takes too long")
	}
	return nil
}

func guardProduct(args []ref.Val) error {
	if len(args) < 2 {
		return nil
	}
	return product(length(args[0]), length(args[1]))
}

func guardReplace(args []ref.Val) error {
	if len(args) < 3 {
		return nil
	}
	text, _ := args[0].Value().(string)
	before, _ := args[1].Value().(string)
	return fits(len(text) + strings.Count(text, before)*length(args[2]))
}

func guardJoin(args []ref.Val) error {
	if len(args) < 2 {
		return nil
	}
	return fits(length(args[0]) * length(args[1]))
}

func fits(size int) error {
	if size > maxResult {
		return errResult
	}
	return nil
}

// guarded are the functions of an environment behind their guards, under names that no author can write.
func guarded(env *cel.Env) []cel.EnvOption {
	known := env.Functions()
	var out []cel.EnvOption
	for _, name := range slices.Sorted(maps.Keys(guards)) {
		fn, ok := known[name]
		if !ok {
			continue
		}
		call := guardedCall(fn, guards[name])
		var overloads []cel.FunctionOpt
		for arity := range 6 {
			if !slices.ContainsFunc(fn.OverloadDecls(), func(o *decls.OverloadDecl) bool { return len(o.ArgTypes()) == arity }) {
				continue
			}
			overloads = append(overloads, cel.Overload(fmt.Sprintf("%s_%d", guardedName(name), arity), slices.Repeat([]*cel.Type{cel.DynType}, arity), cel.DynType))
		}
		out = append(out, cel.Function(guardedName(name), append(overloads, cel.SingletonFunctionBinding(call))...))
	}
	return out
}

func guardedName(name string) string { return "@" + name }

// guardedCall makes a call when its guard lets it.
func guardedCall(fn *decls.FunctionDecl, guard func([]ref.Val) error) func(...ref.Val) ref.Val {
	bindings, err := fn.Bindings()
	i := slices.IndexFunc(bindings, func(b *functions.Overload) bool { return b.Operator == fn.Name() })
	return func(args ...ref.Val) ref.Val {
		if err != nil || i < 0 {
			return types.NewErr("no such overload: %s", fn.Name())
		}
		if why := guard(args); why != nil {
			return types.WrapErr(fmt.Errorf("%s is not called: %w", fn.Name(), why))
		}
		switch b := bindings[i]; {
		case len(args) == 1 && b.Unary != nil:
			return b.Unary(args[0])
		case len(args) == 2 && b.Binary != nil:
			return b.Binary(args[0], args[1])
		case b.Function != nil:
			return b.Function(args...)
		}
		return types.NewErr("no such overload: %s", fn.Name())
	}
}

// guardCalls lets calls go through the guards.
func guardCalls(ast *celast.AST) {
	factory := celast.NewExprFactory()
	celast.PostOrderVisit(ast.Expr(), celast.NewExprVisitor(func(e celast.Expr) {
		if e.Kind() != celast.CallKind {
			return
		}
		call := e.AsCall()
		name := call.FunctionName()
		switch {
		case !call.IsMemberFunction():
			if guards[name] != nil {
				e.SetKindCase(factory.NewCall(e.ID(), guardedName(name), call.Args()...))
			}
		case call.Target().Kind() == celast.IdentKind && guards[call.Target().AsIdent()+"."+name] != nil:
			e.SetKindCase(factory.NewCall(e.ID(), guardedName(call.Target().AsIdent()+"."+name), call.Args()...))
		case guards[name] != nil:
			e.SetKindCase(factory.NewCall(e.ID(), guardedName(name), append([]celast.Expr{call.Target()}, call.Args()...)...))
		}
	}))
}
