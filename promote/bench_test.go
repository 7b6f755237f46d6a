package promote

import (
	"fmt"
	"testing"
	"time"
)

// crowd is 300 projects of 10 stages in a row, each with 20 freights and 5 promotions, one of them open.
func crowd() State {
	s := known()
	s.Pipelines = nil
	for i := range 300 {
		project := fmt.Sprintf("p%03d", i)
		p := Pipeline{Project: project, Declared: true, Warehouses: shop().Warehouses}
		var freights []Freight
		for n := range 20 {
			freights = append(freights, NewFreight(project, "web", Artifacts{Images: []Image{web(fmt.Sprintf("1.0.%d", n))}}, epoch.Add(time.Duration(n)*time.Minute)))
		}
		s.History.Freights = append(s.History.Freights, freights...)
		s.Discoveries = append(s.Discoveries, Discovery{Project: project, Warehouse: "web", Artifacts: freights[19].Artifacts, At: now})
		for j := range 10 {
			stage := shop().Stages[0]
			stage.Name = fmt.Sprintf("s%d", j)
			if j > 0 {
				stage.Requests = []FreightRequest{{Warehouse: "web", Stages: []string{fmt.Sprintf("s%d", j-1)}, RequiredSoak: time.Minute}}
			}
			p.Stages = append(p.Stages, stage)
			p.Policies = append(p.Policies, Policy{Stage: stage.Name, AutoPromotion: true})
			crowdStage(&s, StageRef{project, stage.Name}, freights, i*10+j+1)
		}
		s.Pipelines = append(s.Pipelines, p)
	}
	settled(&s)
	return s
}

func crowdStage(s *State, ref StageRef, freights []Freight, change int) {
	head := Commit(fmt.Sprintf("%040d", change))
	for n := range 5 {
		p := promotion(ref, n+1, "1.0.0", succeeded)
		p.Freight = freights[15+n].ID
		p.ID, p.Change = promotionID(ref, n+1, p.Freight), 0
		if n == 4 {
			p.Phase, p.Change, p.Head, p.DeliveringSince, p.FinishedAt = PhaseProposed, change, head, time.Time{}, time.Time{}
		} else {
			s.History.Verifications = append(s.History.Verifications, Verification{Stage: ref, Freight: p.Freight, VerifiedAt: p.FinishedAt})
		}
		s.History.Promotions = append(s.History.Promotions, p)
	}
	s.Changes = append(s.Changes, Change{Number: change, Branch: ProposalBranch(ref), Target: "main", Head: head, Mergeability: Mergeability{Merge: MergeReady}})
	s.Tips[ProposalBranch(ref)] = head
	e := good(head, "1.0.19")
	e.Applications[0].Authorized = []StageRef{ref}
	s.Evidence[head] = e
}

func TestDecideOnACrowdIsQuiet(t *testing.T) {
	plan := Decide(crowd())
	if len(plan.Actions) != 0 || len(plan.Stages) != 3000 {
		t.Fatalf("%d stages, %d actions, the first: %s", len(plan.Stages), len(plan.Actions), plan.Actions[0])
	}
	if got, want := plan.Stages[0].Reason, "1.0.19 waits for its change to be merged: every gate passes"; got != want {
		t.Errorf("Reason = %q, want %q", got, want)
	}
}

// BenchmarkDecide decides about 3,000 stages with an open change each.
func BenchmarkDecide(b *testing.B) {
	s := crowd()
	b.ReportAllocs()
	for b.Loop() {
		Decide(s)
	}
}
