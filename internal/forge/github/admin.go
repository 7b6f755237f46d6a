package github

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

// Instance asks who answers, and what time it is there. Only a GitHub Enterprise Server tells its version.
func (f *Forge) Instance(ctx context.Context) (forge.Instance, error) {
	var answer struct {
		Version string `json:"installed_version"`
	}
	_, err := f.get(ctx, request{name: "ask who answers", path: "meta"}, &answer)
	if f.app != nil && errors.Is(err, promote.ErrNotFound) { // The App is not installed there, if this is a GitHub.
		_, err = f.app.slug(ctx)
	}
	instance := f.wire.Instance(answer.Version)
	if !instance.ClockKnown && f.app != nil {
		instance = f.app.wire.Instance(answer.Version)
	}
	return instance, err
}

// TokenKind is what kind of credentials are used.
type TokenKind string

// The kinds of credentials.
const (
	TokenApp         TokenKind = "GitHub App"
	TokenClassic     TokenKind = "classic token"
	TokenFineGrained TokenKind = "fine-grained token"
	TokenActions     TokenKind = "token of GitHub Actions"
)

// Token is what GitHub tells about who asks.
type Token struct {
	Kind    TokenKind
	User    string    // whose it is; of an App "<slug>[bot]"
	Scopes  []string  // of a classic token
	Expires time.Time // zero: never, or not known

	App          int64             // ID of the App; 0 for a token, as with all that follows
	Slug         string            // its name in addresses
	Organization string            // that owns the App; empty: a person does
	Page         string            // of its installation
	Events       []string          // that its webhook sends for the installation
	Permissions  map[string]string // of the installation
}

// Token asks about the credentials, as far as GitHub tells.
func (f *Forge) Token(ctx context.Context) (Token, error) {
	if f.app != nil {
		return f.app.about(ctx, f.owner+"/"+f.name)
	}
	response, err := f.get(ctx, request{name: "read repository", path: f.base}, &struct{}{})
	if err != nil {
		return Token{}, err
	}
	token := Token{Kind: TokenFineGrained}
	if scopes, classic := response.Header[http.CanonicalHeaderKey("X-OAuth-Scopes")]; classic {
		token.Kind = TokenClassic
		for scope := range strings.SplitSeq(strings.Join(scopes, ","), ",") {
			if scope = strings.TrimSpace(scope); scope != "" {
				token.Scopes = append(token.Scopes, scope)
			}
		}
	}
	if held, ok := f.credential.(*tokenCredential); ok && strings.HasPrefix(held.token.Reveal(), "ghs_") {
		token.Kind = TokenActions
	}
	token.Expires = expiration(response.Header.Get("GitHub-Authentication-Token-Expiration"))
	self, err := f.me(ctx)
	token.User = self.Login
	return token, err
}

// expiration reads when a token ends. GitHub has written it in two ways; another one is not known.
func expiration(text string) time.Time {
	for _, layout := range []string{"2006-01-02 15:04:05 MST", "2006-01-02 15:04:05 -0700"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}

// Repository is how a repository is set up.
type Repository struct {
	URL           string // of its page
	Renamed       string // what it is called now, where that is not what is configured
	DefaultBranch string
	Archived      bool
	Private       bool
	Methods       []string // by which changes may be merged; empty when GitHub does not tell this token
	AutoMerge     bool
	Role          promote.Permission // of a token's user; of an App none
}

// Repository reads how the repository is set up.
func (f *Forge) Repository(ctx context.Context) (Repository, error) {
	var answer struct {
		HTMLURL       string `json:"html_url"`
		FullName      string `json:"full_name"`
		DefaultBranch string `json:"default_branch"`
		Archived      bool   `json:"archived"`
		Private       bool   `json:"private"`
		Merge         bool   `json:"allow_merge_commit"`
		Squash        bool   `json:"allow_squash_merge"`
		Rebase        bool   `json:"allow_rebase_merge"`
		AutoMerge     bool   `json:"allow_auto_merge"`
		Permissions   struct {
			Admin    bool `json:"admin"`
			Maintain bool `json:"maintain"`
			Push     bool `json:"push"`
			Pull     bool `json:"pull"`
		} `json:"permissions"`
	}
	if _, err := f.get(ctx, request{name: "read repository", path: f.base}, &answer); err != nil {
		return Repository{}, err
	}
	found := Repository{
		URL: answer.HTMLURL, Renamed: f.renamed(answer.FullName), DefaultBranch: answer.DefaultBranch, Archived: answer.Archived, Private: answer.Private, AutoMerge: answer.AutoMerge,
	}
	for _, method := range []struct {
		name    string
		allowed bool
	}{{"merge", answer.Merge}, {"squash", answer.Squash}, {"rebase", answer.Rebase}} {
		if method.allowed {
			found.Methods = append(found.Methods, method.name)
		}
	}
	switch may := answer.Permissions; {
	case may.Admin:
		found.Role = promote.PermissionAdmin
	case may.Maintain:
		found.Role = promote.PermissionMaintain
	case may.Push:
		found.Role = promote.PermissionWrite
	case may.Pull:
		found.Role = promote.PermissionRead
	}
	return found, nil
}

// NeededPermissions are what an App needs in a repository, each with its level.
func NeededPermissions() map[string]string { return maps.Clone(neededPermissions) }

// AdminPermissions are those of an App that sets up repositories, as far as it was given them: tokens for the work itself ask for less.
func AdminPermissions() map[string]string {
	permissions := NeededPermissions()
	permissions["administration"] = "write"
	return permissions
}

// optionalError reports whether a refusal means that there is nothing, or that it is not for this token: GitHub does not tell which.
func optionalError(err error) bool {
	return errors.Is(err, promote.ErrNotFound) || errors.Is(err, promote.ErrForbidden)
}
