package gitlab

import (
	"fmt"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/forge"
)

const (
	maxTitle       = 255 // characters
	maxDescription = 255 // characters of a status
	maxURL         = 255 // characters of a status
	maxText        = 900_000
)

// markdown makes a description or note safe to store: no line of it is one of GitLab's quick actions, which would be carried out
// with our rights, and it is not longer than GitLab takes.
func markdown(text string) string {
	var out strings.Builder
	var open forge.Fence
	for line := range strings.Lines(text) {
		line = defuse(line, open.Open())
		if out.Len()+len(line) > maxText {
			out.WriteString(open.Close())
			fmt.Fprintf(&out, "\n\nThe rest is left out: the text has %d bytes, more than GitLab takes.\n", len(text))
			return out.String()
		}
		out.WriteString(line)
		open = open.After(line)
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
