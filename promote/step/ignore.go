package step

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// ignore is a list of patterns as in a .gitignore file, each relative to the folder that a step works on.
type ignore struct {
	patterns []ignorePattern
	folders  map[string]bool // what was found out about folders
}

type ignorePattern struct {
	glob    string // doublestar, against the whole path
	negated bool   // it takes back what patterns before it ignored
	folders bool   // it is for folders only
}

const (
	maxPatterns     = 200
	maxPatternBytes = 1024
)

// parseIgnore reads the text of a .gitignore file.
func parseIgnore(text string) (ignore, error) {
	lines := strings.Split(text, "\n")
	all := ignore{folders: map[string]bool{}}
	if len(lines) > maxPatterns {
		return all, fmt.Errorf("config.ignore has %d lines, at most %d", len(lines), maxPatterns)
	}
	for i, line := range lines {
		line = trimSpaces(strings.TrimSuffix(line, "\r"))
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		pattern, err := parseIgnorePattern(line)
		if err != nil {
			return all, fmt.Errorf("config.ignore, line %d: %w", i+1, err)
		}
		all.patterns = append(all.patterns, pattern)
	}
	return all, nil
}

// trimSpaces cuts the spaces at the end of a pattern, but for one behind a backslash.
func trimSpaces(line string) string {
	trimmed := strings.TrimRight(line, " ")
	if strings.HasSuffix(trimmed, `\`) && len(trimmed) < len(line) {
		return trimmed + " "
	}
	return trimmed
}

func parseIgnorePattern(line string) (ignorePattern, error) {
	var p ignorePattern
	text := line
	text, p.negated = strings.CutPrefix(text, "!")
	text, p.folders = strings.CutSuffix(text, "/")
	anchored := strings.Contains(text, "/")
	p.glob = literalBraces(strings.TrimPrefix(text, "/"))
	if !anchored {
		p.glob = "**/" + p.glob
	}
	if len(line) > maxPatternBytes || text == "" || !doublestar.ValidatePattern(p.glob) {
		return p, fmt.Errorf("%q is no pattern of a .gitignore file: check its brackets, or put a backslash before them", line)
	}
	return p, nil
}

// literalBraces escapes what doublestar gives a meaning that .gitignore files do not.
func literalBraces(pattern string) string {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\' && i+1 < len(pattern):
			b.WriteString(pattern[i : i+2])
			i++
		case c == '{' || c == '}':
			b.WriteString(`\` + string(c))
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// file reports whether a file is ignored, by itself or by a folder above it: what lies in an ignored folder cannot be taken
// back. name is relative to the folder that the patterns are for.
func (g ignore) file(name string) bool {
	if len(g.patterns) == 0 || name == "." {
		return false
	}
	if dir := path.Dir(name); dir != "." && g.folder(dir) {
		return true
	}
	return g.last(name, false)
}

func (g ignore) folder(name string) bool {
	ignored, known := g.folders[name]
	if known {
		return ignored
	}
	if dir := path.Dir(name); dir != "." {
		ignored = g.folder(dir)
	}
	ignored = ignored || g.last(name, true)
	g.folders[name] = ignored
	return ignored
}

// last gives what the last pattern that fits says.
func (g ignore) last(name string, folder bool) bool {
	for _, pattern := range slices.Backward(g.patterns) {
		if (folder || !pattern.folders) && doublestar.MatchUnvalidated(pattern.glob, name) {
			return !pattern.negated
		}
	}
	return false
}
