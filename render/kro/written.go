package kro

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// Template returns the template of the resource that an object was made from, and the file of its definition. via is the
// object's [object.Source.Via]; ok is false when it names none of the definitions.
func (p *Program) Template(via string) (file string, template *yaml.Node, ok bool) {
	const mark = "kro "
	_, made, isMade := strings.Cut(via, mark)
	if i := strings.LastIndex(via, mark); isMade && i >= 0 {
		made = via[i+len(mark):]
	}
	kind, rest, isMade := strings.Cut(made, "/")
	if !isMade {
		return "", nil, false
	}
	id, _, _ := strings.Cut(rest, " ")
	for gvk, c := range p.kinds {
		if gvk.Kind != kind {
			continue
		}
		d := &c.definition
		for i := range d.resources() {
			at := fmt.Sprintf("spec.resources[%d].", i)
			if _, name := d.doc.Find(at + "id"); name == nil || name.Value != id {
				continue
			}
			if _, template := d.doc.Find(at + "template"); template != nil {
				return d.doc.File, manifest.Resolve(template), true
			}
		}
	}
	return "", nil, false
}

// resources is how many resources the definition has.
func (d *Definition) resources() int {
	if d.rgd == nil {
		return 0
	}
	return len(d.rgd.Spec.Resources)
}
