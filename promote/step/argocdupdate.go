package step

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
)

type argocdUpdateConfig struct {
	Apps []updatedApp `json:"apps"`
}

type updatedApp struct {
	appConfig
	Sources []sourceConfig `json:"sources"`
}

// argocd asks for what the step says of its applications, and waits until it is so: argocd-update has them synced,
// argocd-wait starts nothing.
func (r *run) argocd(_ context.Context, step promote.Step, c config) (outcome, error) {
	use, err := r.applications(step, c)
	if err != nil {
		return outcome{}, err
	}
	return r.delivery(use)
}

// delivery waits until somebody has seen to the applications.
func (r *run) delivery(use *ApplicationUse) (outcome, error) {
	delivered := r.Delivered
	if delivered == nil {
		r.result.Deliver = use
		return r.wait(promote.WaitsDelivery, "waits for Argo CD")
	}
	// The next such step of the task waits for a delivery of its own.
	r.Delivered = nil
	if delivered.Failed {
		return outcome{}, errors.New(delivered.Message)
	}
	found := delivered.Applications
	if len(found) == 0 {
		found = use.Applications
	}
	apps := make([]any, len(found))
	for i, app := range found {
		apps[i] = map[string]any{"name": app.Name, "revision": string(app.Revision)}
	}
	return outcome{status: promote.StepSucceeded, output: map[string]any{"apps": apps}, message: delivered.Message}, nil
}

// applications reads the applications of a step that syncs or awaits them.
func (r *run) applications(step promote.Step, c config) (*ApplicationUse, error) {
	use := &ApplicationUse{Timeout: time.Duration(step.Timeout)}
	if use.Timeout == 0 {
		use.Timeout = defaultDeliveryTimeout
	}
	var err error
	if step.Uses == "argocd-wait" {
		use.Applications, err = awaited(c)
	} else {
		use.Applications, err = r.updated(c)
	}
	return use, err
}

func (r *run) updated(c config) ([]Application, error) {
	var cfg argocdUpdateConfig
	if err := c.decode(&cfg); err != nil {
		return nil, err
	}
	if len(cfg.Apps) == 0 {
		return nil, errNoApps
	}
	all := make([]Application, 0, len(cfg.Apps))
	for i, app := range cfg.Apps {
		one, err := app.application(i)
		if err != nil {
			return nil, err
		}
		for j, source := range app.Sources {
			if err := source.check(fmt.Sprintf("config.apps[%d].sources[%d]", i, j)); err != nil {
				return nil, err
			}
			if source.DesiredRevision == "" || !r.Repository.sameRepository(source.RepoURL) {
				continue // what other repositories deploy is not waited for
			}
			if one.Revision != "" && string(one.Revision) != source.DesiredRevision {
				return nil, fmt.Errorf("config.apps[%d] has two desired revisions of %s, %s and %s: wait for one of them, which the commit of the promotion brings along",
					i, promote.WithoutUser(source.RepoURL), one.Revision.Short(), promote.Commit(source.DesiredRevision).Short())
			}
			one.Revision = promote.Commit(source.DesiredRevision)
		}
		all = append(all, one)
	}
	return all, nil
}

// Applications returns the applications that a promotion will have synced or wait for, as far as that can be said before it is
// merged, and what is wrong with the steps that will do so.
func Applications(request Request) ([]Application, []error) {
	r := newRun(request)
	for _, step := range request.Promotion.Steps {
		// An output that cannot be read again was an error of the run that wrote it.
		_ = r.recall(step, r.recorded(step))
	}
	r.foresee()
	var found []Application
	var problems []error
	for _, step := range request.Promotion.Steps {
		if step.Uses != "argocd-update" && step.Uses != "argocd-wait" {
			continue
		}
		use, err := r.preview(step)
		if err != nil {
			problems = append(problems, fmt.Errorf("step %s: %w", label(step), err))
			continue
		}
		found = append(found, use.Applications...)
	}
	return found, problems
}

// foresee fills in the outputs of the steps that only the merge will give, with what is known before it.
func (r *run) foresee() {
	head := string(r.Promotion.Head)
	for _, step := range r.Promotion.Steps {
		if len(r.outputs[step.As]) > 0 {
			continue
		}
		pr := map[string]any{"id": r.Change.Number, "url": r.Change.URL}
		r.outputs[step.As] = map[string]any{"commit": head, "branch": string(r.Promotion.Branch), "pr": pr}
	}
}

func (r *run) preview(step promote.Step) (*ApplicationUse, error) {
	evaluated, err := r.evaluated(step)
	if err != nil {
		return nil, err
	}
	return r.applications(step, evaluated)
}
