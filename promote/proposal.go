package promote

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// askForgeAgain is how long to wait when the forge did not say whether a change may be merged.
const askForgeAgain = time.Minute

// proposed decides about a promotion whose change is open, or should be.
func (s *stageDecision) proposed(active Promotion) {
	freight, _ := s.index.freight(s.ref.Project, active.Freight)
	s.status.Next = active.label(freight)
	change, found := s.index.change(active)
	s.status.Change, s.status.URL = change.Number, change.URL
	switch {
	case s.isBad(freight) && (!found || change.State != ChangeMerged):
		r, _ := s.index.rejection(freight)
		s.fail(active, freight, r.reason(freight))
	case found && change.State == ChangeMerged && strays(active, change):
		s.fail(active, freight, fmt.Sprintf("its change was merged into %q instead of %q", change.Target, active.Target))
	case found && change.State == ChangeMerged && s.without(active, change):
		s.fail(active, freight, "its change was merged without it, because it could not be made again with the others")
	case found && change.State == ChangeMerged:
		s.say(Wait, "%s is merged and will be delivered", active.label(freight))
		s.do(Deliver{Promotion: active, Merged: change.Merged, Change: change.Number, URL: change.URL})
	case found && change.State == ChangeClosed:
		message := "its change was closed without being merged"
		if change.ClosedBy != "" {
			message += " by " + change.ClosedBy
		}
		s.fail(active, freight, message)
	default:
		s.underway(active, freight, change, found)
	}
}

// isBad reports whether a freight was rejected.
func (s *stageDecision) isBad(freight Freight) bool {
	_, bad := s.index.rejection(freight)
	return bad && freight.ID != ""
}

func (s *stageDecision) fail(active Promotion, freight Freight, message string) {
	s.say(Block, "%s: %s", active.label(freight), message)
	s.do(Finish{Promotion: active, Phase: PhaseFailed, Message: message})
}

// expired reports whether a step has waited for the merge for as long as it may.
func (s *stageDecision) expired(active Promotion) bool {
	if active.Until.IsZero() || active.Waits != WaitsMerge && active.Waits != WaitsChange {
		return false
	}
	s.recheckAt(active.Until)
	return !active.Until.After(s.state.Now)
}

// overdue leaves it to the steps what becomes of a change that was not merged in time. Without its change they cannot go on.
func (s *stageDecision) overdue(active Promotion, freight Freight, found bool) {
	if !found {
		s.fail(active, freight, "its change was not merged by "+stamp(active.Until)+", as long as retry.timeout of the step that waits for it allows")
		return
	}
	s.say(Wait, "%s was not merged for as long as its steps wait", active.label(freight))
	s.do(Advance{Promotion: active, Reason: "a step waited for the merge as long as its retry.timeout allows"})
}

// strays reports whether somebody pointed the change at another branch.
func strays(p Promotion, c Change) bool {
	return c.Target != "" && p.Target != "" && c.Target != p.Target
}

// underway keeps a proposal as it should be: newest, on the present tip, open and judged.
func (s *stageDecision) underway(active Promotion, freight Freight, change Change, found bool) {
	tip, paused := s.state.Tips[active.Branch], s.paused(freight)
	outdated := s.outdated(active, found)
	why, unmade := s.state.Unmade[ProposalKey(s.ref, freight.ID)]
	switch {
	case s.expired(active):
		s.overdue(active, freight, found)
	case paused == "" && s.superseded(active, freight):
	case paused == "" && !unmade && outdated != "":
		s.again(active, freight, change, outdated)
	case tip == "", !found && tip != active.Head:
		s.say(Block, "%s cannot be proposed again, because %s: %s", active.label(freight), outdated, orElse(paused, why))
	case !found && s.crew(active)[0].Stage != s.ref:
		s.say(Wait, "the change for %s is being opened", active.label(freight))
	case !found:
		s.say(Wait, "the change for %s is being opened", active.label(freight))
		s.do(OpenChange{Promotion: active, Draft: s.draft(active, freight)})
	case tip == active.Head && change.Head != active.Head:
		s.recheckAt(s.state.Now.Add(askForgeAgain))
		s.say(Wait, "%s waits for the forge, which does not show the proposed commit in its change yet", active.label(freight))
	case outdated != "" && unmade:
		s.open(active, freight, change, s.stale(active)...)
	default:
		if on := active.Waits; on == WaitsTime || on == WaitsApproval {
			s.between(active)
		}
		s.open(active, freight, change)
	}
}

// between lets the steps between the opening of the change and its merge go on.
func (s *stageDecision) between(active Promotion) {
	if s.due(active) {
		s.do(Advance{Promotion: active, Reason: "a step that waited goes on"})
	}
}

// paused says why nothing may be proposed to the stage at present; empty when it may.
func (s *stageDecision) paused(freight Freight) string {
	if reason := s.pipelineProblem(); reason != "" {
		return reason
	}
	if verdict, reason := judgeHold(s.input(freight, Evidence{}, false)); verdict == Block {
		return reason
	}
	return ""
}

// outdated says why the proposal must be made again; empty when it stands. shown is whether it has its change: a branch that
// somebody else moved before that is never opened as ours.
func (s *stageDecision) outdated(active Promotion, shown bool) string {
	switch tip := s.state.Tips[active.Branch]; {
	case tip == "":
		return "its branch is gone"
	case !shown && tip != active.Head:
		return "its branch was moved before its change was opened"
	}
	if stage, left := s.left(active); left {
		return "the promotion to " + stage.Name + ", which was in its change, is over"
	}
	if s.missing(active) {
		return "others were proposed in its change without it"
	}
	if files := s.state.Conflicts[active.Ref()]; len(files) > 0 {
		return "changed on " + string(active.Target) + " since: " + joinLimited(files, 3)
	}
	return ""
}

// stale is what stands in the way of a proposal that must be made again and cannot.
func (s *stageDecision) stale(active Promotion) []Finding {
	outdated := s.outdated(active, true)
	why, unmade := s.state.Unmade[ProposalKey(s.ref, active.Freight)]
	if outdated == "" || !unmade {
		return nil
	}
	return []Finding{{Severity: SeverityError, Code: "outdated", Message: outdated + ", and the proposal cannot be made again: " + why}}
}

// superseded replaces the open promotion when other freight of its warehouse may take its place: what a person asks for,
// or newer freight, or what the upstream stage runs by now where the stage follows it, unless a person asked for the open one.
func (s *stageDecision) superseded(active Promotion, old Freight) bool {
	i := slices.IndexFunc(s.stage.Requests, func(r FreightRequest) bool { return r.Warehouse == old.Warehouse })
	if i < 0 || old.ID == "" {
		return false
	}
	next := s.outlook(s.stage.Requests[i])
	switch {
	case next.freight.ID == "" || next.freight.ID == active.Freight || next.verdict != Pass:
		return false
	case next.asked:
	case s.stage.Supersede == SupersedeQueue, s.askedFor(active):
		return false
	case s.index.order(next.freight, old) != Newer && !s.follows(old.Warehouse):
		return false
	}
	s.propose(next, active)
	return true
}

// again plans the same promotion once more on the present tip of the target branch.
func (s *stageDecision) again(active Promotion, freight Freight, change Change, reason string) {
	branch := active.Branch
	if active.Phase == PhasePreparing {
		branch = s.stage.Branch(s.ref.Project) // nothing was pushed yet
	}
	s.say(Wait, "%s is being proposed again: %s", active.label(freight), reason)
	s.do(Propose{
		Stage: s.ref, Freight: freight, Others: active.Others, Promotion: active.ID, Branch: branch, Number: active.Number, Actor: active.Actor,
		Base: s.state.Head, Tip: s.state.Tips[branch], Again: true, Change: change.Number, Reason: reason,
	})
}

// open judges the head of an open change, and shows, posts and merges accordingly. What stands in the way besides is added
// to what was found at the head.
func (s *stageDecision) open(active Promotion, freight Freight, change Change, besides ...Finding) {
	if active.Change == 0 || active.Waits == WaitsChange {
		s.do(RecordChange{Promotion: active, Change: change.Number, URL: change.URL})
	}
	if strays(active, change) {
		besides = append(besides, Finding{
			Severity: SeverityError, Code: "other-target", Message: fmt.Sprintf("the change targets branch %q", change.Target),
			Remedy: fmt.Sprintf("point it at %q again", active.Target),
		})
	}
	gates, edit := s.describe(active, freight, change.Head, besides...)
	s.status.Gates = gates
	if crew := s.crew(active); crew[0].Stage != s.ref {
		s.aboard(active, freight, gates, crew[0])
		return
	} else if len(crew) > 1 {
		gates, edit = s.together(crew, change.Head, besides...)
	}
	if keepDraft(edit.Title) == "" {
		edit.Title = keepDraft(change.Title) + edit.Title
	}
	text, more := Divide(edit.Description)
	if edit.Description = text; change.Title != edit.Title || !sameText(change.Description, text) {
		goesOn := len(more) > 0 || goesOn(change.Description)
		s.do(UpdateChange{Change: change.Number, Head: change.Head, Edit: edit, GoesOn: goesOn, More: more})
	}
	status := gates.Status()
	posted, known := s.state.Statuses[change.Head]
	if !known || posted.State != status.State || clean(posted.Description) != status.Description {
		s.do(gates.Post(change, s.state.Evidence[change.Head].Findings))
	}
	if gates.Verdict() == Block && change.Merge == MergeQueued {
		s.do(Unqueue{Change: change.Number, Head: change.Head, Reason: status.Description})
	}
	if gates.Verdict() != Pass {
		s.say(gates.Verdict(), "%s: %s", active.label(freight), status.Description)
		return
	}
	s.merge(active, freight, change)
}

// keepDraft returns the mark by which a person made a change a draft, where a forge keeps it in the title.
func keepDraft(title string) string {
	for _, mark := range []string{"Draft: ", "[Draft] ", "(Draft) "} {
		if len(title) >= len(mark) && strings.EqualFold(title[:len(mark)], mark) {
			return title[:len(mark)]
		}
	}
	return ""
}

// merge merges a change whose gates all pass, when somebody wants it. It is pinned to the head that was proposed, so that what
// somebody else pushed is never merged, whatever the gates say of it.
func (s *stageDecision) merge(active Promotion, freight Freight, change Change) {
	request, asked := s.wished(active)
	reason := ""
	switch {
	case !s.every(active, func(p Promotion, _ Stage) bool { return p.Head == change.Head }):
		s.say(Wait, "%s waits for a person to merge its change: commits were added to it by hand", active.label(freight))
		return
	case change.Merge == MergeQueued:
		s.recheckAt(s.state.Now.Add(askForgeAgain))
		s.say(Wait, "%s is being merged by the forge: %s", active.label(freight), orElse(change.Reason, "it does not say when"))
		return
	case asked:
		reason = "every gate passes, and " + request.By + " asked for it"
	case s.every(active, func(p Promotion, _ Stage) bool { return p.AutoMerge }):
		reason = "every gate passes, and the task merges it"
	case s.every(active, func(_ Promotion, stage Stage) bool { return stage.AutoMerge }):
		reason = "every gate passes, and the stage merges automatically"
	default:
		s.say(Wait, "%s waits for its change to be merged: every gate passes%s%s", active.label(freight), s.lapsed(active), withoutDraft(change))
		return
	}
	if p, waits := s.unready(active); waits {
		s.say(Wait, "%s is not merged before its steps are done: %s", active.label(freight), s.waiting(p, "a step waits"))
		return
	}
	if s.behind(active, change) {
		s.again(active, freight, change, fmt.Sprintf("the forge wants it on top of %s, which has moved since", active.Target))
		return
	}
	if tired := s.tired(active); tired != "" {
		s.say(Wait, "%s waits for a person: %s", active.label(freight), tired)
		return
	}
	if change.Merge != MergeReady {
		s.recheckAt(s.state.Now.Add(askForgeAgain))
	}
	switch {
	case change.Draft && slices.Contains(change.Labels, DraftLabel):
		s.say(Wait, "%s waits for its change, which is to be a draft%s", active.label(freight), withoutDraft(change))
	case change.Draft:
		s.say(Wait, "%s waits for its change, which is a draft: mark it as ready", active.label(freight))
	case change.Merge == MergeBlocked, change.Merge == MergeBehind:
		s.say(Wait, "%s waits for the forge, which does not let it be merged yet: %s", active.label(freight), orElse(change.Reason, "it does not say why"))
	case change.Merge == MergeUnknown:
		s.say(Wait, "%s waits for the forge, which does not say whether it may be merged: %s",
			active.label(freight), orElse(change.Reason, "it is asked again"))
	default:
		s.say(Wait, "%s is being merged: %s", active.label(freight), reason)
		s.do(Merge{Change: change.Number, Head: active.Head, Promotion: active.ID, Stage: s.ref, Reason: reason})
	}
}

// withoutDraft warns of a change that is to be a draft on a forge that has none; empty for every other one.
func withoutDraft(c Change) string {
	if !slices.Contains(c.Labels, DraftLabel) {
		return ""
	}
	return "; the forge supports no drafts in this repository, so that anyone may merge it: take the label " + DraftLabel + " off when it is ready"
}

// behind reports whether a change can be merged as soon as it is made again. A rebase by the forge would leave a commit that
// nobody proposed.
func (s *stageDecision) behind(active Promotion, change Change) bool {
	_, unmade := s.state.Unmade[ProposalKey(s.ref, active.Freight)]
	return change.Merge == MergeBehind && !unmade && !change.Draft && active.Target == s.state.Branch && active.Base != s.state.Head
}

// wished returns the newest request to merge the change as it stands, for whichever of its promotions.
func (s *stageDecision) wished(active Promotion) (Request, bool) {
	for _, p := range s.crew(active) {
		if request, asked := s.index.wish(p); asked {
			return request, true
		}
	}
	return Request{}, false
}

// every reports whether something holds for all promotions of a change.
func (s *stageDecision) every(active Promotion, holds func(Promotion, Stage) bool) bool {
	for _, p := range s.crew(active) {
		place := s.index.stages[p.Stage]
		if !holds(p, s.state.Pipelines[place.pipeline].Stages[place.stage]) {
			return false
		}
	}
	return true
}

// unready returns a promotion of a change of which a step before the merge waits.
func (s *stageDecision) unready(active Promotion) (Promotion, bool) {
	for _, p := range s.crew(active) {
		if p.Waits == WaitsTime || p.Waits == WaitsApproval || p.Waits == WaitsChange {
			return p, true
		}
	}
	return Promotion{}, false
}

// lapsed says that somebody wished the merge of what was proposed before the promotion was made again; empty when nobody did.
func (s *stageDecision) lapsed(active Promotion) string {
	request, ok := s.index.lastWish(active)
	if !ok {
		return ""
	}
	if request.Shown != "" && active.Shown != "" {
		return "; it was proposed anew with other content since " + request.By + " asked for it: look at it, and comment `/promote` again"
	}
	return "; it was made again since " + request.By + " asked for it: comment `/promote` once more"
}

// preparing decides about a promotion of which a step before the change waits.
func (s *stageDecision) preparing(active Promotion) {
	freight, _ := s.index.freight(s.ref.Project, active.Freight)
	s.status.Next = active.label(freight)
	why, unmade := s.state.Unmade[ProposalKey(s.ref, freight.ID)]
	switch paused := s.paused(freight); {
	case s.isBad(freight):
		r, _ := s.index.rejection(freight)
		s.fail(active, freight, r.reason(freight))
	case paused != "":
		s.say(Block, "%s is not prepared further: %s", active.label(freight), paused)
	case s.superseded(active, freight):
	case unmade:
		s.fail(active, freight, why)
	case !s.due(active):
		s.say(Wait, "%s is being prepared: %s", active.label(freight), s.waiting(active, "a step waits"))
	default:
		s.again(active, freight, Change{}, "a step that waited goes on")
	}
}

// due reports whether a step that waits is worth running again now.
func (s *stageDecision) due(active Promotion) bool {
	at := s.state.Deliveries[active.Ref()]
	switch active.Waits {
	case WaitsApproval:
		if len(s.index.approvals[stageFreight{s.ref, active.Freight}]) != active.Approvals {
			return true
		}
		s.recheckAt(active.Until)
		return !active.Until.IsZero() && !active.Until.After(s.state.Now)
	case WaitsTime, WaitsDelivery, WaitsNothing:
		if at.Next.After(s.state.Now) {
			s.recheckAt(at.Next)
			return false
		}
		return true
	case WaitsChange, WaitsMerge:
	}
	return false
}

// waiting says what a promotion waits for, in the words of its step.
func (s *stageDecision) waiting(active Promotion, fallback string) string {
	if at := s.state.Deliveries[active.Ref()]; at.Message != "" {
		return at.Message
	}
	message := fallback
	if n := len(active.Results); n > 0 && active.Results[n-1].Message != "" {
		message = active.Results[n-1].Message
	}
	if lapsed := s.state.lapsedApprovals(active); lapsed != "" {
		message += "; " + lapsed
	}
	return message
}

// delivering lets the steps after the merge go on when it is time to look again.
func (s *stageDecision) delivering(active Promotion) {
	freight, _ := s.index.freight(s.ref.Project, active.Freight)
	s.status.Next, s.status.Change, s.status.URL = active.label(freight), active.Change, active.URL
	s.say(Wait, "%s is being delivered: %s", active.label(freight), s.waiting(active, "waiting for Argo CD"))
	if s.due(active) {
		s.do(Deliver{Promotion: active, Merged: active.Merged, Change: active.Change, URL: active.URL})
	}
}

// draft is the change for a branch that was pushed.
func (s *stageDecision) draft(active Promotion, freight Freight) ChangeDraft {
	_, edit := s.describe(active, freight, active.Head)
	if crew := s.crew(active); len(crew) > 1 {
		_, edit = s.together(crew, active.Head)
	}
	return Draft(active, s.stage.Opening, edit)
}

// describe judges a head by what was found out about it. When nothing was, the gates that look at it wait.
func (s *stageDecision) describe(active Promotion, freight Freight, head Commit, besides ...Finding) (Gates, ChangeEdit) {
	d := s.description(active, freight, head, besides...)
	return d.Gates, Describe(d)
}

// description is what the text of a change says of one promotion.
func (s *stageDecision) description(active Promotion, freight Freight, head Commit, besides ...Finding) Description {
	evidence, seen := s.state.Evidence[head]
	evidence.Head = head
	evidence.Findings = append(slices.Clip(evidence.Findings), besides...)
	if len(active.With) > 0 && head == active.Head { // those of the others are theirs to answer for
		evidence.Moves = active.Moves
		evidence.Rendered = slices.DeleteFunc(slices.Clone(evidence.Rendered), func(m Move) bool {
			return !slices.Contains(freight.labels(), tagOf(m.After))
		})
	}
	in := s.input(freight, evidence, s.askedFor(active))
	if p, waits := s.unready(active); waits && p.Waits != WaitsChange {
		in.waits, in.lapsed = p.Stage.Name, s.state.lapsedApprovals(p)
	}
	in.unseen, in.proposed, in.rollback = !seen, active.Head, active.Actor == AutoRollbackActor
	return Description{
		Promotion: active, Freight: freight, Pipeline: s.pipeline, Stage: s.stage, Gates: judge(in), Evidence: evidence,
	}
}

// askedFor reports whether a person asked for the promotion, or for merging it.
func (s *stageDecision) askedFor(active Promotion) bool {
	_, wished := s.index.wish(active)
	return wished || !automatic(active.Actor)
}

// JudgeProposal gives the verdict of every gate on a head that is about to be proposed, and the text of its change. It is
// what Decide will say about the head once the change is open. The error wraps ErrNotFound when the stage or the freight is
// not known.
func JudgeProposal(s State, promotion Promotion, evidence Evidence) (Gates, ChangeEdit, error) {
	d := newDecision(s)
	place, ok := d.index.stages[promotion.Stage]
	if !ok {
		return nil, ChangeEdit{}, fmt.Errorf("stage %q: %w", promotion.Stage, ErrNotFound)
	}
	freight, ok := d.index.freight(promotion.Stage.Project, promotion.Freight)
	if !ok {
		return nil, ChangeEdit{}, fmt.Errorf("freight %q: %w", promotion.Freight, ErrNotFound)
	}
	d.state.Evidence = map[Commit]Evidence{evidence.Head: evidence}
	gates, edit := d.at(place).describe(promotion, freight, evidence.Head)
	return gates, edit, nil
}

// JudgeTogether is JudgeProposal for promotions that will share one change, at least one of them, with what was found out about
// their head for all of them.
func JudgeTogether(s State, promotions []Promotion, evidence Evidence) (Gates, ChangeEdit, error) {
	s.History.Promotions = append(slices.Clip(s.History.Promotions), promotions...)
	d := newDecision(s)
	for _, p := range promotions {
		if _, ok := d.index.stages[p.Stage]; !ok {
			return nil, ChangeEdit{}, fmt.Errorf("stage %q: %w", p.Stage, ErrNotFound)
		}
		if _, ok := d.index.freight(p.Stage.Project, p.Freight); !ok {
			return nil, ChangeEdit{}, fmt.Errorf("freight %q: %w", p.Freight, ErrNotFound)
		}
	}
	d.state.Evidence = map[Commit]Evidence{evidence.Head: evidence}
	crew := d.index.crewOf(promotions[0].Branch)
	if len(crew) == 0 {
		return nil, ChangeEdit{}, fmt.Errorf("no promotion is open on %q: %w", promotions[0].Branch, ErrNotFound)
	}
	gates, edit := d.at(d.index.stages[crew[0].Stage]).together(crew, evidence.Head)
	return gates, edit, nil
}

// at returns the decision about one stage, with a status that nobody reads.
func (d *decision) at(place stagePlace) *stageDecision {
	pipeline := d.state.Pipelines[place.pipeline]
	stage := pipeline.Stages[place.stage]
	ref := StageRef{pipeline.Project, stage.Name}
	return &stageDecision{
		decision: d, pipeline: pipeline, stage: stage, ref: ref, status: &StageStatus{}, findings: d.about(ref, stage),
	}
}
