package promote

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// world is a small model of everything outside: repository, ledger, forge, registry and Argo CD. It applies Actions as
// promote/reconcile does, and knows for itself what must never happen.
type world struct {
	t       *rapid.T
	now     time.Time
	frozen  bool // the clock stands still
	main    Commit
	commits int
	state   State // Pipelines, Findings, History, Tips, Changes, Statuses, Unmade, Deliveries, Commands, Discoveries

	seen History // what the last plan was made of

	scripts map[StageRef]script
	kinds   map[string]string // of warehouses
	files   map[StageRef]int  // how often the file of a stage was changed on main
	trees   map[Commit]tree   // of proposed commits
	made    map[string]Commit // proposed commits by what they are made of
	sights  map[Commit]string // what people see of proposed commits
	doubted map[string]bool   // requests, by key, after which somebody had second thoughts
	content map[StageRef]map[string]Freight
	running map[StageRef]map[string]stay
	longest map[stageFreight]time.Duration
	began   map[string]time.Time       // when a step of a promotion began to wait
	chosen  map[stageWarehouse]Freight // what people chose although there was newer freight

	gone, moved, hopeless map[FreightID]bool // not in its registry; its tag was pushed again; its proposal cannot be made
	broken, unseen        map[Commit]bool    // does not render; could not be looked at
	argoDown              bool
	health                map[StageRef]string // "", "slow" or "bad"
	comments              int
	versions              map[string]int
}

// stay is what a stage runs, and since when.
type stay struct {
	freight FreightID
	since   time.Time
}

// tree is what a proposed commit changes on main.
type tree struct {
	writes map[StageRef]Freight
	files  map[StageRef]int // as they were below it
}

func newWorld(t *rapid.T) *world {
	w := &world{
		t: t, now: epoch, scripts: map[StageRef]script{}, kinds: map[string]string{}, files: map[StageRef]int{}, trees: map[Commit]tree{},
		content: map[StageRef]map[string]Freight{}, running: map[StageRef]map[string]stay{}, longest: map[stageFreight]time.Duration{},
		made: map[string]Commit{}, sights: map[Commit]string{}, doubted: map[string]bool{}, began: map[string]time.Time{}, chosen: map[stageWarehouse]Freight{},
		gone: map[FreightID]bool{}, moved: map[FreightID]bool{}, hopeless: map[FreightID]bool{},
		broken: map[Commit]bool{}, unseen: map[Commit]bool{}, health: map[StageRef]string{}, versions: map[string]int{},
	}
	w.state = State{
		Branch: "main", Tips: map[Branch]Commit{}, Statuses: map[Commit]Status{}, Unmade: map[string]string{},
		Deliveries: map[PromotionRef]Delivering{},
	}
	w.pushMain()
	w.state.Pipelines = []Pipeline{w.randomPipeline()}
	for _, s := range w.stages() {
		ref := StageRef{"p", s.Name}
		w.content[ref], w.running[ref], w.scripts[ref] = map[string]Freight{}, map[string]stay{}, randomScript(t)
	}
	return w
}

// twin is a world that goes on by itself from here.
func (w *world) twin() *world {
	other := *w
	other.state = w.copied()
	other.files, other.trees, other.longest = maps.Clone(w.files), maps.Clone(w.trees), maps.Clone(w.longest)
	other.made, other.began, other.chosen = maps.Clone(w.made), maps.Clone(w.began), maps.Clone(w.chosen)
	other.sights, other.doubted = maps.Clone(w.sights), maps.Clone(w.doubted)
	other.content, other.running = map[StageRef]map[string]Freight{}, map[StageRef]map[string]stay{}
	for ref := range w.content {
		other.content[ref], other.running[ref] = maps.Clone(w.content[ref]), maps.Clone(w.running[ref])
	}
	return &other
}

// copied is the state, of which nothing is shared with the world that an action may change.
func (w *world) copied() State {
	s := w.state
	h := &s.History
	h.Freights, h.Promotions, h.Verifications = slices.Clone(h.Freights), slices.Clone(h.Promotions), slices.Clone(h.Verifications)
	h.Holds, h.Requests, h.Approvals, h.Rejections = slices.Clone(h.Holds), slices.Clone(h.Requests), slices.Clone(h.Approvals), slices.Clone(h.Rejections)
	s.Changes, s.Commands, s.Discoveries = slices.Clone(s.Changes), slices.Clone(s.Commands), slices.Clone(s.Discoveries)
	s.Tips, s.Statuses, s.Unmade, s.Deliveries = maps.Clone(s.Tips), maps.Clone(s.Statuses), maps.Clone(s.Unmade), maps.Clone(s.Deliveries)
	return s
}

func (w *world) pipeline() Pipeline { return w.state.Pipelines[0] }
func (w *world) stages() []Stage    { return w.state.Pipelines[0].Stages }

func (w *world) stage(ref StageRef) Stage {
	s, _ := w.pipeline().Stage(ref.Name)
	return s
}

func (w *world) freight(id FreightID) Freight {
	f, _ := w.state.History.Freight("p", id)
	return f
}

func (w *world) commit() Commit {
	w.commits++
	return Commit(fmt.Sprintf("f%039d", w.commits))
}

// commitOf is the commit of a promotion: the same steps on the same commit at the same time make the same one.
func (w *world) commitOf(what string) Commit {
	if w.made[what] == "" {
		w.made[what] = w.commit()
	}
	return w.made[what]
}

func (w *world) pushMain() {
	w.main = w.commit()
	w.state.Head = w.main
	clear(w.state.Unmade)
}

// observe is what the loop sees now.
func (w *world) observe() State {
	s := w.copied()
	s.Now, s.Evidence, s.Conflicts = w.now, map[Commit]Evidence{}, map[PromotionRef][]string{}
	for _, p := range s.History.Promotions {
		if p.Phase != PhaseProposed {
			continue
		}
		head := p.Head
		if c, ok := s.Change(p); ok {
			head = c.Head
		}
		if files := w.conflicts(p); len(files) > 0 {
			s.Conflicts[p.Ref()] = files
		}
		if !w.unseen[head] {
			s.Evidence[head] = w.evidence(p, head, s.Evidence[head])
		}
	}
	return s
}

// conflicts are the files of a proposal that changed on main since it was made.
func (w *world) conflicts(p Promotion) []string {
	var files []string
	for ref, count := range w.trees[p.Head].files {
		if w.files[ref] != count {
			files = append(files, ref.Name)
		}
	}
	slices.Sort(files)
	return files
}

// evidence adds what is found out at a head for one of its promotions.
func (w *world) evidence(p Promotion, head Commit, e Evidence) Evidence {
	e.Head, e.Base = head, p.Base
	if head == p.Head {
		e.Moves = append(e.Moves, p.Moves...)
	}
	f := w.freight(p.Freight)
	for _, image := range f.Images {
		digest := image.Digest
		if w.gone[f.ID] {
			digest = ""
		} else if w.moved[f.ID] {
			digest = "sha256:moved"
		}
		e.Images = append(e.Images, ImageEvidence{Image: image, Digest: digest})
	}
	if w.broken[head] && len(e.Findings) == 0 {
		e.Findings = []Finding{{Severity: SeverityError, Message: "does not render"}}
	}
	app := ApplicationEvidence{Stage: p.Stage, Name: p.Stage.Name, Exists: true, Authorized: []StageRef{{"p", w.stage(p.Stage).Declared()}}}
	if w.argoDown {
		app.Problem = "HTTP 503"
	}
	e.Applications = append(e.Applications, app)
	return e
}

// death is when the process dies.
type death struct {
	after int  // effects from now; negative: never
	lags  bool // the forge shows only later what was pushed
}

func (d *death) strikes() bool {
	d.after--
	return d.after == -1
}

// maxRounds bounds how long a world may need to become quiet.
const maxRounds = 50

// settle runs the loop until nothing is left to do.
func (w *world) settle(d death) {
	for round := 0; ; round++ {
		if round == maxRounds {
			w.t.Fatalf("it terminates: not quiet after %d rounds; the last plan was:\n%s", round, Decide(w.observe()))
		}
		if !w.frozen {
			w.now = w.now.Add(time.Second)
		}
		plan := w.decide()
		if len(plan.Actions) == 0 {
			w.checkQuiet(plan)
			return
		}
		w.carryOut(plan, &d)
	}
}

// decide makes a plan, and makes sure that it depends on nothing but the state.
func (w *world) decide() Plan {
	s, same := w.observe(), w.observe()
	plan := Decide(s)
	w.seen = s.History
	w.t.Logf("%s\n%s", s.Now.Format(time.TimeOnly), plan)
	if !reflect.DeepEqual(s, same) {
		w.t.Fatalf("a decision changes nothing of the state: %s", gocmp.Diff(same, s))
	}
	if again := Decide(same); !reflect.DeepEqual(plan, again) {
		w.t.Fatalf("equal states give equal plans: %s", gocmp.Diff(plan, again))
	}
	w.checkPlan(s, plan)
	return plan
}

// end says in one line a stage where everything stands.
func (w *world) end() string {
	var b strings.Builder
	for _, s := range w.stages() {
		ref := StageRef{"p", s.Name}
		fmt.Fprintf(&b, "%s:", ref)
		for _, warehouse := range w.pipeline().Warehouses {
			current, _ := currentFreight(w.state.History, ref, warehouse.Name)
			fmt.Fprintf(&b, " runs %s, main has %s;", current.ID.Short(), w.content[ref][warehouse.Name].ID.Short())
		}
		if p, ok := w.state.History.Active(ref); ok {
			fmt.Fprintf(&b, " %s %s, automatic %t, waits %q, with %v", p.Phase, p.Freight.Short(), p.Actor == autoPromotion, p.Waits, p.With)
			if c, ok := w.state.Change(p); ok && p.Phase == PhaseProposed {
				fmt.Fprintf(&b, ", %s change", c.State)
			}
		}
		b.WriteString("\n")
	}
	h := w.state.History
	fmt.Fprintf(&b, "%v\n%v\n%v\n%d freights", h.Holds, h.Approvals, h.Rejections, len(h.Freights))
	return b.String()
}

// checkDeath makes sure that a process that dies at any moment changes nothing in the end.
func (w *world) checkDeath(d death) {
	w.frozen, w.now = true, w.now.Add(2*time.Minute) // whatever waits to be looked at again is looked at by both
	unhurt := w.twin()
	unhurt.settle(death{after: -1})
	w.settle(d)
	for _, one := range []*world{unhurt, w} {
		one.catchUp()
		one.settle(death{after: -1})
		one.frozen = false
	}
	if diff := gocmp.Diff(unhurt.end(), w.end()); diff != "" && !w.races() {
		w.t.Fatalf("process death converges to the same end: dead %+v: %s", d, diff)
	}
}

// races reports whether the end may depend on who comes first: who joins a wave, what a person asked for or what is next; who gets
// into a change that is shared, before it is merged; what is served next by a stage that wants a change of its own for each
// promotion, because the old one is closed before the new one is made, and its place in a wave given away; and what queues behind what its upstream stage ran for a
// moment.
func (w *world) races() bool {
	return slices.ContainsFunc(w.stages(), func(s Stage) bool {
		follows := slices.ContainsFunc(s.Requests, func(r FreightRequest) bool { return r.MatchUpstream })
		return s.Group != "" || s.Supersede == SupersedeByNew && (len(s.Requests) > 1 || len(w.hopeless) > 0 || s.Wave.MaxInFlight > 0) || s.Supersede == SupersedeQueue && follows
	}) || slices.ContainsFunc(w.state.History.Requests, func(r Request) bool { return w.stage(r.Stage).Wave.MaxInFlight > 0 })
}

// life is a random pipeline with random events.
func life(t *rapid.T) {
	w := newWorld(t)
	for _, s := range w.stages() {
		t.Logf("%s takes %+v, merges %t, supersedes %q, group %q, wave %+v, steps %+v, auto %t", s.Name, s.Requests, s.AutoMerge, s.Supersede,
			s.Group, s.Wave, w.scripts[StageRef{"p", s.Name}], w.pipeline().AutoPromoted(s))
	}
	for range rapid.IntRange(1, 40).Draw(t, "events") {
		for range rapid.IntRange(1, 2).Draw(t, "at once") {
			w.event()
		}
		d := death{rapid.SampledFrom([]int{-1, -1, -1, 0, 1, 2, 3, 4, 5}).Draw(t, "dies after"), rapid.Bool().Draw(t, "lags")}
		if d.after < 0 {
			w.settle(d)
		} else {
			w.checkDeath(d)
		}
	}
	s := w.observe()
	if same := Simulate(s, w.observe(), time.Time{}, MaxMoments); len(same.Differences) > 0 {
		t.Fatalf("a simulation with equal pipelines never differs: %s", same)
	}
}

func TestLifeOfPipelines(t *testing.T) { rapid.Check(t, life) }

func FuzzLifeOfPipelines(f *testing.F) { f.Fuzz(rapid.MakeFuzz(life)) }
