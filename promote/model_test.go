package promote

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// world is a small model of everything outside: repository, ledger, forge, registry and Argo CD. It applies Actions as
// promote/reconcile does, and knows for itself what must never happen.
type world struct {
	t        *rapid.T
	now      time.Time
	main     Commit
	commits  int
	state    State // Pipelines, History, Tips, Changes, Statuses, Conflicts, Unmade, Deliveries, Commands, Discoveries
	content  map[StageRef]map[string]Freight
	running  map[StageRef]map[string]stay
	longest  map[stageFreight]time.Duration
	gone     map[FreightID]bool // the image is not in its registry
	moved    map[FreightID]bool // its tag was pushed again
	hopeless map[FreightID]bool // its proposal cannot be made
	broken   map[Commit]bool    // does not render
	unseen   map[Commit]bool    // could not be looked at
	argoDown bool
	health   map[StageRef]string // "", "slow" or "bad"
	comments int
	tags     map[string]int
}

type stay struct {
	freight FreightID
	since   time.Time
}

func newWorld(t *rapid.T) *world {
	w := &world{
		t: t, now: epoch, content: map[StageRef]map[string]Freight{}, running: map[StageRef]map[string]stay{},
		longest: map[stageFreight]time.Duration{}, gone: map[FreightID]bool{}, moved: map[FreightID]bool{}, hopeless: map[FreightID]bool{},
		broken: map[Commit]bool{}, unseen: map[Commit]bool{}, health: map[StageRef]string{}, tags: map[string]int{},
	}
	w.state = State{Branch: "main", Tips: map[Branch]Commit{}, Statuses: map[Commit]Status{}, Unmade: map[string]string{}, Deliveries: map[PromotionRef]Delivering{}, Conflicts: map[PromotionRef][]string{}}
	w.pushMain()
	w.state.Pipelines = []Pipeline{randomPipeline(t)}
	for _, s := range w.stages() {
		ref := StageRef{"p", s.Name}
		w.content[ref], w.running[ref] = map[string]Freight{}, map[string]stay{}
	}
	return w
}

func randomPipeline(t *rapid.T) Pipeline {
	p := Pipeline{Project: "p", Declared: true}
	for _, name := range []string{"web", "api"}[:rapid.IntRange(1, 2).Draw(t, "warehouses")] {
		p.Warehouses = append(p.Warehouses, Warehouse{Name: name, Images: []ImageSubscription{{RepoURL: "acme/" + name}}})
	}
	for i := range rapid.IntRange(1, 4).Draw(t, "stages") {
		s := Stage{Name: fmt.Sprintf("s%d", i), Steps: []Step{{Uses: "git-push"}}, AutoMerge: rapid.Bool().Draw(t, "autoMerge")}
		for _, warehouse := range p.Warehouses {
			if len(s.Requests) > 0 && rapid.Bool().Draw(t, "skip") {
				continue
			}
			s.Requests = append(s.Requests, randomRequest(t, warehouse.Name, p.Stages))
		}
		if i > 0 && rapid.IntRange(0, 9).Draw(t, "control") == 0 {
			s.Steps = nil
		}
		p.Stages = append(p.Stages, s)
		if rapid.Bool().Draw(t, "auto") {
			p.Policies = append(p.Policies, Policy{Stage: s.Name, AutoPromotion: true})
		}
	}
	return p
}

func randomRequest(t *rapid.T, warehouse string, earlier []Stage) FreightRequest {
	r := FreightRequest{Warehouse: warehouse, All: rapid.Bool().Draw(t, "all")}
	for _, s := range earlier {
		if slices.ContainsFunc(s.Requests, func(o FreightRequest) bool { return o.Warehouse == warehouse }) && rapid.Bool().Draw(t, "upstream") {
			r.Stages = append(r.Stages, s.Name)
		}
	}
	if len(r.Stages) == 0 {
		r.Direct = true
	} else if rapid.Bool().Draw(t, "soak") {
		r.RequiredSoak = 10 * time.Minute
	}
	return r
}

func (w *world) stages() []Stage { return w.state.Pipelines[0].Stages }

func (w *world) commit() Commit {
	w.commits++
	return Commit(fmt.Sprintf("%040d", w.commits))
}

func (w *world) pushMain() {
	w.main = w.commit()
	w.state.Head = w.main
	clear(w.state.Unmade)
}

// observe is what the loop sees now.
func (w *world) observe() State {
	s := w.state
	s.Now = w.now
	s.Evidence = map[Commit]Evidence{}
	for _, p := range s.History.Promotions {
		head := p.Head
		if c, ok := s.Change(p); ok {
			head = c.Head
		}
		if p.Phase == PhaseProposed && !w.unseen[head] {
			s.Evidence[head] = w.evidence(p, head)
		}
	}
	s.History.Promotions = slices.Clone(s.History.Promotions)
	s.Changes = slices.Clone(s.Changes)
	return s
}

func (w *world) evidence(p Promotion, head Commit) Evidence {
	e := Evidence{Head: head, Base: p.Base}
	if head == p.Head {
		e.Moves = p.Moves
	}
	f, _ := w.state.History.Freight("p", p.Freight)
	for _, image := range f.Images {
		digest := image.Digest
		if w.gone[f.ID] {
			digest = ""
		} else if w.moved[f.ID] {
			digest = "sha256:moved"
		}
		e.Images = append(e.Images, ImageEvidence{Image: image, Digest: digest})
	}
	if w.broken[head] {
		e.Findings = []Finding{{Severity: SeverityError, Message: "does not render"}}
	}
	app := ApplicationEvidence{Name: p.Stage.Name, Exists: true, Authorized: []StageRef{p.Stage}}
	if w.argoDown {
		app.Problem = "HTTP 503"
	}
	e.Applications = []ApplicationEvidence{app}
	return e
}

// settle runs the loop until nothing is left to do. cut, when it is not negative, is after how many actions the process dies.
func (w *world) settle(cut int) {
	for round := 0; ; round++ {
		if round == 50 {
			w.t.Fatalf("not quiet after 50 rounds; the last plan was:\n%s", Decide(w.observe()))
		}
		w.now = w.now.Add(time.Second)
		s := w.observe()
		plan := Decide(s)
		if diff := gocmp.Diff(plan, Decide(s)); diff != "" {
			w.t.Fatalf("equal states, different plans: %s", diff)
		}
		w.checkPlan(s, plan)
		if len(plan.Actions) == 0 {
			if len(w.state.Commands) > 0 {
				w.t.Fatalf("a command was not answered: %+v", w.state.Commands)
			}
			w.checkQuiet(plan)
			w.checkClosed()
			return
		}
		for _, action := range plan.Actions {
			if cut == 0 {
				clear(w.state.Deliveries)
				break
			}
			cut--
			if !w.apply(action) {
				break
			}
			w.checkInvariants(action)
		}
		cut = max(cut, -1)
		if cut == 0 {
			cut = -1
		}
	}
}

// checkClosed makes sure that nothing is left open that promotes nothing.
func (w *world) checkClosed() {
	for _, c := range w.openChanges() {
		p, ok := w.proposal(c)
		if !ok || p.Change != 0 && p.Change != c.Number {
			w.t.Fatalf("change %d is open, and no promotion needs it", c.Number)
		}
	}
}

// checkQuiet looks once more a second later: an event that is repeated changes nothing.
func (w *world) checkQuiet(plan Plan) {
	w.now = w.now.Add(time.Second)
	if !plan.Recheck.IsZero() && !plan.Recheck.After(w.now) {
		return
	}
	if again := Decide(w.observe()); len(again.Actions) > 0 {
		w.t.Fatalf("quiet, and a second later not:\n%s", again)
	}
}

func (w *world) checkPlan(s State, plan Plan) {
	keys := map[string]bool{}
	for _, a := range plan.Actions {
		if keys[a.Key()] {
			w.t.Fatalf("two actions have the key %s in:\n%s", a.Key(), plan)
		}
		keys[a.Key()] = true
	}
	if len(plan.Stages) != len(w.stages()) {
		w.t.Fatalf("%d of %d stages have a status", len(plan.Stages), len(w.stages()))
	}
	for _, status := range plan.Stages {
		if status.Reason == "" || status.Verdict < Pass || status.Verdict > Block {
			w.t.Fatalf("stage %s: %q %d", status.Stage, status.Reason, status.Verdict)
		}
	}
	if !plan.Recheck.IsZero() && !plan.Recheck.After(s.Now) {
		w.t.Fatalf("recheck at %s, which is over at %s", plan.Recheck, s.Now)
	}
}

func (w *world) checkInvariants(after Action) {
	active, open := map[StageRef]int{}, map[Branch]int{}
	for _, p := range w.state.History.Promotions {
		if !p.Phase.Terminal() {
			active[p.Stage]++
		}
		if active[p.Stage] > 1 {
			w.t.Fatalf("two active promotions of %s after %s", p.Stage, after)
		}
	}
	for _, c := range w.state.Changes {
		if c.State == ChangeOpen {
			open[c.Branch]++
		}
		if open[c.Branch] > 1 {
			w.t.Fatalf("two open changes from %s after %s", c.Branch, after)
		}
	}
}

// apply does what promote/reconcile does with an action; false means that the rest is decided anew.
func (w *world) apply(action Action) bool {
	h := &w.state.History
	switch a := action.(type) {
	case RecordFreight:
		h.Freights = append(slices.Clip(h.Freights), a.Freight)
	case Propose:
		return w.propose(a)
	case OpenChange:
		if w.state.Tips[a.Draft.Branch] != a.Draft.Head {
			w.t.Fatalf("%s: the branch is at %s", a, w.state.Tips[a.Draft.Branch])
		}
		if head := w.promotion(a.Promotion.Stage, a.Promotion.ID).Head; head != a.Draft.Head {
			w.t.Fatalf("%s: the promotion proposed %s", a, head)
		}
		w.open(a.Draft.Branch, a.Draft.Head, ChangeEdit{a.Draft.Title, a.Draft.Description})
	case RecordChange:
		w.promotion(a.Promotion.Stage, a.Promotion.ID).Change = a.Change
	case UpdateChange:
		c := w.change(a.Change)
		c.Title, c.Description = a.Edit.Title, a.Edit.Description
	case PostStatus:
		w.state.Statuses[a.Head] = a.Status
	case Merge:
		w.checkMerge(a)
		w.merge(w.change(a.Change))
	case CloseChange:
		w.checkClose(a)
		w.change(a.Change).State = ChangeClosed
	case Deliver:
		w.deliver(a)
	case Finish:
		p := w.promotion(a.Promotion.Stage, a.Promotion.ID)
		if p.Phase.Terminal() {
			w.t.Fatalf("%s: it is over already", a)
		}
		p.Phase, p.Message, p.FinishedAt = a.Phase, a.Message, w.now
	case RecordHold:
		h.Holds = append(slices.Clip(h.Holds), a.Hold)
	case ReleaseHold:
		h.Holds = slices.DeleteFunc(slices.Clone(h.Holds), func(hold Hold) bool { return hold.Stage == a.Hold.Stage })
	case RecordRequest:
		if slices.ContainsFunc(h.Requests, func(r Request) bool { return r.Key == a.Request.Key }) {
			w.t.Fatalf("%s: recorded twice", a)
		}
		h.Requests = append(slices.Clip(h.Requests), a.Request)
	case Reply:
		w.state.Commands = slices.DeleteFunc(slices.Clone(w.state.Commands), func(c Command) bool { return c.Comment.ID == a.Comment })
	}
	return true
}

func (w *world) promotion(stage StageRef, id PromotionID) *Promotion {
	for i := range w.state.History.Promotions {
		if p := &w.state.History.Promotions[i]; p.Stage == stage && p.ID == id {
			return p
		}
	}
	w.t.Fatalf("no promotion %s", id)
	return nil
}

func (w *world) change(number int) *Change {
	i := slices.IndexFunc(w.state.Changes, func(c Change) bool { return c.Number == number })
	if i < 0 {
		w.t.Fatalf("no change %d", number)
	}
	return &w.state.Changes[i]
}

func (w *world) open(branch Branch, head Commit, edit ChangeEdit) {
	w.state.Changes = append(w.state.Changes, Change{
		Number: len(w.state.Changes) + 1, Branch: branch, Target: "main", Head: head, Title: edit.Title, Description: edit.Description,
		Mergeability: Mergeability{Merge: MergeReady},
	})
}

func (w *world) propose(a Propose) bool {
	w.checkPropose(a)
	if a.Base != w.main || a.Tip != w.state.Tips[ProposalBranch(a.Stage)] {
		return false
	}
	if w.hopeless[a.Freight.ID] {
		w.state.Unmade[ProposalKey(a.Stage, a.Freight.ID)] = "no such key"
		return true
	}
	p := Promotion{
		ID: a.Promotion, Stage: a.Stage, Number: a.Number, Freight: a.Freight.ID, Others: a.Others, Actor: a.Actor, Phase: PhaseProposed,
		CreatedAt: w.now, Base: a.Base, Branch: ProposalBranch(a.Stage), Target: "main", Change: a.Change,
	}
	before, known := w.content[a.Stage][a.Freight.Warehouse]
	if known && before.ID == a.Freight.ID {
		p.Phase, p.Merged, p.DeliveringSince = PhaseDelivering, w.main, w.now
		w.leave(p)
		w.record(a, p)
		return true
	}
	p.Head, p.Moves = w.commit(), []Move{{File: a.Stage.Name, After: a.Freight.Label()}}
	if known {
		p.Moves[0].Before = before.Label()
	}
	w.record(a, p)
	w.state.Tips[p.Branch] = p.Head
	delete(w.state.Conflicts, p.Ref())
	if rapid.IntRange(0, 9).Draw(w.t, "dies after the push") == 0 {
		return false // and the forge shows what was pushed only later
	}
	for i := range w.state.Changes {
		if c := &w.state.Changes[i]; c.State == ChangeOpen && c.Branch == p.Branch && (a.Change == 0 || c.Number == a.Change) {
			c.Head = p.Head
			return true
		}
	}
	w.open(p.Branch, p.Head, ChangeEdit{})
	return true
}

// record writes a promotion and ends the one whose place it takes.
func (w *world) record(a Propose, p Promotion) {
	all := w.state.History.Promotions
	for i := range all {
		switch {
		case all[i].Stage == p.Stage && all[i].ID == p.ID:
			p.CreatedAt = all[i].CreatedAt
			all[i] = p
			return
		case a.Supersedes != "" && all[i].Stage == p.Stage && all[i].ID == a.Supersedes:
			all[i].Phase, all[i].FinishedAt = PhaseAborted, w.now
		}
	}
	w.state.History.Promotions = append(all, p)
}

func (w *world) merge(c *Change) {
	w.pushMain()
	c.State, c.Merged = ChangeMerged, w.main
	for _, p := range w.state.History.Promotions {
		if p.Branch == c.Branch && p.Phase == PhaseProposed {
			f, _ := w.state.History.Freight("p", p.Freight)
			w.content[p.Stage][f.Warehouse] = f
		}
	}
}

func (w *world) deliver(a Deliver) {
	p := w.promotion(a.Promotion.Stage, a.Promotion.ID)
	if p.Phase == PhaseProposed {
		p.Phase, p.Merged, p.Change, p.DeliveringSince = PhaseDelivering, a.Merged, a.Change, w.now
		w.leave(*p)
	}
	switch w.health[p.Stage] {
	case "slow":
		w.state.Deliveries[p.Ref()] = Delivering{"syncing", w.now.Add(time.Minute)}
		return
	case "bad":
		p.Phase, p.Message = PhaseFailed, "web is Degraded"
	default:
		p.Phase = PhaseSucceeded
		w.arrive(*p)
	}
	p.FinishedAt = w.now
	delete(w.state.Deliveries, p.Ref())
}

func (w *world) warehouse(id FreightID) string {
	f, _ := w.state.History.Freight("p", id)
	return f.Warehouse
}

func (w *world) leave(p Promotion) {
	warehouse := w.warehouse(p.Freight)
	if was := w.running[p.Stage][warehouse]; was.freight != "" && was.freight != p.Freight {
		key := stageFreight{p.Stage, was.freight}
		w.longest[key] = max(w.longest[key], w.now.Sub(was.since))
		delete(w.running[p.Stage], warehouse)
	}
}

func (w *world) arrive(p Promotion) {
	if warehouse := w.warehouse(p.Freight); w.running[p.Stage][warehouse].freight != p.Freight {
		w.running[p.Stage][warehouse] = stay{p.Freight, w.now}
	}
	for _, id := range append([]FreightID{p.Freight}, p.Others...) {
		if _, known := w.state.History.Verified(p.Stage, id); !known {
			w.state.History.Verifications = append(w.state.History.Verifications, Verification{Stage: p.Stage, Freight: id, VerifiedAt: w.now})
		}
	}
}

// life is a random pipeline with random events.
func life(t *rapid.T) {
	w := newWorld(t)
	for range rapid.IntRange(1, 40).Draw(t, "events") {
		w.event()
		for range rapid.IntRange(0, 1).Draw(t, "at once") {
			w.event()
		}
		w.settle(rapid.SampledFrom([]int{-1, -1, -1, 0, 1, 2, 3}).Draw(t, "dies after"))
	}
}

func TestLifeOfPipelines(t *testing.T) { rapid.Check(t, life) }

func FuzzLifeOfPipelines(f *testing.F) { f.Fuzz(rapid.MakeFuzz(life)) }

// currentFreight returns the freight of a warehouse that a stage runs, by its last successful promotion.
func currentFreight(h History, stage StageRef, warehouse string) (Freight, bool) {
	last, ok := newest(h.Promotions, func(p Promotion) bool {
		freight, known := h.Freight(stage.Project, p.Freight)
		return p.Stage == stage && p.Phase == PhaseSucceeded && known && freight.Warehouse == warehouse
	})
	if !ok {
		return Freight{}, false
	}
	return h.Freight(stage.Project, last.Freight)
}

// The index answers as History does.
func TestIndexAgreesWithHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tags := []string{"1.0.0", "1.0.1", "1.0.2"}
		s := known(recorded(tags...))
		for range rapid.IntRange(0, 12).Draw(t, "promotions") {
			p := promotion(rapid.SampledFrom([]StageRef{dev, prod}).Draw(t, "stage"), rapid.IntRange(1, 20).Draw(t, "number"),
				rapid.SampledFrom(tags).Draw(t, "tag"))
			p.Phase = rapid.SampledFrom([]Phase{PhaseProposed, PhaseDelivering, PhaseSucceeded, PhaseFailed, PhaseAborted}).Draw(t, "phase")
			if !slices.ContainsFunc(s.History.Promotions, func(o Promotion) bool { return cmp.Compare(o.Number, p.Number) == 0 }) {
				s.History.Promotions = append(s.History.Promotions, p)
			}
		}
		x := newIndex(&s)
		for _, stage := range []StageRef{dev, prod} {
			want, wantOK := s.History.Active(stage)
			got, ok := x.active(stage)
			if got.ID != want.ID || ok != wantOK {
				t.Fatalf("active(%s) = %s, History says %s", stage, got.ID, want.ID)
			}
			f, wantOK := currentFreight(s.History, stage, "web")
			g, ok := x.current(stage, "web")
			if f.ID != g.ID || ok != wantOK {
				t.Fatalf("current(%s) = %s, History says %s", stage, g.Label(), f.Label())
			}
			last, _ := newest(s.History.Promotions, func(p Promotion) bool { return p.Stage == stage })
			if n := x.lastNumber(stage); n != last.Number {
				t.Fatalf("lastNumber(%s) = %d, want %d", stage, n, last.Number)
			}
			for _, tag := range tags {
				want, wantOK := newest(s.History.Promotions, func(p Promotion) bool { return p.Stage == stage && p.Freight == version(tag).ID })
				got, ok := x.latest(stage, version(tag).ID)
				if got.ID != want.ID || ok != wantOK {
					t.Fatalf("latest(%s, %s) = %s, History says %s", stage, tag, got.ID, want.ID)
				}
			}
		}
	})
}
