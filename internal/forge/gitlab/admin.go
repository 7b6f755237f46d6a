package gitlab

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"time"

	gl "github.com/xanzy/go-gitlab"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

// Instance asks who answers, and what time it is there. It needs a token that is accepted.
func (f *Forge) Instance(ctx context.Context) (forge.Instance, error) {
	var answer struct {
		Version string `json:"version"`
	}
	_, err := f.get(ctx, request{name: "ask for the version", path: "version"}, &answer)
	return f.wire.Instance(answer.Version), err
}

// AccessKind is what kind of access token it is.
type AccessKind string

// The kinds of tokens. GitLab says nothing about tokens of OAuth and of CI jobs.
const (
	AccessPersonal AccessKind = "personal access token"
	AccessProject  AccessKind = "project access token"
	AccessGroup    AccessKind = "group access token"
	AccessUnknown  AccessKind = "token"
)

// Token is what GitLab tells about the token that asks.
type Token struct {
	Kind    AccessKind
	User    string // whose it is
	Role    promote.Permission
	Scopes  []string  // empty when the kind is not known
	Expires time.Time // the beginning of the day from which it is refused; zero: never, or not known
}

// The users that GitLab makes for tokens of projects and groups (doc/user/project/settings/project_access_tokens.md, "Bot users
// for projects").
var (
	projectBot = regexp.MustCompile(`^project_\d+_bot`)
	groupBot   = regexp.MustCompile(`^group_\d+_bot`)
)

// Token asks about the token, its user, and what the user may do in the project.
func (f *Forge) Token(ctx context.Context) (Token, error) {
	self, err := f.me(ctx)
	if err != nil {
		return Token{}, err
	}
	token := Token{Kind: AccessUnknown, User: self.Username}
	if token.Role, err = f.Permission(ctx, promote.Person{ID: self.ID, Name: self.Username}); err != nil {
		return token, err
	}
	var answer struct {
		Scopes    []string `json:"scopes"`
		ExpiresAt string   `json:"expires_at"` // a date
	}
	_, err = f.get(ctx, request{name: "ask about the token", path: "personal_access_tokens/self"}, &answer)
	if errors.Is(err, promote.ErrNotFound) || errors.Is(err, promote.ErrUnauthorized) || errors.Is(err, promote.ErrInvalid) {
		return token, nil // of OAuth or of a job: it is accepted, but no access token
	}
	if err != nil {
		return token, err
	}
	token.Kind, token.Scopes = tokenKind(self.Username), answer.Scopes
	if len(answer.ExpiresAt) >= len(time.DateOnly) {
		token.Expires, _ = time.Parse(time.DateOnly, answer.ExpiresAt[:len(time.DateOnly)]) // unreadable: not known
	}
	return token, nil
}

func tokenKind(username string) AccessKind {
	switch {
	case projectBot.MatchString(username):
		return AccessProject
	case groupBot.MatchString(username):
		return AccessGroup
	}
	return AccessPersonal
}

// Project is how a project is set up.
type Project struct {
	URL                  string // of its page
	Renamed              string // what it is called now, where that is not what is configured
	DefaultBranch        string
	Archived             bool
	PipelinesMustSucceed bool
	SkippedIsSuccess     bool
	MergedResults        bool
	MergeTrains          bool
	ChecksMustSucceed    bool   // external status checks block merging; false where the plan has none
	MergeMethod          string // merge, rebase_merge or ff
}

// Project reads how the project is set up.
func (f *Forge) Project(ctx context.Context) (Project, error) {
	var answer struct {
		WebURL           string `json:"web_url"`
		Path             string `json:"path_with_namespace"`
		DefaultBranch    string `json:"default_branch"`
		Archived         bool   `json:"archived"`
		PipelineSucceeds bool   `json:"only_allow_merge_if_pipeline_succeeds"`
		SkippedPipeline  bool   `json:"allow_merge_on_skipped_pipeline"`
		MergePipelines   bool   `json:"merge_pipelines_enabled"`
		MergeTrains      bool   `json:"merge_trains_enabled"`
		ChecksSucceed    bool   `json:"only_allow_merge_if_all_status_checks_passed"`
		MergeMethod      string `json:"merge_method"`
	}
	if _, err := f.get(ctx, request{name: "read project", path: f.base}, &answer); err != nil {
		return Project{}, err
	}
	return Project{
		URL: answer.WebURL, Renamed: f.renamed(answer.Path), DefaultBranch: answer.DefaultBranch, Archived: answer.Archived,
		PipelinesMustSucceed: answer.PipelineSucceeds, SkippedIsSuccess: answer.SkippedPipeline,
		MergedResults: answer.MergePipelines, MergeTrains: answer.MergeTrains, ChecksMustSucceed: answer.ChecksSucceed, MergeMethod: answer.MergeMethod,
	}, nil
}

// Protection is the rule for the branches that a name or a pattern with * stands for.
type Protection struct {
	Name      string
	Push      []Grant
	Merge     []Grant
	ForcePush bool
}

// Grant is one entry of a rule: who may. A grant to a group or a deploy key grants nothing that could be judged from here.
type Grant struct {
	Level  promote.Permission // the least role; PermissionNone: nobody by role
	UserID int                // or this user; 0: none
}

// Protections lists the project's rules for protected branches.
func (f *Forge) Protections(ctx context.Context) ([]Protection, error) {
	type grant struct {
		AccessLevel int `json:"access_level"`
		UserID      int `json:"user_id"`
		GroupID     int `json:"group_id"`
		DeployKeyID int `json:"deploy_key_id"`
	}
	type rule struct {
		Name      string  `json:"name"`
		Push      []grant `json:"push_access_levels"`
		Merge     []grant `json:"merge_access_levels"`
		ForcePush bool    `json:"allow_force_push"`
	}
	rules, err := list[rule](ctx, f, request{name: "list protected branches", path: f.base + "/protected_branches"}, func(page gl.ListOptions) any { return &page })
	if err != nil {
		return nil, err
	}
	read := func(grants []grant) []Grant {
		var out []Grant
		for _, g := range grants {
			switch {
			case g.UserID != 0:
				out = append(out, Grant{UserID: g.UserID})
			case g.GroupID == 0 && g.DeployKeyID == 0:
				out = append(out, Grant{Level: permission(g.AccessLevel)})
			}
		}
		return out
	}
	var out []Protection
	for _, r := range rules {
		out = append(out, Protection{Name: r.Name, Push: read(r.Push), Merge: read(r.Merge), ForcePush: r.ForcePush})
	}
	return out, nil
}

// SelfID is the ID of the token's user, which a [Grant] may name.
func (f *Forge) SelfID(ctx context.Context) (int, error) {
	self, err := f.me(ctx)
	return self.ID, err
}

// RequirePipelines makes a status that is not green, and a pipeline that was skipped, block merging. It needs the role Maintainer.
func (f *Forge) RequirePipelines(ctx context.Context) error {
	var answer struct{}
	_, err := f.send(ctx, request{
		name: "edit project", method: http.MethodPut, path: f.base,
		options: map[string]bool{"only_allow_merge_if_pipeline_succeeds": true, "allow_merge_on_skipped_pipeline": false},
	}, &answer)
	return err
}

// ExternalCheck is an external status check of the project.
type ExternalCheck struct {
	Name     string
	Branches []string // the rules for protected branches that it is for; none: all branches
}

// ExternalChecks lists the project's external status checks. Where the plan has none, the error wraps promote.ErrUnauthorized,
// promote.ErrForbidden or promote.ErrNotFound.
func (f *Forge) ExternalChecks(ctx context.Context) ([]ExternalCheck, error) {
	type check struct {
		Name     string `json:"name"`
		Branches []struct {
			Name string `json:"name"`
		} `json:"protected_branches"`
	}
	found, err := list[check](ctx, f, request{name: "list status checks", path: f.base + "/external_status_checks"}, func(page gl.ListOptions) any { return &page })
	if err != nil {
		return nil, err
	}
	var out []ExternalCheck
	for _, c := range found {
		one := ExternalCheck{Name: c.Name}
		for _, branch := range c.Branches {
			one.Branches = append(one.Branches, branch.Name)
		}
		out = append(out, one)
	}
	return out, nil
}

// RequireExternalChecks makes every external status check that has not passed block merging. It needs the role Maintainer.
func (f *Forge) RequireExternalChecks(ctx context.Context) error {
	var answer struct{}
	_, err := f.send(ctx, request{
		name: "edit project", method: http.MethodPut, path: f.base, options: map[string]bool{"only_allow_merge_if_all_status_checks_passed": true},
	}, &answer)
	return err
}

// ResetsApprovals reports whether new commits take approvals away. The error wraps promote.ErrNotFound where the edition has no such
// setting, and promote.ErrForbidden where the token may not look.
func (f *Forge) ResetsApprovals(ctx context.Context) (bool, error) {
	var answer struct {
		Reset bool `json:"reset_approvals_on_push"`
	}
	_, err := f.get(ctx, request{name: "read approval settings", path: f.base + "/approvals"}, &answer)
	return answer.Reset, err
}

// ResetApprovals has new commits take approvals away. It needs the role Maintainer.
func (f *Forge) ResetApprovals(ctx context.Context) error {
	_, err := f.send(ctx, request{
		name: "edit approval settings", method: http.MethodPost, path: f.base + "/approvals", options: map[string]bool{"reset_approvals_on_push": true},
	}, nil)
	return err
}

// Protect lets nobody but the given role and higher ones push to a branch, and nobody rewrite or delete it. It needs the role
// Maintainer. A branch that is protected already stays as it is.
func (f *Forge) Protect(ctx context.Context, branch promote.Branch, least promote.Permission) error {
	level := levelMaintainer
	if least <= promote.PermissionWrite {
		level = levelDeveloper
	}
	var answer struct{}
	_, err := f.send(ctx, request{
		name: "protect branch", subject: strconv.Quote(string(branch)), method: http.MethodPost, path: f.base + "/protected_branches",
		options: map[string]any{"name": string(branch), "push_access_level": level, "merge_access_level": level, "allow_force_push": false},
	}, &answer)
	if errors.Is(err, promote.ErrConflict) {
		return nil
	}
	return err
}
