package main

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/doctor"
	"github.com/lockkeeper/lockkeeper/internal/forge/gitlab"
	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
)

// gitlabCaretaker looks after one project on GitLab.
type gitlabCaretaker struct {
	forge   *gitlab.Forge
	url     string // of the instance
	project string
	branch  string // that Argo CD deploys; empty: the default branch
	public  string // where our server is reached; empty: nobody said
	group   string // whose webhook it is; empty: the project's
	check   string // the external status check that is answered; empty: none
	secrets secrets
	kind    gitlab.TokenKind
	now     func() time.Time
	set     gitlab.Project // how the project is set up, as examine found; the zero value: it is not known
}

func newGitLabCaretaker(of gitlabCaretaker) (*gitlabCaretaker, error) {
	forge, err := gitlab.New(gitlab.Config{URL: of.url, Project: of.project, Token: secret.Text(of.secrets.GitLabToken), TokenKind: of.kind, UserAgent: "lockkeeper/" + version, Now: of.now})
	of.forge = forge
	return &of, err
}

func (g *gitlabCaretaker) instance(ctx context.Context) doctor.Instance {
	answered, err := g.forge.Instance(ctx)
	return doctor.Instance{Forge: doctor.GitLab, URL: g.url, Version: answered.Version, Ahead: answered.Ahead, ClockKnown: answered.ClockKnown, Err: err}
}

func (g *gitlabCaretaker) examine(ctx context.Context) []doctor.Finding {
	token := g.token(ctx)
	found := token.Findings()
	if token.Err != nil {
		return found
	}
	project, err := g.forge.Project(ctx)
	if f, ok := doctor.Renamed(g.project, project.Renamed); ok {
		found = append(found, f)
	}
	if project.URL == "" {
		project.URL = strings.TrimRight(g.url, "/") + "/" + g.project
	}
	found = append(found, doctor.GitLabProject{
		URL: project.URL, Archived: project.Archived, PipelinesMustSucceed: project.PipelinesMustSucceed, SkippedIsSuccess: project.SkippedIsSuccess,
		MergedResults: project.MergedResults, MergeTrains: project.MergeTrains, Err: err,
	}.Findings()...)
	if err != nil {
		return found
	}
	g.set = project
	found = append(found, g.branches(ctx, project, token.Role).Findings()...)
	found = append(found, g.statusCheck(ctx, project).Findings()...)
	return append(found, g.webhook(ctx, project.URL).Findings()...)
}

func (g *gitlabCaretaker) heed(ctx context.Context, policy doctor.Policy) []doctor.Finding {
	if g.set.URL == "" {
		return nil // the findings about the project say why
	}
	var found []doctor.Finding
	if policy.Approvals {
		facts := doctor.GitLabApprovals{URL: g.set.URL}
		facts.Reset, facts.Err = g.forge.ResetsApprovals(ctx)
		found = append(found, facts.Findings()...)
	}
	if policy.Unseen {
		found = append(found, doctor.GitLabUnseen{URL: g.set.URL, PipelinesMustSucceed: g.set.PipelinesMustSucceed}.Findings()...)
	}
	return found
}

func (g *gitlabCaretaker) token(ctx context.Context) doctor.GitLabToken {
	told, err := g.forge.Token(ctx)
	page := strings.TrimRight(g.url, "/")
	switch told.Kind {
	case gitlab.AccessProject:
		page += "/" + g.project + "/-/settings/access_tokens"
	case gitlab.AccessGroup:
		page += "/groups/" + path.Dir(g.project) + "/-/settings/access_tokens"
	default:
		page += "/-/user_settings/personal_access_tokens"
	}
	return doctor.GitLabToken{
		Kind: string(told.Kind), User: told.User, Role: told.Role, Scopes: told.Scopes, Expires: told.Expires, Now: g.now(), Page: page, Err: err,
	}
}

func (g *gitlabCaretaker) branches(ctx context.Context, project gitlab.Project, role promote.Permission) doctor.GitLabBranches {
	facts := doctor.GitLabBranches{URL: project.URL, Target: g.target(project), Role: role}
	rules, err := g.forge.Protections(ctx)
	if err != nil {
		facts.Err = err
		return facts
	}
	facts.Self, facts.Err = g.forge.SelfID(ctx)
	grants := func(from []gitlab.Grant) []doctor.Grant {
		out := make([]doctor.Grant, len(from))
		for i, grant := range from {
			out[i] = doctor.Grant(grant)
		}
		return out
	}
	for _, rule := range rules {
		facts.Rules = append(facts.Rules, doctor.Rule{Name: rule.Name, Push: grants(rule.Push), Merge: grants(rule.Merge), ForcePush: rule.ForcePush})
	}
	return facts
}

// target is the branch that Argo CD deploys.
func (g *gitlabCaretaker) target(project gitlab.Project) promote.Branch {
	return promote.Branch(cmp.Or(g.branch, project.DefaultBranch))
}

// statusCheck asks for the external status checks where one is configured.
func (g *gitlabCaretaker) statusCheck(ctx context.Context, project gitlab.Project) doctor.GitLabCheck {
	facts := doctor.GitLabCheck{URL: project.URL, Name: g.check, Target: g.target(project), Required: project.ChecksMustSucceed}
	if g.check == "" {
		return facts
	}
	checks, err := g.forge.ExternalChecks(ctx)
	for _, check := range checks {
		facts.Checks = append(facts.Checks, doctor.ExternalCheck(check))
	}
	facts.Err = err
	return facts
}

// webhook looks at the webhooks of the project, or of the group that was named. Where the project has none of ours, those of the
// groups above are looked at, which takes more rights than most tokens have.
func (g *gitlabCaretaker) webhook(ctx context.Context, page string) doctor.Webhook {
	facts := doctor.Webhook{
		Forge: doctor.GitLab, URL: doctor.HookURL(g.public, doctor.GitLab), Needed: gitlab.HookEvents(g.set.MergeTrains), Page: page + "/-/hooks",
		Variable: "LOCKKEEPER_GITLAB_WEBHOOK_TOKEN", Secret: len(g.secrets.WebhookToken)+len(g.secrets.SigningToken) > 0,
		Setup: fmt.Sprintf("lockkeeper setup gitlab --project %s --url %s", g.project, orPlaceholder(g.public)),
	}
	if g.group != "" {
		facts.Page = g.groupPage(g.group)
	}
	facts.Hooks, facts.Err = g.hooks(ctx, g.group)
	if facts.Err != nil || g.group != "" || len(facts.Ours()) > 0 {
		return facts
	}
	for above := path.Dir(g.project); above != "." && above != "/"; above = path.Dir(above) {
		hooks, err := g.hooks(ctx, above)
		if err != nil {
			break // they take GitLab Premium and the role Owner
		}
		shared := facts
		shared.Hooks, shared.Page, shared.ByHand = hooks, g.groupPage(above), true
		if len(shared.Ours()) > 0 {
			return shared
		}
	}
	return facts
}

func (g *gitlabCaretaker) groupPage(group string) string {
	return strings.TrimRight(g.url, "/") + "/groups/" + group + "/-/hooks"
}

func (g *gitlabCaretaker) hooks(ctx context.Context, group string) ([]doctor.Hook, error) {
	found, err := g.forge.Hooks(ctx, group)
	if err != nil {
		return nil, err
	}
	hooks := make([]doctor.Hook, len(found))
	for i, hook := range found {
		hooks[i] = doctor.Hook{
			ID: hook.ID, URL: hook.URL, Events: hook.Events, Verify: hook.Verify, Secret: hook.Secret, Disabled: hook.Disabled, Filtered: hook.Filtered,
		}
		if group != "" || !strings.HasSuffix(strings.TrimRight(hook.URL, "/"), "/webhook/gitlab") {
			continue
		}
		deliveries, err := g.forge.Deliveries(ctx, hook.ID)
		if err != nil {
			return nil, err
		}
		for _, delivery := range deliveries {
			hooks[i].Last = append(hooks[i].Last, doctor.Delivery{Event: delivery.Event, Status: delivery.Status})
		}
	}
	return hooks, nil
}

func (g *gitlabCaretaker) apply(ctx context.Context, fix doctor.Fix) error {
	edit := gitlab.HookEdit{ID: fix.Hook, Group: g.group, Trains: g.set.MergeTrains, URL: doctor.HookURL(g.public, doctor.GitLab)}
	switch fix.Kind {
	case doctor.FixHook:
		if fix.Hook == 0 {
			edit.Token, edit.SigningToken = first(g.secrets.WebhookToken), first(g.secrets.SigningToken)
		}
		return g.setHook(ctx, edit)
	case doctor.FixHookSecret:
		edit.Token, edit.SigningToken = first(g.secrets.WebhookToken), first(g.secrets.SigningToken)
		if err := g.setHook(ctx, edit); err != nil || g.group != "" {
			return err
		}
		return g.forge.TestHook(ctx, fix.Hook)
	case doctor.FixPipelines:
		err := g.forge.RequirePipelines(ctx)
		g.set.PipelinesMustSucceed = g.set.PipelinesMustSucceed || err == nil
		return err
	case doctor.FixApprovals:
		return g.forge.ResetApprovals(ctx)
	case doctor.FixStatusChecks:
		return g.forge.RequireExternalChecks(ctx)
	case doctor.FixLedger:
		return g.forge.Protect(ctx, fix.Branch, fix.Least)
	case doctor.FixNothing, doctor.FixRequirement:
	}
	return nil
}

// setHook keeps the address that a webhook has where nobody said ours: only its suffix made it ours.
func (g *gitlabCaretaker) setHook(ctx context.Context, edit gitlab.HookEdit) error {
	if edit.URL == "" {
		hooks, err := g.forge.Hooks(ctx, g.group)
		if err != nil {
			return err
		}
		for _, hook := range hooks {
			if hook.ID == edit.ID {
				edit.URL = hook.URL
			}
		}
	}
	_, err := g.forge.SetHook(ctx, edit)
	return err
}

// first is the secret that is sent when several are taken while rotating.
func first(secrets []string) secret.Text {
	if len(secrets) == 0 {
		return ""
	}
	return secret.Text(secrets[0])
}

func orPlaceholder(public string) string {
	if public == "" {
		return "https://lockkeeper.example.com"
	}
	return public
}
