package promote

import (
	"fmt"
	"strings"
	"unicode"
)

// maxCell bounds a reason in a table: nobody reads more.
const maxCell = 2000

// clean puts text that came from outside on one line of printable characters.
func clean(text string) string {
	printable := func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}
	return strings.Join(strings.Fields(strings.Map(printable, strings.ToValidUTF8(text, "�"))), " ")
}

// CodeSpan quotes text that came from outside for Markdown, so that nothing in it acts.
func CodeSpan(text string) string { return codeSpan(text) }

// codeSpan quotes text that came from outside, so that nothing in it acts as Markdown, as a quick action or as a mention.
func codeSpan(text string) string {
	text = truncate(clean(text), maxCell)
	if text == "" {
		return "–"
	}
	longest, run := 0, 0
	for _, r := range text {
		if r == '`' {
			run++
			longest = max(longest, run)
		} else {
			run = 0
		}
	}
	fence := strings.Repeat("`", longest+1)
	if longest > 0 {
		return fence + " " + text + " " + fence
	}
	return fence + text + fence
}

// cellSpan is codeSpan inside a table, where a bar ends the cell even in a code span.
func cellSpan(text string) string { return strings.ReplaceAll(codeSpan(text), "|", "\\|") }

// inactive takes the meaning from what would act outside of a code span, and is drawn so that a person reads the same.
var inactive = strings.NewReplacer(
	"\\", "\\\\", "|", "\\|", "<", "&lt;", "[", "\\[",
	"@", "@\u200b", "#", "#\u200b", "GH-", "GH\u200b-", "://", ":\u200b//", "www.", "www\u200b.",
)

// tableCell makes a reason safe inside a table or a paragraph: one line, no cell end, no HTML, no mention, no reference, no
// link. Code spans in it stay.
func tableCell(text string) string { return inactive.Replace(truncate(clean(text), maxCell)) }

func joinLimited(texts []string, limit int) string {
	if len(texts) <= limit {
		return strings.Join(texts, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(texts[:limit], "; "), len(texts)-limit)
}

// truncate cuts s to at most limit bytes at the start of a rune.
func truncate(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	cut := max(0, limit-len("…"))
	for cut > 0 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut] + "…"
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// sentence begins a text with a capital letter and ends it with a full stop.
func sentence(text string) string {
	if text != "" && isLetter(rune(text[0])) {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	return text + "."
}

// sameText compares texts as forges keep them: line ends and trailing space do not count.
func sameText(a, b string) bool {
	normal := func(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }
	return normal(a) == normal(b)
}
