// Package document reads the texts that hold structure of their own: JSON, YAML, TOML, .properties, .env and INI files in the
// values of ConfigMaps. It says what they mean, so that two of them can be compared by meaning.
//
// It owns how such a text is recognised and what bounds it: a text is read whole or not at all. It does not compare, mask or
// print.
//
// # What a value is
//
// Values are map[string]any, []any, string, bool, int64, float64 and nil, and [Literal] for what programs read differently: in
// YAML the words and numbers that mean something else in version 1.1 than in 1.2 (yes, 0777, 1:30), numbers that no machine
// holds exactly, and dates. Several YAML documents in one text are a list of them. Values of .properties, .env and INI files
// are texts, as they are written.
//
// A text that two programs could understand differently is not read: one that gives a key twice, or uses an anchor so often
// that it becomes large.
package document

import (
	"path"
	"strconv"
	"strings"
)

// Bounds of what is read.
const (
	MaxBytes = 256 << 10
	maxDepth = 48
	maxNodes = 50_000
)

// Literal is a plain value that is compared as it is written, and is no text.
type Literal string

// Format is how a document is written. Two documents mean the same only in one format: a program reads one.
type Format string

// The formats.
const (
	JSON       Format = "json"
	YAML       Format = "yaml"
	TOML       Format = "toml"
	Properties Format = "properties"
	Env        Format = "env"
	INI        Format = "ini"
)

// extensions are the formats by the extension of a file name.
var extensions = map[string]Format{
	".json": JSON, ".yaml": YAML, ".yml": YAML, ".toml": TOML, ".properties": Properties, ".env": Env, ".ini": INI, ".cfg": INI, ".cnf": INI,
}

// Parse returns what text means and how it is written, "" when it is no document: by the extension of name, the key or file that
// holds it; otherwise JSON by its first character, and YAML when it has several lines that begin like a map or a list.
func Parse(name, text string) (any, Format) {
	if len(text) > MaxBytes || strings.TrimSpace(text) == "" || deep(text) {
		return nil, ""
	}
	format := extensions[strings.ToLower(path.Ext(name))]
	if v, ok := read(format, text); ok {
		return v, format
	}
	start := strings.TrimLeft(text, " \t\r\n")
	if start[0] == '{' || start[0] == '[' {
		if v, ok := read(JSON, text); ok {
			return v, JSON
		}
	}
	if start[0] == '{' || strings.Contains(strings.TrimSpace(text), "\n") && looksLikeYAML(start) {
		if v, ok := read(YAML, text); ok {
			return v, YAML
		}
	}
	return nil, ""
}

func read(format Format, text string) (any, bool) {
	switch format {
	case JSON:
		return readJSON(text)
	case YAML:
		return readYAML(text)
	case TOML:
		return readTOML(text)
	case Properties:
		return readProperties(text)
	case Env:
		return readEnv(text)
	case INI:
		return readINI(text)
	}
	return nil, false
}

// deep reports whether brackets nest deeper than any reader should follow. Those in texts count too: no document of people
// has so many.
func deep(text string) bool {
	depth := 0
	for i := range len(text) {
		switch text[i] {
		case '[', '{':
			if depth++; depth > 8*maxDepth {
				return true
			}
		case ']', '}':
			depth = max(0, depth-1)
		}
	}
	return false
}

// budget bounds how large a value becomes, which is more than its text where anchors are used again and again.
type budget struct{ nodes int }

func (b *budget) take(depth int) bool {
	b.nodes++
	return b.nodes <= maxNodes && depth <= maxDepth
}

// exact returns a number as a value that equals only the same number, however it is written.
func exact(text string) any {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	digits := strings.TrimLeft(strings.NewReplacer("-", "", "+", "", ".", "").Replace(strings.Split(strings.ToLower(text), "e")[0]), "0")
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || len(digits) > 15 {
		return Literal(text)
	}
	return f
}

// composite reports whether v is worth more than its text.
func composite(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return len(v) > 0
	case []any:
		return len(v) > 0
	}
	return false
}
