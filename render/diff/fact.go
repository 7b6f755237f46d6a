package diff

import (
	"cmp"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/render/object"
)

// FactKind groups facts by what they are about.
type FactKind string

// The kinds of facts, in the order in which they are shown; dangers of any kind come first.
const (
	FactImage       FactKind = "image"
	FactReplicas    FactKind = "replicas"
	FactRestart     FactKind = "restart"
	FactResources   FactKind = "resources"
	FactContainer   FactKind = "container"
	FactPort        FactKind = "port"
	FactConfig      FactKind = "config"
	FactImmutable   FactKind = "immutable"
	FactObject      FactKind = "object"
	FactApplication FactKind = "application"
	FactFinding     FactKind = "finding"
)

var factOrder = []FactKind{
	FactImage, FactReplicas, FactRestart, FactResources, FactContainer, FactPort, FactConfig, FactImmutable, FactObject, FactApplication, FactFinding,
}

// Fact is one line that a reviewer should read before anything else.
type Fact struct {
	Kind   FactKind
	Danger bool     // something may break or be lost
	Grave  bool     // data or a whole environment may be lost
	Parts  []Part   // the sentence
	Apps   []string // names of the applications it is true for
}

// Part is a piece of a fact's sentence.
type Part struct {
	Text string
	Code bool   // Text comes from the manifests; print it so that it cannot act
	Link string // where Text leads, an https address; "" when nowhere
}

// String returns the sentence without its applications.
func (f Fact) String() string {
	var b strings.Builder
	for _, p := range f.Parts {
		b.WriteString(p.Text)
	}
	return b.String()
}

// withLinks is the sentence with the addresses behind the words that lead there.
func (f Fact) withLinks() string {
	var b strings.Builder
	for _, p := range f.Parts {
		b.WriteString(p.Text)
		if p.Link != "" {
			b.WriteString(" <" + p.Link + ">")
		}
	}
	return b.String()
}

// sentence builds parts from words and code, alternating, beginning with words.
func sentence(texts ...string) []Part {
	parts := make([]Part, 0, len(texts))
	for i, text := range texts {
		if text != "" || i%2 == 1 {
			parts = append(parts, Part{Text: text, Code: i%2 == 1})
		}
	}
	return parts
}

// mergeFacts joins equal facts of several applications and puts the most important first.
func mergeFacts(apps []AppChange) []Fact {
	var out []Fact
	at := make(map[string]int)
	for _, app := range apps {
		for _, f := range app.Facts {
			key := string(f.Kind) + "\x00" + f.withLinks()
			if i, known := at[key]; known {
				out[i].Apps = append(out[i].Apps, f.Apps...)
				out[i].Danger, out[i].Grave = out[i].Danger || f.Danger, out[i].Grave || f.Grave
				continue
			}
			at[key] = len(out)
			f.Apps = slices.Clone(f.Apps)
			out = append(out, f)
		}
	}
	sortFacts(out)
	return out
}

func sortFacts(facts []Fact) {
	slices.SortStableFunc(facts, func(a, b Fact) int {
		return cmp.Or(cmp.Compare(weight(a), weight(b)), cmp.Compare(slices.Index(factOrder, a.Kind), slices.Index(factOrder, b.Kind)))
	})
}

func weight(f Fact) int {
	switch {
	case f.Grave:
		return 0
	case f.Danger:
		return 1
	default:
		return 2
	}
}

// told is a fact about a value that may be told by several objects of one application: a kro instance and the
// Deployment it expands to. weak ones are left out when another says the same.
type told struct {
	kind          FactKind
	what          string // what the value belongs to, such as the image repository
	before, after string
	words         string // before "what"
	where         string // the object
	from, to      string // references of images
	weak, danger  bool
}

// collector gathers the facts of one application.
type collector struct {
	app     string
	options Options
	keeps   bool                // the application does not prune
	scaled  map[workload]string // the autoscaler of a workload
	facts   []Fact
	told    []told
}

// appFacts returns the facts of an application, the most important first. whole also has what does not change, and d the
// definitions of all applications.
func (opts Options) appFacts(app AppChange, whole App, d definitions) []Fact {
	c := collector{app: app.Name, options: opts, keeps: whole.Keeps, scaled: scaled(whole.Head)}
	c.findings(app.Findings)
	c.moved(app)
	c.renamedApp(app)
	c.says(whole)
	c.lacking(lacks(whole))
	c.undefined(app, d)
	c.unevictable(whole)
	switch app.Kind {
	case Added:
		c.add(FactApplication, sentence("new application, with ", "", count(len(app.Objects), "object")))
	case Removed:
		c.danger(FactApplication, sentence("the application is removed, with ", "", count(len(app.Objects), "object")))
	case Changed, Renamed:
	}
	for _, o := range app.Objects {
		switch o.Kind {
		case Added:
			c.added(o, app.Kind == Added)
		case Removed:
			c.removed(o, app.Kind == Removed)
		case Changed:
			c.changed(o)
		case Renamed:
			c.renamed(o)
		}
	}
	c.restarts(app.Objects)
	c.stale(app.Objects, reads(whole.Head))
	c.tell()
	sortFacts(c.facts)
	return c.facts
}

func (c *collector) add(kind FactKind, parts []Part) {
	parts = slices.DeleteFunc(parts, func(p Part) bool { return p.Text == "" })
	c.facts = append(c.facts, Fact{Kind: kind, Parts: parts, Apps: []string{c.app}})
}

func (c *collector) danger(kind FactKind, parts []Part) {
	c.add(kind, parts)
	c.facts[len(c.facts)-1].Danger = true
}

// moved is about an application that gets another cluster: Argo CD forgets what runs on the old one and never prunes it.
func (c *collector) moved(app AppChange) {
	if app.moves() && app.Was == "" {
		c.danger(FactApplication, sentence("moves from cluster ", app.From, " to ", app.To, ": everything is deployed anew there, and what runs on the old cluster stays there until somebody deletes it"))
		c.facts[len(c.facts)-1].Grave = true
	}
}

func (c *collector) findings(findings []Finding) {
	for _, f := range findings {
		where := ""
		if f.Where != "" {
			where = " at "
		}
		switch f.Severity {
		case SeverityError, SeverityWarning:
			c.danger(FactFinding, sentence("", f.Message, where, f.Where))
		case SeverityInfo:
		}
	}
}

func (c *collector) added(o ObjectChange, withApp bool) {
	if !withApp {
		c.add(FactObject, sentence("new ", name(o.ID)))
	}
	c.loose(o.Head.Fields, o.ID)
}

func (c *collector) changed(o ObjectChange) {
	for _, f := range o.Fields {
		if f.inside {
			continue
		}
		c.image(o, f)
		c.replicas(o, f)
		c.resources(o, f)
	}
	c.config(o)
	c.ports(o)
	c.immutable(o)
	c.autoscaled(o)
}

// tell turns what was told into facts, each once, with all the objects that say so.
func (c *collector) tell() {
	type key struct {
		kind                                       FactKind
		words, what, before, after, name, from, to string
	}
	type place struct {
		key
		where string
	}
	where := make(map[key][]string)
	known := make(map[place]bool)
	var order []key
	strong := c.strong()
	for _, t := range c.told {
		if t.weak && slices.ContainsFunc(strong[t.values()], func(what string) bool { return strings.HasSuffix(what, t.what) }) {
			continue
		}
		k := key{kind: t.kind, words: t.words, what: t.what, before: t.before, after: t.after, from: t.from, to: t.to}
		if t.danger {
			k.name = t.where
		}
		if where[k] == nil {
			order = append(order, k)
		}
		if at := (place{k, t.where}); !known[at] {
			known[at] = true
			where[k] = append(where[k], t.where)
		}
	}
	for _, k := range order {
		parts := []Part{{Text: k.words}}
		if k.what != "" {
			parts = append(parts, Part{Text: k.what, Code: true}, Part{Text: " "})
		}
		parts = append(parts, Part{Text: k.before, Code: true}, Part{Text: " → "}, Part{Text: k.after, Code: true})
		parts = append(parts, in(where[k])...)
		c.add(k.kind, append(parts, c.options.commits(k.what, k.from, k.to)...))
		c.facts[len(c.facts)-1].Danger = k.name != ""
	}
}

// toldValues are what is told, without what it belongs to.
type toldValues struct {
	kind          FactKind
	before, after string
}

func (t told) values() toldValues { return toldValues{t.kind, t.before, t.after} }

// strong is what those that are not weak belong to: a weak one with the same values says no more than they do when it belongs to
// the end of that.
func (c *collector) strong() map[toldValues][]string {
	out := make(map[toldValues][]string)
	known := make(map[told]bool)
	for _, t := range c.told {
		one := told{kind: t.kind, what: t.what, before: t.before, after: t.after}
		if !t.weak && !known[one] {
			known[one] = true
			out[t.values()] = append(out[t.values()], t.what)
		}
	}
	return out
}

// in lists up to three objects.
func in(names []string) []Part {
	var parts []Part
	for i, n := range names {
		switch i {
		case 3:
			return append(parts, Part{Text: " and " + count(len(names)-3, "more object")})
		case 0:
			parts = append(parts, Part{Text: " in "})
		default:
			parts = append(parts, Part{Text: ", "})
		}
		parts = append(parts, Part{Text: n, Code: true})
	}
	return parts
}

// name is an ID without its namespace: the application says where it is, and equal facts of several applications merge.
func name(id object.ID) string {
	id.Namespace = ""
	return id.String()
}
