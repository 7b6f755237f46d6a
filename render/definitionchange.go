package render

import (
	"github.com/lockkeeper/lockkeeper/render/finding"
	"github.com/lockkeeper/lockkeeper/render/kro"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// definitionFindings says what kro or the API server refuses of changed definitions, and which instances keep old defaults.
func (c *comparing) definitionFindings(apps []AppComparison) []Finding {
	if c.before.key == c.after.key {
		return nil
	}
	changes := kro.Compare(c.before.program, c.after.program)
	findings := changes.Findings
	for _, changed := range changes.Defaults {
		if kept := keepers(changed, apps); len(kept) > 0 {
			findings = append(findings, changed.Finding(kept))
		}
	}
	return finding.Sort(findings)
}

// keepers names the instances that keep a default which is another one at head.
func keepers(changed kro.DefaultChange, apps []AppComparison) []string {
	var names []string
	for _, app := range apps {
		if app.Base == nil || app.Head == nil {
			continue
		}
		was := map[object.ID]object.Object{}
		for _, o := range app.Base.Objects {
			if changed.Of(o) {
				was[o.ID()] = o
			}
		}
		for _, o := range app.Head.Objects {
			if before, ok := was[o.ID()]; ok && changed.Keeps(before, o) {
				names = append(names, o.ID().String()+" of application "+app.Name)
			}
		}
	}
	return names
}
