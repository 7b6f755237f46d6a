package reconcile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/step"
)

// firstLook is how long a delivery is given at least, from when a process looks at it first.
const firstLook = time.Minute

// retryDelivery is how long to wait when Argo CD could not be asked.
const retryDelivery = 15 * time.Second

// deliver runs the steps that follow the merge, as far as they go now.
func (r *Reconciler) deliver(ctx context.Context, w *watch, state promote.State, a promote.Deliver) error {
	p, ok := state.History.Promotion(a.Promotion.Stage, a.Promotion.ID)
	if !ok || p.Phase.Terminal() {
		return fmt.Errorf("promotion %s: %w", a.Promotion.ID, promote.ErrStale)
	}
	if p.Phase == promote.PhaseProposed {
		p.MergedAt = state.Now
		p.Phase, p.Merged, p.Change, p.URL, p.DeliveringSince = promote.PhaseDelivering, a.Merged, a.Change, a.URL, state.Now
	}
	change := promote.Change{
		Number: p.Change, URL: p.URL, State: promote.ChangeMerged, Merged: p.Merged, Branch: p.Branch, Target: p.Target, Head: p.Head,
	}
	return r.advance(ctx, w, state, p, change)
}

// advance goes through the remaining steps. A step that waits for Argo CD is asked about once in each round, and only after
// the ledger says how far the promotion has come.
func (r *Reconciler) advance(ctx context.Context, w *watch, state promote.State, p promote.Promotion, change promote.Change) error {
	var delivered *step.Delivered
	for {
		ran, err := r.run(ctx, state, p, change, delivered)
		if err != nil {
			return err
		}
		if len(ran.Results) != len(p.Results) {
			// Each step that waits has its own time.
			p.DeliveringSince = state.Now
		}
		p = took(state, p, ran)
		switch {
		case ran.Failed && ran.Wait != promote.WaitsTime && ran.Wait != promote.WaitsApproval:
			return r.end(ctx, w, state, p, promote.PhaseFailed, ran.Message, ran)
		case ran.Wait == promote.WaitsNothing:
			return r.end(ctx, w, state, p, promote.PhaseSucceeded, "", ran)
		case ran.Wait == promote.WaitsMerge, ran.Wait == promote.WaitsChange:
			return r.end(ctx, w, state, p, promote.PhaseFailed,
				"a step after the merge proposes another change: split the task into two stages", ran)
		}
		if err := r.recordProgress(ctx, w, state, p, ran); err != nil {
			return err
		}
		if ran.Wait != promote.WaitsDelivery {
			r.lookAgain(p, ran)
			return nil
		}
		delivery, applications, err := r.ask(ctx, state, p, *ran.Deliver)
		if err != nil {
			r.Log.WarnContext(ctx, "deliver", "promotion", p.ID, "error", err)
			delivery = Delivery{State: DeliveryWaiting, Message: err.Error(), Next: retryDelivery}
		}
		if delivery.State == DeliveryWaiting {
			if left := r.left(state, p, ran.Deliver.Timeout); left > 0 {
				pause := delivery.Next
				if pause <= 0 {
					pause = retryDelivery
				}
				r.memory.deliveries[p.Ref()] = promote.Delivering{Message: delivery.Message, Next: r.Now().Add(min(pause, left))}
				return nil
			}
			delivery.State = DeliveryFailed
			delivery.Message = fmt.Sprintf("not there after %s: %s", ran.Deliver.Timeout, delivery.Message)
		}
		delivered = &step.Delivered{
			Failed: delivery.State == DeliveryFailed, Message: delivery.Message, Applications: applications,
		}
	}
}

// left is how long a delivery may still take. Without a server nothing is ever late, and a process that looks for the first
// time gives what happened while nobody looked a moment.
func (r *Reconciler) left(state promote.State, p promote.Promotion, timeout time.Duration) time.Duration {
	left := timeout - state.Now.Sub(p.DeliveringSince)
	_, looked := state.Deliveries[p.Ref()]
	if r.Argo == nil || !looked {
		left = max(left, firstLook)
	}
	return left
}

// recordProgress writes down that a promotion was merged, which steps are done since, and what a step has to remember.
// Nothing new is not written.
func (r *Reconciler) recordProgress(ctx context.Context, w *watch, state promote.State, p promote.Promotion, ran step.Result) error {
	known, _ := state.History.Promotion(p.Stage, p.ID)
	switch {
	case known.Phase == promote.PhaseProposed:
		if err := r.record(ctx, w, state, fmt.Sprintf("Promotion %s: merged as %s", p.ID, p.Merged.Short()), records(state, p, ran)...); err != nil {
			return err
		}
		r.deployment(ctx, state, p)
	case !sameProgress(known, p):
		return r.record(ctx, w, state, fmt.Sprintf("Promotion %s: delivering", p.ID), records(state, p, ran)...)
	}
	return nil
}

// sameProgress reports whether two records of a promotion tell of the same steps. The words of a step that waits change all
// the time and are no progress.
func sameProgress(a, b promote.Promotion) bool {
	return a.Waits == b.Waits && a.Approvals == b.Approvals && slices.EqualFunc(a.Results, b.Results, func(a, b promote.StepResult) bool {
		return a.As == b.As && a.Status == b.Status && a.Errors == b.Errors && bytes.Equal(a.State, b.State)
	})
}

// ask looks at every application of a step and returns the one that is furthest behind.
func (r *Reconciler) ask(
	ctx context.Context, state promote.State, p promote.Promotion, use step.ApplicationUse,
) (Delivery, []step.Application, error) {
	timeout := state.Now.Sub(p.DeliveringSince) + r.left(state, p, use.Timeout)
	if r.Argo == nil {
		return Delivery{
			State: DeliveryWaiting, Next: use.Timeout,
			Message: "no Argo CD server is configured: set LOCKKEEPER_ARGOCD_URL and LOCKKEEPER_ARGOCD_TOKEN",
		}, nil, nil
	}
	applications, err := r.selected(use.Applications, declaredStage(state, p.Stage))
	if err != nil {
		return Delivery{State: DeliveryFailed, Message: err.Error()}, nil, nil
	}
	worst := Delivery{State: DeliveryDone}
	for _, app := range applications {
		one, err := r.authorized(ctx, state, p, app)
		if err == nil && one.State == DeliveryDone {
			one, err = r.askOne(ctx, p, app, timeout)
		}
		if err != nil {
			return one, nil, err
		}
		switch {
		case one.State == DeliveryFailed:
			return one, nil, nil
		case one.State == DeliveryWaiting:
			worst = one
		case worst.State == DeliveryDone:
			worst.Message = joinMessages(worst.Message, one.Message)
		}
	}
	return worst, applications, nil
}

// authorized looks once more whether an application belongs to the stage. DeliveryDone means that it does.
func (r *Reconciler) authorized(ctx context.Context, state promote.State, p promote.Promotion, app step.Application) (Delivery, error) {
	live, err := r.Argo.Application(ctx, app.Name, app.Namespace)
	if err != nil {
		return Delivery{}, err
	}
	verdict, reason := promote.MayDeliver(r.application(ctx, app), live, declaredStage(state, p.Stage))
	delivery := Delivery{State: DeliveryWaiting, Message: reason, Next: retryDelivery}
	switch verdict {
	case promote.Pass:
		delivery.State = DeliveryDone
	case promote.Block:
		delivery.State = DeliveryFailed
	case promote.Wait, promote.Skip:
	}
	return delivery, nil
}

// declaredStage is the stage that the pipeline declares for one of the places that it fans out to; any other is itself.
func declaredStage(state promote.State, stage promote.StageRef) promote.StageRef {
	if pipeline, ok := state.Pipeline(stage.Project); ok {
		if declared, ok := pipeline.Stage(stage.Name); ok {
			stage.Name = declared.Declared()
		}
	}
	return stage
}

func (r *Reconciler) askOne(ctx context.Context, p promote.Promotion, app step.Application, timeout time.Duration) (Delivery, error) {
	request := DeliveryRequest{
		Application: app.Name, Namespace: app.Namespace, RepoURL: r.URLs[0], Revision: app.Revision, Promotion: p, Timeout: timeout,
		WaitFor: app.WaitFor,
	}
	if request.Revision == "" {
		request.Revision = p.Merged
	}
	for _, known := range r.memory.repository.set.Applications {
		if known.Name == app.Name {
			request.Project = known.Project
		}
	}
	request.Relate = func(ctx context.Context, found promote.Commit) (Relation, error) {
		return r.relate(ctx, p, request.Revision, found)
	}
	return r.Argo.Deliver(ctx, request)
}

// relate says whether a commit contains the wanted one, and what the promotion wrote.
func (r *Reconciler) relate(ctx context.Context, p promote.Promotion, wanted, found promote.Commit) (Relation, error) {
	contains, err := r.Git.IsAncestor(ctx, string(wanted), string(found))
	if errors.Is(err, git.ErrNotFound) || errors.Is(err, git.ErrTooDeep) {
		return Unrelated, nil
	}
	if err != nil || !contains {
		return Unrelated, err
	}
	changes, err := r.Git.Diff(ctx, string(wanted), string(found))
	if err != nil {
		return Unrelated, err
	}
	for _, change := range changes {
		if slices.ContainsFunc(p.Moves, func(m promote.Move) bool { return m.File == change.Path }) {
			return Overtakes, nil
		}
	}
	return Carries, nil
}

func joinMessages(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// end writes the note, then the record that the promotion is over.
func (r *Reconciler) end(
	ctx context.Context, w *watch, state promote.State, p promote.Promotion, phase promote.Phase, message string, ran step.Result,
) error {
	p.Phase, p.Message, p.FinishedAt, p.Waits = phase, message, state.Now, promote.WaitsNothing
	pipeline, _ := state.Pipeline(p.Stage.Project)
	freight, _ := state.History.Freight(p.Stage.Project, p.Freight)
	if p.Change != 0 {
		body := promote.DescribeOutcome(promote.Outcome{Promotion: p, Freight: freight, Pipeline: pipeline})
		if err := r.say(ctx, p.Change, marker("outcome", string(p.ID)), body); r.gone(ctx, p.Change, p.Branch, err) {
			r.Log.WarnContext(ctx, "the change is gone, and the outcome is noted in the ledger only", "change", p.Change, "promotion", p.ID)
		} else if err != nil {
			return err
		}
	}
	all := records(state, p, ran)
	if phase == promote.PhaseSucceeded {
		for _, id := range append([]promote.FreightID{p.Freight}, p.Others...) {
			if _, known := state.History.Verified(p.Stage, id); known {
				continue
			}
			all = append(all, promote.Verification{
				Stage: p.Stage, Freight: id, Promotion: p.ID, Commit: p.Merged, VerifiedAt: state.Now,
			})
		}
	}
	stage, _ := pipeline.Stage(p.Stage.Name)
	if rejection, bad := promote.VerificationRejects(p, stage); bad {
		all = append(all, rejection)
	}
	if err := r.record(ctx, w, state, fmt.Sprintf("Promotion %s: %s", p.ID, phase), all...); err != nil {
		return err
	}
	delete(r.memory.deliveries, p.Ref())
	r.deployment(ctx, state, p)
	r.finished(p)
	return nil
}
