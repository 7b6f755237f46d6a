package promote

import (
	"fmt"
	"slices"
	"strings"
)

// GroupBranch returns the branch on which the promotions to all stages of a group are proposed together. No stage can be called
// like that.
func GroupBranch(project, group string) Branch { return Branch("lockkeeper/" + project + "/+" + group) }

// Branch is where promotions to the stage are proposed.
func (s Stage) Branch(project string) Branch {
	if s.Group != "" {
		return GroupBranch(project, s.Group)
	}
	return ProposalBranch(StageRef{project, s.Name})
}

// addCrews notes which open promotions share a branch and so a change, in the order of the pipelines.
func (x *index) addCrews(s *State) {
	x.crews = map[Branch][]Promotion{}
	for _, pipeline := range s.Pipelines {
		for _, stage := range pipeline.Stages {
			active, ok := x.active(StageRef{pipeline.Project, stage.Name})
			if ok && active.Phase == PhaseProposed && (len(active.With) > 0 || stage.Group != "") {
				x.crews[active.Branch] = append(x.crews[active.Branch], active)
			}
		}
	}
}

// crewOf returns the promotions that are open together on a branch. One whose change was merged or closed, or whose freight was
// rejected, is about to go on by itself or to end, and is none of them any more.
func (x *index) crewOf(branch Branch) []Promotion {
	return keep(x.crews[branch], func(p Promotion) bool {
		change, found := x.change(p)
		_, bad := x.rejections[projectFreight{p.Stage.Project, p.Freight}]
		return !bad && (!found || change.State == ChangeOpen)
	})
}

// crew returns the open promotions that share a change with one, itself among them. The first of them speaks for all.
func (s *stageDecision) crew(active Promotion) []Promotion {
	if crew := s.index.crewOf(active.Branch); len(crew) > 1 {
		return crew
	}
	return []Promotion{active}
}

// left names a stage whose promotion was in the change when it was made and is over now, so that the change holds what nobody
// proposes any more.
func (s *stageDecision) left(active Promotion) (StageRef, bool) {
	if len(active.With) == 0 {
		return StageRef{}, false
	}
	aboard := map[StageRef]bool{active.Stage: true}
	for _, p := range s.crew(active) {
		aboard[p.Stage] = true
	}
	for _, with := range active.With {
		if !aboard[with] {
			return with, true
		}
	}
	return StageRef{}, false
}

// missing reports whether others that share its branch were proposed there later, without this one, because it could not be
// made.
func (s *stageDecision) missing(active Promotion) bool {
	return s.state.Tips[active.Branch] != active.Head && slices.ContainsFunc(s.crew(active), func(p Promotion) bool {
		return p.Head != active.Head && !slices.Contains(p.With, active.Stage)
	})
}

// without reports whether a change that was merged did not hold a promotion: others were proposed there later, without this one.
func (s *stageDecision) without(active Promotion, change Change) bool {
	return change.Head != active.Head && slices.ContainsFunc(s.index.proposed[change.Number], func(p *Promotion) bool {
		return p.Head != active.Head && len(p.With) > 0 && !slices.Contains(p.With, active.Stage) && (p.Head == change.Head || !p.Phase.Terminal())
	})
}

// aboard says how a promotion fares whose change another one speaks for.
func (s *stageDecision) aboard(active Promotion, freight Freight, gates Gates, leader Promotion) {
	s.say(max(gates.Verdict(), Wait), "%s shares its change with the promotion to %s: %s", active.label(freight), leader.Stage.Name,
		gates.Status().Description)
}

// together judges a head for all promotions that share its change: each gate has the worst of their verdicts.
func (s *stageDecision) together(crew []Promotion, head Commit, besides ...Finding) (Gates, ChangeEdit) {
	all := make([]Description, len(crew))
	gates := GateNames()
	reasons := make([][]string, len(gates))
	for i := range gates {
		gates[i].Verdict = Pass
	}
	for n, p := range crew {
		at := s.at(s.index.stages[p.Stage])
		freight, _ := s.index.freight(p.Stage.Project, p.Freight)
		own := besides
		if p.Stage != s.ref {
			own = slices.Concat(besides, at.stale(p))
		}
		all[n] = at.description(p, freight, head, own...)
		for i, gate := range all[n].Gates {
			switch text := p.Stage.Name + ": " + gate.Reason; {
			case gate.Verdict > gates[i].Verdict:
				gates[i].Verdict, reasons[i] = gate.Verdict, []string{text}
			case gate.Verdict == gates[i].Verdict:
				reasons[i] = append(reasons[i], text)
			}
		}
	}
	for i := range gates {
		gates[i].Reason = joinLimited(reasons[i], 3)
	}
	return gates, DescribeTogether(s.stage.Group, all, gates)
}

// DescribeTogether writes the title and the description of a change that holds several promotions.
func DescribeTogether(group string, all []Description, gates Gates) ChangeEdit {
	var b strings.Builder
	var names []string
	fmt.Fprintf(&b, "Promotes to %d stages in one change.\n\n| stage | freight |\n|---|---|\n", len(all))
	for _, d := range all {
		names = append(names, d.Promotion.Stage.Name)
		fmt.Fprintf(&b, "| %s | %s |\n", cellSpan(d.Promotion.Stage.String()), cellSpan(d.Freight.Label()))
	}
	b.WriteString("\n")
	var rest strings.Builder
	for _, d := range all {
		rest.WriteString(provenance(d))
	}
	title := fmt.Sprintf("%s: %s to %s", orElse(group, "together"), commonLabel(all), joinLimited(names, 3))
	return ChangeEdit{Title: truncate(clean(title), 200), Description: arranged(b.String(), shownDiff(all[0].Evidence), GateTable(gates), rest.String(), commandHint)}
}

// commonLabel names the freight of all promotions when it is the same, and counts them when it is not.
func commonLabel(all []Description) string {
	for _, d := range all[1:] {
		if d.Freight.Label() != all[0].Freight.Label() {
			return fmt.Sprintf("%d promotions", len(all))
		}
	}
	return all[0].Freight.Label()
}

// regroup completes the plan for changes that hold several promotions. Their commits lie on top of each other, so that when
// one is proposed all others that are open in the change are made again with it, and the change is neither shown nor merged as
// it was.
func (d *decision) regroup() {
	made := map[Branch][]Propose{}
	for _, action := range d.plan.Actions {
		if p, ok := action.(Propose); ok && p.Branch != ProposalBranch(p.Stage) {
			made[p.Branch] = append(made[p.Branch], p)
		}
	}
	if len(made) == 0 {
		return
	}
	for branch, proposals := range made {
		if held, reason := d.heldBack(branch, proposals); held {
			d.withholdAll(proposals, reason)
			delete(made, branch)
		}
	}
	var kept []Action
	changes := map[int]bool{}
	for branch := range made {
		for _, p := range d.index.crewOf(branch) {
			if change, ok := d.index.change(p); ok {
				changes[change.Number] = true
			}
		}
	}
	for _, action := range d.plan.Actions {
		if !replaced(action, made, changes) {
			kept = append(kept, action)
		}
	}
	d.plan.Actions = kept
	for _, pipeline := range d.state.Pipelines {
		for _, stage := range pipeline.Stages {
			d.rejoin(StageRef{pipeline.Project, stage.Name}, made)
		}
	}
}

// heldBack reports whether a promotion that is open in the change of a branch must stay as it is.
func (d *decision) heldBack(branch Branch, proposals []Propose) (bool, string) {
	for _, p := range d.index.crewOf(branch) {
		if slices.ContainsFunc(proposals, func(a Propose) bool { return a.Stage == p.Stage }) {
			continue
		}
		if hold, held := d.index.holds[p.Stage]; held {
			return true, fmt.Sprintf("%s, which shares its change, is held by %s", p.Stage.Name, hold.By)
		}
	}
	return false, ""
}

// withholdAll takes proposals out of the plan again, and says why.
func (d *decision) withholdAll(proposals []Propose, reason string) {
	for _, p := range proposals {
		d.plan.Actions = slices.DeleteFunc(d.plan.Actions, func(a Action) bool { return a.Key() == p.Key() })
		for i := range d.plan.Stages {
			if d.plan.Stages[i].Stage == p.Stage {
				d.plan.Stages[i].Verdict, d.plan.Stages[i].Reason = Block, clean(p.Freight.Label()+" is not proposed: "+reason)
			}
		}
	}
}

// replaced reports whether an action is about a change that is made anew; the proposals themselves are put back in order.
func replaced(action Action, made map[Branch][]Propose, changes map[int]bool) bool {
	switch a := action.(type) {
	case Propose:
		_, again := made[a.Branch]
		return again
	case OpenChange:
		_, again := made[a.Draft.Branch]
		return again
	case RecordChange:
		return changes[a.Change]
	case Advance:
		_, again := made[a.Promotion.Branch]
		return again
	case UpdateChange:
		return changes[a.Change]
	case PostStatus:
		return changes[a.Change]
	case Merge:
		return changes[a.Change]
	case Unqueue:
		return changes[a.Change]
	default:
		return false
	}
}

// rejoin plans what one stage has in a change that is made anew: what was decided for it, or what it has open there. That may be
// the change of a group that the stage has left since.
func (d *decision) rejoin(ref StageRef, made map[Branch][]Propose) {
	for branch, proposals := range made {
		if i := slices.IndexFunc(proposals, func(p Propose) bool { return p.Stage == ref }); i >= 0 {
			proposals[i].Change = d.index.openOn(branch)
			d.do(proposals[i])
			return
		}
	}
	active, _ := d.index.active(ref)
	crew := d.index.crewOf(active.Branch)
	if _, again := made[active.Branch]; !again || !slices.ContainsFunc(crew, func(p Promotion) bool { return p.Stage == ref }) {
		return
	}
	freight, _ := d.index.freight(ref.Project, active.Freight)
	at := d.at(d.index.stages[ref])
	at.again(active, freight, Change{Number: d.index.openOn(active.Branch)}, "others join its change")
	for i := range d.plan.Stages {
		if d.plan.Stages[i].Stage == ref {
			d.plan.Stages[i].Verdict, d.plan.Stages[i].Reason = at.status.Verdict, at.status.Reason
		}
	}
}

// openOn returns the number of the open change of those who share a branch, 0 when there is none.
func (x *index) openOn(branch Branch) int {
	for _, p := range x.crewOf(branch) {
		if c, ok := x.change(p); ok && c.State == ChangeOpen {
			return c.Number
		}
	}
	return 0
}
