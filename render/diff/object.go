package diff

import (
	"encoding/base64"
	"maps"
	"reflect"
	"slices"

	"github.com/lockkeeper/lockkeeper/render/object"
)

// objectPair is one object at base and head; one of them is nil when it exists on one side only.
type objectPair struct {
	id         object.ID
	base, head *object.Object
	was        object.ID // at base, when it is called otherwise there
}

// occurrence tells objects with the same ID in one render apart, by their order.
type occurrence struct {
	id object.ID
	n  int
}

// pairObjects pairs the objects of an application and returns the pairs in the order of their IDs.
func pairObjects(app App) []objectPair {
	base, baseOrder := index(app.Base)
	head, headOrder := index(app.Head)
	var pairs []objectPair
	taken := make(map[occurrence]bool, len(head))
	take := func(b, h occurrence) bool {
		found, ok := head[h]
		if !ok || taken[h] {
			return false
		}
		taken[h] = true
		pairs = append(pairs, objectPair{id: h.id, base: base[b], head: found})
		return true
	}
	var alone []occurrence
	for _, at := range baseOrder {
		if !take(at, at) {
			alone = append(alone, at)
		}
	}
	for _, at := range alone {
		other := at
		switch {
		case app.Namespace == "":
		case at.id.Namespace == "":
			other.id.Namespace = app.Namespace
		case at.id.Namespace == app.Namespace:
			other.id.Namespace = ""
		}
		if other == at || !take(at, other) {
			pairs = append(pairs, objectPair{id: at.id, base: base[at]})
		}
	}
	for _, at := range headOrder {
		if !taken[at] {
			pairs = append(pairs, objectPair{id: at.id, head: head[at]})
		}
	}
	slices.SortStableFunc(pairs, func(a, b objectPair) int { return a.id.Compare(b.id) })
	return rename(pairs)
}

func index(objects []object.Object) (map[occurrence]*object.Object, []occurrence) {
	found := make(map[occurrence]*object.Object, len(objects))
	order := make([]occurrence, 0, len(objects))
	seen := make(map[object.ID]int, len(objects))
	for i := range objects {
		id := objects[i].ID()
		at := occurrence{id, seen[id]}
		seen[id]++
		found[at] = &objects[i]
		order = append(order, at)
	}
	return found, order
}

// compareObject compares one pair, and reports whether it differs at all.
func compareObject(pair objectPair) (ObjectChange, bool) {
	if pair.base != nil && pair.head != nil && reflect.DeepEqual(pair.base.Fields, pair.head.Fields) {
		return ObjectChange{}, false
	}
	change := ObjectChange{ID: pair.id, Kind: Changed}
	var base, head any = absent{}, absent{}
	switch {
	case pair.base == nil:
		change.Kind, head = Added, normalise(pair.head)
	case pair.head == nil:
		change.Kind, base = Removed, normalise(pair.base)
	default:
		b, h := normalise(pair.base), normalise(pair.head)
		if pair.was == (object.ID{}) {
			agreeOnNamespace(b, h)
		} else {
			change.Kind, change.Was = Renamed, pair.was
		}
		base, head = b, h
	}
	w := walker{custom: isCustom(pair.id.Group)}
	base, head = w.pair(base, head, hint{})
	change.Base, change.Head = masked(pair.base, base), masked(pair.head, head)
	switch {
	case change.Kind == Changed && len(w.fields) == 0:
		return ObjectChange{}, false
	case change.Kind == Changed:
		change.Fields = w.fields
		change.Source = change.Head.Source
	case change.Kind == Renamed:
		change.Fields = slices.DeleteFunc(w.fields, func(f FieldChange) bool { return renamedFields[f.Path] })
		change.Source = change.Head.Source
	case change.Kind == Added:
		change.Source = change.Head.Source
	case change.Kind == Removed:
		change.Source = change.Base.Source
	}
	return change, true
}

// masked is o with other fields, or nil when there is no o.
func masked(o *object.Object, fields any) *object.Object {
	if o == nil {
		return nil
	}
	out := object.Object{Source: o.Source, Unknown: slices.Clone(o.Unknown)}
	out.Source.Via = Mask(out.Source.Via)
	out.Fields, _ = fields.(map[string]any)
	return &out
}

// serverFields are the parts of metadata that the API server fills in.
var serverFields = []string{"creationTimestamp", "managedFields", "resourceVersion", "uid", "generation", "selfLink"}

// tracking are the marks that Argo CD puts on what it deploys (argo-cd: common/common.go).
var tracking = map[string][]string{
	"annotations": {"argocd.argoproj.io/tracking-id", "argocd.argoproj.io/installation-id"},
	"labels":      {"app.kubernetes.io/instance", "argocd.argoproj.io/instance"},
}

// normalise returns the fields of o without what is never a change, sharing what it need not copy.
func normalise(o *object.Object) map[string]any {
	out := maps.Clone(o.Fields)
	if out == nil {
		out = map[string]any{}
	}
	delete(out, "status")
	if metadata, ok := out["metadata"].(map[string]any); ok {
		metadata = maps.Clone(metadata)
		for _, key := range serverFields {
			delete(metadata, key)
		}
		for field, keys := range tracking {
			without(metadata, field, keys)
		}
		out["metadata"] = metadata
	}
	if isSecret(out) {
		joinSecretData(out)
	}
	return out
}

func without(metadata map[string]any, field string, keys []string) {
	m, ok := metadata[field].(map[string]any)
	if !ok {
		return
	}
	m = maps.Clone(m)
	for _, key := range keys {
		delete(m, key)
	}
	metadata[field] = m
	if len(m) == 0 {
		delete(metadata, field)
	}
}

// joinSecretData moves stringData into data as the API server does, with data decoded, so that it does not matter in
// which of the two a value was written. The values are masked before they are stored.
func joinSecretData(fields map[string]any) {
	data, isMap := fields["data"].(map[string]any)
	plain, isPlain := fields["stringData"].(map[string]any)
	if (fields["data"] != nil && !isMap) || (fields["stringData"] != nil && !isPlain) || (!isMap && !isPlain) {
		return
	}
	joined := make(map[string]any, len(data)+len(plain))
	for key, v := range data {
		joined[key] = v
		if s, ok := v.(string); ok {
			if raw, err := base64.StdEncoding.DecodeString(s); err == nil {
				joined[key] = string(raw)
			}
		}
	}
	maps.Copy(joined, plain)
	delete(fields, "stringData")
	fields["data"] = joined
}

// agreeOnNamespace fills in the namespace where only one side says it: the pair was made with the destination's.
func agreeOnNamespace(base, head map[string]any) {
	b, _ := base["metadata"].(map[string]any)
	h, _ := head["metadata"].(map[string]any)
	if b == nil || h == nil {
		return
	}
	if b["namespace"] == nil {
		b["namespace"] = h["namespace"]
	} else if h["namespace"] == nil {
		h["namespace"] = b["namespace"]
	}
}
