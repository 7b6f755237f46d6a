// Package yamltext writes values as YAML whatever their texts hold.
package yamltext

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"sigs.k8s.io/yaml"
)

// Marshal writes v as YAML by its JSON tags. Unlike the library that it builds on it takes every character that JSON takes: a
// commit message may hold a byte order mark, and a comment a delete character.
func Marshal(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	return yaml.JSONToYAML(escaped(data))
}

// escaped writes the characters that YAML does not take as they are as JSON's escapes (YAML 1.2, rule c-printable).
func escaped(data []byte) []byte {
	out := make([]byte, 0, len(data))
	for _, c := range string(data) {
		if c >= 0x7f && c < 0xa0 || c == 0xfeff || c == 0xfffe || c == 0xffff {
			out = fmt.Appendf(out, `\u%04x`, c)
		} else {
			out = utf8.AppendRune(out, c)
		}
	}
	return out
}
