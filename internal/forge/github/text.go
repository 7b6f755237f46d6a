package github

import (
	"fmt"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

// GitHub counts characters, 65,536 of a text and 65,535 of a check run. Fewer bytes are safe whatever it counts.
const (
	maxText        = 60_000
	maxTitle       = 256 // characters
	maxDescription = 140 // characters of a status, also of one of a deployment
)

// markdown makes a text safe to store: it is not longer than GitHub takes. What is too long is cut at the end of a line, outside of
// what it would tear apart: code blocks and folded parts are closed, and a sentence says that there was more.
func markdown(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= maxText {
		return text
	}
	const sentence = 200 // more than the end takes
	var out strings.Builder
	var open forge.Fence
	folded := 0
	for line := range strings.Lines(text) {
		then, folds := open.After(line), folded
		if !then.Open() {
			folds = max(0, folded+strings.Count(line, "<details")-strings.Count(line, "</details>"))
		}
		if out.Len()+len(line)+len(then)+folds*len(unfold)+sentence > maxText {
			break
		}
		out.WriteString(line)
		open, folded = then, folds
	}
	out.WriteString(open.Close())
	out.WriteString(strings.Repeat(unfold, folded))
	fmt.Fprintf(&out, "\n\nThe rest is left out: the text has %d bytes, more than GitHub takes.\n", len(text))
	return out.String()
}

const unfold = "\n</details>\n"

const maxWhole = 50 // texts that were cut, kept whole

// A textKey names a text on GitHub.
type textKey struct {
	kind   string
	number int
}

func changeText(number int) textKey { return textKey{kind: "change", number: number} }

// A wholeText is a text that GitHub holds cut.
type wholeText struct{ stored, whole string }

// keepWhole remembers what a text was before it was cut, so that it is recognised and not written again each time.
func (f *Forge) keepWhole(key textKey, whole string) {
	stored := markdown(whole)
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.texts, key)
	if stored != whole {
		f.texts.putOf(maxWhole, key, wholeText{stored: stored, whole: whole})
	}
}

// whole is the text of which GitHub holds stored.
func (f *Forge) whole(key textKey, stored string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if known, ok := f.texts[key]; ok && sameText(known.stored, stored) {
		return known.whole
	}
	return stored
}

// restored is a change with its whole description.
func (f *Forge) restored(change promote.Change) promote.Change {
	change.Description = f.whole(changeText(change.Number), change.Description)
	return change
}
