package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lockkeeper/lockkeeper/bot"
	"github.com/lockkeeper/lockkeeper/internal/codeowners"
	"github.com/lockkeeper/lockkeeper/internal/doctor"
	"github.com/lockkeeper/lockkeeper/internal/forge/github"
	"github.com/lockkeeper/lockkeeper/internal/forge/gitlab"
	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
)

// place is where a repository lives, and how it is spoken to there.
type place struct {
	name     string // the repository's, see repositoryConfig
	path     string // on the forge
	cloneURL string
	username string
	token    func(ctx context.Context) (secret.Text, error) // the password of Git
	refused  func(token secret.Text)                        // told of one that Git does not take; may be nil
	forge    reconcile.Forge
	deployer reconcile.Deployer                                                  // nil: it has no page of environments
	missed   func(ctx context.Context, since time.Time) ([]promote.Event, error) // what no webhook told of
	warnings func(ctx context.Context) ([]string, error)                         // what in its settings keeps gates from holding anything back
	owners   codeowners.Dialect                                                  // of its CODEOWNERS file
	gitlab   *gitlab.Forge                                                       // nil on another forge
}

// What to do when there is nothing to sign in with.
const (
	noGitLab = "no GitLab token: set LOCKKEEPER_GITLAB_TOKEN to a project, group or personal access token with scope api"
	noGitHub = "no credentials of GitHub: set LOCKKEEPER_GITHUB_APP_ID and LOCKKEEPER_GITHUB_APP_KEY to be a GitHub App, or LOCKKEEPER_GITHUB_TOKEN"
	noForge  = "no credentials of a forge: set LOCKKEEPER_GITLAB_TOKEN to an access token with scope api; for GitHub, set " +
		"LOCKKEEPER_GITHUB_APP_ID and LOCKKEEPER_GITHUB_APP_KEY, or LOCKKEEPER_GITHUB_TOKEN"
)

// credentials checks that there is something to sign in with to every forge that is needed.
func (p *parts) credentials() error {
	s := p.secrets
	onGitHub := s.GitHubToken != "" || s.GitHubAppID != 0
	if (s.GitHubAppID != 0) != (s.GitHubAppKey != "") {
		return errors.New("a GitHub App needs both LOCKKEEPER_GITHUB_APP_ID and LOCKKEEPER_GITHUB_APP_KEY")
	}
	for _, repository := range p.config.Repositories {
		switch forge := s.forgeOf(repository); {
		case repository.Forge == "" && s.GitLabToken == "" && !onGitHub:
			return errors.New(noForge)
		case forge == forgeGitLab && s.GitLabToken == "":
			return errors.New(noGitLab)
		case forge == forgeGitHub && !onGitHub:
			return errors.New(noGitHub)
		}
	}
	return nil
}

// place connects to one repository. It asks the forge nothing.
func (p *parts) place(repository repositoryConfig) (*place, error) {
	on := p.onGitLab
	if p.secrets.forgeOf(repository) == forgeGitHub {
		on = p.onGitHub
	}
	made, err := on(repository.path(), repository.name())
	if err != nil {
		return nil, fmt.Errorf("repository %q: %w", repository.name(), err)
	}
	return made, nil
}

func (p *parts) onGitLab(path, name string) (*place, error) {
	token := gitlabTokens[p.config.GitLab.TokenKind]
	forge, err := gitlab.New(gitlab.Config{
		URL: p.config.GitLab.URL, Project: path, Token: secret.Text(p.secrets.GitLabToken), TokenKind: token.kind, Limits: &p.gitLabLimits,
		ExternalStatusCheck: p.config.GitLab.ExternalStatusCheck,
		UserAgent:           "lockkeeper/" + version, Logger: p.log,
		Observe: func(call gitlab.Call) {
			p.observe(bot.ForgeCall{
				Repository: name, Operation: call.Operation, Status: call.Status, Window: "api", Remaining: call.RateRemaining, Writes: -1,
			})
		},
	})
	if err != nil {
		return nil, err
	}
	return &place{
		name: name, path: path, forge: forge, deployer: forge, gitlab: forge, owners: codeowners.GitLab, username: token.username,
		cloneURL: p.config.GitLab.URL + "/" + path + ".git",
		token:    func(context.Context) (secret.Text, error) { return secret.Text(p.secrets.GitLabToken), nil },
		missed:   forge.Missed,
		warnings: func(ctx context.Context) ([]string, error) {
			settings, err := forge.Settings(ctx)
			return settings.Warnings(), err
		},
	}, nil
}

func (p *parts) onGitHub(path, name string) (*place, error) {
	forge, err := github.New(github.Config{
		URL: p.config.GitHub.URL, Repository: path, Token: p.gitHubToken(), App: p.app, Limits: p.limits,
		WebhookURL: doctor.HookURL(p.config.PublicURL, doctor.GitHub),
		Checks:     p.app != nil && !p.config.GitHub.CommitStatuses, UserAgent: "lockkeeper/" + version, Logger: p.log,
		Observe: func(call github.Call) { p.observe(gitHubCall(name, call)) },
	})
	if err != nil {
		return nil, err
	}
	pages, err := github.Pages(p.config.GitHub.URL)
	if err != nil {
		return nil, err
	}
	made := &place{
		name: name, path: path, forge: forge, deployer: forge, owners: codeowners.GitHub, username: "x-access-token", cloneURL: pages + "/" + path + ".git",
		token: func(ctx context.Context) (secret.Text, error) {
			if p.app == nil {
				return p.gitHubToken(), nil
			}
			token, _, err := p.app.Token(ctx, path)
			return token, err
		},
		missed: forge.Missed,
		warnings: func(ctx context.Context) ([]string, error) {
			settings, err := forge.Settings(ctx)
			return settings.Warnings(), err
		},
	}
	if p.app != nil {
		made.refused = func(token secret.Text) { p.app.Forget(path, token) }
	}
	return made, nil
}

// gitHubToken is the token to use where there is no App.
func (p *parts) gitHubToken() secret.Text {
	if p.app != nil {
		return ""
	}
	return secret.Text(p.secrets.GitHubToken)
}

// connectGitHub makes what all repositories of GitHub share: the App and its tokens, or the limits of the one token.
func (p *parts) connectGitHub() error {
	p.limits = github.NewLimits()
	if p.secrets.GitHubAppID == 0 || p.secrets.GitHubAppKey == "" {
		return nil // credentials says that one of them is missing
	}
	app, err := github.NewApp(github.AppConfig{
		URL: p.config.GitHub.URL, ID: p.secrets.GitHubAppID, PrivateKey: secret.Text(p.secrets.GitHubAppKey),
		UserAgent: "lockkeeper/" + version, Logger: p.log,
		Observe: func(call github.Call) { p.observe(gitHubCall("app", call)) },
	})
	if err != nil {
		return fmt.Errorf("LOCKKEEPER_GITHUB_APP_KEY, as text or in base64: %w", err)
	}
	p.app, p.limits = app, nil
	return nil
}

func gitHubCall(repository string, call github.Call) bot.ForgeCall {
	return bot.ForgeCall{
		Repository: repository, Operation: call.Operation, Status: call.Status, Window: call.Resource, Remaining: call.RateRemaining,
		Writes: call.ContentLeft, API: call.API, Points: call.PointsLeft,
	}
}

// observe counts a request to a forge, once there is somebody who wants to know.
func (p *parts) observe(call bot.ForgeCall) {
	if p.called != nil {
		p.called(call)
	}
}

// warn says what in the settings of repositories keeps the gates from holding anything back, one after the other. It is no error:
// the bot works all the same.
func (p *parts) warn(ctx context.Context, places []*place) {
	for _, place := range places {
		p.warnOf(ctx, place)
	}
}

func (p *parts) warnOf(ctx context.Context, place *place) {
	warnings, err := place.warnings(ctx)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		p.log.WarnContext(ctx, "read the repository's settings", "repository", place.name, "error", err)
		return
	}
	for _, warning := range warnings {
		p.log.WarnContext(ctx, "settings", "repository", place.name, "warning", warning)
	}
}
