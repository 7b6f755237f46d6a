package expr

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
)

// Names is what the expressions of one place may refer to. The zero value allows no variables and no outputs.
type Names struct {
	Vars        []string // declared before this place
	Outputs     []string // aliases of the steps before this one
	TaskOutputs []string // aliases of the steps before this one in the task
	Task        bool     // the place is in a task, so that `task` exists
	Status      bool     // the place is the "if" or "config" of a step, so that status functions exist
}

// Problem is one mistake in a template.
type Problem struct {
	Offset  int    // in bytes from the start of the template, of the expression or the unclosed delimiter
	Message string // what is wrong and what to write instead
}

// contextFields are the members of ctx in Kargo; nil where what follows is not fixed.
var contextFields = map[string][]string{
	"ctx":                      {"uiBaseUrl", "project", "promotion", "stage", "targetFreight", "meta"},
	"ctx.targetFreight":        {"name", "alias", "origin"},
	"ctx.targetFreight.origin": {"name"},
	"ctx.meta":                 {"promotion", "step"},
	"ctx.meta.promotion":       {"actor", "rollback"},
	"ctx.meta.step":            {"alias"},
}

// resultFields are the members of what functions give.
var resultFields = map[string][]string{
	"imageFrom": {"RepoURL", "Tag", "Digest", "Annotations"},
	"warehouse": {"Kind", "Name"},
}

// Check reports mistakes of a template that can be seen without evaluating it: delimiters, syntax, wrong types, and
// names that are not allowed. It is nil for a template without any.
func Check(template string, allowed Names) []Problem {
	segments, err := split(template)
	var problems []Problem
	if open, ok := errors.AsType[*unclosedError](err); ok {
		problems = append(problems, Problem{open.offset, err.Error()})
	} else if err != nil {
		return []Problem{{0, err.Error()}}
	}
	e := newEvaluation(Env{Status: &Status{}})
	e.names.allow(allowed)
	for _, s := range segments {
		if s.isExpr {
			problems = append(problems, e.check(s, template)...)
		}
	}
	slices.SortStableFunc(problems, func(a, b Problem) int { return a.Offset - b.Offset })
	return problems
}

// check reports the mistakes of one expression.
func (e *evaluation) check(s segment, template string) []Problem {
	source := strings.TrimSpace(s.text)
	at := s.offset + strings.Index(s.text, source)
	if source == "" {
		return []Problem{{at, "the expression is empty: write a variable or a function between the delimiters"}}
	}
	var problems []Problem
	for _, mistake := range e.mistakes(source) {
		message := hint(mistake, s, template).Error()
		if p := (Problem{at, message}); !slices.Contains(problems, p) {
			problems = append(problems, p)
		}
	}
	return problems
}

func (e *evaluation) mistakes(source string) []error {
	tree, err := parser.ParseWithConfig(source, e.config)
	if err != nil {
		return []error{plain(err)}
	}
	if mistakes := e.names.check(tree); len(mistakes) > 0 {
		return mistakes
	}
	if _, err := e.compile(tree); err != nil {
		return []error{err}
	}
	return nil
}

// names knows what an expression may refer to.
type names struct {
	variables []string
	functions []string
	task      bool
	lint      bool                // also check the members below, and refuse what is not available
	members   map[string][]string // what a path has, such as "vars"
	status    bool
}

// allow sets what a template that is not evaluated may refer to.
func (n *names) allow(allowed Names) {
	n.lint, n.status, n.task = true, allowed.Status, allowed.Task || len(allowed.TaskOutputs) > 0
	n.members = maps.Clone(contextFields)
	n.members["vars"], n.members["outputs"] = allowed.Vars, allowed.Outputs
	if n.task {
		n.variables = append(n.variables, "task")
		n.members["task"], n.members["task.outputs"] = []string{"outputs"}, allowed.TaskOutputs
	}
}

// check finds mistakes in the names of an expression.
func (n *names) check(tree *parser.Tree) []error {
	w := &nameWalker{names: n, guards: newGuards()}
	ast.Walk(&tree.Node, w.guards)
	ast.Walk(&tree.Node, w)
	return w.mistakes
}

// nameWalker looks at every name of an expression.
type nameWalker struct {
	*names
	*guards
	mistakes []error
}

// Visit implements ast.Visitor.
func (w *nameWalker) Visit(node *ast.Node) {
	var err error
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		if w.callees[n] {
			err = w.function(n.Value)
		} else if !w.guarded[n] {
			err = w.variable(n.Value)
		}
	case *ast.MemberNode:
		err = w.field(n)
		if err == nil && w.lint && !w.guarded[n] && !n.Optional {
			err = w.path(n)
		}
	}
	if err != nil {
		w.mistakes = append(w.mistakes, err)
	}
}

func (w *nameWalker) function(name string) error {
	switch {
	case w.locals[name]:
		return nil
	case !slices.Contains(w.functions, name):
		best, near := nearest(name, w.functions)
		if near {
			return fmt.Errorf("%w: function %s; did you mean %s?", ErrUnknownName, name, best)
		}
		return fmt.Errorf("%w: function %s", ErrUnknownName, name)
	case w.lint && unavailable[name] != "":
		return notAvailable(name)
	case w.lint && !w.status && slices.Contains(statusFunctions, name):
		return fmt.Errorf(`%s() is %w in variables: use it in the "if" or "config" of a step`, name, ErrNotAvailable)
	}
	return nil
}

func (w *nameWalker) variable(name string) error {
	switch {
	case name == "$env" || w.locals[name] || slices.Contains(w.variables, name):
		return nil
	case name == "task" && !w.task:
		return fmt.Errorf("task is %w: it exists only in the steps of a PromotionTask; outside, use outputs", ErrNotAvailable)
	case slices.Contains(w.functions, name):
		return fmt.Errorf("%w: %s is a function: write %s(…)", ErrUnknownName, name, name)
	}
	text := known(name, w.variables)
	if slices.Contains(w.variables, "vars") {
		text += "; a variable is written vars." + name
	}
	return fmt.Errorf("%w: %s%s", ErrUnknownName, name, text)
}

// field checks the members of what a function gives, which are Go fields and so begin with a capital letter.
func (w *nameWalker) field(n *ast.MemberNode) error {
	property, ok := n.Property.(*ast.StringNode)
	if !ok {
		return nil
	}
	for _, function := range sortedKeys(resultFields) {
		fields := resultFields[function]
		if !calls(n.Node, function) || slices.Contains(fields, property.Value) {
			continue
		}
		for _, f := range fields {
			if strings.EqualFold(f, property.Value) {
				return fmt.Errorf("%w: %s(…).%s; did you mean .%s?", ErrUnknownName, function, property.Value, f)
			}
		}
		return fmt.Errorf("%w: %s(…).%s%s", ErrUnknownName, function, property.Value, known(property.Value, fields))
	}
	return nil
}

// path checks a member that is reached by keys that are spelled out.
func (w *nameWalker) path(n *ast.MemberNode) error {
	property, ok := n.Property.(*ast.StringNode)
	if !ok {
		return nil
	}
	base, ok := w.spelled(n.Node)
	if !ok {
		return nil
	}
	members, ok := w.members[base]
	if !ok || slices.Contains(members, property.Value) {
		return nil
	}
	return fmt.Errorf("%w: %s%s", ErrUnknownName, path(base, property.Value), known(property.Value, members))
}

// spelled writes a chain of constant keys from a variable as a path.
func (w *nameWalker) spelled(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return n.Value, !w.locals[n.Value]
	case *ast.MemberNode:
		property, ok := n.Property.(*ast.StringNode)
		if !ok {
			return "", false
		}
		base, ok := w.spelled(n.Node)
		return base + "." + property.Value, ok
	}
	return "", false
}
