package discover

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	maxChartVersions = 500_000 // in one index
	maxUncommon      = 4 << 20 // bytes of an index that is read as a whole
	maxChartName     = 250
	maxIndexLine     = 600 // bytes that are looked at; names and versions are shorter
)

var (
	errIndexTooLarge = errors.New("the index is larger than what is read")
	errUncommon      = errors.New("uncommon YAML")
)

// chartIndex is what an index says: the versions of each chart, by its name.
type chartIndex map[string][]chartVersion

func (x chartIndex) count() int {
	total := 0
	for _, versions := range x {
		total += len(versions)
	}
	return total
}

// readChartIndex reads the index of a chart repository without holding it: real ones have tens of megabytes, of which names
// and versions are a hundredth. The block style that Helm and every known server write is read line by line, JSON token by
// token; another style of YAML is read as a whole, up to 4 MiB.
func readChartIndex(from io.Reader) (chartIndex, error) {
	start := &beginning{left: maxUncommon + 1}
	in := bufio.NewReaderSize(io.TeeReader(from, start), 64<<10)
	if first, err := in.Peek(1); err == nil && first[0] == '{' {
		return readJSONIndex(in)
	}
	scan := indexScanner{index: chartIndex{}}
	err := scan.read(in)
	if !errors.Is(err, errUncommon) {
		return scan.index, err
	}
	if _, err := io.Copy(io.Discard, io.LimitReader(in, maxUncommon+1)); err != nil {
		return nil, err
	}
	if start.left == 0 {
		return nil, fmt.Errorf("line %d of the index is written in a style that is read only up to %d MiB; write it as helm repo index does", scan.line, maxUncommon>>20)
	}
	return readWholeIndex(bytes.Join(start.parts, nil))
}

// beginning keeps the beginning of what is written to it.
type beginning struct {
	parts [][]byte
	left  int // bytes that are still kept
}

// Write implements io.Writer.
func (b *beginning) Write(p []byte) (int, error) {
	const size = 64 << 10
	for rest := p[:min(len(p), b.left)]; len(rest) > 0; {
		last := len(b.parts) - 1
		if last < 0 || len(b.parts[last]) == size {
			b.parts = append(b.parts, make([]byte, 0, size))
			last++
		}
		n := min(len(rest), size-len(b.parts[last]))
		b.parts[last] = append(b.parts[last], rest[:n]...)
		b.left, rest = b.left-n, rest[n:]
	}
	return len(p), nil
}

// wholeEntry is what is wanted of a version in an index that is decoded.
type wholeEntry struct {
	Version    string `json:"version" yaml:"version"`
	Deprecated bool   `json:"deprecated" yaml:"deprecated"`
}

func readWholeIndex(data []byte) (chartIndex, error) {
	var whole struct {
		Entries map[string][]wholeEntry `yaml:"entries"`
	}
	if err := yaml.Unmarshal(data, &whole); err != nil {
		return nil, errors.New("it is not the index of a chart repository")
	}
	if whole.Entries == nil {
		return nil, errNoEntries
	}
	index := chartIndex{}
	for name, entries := range whole.Entries {
		index.open(name)
		for _, entry := range entries {
			if err := index.add(name, entry); err != nil {
				return nil, err
			}
		}
	}
	return index, nil
}

var errNoEntries = errors.New(`it is not the index of a chart repository: it has no "entries"`)

// open makes a chart known, even if it has no versions.
func (x chartIndex) open(name string) {
	if _, ok := x[name]; !ok && len(name) <= maxChartName {
		x[name] = nil
	}
}

func (x chartIndex) add(name string, entry wholeEntry) error {
	const longest = 256 // no semantic version is longer
	if len(name) > maxChartName || entry.Version == "" || len(entry.Version) > longest {
		return nil
	}
	x[name] = append(x[name], chartVersion{text: entry.Version, deprecated: entry.Deprecated})
	if n := len(x[name]); n > maxChartVersions || n%1000 == 0 && x.count() > maxChartVersions {
		return fmt.Errorf("the index has more than %d versions", maxChartVersions)
	}
	return nil
}

// readJSONIndex reads an index that is JSON, one version at a time.
func readJSONIndex(in io.Reader) (chartIndex, error) {
	d := json.NewDecoder(in)
	index, found := chartIndex{}, false
	err := eachMember(d, func(key string) error {
		if key != "entries" {
			return d.Decode(new(json.RawMessage))
		}
		found = true
		return eachMember(d, func(name string) error {
			index.open(name)
			return eachElement(d, func() error {
				var entry wholeEntry
				if err := d.Decode(&entry); err != nil {
					return err
				}
				return index.add(name, entry)
			})
		})
	})
	switch {
	case err != nil && errors.Is(err, errIndexTooLarge):
		return nil, errIndexTooLarge
	case err != nil:
		return nil, fmt.Errorf("it is not the index of a chart repository: %w", err)
	case !found:
		return nil, errNoEntries
	}
	return index, nil
}

// eachMember calls visit for each key of an object; visit reads its value. null is an object without members.
func eachMember(d *json.Decoder, visit func(key string) error) error {
	return within(d, '{', func() error {
		key, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := key.(string)
		return visit(name)
	})
}

// eachElement calls visit for each element of a list, to read it. null is a list without elements.
func eachElement(d *json.Decoder, visit func() error) error { return within(d, '[', visit) }

func within(d *json.Decoder, open json.Delim, visit func() error) error {
	token, err := d.Token()
	if err != nil || token == nil {
		return err
	}
	if token != open {
		return fmt.Errorf("expected %v, found %v", open, token)
	}
	for d.More() {
		if err := visit(); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

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

// dull reports whether a line of a version need not be looked at: what lies below its keys, and most of these.
func (s *indexScanner) dull(line []byte) bool {
	text := bytes.TrimLeft(line, " ")
	depth := len(line) - len(text)
	if !s.open || s.keys < 0 || depth < s.keys || len(text) == 0 {
		return false
	}
	if depth > s.keys {
		return text[0] != '\t'
	}
	wanted := bytes.HasPrefix(text, []byte("version")) || bytes.HasPrefix(text, []byte("deprecated"))
	return 'a' <= text[0] && text[0] <= 'z' && !wanted
}

// finish adds the current version.
func (s *indexScanner) finish() error {
	if !s.open {
		return nil
	}
	s.open = false
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
	case depth > s.keys || dash:
		return nil
	}
	return s.key(text)
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
	switch key {
	case "version":
		version, ok := plainScalar(value)
		if !ok {
			return errUncommon
		}
		s.current.Version = version
	case "deprecated":
		s.current.Deprecated = value == "true"
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
