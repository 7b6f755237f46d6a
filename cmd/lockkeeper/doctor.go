package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockkeeper/lockkeeper/ci"
	"github.com/lockkeeper/lockkeeper/internal/doctor"
)

// exitWarnings is the code of a doctor that found nothing worse than warnings.
const exitWarnings = 2

type doctorOptions struct {
	path   string
	public string
	output string
	fix    bool
}

func newDoctor(env environment) *cobra.Command {
	var o doctorOptions
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check an installation: forge, token, webhook, protections, Argo CD, registries",
		Long: `Doctor looks at everything that a server with this configuration needs, and says for each thing whether it works and what to do:
which page to click, which command to run. It reads; with --fix it also does what the forge's API can do, and names each thing it
changed. Running it twice changes nothing the second time.

Whether the server is reached from outside is not guessed: what the forge's last delivery was answered is said.

` + variablesHelp() + `

Exit codes:
  0  all is fine
  1  something does not work
  2  it works, with warnings`,
		Example: `  lockkeeper doctor --config lockkeeper-server.yaml
  lockkeeper doctor --url https://lockkeeper.example.com   # when the configuration has no publicURL
  lockkeeper doctor --fix                                  # and put right what can be
  lockkeeper doctor --output json                          # for a program`,
		Args: onlyFlags("config"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(o.output, "text", "json", "markdown"); err != nil {
				return err
			}
			if err := checkURL(o.public); o.public != "" && err != nil {
				return fmt.Errorf("--url: %w", err)
			}
			return o.run(cmd.Context(), env)
		},
	}
	cmd.Flags().StringVar(&o.path, "config", "lockkeeper-server.yaml", "the server's configuration file")
	cmd.Flags().StringVar(&o.public, "url", "", "where the forges reach the server (default: publicURL of the configuration)")
	cmd.Flags().StringVarP(&o.output, "output", "o", "text", "text, markdown or json")
	cmd.Flags().BoolVar(&o.fix, "fix", false, "do what can be done by API, and say what was done")
	return cmd
}

func (o *doctorOptions) run(ctx context.Context, env environment) error {
	p := newProgress(env.err, isTerminal(env.err))
	defer p.end()
	report := o.examine(ctx, env, p)
	p.end()
	if err := printReport(env, o.output, report); err != nil {
		return err
	}
	switch report.Worst() {
	case doctor.Failure:
		return &exitError{code: ci.ExitFailed}
	case doctor.Warning:
		return &exitError{code: exitWarnings}
	default:
		return nil
	}
}

// examine looks at the server, and then at each repository. What cannot be built is a finding; what does not need it is looked at
// all the same.
func (o *doctorOptions) examine(ctx context.Context, env environment, p *progress) doctor.Report {
	p.step("reading the configuration")
	broken := func(err error) doctor.Report {
		remedy := "correct it, and run this again; docs/reference.md has every key and variable"
		return doctor.Report{{Name: "server", Findings: []doctor.Finding{{Verdict: doctor.Failure, Check: "configuration", Text: err.Error(), Remedy: remedy}}}}
	}
	cfg, err := readServerConfig(o.path)
	if err != nil {
		return broken(err)
	}
	s, err := readSecrets(env.getenv)
	if err != nil {
		return broken(err)
	}
	if s.registries, err = registryHooks(cfg.RegistryWebhooks, env.getenv); err != nil {
		return broken(err)
	}
	if o.public != "" {
		cfg.PublicURL = o.public
	}
	parts, err := newParts(cfg, s, slog.New(slog.DiscardHandler))
	if err != nil {
		return broken(err)
	}
	if parts.renderer.Workers != nil {
		defer parts.renderer.Workers.Close()
	}
	c := &checkup{parts: parts, path: o.path, fix: o.fix, progress: p, now: time.Now}
	report := doctor.Report{c.server(ctx)}
	for _, repository := range cfg.Repositories {
		p.step("looking at %s", repository.name())
		report = append(report, doctor.Section{Name: repository.name(), Findings: c.repository(ctx, repository)})
	}
	return report
}

// checkup is one run of the doctor.
type checkup struct {
	*parts
	path     string
	fix      bool
	progress *progress
	now      func() time.Time
	answers  bool // Argo CD does, and takes the token
}

// caretaker looks at one repository on its forge, and changes its settings there.
type caretaker interface {
	// instance asks whether the forge answers.
	instance(ctx context.Context) doctor.Instance
	// examine looks at the token, the webhook and the protections.
	examine(ctx context.Context) []doctor.Finding
	// heed looks at what the settings of the forge make of the policy of the default branch, after examine.
	heed(ctx context.Context, policy doctor.Policy) []doctor.Finding
	// apply makes one change.
	apply(ctx context.Context, fix doctor.Fix) error
}

// caretaker is who looks after a repository.
func (c *checkup) caretaker(repository repositoryConfig) (caretaker, error) {
	name := strings.Trim(repository.Project, "/")
	if c.secrets.forgeOf(repository) == forgeGitHub {
		return newGitHubCaretaker(githubCaretaker{
			url: c.config.GitHub.URL, name: name, branch: repository.Branch, public: c.config.PublicURL, secrets: c.secrets, now: c.now,
		})
	}
	return newGitLabCaretaker(gitlabCaretaker{
		kind: gitlabTokens[c.config.GitLab.TokenKind].kind, check: c.config.GitLab.ExternalStatusCheck,
		url: c.config.GitLab.URL, project: name, branch: repository.Branch, public: c.config.PublicURL, secrets: c.secrets, now: c.now,
	})
}

// treat makes the changes that findings ask for, and says in them how it went.
func treat(ctx context.Context, by caretaker, findings []doctor.Finding) []doctor.Finding {
	done := map[doctor.Fix]error{}
	for _, fix := range doctor.Fixes(findings) {
		done[fix] = by.apply(ctx, fix)
	}
	return doctor.Applied(findings, done)
}
