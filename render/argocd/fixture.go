package argocd

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/nearest"
	"github.com/lockkeeper/lockkeeper/render/finding"
)

// Fixture is what the generators of one kind in one ApplicationSet are told by whom they ask: a forge, a plugin or the cluster.
type Fixture struct {
	ApplicationSet string           // required; its name, or namespace/name
	Kind           string           // required; one of [FixtureKinds]
	Params         []map[string]any // values as JSON has them; empty means that the generator makes nothing
}

// FixtureKinds are the generators that ask something outside of the repository, in the order of their names.
func FixtureKinds() []string {
	return []string{"clusterDecisionResource", "plugin", "pullRequest", "scmProvider"}
}

// fixtureParams are the parameters of the kinds whose parameters Argo CD knows. Those not given are made of the others, or not
// there.
var fixtureParams = map[string][]string{
	"pullRequest": {
		"author", "branch", "branch_slug", "head_sha", "head_short_sha", "head_short_sha_7", "labels", "number", "target_branch", "target_branch_slug", "title",
	},
	"scmProvider": {"branch", "branchNormalized", "labels", "organization", "repository", "repository_id", "sha", "short_sha", "short_sha_7", "url"},
}

// FixtureProblem is something wrong with a Fixture.
type FixtureProblem struct {
	Path    string // such as params[0].branch
	Problem string
	Remedy  string
}

// Check reports what no generator of the kind would be told.
func (f Fixture) Check() []FixtureProblem {
	var problems []FixtureProblem
	if f.ApplicationSet == "" || strings.Count(f.ApplicationSet, "/") > 1 {
		problems = append(problems, FixtureProblem{"applicationSet", fmt.Sprintf("%q is no name of an ApplicationSet", f.ApplicationSet), "write its metadata.name"})
	}
	if !slices.Contains(FixtureKinds(), f.Kind) {
		remedy := "known are " + strings.Join(FixtureKinds(), ", ")
		if near := nearest.Of(f.Kind, FixtureKinds()); near != "" {
			remedy = fmt.Sprintf("did you mean %q?", near)
		}
		return append(problems, FixtureProblem{"kind", fmt.Sprintf("%q is no generator that has to be told its parameters", f.Kind), remedy})
	}
	for i, set := range f.Params {
		for _, key := range slices.Sorted(maps.Keys(set)) {
			if problem, remedy := checkParam(f.Kind, key, set[key]); problem != "" {
				problems = append(problems, FixtureProblem{fmt.Sprintf("params[%d].%s", i, key), problem, remedy})
			}
		}
	}
	return problems
}

func checkParam(kind, key string, value any) (problem, remedy string) {
	if known := fixtureParams[kind]; known != nil && !slices.Contains(known, key) {
		remedy = "known are " + strings.Join(known, ", ")
		if near := nearest.Of(key, known); near != "" {
			remedy = fmt.Sprintf("did you mean %q?", near)
		}
		return kind + " has no such parameter", remedy
	}
	switch v := value.(type) {
	case string:
		return "", ""
	case int64:
		if key == "number" || key == "repository_id" {
			return "", ""
		}
	case []any:
		if key == "labels" && fixtureParams[kind] != nil && !slices.ContainsFunc(v, func(item any) bool { _, text := item.(string); return !text }) {
			return "", ""
		}
	}
	if kind == "plugin" {
		return "", "" // it may answer anything
	}
	if key == "labels" && fixtureParams[kind] != nil {
		return "is not a list of strings", ""
	}
	return "is not a string", "add quotes"
}

// given returns what the settings tell a generator; false when they do not.
func (e *expansion) given(kind string) ([]map[string]any, bool) {
	for _, f := range e.in.Fixtures {
		if f.Kind == kind && (f.ApplicationSet == e.set.Metadata.Name || f.ApplicationSet == e.set.Metadata.Namespace+"/"+e.set.Metadata.Name) {
			return f.Params, true
		}
	}
	return nil, false
}

// fixtureSpec is what the generators have in common.
type fixtureSpec struct {
	Values map[string]string `json:"values"`
	Input  struct {
		Parameters any `json:"parameters"`
	} `json:"input"` // of a plugin
}

// told evaluates a generator that asks something outside of the repository by what the settings say it would be told.
func (e *expansion) told(ctx context.Context, kind string, node *yaml.Node, at string) ([]params, error) {
	given, ok := e.given(kind)
	if !ok {
		e.report(finding.Warning, "not-evaluated-offline", at, fmt.Sprintf("generator cannot be evaluated offline: only %s knows its parameters, so its applications are not shown", askedBy[kind]),
			fmt.Sprintf("write it in lockkeeper.yaml: generators: [{applicationSet: %s, kind: %s, params: [%s]}]", e.set.Metadata.Name, kind, exampleOf[kind]))
		return nil, errUnevaluated
	}
	var spec fixtureSpec
	if err := decodeAt(e.doc, node, &spec); err != nil {
		return nil, err
	}
	out := make([]params, 0, len(given))
	for _, set := range given {
		p := e.answer(kind, set)
		if kind == "plugin" && e.dialect.goTemplate {
			p["generator"] = map[string]any{"input": map[string]any{"parameters": floats(copied(spec.Input.Parameters))}}
		}
		if err := e.dialect.addValues(ctx, p, spec.Values, e.around); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

var askedBy = map[string]string{
	"clusterDecisionResource": "the cluster", "plugin": "the plugin", "pullRequest": "the forge", "scmProvider": "the forge",
}

var exampleOf = map[string]string{
	"clusterDecisionResource": "{name: …, server: …}", "plugin": "{…}", "pullRequest": `{number: "1", branch: …, head_sha: …}`,
	"scmProvider": "{organization: …, repository: …, url: …, branch: …, sha: …}",
}

// answer makes one parameter set of what the settings tell, in the types that Argo CD gives them.
func (e *expansion) answer(kind string, set map[string]any) params {
	p := params{}
	for key, value := range set {
		p[key] = floats(copied(value))
	}
	switch kind {
	case "pullRequest":
		if number, ok := set["number"].(int64); ok {
			p["number"] = fmt.Sprint(number)
		}
		p.derive("branch", "branch_slug", branchSlug)
		p.derive("target_branch", "target_branch_slug", branchSlug)
		p.derive("head_sha", "head_short_sha", first(8))
		p.derive("head_sha", "head_short_sha_7", first(7))
		if !e.dialect.goTemplate {
			delete(p, "labels")
		}
	case "scmProvider":
		if id, ok := set["repository_id"].(int64); ok {
			p["repository_id"] = int(id)
		}
		if labels, ok := set["labels"].([]any); ok {
			texts := make([]string, len(labels))
			for i, label := range labels {
				texts[i] = fmt.Sprint(label)
			}
			p["labels"] = strings.Join(texts, ",")
		}
		p.derive("branch", "branchNormalized", func(text string) (string, bool) { return SanitizeName(text), true })
		p.derive("sha", "short_sha", first(8))
		p.derive("sha", "short_sha_7", first(7))
	case "plugin":
		if !e.dialect.goTemplate {
			flat := params{}
			for key, text := range flatten("", map[string]any(p), map[string]string{}) {
				flat[key] = text
			}
			return flat
		}
	case "clusterDecisionResource":
		for _, c := range e.fleet.clusters {
			if _, known := p["server"]; !known && p["name"] == c.Name && c.Server != "" {
				p["server"] = c.Server
			}
		}
	}
	return p
}

// derive adds a parameter that is made of another one, unless it is there or cannot be told.
func (p params) derive(from, to string, how func(string) (string, bool)) {
	text, there := p[from].(string)
	if _, given := p[to]; given || !there {
		return
	}
	if made, ok := how(text); ok {
		p[to] = made
	}
}

func first(n int) func(string) (string, bool) {
	return func(text string) (string, bool) { return text[:min(n, len(text))], true }
}

// branchSlug is what Argo CD makes of the name of a branch (gosimple/slug with at most 50 characters and dashes for
// underscores). Letters beyond ASCII, for which that has tables, are not told.
func branchSlug(branch string) (string, bool) {
	if strings.ContainsFunc(branch, func(r rune) bool { return r > 0x7f }) {
		return "", false
	}
	text := strings.NewReplacer(`"`, "", "'", "", "&", "and", "@", "at").Replace(strings.TrimSpace(branch))
	slug, err := slugify(text)
	return slug, err == nil
}

// copied is a value that shares nothing with what it was.
func copied(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			out[key] = copied(item)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = copied(item)
		}
		return out
	}
	return v
}
