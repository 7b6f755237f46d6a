package kargo

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/expr"
)

// planCheck checks the steps of one stage as they will run.
type planCheck struct {
	*loader
	plan       plan
	warehouses map[string]promote.Warehouse
}

// checkPlan checks what depends on the variables and the order of a stage's steps.
func (l *loader) checkPlan(p plan, warehouses map[string]promote.Warehouse) {
	c := planCheck{l, p, warehouses}
	for i, v := range p.vars {
		c.template(v.position, v.Value, expr.Names{Vars: names(p.vars[:i])})
	}
	for i, s := range p.steps {
		if !s.raw {
			c.step(i, s)
		}
	}
	c.mistyped()
	l.checkPaths(p)
}

func names(vars []plannedVar) []string {
	out := make([]string, len(vars))
	for i, v := range vars {
		out[i] = v.Name
	}
	return out
}

func (c planCheck) step(index int, s plannedStep) {
	vars := slices.Concat(c.plan.vars, s.vars)
	allowed := expr.Names{Task: s.task != ""}
	for _, before := range c.plan.steps[:index] {
		allowed.Outputs = append(allowed.Outputs, before.As)
		if alias, ok := strings.CutPrefix(before.As, s.task+"::"); ok && s.task != "" {
			allowed.TaskOutputs = append(allowed.TaskOutputs, alias)
		}
		if before.Uses == "compose-output" && before.task != "" {
			allowed.Outputs = append(allowed.Outputs, before.task)
		}
	}
	for i, v := range s.vars {
		allowed.Vars = names(vars[:len(c.plan.vars)+i])
		c.template(v.position, v.Value, allowed)
	}
	allowed.Vars, allowed.Status = names(vars), true
	c.template(s.ifAt, s.If, allowed)
	if s.config == nil {
		return
	}
	known := literals(vars)
	c.walk(s.config, func(n *yaml.Node) {
		c.node(s.source, n, allowed)
		c.artifacts(s.source.node(n), n.Value, known)
		c.oldOutputs(index, s.source.node(n), n.Value)
	})
	if s.Uses == "yaml-update" {
		c.unquoted(s)
	}
}

// walk visits every text in a configuration.
func (c planCheck) walk(n *yaml.Node, visit func(*yaml.Node)) {
	switch n = manifest.Resolve(n); n.Kind {
	case yaml.MappingNode:
		for _, e := range entries(n) {
			c.walk(e.value, visit)
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			c.walk(item, visit)
		}
	default:
		visit(n)
	}
}

// node checks a template that is written in a configuration; the finding points into it where that is possible.
func (c planCheck) node(o object, n *yaml.Node, allowed expr.Names) {
	for _, problem := range c.mistakes(n.Value, allowed) {
		at := o.node(n)
		if plain := n.Style&(yaml.LiteralStyle|yaml.FoldedStyle|yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) == 0; plain && !strings.Contains(n.Value, "\n") {
			at.Column += utf8.RuneCountInString(n.Value[:min(max(problem.Offset, 0), len(n.Value))])
		}
		c.expression(at, problem)
	}
}

func (c planCheck) template(at promote.Position, template string, allowed expr.Names) {
	for _, problem := range c.mistakes(template, allowed) {
		c.expression(at, problem)
	}
}

func (c planCheck) expression(at promote.Position, problem expr.Problem) {
	c.report(c.plan.ref(), promote.Finding{
		Severity: promote.SeverityError, Code: "invalid-expression", Position: at, Message: "expression: " + problem.Message,
	})
}

// mistakes checks a template. The stages of one task share most templates and names, so results are kept.
func (l *loader) mistakes(template string, allowed expr.Names) []expr.Problem {
	if !strings.Contains(template, "${") {
		return nil
	}
	key := fmt.Sprintf("%q %q %q %q %t %t %t", template, allowed.Vars, allowed.Outputs, allowed.TaskOutputs, allowed.Task, allowed.Status, allowed.Target)
	if found, ok := l.checked[key]; ok {
		return found
	}
	allowed.Target = strings.Contains(template, "target") // lockkeeper.yaml says which stages have targets
	found := expr.Check(template, allowed)
	l.checked[key] = found
	return found
}

// oldOutput matches the number of a change by the name that it had up to Kargo 1.6.
var oldOutput = regexp.MustCompile(`\b(task\.)?outputs(?:\.(\w+)|\[\s*(?:'([^']*)'|"([^"]*)")\s*\])\.prNumber\b`)

// oldOutputs warns of outputs that Kargo has renamed.
func (c planCheck) oldOutputs(index int, at promote.Position, template string) {
	if !strings.Contains(template, "prNumber") {
		return
	}
	for _, match := range oldOutput.FindAllStringSubmatch(template, -1) {
		alias := match[2] + match[3] + match[4]
		if match[1] != "" {
			alias = c.plan.steps[index].task + "::" + alias
		}
		if !slices.ContainsFunc(c.plan.steps[:index], func(s plannedStep) bool { return s.As == alias && s.Uses == "git-open-pr" }) {
			continue
		}
		c.report(c.plan.ref(), promote.Finding{
			Severity: promote.SeverityWarning, Code: "deprecated-output", Position: at,
			Message: "git-open-pr gives prNumber in Kargo up to 1.6 only", Remedy: "write pr.id instead of prNumber",
		})
	}
}

// unquoted warns of versions that Kargo would write as numbers.
func (c planCheck) unquoted(s plannedStep) {
	updates := child(s.config, "updates")
	if updates == nil || updates.Kind != yaml.SequenceNode {
		return
	}
	for _, item := range updates.Content {
		value := child(item, "value")
		if value == nil || value.Kind != yaml.ScalarNode || !bare(value.Value) {
			continue
		}
		c.report(c.plan.ref(), promote.Finding{
			Severity: promote.SeverityWarning, Code: "unquoted-tag", Position: s.source.node(value),
			Message: "a tag such as 1.10 would become the number 1.1 in Kargo; Lockkeeper keeps the text",
			Remedy:  "write quote(imageFrom(…).Tag)",
		})
	}
}

// bare reports whether a template is one expression that gives the tag of an image without quotes.
func bare(template string) bool {
	text := strings.TrimSpace(template)
	return strings.HasPrefix(text, "${{") && strings.HasSuffix(text, "}}") && strings.Count(text, "${{") == 1 &&
		strings.Contains(text, "imageFrom") && strings.Contains(text, ".Tag") &&
		!strings.Contains(text, "uote(") && !strings.Contains(text, "asYAML(") && !strings.Contains(text, "asJSON(")
}
