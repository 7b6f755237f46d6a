package drift

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// keyPart is one part of the key of an exclusion.
type keyPart struct {
	text   string
	exact  bool // written in quotes: * is no wildcard
	isItem bool // written in brackets without quotes: an item of a list
}

// parseKey reads a key as the package comment describes it.
func parseKey(text string) ([]keyPart, error) {
	var parts []keyPart
	for rest := text; ; {
		part, left, err := nextPart(rest)
		if err != nil {
			return nil, fmt.Errorf("key %q: %w", text, err)
		}
		parts = append(parts, part)
		switch {
		case left == "":
			return parts, nil
		case left[0] == '.':
			rest = left[1:]
		case left[0] == '[':
			rest = left
		default:
			return nil, fmt.Errorf("key %q: after a bracket a dot or a bracket is expected, not %q", text, left)
		}
	}
}

func nextPart(text string) (keyPart, string, error) {
	switch {
	case strings.HasPrefix(text, `["`):
		quoted, err := strconv.QuotedPrefix(text[1:])
		if err != nil {
			return keyPart{}, "", errors.New("a quote is not closed")
		}
		left, closed := strings.CutPrefix(text[1+len(quoted):], "]")
		if !closed {
			return keyPart{}, "", errors.New("a bracket is not closed")
		}
		plain, err := strconv.Unquote(quoted)
		return keyPart{text: plain, exact: true}, left, err
	case strings.HasPrefix(text, "["):
		item, left, closed := strings.Cut(text[1:], "]")
		if !closed || item == "" {
			return keyPart{}, "", errors.New("brackets must hold an item of a list, such as 0, * or name=web")
		}
		return keyPart{text: item, isItem: true}, left, nil
	}
	var b strings.Builder
	i := 0
	for ; i < len(text) && text[i] != '.' && text[i] != '['; i++ {
		if text[i] == '\\' && i+1 < len(text) {
			i++
		}
		b.WriteByte(text[i])
	}
	if b.Len() == 0 {
		return keyPart{}, "", errors.New("a part of it is empty")
	}
	return keyPart{text: b.String()}, text[i:], nil
}

// hasKey reports whether the part means a key of a map.
func (p keyPart) hasKey(key string) bool {
	return !p.isItem && (p.exact && p.text == key || !p.exact && wild(p.text, key))
}

// hasItem reports whether the part means an item of a list: by its place, by what it holds, or by what it is.
func (p keyPart) hasItem(i int, item any) bool {
	if !p.exact {
		if p.text == "*" {
			return true
		}
		if n, err := strconv.Atoi(p.text); err == nil {
			return n == i
		}
	}
	if !p.isItem && !p.exact {
		return false
	}
	switch v := item.(type) {
	case map[string]any:
		return holds(v, p)
	case []any, nil:
		return false
	default:
		return p.same(fmt.Sprint(v))
	}
}

func (p keyPart) same(text string) bool {
	if p.exact {
		return p.text == text
	}
	return wild(p.text, text)
}

// holds reports whether a map has every value of a part such as name=web or kind=User,name=ada.
func holds(m map[string]any, p keyPart) bool {
	if has(m, p.text, p.exact) {
		return true
	}
	for pair := range strings.SplitSeq(p.text, ",") {
		if !has(m, pair, p.exact) {
			return false
		}
	}
	return true
}

// has reports whether a map has the value of one pair such as name=web or metadata.name=web.
func has(m map[string]any, pair string, exact bool) bool {
	key, want, ok := strings.Cut(pair, "=")
	if !ok {
		return false
	}
	var v any = m
	for name := range strings.SplitSeq(key, ".") {
		inner, _ := v.(map[string]any)
		v = inner[name]
	}
	switch v.(type) {
	case map[string]any, []any, nil:
		return false
	}
	return keyPart{text: want, exact: exact}.same(fmt.Sprint(v))
}

// wild reports whether a text matches a pattern in which * stands for any part of it, slashes and dots included.
func wild(pattern, text string) bool {
	p, t, star, from := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, t
			p++
		case p < len(pattern) && pattern[p] == text[t]:
			p++
			t++
		case star >= 0:
			from++
			p, t = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
