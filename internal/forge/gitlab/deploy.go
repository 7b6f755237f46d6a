package gitlab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"time"

	gl "github.com/xanzy/go-gitlab"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	recentDeployments = 20   // of one environment, among which one that was made before is looked for
	maxDeployments    = 1000 // that are remembered; forgetting one costs a request
	madeTogether      = time.Minute
)

// deploymentKey names a deployment as promote does. GitLab has no field for it.
type deploymentKey struct {
	promotion   promote.PromotionID
	environment string
}

// deployment is what we read of GitLab's.
type deployment struct {
	ID          int    `json:"id"`
	SHA         string `json:"sha"`
	Status      string `json:"status"`
	User        *user  `json:"user"`
	CreatedAt   stamp  `json:"created_at"`
	Environment struct {
		ID          int    `json:"id"`
		ExternalURL string `json:"external_url"`
		CreatedAt   stamp  `json:"created_at"`
	} `json:"environment"`
}

// over reports whether it has ended, whichever way.
func (d deployment) over() bool { return d.Status != "created" && d.Status != "running" }

// Deploy shows on the project's page of environments what a promotion deploys. The environment is made with its first deployment.
// A deployment of ours that is there already is brought up to date, which takes no request when its state is known: it is found
// again by environment, commit and the token's user, the newest first. One that has ended does not run again.
func (f *Forge) Deploy(ctx context.Context, d promote.Deployment) error {
	if d.Promotion == "" || d.Environment == "" || d.Commit == "" || d.Branch == "" {
		return fmt.Errorf("gitlab: deploy: promotion, environment, commit and branch are required: %w", promote.ErrInvalid)
	}
	key := deploymentKey{d.Promotion, d.Environment}
	f.mu.Lock()
	known, ok := f.deployments[key]
	f.mu.Unlock()
	if !ok {
		var err error
		if known, ok, err = f.deployed(ctx, d); err != nil {
			return err
		}
	}
	var err error
	switch wanted := deploymentWord(d.State); {
	case !ok:
		known, err = f.deploy(ctx, d)
	case known.Status != wanted && (wanted != "running" || !known.over()):
		known, err = f.redeploy(ctx, d, known)
	}
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.deployments) >= maxDeployments {
		clear(f.deployments)
	}
	f.deployments[key] = known
	return nil
}

func deploymentWord(state promote.DeploymentState) string {
	switch state {
	case promote.DeploymentSucceeded:
		return "success"
	case promote.DeploymentFailed:
		return "failed"
	case promote.DeploymentRunning:
	}
	return "running"
}

// deployed looks for a deployment that was made before.
func (f *Forge) deployed(ctx context.Context, d promote.Deployment) (deployment, bool, error) {
	var recent []deployment
	_, err := f.get(ctx, request{
		priority: wordPriority,
		name:     "list deployments",
		subject:  "to " + strconv.Quote(d.Environment),
		path:     f.base + "/deployments",
		options: &gl.ListProjectDeploymentsOptions{
			ListOptions: gl.ListOptions{PerPage: recentDeployments}, Environment: new(d.Environment), OrderBy: new("id"), Sort: new("desc"),
		},
	}, &recent)
	if err != nil {
		return deployment{}, false, err
	}
	for _, one := range recent {
		if one.SHA != string(d.Commit) || one.User == nil {
			continue
		}
		self, err := f.me(ctx)
		if err != nil {
			return deployment{}, false, err
		}
		if one.User.ID == self.ID {
			return one, true, nil
		}
	}
	return deployment{}, false, nil
}

func (f *Forge) deploy(ctx context.Context, d promote.Deployment) (deployment, error) {
	var made deployment
	_, err := f.send(ctx, request{
		priority: wordPriority,
		name:     "deploy",
		subject:  fmt.Sprintf("%s to %q", d.Commit.Short(), d.Environment),
		method:   http.MethodPost,
		path:     f.base + "/deployments",
		options: &gl.CreateProjectDeploymentOptions{
			Environment: new(d.Environment), SHA: new(string(d.Commit)), Ref: new(string(d.Branch)), Tag: new(false),
			Status: new(gl.DeploymentStatusValue(deploymentWord(d.State))),
		},
	}, &made)
	if err != nil {
		if !forge.InDoubt(ctx, err) {
			return deployment{}, err
		}
		found, ok, lookErr := f.deployed(ctx, d)
		if lookErr != nil || !ok {
			return deployment{}, err
		}
		made = found
	}
	f.dress(ctx, d, made)
	return made, nil
}

// redeploy moves a deployment to another state. GitLab refuses the one that it is in.
func (f *Forge) redeploy(ctx context.Context, d promote.Deployment, known deployment) (deployment, error) {
	wanted := deploymentWord(d.State)
	var moved deployment
	_, err := f.send(ctx, request{
		priority: wordPriority,
		name:     "update deployment",
		subject:  fmt.Sprintf("of %s to %q", d.Commit.Short(), d.Environment),
		method:   http.MethodPut,
		path:     f.base + "/deployments/" + strconv.Itoa(known.ID),
		options:  &gl.UpdateProjectDeploymentOptions{Status: new(gl.DeploymentStatusValue(wanted))},
	}, &moved)
	if err != nil {
		if !forge.InDoubt(ctx, err) && !errors.Is(err, promote.ErrInvalid) && !errors.Is(err, promote.ErrNotFound) {
			return known, err
		}
		found, ok, lookErr := f.deployed(ctx, d)
		if lookErr != nil || !ok || found.Status != wanted {
			f.forgetDeployment(d)
			return known, err
		}
		known = found
	}
	known.Status = wanted
	return known, nil
}

func (f *Forge) forgetDeployment(d promote.Deployment) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.deployments, deploymentKey{d.Promotion, d.Environment})
}

// dress gives an environment its tier when it was made with this deployment, and a link to the change where it has no link, or one
// of ours. It is a help for people, and fails for nobody.
func (f *Forge) dress(ctx context.Context, d promote.Deployment, made deployment) {
	where, options := made.Environment, &gl.EditEnvironmentOptions{}
	fresh := !where.CreatedAt.IsZero() && made.CreatedAt.Sub(where.CreatedAt.Time).Abs() < madeTogether
	if fresh && d.Production {
		options.Tier = new("production")
	}
	if linkable(d.URL) && d.URL != where.ExternalURL && (where.ExternalURL == "" || path.Dir(where.ExternalURL) == path.Dir(d.URL)) {
		options.ExternalURL = new(d.URL)
	}
	if where.ID == 0 || options.Tier == nil && options.ExternalURL == nil {
		return
	}
	_, err := f.send(ctx, request{
		priority: wordPriority, name: "update environment", subject: strconv.Quote(d.Environment), method: http.MethodPut,
		path: f.base + "/environments/" + strconv.Itoa(where.ID), options: options,
	}, nil)
	if err != nil {
		f.wire.Logger.DebugContext(ctx, "gitlab: an environment stays as it is", "environment", d.Environment, "error", err)
	}
}
