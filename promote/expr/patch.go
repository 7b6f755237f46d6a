package expr

import (
	"slices"

	"github.com/expr-lang/expr/ast"
)

// guards finds out which parts of an expression stand where a missing value is asked for, and which are called.
type guards struct {
	guarded map[ast.Node]bool
	lenient map[ast.Node]bool // of the guarded ones, those that are no part of an optional chain
	callees map[ast.Node]bool
	locals  map[string]bool
}

func newGuards() *guards {
	return &guards{
		guarded: map[ast.Node]bool{}, lenient: map[ast.Node]bool{}, callees: map[ast.Node]bool{}, locals: map[string]bool{},
	}
}

// Visit implements ast.Visitor.
func (g *guards) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.ChainNode:
		g.guard(n.Node, false)
	case *ast.BinaryNode:
		_, rightNil := n.Right.(*ast.NilNode)
		_, leftNil := n.Left.(*ast.NilNode)
		compares := n.Operator == "==" || n.Operator == "!="
		if n.Operator == "??" || compares && rightNil {
			g.guard(n.Left, true)
		}
		if compares && leftNil {
			g.guard(n.Right, true)
		}
	case *ast.CallNode:
		g.callees[n.Callee] = true
	case *ast.VariableDeclaratorNode:
		g.locals[n.Name] = true
	}
}

// guard marks a chain of members down to its root.
func (g *guards) guard(n ast.Node, lenient bool) {
	for n != nil {
		_, chain := n.(*ast.ChainNode)
		lenient = lenient && !chain
		g.guarded[n] = true
		g.lenient[n] = g.lenient[n] || lenient
		switch inner := n.(type) {
		case *ast.MemberNode:
			n = inner.Node
		case *ast.ChainNode:
			n = inner.Node
		case *ast.CallNode:
			n = inner.Callee
		case *ast.SliceNode:
			n = inner.Node
		default:
			return
		}
	}
}

// patcher makes the program account for its work and explain what is missing.
type patcher struct {
	*guards
	shallow bool
}

// Visit implements ast.Visitor.
func (p *patcher) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.PredicateNode:
		n.Node = spending(n.Node, weigh(&n.Node))
	case *ast.BinaryNode:
		switch n.Operator {
		case "+":
			ast.Patch(node, spending(n, 1))
		case "matches":
			ast.Patch(node, invoke(matchesFunc, n.Left, n.Right))
		case "..":
			ast.Patch(node, invoke(rangeFunc, n.Left, n.Right))
		case "==", "!=", "<", ">", "<=", ">=", "in", "contains", "startsWith", "endsWith":
			n.Left, n.Right = spending(n.Left, 0), spending(n.Right, 0)
		}
	case *ast.CallNode:
		if callee, ok := n.Callee.(*ast.IdentifierNode); ok && p.guarded[n] && slices.Contains(storeFunctions, callee.Value) {
			n.Callee = &ast.IdentifierNode{Value: lenient(callee.Value)}
		}
	case *ast.MemberNode:
		p.member(node, n)
	}
}

func (p *patcher) member(node *ast.Node, n *ast.MemberNode) {
	switch {
	case n.Optional || p.guarded[n] && (!p.lenient[n] || p.callees[n]):
	case p.guarded[n]:
		ast.Patch(node, invoke(askFunc, n.Node, n.Property))
	default:
		text := ast.Node(&ast.StringNode{Value: excerpt(sourceOf(n.Node))})
		found := &ast.BoolNode{Value: calls(n.Node, lookups...)}
		if p.callees[n] {
			n.Node = invoke(presentFunc, n.Node, text, found)
			return
		}
		ast.Patch(node, invoke(memberFunc, n.Node, n.Property, text, &ast.BoolNode{Value: p.isStrict(n)}, found))
	}
}

// isStrict reports whether n is a key, spelled out, of something reached from a variable of the environment or from one of
// the functions that give objects.
func (p *patcher) isStrict(n *ast.MemberNode) bool {
	if _, ok := n.Property.(*ast.StringNode); !ok {
		return false
	}
	root, depth, ok := rootOf(n.Node)
	return ok && !p.locals[root] && root != "$env" && (depth == 0 || !p.shallow)
}

// rootOf gives the variable or function at the beginning of a chain of members, also of a chain that has been patched, and how
// many members lie between.
func rootOf(n ast.Node) (root string, depth int, ok bool) {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return n.Value, 0, true
	case *ast.MemberNode:
		root, depth, ok = rootOf(n.Node)
		return root, depth + 1, ok
	case *ast.CallNode:
		if calls(n, memberFunc) {
			root, depth, ok = rootOf(n.Arguments[0])
			return root, depth + 1, ok
		}
		if calls(n, objects...) {
			return n.Callee.(*ast.IdentifierNode).Value, 0, true
		}
	}
	return "", 0, false
}

// calls reports whether n calls one of some functions.
func calls(n ast.Node, functions ...string) bool {
	c, ok := n.(*ast.CallNode)
	if !ok {
		return false
	}
	callee, ok := c.Callee.(*ast.IdentifierNode)
	return ok && slices.Contains(functions, callee.Value)
}

// sourceOf writes a node as an expression, as it was before it was patched.
func sourceOf(n ast.Node) string {
	c, ok := n.(*ast.CallNode)
	if !ok || !calls(n, memberFunc) {
		return n.String()
	}
	base := sourceOf(c.Arguments[0])
	if key, ok := c.Arguments[1].(*ast.StringNode); ok {
		return path(base, key.Value)
	}
	return base + "[" + c.Arguments[1].String() + "]"
}

func invoke(function string, args ...ast.Node) ast.Node {
	return &ast.CallNode{Callee: &ast.IdentifierNode{Value: function}, Arguments: args}
}

// spending wraps a node whose value has to be paid for; literals are free.
func spending(n ast.Node, weight int) ast.Node {
	switch n.(type) {
	case *ast.NilNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.StringNode, *ast.ConstantNode:
		if weight == 0 {
			return n
		}
	}
	return invoke(spendFunc, n, &ast.IntegerNode{Value: weight})
}

// weigh counts the nodes of an expression.
func weigh(n *ast.Node) int {
	var c counter
	ast.Walk(n, &c)
	return int(c)
}

type counter int

// Visit implements ast.Visitor.
func (c *counter) Visit(*ast.Node) { *c++ }
