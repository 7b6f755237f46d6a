package discover

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
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
)

var errIndexTooLarge = errors.New("the index is larger than what is read")

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
	Version    string   `json:"version" yaml:"version"`
	Deprecated bool     `json:"deprecated" yaml:"deprecated"`
	URLs       []string `json:"urls" yaml:"urls"`
	Digest     string   `json:"digest" yaml:"digest"`
}

// version is what is kept of an entry.
func (e wholeEntry) version() chartVersion {
	const longest = 2000 // of an address
	out := chartVersion{text: e.Version, deprecated: e.Deprecated}
	if len(e.URLs) > 0 && len(e.URLs[0]) <= longest {
		out.at = e.URLs[0]
	}
	if sum, err := hex.DecodeString(strings.TrimPrefix(e.Digest, "sha256:")); err == nil && len(sum) == sha256.Size {
		out.sum = string(sum)
	}
	return out
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
	x[name] = append(x[name], entry.version())
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
