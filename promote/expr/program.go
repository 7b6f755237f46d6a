package expr

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	exprlang "github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"
	"github.com/expr-lang/expr/vm/runtime"
)

// Functions that the patched program calls; no expression can contain these names.
const (
	spendFunc   = "·spend"
	memberFunc  = "·member"
	presentFunc = "·present"
	matchesFunc = "·matches"
	rangeFunc   = "·range"
)

// evaluation evaluates the expressions of one template or tree under one budget.
type evaluation struct {
	variables map[string]any
	names     names
	config    *conf.Config // the functions; the visitors belong to one expression
	meter     *meter
	missed    error // what the last imageFrom did not find
}

func newEvaluation(env Env) *evaluation {
	e := &evaluation{variables: env.variables(), meter: &meter{left: maxWork}}
	e.define(functions(&e.missed, env))
	e.names.task = env.TaskOutputs != nil
	return e
}

// Run evaluates an expression that is written without delimiters, such as the fromExpression of yaml-parse, on the
// variables of env. It sees expr-lang's functions and those that only compute (quote, semverParse …). The result is a Go
// value as expr-lang yields it.
func Run(expression string, env map[string]any) (any, error) {
	if len(expression) > maxTemplate {
		return nil, fmt.Errorf("expression of %d bytes, at most %d are allowed: %w", len(expression), maxTemplate, ErrTooCostly)
	}
	e := &evaluation{variables: orEmpty(env), meter: &meter{left: maxWork}}
	e.define(utilities())
	result, err := e.run(expression)
	if err != nil {
		return nil, err
	}
	if err := e.meter.spend(e.meter.size(result)); err != nil {
		return nil, fmt.Errorf("expression %q: %w", excerpt(expression), err)
	}
	return result, nil
}

// define makes functions known to the compiler.
func (e *evaluation) define(fns []function) {
	e.config = conf.CreateNew()
	e.meter.override(e.config)
	for _, f := range fns {
		exprlang.Function(f.name, e.charged(f), f.types...)(e.config)
	}
	exprlang.Function(spendFunc, e.spend, new(func(any, int) any))(e.config)
	exprlang.Function(memberFunc, e.member, new(func(any, any, string, bool, bool) any))(e.config)
	exprlang.Function(presentFunc, e.present, new(func(any, string, bool) any))(e.config)
	exprlang.Function(matchesFunc, e.meter.matches, new(func(any, any) bool))(e.config)
	exprlang.Function(rangeFunc, e.meter.makeRange, new(func(any, any) []int))(e.config)
	e.names.variables = sortedKeys(e.variables)
	e.names.functions = functionNames(fns)
}

func (e *evaluation) charged(f function) func(args ...any) (any, error) {
	var overloads []reflect.Type
	for _, t := range f.types {
		overloads = append(overloads, reflect.TypeOf(t).Elem())
	}
	return func(args ...any) (any, error) {
		if err := fit(f.name, overloads, args); err != nil {
			return nil, err
		}
		if err := e.meter.spendAll(args...); err != nil {
			return nil, err
		}
		out, err := f.call(args...)
		if err != nil {
			return nil, err
		}
		return out, e.meter.spend(e.meter.size(out))
	}
}

// run evaluates one expression.
func (e *evaluation) run(expression string) (any, error) {
	source := strings.TrimSpace(expression)
	wrap := func(err error) error { return fmt.Errorf("expression %q: %w", excerpt(source), err) }
	if source == "" {
		return nil, errors.New("an expression is empty: write a variable or a function between the delimiters")
	}
	tree, err := parser.ParseWithConfig(source, e.config)
	if err != nil {
		return nil, wrap(plain(err))
	}
	if mistakes := e.names.check(tree); len(mistakes) > 0 {
		return nil, wrap(mistakes[0])
	}
	program, err := e.compile(tree)
	if err != nil {
		return nil, wrap(err)
	}
	machine := vm.VM{MemoryBudget: maxMemory}
	result, err := machine.Run(program, e.variables)
	if err != nil {
		return nil, wrap(plain(err))
	}
	return result, nil
}

// compile patches and compiles a parsed expression. The optimizer is left out: it would compute constants, such as
// ranges, before anything is charged for.
func (e *evaluation) compile(tree *parser.Tree) (*vm.Program, error) {
	g := newGuards()
	e.config.Visitors = []ast.Visitor{g, &patcher{g}}
	if _, err := new(checker.Checker).PatchAndCheck(tree, e.config); err != nil {
		return nil, plain(err)
	}
	program, err := compiler.Compile(tree, e.config)
	if err != nil {
		return nil, plain(err)
	}
	return program, nil
}

// plain gives the cause of an error of expr-lang, or its message with the column, without the picture of the source.
func plain(err error) error {
	fe, ok := errors.AsType[*file.Error](err)
	if !ok {
		return err
	}
	if fe.Prev != nil {
		return fe.Prev
	}
	return fmt.Errorf("column %d: %s", fe.Column+1, strings.TrimSpace(fe.Message))
}

// spend charges for a value and hands it on.
func (e *evaluation) spend(args ...any) (any, error) {
	weight, _ := args[1].(int)
	return args[0], e.meter.spend(weight + e.meter.size(args[0]))
}

// member reads a member of a value: arguments are the value, the key, the source of the value, whether a missing key is
// an error, and whether the value comes straight from imageFrom.
func (e *evaluation) member(args ...any) (any, error) {
	base, key, text := args[0], args[1], args[2].(string)
	strict, image := args[3].(bool), args[4].(bool)
	if isNil(base) {
		return nil, e.absent(text, fmt.Sprintf("no member %q", fmt.Sprint(key)), image)
	}
	object, ok := base.(map[string]any)
	name, named := key.(string)
	if !ok || !named || !strict {
		return runtime.Fetch(base, key), nil
	}
	v, ok := object[name]
	if !ok {
		return nil, fmt.Errorf("%w: %s%s", ErrUnknownName, path(text, name), known(name, sortedKeys(object)))
	}
	return v, nil
}

// present hands on a value whose method is called, unless it is null.
func (e *evaluation) present(args ...any) (any, error) {
	if isNil(args[0]) {
		return nil, e.absent(args[1].(string), "no methods", args[2].(bool))
	}
	return args[0], nil
}

func (e *evaluation) absent(text, lack string, image bool) error {
	switch {
	case image && e.missed != nil:
		return e.missed
	case e.missed != nil:
		return fmt.Errorf("%s is null and has %s; %w", excerpt(text), lack, e.missed)
	}
	return fmt.Errorf("%w: %s is null and has %s", ErrUnknownName, excerpt(text), lack)
}

// path writes a member as an expression would.
func path(base, name string) string {
	if base == "vars" || base == "ctx" {
		return base + "." + name
	}
	return join(base, name)
}

func isNil(v any) bool {
	if v == nil {
		return true
	}
	r := reflect.ValueOf(v)
	return r.Kind() == reflect.Pointer && r.IsNil()
}

// guards finds out which parts of an expression stand where a missing value is asked for, and which are called.
type guards struct {
	guarded map[ast.Node]bool
	callees map[ast.Node]bool
	locals  map[string]bool
}

func newGuards() *guards {
	return &guards{guarded: map[ast.Node]bool{}, callees: map[ast.Node]bool{}, locals: map[string]bool{}}
}

// Visit implements ast.Visitor.
func (g *guards) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.ChainNode:
		g.guard(n.Node)
	case *ast.BinaryNode:
		_, rightNil := n.Right.(*ast.NilNode)
		_, leftNil := n.Left.(*ast.NilNode)
		compares := n.Operator == "==" || n.Operator == "!="
		if n.Operator == "??" || compares && rightNil {
			g.guard(n.Left)
		}
		if compares && leftNil {
			g.guard(n.Right)
		}
	case *ast.CallNode:
		g.callees[n.Callee] = true
	case *ast.VariableDeclaratorNode:
		g.locals[n.Name] = true
	}
}

// guard marks a chain of members down to its root.
func (g *guards) guard(n ast.Node) {
	for n != nil {
		g.guarded[n] = true
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
type patcher struct{ *guards }

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
	case *ast.MemberNode:
		if n.Optional || p.guarded[n] {
			return
		}
		text := ast.Node(&ast.StringNode{Value: excerpt(sourceOf(n.Node))})
		image := &ast.BoolNode{Value: calls(n.Node, "imageFrom")}
		if p.callees[n] {
			n.Node = invoke(presentFunc, n.Node, text, image)
			return
		}
		ast.Patch(node, invoke(memberFunc, n.Node, n.Property, text, &ast.BoolNode{Value: p.isStrict(n)}, image))
	}
}

// isStrict reports whether n is a key, spelled out, of something reached from a variable of the environment.
func (p *patcher) isStrict(n *ast.MemberNode) bool {
	if _, ok := n.Property.(*ast.StringNode); !ok {
		return false
	}
	root, ok := rootOf(n.Node)
	return ok && !p.locals[root] && root != "$env"
}

// rootOf gives the variable at the beginning of a chain of members, also of a chain that has been patched.
func rootOf(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return n.Value, true
	case *ast.MemberNode:
		return rootOf(n.Node)
	case *ast.CallNode:
		if calls(n, memberFunc) {
			return rootOf(n.Arguments[0])
		}
	}
	return "", false
}

func calls(n ast.Node, function string) bool {
	c, ok := n.(*ast.CallNode)
	if !ok {
		return false
	}
	callee, ok := c.Callee.(*ast.IdentifierNode)
	return ok && callee.Value == function
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
