package discover

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
)

// maxIndexLine is how much of a line is looked at; names, versions and addresses are shorter.
const maxIndexLine = 4000

// errUncommon: YAML that is not in the style that is read line by line.
var errUncommon = errors.New("uncommon YAML")

// indexScanner reads an index in block style line by line. It looks at indentation: charts are the keys below "entries",
// their versions the items of a list, and what is wanted of a version the keys of that depth.
type indexScanner struct {
	index   chartIndex
	line    int
	inside  bool // below "entries"
	seen    bool // there was "entries"
	chart   string
	named   bool // chart is set
	charts  int  // indentation of the names of charts; 0: not known yet
	items   int  // of the dashes; -1: not known yet
	keys    int  // of the keys of the current version; -1: not known yet
	current wholeEntry
	open    bool // there is a current version
	urls    bool // the addresses of the current version follow
}

func (s *indexScanner) read(in *bufio.Reader) error {
	for {
		text, more, err := in.ReadLine()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		s.line++
		end := false
		if !s.dull(text) {
			end, err = s.next(strings.TrimSuffix(string(text[:min(len(text), maxIndexLine)]), "\r"))
		}
		if err != nil {
			return err
		}
		for more && err == nil { // the rest of a very long line holds nothing that is looked for
			_, more, err = in.ReadLine()
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if end {
			break
		}
	}
	if !s.seen {
		return errUncommon
	}
	return s.finish()
}

// wantedKeys are what the keys begin with that are wanted of a version.
var wantedKeys = [][]byte{[]byte("version"), []byte("deprecated"), []byte("urls"), []byte("digest")}

// dull reports whether a line of a version need not be looked at: what lies below its keys, and most of these.
func (s *indexScanner) dull(line []byte) bool {
	text := bytes.TrimLeft(line, " ")
	depth := len(line) - len(text)
	if !s.open || s.keys < 0 || depth < s.keys || len(text) == 0 {
		return false
	}
	if depth > s.keys {
		return text[0] != '\t' && !s.urls
	}
	wanted := s.urls || slices.ContainsFunc(wantedKeys, func(key []byte) bool { return bytes.HasPrefix(text, key) })
	return 'a' <= text[0] && text[0] <= 'z' && !wanted
}

// finish adds the current version.
func (s *indexScanner) finish() error {
	if !s.open {
		return nil
	}
	s.open, s.urls = false, false
	return s.index.add(s.chart, s.current)
}

// next looks at one line; end is the end of the document.
func (s *indexScanner) next(line string) (end bool, err error) {
	text := strings.TrimLeft(line, " ")
	depth := len(line) - len(text)
	switch {
	case text == "" || text[0] == '#':
		return false, nil
	case text[0] == '\t':
		return false, errUncommon
	case depth == 0 && strings.HasPrefix(text, "---"):
		if s.seen {
			return true, nil
		}
		if strings.TrimSpace(text) != "---" {
			return false, errUncommon
		}
		return false, nil
	case depth == 0 && text == "...":
		return true, nil
	case depth == 0:
		return false, s.top(text)
	case !s.inside:
		return false, nil
	}
	return false, s.below(text, depth)
}

// top looks at a key of the document.
func (s *indexScanner) top(text string) error {
	if err := s.finish(); err != nil {
		return err
	}
	key, value, ok := cutKey(text)
	if !ok {
		return errUncommon
	}
	s.inside = key == "entries"
	if !s.inside {
		return nil
	}
	if s.seen || value != "" && value != "{}" {
		return errUncommon
	}
	s.seen = true
	return nil
}

// below looks at a line below "entries".
func (s *indexScanner) below(text string, depth int) error {
	if s.charts == 0 {
		s.charts = depth
	}
	dash := text == "-" || strings.HasPrefix(text, "- ")
	switch {
	case depth < s.charts:
		return errUncommon
	case depth == s.charts && !dash:
		return s.name(text)
	case !s.named:
		return errUncommon
	case dash && (s.items < 0 || depth == s.items):
		return s.item(text, depth)
	case !s.open || depth <= s.items:
		return errUncommon
	case s.keys < 0:
		s.keys = depth
	}
	switch {
	case depth < s.keys:
		return errUncommon
	case dash && s.urls:
		s.address(text)
		return nil
	case depth > s.keys || dash:
		return nil
	}
	return s.key(text)
}

// address takes the first address of a version's archive.
func (s *indexScanner) address(text string) {
	if at, ok := plainScalar(strings.TrimSpace(text[1:])); ok && len(s.current.URLs) == 0 {
		s.current.URLs = []string{at}
	}
	s.urls = false
}

// name begins a chart.
func (s *indexScanner) name(text string) error {
	if err := s.finish(); err != nil {
		return err
	}
	name, value, ok := cutKey(text)
	if !ok || value != "" && value != "[]" {
		return errUncommon
	}
	s.chart, s.named, s.items, s.keys = name, true, -1, -1
	s.index.open(name)
	return nil
}

// item begins a version.
func (s *indexScanner) item(text string, depth int) error {
	if err := s.finish(); err != nil {
		return err
	}
	s.items, s.keys, s.open, s.current = depth, -1, true, wholeEntry{}
	rest := strings.TrimLeft(text[1:], " ")
	if rest == "" || rest[0] == '#' {
		return nil
	}
	s.keys = depth + len(text) - len(rest)
	return s.key(rest)
}

// key takes a key of a version.
func (s *indexScanner) key(text string) error {
	if strings.ContainsRune("{[&*!?<|>", rune(text[0])) {
		return errUncommon
	}
	key, value, ok := cutKey(text)
	if !ok {
		return nil // a text that goes on
	}
	s.urls = key == "urls" && value == ""
	switch key {
	case "version":
		version, ok := plainScalar(value)
		if !ok {
			return errUncommon
		}
		s.current.Version = version
	case "deprecated":
		s.current.Deprecated = value == "true"
	case "digest":
		s.current.Digest, _ = plainScalar(value)
	case "urls":
		if one, ok := strings.CutPrefix(value, "["); ok && !strings.Contains(one, ",") {
			s.address("-" + strings.TrimSuffix(one, "]"))
		}
	}
	return nil
}

// cutKey splits "key: value". The value has no comment behind it; a key in quotes loses them.
func cutKey(text string) (key, value string, ok bool) {
	if text[0] == '"' || text[0] == '\'' {
		end := strings.IndexByte(text[1:], text[0])
		if end < 0 || strings.ContainsRune(text[1:1+end], '\\') {
			return "", "", false
		}
		key, text = text[1:1+end], text[end+2:]
		if !strings.HasPrefix(text, ":") {
			return "", "", false
		}
		value = text[1:]
	} else if key, value, ok = strings.Cut(text, ":"); !ok || key != strings.TrimSpace(key) || strings.ContainsAny(key, "#{}[]&*!|>%@`\"'?,") {
		return "", "", false
	}
	if value != "" && value[0] != ' ' {
		return "", "", false
	}
	value = strings.TrimSpace(value)
	if value != "" && value[0] == '#' {
		value = ""
	}
	return key, value, true
}

// plainScalar reads the value of a version on one line, without or in quotes.
func plainScalar(value string) (string, bool) {
	switch {
	case value == "":
		return "", false
	case value[0] == '"' || value[0] == '\'':
		end := strings.IndexByte(value[1:], value[0])
		if end < 0 || strings.ContainsRune(value, '\\') || strings.HasPrefix(value[end+2:], value[:1]) {
			return "", false
		}
		return value[1 : 1+end], true
	case strings.ContainsRune("{[&*!|>%@`", rune(value[0])):
		return "", false
	}
	text, _, _ := strings.Cut(value, " #")
	return strings.TrimSpace(text), true
}
