package kargo

import (
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

// codePassword is the code of findings about secrets in URLs. They are errors, because configurations and variables are
// written into the ledger, too; but warnings in variables and in the steps of Git, where widely read instructions for Kargo put
// them: the server has credentials of its own there, so that such a pipeline works, and its token should be revoked.
const codePassword = "password-in-url"

// knownToAll is what is wrong with them.
const knownToAll = " holds a password or token, which everybody who reads the repository knows"

// Where a secret belongs instead.
const (
	gitToken = "revoke it, write the URL without it, and give the token to the server's environment: LOCKKEEPER_GITLAB_TOKEN for the " +
		"repositories that it looks after, the variable that gitRepositories[].tokenEnv names for others; see docs/reference.md and deploy/README.md"
	registryLogin = "revoke it, write the URL without it, and log the server in as docker does: its credentials are those of " +
		"~/.docker/config.json; see docs/reference.md"
	stepSecret = "revoke it, write the URL without it, and read it with ${{ secret('<name>').<key> }} from an environment variable that the " +
		"server's configuration names; see docs/reference.md and deploy/README.md"
)

// holdsPassword reports whether a text is a URL with a secret.
func holdsPassword(text string) bool {
	return strings.Contains(text, "://") && promote.HoldsCredentials(text)
}

// instead says where a secret of a step belongs.
func instead(uses string) string {
	switch {
	case strings.HasPrefix(uses, "git-"), strings.HasPrefix(uses, "argocd-"), uses == "add-comment":
		return gitToken
	case strings.HasPrefix(uses, "oci-"), strings.HasPrefix(uses, "helm-"):
		return registryLogin
	}
	return stepSecret
}
