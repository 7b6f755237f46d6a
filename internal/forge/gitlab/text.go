package gitlab

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	maxTitle       = 255 // characters
	maxDescription = 255 // characters of a status
	maxURL         = 255 // characters of a status
	maxText        = 900_000
)

// cutBytes keeps at most n bytes of text without splitting a character.
func cutBytes(text string, n int) string {
	if len(text) <= n {
		return text
	}
	const ellipsis = "…"
	end := n - len(ellipsis)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + ellipsis
}

// cutRunes keeps at most n characters of text.
func cutRunes(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:n-1]) + "…"
}

// markdown makes a description or note safe to store: no line of it is one of GitLab's quick actions, which would be carried out
// with our rights, and it is not longer than GitLab takes.
func markdown(text string) string {
	var out strings.Builder
	var open fence
	for line := range strings.Lines(text) {
		line = defuse(line, open.open())
		if out.Len()+len(line) > maxText {
			out.WriteString(open.close())
			fmt.Fprintf(&out, "\n\nThe rest is left out: the text has %d bytes, more than GitLab takes.\n", len(text))
			return out.String()
		}
		out.WriteString(line)
		open = open.after(line)
	}
	return out.String()
}

// defuse takes the meaning of a quick action from a line. Inside of a fence it needs none, if only GitLab and this function agreed
// on where fences end; a blank in front serves both.
func defuse(line string, fenced bool) string {
	text := strings.TrimLeft(line, " \t")
	if len(text) < 2 || text[0] != '/' || !isLetter(text[1]) {
		return line
	}
	if !fenced {
		return line[:len(line)-len(text)] + `\` + text
	}
	if len(text) == len(line) {
		return " " + line
	}
	return line
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// A fence is the opening of the code block that a line is in; empty outside of one.
type fence string

func (f fence) open() bool { return f != "" }

func (f fence) close() string {
	if !f.open() {
		return ""
	}
	return string(f) + "\n"
}

// after is the fence in force behind line.
func (f fence) after(line string) fence {
	text := strings.TrimLeft(line, " ")
	if len(line)-len(text) > 3 || text == "" || text[0] != '`' && text[0] != '~' {
		return f
	}
	rest := strings.TrimLeft(text, text[:1])
	run := fence(text[:len(text)-len(rest)])
	switch {
	case len(run) < 3:
		return f
	case !f.open() && (run[0] == '~' || !strings.Contains(rest, "`")):
		return run
	case f.open() && run[0] == f[0] && len(run) >= len(f) && strings.TrimSpace(rest) == "":
		return ""
	}
	return f
}
