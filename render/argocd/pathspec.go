package argocd

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// The bounds of a pattern; alternatives multiply.
const (
	maxPathspec     = 1000 // bytes
	maxBraces       = 4
	maxAlternatives = 20
)

// fileMatcher takes the files of a git generator. The zero value takes nothing.
type fileMatcher struct {
	specs      []string
	doublestar bool // Argo CD's newer globbing, which a setting turns on; else Git's own
}

// newFileMatcher checks the patterns of a git generator and writes them as paths from the root of the repository.
func newFileMatcher(patterns []string, doublestarred bool) (fileMatcher, error) {
	m := fileMatcher{doublestar: doublestarred, specs: make([]string, len(patterns))}
	for i, pattern := range patterns {
		if len(pattern) > maxPathspec {
			return fileMatcher{}, fmt.Errorf("path has %d characters, at most %d", len(pattern), maxPathspec)
		}
		var err error
		if doublestarred {
			m.specs[i], err = starredSpec(pattern)
		} else {
			m.specs[i], err = gitSpecOf(pattern)
		}
		if err != nil {
			return fileMatcher{}, err
		}
	}
	return m, nil
}

// starredSpec is a pattern of doublestar, joined to the repository's root as a path of the file system.
func starredSpec(pattern string) (string, error) {
	cleaned := strings.TrimPrefix(path.Clean("/"+pattern), "/")
	if strings.Count(cleaned, "{") > maxBraces || strings.Count(cleaned, ",") > maxAlternatives {
		return "", fmt.Errorf("path %q has too many alternatives: at most %d groups and %d in all are looked for", pattern, maxBraces, maxAlternatives)
	}
	if !doublestar.ValidatePattern(cleaned) {
		return "", fmt.Errorf("path %q is not a pattern", pattern)
	}
	return cleaned, nil
}

// gitSpecOf is a pattern as Git compares it (git setup.c, prefix_path): without "." and "//", with ".." resolved. A slash at
// the end stays, because it keeps a file of that name out.
func gitSpecOf(pattern string) (string, error) {
	switch {
	case strings.HasPrefix(pattern, ":"):
		return "", &generatorError{problem: fmt.Sprintf("path %q begins with a colon, which gives it a meaning of Git's own that is not known here", pattern), remedy: "write a path or a pattern"}
	case strings.HasPrefix(pattern, "/"):
		return "", &generatorError{problem: fmt.Sprintf("path %q is outside of the repository for Git", pattern), remedy: "write it without the slash in front"}
	}
	var parts []string
	for part := range strings.SplitSeq(pattern, "/") {
		switch {
		case part == "" || part == ".":
		case part == ".." && len(parts) == 0:
			return "", &generatorError{problem: fmt.Sprintf("path %q is outside of the repository", pattern), remedy: "write a path relative to its root"}
		case part == "..":
			parts = parts[:len(parts)-1]
		default:
			parts = append(parts, part)
		}
	}
	out := strings.Join(parts, "/")
	if last := path.Base("x" + pattern); out != "" && (strings.HasSuffix(pattern, "/") || last == "." || last == "..") {
		out += "/"
	}
	return out, nil
}

// matches reports whether one of the patterns takes a file.
func (m fileMatcher) matches(name string) bool {
	return slices.ContainsFunc(m.specs, func(spec string) bool {
		if m.doublestar {
			return doublestar.MatchUnvalidated(spec, name)
		}
		return matchesSpec(spec, name)
	})
}

// matchesSpec compares as git ls-files does (git dir.c, match_pathspec_item): by the very name, as a folder around it, or as
// a pattern.
func matchesSpec(spec, name string) bool {
	if rest, ok := strings.CutPrefix(name, spec); ok && (spec == "" || rest == "" || rest[0] == '/' || strings.HasSuffix(spec, "/")) {
		return true
	}
	return strings.ContainsAny(spec, wildcards) && wildmatch(spec, name)
}

// wildcards are the characters that make a pattern of a path for Git.
const wildcards = `*?[\`

// wildmatch compares a whole text with one of Git's patterns (git wildmatch.c, without WM_PATHNAME): every star, and every
// other wildcard, takes a slash too.
func wildmatch(pattern, text string) bool {
	// After a mismatch the last star takes one character more; what stands before it need not be looked at again.
	star, resume := -1, 0
	p, t := 0, 0
	for t < len(text) {
		if p < len(pattern) && pattern[p] == '*' {
			star, resume = p, t
			p++
			continue
		}
		if width, ok := wildcard(pattern[p:], text[t]); ok {
			p += width
			t++
			continue
		}
		if star < 0 {
			return false
		}
		resume++
		p, t = star+1, resume
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// wildcard compares one character with what a pattern begins with, and tells how long that is.
func wildcard(pattern string, c byte) (width int, ok bool) {
	switch {
	case pattern == "":
		return 0, false
	case pattern[0] == '?':
		return 1, true
	case pattern[0] == '[':
		return bracket(pattern, c)
	case pattern[0] == '\\':
		return 2, len(pattern) > 1 && pattern[1] == c
	}
	return 1, pattern[0] == c
}

// bracket compares one character with a set such as [a-z], [!a-z] or [[:digit:]]. One that is not closed takes nothing.
func bracket(pattern string, c byte) (width int, ok bool) {
	i, negated, in := 1, false, false
	if i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^') {
		negated = true
		i++
	}
	var previous byte // what a range may begin with, 0 when nothing can
	for first := true; ; first = false {
		if i >= len(pattern) {
			return 0, false
		}
		at := pattern[i]
		switch {
		case at == ']' && !first:
			return i + 1, in != negated
		case at == '\\':
			if i++; i >= len(pattern) {
				return 0, false
			}
			previous = pattern[i]
			in = in || previous == c
		case at == '-' && previous != 0 && i+1 < len(pattern) && pattern[i+1] != ']':
			i++
			if pattern[i] == '\\' {
				if i++; i >= len(pattern) {
					return 0, false
				}
			}
			in = in || previous <= c && c <= pattern[i]
			previous = 0
		case at == '[' && i+1 < len(pattern) && pattern[i+1] == ':':
			end, member, known := class(pattern[i:], c)
			if !known {
				return 0, false
			}
			if end == 0 { // not closed as a class: the bracket stands for itself
				previous, in = at, in || at == c
				break
			}
			in, previous = in || member, 0
			i += end - 1
		default:
			previous, in = at, in || at == c
		}
		i++
	}
}

// class compares one character with a class such as [:digit:] and returns its length, 0 for what is none. One that nobody
// knows takes nothing, with all that is around it.
func class(pattern string, c byte) (width int, member, known bool) {
	end := strings.IndexByte(pattern[2:], ']')
	if end < 0 {
		return 0, false, false
	}
	if end == 0 || pattern[2+end-1] != ':' {
		return 0, false, true
	}
	is, known := classes[pattern[2:2+end-1]]
	return end + 3, known && is(c), known
}

// classes are those of POSIX, for ASCII.
var classes = map[string]func(c byte) bool{
	"alnum":  func(c byte) bool { return isAlpha(c) || isDigit(c) },
	"alpha":  isAlpha,
	"blank":  func(c byte) bool { return c == ' ' || c == '\t' },
	"cntrl":  func(c byte) bool { return c < ' ' || c == 0x7f },
	"digit":  isDigit,
	"graph":  func(c byte) bool { return c > ' ' && c < 0x7f },
	"lower":  func(c byte) bool { return 'a' <= c && c <= 'z' },
	"print":  func(c byte) bool { return c >= ' ' && c < 0x7f },
	"punct":  func(c byte) bool { return c > ' ' && c < 0x7f && !isAlpha(c) && !isDigit(c) },
	"space":  func(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' },
	"upper":  func(c byte) bool { return 'A' <= c && c <= 'Z' },
	"xdigit": func(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' },
}

func isAlpha(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// stems are the folders in which everything is that the patterns can match, without those inside others.
func (m fileMatcher) stems() []string {
	special := wildcards
	if m.doublestar {
		special += "{"
	}
	var dirs []string
	for _, spec := range m.specs {
		dir := strings.TrimSuffix(spec, "/")
		if i := strings.IndexAny(dir, special); i >= 0 {
			dir = dir[:max(strings.LastIndexByte(dir[:i], '/'), 0)]
		}
		if dir == "" {
			dir = "."
		}
		dirs = append(dirs, dir)
	}
	slices.Sort(dirs)
	var out []string
	for _, dir := range dirs {
		if !slices.ContainsFunc(out, func(around string) bool { return around == "." || dir == around || strings.HasPrefix(dir, around+"/") }) {
			out = append(out, dir)
		}
	}
	return out
}
