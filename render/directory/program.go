package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/json"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/finding"
	"github.com/lockkeeper/lockkeeper/render/jsonnet"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// isProgram reports whether a file is evaluated. Libraries (.libsonnet) are only imported.
func isProgram(name string) bool { return strings.HasSuffix(name, ".jsonnet") }

// programs evaluates Jsonnet files and returns the objects of each. Those beyond a bound of ours Argo CD may well render: what
// they make is unknown, and the other files are not.
func (r *renderer) programs(ctx context.Context, files []string) (map[string][]object.Object, error) {
	evaluate := r.req.Jsonnet.Evaluate
	if evaluate == nil {
		evaluate = jsonnet.Evaluate
	}
	out, err := evaluate(ctx, jsonnet.Request{
		Tree: r.req.Tree, Dir: r.req.Path, Files: files, Libs: r.req.Jsonnet.Libs, TLAs: r.req.Jsonnet.TLAs, ExtVars: r.req.Jsonnet.ExtVars,
	})
	for _, input := range out.Inputs {
		if !slices.Contains(r.out.Inputs, input) {
			r.out.Inputs = append(r.out.Inputs, input)
		}
	}
	if errors.Is(err, manifest.ErrBound) {
		r.out.Partial = true
		for _, f := range finding.FromError("not-rendered-offline", err) {
			if f.File == "" {
				f.File = files[0]
			}
			f.Severity = finding.Warning
			f.Message += ": what it deploys is not shown"
			r.out.Findings = append(r.out.Findings, f)
		}
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	made := map[string][]object.Object{}
	for _, document := range out.Documents {
		if made[document.File], err = parsePrinted(document.File, document.JSON); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// parsePrinted reads what a program prints: one object, or a list of them in which null is nothing.
func parsePrinted(name string, data []byte) ([]object.Object, error) {
	var printed any
	if err := json.Unmarshal(data, &printed); err != nil {
		return nil, &manifest.Error{File: name, Problem: fmt.Sprintf("what the program makes is not JSON: %v", err), Cause: err}
	}
	all, isList := printed.([]any)
	if !isList {
		all = []any{printed}
	}
	var objects []object.Object
	for i, value := range all {
		if value == nil {
			continue
		}
		fields, ok := value.(map[string]any)
		if !ok {
			return nil, &manifest.Error{File: name, Problem: fmt.Sprintf("value %d of what the program makes is no object: Argo CD takes one object or a list of objects, without lists in it", i+1), Remedy: "join lists with +, or by std.flattenArrays"}
		}
		if kind, _ := fields["kind"].(string); kind == "" {
			return nil, &manifest.Error{File: name, Problem: fmt.Sprintf("object %d of what the program makes has no kind", i+1), Remedy: "return Kubernetes objects; a map of them becomes a list by std.objectValues"}
		}
		objects = flatten(objects, fields, object.Source{File: name, Via: "Jsonnet"})
	}
	return objects, nil
}
