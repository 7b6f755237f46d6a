package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/lockkeeper/lockkeeper/examples"
	"github.com/lockkeeper/lockkeeper/internal/argocd"
	"github.com/lockkeeper/lockkeeper/internal/argocd/devargo"
	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
	"github.com/lockkeeper/lockkeeper/render"
	renderargocd "github.com/lockkeeper/lockkeeper/render/argocd"
)

// What the world of the demo is made of. The tokens are good for nothing outside of it.
const (
	worldProject = "your-name/your-repo"
	worldImage   = "your-name/your-app"
	worldBot     = "lockkeeper"
	worldPerson  = "you"
	worldToken   = "demo-token-of-the-bot"
	personToken  = "demo-token-of-the-person"
	webhookToken = "demo-webhook-token"
	argoToken    = "demo-token-of-argo-cd"
)

// cloneURL is what git clone takes, with the person's token: the demo's forge lets nobody in without one.
func (w *world) cloneURL() string {
	return strings.Replace(w.forgeURL, "://", "://"+worldPerson+":"+personToken+"@", 1) + "/" + worldProject + ".git"
}

// world is everything that a GitOps team has, in one process on loopback: a registry, a forge with a repository, and Argo CD.
// The registry, Git and every API are spoken over real HTTP.
type world struct {
	dir      string
	github   bool
	log      *slog.Logger
	forge    *devforge.Forge
	argo     *devargo.Server
	forgeURL string
	registry string // host:port
	argoURL  string
	hubApp   demoApp // on GitHub
	engine   *render.Engine
	repo     *git.Repository
	servers  []*http.Server
	onPush   func() // told when the registry took an image
}

// worldConfig is how a world is made.
type worldConfig struct {
	dir    string            // required: where the forge keeps its repositories
	listen string            // of the forge's page; empty: any port
	log    *slog.Logger      // required
	engine *render.Engine    // finds what is to be deployed; nil: one of its own
	key    *rsa.PrivateKey   // of the App on GitHub; nil: a new one
	github bool              // the forge is a GitHub, and the bot a GitHub App; otherwise a GitLab with a token
	pace   time.Duration     // how long an Argo CD operation, and then a rollout, lasts
	files  map[string]string // of the repository; nil: the example of the articles
}

func newWorld(ctx context.Context, cfg worldConfig) (*world, error) {
	w := &world{dir: cfg.dir, log: cfg.log, github: cfg.github, engine: cfg.engine}
	if w.engine == nil {
		var err error
		if w.engine, err = render.NewEngine(); err != nil {
			return nil, err
		}
	}
	for _, start := range []func(context.Context, worldConfig) error{w.startRegistry, w.startForge, w.startArgo, w.seed} {
		if err := start(ctx, cfg); err != nil {
			return nil, errors.Join(err, w.close())
		}
	}
	return w, nil
}

// serve listens on loopback and serves until close.
func (w *world) serve(ctx context.Context, address string, handler http.Handler) (string, error) {
	if address == "" {
		address = "127.0.0.1:0"
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", address)
	if err != nil {
		return "", fmt.Errorf("listen on %s: %w", address, err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	w.servers = append(w.servers, server)
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			w.log.ErrorContext(ctx, "serve", "address", address, "error", err)
		}
	}()
	return listener.Addr().String(), nil
}

func (w *world) close() error {
	var failures []error
	for _, server := range w.servers {
		failures = append(failures, server.Close())
	}
	if w.forge != nil {
		w.forge.Close()
	}
	return errors.Join(failures...)
}

func (w *world) startRegistry(ctx context.Context, _ worldConfig) error {
	images := registry.New(registry.Logger(slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)))
	handler := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		images.ServeHTTP(rw, r)
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") && w.onPush != nil {
			w.onPush()
		}
	})
	address, err := w.serve(ctx, "", handler)
	w.registry = address
	return err
}

func (w *world) startForge(ctx context.Context, cfg worldConfig) error {
	dialect := devforge.GitLab
	if cfg.github {
		dialect = devforge.GitHub
	}
	//nolint:contextcheck // the forge outlives the call
	forge, err := devforge.New(devforge.Config{Root: filepath.Join(cfg.dir, "forge"), Logger: cfg.log, Person: worldPerson, Dialect: dialect})
	if err != nil {
		return err
	}
	w.forge = forge
	address, err := w.serve(ctx, cfg.listen, forge.Handler())
	if err != nil {
		return err
	}
	w.forgeURL = "http://" + address
	forge.SetURL(w.forgeURL)
	return nil
}

func (w *world) startArgo(ctx context.Context, cfg worldConfig) error {
	server, err := devargo.New(devargo.Config{
		Token: argoToken, Latency: cfg.pace,
		Resolve: w.resolve,
		Content: func(ctx context.Context, source devargo.Source, commit string) (string, error) {
			tree, err := w.repo.Tree(ctx, commit)
			if err != nil {
				return "", err
			}
			return tree.ObjectID(source.Path)
		},
	})
	if err != nil {
		return err
	}
	w.argo = server
	address, err := w.serve(ctx, "", server)
	w.argoURL = "http://" + address
	return err
}

// resolve finds the commit that a revision means, as Argo CD would.
func (w *world) resolve(ctx context.Context, _, revision string) (string, error) {
	refs, err := w.repo.Refs(ctx)
	if err != nil {
		return "", err
	}
	if revision == "HEAD" || revision == "" {
		revision = refs.Default
	}
	if commit, ok := refs.Branch(revision); ok {
		return commit, nil
	}
	return revision, nil
}

// seed makes users, the repository, the webhook and the applications.
func (w *world) seed(ctx context.Context, cfg worldConfig) error {
	w.forge.CreateUser(worldBot, worldToken)
	w.forge.CreateUser(worldPerson, personToken)
	files := cfg.files
	if files == nil {
		var err error
		if files, err = w.example(); err != nil {
			return err
		}
	}
	project, err := w.forge.CreateProject(worldProject, "main", files) //nolint:contextcheck // it works on local files only
	if err != nil {
		return fmt.Errorf("make the repository: %w", err)
	}
	if err := errors.Join(
		w.forge.AddMember(worldProject, worldBot, 40),
		w.forge.AddMember(worldProject, worldPerson, 40),
		w.forge.Change(worldProject, func(s *devforge.Settings) { s.PipelineMustSucceed, s.RemoveSourceBranch = true, true }),
	); err != nil {
		return err
	}
	if w.github {
		if err := w.installApp(cfg.key); err != nil {
			return err
		}
	}
	w.repo, err = git.Open(git.Config{
		URL: project.CloneURL, Username: worldBot, Password: worldToken, Author: git.Signature{Name: "demo", Email: "demo@localhost"},
	})
	if err != nil {
		return err
	}
	return w.deploy(ctx)
}

// example returns the example repository, with its URL and image replaced by those of this world.
func (w *world) example() (map[string]string, error) {
	files := map[string]string{}
	replacer := strings.NewReplacer(
		"https://gitlab.com/your-name/your-repo.git", w.forgeURL+"/"+worldProject+".git",
		"docker.io/"+worldImage, w.registry+"/"+worldImage,
	)
	err := fs.WalkDir(examples.GitOps(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(examples.GitOps(), name)
		files[name] = replacer.Replace(string(data))
		return err
	})
	return files, err
}

// deploy registers the applications that the repository declares, as Argo CD's root application would; those of a branch that
// is not there yet are left for later.
func (w *world) deploy(ctx context.Context) error {
	head, err := w.repo.Fetch(ctx, "main")
	if err != nil {
		return err
	}
	tree, err := w.repo.Tree(ctx, head)
	if err != nil {
		return err
	}
	set, err := w.engine.Applications(ctx, render.Repository{Tree: tree, URLs: []string{w.repo.URL()}, Revision: "main"}, render.Options{})
	if err != nil {
		return err
	}
	refs, err := w.repo.Refs(ctx)
	if err != nil {
		return err
	}
	for _, app := range set.Applications {
		if slices.ContainsFunc(app.Sources, func(s renderargocd.Source) bool { return !exists(refs, s.TargetRevision) }) {
			continue
		}
		declared := devargo.App{
			Ref:         argocd.Ref{Name: app.Name, Project: app.Project},
			Annotations: app.Annotations, Labels: app.Labels, AutoSync: app.SyncPolicy.Automated, Live: true,
		}
		for _, source := range app.Sources {
			declared.Sources = append(declared.Sources, devargo.Source{
				RepoURL: source.RepoURL, Path: source.Path, TargetRevision: source.TargetRevision,
			})
		}
		if err := w.argo.Put(ctx, declared); err != nil {
			return fmt.Errorf("application %q: %w", app.Name, err)
		}
	}
	return nil
}

// exists reports whether an application can deploy a revision.
func exists(refs git.Refs, revision string) bool {
	_, ok := refs.Branch(revision)
	return ok || revision == "" || revision == "HEAD"
}

// pushImage pushes a small image with a tag to the world's registry.
func pushImage(ctx context.Context, repository, tag string) error {
	ref, err := name.NewTag(repository+":"+tag, name.Insecure)
	if err != nil {
		return fmt.Errorf("image %q: %w", repository+":"+tag, err)
	}
	config, err := empty.Image.ConfigFile()
	if err != nil {
		return err
	}
	config = config.DeepCopy()
	config.Config.Labels = map[string]string{"org.opencontainers.image.version": tag}
	image, err := mutate.ConfigFile(empty.Image, config)
	if err != nil {
		return err
	}
	if err := remote.Write(ref, image, remote.WithContext(ctx)); err != nil {
		return fmt.Errorf("push %s: %w", ref, err)
	}
	return nil
}

// image returns the repository of the world's image.
func (w *world) image() string { return w.registry + "/" + worldImage }

// worldAllow is what an operator allows whose registry listens on loopback.
func worldAllow() []string { return []string{"127.0.0.0/8", "::1"} }

// serverConfig returns the configuration of a bot for this world.
func (w *world) serverConfig() (serverConfig, secrets) {
	cfg := serverConfig{
		Database: filepath.Join(w.dir, "queue.db"), Sweep: "1m", Repositories: []repositoryConfig{{Project: worldProject}},
		ArgoCD:   argocdConfig{URL: w.argoURL},
		Outbound: outboundConfig{Allow: worldAllow()},
	}
	if w.github {
		cfg.GitHub.URL = w.forgeURL
		return cfg, secrets{GitHubAppID: int64(w.hubApp.id), GitHubAppKey: w.hubApp.key, GitHubSecret: []string{webhookToken}, ArgoCDToken: argoToken}
	}
	cfg.GitLab.URL = w.forgeURL
	return cfg, secrets{GitLabToken: worldToken, WebhookToken: []string{webhookToken}, ArgoCDToken: argoToken}
}

// demoApp is the bot on GitHub.
type demoApp struct {
	id  int
	key string // PEM
}

// installApp makes the bot an App that may do what deploy/github-app-manifest.json asks for, and its check run required.
func (w *world) installApp(key *rsa.PrivateKey) (err error) {
	if key == nil {
		if key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return err
		}
	}
	w.hubApp.key = string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	w.hubApp.id, err = w.forge.CreateApp(devforge.App{Name: worldBot, Key: &key.PublicKey, Permissions: map[string]string{
		"metadata": "read", "contents": "write", "pull_requests": "write", "issues": "write", "checks": "write", "statuses": "write",
		"deployments": "write", "members": "read", "administration": "read",
	}})
	if err != nil {
		return err
	}
	_, err = w.forge.InstallApp(w.hubApp.id, worldProject)
	return errors.Join(err, w.forge.SetRules(worldProject, "main", &devforge.BranchRules{
		Checks: []devforge.RequiredCheck{{Context: promote.StatusName, App: w.hubApp.id}},
	}))
}

// commitURL is where a commit is shown.
func (w *world) commitURL(commit promote.Commit) string {
	if w.github {
		return w.forgeURL + "/" + worldProject + "/commit/" + string(commit)
	}
	return w.forgeURL + "/" + worldProject + "/-/commit/" + string(commit)
}

// demoPatience suits a world in which a rollout takes a moment.
func demoPatience() *argocd.Patience {
	return &argocd.Patience{Stable: 200 * time.Millisecond, Degraded: 5 * time.Second, AutoSync: 5 * time.Second}
}

// person acts on the forge as a person would in the browser.
type person struct {
	world *world
	http  *http.Client
}

// merge merges a change at the head that was seen.
func (p *person) merge(ctx context.Context, number int, head promote.Commit) error {
	target := fmt.Sprintf("%s/api/v4/projects/%s/merge_requests/%d/merge?sha=%s&should_remove_source_branch=true",
		p.world.forgeURL, url.PathEscape(worldProject), number, head)
	var body io.Reader
	if p.world.github {
		target = fmt.Sprintf("%s/api/v3/repos/%s/pulls/%d/merge", p.world.forgeURL, worldProject, number)
		body = strings.NewReader(fmt.Sprintf(`{"sha":%q}`, head))
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, target, body)
	if err != nil {
		return err
	}
	request.Header.Set("PRIVATE-TOKEN", personToken)
	if p.world.github {
		request.Header.Del("PRIVATE-TOKEN")
		request.Header.Set("Authorization", "Bearer "+personToken)
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := p.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("merge change %d: HTTP %d", number, response.StatusCode)
	}
	return nil
}

// observed tells what every run of the loop left behind.
type observed struct {
	*reconcile.Reconciler
	tell func(reconcile.Outcome)
}

// Run implements bot.Runner.
func (o observed) Run(ctx context.Context, options reconcile.Options) (reconcile.Outcome, error) {
	outcome, err := o.Reconciler.Run(ctx, options)
	if err == nil {
		o.tell(outcome)
	}
	return outcome, err
}

// worldDir returns a directory for a world, and what removes it.
func worldDir(dir string) (string, func(), error) {
	if dir != "" {
		return dir, func() {}, os.MkdirAll(dir, 0o750)
	}
	made, err := os.MkdirTemp("", "lockkeeper-demo-")
	return made, func() { _ = os.RemoveAll(made) }, err
}
