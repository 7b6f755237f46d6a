package kargo

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/promote"
)

// StepKinds lists the steps that are supported, sorted.
func StepKinds() []string { return slices.Sorted(maps.Keys(stepSchemas)) }

// checkStep checks what is wrong with a step whoever runs it: its kind and the keys of its configuration.
func (l *loader) checkStep(o object, path string, s step) {
	known, ok := stepSchemas[s.Uses]
	if !ok {
		l.unknownStep(o, path+".uses", s.Uses)
		return
	}
	if s.If != "" && !strings.Contains(s.If, "${{") && !strings.Contains(s.If, "${%") {
		l.fail(o, path+".if", "invalid-step", fmt.Sprintf("the condition %q is plain text and will never be true or false", s.If), "write if: ${{ … }}")
	}
	c := checker{loader: l, object: o, step: s.Uses}
	if !present(s.Config) {
		c.missing(o.at(path), known, "config", nil)
		return
	}
	c.mapping(manifest.Resolve(&s.Config), known, "config")
}

func (l *loader) unknownStep(o object, path, uses string) {
	if instead, ok := otherSteps[uses]; ok {
		l.fail(o, path, "unsupported", fmt.Sprintf("step %q exists in Kargo only", uses), instead)
		return
	}
	remedy := "supported steps are " + strings.Join(StepKinds(), ", ")
	if best, ok := l.nearest(uses, StepKinds()); ok {
		remedy = fmt.Sprintf("did you mean %q?", best)
	}
	l.fail(o, path, "unknown-step", fmt.Sprintf("there is no step %q", bounded(uses)), remedy)
}

// checker checks the configuration of one step against its schema.
type checker struct {
	*loader
	object object
	step   string
}

func (c checker) problem(at promote.Position, severity promote.Severity, code, message, remedy string) {
	c.report(c.object.ref(), promote.Finding{
		Severity: severity, Code: code, Position: at, Message: c.step + ": " + message, Remedy: remedy,
	})
}

func (c checker) fail(n *yaml.Node, code, message, remedy string) {
	c.problem(c.object.node(n), promote.SeverityError, code, message, remedy)
}

func (c checker) mapping(n *yaml.Node, s schema, path string) {
	if n.Kind != yaml.MappingNode {
		c.wrongKind(n, path, "a mapping")
		return
	}
	c.duplicates(n, path)
	written := map[string]*yaml.Node{}
	for _, e := range entries(n) {
		i := slices.IndexFunc(s.keys, func(k schemaKey) bool { return k.name == e.key.Value })
		if i < 0 {
			if !s.open {
				c.fail(e.key, "unknown-key", fmt.Sprintf("unknown key %q in %s", bounded(e.key.Value), path), c.near(e.key.Value, s.names(), "known keys"))
			}
			continue
		}
		if given(e.value, s.keys[i]) {
			written[e.key.Value] = e.value
		}
		c.key(e, s.keys[i], path+"."+e.key.Value)
	}
	c.missing(c.object.node(n), s, path, written)
}

// given reports whether a key has a value: null and the empty string are none, unless the key says otherwise.
func given(n *yaml.Node, k schemaKey) bool {
	if k.kind == kindScalar || k.kind == kindAny {
		return true
	}
	return n.Tag != "!!null" && (k.blank || n.Kind != yaml.ScalarNode || n.Value != "")
}

// certain reports whether a value surely counts where only one of several keys may be set. What an expression gives, and
// false, may be the way to leave the key out.
func certain(n *yaml.Node) bool {
	truth, isFlag := manifest.Free(n).(bool)
	return !isTemplate(n) && (!isFlag || truth)
}

// isTemplate reports whether a value holds an expression and so may become anything.
func isTemplate(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && (strings.Contains(n.Value, "${{") || strings.Contains(n.Value, "${%"))
}

func (c checker) duplicates(n *yaml.Node, path string) {
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if line, twice := first[key.Value]; twice && key.Tag != "!!merge" {
			c.fail(key, "duplicate-key", fmt.Sprintf("key %q stands twice in %s, first in line %d", key.Value, path, line), "remove one of them")
			continue
		}
		first[key.Value] = key.Line
	}
}

// names lists the keys to suggest.
func (s schema) names() []string {
	var out []string
	for _, k := range s.keys {
		if k.refused == "" && k.old == "" && k.idle == "" {
			out = append(out, k.name)
		}
	}
	return out
}

func (c checker) missing(at promote.Position, s schema, path string, written map[string]*yaml.Node) {
	fail := func(code, message, remedy string) {
		c.problem(at, promote.SeverityError, code, message, remedy)
	}
	for _, k := range s.keys {
		if k.required && written[k.name] == nil {
			fail("missing-key", fmt.Sprintf("%s has no %s", path, k.name), fmt.Sprintf("add %s", k.name))
		}
	}
	if len(s.needs) > 0 && !slices.ContainsFunc(s.needs, func(name string) bool { return written[name] != nil }) {
		known := slices.DeleteFunc(s.names(), func(name string) bool { return !slices.Contains(s.needs, name) })
		fail("missing-key", fmt.Sprintf("%s has no %s", path, either(known)), "add "+either(known))
	}
	var both []string
	for _, name := range s.single {
		if n := written[name]; n != nil && certain(n) {
			both = append(both, name)
		}
	}
	if len(both) > 1 {
		fail("conflicting-keys", fmt.Sprintf("%s has %s, which exclude each other", path, strings.Join(both, " and ")), "keep one of them")
	}
}

func (c checker) key(e mapEntry, k schemaKey, path string) {
	switch {
	case k.refused != "":
		c.fail(e.key, "unsupported", fmt.Sprintf("%s is not supported: %s", path, k.refused), "")
		return
	case k.old != "":
		c.problem(c.object.node(e.key), promote.SeverityWarning, "deprecated-key", k.old, "")
	case k.idle != "" && manifest.Free(e.value) != false:
		c.problem(c.object.node(e.key), promote.SeverityWarning, "no-effect", k.idle, "")
	}
	if e.value.Tag == "!!null" {
		return
	}
	c.value(e.value, k, path)
}

// value checks the kind of a value. Text with an expression may become anything, so it is looked at when it is evaluated.
func (c checker) value(n *yaml.Node, k schemaKey, path string) {
	n = manifest.Resolve(n)
	if k.kind == kindText && n.Kind == yaml.ScalarNode && (holdsPassword(n.Value) || k.name == "repoURL" && promote.HoldsCredentials(n.Value)) {
		if remedy := instead(c.step); remedy == gitToken {
			c.problem(c.object.node(n), promote.SeverityWarning, codePassword, path+knownToAll, remedy)
		} else {
			c.fail(n, codePassword, path+knownToAll, remedy)
		}
		return
	}
	if isTemplate(n) {
		return
	}
	switch k.kind {
	case kindText, kindDuration, kindExpression, kindResponse:
		c.text(n, k, path)
	case kindScalar:
		if n.Kind != yaml.ScalarNode {
			c.wrongKind(n, path, "a single value")
		}
	case kindFlag:
		if _, ok := manifest.Free(n).(bool); !ok {
			c.wrongKind(n, path, "true or false")
		}
	case kindCount:
		if number, ok := manifest.Free(n).(int64); !ok || number < 0 {
			c.wrongKind(n, path, "a whole number")
		}
	case kindTexts, kindList:
		c.list(n, k, path)
	case kindValues:
		c.values(n, path)
	case kindObject:
		c.mapping(n, *k.inner, path)
	case kindAny:
	}
}

// text checks a string and what it says.
func (c checker) text(n *yaml.Node, k schemaKey, path string) {
	if n.Kind != yaml.ScalarNode || !isString(n) {
		c.wrongKind(n, path, "a string")
		return
	}
	if k.folder {
		c.folder(n, path)
		return
	}
	switch {
	case n.Value == "":
	case k.choices != nil && !slices.Contains(k.choices, n.Value):
		c.fail(n, "invalid-value", fmt.Sprintf("%s %q is not known", path, bounded(n.Value)), "write "+either(k.choices))
	case k.kind == kindDuration:
		if parsed, err := time.ParseDuration(n.Value); err != nil || parsed < 0 {
			c.fail(n, "invalid-interval", fmt.Sprintf("%s %q is not a duration", path, bounded(n.Value)), `write hours, minutes and seconds, such as "1m30s"`)
		}
	case k.kind == kindExpression:
		c.expression(n, path, checkSyntax(n.Value))
	case k.kind == kindResponse:
		c.expression(n, path, checkResponse(n.Value))
	}
}

func (c checker) folder(n *yaml.Node, path string) {
	if _, problem, remedy := promote.RepositoryFolder(n.Value); problem != "" {
		c.fail(n, "invalid-value", fmt.Sprintf("%s is %q, which is %s", path, bounded(n.Value), problem), remedy)
	}
}

func (c checker) expression(n *yaml.Node, path string, err error) {
	if err != nil {
		c.fail(n, "invalid-expression", fmt.Sprintf("%s: expression: %v", path, err), "")
	}
}

// values checks a mapping to single values.
func (c checker) values(n *yaml.Node, path string) {
	if n.Kind != yaml.MappingNode {
		c.wrongKind(n, path, "a mapping")
		return
	}
	c.duplicates(n, path)
	for _, e := range entries(n) {
		if e.value.Kind != yaml.ScalarNode {
			c.wrongKind(e.value, path+"."+bounded(e.key.Value), "a single value")
		}
	}
}

func (c checker) list(n *yaml.Node, k schemaKey, path string) {
	if n.Kind != yaml.SequenceNode {
		c.wrongKind(n, path, "a list")
		return
	}
	if k.required && len(n.Content) == 0 {
		c.fail(n, "missing-key", path+" is empty", "add at least one item")
	}
	for i, item := range n.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		if k.kind == kindTexts {
			c.value(item, schemaKey{choices: k.choices, folder: k.folder}, at)
		} else {
			c.mapping(manifest.Resolve(item), *k.inner, at)
		}
	}
}

// isString reports whether the API server would take a scalar for a string.
func isString(n *yaml.Node) bool {
	_, ok := manifest.Free(n).(string)
	return ok
}

func (c checker) wrongKind(n *yaml.Node, path, want string) {
	have, remedy := "", "write "+want
	switch n.Kind {
	case yaml.MappingNode:
		have = "a mapping"
	case yaml.SequenceNode:
		have = "a list"
	default:
		have = fmt.Sprintf("%q", bounded(n.Value))
		if want == "a string" {
			have, remedy = bounded(n.Value), fmt.Sprintf("add quotes: %q", bounded(n.Value))
		}
	}
	c.fail(n, "wrong-type", fmt.Sprintf("%s is %s, not %s", path, have, want), remedy)
}

// bounded keeps a value that is shown to people short.
func bounded(text string) string {
	const most = 100
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
