package argocd

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// generatorKinds are the generators that Argo CD knows.
var generatorKinds = []string{"clusterDecisionResource", "clusters", "git", "list", "matrix", "merge", "plugin", "pullRequest", "scmProvider"}

// A generatorError says what is wrong with what a generator says and what to write instead.
type generatorError struct{ problem, remedy string }

func (e *generatorError) Error() string { return e.problem }

type gitSpec struct {
	RepoURL         string            `json:"repoURL"`
	Revision        string            `json:"revision"`
	Directories     []directoryItem   `json:"directories"`
	Files           []directoryItem   `json:"files"`
	PathParamPrefix string            `json:"pathParamPrefix"`
	Values          map[string]string `json:"values"`
	Template        any               `json:"template"`
}

type directoryItem struct {
	Path    string `json:"path"`
	Exclude bool   `json:"exclude"`
}

type listSpec struct {
	Elements     []any  `json:"elements"`
	ElementsYAML string `json:"elementsYaml"`
	Template     any    `json:"template"`
}

// decodeAt decodes one node of a document into a struct.
func decodeAt(doc manifest.Document, n *yaml.Node, into any) error {
	return manifest.DecodeKnown(manifest.Document{File: doc.File, Line: n.Line, Node: n}, into)
}

// listParams evaluates a list generator.
func (d dialect) listParams(doc manifest.Document, n *yaml.Node) ([]params, error) {
	var spec listSpec
	if err := decodeAt(doc, n, &spec); err != nil {
		return nil, err
	}
	elements := spec.Elements
	if spec.ElementsYAML != "" {
		more, err := fromYAMLArray(spec.ElementsYAML)
		if err != nil {
			return nil, at(manifest.Document{File: doc.File, Line: n.Line, Node: n}, "elementsYaml", fmt.Sprintf("elementsYaml is not a list: %v", err), "")
		}
		elements = append(elements, more...)
	}
	var out []params
	for i, element := range elements {
		values, ok := element.(map[string]any)
		if !ok {
			return nil, listProblem(doc, n, i, "is not a mapping")
		}
		if d.goTemplate {
			floats(values)
			out = append(out, values)
			continue
		}
		flat := params{}
		for _, key := range slices.Sorted(maps.Keys(values)) {
			inner, isMap := values[key].(map[string]any)
			if !isMap || key != "values" {
				inner, key = map[string]any{key: values[key]}, ""
			}
			for _, name := range slices.Sorted(maps.Keys(inner)) {
				text, ok := inner[name].(string)
				at := strings.TrimPrefix(key+"."+name, ".")
				if !ok {
					return nil, listProblem(doc, n, i, fmt.Sprintf("has %s: %v, which is not a string", at, inner[name]))
				}
				flat[at] = text
			}
		}
		out = append(out, flat)
	}
	return out, nil
}

func listProblem(doc manifest.Document, n *yaml.Node, i int, problem string) error {
	place := manifest.Document{File: doc.File, Line: n.Line, Node: n}
	return at(place, fmt.Sprintf("elements[%d]", i), fmt.Sprintf("element %d of the list generator %s", i+1, problem), "add quotes, or set goTemplate: true")
}

// directoryParams is what a git generator knows about one folder.
func (d dialect) directoryParams(ctx context.Context, dir string, spec gitSpec, around params) (params, error) {
	p := d.pathParams(dir, spec.PathParamPrefix)
	return p, d.addValues(ctx, p, spec.Values, around)
}

// addValues adds a generator's own values to one of its sets. They may use the set itself and the sets around it in a matrix,
// but not each other.
func (d dialect) addValues(ctx context.Context, p params, values map[string]string, around params) error {
	if len(values) == 0 {
		return nil
	}
	filled := make(map[string]any, len(values))
	known := overlaid(p, around)
	for _, key := range sortedKeys(values) {
		text, err := d.fill(ctx, values[key], known, func(string) {})
		if err != nil {
			return fmt.Errorf("values.%s: %w", key, err)
		}
		filled[key] = text
	}
	if d.goTemplate {
		p["values"] = filled
		return nil
	}
	for key, text := range filled {
		p["values."+key] = text
	}
	return nil
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (d dialect) pathParams(dir, prefix string) params {
	base := path.Base(dir)
	segments := strings.Split(dir, "/")
	if d.goTemplate {
		list := make([]any, len(segments))
		for i, s := range segments {
			list[i] = s
		}
		p := map[string]any{"path": map[string]any{
			"path": dir, "basename": base, "basenameNormalized": SanitizeName(base), "segments": list,
		}}
		if prefix != "" {
			return params{prefix: p}
		}
		return p
	}
	name := "path"
	if prefix != "" {
		name = prefix + ".path"
	}
	p := params{name: dir, name + ".basename": base, name + ".basenameNormalized": SanitizeName(base)}
	for i, s := range segments {
		p[name+"["+strconv.Itoa(i)+"]"] = s
	}
	return p
}
