package kargo

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/promote"
)

// Problems turns the errors of scanning and splitting files into findings that concern the whole repository: what a file
// that is not YAML would have declared is not known.
func Problems(err error) []promote.Finding {
	var out []promote.Finding
	for _, e := range manifest.Errors(err) {
		severity := promote.SeverityError
		if e.Kind == kindAnalysis || e.Kind == kindClusterAnalysis {
			severity = promote.SeverityWarning // the stages that use it do not find it, which is an error
		}
		out = append(out, promote.Finding{
			Severity: severity, Code: "invalid-yaml",
			Position: promote.Position{File: e.File, Line: e.Line, Column: e.Column},
			Message:  e.Problem, Remedy: e.Remedy,
		})
	}
	return out
}

// object is one manifest and who it is.
type object struct {
	doc     manifest.Document
	kind    string
	project string // "" for what belongs to the cluster
	name    string
}

// ref names an object within one load.
type ref struct{ kind, project, name string }

func (o object) ref() ref { return ref{o.kind, o.project, o.name} }

// position is where the object begins.
func (o object) position() promote.Position { return o.node(o.doc.Node) }

// node is where a node of the object stands.
func (o object) node(n *yaml.Node) promote.Position {
	return promote.Position{File: o.doc.File, Line: n.Line, Column: n.Column}
}

// at is where the value at a dotted path stands, or the nearest value around it that exists.
func (o object) at(path string) promote.Position {
	for path != "" {
		if _, value := o.doc.Find(path); value != nil {
			return o.node(value)
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return o.position()
}

// problem is a finding and the object it is about, before it is known which stages that concerns.
type problem struct {
	about   ref
	finding promote.Finding
}

// report notes a finding about an object. Many stages may come upon the same one in a task that they share.
func (l *loader) report(about ref, f promote.Finding) {
	f.Message, f.Remedy = clip(f.Message), clip(f.Remedy)
	p := problem{about, f}
	if l.reported[p] {
		return
	}
	l.reported[p] = true
	l.problems = append(l.problems, p)
	if f.Severity == promote.SeverityError {
		l.broken[about] = true
	}
}

// clip bounds a text that may quote what somebody wrote.
func clip(text string) string {
	const most = 1000
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// fail notes an error at a path of an object.
func (l *loader) fail(o object, path, code, message, remedy string) {
	l.report(o.ref(), promote.Finding{
		Severity: promote.SeverityError, Code: code, Position: o.at(path), Message: message, Remedy: remedy,
	})
}

// warn notes a warning at a path of an object.
func (l *loader) warn(o object, path, code, message, remedy string) {
	l.report(o.ref(), promote.Finding{
		Severity: promote.SeverityWarning, Code: code, Position: o.at(path), Message: message, Remedy: remedy,
	})
}

// findings gives every problem to the stages that it concerns, in the order of the files.
func (l *loader) findings() []promote.Finding {
	var out []promote.Finding
	for _, p := range l.problems {
		out = append(out, l.assign(p)...)
	}
	slices.SortStableFunc(out, func(a, b promote.Finding) int {
		return cmp.Or(
			strings.Compare(a.Position.File, b.Position.File),
			cmp.Compare(a.Position.Line, b.Position.Line),
			cmp.Compare(a.Position.Column, b.Position.Column),
			a.Stage.Compare(b.Stage),
			strings.Compare(a.Code, b.Code),
			strings.Compare(a.Message, b.Message),
		)
	})
	return slices.Compact(out)
}

func (l *loader) assign(p problem) []promote.Finding {
	f := p.finding
	f.Project = p.about.project
	if f.Project == "" && p.about.kind != kindClusterTask && p.about.kind != kindClusterAnalysis { // nameless: it stands in nobody's way
		f.Severity = min(f.Severity, promote.SeverityWarning)
	}
	switch p.about.kind {
	case kindProject, kindProjectConfig:
		return []promote.Finding{f}
	case kindStage:
		f.Stage = promote.StageRef{Project: p.about.project, Name: p.about.name}
		return []promote.Finding{f}
	}
	users := slices.Compact(slices.Clone(l.users[p.about]))
	if len(users) == 0 && (p.about.kind == kindAnalysis || p.about.kind == kindClusterAnalysis) {
		return nil // it belongs to somebody's Rollouts
	}
	if len(users) == 0 || len(users) > 1 && f.Severity < promote.SeverityError {
		f.Severity = min(f.Severity, promote.SeverityWarning)
		return []promote.Finding{f}
	}
	out := make([]promote.Finding, len(users))
	for i, stage := range users {
		f.Project, f.Stage = stage.Project, stage
		out[i] = f
	}
	return out
}

// What looking for near names may cost in one load.
const (
	maxCompared = 200_000 // names
	maxWord     = 300     // bytes of the word looked for
)

// nearest finds the name that was probably meant, until a load has looked for so many that it is hardly a typing mistake.
func (l *loader) nearest(word string, names []string) (string, bool) {
	l.compared += len(names)
	if l.compared > maxCompared || len(word) > maxWord {
		return "", false
	}
	best, ok := promote.Nearest(word, names)
	return best, ok && best != word
}

// near words the nearest of names for a remedy, or all of them when none is near and they are few.
func (l *loader) near(word string, names []string, what string) string {
	if best, ok := l.nearest(word, names); ok {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return listed(names, what)
}

// listed words the names that exist.
func listed(names []string, what string) string {
	const most = 10
	switch {
	case len(names) == 0:
		return "there are no " + what
	case len(names) > most:
		return what + " are " + strings.Join(names[:most], ", ") + " and more"
	}
	return what + " are " + strings.Join(names, ", ")
}
