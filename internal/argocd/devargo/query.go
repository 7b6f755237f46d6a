package devargo

import (
	"encoding/json"
	"strings"
)

// A selector is a label selector of equalities: "app=a,tier!=db,owned,!legacy".
type selector []requirement

type requirement struct {
	label  string
	value  string
	exists bool // only the label's presence counts
	negate bool
}

func parseSelector(text string) (selector, error) {
	var parsed selector
	for term := range strings.SplitSeq(text, ",") {
		if term = strings.TrimSpace(term); term == "" {
			continue
		}
		var need requirement
		switch label, value, found := strings.Cut(term, "="); {
		case !found:
			need.exists = true
			need.label, need.negate = strings.CutPrefix(term, "!")
		default:
			need.label, need.negate = strings.CutSuffix(label, "!")
			need.value = strings.TrimPrefix(value, "=")
		}
		if need.label = strings.TrimSpace(need.label); need.label == "" || strings.ContainsAny(need.label, " ()") {
			return nil, invalidArgument("unable to parse requirement: " + term)
		}
		parsed = append(parsed, need)
	}
	return parsed, nil
}

func (s selector) matches(labels map[string]string) bool {
	for _, need := range s {
		value, found := labels[need.label]
		if (found && (need.exists || value == need.value)) == need.negate {
			return false
		}
	}
	return true
}

// listFields is what a masked list can have of an application. Argo CD keeps such a list by hand, for speed: other names, and
// parts of these, select nothing. Only lists know masks.
var listFields = []string{
	"metadata.name",
	"metadata.namespace",
	"metadata.annotations",
	"metadata.labels",
	"metadata.creationTimestamp",
	"metadata.deletionTimestamp",
	"spec",
	"status.sync.status",
	"status.health",
	"status.operationState.startedAt",
	"status.operationState.finishedAt",
	"operation.sync",
}

// maskList keeps of each application what the comma-separated names in mask say, or, with a leading "-", what they do not.
func maskList(list wireList, mask string) (any, error) {
	encoded, err := json.Marshal(list)
	if err != nil {
		return nil, internal(err.Error())
	}
	var tree any
	if err := json.Unmarshal(encoded, &tree); err != nil {
		return nil, internal(err.Error())
	}
	names, exclude := strings.CutPrefix(mask, "-")
	asked := map[string]bool{}
	for name := range strings.SplitSeq(names, ",") {
		asked[name] = true
	}
	kept := map[string]bool{"metadata": true}
	for _, field := range listFields {
		if asked["items."+field] != exclude {
			kept["items."+field] = true
		}
	}
	return masked(tree, "", kept), nil
}

// masked copies the paths that kept names, with all below them. Paths pass through lists.
func masked(tree any, at string, kept map[string]bool) any {
	switch node := tree.(type) {
	case map[string]any:
		copied := map[string]any{}
		for name, child := range node {
			path := strings.TrimPrefix(at+"."+name, ".")
			switch {
			case kept[path]:
				copied[name] = child
			case path == "items" || leadsTo(path, kept):
				copied[name] = masked(child, path, kept)
			}
		}
		return copied
	case []any:
		for i, child := range node {
			node[i] = masked(child, at, kept)
		}
		return node
	default:
		return tree
	}
}

func leadsTo(path string, kept map[string]bool) bool {
	for field := range kept {
		if strings.HasPrefix(field, path+".") {
			return true
		}
	}
	return false
}
