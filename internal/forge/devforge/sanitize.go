package devforge

import (
	"html"
	"net/url"
	"slices"
	"strings"
)

// tagRule says what an allowed tag may carry.
type tagRule struct {
	void       bool
	attributes []string
}

// allowedTags is everything that sanitize lets through: what Markdown becomes, and <details> with <summary>.
var allowedTags = map[string]tagRule{
	"p": {}, "h1": {}, "h2": {}, "h3": {}, "h4": {}, "h5": {}, "h6": {}, "blockquote": {},
	"ul": {}, "ol": {attributes: []string{"start"}}, "li": {},
	"pre": {attributes: []string{"class"}}, "code": {}, "span": {attributes: []string{"class"}},
	"em": {}, "strong": {}, "del": {}, "sub": {}, "sup": {}, "kbd": {}, "b": {}, "i": {},
	"a":     {attributes: []string{"href", "title"}},
	"table": {}, "thead": {}, "tbody": {}, "tr": {}, "th": {attributes: []string{"align"}}, "td": {attributes: []string{"align"}},
	"details": {attributes: []string{"open"}}, "summary": {},
	"br": {void: true}, "hr": {void: true},
	"input": {void: true, attributes: []string{"checked"}}, // the box of a task list
}

const (
	maxTag   = 4096 // bytes from < to >; anything longer is text
	maxDepth = 200
)

// sanitize returns the HTML with the allowed tags only, each closed again in the right order. Other tags become visible text,
// comments vanish. It works on the rendered page, not on the Markdown, because what counts is what a browser will see.
func sanitize(in string) string {
	s := sanitizer{open: map[string]int{}}
	for in != "" {
		start := strings.IndexByte(in, '<')
		if start < 0 {
			s.text(in)
			break
		}
		s.text(in[:start])
		in = s.markup(in[start:])
	}
	for len(s.stack) > 0 {
		s.pop()
	}
	return s.out.String()
}

type sanitizer struct {
	out        strings.Builder
	stack      []string
	open       map[string]int // how often each tag is on the stack
	unfinished bool           // a comment was seen that does not end: no later one does
}

// text is HTML text already: entities stay, and no angle bracket does.
func (s *sanitizer) text(in string) {
	s.out.WriteString(strings.ReplaceAll(in, ">", "&gt;"))
}

// markup handles what starts with "<" and returns the rest.
func (s *sanitizer) markup(in string) string {
	if strings.HasPrefix(in, "<!--") && !s.unfinished {
		if end := strings.Index(in[4:], "-->"); end >= 0 {
			return in[4+end+3:]
		}
		s.unfinished = true
	}
	tag, size, ok := parseTag(in[:min(len(in), maxTag)])
	rule, allowed := allowedTags[tag.name]
	switch {
	case ok && tag.name == "img":
		s.out.WriteString("[" + html.EscapeString(tag.value("alt")) + "]")
	case !ok || !allowed:
		s.out.WriteString("&lt;")
		return in[1:]
	case tag.closing:
		s.close(tag.name)
	case !rule.void && len(s.stack) >= maxDepth:
	default:
		s.start(tag, rule)
	}
	return in[size:]
}

func (s *sanitizer) start(tag htmlTag, rule tagRule) {
	if tag.name == "input" && tag.value("type") != "checkbox" {
		return
	}
	s.out.WriteString("<" + tag.name)
	for _, name := range rule.attributes {
		if value, ok := tag.safe(name); ok {
			s.out.WriteString(" " + name + `="` + html.EscapeString(value) + `"`)
		}
	}
	switch tag.name {
	case "input":
		s.out.WriteString(` type="checkbox" disabled=""`)
	case "a":
		s.out.WriteString(` rel="nofollow noopener noreferrer"`)
	}
	s.out.WriteString(">")
	if !rule.void {
		s.stack = append(s.stack, tag.name)
		s.open[tag.name]++
	}
}

// close closes the tag and what is open inside of it. A closing tag without an open one vanishes.
func (s *sanitizer) close(name string) {
	for s.open[name] > 0 {
		if s.pop() == name {
			return
		}
	}
}

func (s *sanitizer) pop() string {
	last := len(s.stack) - 1
	name := s.stack[last]
	s.stack = s.stack[:last]
	s.open[name]--
	s.out.WriteString("</" + name + ">")
	return name
}

type htmlTag struct {
	name       string // lower case
	closing    bool
	attributes [][2]string // name in lower case and unescaped value
}

func (t htmlTag) value(name string) string {
	for _, attribute := range t.attributes {
		if attribute[0] == name {
			return attribute[1]
		}
	}
	return ""
}

var spanClasses = []string{"diff", "add", "del", "hunk", "name", "mark", "same"}

// safe returns the value that an attribute may keep.
func (t htmlTag) safe(name string) (string, bool) {
	present := slices.ContainsFunc(t.attributes, func(a [2]string) bool { return a[0] == name })
	value := t.value(name)
	switch name {
	case "open", "checked":
		return "", present
	case "href":
		return value, present && safeURL(value)
	case "class":
		return value, slices.Contains(spanClasses, value)
	case "align":
		return value, slices.Contains([]string{"left", "right", "center"}, value)
	case "start":
		return value, value != "" && len(value) < 10 && strings.Trim(value, "0123456789") == ""
	}
	return value, present
}

// safeURL takes web and mail addresses, and addresses on this server.
func safeURL(address string) bool {
	if strings.ContainsFunc(address, func(c rune) bool { return c < ' ' || c == 0x7f || c == '\\' }) {
		return false
	}
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	switch u.Scheme {
	case "http", "https":
		return u.Host != ""
	case "mailto":
		return true
	}
	return u.Scheme == "" && u.Host == ""
}

// parseTag reads one tag and says how many bytes it has. It is stricter than a browser: what it does not understand is text.
func parseTag(in string) (tag htmlTag, size int, ok bool) {
	rest := in[1:]
	rest, tag.closing = strings.CutPrefix(rest, "/")
	n := strings.IndexFunc(rest, func(c rune) bool { return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') })
	if n <= 0 || rest[0] >= '0' && rest[0] <= '9' {
		return tag, 0, false
	}
	tag.name, rest = strings.ToLower(rest[:n]), rest[n:]
	for {
		trimmed := strings.TrimLeft(rest, " \t\r\n\f/")
		if after, found := strings.CutPrefix(trimmed, ">"); found {
			return tag, len(in) - len(after), true
		}
		if trimmed == "" || len(trimmed) == len(rest) {
			return tag, 0, false
		}
		var attribute [2]string
		if attribute, rest, ok = parseAttribute(trimmed); !ok {
			return tag, 0, false
		}
		tag.attributes = append(tag.attributes, attribute)
	}
}

func parseAttribute(in string) (attribute [2]string, rest string, ok bool) {
	n := strings.IndexAny(in, " \t\r\n\f/>=\"'<")
	if n <= 0 {
		return attribute, in, false
	}
	attribute[0], rest = strings.ToLower(in[:n]), in[n:]
	after, hasValue := strings.CutPrefix(rest, "=")
	if !hasValue {
		return attribute, rest, true
	}
	if after == "" {
		return attribute, after, false
	}
	if quote := after[0]; quote == '"' || quote == '\'' {
		end := strings.IndexByte(after[1:], quote)
		if end < 0 {
			return attribute, after, false
		}
		attribute[1] = html.UnescapeString(after[1 : 1+end])
		return attribute, after[end+2:], true
	}
	n = strings.IndexAny(after, " \t\r\n\f>\"'<=`")
	if n <= 0 {
		return attribute, after, false
	}
	attribute[1] = html.UnescapeString(after[:n])
	return attribute, after[n:], true
}
