package kargo

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/promote"
)

// plannedStep is a step as it will run and the manifest that it is written in.
type plannedStep struct {
	promote.Step
	source object     // the stage or the task
	config *yaml.Node // nil when there is none
	ifAt   promote.Position
	task   string // alias of the task that the step came from; "" for a step of the stage itself
	vars   []plannedVar
	raw    bool // could not be understood; nothing more is checked
}

func (r taskRef) ref(project string) ref {
	if r.Kind == kindClusterTask {
		return ref{kind: kindClusterTask, name: r.Name}
	}
	return ref{kindTask, project, r.Name}
}

// The bounds of what tasks may expand to.
const (
	maxSteps    = 200       // of one stage
	maxAllSteps = 1_000_000 // of one load
)

var reservedAlias = regexp.MustCompile(`^(step|task)-\d+$`)

// expand makes the steps of a stage from its template, as Kargo does when a promotion is created (Kargo:
// pkg/api/promotion.go).
func (l *loader) expand(o object, path string, template []step, vars []plannedVar) []plannedStep {
	var out []plannedStep
	l.checkAliases(o, path, template)
	for i, one := range template {
		at := fmt.Sprintf("%s[%d]", path, i)
		if len(out) > maxSteps || l.steps > maxAllSteps {
			l.fail(o, at, "too-many-steps", fmt.Sprintf("the stage has more than %d steps, or all stages together more than %d", maxSteps, maxAllSteps), "write fewer steps")
			break
		}
		switch {
		case one.Task != nil && one.Uses != "":
			l.fail(o, at, "invalid-step", "the step has both uses and task", "keep one of them")
		case one.Task != nil:
			out = append(out, l.expandTask(o, at, i, one, vars)...)
			continue
		case one.Uses == "":
			l.fail(o, at, "invalid-step", "the step has neither uses nor task", "add uses: <step> or task: {name: …}")
		default:
			l.checkStep(o, at, one)
		}
		out = append(out, l.step(o, at, alias(one.As, "step", i), one))
	}
	return out
}

func alias(as, prefix string, index int) string {
	if as != "" {
		return as
	}
	return fmt.Sprintf("%s-%d", prefix, index+1)
}

// checkAliases reports reserved and repeated aliases of one list.
func (l *loader) checkAliases(o object, path string, steps []step) {
	seen := map[string]bool{}
	for i, one := range steps {
		at := fmt.Sprintf("%s[%d].as", path, i)
		switch {
		case one.As == "":
		case reservedAlias.MatchString(one.As):
			l.fail(o, at, "reserved-name", fmt.Sprintf("alias %q is reserved for steps without one", one.As), "choose another name")
		case strings.Contains(one.As, "::"):
			l.fail(o, at, "reserved-name", fmt.Sprintf("alias %q contains \"::\", which separates a task from its steps", one.As), "choose another name")
		case seen[one.As]:
			l.fail(o, at, "duplicate-name", fmt.Sprintf("alias %q is used twice", one.As), "choose another name for one of them")
		}
		seen[one.As] = true
	}
}

// step reads a step with uses.
func (l *loader) step(o object, path, as string, s step) plannedStep {
	l.steps++
	out := plannedStep{
		Step: promote.Step{
			Uses: s.Uses, As: as, If: s.If, ContinueOnError: s.ContinueOnError, Position: o.at(path),
		},
		source: o, ifAt: o.at(path + ".if"), raw: s.Uses == "",
	}
	if s.Uses == "" {
		out.Uses = "invalid"
	}
	if s.Retry != nil {
		out.Timeout, out.ErrorThreshold = l.retry(o, path+".retry", *s.Retry)
	}
	for _, v := range l.variables(o, path+".vars", s.Vars) {
		out.vars = append(out.vars, v)
		out.Vars = append(out.Vars, v.Var)
	}
	if present(s.Config) {
		out.config = &s.Config
		out.Config = configJSON(&s.Config)
	}
	return out
}

func (l *loader) retry(o object, path string, r retry) (promote.Duration, int) {
	var timeout time.Duration
	if r.Timeout != "" {
		var err error
		if timeout, err = time.ParseDuration(r.Timeout); err != nil || timeout < 0 {
			l.fail(o, path+".timeout", "invalid-interval", fmt.Sprintf("timeout %q is not a duration", r.Timeout), `write hours, minutes and seconds, such as "10m"`)
			timeout = 0
		}
	}
	threshold := 0
	if r.ErrorThreshold != nil {
		if threshold = *r.ErrorThreshold; threshold < 0 {
			l.fail(o, path+".errorThreshold", "invalid-value", fmt.Sprintf("errorThreshold %d is negative", threshold), "write 1 or more")
			threshold = 0
		}
	}
	return promote.Duration(timeout), threshold
}

// expandTask makes the steps of one task reference.
func (l *loader) expandTask(o object, path string, index int, s step, promotionVars []plannedVar) []plannedStep {
	taskAlias := alias(s.As, "task", index)
	unknown := []plannedStep{{
		Step:   promote.Step{Uses: "task " + s.Task.Name, As: taskAlias, Position: o.at(path)},
		source: o, raw: true,
	}}
	if s.If != "" || s.ContinueOnError || s.Retry != nil || present(s.Config) {
		l.fail(o, path, "invalid-step", "a step with task takes only as and vars", "move if, continueOnError, retry and config to the steps of the task")
	}
	if kind := s.Task.Kind; kind != "" && kind != kindTask && kind != kindClusterTask {
		l.fail(o, path+".task.kind", "invalid-value", fmt.Sprintf("task kind %q is not known", kind), "write PromotionTask or ClusterPromotionTask")
		return unknown
	}
	if s.Task.Name == "" {
		l.fail(o, path+".task", "missing-key", "the step names no task", "add task: {name: …}")
		return unknown
	}
	t, ok := l.tasks[s.Task.ref(o.project)]
	if !ok {
		l.unknownTask(o, path+".task", *s.Task)
		return unknown
	}
	given := l.variables(o, path+".vars", s.Vars)
	vars := l.taskVars(o, path, t, promotionVars, given)
	if len(t.manifest.Spec.Steps) == 0 {
		return unknown
	}
	out := make([]plannedStep, 0, len(t.manifest.Spec.Steps))
	for j, one := range t.manifest.Spec.Steps[:min(len(t.manifest.Spec.Steps), maxSteps+1)] {
		expanded := l.step(t.object, fmt.Sprintf("spec.steps[%d]", j), taskAlias+"::"+alias(one.As, "step", j), one)
		expanded.task = taskAlias
		expanded.vars = slices.Concat(vars, expanded.vars)
		expanded.Vars = nil
		for _, v := range expanded.vars {
			expanded.Vars = append(expanded.Vars, v.Var)
		}
		out = append(out, expanded)
	}
	return out
}

// taskVars are the variables that every step of a task gets: the task's defaults that the promotion does not set, then what
// the reference gives.
func (l *loader) taskVars(o object, path string, t task, promotionVars, given []plannedVar) []plannedVar {
	set := func(vars []plannedVar, name string) bool {
		return slices.ContainsFunc(vars, func(v plannedVar) bool { return v.Name == name && v.Value != "" })
	}
	var out []plannedVar
	for i, v := range t.manifest.Spec.Vars {
		switch {
		case set(promotionVars, v.Name):
		case v.Value != "":
			out = append(out, plannedVar{promote.Var{Name: v.Name, Value: v.Value}, t.at(fmt.Sprintf("spec.vars[%d].value", i))})
		case !set(given, v.Name):
			out = append(out, plannedVar{promote.Var{Name: v.Name}, t.at(fmt.Sprintf("spec.vars[%d]", i))}) // so that it is reported once
			l.fail(o, path, "missing-variable", fmt.Sprintf("missing value for variable %q of task %q", v.Name, t.name),
				fmt.Sprintf("add it to vars of this step: {name: %s, value: …}", v.Name))
		}
	}
	for _, v := range given {
		if !slices.ContainsFunc(t.manifest.Spec.Vars, func(known variable) bool { return known.Name == v.Name }) && len(t.manifest.Spec.Vars) > 0 {
			l.warnUnknownTaskVar(o, path, t, v)
		}
	}
	return append(out, given...)
}

// warnUnknownTaskVar tells of a variable that its task does not declare, when the name looks like a typing mistake.
func (l *loader) warnUnknownTaskVar(o object, path string, t task, v plannedVar) {
	names := make([]string, 0, len(t.manifest.Spec.Vars))
	for _, known := range t.manifest.Spec.Vars {
		names = append(names, known.Name)
	}
	if best, ok := l.nearest(v.Name, names); ok {
		l.warn(o, path+".vars", "unknown-variable", fmt.Sprintf("task %q declares no variable %q", t.name, v.Name), fmt.Sprintf("did you mean %q?", best))
	}
}

func (l *loader) unknownTask(o object, path string, r taskRef) {
	wanted := r.ref(o.project)
	var names []string
	for key := range l.tasks {
		if key.kind == wanted.kind && key.project == wanted.project {
			names = append(names, key.name)
		}
	}
	slices.Sort(names)
	where, what := fmt.Sprintf("project %q", o.project), "PromotionTasks of the project"
	if wanted.kind == kindClusterTask {
		where, what = "the repository", "ClusterPromotionTasks"
	}
	message := fmt.Sprintf("%s %q does not exist in %s", wanted.kind, r.Name, where)
	if best, ok := l.nearest(r.Name, names); ok {
		l.fail(o, path+".name", "unknown-task", message, fmt.Sprintf("did you mean %q? %s", best, listed(names, what)))
		return
	}
	l.fail(o, path+".name", "unknown-task", message, "name an existing one or add it; "+listed(names, what))
}

// checkTasks checks what is wrong with a task whoever uses it.
func (l *loader) checkTasks() {
	refs := make([]ref, 0, len(l.tasks))
	for key := range l.tasks {
		refs = append(refs, key)
	}
	slices.SortFunc(refs, func(a, b ref) int {
		return strings.Compare(a.kind+"/"+a.project+"/"+a.name, b.kind+"/"+b.project+"/"+b.name)
	})
	for _, key := range refs {
		t := l.tasks[key]
		l.variables(t.object, "spec.vars", t.manifest.Spec.Vars)
		l.checkAliases(t.object, "spec.steps", t.manifest.Spec.Steps)
		if len(t.manifest.Spec.Steps) == 0 {
			l.fail(t.object, "spec", "missing-key", fmt.Sprintf("%s %q has no steps", t.kind, t.name), "add steps")
		}
		for i, one := range t.manifest.Spec.Steps {
			path := fmt.Sprintf("spec.steps[%d]", i)
			switch {
			case one.Task != nil:
				l.fail(t.object, path, "invalid-step", "a step of a task cannot be a task itself", "write the steps out")
			case one.Uses == "":
				l.fail(t.object, path, "invalid-step", "the step has no uses", "add uses: <step>")
			default:
				l.step(t.object, path, "", one)
				l.checkStep(t.object, path, one)
			}
		}
	}
}
