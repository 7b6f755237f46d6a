package gitlab

import (
	"net/http"
	"slices"

	gl "github.com/xanzy/go-gitlab"
)

// TokenKind is what a token is, which decides about how it is sent and what it may do.
type TokenKind int

// The kinds of tokens (https://docs.gitlab.com/api/rest/authentication/).
const (
	AccessToken TokenKind = iota // a personal, project or group access token
	OAuthToken                   // an access token of OAuth 2.0
	JobToken                     // CI_JOB_TOKEN: reads changes and their notes, and deploys; everything else needs another token
)

// client is the constructor of the library that sends the token so.
func (k TokenKind) client() func(string, ...gl.ClientOptionFunc) (*library, error) {
	switch k {
	case OAuthToken:
		return gl.NewOAuthClient //nolint:staticcheck // users fixed this package
	case JobToken:
		return gl.NewJobClient //nolint:staticcheck // users fixed this package
	case AccessToken:
	}
	return gl.NewClient //nolint:staticcheck // users fixed this package
}

// tokenHeaders are those that carry a token.
var tokenHeaders = []string{"Private-Token", "Authorization", "Job-Token"}

// jobMay are the operations that GitLab lets a job token do (https://docs.gitlab.com/ci/jobs/ci_job_token/#job-token-access).
var jobMay = []string{
	"ask whose token it is", "list open changes", "list changes", "read change", "list notes",
	"deploy", "list deployments", "update deployment", "update environment",
}

// beyondJob reports whether an operation was refused because it was asked for with a job token, and says what to do.
func (f *Forge) beyondJob(sent request, status int) (remedy string, beyond bool) {
	refused := status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusNotFound
	if f.kind != JobToken || !refused || slices.Contains(jobMay, sent.name) {
		return "", false
	}
	return "CI_JOB_TOKEN cannot " + sent.name + ", as it cannot open, comment or merge changes: set LOCKKEEPER_GITLAB_TOKEN to a project or group " +
		"access token with scope api and the role Developer", true
}
