package diff

import (
	"fmt"
	"html"
	"strings"
)

// DefaultLimit is the size of [Markdown] in bytes when none is given: what fits into a comment on every forge.
const DefaultLimit = 60000

// MarkdownOptions say how [Markdown] writes.
type MarkdownOptions struct {
	Limit int    // in bytes; 0 is DefaultLimit
	Link  string // where the full diff can be read, an http or https address; "" when nowhere
}

// Markdown writes the report for a merge request: a headline with the facts, a table of the applications, and a fold for
// each with its objects, their fields and, in a fold of its own, their manifests.
//
// The result is never longer than the limit and always well formed. What does not fit is left out in whole folds, first
// manifests from the end, then objects of the largest applications, and a sentence says so. Nothing that comes from a
// manifest stands outside of code, so it can neither mention anyone, nor close a fold, nor command the forge.
func Markdown(r Report, o MarkdownOptions) string {
	limit := o.Limit
	if limit <= 0 {
		limit = DefaultLimit
	}
	folds, skipped := foldsOf(r, limit)
	body := 0
	for i := range folds {
		body += folds[i].bytes
	}
	head := fitHeader(r, limit, body)
	if head == "" {
		return ""
	}
	note := shrink(folds, body, limit-len(head), omission{manifests: skipped, link: safeLink(o.Link)})
	var b strings.Builder
	b.WriteString(head)
	for i := range folds {
		folds[i].write(&b)
	}
	b.WriteString(note)
	return b.String()
}

// caps bound the lists of the header.
type caps struct{ facts, rows, apps, name int }

// fitHeader returns the longest header that leaves the body its room, or else at most half of the limit; failing that
// the shortest, and "" when the limit is too small even for a sentence.
func fitHeader(r Report, limit, body int) string {
	var head string
	for _, c := range []caps{
		{60, 400, 8, 200}, {40, 200, 6, 120}, {30, 100, 5, 100}, {20, 40, 4, 80}, {10, 15, 3, 60}, {5, 5, 2, 40}, {2, 2, 1, 30},
	} {
		head = header(r, c)
		if len(head)+body <= limit || len(head) <= limit/2 {
			return head
		}
	}
	if len(head) <= limit {
		return head
	}
	if head = "**" + headline(r) + "**\n"; len(head) <= limit {
		return head
	}
	return ""
}

func header(r Report, c caps) string {
	var b strings.Builder
	b.WriteString("**" + headline(r) + "**\n\n")
	for i, f := range r.Facts {
		if i == c.facts {
			fmt.Fprintf(&b, "- … and %d more\n", len(r.Facts)-i)
			break
		}
		b.WriteString("- " + factMarkdown(f, c) + "\n")
	}
	for i, f := range r.Findings {
		if i == c.facts {
			fmt.Fprintf(&b, "- … and %d more\n", len(r.Findings)-i)
			break
		}
		b.WriteString("- " + findingMarkdown(f, c) + "\n")
	}
	if len(r.Facts)+len(r.Findings) > 0 {
		b.WriteByte('\n')
	}
	if r.Empty() {
		return b.String()
	}
	renames := r.Renamed() > 0
	if renames {
		b.WriteString("| Application | Added | Changed | Removed | Renamed |\n|---|--:|--:|--:|--:|\n")
	} else {
		b.WriteString("| Application | Added | Changed | Removed |\n|---|--:|--:|--:|\n")
	}
	for i, app := range r.Apps {
		if i == c.rows {
			fmt.Fprintf(&b, "| … and %d more | | | |", len(r.Apps)-i)
			b.WriteString(optional(renames, " |") + "\n")
			break
		}
		added, changed, removed := app.Counts()
		cell := strings.ReplaceAll(Code(title(app), c.name), "|", `\|`)
		fmt.Fprintf(&b, "| %s | %d | %d | %d |", cell, added, changed, removed)
		b.WriteString(optional(renames, fmt.Sprintf(" %d |", app.Renamed())) + "\n")
	}
	b.WriteByte('\n')
	return b.String()
}

func optional(is bool, text string) string {
	if is {
		return text
	}
	return ""
}

func factMarkdown(f Fact, c caps) string {
	var b strings.Builder
	if f.Danger || f.Grave {
		b.WriteString("⚠ ")
	}
	if f.Grave {
		b.WriteString("**")
	}
	for _, p := range f.Parts {
		if link := safeLink(p.Link); link != "" {
			b.WriteString("[" + Code(p.Text, 2*c.name) + "](<" + link + ">)")
		} else if p.Code {
			b.WriteString(Code(p.Text, 2*c.name))
		} else {
			b.WriteString(p.Text)
		}
	}
	if f.Grave {
		b.WriteString("**")
	}
	b.WriteString(" — ")
	for i, app := range f.Apps {
		if i == c.apps {
			fmt.Fprintf(&b, " and %d more", len(f.Apps)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(Code(app, c.name))
	}
	return b.String()
}

func findingMarkdown(f Finding, c caps) string {
	text := Code(findingText(f), 5*c.name)
	switch f.Severity {
	case SeverityError:
		return "⚠ **" + text + "**"
	case SeverityWarning:
		return "⚠ " + text
	case SeverityInfo:
	}
	return text
}

// Code is text in a code span of at most n runes, on one line, where nothing in it acts.
func Code(text string, n int) string {
	text = Clip(strings.ReplaceAll(Visible(text), "\t", " "), n)
	if strings.TrimSpace(text) == "" {
		return "`(empty)`"
	}
	ticks := strings.Repeat("`", longestRun(text)+1)
	if strings.HasPrefix(text, "`") || strings.HasSuffix(text, "`") {
		text = " " + text + " "
	}
	return ticks + text + ticks
}

// Fence is lines in a fenced block that none of them can close.
func Fence(lines []string) string {
	longest := 2
	for _, l := range lines {
		longest = max(longest, longestRun(l))
	}
	ticks := strings.Repeat("`", longest+1)
	return ticks + "diff\n" + strings.Join(lines, "\n") + "\n" + ticks + "\n\n"
}

// longestRun returns the length of the longest run of backticks in s.
func longestRun(s string) int {
	longest, run := 0, 0
	for i := range len(s) {
		if s[i] != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// SummaryCode is text as code inside of an HTML summary, where Markdown is not read.
func SummaryCode(text string, n int) string {
	return "<code>" + html.EscapeString(Clip(Visible(text), n)) + "</code>"
}
