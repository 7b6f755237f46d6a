package diff

import (
	"regexp"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/render/object"
)

// How much two objects must be alike to be one under two names: those of one kind, of two kinds, and those that are called the
// same.
const (
	alikeOfKind  = 0.5
	alikeOfKinds = 0.6
	alikeByName  = 0.25
	nameBonus    = 0.25 // for names that are parts of each other
)

// generatedName is a name with the hash that kustomize puts behind the names of the ConfigMaps and Secrets it generates: ten
// characters of hexadecimal, of which those that could form words are replaced (kustomize: api/hasher).
var generatedName = regexp.MustCompile(`^(.+)-([bcdf2456789ghkmt]{10})$`)

// generated returns a name without the hash of its content, "" when it has none.
func generated(id object.ID) string {
	if id.Group != "" || id.Kind != "ConfigMap" && id.Kind != "Secret" {
		return ""
	}
	if parts := generatedName.FindStringSubmatch(id.Name); parts != nil {
		return parts[1]
	}
	return ""
}

// rename pairs the objects that only base has with those that only head has, where both are much alike: the same object under
// another name, in another namespace, or of another kind.
func rename(pairs []objectPair) []objectPair {
	var base, head []int
	for i, p := range pairs {
		switch {
		case p.base == nil:
			head = append(head, i)
		case p.head == nil:
			base = append(base, i)
		}
	}
	if len(base) == 0 || len(head) == 0 {
		return pairs
	}
	gone := make([]bool, len(pairs))
	join := func(b, h int) {
		pairs[h].base, pairs[h].was = pairs[b].base, pairs[b].id
		gone[b] = true
	}
	regenerated(pairs, base, head, join)
	left := func(i int) bool { return gone[i] || pairs[i].was != (object.ID{}) }
	base, head = slices.DeleteFunc(base, left), slices.DeleteFunc(head, left)
	before, after := entrants(pairs, base, false), entrants(pairs, head, true)
	for _, c := range couples(before, after, func(i, j int) float64 {
		return alike(pairs[base[i]].id, pairs[head[j]].id, before[i].sketch, after[j].sketch)
	}) {
		join(base[c.base], head[c.head])
	}
	at := -1
	return slices.DeleteFunc(pairs, func(objectPair) bool { at++; return gone[at] })
}

// regenerated joins generated objects whose names differ in the hash alone.
func regenerated(pairs []objectPair, base, head []int, join func(b, h int)) {
	type stem struct{ kind, namespace, name string }
	stemOf := func(i int) stem { return stem{pairs[i].id.Kind, pairs[i].id.Namespace, generated(pairs[i].id)} }
	byStem := func(side []int) map[stem][]int {
		out := map[stem][]int{}
		for _, i := range side {
			if s := stemOf(i); s.name != "" {
				out[s] = append(out[s], i)
			}
		}
		return out
	}
	before := byStem(base)
	for s, found := range byStem(head) {
		if len(found) == 1 && len(before[s]) == 1 {
			join(before[s][0], found[0])
		}
	}
}

// alike scores two objects, 0 when they are not one.
func alike(base, head object.ID, before, after sketch) float64 {
	score, least := before.resemblance(after), alikeOfKind
	switch {
	case !exchanged(base, head):
		return 0
	case base.Kind != head.Kind || base.Group != head.Group:
		least = alikeOfKinds
		if base.Name == head.Name && (base.Kind == head.Kind || workloads[base.Kind] && workloads[head.Kind]) {
			least = alikeByName // the kind moved to another group, or one workload became another
		}
	case base.Name == head.Name:
		least = alikeByName
		if len(before) == 0 && len(after) == 0 {
			return 1 // nothing but a name, in another namespace
		}
	}
	if score < least {
		return 0
	}
	if base.Name == head.Name || strings.Contains(base.Name, head.Name) || strings.Contains(head.Name, base.Name) {
		score += nameBonus
	}
	return score
}

// exchanged reports whether an object of one kind may become one of the other.
func exchanged(base, head object.ID) bool {
	switch b, h := base.Kind, head.Kind; {
	case b == h, workloads[b] && workloads[h], configurations[b] && configurations[h]:
		return true
	default:
		return b == "Cluster"+h || h == "Cluster"+b // such as a Role
	}
}

// configurations are the kinds that hold configuration for pods.
var configurations = map[string]bool{"ConfigMap": true, "Secret": true}

// workloads are the kinds that run pods for long and are exchanged for each other.
var workloads = map[string]bool{"Deployment": true, "StatefulSet": true, "DaemonSet": true, "ReplicaSet": true, "Rollout": true}

func entrants(pairs []objectPair, side []int, head bool) []entrant {
	out := make([]entrant, 0, len(side))
	for _, i := range side {
		o := pairs[i].base
		if head {
			o = pairs[i].head
		}
		s := sketcher{name: pairs[i].id.Name}
		s.add(described(o), hashed(0, ""))
		out = append(out, entrant{sketch: s.sketch(), hints: nameHints(pairs[i].id)})
	}
	return out
}

// described is what an object says beyond who it is and what it is marked with: a chart marks all of its objects in the same way.
func described(o *object.Object) map[string]any {
	fields := normalise(o)
	delete(fields, "apiVersion")
	delete(fields, "kind")
	if metadata, ok := fields["metadata"].(map[string]any); ok { // normalise made it a copy
		for _, key := range []string{"name", "namespace", "labels", "annotations"} {
			delete(metadata, key)
		}
	}
	return fields
}

// nameHints lead to objects whose name has another beginning or end.
func nameHints(id object.ID) []uint64 {
	hints := []uint64{hashed(1, id.Name)}
	if _, rest, ok := strings.Cut(id.Name, "-"); ok {
		hints = append(hints, hashed(1, rest))
	}
	if i := strings.LastIndexByte(id.Name, '-'); i > 0 {
		hints = append(hints, hashed(1, id.Name[:i]))
	}
	return hints
}

// renamedFields are what the name of a renamed object says already.
var renamedFields = map[string]bool{"apiVersion": true, "kind": true, "metadata.name": true, "metadata.namespace": true}

// pairApps makes one of an application that is gone and one that is new, where both deploy much the same: it has another name.
func pairApps(apps []App) []App {
	var base, head []int
	for i, app := range apps {
		switch {
		case app.Partial || app.BaseMissing == app.HeadMissing:
		case app.HeadMissing:
			base = append(base, i)
		default:
			head = append(head, i)
		}
	}
	if len(base) == 0 || len(head) == 0 {
		return apps
	}
	before, after := appEntrants(apps, base), appEntrants(apps, head)
	gone := make([]bool, len(apps))
	out := slices.Clone(apps)
	for _, c := range couples(before, after, func(i, j int) float64 {
		if score := before[i].sketch.resemblance(after[j].sketch); score >= alikeOfKinds {
			return score
		}
		return 0
	}) {
		was, is := apps[base[c.base]], &out[head[c.head]]
		is.was, is.Base, is.BaseHooks, is.BaseMissing, is.BaseCluster = was.Name, was.Base, was.BaseHooks, false, was.BaseCluster
		is.BaseSays = was.BaseSays
		gone[base[c.base]] = true
	}
	at := -1
	return slices.DeleteFunc(out, func(App) bool { at++; return gone[at] })
}

func appEntrants(apps []App, side []int) []entrant {
	out := make([]entrant, 0, len(side))
	for _, i := range side {
		objects := apps[i].Base
		if apps[i].BaseMissing {
			objects = apps[i].Head
		}
		var s sketcher
		for k := range objects {
			id := objects[k].ID()
			s.add(described(&objects[k]), hashed(hashed(0, id.Kind), id.Name))
		}
		out = append(out, entrant{sketch: s.sketch(), hints: nameHints(object.ID{Name: apps[i].Name})})
	}
	return out
}
