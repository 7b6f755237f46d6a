package kro

import (
	"slices"
	"strconv"
	"strings"

	"github.com/kubernetes-sigs/kro/pkg/graph"
)

// unknown reports whether only the cluster knows what an expression yields: it reads another object's status, a field that
// the API server sets, an object that lives elsewhere, or a placeholder.
func (e *evaluation) unknown(expr *expression) bool {
	return slices.ContainsFunc(expr.reads, e.unknownRead)
}

// serverSet are the metadata fields that the API server sets.
var serverSet = []string{"uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "managedFields", "ownerReferences", "finalizers"}

func setByServer(path []string) bool {
	return len(path) >= 2 && path[0] == "metadata" && slices.Contains(serverSet, path[1])
}

func (e *evaluation) unknownRead(r read) bool {
	if r.root == graph.SchemaVarName {
		return setByServer(r.path) || slices.ContainsFunc(e.unknowns, func(u []string) bool { return r.touches(r.path, u) })
	}
	s, isNode := e.states[r.root]
	if !isNode {
		return false // an iterator, a local variable or a name that kro's builder has already refused
	}
	if s.opaque {
		return true
	}
	path := r.path
	i := slices.IndexFunc(e.of.nodes, func(n *node) bool { return n.id == r.root })
	if i >= 0 && e.of.nodes[i].collection() {
		if len(path) == 0 {
			return !r.count && slices.ContainsFunc(s.objects, func(o made) bool { return len(o.unknown) > 0 })
		}
		path = path[1:]
		if len(path) == 0 {
			return false
		}
	}
	if len(path) == 0 || path[0] == "status" || setByServer(path) {
		return true
	}
	for _, o := range s.objects {
		if slices.ContainsFunc(o.unknown, func(u string) bool { return r.touches(path, segments(u)) }) || completedByServer(o.fields, path) {
			return true
		}
	}
	return false
}

// touches reports whether a placeholder is part of what is read at a path.
func (r read) touches(path, placeholder []string) bool {
	return overlap(path, placeholder) && (!r.count || len(placeholder) <= len(path))
}

// overlap reports whether one path leads to or through the other.
func overlap(a, b []string) bool {
	for i := range min(len(a), len(b)) {
		if a[i] == b[i] || a[i] == anyIndex || b[i] == anyIndex {
			continue
		}
		return false
	}
	return true
}

// authorOnly are the fields that hold exactly what their author wrote: what is absent there stays absent.
func authorOnly(path []string) bool {
	switch path[0] {
	case "data", "stringData", "binaryData", "immutable":
		return true
	case "metadata":
		return len(path) > 1 && (path[1] == "labels" || path[1] == "annotations")
	}
	return false
}

// completedByServer reports whether a path is absent from what was written, so that the API server's default may stand
// there in the cluster.
func completedByServer(fields map[string]any, path []string) bool {
	if authorOnly(path) {
		return false
	}
	var at any = fields
	for _, name := range path {
		switch v := at.(type) {
		case map[string]any:
			next, ok := v[name]
			if !ok {
				return name != anyIndex
			}
			at = next
		case []any:
			i, err := strconv.Atoi(strings.Trim(name, "[]"))
			if err != nil || i < 0 || i >= len(v) {
				return false
			}
			at = v[i]
		default:
			return false
		}
	}
	return false
}
