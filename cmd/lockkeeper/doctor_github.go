package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/doctor"
	"github.com/lockkeeper/lockkeeper/internal/forge/github"
	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
)

// githubCaretaker looks after one repository on GitHub.
type githubCaretaker struct {
	forge   *github.Forge
	app     *github.App // nil: a token is used
	url     string      // of the instance
	name    string      // owner/name
	branch  string      // that Argo CD deploys; empty: the default branch
	public  string      // where our server is reached; empty: nobody said
	secrets secrets
	now     func() time.Time

	required promote.Branch // that requires our status, as examine found or apply made it; empty: none does
}

func newGitHubCaretaker(of githubCaretaker) (*githubCaretaker, error) {
	cfg := github.Config{URL: of.url, Repository: of.name, Token: secret.Text(of.secrets.GitHubToken), UserAgent: "lockkeeper/" + version, Now: of.now, Logger: slog.New(slog.DiscardHandler)}
	if of.secrets.GitHubAppID != 0 {
		app, err := github.NewApp(github.AppConfig{
			URL: of.url, ID: of.secrets.GitHubAppID, PrivateKey: secret.Text(of.secrets.GitHubAppKey), Permissions: github.AdminPermissions(),
			UserAgent: cfg.UserAgent, Now: of.now,
		})
		if err != nil {
			return nil, err
		}
		of.app, cfg.App, cfg.Token = app, app, ""
	}
	forge, err := github.New(cfg)
	of.forge = forge
	return &of, err
}

func (g *githubCaretaker) instance(ctx context.Context) doctor.Instance {
	answered, err := g.forge.Instance(ctx)
	return doctor.Instance{Forge: doctor.GitHub, URL: g.url, Version: answered.Version, Ahead: answered.Ahead, ClockKnown: answered.ClockKnown, Err: err}
}

func (g *githubCaretaker) examine(ctx context.Context) []doctor.Finding {
	token, err := g.forge.Token(ctx)
	facts := doctor.GitHubToken{
		Kind: string(token.Kind), User: token.User, Scopes: token.Scopes, Permissions: token.Permissions, Needed: github.NeededPermissions(),
		Expires: token.Expires, Now: g.now(), Page: g.tokenPage(token), Err: err,
	}
	if err != nil {
		return facts.Findings()
	}
	repository, err := g.forge.Repository(ctx)
	if err != nil {
		facts.Role = promote.PermissionWrite // not known: the repository's own finding says why
		return append(facts.Findings(), doctor.GitHubRepository{URL: g.page(), Err: err}.Findings()...)
	}
	facts.Role, facts.Private = repository.Role, repository.Private
	var name []doctor.Finding
	if f, ok := doctor.Renamed(g.name, repository.Renamed); ok {
		name = append(name, f)
	}
	hook := g.webhook(ctx, token)
	return slices.Concat(facts.Findings(), name, g.repository(ctx, repository, token, hook).Findings(), hook.Findings())
}

func (g *githubCaretaker) heed(_ context.Context, policy doctor.Policy) []doctor.Finding {
	if !policy.Unseen {
		return nil
	}
	return doctor.GitHubUnseen{URL: g.page(), Branch: g.required, Required: g.required != ""}.Findings()
}

func (g *githubCaretaker) page() string { return webURL(g.url) + "/" + g.name }

// webURL is where people look at a GitHub, whose API was named perhaps.
func webURL(raw string) string {
	pages, err := github.Pages(raw)
	if err != nil {
		return strings.TrimRight(raw, "/")
	}
	return pages
}

func (g *githubCaretaker) tokenPage(token github.Token) string {
	switch {
	case token.Kind == github.TokenApp || g.app != nil:
		return cmp.Or(token.Page, webURL(g.url)+"/settings/installations")
	case token.Kind == github.TokenClassic:
		return webURL(g.url) + "/settings/tokens"
	}
	return webURL(g.url) + "/settings/personal-access-tokens"
}

func (g *githubCaretaker) repository(ctx context.Context, told github.Repository, token github.Token, hook doctor.Webhook) doctor.GitHubRepository {
	facts := doctor.GitHubRepository{
		URL: cmp.Or(told.URL, g.page()), Branch: promote.Branch(cmp.Or(g.branch, told.DefaultBranch)), Archived: told.Archived, Methods: told.Methods,
		AutoMerge: told.AutoMerge, App: token.App,
	}
	if ours := hook.Ours(); len(ours) > 0 {
		facts.Events = ours[0].Events
	}
	rules, err := g.forge.Rules(ctx, facts.Branch)
	if err != nil {
		facts.RulesErr = err
		return facts
	}
	facts.MergeQueue = rules.MergeQueue
	for _, required := range rules.Required {
		facts.Requirements = append(facts.Requirements, doctor.Requirement(required))
		if strings.EqualFold(required.Context, promote.StatusName) {
			g.required = facts.Branch
		}
	}
	ledger, err := g.forge.Rules(ctx, promote.LedgerBranch)
	facts.Ledger, facts.RulesErr = doctor.GitHubLedger{Deletion: ledger.Deletion, Rewrite: ledger.Rewrite}, err
	return facts
}

// webhook looks at the webhook of the App where there is one, and at those of the repository otherwise.
func (g *githubCaretaker) webhook(ctx context.Context, token github.Token) doctor.Webhook {
	facts := doctor.Webhook{
		Forge: doctor.GitHub, URL: doctor.HookURL(g.public, doctor.GitHub), Needed: github.HookEvents(), Page: g.page() + "/settings/hooks",
		Variable: "LOCKKEEPER_GITHUB_WEBHOOK_SECRET", Secret: len(g.secrets.GitHubSecret) > 0,
		Setup: fmt.Sprintf("lockkeeper setup github --repository %s --url %s", g.name, orPlaceholder(g.public)),
	}
	if g.app != nil {
		facts.Page, facts.App = webURL(g.url)+"/settings/apps/"+token.Slug, true
		if token.Organization != "" {
			facts.Page = webURL(g.url) + "/organizations/" + token.Organization + "/settings/apps/" + token.Slug
		}
		hook, err := g.forge.AppHook(ctx)
		if err != nil {
			facts.Err = err
			return facts
		}
		hook.Events = token.Events
		facts.Hooks, facts.Err = g.told(ctx, []github.Hook{hook})
		return facts
	}
	hooks, err := g.forge.Hooks(ctx)
	if err != nil {
		facts.Err = err
		return facts
	}
	facts.Hooks, facts.Err = g.told(ctx, hooks)
	return facts
}

// told are hooks as facts; of those that may be ours also how their deliveries went.
func (g *githubCaretaker) told(ctx context.Context, hooks []github.Hook) ([]doctor.Hook, error) {
	var out []doctor.Hook
	for _, hook := range hooks {
		facts := doctor.Hook{
			ID: hook.ID, URL: hook.URL, Events: hook.Events, Verify: hook.Verify, Secret: hook.Secret, Disabled: !hook.Active, Form: hook.Form,
		}
		if strings.HasSuffix(strings.TrimRight(hook.URL, "/"), "/webhook/github") {
			deliveries, err := g.forge.Deliveries(ctx, hook.ID)
			if err != nil && !errors.Is(err, promote.ErrNotFound) {
				return nil, err
			}
			for _, delivery := range deliveries {
				facts.Last = append(facts.Last, doctor.Delivery{Event: delivery.Event, At: delivery.At, Status: delivery.Status})
			}
		}
		out = append(out, facts)
	}
	return out, nil
}

func (g *githubCaretaker) apply(ctx context.Context, fix doctor.Fix) error {
	edit := github.HookEdit{ID: fix.Hook, URL: doctor.HookURL(g.public, doctor.GitHub)}
	switch fix.Kind {
	case doctor.FixHook:
		if fix.Hook == 0 && g.app == nil {
			edit.Secret = first(g.secrets.GitHubSecret)
		}
		return g.setHook(ctx, edit)
	case doctor.FixHookSecret:
		edit.Secret = first(g.secrets.GitHubSecret)
		if err := g.setHook(ctx, edit); err != nil || g.app != nil {
			return err
		}
		return g.forge.PingHook(ctx, fix.Hook)
	case doctor.FixRequirement:
		err := g.forge.RequireStatus(ctx, fix.Branch)
		if err == nil {
			g.required = fix.Branch
		}
		return err
	case doctor.FixLedger:
		return g.forge.ProtectLedger(ctx)
	case doctor.FixNothing, doctor.FixPipelines, doctor.FixApprovals, doctor.FixStatusChecks:
	}
	return nil
}

func (g *githubCaretaker) setHook(ctx context.Context, edit github.HookEdit) error {
	if g.app != nil {
		return g.forge.SetAppHook(ctx, edit)
	}
	_, err := g.forge.SetHook(ctx, edit)
	return err
}
