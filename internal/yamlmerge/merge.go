package yamlmerge

import (
	"fmt"
	"slices"

	yaml "go.yaml.in/yaml/v3"
)

// merge lays one node over another and returns what comes out, which may be either; nil is nothing.
func merge(base, over *yaml.Node, s schema) (*yaml.Node, error) {
	if over.ShortTag() == "!!null" {
		return nil, nil
	}
	directive, err := directive(over)
	switch {
	case err != nil:
		return nil, err
	case directive == "delete":
		return nil, nil
	case base != nil && directive != "replace" && base.Kind == yaml.MappingNode && over.Kind == yaml.MappingNode:
		return mergeMapping(base, over, s)
	case over.Kind == yaml.MappingNode:
		empty := *over
		empty.Content = nil
		commented(base, &empty)
		return mergeMapping(&empty, over, schema{}) // its nulls and directives have their meaning in what is new, too
	}
	commented(base, over)
	return over, nil
}

// directive takes `$patch` out of a mapping and returns its value.
func directive(n *yaml.Node) (string, error) {
	if n.Kind != yaml.MappingNode {
		return "", nil
	}
	i := indexOf(n, "$patch")
	if i < 0 {
		return "", nil
	}
	value := n.Content[i+1]
	if !slices.Contains([]string{"delete", "merge", "replace"}, value.Value) {
		return "", fmt.Errorf("line %d: $patch is %q: write delete, merge or replace", value.Line, value.Value)
	}
	n.Content = slices.Delete(n.Content, i, i+2)
	return value.Value, nil
}

// commented keeps the comments of a value that is replaced, unless the new one has its own.
func commented(old, replacement *yaml.Node) {
	if old == nil {
		return
	}
	for _, pair := range [][2]*string{
		{&old.HeadComment, &replacement.HeadComment},
		{&old.LineComment, &replacement.LineComment},
		{&old.FootComment, &replacement.FootComment},
	} {
		if *pair[1] == "" {
			*pair[1] = *pair[0]
		}
	}
}

// indexOf returns where a key stands in the content of a mapping, or -1.
func indexOf(n *yaml.Node, key string) int {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return i
		}
	}
	return -1
}

func mergeMapping(base, over *yaml.Node, s schema) (*yaml.Node, error) {
	if len(base.Content) == 0 {
		base.Style = over.Style
	}
	at := make(map[string]int, len(base.Content)/2)
	for i := 0; i+1 < len(base.Content); i += 2 {
		at[base.Content[i].Value] = i
	}
	for i := 0; i+1 < len(over.Content); i += 2 {
		key := over.Content[i]
		j, known := at[key.Value]
		var old *yaml.Node
		if known {
			old = base.Content[j+1]
		}
		merged, err := mergeField(old, over.Content[i+1], s, key.Value)
		switch {
		case err != nil:
			return nil, err
		case known:
			base.Content[j+1] = merged // a nil is taken out below
		case merged != nil:
			base.Content = append(base.Content, key, merged)
		}
	}
	kept := base.Content[:0]
	for i := 0; i+1 < len(base.Content); i += 2 {
		if base.Content[i+1] != nil {
			kept = append(kept, base.Content[i], base.Content[i+1])
		}
	}
	base.Content = kept
	if len(kept) == 0 {
		base.Style = yaml.FlowStyle
	}
	return base, nil
}

// mergeField merges the values of one key.
func mergeField(old, over *yaml.Node, s schema, key string) (*yaml.Node, error) {
	if old == nil || old.Kind != yaml.SequenceNode || over.Kind != yaml.SequenceNode {
		return merge(old, over, s.field(key))
	}
	element, by, merges := s.list(key)
	if !merges {
		return merge(old, over, schema{})
	}
	if by == "" {
		return union(old, over), nil
	}
	return mergeList(old, over, element, by)
}

// union adds the single values of a list that another one does not have.
func union(base, over *yaml.Node) *yaml.Node {
	has := map[string]bool{}
	for _, value := range base.Content {
		has[value.Value] = true
	}
	for _, value := range over.Content {
		if value.Kind != yaml.ScalarNode || !has[value.Value] {
			has[value.Value] = true
			base.Content = append(base.Content, value)
		}
	}
	return base
}

// mergeList merges a list of mappings that a key tells apart. New ones go to the end.
func mergeList(base, over *yaml.Node, s schema, by string) (*yaml.Node, error) {
	if len(base.Content) == 0 {
		base.Style = over.Style
	}
	waiting := map[string][]int{} // the elements of base under a key, first come first merged
	for i, element := range base.Content {
		if key, ok := keyed(element, by); ok {
			waiting[key] = append(waiting[key], i)
		}
	}
	for _, element := range over.Content {
		var old *yaml.Node
		key, ok := keyed(element, by)
		places := waiting[key]
		if ok && len(places) > 0 {
			old, waiting[key] = base.Content[places[0]], places[1:]
		}
		merged, err := merge(old, element, s)
		switch {
		case err != nil:
			return nil, err
		case old != nil:
			base.Content[places[0]] = merged
		case merged != nil:
			base.Content = append(base.Content, merged)
		}
	}
	base.Content = slices.DeleteFunc(base.Content, func(n *yaml.Node) bool { return n == nil })
	if len(base.Content) == 0 {
		base.Style = yaml.FlowStyle
	}
	return base, nil
}

func keyed(n *yaml.Node, by string) (string, bool) {
	if n.Kind != yaml.MappingNode {
		return "", false
	}
	i := indexOf(n, by)
	if i < 0 || n.Content[i+1].Kind != yaml.ScalarNode {
		return "", false
	}
	return n.Content[i+1].Value, true
}
