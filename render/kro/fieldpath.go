package kro

import (
	"strings"

	"github.com/kubernetes-sigs/kro/pkg/graph/crd/compat"
)

// schemaField is a field of an instance: names, and "[]" for the items of a list.
type schemaField []string

const anyItem = "[]"

// schemaPath reads the field out of a change as kro's library names it: ".properties.spec.properties.ports.items.properties.port.type".
// For a field that becomes required, or loses the default that made it bearable, the path is that of the object around it.
func schemaPath(change compat.Change) schemaField {
	var out schemaField
	parts := strings.Split(change.Path, ".properties.")
	for i, part := range parts {
		if i == len(parts)-1 && !added(change.ChangeType) {
			part = part[:max(0, strings.LastIndexByte(part, '.'))] // what of the field changed, such as its type
		}
		items := 0
		for strings.HasSuffix(part, ".items") {
			part = strings.TrimSuffix(part, ".items")
			items++
		}
		if part != "" {
			out = append(out, part)
		}
		for range items {
			out = append(out, anyItem)
		}
	}
	switch change.ChangeType {
	case compat.RequiredAdded:
		out = append(out, change.NewValue)
	case compat.RequiredDefaultRemoved:
		out = append(out, change.OldValue)
	default: // the path is the field's own
	}
	return out
}

// added reports whether a change is about a property as a whole, so that its path ends with the property's name.
func added(kind compat.ChangeType) bool {
	return kind == compat.PropertyAdded || kind == compat.PropertyRemoved
}

func (f schemaField) of(root string) bool { return len(f) > 1 && f[0] == root }

// String prints the field as spec.ports[].port.
func (f schemaField) String() string {
	return strings.ReplaceAll(strings.Join(f, "."), "."+anyItem, anyItem)
}

// written is where a definition has the field, or what is around it: lists and types of its own name are one text there.
func (f schemaField) written() string {
	var names []string
	for _, name := range f {
		if name == anyItem {
			break
		}
		names = append(names, name)
	}
	return strings.Join(append([]string{"spec", "schema"}, names...), ".")
}
