package github

import (
	"context"

	"github.com/lockkeeper/lockkeeper/internal/secret"
)

// A grant is what one exchange is sent with.
type grant struct {
	scheme string // "Bearer", or empty to send nothing
	secret secret.Text
	limits *Limits // required: those that GitHub counts this credential against
	holder string  // tells the answers apart that different credentials get
}

// A credential gives grants. They are a token, the key of an App, and what an App gets for an installation.
type credential interface {
	grant(ctx context.Context) (grant, error)
	// reject says that GitHub did not accept a grant, and answers whether another one is worth a try.
	reject(grant) bool
	// unauthorized is what a person can do when GitHub accepts none.
	unauthorized() string
}

// A tokenCredential is a token as it was given; an empty one reads what is public.
type tokenCredential struct {
	token  secret.Text
	limits *Limits
}

func (t *tokenCredential) grant(context.Context) (grant, error) {
	if t.token == "" {
		return grant{limits: t.limits}, nil
	}
	return grant{scheme: "Bearer", secret: t.token, limits: t.limits, holder: "token"}, nil
}

func (t *tokenCredential) reject(grant) bool { return false }

func (t *tokenCredential) unauthorized() string {
	if t.token == "" {
		return "no token is configured: set LOCKKEEPER_GITHUB_TOKEN, or the key of a GitHub App"
	}
	return "the token is wrong, revoked or has expired: set LOCKKEEPER_GITHUB_TOKEN to a valid one"
}
