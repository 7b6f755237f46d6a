package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockkeeper/lockkeeper/internal/forge/github"
)

type setupGitHub struct {
	setupFlags
	repository string
	url        string
	branch     string

	app          bool
	organization string
	name         string
	out          string
	listen       string
}

func newSetupGitHub(env environment) *cobra.Command {
	var o setupGitHub
	cmd := &cobra.Command{
		Use:   "github",
		Short: "Make a GitHub App, or register the webhook of a repository, and make the gates hold",
		Long: `Setup github --app makes a GitHub App of your own: it serves a page on this machine that sends you to GitHub with what the App needs,
takes the App's private key and webhook secret from GitHub's answer, and writes them to a file that only you can read. It is done
once for an account or an organization. Then install the App on the repositories.

Setup github --repository makes the status lockkeeper/gates required by a ruleset, from the App where one is used, protects the branch
lockkeeper/ledger, and registers the webhook (that of an App is set on the App). For this the App or the token needs Administration:
read and write; an App that is not given so much is told what to click.

The webhook's secret is that of LOCKKEEPER_GITHUB_WEBHOOK_SECRET. Where it is not set and the webhook has none yet, one is made and
shown once.

Exit codes:
  0  all is set up
  1  something could not be set; what to click is said`,
		Example: `  lockkeeper setup github --app --url https://lockkeeper.example.com --organization acme --out lockkeeper.env
  lockkeeper setup github --repository acme/gitops --url https://lockkeeper.example.com --dry-run
  lockkeeper setup github --repository acme/gitops --url https://lockkeeper.example.com --github-url https://github.example.com`,
		Args: onlyFlags("repository"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			if o.app {
				return o.makeApp(cmd.Context(), env)
			}
			return o.run(cmd.Context(), env)
		},
	}
	cmd.Flags().StringVar(&o.repository, "repository", "", "the repository, as owner/name")
	cmd.Flags().StringVar(&o.url, "github-url", "https://github.com", "GitHub's own URL")
	cmd.Flags().StringVar(&o.branch, "branch", "", "branch that Argo CD deploys (default: the default branch)")
	cmd.Flags().BoolVar(&o.app, "app", false, "make a GitHub App, in the browser")
	cmd.Flags().StringVar(&o.organization, "organization", "", "with --app: the organization that owns the App (default: you)")
	cmd.Flags().StringVar(&o.name, "name", "", "with --app: its name, unique on GitHub (default: Lockkeeper, and the organization)")
	cmd.Flags().StringVar(&o.out, "out", "lockkeeper.env", "with --app: the file to write its ID, key and secret to; it must not exist")
	cmd.Flags().StringVar(&o.listen, "listen", "127.0.0.1:0", "with --app: where the page is served, on this machine only")
	o.flags(cmd)
	return cmd
}

func (o *setupGitHub) check() error {
	if err := checkURL(o.url); err != nil {
		return fmt.Errorf("--github-url: %w", err)
	}
	o.repository = strings.Trim(o.repository, "/")
	switch {
	case o.app && o.repository != "":
		return errors.New("--app makes an App for many repositories: run it alone, then again with --repository")
	case !o.app && o.repository == "":
		return errors.New("--repository is missing: the repository, as owner/name; or --app to make a GitHub App first")
	}
	return o.setupFlags.check()
}

func (o *setupGitHub) run(ctx context.Context, env environment) error {
	s, err := readSecrets(env.getenv)
	if err != nil {
		return err
	}
	if s.GitHubToken == "" && s.GitHubAppID == 0 {
		return errors.New("no credentials of GitHub: make an App with `lockkeeper setup github --app` and set LOCKKEEPER_GITHUB_APP_ID and LOCKKEEPER_GITHUB_APP_KEY, " +
			"or set LOCKKEEPER_GITHUB_TOKEN to a token with scope repo")
	}
	by, err := newGitHubCaretaker(githubCaretaker{
		url: o.url, name: o.repository, branch: o.branch, public: o.public, secrets: s, now: time.Now,
	})
	if err != nil {
		return err
	}
	made := ""
	hook := by.webhook(ctx, github.Token{})
	if hook.Unsecured() {
		made = newSecret()
		by.secrets.GitHubSecret = []string{made}
	}
	found := by.examine(ctx)
	done, err := o.install(ctx, env.out, by, found)
	if err != nil {
		return err
	}
	if unseen(found) {
		return errors.New("nothing was set up: put this right, and run it again")
	}
	webhook := o.secret("LOCKKEEPER_GITHUB_WEBHOOK_SECRET", made, len(by.secrets.GitHubSecret) > 0, hook)
	return errors.Join(o.next(env.out, by, webhook), settled(done))
}

// next prints what is left to do.
func (o *setupGitHub) next(w io.Writer, by *githubCaretaker, webhook variable) error {
	config := "publicURL: " + strings.TrimRight(o.public, "/") + "\n"
	if webURL(o.url) != "https://github.com" {
		config += "github:\n  url: " + webURL(o.url) + "\n"
	}
	config += fmt.Sprintf("repositories:\n  - project: %s\n    forge: github\n", o.repository)
	if o.branch != "" {
		config += "    branch: " + o.branch + "\n"
	}
	credentials := []variable{{"LOCKKEEPER_GITHUB_TOKEN", "token that may write contents, pull requests, issues and statuses"}}
	if by.app != nil {
		credentials = []variable{{"LOCKKEEPER_GITHUB_APP_ID", "as it is now"}, {"LOCKKEEPER_GITHUB_APP_KEY", "as it is now"}}
	}
	return next{config: config, variables: append(credentials, webhook)}.print(w)
}
