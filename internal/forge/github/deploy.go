package github

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

// deployTask keeps our deployments apart from those of others.
const deployTask = "lockkeeper"

// superseded is what GitHub posts itself on a deployment when a newer one succeeds: saying more about it would bring it back.
const superseded = "inactive"

type deploymentKey struct {
	promotion   promote.PromotionID
	environment string
}

// A deployed is what is known of a deployment of ours.
type deployed struct {
	id    int64
	state string // the newest; empty when there is none or it is not known
	known bool   // state is known
}

type deploymentPayload struct {
	Promotion promote.PromotionID `json:"promotion"`
}

// Deploy makes a deployment of the commit, found again by environment, commit and the promotion in its payload, and gives it the
// state. Both are left alone where they are there already.
//
// GitHub is told to check nothing (required_contexts) and to merge nothing (auto_merge): what is deployed was judged and merged.
func (f *Forge) Deploy(ctx context.Context, d promote.Deployment) error {
	if d.Promotion == "" || d.Environment == "" || d.Commit == "" {
		return fmt.Errorf("github: deploy to %q: promotion, environment and commit are required: %w", d.Environment, promote.ErrInvalid)
	}
	key := deploymentKey{promotion: d.Promotion, environment: d.Environment}
	f.mu.Lock()
	known := f.deployments[key]
	f.mu.Unlock()
	if known.id == 0 {
		found, err := f.deployment(ctx, d)
		if err != nil {
			return err
		}
		known = found
	}
	if err := f.deployState(ctx, d, &known); err != nil {
		f.keepDeployment(key, deployed{}) // It may be gone: look for it the next time.
		return err
	}
	f.keepDeployment(key, known)
	return nil
}

func (f *Forge) keepDeployment(key deploymentKey, known deployed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.deployments.put(key, known)
}

// deployment finds the deployment of a promotion, and makes it when there is none.
func (f *Forge) deployment(ctx context.Context, d promote.Deployment) (deployed, error) {
	found, err := f.findDeployment(ctx, d)
	if err != nil || found.id != 0 {
		return found, err
	}
	var made struct {
		ID int64 `json:"id"`
	}
	_, err = f.send(ctx, request{
		name:     "make deployment",
		subject:  fmt.Sprintf("of %s to %q", d.Promotion, d.Environment),
		method:   http.MethodPost,
		path:     f.base + "/deployments",
		priority: commentPriority,
		body: map[string]any{
			"ref":                    string(d.Commit),
			"task":                   deployTask,
			"auto_merge":             false,
			"required_contexts":      []string{},
			"payload":                deploymentPayload{Promotion: d.Promotion},
			"environment":            d.Environment,
			"description":            forge.CutRunes(d.Description, maxDescription),
			"transient_environment":  false,
			"production_environment": d.Production,
		},
	}, &made)
	if forge.InDoubt(ctx, err) {
		if found, lookup := f.findDeployment(ctx, d); lookup == nil && found.id != 0 {
			return found, nil
		}
	}
	if err == nil && made.ID == 0 {
		return deployed{}, &promote.APIError{
			Service: service, Operation: "make deployment", Status: http.StatusAccepted, Message: "GitHub answered without a deployment",
		}
	}
	return deployed{id: made.ID, known: true}, err
}

func (f *Forge) findDeployment(ctx context.Context, d promote.Deployment) (deployed, error) {
	var listed []struct {
		ID      int64           `json:"id"`
		Payload json.RawMessage `json:"payload"`
	}
	_, err := f.get(ctx, request{
		name:    "list deployments",
		subject: fmt.Sprintf("to %q", d.Environment),
		path:    f.base + "/deployments",
		query: url.Values{
			"sha": {string(d.Commit)}, "environment": {d.Environment}, "task": {deployTask}, "per_page": {strconv.Itoa(perPage)},
		},
	}, &listed)
	for _, one := range listed {
		if readPayload(one.Payload).Promotion == d.Promotion {
			return deployed{id: one.ID}, err
		}
	}
	return deployed{}, err
}

// readPayload reads what GitHub kept: an object, or its text.
func readPayload(raw json.RawMessage) deploymentPayload {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		raw = json.RawMessage(text)
	}
	var payload deploymentPayload
	if json.Unmarshal(raw, &payload) != nil {
		return deploymentPayload{} // Somebody else's.
	}
	return payload
}

// deployState posts the state of a deployment unless it is the newest already.
func (f *Forge) deployState(ctx context.Context, d promote.Deployment, known *deployed) error {
	wanted := deployWord(d.State)
	if !known.known {
		state, err := f.newestState(ctx, known.id)
		if err != nil {
			return err
		}
		known.state, known.known = state, true
	}
	if known.state == wanted || known.state == superseded {
		return nil
	}
	body := map[string]any{"state": wanted, "description": forge.CutRunes(d.Description, maxDescription), "auto_inactive": true}
	if linkable(d.URL) {
		body["log_url"] = d.URL
	}
	_, err := f.send(ctx, request{
		name:     "post deployment state",
		subject:  fmt.Sprintf("%s of %s to %q", wanted, d.Promotion, d.Environment),
		method:   http.MethodPost,
		path:     f.deploymentPath(known.id) + "/statuses",
		body:     body,
		priority: commentPriority,
	}, nil)
	if forge.InDoubt(ctx, err) {
		if state, lookup := f.newestState(ctx, known.id); lookup == nil && state == wanted {
			err = nil
		}
	}
	if err == nil {
		known.state = wanted
	}
	return err
}

// newestState is the state that was posted last. GitHub lists the newest first.
func (f *Forge) newestState(ctx context.Context, id int64) (string, error) {
	var listed []struct {
		State string `json:"state"`
	}
	_, err := f.get(ctx, request{
		name:    "list deployment states",
		subject: "of deployment " + strconv.FormatInt(id, 10),
		path:    f.deploymentPath(id) + "/statuses",
		query:   url.Values{"per_page": {"1"}},
	}, &listed)
	if err != nil || len(listed) == 0 {
		return "", err
	}
	return listed[0].State, nil
}

func (f *Forge) deploymentPath(id int64) string {
	return f.base + "/deployments/" + strconv.FormatInt(id, 10)
}

func deployWord(state promote.DeploymentState) string {
	switch state {
	case promote.DeploymentSucceeded:
		return "success"
	case promote.DeploymentFailed:
		return "failure"
	case promote.DeploymentRunning:
	}
	return "in_progress"
}
