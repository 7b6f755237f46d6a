package promote

import (
	"fmt"
	"strings"
)

// outlook is what one warehouse offers a stage.
type outlook struct {
	freight Freight // what is next; zero when there is nothing to come
	verdict Verdict // of the way to freight: with Pass it may be proposed now
	reason  string
	actor   string // who lets it in
	asked   bool   // a person asked for it
}

// outlooks returns what every warehouse of the stage offers; what a person asked for comes first.
func (s *stageDecision) outlooks() []outlook {
	var asked, others []outlook
	for _, request := range s.stage.Requests {
		if o := s.outlook(request); o.asked {
			asked = append(asked, o)
		} else {
			others = append(others, o)
		}
	}
	return append(asked, others...)
}

func (s *stageDecision) outlook(request FreightRequest) outlook {
	wish, freight, ok := s.index.pending(s.ref, request.Warehouse)
	if !ok {
		if back, rolls := s.rollingBack(request); rolls {
			return back
		}
		return s.newest(request)
	}
	o := outlook{freight: freight, asked: true, actor: wish.By, reason: wish.By + " asked for it"}
	if a := available(s.input(freight, Evidence{}, true)); a.verdict != Pass {
		s.recheckAt(a.ready)
		o.verdict, o.reason = a.verdict, fmt.Sprintf("%s, which %s asked for: %s", freight.Label(), wish.By, a.reason)
		return o
	}
	return s.unlessUnmade(o)
}

// newest offers the newest freight of a request that is available and goes forward.
func (s *stageDecision) newest(request FreightRequest) outlook {
	if request.MatchUpstream {
		return s.matching(request)
	}
	best, waiting, why := s.pick(request)
	current, runs := s.index.current(s.ref, request.Warehouse)
	forward := func(f Freight) bool { return f.ID != "" && (!runs || s.index.order(f, current) == Newer) }
	switch {
	case forward(best):
		return s.admit(best)
	case runs && best.ID != "" && s.index.order(best, current) == Incomparable:
		return outlook{freight: best, verdict: Wait, reason: fmt.Sprintf(
			"%s and %s, which the stage runs, cannot be ordered: comment `/promote %s %s` to choose",
			best.Label(), current.Label(), s.index.word(s.ref), versionWord(best))}
	case forward(waiting) && why.verdict == Block:
		return outlook{freight: waiting, verdict: Block, reason: waiting.Label() + ": " + why.reason}
	case forward(waiting):
		return outlook{freight: waiting, verdict: why.verdict, reason: waiting.Label() + " is " + why.reason}
	case runs:
		return s.settled(request, current)
	}
	return s.noFreight(request.Warehouse)
}

// settled says that nothing newer is to come, and when what was tried last did not work out.
func (s *stageDecision) settled(request FreightRequest, current Freight) outlook {
	last, _ := s.index.last(s.ref, func(*Promotion) bool { return true })
	if last.Phase != PhaseFailed || last.Merged == "" || s.index.warehouseOf(s.ref.Project, last.Freight) != request.Warehouse {
		return outlook{reason: "runs " + current.Label() + ", nothing newer"}
	}
	failed, _ := s.index.freight(s.ref.Project, last.Freight)
	return outlook{verdict: Block, reason: fmt.Sprintf("ran %s; promotion %s of %s failed after it was merged: %s; comment `/promote %s %s` to go back",
		current.Label(), last.ID, last.label(failed), orElse(last.Message, "it does not say why"), s.index.word(s.ref), versionWord(current))}
}

// matching offers what the one upstream stage runs, be it newer or older (Kargo: selectionPolicy MatchUpstream).
func (s *stageDecision) matching(request FreightRequest) outlook {
	if len(request.Stages) != 1 {
		return outlook{verdict: Block, reason: fmt.Sprintf("to match upstream takes exactly one upstream stage: correct %s", request.Position)}
	}
	upstream := request.Stages[0]
	wanted, runs := s.index.current(StageRef{s.ref.Project, upstream}, request.Warehouse)
	current, here := s.index.current(s.ref, request.Warehouse)
	switch {
	case len(s.index.fans[StageRef{s.ref.Project, upstream}]) > 0:
		return outlook{verdict: Block, reason: fmt.Sprintf("upstream stage %s fans out, so that there is no one freight to match: take NewestFreight at %s",
			upstream, request.Position)}
	case !runs:
		return outlook{verdict: Wait, reason: fmt.Sprintf("upstream stage %s runs no freight of warehouse %s yet", upstream, request.Warehouse)}
	case here && current.ID == wanted.ID:
		return outlook{reason: fmt.Sprintf("runs %s, as %s does", current.Label(), upstream)}
	}
	if a := available(s.input(wanted, Evidence{}, false)); a.verdict != Pass {
		s.recheckAt(a.ready)
		return outlook{freight: wanted, verdict: a.verdict, reason: wanted.Label() + " is " + a.reason}
	}
	return s.admit(wanted)
}

// pick returns the newest freight of a request that is available, and the newest that is not, with the reason.
func (s *stageDecision) pick(request FreightRequest) (best, waiting Freight, why access) {
	in := s.input(Freight{}, Evidence{}, false)
	for _, freight := range s.index.warehouses[StageRef{s.ref.Project, request.Warehouse}] {
		in.freight = *freight
		if _, bad := s.index.rejection(*freight); bad {
			continue
		}
		a := available(in)
		if a.verdict == Pass {
			if best.ID == "" || s.index.prefer(*freight, best) {
				best = *freight
			}
			continue
		}
		s.recheckAt(a.ready)
		if waiting.ID == "" || s.index.prefer(*freight, waiting) {
			waiting, why = *freight, a
		}
	}
	return best, waiting, why
}

// noFreight says why a warehouse offers nothing at all: all there is was rejected, it cannot find any, or there is none yet.
func (s *stageDecision) noFreight(warehouse string) outlook {
	found, ok := s.index.discoveries[StageRef{s.ref.Project, warehouse}]
	troubled := ok && found.Problem != ""
	if freight, rejection, bad := s.rejected(warehouse); bad {
		text := fmt.Sprintf("%s, the newest freight of warehouse %s, is %s, or wait for newer freight", freight.Label(), warehouse, rejection.reason(freight))
		if troubled {
			text += "; it finds none now: " + found.Problem
		}
		return outlook{verdict: Block, reason: text}
	}
	if troubled {
		return outlook{verdict: Wait, reason: fmt.Sprintf("no freight: warehouse %s: %s", warehouse, found.Problem)}
	}
	return outlook{verdict: Wait, reason: "no freight yet from warehouse " + warehouse}
}

// rejected returns the newest freight of a warehouse that was rejected, and by whom.
func (s *stageDecision) rejected(warehouse string) (newest Freight, by Rejection, ok bool) {
	for _, freight := range s.index.warehouses[StageRef{s.ref.Project, warehouse}] {
		if r, bad := s.index.rejection(*freight); bad && (!ok || s.index.prefer(*freight, newest)) {
			newest, by, ok = *freight, r, true
		}
	}
	return newest, by, ok
}

// admit says who lets available freight in, or why nobody does.
func (s *stageDecision) admit(freight Freight) outlook {
	o := outlook{freight: freight, verdict: Wait}
	command := fmt.Sprintf("comment `/promote %s %s`", s.index.word(s.ref), versionWord(freight))
	last, tried := s.index.latest(s.ref, freight.ID)
	chosen, by, overruled := s.overruled(freight)
	hold, held := s.index.autoHolds[stageWarehouse{s.ref, freight.Warehouse}]
	follows := s.follows(freight.Warehouse)
	turn, why := s.nextInWave(freight)
	switch {
	case held:
		o.reason = fmt.Sprintf("%s waits for a person, because %s %s: %s or `/resume %s`", freight.Label(), hold.By,
			orElse(hold.Reason, "held it"), command, s.index.word(s.ref))
	case overruled:
		o.reason = fmt.Sprintf("%s waits for a person, because %s chose %s over it: %s", freight.Label(), by, chosen.Label(), command)
	case tried && last.Phase != PhaseAborted && (!follows || last.Phase != PhaseSucceeded):
		o.verdict = Block
		o.reason = fmt.Sprintf("promotion %s of %s %s: %s; %s to try again, or wait for newer freight",
			last.ID, freight.Label(), strings.ToLower(string(last.Phase)), orElse(last.Message, "it was replaced since"), command)
	case !s.pipeline.AutoPromoted(s.stage):
		o.reason = fmt.Sprintf("%s waits for a person, because no promotion policy lets it in: %s", freight.Label(), command)
	case turn != Pass:
		o.verdict, o.reason = turn, freight.Label()+" waits its turn: "+why
	default:
		o.verdict, o.actor, o.reason = Pass, autoPromotion, "newest available, and the policy promotes automatically"
		if follows {
			o.reason = "its upstream stage runs it, and the policy promotes automatically"
		}
		return s.unlessUnmade(o)
	}
	return o
}

// overruled returns the freight that a person brought to the stage when this one was available there already. What a person
// rolled back is not rolled forward by itself; freight that comes later is.
func (s *stageDecision) overruled(freight Freight) (chosen Freight, by string, ok bool) {
	p, ok := s.index.arrived(s.ref, freight.Warehouse)
	if !ok || automatic(p.Actor) || freight.DiscoveredAt.After(p.CreatedAt) {
		return Freight{}, "", false
	}
	then := s.input(freight, Evidence{}, false)
	then.now = p.CreatedAt
	chosen, _ = s.index.freight(s.ref.Project, p.Freight)
	return chosen, p.Actor, available(then).verdict == Pass
}

func (s *stageDecision) unlessUnmade(o outlook) outlook {
	if reason, unmade := s.state.Unmade[ProposalKey(s.ref, o.freight.ID)]; unmade {
		o.verdict, o.reason = Block, fmt.Sprintf("%s cannot be proposed: %s", o.freight.Label(), reason)
	}
	return o
}
