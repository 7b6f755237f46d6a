package imageupdater

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// What Image Updater sets when no annotation names a parameter.
const (
	defaultImageName = "image.name"
	defaultImageTag  = "image.tag"
)

// helmWrite is one parameter of Helm and its new value.
type helmWrite struct {
	parameter string
	at        annotation // that names it
	value     string
	optional  bool // it holds no version, and is written only where it stands already
}

// helmWrites are the parameters of one image: the one for all of it, or those for its name and its tag.
func (a *application) helmWrites(one image) []helmWrite {
	if spec, ok := a.option(one.alias, helmImageSpec); ok {
		return []helmWrite{{parameter: spec.value, at: spec, value: one.reference()}}
	}
	name, hasName := a.option(one.alias, helmImageName)
	tag, hasTag := a.option(one.alias, helmImageTag)
	if !hasName {
		name = annotation{name: helmImageName, value: defaultImageName, at: a.list().at}
	}
	if !hasTag {
		tag = annotation{name: helmImageTag, value: defaultImageTag, at: a.list().at}
	}
	return []helmWrite{
		{parameter: name.value, at: name, value: one.repo, optional: true},
		{parameter: tag.value, at: tag, value: one.tag(true)},
	}
}

// valuesUpdates are the values to set in a file of values. There an alias needs annotations, and the name of an image is set
// where one asks for it.
func (a *application) valuesUpdates(images []image) ([]update, bool) {
	var updates []update
	complete := true
	for _, one := range images {
		_, hasSpec := a.option(one.alias, helmImageSpec)
		_, hasName := a.option(one.alias, helmImageName)
		if _, hasTag := a.option(one.alias, helmImageTag); !hasTag && !hasSpec && one.alias != "" {
			complete = false
			a.fail(a.annotations[writeBackTarget], "missing-annotation", fmt.Sprintf("no annotation says which value holds the tag of image %q", one.repo),
				fmt.Sprintf("add %s%s: <key>", prefix, annotationName(one.alias, helmImageTag)))
			continue
		}
		for _, write := range a.helmWrites(one) {
			if write.optional && !hasName {
				continue
			}
			key, ok := a.helmKey(write)
			complete = complete && ok
			updates = append(updates, update{key.key(), write.value})
		}
	}
	return updates, complete
}

// helmKey reads the key of a parameter.
func (a *application) helmKey(write helmWrite) (helmPath, bool) {
	key, err := parseHelmPath(write.parameter)
	if err != nil {
		a.fail(write.at, "invalid-key", fmt.Sprintf("%s is no key of Helm values: %v", write.at.name, err), "write it like image.tag or images[0].tag")
	}
	return key, err == nil
}

// helmPath is a key of Helm values, cut into its parts.
type helmPath []helmPart

type helmPart struct {
	text  string
	index bool // of a list
}

// parseHelmPath reads "image.tag", "images[0].tag" and `a\.b.c`.
func parseHelmPath(text string) (helmPath, error) {
	var out helmPath
	var part strings.Builder
	open := false // part belongs to out already when a bracket follows
	flush := func() error {
		if part.Len() == 0 && !open {
			return fmt.Errorf("%q has an empty part", text)
		}
		if part.Len() > 0 {
			out = append(out, helmPart{text: part.String()})
		}
		part.Reset()
		open = false
		return nil
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text) && text[i+1] != '\\':
			i++
			part.WriteByte(text[i])
		case c == '\\':
			return nil, fmt.Errorf("%q holds a backslash that escapes nothing", text)
		case c == '.':
			if err := flush(); err != nil {
				return nil, err
			}
		case c == '[':
			digits, _, closed := strings.Cut(text[i+1:], "]")
			if !closed || digits == "" || len(digits) > 6 || strings.Trim(digits, "0123456789") != "" || part.Len() == 0 && !open {
				return nil, fmt.Errorf("%q has a bracket that holds no index", text)
			}
			if err := flush(); err != nil {
				return nil, err
			}
			out, open = append(out, helmPart{digits, true}), true
			i += len(digits) + 1
			if i+1 < len(text) && text[i+1] != '.' && text[i+1] != '[' {
				return nil, fmt.Errorf("%q goes on behind a bracket without a dot", text)
			}
		default:
			part.WriteByte(c)
		}
	}
	return out, flush()
}

// key writes the path as yaml-update reads it.
func (p helmPath) key() string {
	texts := make([]string, len(p))
	for i, part := range p {
		texts[i] = strings.ReplaceAll(part.text, ".", `\.`)
		if !part.index && (strings.Trim(part.text, "0123456789") == "" || strings.HasPrefix(part.text, ":")) {
			texts[i] = ":" + texts[i]
		}
	}
	return strings.Join(texts, ".")
}

// in reports whether there is a value at the path.
func (p helmPath) in(n *yaml.Node) bool {
	for _, part := range p {
		n = manifest.Resolve(n)
		switch {
		case n == nil:
			return false
		case !part.index:
			_, n = manifest.Child(n, part.text)
		case n.Kind != yaml.SequenceNode:
			return false
		default:
			i := 0
			for _, digit := range part.text {
				i = i*10 + int(digit-'0')
			}
			if i >= len(n.Content) {
				return false
			}
			n = n.Content[i]
		}
	}
	return n != nil && manifest.Resolve(n).Kind == yaml.ScalarNode
}
