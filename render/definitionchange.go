package render

import (
	"path"
	"slices"

	"github.com/lockkeeper/lockkeeper/render/argocd"
	"github.com/lockkeeper/lockkeeper/render/finding"
	"github.com/lockkeeper/lockkeeper/render/kro"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// kindID is a kind in any version.
type kindID struct{ group, kind string }

// kindsOf lists the kinds of objects, each once.
func kindsOf(objects []object.Object) []kindID {
	var out []kindID
	for _, o := range objects {
		id := o.ID()
		if kind := (kindID{id.Group, id.Kind}); !slices.Contains(out, kind) {
			out = append(out, kind)
		}
	}
	return out
}

// changedKinds are the kinds that are defined in another way, or on one side alone.
func changedKinds(before, after Set) map[kindID]bool {
	changed := map[kindID]bool{}
	for _, pair := range [][2]Set{{before, after}, {after, before}} {
		for gvk, key := range pair[0].definitions {
			if pair[1].definitions[gvk] != key {
				changed[kindID{gvk.Group, gvk.Kind}] = true
			}
		}
	}
	return changed
}

// kinds are those that the sources of an Application of head hold, where that is known: it was rendered before, and from this
// repository alone.
func (c *comparing) kinds(app *argocd.Application) ([]kindID, bool) {
	s := &sourcing{repo: c.head, app: *app, cluster: capabilitiesOf(*app, c.after.clusters)}
	for _, source := range app.Sources {
		if source.Chart != "" || !argocd.Ours(source.RepoURL, c.head.URLs) || !argocd.Serves(c.head.Revision, source.TargetRevision) {
			return nil, false
		}
		s.places = append(s.places, place{tree: c.head.Tree, dir: path.Clean(source.Path)})
	}
	return c.engine.kinds.Get(s.key(c.after.borders))
}

// definitionFindings says what kro or the API server refuses of changed definitions, and which instances keep old defaults.
func (c *comparing) definitionFindings(apps []AppComparison) []Finding {
	if len(changedKinds(c.before, c.after)) == 0 {
		return nil
	}
	changes := kro.Compare(c.before.program, c.after.program)
	findings := changes.Findings
	for _, changed := range changes.Defaults {
		if kept := keepers(changed, apps); len(kept) > 0 {
			findings = append(findings, changed.Finding(kept))
		}
	}
	return finding.Sort(findings)
}

// keepers names the instances that keep a default which is another one at head.
func keepers(changed kro.DefaultChange, apps []AppComparison) []string {
	var names []string
	for _, app := range apps {
		if app.Base == nil || app.Head == nil {
			continue
		}
		was := map[object.ID]object.Object{}
		for _, o := range app.Base.Objects {
			if changed.Of(o) {
				was[o.ID()] = o
			}
		}
		for _, o := range app.Head.Objects {
			if before, ok := was[o.ID()]; ok && changed.Keeps(before, o) {
				names = append(names, o.ID().String()+" of application "+app.Name)
			}
		}
	}
	return names
}
