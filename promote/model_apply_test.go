package promote

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// carryOut applies a plan as promote/reconcile does: proposals come last and are pushed together.
func (w *world) carryOut(plan Plan, d *death) {
	var proposals []Propose
	for _, action := range plan.Actions {
		if p, ok := action.(Propose); ok {
			proposals = append(proposals, p)
			continue
		}
		if d.strikes() {
			w.die()
			return
		}
		w.apply(action)
		w.checkInvariants(action.String())
	}
	if len(proposals) == 0 {
		return
	}
	if d.strikes() {
		w.die()
		return
	}
	w.propose(proposals, d)
	w.checkInvariants("proposals")
}

// die loses what a process remembers.
func (w *world) die() {
	clear(w.state.Deliveries)
	clear(w.state.Unmade)
}

// apply does everything but proposing.
func (w *world) apply(action Action) {
	h := &w.state.History
	switch a := action.(type) {
	case RecordFreight:
		h.Freights = append(h.Freights, a.Freight)
	case OpenChange:
		w.checkOpen(a)
		w.open(a.Draft.Branch, a.Draft.Head, ChangeEdit{a.Draft.Title, a.Draft.Description})
	case RecordChange:
		p := w.promotion(a.Promotion.Ref())
		p.Change = a.Change
		if p.Waits == WaitsChange {
			w.advance(p)
		}
	case Advance:
		w.advance(w.promotion(a.Promotion.Ref()))
	case UpdateChange:
		c := w.change(a.Change)
		c.Title, c.Description = a.Edit.Title, a.Edit.Description
	case PostStatus:
		w.checkStatus(a)
		w.state.Statuses[a.Head] = a.Status
	case Merge:
		w.checkMerge(a)
		w.merge(w.change(a.Change))
	case Unqueue:
		w.change(a.Change).Mergeability = Mergeability{Merge: MergeReady}
	case CloseChange:
		w.checkClose(a)
		w.change(a.Change).State = ChangeClosed
	case Deliver:
		w.deliver(a)
	case Finish:
		w.finish(w.promotion(a.Promotion.Ref()), a.Phase, a.Message)
	case Reply:
		w.state.Commands = slices.DeleteFunc(w.state.Commands, func(c Command) bool { return c.Comment.ID == a.Comment })
	default:
		w.obey(action)
	}
}

// obey writes down what people said.
func (w *world) obey(action Action) {
	h := &w.state.History
	switch a := action.(type) {
	case RecordHold:
		h.Holds = append(h.Holds, a.Hold)
		if active, ok := h.Active(a.Hold.Stage); ok && a.Hold.Warehouse == "" {
			w.doubt(active)
		}
	case ReleaseHold:
		delete(w.chosen, stageWarehouse{a.Hold.Stage, a.Hold.Warehouse})
		h.Holds = slices.DeleteFunc(h.Holds, func(hold Hold) bool { return hold.scope() == a.Hold.scope() })
	case RecordRequest:
		if slices.ContainsFunc(h.Requests, func(r Request) bool { return r.Key == a.Request.Key }) {
			w.t.Fatalf("a repeated event changes nothing: %s: recorded twice", a)
		}
		h.Requests = append(h.Requests, a.Request)
		w.choose(a.Request)
	case PinRequest:
		w.checkPin(a)
		i := slices.IndexFunc(h.Requests, func(r Request) bool { return r.Key == a.Request.Key })
		h.Requests[i] = a.Request
	case RecordApproval:
		w.checkApproval(a)
		h.Approvals = append(h.Approvals, a.Approval)
	case RecordRejection:
		h.Rejections = append(h.Rejections, a.Rejection)
		for _, p := range h.Promotions {
			if p.Freight == a.Rejection.Freight {
				w.doubt(p)
			}
		}
	case WithdrawRejection:
		h.Rejections = slices.DeleteFunc(h.Rejections, func(r Rejection) bool { return r.Freight == a.Rejection.Freight })
	default:
		w.t.Fatalf("%T is not known", action)
	}
}

// doubt remembers that somebody had second thoughts about an open promotion, and so about all that share its change.
func (w *world) doubt(p Promotion) {
	for _, r := range w.state.History.Requests {
		if slices.ContainsFunc(append(w.aboard(p.Head), p), func(p Promotion) bool { return !p.Phase.Terminal() && r.Stage == p.Stage && r.Merge == p.ID }) {
			w.doubted[r.Key] = true
		}
	}
}

// choose remembers when a person prefers freight to newer freight that is available.
func (w *world) choose(r Request) {
	f, stage := w.freight(r.Freight), w.stage(r.Stage)
	key := stageWarehouse{r.Stage, f.Warehouse}
	delete(w.chosen, key)
	if !w.pipeline().AutoPromoted(stage) {
		return
	}
	for _, other := range w.state.History.Freights {
		if other.Warehouse == f.Warehouse && w.isNewer(other, f) && w.available(stage, other) {
			w.chosen[key] = f
		}
	}
}

func (w *world) promotion(ref PromotionRef) *Promotion {
	i := slices.IndexFunc(w.state.History.Promotions, func(p Promotion) bool { return p.Ref() == ref })
	if i < 0 {
		w.t.Fatalf("no promotion %s", ref.ID)
	}
	return &w.state.History.Promotions[i]
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

func (w *world) finish(p *Promotion, phase Phase, message string) {
	if p.Phase.Terminal() {
		w.t.Fatalf("promotion %s is ended twice", p.ID)
	}
	p.Phase, p.Message, p.FinishedAt, p.Waits = phase, message, w.now, WaitsNothing
	delete(w.state.Deliveries, p.Ref())
}

// run goes through the steps of a promotion as far as they go.
func (w *world) run(p *Promotion, opened, merged bool) Waits {
	steps := w.scripts[p.Stage]
	p.Approvals = len(w.state.History.ApprovedFor(p.Stage, p.Freight))
	done := 0
	for _, wait := range []struct {
		on    Waits
		holds bool
	}{
		{steps.before, w.waits(p, "before", steps.before)},
		{WaitsChange, steps.opens && !opened},
		{steps.between, opened && w.waits(p, "between", steps.between)},
		{WaitsMerge, !merged},
		{steps.after, merged && w.waits(p, "after", steps.after)},
	} {
		p.AutoMerge = p.AutoMerge || wait.on == WaitsMerge && steps.merges && opened
		done++
		if wait.holds {
			p.Waits, p.Results = wait.on, make([]StepResult, done)
			return p.Waits
		}
	}
	p.Waits, p.Results = WaitsDelivery, make([]StepResult, done+1)
	return p.Waits
}

// waits reports whether a step of a promotion waits still.
func (w *world) waits(p *Promotion, step string, on Waits) bool {
	if on == WaitsApproval {
		return p.Approvals == 0
	}
	if on != WaitsTime {
		return false
	}
	key := string(p.ID) + step
	if _, begun := w.began[key]; !begun {
		w.began[key] = w.now
	}
	return w.now.Before(w.began[key].Add(10 * time.Minute))
}

// lookAgain remembers when a step that waits is worth looking at again.
func (w *world) lookAgain(p Promotion) {
	if p.Waits != WaitsTime {
		delete(w.state.Deliveries, p.Ref())
		return
	}
	w.state.Deliveries[p.Ref()] = Delivering{"waits a while", w.now.Add(time.Minute)}
}

// advance runs the steps between the opening of a change and its merge.
func (w *world) advance(p *Promotion) {
	c, ok := w.state.Change(*p)
	if !ok || c.State != ChangeOpen || p.Phase != PhaseProposed {
		w.t.Fatalf("promotion %s goes on although its change is not open", p.ID)
	}
	if w.run(p, true, false); w.health[p.Stage] == "bad" && w.scripts[p.Stage].between != WaitsNothing {
		w.finish(p, PhaseFailed, "a step failed")
		return
	}
	w.lookAgain(*p)
}

// propose makes all proposals of a plan, those of one branch on top of each other, pushes them at once and shows each.
func (w *world) propose(proposals []Propose, d *death) {
	tops := map[Branch]Commit{}
	with := map[Branch][]StageRef{}
	var drafts []Promotion
	var of []Propose
	for _, a := range proposals {
		w.checkPropose(a)
		if a.Base != w.main {
			return // stale: main moved by what was applied before
		}
		if w.hopeless[a.Freight.ID] {
			w.state.Unmade[ProposalKey(a.Stage, a.Freight.ID)] = "no such key"
			continue
		}
		p := w.draft(a, tops[a.Branch])
		if p.Phase == PhaseProposed {
			tops[a.Branch], with[a.Branch] = p.Head, append(with[a.Branch], p.Stage)
		}
		drafts, of = append(drafts, p), append(of, a)
	}
	for i, p := range drafts {
		if p.Phase == PhaseProposed && p.Branch != ProposalBranch(p.Stage) {
			p.Head, p.With = tops[p.Branch], with[p.Branch]
		}
		if p.Phase == PhaseProposed {
			w.sights[p.Head] = w.look(p.Head)
			p.Shown = w.sights[p.Head]
		}
		if p.Phase == PhaseProposed && of[i].Tip != w.state.Tips[p.Branch] {
			w.t.Fatalf("%s: its branch is at %s, not at %s", of[i], w.state.Tips[p.Branch], of[i].Tip)
		}
		w.record(of[i], p)
	}
	maps.Copy(w.state.Tips, tops)
	w.show(drafts, of, d)
}

// draft runs the steps of one promotion on top of what was proposed on its branch in the same round.
func (w *world) draft(a Propose, top Commit) Promotion {
	p := Promotion{
		ID: a.Promotion, Stage: a.Stage, Number: a.Number, Freight: a.Freight.ID, Others: a.Others, Actor: a.Actor, Phase: PhaseProposed,
		CreatedAt: w.now, Base: a.Base, Branch: a.Branch, Target: "main", Change: a.Change,
	}
	if before, known := w.state.History.Promotion(a.Stage, a.Promotion); known {
		p.CreatedAt = before.CreatedAt
	}
	on := w.run(&p, false, false)
	before, known := w.content[a.Stage][a.Freight.Warehouse]
	switch {
	case p.Waits == WaitsTime, p.Waits == WaitsApproval:
		p.Phase = PhasePreparing
		w.lookAgain(p)
		return p
	case known && before.ID == a.Freight.ID:
		p.Phase, p.Merged, p.MergedAt, p.DeliveringSince = PhaseDelivering, w.main, w.now, w.now
		w.leave(p)
		return p
	}
	p.Waits, p.Head = on, w.commitOf(fmt.Sprint(a.Base, top, a.Stage, a.Freight.ID, p.CreatedAt))
	t := tree{maps.Clone(w.trees[top].writes), maps.Clone(w.trees[top].files)}
	if t.writes == nil {
		t = tree{map[StageRef]Freight{}, map[StageRef]int{}}
	}
	t.writes[a.Stage], t.files[a.Stage] = a.Freight, w.files[a.Stage]
	w.trees[p.Head] = t
	p.Moves = []Move{{File: a.Stage.Name, After: a.Freight.Label()}}
	if known {
		p.Moves[0].Before = before.Label()
	}
	return p
}

// look is what people see of a proposed commit: what it writes, over what.
func (w *world) look(head Commit) string {
	var b strings.Builder
	for _, s := range w.stages() {
		ref := StageRef{"p", s.Name}
		if f, ok := w.trees[head].writes[ref]; ok {
			fmt.Fprintf(&b, "%s: %s over %s of %d\n", ref, f.ID, w.content[ref][f.Warehouse].ID, w.trees[head].files[ref])
		}
	}
	return b.String()
}

// record writes a promotion and ends the one whose place it takes.
func (w *world) record(a Propose, p Promotion) {
	all := w.state.History.Promotions
	for i := range all {
		switch {
		case all[i].Ref() == p.Ref():
			all[i] = p
			return
		case a.Supersedes != "" && !all[i].Phase.Terminal() && all[i].Ref() == PromotionRef{p.Stage, a.Supersedes}:
			w.finish(&all[i], PhaseAborted, "superseded")
		}
	}
	w.state.History.Promotions = append(all, p)
}

// show opens or updates the changes of what was pushed.
func (w *world) show(drafts []Promotion, of []Propose, d *death) {
	shown := map[Branch]bool{}
	for i, p := range drafts {
		p = *w.promotion(p.Ref())
		if p.Phase != PhaseProposed || shown[p.Branch] {
			continue
		}
		if d.strikes() {
			w.die()
			if !d.lags {
				w.catchUp()
			}
			return
		}
		shown[p.Branch] = true
		if !slices.ContainsFunc(w.state.Changes, func(c Change) bool {
			return c.State == ChangeOpen && c.Branch == p.Branch && (of[i].Change == 0 || c.Number == of[i].Change)
		}) {
			w.open(p.Branch, p.Head, ChangeEdit{})
		}
	}
	w.catchUp()
}

// catchUp lets the forge show what was pushed.
func (w *world) catchUp() {
	for i := range w.state.Changes {
		c := &w.state.Changes[i]
		tip, ok := w.state.Tips[c.Branch]
		if !ok || c.State != ChangeOpen {
			continue
		}
		if c.Head != tip && c.Merge == MergeBehind {
			c.Merge = MergeReady
		}
		c.Head = tip
	}
}

func (w *world) merge(c *Change) {
	w.pushMain()
	c.State, c.Merged = ChangeMerged, w.main
	for ref, f := range w.trees[c.Head].writes {
		w.content[ref][f.Warehouse] = f
		w.files[ref]++
	}
}

// deliver runs the steps after the merge.
func (w *world) deliver(a Deliver) {
	p := w.promotion(a.Promotion.Ref())
	if p.Phase == PhaseProposed {
		w.checkDelivery(a)
		p.Phase, p.Merged, p.Change, p.MergedAt = PhaseDelivering, a.Merged, a.Change, w.now
		w.leave(*p)
	}
	done := len(p.Results)
	if w.run(p, true, true); done != len(p.Results) {
		p.DeliveringSince = w.now
	}
	switch health := w.health[p.Stage]; {
	case p.Waits != WaitsDelivery:
		w.lookAgain(*p)
	case health == "slow":
		w.state.Deliveries[p.Ref()] = Delivering{"syncing", w.now.Add(time.Minute)}
	case health == "bad":
		w.finish(p, PhaseFailed, "web is Degraded")
	default:
		w.finish(p, PhaseSucceeded, "")
		w.arrive(*p)
	}
}

// leave ends the stay of what a stage ran.
func (w *world) leave(p Promotion) {
	warehouse := w.freight(p.Freight).Warehouse
	if was := w.running[p.Stage][warehouse]; was.freight != "" && was.freight != p.Freight {
		key := stageFreight{p.Stage, was.freight}
		w.longest[key] = max(w.longest[key], w.now.Sub(was.since))
		delete(w.running[p.Stage], warehouse)
	}
}

func (w *world) arrive(p Promotion) {
	warehouse := w.freight(p.Freight).Warehouse
	if w.running[p.Stage][warehouse].freight != p.Freight {
		w.running[p.Stage][warehouse] = stay{p.Freight, w.now}
	}
	for _, id := range append([]FreightID{p.Freight}, p.Others...) {
		if _, known := w.state.History.Verified(p.Stage, id); !known {
			w.state.History.Verifications = append(w.state.History.Verifications, Verification{Stage: p.Stage, Freight: id, VerifiedAt: w.now})
		}
	}
}
