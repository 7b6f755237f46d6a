package reconcile

import (
	"context"
	"fmt"
	"slices"

	"github.com/lockkeeper/lockkeeper/promote"
)

// observeApprovals counts who approves what a promotion waits for: those who commented, and those who approved its change on the forge,
// where that stands and is not written down again.
func (r *Reconciler) observeApprovals(ctx context.Context, state *promote.State, p promote.Promotion) {
	r.addGiven(ctx, state, p)
	counting := r.counting(ctx, *state, p)
	state.History.Approvals = slices.DeleteFunc(slices.Clone(state.History.Approvals), func(a promote.Approval) bool {
		return a.Stage == p.Stage && a.Freight == p.Freight && !slices.Contains(counting, a)
	})
}

// counting returns the approvals of a promotion that count now. Forges let people review who may change nothing, and people lose
// what they were allowed: each counts by what the forge says of its author, and not where that cannot be found out.
func (r *Reconciler) counting(ctx context.Context, state promote.State, p promote.Promotion) []promote.Approval {
	given := state.History.ApprovedFor(p.Stage, p.Freight)
	if len(given) == 0 {
		return nil
	}
	people := map[string]promote.Standing{}
	for _, approval := range given {
		at, err := r.approver(ctx, state, p, approval.By)
		if err != nil {
			r.Log.WarnContext(ctx, "look at approval", "promotion", p.ID, "by", approval.By, "error", err)
			continue
		}
		people[approval.By] = at
	}
	counting := state.Counting(p, people)
	if left := len(given) - len(counting); left > 0 {
		r.Log.InfoContext(ctx, "approvals do not count", "promotion", p.ID, "number", left)
	}
	return counting
}

// addGiven adds the approvals of a promotion's change to what is on record, and notes whose were given to another head. Before a
// promotion is proposed its change shows the one before it, and so do they.
func (r *Reconciler) addGiven(ctx context.Context, state *promote.State, p promote.Promotion) {
	if p.Change == 0 || p.Phase == promote.PhasePreparing {
		return
	}
	approvals, err := r.Forge.Approvals(ctx, p.Change)
	if err != nil {
		r.Log.WarnContext(ctx, "read approvals", "promotion", p.ID, "change", p.Change, "error", err)
		return
	}
	shown, _ := state.Change(p) // one that is merged moves no more
	names, lapsed := approvals.Of(shown.Head)
	known := state.History.ApprovedFor(p.Stage, p.Freight)
	for _, name := range lapsed {
		if !slices.ContainsFunc(known, func(a promote.Approval) bool { return a.By == name }) {
			state.Lapsed[p.Ref()] = append(state.Lapsed[p.Ref()], name)
		}
	}
	for _, name := range names {
		if slices.ContainsFunc(known, func(a promote.Approval) bool { return a.By == name }) {
			continue
		}
		state.History.Approvals = append(slices.Clip(state.History.Approvals), promote.Approval{
			Key: fmt.Sprintf("change-%d-review-%s", p.Change, name), Stage: p.Stage, Freight: p.Freight, By: name, At: state.Now,
			Reason: "approved the change",
		})
	}
}

// approver is what is known of who approved a promotion.
func (r *Reconciler) approver(ctx context.Context, state promote.State, p promote.Promotion, name string) (promote.Standing, error) {
	person := promote.Person{Name: name}
	permission, err := r.permission(ctx, person)
	if err != nil {
		return promote.Standing{}, err
	}
	return r.standing(ctx, state, approaching{
		person: person, permission: permission, verb: promote.VerbAdmit, stages: []promote.StageRef{p.Stage},
	})
}
