package promote

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// autoPromotion is the actor of a promotion that nobody asked for.
const autoPromotion = "auto-promotion"

// AutoRollbackActor is the actor of a promotion that takes a failed one back, because the policy says so.
const AutoRollbackActor = "auto-rollback"

// defaultInterval is how often a warehouse that does not say is looked at (Kargo: 5m0s).
const defaultInterval = 5 * time.Minute

// Decide reports everything that should happen next, and why, given what is known. It performs no I/O, reads no clock, and
// returns equal Plans for equal States.
//
// What people asked for is recorded before the stages are decided, so that a hold keeps back a merge of the same moment. What
// promotes nothing any more is closed before, so that no new proposal is shown in an old change.
func Decide(s State) Plan {
	d := newDecision(s)
	for _, pipeline := range s.Pipelines {
		for _, warehouse := range pipeline.Warehouses {
			d.warehouse(pipeline, warehouse)
		}
	}
	d.commands(true)
	d.retire()
	for _, pipeline := range s.Pipelines {
		for _, stage := range pipeline.Stages {
			d.stage(pipeline, stage)
		}
	}
	d.regroup()
	d.commands(false)
	return d.plan
}

type decision struct {
	state State
	index *index
	plan  Plan
}

func newDecision(s State) *decision {
	d := &decision{state: s}
	d.index = newIndex(&d.state)
	return d
}

func (d *decision) do(a Action) { d.plan.Actions = append(d.plan.Actions, a) }

// recheckAt asks to be called again at t. A moment that is over already would be asked for for ever.
func (d *decision) recheckAt(t time.Time) {
	if t.After(d.state.Now) {
		d.plan.recheckAt(t)
	}
}

// warehouse makes freight of what was discovered, and looks again after the interval.
func (d *decision) warehouse(pipeline Pipeline, warehouse Warehouse) {
	found, ok := d.index.discoveries[StageRef{pipeline.Project, warehouse.Name}]
	if !ok {
		return
	}
	interval := warehouse.Interval
	if interval <= 0 {
		interval = defaultInterval
	}
	d.recheckAt(found.At.Add(interval))
	if warehouse.Manual || found.Withheld != "" || !warehouse.complete(found.Artifacts) {
		return
	}
	freight := NewFreight(pipeline.Project, warehouse.Name, found.Artifacts, found.At)
	if _, known := d.index.freight(pipeline.Project, freight.ID); known {
		return
	}
	freight.Alias = d.index.alias(freight)
	d.index.addFreight(&freight)
	d.do(RecordFreight{freight})
}

// stage decides about one stage and says why.
func (d *decision) stage(pipeline Pipeline, stage Stage) {
	ref := StageRef{pipeline.Project, stage.Name}
	status := StageStatus{Stage: ref, Runs: d.runs(ref, stage)}
	s := &stageDecision{decision: d, pipeline: pipeline, stage: stage, ref: ref, status: &status, findings: d.about(ref, stage)}
	s.decide()
	d.plan.Stages = append(d.plan.Stages, status)
}

// about returns the findings that stand in the way of a stage, and of the declared one that it is a target of.
func (d *decision) about(ref StageRef, stage Stage) []Finding {
	found := d.index.findings.about(ref)
	if stage.Fan != "" {
		found = append(found, d.index.findings.stages[StageRef{ref.Project, stage.Fan}]...)
	}
	return found
}

func (d *decision) runs(ref StageRef, stage Stage) string {
	var labels []string
	for _, request := range stage.Requests {
		if freight, ok := d.index.current(ref, request.Warehouse); ok {
			labels = append(labels, freight.Label())
		}
	}
	return strings.Join(labels, ", ")
}

type stageDecision struct {
	*decision
	pipeline Pipeline
	stage    Stage
	ref      StageRef
	status   *StageStatus
	findings []Finding // that concern the stage
}

func (s *stageDecision) say(verdict Verdict, format string, args ...any) {
	s.status.Verdict, s.status.Reason = verdict, clean(fmt.Sprintf(format, args...))
}

func (s *stageDecision) decide() {
	active, isActive := s.index.active(s.ref)
	switch {
	case isActive && active.Phase == PhaseDelivering:
		s.delivering(active)
	case isActive && active.Phase == PhasePreparing:
		s.preparing(active)
	case isActive:
		s.proposed(active)
	case len(s.stage.Steps) == 0:
		s.say(Skip, "control-flow stage: it has no steps and nothing is promoted to it")
	default:
		if reason := s.pipelineProblem(); reason != "" {
			s.say(Block, "%s", reason)
			return
		}
		s.idle()
	}
}

// pipelineProblem says why nothing may be proposed to the stage, whatever the freight; empty when it may.
func (s *stageDecision) pipelineProblem() string {
	if verdict, reason := judgePipeline(gateInput{pipeline: s.pipeline, stage: s.stage, findings: s.findings}); verdict == Block {
		return reason
	}
	return ""
}

// idle looks for freight to propose: first what a person asked for, then what the warehouses have, each by itself.
func (s *stageDecision) idle() {
	outlooks := s.outlooks()
	i := slices.IndexFunc(outlooks, func(o outlook) bool { return o.freight.ID != "" && o.verdict == Pass })
	if i < 0 {
		s.explain(outlooks)
		return
	}
	next := outlooks[i]
	s.status.Next = next.freight.Label()
	if verdict, reason := judgeHold(s.input(next.freight, Evidence{}, false)); verdict == Block {
		s.say(Block, "%s", reason)
		return
	}
	s.propose(next, Promotion{})
}

// explain says why nothing is proposed: the worst of what the warehouses offer.
func (s *stageDecision) explain(outlooks []outlook) {
	verdict, reasons := Pass, []string{}
	for _, o := range outlooks {
		if o.verdict > verdict {
			verdict, reasons = o.verdict, nil
			s.status.Next = ""
		}
		if o.verdict == verdict {
			reasons = append(reasons, o.reason)
			s.status.Next = orElse(s.status.Next, o.freight.Label())
		}
	}
	if len(reasons) == 0 {
		s.say(Block, "the stage requests no freight: add requestedFreight to %s", s.stage.Position)
		return
	}
	s.say(verdict, "%s", joinLimited(reasons, 3))
}

// propose plans a promotion; supersedes is the open one whose place it takes, or the zero value.
func (s *stageDecision) propose(next outlook, supersedes Promotion) {
	number, branch := s.index.lastNumber(s.ref)+1, s.stage.Branch(s.ref.Project)
	change := 0
	if open, ok := s.index.change(supersedes); ok && supersedes.Phase == PhaseProposed && open.State == ChangeOpen {
		if change = s.takeOver(open, next, supersedes); change != 0 {
			branch = open.Branch // also when the stage belongs to another group by now
		}
	}
	s.joinWave()
	s.status.Next = next.freight.Label()
	s.say(Wait, "%s is being proposed: %s", next.freight.Label(), next.reason)
	s.do(Propose{
		Stage: s.ref, Freight: next.freight, Others: s.others(next.freight), Promotion: promotionID(s.ref, number, next.freight.ID),
		Branch: branch, Number: number, Actor: next.actor, Base: s.state.Head, Tip: s.state.Tips[branch],
		Supersedes: supersedes.ID, Change: change, Reason: next.reason,
	})
}

// takeOver returns the number of the change that shows a newer promotion: the open one, unless the stage wants a new change
// for each. Then the old promotion is ended before its change is closed, so that nobody takes that for a person's no.
func (s *stageDecision) takeOver(open Change, next outlook, old Promotion) int {
	if s.stage.Supersede != SupersedeByNew || open.Branch != ProposalBranch(s.ref) {
		return open.Number
	}
	s.do(Finish{Promotion: old, Phase: PhaseAborted, Message: "superseded by " + next.freight.Label()})
	s.do(CloseChange{Change: open.Number, Head: open.Head, Note: fmt.Sprintf("Closed, because %s takes its place in a change of its own.\n",
		codeSpan(next.freight.Label()))})
	return 0
}

// others returns the freight of the stage's other warehouses that it keeps.
func (s *stageDecision) others(freight Freight) []FreightID {
	var kept []FreightID
	for _, request := range s.stage.Requests {
		if request.Warehouse == freight.Warehouse {
			continue
		}
		if current, ok := s.index.current(s.ref, request.Warehouse); ok {
			kept = append(kept, current.ID)
		}
	}
	return kept
}

// follows reports whether the stage takes whatever its upstream stage runs of a warehouse.
func (s *stageDecision) follows(warehouse string) bool {
	return slices.ContainsFunc(s.stage.Requests, func(r FreightRequest) bool { return r.Warehouse == warehouse && r.MatchUpstream })
}

func (s *stageDecision) input(freight Freight, evidence Evidence, asked bool) gateInput {
	return gateInput{
		now: s.state.Now, pipeline: s.pipeline, stage: s.stage, ref: s.ref, word: s.index.word(s.ref), freight: freight,
		index: s.index, findings: s.findings, evidence: evidence, asked: asked,
		follows: s.follows(freight.Warehouse),
	}
}
