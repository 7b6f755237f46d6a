package main

import (
	"context"
	"errors"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/argocd"
	"github.com/lockkeeper/lockkeeper/promote"
	renderargocd "github.com/lockkeeper/lockkeeper/render/argocd"

	"github.com/lockkeeper/lockkeeper/promote/imageupdater"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
)

// deliverer fits the Argo CD client to what the loop asks for.
type deliverer struct {
	client   *argocd.Client
	now      func() time.Time
	patience *argocd.Patience // nil: the client's own
	longest  time.Duration    // pause between two looks; 0: as the client says
}

var _ reconcile.Deliverer = (*deliverer)(nil)

// Deliver implements reconcile.Deliverer.
func (d *deliverer) Deliver(ctx context.Context, r reconcile.DeliveryRequest) (reconcile.Delivery, error) {
	outcome, err := d.look(ctx, r)
	if err != nil {
		return d.unreachable(err)
	}
	delivery := reconcile.Delivery{Message: r.Application + ": " + outcome.Reason, Next: outcome.Recheck}
	if d.longest > 0 {
		delivery.Next = min(delivery.Next, d.longest)
	}
	switch outcome.State {
	case argocd.Waiting:
		delivery.State = reconcile.DeliveryWaiting
	case argocd.Done:
		delivery.State = reconcile.DeliveryDone
	case argocd.Failed, argocd.Superseded:
		delivery.State = reconcile.DeliveryFailed
	}
	return delivery, nil
}

// look makes one round: of a delivery, or of a wait that starts nothing.
func (d *deliverer) look(ctx context.Context, r reconcile.DeliveryRequest) (argocd.Outcome, error) {
	ref := argocd.Ref{Name: r.Application, Namespace: r.Namespace, Project: r.Project}
	if len(r.WaitFor) > 0 {
		awaited := make([]argocd.Awaited, len(r.WaitFor))
		for i, what := range r.WaitFor {
			awaited[i] = argocd.Awaited(what) // both speak Kargo's words
		}
		return d.client.Await(ctx, argocd.Wait{
			Ref: ref, For: awaited, Started: r.Promotion.DeliveringSince, Timeout: r.Timeout, Patience: d.patience, Now: d.now,
		})
	}
	return d.client.Step(ctx, argocd.Delivery{
		Ref:      ref,
		Revision: string(r.Revision), RepoURL: r.RepoURL, PromotionID: r.Promotion.Stage.Project + "/" + string(r.Promotion.ID),
		Started: r.Promotion.DeliveringSince, Timeout: r.Timeout, Patience: d.patience, Now: d.now,
		Relate: func(ctx context.Context, _, found string) (argocd.Relation, error) {
			relation, err := r.Relate(ctx, promote.Commit(found))
			return relations(relation), err
		},
	})
}

// unreachable tells a server that cannot be asked now from one that will never do what is asked.
func (d *deliverer) unreachable(err error) (reconcile.Delivery, error) {
	if argocd.Transient(err) {
		return reconcile.Delivery{}, err
	}
	return reconcile.Delivery{State: reconcile.DeliveryFailed, Message: err.Error()}, nil
}

func relations(r reconcile.Relation) argocd.Relation {
	switch r {
	case reconcile.Carries:
		return argocd.Carries
	case reconcile.Overtakes:
		return argocd.Overtakes
	case reconcile.Unrelated:
		return argocd.Unrelated
	}
	return argocd.Unrelated
}

// Application implements reconcile.Deliverer.
func (d *deliverer) Application(ctx context.Context, name, namespace string) (promote.ApplicationEvidence, error) {
	evidence := promote.ApplicationEvidence{Name: name, Namespace: namespace, Source: "the Argo CD server"}
	app, err := d.client.Application(ctx, argocd.Ref{Name: name, Namespace: namespace})
	if errors.Is(err, argocd.ErrNotFound) {
		return evidence, nil
	}
	if err != nil {
		return evidence, err
	}
	evidence.Exists = true
	stages, _ := renderargocd.Application{Annotations: app.Annotations}.AuthorizedStages()
	for _, stage := range stages {
		evidence.Authorized = append(evidence.Authorized, promote.StageRef{Project: stage.Project, Name: stage.Stage})
	}
	if stage, ok := imageupdater.AuthorizedStage(name, app.Annotations); ok {
		evidence.Authorized = append(evidence.Authorized, stage)
	}
	return evidence, nil
}
