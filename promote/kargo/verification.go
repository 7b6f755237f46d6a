package kargo

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/expr"
)

// The bounds of what a verification may come to.
const (
	maxAnalyses  = 50       // templates of one stage
	maxArguments = 500      // of one template, and as many dry runs
	maxFilled    = 64 << 10 // bytes of one text with its arguments
	maxAllFilled = 64 << 20 // bytes of all texts of one load
	costOfText   = 64       // what a text counts, however short
)

// invalidMetric is what a metric uses that cannot be measured.
const invalidMetric = "invalid"

// analysis is an AnalysisTemplate or ClusterAnalysisTemplate.
type analysis struct {
	object
	manifest analysisManifest
}

// verifier makes the steps that measure the freight of one stage.
type verifier struct {
	*loader
	o         object // the stage
	templates []analysis
	args      map[string]metricArg
	metrics   map[string]promote.Position // by name
	made      []promote.Step
}

// metricArg is what {{args.name}} stands for.
type metricArg struct {
	text       string
	expression bool         // text is a template
	variable   *promote.Var // what the template refers to, if it does
	known      bool         // there is a value
	position   promote.Position
}

// verification makes a stage's measurements of its analysis templates. Whatever cannot be understood leaves a step that
// fails, so that freight is not taken for verified where nobody looked at it.
func (l *loader) verification(o object, m *verification, vars []plannedVar) []promote.Step {
	const path = "spec.verification"
	if m == nil {
		return nil
	}
	v := &verifier{loader: l, o: o, args: map[string]metricArg{}, metrics: map[string]promote.Position{}}
	if len(m.AnalysisTemplates) == 0 {
		l.fail(o, path, "missing-key", "the verification names no analysis template", "add analysisTemplates: [{name: …}], or remove verification")
		v.invalid("template", o.at(path))
	}
	for i, one := range m.AnalysisTemplates {
		at := fmt.Sprintf("%s.analysisTemplates[%d]", path, i)
		switch one.Kind {
		case "", kindAnalysis:
			v.use(o, at+".name", ref{kindAnalysis, o.project, one.Name})
		case kindClusterAnalysis:
			v.use(o, at+".name", ref{kind: kindClusterAnalysis, name: one.Name})
		default:
			l.fail(o, at+".kind", "invalid-value", fmt.Sprintf("template kind %q is not known", bounded(one.Kind)), "write AnalysisTemplate or ClusterAnalysisTemplate")
			v.invalid(one.Name, o.at(at))
		}
	}
	v.readArguments(path+".args", m.Args, vars)
	for _, t := range v.templates {
		v.measure(t)
	}
	return v.made
}

// checkVerifyNames reports measurements whose names are taken: they run after the steps of the stage.
func (l *loader) checkVerifyNames(o object, steps []plannedStep, verify []promote.Step) {
	taken := make(map[string]promote.Position, len(steps)+len(verify))
	for _, s := range steps {
		taken[s.As] = s.Position
	}
	for _, s := range verify {
		first, twice := taken[s.As]
		if twice && s.Uses != invalidMetric {
			l.report(o.ref(), promote.Finding{
				Severity: promote.SeverityError, Code: "duplicate-name", Position: s.Position,
				Message: fmt.Sprintf("step %q, which measures this metric, has the name of the one at %s", bounded(s.As), first), Remedy: "rename the metric or the other step",
			})
		}
		taken[s.As] = s.Position
	}
}

// invalid leaves a step that no runner knows.
func (v *verifier) invalid(name string, at promote.Position) {
	v.made = append(v.made, promote.Step{Uses: invalidMetric, As: "verify-" + name, Position: at})
}

// complain reports a mistake to the stage, wherever it is written.
func (v *verifier) complain(severity promote.Severity, at promote.Position, code, message, remedy string) {
	v.report(v.o.ref(), promote.Finding{Severity: severity, Code: code, Position: at, Message: message, Remedy: remedy})
}

func (v *verifier) wrong(at promote.Position, code, message, remedy string) {
	v.complain(promote.SeverityError, at, code, message, remedy)
}

// use adds a template and those that it builds on.
func (v *verifier) use(from object, path string, r ref) {
	if slices.ContainsFunc(v.templates, func(t analysis) bool { return t.ref() == r }) {
		return
	}
	if len(v.templates) == maxAnalyses {
		v.wrong(from.at(path), "too-many-templates", fmt.Sprintf("the stage is verified by more than %d analysis templates", maxAnalyses), "use fewer templates")
		v.invalid(r.name, from.at(path))
		return
	}
	t, ok := v.analyses[r]
	if !ok {
		v.unknown(from, path, r)
		return
	}
	v.users[r] = append(v.users[r], promote.StageRef{Project: v.o.project, Name: v.o.name})
	spec := t.manifest.Spec
	if n := max(len(spec.Args), len(spec.DryRun), len(spec.Templates)); n > maxArguments {
		v.wrong(t.at("spec"), "too-many-arguments", fmt.Sprintf("%s %q has a list of %d, more than the %d that are read", t.kind, t.name, n, maxArguments), "use fewer")
		v.invalid(r.name, from.at(path))
		return
	}
	v.templates = append(v.templates, t)
	for i, nested := range spec.Templates {
		used := ref{kindAnalysis, v.o.project, nested.TemplateName}
		if nested.ClusterScope {
			used = ref{kind: kindClusterAnalysis, name: nested.TemplateName}
		}
		v.use(t.object, fmt.Sprintf("spec.templates[%d].templateName", i), used)
	}
}

func (v *verifier) unknown(from object, path string, r ref) {
	var names []string
	for key := range v.analyses {
		if key.kind == r.kind && key.project == r.project {
			names = append(names, key.name)
		}
	}
	slices.Sort(names)
	where, what := fmt.Sprintf("project %q", v.o.project), "AnalysisTemplates of the project"
	if r.kind == kindClusterAnalysis {
		where, what = "the repository", "ClusterAnalysisTemplates"
	}
	v.wrong(from.at(path), "unknown-template", fmt.Sprintf("%s %q does not exist in %s", r.kind, bounded(r.name), where), "correct the name or add it; "+v.near(r.name, names, what))
	v.invalid(r.name, from.at(path))
}

// readArguments gives every argument of the templates its value: what the stage says, else the default.
func (v *verifier) readArguments(path string, given []variable, vars []plannedVar) {
	said := map[string]metricArg{}
	for i, one := range given {
		at := v.o.at(fmt.Sprintf("%s[%d]", path, i))
		if _, twice := said[one.Name]; twice {
			v.wrong(at, "duplicate-name", fmt.Sprintf("argument %q is given twice", bounded(one.Name)), "remove one of them")
		}
		if !argumentName.MatchString(one.Name) {
			v.wrong(at, "invalid-name", fmt.Sprintf("argument name %q is none", bounded(one.Name)), "use letters, digits, dashes, dots and underscores")
			continue
		}
		said[one.Name] = v.given(one, at)
		for _, problem := range v.mistakes(one.Value, expr.Names{Vars: names(vars)}) {
			v.wrong(v.o.at(fmt.Sprintf("%s[%d].value", path, i)), "invalid-expression", "expression: "+problem.Message, "")
		}
	}
	for _, t := range v.templates {
		for i, one := range t.manifest.Spec.Args {
			v.declare(t, fmt.Sprintf("spec.args[%d]", i), one, said)
		}
	}
	for i, one := range given {
		if _, ok := v.args[one.Name]; !ok && len(v.templates) > 0 && argumentName.MatchString(one.Name) {
			v.complain(promote.SeverityWarning, v.o.at(fmt.Sprintf("%s[%d]", path, i)), "unknown-argument",
				fmt.Sprintf("no analysis template of the stage has an argument %q", bounded(one.Name)),
				v.near(one.Name, slices.Sorted(maps.Keys(v.args)), "arguments of the templates"))
		}
	}
}

// given reads an argument of the stage. One with an expression becomes a variable of the steps, so that it is evaluated by
// itself, as Kargo does, whatever text it is put into.
func (v *verifier) given(one variable, at promote.Position) metricArg {
	if !strings.Contains(one.Value, "${{") && !strings.Contains(one.Value, "${%") {
		return metricArg{text: one.Value, known: true, position: at}
	}
	name := "args." + one.Name
	return metricArg{
		text: "${{ vars[" + quoted(name) + "] }}", expression: true, known: true, position: at,
		variable: &promote.Var{Name: name, Value: one.Value},
	}
}

// declare adds an argument of a template.
func (v *verifier) declare(t analysis, path string, one analysisArg, said map[string]metricArg) {
	if value, ok := said[one.Name]; ok {
		v.args[one.Name] = value
		return
	}
	value := v.standard(t, path, one)
	before, twice := v.args[one.Name]
	switch {
	case twice && before.known && value.known && before.text != value.text:
		v.wrong(value.position, "conflicting-keys",
			fmt.Sprintf("argument %q has another default in %s", bounded(one.Name), before.position), "give it a value in spec.verification.args of the stage")
	case !twice || !before.known:
		v.args[one.Name] = value
	}
}

// argumentName also matches the names and keys of secrets.
var argumentName = regexp.MustCompile(`^[-._a-zA-Z0-9]+$`)

// standard reads the value that a template itself gives an argument.
func (v *verifier) standard(t analysis, path string, one analysisArg) metricArg {
	out := metricArg{position: t.at(path)}
	switch {
	case one.Value != nil:
		out.text, out.known = *one.Value, true
	case one.ValueFrom != nil && one.ValueFrom.SecretKeyRef != nil:
		secret := *one.ValueFrom.SecretKeyRef
		if !argumentName.MatchString(secret.Name) || !argumentName.MatchString(secret.Key) {
			v.wrong(t.at(path+".valueFrom"), "invalid-name", fmt.Sprintf("argument %q comes from a secret that has no proper name and key", bounded(one.Name)),
				"write secretKeyRef: {name: <secret>, key: <key>}")
			break
		}
		out.text, out.expression, out.known = secretCall(secret.Name, secret.Key), true, true
	case one.ValueFrom != nil && present(one.ValueFrom.FieldRef):
		v.wrong(t.at(path+".valueFrom"), "unsupported", fmt.Sprintf("argument %q comes from a field of the AnalysisRun, and there is none", bounded(one.Name)),
			"give it a value in spec.verification.args of the stage")
	}
	return out
}

func secretCall(name, key string) string {
	if variableName.MatchString(key) {
		return "${{ secret(" + quoted(name) + ")." + key + " }}"
	}
	return "${{ secret(" + quoted(name) + ")[" + quoted(key) + "] }}"
}

// quoted writes a name as a string of an expression.
func quoted(name string) string { return "'" + name + "'" }
