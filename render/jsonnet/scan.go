package jsonnet

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
)

// Import is one import of a program.
type Import struct {
	Path string // as written, escapes resolved
	Code bool   // the file is evaluated and may import others; otherwise it is taken as text or bytes
}

// keyword begins an import. What stands behind it is a plain text: jsonnet takes nothing that would have to be computed.
var keyword = regexp.MustCompile(`import(str|bin)?(?:\s|//[^\n]*|#[^\n]*|/\*(?s:.*?)\*/)*(@?["'])`)

// Imports lists what a program may import, without parsing it: each once, in their order, and what stands in comments and
// texts, too. It reports false when one of them cannot be read.
func Imports(program []byte) (imports []Import, ok bool) {
	ok = true
	seen := map[Import]bool{}
	for _, at := range keyword.FindAllSubmatchIndex(program, -1) {
		text, readable := quoted(program[at[5]:], program[at[5]-1], program[at[4]] == '@')
		if !readable {
			ok = false
			continue
		}
		text = string([]rune(text)) // as jsonnet reads what is no UTF-8
		if one := (Import{Path: text, Code: at[2] < 0}); text != "" && !seen[one] {
			seen[one] = true
			imports = append(imports, one)
		}
	}
	return imports, ok
}

// quoted reads a text up to its closing quote. In a verbatim one only a doubled quote is special.
func quoted(rest []byte, quote byte, verbatim bool) (string, bool) {
	var out strings.Builder
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == quote && verbatim && i+1 < len(rest) && rest[i+1] == quote:
			out.WriteByte(c)
			i++
		case c == quote:
			return out.String(), true
		case c == '\\' && !verbatim:
			text, length := escaped(rest[i:])
			if length == 0 {
				return "", false
			}
			out.WriteString(text)
			i += length - 1
		default:
			out.WriteByte(c)
		}
	}
	return "", true // it never ends, so nothing is imported
}

// escaped reads one escape, as of JSON and \'. Its length is 0 when it is none.
func escaped(rest []byte) (text string, length int) {
	if len(rest) < 2 {
		return "", 0
	}
	if i := bytes.IndexByte([]byte(`"'\/bfnrt`), rest[1]); i >= 0 {
		return "\"'\\/\b\f\n\r\t"[i : i+1], 2
	}
	unit, ok := codeUnit(rest)
	if !ok {
		return "", 0
	}
	if utf16.IsSurrogate(unit) {
		if low, ok := codeUnit(rest[6:]); ok {
			return string(utf16.DecodeRune(unit, low)), 12
		}
	}
	return string(unit), 6
}

func codeUnit(rest []byte) (rune, bool) {
	if len(rest) < 6 || rest[0] != '\\' || rest[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(rest[2:6]), 16, 16)
	return rune(n), err == nil
}
