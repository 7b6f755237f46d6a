package render

import (
	"cmp"
	"context"
	"reflect"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/lockkeeper/lockkeeper/render/argocd"
)

// Compare renders, on two commits of one repository, the Applications that may deploy something else on head than on base.
// An Application whose own fields, folders and definitions are equal on both sides is not rendered; of a tree that knows
// its object ids not even a file is read for it. A changed definition is followed into every Application that uses it.
func (e *Engine) Compare(ctx context.Context, base, head Repository, opts Options) (Comparison, error) {
	// Whoever compares has mostly looked at head before.
	fetch := e.fetching(slices.Concat(e.Fetch, opts.Fetch))
	after, err := e.applications(ctx, head, opts, fetch)
	if err != nil {
		return Comparison{}, err
	}
	atBase := opts
	if opts.Base != nil {
		atBase = *opts.Base
	}
	atBase.Fetch = opts.Fetch // what is allowed for the comparison is fetched for both sides, and remembered so
	before, err := e.applications(ctx, base, atBase, fetch)
	if err != nil {
		return Comparison{}, err
	}
	c := &comparing{engine: e, base: base, head: head, before: before, after: after, fetch: fetch, lostBy: map[string]int{}}
	pairs, unchanged := c.pairs()
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
	out := Comparison{Findings: slices.Concat(after.Findings, c.losses()), Unchanged: unchanged, BaseSet: before, HeadSet: after}
	for _, one := range found {
		if one == nil {
			out.Unchanged++
		} else {
			out.Apps = append(out.Apps, *one)
		}
	}
	out.Definitions = c.definitionFindings(out.Apps)
	return out, ctx.Err()
}

type comparing struct {
	engine        *Engine
	base, head    Repository
	before, after Set
	fetch         *fetching // what head's options allow, for both sides

	lostBy map[string]int // Applications of base of which nothing is known, by the root that deployed them
}

// appPair is one Application on both sides, nil where it does not exist.
type appPair struct {
	name       string
	base, head *argocd.Application
}

// appKey is an Application's identity without putting it together.
type appKey struct{ namespace, name string }

func keyOf(app *argocd.Application) appKey { return appKey{app.Namespace, app.Name} }

// pairs returns the Applications that may deploy something else, sorted by name, and how many cannot.
func (c *comparing) pairs() (differing []appPair, unchanged int) {
	base, head := c.before.Applications, c.after.Applications
	inputs := c.inputs()
	find := finder(base)
	taken := make([]bool, len(base))
	for i := range head {
		p := appPair{head: &head[i]}
		if j, ok := find(i, keyOf(p.head)); ok {
			taken[j], p.base = true, &base[j]
			if inputs.same(p.base, p.head) {
				unchanged++
				continue
			}
		}
		differing = append(differing, p)
	}
	for j := range base {
		switch root, lost := c.lost(&base[j]); {
		case taken[j]:
		case lost:
			c.lostBy[root]++
		default:
			differing = append(differing, appPair{base: &base[j]})
		}
	}
	for i, p := range differing {
		differing[i].name = cmp.Or(p.head, p.base).Key()
	}
	slices.SortFunc(differing, func(a, b appPair) int { return strings.Compare(a.name, b.name) })
	return differing, unchanged
}

// finder returns what finds an Application by its key, given where it stands on the other side, which is mostly where it
// stands on this one. The map is made only when that fails.
func finder(apps []argocd.Application) func(i int, key appKey) (int, bool) {
	var at map[appKey]int
	return func(i int, key appKey) (int, bool) {
		if i < len(apps) && keyOf(&apps[i]) == key {
			return i, true
		}
		if at == nil {
			at = make(map[appKey]int, len(apps))
			for j := range apps {
				at[keyOf(&apps[j])] = j
			}
		}
		j, ok := at[key]
		return j, ok
	}
}

// compare returns nil for an Application that deploys the same on both sides.
func (c *comparing) compare(ctx context.Context, p appPair) *AppComparison {
	out := c.rendered(ctx, p)
	if out == nil {
		return nil
	}
	for _, side := range []*Result{out.Base, out.Head} {
		if side != nil {
			side.Findings = bounded(side.Findings, side.Application)
		}
	}
	return out
}

// rendered is compare with all findings, however many.
func (c *comparing) rendered(ctx context.Context, p appPair) *AppComparison {
	out := &AppComparison{Name: p.name}
	if p.base != nil {
		out.Base = new(c.engine.render(ctx, c.base, c.before, *p.base, c.fetch))
		out.BaseCluster = argocd.ClusterOf(p.base.Destination, c.before.clusters)
	}
	if p.head != nil {
		out.Head = new(c.engine.render(ctx, c.head, c.after, *p.head, c.fetch))
		out.HeadCluster = argocd.ClusterOf(p.head.Destination, c.after.clusters)
	}
	if out.Base == nil || out.Head == nil {
		return out
	}
	if sameResult(*out.Base, *out.Head) {
		return nil
	}
	if c.after.rules != nil && c.after.rules.AsksForOld() && !out.Base.Failed {
		out.Head = new(c.engine.renderOver(ctx, &rendering{engine: c.engine, repo: c.head, set: c.after, app: *p.head, fetch: c.fetch}, out.Base))
	}
	out.Head.Findings = brought(*out.Base, *out.Head)
	return out
}

// sameResult reports whether two renders deploy the same and have the same to say, apart from line numbers. Of a partial
// render the part that nobody saw may differ: only equal inputs make it the same.
func sameResult(base, head Result) bool {
	if base.Key == head.Key {
		return true
	}
	return !base.Partial && !head.Partial && argocd.Same(base.Application, head.Application) && base.Failed == head.Failed &&
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
