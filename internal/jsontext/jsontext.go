// Package jsontext writes the JSON that people and programs read from the command line.
package jsontext

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Indented writes v as an indented document with a newline at the end. Texts stay as they are: < and & are not escaped.
func Indented(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return nil, fmt.Errorf("write JSON: %w", err)
	}
	return b.Bytes(), nil
}
