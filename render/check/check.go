// Package check says what an API server would refuse, drop or warn about, before anything reaches it: fields that a kind does
// not have, values of another type, API versions that the cluster no longer serves, what CustomResourceDefinitions and
// admission policies of the repository forbid, and the repository's own rules.
//
// It knows Kubernetes' kinds of several versions (package render/kro/schema) and what lies in the repository. It asks no
// cluster: what only a cluster knows, such as webhooks, is not checked. It renders nothing, and decides nothing about a
// promotion. A value that only the cluster computes ([object.Object.Unknown]) is never held against an object.
package check

import (
	"cmp"
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	v1 "k8s.io/api/admissionregistration/v1"
	k8s "k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lockkeeper/lockkeeper/render/finding"
	"github.com/lockkeeper/lockkeeper/render/kro/schema"
	"github.com/lockkeeper/lockkeeper/render/lru"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// The codes of findings.
const (
	CodeUnknownField    = "schema-unknown-field"
	CodeType            = "schema-type"
	CodeRequired        = "schema-required"
	CodeValue           = "schema-value"
	CodeName            = "schema-name"
	CodeKind            = "schema-kind"
	CodeRemoved         = "api-removed"
	CodeDeprecated      = "api-deprecated"
	CodeAdmissionPolicy = "admission-policy"
	CodePolicy          = "repository-policy"
	CodeUndecided       = "policy-undecided"
	CodeInvalidPolicy   = "invalid-policy"
	CodeUnchecked       = "unchecked"
)

// Codes lists the codes of all findings of this package.
func Codes() []string {
	return []string{
		CodeUnknownField, CodeType, CodeRequired, CodeValue, CodeName, CodeKind, CodeRemoved, CodeDeprecated,
		CodeAdmissionPolicy, CodePolicy, CodeUndecided, CodeInvalidPolicy, CodeUnchecked,
	}
}

// Is reports whether a finding is of this package: one that says what a cluster would do, and not what could not be rendered.
func Is(f finding.Finding) bool { return slices.Contains(Codes(), f.Code) }

// Mode says how bad it is when an object does not fit its kind.
type Mode string

// The modes of schema checks. The zero value is ModeError.
const (
	ModeError   Mode = ""
	ModeWarning Mode = "warning" // errors are told as warnings
	ModeOff     Mode = "off"
)

// Options says what is checked.
type Options struct {
	Schema   Mode
	Policies []Policy // the repository's own
}

// What a Checker remembers, and how much it says about one object.
const (
	rememberedKinds    = 500
	rememberedPolicies = 500
	maxProblems        = 20
	maxFindings        = 1000 // errors of one Application, and as many that are none
	maxMessage         = 1000 // bytes
)

// Checker remembers what it compiled, by content. It is safe for concurrent use; one per process is enough.
type Checker struct {
	library  *schema.Library
	newest   *schema.Set
	kinds    *lru.Cache[string, *customVersion]
	policies *lru.Cache[string, *program]
}

// NewChecker returns a Checker with empty memory. It fails only when the library's data is broken.
func NewChecker(library *schema.Library) (*Checker, error) {
	newest, err := library.At(schema.Version)
	if err != nil {
		return nil, err
	}
	return &Checker{
		library: library, newest: newest,
		kinds: lru.New[string, *customVersion](rememberedKinds), policies: lru.New[string, *program](rememberedPolicies),
	}, nil
}

// Subject is what one Application deploys.
type Subject struct {
	Application string
	Objects     []object.Object // required
	Cluster     Cluster
	// Old returns what stood in the cluster before under the same identity; nil when that is not known.
	Old func(object.ID) (object.Object, bool)
	// Locate returns the file, line and column of a field, or of what is around it; 0 for what is not known.
	Locate func(o object.Object, path Path) (file string, line, column int)
	// Elsewhere reports whether an object is held against its kind by somebody else; nil means none.
	Elsewhere func(object.Object) bool
}

// Cluster is where something is deployed to.
type Cluster struct {
	ID      string // what tells it from others, such as the URL of its API server
	Name    string // in Argo CD, "" when unknown
	Version string // of Kubernetes, such as "1.31" or "v1.31.3-eks", "" when unknown
}

// problem is a finding about an object, at a place in it.
type problem struct {
	severity              finding.Severity
	code, message, remedy string
	path                  Path
}

// Check returns what the rules hold against the objects, in order. It ends early when the context does, and of too much that is
// no error the rest is left out: whoever writes warnings must not keep errors from being found.
func (r *Rules) Check(ctx context.Context, s Subject) []finding.Finding {
	run := &run{
		rules: r, subject: s, target: r.checker.target(s.Cluster.Version), own: definitionsIn(s.Objects), spaces: spacesIn(s.Objects),
		params: map[v1.ParamKind][]object.Object{}, told: map[string]bool{}, spent: map[*admissionPolicy]int64{},
	}
	for _, o := range s.Objects {
		if ctx.Err() != nil || run.errors >= maxFindings {
			break
		}
		run.object(ctx, o)
	}
	switch {
	case run.errors >= maxFindings:
		run.found = append(run.found, finding.Finding{
			Severity: finding.Error, Code: CodeUnchecked, Message: fmt.Sprintf("%d errors were found: the other objects were not checked", maxFindings), Remedy: "correct these first",
		})
	case run.left > 0:
		run.found = append(run.found, finding.Finding{
			Severity: finding.Info, Code: CodeUnchecked, Message: fmt.Sprintf("%d more warnings and notes are not told", run.left), Remedy: "correct the others first",
		})
	}
	return finding.Sort(run.found)
}

// run is one call of Check.
type run struct {
	rules   *Rules
	subject Subject
	target  target
	own     map[k8s.GroupKind][]*definition // CustomResourceDefinitions among the objects
	spaces  map[string]map[string]any       // metadata of the Namespaces among the objects
	params  map[v1.ParamKind][]object.Object
	told    map[string]bool            // policies of which it was told that they cannot be decided
	spent   map[*admissionPolicy]int64 // what asking them cost
	found   []finding.Finding
	errors  int // among found
	left    int // what is no error and was not kept
}

func (r *run) object(ctx context.Context, o object.Object) {
	r.guarded(o, finding.Info, func() { r.report(o, r.fits(ctx, o)...) })
	r.guarded(o, finding.Error, func() { r.admission(ctx, o) })
	r.guarded(o, finding.Error, func() { r.report(o, r.policies(ctx, o)...) })
}

// guarded runs one of the checks of an object. The libraries that play the API server may panic on what nobody foresaw: the other
// checks go on.
func (r *run) guarded(o object.Object, severity finding.Severity, check func()) {
	defer func() {
		if err := recover(); err != nil {
			r.report(o, problem{severity: severity, code: CodeUnchecked, message: fmt.Sprintf("checking it ended abnormally: %v (%s)", err, panicked())})
		}
	}()
	check()
}

// report keeps what was found, as far as it is not too much.
func (r *run) report(o object.Object, found ...problem) {
	for _, p := range found {
		isError := p.severity == finding.Error
		switch {
		case isError && r.errors >= maxFindings:
			return
		case isError:
			r.errors++
		case len(r.found)-r.errors >= maxFindings:
			r.left++
			continue
		}
		r.found = append(r.found, r.finding(o, p))
	}
}

// fits holds an object against its kind. Of many problems the worst are told.
func (r *run) fits(ctx context.Context, o object.Object) []problem {
	mode := r.rules.options.Schema
	if mode == ModeOff || r.subject.Elsewhere != nil && r.subject.Elsewhere(o) {
		return nil
	}
	found := r.schema(ctx, o)
	if extra := len(found) - maxProblems; extra > 0 {
		slices.SortStableFunc(found, func(a, b problem) int { return cmp.Compare(a.severity, b.severity) })
		found = append(found[:maxProblems], problem{
			severity: found[maxProblems].severity, code: found[maxProblems].code, message: fmt.Sprintf("has %d more problems", extra), remedy: "correct the others first",
		})
	}
	if mode == ModeWarning {
		for i := range found {
			found[i].severity = max(found[i].severity, finding.Warning)
		}
	}
	return found
}

// panicked is where a panic happened: the first function above the runtime.
func panicked() string {
	lines := strings.Split(string(debug.Stack()), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "panic(") && i+2 < len(lines) {
			name, _, _ := strings.Cut(lines[i+2], "(")
			return name
		}
	}
	return "unknown"
}

func (r *run) finding(o object.Object, p problem) finding.Finding {
	f := finding.Finding{
		Severity: p.severity, Code: p.code, Message: short(title(o) + ": " + p.message), Remedy: p.remedy, File: o.Source.File, Line: o.Source.Line,
	}
	if r.subject.Locate != nil {
		f.File, f.Line, f.Column = r.subject.Locate(o, p.path)
	}
	return f
}

// short cuts a text that nobody would read to its end.
func short(text string) string {
	if len(text) <= maxMessage {
		return text
	}
	return strings.ToValidUTF8(text[:maxMessage], "") + "…"
}

// title is what an object is called in messages.
func title(o object.Object) string {
	return strings.TrimRight(o.ID().String(), " /") // without a name, what precedes it
}

func kindOf(o object.Object) k8s.GroupVersionKind {
	return k8s.FromAPIVersionAndKind(o.APIVersion(), o.Kind())
}
