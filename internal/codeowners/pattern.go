package codeowners

import (
	"strings"
	"unicode/utf8"
)

// compile splits a pattern into the parts that segments of a path are matched with.
//
// GitHub's are those of gitignore: a slash at the beginning or in the middle anchors the pattern at the root, and what matches a
// folder matches all below it, except where it ends in "/*", which stays in its folder. GitLab's are those of Ruby's fnmatch: a
// pattern that does not begin with a slash matches anywhere, and only one that ends with a slash reaches into folders.
func (e *Entry) compile(d Dialect) bool {
	pattern := e.Pattern
	folder := strings.HasSuffix(pattern, "/")
	anchored := strings.HasPrefix(pattern, "/")
	pattern = strings.Trim(pattern, "/")
	if d == GitHub {
		anchored = anchored || strings.Contains(pattern, "/")
		e.below = !folder && !strings.HasSuffix(e.Pattern, "/*")
	}
	if pattern != "" {
		e.parts = strings.Split(pattern, "/")
	}
	if d == GitHub && len(e.parts) > 0 && e.parts[len(e.parts)-1] == "**" {
		folder = true // everything inside
		e.parts = e.parts[:len(e.parts)-1]
	}
	if !anchored {
		e.parts = append([]string{"**"}, e.parts...)
	}
	if folder || len(e.parts) == 0 {
		e.parts = append(e.parts, "**", "*")
		e.below = false
	}
	return len(e.parts) <= maxSegments
}

// matches reports whether the pattern matches a path. "**" stands for any number of folders; each other part for one segment.
func (e Entry) matches(segments []string) bool {
	// reached[i] says that the parts so far can match the first i segments.
	reached := make([]bool, len(segments)+1)
	reached[0] = true
	for n, part := range e.parts {
		next := make([]bool, len(segments)+1)
		deep := part == "**" && n < len(e.parts)-1
		for i := range reached {
			switch {
			case deep:
				next[i] = reached[i] || i > 0 && next[i-1]
			case i > 0:
				next[i] = reached[i-1] && glob(part, segments[i-1])
			}
		}
		reached = next
	}
	if !e.below {
		return reached[len(segments)]
	}
	for _, at := range reached[1:] {
		if at {
			return true
		}
	}
	return false
}

// glob matches one segment: "*" is any text, "?" one character, "[…]" one of a set, and a backslash takes the meaning of what
// follows. Its cost is bounded by the product of the lengths.
func glob(pattern, name string) bool {
	p, n := 0, 0
	star, resume := -1, 0
	for n < len(name) {
		if p < len(pattern) && pattern[p] == '*' {
			star, resume = p, n
			p++
			continue
		}
		if width, size, ok := one(pattern[p:], name[n:]); ok {
			p, n = p+width, n+size
			continue
		}
		if star < 0 {
			return false
		}
		resume++
		p, n = star+1, resume
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// one matches the first element of a pattern, which is not "*", with the first character of a name, and returns what both take.
func one(pattern, name string) (width, size int, ok bool) {
	if pattern == "" {
		return 0, 0, false
	}
	character, size := first(name)
	switch pattern[0] {
	case '?':
		return 1, size, true
	case '[':
		if width, among, closed := set(pattern, character); closed {
			return width, size, among
		}
	case '\\':
		if len(pattern) > 1 {
			escaped, width := first(pattern[1:])
			return 1 + width, size, escaped == character
		}
	}
	literal, width := first(pattern)
	return width, size, literal == character
}

// set reads "[a-z]" or "[!a-z]" and reports whether a character is in it. closed is false where no bracket ends it.
func set(pattern string, character rune) (width int, among, closed bool) {
	at := 1
	negated := at < len(pattern) && (pattern[at] == '!' || pattern[at] == '^')
	if negated {
		at++
	}
	for begin := at; at < len(pattern); {
		if pattern[at] == ']' && at > begin {
			return at + 1, among != negated, true
		}
		low, size := member(pattern[at:])
		at += size
		high := low
		if at+1 < len(pattern) && pattern[at] == '-' && pattern[at+1] != ']' {
			high, size = member(pattern[at+1:])
			at += 1 + size
		}
		among = among || low <= character && character <= high
	}
	return 0, false, false
}

// member reads one character of a set, which a backslash may precede.
func member(text string) (rune, int) {
	if text[0] == '\\' && len(text) > 1 {
		character, size := first(text[1:])
		return character, size + 1
	}
	return first(text)
}

// first is the first character of a text, and its size.
func first(text string) (rune, int) { return utf8.DecodeRuneInString(text) }
