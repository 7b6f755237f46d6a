package forge

import (
	"slices"
	"strings"
	"unicode/utf8"
)

const ellipsis = "…"

// CutBytes keeps at most n bytes of text without splitting a character.
func CutBytes(text string, n int) string {
	if len(text) <= n {
		return text
	}
	end := n - len(ellipsis)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + ellipsis
}

// CutRunes keeps at most n characters of text.
func CutRunes(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:n-1]) + ellipsis
}

// NonEmpty leaves out the texts that are empty.
func NonEmpty(texts ...string) []string {
	return slices.DeleteFunc(texts, func(text string) bool { return text == "" })
}

// A Fence is the opening of the code block that a line of Markdown is in; empty outside of one.
type Fence string

// Open reports whether a code block is open.
func (f Fence) Open() bool { return f != "" }

// Close is what ends the code block; empty outside of one.
func (f Fence) Close() string {
	if !f.Open() {
		return ""
	}
	return string(f) + "\n"
}

// After is the fence in force behind line.
func (f Fence) After(line string) Fence {
	text := strings.TrimLeft(line, " ")
	if len(line)-len(text) > 3 || text == "" || text[0] != '`' && text[0] != '~' {
		return f
	}
	rest := strings.TrimLeft(text, text[:1])
	run := Fence(text[:len(text)-len(rest)])
	switch {
	case len(run) < 3:
		return f
	case !f.Open() && (run[0] == '~' || !strings.Contains(rest, "`")):
		return run
	case f.Open() && run[0] == f[0] && len(run) >= len(f) && strings.TrimSpace(rest) == "":
		return ""
	}
	return f
}
