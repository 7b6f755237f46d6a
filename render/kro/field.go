package kro

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubernetes-sigs/kro/pkg/simpleschema"
	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/internal/nearest"
	"github.com/lockkeeper/lockkeeper/render/finding"
)

// checkFields tries every field of the instance schema by itself, so that each wrong one is reported at its own line. A
// field without a type would let kro reject the whole definition, and everything that its instances deploy with it.
func (d *Definition) checkFields(v Version) {
	if !d.typed {
		return // kro's builder says what is wrong with them
	}
	_, node := d.doc.Find("spec.schema.spec")
	if node == nil || node.Kind != yaml.MappingNode {
		return
	}
	if s := newSizes(d.types); s.of(manifest.Free(node))+s.of(d.types) > maxFields {
		d.findings = append(d.findings, d.finding(finding.Error, "definition-too-large",
			fmt.Sprintf("%sits schema has more than %d fields, those of its types counted wherever they are used", d.rejects(), maxFields), "make it smaller", "spec.schema.spec"))
		return
	}
	c := fieldCheck{definition: d, change: func(text string) string { return text }, types: make(map[string]any, len(d.types))}
	if v.before(withStrictTexts) {
		c.change = trimmed
	}
	for name, written := range d.types {
		c.types[name] = changedTexts(runtime.DeepCopyJSONValue(written), c.change)
	}
	if fields, ok := changedTexts(manifest.Free(node), c.change).(map[string]any); !ok || c.try(fields) == nil {
		return
	}
	c.fields(node, "spec.schema.spec")
}

// fieldCheck looks for the wrong ones among the fields of a schema.
type fieldCheck struct {
	definition *Definition
	types      map[string]any
	change     func(string) string // makes of a field what the version of kro makes of it
	tried      int                 // fields and types looked at
}

// maxTried bounds how many fields and types are looked at to find the wrong ones.
const maxTried = 200_000

func (c *fieldCheck) try(fields map[string]any) error {
	_, err := simpleschema.ToOpenAPISpec(fields, c.types)
	return err
}

func (c *fieldCheck) fields(node *yaml.Node, path string) {
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], manifest.Resolve(node.Content[i+1])
		at := path + "." + key.Value
		if value.Kind == yaml.MappingNode {
			c.fields(value, at)
			continue
		}
		if c.tried += 1 + len(c.types); c.tried > maxTried {
			return // kro's builder says what is wrong, without the place
		}
		err := c.try(map[string]any{key.Value: changedTexts(manifest.Free(value), c.change)})
		if err == nil {
			continue
		}
		d := c.definition
		f := d.finding(finding.Error, "invalid-schema-field", fmt.Sprintf("%s%s: %v", d.rejects(), at, err), remedyForField(key.Value, value, c.types), "")
		f.Line, f.Column = key.Line, key.Column
		d.findings = append(d.findings, f)
	}
}

// sizes counts the fields that types stand for, which types that hold one another can make many of.
type sizes struct {
	types map[string]any
	known map[string]int
}

func newSizes(types map[string]any) sizes { return sizes{types: types, known: map[string]int{}} }

// of counts the fields of a schema, up to a little more than maxFields.
func (s sizes) of(schema any) int {
	switch v := schema.(type) {
	case map[string]any:
		n := 0
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if n += 1 + s.of(v[name]); n > maxFields {
				return maxFields + 1
			}
		}
		return n
	case string:
		return s.ofType(v)
	}
	return 0
}

func (s sizes) ofType(text string) int {
	name, _, _ := strings.Cut(text, "|")
	name = strings.TrimSpace(name)
	for {
		inner, list := strings.CutPrefix(name, "[]")
		inner, dictionary := strings.CutPrefix(inner, "map[string]")
		if name = inner; !list && !dictionary {
			break
		}
	}
	if n, ok := s.known[name]; ok {
		return n
	}
	s.known[name] = 0 // a type inside of itself, which kro rejects
	n := s.of(s.types[name])
	s.known[name] = n
	return n
}

var builtinTypes = []string{"string", "integer", "boolean", "float", "object"}

func remedyForField(name string, value *yaml.Node, types map[string]any) string {
	if value.Kind == yaml.ScalarNode && value.Tag == "!!str" && value.Value != "" {
		written, _, _ := strings.Cut(value.Value, "|")
		known := append([]string{}, builtinTypes...)
		for t := range types {
			known = append(known, t)
		}
		if near := nearest.Of(strings.TrimSpace(written), known); near != "" && near != strings.TrimSpace(written) {
			return fmt.Sprintf("did you mean %q?", near)
		}
		return `write it as "type | marker=value"; types are ` + strings.Join(builtinTypes, ", ")
	}
	return fmt.Sprintf("a field needs a type: write %q, or another of %s", name+": "+guessType(value), strings.Join(builtinTypes, ", "))
}

func guessType(value *yaml.Node) string {
	switch value.Tag {
	case "!!int":
		return "integer | default=" + value.Value
	case "!!float":
		return "float | default=" + value.Value
	case "!!bool":
		return "boolean | default=" + value.Value
	}
	return "string"
}
