package expr

import (
	"errors"
	"slices"
	"strings"

	"github.com/expr-lang/expr/parser"

	"github.com/lockkeeper/lockkeeper/promote"
)

// Names is what the expressions of one place may refer to. The zero value allows no variables and no outputs.
type Names struct {
	Vars        []string // declared before this place
	Outputs     []string // aliases of the steps before this one
	TaskOutputs []string // aliases of the steps before this one in the task
	Task        bool     // the place is in a task, so that `task` exists
	Status      bool     // the place is the "if" or "config" of a step, so that status functions exist
	Target      bool     // the place is in a stage with targets, so that `target` exists
}

// Problem is one mistake in a template or in an expression without delimiters.
type Problem struct {
	Offset  int    // in bytes from the start of the text, of the expression or the unclosed delimiter
	Message string // what is wrong and what to write instead
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
	e := newEvaluation(Env{Status: &Status{}, Target: map[string]any{}, StepMetas: map[string]any{}})
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
		return []Problem{{at, "the expression is empty: write a variable or a function"}}
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

// FilterKind says what a git subscription's expressionFilter looks at.
type FilterKind int

// The kinds, by how the subscription finds commits.
const (
	FilterBranch FilterKind = iota // commits of a branch
	FilterTag                      // tags
)

// Names lists the variables that an expressionFilter sees, as Filter has to be given them: texts, and times of type time.Time
// for commitDate and creatorDate.
func (k FilterKind) Names() []string {
	if k == FilterTag {
		return []string{"tag", "id", "creatorDate", "author", "committer", "subject", "tagger", "annotation"}
	}
	return []string{"id", "commitDate", "author", "committer", "subject"}
}

// sample has the names and no values.
func (k FilterKind) sample() map[string]any {
	variables := map[string]any{}
	for _, name := range k.Names() {
		variables[name] = nil
	}
	return variables
}

// CheckFilter reports mistakes of an expressionFilter that can be seen without evaluating it.
func CheckFilter(expression string, kind FilterKind) []Problem {
	return filterEvaluation(kind.sample()).checkRaw(expression)
}

// CheckCriteria reports mistakes of freightCreationCriteria that can be seen without evaluating them.
func CheckCriteria(expression string) []Problem {
	return criteriaEvaluation(promote.Artifacts{}).checkRaw(expression)
}

// CheckResponse reports mistakes of an expression over an HTTP response that can be seen without evaluating it.
func CheckResponse(expression string) []Problem {
	return responseEvaluation(Response{}).checkRaw(expression)
}

// checkRaw reports the mistakes of an expression without delimiters.
func (e *evaluation) checkRaw(expression string) []Problem {
	if err := bounded(expression); err != nil {
		return []Problem{{0, err.Error()}}
	}
	if delimited(expression) {
		return []Problem{{0, errDelimited.Error()}}
	}
	e.names.lint = true
	return e.check(segment{text: expression, isExpr: true}, expression)
}
