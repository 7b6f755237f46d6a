package render

import (
	"context"

	"github.com/lockkeeper/lockkeeper/render/argocd"
)

// CompareBranch renders two commits of a branch that holds no Applications itself, as branches of rendered manifests do: every
// Application of set that deploys from that branch, which is the Revision of base and head. When none does, all manifests of
// the branch are taken for one Application that is named for it.
func (e *Engine) CompareBranch(ctx context.Context, set Set, base, head Repository) (Comparison, error) {
	out := Comparison{Findings: set.Findings, BaseSet: set, HeadSet: set}
	before, after := set, set
	var err error
	if before.borders, err = e.bordersOf(ctx, base.Tree); err != nil {
		return Comparison{}, err
	}
	if after.borders, err = e.bordersOf(ctx, head.Tree); err != nil {
		return Comparison{}, err
	}
	c := &comparing{engine: e, base: base, head: head, before: before, after: after}
	for _, app := range deployedFrom(set, head) {
		if err := ctx.Err(); err != nil {
			return Comparison{}, err
		}
		one := c.compare(ctx, appPair{name: app.Key(), base: &app, head: &app})
		if one == nil {
			out.Unchanged++
			continue
		}
		out.Apps = append(out.Apps, *one)
	}
	return out, ctx.Err()
}

// deployedFrom returns the Applications that have a source on the branch, at least the one that stands for the branch.
func deployedFrom(set Set, branch Repository) []argocd.Application {
	var found []argocd.Application
	for _, app := range set.Applications {
		if hydrated, writes := app.Hydrated(branch.Revision); writes {
			app = hydrated
		}
		for _, source := range app.Sources {
			if source.TargetRevision == branch.Revision && source.Chart == "" && argocd.Ours(source.RepoURL, branch.URLs) {
				found = append(found, app)
				break
			}
		}
	}
	if len(found) == 0 && len(branch.URLs) > 0 {
		found = append(found, argocd.Application{
			Name: "branch " + branch.Revision, Sources: []argocd.Source{{
				RepoURL: branch.URLs[0], TargetRevision: branch.Revision, Path: ".", Directory: &argocd.Directory{Recurse: true},
			}},
		})
	}
	return found
}
