package devforge

import (
	"regexp"
	"strconv"
	"strings"
)

var hunkHead = regexp.MustCompile(`^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@`)

// hunkOf returns the part of a diff that shows a line of the new file, or of the old one, down to that line.
func (d fileDiff) hunkOf(line int, old bool) (text string, ok bool) {
	var hunk strings.Builder
	before, after := 0, 0
	for text := range strings.Lines(d.text) {
		head := hunkHead.FindStringSubmatch(text)
		if head != nil {
			before, _ = strconv.Atoi(head[1]) // The pattern takes digits only.
			after, _ = strconv.Atoi(head[2])
			hunk.Reset()
		}
		hunk.WriteString(text)
		if head != nil || before+after == 0 || strings.HasPrefix(text, `\`) { // "\ No newline at end of file"
			continue
		}
		added, removed := strings.HasPrefix(text, "+"), strings.HasPrefix(text, "-")
		if old && !added && before == line || !old && !removed && after == line {
			return strings.TrimSuffix(hunk.String(), "\n"), true
		}
		if !added {
			before++
		}
		if !removed {
			after++
		}
	}
	return "", false
}

// adds reports whether a line of the new file is new.
func (d fileDiff) adds(line int) bool {
	hunk, ok := d.hunkOf(line, false)
	return ok && strings.HasPrefix(hunk[strings.LastIndexByte(hunk, '\n')+1:], "+")
}
