package diff

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/lockkeeper/lockkeeper/render/object"
)

// yamlText prints a value as YAML for people: apiVersion, kind and metadata first, then the keys in order.
func yamlText(v any) string {
	var b strings.Builder
	writeYAML(&b, v, "")
	return b.String()
}

func writeYAML(b *strings.Builder, v any, indent string) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range yamlKeys(v) {
			b.WriteString(indent + scalarText(key) + ":")
			writeEntry(b, v[key], indent)
		}
	case []any:
		for _, item := range v {
			if !isComposite(item) || isEmpty(item) {
				b.WriteString(indent + "-")
				writeEntry(b, item, indent)
				continue
			}
			var inner strings.Builder
			writeYAML(&inner, item, indent+"  ")
			b.WriteString(indent + "- " + inner.String()[len(indent)+2:])
		}
	default:
		b.WriteString(indent + scalarText(v) + "\n")
	}
}

// writeEntry prints what follows a key or a dash, up to and including the newline.
func writeEntry(b *strings.Builder, v any, indent string) {
	text, _ := v.(string)
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 0 {
			b.WriteString(" {}\n")
			return
		}
		b.WriteByte('\n')
		writeYAML(b, v, indent+"  ")
	case []any:
		if len(v) == 0 {
			b.WriteString(" []\n")
			return
		}
		b.WriteByte('\n')
		writeYAML(b, v, indent)
	default:
		if !isBlock(text) {
			b.WriteString(" " + scalarText(v) + "\n")
			return
		}
		b.WriteString(" " + blockStyle(text) + "\n")
		for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
			if line != "" {
				line = indent + "  " + line
			}
			b.WriteString(line + "\n")
		}
	}
}

func yamlKeys(m map[string]any) []string {
	return slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		return cmp.Or(cmp.Compare(keyRank(a), keyRank(b)), cmp.Compare(a, b))
	})
}

func keyRank(key string) int {
	if i := slices.Index([]string{"apiVersion", "kind", "metadata"}, key); i >= 0 {
		return i
	}
	return 3
}

func isEmpty(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	default:
		return false
	}
}

// isBlock reports whether a text reads better, and means the same, as a block of lines.
func isBlock(s string) bool {
	return strings.Contains(s, "\n") && s[0] != ' ' && s[0] != '\t' && s[0] != '\n' && strings.Trim(s, "\n ") != "" &&
		!strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && r != '\t' && hidden(r) })
}

func blockStyle(s string) string {
	switch {
	case strings.HasSuffix(s, "\n\n"):
		return "|+"
	case strings.HasSuffix(s, "\n"):
		return "|"
	default:
		return "|-"
	}
}

// resolved matches texts that a YAML parser takes for something else than text; numbers are recognised by parsing.
var resolved = regexp.MustCompile(`^(?i:null|~|true|false|yes|no|on|off|y|n|\.inf|[-+]\.inf|\.nan|[-+0-9:._]+|[-+]?0[xob][0-9a-f_]+|\d{4}-\d\d?-\d\d?([ t].*)?|<<|=)$`)

// scalarText prints one plain value on one line, quoted where the bare text would be read as something else.
func scalarText(v any) string {
	s, isText := v.(string)
	switch {
	case isText && strings.HasPrefix(s, object.UnknownPrefix) && !strings.ContainsFunc(s, hidden):
		return s
	case isText && isBare(s):
		return s
	case isText:
		return strconv.Quote(s)
	case isAbsent(v):
		return "null"
	}
	if n, ok := number(v); ok {
		return n
	}
	return fmt.Sprint(v)
}

func isBare(s string) bool {
	if s == "" || strings.ContainsFunc(s, hidden) || strings.TrimSpace(s) != s || strings.HasSuffix(s, ":") {
		return false
	}
	if strings.Contains(s, ": ") || strings.Contains(s, " #") || strings.ContainsRune("?:,[]{}#&*!|>'\"%@`-", rune(s[0])) && !isOption(s) {
		return false
	}
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return false
	}
	return !resolved.MatchString(s) || isVersion(s)
}

// isOption reports whether s is like -v or --verbose, which needs no quotes in spite of its dash.
func isOption(s string) bool { return len(s) > 1 && s[0] == '-' && s[1] != ' ' && s != "---" }

var version = regexp.MustCompile(`^[0-9]+(\.[0-9]+){2,}$`)

// isVersion reports whether s has two dots or more, like 1.0.2, so that no parser takes it for a number.
func isVersion(s string) bool { return version.MatchString(s) }

// hidden reports whether a rune would not be seen, or would make what is seen lie about the rest of the line.
func hidden(r rune) bool {
	if r < 0x7f {
		return r < ' '
	}
	return r == unicode.ReplacementChar || unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)
}

// Visible is s on one line, with every hidden rune but the tab written out.
func Visible(s string) string {
	if !strings.ContainsFunc(s, hidden) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\t' || r == unicode.ReplacementChar || !hidden(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}

// Clip cuts s to n runes, of which the last says that there was more.
func Clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	count := 0
	for i := range s {
		if count++; count == n {
			if i+1 >= len(s) {
				return s
			}
			rest := []rune(s[i:])
			if len(rest) == 1 {
				return s
			}
			return s[:i] + "…"
		}
	}
	return s
}
