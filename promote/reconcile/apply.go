package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/ledger"
)

// apply carries out a plan in order. It stops at the first action that what it was decided on has moved under: the rest is
// decided anew. An action that fails is left out for the rest of the Run, so that it holds up no other.
func (r *Reconciler) apply(ctx context.Context, w *watch, state promote.State, plan promote.Plan) ([]promote.Action, error) {
	var applied []promote.Action
	var proposals []promote.Propose
	unrecorded := false
	w.pending = nil
	for _, action := range plan.Actions {
		if err := ctx.Err(); err != nil {
			return applied, err
		}
		if w.failed[action.Key()] != nil {
			unrecorded = unrecorded || recordsCommand(action)
			continue
		}
		if proposal, ok := action.(promote.Propose); ok {
			proposals = append(proposals, proposal) // made together, in one push
			continue
		}
		if _, reply := action.(promote.Reply); reply && unrecorded {
			// What could not be recorded must not be answered as done: the comment is worked off again.
			continue
		}
		err := r.do(ctx, w, &state, action)
		if r.Metrics.Applied != nil {
			r.Metrics.Applied(action, err)
		}
		if errors.Is(err, promote.ErrStale) {
			r.Log.InfoContext(ctx, "dropped", "action", action.String(), "reason", err)
			return applied, err
		}
		if err != nil {
			r.failed(ctx, w, action, err)
			unrecorded = unrecorded || recordsCommand(action)
			continue
		}
		r.Log.InfoContext(ctx, "applied", "action", action.String())
		applied = append(applied, action)
	}
	made, err := r.propose(ctx, w, state, proposals)
	applied = append(applied, made...)
	r.tell(ctx, proposals, made, err)
	if err != nil {
		return applied, r.unlessStale(ctx, w, proposals, made, err)
	}
	if err := r.recordPending(ctx, w, state); errors.Is(err, promote.ErrStale) {
		return applied, err
	} else if err != nil {
		w.fail("freight", err)
	}
	return applied, nil
}

// tell logs and counts what became of proposals.
func (r *Reconciler) tell(ctx context.Context, proposals []promote.Propose, made []promote.Action, err error) {
	for _, action := range proposals {
		done := slices.ContainsFunc(made, func(a promote.Action) bool { return a.Key() == action.Key() })
		if done {
			r.Log.InfoContext(ctx, "applied", "action", action.String())
		}
		if r.Metrics.Applied != nil && (done || err != nil) {
			var problem error
			if !done {
				problem = err
			}
			r.Metrics.Applied(action, problem)
		}
	}
}

// unlessStale notes what kept proposals from being made, unless everything has to be decided anew.
func (r *Reconciler) unlessStale(ctx context.Context, w *watch, proposals []promote.Propose, made []promote.Action, err error) error {
	if errors.Is(err, promote.ErrStale) {
		r.Log.InfoContext(ctx, "dropped", "proposals", len(proposals)-len(made), "reason", err)
		return err
	}
	for _, action := range proposals {
		if !slices.ContainsFunc(made, func(a promote.Action) bool { return a.Key() == action.Key() }) {
			r.failed(ctx, w, action, err)
		}
	}
	return nil
}

// recordsCommand reports whether an action writes down what a person asked for.
func recordsCommand(action promote.Action) bool {
	_, hold := action.(promote.RecordHold)
	_, resume := action.(promote.ReleaseHold)
	_, request := action.(promote.RecordRequest)
	_, pin := action.(promote.PinRequest)
	_, approval := action.(promote.RecordApproval)
	_, rejection := action.(promote.RecordRejection)
	_, acceptance := action.(promote.WithdrawRejection)
	return hold || resume || request || pin || approval || rejection || acceptance
}

func (r *Reconciler) do(ctx context.Context, w *watch, state *promote.State, action promote.Action) error {
	switch a := action.(type) {
	case promote.Propose:
		return errors.New("proposals are made together")
	case promote.RecordFreight:
		recordFreight(w, state, a)
		return nil
	case promote.OpenChange:
		return r.openChange(ctx, w, a)
	case promote.RecordChange:
		return r.recordChange(ctx, w, *state, a)
	case promote.UpdateChange:
		return r.updateChange(ctx, w, a)
	case promote.PostStatus:
		return r.postStatus(ctx, a)
	case promote.Merge:
		return r.merge(ctx, w, *state, a)
	case promote.Unqueue:
		return r.unqueue(ctx, w, *state, a)
	case promote.CloseChange:
		return r.closeChange(ctx, w, a)
	case promote.Deliver:
		return r.deliver(ctx, w, *state, a)
	case promote.Finish:
		return r.finish(ctx, w, *state, a)
	case promote.RecordHold:
		return r.record(ctx, w, *state, "Hold "+a.Hold.Stage.String(), a.Hold)
	case promote.ReleaseHold:
		return r.record(ctx, w, *state, "Resume "+a.Hold.Stage.String()+" for "+a.By, ledger.Removal{Record: a.Hold})
	case promote.Advance:
		return r.advanceOpen(ctx, w, *state, a)
	case promote.RecordApproval:
		return r.record(ctx, w, *state, "Approve "+a.Approval.Stage.String()+" for "+a.Approval.By, a.Approval)
	case promote.RecordRejection:
		return r.record(ctx, w, *state, "Reject "+a.Rejection.Freight.Short()+" for "+a.Rejection.By, a.Rejection)
	case promote.WithdrawRejection:
		return r.record(ctx, w, *state, "Accept "+a.Rejection.Freight.Short()+" for "+a.By, ledger.Removal{Record: a.Rejection})
	case promote.RecordRequest:
		return r.record(ctx, w, *state, "Request "+a.Request.Stage.String()+" by "+a.Request.By, a.Request)
	case promote.PinRequest:
		return r.record(ctx, w, *state, "Request "+a.Request.Stage.String()+" by "+a.Request.By+": at its head only", a.Request)
	case promote.Reply:
		return r.reply(ctx, w, a)
	}
	return fmt.Errorf("action of type %T is not known", action)
}

// record appends to the ledger, on top of what was observed: what another process wrote since is never written over.
func (r *Reconciler) record(ctx context.Context, w *watch, state promote.State, message string, records ...ledger.Record) error {
	tip, err := r.ledger.Append(ctx, ledger.Entry{
		Tip: w.ledger, Message: message, When: state.Now, Records: slices.Concat(w.pending, records),
	})
	if err != nil {
		return err
	}
	w.ledger, w.pending = tip, nil
	return nil
}

// recordFreight keeps new freight for this round: it is written in one push with the next record, which mostly is that of
// the promotion that uses it.
func recordFreight(w *watch, state *promote.State, a promote.RecordFreight) {
	w.pending = append(w.pending, a.Freight)
	state.History.Freights = append(state.History.Freights, a.Freight)
}

// recordPending writes the new freight and the changes of promotions that no other record took along.
func (r *Reconciler) recordPending(ctx context.Context, w *watch, state promote.State) error {
	if len(w.pending) == 0 {
		return nil
	}
	var names []string
	for _, record := range w.pending {
		switch one := record.(type) {
		case promote.Freight:
			names = append(names, fmt.Sprintf("Freight %s: %s", one.ID.Short(), one.Label()))
		case promote.Promotion:
			name := fmt.Sprintf("Promotion %s: change %d", one.ID, one.Change)
			if one.Queued > 0 {
				name += fmt.Sprintf(", let into the forge's queue (%d)", one.Queued)
			}
			names = append(names, name)
		}
	}
	message := strings.Join(names, "\n")
	if len(names) > 1 {
		message = fmt.Sprintf("%d records\n\n%s", len(names), message)
	}
	return r.record(ctx, w, state, message)
}

// openChange opens a change for what was proposed, and never for what somebody pushed to the branch in the meantime.
func (r *Reconciler) openChange(ctx context.Context, w *watch, a promote.OpenChange) error {
	refs, err := r.Git.Refs(ctx)
	if err != nil {
		return err
	}
	if tip, _ := refs.Branch(string(a.Draft.Branch)); promote.Commit(tip) != a.Draft.Head {
		return fmt.Errorf("branch %q is at %s, not at %s: %w",
			a.Draft.Branch, promote.Commit(tip).Short(), a.Draft.Head.Short(), promote.ErrStale)
	}
	change, err := r.Forge.Open(ctx, a.Draft)
	if err != nil {
		return err
	}
	w.put(change)
	return nil
}

// recordChange writes down by which change a promotion is proposed. A task that has more to do before the merge goes on.
func (r *Reconciler) recordChange(ctx context.Context, w *watch, state promote.State, a promote.RecordChange) error {
	p, ok := state.History.Promotion(a.Promotion.Stage, a.Promotion.ID)
	if !ok {
		return fmt.Errorf("promotion %s: %w", a.Promotion.ID, promote.ErrStale)
	}
	p.Change, p.URL = a.Change, a.URL
	if p.Waits == promote.WaitsChange {
		return r.advanceTo(ctx, w, state, p, fmt.Sprintf("Promotion %s: change %d", p.ID, a.Change))
	}
	// It is of use to the next process only, and goes along with the next record.
	w.pending = append(w.pending, p)
	return nil
}

// advanceOpen goes on with a promotion whose change is open: one of its steps waited for something else than the merge.
func (r *Reconciler) advanceOpen(ctx context.Context, w *watch, state promote.State, a promote.Advance) error {
	p, ok := state.History.Promotion(a.Promotion.Stage, a.Promotion.ID)
	if !ok || p.Phase != promote.PhaseProposed {
		return fmt.Errorf("promotion %s: %w", a.Promotion.ID, promote.ErrStale)
	}
	return r.advanceTo(ctx, w, state, p, fmt.Sprintf("Promotion %s: goes on", p.ID))
}

// advanceTo runs the steps between the opening of a change and its merge.
func (r *Reconciler) advanceTo(ctx context.Context, w *watch, state promote.State, p promote.Promotion, message string) error {
	change, ok := state.Change(p)
	if !ok {
		return fmt.Errorf("change %d of promotion %s: %w", p.Change, p.ID, promote.ErrStale)
	}
	ran, err := r.run(ctx, state, p, change, nil)
	if err != nil {
		return err
	}
	p = took(state, p, ran)
	if ran.Failed {
		return r.end(ctx, w, state, p, promote.PhaseFailed, ran.Message, ran)
	}
	r.lookAgain(p, ran)
	return r.record(ctx, w, state, message, records(state, p, ran)...)
}

// updateChange writes the notes that the text goes on in first: once the text says what they say, they are not looked at any more.
func (r *Reconciler) updateChange(ctx context.Context, w *watch, a promote.UpdateChange) error {
	if a.GoesOn {
		if err := r.stick(ctx, a.Change, marker("continued", "text"), a.More); err != nil {
			return err
		}
	}
	if err := r.Forge.Update(ctx, a.Change, a.Edit); err != nil {
		return err
	}
	for _, change := range w.changes {
		if change.Number == a.Change {
			change.Title, change.Description = a.Edit.Title, a.Edit.Description
			w.put(change)
		}
	}
	return nil
}

func (r *Reconciler) postStatus(ctx context.Context, a promote.PostStatus) error {
	if err := r.Forge.PostStatus(ctx, a); err != nil {
		delete(r.memory.statuses, a.Head)
		return err
	}
	r.memory.keepStatus(a.Head, &a.Status)
	return nil
}

func (r *Reconciler) merge(ctx context.Context, w *watch, state promote.State, a promote.Merge) error {
	promotion, _ := state.History.Promotion(a.Stage, a.Promotion)
	freight, _ := state.History.Freight(a.Stage.Project, promotion.Freight)
	message := fmt.Sprintf("Promote %s to %s\n\nLockkeeper-Stage: %s\nLockkeeper-Freight: %s\nLockkeeper-Promotion: %s\n",
		freight.Label(), a.Stage, a.Stage, promotion.Freight, promotion.ID)
	change, err := r.Forge.Merge(ctx, a.Change, a.Head, message)
	if errors.Is(err, promote.ErrNotMergeable) {
		return r.notMergeable(ctx, w, a.Change, err)
	}
	if err != nil {
		return err
	}
	w.put(change)
	if change.State == promote.ChangeOpen && change.Merge == promote.MergeQueued {
		w.pending = append(w.pending, queuedOnce(state, a.Change, 1)...)
	}
	return nil
}

// queuedOnce are the records of the promotions of a change that was let into the forge's queue, or taken out by us, which does not
// count.
func queuedOnce(state promote.State, change, more int) []ledger.Record {
	var records []ledger.Record
	for _, p := range state.History.Promotions {
		shown, _ := state.Change(p)
		if shown.Number == change && p.Phase == promote.PhaseProposed && p.Queued+more >= 0 {
			p.Change, p.URL = shown.Number, shown.URL
			p.Queued += more
			records = append(records, p)
		}
	}
	return records
}

// unqueue takes a change out of the forge's queue. How it may be merged is asked anew the next time.
func (r *Reconciler) unqueue(ctx context.Context, w *watch, state promote.State, a promote.Unqueue) error {
	if err := r.Forge.Unqueue(ctx, a.Change); err != nil {
		return err
	}
	w.pending = append(w.pending, queuedOnce(state, a.Change, -1)...)
	for _, change := range w.changes {
		if change.Number == a.Change {
			change.Mergeability = promote.Mergeability{Merge: promote.MergeChecking}
			w.put(change)
		}
	}
	return nil
}

// notMergeable notes that the forge does not merge a change now. That is nothing to fail for: what it waits for is its own
// affair, and it is asked again later.
func (r *Reconciler) notMergeable(ctx context.Context, w *watch, number int, reason error) error {
	r.Log.InfoContext(ctx, "not mergeable", "change", number, "reason", reason)
	for _, change := range w.changes {
		if change.Number == number {
			change.Merge, change.Reason = promote.MergeBlocked, "it does not merge the change yet"
			w.put(change)
		}
	}
	return nil
}

// finish ends a promotion that will not be delivered.
func (r *Reconciler) finish(ctx context.Context, w *watch, state promote.State, a promote.Finish) error {
	p, ok := state.History.Promotion(a.Promotion.Stage, a.Promotion.ID)
	if !ok || p.Phase.Terminal() {
		return fmt.Errorf("promotion %s: %w", a.Promotion.ID, promote.ErrStale)
	}
	p.Phase, p.Message, p.FinishedAt = a.Phase, a.Message, state.Now
	delete(r.memory.deliveries, p.Ref())
	if err := r.record(ctx, w, state, fmt.Sprintf("Promotion %s: %s", p.ID, a.Phase), p); err != nil {
		return err
	}
	r.finished(p)
	return nil
}

func (r *Reconciler) finished(p promote.Promotion) {
	if r.Metrics.Finished != nil {
		r.Metrics.Finished(p)
	}
}

// marker is the first line of a note that must be written once.
func marker(kind, key string) string { return "<!-- lockkeeper:" + kind + ":" + key + " -->" }

// say writes a note once: an own note with the same marker is brought up to date instead. A text that is too long for one note goes
// on in others.
func (r *Reconciler) say(ctx context.Context, change int, mark, body string) error {
	return r.stick(ctx, change, mark, promote.SplitNote(strings.TrimSpace(body), promote.NoteLimit))
}

// stick brings the notes that hold the parts of one text up to date. Those that it does not need any more say so.
func (r *Reconciler) stick(ctx context.Context, change int, mark string, parts []string) error {
	notes, err := r.Forge.Notes(ctx, change)
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		mark := continued(mark, i)
		known, found := ownNote(notes, mark)
		switch {
		case i >= len(parts) && !found:
			return nil
		case i >= len(parts): // it was longer once
			err = r.write(ctx, change, known, mark+"\nThere is no more of it.\n")
		default:
			err = r.write(ctx, change, known, mark+"\n"+strings.TrimSpace(parts[i])+"\n")
		}
		if err != nil {
			return err
		}
	}
}

// continued is the marker of one part of a note, the first of which has the note's own.
func continued(mark string, part int) string {
	if part == 0 {
		return mark
	}
	return fmt.Sprintf("%s#%d -->", strings.TrimSuffix(mark, " -->"), part+1)
}

func ownNote(notes []promote.Note, mark string) (promote.Note, bool) {
	i := slices.IndexFunc(notes, func(n promote.Note) bool { return n.Own && strings.HasPrefix(n.Body, mark) })
	if i < 0 {
		return promote.Note{}, false
	}
	return notes[i], true
}

// write adds a note, or brings the one that is known up to date.
func (r *Reconciler) write(ctx context.Context, change int, known promote.Note, text string) error {
	switch {
	case known.ID == 0:
		_, err := r.Forge.AddNote(ctx, change, text)
		return err
	case strings.TrimSpace(known.Body) == strings.TrimSpace(text):
		return nil
	}
	return r.Forge.EditNote(ctx, change, known.ID, text)
}
