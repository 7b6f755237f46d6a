package yamledit

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// Texts that are not strings under YAML 1.1 or 1.2 or in the parsers in use, whatever the one at hand thinks of them.
// Too much quoting is harmless, too little changes the meaning.
var (
	retypedWord = regexp.MustCompile(`^(?i:|~|null|y|yes|n|no|true|false|on|off|=|<<|[-+]?\.inf|\.nan)$`)
	decimal     = regexp.MustCompile(`^[-+]?(\.[0-9][0-9_]*|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?$`)
	based       = regexp.MustCompile(`^[-+]?0([xX][0-9a-fA-F_]+|[bB][01_]+|[oO]?[0-7_]+)$`)
	sexagesimal = regexp.MustCompile(`^[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?$`)
	timestamp   = regexp.MustCompile(`^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?$`)
)

// retyped reports whether some reader of YAML takes a plain text for something else than a string.
func retyped(s string) bool {
	return retypedWord.MatchString(s) || decimal.MatchString(s) || based.MatchString(s) ||
		sexagesimal.MatchString(s) || timestamp.MatchString(s)
}

// canBePlain sorts out what certainly has to be quoted. Whether the rest may be plain where it stands, parsing tells.
func canBePlain(s string) bool {
	return isPrintable(s) && !retyped(s) && s == strings.TrimSpace(s) &&
		!strings.Contains(s, ": ") && !strings.Contains(s, " #") && !strings.Contains(s, "\t") &&
		!strings.HasSuffix(s, ":") && !strings.ContainsAny(s[:1], "#&*!|>'\"%@`{}[],")
}

// isPrintable reports whether s can stand unescaped on one line.
func isPrintable(s string) bool {
	for _, r := range s {
		if r != '\t' && !plainRune(r) {
			return false
		}
	}
	return true
}

// plainRune reports whether every parser takes r for itself.
func plainRune(r rune) bool {
	switch {
	case r < ' ', r >= 0x7F && r < 0xA0, r == 0x2028, r == 0x2029, r == 0xFEFF, r == 0xFFFE, r == 0xFFFF:
		return false
	}
	return r <= 0xFFFF || unicode.IsPrint(r)
}

func singleQuoted(s string) string {
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// doubleQuoted can write every text on one line.
func doubleQuoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case plainRune(r):
			b.WriteRune(r)
		case r <= 0xFF:
			fmt.Fprintf(&b, `\x%02X`, r)
		case r <= 0xFFFF:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			fmt.Fprintf(&b, `\U%08X`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
