package kargo

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

// anyVariable matches variables whose name is only known when the expression runs.
var anyVariable = regexp.MustCompile(`\bvars\s*(\[\s*[^'"\s\\]|[^.\[\w\s])`)

// mistyped tells of variables of a stage that nothing reads and whose names are nearly those of variables that its tasks declare
// and it does not set: the task's own value counts instead, and the stage would promote something else than is written.
func (c planCheck) mistyped() {
	if len(c.plan.vars) == 0 || c.broken[c.plan.ref()] || slices.ContainsFunc(c.plan.steps, func(s plannedStep) bool { return s.raw }) {
		return
	}
	text, declared := c.templates()
	if anyVariable.MatchString(text) {
		return
	}
	unset := slices.DeleteFunc(slices.Clone(declared), func(name string) bool { return slices.Contains(names(c.plan.vars), name) })
	for _, v := range c.plan.vars {
		if slices.Contains(declared, v.Name) || reads(text, v.Name) {
			continue
		}
		if near, ok := c.nearest(v.Name, unset); ok {
			c.report(c.plan.ref(), promote.Finding{
				Severity: promote.SeverityError, Code: "unknown-variable", Position: v.position,
				Message: fmt.Sprintf("no step reads the variable %q, and no task declares it", v.Name), Remedy: fmt.Sprintf("did you mean %q?", near),
			})
		}
	}
}

// templates is everything in which a stage may read its variables, and the names that its tasks declare.
func (c planCheck) templates() (text string, declared []string) {
	var b strings.Builder
	steps := slices.Clone(c.plan.stage.Verify)
	for _, s := range c.plan.steps {
		steps = append(steps, s.Step)
		if s.task == "" {
			continue
		}
		for _, v := range c.tasks[s.source.ref()].manifest.Spec.Vars {
			declared = append(declared, v.Name)
		}
	}
	for _, s := range steps {
		b.WriteString(s.If + "\n" + string(s.Config) + "\n")
		for _, v := range s.Vars {
			b.WriteString(v.Value + "\n")
		}
	}
	for _, v := range c.plan.vars {
		b.WriteString(v.Value + "\n")
	}
	return b.String(), declared
}

// reads reports whether a text reads a variable by its name. The text may stand in JSON.
func reads(text, name string) bool {
	for rest, found := text, true; found; {
		_, rest, found = strings.Cut(rest, "vars")
		after := strings.TrimLeft(rest, " ")
		if by, dotted := strings.CutPrefix(after, "."); dotted && word.FindString(strings.TrimLeft(by, " ")) == name {
			return true
		}
		if by, indexed := strings.CutPrefix(after, "["); indexed && strings.HasPrefix(strings.TrimLeft(by, " \\'\""), name) {
			return true
		}
	}
	return false
}

var word = regexp.MustCompile(`^\w+`)
