package helm

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// What a single function may be handed: a value that holds itself, or shares its parts so often that printing it would
// never end, is found by measuring before the function walks it.
const (
	maxNodes = 500_000
	maxDepth = 500
	// maxWork is how many bytes all texts and lists on the way may have together, and callCost what every call counts at
	// least, so that neither many small nor few large values add up to more memory than there is.
	maxWork  = 320 << 20
	callCost = 64
	// maxIncludes is how many includes may be running inside each other (Helm's bound).
	maxIncludes = 1000
)

// errBudget marks errors of the budget on their way out through text/template.
var errBudget = errors.New("beyond a bound")

// budget is what one render may still do.
type budget struct {
	ctx      context.Context //nolint:containedctx // of one call, and template functions take none
	limit    int             // bytes of any one text
	written  int             // bytes of finished templates
	work     int             // bytes of everything that was made
	includes int
}

// tick is called in every iteration, template and function.
func (b *budget) tick() (string, error) {
	if err := b.ctx.Err(); err != nil {
		return "", err
	}
	return "", nil
}

func (b *budget) tooLong(what string) error {
	return fmt.Errorf("%s would have more than %d bytes: %w", what, b.limit, errBudget)
}

// spend counts what was made.
func (b *budget) spend(bytes int) error {
	if b.work += bytes; b.work > maxWork {
		return fmt.Errorf("more than %d bytes of texts and lists are made on the way: %w", maxWork, errBudget)
	}
	return nil
}

// text bounds what a function would write, given the sizes of its parts.
func (b *budget) text(count, size int) error {
	if count > 0 && size > 0 && size > b.limit/count {
		return b.tooLong("the text")
	}
	return nil
}

// output is the writer of one template.
type output struct {
	strings.Builder
	budget *budget
}

// Write keeps p unless the template has become too long.
func (o *output) Write(p []byte) (int, error) {
	if o.Len()+len(p) > o.budget.limit {
		return 0, o.budget.tooLong("the output")
	}
	if err := o.budget.spend(len(p)); err != nil {
		return 0, err
	}
	return o.Builder.Write(p)
}

// measure refuses values that could not be printed or copied.
func (b *budget) measure(values []reflect.Value) error {
	m := measure{budget: b, nodes: maxNodes, bytes: b.limit}
	for _, v := range values {
		if err := m.value(v, 0); err != nil {
			return err
		}
	}
	return nil
}

type measure struct {
	budget       *budget
	nodes, bytes int
}

func (m *measure) value(v reflect.Value, depth int) error {
	if m.nodes--; m.nodes < 0 || depth > maxDepth {
		return fmt.Errorf("the value is too large or holds itself: %w", errBudget)
	}
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if !v.IsNil() {
			return m.value(v.Elem(), depth+1)
		}
	case reflect.String:
		if m.bytes -= v.Len(); m.bytes < 0 {
			return m.budget.tooLong("the value")
		}
	case reflect.Map:
		for pairs := v.MapRange(); pairs.Next(); {
			if err := m.value(pairs.Key(), depth+1); err != nil {
				return err
			}
			if err := m.value(pairs.Value(), depth+1); err != nil {
				return err
			}
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			if m.bytes -= v.Len(); m.bytes < 0 {
				return m.budget.tooLong("the value")
			}
			return nil
		}
		for i := range v.Len() {
			if err := m.value(v.Index(i), depth+1); err != nil {
				return err
			}
		}
	default:
	}
	return nil
}

// result bounds and counts what a function returned.
func (b *budget) result(v reflect.Value) error {
	const element = 16
	if v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.String:
		if v.Len() > b.limit {
			return b.tooLong("the text")
		}
		return b.spend(callCost + v.Len())
	case reflect.Slice:
		return b.spend(callCost + element*v.Len())
	default:
		return b.spend(callCost)
	}
}

// bound makes the error of a budget one of the package.
func bound(file string, line int, err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return &manifest.Error{File: file, Line: line, Problem: "rendering took too long and was ended", Remedy: "look for loops and includes that repeat each other", Cause: errors.Join(manifest.ErrBound, err)}
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	return &manifest.Error{File: file, Line: line, Problem: cause(err).Error(), Remedy: "make the chart do less", Cause: errors.Join(manifest.ErrBound, err)}
}

// cause is the innermost error that still says what was beyond the bound.
func cause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil || inner == errBudget { //nolint:errorlint // the error that wraps the sentinel directly is wanted
			return err
		}
		err = inner
	}
}
