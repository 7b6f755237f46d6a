package discover

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

const (
	maxAlternatives = 200   // texts that the braces of one glob stand for
	maxExpanded     = 8_000 // bytes of all of them
)

// compileGlob makes a regular expression of a glob, so that no pattern takes longer than its length times the path's.
// * and ? stop at slashes; ** alone between slashes is any number of folders, and at the end everything below, the folder
// itself too; [a-z], [!a-z] and [^a-z] are one character; {a,b} is either; \ takes the next character as it is.
func compileGlob(pattern string) (*regexp.Regexp, error) {
	texts, err := (&braces{}).expand(pattern)
	if err != nil {
		return nil, err
	}
	for i, text := range texts {
		if texts[i], err = globExpression(text); err != nil {
			return nil, err
		}
	}
	re, err := regexp.Compile(`(?s)\A(?:` + strings.Join(texts, "|") + `)\z`)
	if err != nil {
		return nil, fmt.Errorf("it holds a range whose ends are the wrong way round")
	}
	return re, nil
}

// braces counts what the braces of one pattern make.
type braces struct{ texts, bytes int }

// expand writes out the alternatives of a pattern.
func (b *braces) expand(pattern string) ([]string, error) {
	open := -1
	var commas []int // of the group that begins at open
	depth := 0
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '\\':
			i++
		case '[':
			i += classLength(pattern[i:]) - 1
		case '{':
			if depth++; depth == 1 {
				open = i
			}
		case ',':
			if depth == 1 {
				commas = append(commas, i)
			}
		case '}':
			if depth--; depth == 0 {
				return b.group(pattern, append(append([]int{open}, commas...), i))
			}
			depth = max(depth, 0)
		}
	}
	if depth > 0 {
		return nil, fmt.Errorf("a brace is not closed")
	}
	b.texts++
	b.bytes += len(pattern)
	if b.texts > maxAlternatives || b.bytes > maxExpanded {
		return nil, fmt.Errorf("its braces stand for more than %d patterns: split it", maxAlternatives)
	}
	return []string{pattern}, nil
}

// group writes out the first group of a pattern; bounds are where its brace, its commas and its closing brace stand.
func (b *braces) group(pattern string, bounds []int) ([]string, error) {
	last := bounds[len(bounds)-1]
	var out []string
	for i := range len(bounds) - 1 {
		tails, err := b.expand(pattern[bounds[i]+1:bounds[i+1]] + pattern[last+1:])
		if err != nil {
			return nil, err
		}
		for _, tail := range tails {
			out = append(out, pattern[:bounds[0]]+tail)
		}
	}
	return out, nil
}

// classLength is the length of a class of characters in brackets, or 1 when it is not closed.
func classLength(text string) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case ']':
			return i + 1
		}
	}
	return 1
}

// globExpression translates a pattern without braces.
func globExpression(pattern string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(pattern); {
		rest := pattern[i:]
		starts := i == 0 || pattern[i-1] == '/'
		switch {
		case rest == "/**":
			b.WriteString(`(?:/.*)?`)
			i = len(pattern)
		case starts && rest == "**":
			b.WriteString(`.*`)
			i = len(pattern)
		case starts && strings.HasPrefix(rest, "**/"):
			b.WriteString(`(?:[^/]*/)*`)
			i += len("**/")
		case rest[0] == '*':
			b.WriteString(`[^/]*`)
			i += len(rest) - len(strings.TrimLeft(rest, "*"))
		case rest[0] == '?':
			b.WriteString(`[^/]`)
			i++
		case rest[0] == '[':
			n, err := globClass(&b, rest)
			if err != nil {
				return "", err
			}
			i += n
		default:
			r, n, err := globLiteral(rest)
			if err != nil {
				return "", err
			}
			b.WriteString(regexp.QuoteMeta(r))
			i += n
		}
	}
	return b.String(), nil
}

// globLiteral reads one character, which may be escaped, and how many bytes of the text it takes.
func globLiteral(text string) (string, int, error) {
	escaped := 0
	if text[0] == '\\' {
		if escaped = 1; len(text) == 1 {
			return "", 0, fmt.Errorf(`nothing follows the last \`)
		}
	}
	r, n := utf8.DecodeRuneInString(text[escaped:])
	if r == utf8.RuneError {
		return "", 0, fmt.Errorf("it is not UTF-8")
	}
	return string(r), escaped + n, nil
}

// globClass translates a class of characters and returns its length.
func globClass(b *strings.Builder, text string) (int, error) {
	end := classLength(text)
	at := 1
	b.WriteByte('[')
	if end > 1 && (text[1] == '!' || text[1] == '^') {
		b.WriteByte('^')
		at = 2
	}
	if end-1 <= at {
		return 0, fmt.Errorf("a bracket is not closed, or holds nothing")
	}
	for at < end-1 {
		if text[at] == '-' && at > 1 && at+1 < end-1 {
			b.WriteByte('-')
			at++
		}
		r, n, err := globLiteral(text[at : end-1])
		if err != nil {
			return 0, err
		}
		b.WriteString(`\x{` + fmt.Sprintf("%x", []rune(r)[0]) + `}`)
		at += n
	}
	b.WriteByte(']')
	return end, nil
}
