package drift

import (
	"fmt"
	"strings"

	"github.com/lockkeeper/lockkeeper/render/diff"
)

// Text writes a report for a terminal: a headline, then the folders that drift with their files and values. Control characters
// are written out, never sent to the terminal.
func Text(r Report) string {
	var b strings.Builder
	b.WriteString(headline(r) + "\n")
	for _, pair := range r.Pairs {
		b.WriteString("\n" + diff.Visible(pair.From+" → "+pair.To) + ": " + pair.summary() + "\n")
		for _, line := range pair.lines() {
			b.WriteString("  " + line + "\n")
		}
	}
	return b.String()
}

// headline is the report in one sentence.
func headline(r Report) string {
	switch drifting := r.drifting(); {
	case len(r.Pairs) == 0:
		return "Nothing was compared."
	case drifting == 0:
		return "No drift: " + count(len(r.Pairs), "pair") + " of folders " + verb(len(r.Pairs), "is", "are") + " alike."
	default:
		return fmt.Sprintf("%d of %s of folders %s.", drifting, count(len(r.Pairs), "pair"), verb(drifting, "drifts", "drift"))
	}
}

// summary says how many files drift, and what was left out.
func (p Pair) summary() string {
	if p.Refused != "" {
		return "not compared: " + diff.Visible(p.Refused)
	}
	counts := map[Kind]int{}
	for _, file := range p.Files {
		counts[file.Kind]++
	}
	var parts []string
	if n := counts[Differs]; n > 0 {
		parts = append(parts, count(n, "file")+" "+verb(n, "differs", "differ"))
	}
	if n := counts[OnlyFrom]; n > 0 {
		parts = append(parts, fmt.Sprintf("%d %s only in %s", n, verb(n, "is", "are"), diff.Visible(p.From)))
	}
	if n := counts[OnlyTo]; n > 0 {
		parts = append(parts, fmt.Sprintf("%d %s only in %s", n, verb(n, "is", "are"), diff.Visible(p.To)))
	}
	if p.More > 0 {
		parts = append(parts, count(p.More, "more file")+" "+verb(p.More, "drifts", "drift"))
	}
	text := strings.Join(parts, ", ")
	if len(parts) == 0 {
		text = "alike"
	}
	if len(p.Excluded) > 0 {
		text += " (left out: " + diff.Visible(strings.Join(p.Excluded, ", ")) + ")"
	}
	return text
}

// lines print the files and values that drift, with everything in them visible and on its own line.
func (p Pair) lines() []string {
	var out []string
	for _, file := range p.Files {
		name := diff.Visible(file.Name)
		switch file.Kind {
		case OnlyFrom:
			out = append(out, "- "+name)
		case OnlyTo:
			out = append(out, "+ "+name)
		case Differs:
			if file.Note != "" {
				name += ": " + file.Note
			}
			out = append(append(out, "~ "+name), file.lines()...)
		}
	}
	return out
}

func (f File) lines() []string {
	var out []string
	document, indent := "", "  "
	for _, key := range f.Keys {
		if key.Document != document {
			document, indent = key.Document, "    "
			out = append(out, "  "+diff.Visible(document)+":")
		}
		for _, line := range key.lines() {
			out = append(out, indent+line)
		}
	}
	if f.More > 0 {
		out = append(out, "  … and "+count(f.More, "more value"))
	}
	return out
}

func (k Key) lines() []string {
	if k.Path == "" && (k.Before == nil || k.After == nil) {
		return []string{map[diff.Kind]string{
			diff.Added: "+ the whole document", diff.Removed: "- the whole document", diff.Changed: "~ the whole document",
		}[k.Kind]}
	}
	if line, ok := k.Arrow(); ok {
		return []string{"  " + line}
	}
	return k.Lines()
}

// count is a number with its noun: "1 file", "2 files".
func count(n int, noun string) string { return fmt.Sprintf("%d %s%s", n, noun, verb(n, "", "s")) }

func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
