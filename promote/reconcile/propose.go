package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
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
		r.memory.unmade[key] = ran.Message
		return nil
	}
	promotion = took(*state, promotion, ran)
	switch {
	case ran.Wait == promote.WaitsTime, ran.Wait == promote.WaitsApproval:
		return r.prepare(ctx, w, *state, a, promotion, ran)
	case ran.Push == nil:
		return r.nothingToPropose(ctx, w, *state, a, promotion, ran)
	}
	promotion.Head, promotion.Base, promotion.Target = ran.Push.Head, ran.Push.Base, ran.Push.Target
	promotion.Title, promotion.Text, promotion.Labels = ran.Push.Title, ran.Push.Description, ran.Push.Labels
	return r.publish(ctx, w, *state, a, promotion, ran)
}

// took writes what a run did into the record of its promotion.
func took(state promote.State, p promote.Promotion, ran step.Result) promote.Promotion {
	p.Results, p.Moves, p.Waits = ran.Results, ran.Moves, ran.Wait
	p.AutoMerge = p.AutoMerge || ran.AutoMerge
	p.Approvals = len(state.History.ApprovedFor(p.Stage, p.Freight))
	return p
}

// records returns the record of a promotion and what else its steps have to be written down.
func records(state promote.State, p promote.Promotion, ran step.Result) []ledger.Record {
	all := []ledger.Record{p}
	for _, set := range ran.Metadata {
		known, ok := state.History.MetadataOf(set.Kind, set.Project, set.Name)
		if ok {
			values := maps.Clone(known.Values)
			maps.Copy(values, set.Values)
			set.Values = values
		}
		all = append(all, set)
	}
	if freight, ok := state.History.Freight(p.Stage.Project, p.Freight); ok && ran.Alias != "" && ran.Alias != freight.Alias {
		freight.Alias = ran.Alias
		all = append(all, freight)
	}
	return all
}

// lookAgain remembers when a step that waits is worth looking at again.
func (r *Reconciler) lookAgain(p promote.Promotion, ran step.Result) {
	if ran.Wait != promote.WaitsTime {
		delete(r.memory.deliveries, p.Ref())
		return
	}
	r.memory.deliveries[p.Ref()] = promote.Delivering{Message: waiting(ran), Next: r.Now().Add(ran.Next)}
}

// waiting says what a run waits for, in the words of its step.
func waiting(ran step.Result) string {
	if len(ran.Results) == 0 {
		return ""
	}
	return ran.Results[len(ran.Results)-1].Message
}

// prepare records a promotion of which a step before the change waits. What its steps made of files is made again when it
// goes on.
func (r *Reconciler) prepare(
	ctx context.Context, w *watch, state promote.State, a promote.Propose, p promote.Promotion, ran step.Result,
) error {
	p.Phase = promote.PhasePreparing
	r.lookAgain(p, ran)
	all := append(records(state, p, ran), superseded(state, a)...)
	return r.record(ctx, w, state, fmt.Sprintf("Promotion %s: waits: %s", p.ID, waiting(ran)), all...)
}

// begin makes the record of a promotion as it starts.
func (r *Reconciler) begin(state promote.State, a promote.Propose) (promote.Promotion, error) {
	pipeline, _ := state.Pipeline(a.Stage.Project)
	stage, ok := pipeline.Stage(a.Stage.Name)
	if !ok {
		return promote.Promotion{}, fmt.Errorf("stage %q: %w", a.Stage, promote.ErrStale)
	}
	p := promote.Promotion{
		ID: a.Promotion, Stage: a.Stage, Number: a.Number, Freight: a.Freight.ID, Others: a.Others, Actor: a.Actor,
		Phase: promote.PhaseProposed, CreatedAt: state.Now, Base: a.Base, Source: a.Base, Branch: promote.ProposalBranch(a.Stage),
		Target: state.Branch, Vars: stage.Vars, Steps: slices.Concat(stage.Steps, stage.Verify), Change: a.Change,
	}
	if before, ok := state.History.Promotion(a.Stage, a.Promotion); ok && a.Again {
		p.CreatedAt = before.CreatedAt
		p.Results = before.Results // the effects that it had stand; everything else is made again
	}
	return p, nil
}

// request gathers what a run of a promotion's steps needs.
func (r *Reconciler) request(state promote.State, p promote.Promotion) (step.Request, error) {
	pipeline, _ := state.Pipeline(p.Stage.Project)
	stage, ok := pipeline.Stage(p.Stage.Name)
	if !ok {
		return step.Request{}, fmt.Errorf("stage %s is no longer declared: declare it again, or close the change", p.Stage)
	}
	request := step.Request{
		Repository: step.Repository{Git: r.Git, URLs: r.URLs, Branch: state.Branch, Head: cmp.Or(p.Source, p.Base)},
		Promotion:  p, When: p.CreatedAt, Now: state.Now, Author: r.Author, World: r.World,
		Approvals: state.History.ApprovedFor(p.Stage, p.Freight), Target: stage.Target,
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
	ctx context.Context, w *watch, state promote.State, a promote.Propose, p promote.Promotion, ran step.Result,
) error {
	p.Phase, p.Merged, p.DeliveringSince = promote.PhaseDelivering, a.Base, state.Now
	all := append(records(state, p, ran), superseded(state, a)...)
	return r.record(ctx, w, state, fmt.Sprintf("Promotion %s: nothing to change", p.ID), all...)
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
	ctx context.Context, w *watch, state promote.State, a promote.Propose, p promote.Promotion, ran step.Result,
) error {
	evidence, err := r.evidence(ctx, state, p, p.Head)
	if err != nil {
		return err
	}
	gates, edit, err := promote.JudgeProposal(state, p, evidence)
	if err != nil {
		return err
	}
	if err := r.push(ctx, w, state, a, p, ran); err != nil {
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
func (r *Reconciler) push(
	ctx context.Context, w *watch, state promote.State, a promote.Propose, p promote.Promotion, ran step.Result,
) error {
	updates, err := r.proposal(ctx, a, p, ran.Push.Create)
	if err != nil {
		return err
	}
	entry := ledger.Entry{
		Tip: w.ledger, When: state.Now, Message: fmt.Sprintf("Promotion %s: proposed", p.ID),
		Records: slices.Concat(w.pending, records(state, p, ran), superseded(state, a)),
	}
	tip, err := r.ledger.Prepare(ctx, entry)
	if err != nil {
		return err
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

// proposal returns what a push has to move for a proposal: its branch, and a target that does not exist yet. What the
// decision was made on must be as it was.
func (r *Reconciler) proposal(ctx context.Context, a promote.Propose, p promote.Promotion, create bool) ([]git.RefUpdate, error) {
	refs, err := r.Git.Refs(ctx)
	if err != nil {
		return nil, err
	}
	if tip, _ := refs.Branch(string(r.memory.branch)); promote.Commit(tip) != a.Base {
		return nil, fmt.Errorf("branch %q moved from %s to %s: %w", r.memory.branch, a.Base.Short(), promote.Commit(tip).Short(), promote.ErrStale)
	}
	var updates []git.RefUpdate
	tip, exists := refs.Branch(string(p.Target))
	switch {
	case !exists && create:
		updates = append(updates, git.RefUpdate{Ref: string(p.Target), New: string(p.Base)})
	case promote.Commit(tip) != p.Base:
		return nil, fmt.Errorf("branch %q moved from %s to %s: %w", p.Target, p.Base.Short(), promote.Commit(tip).Short(), promote.ErrStale)
	}
	if p.Head != a.Tip {
		updates = append(updates, git.RefUpdate{Ref: string(p.Branch), Old: string(a.Tip), New: string(p.Head)})
	}
	return updates, nil
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
