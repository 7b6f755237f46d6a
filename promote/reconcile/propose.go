package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/ledger"
	"github.com/lockkeeper/lockkeeper/promote/step"
)

// draft is a proposal that is made in memory and not pushed yet.
type draft struct {
	action    promote.Propose
	promotion promote.Promotion
	create    bool // the target branch begins with the promotion's base
	opening   promote.Opening
	edit      promote.ChangeEdit
	gates     promote.Gates
	evidence  promote.Evidence // about its head
	records   []ledger.Record
	message   string // of the ledger's commit

	ran        step.Result
	superseded []ledger.Record // of the promotion whose place it takes
}

// proposes reports whether the draft has anything to merge.
func (d draft) proposes() bool { return d.promotion.Phase == promote.PhaseProposed }

// propose runs the steps of all stages that a plan proposes to, puts what they made on the forge in one push, branches and
// records together, and shows each as a change. A proposal that fails holds up no other.
func (r *Reconciler) propose(ctx context.Context, w *watch, state promote.State, actions []promote.Propose) ([]promote.Action, error) {
	if len(actions) == 0 {
		return nil, nil
	}
	refs, err := r.Git.Refs(ctx)
	if err != nil {
		return nil, err
	}
	drafts, applied, err := r.drafts(ctx, w, state, actions, refs)
	if err != nil {
		return nil, err
	}
	pushed, refused := r.push(ctx, w, state, drafts, refs)
	shown := map[promote.Branch]bool{}
	for _, d := range pushed {
		if d.proposes() && !shown[d.promotion.Branch] {
			if err := r.show(ctx, w, d); err != nil {
				r.failed(ctx, w, d.action, err)
				continue
			}
			shown[d.promotion.Branch] = true
		}
		applied = append(applied, d.action)
	}
	return applied, refused
}

// drafts makes all proposals in memory. Those that share a branch lie on top of each other.
func (r *Reconciler) drafts(
	ctx context.Context, w *watch, state promote.State, actions []promote.Propose, refs git.Refs,
) (drafts []draft, applied []promote.Action, err error) {
	tops := map[promote.Branch]promote.Commit{}
	for _, a := range actions {
		d, made, err := r.draft(ctx, state, a, refs, tops[a.Branch])
		switch {
		case errors.Is(err, promote.ErrStale):
			return nil, nil, err
		case err != nil:
			r.failed(ctx, w, a, err)
		case !made:
			applied = append(applied, a) // it cannot be made, and that is remembered
		default:
			drafts = append(drafts, d)
			if d.proposes() {
				tops[a.Branch] = d.promotion.Head
			}
		}
	}
	unite(drafts, tops)
	broken := map[promote.Branch]bool{} // branches of which something could not be judged
	for i := range drafts {
		if err := r.judge(ctx, state, &drafts[i], sharing(drafts, drafts[i].promotion)); err != nil {
			r.failed(ctx, w, drafts[i].action, err)
			broken[drafts[i].promotion.Branch] = true
		}
	}
	drafts = slices.DeleteFunc(drafts, func(d draft) bool { return broken[d.promotion.Branch] })
	return drafts, applied, together(state, drafts)
}

// unite points all proposals of one branch at its last commit, and has each name the others.
func unite(drafts []draft, tops map[promote.Branch]promote.Commit) {
	with := map[promote.Branch][]promote.StageRef{}
	for _, d := range drafts {
		if d.proposes() {
			with[d.promotion.Branch] = append(with[d.promotion.Branch], d.promotion.Stage)
		}
	}
	for i := range drafts {
		p := &drafts[i].promotion
		if drafts[i].proposes() && p.Branch != promote.ProposalBranch(p.Stage) {
			p.Head, p.With = tops[p.Branch], with[p.Branch]
		}
	}
}

// together gives all proposals of one branch the gates and the text of their one change, as the next decision will see them.
func together(state promote.State, drafts []draft) error {
	crews := map[promote.Branch][]int{}
	for i, d := range drafts {
		if d.proposes() {
			crews[d.promotion.Branch] = append(crews[d.promotion.Branch], i)
		}
	}
	for _, crew := range crews {
		if len(crew) < 2 {
			continue
		}
		var promotions []promote.Promotion
		var evidence promote.Evidence
		for _, i := range crew {
			promotions = append(promotions, drafts[i].promotion)
			evidence = joined(evidence, drafts[i].evidence)
		}
		gates, edit, err := promote.JudgeTogether(state, promotions, evidence)
		if err != nil {
			return err
		}
		for _, i := range crew {
			drafts[i].gates, drafts[i].edit, drafts[i].evidence = gates, edit, evidence
		}
	}
	return nil
}

// sharing returns the promotions whose proposals share a branch, and so a change, with one of them.
func sharing(drafts []draft, p promote.Promotion) []promote.Promotion {
	var crew []promote.Promotion
	for _, d := range drafts {
		if d.proposes() && d.promotion.Branch == p.Branch {
			crew = append(crew, d.promotion)
		}
	}
	return crew
}

// failed notes that an action could not be carried out.
func (r *Reconciler) failed(ctx context.Context, w *watch, action promote.Action, err error) {
	r.Log.ErrorContext(ctx, "apply", "action", action.String(), "error", err)
	w.fail(action.Key(), fmt.Errorf("%s: %w", action, err))
}

// draft runs the steps of one stage as far as they go, on top of what was proposed on its branch in the same round. made is
// false when they cannot succeed.
func (r *Reconciler) draft(
	ctx context.Context, state promote.State, a promote.Propose, refs git.Refs, top promote.Commit,
) (d draft, made bool, err error) {
	if tip, _ := refs.Branch(string(r.memory.branch)); promote.Commit(tip) != a.Base {
		return d, false, moved(r.memory.branch, a.Base, tip)
	}
	p, err := r.begin(state, a)
	if err != nil {
		return d, false, err
	}
	p.Source = cmp.Or(top, p.Source)
	ran, err := r.run(ctx, state, p, promote.Change{}, nil)
	if err != nil {
		return d, false, err
	}
	if elsewhere := ran.Push != nil && top != "" && ran.Push.Target != r.memory.branch; elsewhere {
		ran.Failed = true
		ran.Message = fmt.Sprintf("stages of a group are proposed to %q together, but this one is proposed to %q: take it out of the group",
			r.memory.branch, ran.Push.Target)
	}
	if errored(ran) {
		// It says nothing about the promotion, and may go well next time.
		return d, false, errors.New(ran.Message)
	}
	if ran.Failed && ran.Wait == promote.WaitsNothing {
		r.memory.unmade[promote.ProposalKey(a.Stage, a.Freight.ID)] = ran.Message
		return d, false, nil
	}
	d = draft{action: a, promotion: took(state, p, ran)}
	switch {
	case ran.Wait == promote.WaitsTime, ran.Wait == promote.WaitsApproval:
		// What the steps made of files is made again when they go on.
		d.promotion.Phase, d.message = promote.PhasePreparing, fmt.Sprintf("Promotion %s: waits: %s", p.ID, waiting(ran))
		r.lookAgain(d.promotion, ran)
	case ran.Push == nil:
		// The target branch has it all already. What is left is to deliver and verify it.
		d.promotion.Phase, d.promotion.Merged, d.promotion.DeliveringSince = promote.PhaseDelivering, a.Base, state.Now
		d.promotion.MergedAt = state.Now
		d.message = fmt.Sprintf("Promotion %s: nothing to change", p.ID)
	default:
		d.message = fmt.Sprintf("Promotion %s: proposed", p.ID)
		if err := d.aim(*ran.Push, refs, top); err != nil {
			return d, false, err
		}
	}
	d.ran, d.superseded = ran, superseded(state, a)
	return d, true, nil
}

// errored reports whether a run failed because something outside of the repository could not be asked.
func errored(ran step.Result) bool {
	return ran.Failed && slices.ContainsFunc(ran.Results, func(r promote.StepResult) bool { return r.Status == promote.StepErrored }) &&
		!slices.ContainsFunc(ran.Results, func(r promote.StepResult) bool { return r.Status == promote.StepFailed })
}

// aim fills in what is to be pushed.
func (d *draft) aim(push step.Push, refs git.Refs, top promote.Commit) error {
	p := &d.promotion
	p.Head, p.Target, p.Title, p.Text, p.Labels = push.Head, push.Target, push.Title, push.Description, push.Labels
	if push.Base != top { // what lies below in the same change is proposed with it
		p.Base = push.Base
	}
	tip, exists := refs.Branch(string(p.Target))
	d.create = push.Create && !exists
	if promote.Commit(tip) != p.Base && !d.create {
		return moved(p.Target, p.Base, tip)
	}
	return nil
}

// judge finds out what the change of a proposal will say, and makes its records. crew are all promotions that share the change.
func (r *Reconciler) judge(ctx context.Context, state promote.State, d *draft, crew []promote.Promotion) error {
	if !d.proposes() {
		d.records = slices.Concat(records(state, d.promotion, d.ran), d.superseded)
		return nil
	}
	evidence, err := r.evidence(ctx, state, d.promotion, d.promotion.Head)
	if err != nil {
		return err
	}
	d.evidence = evidence
	d.promotion.Shown = r.shows(ctx, d.promotion, evidence, crew)
	d.records = slices.Concat(records(state, d.promotion, d.ran), d.superseded)
	if pipeline, ok := state.Pipeline(d.promotion.Stage.Project); ok {
		stage, _ := pipeline.Stage(d.promotion.Stage.Name)
		d.opening = stage.Opening
	}
	d.gates, d.edit, err = promote.JudgeProposal(state, d.promotion, evidence)
	return err
}

func moved(branch promote.Branch, from promote.Commit, to string) error {
	return fmt.Errorf("branch %q moved from %s to %s: %w", branch, from.Short(), promote.Commit(to).Short(), promote.ErrStale)
}

// took writes what a run did into the record of its promotion.
func took(state promote.State, p promote.Promotion, ran step.Result) promote.Promotion {
	p.Results, p.Moves, p.Waits = ran.Results, ran.Moves, ran.Wait
	p.AutoMerge, p.Until = p.AutoMerge || ran.AutoMerge, time.Time{}
	if ran.Wait != promote.WaitsTime && ran.Next > 0 {
		p.Until = state.Now.Add(ran.Next)
	}
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

// begin makes the record of a promotion as it starts.
func (r *Reconciler) begin(state promote.State, a promote.Propose) (promote.Promotion, error) {
	pipeline, _ := state.Pipeline(a.Stage.Project)
	stage, ok := pipeline.Stage(a.Stage.Name)
	if !ok {
		return promote.Promotion{}, fmt.Errorf("stage %q: %w", a.Stage, promote.ErrStale)
	}
	p := promote.Promotion{
		ID: a.Promotion, Stage: a.Stage, Number: a.Number, Freight: a.Freight.ID, Others: a.Others, Actor: a.Actor,
		Phase: promote.PhaseProposed, CreatedAt: state.Now, Base: a.Base, Source: a.Base, Branch: a.Branch,
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
		Promotion:  p, When: p.CreatedAt, Now: state.Now, Author: r.Author, World: r.world(),
		Approvals: state.History.ApprovedFor(p.Stage, p.Freight), Target: stage.Target,
		Metadata: state.History.MetadataIn(p.Stage.Project),
		Status:   func(name string) (map[string]any, bool) { return state.FreightStatus(p.Stage.Project, name) },
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
	request.Change, request.Delivered, request.Approvals = change, delivered, r.counting(ctx, state, p)
	result, err := step.Run(ctx, request)
	if err != nil {
		return result, fmt.Errorf("promotion %s: %w", p.ID, err)
	}
	return result, nil
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

// show opens or updates the change of a proposal that was pushed, and posts what the gates say.
func (r *Reconciler) show(ctx context.Context, w *watch, d draft) error {
	p := d.promotion
	change, ok := shown(w.changes, d.action, p)
	if !ok {
		var err error
		change, err = r.Forge.Open(ctx, promote.Draft(p, d.opening, d.edit))
		if err != nil {
			return err
		}
	}
	w.put(change)
	change.Branch, change.Head = p.Branch, p.Head
	status := d.gates.Post(change, d.evidence.Findings)
	status.New = true
	return r.postStatus(ctx, status)
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

// push sends the branches of all drafts and their records in one request. Each ref is compared and swapped: whoever was slower
// decides anew. It returns the drafts that are on the forge and on record.
func (r *Reconciler) push(ctx context.Context, w *watch, state promote.State, drafts []draft, refs git.Refs) ([]draft, error) {
	if len(drafts) == 0 {
		return nil, nil
	}
	entry := ledger.Entry{Tip: w.ledger, When: state.Now, Message: entryMessage(drafts), Records: slices.Clone(w.pending)}
	var updates []git.RefUpdate
	for _, d := range drafts {
		entry.Records = append(entry.Records, d.records...)
		updates = append(updates, d.updates(refs)...)
	}
	tip, err := r.ledger.Prepare(ctx, entry)
	if err != nil {
		return nil, err
	}
	if tip != entry.Tip {
		updates = append(updates, git.RefUpdate{Ref: string(promote.LedgerBranch), Old: string(entry.Tip), New: string(tip)})
	}
	results, err := r.Git.Push(ctx, unique(updates)...)
	if err != nil {
		return nil, fmt.Errorf("push %d proposals: %w", len(drafts), err)
	}
	var pushed []draft
	var refused []ledger.Record
	var problems []error
	for _, d := range drafts {
		if err := d.refused(results); err != nil {
			refused, problems = append(refused, d.records...), append(problems, err)
			continue
		}
		pushed = append(pushed, d)
	}
	if took := landed(results, promote.LedgerBranch); took != nil {
		entry.Records = slices.Clone(w.pending)
		for _, d := range pushed {
			entry.Records = append(entry.Records, d.records...)
		}
		if tip, err = r.ledger.Append(ctx, entry); err != nil {
			return nil, errors.Join(append(problems, err)...)
		}
	} else if tip != entry.Tip && len(refused) > 0 {
		if tip, err = r.withdraw(ctx, entry, refused, tip, state); err != nil {
			return nil, errors.Join(append(problems, err)...)
		}
	}
	w.ledger, w.pending = tip, nil
	return pushed, errors.Join(problems...)
}

// entryMessage is the message of the ledger's commit for some drafts.
func entryMessage(drafts []draft) string {
	if len(drafts) == 1 {
		return drafts[0].message
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d promotions\n\n", len(drafts))
	for _, d := range drafts {
		b.WriteString(d.message + "\n")
	}
	return b.String()
}

// updates are the refs that a draft moves: its branch, and a target that does not exist yet.
func (d draft) updates(refs git.Refs) []git.RefUpdate {
	p := d.promotion
	if !d.proposes() {
		return nil
	}
	var updates []git.RefUpdate
	if _, exists := refs.Branch(string(p.Target)); d.create && !exists {
		updates = append(updates, git.RefUpdate{Ref: string(p.Target), New: string(p.Base)})
	}
	if p.Head != d.action.Tip {
		updates = append(updates, git.RefUpdate{Ref: string(p.Branch), Old: string(d.action.Tip), New: string(p.Head)})
	}
	return updates
}

// refused returns why a draft did not get onto the forge.
func (d draft) refused(results []git.RefResult) error {
	return errors.Join(landed(results, d.promotion.Target), landed(results, d.promotion.Branch))
}

// unique drops updates that stand twice: two promotions may begin the same branch.
func unique(updates []git.RefUpdate) []git.RefUpdate {
	var out []git.RefUpdate
	for _, u := range updates {
		if !slices.Contains(out, u) {
			out = append(out, u)
		}
	}
	return out
}

// landed says what became of one branch of a push: nil when it is there, or was not in it.
func landed(results []git.RefResult, branch promote.Branch) error {
	for _, result := range results {
		switch {
		case result.Ref != string(branch) || result.Err == nil:
		case errors.Is(result.Err, git.ErrMoved):
			return fmt.Errorf("%w: %w", promote.ErrStale, result.Err)
		default:
			return fmt.Errorf("push %q: %w", branch, result.Err)
		}
	}
	return nil
}

// withdraw takes records back that the forge took although it refused their branches: a promotion must never be on record for
// what somebody else pushed.
func (r *Reconciler) withdraw(
	ctx context.Context, entry ledger.Entry, refused []ledger.Record, tip promote.Commit, state promote.State,
) (promote.Commit, error) {
	back := ledger.Entry{Tip: tip, When: state.Now, Message: entry.Message + ", taken back: the branch could not be pushed"}
	for _, record := range refused {
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
	return r.ledger.Append(ctx, back)
}
