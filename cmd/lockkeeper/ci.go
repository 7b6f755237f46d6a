package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockkeeper/lockkeeper/ci"
	"github.com/lockkeeper/lockkeeper/internal/forge/github"
	"github.com/lockkeeper/lockkeeper/internal/jsontext"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
	"github.com/lockkeeper/lockkeeper/render/diff"
)

// target says which repository a one-shot command works on.
type target struct {
	config  string
	forge   string
	gitlab  string
	github  string
	project string
	branch  string
	urls    []string
	argocd  string
	verbose bool
}

func (t *target) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&t.config, "config", "", "read the server's configuration file instead of the flags")
	flags.StringVar(&t.forge, "forge", "", "gitlab or github (default: the one that runs the job, else the one that credentials are set for)")
	flags.StringVar(&t.gitlab, "gitlab-url", "", "GitLab instance (default: the one that runs the job, else https://gitlab.com)")
	flags.StringVar(&t.github, "github-url", "", "GitHub instance (default: the one that runs the job, else https://github.com)")
	flags.StringVar(&t.project, "project", "", "project, such as group/repository (default: the one that runs the job)")
	flags.StringVar(&t.branch, "branch", "", "branch that Argo CD deploys (default: the default branch)")
	flags.StringSliceVar(&t.urls, "url", nil, "another spelling of the repository's URL that its manifests use")
	flags.StringVar(&t.argocd, "argocd-url", "", "Argo CD API server (default: $LOCKKEEPER_ARGOCD_URL)")
	flags.BoolVar(&t.verbose, "verbose", false, "log what is done")
}

// runner builds the loop that a one-shot command runs.
func (t *target) runner(env environment) (*reconcile.Reconciler, error) {
	cfg, err := t.serverConfig(env)
	if err != nil {
		return nil, err
	}
	s, err := readSecrets(env.getenv)
	if err != nil {
		return nil, err
	}
	log := io.Discard
	if t.verbose {
		log = env.err
	}
	p, err := newParts(cfg, s, newLog(log, "text", true))
	if err != nil {
		return nil, err
	}
	place, err := p.place(cfg.Repositories[0])
	if err != nil {
		return nil, err
	}
	return p.reconciler(cfg.Repositories[0], place)
}

func (t *target) serverConfig(env environment) (serverConfig, error) {
	if t.config != "" {
		cfg, err := readServerConfig(t.config)
		if err != nil {
			return cfg, err
		}
		return cfg, t.choose(&cfg)
	}
	job := ci.Detect(env.getenv, os.ReadFile)
	cfg := serverConfig{
		GitLab: gitlabConfig{URL: t.gitlab}, GitHub: githubConfig{URL: t.github}, ArgoCD: argocdConfig{URL: t.argocd},
		Repositories: []repositoryConfig{{
			Project: cmp.Or(t.project, job.Project), Branch: cmp.Or(t.branch, job.Branch), URLs: t.urls, Forge: cmp.Or(t.forge, job.System),
		}},
	}
	switch job.System {
	case forgeGitLab:
		setDefault(&cfg.GitLab.URL, job.Server)
	case forgeGitHub:
		setDefault(&cfg.GitHub.URL, job.Server)
	}
	if cfg.Repositories[0].Project == "" {
		return cfg, errors.New("no project: name it with --project group/repository, or run this in a job of GitLab CI or GitHub Actions")
	}
	return cfg, cfg.complete()
}

// choose keeps the one repository of a configuration file that the command is for.
func (t *target) choose(cfg *serverConfig) error {
	wanted := strings.Trim(t.project, "/")
	var found []repositoryConfig
	var names []string
	for _, repository := range cfg.Repositories {
		if t.forge != "" && repository.Forge != "" && repository.Forge != t.forge {
			continue
		}
		repository.Forge = cmp.Or(t.forge, repository.Forge)
		names = append(names, repository.name())
		if wanted == "" || strings.EqualFold(repository.path(), wanted) || repository.Forge != "" && repository.Forge+":"+repository.path() == wanted {
			found = append(found, repository)
		}
	}
	switch {
	case len(found) == 1:
		cfg.Repositories = found
		return cfg.nameRepositories() // --forge may be none
	case len(found) == 0:
		return t.unknown(names)
	case wanted == "":
		return fmt.Errorf("%s has %d repositories: choose one with --project, such as --project %s", t.config, len(found), names[0])
	}
	return fmt.Errorf("%s has %q on both forges: choose one with --forge", t.config, wanted)
}

// unknown says that a configuration file has no such repository.
func (t *target) unknown(names []string) error {
	text := t.config + " has no repository"
	if t.project != "" {
		text += fmt.Sprintf(" %q", t.project)
	}
	if t.forge != "" {
		text += " on " + t.forge
	}
	if near, ok := promote.Nearest(t.project, names); ok && t.project != "" {
		text += fmt.Sprintf("; did you mean %q?", near)
	}
	return errors.New(text)
}

func newCI(env environment) *cobra.Command {
	var t target
	var output, command string
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "ci",
		Short: "Run the loop once, as a CI job: the same decisions without a server",
		Long: `Ci observes, decides and acts until nothing is left to do, and exits. Run it on a schedule and on pushes. In GitHub
Actions also on issue_comment, pull_request_target and merge_group: comments are obeyed, changes of people shown and judged, and
commits of merge queues judged, without a server.

With --command it first does what a comment on a merge request would ask for: promote to a stage that no policy names, roll
back, hold, say how things stand. In a job of GitLab or GitHub that takes the permission of who
started it, at most to write, else that of the token.

Exit codes:
  0  done, or nothing to do
  1  something failed, the command was refused, or a stage cannot go on without a correction
  2  a promotion is on its way and waits: for a gate, a merge, or Argo CD

` + variablesHelp(),
		Example: `  lockkeeper ci                                     # in a job of GitLab CI or GitHub Actions
  lockkeeper ci --project group/repository          # anywhere
  lockkeeper ci --wait 10m                          # also watch what was merged until it is healthy
  lockkeeper ci --command "/promote staging 1.4.0"  # what people write in comments, without one`,
		Args: orCommand(onlyFlags("project")),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output, "text", "json", "markdown"); err != nil {
				return err
			}
			asked := commandOf(env, command)
			if asked.Body != "" {
				if err := promote.CheckCommand(asked.Body); err != nil {
					return err
				}
			}
			return runJob(cmd.Context(), env, job{target: t, command: asked, output: output, wait: wait})
		},
	}
	t.flags(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text, markdown or json")
	cmd.Flags().DurationVar(&wait, "wait", 0, "how long to watch a delivery that is on its way")
	cmd.Flags().StringVar(&command, "command", "", "do this first, as if it were a comment (default: $LOCKKEEPER_COMMAND)")
	return cmd
}

// job is what ci is told to do.
type job struct {
	target  target          // required
	command reconcile.Asked // none when its Body is empty
	output  string          // required
	wait    time.Duration
}

// runJob runs the loop once. What repositories and the forge say cannot command the system that shows the log.
func runJob(ctx context.Context, env environment, j job) error {
	shown := env
	shown.out, shown.err = ci.Inert(env.out), ci.Inert(env.err)
	runner, err := j.target.runner(shown)
	if err != nil {
		return errors.Join(err, annotateError(env, err))
	}
	progress := shown.err
	if j.output == "text" {
		progress = shown.out
	}
	result, err := ci.Run(ctx, ci.Config{
		Runner: runner, Command: j.command, Events: jobEvents(env), Wait: j.wait, Progress: progress, Now: time.Now, Sleep: sleep,
	})
	if err := errors.Join(printResult(shown.out, j.output, result, err), tellActions(env, result, err)); err != nil {
		return err
	}
	if result.Exit == ci.ExitDone {
		return nil
	}
	return &exitError{code: result.Exit, err: err}
}

// jobEvents are what a job was started by: a comment is obeyed, a change of a person reviewed, and the commit of a merge queue
// judged, as if a webhook had told of it. A button of a check run cannot be asked after on the forge, and whoever may edit the
// workflow may say that somebody pressed it: the bot alone obeys those.
func jobEvents(env environment) []promote.Event {
	job := ci.Detect(env.getenv, os.ReadFile)
	if job.Change != 0 {
		return []promote.Event{{Kind: promote.EventChange, Change: job.Change}}
	}
	if job.System != forgeGitHub || len(job.Payload) == 0 {
		return nil
	}
	header := http.Header{}
	header.Set("X-GitHub-Event", strings.TrimSuffix(job.Event, "_target"))
	event, err := github.ParseWebhook(header, job.Payload)
	if err != nil || event.Comment.Action != "" {
		return nil
	}
	return []promote.Event{event}
}

// annotate shows findings at their lines, in GitHub Actions.
func annotate(env environment, findings []promote.Finding) error {
	if env.getenv("GITHUB_ACTIONS") != "true" {
		return nil
	}
	findings = slices.Clone(findings)
	for i := range findings {
		findings[i].Message, findings[i].Remedy = diff.MaskSentence(findings[i].Message), diff.MaskSentence(findings[i].Remedy)
	}
	return ci.Annotate(env.err, findings)
}

// annotateError shows there what kept a job from its work; nil shows nothing.
func annotateError(env environment, err error) error {
	if err == nil {
		return nil
	}
	return annotate(env, []promote.Finding{{Severity: promote.SeverityError, Code: "lockkeeper", Message: err.Error()}})
}

// tellActions shows a result where GitHub Actions shows it: findings at their lines, and a summary of the job.
func tellActions(env environment, result ci.Result, failure error) error {
	if env.getenv("GITHUB_ACTIONS") != "true" {
		return nil
	}
	if err := errors.Join(annotateError(env, failure), annotate(env, result.Outcome.State.Findings)); err != nil {
		return err
	}
	path := env.getenv("GITHUB_STEP_SUMMARY")
	if path == "" {
		return nil
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644) //nolint:gosec // the runner names the file, and reads it
	if err != nil {
		return fmt.Errorf("summary of the job: %w", err)
	}
	_, err = io.WriteString(file, result.Summary(failure)+"\n")
	return errors.Join(err, file.Close())
}

// commandOf is a command as a comment of who runs it. A job of the same run that is told the same gives the same one, so
// that starting it again asks for nothing twice. Whoever may set the variables of a job may also set who they say has started
// it; to start one takes write access, so a job's command never gets more than that.
func commandOf(env environment, text string) reconcile.Asked {
	job, now := ci.Detect(env.getenv, os.ReadFile), time.Now()
	text = cmp.Or(text, env.getenv("LOCKKEEPER_COMMAND"))
	id := fnv.New32a()
	_, _ = fmt.Fprintf(id, "%d %s", cmp.Or(job.Run, int(now.UnixNano())), text)
	asked := reconcile.Asked{AtMost: promote.PermissionMaintain, Comment: promote.Comment{
		ID: int(id.Sum32()), AuthorID: job.UserID, Author: cmp.Or(job.User, env.getenv("USER"), "lockkeeper ci"), Body: text, At: now,
	}}
	switch {
	case job.System != "" && job.UserID == 0:
		asked.AtMost = promote.PermissionRead // the job does not say who started it
	case job.System != "":
		asked.AtMost = promote.PermissionWrite
	}
	return asked
}

func newPlan(env environment) *cobra.Command {
	var t target
	var output string
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Print what would be done, and why; do nothing",
		Long: `Plan looks at the repository, its forge, its registries and Argo CD, decides as the server or "lockkeeper ci" would now, and prints
what that would do and what each stage waits for. It changes nothing anywhere.

Exit codes:
  0  the plan was printed, whatever it says
  1  it could not be made

` + variablesHelp(),
		Example: `  lockkeeper plan --project group/repository
  lockkeeper plan --config lockkeeper-server.yaml --output json
  lockkeeper plan --config lockkeeper-server.yaml --project group/repository   # one of several repositories`,
		Args: onlyFlags("project"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output, "text", "json", "markdown"); err != nil {
				return err
			}
			runner, err := t.runner(env)
			if err != nil {
				return err
			}
			return plan(cmd.Context(), runner, output, env.out)
		},
	}
	t.flags(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text, markdown or json")
	return cmd
}

func plan(ctx context.Context, runner *reconcile.Reconciler, output string, w io.Writer) error {
	outcome, err := runner.Run(ctx, reconcile.Options{Dry: true, Events: []promote.Event{{Kind: promote.EventSweep}}})
	if err != nil {
		return err
	}
	previews, err := runner.Preview(ctx, outcome)
	if err != nil {
		return err
	}
	if output == "json" {
		return printJSON(w, planJSON(outcome.Plan, previews))
	}
	if err := printPlan(w, output, outcome.Plan); err != nil {
		return err
	}
	for _, preview := range previews {
		if _, err := fmt.Fprintf(w, "\n%s", preview); err != nil {
			return err
		}
	}
	return nil
}

func checkOutput(output string, known ...string) error {
	if slices.Contains(known, output) {
		return nil
	}
	return fmt.Errorf("--output is %q: expected one of %v", output, known)
}

// printResult writes how a job ended.
func printResult(w io.Writer, output string, result ci.Result, failure error) error {
	if output == "markdown" {
		_, err := io.WriteString(w, result.Summary(failure))
		return err
	}
	return printPlan(w, output, result.Outcome.Plan)
}

// printPlan writes what is left to do, and how every stage stands.
func printPlan(w io.Writer, output string, p promote.Plan) error {
	var err error
	switch output {
	case "json":
		return printJSON(w, planJSON(p, nil))
	case "markdown":
		_, err = io.WriteString(w, promote.StatusTable(p.Stages))
	default:
		_, err = io.WriteString(w, p.String())
	}
	return err
}

func printJSON(w io.Writer, v any) error {
	data, err := jsontext.Indented(v)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

// planDocument is a plan as JSON. Its keys are a promise.
type planDocument struct {
	Actions   []actionDocument      `json:"actions"`
	Stages    []promote.StageStatus `json:"stages"`
	Recheck   time.Time             `json:"recheck,omitzero"`
	Proposals []reconcile.Preview   `json:"proposals,omitempty"`
}

type actionDocument struct {
	Key  string `json:"key"`
	Text string `json:"text"`
}

func planJSON(p promote.Plan, previews []reconcile.Preview) planDocument {
	document := planDocument{Actions: []actionDocument{}, Stages: p.Stages, Recheck: p.Recheck, Proposals: previews}
	for _, action := range p.Actions {
		document.Actions = append(document.Actions, actionDocument{Key: action.Key(), Text: action.String()})
	}
	return document
}
