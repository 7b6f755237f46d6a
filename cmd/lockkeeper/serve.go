package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockkeeper/lockkeeper/bot"
	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/internal/forge/github"
	"github.com/lockkeeper/lockkeeper/internal/forge/gitlab"
	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
)

func newServe(env environment) *cobra.Command {
	var path, format string
	var verbose bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the webhook bot",
		Long: `Serve takes webhooks from GitLab and GitHub and keeps every configured repository promoted until it is stopped.

` + variablesHelp(),
		Example: `  lockkeeper serve --config lockkeeper-server.yaml
  LOCKKEEPER_ARGOCD_URL=https://argocd.example.com lockkeeper serve --config lockkeeper-server.yaml --log-format json`,
		Args: onlyFlags("config"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := readServerConfig(path)
			if err != nil {
				return err
			}
			s, err := readSecrets(env.getenv)
			if err != nil {
				return err
			}
			if s.registries, err = registryHooks(cfg.RegistryWebhooks, env.getenv); err != nil {
				return err
			}
			return serve(cmd.Context(), cfg, s, newLog(env.err, format, verbose))
		},
	}
	cmd.Flags().StringVar(&path, "config", "lockkeeper-server.yaml", "the server's configuration file")
	cmd.Flags().StringVar(&format, "log-format", "text", "text or json")
	cmd.Flags().BoolVar(&verbose, "verbose", false, "log more")
	return cmd
}

func serve(ctx context.Context, cfg serverConfig, s secrets, log *slog.Logger) error {
	p, err := newParts(cfg, s, log)
	if err != nil {
		return err
	}
	server, places, err := newBot(ctx, p, func(r *reconcile.Reconciler) bot.Runner { return r })
	if err != nil {
		return err
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen on %q: %w", cfg.Listen, err)
	}
	log.InfoContext(ctx, "serving", "address", listener.Addr().String(), "repositories", len(cfg.Repositories))
	// A forge that hangs keeps nobody from being answered.
	warning, stop := context.WithCancel(ctx)
	var warned sync.WaitGroup
	warned.Go(func() { p.warn(warning, places) })
	err = serveBot(ctx, server, listener)
	stop()
	warned.Wait()
	return err
}

// newBot builds the bot for every configured repository. It asks the forges nothing. The caller may stand between the bot and the loop.
func newBot(ctx context.Context, p *parts, wrap func(*reconcile.Reconciler) bot.Runner) (*bot.Bot, []*place, error) {
	hooks, err := p.hooks()
	if err != nil {
		return nil, nil, err
	}
	metrics := bot.NewMetrics()
	p.metrics, p.called = metrics.Loop(), metrics.Called
	sweep, err := time.ParseDuration(p.config.Sweep)
	if err != nil {
		return nil, nil, fmt.Errorf("configuration: sweep: %w", err)
	}
	cfg := bot.Config{
		Hooks: hooks, CatchUp: bot.DefaultCatchUp, Registries: p.secrets.registries, Database: p.config.Database, Sweep: sweep, Log: p.log, Now: time.Now, Metrics: metrics,
	}
	var places []*place
	for _, repository := range p.config.Repositories {
		place, err := p.place(repository)
		if err != nil {
			return nil, nil, err
		}
		runner, err := p.reconciler(repository, place)
		if err != nil {
			return nil, nil, err
		}
		runner.Webhooks = true
		places = append(places, place)
		cfg.Repositories = append(cfg.Repositories, bot.Repository{
			Name: repository.name(), Forge: p.secrets.forgeOf(repository), Project: repository.Project, Runner: wrap(runner), Missed: missed(runner, place.missed, time.Now),
		})
	}
	server, err := bot.New(ctx, cfg)
	return server, places, err
}

// askIdle is how often a repository is asked about in which no promotion is open: changes of people may be, and comments on them.
const askIdle = 6 * time.Hour

// idler says whether nothing is open.
type idler interface{ Idle() bool }

// missed asks what no webhook told of: at the start, and then each time, but seldom where no promotion was open.
func missed(runner idler, ask func(context.Context, time.Time) ([]promote.Event, error), now func() time.Time) func(context.Context, time.Time) ([]promote.Event, error) {
	var asked time.Time
	return func(ctx context.Context, since time.Time) ([]promote.Event, error) {
		at := now()
		if runner.Idle() && !asked.IsZero() && at.Sub(asked) < askIdle {
			return nil, bot.ErrNotAsked
		}
		events, err := ask(ctx, since)
		if err == nil {
			asked = at
		}
		return events, err
	}
}

// hooks are the webhooks of the forges that repositories live on.
func (p *parts) hooks() ([]bot.Hook, error) {
	makers := map[string]func(secrets) (bot.Hook, error){forgeGitLab: gitlabHook, forgeGitHub: githubHook}
	var hooks []bot.Hook
	for _, repository := range p.config.Repositories {
		forge := p.secrets.forgeOf(repository)
		if makers[forge] == nil {
			continue // made already
		}
		hook, err := makers[forge](p.secrets)
		if err != nil {
			return nil, err
		}
		hooks, makers[forge] = append(hooks, hook), nil
	}
	return hooks, nil
}

func gitlabHook(s secrets) (bot.Hook, error) {
	known, err := gitlab.NewSecrets(toSecrets(s.WebhookToken), toSecrets(s.SigningToken))
	if err != nil {
		return bot.Hook{}, fmt.Errorf("%w; set LOCKKEEPER_GITLAB_WEBHOOK_TOKEN or LOCKKEEPER_GITLAB_SIGNING_TOKEN", err)
	}
	return bot.Hook{
		Forge: forgeGitLab,
		Verify: func(header http.Header, body []byte, now time.Time) error {
			return gitlab.Verify(known, header, body, now)
		},
		Parse:   ignoring(gitlab.ParseWebhook),
		Project: gitlab.ProjectOf,
	}, nil
}

func githubHook(s secrets) (bot.Hook, error) {
	known, err := github.NewSecrets(toSecrets(s.GitHubSecret))
	if err != nil {
		return bot.Hook{}, fmt.Errorf("%w; set LOCKKEEPER_GITHUB_WEBHOOK_SECRET", err)
	}
	return bot.Hook{
		Forge:   forgeGitHub,
		Verify:  func(header http.Header, body []byte, _ time.Time) error { return github.Verify(known, header, body) },
		Parse:   ignoring(github.ParseWebhook),
		Project: github.ProjectOf,
	}, nil
}

// ignoring tells the bot of deliveries of no interest in its own words.
func ignoring(parse func(http.Header, []byte) (promote.Event, error)) func(http.Header, []byte) (promote.Event, error) {
	return func(header http.Header, body []byte) (promote.Event, error) {
		event, err := parse(header, body)
		if errors.Is(err, forge.ErrIgnored) {
			return event, fmt.Errorf("%w: %w", bot.ErrIgnored, err)
		}
		return event, err
	}
}

func toSecrets(texts []string) []secret.Text {
	secrets := make([]secret.Text, len(texts))
	for i, text := range texts {
		secrets[i] = secret.Text(text)
	}
	return secrets
}

// service is what serveBot serves. *bot.Bot is one.
type service interface {
	Handler() http.Handler
	Run(ctx context.Context) error // works off the queue until ctx ends
}

// serveBot serves until ctx ends: then it takes no more webhooks, and after that lets runs come to an end. When nothing works
// off the queue any more, or nobody can be answered, it ends with the error.
func serveBot(ctx context.Context, b service, listener net.Listener) error {
	server := &http.Server{
		Handler: b.Handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, ErrorLog: log.New(os.Stderr, "", log.LstdFlags),
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- b.Run(running) }()
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	case err = <-stopped:
		// The listener is closed by Serve, which may not have begun yet.
		closed := server.Close()
		if ended := <-failed; !errors.Is(ended, http.ErrServerClosed) {
			err = errors.Join(err, ended)
		}
		return errors.Join(err, closed)
	}
	closing, done := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer done()
	shutdown := server.Shutdown(closing)
	cancel()
	return errors.Join(err, shutdown, <-stopped)
}
