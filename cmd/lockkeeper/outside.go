package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/lockkeeper/lockkeeper/internal/forge/github"
	"github.com/lockkeeper/lockkeeper/internal/forge/githubactions"
	"github.com/lockkeeper/lockkeeper/internal/forge/gitlab"
	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/internal/message"
	"github.com/lockkeeper/lockkeeper/internal/oci"
	"github.com/lockkeeper/lockkeeper/internal/outbound"
	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/step"
)

// outside is what the steps, warehouses and sources of all repositories may reach, as the configuration says.
type outside struct {
	config   serverConfig
	policy   outbound.Policy
	client   *http.Client // of requests without options of their own
	secrets  map[storeKey]map[string]string
	maps     map[storeKey]map[string]string
	tokens   map[string]secret.Text // of gitRepositories, by URL
	messages *message.Sender
	github   *githubactions.Client // nil without a token
	registry *oci.Registry

	mu     sync.Mutex
	opened map[string]*git.Repository // by URL
}

// storeKey names a secret or a config map. Shared ones have no project; those that every repository may read have no repository.
type storeKey struct{ repository, project, name string }

func newOutside(cfg serverConfig, s secrets) (*outside, error) {
	o := &outside{
		config: cfg, secrets: map[storeKey]map[string]string{}, maps: map[storeKey]map[string]string{},
		tokens: map[string]secret.Text{}, opened: map[string]*git.Repository{},
	}
	var err error
	if _, err = outbound.ParsePolicy(s.OutboundAllow); err != nil {
		return nil, fmt.Errorf("LOCKKEEPER_OUTBOUND_ALLOW: %w", err)
	}
	if o.policy, err = outbound.ParsePolicy(slices.Concat(cfg.Outbound.Allow, s.OutboundAllow)); err != nil {
		return nil, fmt.Errorf("outbound.allow: %w", err)
	}
	o.client = outbound.NewHTTPClient(o.policy, outbound.Options{})
	o.registry, err = oci.New(oci.Config{
		Keychain: authn.DefaultKeychain, Push: cfg.OCIPush, UserAgent: "lockkeeper/" + version,
		Transport: func(skip bool) http.RoundTripper {
			return o.http(step.HTTPOptions{InsecureSkipTLSVerify: skip}).Transport
		},
	})
	if err != nil {
		return nil, fmt.Errorf("ociPush: %w", err)
	}
	for _, fill := range []func(secrets) error{o.readStores, o.readRepositories, o.readChannels, o.readGitHub} {
		if err := fill(s); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// variable returns an environment variable that the configuration names. at is the key that does.
func (s secrets) variable(at, name string) (string, error) {
	value := ""
	if s.getenv != nil && name != "" {
		value = strings.TrimSpace(s.getenv(name))
	}
	switch {
	case name == "":
		return "", fmt.Errorf("%s is missing: name an environment variable", at)
	case value == "":
		return "", fmt.Errorf("%s: the environment variable %s is not set", at, name)
	}
	return value, nil
}

// readStores reads secrets and config maps.
func (o *outside) readStores(s secrets) error {
	for i, one := range o.config.Secrets {
		at := fmt.Sprintf("secrets[%d]", i)
		values := map[string]string{}
		for key, name := range one.Env {
			value, err := s.variable(at+".env."+key, name)
			if err != nil {
				return err
			}
			values[key] = value
		}
		if err := put(o.secrets, at, storeKey{one.Repository, one.Project, one.Name}, one.Shared, values); err != nil {
			return err
		}
	}
	for i, one := range o.config.ConfigMaps {
		if err := put(o.maps, fmt.Sprintf("configMaps[%d]", i), storeKey{one.Repository, one.Project, one.Name}, one.Shared, one.Data); err != nil {
			return err
		}
	}
	return nil
}

func put(into map[storeKey]map[string]string, at string, key storeKey, shared bool, values map[string]string) error {
	switch {
	case key.name == "":
		return fmt.Errorf("%s.name is missing", at)
	case shared == (key.project != ""):
		return fmt.Errorf("%s: write either project or shared: true", at)
	case len(values) == 0:
		return fmt.Errorf("%s holds nothing", at)
	case into[key] != nil:
		return fmt.Errorf("%s: %q is there twice", at, key.name)
	}
	into[key] = values
	return nil
}

func (o *outside) readRepositories(s secrets) error {
	for i, one := range o.config.GitRepositories {
		at := fmt.Sprintf("gitRepositories[%d]", i)
		if err := checkURL(one.URL); err != nil {
			// The value may hold a password, so it is not shown.
			return fmt.Errorf("%s.url: %w", at, err)
		}
		if one.TokenEnv == "" {
			continue
		}
		token, err := s.variable(at+".tokenEnv", one.TokenEnv)
		if err != nil {
			return err
		}
		o.tokens[one.URL] = secret.Text(token)
	}
	return nil
}

func (o *outside) readChannels(s secrets) error {
	channels := make([]message.Channel, 0, len(o.config.Messages))
	for i, one := range o.config.Messages {
		target, err := s.variable(fmt.Sprintf("messages[%d].urlEnv", i), one.URLEnv)
		if err != nil {
			return err
		}
		channels = append(channels, message.Channel{Name: one.Name, Kind: message.Kind(one.Kind), URL: secret.Text(target)})
	}
	sender, err := message.New(channels, &http.Client{})
	if err != nil {
		return fmt.Errorf("messages: %w", err)
	}
	o.messages = sender
	return nil
}

func (o *outside) readGitHub(s secrets) error {
	if o.config.GitHub.TokenEnv == "" {
		if len(o.config.GitHub.Repositories) > 0 {
			return errors.New("github.tokenEnv is missing: name the environment variable of a token that may write actions")
		}
		return nil
	}
	token, err := s.variable("github.tokenEnv", o.config.GitHub.TokenEnv)
	if err != nil {
		return err
	}
	api, err := github.API(o.config.GitHub.URL)
	if err != nil {
		return fmt.Errorf("github.url: %w", err)
	}
	o.github = githubactions.New(githubactions.Config{
		URL: api, Token: secret.Text(token), HTTPClient: &http.Client{}, UserAgent: "lockkeeper/" + version,
	})
	return nil
}

// world is what the steps of one repository may reach.
func (p *parts) world(place *place) step.World {
	o := p.outside
	world := step.World{
		HTTP: o.http, Git: o.git, Registry: artifacts{o.registry}, InGroup: place.forge.InGroup,
		Kustomize: p.renderer.Kustomize,
		Secrets:   lookup(o.secrets, place.name), ConfigMaps: lookup(o.maps, place.name),
	}
	if p.secrets.GitLabToken != "" {
		pipelines := &gitlabPipelines{parts: p, forges: map[string]*gitlab.Forge{}}
		if place.gitlab != nil {
			pipelines.forges[place.path] = place.gitlab
		}
		world.GitLab = pipelines
	}
	if len(o.config.Messages) > 0 {
		world.Messages = channels{o.messages}
	}
	if o.github != nil {
		world.GitHub = workflows{client: o.github, repositories: o.config.GitHub.Repositories}
	}
	return world
}

// http makes the client of a step.
func (o *outside) http(options step.HTTPOptions) *http.Client {
	if options == (step.HTTPOptions{}) {
		return o.client
	}
	return outbound.NewHTTPClient(o.policy, outbound.Options{Proxy: options.Proxy, InsecureSkipTLSVerify: options.InsecureSkipTLSVerify})
}

// connections is how many connections to a registry are kept: as many as images are read at the same time.
const connections = 32

// kept makes what carries the requests to registries and chart repositories, once for all of them.
func (o *outside) kept(skipTLSVerify bool) http.RoundTripper {
	return outbound.NewHTTPClient(o.policy, outbound.Options{InsecureSkipTLSVerify: skipTLSVerify, Connections: connections}).Transport
}

// watched opens a repository that a Warehouse watches.
func (o *outside) watched(url string, skipTLS bool) (*git.Repository, error) {
	if repository, err := o.git(url); err == nil {
		return repository, nil
	}
	client := outbound.NewHTTPClient(o.policy, outbound.Options{InsecureSkipTLSVerify: skipTLS})
	return git.Open(git.Config{URL: url, HTTPClient: client})
}

// git opens a repository that the configuration names.
func (o *outside) git(url string) (*git.Repository, error) {
	i := slices.IndexFunc(o.config.GitRepositories, func(c gitRepositoryConfig) bool { return promote.SameGitRepository(c.URL, url) })
	if i < 0 {
		return nil, errors.New("the server's configuration does not name it: its operator can add it to gitRepositories")
	}
	known := o.config.GitRepositories[i]
	o.mu.Lock()
	defer o.mu.Unlock()
	if repository, ok := o.opened[known.URL]; ok {
		return repository, nil
	}
	repository, err := git.Open(git.Config{URL: known.URL, Username: known.Username, Password: o.tokens[known.URL]})
	if err == nil {
		o.opened[known.URL] = repository
	}
	return repository, err
}

// lookup finds what the tasks of a repository may read: what is its own, else what is every repository's.
func lookup(stores map[storeKey]map[string]string, repository string) func(project, name string, shared bool) (map[string]string, bool) {
	return func(project, name string, shared bool) (map[string]string, bool) {
		if shared {
			project = ""
		} else if project == "" {
			return nil, false
		}
		values, ok := stores[storeKey{repository, project, name}]
		if !ok {
			values, ok = stores[storeKey{"", project, name}]
		}
		return values, ok
	}
}

// artifacts fits the client of artifacts to what steps ask for.
type artifacts struct{ registry *oci.Registry }

// Layer implements step.Registry.
func (r artifacts) Layer(ctx context.Context, ref string, o step.RegistryOptions, limit int64) ([]byte, string, error) {
	return r.registry.Layer(ctx, oci.LayerRequest{Ref: ref, MediaType: o.MediaType, Limit: limit, SkipTLSVerify: o.SkipTLSVerify})
}

// Copy implements step.Registry.
func (r artifacts) Copy(ctx context.Context, from, to string, o step.RegistryOptions) (step.Copied, error) {
	copied, err := r.registry.Copy(ctx, oci.CopyRequest{From: from, To: to, Annotations: o.Annotations, SkipTLSVerify: o.SkipTLSVerify})
	return step.Copied(copied), err
}

// channels fits the sender of messages to what steps ask for.
type channels struct{ sender *message.Sender }

// Channels implements step.Messages.
func (c channels) Channels() []string { return c.sender.Channels() }

// Send implements step.Messages.
func (c channels) Send(ctx context.Context, m step.Message) error {
	return c.sender.Send(ctx, m.Channel, message.Message{Title: m.Title, Text: m.Text, Context: m.Context})
}

// gitlabPipelines fits the forge to what steps ask for. Other projects than the repository's own have to be allowed: the token
// may do more than whoever writes a task.
type gitlabPipelines struct {
	parts  *parts
	mu     sync.Mutex
	forges map[string]*gitlab.Forge // by project
}

func (g *gitlabPipelines) forge(project string) (*gitlab.Forge, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if forge, ok := g.forges[project]; ok {
		return forge, nil
	}
	if !slices.Contains(g.parts.config.Pipelines, project) {
		return nil, fmt.Errorf("the server does not let tasks start pipelines of project %q: its operator can add it to pipelines: %w",
			project, promote.ErrForbidden)
	}
	other, err := g.parts.onGitLab(project, project)
	if err != nil {
		return nil, err
	}
	g.forges[project] = other.gitlab
	return other.gitlab, nil
}

// Start implements step.Pipelines.
func (g *gitlabPipelines) Start(ctx context.Context, r step.PipelineRequest) (step.Pipeline, error) {
	forge, err := g.forge(r.Project)
	if err != nil {
		return step.Pipeline{}, err
	}
	started, err := forge.StartPipeline(ctx, gitlab.PipelineDraft{Ref: r.Ref, Variables: r.Variables, Marker: r.Marker, NotBefore: r.NotBefore})
	return gitlabPipeline(started), err
}

// Pipeline implements step.Pipelines.
func (g *gitlabPipelines) Pipeline(ctx context.Context, project, id string) (step.Pipeline, error) {
	forge, err := g.forge(project)
	if err != nil {
		return step.Pipeline{}, err
	}
	number, err := strconv.Atoi(id)
	if err != nil {
		return step.Pipeline{}, fmt.Errorf("%q is no pipeline: %w", id, promote.ErrInvalid)
	}
	found, err := forge.Pipeline(ctx, number)
	return gitlabPipeline(found), err
}

func gitlabPipeline(p gitlab.Pipeline) step.Pipeline {
	over, succeeded := p.Over()
	return step.Pipeline{ID: pipelineID(int64(p.ID)), URL: p.URL, Status: p.Status, State: pipelineState(over, succeeded)}
}

// pipelineID writes a number; none is no ID.
func pipelineID(number int64) string {
	if number == 0 {
		return ""
	}
	return strconv.FormatInt(number, 10)
}

func pipelineState(over, succeeded bool) step.PipelineState {
	switch {
	case succeeded:
		return step.PipelineSucceeded
	case over:
		return step.PipelineFailed
	}
	return step.PipelineRunning
}

// workflows fits GitHub Actions to what steps ask for. Only the repositories that the configuration names may be used: the token
// may do more than whoever writes a task.
type workflows struct {
	client       *githubactions.Client
	repositories []string
}

func (w workflows) check(repository string) error {
	same := func(allowed string) bool { return strings.EqualFold(allowed, repository) }
	if !slices.ContainsFunc(w.repositories, same) {
		return fmt.Errorf("the server does not let tasks start workflows of %q: its operator can add it to github.repositories: %w",
			repository, promote.ErrForbidden)
	}
	return nil
}

// Start implements step.Pipelines.
func (w workflows) Start(ctx context.Context, r step.PipelineRequest) (step.Pipeline, error) {
	if err := w.check(r.Project); err != nil {
		return step.Pipeline{}, err
	}
	started, err := w.client.Start(ctx, githubactions.Draft{
		Repository: r.Project, Workflow: r.Workflow, Ref: r.Ref, Inputs: r.Variables, Marker: r.Marker, After: r.After,
	})
	return workflowRun(started), err
}

// Pipeline implements step.Pipelines.
func (w workflows) Pipeline(ctx context.Context, project, id string) (step.Pipeline, error) {
	if err := w.check(project); err != nil {
		return step.Pipeline{}, err
	}
	number, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return step.Pipeline{}, fmt.Errorf("%q is no run: %w", id, promote.ErrInvalid)
	}
	found, err := w.client.Run(ctx, project, number)
	return workflowRun(found), err
}

func workflowRun(r githubactions.Run) step.Pipeline {
	over, succeeded := r.Over()
	return step.Pipeline{
		ID: pipelineID(r.ID), After: r.After, URL: r.URL, Status: cmp.Or(r.Words(), "queued"), State: pipelineState(over, succeeded),
	}
}
