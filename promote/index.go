package promote

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
)

// index answers the questions of one decision in constant time. It is built once from a State and never outlives the call.
type index struct {
	freights    map[projectFreight]*Freight
	aliases     map[string]map[string]bool // that are taken, by project, once they were asked for
	warehouses  map[StageRef][]*Freight    // by project and warehouse, in the order of the history
	promotions  map[StageRef][]*Promotion  // by number, lowest first
	proposed    map[int][]*Promotion       // by change, lowest number first
	pushed      map[Branch]*Promotion      // the newest of each branch
	verified    map[stageFreight]*Verification
	holds       map[StageRef]Hold
	autoHolds   map[stageWarehouse]Hold
	approvals   map[stageFreight][]Approval // oldest first
	rejections  map[projectFreight]Rejection
	requests    map[StageRef][]*Request // oldest first
	keys        map[string]*Request
	discoveries map[StageRef]*Discovery // by project and warehouse
	findings    findingIndex
	stages      map[StageRef]stagePlace
	names       map[string]int // how many projects have a stage of that name
	numbers     map[int]*Change
	branches    map[Branch][]*Change
	crews       map[Branch][]Promotion  // of branches that promotions share
	fans        map[StageRef][]string   // by project and declared name: the stages that it fans out to
	failures    map[stageFreight]string // of fanned out stages: a target to which that freight failed; empty: none
	waves       map[StageRef]*wave      // likewise, once they were looked at
	watches     map[StageRef]*Warehouse // by project and name
	versions    versions
}

// projectFreight names a freight of a project.
type projectFreight struct {
	Project string
	Freight FreightID
}

type stageFreight struct {
	stage   StageRef
	freight FreightID
}

type stageWarehouse struct {
	stage     StageRef
	warehouse string
}

type stagePlace struct{ pipeline, stage int }

type findingIndex struct {
	everywhere []Finding
	projects   map[string][]Finding
	stages     map[StageRef][]Finding
}

func newIndex(s *State) *index {
	x := &index{
		versions: versions{}, aliases: map[string]map[string]bool{},
		discoveries: make(map[StageRef]*Discovery, len(s.Discoveries)),
		stages:      map[StageRef]stagePlace{}, names: map[string]int{}, fans: map[StageRef][]string{}, waves: map[StageRef]*wave{}, failures: map[stageFreight]string{}, watches: map[StageRef]*Warehouse{},
		numbers: make(map[int]*Change, len(s.Changes)), branches: make(map[Branch][]*Change, len(s.Changes)),
	}
	x.addHistory(&s.History)
	x.addPipelines(s)
	x.addCrews(s)
	for i := range s.Discoveries {
		putFirst(x.discoveries, StageRef{s.Discoveries[i].Project, s.Discoveries[i].Warehouse}, &s.Discoveries[i])
	}
	for i := range s.Changes {
		putFirst(x.numbers, s.Changes[i].Number, &s.Changes[i])
		x.branches[s.Changes[i].Branch] = append(x.branches[s.Changes[i].Branch], &s.Changes[i])
	}
	return x
}

func (x *index) addHistory(h *History) {
	x.freights = make(map[projectFreight]*Freight, len(h.Freights))
	x.warehouses = map[StageRef][]*Freight{}
	x.promotions, x.proposed, x.pushed = map[StageRef][]*Promotion{}, map[int][]*Promotion{}, map[Branch]*Promotion{}
	x.verified = make(map[stageFreight]*Verification, len(h.Verifications))
	x.holds, x.requests, x.keys = map[StageRef]Hold{}, map[StageRef][]*Request{}, map[string]*Request{}
	for i := range h.Freights {
		x.addFreight(&h.Freights[i])
	}
	for i := range h.Promotions {
		p := &h.Promotions[i]
		x.promotions[p.Stage] = append(x.promotions[p.Stage], p)
		if p.Change != 0 {
			x.proposed[p.Change] = append(x.proposed[p.Change], p)
		}
		if last := x.pushed[p.Branch]; last == nil || last.Number < p.Number {
			x.pushed[p.Branch] = p
		}
	}
	byNumber := func(a, b *Promotion) int { return cmp.Compare(a.Number, b.Number) }
	for _, all := range x.promotions {
		slices.SortStableFunc(all, byNumber)
	}
	for _, all := range x.proposed {
		slices.SortStableFunc(all, byNumber)
	}
	for i := range h.Verifications {
		putFirst(x.verified, stageFreight{h.Verifications[i].Stage, h.Verifications[i].Freight}, &h.Verifications[i])
	}
	x.autoHolds, x.approvals, x.rejections = map[stageWarehouse]Hold{}, map[stageFreight][]Approval{}, map[projectFreight]Rejection{}
	for _, hold := range h.Holds {
		if hold.Warehouse == "" {
			putFirst(x.holds, hold.Stage, hold)
		} else {
			putFirst(x.autoHolds, stageWarehouse{hold.Stage, hold.Warehouse}, hold)
		}
	}
	for _, a := range h.Approvals {
		key := stageFreight{a.Stage, a.Freight}
		x.approvals[key] = append(x.approvals[key], a)
	}
	for _, r := range h.Rejections {
		putFirst(x.rejections, projectFreight{r.Project, r.Freight}, r)
	}
	for i := range h.Requests {
		x.addRequest(&h.Requests[i])
	}
	for _, all := range x.requests {
		slices.SortStableFunc(all, func(a, b *Request) int { return a.At.Compare(b.At) })
	}
}

func (x *index) addPipelines(s *State) {
	for i := range s.Pipelines {
		for j := range s.Pipelines[i].Warehouses {
			putFirst(x.watches, StageRef{s.Pipelines[i].Project, s.Pipelines[i].Warehouses[j].Name}, &s.Pipelines[i].Warehouses[j])
		}
		for j := range s.Pipelines[i].Stages {
			putFirst(x.stages, StageRef{s.Pipelines[i].Project, s.Pipelines[i].Stages[j].Name}, stagePlace{i, j})
			x.names[s.Pipelines[i].Stages[j].Name]++
			if fan := s.Pipelines[i].Stages[j].Fan; fan != "" {
				ref := StageRef{s.Pipelines[i].Project, fan}
				x.fans[ref] = append(x.fans[ref], s.Pipelines[i].Stages[j].Name)
			}
		}
	}
	f := &x.findings
	f.projects, f.stages = map[string][]Finding{}, map[StageRef][]Finding{}
	for _, finding := range s.Findings {
		switch {
		case finding.Stage != StageRef{}:
			f.stages[finding.Stage] = append(f.stages[finding.Stage], finding)
		case finding.Project != "":
			f.projects[finding.Project] = append(f.projects[finding.Project], finding)
		default:
			f.everywhere = append(f.everywhere, finding)
		}
	}
}

func putFirst[K comparable, V any](m map[K]V, key K, value V) {
	if _, taken := m[key]; !taken {
		m[key] = value
	}
}

func (x *index) addFreight(f *Freight) {
	key := projectFreight{f.Project, f.ID}
	if _, known := x.freights[key]; known {
		return
	}
	x.freights[key] = f
	warehouse := StageRef{f.Project, f.Warehouse}
	x.warehouses[warehouse] = append(x.warehouses[warehouse], f)
}

func (x *index) addRequest(r *Request) {
	putFirst(x.keys, r.Key, r)
	x.requests[r.Stage] = append(x.requests[r.Stage], r)
}

func (x *index) freight(project string, id FreightID) (Freight, bool) {
	f, ok := x.freights[projectFreight{project, id}]
	if !ok {
		return Freight{}, false
	}
	return *f, true
}

// active is History.Active.
func (x *index) active(stage StageRef) (Promotion, bool) {
	return x.last(stage, func(p *Promotion) bool { return !p.Phase.Terminal() })
}

// latest returns the newest promotion of a freight to a stage.
func (x *index) latest(stage StageRef, freight FreightID) (Promotion, bool) {
	return x.last(stage, func(p *Promotion) bool { return p.Freight == freight })
}

// arrived returns the last successful promotion of a warehouse's freight to a stage.
func (x *index) arrived(stage StageRef, warehouse string) (Promotion, bool) {
	return x.last(stage, func(p *Promotion) bool {
		return p.Phase == PhaseSucceeded && x.warehouseOf(stage.Project, p.Freight) == warehouse
	})
}

// current returns the freight of a warehouse that a stage runs, by its last successful promotion.
func (x *index) current(stage StageRef, warehouse string) (Freight, bool) {
	p, ok := x.arrived(stage, warehouse)
	if !ok {
		return Freight{}, false
	}
	return x.freight(stage.Project, p.Freight)
}

func (x *index) warehouseOf(project string, id FreightID) string {
	f, ok := x.freights[projectFreight{project, id}]
	if !ok {
		return ""
	}
	return f.Warehouse
}

func (x *index) last(stage StageRef, match func(*Promotion) bool) (Promotion, bool) {
	for _, p := range slices.Backward(x.promotions[stage]) {
		if match(p) {
			return *p, true
		}
	}
	return Promotion{}, false
}

// lastNumber is the number of the newest promotion of a stage, 0 when there was none.
func (x *index) lastNumber(stage StageRef) int {
	p, _ := x.last(stage, func(*Promotion) bool { return true })
	return p.Number
}

// wish returns the newest request to merge an open promotion as it stands.
func (x *index) wish(p Promotion) (Request, bool) {
	r, ok := x.lastWish(p)
	return r, ok && r.merges(p)
}

// lastWish returns the newest request to merge an open promotion, as it stands before any other.
func (x *index) lastWish(p Promotion) (Request, bool) {
	var last *Request
	for _, r := range slices.Backward(x.requests[p.Stage]) {
		if r.Merge == "" || r.Merge != p.ID {
			continue
		}
		if r.merges(p) {
			return *r, true
		}
		if last == nil {
			last = r
		}
	}
	if last == nil {
		return Request{}, false
	}
	return *last, true
}

// wishes counts the requests to merge an open promotion as it stands.
func (x *index) wishes(p Promotion) int {
	return len(keep(x.requests[p.Stage], func(r *Request) bool { return r.merges(p) }))
}

// proposer returns the promotion that a change belongs to: the newest that is recorded with it, else the newest of its branch,
// if that proposed the change's head. Another head may be that of a promotion whose record was not read yet.
func (x *index) proposer(c Change) (Promotion, bool) {
	if all := x.proposed[c.Number]; len(all) > 0 {
		return *all[len(all)-1], true
	}
	if p := x.pushed[c.Branch]; p != nil && p.Head == c.Head {
		return *p, true
	}
	return Promotion{}, false
}

// pending returns the newest request for freight of a warehouse, if nothing came of it yet.
func (x *index) pending(stage StageRef, warehouse string) (Request, Freight, bool) {
	for _, r := range slices.Backward(x.requests[stage]) {
		freight, known := x.freight(stage.Project, r.Freight)
		if !known || freight.Warehouse != warehouse {
			continue
		}
		last, promoted := x.latest(stage, r.Freight)
		taken := promoted && (last.Number > r.After || !last.Phase.Terminal())
		return *r, freight, r.Merge == "" && !taken
	}
	return Request{}, Freight{}, false
}

// change is State.Change.
func (x *index) change(p Promotion) (Change, bool) {
	if p.Change != 0 {
		c, ok := x.numbers[p.Change]
		if !ok {
			return Change{}, false
		}
		return *c, true
	}
	return proposing(x.branches[p.Branch], p)
}

// proposing returns the change among those of a promotion's branch by which it is proposed. One that is open counts before
// one that was ended at the same head.
func proposing(changes []*Change, p Promotion) (Change, bool) {
	var ended *Change
	for _, c := range changes {
		switch {
		case c.Branch != p.Branch || c.Fork:
		case c.State == ChangeOpen:
			return *c, true
		case ended == nil && c.Head == p.Head:
			ended = c
		}
	}
	if ended == nil {
		return Change{}, false
	}
	return *ended, true
}

// order compares two freights of one warehouse in that warehouse's order.
func (x *index) order(a, b Freight) Order {
	var w Warehouse
	if known := x.watches[StageRef{a.Project, a.Warehouse}]; known != nil {
		w = *known
	}
	return x.versions.order(w, a, b)
}

// prefer reports whether a is to be looked at rather than b. Versions that cannot be ordered are taken as they came.
func (x *index) prefer(a, b Freight) bool {
	switch x.order(a, b) {
	case Newer:
		return true
	case Incomparable:
		return byDiscovery(a, b) == Newer || a.DiscoveredAt.Equal(b.DiscoveredAt) && a.ID > b.ID
	case Same, Older:
	}
	return false
}

// about returns the findings that stand in the way of a stage.
func (f findingIndex) about(stage StageRef) []Finding {
	return slices.Concat(f.everywhere, f.projects[stage.Project], f.stages[stage])
}

// word is how a person names a stage in a command: its name, with the project where the name alone is not enough.
func (x *index) word(stage StageRef) string {
	if x.names[stage.Name] > 1 {
		return stage.String()
	}
	return stage.Name
}

// versionWord is how a person names a freight in a command: the version of its only artifact, or its short ID.
func versionWord(f Freight) string {
	labels := f.labels()
	if len(labels) == 1 && labels[0] != "" && !strings.ContainsFunc(labels[0], unicode.IsSpace) {
		return labels[0]
	}
	return f.ID.Short()
}
