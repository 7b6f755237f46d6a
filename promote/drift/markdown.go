package drift

import (
	"fmt"
	"strings"

	"github.com/lockkeeper/lockkeeper/render/diff"
)

// Markdown writes a report for a comment: a headline, a fold for each pair of folders that drifts, and a list of those that do
// not. It is at most limit bytes long, [diff.DefaultLimit] when that is 0; what does not fit is left out in whole lines or
// folds, and a sentence says so. Nothing that comes from a file stands outside of code.
func Markdown(r Report, limit int) string {
	if limit <= 0 {
		limit = diff.DefaultLimit
	}
	m := markdown{room: limit - reserve}
	m.add("**" + headline(r) + "**\n\n")
	for _, pair := range r.Pairs {
		if !pair.Empty() && !m.fold(pair) {
			m.missing++
		}
	}
	for _, pair := range r.Pairs {
		if pair.Empty() && !m.add("- "+title(pair, diff.Code)+": "+summaryCode(pair)+"\n") {
			m.missing++
		}
	}
	if m.missing > 0 {
		fmt.Fprintf(&m.b, "\n%s of folders %s left out because of the length of this text.\n",
			count(m.missing, "pair"), verb(m.missing, "is", "are"))
	}
	return m.b.String()
}

// The lengths of parts of a comment.
const (
	reserve   = 200 // bytes for the sentence at the end
	maxName   = 200 // runes of a folder
	maxLine   = 600 // runes of a line
	foldClose = "\n</details>\n\n"
)

type markdown struct {
	b       strings.Builder
	room    int // bytes
	missing int // pairs that were left out
}

// add writes text if there is room for it.
func (m *markdown) add(text string) bool {
	if len(text) > m.room {
		return false
	}
	m.room -= len(text)
	m.b.WriteString(text)
	return true
}

// fold writes a pair with as many of its lines as there is room for.
func (m *markdown) fold(pair Pair) bool {
	open := "<details><summary>" + title(pair, diff.SummaryCode) + ": " + counts(pair) + "</summary>\n\n"
	if len(pair.Excluded) > 0 {
		open += "Left out: " + diff.Code(strings.Join(pair.Excluded, ", "), maxLine) + "\n\n"
	}
	if pair.Refused != "" {
		return m.add(open + diff.Code(pair.Refused, maxLine) + foldClose)
	}
	lines := pair.lines()
	for i, line := range lines {
		lines[i] = diff.Clip(line, maxLine)
	}
	for n := len(lines); n > 0; n /= 2 {
		shown := lines[:n:n]
		if n < len(lines) {
			shown = append(shown, fmt.Sprintf("… and %s", count(len(lines)-n, "more line")))
		}
		if m.add(open + diff.Fence(shown) + foldClose) {
			return true
		}
	}
	return m.add(open + foldClose)
}

func title(pair Pair, code func(string, int) string) string {
	return code(pair.From, maxName) + " → " + code(pair.To, maxName)
}

// counts is a summary without names of files and folders.
func counts(pair Pair) string {
	if pair.Refused != "" {
		return "not compared"
	}
	n := len(pair.Files) + pair.More
	return count(n, "file") + " " + verb(n, "drifts", "drift")
}

// summaryCode is the summary of folders that are alike, with what was left out as code.
func summaryCode(pair Pair) string {
	if len(pair.Excluded) == 0 {
		return "alike"
	}
	return "alike, left out: " + diff.Code(strings.Join(pair.Excluded, ", "), maxLine)
}
