package devforge

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"time"
)

// environment is where something is deployed (doc/api/environments.md).
type environment struct {
	ID        int       `json:"id"`
	Name      string    `json:"name"`
	URL       string    `json:"external_url"`
	Tier      string    `json:"tier"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// projectDeployment is one that was reported, not one of CI (doc/api/deployments.md).
type projectDeployment struct {
	ID          int       `json:"id"`
	IID         int       `json:"iid"`
	Environment int       `json:"environment"`
	Ref         string    `json:"ref"`
	SHA         string    `json:"sha"`
	User        int       `json:"user"`
	Status      string    `json:"status"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

// tiers are what names of environments are taken for (app/models/environment.rb guess_tier).
var tiers = []struct {
	name  string
	words *regexp.Regexp
}{
	{"development", regexp.MustCompile(`(?i)dev|review|trunk`)},
	{"testing", regexp.MustCompile(`(?i)test|tst|int|ac(?:ce|)pt|qa|qc|control|quality`)},
	{"staging", regexp.MustCompile(`(?i)st(?:a|)g|mod(?:e|)l|pre|demo|non`)},
	{"production", regexp.MustCompile(`(?i)pr(?:o|)d|live`)},
}

func guessTier(name string) string {
	for _, tier := range tiers {
		if tier.words.MatchString(name) {
			return tier.name
		}
	}
	return "other"
}

func (p *project) environment(id int) *environment {
	for _, e := range p.Environments {
		if e.ID == id {
			return e
		}
	}
	return nil
}

type environmentEntity struct {
	ID          int     `json:"id"`
	Name        string  `json:"name"`
	Slug        string  `json:"slug"`
	ExternalURL *string `json:"external_url"`
	CreatedAt   moment  `json:"created_at"`
	UpdatedAt   moment  `json:"updated_at"`
	Tier        string  `json:"tier"`
	State       string  `json:"state"`
}

var slugged = regexp.MustCompile(`[^a-z0-9]+`)

func showEnvironment(e *environment) (environmentEntity, error) {
	return environmentEntity{
		ID: e.ID, Name: e.Name, Slug: slugged.ReplaceAllString(e.Name, "-"), ExternalURL: optional(e.URL), Tier: e.Tier, State: "available",
		CreatedAt: moment(e.CreatedAt), UpdatedAt: moment(e.UpdatedAt),
	}, nil
}

func listProjectEnvironments(c *call) (reply, error) {
	name, err := c.params.text("name")
	if err != nil {
		return reply{}, err
	}
	var found []*environment
	for _, e := range c.project.Environments {
		if name == "" || e.Name == name {
			found = append(found, e)
		}
	}
	return shown(c, found, showEnvironment)
}

func updateProjectEnvironment(c *call) (reply, error) {
	id, err := c.number("environment_id")
	if err != nil {
		return reply{}, err
	}
	e := c.project.environment(id)
	if e == nil {
		return reply{}, missing("Environment")
	}
	address, addressErr := c.params.text("external_url")
	tier, tierErr := c.params.oneOf("tier", "production", "staging", "testing", "development", "other")
	if err := errors.Join(addressErr, tierErr); err != nil {
		return reply{}, err
	}
	e.URL, e.Tier, e.UpdatedAt = cmp.Or(address, e.URL), cmp.Or(tier, e.Tier), c.forge.now()
	c.forge.wrote()
	entity, err := showEnvironment(e)
	return reply{body: entity}, err
}

type projectDeploymentEntity struct {
	ID          int               `json:"id"`
	IID         int               `json:"iid"`
	Ref         string            `json:"ref"`
	SHA         string            `json:"sha"`
	CreatedAt   moment            `json:"created_at"`
	UpdatedAt   moment            `json:"updated_at"`
	User        *userEntity       `json:"user"`
	Environment environmentEntity `json:"environment"`
	Status      string            `json:"status"`
}

func (c *call) showProjectDeployment(d *projectDeployment) (projectDeploymentEntity, error) {
	where, err := showEnvironment(c.project.environment(d.Environment))
	return projectDeploymentEntity{
		ID: d.ID, IID: d.IID, Ref: d.Ref, SHA: d.SHA, Status: d.Status, User: c.forge.showUserID(d.User), Environment: where,
		CreatedAt: moment(d.CreatedAt), UpdatedAt: moment(d.UpdatedAt),
	}, err
}

func listProjectDeployments(c *call) (reply, error) {
	name, nameErr := c.params.text("environment")
	status, statusErr := c.params.text("status")
	_, orderErr := c.params.oneOf("order_by", "id", "iid", "created_at")
	sort, sortErr := c.params.oneOf("sort", "asc", "desc")
	if err := errors.Join(nameErr, statusErr, orderErr, sortErr); err != nil {
		return reply{}, err
	}
	var found []*projectDeployment
	for _, d := range c.project.Deployments {
		if (name == "" || c.project.environment(d.Environment).Name == name) && (status == "" || d.Status == status) {
			found = append(found, d)
		}
	}
	if sort == "desc" {
		slices.Reverse(found)
	}
	return shown(c, found, c.showProjectDeployment)
}

// createProjectDeployment makes the environment with its first deployment (lib/api/deployments.rb). The commit and the branch must exist
// (app/models/deployment.rb valid_sha, valid_ref).
func createProjectDeployment(c *call) (reply, error) {
	var fields [4]string
	for i, name := range []string{"environment", "sha", "ref", "status"} {
		value, err := c.params.required(name)
		if err != nil {
			return reply{}, err
		}
		fields[i] = value
	}
	name, sha, ref, status := fields[0], fields[1], fields[2], fields[3]
	if !c.params.has("tag") {
		return reply{}, invalid("tag is missing")
	}
	if !slices.Contains([]string{"running", "success", "failed", "canceled"}, status) {
		return reply{}, invalid("status does not have a valid value")
	}
	if _, err := c.project.repo.commit(c.Context(), sha); err != nil {
		return reply{}, refuse(http.StatusBadRequest, map[string][]string{"sha": {"The commit does not exist"}})
	}
	if _, err := c.project.repo.head(c.Context(), ref); err != nil {
		return reply{}, refuse(http.StatusBadRequest, map[string][]string{"ref": {"The branch or tag does not exist"}})
	}
	now := c.forge.now()
	i := slices.IndexFunc(c.project.Environments, func(e *environment) bool { return e.Name == name })
	if i < 0 {
		i = len(c.project.Environments)
		c.project.Environments = append(c.project.Environments, &environment{
			ID: c.forge.tables.next("environment"), Name: name, Tier: guessTier(name), CreatedAt: now, UpdatedAt: now,
		})
	}
	d := &projectDeployment{
		ID: c.forge.tables.next("deployment"), IID: len(c.project.Deployments) + 1, Environment: c.project.Environments[i].ID,
		Ref: ref, SHA: sha, User: c.user.ID, Status: status, CreatedAt: now, UpdatedAt: now,
	}
	c.project.Deployments = append(c.project.Deployments, d)
	c.forge.wrote()
	entity, err := c.showProjectDeployment(d)
	return reply{http.StatusCreated, entity}, err
}

// updateProjectDeployment follows the state machine of app/models/deployment.rb: nothing becomes what it is, and nothing runs again.
func updateProjectDeployment(c *call) (reply, error) {
	id, err := c.number("deployment_id")
	if err != nil {
		return reply{}, err
	}
	i := slices.IndexFunc(c.project.Deployments, func(d *projectDeployment) bool { return d.ID == id })
	if i < 0 {
		return reply{}, missing("Deployment")
	}
	status, err := c.params.required("status")
	if err != nil {
		return reply{}, err
	}
	event, known := map[string]string{"running": "run", "success": "succeed", "failed": "drop", "canceled": "cancel"}[status]
	d := c.project.Deployments[i]
	switch {
	case !known:
		return reply{}, invalid("status does not have a valid value")
	case d.Status == status, status == "running":
		return reply{}, refuse(http.StatusBadRequest, map[string][]string{"status": {fmt.Sprintf("cannot transition via %q", event)}})
	}
	d.Status, d.UpdatedAt = status, c.forge.now()
	c.forge.wrote()
	entity, err := c.showProjectDeployment(d)
	return reply{body: entity}, err
}
