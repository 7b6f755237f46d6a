package reconcile

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/lockkeeper/lockkeeper/promote"
)

// deployment shows on the forge how a promotion that was merged fares. The ledger is the record; that the page of environments
// cannot be brought up to date fails nothing, and is tried again with the next run.
func (r *Reconciler) deployment(ctx context.Context, state promote.State, p promote.Promotion) {
	if r.Deployer == nil || p.Merged == "" || !r.memory.repository.settings.Forge.deploys() {
		return
	}
	deployment := promote.Deployment{
		Promotion: p.ID, Environment: p.Stage.String(), Commit: p.Merged, Branch: p.Target, URL: p.URL, Production: last(state, p.Stage),
	}
	if deployment.Branch == "" {
		deployment.Branch = state.Branch
	}
	switch p.Phase {
	case promote.PhaseSucceeded:
		deployment.State = promote.DeploymentSucceeded
	case promote.PhaseFailed, promote.PhaseAborted:
		deployment.State = promote.DeploymentFailed
	case promote.PhaseDelivering, promote.PhaseProposed, promote.PhasePreparing:
		deployment.State = promote.DeploymentRunning
	}
	freight, _ := state.History.Freight(p.Stage.Project, p.Freight)
	deployment.Description = freight.Label()
	r.deploy(ctx, p.Stage, deployment)
}

// deploy shows a deployment, and keeps it for the next time when that may succeed then.
func (r *Reconciler) deploy(ctx context.Context, stage promote.StageRef, deployment promote.Deployment) {
	err := r.Deployer.Deploy(ctx, deployment)
	delete(r.memory.unshown, stage) // An older one would look like what runs now.
	if err == nil {
		return
	}
	r.Log.WarnContext(ctx, "show deployment", "promotion", deployment.Promotion, "environment", deployment.Environment, "error", err)
	if refused, ok := errors.AsType[*promote.APIError](err); ok && refused.Temporary() {
		r.memory.unshown[stage] = deployment
	}
}

// showAgain shows what could not be shown before, up to the first that cannot be shown now: the forge would refuse the others alike.
// What was refused for good is not among it.
func (r *Reconciler) showAgain(ctx context.Context) {
	for _, stage := range slices.SortedFunc(maps.Keys(r.memory.unshown), promote.StageRef.Compare) {
		r.deploy(ctx, stage, r.memory.unshown[stage])
		if _, still := r.memory.unshown[stage]; still {
			return
		}
	}
}

// last reports whether no stage takes freight from a stage: people call that production.
func last(state promote.State, ref promote.StageRef) bool {
	pipeline, _ := state.Pipeline(ref.Project)
	return !slices.ContainsFunc(pipeline.Stages, func(s promote.Stage) bool {
		return slices.ContainsFunc(s.Requests, func(request promote.FreightRequest) bool { return slices.Contains(request.Stages, ref.Name) })
	})
}
