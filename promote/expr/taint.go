package expr

import (
	"errors"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
)

// readsSecret reports whether an expression uses a variable with a secret in it.
func (e *evaluation) readsSecret(tree *parser.Tree) bool {
	if len(e.trail.secrets.values) == 0 {
		return false
	}
	u := uses{variables: e.variables, values: map[ast.Node]any{}}
	ast.Walk(&tree.Node, &u)
	for _, v := range u.values {
		if e.trail.secrets.in(v) {
			return true
		}
	}
	return false
}

// uses finds the parts of the variables that an expression uses.
type uses struct {
	variables map[string]any
	values    map[ast.Node]any
}

// Visit implements ast.Visitor. Inner nodes come first, so that a member takes the place of what it is a member of.
func (u *uses) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		if n.Value == "$env" {
			u.values[n] = u.variables
		} else if v, ok := u.variables[n.Value]; ok {
			u.values[n] = v
		}
	case *ast.MemberNode:
		object, ok := u.values[n.Node].(map[string]any)
		key, spelled := n.Property.(*ast.StringNode)
		if ok && spelled {
			delete(u.values, n.Node)
			u.values[n] = object[key.Value]
		}
	}
}

// keepSecret notes the texts that an expression made of a secret, unless they stand in the expression itself.
func (e *evaluation) keepSecret(result any, constants map[string]bool) {
	if !e.trail.read || e.meter.size(result) > e.meter.left {
		return
	}
	text, isText := result.(string)
	if isText && constants[text] {
		return
	}
	e.trail.secrets.addAny(result)
	if isText {
		value, _ := retype(text) // what quote made is shown without its quotes
		e.trail.secrets.addAny(value)
	}
}

// conceal hides the cause of an error when it may show a secret: what names keys and what the expression spells out is shown.
func (e *evaluation) conceal(err error, constants map[string]bool) error {
	if !e.trail.read || errors.Is(err, ErrTooCostly) {
		return err
	}
	if _, ok := errors.AsType[*keyError](err); ok {
		return err
	}
	if missing, ok := errors.AsType[*missingError](err); ok && constants[missing.sought] {
		return err
	}
	return &hiddenError{err}
}

// constantsOf gives the texts that an expression spells out.
func constantsOf(tree *parser.Tree) map[string]bool {
	c := constants{}
	ast.Walk(&tree.Node, c)
	return c
}

type constants map[string]bool

// Visit implements ast.Visitor.
func (c constants) Visit(node *ast.Node) {
	if text, ok := (*node).(*ast.StringNode); ok {
		c[text.Value] = true
	}
}
