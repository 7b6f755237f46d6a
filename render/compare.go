package render

import (
	"context"
	"maps"
	"reflect"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/lockkeeper/lockkeeper/render/argocd"
)

// Compare renders, on two commits of one repository, the Applications that may deploy something else on head than on base.
// An Application whose own fields, folders and definitions are equal on both sides is not rendered; of a tree that knows
// its object ids not even a file is read for it. A changed definition is followed into every Application that uses it.
func (e *Engine) Compare(ctx context.Context, base, head Repository, opts Options) (Comparison, error) {
	before, err := e.Applications(ctx, base, opts)
	if err != nil {
		return Comparison{}, err
	}
	after, err := e.Applications(ctx, head, opts)
	if err != nil {
		return Comparison{}, err
	}
	c := &comparing{engine: e, base: base, head: head, before: before, after: after}
	pairs := pair(before.Applications, after.Applications)
	found := make([]*AppComparison, len(pairs))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, p := range pairs {
		group.Go(func() error {
			found[i] = c.compare(groupCtx, p)
			return groupCtx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return Comparison{}, err
	}
	out := Comparison{Findings: after.Findings}
	for _, one := range found {
		if one == nil {
			out.Unchanged++
		} else {
			out.Apps = append(out.Apps, *one)
		}
	}
	return out, nil
}

type comparing struct {
	engine        *Engine
	base, head    Repository
	before, after Set
}

// appPair is one Application on both sides, nil where it does not exist.
type appPair struct {
	name       string
	base, head *argocd.Application
}

func pair(base, head []argocd.Application) []appPair {
	all := map[string]appPair{}
	for _, app := range base {
		all[app.Key()] = appPair{name: app.Key(), base: &app}
	}
	for _, app := range head {
		p := all[app.Key()]
		p.name, p.head = app.Key(), &app
		all[app.Key()] = p
	}
	out := make([]appPair, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, all[name])
	}
	return out
}

// compare returns nil for an Application that deploys the same on both sides.
func (c *comparing) compare(ctx context.Context, p appPair) *AppComparison {
	out := &AppComparison{Name: p.name}
	if p.base != nil && p.head != nil && c.sameInputs(*p.base, *p.head) {
		return nil
	}
	if p.base != nil {
		out.Base = new(c.engine.Render(ctx, c.base, c.before, *p.base))
	}
	if p.head != nil {
		out.Head = new(c.engine.Render(ctx, c.head, c.after, *p.head))
	}
	if out.Base != nil && out.Head != nil && sameResult(*out.Base, *out.Head) {
		return nil
	}
	return out
}

func (c *comparing) sameInputs(base, head argocd.Application) bool {
	return c.before.key == c.after.key && sourceKey(c.base, base) == sourceKey(c.head, head)
}

// sameResult reports whether two renders deploy the same and have the same to say, apart from line numbers.
func sameResult(base, head Result) bool {
	if base.Key == head.Key {
		return true
	}
	return applicationKey(base.Application) == applicationKey(head.Application) && base.Failed == head.Failed && base.Partial == head.Partial &&
		slices.EqualFunc(base.Findings, head.Findings, func(a, b Finding) bool {
			a.Line, a.Column, b.Line, b.Column = 0, 0, 0, 0
			return a == b
		}) &&
		reflect.DeepEqual(fieldsOf(base), fieldsOf(head))
}

func fieldsOf(r Result) []map[string]any {
	var out []map[string]any
	for _, o := range slices.Concat(r.Objects, r.Hooks) {
		out = append(out, o.Fields)
	}
	return out
}
