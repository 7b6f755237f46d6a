package promote

import "strings"

// NoteLimit is how many bytes of text one note holds at most: less than GitHub's 65,536 characters and GitLab's million.
const NoteLimit = 50_000

const (
	foldOpen  = "<details>"
	foldClose = "</details>"
	unfolded  = "<details><summary>continued</summary>\n\n"
	maxParts  = 20  // before the one that says that there is more
	maxFence  = 100 // bytes of the line that opens a block of code
	maxFolds  = 8   // folds inside each other that are opened again
)

// SplitNote splits Markdown that is too long for one note at its lines. A block of code and a fold that is open at the end of a part
// is closed there and opened again in the next one. A line that is longer than a part by itself is cut.
func SplitNote(text string, limit int) []string {
	if len(text) <= limit {
		return []string{text}
	}
	var parts []string
	var part strings.Builder
	fence, folds := "", 0
	room := func() int { return limit - len(fence) - 2 - (folds+1)*(len(foldClose)+1) }
	for line := range strings.Lines(text) {
		if part.Len() > 0 && part.Len()+len(line) > room() {
			parts = append(parts, part.String()+shut(fence, folds))
			if len(parts) == maxParts {
				return append(parts, "The rest is left out because of its length.\n")
			}
			part.Reset()
			part.WriteString(strings.Repeat(unfolded, folds))
			if fence != "" {
				part.WriteString(fence + "\n")
			}
		}
		if left := max(0, room()-part.Len()); len(line) > left {
			line = strings.ToValidUTF8(line[:left], "") + "\n"
		}
		part.WriteString(line)
		fence, folds = inside(line, fence, folds)
	}
	return append(parts, part.String())
}

// shut ends what is open.
func shut(fence string, folds int) string {
	var b strings.Builder
	if fence != "" {
		b.WriteString(strings.Repeat("`", ticksOf(fence)) + "\n")
	}
	b.WriteString(strings.Repeat(foldClose+"\n", folds))
	return b.String()
}

// inside follows the fence and the folds that a line opens or closes. The fence is its whole first line, such as ```diff.
func inside(line, fence string, folds int) (string, int) {
	trimmed := strings.TrimSpace(line)
	ticks := ticksOf(trimmed)
	if fence != "" {
		if ticks >= ticksOf(fence) && ticks == len(trimmed) {
			return "", folds
		}
		return fence, folds
	}
	if ticks >= 3 && len(trimmed) <= maxFence {
		return trimmed, folds
	}
	folds += strings.Count(line, foldOpen) - strings.Count(line, foldClose)
	return "", min(max(folds, 0), maxFolds)
}

func ticksOf(line string) int { return len(line) - len(strings.TrimLeft(line, "`")) }
