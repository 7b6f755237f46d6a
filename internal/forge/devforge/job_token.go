package devforge

import (
	"fmt"
	"slices"
)

// jobEndpoints are what a job token is accepted for (doc/ci/jobs/ci_job_token.md, "Job token access"). Everywhere else GitLab knows
// no such token.
var jobEndpoints = []string{
	"GET /job",
	"GET /projects/{id}/repository/branches",
	"GET /projects/{id}/repository/commits/{sha}",
	"GET /projects/{id}/repository/commits/{sha}/merge_requests",
	"GET /projects/{id}/repository/files/{file_path}/raw",
	"GET /projects/{id}/merge_requests",
	"GET /projects/{id}/merge_requests/{merge_request_iid}",
	"GET /projects/{id}/merge_requests/{merge_request_iid}/notes",
	"GET /projects/{id}/merge_requests/{merge_request_iid}/notes/{note_id}",
	"GET /projects/{id}/environments",
	"PUT /projects/{id}/environments/{environment_id}",
	"GET /projects/{id}/deployments",
	"POST /projects/{id}/deployments",
	"PUT /projects/{id}/deployments/{deployment_id}",
}

// SetJobToken makes token the CI_JOB_TOKEN of a job that a user began. An empty one ends the job.
func (f *Forge) SetJobToken(user, token string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.tables.userNamed(user)
	if u == nil {
		return fmt.Errorf("user %q: %w", user, ErrNotFound)
	}
	u.JobToken = token
	f.wrote()
	return nil
}

// userOfJob is who began the job of a token, nil where the token is not accepted.
func (f *Forge) userOfJob(token string, e endpoint) *User {
	i := slices.IndexFunc(f.tables.Users, func(u *User) bool { return u.JobToken == token })
	if i < 0 || !slices.Contains(jobEndpoints, e.pattern) {
		return nil
	}
	return f.tables.Users[i]
}

type jobEntity struct {
	ID     int           `json:"id"`
	Name   string        `json:"name"`
	Status string        `json:"status"`
	User   accountEntity `json:"user"`
}

func getJob(c *call) (reply, error) {
	if c.user.JobToken == "" || c.Header.Get("Job-Token") == "" {
		return reply{}, missing("Job")
	}
	return reply{body: jobEntity{ID: c.user.ID, Name: "lockkeeper", Status: "running", User: c.forge.showAccount(c.user)}}, nil
}
