package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/lockkeeper/lockkeeper/bot"
	"github.com/lockkeeper/lockkeeper/internal/argocd"
	"github.com/lockkeeper/lockkeeper/internal/forge/github"
	"github.com/lockkeeper/lockkeeper/internal/forge/gitlab"
	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/internal/git/sign"
	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/discover"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
	"github.com/lockkeeper/lockkeeper/render"
)

// parts are built once for a process.
type parts struct {
	config       serverConfig
	secrets      secrets
	log          *slog.Logger
	renderer     *render.Engine
	registry     *discover.Registry
	charts       *discover.Charts
	argo         reconcile.Deliverer // nil without a server
	outside      *outside            // what steps may reach
	sign         git.SignFunc        // nil: commits are not signed
	app          *github.App         // nil without one
	limits       *github.Limits      // of the token, where there is no App
	gitLabLimits gitlab.Limits       // of the one token of all its repositories
	metrics      reconcile.Metrics
	called       func(bot.ForgeCall)
}

func newParts(cfg serverConfig, s secrets, log *slog.Logger) (*parts, error) {
	renderer, err := render.NewEngine()
	if err != nil {
		return nil, fmt.Errorf("renderer: %w", err)
	}
	renderer.Workers = newWorkers(func(err error) { log.Warn("no worker processes: "+withoutWorkers, "error", err) })
	p := &parts{config: cfg, secrets: s, log: log, renderer: renderer}
	if err := errors.Join(p.credentials(), p.connectGitHub()); err != nil {
		return nil, err
	}
	if p.argo, err = newArgo(cfg.ArgoCD, s); err != nil {
		return nil, err
	}
	if p.sign, err = newSigner(s, log); err != nil {
		return nil, err
	}
	if p.outside, err = newOutside(cfg, s); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	p.registry, p.charts = registries(log, cacheDir(cfg, "registry"), p.outside.kept)
	renderer.Remotes = newRemotes(p.charts, p.outside.client, func(url string) (*git.Repository, error) { return p.outside.watched(url, false) })
	return p, nil
}

// registries ask for images and charts, with the credentials that docker has. Connect decides where to connect.
func registries(log *slog.Logger, cache string, connect func(skipTLSVerify bool) http.RoundTripper) (*discover.Registry, *discover.Charts) {
	agent, careful, unverified := "lockkeeper/"+version, connect(false), connect(true)
	registry := discover.New(discover.Config{
		Transport: careful, Unverified: unverified,
		Keychain: authn.DefaultKeychain, Logger: log, Now: time.Now, UserAgent: agent, CacheDir: cache,
	})
	return registry, discover.NewCharts(discover.ChartConfig{
		Transport: careful, Unverified: unverified,
		Registry: registry, Keychain: authn.DefaultKeychain, Fresh: shareFor, Logger: log, UserAgent: agent, CacheDir: cache,
	})
}

// anywhere lets commands on a person's machine connect to whatever that person could connect to, a registry on localhost among it.
func anywhere(bool) http.RoundTripper { return nil }

func newArgo(cfg argocdConfig, s secrets) (reconcile.Deliverer, error) {
	server := cfg.URL
	if server == "" {
		server = s.ArgoCDURL
	}
	switch {
	case server == "" && s.ArgoCDToken == "":
		return nil, nil //nolint:nilnil // nil is the documented value for "no server"
	case server == "":
		return nil, errors.New("LOCKKEEPER_ARGOCD_TOKEN is set, but no server: set argocd.url or LOCKKEEPER_ARGOCD_URL")
	case checkURL(server) != nil:
		// The value may hold a password, so it is not shown.
		return nil, fmt.Errorf("LOCKKEEPER_ARGOCD_URL: %w", checkURL(server))
	case s.ArgoCDToken == "":
		return nil, fmt.Errorf("Argo CD server %s is set, but no token: "+ //nolint:staticcheck // a name begins the sentence
			"set LOCKKEEPER_ARGOCD_TOKEN to a token of an account that may get and sync the applications", server)
	}
	client, err := argocd.New(argocd.Config{
		URL: server, Token: secret.Text(s.ArgoCDToken), Insecure: cfg.InsecureSkipTLSVerify, UserAgent: "lockkeeper/" + version,
	})
	if err != nil {
		return nil, fmt.Errorf("client of Argo CD: %w", err)
	}
	return &deliverer{client: client, now: time.Now}, nil
}

// newSigner opens the key that signs commits; nil without one.
func newSigner(s secrets, log *slog.Logger) (git.SignFunc, error) {
	switch {
	case s.CommitKey == "" && s.CommitSecret == "":
		return nil, nil //nolint:nilnil // nil is the documented value for "not signed"
	case s.CommitKey == "":
		return nil, errors.New("LOCKKEEPER_SIGNING_PASSPHRASE is set, but no key: set LOCKKEEPER_SIGNING_KEY to the text of the private key")
	}
	signer, err := sign.Open(secret.Text(s.CommitKey), secret.Text(s.CommitSecret), time.Now())
	switch {
	case errors.Is(err, sign.ErrNoPassphrase), errors.Is(err, sign.ErrWrongPassphrase):
		return nil, fmt.Errorf("LOCKKEEPER_SIGNING_PASSPHRASE: %w", err)
	case err != nil:
		return nil, fmt.Errorf("LOCKKEEPER_SIGNING_KEY: %w", err)
	}
	log.Info("commits are signed", "key", signer.String())
	return signer.Sign, nil
}

// cacheDir is the folder for one kind of what may be forgotten; empty: memory only.
func cacheDir(cfg serverConfig, kind string) string {
	if cfg.CacheDir != "" {
		return filepath.Join(cfg.CacheDir, kind)
	}
	if dir, err := os.UserCacheDir(); err == nil {
		return filepath.Join(dir, "lockkeeper", kind)
	}
	return ""
}

// shareFor is how long warehouses that watch the same thing share an answer.
const shareFor = 5 * time.Second

// sources are where the warehouses of one repository look. The repository itself is read as it always is; others as the
// configuration says, or without credentials where it does not name them.
func (p *parts) sources(own *git.Repository, ownURL string) *discover.Sources {
	return &discover.Sources{
		Registry: p.registry, Charts: p.charts,
		Git: discover.NewGit(discover.GitConfig{
			Fresh: shareFor, Logger: p.log,
			Open: func(repoURL string, skipTLS bool) (*git.Repository, error) {
				if promote.SameGitRepository(repoURL, ownURL) {
					return own, nil
				}
				return p.outside.watched(repoURL, skipTLS)
			},
		}),
	}
}

// openGit opens a repository that is only read.
func openGit(cfg git.Config, skipTLS bool) (*git.Repository, error) {
	if skipTLS {
		transport := http.DefaultTransport.(*http.Transport).Clone()      //nolint:forcetypeassert // documented by net/http
		transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // the subscription asks for it
		cfg.HTTPClient = &http.Client{Transport: transport}
	}
	return git.Open(cfg)
}

// reconciler builds the loop of one repository.
func (p *parts) reconciler(repository repositoryConfig, place *place) (*reconcile.Reconciler, error) {
	author := git.Signature{Name: p.config.Author.Name, Email: p.config.Author.Email}
	repo, err := git.Open(git.Config{
		URL: place.cloneURL, Username: place.username, Token: place.token, Refused: place.refused, Author: author, Sign: p.sign,
	})
	if err != nil {
		return nil, fmt.Errorf("repository %q: %w", place.name, err)
	}
	return reconcile.New(reconcile.Config{
		Git: repo, URLs: append([]string{place.cloneURL}, repository.URLs...), Branch: promote.Branch(repository.Branch), Forge: place.forge,
		Sources: p.sources(repo, place.cloneURL), Renderer: p.renderer, Argo: p.argo, Deployer: place.deployer, Author: author, Log: p.log,
		Now: time.Now, Metrics: p.metrics, World: p.world(place), CodeOwners: place.owners,
	}), nil
}

func newLog(w io.Writer, format string, verbose bool) *slog.Logger {
	options := &slog.HandlerOptions{Level: slog.LevelInfo}
	if verbose {
		options.Level = slog.LevelDebug
	}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// sleep waits, unless ctx ends first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
