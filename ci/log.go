package ci

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
)

// Inert returns a writer for the log of a job. What is written through it cannot command the system that shows the log, whatever
// repositories and forges put into names and messages. What could is written out, as \u001b, and so reads as itself in JSON, too:
//
//   - a colon that is the first of its line to be seen, because "::" begins a workflow command of GitHub Actions, and the bracket of
//     "##[", which begins one anywhere (https://github.com/actions/runner, ActionCommand.cs);
//   - control characters but line feed and tab, because escape sequences colour, hide and overwrite, and those of a section of
//     GitLab's log hold a carriage return (https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections);
//   - characters that nobody sees and that a comparison of texts may leave out, and those that turn the direction of writing.
//
// Bytes that are no UTF-8 are written as the replacement character, so a character must not be cut in two by two writes.
func Inert(w io.Writer) io.Writer { return &inert{w: w} }

// InertText is a text as [Inert] writes it.
func InertText(text string) string {
	var b strings.Builder
	_, _ = io.WriteString(Inert(&b), text) // a builder takes everything
	return b.String()
}

type inert struct {
	w      io.Writer
	begun  bool // something of the line can be seen
	hashes int  // that the text ends with
}

func (l *inert) Write(p []byte) (int, error) {
	var b strings.Builder
	for _, c := range string(p) {
		l.add(&b, c)
	}
	if _, err := io.WriteString(l.w, b.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (l *inert) add(b *strings.Builder, c rune) {
	command := c == ':' && !l.begun || c == '[' && l.hashes >= 2
	switch {
	case c == '\n':
		l.begun, l.hashes = false, 0
	case c == '#':
		l.begun = true
		l.hashes++
	case seen(c):
		l.begun, l.hashes = true, 0
	case unicode.IsSpace(c):
		l.hashes = 0
	}
	if !command && (c == '\n' || c == '\t' || !unicode.In(c, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point)) {
		b.WriteRune(c)
		return
	}
	for _, unit := range utf16.Encode([]rune{c}) {
		fmt.Fprintf(b, `\u%04x`, unit)
	}
}

// seen reports whether a character takes ink, whatever is left out when texts are compared.
func seen(c rune) bool {
	return unicode.In(c, unicode.L, unicode.N, unicode.P, unicode.S) && !unicode.Is(unicode.Other_Default_Ignorable_Code_Point, c)
}
