package promote

import (
	"slices"
	"strings"
	"time"
)

// Whereabouts is a freight and what became of it.
type Whereabouts struct {
	Freight
	Runs     []StageRef `json:"runs,omitempty"`     // stages that run it
	Verified []StageRef `json:"verified,omitempty"` // stages that it was verified in
	Rejected *Rejection `json:"rejected,omitempty"` // nil unless a person, or a verification, said that it is bad
	Onward   []Onward   `json:"onward,omitempty"`   // where it may be promoted to now
}

// Onward is a stage that a freight may be promoted to, and the comment that asks for it.
type Onward struct {
	Stage   StageRef `json:"stage"`
	Command string   `json:"command"`
}

// Whereabouts returns every freight of the history, what was discovered last first.
func (s State) Whereabouts() []Whereabouts {
	d := newDecision(s)
	runs := d.running()
	verified := map[projectFreight][]StageRef{}
	for _, v := range s.History.Verifications {
		key := projectFreight{v.Stage.Project, v.Freight}
		verified[key] = append(verified[key], v.Stage)
	}
	all := make([]Whereabouts, 0, len(s.History.Freights))
	for _, f := range s.History.Freights {
		key := projectFreight{f.Project, f.ID}
		one := Whereabouts{Freight: f, Runs: runs[key], Verified: verified[key], Onward: d.onward(f)}
		if r, bad := d.index.rejection(f); bad {
			one.Rejected = &r
		}
		all = append(all, one)
	}
	slices.SortStableFunc(all, func(a, b Whereabouts) int {
		if order := b.DiscoveredAt.Compare(a.DiscoveredAt); order != 0 {
			return order
		}
		return strings.Compare(string(a.ID), string(b.ID))
	})
	return all
}

// FreightStatus is what became of a freight, found by its ID or alias, in the shape of Kargo's FreightStatus: currentlyIn,
// verifiedIn and approvedFor, each by the names of stages, with since, verifiedAt and approvedAt.
func (s State) FreightStatus(project, name string) (map[string]any, bool) {
	i := slices.IndexFunc(s.History.Freights, func(f Freight) bool {
		return f.Project == project && name != "" && (string(f.ID) == name || f.Alias == name)
	})
	if i < 0 {
		return nil, false
	}
	freight := s.History.Freights[i]
	d := newDecision(s)
	currently, verified, approved := map[string]any{}, map[string]any{}, map[string]any{}
	for _, stage := range d.running()[projectFreight{project, freight.ID}] {
		since := ""
		if p, ok := d.index.last(stage, func(p *Promotion) bool { return p.Freight == freight.ID && p.Phase == PhaseSucceeded }); ok {
			since = stamp(p.FinishedAt)
		}
		currently[stage.Name] = map[string]any{"since": since}
	}
	for _, v := range s.History.Verifications {
		if v.Stage.Project == project && v.Freight == freight.ID {
			verified[v.Stage.Name] = map[string]any{"verifiedAt": stamp(v.VerifiedAt)}
		}
	}
	for _, a := range s.History.Approvals {
		if a.Stage.Project == project && a.Freight == freight.ID {
			approved[a.Stage.Name] = map[string]any{"approvedAt": stamp(a.At)}
		}
	}
	return map[string]any{"currentlyIn": currently, "verifiedIn": verified, "approvedFor": approved}, true
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// running says which stages run a freight, in the order of the pipelines.
func (d *decision) running() map[projectFreight][]StageRef {
	runs := map[projectFreight][]StageRef{}
	for _, pipeline := range d.state.Pipelines {
		for _, stage := range pipeline.Stages {
			ref := StageRef{pipeline.Project, stage.Name}
			for _, request := range stage.Requests {
				if f, ok := d.index.current(ref, request.Warehouse); ok {
					key := projectFreight{f.Project, f.ID}
					runs[key] = append(runs[key], ref)
				}
			}
		}
	}
	return runs
}

// onward returns the stages that a person may promote a freight to.
func (d *decision) onward(f Freight) []Onward {
	var out []Onward
	pipeline, _ := d.state.Pipeline(f.Project)
	for _, stage := range pipeline.Stages {
		ref := StageRef{f.Project, stage.Name}
		if current, ok := d.index.current(ref, f.Warehouse); ok && current.ID == f.ID {
			continue
		}
		if d.refusal(Request{Stage: ref, Freight: f.ID}, f) == "" {
			out = append(out, Onward{ref, "/" + string(VerbPromote) + " " + d.index.word(ref) + " " + d.index.wordOf(f)})
		}
	}
	return out
}

// wordOf is how a person names a freight so that no other of its warehouse is meant.
func (x *index) wordOf(f Freight) string {
	word := versionWord(f)
	for _, other := range x.warehouses[StageRef{f.Project, f.Warehouse}] {
		if other.ID != f.ID && other.named(word) {
			return f.ID.Short()
		}
	}
	return word
}

// Named reports whether a word means the freight: one of its versions, its alias, or the start of its ID, at least seven
// characters of it.
func (f Freight) Named(word string) bool { return f.named(word) }

// NewAlias returns a name for people that no freight of the project has, for freight that is not in the history yet. The same
// freight gets the same name when the same names are taken.
func (h History) NewAlias(f Freight) string {
	x := &index{freights: map[projectFreight]*Freight{}, warehouses: map[StageRef][]*Freight{}, aliases: map[string]map[string]bool{}}
	for i := range h.Freights {
		x.addFreight(&h.Freights[i])
	}
	return x.alias(f)
}
