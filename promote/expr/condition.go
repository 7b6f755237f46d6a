package expr

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"
)

// Condition is an expression, written without delimiters, that says yes or no to many things, such as the expressionFilter
// of a Git subscription to commits. It is read once. It is not safe for concurrent use.
type Condition struct {
	source     string
	evaluation *evaluation
	program    *vm.Program
}

// NewCondition reads an expression that may use the named variables, expr-lang's functions and those that only compute.
// The error names the expression and what is wrong with it.
func NewCondition(expression string, variables ...string) (*Condition, error) {
	if len(expression) > maxTemplate {
		return nil, fmt.Errorf("expression of %d bytes, at most %d are allowed: %w", len(expression), maxTemplate, ErrTooCostly)
	}
	c := &Condition{source: strings.TrimSpace(expression)}
	if c.source == "" {
		return nil, fmt.Errorf("an expression is empty: write a condition over %s", strings.Join(variables, ", "))
	}
	declared := make(map[string]any, len(variables))
	for _, name := range variables {
		declared[name] = nil
	}
	c.evaluation = &evaluation{variables: declared, meter: &meter{left: maxWork}}
	c.evaluation.define(utilities())
	tree, err := parser.ParseWithConfig(c.source, c.evaluation.config)
	if err != nil {
		return nil, c.wrap(plain(err))
	}
	if mistakes := c.evaluation.names.check(tree); len(mistakes) > 0 {
		return nil, c.wrap(mistakes[0])
	}
	if c.program, err = c.evaluation.compile(tree); err != nil {
		return nil, c.wrap(err)
	}
	return c, nil
}

// Holds evaluates the condition on values of its variables. As in Kargo, what is not a boolean counts as the boolean that
// its printed form is for strconv.ParseBool; all else is an error that names the expression.
func (c *Condition) Holds(values map[string]any) (bool, error) {
	c.evaluation.meter.left = maxWork
	machine := vm.VM{MemoryBudget: maxMemory}
	result, err := machine.Run(c.program, orEmpty(values))
	if err != nil {
		return false, c.wrap(plain(err))
	}
	if holds, ok := result.(bool); ok {
		return holds, nil
	}
	if err := c.evaluation.meter.spend(c.evaluation.meter.size(result)); err != nil {
		return false, c.wrap(err)
	}
	holds, err := strconv.ParseBool(fmt.Sprint(result))
	if err != nil {
		return false, c.wrap(fmt.Errorf("its result is %s, expected true or false: write a comparison, such as subject contains \"release\"", describe(result)))
	}
	return holds, nil
}

func (c *Condition) wrap(err error) error {
	return fmt.Errorf("expression %q: %w", excerpt(c.source), err)
}
