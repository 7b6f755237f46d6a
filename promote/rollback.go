package promote

import (
	"fmt"
	"slices"
)

// Rollback returns after which failures a stage goes back by itself: what the first policy that matches says (Kargo:
// promotionPolicies[].autoRollback).
func (p Pipeline) Rollback(stage Stage) AutoRollback {
	for _, policy := range p.Policies {
		if policy.Stage == stage.Declared() {
			return policy.AutoRollback
		}
	}
	return AutoRollback{}
}

// rollingBack offers what the stage ran before a promotion that failed after it was merged, where the policy says so. A rollback
// that fails is not rolled back.
func (s *stageDecision) rollingBack(request FreightRequest) (outlook, bool) {
	policy := s.pipeline.Rollback(s.stage)
	last, promoted := s.index.last(s.ref, func(*Promotion) bool { return true })
	switch {
	case policy == AutoRollback{} || !promoted || last.Phase != PhaseFailed || last.Merged == "" || last.Actor == AutoRollbackActor:
		return outlook{}, false
	case s.index.warehouseOf(s.ref.Project, last.Freight) != request.Warehouse:
		return outlook{}, false
	case s.stage.verifying(last) && !policy.Verification || !s.stage.verifying(last) && !policy.Promotion:
		return outlook{}, false
	}
	before, ran := s.index.sound(s.ref, request.Warehouse)
	if !ran || before.ID == last.Freight {
		return outlook{}, false
	}
	failed, _ := s.index.freight(s.ref.Project, last.Freight)
	return s.unlessUnmade(outlook{
		freight: before, verdict: Pass, actor: AutoRollbackActor,
		reason: fmt.Sprintf("%s failed, and the policy rolls back", last.label(failed)),
	}), true
}

// sound returns the freight of a warehouse that a stage ran last and nobody rejected.
func (x *index) sound(stage StageRef, warehouse string) (Freight, bool) {
	p, ok := x.last(stage, func(p *Promotion) bool {
		f, known := x.freight(stage.Project, p.Freight)
		_, bad := x.rejection(f)
		return p.Phase == PhaseSucceeded && known && f.Warehouse == warehouse && !bad
	})
	if !ok {
		return Freight{}, false
	}
	return x.freight(stage.Project, p.Freight)
}

// automatic reports whether nobody asked for a promotion.
func automatic(actor string) bool { return actor == autoPromotion || actor == AutoRollbackActor }

// verifying reports whether a promotion got as far as its verification, so that everything before it had succeeded.
func (s Stage) verifying(p Promotion) bool {
	return len(p.Results) > 0 && slices.ContainsFunc(s.Verify, func(step Step) bool { return step.As == p.Results[len(p.Results)-1].As })
}

// VerificationRejects returns the word that the freight of a promotion is bad, because its verification in the stage failed.
// What could not be measured rejects nothing.
func VerificationRejects(p Promotion, stage Stage) (Rejection, bool) {
	if p.Phase != PhaseFailed {
		return Rejection{}, false
	}
	for _, result := range p.Results {
		verifies := slices.ContainsFunc(stage.Verify, func(step Step) bool { return step.As == result.As && !step.ContinueOnError })
		if verifies && result.Status == StepFailed {
			return Rejection{
				Project: p.Stage.Project, Freight: p.Freight, By: "verification in " + p.Stage.Name, At: p.FinishedAt,
				Reason: truncate(clean(result.Message), 200),
			}, true
		}
	}
	return Rejection{}, false
}
