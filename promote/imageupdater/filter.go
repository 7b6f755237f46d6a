package imageupdater

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/lockkeeper/lockkeeper/promote"
)

// allowed is what tags must match.
func (a *application) allowed(one listed) []string {
	written, ok := a.option(one.alias, allowTags)
	if old, had := a.option(one.alias, tagMatch); had {
		a.report(promote.SeverityWarning, old.keyAt, "deprecated-annotation",
			fmt.Sprintf("%s is the old name of %s", old.name, annotationName(one.alias, allowTags)), "rename it")
		if _, own := a.annotations[annotationName(one.alias, allowTags)]; !own {
			written, ok = old, true
		}
	}
	if !ok {
		return nil
	}
	pattern, err := parseMatch(written.value)
	if err != nil {
		a.fail(written, "invalid-filter", fmt.Sprintf("%s is %q: %v", written.name, written.value, err), `write regexp:<expression> (Go's RE2 syntax), or any`)
	}
	if pattern == "" {
		return nil
	}
	return []string{pattern}
}

// parseMatch reads "regexp:<expression>" or "any", which is the empty pattern.
func parseMatch(text string) (pattern string, err error) {
	if strings.EqualFold(text, "any") {
		return "", nil
	}
	function, pattern, found := strings.Cut(text, ":")
	switch {
	case !found || !strings.EqualFold(function, "regexp"):
		return "", errors.New("it is neither a regular expression nor any")
	case pattern == "":
		return "", errors.New("the regular expression is empty")
	}
	if _, err := regexp.Compile(pattern); err != nil {
		return "", err
	}
	return pattern, nil
}

// ignored is what tags must not match.
func (a *application) ignored(one listed) []string {
	written, ok := a.option(one.alias, ignoreTags)
	if !ok {
		return nil
	}
	var patterns []string
	for glob := range strings.SplitSeq(written.value, ",") {
		if glob = strings.TrimSpace(glob); glob == "" {
			continue
		}
		pattern, err := globPattern(glob)
		if err != nil {
			a.fail(written, "invalid-filter", fmt.Sprintf("%q in %s is not a pattern: %v", glob, written.name, err), "write tags with *, ? and [classes]")
			continue
		}
		patterns = append(patterns, pattern)
	}
	return patterns
}

// globPattern turns a glob of path.Match into a regular expression that matches the same.
func globPattern(glob string) (string, error) {
	if !utf8.ValidString(glob) {
		return "", errors.New("it is not UTF-8")
	}
	if _, err := path.Match(glob, ""); err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("^")
	for i := 0; i < len(glob); {
		switch c := glob[i]; c {
		case '*':
			b.WriteString("[^/]*")
			i++
		case '?':
			b.WriteString("[^/]")
			i++
		case '[':
			i += 1 + writeClass(&b, glob[i+1:])
		default:
			r, size := classRune(glob[i:])
			b.WriteString(regexp.QuoteMeta(string(r)))
			i += size
		}
	}
	b.WriteString("$")
	pattern := b.String()
	if _, err := regexp.Compile(pattern); err != nil {
		return "", err
	}
	return pattern, nil
}

// writeClass writes the class at the start of text, which path.Match found sound, and returns its length with the bracket.
func writeClass(b *strings.Builder, text string) int {
	i, negated := 0, strings.HasPrefix(text, "^")
	if negated {
		i++
	}
	var ranges strings.Builder
	for first := true; first || text[i] != ']'; first = false {
		low, size := classRune(text[i:])
		i += size
		high := low
		if text[i] == '-' {
			high, size = classRune(text[i+1:])
			i += 1 + size
		}
		if low <= high {
			fmt.Fprintf(&ranges, `\x{%x}-\x{%x}`, low, high)
		}
	}
	switch {
	case ranges.Len() > 0 && negated:
		b.WriteString("[^" + ranges.String() + "]")
	case ranges.Len() > 0:
		b.WriteString("[" + ranges.String() + "]")
	case negated:
		b.WriteString(`[\x{0}-\x{10ffff}]`)
	default:
		b.WriteString(`[^\x{0}-\x{10ffff}]`)
	}
	return i + 1
}

// classRune is the first character of text, and how many bytes it takes with its backslash.
func classRune(text string) (r rune, size int) {
	escape := 0
	if strings.HasPrefix(text, `\`) && len(text) > 1 {
		escape = 1
	}
	r, size = utf8.DecodeRuneInString(text[escape:])
	return r, escape + size
}
