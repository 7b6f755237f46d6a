package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/ledger"
	"github.com/lockkeeper/lockkeeper/promote/step"
)

// propose runs a stage's steps and puts what they made in front of people: branch and record in one push, then the change,
// then the status.
func (r *Reconciler) propose(ctx context.Context, w *watch, state *promote.State, a promote.Propose) error {
	promotion, err := r.begin(*state, a)
	if err != nil {
		return err
	}
	ran, err := r.run(ctx, *state, promotion, promote.Change{}, nil)
	if err != nil {
		return err
	}
	key := promote.ProposalKey(a.Stage, a.Freight.ID)
	if ran.Failed {
		r.memory.rejected[key] = ran.Message
		return nil
	}
	promotion.Results, promotion.Moves = ran.Results, ran.Moves
	if ran.Push == nil {
		return r.nothingToPropose(ctx, w, *state, a, promotion)
	}
	promotion.Head = ran.Push.Head
	promotion.Title, promotion.Text, promotion.Labels = ran.Push.Title, ran.Push.Description, ran.Push.Labels
	return r.publish(ctx, w, *state, a, promotion)
}

// begin makes the record of a promotion as it starts.
func (r *Reconciler) begin(state promote.State, a promote.Propose) (promote.Promotion, error) {
	pipeline, _ := state.Pipeline(a.Stage.Project)
	stage, ok := pipeline.Stage(a.Stage.Name)
	if !ok {
		return promote.Promotion{}, fmt.Errorf("stage %q: %w", a.Stage, promote.ErrStale)
	}
	created := state.Now
	if a.Again {
		if before, ok := state.History.Promotion(a.Stage, a.Promotion); ok {
			created = before.CreatedAt
		}
	}
	return promote.Promotion{
		ID: a.Promotion, Stage: a.Stage, Number: a.Number, Freight: a.Freight.ID, Others: a.Others, Actor: a.Actor,
		Phase: promote.PhaseProposed, CreatedAt: created, Base: a.Base, Branch: promote.ProposalBranch(a.Stage), Target: state.Branch,
		Vars: stage.Vars, Steps: stage.Steps, Change: a.Change,
	}, nil
}

// request gathers what a run of a promotion's steps needs.
func (r *Reconciler) request(state promote.State, p promote.Promotion) (step.Request, error) {
	pipeline, _ := state.Pipeline(p.Stage.Project)
	stage, ok := pipeline.Stage(p.Stage.Name)
	if !ok {
		return step.Request{}, fmt.Errorf("stage %s is no longer declared: declare it again, or close the change", p.Stage)
	}
	request := step.Request{
		Repository: step.Repository{Git: r.Git, URLs: r.URLs, Branch: p.Target, Head: p.Base},
		Promotion:  p, When: p.CreatedAt, Author: r.Author,
	}
	for _, id := range append([]promote.FreightID{p.Freight}, p.Others...) {
		freight, ok := state.History.Freight(p.Stage.Project, id)
		if !ok {
			return step.Request{}, fmt.Errorf("freight %s is not in the ledger", id)
		}
		request.Freights = append(request.Freights, freight)
	}
	for _, wanted := range stage.Requests {
		if warehouse, ok := pipeline.Warehouse(wanted.Warehouse); ok {
			request.Warehouses = append(request.Warehouses, warehouse)
		}
	}
	return request, nil
}

func (r *Reconciler) run(
	ctx context.Context, state promote.State, p promote.Promotion, change promote.Change, delivered *step.Delivered,
) (step.Result, error) {
	request, err := r.request(state, p)
	if err != nil {
		return step.Result{Failed: true, Message: err.Error(), Results: p.Results, Moves: p.Moves}, nil
	}
	request.Change, request.Delivered = change, delivered
	result, err := step.Run(ctx, request)
	if err != nil {
		return result, fmt.Errorf("promotion %s: %w", p.ID, err)
	}
	return result, nil
}

// nothingToPropose records a promotion whose steps changed nothing, because the target branch has it all already. What is
// left is to deliver and verify it.
func (r *Reconciler) nothingToPropose(
	ctx context.Context, w *watch, state promote.State, a promote.Propose, p promote.Promotion,
) error {
	p.Phase, p.Merged, p.DeliveringSince = promote.PhaseDelivering, a.Base, state.Now
	records := append([]ledger.Record{p}, superseded(state, a)...)
	return r.record(ctx, w, state, fmt.Sprintf("Promotion %s: nothing to change", p.ID), records...)
}

// superseded returns the record of the promotion whose place another one takes.
func superseded(state promote.State, a promote.Propose) []ledger.Record {
	old, ok := state.History.Promotion(a.Stage, a.Supersedes)
	if a.Supersedes == "" || !ok {
		return nil
	}
	old.Phase, old.FinishedAt = promote.PhaseAborted, state.Now
	old.Message = fmt.Sprintf("superseded by %s", a.Freight.Label())
	return []ledger.Record{old}
}

// publish pushes the proposal and its record, and opens or updates the change.
func (r *Reconciler) publish(
	ctx context.Context, w *watch, state promote.State, a promote.Propose, p promote.Promotion,
) error {
	evidence, err := r.evidence(ctx, state, p, p.Head)
	if err != nil {
		return err
	}
	gates, edit, err := promote.JudgeProposal(state, p, evidence)
	if err != nil {
		return err
	}
	if err := r.push(ctx, w, state, a, p); err != nil {
		return err
	}
	change, ok := shown(w.changes, a, p)
	if !ok {
		change, err = r.Forge.Open(ctx, promote.ChangeDraft{
			Branch: p.Branch, Target: p.Target, Head: p.Head, Title: edit.Title, Description: edit.Description,
			Labels: append(promote.ChangeLabels(p.Stage), p.Labels...),
		})
		if err != nil {
			return err
		}
	}
	w.put(change)
	return r.postStatus(ctx, promote.PostStatus{Change: change.Number, Head: p.Head, Branch: p.Branch, Status: gates.Status()})
}

// shown returns the open change of a branch that was there before, at the head that was just pushed. Its text is that of the
// last proposal still, which the next decision sees and corrects.
func shown(changes []promote.Change, a promote.Propose, p promote.Promotion) (promote.Change, bool) {
	for _, open := range changes {
		if open.State == promote.ChangeOpen && open.Branch == p.Branch && (a.Change == 0 || open.Number == a.Change) {
			open.Head = p.Head
			return open, true
		}
	}
	return promote.Change{}, false
}

// push sends the proposal branch and the ledger in one request. Each is compared and swapped: whoever was slower decides
// anew.
func (r *Reconciler) push(ctx context.Context, w *watch, state promote.State, a promote.Propose, p promote.Promotion) error {
	refs, err := r.Git.Refs(ctx)
	if err != nil {
		return err
	}
	if tip, _ := refs.Branch(string(p.Target)); promote.Commit(tip) != a.Base {
		return fmt.Errorf("branch %q moved from %s to %s: %w", p.Target, a.Base.Short(), promote.Commit(tip).Short(), promote.ErrStale)
	}
	entry := ledger.Entry{
		Tip: w.ledger, When: state.Now, Message: fmt.Sprintf("Promotion %s: proposed", p.ID),
		Records: slices.Concat(w.pending, []ledger.Record{p}, superseded(state, a)),
	}
	tip, err := r.ledger.Prepare(ctx, entry)
	if err != nil {
		return err
	}
	var updates []git.RefUpdate
	if p.Head != a.Tip {
		updates = append(updates, git.RefUpdate{Ref: string(p.Branch), Old: string(a.Tip), New: string(p.Head)})
	}
	if tip != entry.Tip {
		updates = append(updates, git.RefUpdate{Ref: string(promote.LedgerBranch), Old: string(entry.Tip), New: string(tip)})
	}
	results, err := r.Git.Push(ctx, updates...)
	if err != nil {
		return fmt.Errorf("push %q: %w", p.Branch, err)
	}
	if err := pushed(results, p.Branch); err != nil {
		return errors.Join(err, r.withdraw(ctx, results, entry, tip, state))
	}
	if pushed(results, promote.LedgerBranch) != nil {
		if tip, err = r.ledger.Append(ctx, entry); err != nil {
			return err
		}
	}
	w.ledger, w.pending = tip, nil
	return nil
}

// pushed says what became of one branch of a push.
func pushed(results []git.RefResult, branch promote.Branch) error {
	for _, result := range results {
		switch {
		case result.Ref != string(branch) || result.Err == nil:
		case errors.Is(result.Err, git.ErrMoved):
			return fmt.Errorf("%w: %w", promote.ErrStale, result.Err)
		default:
			return result.Err
		}
	}
	return nil
}

// withdraw takes the records of a proposal back that the forge took although it refused the branch: a promotion must never
// be on record for what somebody else pushed.
func (r *Reconciler) withdraw(
	ctx context.Context, results []git.RefResult, entry ledger.Entry, tip promote.Commit, state promote.State,
) error {
	if tip == entry.Tip || pushed(results, promote.LedgerBranch) != nil {
		return nil
	}
	back := ledger.Entry{Tip: tip, When: state.Now, Message: entry.Message + ", taken back: its branch could not be pushed"}
	for _, record := range entry.Records {
		p, ok := record.(promote.Promotion)
		if !ok {
			continue
		}
		if before, known := state.History.Promotion(p.Stage, p.ID); known {
			p = before
		} else {
			p.Phase, p.FinishedAt, p.Message = promote.PhaseAborted, state.Now, "its branch could not be pushed"
		}
		back.Records = append(back.Records, p)
	}
	_, err := r.ledger.Append(ctx, back)
	return err
}
