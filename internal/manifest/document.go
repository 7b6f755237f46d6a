package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"go.yaml.in/yaml/v3"
)

// Document is one YAML document of a file.
type Document struct {
	File string
	Line int    // 1-based line of File on which Raw begins
	Raw  []byte // the document's own bytes as UTF-8, without the separator lines around it

	// Node is the document's value with lines and columns of the whole file; nil for a document that holds nothing but
	// comments, and in the result of [Separate].
	Node *yaml.Node
}

// Split separates the documents of one file and parses each. Documents that hold only comments are left out. The error
// joins one [*Error] per document that is not YAML or is beyond a bound; the other documents are returned beside it.
func Split(file string, data []byte) ([]Document, error) {
	separate, err := Separate(file, data)
	if err != nil {
		return nil, err
	}
	var docs []Document
	var problems []error
	for _, doc := range separate {
		if err := doc.parse(); err != nil {
			problems = append(problems, err)
			continue
		}
		if doc.Node != nil {
			docs = append(docs, doc)
		}
	}
	return docs, errors.Join(problems...)
}

// Separate cuts a file at its "---" and "..." lines without parsing it. UTF-16 files with a byte order mark are turned
// into UTF-8. It fails only for files beyond a bound.
func Separate(file string, data []byte) ([]Document, error) {
	if len(data) > MaxFileSize {
		return nil, bound(file, 0, fmt.Sprintf("the file has %d bytes, more than the %d that are read", len(data), MaxFileSize))
	}
	data = toUTF8(data)
	var docs []Document
	start, startLine, line := 0, 1, 0
	flush := func(end, nextStart, nextLine int) {
		if raw := data[start:end]; len(bytes.TrimSpace(raw)) > 0 {
			docs = append(docs, Document{File: file, Line: startLine, Raw: raw})
		}
		start, startLine = nextStart, nextLine
	}
	for pos := 0; pos < len(data); {
		line++
		end := len(data)
		if i := bytes.IndexByte(data[pos:], '\n'); i >= 0 {
			end = pos + i + 1
		}
		switch text := data[pos:end]; {
		case isMarker(text, "---"):
			if bytes.HasPrefix(bytes.TrimSpace(data[start:pos]), []byte("%")) {
				break // the lines before are directives of this very document
			}
			flush(pos, pos, line)
			// What follows the marker on its own line belongs to the document.
			if len(bytes.TrimSpace(text[3:])) == 0 {
				start, startLine = end, line+1
			}
		case isMarker(text, "..."):
			flush(pos, end, line+1)
		}
		if len(docs) > MaxDocuments {
			return nil, bound(file, line, fmt.Sprintf("the file has more than %d documents", MaxDocuments))
		}
		pos = end
	}
	flush(len(data), len(data), line)
	return docs, nil
}

func isMarker(line []byte, marker string) bool {
	if !bytes.HasPrefix(line, []byte(marker)) {
		return false
	}
	return len(line) == 3 || line[3] == ' ' || line[3] == '\t' || line[3] == '\n' || line[3] == '\r'
}

func bound(file string, line int, problem string) *Error {
	return &Error{File: file, Line: line, Problem: problem, Remedy: "split the file", Cause: ErrBound}
}

func toUTF8(data []byte) []byte {
	big := bytes.HasPrefix(data, []byte{0xfe, 0xff})
	if !big && !bytes.HasPrefix(data, []byte{0xff, 0xfe}) {
		return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	}
	units := make([]uint16, 0, len(data)/2)
	for i := 2; i+1 < len(data); i += 2 {
		if big {
			units = append(units, uint16(data[i])<<8|uint16(data[i+1]))
		} else {
			units = append(units, uint16(data[i+1])<<8|uint16(data[i]))
		}
	}
	return []byte(string(utf16.Decode(units)))
}

var yamlErrorLine = regexp.MustCompile(`^yaml: (?:unmarshal errors:\n\s*)?(?:line (\d+): )?`)

// parse fills in Node. It leaves Node nil for a document without a value.
func (d *Document) parse() (err error) {
	defer func() {
		// The YAML library reports some malformed input by panicking with its own internal state.
		if r := recover(); r != nil {
			err = &Error{File: d.File, Line: d.Line, Problem: fmt.Sprintf("not YAML: %v", r)}
		}
	}()
	var root yaml.Node
	if err := yaml.Unmarshal(d.Raw, &root); err != nil {
		return d.syntaxError(err)
	}
	if root.Kind != yaml.DocumentNode || len(root.Content) == 0 {
		return nil
	}
	node := root.Content[0]
	if node.Kind == yaml.ScalarNode && node.Tag == "!!null" && node.Value == "" {
		return nil
	}
	if err := d.place(node, 0); err != nil {
		return err
	}
	budget := MaxExpansion
	if err := d.expand(node, nil, &budget); err != nil {
		return err
	}
	d.Node = node
	return nil
}

func (d *Document) syntaxError(err error) *Error {
	text := err.Error()
	line := d.Line
	if m := yamlErrorLine.FindStringSubmatch(text); m != nil {
		if n, convErr := strconv.Atoi(m[1]); convErr == nil {
			line = d.Line + n - 1
		}
		text = text[len(m[0]):]
	}
	return &Error{File: d.File, Line: line, Problem: "not YAML: " + text, Cause: err}
}

// place moves the node's lines from the document to the file and bounds the nesting.
func (d *Document) place(n *yaml.Node, depth int) error {
	n.Line += d.Line - 1
	if depth > MaxDepth {
		return bound(d.File, n.Line, fmt.Sprintf("the document nests deeper than %d levels", MaxDepth))
	}
	for _, child := range n.Content {
		if err := d.place(child, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// expand counts what aliases add and refuses an alias inside its own anchor. Without aliases it costs one walk.
func (d *Document) expand(n *yaml.Node, open []*yaml.Node, budget *int) error {
	if n.Kind == yaml.AliasNode {
		if slices.Contains(open, n.Alias) {
			return &Error{File: d.File, Line: n.Line, Column: n.Column, Problem: fmt.Sprintf("alias *%s stands inside its own anchor", n.Value), Cause: ErrBound}
		}
		return d.expand(n.Alias, append(open, n.Alias), budget)
	}
	if n.Anchor != "" {
		open = append(open, n)
	}
	if len(open) > 0 {
		if *budget--; *budget < 0 {
			return &Error{File: d.File, Line: d.Line, Problem: fmt.Sprintf("aliases expand to more than %d values", MaxExpansion), Remedy: "write the values out or split the file", Cause: ErrBound}
		}
	}
	for _, child := range n.Content {
		if err := d.expand(child, open, budget); err != nil {
			return err
		}
	}
	return nil
}

// GroupKind returns the group and kind that the document names, "" for what it does not name.
func (d Document) GroupKind() Kind {
	if d.Node == nil || d.Node.Kind != yaml.MappingNode {
		return Kind{}
	}
	_, apiVersion := Child(d.Node, "apiVersion")
	_, kind := Child(d.Node, "kind")
	var out Kind
	if kind != nil {
		out.Kind = kind.Value
	}
	if apiVersion != nil {
		if group, _, found := strings.Cut(apiVersion.Value, "/"); found {
			out.Group = group
		}
	}
	return out
}

// Find returns the key and value nodes at a dotted path such as "spec.vars[2].name", nil and nil when the path does not
// exist. The key node of a sequence element is the element itself. Keys that contain dots cannot be found this way.
func (d Document) Find(path string) (key, value *yaml.Node) {
	key, value = d.Node, d.Node
	for segment := range strings.SplitSeq(path, ".") {
		name, rest, _ := strings.Cut(segment, "[")
		if name != "" {
			if key, value = Child(value, name); value == nil {
				return nil, nil
			}
		}
		for index := range strings.SplitSeq(strings.TrimSuffix(rest, "]"), "][") {
			if index == "" {
				continue
			}
			i, err := strconv.Atoi(index)
			value = Resolve(value)
			if err != nil || value == nil || value.Kind != yaml.SequenceNode || i < 0 || i >= len(value.Content) {
				return nil, nil
			}
			key, value = value.Content[i], value.Content[i]
		}
	}
	return key, value
}

// Child returns the key and value nodes of one key of a mapping, nil and nil when there is none. Merge keys are followed;
// a key written in the mapping itself wins over a merged one.
func Child(mapping *yaml.Node, name string) (key, value *yaml.Node) {
	for _, p := range pairs(mapping) {
		if p.key.Value == name {
			return p.key, Resolve(p.value)
		}
	}
	return nil, nil
}

// Resolve follows an alias to the node it stands for.
func Resolve(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

type pair struct{ key, value *yaml.Node }

// pairs lists the keys and values of a mapping, the mapping's own first, then those that merge keys add.
func pairs(n *yaml.Node) []pair {
	n = Resolve(n)
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	own := make([]pair, 0, len(n.Content)/2)
	var merged []pair
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Tag != "!!merge" {
			own = append(own, pair{n.Content[i], n.Content[i+1]})
			continue
		}
		switch source := Resolve(n.Content[i+1]); source.Kind {
		case yaml.SequenceNode:
			for _, item := range source.Content {
				merged = append(merged, pairs(item)...)
			}
		default:
			merged = append(merged, pairs(source)...)
		}
	}
	if merged == nil {
		return own
	}
	seen := map[string]bool{}
	for _, p := range own {
		seen[p.key.Value] = true
	}
	for _, p := range merged {
		if !seen[p.key.Value] {
			seen[p.key.Value] = true
			own = append(own, p)
		}
	}
	return own
}
