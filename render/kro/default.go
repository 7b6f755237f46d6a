package kro

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/lockkeeper/lockkeeper/render/finding"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// DefaultChange is a field whose default is another one at head. Kubernetes stores the default in an instance when it is
// created, and nobody who applies the instance owns the field, so that instances which exist keep the old one.
type DefaultChange struct {
	before, after *compiled
	path          schemaField
	old, new      string // JSON; new is "" when there is none any more
}

// Of reports whether an object is an instance with the field; its kind is the same at base and head.
func (d DefaultChange) Of(o object.Object) bool { return kindOf(o) == d.after.definition.Kind }

// Keeps reports whether an instance has the old default stored: it left the field out at base and does so at head.
func (d DefaultChange) Keeps(base, head object.Object) bool {
	return d.Of(base) && d.Of(head) && d.before.defaults(base, d.path) && !present(head.Fields, d.path)
}

// Finding says so of the instances with the given names; there must be one.
func (d DefaultChange) Finding(instances []string) finding.Finding {
	const most = 5
	named := strings.Join(instances[:min(len(instances), most)], ", ")
	if more := len(instances) - most; more > 0 {
		named += fmt.Sprintf(" and %d more", more)
	}
	becomes := "changes from " + d.old + " to " + d.new
	if d.new == "" {
		becomes = d.old + " goes away"
	}
	return d.after.definition.finding(finding.Warning, "default-for-new-instances",
		fmt.Sprintf("the default of %s %s, but only for new instances: it was stored in those that exist, and these leave the field out: %s", d.path, becomes, named),
		"what is shown for them does not happen until they say so themselves: write the field in each", d.path.written())
}

// defaults reports whether the API server fills in a field of an instance.
func (c *compiled) defaults(o object.Object, path schemaField) bool {
	full := runtime.DeepCopyJSON(o.Fields)
	err := contained(func() { c.instance.complete(full) })
	return err == nil && filledIn(o.Fields, full, path)
}

// filledIn reports whether a field stands in full and not in written, which is nil where there is nothing.
func filledIn(written, full any, path schemaField) bool {
	if len(path) == 0 {
		return written == nil && full != nil
	}
	if path[0] == anyItem {
		items, _ := full.([]any)
		mine, _ := written.([]any)
		for i, item := range items {
			var own any
			if i < len(mine) {
				own = mine[i]
			}
			if filledIn(own, item, path[1:]) {
				return true
			}
		}
		return false
	}
	fields, _ := full.(map[string]any)
	mine, _ := written.(map[string]any)
	return fields != nil && filledIn(mine[path[0]], fields[path[0]], path[1:])
}

func present(value any, path schemaField) bool {
	if len(path) == 0 {
		return value != nil
	}
	if items, ok := value.([]any); ok && path[0] == anyItem {
		for _, item := range items {
			if !present(item, path[1:]) {
				return false
			}
		}
		return true
	}
	fields, _ := value.(map[string]any)
	return fields != nil && present(fields[path[0]], path[1:])
}
