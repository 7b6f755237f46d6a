package document

import (
	"errors"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// firstLine is how a block of YAML that is a map or a list begins.
var firstLine = regexp.MustCompile(`^(?:---[ \t]*$|- |-$|["']?[A-Za-z_][\w./ -]*["']?:(?:[ \t]|$))`)

// looksLikeYAML looks at the first line that is no comment.
func looksLikeYAML(text string) bool {
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			if strings.HasPrefix(line, "#!") {
				return false
			}
			continue
		}
		return firstLine.MatchString(line)
	}
	return false
}

func readYAML(text string) (any, bool) {
	d := yaml.NewDecoder(strings.NewReader(text))
	b := &budget{}
	var all []any
	for {
		var node yaml.Node
		err := d.Decode(&node)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, false
		}
		v, ok := yamlValue(&node, b, 0)
		if !ok {
			return nil, false
		}
		all = append(all, v)
	}
	if len(all) == 1 {
		return all[0], composite(all[0])
	}
	for _, v := range all {
		if !composite(v) && v != nil {
			return nil, false
		}
	}
	return all, len(all) > 0
}

func yamlValue(n *yaml.Node, b *budget, depth int) (any, bool) {
	if !b.take(depth) {
		return nil, false
	}
	switch n.Kind {
	case yaml.DocumentNode:
		if len(n.Content) != 1 {
			return nil, false
		}
		return yamlValue(n.Content[0], b, depth)
	case yaml.AliasNode:
		return yamlValue(n.Alias, b, depth+1)
	case yaml.MappingNode:
		return yamlMap(n, b, depth)
	case yaml.SequenceNode:
		out := make([]any, 0, len(n.Content))
		for _, item := range n.Content {
			v, ok := yamlValue(item, b, depth+1)
			if !ok {
				return nil, false
			}
			out = append(out, v)
		}
		return out, n.ShortTag() == "!!seq"
	case yaml.ScalarNode:
		return yamlScalar(n)
	}
	return nil, false
}

// yamlMap reads a map. Merge keys are kept as a key: what they merge is compared where it stands.
func yamlMap(n *yaml.Node, b *budget, depth int) (any, bool) {
	out := make(map[string]any, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode {
			return nil, false
		}
		if _, twice := out[key.Value]; twice {
			return nil, false
		}
		v, ok := yamlValue(n.Content[i+1], b, depth+1)
		if !ok {
			return nil, false
		}
		out[key.Value] = v
	}
	return out, n.ShortTag() == "!!map"
}

// disputed are plain words that YAML 1.1 takes for something else than YAML 1.2 does.
var disputed = regexp.MustCompile(`^(?i:y|n|yes|no|on|off|[-+]?0[0-9_]+|[-+]?0[xob][0-9a-f_]+|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?|[-+]?[0-9][0-9_]*_[0-9_.]*|=)$`)

var decimal = regexp.MustCompile(`^[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?$`)

func yamlScalar(n *yaml.Node) (any, bool) {
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0 && n.Style&yaml.TaggedStyle == 0 && disputed.MatchString(n.Value) {
		return Literal(n.Value), true
	}
	switch n.ShortTag() {
	case "!!str":
		return n.Value, true
	case "!!null":
		return nil, true
	case "!!bool":
		return strings.EqualFold(n.Value, "true"), true
	case "!!int", "!!float":
		if decimal.MatchString(n.Value) {
			return exact(strings.TrimPrefix(n.Value, "+")), true
		}
		return Literal(n.Value), true
	case "!!timestamp":
		return Literal(n.Value), true
	default:
		return Literal(n.Tag + " " + n.Value), true
	}
}
