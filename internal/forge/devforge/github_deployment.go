package devforge

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"
)

type deployment struct {
	ID          int                 `json:"id"`
	Ref         string              `json:"ref"`
	SHA         string              `json:"sha"`
	Task        string              `json:"task"`
	Environment string              `json:"environment"`
	Description string              `json:"description"`
	Payload     json.RawMessage     `json:"payload"`
	Transient   bool                `json:"transient"`
	Production  bool                `json:"production"`
	Creator     int                 `json:"creator"`
	CreatedAt   time.Time           `json:"created_at"`
	UpdatedAt   time.Time           `json:"updated_at"`
	Statuses    []*deploymentStatus `json:"statuses"`
}

type deploymentStatus struct {
	ID             int       `json:"id"`
	State          string    `json:"state"`
	Description    string    `json:"description"`
	LogURL         string    `json:"log_url"`
	EnvironmentURL string    `json:"environment_url"`
	Creator        int       `json:"creator"`
	At             time.Time `json:"at"`
}

func (f *Forge) showDeployment(p *project, d *deployment) object {
	api := f.repoURL(p, "/deployments/%d", d.ID)
	return object{
		"url": api, "id": d.ID, "node_id": nodeID("DE", d.ID), "sha": d.SHA, "ref": d.Ref, "task": d.Task, "payload": d.Payload,
		"original_environment": d.Environment, "environment": d.Environment, "description": optional(d.Description),
		"creator": f.showPersonID(d.Creator), "created_at": stamp(d.CreatedAt), "updated_at": stamp(d.UpdatedAt),
		"statuses_url": api + "/statuses", "repository_url": f.repoURL(p, ""), "transient_environment": d.Transient,
		"production_environment": d.Production, "performed_via_github_app": nil,
	}
}

func (f *Forge) showDeploymentStatus(p *project, d *deployment, s *deploymentStatus) object {
	api := f.repoURL(p, "/deployments/%d", d.ID)
	return object{
		"url": api + "/statuses/" + nodeID("DS", s.ID), "id": s.ID, "node_id": nodeID("DES", s.ID), "state": s.State,
		"creator": f.showPersonID(s.Creator), "description": s.Description, "environment": d.Environment, "target_url": s.LogURL,
		"created_at": stamp(s.At), "updated_at": stamp(s.At), "deployment_url": api, "repository_url": f.repoURL(p, ""),
		"environment_url": s.EnvironmentURL, "log_url": s.LogURL, "performed_via_github_app": nil,
	}
}

// createDeployment refuses a commit whose statuses are not all good, unless required_contexts is the empty list.
func createDeployment(c *githubCall) (reply, error) {
	asked := struct {
		Ref         string          `json:"ref"`
		Task        string          `json:"task"`
		Environment string          `json:"environment"`
		Description *string         `json:"description"`
		Payload     json.RawMessage `json:"payload"`
		Contexts    *[]string       `json:"required_contexts"`
		AutoMerge   *bool           `json:"auto_merge"`
		Transient   bool            `json:"transient_environment"`
		Production  *bool           `json:"production_environment"`
	}{Task: "deploy", Environment: "production", Payload: json.RawMessage(`{}`)}
	if err := c.read(&asked); err != nil {
		return reply{}, err
	}
	if string(asked.Payload) == "null" {
		asked.Payload = json.RawMessage(`{}`)
	}
	if asked.Ref == "" {
		return reply{}, invalidRequest("\"ref\" wasn't supplied.")
	}
	sha, err := c.project.repo.commit(c.Context(), asked.Ref)
	if errors.Is(err, errNoRevision) {
		return reply{}, githubRefusal(http.StatusUnprocessableEntity, "No ref found for: %s", asked.Ref)
	}
	if err != nil {
		return reply{}, err
	}
	if err := c.deployable(sha, asked.Contexts); err != nil {
		return reply{}, err
	}
	made := &deployment{
		ID: c.forge.tables.next("deployment"), Ref: asked.Ref, SHA: sha, Task: asked.Task, Environment: asked.Environment, Payload: asked.Payload,
		Transient: asked.Transient, Production: asked.Environment == "production", Creator: c.user.ID, CreatedAt: c.forge.now(),
	}
	made.UpdatedAt = made.CreatedAt
	if asked.Description != nil {
		made.Description = *asked.Description
	}
	if asked.Production != nil {
		made.Production = *asked.Production
	}
	c.project.GitHub.Deployments = append(c.project.GitHub.Deployments, made)
	c.forge.wrote()
	return reply{http.StatusCreated, c.forge.showDeployment(c.project, made)}, c.forge.sendDeployment(c.project, made, nil, c.user)
}

func (c *githubCall) deployable(sha string, contexts *[]string) error {
	for _, s := range c.project.latestStatuses(sha) {
		if s.State != "success" && (contexts == nil || slices.Contains(*contexts, s.Name)) {
			return &refusal{http.StatusConflict, githubError{
				Message: "Conflict: Commit status checks failed for " + sha, DocumentationURL: gitHubDocs, Status: "409",
				Errors: []fieldError{{Resource: "Deployment", Field: "required_contexts", Code: "invalid"}},
			}}
		}
	}
	return nil
}

func listDeployments(c *githubCall) (reply, error) {
	query := c.URL.Query()
	var found []*deployment
	for _, d := range slices.Backward(c.project.GitHub.Deployments) { // the newest first
		same := true
		for name, value := range map[string]string{"sha": d.SHA, "ref": d.Ref, "task": d.Task, "environment": d.Environment} {
			if wanted := query.Get(name); wanted != "" && wanted != "none" && wanted != value {
				same = false
			}
		}
		if same {
			found = append(found, d)
		}
	}
	return listed(c, found, func(d *deployment) (object, error) { return c.forge.showDeployment(c.project, d), nil })
}

func (c *githubCall) deployment() (*deployment, error) {
	id, err := c.number("deployment_id")
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(c.project.GitHub.Deployments, func(d *deployment) bool { return d.ID == id })
	if i < 0 {
		return nil, notFound()
	}
	return c.project.GitHub.Deployments[i], nil
}

func getDeployment(c *githubCall) (reply, error) {
	d, err := c.deployment()
	if err != nil {
		return reply{}, err
	}
	return reply{body: c.forge.showDeployment(c.project, d)}, nil
}

func listDeploymentStatuses(c *githubCall) (reply, error) {
	d, err := c.deployment()
	if err != nil {
		return reply{}, err
	}
	newest := slices.Clone(d.Statuses)
	slices.Reverse(newest)
	return listed(c, newest, func(s *deploymentStatus) (object, error) {
		return c.forge.showDeploymentStatus(c.project, d, s), nil
	})
}

// createDeploymentStatus: a success makes what ran in the environment before inactive, unless auto_inactive is false, or the
// older one is transient or of production (REST, "Create a deployment status").
func createDeploymentStatus(c *githubCall) (reply, error) {
	d, err := c.deployment()
	if err != nil {
		return reply{}, err
	}
	var asked struct {
		State          string `json:"state"`
		TargetURL      string `json:"target_url"`
		LogURL         string `json:"log_url"`
		Description    string `json:"description"`
		EnvironmentURL string `json:"environment_url"`
		AutoInactive   *bool  `json:"auto_inactive"`
	}
	if err := c.read(&asked); err != nil {
		return reply{}, err
	}
	if !slices.Contains([]string{"error", "failure", "inactive", "in_progress", "queued", "pending", "success"}, asked.State) {
		return reply{}, validationFailed(fieldError{Resource: "DeploymentStatus", Field: "state", Code: "custom", Message: "state is not included in the list"})
	}
	if len([]rune(asked.Description)) > 140 {
		return reply{}, validationFailed(fieldError{
			Resource: "DeploymentStatus", Field: "description", Code: "custom", Message: "description is too long (maximum is 140 characters)",
		})
	}
	if asked.LogURL == "" {
		asked.LogURL = asked.TargetURL
	}
	made := &deploymentStatus{
		ID: c.forge.tables.next("deployment status"), State: asked.State, Description: asked.Description, LogURL: asked.LogURL,
		EnvironmentURL: asked.EnvironmentURL, Creator: c.user.ID, At: c.forge.now(),
	}
	if asked.State == "success" && (asked.AutoInactive == nil || *asked.AutoInactive) {
		c.supersede(d, made)
	}
	d.Statuses, d.UpdatedAt = append(d.Statuses, made), made.At
	c.forge.wrote()
	return reply{http.StatusCreated, c.forge.showDeploymentStatus(c.project, d, made)}, c.forge.sendDeployment(c.project, d, made, c.user)
}

func (c *githubCall) supersede(by *deployment, status *deploymentStatus) {
	for _, d := range c.project.GitHub.Deployments {
		if d == by || d.Environment != by.Environment || d.Transient || d.Production || len(d.Statuses) == 0 {
			continue
		}
		if last := d.Statuses[len(d.Statuses)-1]; last.State == "success" {
			inactive := *last
			inactive.ID, inactive.State, inactive.At = c.forge.tables.next("deployment status"), "inactive", status.At
			d.Statuses = append(d.Statuses, &inactive)
		}
	}
}

func listEnvironments(c *githubCall) (reply, error) {
	var shown []object
	for _, d := range c.project.GitHub.Deployments {
		if slices.ContainsFunc(shown, func(o object) bool { return o["name"] == d.Environment }) {
			continue
		}
		shown = append(shown, object{
			"id": d.ID, "node_id": nodeID("EN", d.ID), "name": d.Environment, "url": c.forge.repoURL(c.project, "/environments/%s", d.Environment),
			"html_url":   c.forge.webURL(c.project) + "/deployments/activity_log?environments_filter=" + d.Environment,
			"created_at": stamp(d.CreatedAt), "updated_at": stamp(d.CreatedAt), "protection_rules": []object{}, "deployment_branch_policy": nil,
		})
	}
	return reply{body: object{"total_count": len(shown), "environments": append([]object{}, githubPage(c, shown)...)}}, nil
}
