package expr

import (
	"fmt"
	"reflect"
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/vm/runtime"
)

const (
	maxWork    = 4_000_000   // bytes and elements that one evaluation may touch
	maxMemory  = 2 * maxWork // elements that expr-lang itself may allocate; the meter is there before
	maxNesting = 200         // levels of lists and objects in a value
)

// meter bounds the work of an evaluation. expr-lang bounds the lists it builds, but neither what functions and
// operators do to long strings and shared lists, nor how often a predicate compares them.
type meter struct {
	left int
}

func (m *meter) spend(cost int) error {
	if cost > m.left {
		m.left = 0
		return fmt.Errorf("it does too much work: shorten its texts, lists and loops: %w", ErrTooCostly)
	}
	m.left -= cost
	return nil
}

// size is the number of bytes and elements in v, counting what is shared as often as it is seen; beyond what is left
// it stops counting.
func (m *meter) size(v any) int { return sizeOf(v, m.left, maxNesting) }

func sizeOf(v any, limit, depth int) int {
	if depth == 0 {
		return limit + 1
	}
	total := 1
	add := func(item any) bool {
		total += sizeOf(item, limit-total, depth-1)
		return total <= limit
	}
	switch v := v.(type) {
	case nil, bool, int, float64:
		return 1
	case string:
		return 1 + len(v)
	case []any:
		for _, item := range v {
			if !add(item) {
				return total
			}
		}
		return total
	case map[string]any:
		for key, item := range v {
			if total += len(key); !add(item) {
				return total
			}
		}
		return total
	}
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Slice, reflect.Array:
		for i := range r.Len() {
			if !add(r.Index(i).Interface()) {
				return total
			}
		}
	case reflect.Map:
		for it := r.MapRange(); it.Next(); {
			if !add(it.Key().Interface()) || !add(it.Value().Interface()) {
				return total
			}
		}
	default: // numbers and structs are one element
	}
	return total
}

// spendAll charges for touching all values once.
func (m *meter) spendAll(values ...any) error {
	for _, v := range values {
		if err := m.spend(m.size(v)); err != nil {
			return err
		}
	}
	return nil
}

// override replaces expr-lang's functions by ones that charge for what they read and produce.
func (m *meter) override(c *conf.Config) {
	for _, f := range builtin.Builtins {
		if !f.Predicate {
			c.Functions[f.Name] = &builtin.Function{Name: f.Name, Types: f.Types, Validate: f.Validate, Deref: f.Deref, Func: m.charged(f)}
		}
	}
}

func (m *meter) charged(f *builtin.Function) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		if err := fit(f.Name, f.Types, args); err != nil {
			return nil, err
		}
		if err := m.spendAll(args...); err != nil {
			return nil, err
		}
		if err := m.spend(m.growth(f.Name, args)); err != nil {
			return nil, err
		}
		out, err := call(f, args)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		return out, m.spend(m.size(out))
	}
}

// fit refuses arguments that are not the strings or structs that all overloads want. What the compiler knows the type of
// it has checked, but it does not know that of variables.
func fit(name string, overloads []reflect.Type, args []any) error {
	for i, arg := range args {
		fits := len(overloads) == 0
		wants := ""
		for _, o := range overloads {
			if i >= o.NumIn() || o.IsVariadic() {
				continue
			}
			in := o.In(i)
			needed := in.Kind() == reflect.String || in.Kind() == reflect.Struct
			if !needed || arg != nil && reflect.TypeOf(arg).AssignableTo(in) {
				fits = true
			} else {
				wants = in.Name()
			}
		}
		if !fits && wants != "" {
			return fmt.Errorf("argument %d of %s has to be of type %s, not %s: quote the value where it is defined, if it only looks like another type",
				i+1, name, wants, describe(arg))
		}
	}
	return nil
}

func call(f *builtin.Function, args []any) (any, error) {
	switch {
	case f.Fast != nil && len(args) == 1:
		return f.Fast(args[0]), nil
	case f.Safe != nil:
		out, _, err := f.Safe(args...)
		return out, err
	}
	return f.Func(args...)
}

// growth is the size of a result that can be much larger than the arguments.
func (m *meter) growth(name string, args []any) int {
	text := func(i int) string {
		if i < len(args) {
			if s, ok := args[i].(string); ok {
				return s
			}
		}
		return ""
	}
	switch name {
	case "repeat":
		return m.times(len(text(0)), runtime.ToInt(args[1]))
	case "replace":
		return m.times(strings.Count(text(0), text(1)), len(text(2)))
	case "join":
		return m.times(m.size(args[0]), len(text(1)))
	}
	return 0
}

// times multiplies without going far beyond what is left.
func (m *meter) times(a, b int) int {
	if a > 0 && b > m.left/a {
		return m.left + 1
	}
	return max(a*b, 0)
}

// makeRange is the operator "..".
func (m *meter) makeRange(args ...any) (any, error) {
	first, last := runtime.ToInt(args[0]), runtime.ToInt(args[1])
	if last < first {
		return []int{}, nil
	}
	if length := last - first + 1; length <= 0 || m.spend(length) != nil {
		return nil, m.spend(m.left + 1)
	}
	return runtime.MakeRange(first, last), nil
}

// matches is the operator of that name: whether a text matches a regular expression.
func (m *meter) matches(args ...any) (any, error) {
	text, ok1 := args[0].(string)
	pattern, ok2 := args[1].(string)
	if args[0] == nil || args[1] == nil {
		return false, nil
	}
	if !ok1 || !ok2 {
		return nil, fmt.Errorf("matches compares two strings, not %s with %s", describe(args[0]), describe(args[1]))
	}
	if err := m.spend(len(pattern)); err != nil {
		return nil, err
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("matches: %w", err)
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, fmt.Errorf("matches: %w", err)
	}
	steps := len(program.Inst)
	if err := m.spend(m.times(steps, 16+len(text)/4)); err != nil {
		return nil, err
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("matches: %w", err)
	}
	return re.MatchString(text), nil
}
