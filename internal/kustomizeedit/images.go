// Package kustomizeedit changes the images of a kustomization file and not one other byte.
//
// It owns what an entry of "images" becomes when a new version is promoted. How bytes are changed is package yamledit's;
// building a kustomization is render/kustomize's.
package kustomizeedit

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/yamledit"
)

// Keep as a NewName, NewTag or Digest keeps what the file says.
const Keep = "*"

// Image says what the entry of one image is to be. A field that is "" is removed from the entry, as the entry is replaced
// by Kargo's kustomize-set-image; [Keep] keeps it.
type Image struct {
	Name    string // required; what manifests call the image, without tag
	NewName string
	NewTag  string
	Digest  string
}

// Change is what became of one entry.
type Change struct {
	Name          string // of the image
	Key           string // of the entry, such as "images.2"
	Before, After string // as a reference, such as "ghcr.io/acme/web:1.2@sha256:…"; Before is "" when the entry is new
}

// entry is one element of images. Other fields are none of this package's business.
type entry struct {
	Name      string `yaml:"name"`
	NewName   string `yaml:"newName"`
	NewTag    string `yaml:"newTag"`
	TagSuffix string `yaml:"tagSuffix"`
	Digest    string `yaml:"digest"`
}

// String writes the image that the entry makes of its name.
func (e entry) String() string {
	text := e.Name
	if e.NewName != "" {
		text = e.NewName
	}
	if e.NewTag != "" {
		text += ":" + e.NewTag
	}
	if e.Digest != "" {
		text += "@" + e.Digest
	}
	return text
}

// SetImages sets the entries of the images, all or none. Existing entries stay where they are, and an image that has
// several gets all of them changed. Entries that are missing come behind the others, sorted by name; what would be an
// entry of nothing but a name is not written. Errors about the file are [*yamledit.Error]; data is never modified.
func SetImages(data []byte, images []Image) ([]byte, []Change, error) {
	images = slices.Clone(images)
	slices.SortStableFunc(images, func(a, b Image) int { return strings.Compare(a.Name, b.Name) })
	out := slices.Clone(data)
	var changes []Change
	for i, image := range images {
		if image.Name == "" {
			return nil, nil, errors.New("an image has no name")
		}
		if i > 0 && images[i-1].Name == image.Name {
			return nil, nil, fmt.Errorf("image %q is set twice", image.Name)
		}
		var made []Change
		var err error
		if out, made, err = set(out, image); err != nil {
			return nil, nil, fmt.Errorf("image %q: %w", image.Name, err)
		}
		changes = append(changes, made...)
	}
	return out, changes, nil
}

// set changes or adds the entries of one image.
func set(data []byte, image Image) ([]byte, []Change, error) {
	entries, err := read(data)
	if err != nil {
		return nil, nil, err
	}
	var changes []Change
	for i, old := range entries {
		if old.Name != image.Name {
			continue
		}
		key := fmt.Sprintf("images.%d", i)
		if data, err = update(data, key, old, image); err != nil {
			return nil, nil, err
		}
		changes = append(changes, Change{Name: image.Name, Key: key, Before: old.String(), After: image.over(old).String()})
	}
	if changes != nil {
		return data, changes, nil
	}
	fresh := image.over(entry{Name: image.Name})
	if fresh == (entry{Name: image.Name}) {
		return data, nil, nil
	}
	key := fmt.Sprintf("images.%d", len(entries))
	data, err = add(data, key, fresh)
	return data, []Change{{Name: image.Name, Key: key, After: fresh.String()}}, err
}

// read lists the entries of the first document with content, which is the one that is edited.
func read(data []byte) ([]entry, error) {
	if _, err := yamledit.Get(data, "images"); err != nil && !errors.Is(err, yamledit.ErrKeyNotFound) && !errors.Is(err, yamledit.ErrNotScalar) {
		return nil, err
	}
	var file struct {
		Images []entry `yaml:"images"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		return nil, &yamledit.Error{Key: "images", Problem: "the images cannot be read: " + strings.TrimPrefix(err.Error(), "yaml: "), Remedy: "write a list of mappings with name, newName, newTag and digest"}
	}
	return file.Images, nil
}

// over is the entry that old becomes.
func (i Image) over(old entry) entry {
	pick := func(want, have string) string {
		if want == Keep {
			return have
		}
		return want
	}
	out := entry{Name: old.Name, NewName: pick(i.NewName, old.NewName), NewTag: pick(i.NewTag, old.NewTag), Digest: pick(i.Digest, old.Digest)}
	if out.NewTag == "" && out.Digest == "" {
		out.TagSuffix = old.TagSuffix
	}
	return out
}

// field is one field of an entry.
type field struct{ name, value string }

func (e entry) fields() []field {
	return []field{{"newName", e.NewName}, {"newTag", e.NewTag}, {"tagSuffix", e.TagSuffix}, {"digest", e.Digest}}
}

// update writes what differs. What is set comes first, so that the entry is never left with a name alone.
func update(data []byte, key string, old entry, image Image) ([]byte, error) {
	before, after := old.fields(), image.over(old).fields()
	var err error
	for i, f := range after {
		if f.value != "" && f.value != before[i].value {
			edit := yamledit.Edit{Key: key + "." + f.name, Value: yamledit.String(f.value), Create: true}
			if data, _, err = yamledit.Set(data, edit); err != nil {
				return nil, err
			}
		}
	}
	for i, f := range after {
		if f.value == "" && before[i].value != "" {
			if data, _, err = yamledit.Remove(data, key+"."+f.name); err != nil {
				return nil, err
			}
		}
	}
	return data, nil
}

func add(data []byte, key string, fresh entry) ([]byte, error) {
	edits := []yamledit.Edit{{Key: key + ".name", Value: yamledit.String(fresh.Name), Create: true}}
	for _, f := range fresh.fields() {
		if f.value != "" {
			edits = append(edits, yamledit.Edit{Key: key + "." + f.name, Value: yamledit.String(f.value), Create: true})
		}
	}
	out, _, err := yamledit.Set(data, edits...)
	return out, err
}
