package drift

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/diff"
)

// content compares a file that both folders have.
func (p *pairing) content(name string) (File, bool, error) {
	file := File{Name: name, Kind: Differs}
	before, note, err := p.read(p.from + "/" + name)
	if err != nil {
		return file, false, err
	}
	after, alsoNote, err := p.read(p.to + "/" + name)
	if err != nil {
		return file, false, err
	}
	switch {
	case note != "" || alsoNote != "":
		if file.Note = note; note == "" {
			file.Note = alsoNote
		}
		return file, true, nil
	case bytes.Equal(before, after) && len(p.trails(name)) == 0:
		return file, false, nil
	case !isStructured(name):
		file.Note = "content differs"
		return file, !bytes.Equal(before, after), nil
	}
	base, baseErr := documents(name, before)
	head, headErr := documents(name, after)
	if err := errors.Join(baseErr, headErr); err != nil {
		file.Note = "content differs, and is not YAML"
		return file, !bytes.Equal(before, after), nil
	}
	p.keys(&file, base, head)
	return file, len(file.Keys)+file.More > 0, nil
}

// read returns a file, or why it is not compared.
func (p *pairing) read(name string) ([]byte, string, error) {
	info, err := fs.Stat(p.tree, name)
	if err != nil {
		return nil, "", fmt.Errorf("read %q: %w", name, err)
	}
	if info.Size() > manifest.MaxFileSize {
		return nil, fmt.Sprintf("not compared: larger than %d MiB", manifest.MaxFileSize>>20), nil
	}
	if p.bytes -= info.Size(); p.bytes < 0 {
		return nil, fmt.Sprintf("not compared: more than %d MiB in all", maxBytes>>20), nil
	}
	data, err := manifest.ReadFile(p.tree, name)
	return data, "", err
}

// keys compares the documents of a file.
func (p *pairing) keys(file *File, base, head []document) {
	trails := p.trails(file.Name)
	single := len(base) < 2 && len(head) < 2
	for _, pair := range pairDocuments(base, head) {
		for _, change := range p.changes(pair, trails) {
			if len(file.Keys) >= maxKeys {
				file.More++
				continue
			}
			key := Key{FieldChange: p.bounded(change)}
			if !single {
				key.Document = pair.label()
			}
			file.Keys = append(file.Keys, key)
		}
	}
}

// changes compares two documents without what is excluded.
func (p *pairing) changes(pair documentPair, trails []trail) []diff.FieldChange {
	without := func(v any) (any, bool) { return prune(v, trails, func(i int) { p.used[i] = true }) }
	switch {
	case pair.base != nil && pair.head != nil:
		return diff.Values(pair.base.value, pair.head.value, without)
	case pair.base != nil:
		if _, ok := without(pair.base.value); ok {
			return []diff.FieldChange{{Kind: diff.Removed}}
		}
	default:
		if _, ok := without(pair.head.value); ok {
			return []diff.FieldChange{{Kind: diff.Added}}
		}
	}
	return nil
}

// tooLong stands for a value that is not shown because of its size.
const tooLong = "<too long to show>"

// bounded leaves out values that are too long to be kept.
func (p *pairing) bounded(f diff.FieldChange) diff.FieldChange {
	f.Before, f.After = p.kept(f.Before), p.kept(f.After)
	return f
}

func (p *pairing) kept(v any) any {
	n := size(v, maxValue)
	if n > maxValue || n > p.shown {
		return tooLong
	}
	p.shown -= n
	return v
}

// size is about how many bytes a value takes to print, counted no further than the limit.
func size(v any, limit int) int {
	n := 8
	switch v := v.(type) {
	case string:
		n += len(v)
	case map[string]any:
		for key, child := range v {
			if n += len(key) + size(child, limit-n); n > limit {
				break
			}
		}
	case []any:
		for _, child := range v {
			if n += size(child, limit-n); n > limit {
				break
			}
		}
	}
	return n
}
