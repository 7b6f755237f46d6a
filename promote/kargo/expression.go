package kargo

import (
	"errors"
	"fmt"
	"strings"

	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"

	"github.com/lockkeeper/lockkeeper/promote/expr"
)

// maxExpression bounds an expression without delimiters.
const maxExpression = 64 << 10

// checkCriteria checks the expression that decides whether a warehouse makes freight.
func (l *loader) checkCriteria(o object, path, expression string) {
	if expression != "" {
		l.expressions(o, path, expr.CheckCriteria(expression))
	}
}

// checkFilter checks the expression that a commit or tag has to fulfil.
func (l *loader) checkFilter(o object, path, expression string, kind expr.FilterKind) {
	if expression != "" {
		l.expressions(o, path, expr.CheckFilter(expression, kind))
	}
}

func (l *loader) expressions(o object, path string, problems []expr.Problem) {
	for _, problem := range problems {
		l.fail(o, path, "invalid-expression", "expression: "+problem.Message, "")
	}
}

// checkResponse checks an expression over the answer to an HTTP request.
func checkResponse(expression string) error {
	if problems := expr.CheckResponse(expression); len(problems) > 0 {
		return errors.New(problems[0].Message)
	}
	return nil
}

// checkSyntax checks an expression that is written without delimiters, before it is known what it will see.
func checkSyntax(expression string) error {
	switch {
	case strings.Contains(expression, "${{") || strings.Contains(expression, "${%"):
		return errors.New("the delimiters ${{ }} do not belong here")
	case len(expression) > maxExpression:
		return fmt.Errorf("it has %d bytes, more than the %d that are read", len(expression), maxExpression)
	}
	_, err := parser.Parse(expression)
	if at, ok := errors.AsType[*file.Error](err); ok {
		return fmt.Errorf("column %d: %s", at.Column+1, strings.TrimSpace(at.Message))
	}
	return err
}
