package argocd

import (
	"reflect"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/finding"
)

// patched applies the ApplicationSet's templatePatch to a filled template. Lists are replaced, and the project stays.
func (e *expansion) patched(f *filler, filled *yaml.Node) *yaml.Node {
	text, err := e.dialect.fill(f.ctx, e.set.Spec.TemplatePatch, f.params, func(string) {})
	if err != nil {
		f.failed = true
		f.findings = append(f.findings, e.finding(finding.Error, "invalid-template", "spec.templatePatch", err.Error(), ""))
		return filled
	}
	docs, err := manifest.Split(e.doc.File, []byte(text))
	switch {
	case err == nil && len(docs) == 0:
		return filled
	case err != nil || docs[0].Node.Kind != yaml.MappingNode:
		f.failed = true
		f.findings = append(f.findings, e.finding(finding.Error, "invalid-template", "spec.templatePatch", "templatePatch does not make a mapping", "write a patch of an Application"))
		return filled
	}
	whole, _ := manifest.Free(filled).(map[string]any)
	patch, _ := manifest.Free(docs[0].Node).(map[string]any)
	project := projectOf(whole)
	merged := mergePatch(whole, patch)
	if spec, ok := merged["spec"].(map[string]any); ok && !reflect.DeepEqual(spec["project"], project) {
		spec["project"] = project
	}
	var node yaml.Node
	if err := node.Encode(merged); err != nil {
		return filled
	}
	place(&node, filled.Line, filled.Column)
	return &node
}

func projectOf(application map[string]any) any {
	spec, _ := application["spec"].(map[string]any)
	return spec["project"]
}

// place gives nodes that were made the place of what they were made of.
func place(n *yaml.Node, line, column int) {
	n.Line, n.Column = line, column
	for _, child := range n.Content {
		place(child, line, column)
	}
}
