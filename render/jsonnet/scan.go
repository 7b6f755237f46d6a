package jsonnet

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf16"
)

// Import is one import of a program.
type Import struct {
	Path string // as written, escapes resolved
	Code bool   // the file is evaluated and may import others; otherwise it is taken as text or bytes
}

// maxGap is how long what stands between an import and its text is looked at.
const maxGap = 1000

// Imports lists what a program may import, without parsing it: each once, in their order, and what stands in comments and
// texts, too. It reports false when one of them cannot be read.
func Imports(program []byte) (imports []Import, ok bool) {
	ok = true
	seen := map[Import]bool{}
	keyword := []byte("import")
	for at := bytes.Index(program, keyword); at >= 0; at = bytes.Index(program, keyword) {
		program = program[at+len(keyword):]
		one, readable := imported(program)
		ok = ok && readable
		if one.Path != "" && !seen[one] {
			seen[one] = true
			imports = append(imports, one)
		}
	}
	return imports, ok
}

// imported reads what stands behind the keyword. That is a plain text: jsonnet takes nothing that would have to be computed.
func imported(rest []byte) (one Import, readable bool) {
	one.Code = true
	for _, kind := range []string{"str", "bin"} {
		if after, found := bytes.CutPrefix(rest, []byte(kind)); found && one.Code {
			rest, one.Code = after, false
		}
	}
	length, ok := gap(rest)
	if !ok {
		return one, false
	}
	rest, verbatim := bytes.CutPrefix(rest[length:], []byte("@"))
	if len(rest) == 0 || rest[0] != '"' && rest[0] != '\'' {
		return one, true
	}
	text, readable := quoted(rest[1:], rest[0], verbatim)
	one.Path = string([]rune(text)) // as jsonnet reads what is no UTF-8
	return one, readable
}

// gap is how long the space and the comments are with which a text begins. It reports false when they are too long.
func gap(text []byte) (length int, ok bool) {
	for length < len(text) {
		rest, opens, closes := text[length:], 1, "\n"
		switch {
		case bytes.IndexByte([]byte(" \t\r\n"), rest[0]) >= 0:
			length++
			continue
		case bytes.HasPrefix(rest, []byte("/*")):
			opens, closes = 2, "*/"
		case rest[0] != '#' && !bytes.HasPrefix(rest, []byte("//")):
			return length, true
		}
		end := bytes.Index(rest[opens:min(len(rest), maxGap)], []byte(closes))
		if end < 0 || length > maxGap {
			return len(text), len(text) <= maxGap // it closes nowhere
		}
		length += opens + end + len(closes)
	}
	return length, true
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
