package diff

import "strings"

// lossy are the kinds whose removal takes data or everything inside with it.
var lossy = map[string]bool{
	"Namespace": true, "PersistentVolumeClaim": true, "PersistentVolume": true, "CustomResourceDefinition": true, "StatefulSet": true,
}

// hasOption reports whether the sync options of an object have one (argo-cd: docs/user-guide/sync-options.md).
func hasOption(fields map[string]any, option string) bool {
	return hasItem(fields, "argocd.argoproj.io/sync-options", option)
}

func hasItem(fields map[string]any, annotation, item string) bool {
	text, _ := child(child(fields["metadata"], "annotations"), annotation).(string)
	for one := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(one) == item {
			return true
		}
	}
	return false
}

// stays says why an object remains in the cluster although nothing deploys it any more, "" when it is deleted. What counts is what
// stood in the object that is there (argo-cd: pruneObject for one object, shouldBeDeleted for those of a whole application).
func (c *collector) stays(fields map[string]any, withApp bool) string {
	switch {
	case withApp && hasOption(fields, "Delete=false"):
		return "Delete=false"
	case withApp && hasItem(fields, "helm.sh/resource-policy", "keep"):
		return "helm.sh/resource-policy: keep"
	case withApp && fields["kind"] == "CustomResourceDefinition":
		return "Argo CD deletes no CustomResourceDefinition with an application"
	case !withApp && hasOption(fields, "Prune=false"):
		return "Prune=false"
	}
	return ""
}

func (c *collector) removed(o ObjectChange, withApp bool) {
	grave := lossy[o.ID.Kind]
	why := c.stays(o.Base.Fields, withApp)
	switch {
	case withApp && (!grave || why != ""):
	case why != "":
		c.add(FactObject, sentence("removed ", name(o.ID), ", which stays in the cluster: "+why))
	case hasOption(o.Base.Fields, "Prune=confirm") && !withApp:
		c.danger(FactObject, sentence("removed ", name(o.ID), ", which is deleted when somebody confirms it"))
	case c.keeps && !withApp:
		c.danger(FactObject, sentence("removed ", name(o.ID), ", which stays in the cluster until somebody prunes it"))
	default:
		c.danger(FactObject, sentence("removed ", name(o.ID)))
		c.facts[len(c.facts)-1].Grave = grave
	}
}

// hurts says what is lost with the old name of an object, by its kind.
var hurts = map[string]string{
	"PersistentVolumeClaim": "the data stays with the old one",
	"StatefulSet":           "it begins with empty volumes",
	"Service":               "who calls the old name finds nothing",
	"Namespace":             "everything in the old one goes with it",
}

// renamed is about one object under another name: for the cluster the old one goes and a new one comes.
func (c *collector) renamed(o ObjectChange) {
	c.loose(o.Head.Fields, o.ID)
	if o.regenerated() {
		c.config(o)
		return
	}
	was, is := name(o.Was), name(o.ID)
	if was == is {
		was, is = o.Was.String(), o.ID.String()
	}
	parts := sentence("renamed ", was, " → ", is)
	why := c.stays(o.Base.Fields, false)
	switch {
	case why != "":
		parts = append(parts, Part{Text: ": a new one is made, and the old one stays in the cluster: " + why})
	case c.keeps:
		parts = append(parts, Part{Text: ": a new one is made, and the old one stays until somebody prunes it"})
	default:
		parts = append(parts, Part{Text: ": the old one is deleted and a new one made"})
	}
	hurt := hurts[o.Was.Kind]
	if hurt != "" && (o.Was.Kind != "StatefulSet" || o.ID.Kind == "StatefulSet") {
		parts = append(parts, Part{Text: "; " + hurt})
	}
	c.danger(FactObject, parts)
	c.facts[len(c.facts)-1].Grave = lossy[o.Was.Kind] && why == "" && !c.keeps
}

// renamedApp is about one application under another name. Argo CD deletes what the old one deployed when it has the finalizer for
// it, and does not ask who deploys the same now.
func (c *collector) renamedApp(app AppChange) {
	switch {
	case app.Was == "":
		return
	case app.moves():
		c.danger(FactApplication, sentence("renamed from ", app.Was, ", and moves from cluster ", app.From, " to ", app.To,
			": everything is deployed anew there, and what runs on the old cluster goes with the old application, or stays when that has no finalizer"))
		c.facts[len(c.facts)-1].Grave = true
		return
	}
	c.danger(FactApplication, sentence("renamed from ", app.Was, ": when Argo CD deletes the old application and it prunes, what both deploy is deleted and made anew"))
}
