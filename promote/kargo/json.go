package kargo

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// configJSON writes a YAML value as JSON: keys in the order of the file, numbers with the digits as written wherever JSON
// allows them (1.10 stays 1.10), and unquoted yes, no, on and off as booleans, as the API server reads them. Of a key that
// stands twice the last wins.
func configJSON(n *yaml.Node) json.RawMessage {
	var b bytes.Buffer
	writeJSON(&b, n)
	return b.Bytes()
}

func writeJSON(b *bytes.Buffer, n *yaml.Node) {
	n = manifest.Resolve(n)
	switch n.Kind {
	case yaml.MappingNode:
		b.WriteByte('{')
		for i, e := range entries(n) {
			if i > 0 {
				b.WriteByte(',')
			}
			writeValue(b, e.key.Value)
			b.WriteByte(':')
			writeJSON(b, e.value)
		}
		b.WriteByte('}')
	case yaml.SequenceNode:
		b.WriteByte('[')
		for i, item := range n.Content {
			if i > 0 {
				b.WriteByte(',')
			}
			writeJSON(b, item)
		}
		b.WriteByte(']')
	default:
		if isNumber(n) && json.Valid([]byte(n.Value)) {
			b.WriteString(n.Value)
			return
		}
		writeValue(b, manifest.Free(n))
	}
}

func isNumber(n *yaml.Node) bool { return n.Tag == "!!int" || n.Tag == "!!float" }

func writeValue(b *bytes.Buffer, v any) {
	encoder := json.NewEncoder(b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		writeValue(b, fmt.Sprint(v)) // numbers that JSON does not have
		return
	}
	b.Truncate(b.Len() - 1) // the encoder's newline
}

type mapEntry struct{ key, value *yaml.Node }

// entries lists the keys and values of a mapping with merge keys followed: its own first, then those that are merged in. A
// key that stands twice is listed once, with the last value.
func entries(n *yaml.Node) []mapEntry {
	n = manifest.Resolve(n)
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	var own, merged []mapEntry
	index := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], manifest.Resolve(n.Content[i+1])
		if key.Tag == "!!merge" {
			merged = append(merged, mergedEntries(value)...)
			continue
		}
		if at, twice := index[key.Value]; twice {
			own[at].value = value
			continue
		}
		index[key.Value] = len(own)
		own = append(own, mapEntry{key, value})
	}
	for _, e := range merged {
		if _, taken := index[e.key.Value]; !taken {
			index[e.key.Value] = len(own)
			own = append(own, e)
		}
	}
	return own
}

func mergedEntries(source *yaml.Node) []mapEntry {
	if source.Kind != yaml.SequenceNode {
		return entries(source)
	}
	var out []mapEntry
	for _, item := range source.Content {
		out = append(out, entries(item)...)
	}
	return out
}
