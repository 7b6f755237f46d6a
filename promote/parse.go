package promote

import (
	"strings"
	"unicode"
)

// maxCommandBytes bounds the line of a command; a longer one is no command.
const maxCommandBytes = 1000

// ParseCommand finds the command in the text of a comment: the first line that begins with a slash and a letter, outside
// code fences, quotes and HTML comments. Words are separated by white space. ok is false when there is none. The verb is in
// lower case and may be none of Verbs: it is for the caller to say so.
func ParseCommand(body string) (verb Verb, arguments []string, ok bool) {
	var outside textLines
	for line := range strings.Lines(body) {
		line = strings.TrimRightFunc(line, unicode.IsSpace)
		if !outside.next(line) || len(line) < 2 || len(line) > maxCommandBytes || line[0] != '/' || !isLetter(rune(line[1])) {
			continue
		}
		words := strings.Fields(line[1:])
		if strings.ContainsFunc(words[0], func(r rune) bool { return !isLetter(r) && r != '-' }) {
			continue
		}
		return Verb(strings.ToLower(words[0])), words[1:], true
	}
	return "", nil, false
}

func isLetter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }

// textLines tells the lines of a Markdown text from those of its code fences and HTML comments.
type textLines struct {
	fence   string // the characters that opened the fence; empty outside
	comment bool
}

// next reports whether the next line is text.
func (t *textLines) next(line string) bool {
	switch {
	case t.fence != "":
		mark, rest := fenceOf(line)
		if mark != "" && mark[0] == t.fence[0] && len(mark) >= len(t.fence) && strings.TrimSpace(rest) == "" {
			t.fence = ""
		}
		return false
	case t.comment:
		t.comment = !strings.Contains(line, "-->")
		return false
	}
	if mark, rest := fenceOf(line); mark != "" && (mark[0] == '~' || !strings.Contains(rest, "`")) {
		t.fence = mark
		return false
	}
	if start := strings.LastIndex(line, "<!--"); start >= 0 && !strings.Contains(line[start:], "-->") {
		t.comment = true
	}
	return true
}

// fenceOf splits a line that begins with three or more backticks or tildes, indented by at most three spaces.
func fenceOf(line string) (mark, rest string) {
	trimmed := strings.TrimLeft(line, " ")
	if len(line)-len(trimmed) > 3 || trimmed == "" || trimmed[0] != '`' && trimmed[0] != '~' {
		return "", ""
	}
	rest = strings.TrimLeft(trimmed, trimmed[:1])
	if mark = trimmed[:len(trimmed)-len(rest)]; len(mark) < 3 {
		return "", ""
	}
	return mark, rest
}

// Nearest returns the candidate that differs least from word, when it differs little enough to be a typing mistake.
func Nearest(word string, candidates []string) (string, bool) {
	best, distance := "", len(word)/3+2
	for _, candidate := range candidates {
		if n := editDistance(word, candidate); n < distance {
			best, distance = candidate, n
		}
	}
	return best, best != ""
}

func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		previous := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			previous, row[j+1] = row[j+1], min(previous+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
