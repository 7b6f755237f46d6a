package kro

import (
	"maps"
	"slices"

	celast "github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
)

// read is one place that an expression reads: a variable and the path below it. The element anyIndex stands for any list
// index or computed key; the path ends where it can no longer be told without evaluating.
type read struct {
	root  string
	path  []string
	count bool // only how many items or which keys there are, not what they hold
}

const anyIndex = "[*]"

// readsOf lists what an expression reads, through the variables of its comprehensions.
func readsOf(e celast.Expr) []read {
	r := &reader{}
	r.walk(e, map[string]read{})
	return r.reads
}

type reader struct{ reads []read }

func (r *reader) walk(e celast.Expr, scope map[string]read) {
	if found, ok := r.chain(e, scope); ok {
		r.reads = append(r.reads, found)
		return
	}
	switch e.Kind() {
	case celast.CallKind:
		call := e.AsCall()
		if call.IsMemberFunction() && call.FunctionName() == "size" {
			r.counted(call.Target(), scope)
		} else if call.IsMemberFunction() {
			r.walk(call.Target(), scope)
		}
		for _, arg := range call.Args() {
			r.walk(arg, scope)
		}
	case celast.SelectKind:
		r.walk(e.AsSelect().Operand(), scope)
	case celast.ListKind:
		for _, item := range e.AsList().Elements() {
			r.walk(item, scope)
		}
	case celast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			r.walk(entry.AsMapEntry().Key(), scope)
			r.walk(entry.AsMapEntry().Value(), scope)
		}
	case celast.StructKind:
		for _, f := range e.AsStruct().Fields() {
			r.walk(f.AsStructField().Value(), scope)
		}
	case celast.ComprehensionKind:
		r.comprehension(e.AsComprehension(), scope)
	default: // literals read nothing
	}
}

// counted reads a list or map without what it holds.
func (r *reader) counted(e celast.Expr, scope map[string]read) {
	found, ok := r.chain(e, scope)
	if !ok {
		r.walk(e, scope)
		return
	}
	found.count = true
	r.reads = append(r.reads, found)
}

// comprehension binds the loop's variables to the items of what it loops over.
func (r *reader) comprehension(c celast.ComprehensionExpr, scope map[string]read) {
	r.counted(c.IterRange(), scope)
	r.walk(c.AccuInit(), scope)
	inner := make(map[string]read, len(scope)+3)
	maps.Copy(inner, scope)
	inner[c.AccuVar()] = read{}
	item, known := r.chain(c.IterRange(), scope)
	if known && item.root != "" {
		item = read{root: item.root, path: append(slices.Clone(item.path), anyIndex)}
	}
	if c.HasIterVar2() {
		inner[c.IterVar()], inner[c.IterVar2()] = read{}, item
	} else {
		inner[c.IterVar()] = item
	}
	// cel.bind is a comprehension over nothing whose accumulator is the bound value.
	if bound, ok := r.chain(c.AccuInit(), scope); ok && c.IterRange().Kind() == celast.ListKind && c.IterRange().AsList().Size() == 0 {
		inner[c.AccuVar()] = bound
	}
	r.walk(c.LoopCondition(), inner)
	r.walk(c.LoopStep(), inner)
	r.walk(c.Result(), inner)
}

// chain follows selections and literal indices down to a variable. A local variable that stands for nothing outside yields
// a read without root.
func (r *reader) chain(e celast.Expr, scope map[string]read) (read, bool) {
	switch e.Kind() {
	case celast.IdentKind:
		name := e.AsIdent()
		if bound, local := scope[name]; local {
			return bound, true
		}
		return read{root: name}, true
	case celast.SelectKind:
		return r.below(e.AsSelect().Operand(), e.AsSelect().FieldName(), scope)
	case celast.CallKind:
		call := e.AsCall()
		switch call.FunctionName() {
		case operators.Index, operators.OptIndex, operators.OptSelect:
		default:
			return read{}, false
		}
		if len(call.Args()) != 2 {
			return read{}, false
		}
		index := call.Args()[1]
		if index.Kind() == celast.LiteralKind {
			if key, ok := index.AsLiteral().(types.String); ok {
				return r.below(call.Args()[0], string(key), scope)
			}
		} else {
			r.walk(index, scope)
		}
		return r.below(call.Args()[0], anyIndex, scope)
	default:
		return read{}, false
	}
}

func (r *reader) below(operand celast.Expr, name string, scope map[string]read) (read, bool) {
	found, ok := r.chain(operand, scope)
	if !ok {
		return read{}, false
	}
	if found.root == "" {
		return read{}, true
	}
	return read{root: found.root, path: append(slices.Clone(found.path), name)}, true
}
