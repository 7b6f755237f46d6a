package diff

import (
	"cmp"
	"slices"

	"github.com/lockkeeper/lockkeeper/render/object"
)

// Kind is what happens to an object, a field or an application.
type Kind string

// The kinds of a change.
const (
	Added   Kind = "added"
	Changed Kind = "changed"
	Removed Kind = "removed"
	Renamed Kind = "renamed" // one object under another name: the old one goes and the new one comes
)

// Severity says how much a [Finding] matters.
type Severity string

// The severities, from a remark to something that will not work.
const (
	SeverityInfo    Severity = "info"
	SeverityWarning Severity = "warning"
	SeverityError   Severity = "error"
)

// Finding is something the renderer noticed, such as an instance that kro would reject.
type Finding struct {
	Severity Severity // "" is SeverityInfo
	Message  string   // what is wrong and what to do
	Where    string   // file and line, "" when unknown
}

// App is one application to compare: the objects it deploys at base and at head.
type App struct {
	Name      string // required
	Namespace string // the destination namespace, "" when unknown
	Stage     string // "" when it belongs to none

	Base, Head []object.Object
	// What its hooks deploy around a sync. It is not compared, and counts as there for those who read it.
	BaseHooks, HeadHooks []object.Object

	BaseMissing bool // the application does not exist at base: it is new
	HeadMissing bool // the application does not exist at head: it is removed
	Partial     bool // base or head is not rendered in full: what is deployed beyond Base and Head is not known
	Keeps       bool // it does not prune by itself: what it does not deploy any more stays until somebody prunes it

	// The clusters that it deploys to, "" when unknown.
	BaseCluster, HeadCluster string
	BaseSays, HeadSays       Says // what the application itself says; the zero values say nothing

	Findings []Finding // about head

	was string // its name at base, when another
}

// Report is what changes. All of its values are masked; the zero Report is an empty one.
type Report struct {
	Apps      []AppChange // by name; only applications that change or have findings
	Facts     []Fact      // of all applications, equal ones merged, the most important first
	Findings  []Finding   // about no application alone, such as a definition that many of them use
	Unchanged int         // applications that deploy the same at base and head
	Unknown   int         // applications of which no change was seen, and not everything
}

// AppChange is what changes in one application.
type AppChange struct {
	Name, Namespace, Stage string

	Was       string         // its name at base when that is another one, of an application that deploys much the same
	Kind      Kind           // Added and Removed when the application itself comes or goes
	Objects   []ObjectChange // by ID; only objects that change
	Facts     []Fact
	Findings  []Finding
	Partial   bool // it is not rendered in full: there may be more that changes
	Unchanged int  // objects that stay as they are

	// From and To are the clusters of an application that moves to another one; what it deploys may be the same there.
	From, To string
	Restated bool // it says something else of itself, which the facts tell
}

// ObjectChange is what changes in one object.
type ObjectChange struct {
	ID     object.ID
	Was    object.ID // at base, when Kind is Renamed
	Kind   Kind
	Fields []FieldChange  // in the order of the paths; nil unless Kind is Changed or Renamed
	Base   *object.Object // masked copy, nil when Kind is Added
	Head   *object.Object // masked copy, nil when Kind is Removed
	Source object.Source  // of head; of base when Kind is Removed
}

// FieldChange is one field that changes. A value is nil where the field is absent; a map or list that comes or goes as a
// whole is one change.
type FieldChange struct {
	Path   string // such as spec.template.spec.containers[name=web].image or data["app.yaml"]
	Kind   Kind
	Before any // masked
	After  any // masked
	Only   Only
	Noise  Noise

	steps  []step
	inside bool // of a document within a text
}

// Only says that what differs in a field means little.
type Only string

// What may be all that differs in a field, apart from "".
const (
	OnlyFormatting Only = "formatting" // a document means what it meant, and is written in another way
)

// Empty reports whether nothing changes in the cluster. An empty report may still have findings.
func (r Report) Empty() bool {
	return !slices.ContainsFunc(r.Apps, func(a AppChange) bool { return !a.Empty() })
}

// Counts returns how many objects are added, changed and removed in all applications.
func (r Report) Counts() (added, changed, removed int) {
	for _, app := range r.Apps {
		a, c, d := app.Counts()
		added, changed, removed = added+a, changed+c, removed+d
	}
	return added, changed, removed
}

// Empty reports whether the application deploys the same to the same cluster in the same way at base and head.
func (a AppChange) Empty() bool {
	return len(a.Objects) == 0 && a.Kind == Changed && !a.moves() && !a.Restated && a.Was == ""
}

func (a AppChange) moves() bool { return a.From != a.To }

// Counts returns how many objects of the application are added, changed and removed.
func (a AppChange) Counts() (added, changed, removed int) {
	for _, o := range a.Objects {
		switch o.Kind {
		case Added:
			added++
		case Changed:
			changed++
		case Removed:
			removed++
		case Renamed:
		}
	}
	return added, changed, removed
}

// Renamed returns how many objects are renamed, which are not among those that [Report.Counts] counts.
func (r Report) Renamed() int {
	n := 0
	for _, app := range r.Apps {
		n += app.Renamed()
	}
	return n
}

// Renamed returns how many objects of the application are renamed.
func (a AppChange) Renamed() int {
	n := 0
	for _, o := range a.Objects {
		if o.Kind == Renamed {
			n++
		}
	}
	return n
}

// Options say what is known beyond the objects. The zero value says nothing.
type Options struct {
	// Image returns what is known of an image by its reference, such as ghcr.io/acme/web:1.2.0; nil knows nothing.
	Image func(reference string) (Build, bool)
	// Findings are about no application alone.
	Findings []Finding
	// Unchanged is how many applications deploy the same at base and head and are not among those that are compared: what
	// they deploy is not known.
	Unchanged int
}

// Compare reports what changes from base to head in apps. It does not change apps and keeps no reference to their values.
func Compare(apps []App) Report { return Options{}.Compare(apps) }

// Compare is [Compare] with what the options know.
func (opts Options) Compare(apps []App) Report {
	sorted := slices.Clone(apps)
	slices.SortStableFunc(sorted, func(a, b App) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Stage, b.Stage))
	})
	r := Report{Findings: maskedFindings(opts.Findings), Unchanged: opts.Unchanged}
	sorted = pairApps(sorted)
	definitions := opts.defined(sorted)
	for _, app := range sorted {
		change := opts.compareApp(app, definitions)
		switch {
		case change.Empty() && app.Partial:
			r.Unknown++
		case change.Empty():
			r.Unchanged++
		}
		if !change.Empty() || len(change.Findings) > 0 {
			r.Apps = append(r.Apps, change)
		}
	}
	r.Facts = mergeFacts(r.Apps)
	return r
}

func (opts Options) compareApp(app App, d definitions) AppChange {
	change := AppChange{Name: app.Name, Was: app.was, Namespace: app.Namespace, Stage: app.Stage, Kind: appKind(app), Partial: app.Partial}
	change.Findings = maskedFindings(app.Findings)
	for _, pair := range pairObjects(app) {
		if o, differs := compareObject(pair); differs {
			change.Objects = append(change.Objects, o)
		} else {
			change.Unchanged++
		}
	}
	quieten(change.Objects)
	if base, head := app.BaseCluster, app.HeadCluster; change.Kind == Changed && base != "" && head != "" && base != head {
		change.From, change.To = Mask(base), Mask(head)
	}
	change.Restated = (&collector{}).says(app)
	change.Facts = opts.appFacts(change, app, d)
	return change
}

func maskedFindings(findings []Finding) []Finding {
	var out []Finding
	for _, f := range findings {
		f.Message, f.Where = Mask(f.Message), Mask(f.Where)
		out = append(out, f)
	}
	return out
}

func appKind(app App) Kind {
	switch {
	case app.BaseMissing && !app.HeadMissing:
		return Added
	case app.HeadMissing && !app.BaseMissing:
		return Removed
	default:
		return Changed
	}
}
