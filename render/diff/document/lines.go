package document

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
)

func readTOML(text string) (any, bool) {
	var out map[string]any
	if err := toml.Unmarshal([]byte(text), &out); err != nil {
		return nil, false
	}
	v, ok := tomlValue(out, &budget{}, 0)
	return v, ok && composite(v)
}

// tomlValue brings what the library returns into the shape of all values.
func tomlValue(v any, b *budget, depth int) (any, bool) {
	if !b.take(depth) {
		return nil, false
	}
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			one, ok := tomlValue(item, b, depth+1)
			if !ok {
				return nil, false
			}
			out[key] = one
		}
		return out, true
	case []any:
		out := make([]any, 0, len(v))
		for _, item := range v {
			one, ok := tomlValue(item, b, depth+1)
			if !ok {
				return nil, false
			}
			out = append(out, one)
		}
		return out, true
	case string, bool, int64, float64:
		return v, true
	case time.Time:
		return Literal(v.Format(time.RFC3339Nano)), true
	default: // dates and times without a zone
		return Literal(fmt.Sprint(v)), true
	}
}

// assignment is one line of a file of keys and values: "key = value" or "key: value".
var (
	propertyLine = regexp.MustCompile(`^\s*((?:[^\s:=\\]|\\.)+)(?:[ \t]*[=:][ \t]*|[ \t]+|$)(.*)$`)
	envLine      = regexp.MustCompile(`^\s*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)=(.*)$`)
	iniLine      = regexp.MustCompile(`^\s*([^=\[\];#\s][^=]*?)[ \t]*=[ \t]*(.*?)\s*$`)
	iniSection   = regexp.MustCompile(`^\s*\[([^\]]+)\]\s*$`)
)

// readProperties reads the files of java.util.Properties: a line that ends in an odd number of backslashes goes on.
func readProperties(text string) (any, bool) {
	var logical []string
	open := false
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		line = strings.TrimLeft(line, " \t\f")
		if !open && (line == "" || line[0] == '#' || line[0] == '!') {
			continue
		}
		rest := strings.TrimRight(line, `\`)
		goesOn := (len(line)-len(rest))%2 == 1
		if goesOn {
			line = line[:len(line)-1]
		}
		if open {
			logical[len(logical)-1] += line
		} else {
			logical = append(logical, line)
		}
		open = goesOn
	}
	return assigned(logical, propertyLine)
}

func readEnv(text string) (any, bool) {
	var lines []string
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		if at := strings.TrimSpace(line); at != "" && at[0] != '#' {
			lines = append(lines, line)
		}
	}
	return assigned(lines, envLine)
}

func assigned(lines []string, form *regexp.Regexp) (any, bool) {
	out := make(map[string]any, len(lines))
	for _, line := range lines {
		if !put(out, form.FindStringSubmatch(line)) {
			return nil, false
		}
	}
	return out, len(out) > 0 && len(out) <= maxNodes
}

func put(into map[string]any, parts []string) bool {
	if parts == nil {
		return false
	}
	if _, twice := into[parts[1]]; twice {
		return false
	}
	into[parts[1]] = parts[2]
	return true
}

// readINI reads sections of keys. What is not "key = value" is not one of its files.
func readINI(text string) (any, bool) {
	out := map[string]any{}
	section, n := out, 0
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		at := strings.TrimSpace(line)
		if at == "" || at[0] == '#' || at[0] == ';' {
			continue
		}
		if n++; n > maxNodes {
			return nil, false
		}
		if head := iniSection.FindStringSubmatch(line); head != nil {
			if _, twice := out[head[1]]; twice {
				return nil, false
			}
			section = map[string]any{}
			out[head[1]] = section
			continue
		}
		if !put(section, iniLine.FindStringSubmatch(line)) {
			return nil, false
		}
	}
	return out, n > 0
}
