package discover

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

const maxPathPattern = 1_000 // bytes

// pathFilter is what includePaths and excludePaths of a Git subscription say about the paths of a repository. The zero
// value selects every path.
//
// A pattern is one of
//
//   - "glob:<pattern>", with * ? [] {} and ** over folders, for the whole path;
//   - "regex:<pattern>" or "regexp:<pattern>", a Go regular expression, anywhere in the path;
//   - a folder or file: itself and everything below. "apps" selects apps/web/x, not apps2/x.
//
// Kargo differs in folders: there "/apps" and "./apps/" select nothing of the first, and no path with ".." in a name is
// ever selected, such as apps/a..b. Here the two spellings mean "apps", and names may hold dots.
type pathFilter struct {
	include, exclude []pathPattern
}

// pathPattern reports whether it selects a path.
type pathPattern func(path string) bool

func newPathFilter(include, exclude []string) (pathFilter, error) {
	var f pathFilter
	var err error
	if f.include, err = readPathPatterns(include); err != nil {
		return f, fmt.Errorf("includePaths: %w", err)
	}
	if f.exclude, err = readPathPatterns(exclude); err != nil {
		return f, fmt.Errorf("excludePaths: %w", err)
	}
	return f, nil
}

func readPathPatterns(texts []string) ([]pathPattern, error) {
	var out []pathPattern
	for _, text := range texts {
		pattern, err := readPathPattern(text)
		if err != nil {
			return nil, err
		}
		out = append(out, pattern)
	}
	return out, nil
}

func readPathPattern(text string) (pathPattern, error) {
	if len(text) > maxPathPattern {
		return nil, fmt.Errorf("a pattern has %d bytes, at most %d are allowed", len(text), maxPathPattern)
	}
	kind, rest, found := strings.Cut(text, ":")
	switch {
	case found && kind == "glob":
		return readGlob(rest)
	case found && (kind == "regex" || kind == "regexp"):
		re, err := regexp.Compile(rest)
		if err != nil {
			return nil, fmt.Errorf("%q is not a regular expression: %w", text, err)
		}
		return re.MatchString, nil
	}
	return readFolder(text)
}

func readGlob(pattern string) (pathPattern, error) {
	re, err := compileGlob(pattern)
	if err != nil {
		return nil, fmt.Errorf("%q is not a glob pattern: %w", "glob:"+pattern, err)
	}
	return re.MatchString, nil
}

func readFolder(text string) (pathPattern, error) {
	climbs := slices.Contains(strings.Split(text, "/"), "..")
	if text == "" || climbs {
		return nil, fmt.Errorf("%q is not a path of the repository: write a folder or file such as \"apps/web\", glob:<pattern> or regex:<pattern>", text)
	}
	base := strings.TrimPrefix(path.Clean("/"+text), "/")
	if base == "" {
		return func(string) bool { return true }, nil
	}
	return func(path string) bool {
		rest, ok := strings.CutPrefix(path, base)
		return ok && (rest == "" || rest[0] == '/')
	}, nil
}

// all reports whether every path is selected.
func (f pathFilter) all() bool { return len(f.include) == 0 && len(f.exclude) == 0 }

// selects reports whether a path is included, or nothing is asked to be, and not excluded.
func (f pathFilter) selects(path string) bool {
	matches := func(p pathPattern) bool { return p(path) }
	return (len(f.include) == 0 || slices.ContainsFunc(f.include, matches)) && !slices.ContainsFunc(f.exclude, matches)
}
