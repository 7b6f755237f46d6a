package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockkeeper/lockkeeper/promote"
)

type setupGitLab struct {
	setupFlags
	project string
	group   string
	url     string
	branch  string
}

func newSetupGitLab(env environment) *cobra.Command {
	var o setupGitLab
	cmd := &cobra.Command{
		Use:   "gitlab",
		Short: "Register the webhook of a GitLab project, and make the gates hold",
		Long: `Setup gitlab registers the webhook of a project on gitlab.com or a GitLab of your own, switches "Pipelines must succeed" on and
protects the branch lockkeeper/ledger. Its token needs scope api and role Maintainer, for this at least.

The webhook's secret is that of LOCKKEEPER_GITLAB_WEBHOOK_TOKEN or LOCKKEEPER_GITLAB_SIGNING_TOKEN. Where neither is set and the
webhook has none yet, one is made and shown once.

Exit codes:
  0  all is set up
  1  something could not be set; what to click is said`,
		Example: `  lockkeeper setup gitlab --project group/repository --url https://lockkeeper.example.com --dry-run
  lockkeeper setup gitlab --project group/repository --url https://lockkeeper.example.com
  lockkeeper setup gitlab --project group/repository --group group --url https://lockkeeper.example.com   # one webhook for all (Premium)`,
		Args: onlyFlags("project"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return o.run(cmd.Context(), env)
		},
	}
	cmd.Flags().StringVar(&o.project, "project", "", "path of the project, such as group/repository (required)")
	cmd.Flags().StringVar(&o.group, "group", "", "register the webhook of this group instead, for all its projects (GitLab Premium, role Owner)")
	cmd.Flags().StringVar(&o.url, "gitlab-url", "https://gitlab.com", "GitLab's own URL")
	cmd.Flags().StringVar(&o.branch, "branch", "", "branch that Argo CD deploys (default: the default branch)")
	o.flags(cmd)
	return cmd
}

func (o *setupGitLab) check() error {
	if o.project = strings.Trim(o.project, "/"); o.project == "" {
		return errors.New("--project is missing: the path of the project, such as group/repository")
	}
	if err := checkURL(o.url); err != nil {
		return fmt.Errorf("--gitlab-url: %w", err)
	}
	return o.setupFlags.check()
}

func (o *setupGitLab) run(ctx context.Context, env environment) error {
	s, err := readSecrets(env.getenv)
	if err != nil {
		return err
	}
	if s.GitLabToken == "" {
		return errors.New("no GitLab token: set LOCKKEEPER_GITLAB_TOKEN to a token with scope api and role Maintainer")
	}
	by, err := newGitLabCaretaker(gitlabCaretaker{
		url: o.url, project: o.project, branch: o.branch, public: o.public, group: strings.Trim(o.group, "/"), secrets: s, now: time.Now,
	})
	if err != nil {
		return err
	}
	if err := o.tier(ctx, by); err != nil {
		return err
	}
	made := ""
	hook := by.webhook(ctx, "")
	if hook.Unsecured() {
		made = newSecret()
		by.secrets.WebhookToken = []string{made}
	}
	found := by.examine(ctx)
	done, err := o.install(ctx, env.out, by, found)
	if err != nil {
		return err
	}
	if unseen(found) {
		return errors.New("nothing was set up: put this right, and run it again")
	}
	if err := o.advise(ctx, env.out, by); err != nil {
		return err
	}
	name := "LOCKKEEPER_GITLAB_WEBHOOK_TOKEN"
	if len(by.secrets.WebhookToken) == 0 && len(by.secrets.SigningToken) > 0 {
		name = "LOCKKEEPER_GITLAB_SIGNING_TOKEN"
	}
	webhook := o.secret(name, made, len(by.secrets.WebhookToken)+len(by.secrets.SigningToken) > 0, hook)
	return errors.Join(o.next(env.out, webhook), settled(done))
}

// tier says why a group's webhooks cannot be had.
func (o *setupGitLab) tier(ctx context.Context, by *gitlabCaretaker) error {
	if by.group == "" {
		return nil
	}
	_, err := by.forge.Hooks(ctx, by.group)
	if errors.Is(err, promote.ErrForbidden) || errors.Is(err, promote.ErrNotFound) {
		return fmt.Errorf("the webhooks of group %q cannot be had: groups have them in GitLab Premium and Ultimate, and they take the role Owner; "+
			"leave --group out to register that of the project: %w", by.group, err)
	}
	return err
}

// advise says what is left alone and may surprise people. Where it cannot be read, or the edition has no such setting, it says nothing.
func (o *setupGitLab) advise(ctx context.Context, w io.Writer, by *gitlabCaretaker) error {
	if o.noProtect || by.set.URL == "" {
		return nil
	}
	if reset, err := by.forge.ResetsApprovals(ctx); err != nil || reset {
		return nil //nolint:nilerr // the doctor says why, where a step counts approvals
	}
	_, err := fmt.Fprintf(w, "note   \"Remove all approvals when commits are added\" is off: GitLab goes on showing approvals of older commits, which no step counts\n"+
		"       → switch it on under %s/-/settings/merge_requests, or have doctor --fix do it where a step counts them\n", by.set.URL)
	return err
}

// next prints what is left to do.
func (o *setupGitLab) next(w io.Writer, webhook variable) error {
	config := fmt.Sprintf("publicURL: %s\ngitlab:\n  url: %s\nrepositories:\n  - project: %s\n", strings.TrimRight(o.public, "/"), strings.TrimRight(o.url, "/"), o.project)
	if o.branch != "" {
		config += "    branch: " + o.branch + "\n"
	}
	return next{config: config, variables: []variable{
		{"LOCKKEEPER_GITLAB_TOKEN", "access token with scope api; role Developer will do where people merge and the ledger lets it push"},
		webhook,
	}}.print(w)
}
