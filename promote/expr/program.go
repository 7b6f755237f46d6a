package expr

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
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
	hiddenPrefix = "·"

	spendFunc   = hiddenPrefix + "spend"
	memberFunc  = hiddenPrefix + "member"
	askFunc     = hiddenPrefix + "ask"
	presentFunc = hiddenPrefix + "present"
	matchesFunc = hiddenPrefix + "matches"
	rangeFunc   = hiddenPrefix + "range"
)

// evaluation evaluates the expressions of one template or tree under one budget.
type evaluation struct {
	variables map[string]any
	names     names
	config    *conf.Config // the functions; the visitors belong to one expression
	meter     *meter
	trail     trail
	shallow   bool // only the members of the variables themselves have to exist, not what is below
}

// trail is what functions leave behind besides their results.
type trail struct {
	missed  error    // what the last imageFrom, or another of lookups, did not find
	secrets *Secrets // those that were read; never nil
	read    bool     // whether the running expression has read one
}

// note keeps a miss for the place where its null is used; another error is given back.
func (t *trail) note(err error) error {
	if !errors.Is(err, ErrMissing) {
		return err
	}
	t.missed = err
	return nil
}

func newEvaluation(env Env) *evaluation {
	e := rawEvaluation(env.variables())
	if env.Used != nil {
		e.trail.secrets = env.Used
	}
	e.define(functions(&e.trail, env))
	return e
}

// rawEvaluation is one that has variables and still needs functions.
func rawEvaluation(variables map[string]any) *evaluation {
	return &evaluation{variables: variables, names: names{fields: resultFields}, meter: &meter{left: maxWork}, trail: trail{secrets: &Secrets{}}}
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
	exprlang.Function(askFunc, e.ask, new(func(any, any) any))(e.config)
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

// prepared is an expression that is ready to run.
type prepared struct {
	source     string
	program    *vm.Program
	constants  map[string]bool // the texts that it spells out
	readSecret bool            // it uses a variable with a secret in it
}

func (p *prepared) wrap(err error) error {
	return fmt.Errorf("expression %q: %w", excerpt(p.source), err)
}

// run evaluates one expression.
func (e *evaluation) run(expression string) (any, error) {
	p, err := e.prepare(expression)
	if err != nil {
		return nil, err
	}
	return e.execute(p)
}

func (e *evaluation) prepare(expression string) (*prepared, error) {
	p := &prepared{source: strings.TrimSpace(expression)}
	if p.source == "" {
		return nil, errors.New("an expression is empty: write a variable or a function")
	}
	tree, err := parser.ParseWithConfig(p.source, e.config)
	if err != nil {
		return nil, p.wrap(plain(err))
	}
	if mistakes := e.names.check(tree); len(mistakes) > 0 {
		return nil, p.wrap(mistakes[0])
	}
	p.constants, p.readSecret = constantsOf(tree), e.readsSecret(tree)
	if p.program, err = e.compile(tree); err != nil {
		return nil, p.wrap(err)
	}
	return p, nil
}

func (e *evaluation) execute(p *prepared) (any, error) {
	e.trail.read = p.readSecret
	machine := vm.VM{MemoryBudget: maxMemory}
	result, err := machine.Run(p.program, e.variables)
	if err != nil {
		return nil, p.wrap(e.conceal(plain(err), p.constants))
	}
	e.keepSecret(result, p.constants)
	return result, nil
}

// compile patches and compiles a parsed expression. The optimizer is left out: it would compute constants, such as
// ranges, before anything is charged for.
func (e *evaluation) compile(tree *parser.Tree) (*vm.Program, error) {
	g := newGuards()
	e.config.Visitors = []ast.Visitor{g, &patcher{g, e.shallow}}
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
// an error, and whether the value comes straight from one of lookups.
func (e *evaluation) member(args ...any) (any, error) {
	base, key, text := args[0], args[1], args[2].(string)
	strict, found := args[3].(bool), args[4].(bool)
	if isNil(base) {
		return nil, e.absent(text, fmt.Sprintf("no member %q", fmt.Sprint(key)), found)
	}
	name, named := key.(string)
	if !named {
		return runtime.Fetch(base, key), nil
	}
	if fields := fieldsOf(base); fields != nil && !slices.Contains(fields, name) {
		return nil, unknownField(excerpt(text), name, fields)
	}
	object, ok := base.(map[string]any)
	if !ok || !strict {
		return runtime.Fetch(base, key), nil
	}
	v, ok := object[name]
	if !ok {
		return nil, &keyError{path(text, name) + known(name, sortedKeys(object))}
	}
	return v, nil
}

// keyError tells of a key that does not exist. It shows keys, never values.
type keyError struct{ text string }

func (k *keyError) Error() string { return ErrUnknownName.Error() + ": " + k.text }

func (*keyError) Is(target error) bool { return target == ErrUnknownName }

// ask reads a member of a value where the expression asks whether it exists.
func (e *evaluation) ask(args ...any) (any, error) {
	if isNil(args[0]) {
		return nil, nil
	}
	return runtime.Fetch(args[0], args[1]), nil
}

// present hands on a value whose method is called, unless it is null.
func (e *evaluation) present(args ...any) (any, error) {
	if isNil(args[0]) {
		return nil, e.absent(args[1].(string), "no methods", args[2].(bool))
	}
	return args[0], nil
}

func (e *evaluation) absent(text, lack string, found bool) error {
	switch {
	case found && e.trail.missed != nil:
		return e.trail.missed
	case e.trail.missed != nil:
		return fmt.Errorf("%s is null and has %s; %w", excerpt(text), lack, e.trail.missed)
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
