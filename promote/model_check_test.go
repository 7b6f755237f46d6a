package promote

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// available is the model's own answer to whether a freight may enter a stage.
func (w *world) available(stage Stage, f Freight) bool {
	return !w.rejected(f.ID) && w.lets(stage, f, 0)
}

func (w *world) rejected(id FreightID) bool {
	return slices.ContainsFunc(w.state.History.Rejections, func(r Rejection) bool { return r.Freight == id })
}

func (w *world) lets(stage Stage, f Freight, soak time.Duration) bool {
	i := slices.IndexFunc(stage.Requests, func(r FreightRequest) bool { return r.Warehouse == f.Warehouse })
	if i < 0 {
		return false
	}
	r := stage.Requests[i]
	soak = max(soak, r.RequiredSoak)
	if len(w.state.History.ApprovedFor(StageRef{"p", stage.Name}, f.ID)) > 0 {
		return true
	}
	if r.Direct {
		return w.now.Sub(f.DiscoveredAt) >= soak
	}
	passes := func(name string) bool { return w.ranIn(name, f, soak) }
	if r.All {
		return !slices.ContainsFunc(r.Stages, func(name string) bool { return !passes(name) })
	}
	return slices.ContainsFunc(r.Stages, passes)
}

// ranIn reports whether a freight ran in all stages of a declared name for as long as it must.
func (w *world) ranIn(name string, f Freight, soak time.Duration) bool {
	for _, stage := range w.stages() {
		if stage.Declared() != name {
			continue
		}
		if len(stage.Steps) == 0 {
			return w.lets(stage, f, soak)
		}
		ref := StageRef{"p", stage.Name}
		_, verified := w.state.History.Verified(ref, f.ID)
		ran := w.longest[stageFreight{ref, f.ID}]
		if now := w.running[ref][f.Warehouse]; now.freight == f.ID {
			ran = max(ran, w.now.Sub(now.since))
		}
		if !verified || ran < soak {
			return false
		}
	}
	return true
}

// held reports whether a person holds a stage, or the automatic promotion of a warehouse's freight to it.
func (w *world) held(ref StageRef, warehouse string) bool {
	return slices.ContainsFunc(w.state.History.Holds, func(h Hold) bool { return h.Stage == ref && h.Warehouse == warehouse })
}

func (w *world) asked(p Promotion) bool {
	return p.Actor != autoPromotion || slices.ContainsFunc(w.state.History.Requests, func(r Request) bool {
		return w.wants(r, p)
	})
}

// wants reports whether a request asks for the merge of a promotion: at the head that its author saw, or at another that looks the same,
// unless somebody had second thoughts in between.
func (w *world) wants(r Request, p Promotion) bool {
	same := w.sights[r.Head] != "" && w.sights[r.Head] == w.sights[p.Head] && !w.doubted[r.Key]
	return r.Stage == p.Stage && r.Merge == p.ID && (r.Head == p.Head || same)
}

// heldWith reports whether a person holds a stage whose change another one may share.
func (w *world) heldWith(ref StageRef) bool {
	group := w.stage(ref).Group
	return slices.ContainsFunc(w.stages(), func(s Stage) bool { return group != "" && s.Group == group && w.held(StageRef{"p", s.Name}, "") })
}

// misjudged says whether any of some claims about what was done is wrong.
func (w *world) misjudged(what fmt.Stringer, claims map[string]bool) {
	for _, claim := range slices.Sorted(maps.Keys(claims)) {
		if claims[claim] {
			w.t.Fatalf("%s: %s", what, claim)
		}
	}
}

func (w *world) checkPropose(a Propose) {
	stage := w.stage(a.Stage)
	active, isActive := w.state.History.Active(a.Stage)
	w.misjudged(a, map[string]bool{
		"a hold is obeyed: the stage is held":                           w.held(a.Stage, ""),
		"nothing is promoted to control-flow stages":                    len(stage.Steps) == 0,
		"the pipeline has an error":                                     len(w.state.Findings) > 0,
		"its branch is not the stage's":                                 a.Branch != stage.Branch("p") && (!isActive || a.Branch != active.Branch),
		"one at a time: another one is being delivered":                 isActive && active.Phase == PhaseDelivering,
		"one at a time: another one is open":                            isActive && active.ID != a.Supersedes && active.ID != a.Promotion,
		"what is made again is the same":                                a.Again && (!isActive || active.ID != a.Promotion || active.Freight != a.Freight.ID || active.Actor != a.Actor),
		"rejected freight is never promoted":                            w.rejected(a.Freight.ID),
		"freight is never promoted that is not available":               !a.Again && !w.available(stage, a.Freight),
		"a person's choice is never undone: it waits for somebody else": !a.Again && a.Actor == autoPromotion && isActive && w.asked(active),
		"what queues takes nobody's place":                              !a.Again && a.Actor == autoPromotion && isActive && stage.Supersede == SupersedeQueue,
	})
	if !a.Again && a.Actor == autoPromotion {
		w.checkAutomatic(a, stage)
	}
}

// checkAutomatic looks at what nobody asked for.
func (w *world) checkAutomatic(a Propose, stage Stage) {
	key := stageWarehouse{a.Stage, a.Freight.Warehouse}
	request := stage.Requests[slices.IndexFunc(stage.Requests, func(r FreightRequest) bool { return r.Warehouse == a.Freight.Warehouse })]
	current, runs := currentFreight(w.seen, a.Stage, a.Freight.Warehouse)
	_, chosen := w.chosen[key]
	last, tried := newest(w.state.History.Promotions, func(p Promotion) bool { return p.Stage == a.Stage && p.Freight == a.Freight.ID })
	w.misjudged(a, map[string]bool{
		"automation enters only where a policy lets it in":         !w.pipeline().AutoPromoted(stage),
		"freight never goes backwards in its warehouse's order":    !request.MatchUpstream && runs && !w.isNewer(a.Freight, current),
		"a person's choice is never undone: its warehouse is held": w.held(a.Stage, a.Freight.Warehouse),
		"a person's choice is never undone":                        chosen,
		"what failed is not tried again by itself":                 tried && last.Phase == PhaseFailed,
	})
	if request.MatchUpstream {
		wanted, ok := currentFreight(w.seen, StageRef{"p", request.Stages[0]}, a.Freight.Warehouse)
		if !ok || wanted.ID != a.Freight.ID {
			w.t.Fatalf("%s: it matches its upstream stage, which runs %s", a, wanted.Label())
		}
	}
}

// aboard are the open promotions that a head belongs to.
func (w *world) aboard(head Commit) []Promotion {
	return keep(w.state.History.Promotions, func(p Promotion) bool { return p.Phase == PhaseProposed && p.Head == head })
}

// checkMerge makes sure that a gate is never skipped, for no promotion of a change.
func (w *world) checkMerge(a Merge) {
	c := *w.change(a.Change)
	crew := w.aboard(c.Head)
	wish := slices.ContainsFunc(w.state.History.Requests, func(r Request) bool {
		return slices.ContainsFunc(crew, func(p Promotion) bool { return w.wants(r, p) })
	})
	every := func(holds func(Promotion) bool) bool {
		return !slices.ContainsFunc(crew, func(p Promotion) bool { return !holds(p) })
	}
	w.misjudged(a, map[string]bool{
		"its head moved":                                c.Head != a.Head || c.State != ChangeOpen || w.state.Tips[c.Branch] != a.Head,
		"it holds what nobody proposes":                 len(crew) != len(w.trees[c.Head].writes) || !slices.ContainsFunc(crew, func(p Promotion) bool { return p.ID == a.Promotion }),
		"it does not render":                            w.broken[c.Head],
		"nobody looked at it":                           w.unseen[c.Head],
		"Argo CD could not be asked":                    w.argoDown,
		"the pipeline has an error":                     len(w.state.Findings) > 0,
		"main changed since":                            len(w.conflicts(crew[0])) > 0,
		"it is a draft or blocked":                      c.Draft || c.Merge != MergeReady,
		"its status does not say that it may be merged": w.state.Statuses[c.Head].State != StatusSuccess,
		"nobody wants it": !wish && !every(func(p Promotion) bool { return w.stage(p.Stage).AutoMerge }) &&
			!every(func(p Promotion) bool { return p.AutoMerge }),
		"a step waits before the merge": !every(func(p Promotion) bool { return p.Waits == WaitsMerge }),
	})
	for _, p := range crew {
		w.checkMerged(a, p)
	}
}

// checkMerged looks at one promotion of a change that is merged.
func (w *world) checkMerged(a Merge, p Promotion) {
	stage, f := w.stage(p.Stage), w.freight(p.Freight)
	follows := slices.ContainsFunc(stage.Requests, func(r FreightRequest) bool { return r.Warehouse == f.Warehouse && r.MatchUpstream })
	order, ok := CompareTags(p.Moves[0].After, p.Moves[0].Before)
	w.misjudged(a, map[string]bool{
		"it holds other freight than " + string(p.ID):          w.trees[a.Head].writes[p.Stage].ID != p.Freight,
		"its image is not as recorded: " + string(p.ID):        len(f.Images) > 0 && (w.gone[f.ID] || w.moved[f.ID]),
		"the stage is held: " + string(p.ID):                   w.held(p.Stage, ""),
		"its freight is not available: " + string(p.ID):        !w.available(stage, f),
		"it goes back: " + string(p.ID):                        ok && order < 0 && !w.asked(p) && !follows,
		"it is not the open one of its stage: " + string(p.ID): !w.isActive(p),
	})
}

func (w *world) isActive(p Promotion) bool {
	active, ok := w.state.History.Active(p.Stage)
	return ok && active.ID == p.ID
}

// checkOpen makes sure that nothing is shown as ours that was not proposed.
func (w *world) checkOpen(a OpenChange) {
	w.misjudged(a, map[string]bool{
		"its branch moved":          w.state.Tips[a.Draft.Branch] != a.Draft.Head,
		"it was not proposed":       w.promotion(a.Promotion.Ref()).Head != a.Draft.Head,
		"there is a change already": slices.ContainsFunc(w.openChanges(), func(c *Change) bool { return c.Branch == a.Draft.Branch }),
	})
}

// checkStatus makes sure that a status is green only where all promotions of the head may be merged.
func (w *world) checkStatus(a PostStatus) {
	if a.Status.State != StatusSuccess {
		return
	}
	for _, p := range w.aboard(a.Head) {
		w.misjudged(a, map[string]bool{
			"green, but held: " + string(p.ID):          w.held(p.Stage, ""),
			"green, but rejected: " + string(p.ID):      w.rejected(p.Freight),
			"green, but not available: " + string(p.ID): !w.available(w.stage(p.Stage), w.freight(p.Freight)),
		})
	}
}

// checkClose makes sure that nothing is closed that a promotion still needs.
func (w *world) checkClose(a CloseChange) {
	c := *w.change(a.Change)
	p, ok := w.proposal(&c)
	replaced := ok && w.stage(p.Stage).Supersede == SupersedeByNew
	w.misjudged(a, map[string]bool{
		"it is not open as it was seen": c.State != ChangeOpen || c.Head != a.Head,
		"it says no reason":             a.Note == "",
		"a promotion needs it":          ok && !replaced && (p.Change == 0 || p.Change == c.Number),
	})
}

// checkDelivery makes sure that what is delivered is on the target branch.
func (w *world) checkDelivery(a Deliver) {
	f := w.freight(a.Promotion.Freight)
	if has := w.content[a.Promotion.Stage][f.Warehouse]; has.ID != f.ID {
		w.t.Fatalf("%s: what is delivered was merged: main has %s of %s", a, has.Label(), f.Label())
	}
}

// checkPin makes sure that a request loses nothing but what it showed, and only to second thoughts.
func (w *world) checkPin(a PinRequest) {
	i := slices.IndexFunc(w.state.History.Requests, func(r Request) bool { return r.Key == a.Request.Key })
	if i < 0 {
		w.t.Fatalf("%s: nobody asked for it", a)
	}
	before := w.state.History.Requests[i]
	before.Shown = ""
	if before != a.Request {
		w.t.Fatalf("%s: it was another one: %+v", a, before)
	}
}

// checkApproval makes sure that only who may lets freight pass upstream stages.
func (w *world) checkApproval(a RecordApproval) {
	i := slices.IndexFunc(w.state.Commands, func(c Command) bool { return c.key() == a.Approval.Key })
	if i < 0 {
		w.t.Fatalf("%s: nobody said so", a)
	}
	active, ok := w.state.History.Active(a.Approval.Stage)
	awaited := ok && active.Freight == a.Approval.Freight && active.Waits == WaitsApproval
	if w.state.Commands[i].Permission < PermissionMaintain && !awaited {
		w.t.Fatalf("%s: it takes more than %s", a, w.state.Commands[i].Permission)
	}
}

func (w *world) checkPlan(s State, plan Plan) {
	keys := map[string]bool{}
	for _, a := range plan.Actions {
		if keys[a.Key()] {
			w.t.Fatalf("keys are unique in a plan: %s in:\n%s", a.Key(), plan)
		}
		keys[a.Key()] = true
	}
	if len(plan.Stages) != len(w.stages()) {
		w.t.Fatalf("%d of %d stages have a status", len(plan.Stages), len(w.stages()))
	}
	for _, status := range plan.Stages {
		if status.Reason == "" || status.Verdict < Pass || status.Verdict > Block {
			w.t.Fatalf("every stage has a reason in words: %s: %q %d", status.Stage, status.Reason, status.Verdict)
		}
	}
	if !plan.Recheck.IsZero() && !plan.Recheck.After(s.Now) {
		w.t.Fatalf("recheck at %s, which is over at %s", plan.Recheck, s.Now)
	}
	w.checkReordered(s, plan)
}

// checkReordered makes sure that it does not matter in which order facts were read.
func (w *world) checkReordered(s State, plan Plan) {
	s.Changes, s.Discoveries = slices.Clone(s.Changes), slices.Clone(s.Discoveries)
	slices.Reverse(s.Changes)
	slices.Reverse(s.Discoveries)
	s.History.Verifications, s.History.Holds = slices.Clone(s.History.Verifications), slices.Clone(s.History.Holds)
	slices.Reverse(s.History.Verifications)
	slices.Reverse(s.History.Holds)
	want, got := keysOf(plan), keysOf(Decide(s))
	if !slices.Equal(want, got) {
		w.t.Fatalf("a reordered event changes nothing: %v instead of %v", got, want)
	}
}

func keysOf(plan Plan) []string {
	var keys []string
	for _, a := range plan.Actions {
		keys = append(keys, a.Key())
	}
	slices.Sort(keys)
	return keys
}

func (w *world) checkInvariants(after string) {
	active, open, shown := map[StageRef]int{}, map[Branch]int{}, map[StageRef]int{}
	for _, p := range w.state.History.Promotions {
		if !p.Phase.Terminal() {
			active[p.Stage]++
		}
		if active[p.Stage] > 1 {
			w.t.Fatalf("at most one promotion of a stage is open: %s after %s", p.Stage, after)
		}
	}
	for _, c := range w.openChanges() {
		open[c.Branch]++
		for ref := range w.trees[c.Head].writes {
			shown[ref]++
			if shown[ref] > 1 || open[c.Branch] > 1 {
				w.t.Fatalf("at most one change of a stage is open: %s, %s after %s", ref, c.Branch, after)
			}
		}
	}
	w.checkWaves(after)
}

// checkWaves makes sure that a wave has no more targets in flight than it may have, unless a person asked.
func (w *world) checkWaves(after string) {
	flying := map[string]int{}
	for _, stage := range w.stages() {
		if p, ok := w.state.History.Active(StageRef{"p", stage.Name}); ok && stage.Fan != "" && stage.Wave.MaxInFlight > 0 && p.Actor == autoPromotion {
			flying[stage.Fan]++
			if flying[stage.Fan] > stage.Wave.MaxInFlight {
				w.t.Fatalf("a wave has at most %d targets in flight: %s after %s", stage.Wave.MaxInFlight, stage.Fan, after)
			}
		}
	}
}

// checkQuiet looks at a world in which there is nothing to do, and once more a second later.
func (w *world) checkQuiet(plan Plan) {
	if len(w.state.Commands) > 0 {
		w.t.Fatalf("every command is answered: %+v", w.state.Commands)
	}
	for _, c := range w.openChanges() {
		p, ok := w.proposal(c)
		if !ok || p.Change != 0 && p.Change != c.Number {
			w.t.Fatalf("nothing is left open that promotes nothing: change %d", c.Number)
		}
	}
	for _, p := range w.state.History.Promotions {
		w.checkStuck(p)
	}
	if w.frozen {
		return
	}
	w.now = w.now.Add(time.Second)
	if !plan.Recheck.IsZero() && !plan.Recheck.After(w.now) {
		return
	}
	if again := Decide(w.observe()); len(again.Actions) > 0 {
		w.t.Fatalf("it stays quiet when nothing happens: a second later:\n%s", again)
	}
}

// checkStuck makes sure that no promotion waits for what is there already.
func (w *world) checkStuck(p Promotion) {
	approved := len(w.state.History.ApprovedFor(p.Stage, p.Freight)) > 0
	c, found := w.state.Change(p)
	switch {
	case p.Phase.Terminal() || w.held(p.Stage, "") || w.heldWith(p.Stage) || len(w.state.Findings) > 0:
	case p.Phase == PhasePreparing && w.state.Unmade[ProposalKey(p.Stage, p.Freight)] != "":
	case p.Waits == WaitsApproval && approved:
		w.t.Fatalf("promotion %s waits for an approval that was given", p.ID)
	case p.Waits == WaitsChange && found && c.State == ChangeOpen && c.Head == p.Head:
		w.t.Fatalf("promotion %s waits for its change, which is open", p.ID)
	}
}
