package discover

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lockkeeper/lockkeeper/internal/git"
)

const (
	maxSubject = 80 // bytes of a message in freight
	maxPerson  = 256
)

// person writes a signature as Git does, without what would spoil a line.
func person(s git.Stamp) string { return shorten(plainLine(s.Name+" <"+s.Email+">"), maxPerson) }

// subjectOf is the first paragraph of a message in one line.
func subjectOf(message string) string {
	first, _, _ := strings.Cut(strings.TrimLeft(message, "\n"), "\n\n")
	return plainLine(first)
}

// plainLine makes one line of printable text.
func plainLine(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	return strings.TrimSpace(text)
}

// shorten cuts a text to a number of bytes, between characters, and says so with three dots.
func shorten(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	cut := limit - len("...")
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "..."
}
