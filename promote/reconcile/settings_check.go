package reconcile

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/internal/nearest"
	"github.com/lockkeeper/lockkeeper/render"
	"github.com/lockkeeper/lockkeeper/render/check"
)

// CheckSettings is lockkeeper.yaml's checks.
type CheckSettings struct {
	// Schema says how bad it is that the API server would refuse an object: error, warning, or off, which does not look at
	// all. Default: error.
	Schema Word `json:"schema"`
}

// PolicySettings is one entry of lockkeeper.yaml's policies.
type PolicySettings struct {
	// Name is what the policy is called where it is broken.
	Name string `json:"name"`
	// Match says what it is about. Default: everything.
	Match PolicyMatch `json:"match"`
	// Rule is a CEL expression over object, and over oldObject where the object is there already. It must be true.
	Rule string `json:"rule"`
	// Message says what is wrong when it is not. Default: the rule.
	Message string `json:"message"`
	// Severity is error or warning. Default: error.
	Severity Word `json:"severity"`
}

// PolicyMatch is what a policy is about. In each list, * stands for any part of a name.
type PolicyMatch struct {
	// Kinds are such as apps/Deployment, and Service for those of the core group.
	Kinds []string `json:"kinds"`
	// Applications are names of Argo CD Applications.
	Applications []string `json:"applications"`
	// Clusters are names or servers of clusters.
	Clusters []string `json:"clusters"`
	// Namespaces are those that the objects are in.
	Namespaces []string `json:"namespaces"`
}

// Word is a word that needs no quotes, also where YAML takes it for something else, as it does with off.
type Word struct{ text string }

// UnmarshalYAML takes the word as it is written.
func (w *Word) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return errors.New("must be a word")
	}
	w.text = n.Value
	return nil
}

// The words of checks.schema and policies[].severity.
var (
	schemaModes = map[string]check.Mode{"": check.ModeError, "error": check.ModeError, "warning": check.ModeWarning, "off": check.ModeOff}
	severities  = map[string]render.Severity{"": render.Error, "error": render.Error, "warning": render.Warning}
)

// checkChecks reports what is wrong with checks and policies.
func (s Settings) checkChecks() error {
	var problems []error
	if _, ok := schemaModes[s.Checks.Schema.text]; !ok {
		problems = append(problems, s.unknownWord("checks.schema", s.Checks.Schema, "error", "warning", "off"))
	}
	names := map[string]bool{}
	for i, p := range s.Policies {
		at := fmt.Sprintf("policies[%d]", i)
		switch {
		case p.Name == "":
			problems = append(problems, s.problem(at, "the policy has no name", "add one: it is told where the policy is broken"))
		case names[p.Name]:
			problems = append(problems, s.problem(at+".name", fmt.Sprintf("another policy is called %q", p.Name), "rename one of them"))
		}
		names[p.Name] = true
		if _, ok := severities[p.Severity.text]; !ok {
			problems = append(problems, s.unknownWord(at+".severity", p.Severity, "error", "warning"))
		}
		problems = append(problems, s.checkGlobs(at+".match", p.Match)...)
		problems = append(problems, s.checkRule(at, p)...)
	}
	return errors.Join(problems...)
}

func (s Settings) unknownWord(key string, word Word, known ...string) error {
	remedy := "write " + known[0]
	for i, one := range known[1:] {
		if i == len(known)-2 {
			remedy += " or " + one
		} else {
			remedy += ", " + one
		}
	}
	if near := nearest.Of(word.text, known); near != "" {
		remedy = fmt.Sprintf("did you mean %q?", near)
	}
	return s.problem(key, fmt.Sprintf("%q is not known", word.text), remedy)
}

func (s Settings) checkGlobs(at string, m PolicyMatch) []error {
	var problems []error
	for _, list := range []struct {
		key   string
		globs []string
	}{{"kinds", m.Kinds}, {"applications", m.Applications}, {"clusters", m.Clusters}, {"namespaces", m.Namespaces}} {
		for i, glob := range list.globs {
			if _, err := path.Match(glob, ""); err != nil || glob == "" {
				problems = append(problems, s.problem(fmt.Sprintf("%s.%s[%d]", at, list.key, i), fmt.Sprintf("%q is no pattern", glob), "write a name, in which * stands for any part"))
			}
		}
	}
	return problems
}

// checkRule compiles a rule, and finds the place in lockkeeper.yaml of what is wrong with it.
func (s Settings) checkRule(at string, p PolicySettings) []error {
	if p.Rule == "" {
		return []error{s.problem(at, "the policy has no rule", "write one such as object.spec.replicas >= 2")}
	}
	err := check.CompilePolicy(p.policy())
	if err == nil {
		return nil
	}
	key := at + ".rule"
	wrong, ok := errors.AsType[*manifest.Error](err)
	if !ok {
		return []error{s.problem(key, err.Error(), "")}
	}
	out := &manifest.Error{File: SettingsFile, Path: key, Problem: key + ": " + wrong.Problem, Remedy: wrong.Remedy}
	place := s.at(key)
	out.Line, out.Column = place.Line, place.Column
	if _, node := s.document.Find(key); node != nil && wrong.Line > 0 {
		out.Line, out.Column = within(node, wrong.Line, wrong.Column)
	}
	return []error{out}
}

// within returns where a line and column of a scalar's text stand in its file. Of a folded text only the line where it begins is
// known.
func within(node *yaml.Node, line, column int) (fileLine, fileColumn int) {
	switch {
	case node.Style&yaml.LiteralStyle != 0:
		return node.Line + line, 0 // behind the line with the bar, and indented by nobody knows how much
	case line > 1 || node.Style&yaml.FoldedStyle != 0:
		return node.Line, node.Column
	case node.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		return node.Line, node.Column + column
	}
	return node.Line, node.Column + column - 1
}

func (p PolicySettings) policy() check.Policy {
	return check.Policy{
		Name: p.Name, Kinds: p.Match.Kinds, Applications: p.Match.Applications, Clusters: p.Match.Clusters, Namespaces: p.Match.Namespaces,
		Rule: p.Rule, Message: p.Message, Severity: severities[p.Severity.text],
	}
}

// checkOptions are what checks and policies say to the renderer.
func (s Settings) checkOptions() check.Options {
	options := check.Options{Schema: schemaModes[s.Checks.Schema.text]}
	for _, p := range s.Policies {
		policy := p.policy()
		policy.Clusters = s.inAllNames(policy)
		options.Policies = append(options.Policies, policy)
	}
	return options
}

// inAllNames returns the patterns of the clusters that a policy is about, with both the name and the server of each that these
// settings know. So a change that gives a cluster another name, or none, does not get out of the policies of its base.
func (s Settings) inAllNames(p check.Policy) []string {
	out := slices.Clone(p.Clusters)
	if len(out) == 0 {
		return nil
	}
	literal := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)
	for _, c := range s.Clusters {
		if p.InCluster(c.Name, c.Server) {
			out = append(out, literal.Replace(c.Name), literal.Replace(c.Server))
		}
	}
	return slices.DeleteFunc(out, func(glob string) bool { return glob == "" })
}

// GateOptions are [CompareOptions] for judging a change: it is checked by what the base says, so that no change switches off
// what would refuse it.
func GateOptions(options render.Options) render.Options {
	if options.Base != nil {
		options.Checks = options.Base.Checks
		options.Checks.Policies = slices.Clone(options.Checks.Policies)
	}
	return options
}
