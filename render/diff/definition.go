package diff

import (
	"slices"
	"strconv"

	"github.com/lockkeeper/lockkeeper/render/object"
)

// definition is a CustomResourceDefinition that an application deploys.
type definition struct {
	app  string
	wave int
}

// definitions are those of all applications, by the group and kind that they define.
type definitions struct {
	base, head map[groupKind]definition
	groups     map[string]bool    // that something at head defines
	users      map[groupKind]int  // at head: how many objects of it are deployed
	had        map[groupKind]bool // an object of it is deployed at base
	partial    bool               // there may be more at head than is known
}

// defined collects what all applications define and use. Those that deploy the same as before may be left out of apps.
func (opts Options) defined(apps []App) definitions {
	d := definitions{
		base: map[groupKind]definition{}, head: map[groupKind]definition{}, groups: map[string]bool{}, users: map[groupKind]int{},
		had: map[groupKind]bool{}, partial: opts.Unchanged > 0,
	}
	for _, app := range apps {
		d.partial = d.partial || app.Partial
		for _, o := range app.Base {
			if kind, is := definedBy(o); is {
				d.base[kind] = definition{app.Name, wave(o)}
			}
		}
		for _, o := range slices.Concat(app.Head, app.HeadHooks) {
			if kind, is := definedBy(o); is {
				d.head[kind] = definition{app.Name, wave(o)}
				d.groups[kind.group] = d.groups[kind.group] || o.Kind() == "CustomResourceDefinition" && kind.group != kroGroup
			}
		}
	}
	if len(d.base)+len(d.head) == 0 {
		return d
	}
	for _, app := range apps {
		for _, o := range app.Head {
			id := o.ID()
			d.users[groupKind{id.Group, id.Kind}]++
		}
		for _, o := range app.Base {
			id := o.ID()
			d.had[groupKind{id.Group, id.Kind}] = true
		}
	}
	return d
}

// broughtAlong are the kinds that are there wherever this is read: Argo CD's own. Its other projects share their group.
var broughtAlong = map[groupKind]bool{
	{"argoproj.io", "Application"}: true, {"argoproj.io", "ApplicationSet"}: true, {"argoproj.io", "AppProject"}: true,
}

// kroGroup is the group of what kro itself brings, and of the kinds of every definition that names no other.
const kroGroup = "kro.run"

// definedBy returns the kind that an object defines: a CustomResourceDefinition, or one of those that make them (kro's
// ResourceGraphDefinition, Crossplane's CompositeResourceDefinition).
func definedBy(o object.Object) (groupKind, bool) {
	id, spec := o.ID(), o.Fields["spec"]
	group, _ := child(spec, "group").(string)
	kind, _ := child(child(spec, "names"), "kind").(string)
	switch (groupKind{id.Group, id.Kind}) {
	case groupKind{"apiextensions.k8s.io", "CustomResourceDefinition"}, groupKind{"apiextensions.crossplane.io", "CompositeResourceDefinition"}:
	case groupKind{kroGroup, "ResourceGraphDefinition"}:
		if group, _ = child(child(spec, "schema"), "group").(string); group == "" {
			group = kroGroup
		}
		kind, _ = child(child(spec, "schema"), "kind").(string)
	default:
		return groupKind{}, false
	}
	return groupKind{group, kind}, group != "" && kind != ""
}

// wave is when Argo CD applies an object: the lower, the sooner, and definitions first within one.
func wave(o object.Object) int {
	text, _ := child(child(o.Fields["metadata"], "annotations"), "argocd.argoproj.io/sync-wave").(string)
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

// undefined tells of objects whose kind the cluster does not know when they are applied, and of those that go with their kind.
// A kind that nothing defines and that was deployed before is defined from elsewhere.
func (c *collector) undefined(app AppChange, d definitions) {
	said := map[groupKind]bool{}
	for _, o := range app.Objects {
		kind := groupKind{o.ID.Group, o.ID.Kind}
		if o.Head == nil || said[kind] || o.Kind == Changed {
			continue
		}
		at, defined := d.head[kind]
		_, known := d.base[kind]
		said[kind] = true
		what := kind.kind + " (" + kind.group + ")"
		switch {
		case known && defined, !known && d.had[kind], broughtAlong[kind]:
		case !defined && d.groups[kind.group] && !d.partial:
			c.danger(FactObject, sentence("nothing defines ", what, ", which is deployed: the sync fails unless the cluster has its CustomResourceDefinition from elsewhere"))
		case defined && at.app == app.Name && at.wave > wave(*o.Head):
			c.danger(FactObject, sentence("", name(o.ID), " is applied in wave ", strconv.Itoa(wave(*o.Head)), ", before the CustomResourceDefinition of its kind in wave ", strconv.Itoa(at.wave), ": the sync fails"))
		case defined && at.app != app.Name:
			c.add(FactObject, sentence("", what, " is defined by application ", at.app, ": the sync fails until that has defined it"))
		}
	}
	for _, o := range app.Objects {
		if o.Kind == Removed && o.ID.Kind == "CustomResourceDefinition" {
			c.orphaned(o, d, app.Kind == Removed)
		}
	}
}

// orphaned tells of objects that the cluster deletes because the definition of their kind goes.
func (c *collector) orphaned(o ObjectChange, d definitions, withApp bool) {
	kind, is := definedBy(*o.Base)
	if _, still := d.head[kind]; !is || still || c.keeps && !withApp || c.stays(o.Base.Fields, withApp) != "" {
		return
	}
	if left := d.users[kind]; left > 0 {
		c.danger(FactObject, sentence("", name(o.ID), " is removed while "+count(left, "object")+" of its kind "+verb(left, "stays", "stay")+" in the manifests: the cluster deletes what is of its kind"))
		c.facts[len(c.facts)-1].Grave = true
	}
}
