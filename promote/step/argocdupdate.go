package step

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
)

type argocdUpdateConfig struct {
	Apps []appConfig `json:"apps"`
}

type appConfig struct {
	Name      string         `json:"name"`
	Namespace string         `json:"namespace"`
	Sources   []sourceConfig `json:"sources"`
}

type sourceConfig struct {
	RepoURL         string `json:"repoURL"`
	DesiredRevision string `json:"desiredRevision"`
}

// argocdUpdate has Argo CD sync exactly the named applications, and waits until they are healthy at the desired revision.
func (r *run) argocdUpdate(_ context.Context, step promote.Step, c config) (outcome, error) {
	use, err := r.applications(step, c)
	if err != nil {
		return outcome{}, err
	}
	switch {
	case r.Delivered == nil:
		r.result.Deliver = use
		return r.wait(promote.WaitsDelivery, "waits for Argo CD")
	case r.Delivered.Failed:
		message := r.Delivered.Message
		r.Delivered = nil
		return outcome{}, errors.New(message)
	}
	message := r.Delivered.Message
	// The next argocd-update of the task waits for a delivery of its own.
	r.Delivered = nil
	apps := make([]any, len(use.Applications))
	for i, app := range use.Applications {
		apps[i] = map[string]any{"name": app.Name, "revision": string(app.Revision)}
	}
	return outcome{status: promote.StepSucceeded, output: map[string]any{"apps": apps}, message: message}, nil
}

func (r *run) applications(step promote.Step, c config) (*ApplicationUse, error) {
	var cfg argocdUpdateConfig
	if err := c.decode(&cfg); err != nil {
		return nil, err
	}
	if len(cfg.Apps) == 0 {
		return nil, errors.New("config.apps is missing: name the application, as in apps: [{name: frontend-dev-app}]")
	}
	use := &ApplicationUse{Timeout: time.Duration(step.Timeout)}
	if use.Timeout == 0 {
		use.Timeout = defaultDeliveryTimeout
	}
	for _, app := range cfg.Apps {
		if app.Name == "" {
			return nil, errors.New("config.apps.name is missing: name the application")
		}
		one := Application{Name: app.Name, Namespace: app.Namespace}
		for _, source := range app.Sources {
			if source.DesiredRevision != "" && r.Repository.sameRepository(source.RepoURL) {
				one.Revision = promote.Commit(source.DesiredRevision)
			}
		}
		use.Applications = append(use.Applications, one)
	}
	return use, nil
}

// Applications returns the applications that a promotion will have synced, as far as that can be said before it is merged,
// and what is wrong with the steps that will do so.
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
		if step.Uses != "argocd-update" {
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
	env, err := r.env(step)
	if err != nil {
		return nil, err
	}
	evaluated, err := evaluate(step.Config, env)
	if err != nil {
		return nil, err
	}
	return r.applications(step, evaluated)
}

// withoutUser removes credentials from a URL, for messages.
func withoutUser(raw string) string {
	if parsed, err := url.Parse(raw); err == nil && parsed.User != nil {
		parsed.User = nil
		return parsed.String()
	}
	if at := strings.LastIndexByte(raw, '@'); at >= 0 && strings.Contains(raw[:at], "://") {
		scheme, _, _ := strings.Cut(raw, "://")
		return scheme + "://" + raw[at+1:]
	}
	return raw
}
