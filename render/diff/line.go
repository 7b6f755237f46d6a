package diff

import (
	"fmt"
	"strings"

	udiff "github.com/aymanbagabas/go-udiff"
	"github.com/aymanbagabas/go-udiff/myers"
)

// line is one line of a field's change: op is '+', '-', '~' (something minor), ' ' (context) or '@' (where in a text).
type line struct {
	op   byte
	text string // without a newline, visible
}

func (l line) String() string {
	if l.op == '@' {
		return l.text
	}
	return string(l.op) + " " + l.text
}

// fieldLines says how one field changes: "- path: before", "+ path: after", and for texts of several lines their diff.
func fieldLines(f FieldChange) []line {
	if f.Only != "" {
		return []line{{'~', Visible(f.Path) + ": only " + string(f.Only)}}
	}
	before, isBefore := f.Before.(string)
	after, isAfter := f.After.(string)
	if isBefore && isAfter && (strings.Contains(before, "\n") || strings.Contains(after, "\n")) {
		return append([]line{{' ', Visible(f.Path) + ":"}}, textLines(before, after)...)
	}
	if isBefore && isAfter {
		f.Before, f.After = focus(before, after)
	}
	var out []line
	if f.Before != nil {
		out = valueLines(out, '-', f.Path, f.Before)
	}
	if f.After != nil {
		out = valueLines(out, '+', f.Path, f.After)
	}
	return out
}

// focusFrom is how long an equal beginning must be to be left out.
const focusFrom = 200

// focus leaves out most of the equal beginning of two long texts, so that the difference is in sight.
func focus(before, after string) (string, string) {
	n := 0
	for n < len(before) && n < len(after) && before[n] == after[n] {
		n++
	}
	if n <= focusFrom {
		return before, after
	}
	n -= 60
	for n > 0 && before[n]&0xC0 == 0x80 {
		n--
	}
	return "…" + before[n:], "…" + after[n:]
}

func valueLines(out []line, op byte, path string, v any) []line {
	text, _ := v.(string)
	if !isComposite(v) && !isBlock(text) {
		return append(out, line{op, Visible(path) + ": " + Visible(scalarText(v))})
	}
	var b strings.Builder
	writeEntry(&b, v, "")
	first, rest, _ := strings.Cut(b.String(), "\n")
	out = append(out, line{op, Visible(path) + ":" + Visible(first)})
	indent := "  "
	if isBlock(text) {
		indent = ""
	}
	if rest == "" {
		return out
	}
	for l := range strings.SplitSeq(strings.TrimSuffix(rest, "\n"), "\n") {
		out = append(out, line{op, indent + Visible(l)})
	}
	return out
}

// textLines is the unified diff of two texts, each line moved two columns to the right.
func textLines(before, after string) []line {
	var out []line
	for l := range strings.SplitSeq(strings.TrimSuffix(unified(before, after), "\n"), "\n") {
		if l == "" {
			continue
		}
		switch l[0] {
		case '@':
			out = append(out, line{'@', Visible(l)})
		case '+', '-', ' ':
			out = append(out, line{l[0], "  " + Visible(l[1:])})
		default:
			out = append(out, line{' ', "  " + Visible(l)})
		}
	}
	return out
}

// manifestLines is an object as a whole: a unified diff when it changes, else all of it as added or removed.
func manifestLines(o ObjectChange) []string {
	var text string
	switch o.Kind {
	case Added:
		return prefixed("+", yamlText(o.Head.Fields))
	case Removed:
		return prefixed("-", yamlText(o.Base.Fields))
	case Changed, Renamed:
		a := aligner{walker: walker{custom: o.custom()}}
		head := a.align(o.Base.Fields, o.Head.Fields)
		text = unified(yamlText(o.Base.Fields), yamlText(head))
	}
	if text == "" {
		return nil
	}
	return prefixed("", text)
}

func prefixed(prefix, text string) []string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, l := range lines {
		lines[i] = prefix + Visible(l)
	}
	return lines
}

// maxTrace bounds the memory, in words, that the exact line diff may use; beyond it a faster one takes over that may
// show more lines than needed.
const maxTrace = 4 << 20

// unified returns the hunks of the unified diff of two texts, "" when they have the same lines.
func unified(before, after string) string {
	before, after = ended(before), ended(after)
	edits := lineEdits(before, after)
	text, err := udiff.ToUnified("a", "b", before, edits, 3)
	if err != nil {
		return fmt.Sprintf("@@ the lines cannot be compared: %v @@\n", err)
	}
	_, text, _ = strings.Cut(text, "\n")
	_, text, _ = strings.Cut(text, "\n")
	return text
}

func lineEdits(before, after string) []udiff.Edit {
	b, a := strings.Count(before, "\n"), strings.Count(after, "\n")
	if (b+a)*(b+a) <= maxTrace {
		return myers.ComputeEdits(before, after) //nolint:staticcheck // udiff.Lines is exact for few edits only
	}
	return udiff.Lines(before, after)
}

func ended(s string) string {
	if s == "" || strings.HasSuffix(s, "\n") {
		return s
	}
	return s + "\n"
}
