package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/lockkeeper/lockkeeper/bot"
	"github.com/lockkeeper/lockkeeper/internal/forge/gitlab"
	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// serverConfig is the content of the server's configuration file. It holds no secret.
type serverConfig struct {
	// Listen is the address to serve on. Default: ":8080".
	Listen string `json:"listen"`
	// PublicURL is where the forges reach this server, such as https://lockkeeper.example.com. `lockkeeper doctor` compares the webhooks with it, and of several webhooks those of this one are looked through for what was lost.
	PublicURL string `json:"publicURL"`
	// Database is the path of the SQLite file of the queue. Default: lockkeeper.db.
	Database string `json:"database"`
	// CacheDir is a folder that keeps what is known of images and tags over restarts; it may be deleted at any time. Default: lockkeeper in the user's cache folder, if there is one.
	CacheDir string `json:"cacheDir"`
	// Sweep is how often every repository is looked at without an event. Default: 5m.
	Sweep string `json:"sweep"`
	// Author is who makes the commits of Lockkeeper. Signed ones are verified only where the account that the key belongs to has its e-mail address.
	Author authorConfig `json:"author"`
	// GitLab is where the repositories of GitLab live.
	GitLab gitlabConfig `json:"gitlab"`
	// Repositories are those that Lockkeeper looks after.
	Repositories []repositoryConfig `json:"repositories"`
	// Outbound says where the steps of tasks may connect to, and where charts, images and other repositories may come from.
	Outbound outboundConfig `json:"outbound"`
	// Secrets are what tasks read with secret(name) and sharedSecret(name).
	Secrets []secretConfig `json:"secrets"`
	// ConfigMaps are what tasks read with configMap(name) and sharedConfigMap(name).
	ConfigMaps []configMapConfig `json:"configMaps"`
	// GitRepositories are other repositories that git-clone may read.
	GitRepositories []gitRepositoryConfig `json:"gitRepositories"`
	// Messages are the channels that send-message may name.
	Messages []channelConfig `json:"messages"`
	// Pipelines are other projects on GitLab in which gitlab-trigger-pipeline may start pipelines. Default: the repository's own only.
	Pipelines []string `json:"pipelines"`
	// GitHub is where the repositories of GitHub live, and where gha-dispatch-workflow starts workflows.
	GitHub githubConfig `json:"github"`
	// OCIPush are the registries and repositories that oci-push may write to, and below, such as ghcr.io/acme. Default: none.
	OCIPush []string `json:"ociPush"`
	// ArgoCD is the server that deploys. Without it promotions wait after their merge.
	ArgoCD argocdConfig `json:"argocd"`
	// RegistryWebhooks are senders that say when there is something new. Without them a warehouse looks at its interval.
	RegistryWebhooks []registryWebhookConfig `json:"registryWebhooks"`
}

// authorConfig is the author of commits.
type authorConfig struct {
	// Name of the author. Default: Lockkeeper.
	Name string `json:"name"`
	// Email of the author. Default: lockkeeper@localhost.
	Email string `json:"email"`
}

// gitlabConfig is a GitLab instance.
type gitlabConfig struct {
	// URL of the instance. Default: https://gitlab.com.
	URL string `json:"url"`
	// TokenKind is what LOCKKEEPER_GITLAB_TOKEN is: access for a personal, project or group access token, oauth, or job for the token of a CI job, which may read and little else. Default: access.
	TokenKind string `json:"tokenKind"`
	// ExternalStatusCheck is the name of an external status check of the projects (GitLab Ultimate) that is answered with the verdict of all gates, beside the commit status. Default: none.
	ExternalStatusCheck string `json:"externalStatusCheck"`
}

// gitlabTokens are the words for kinds of tokens, and who Git signs in as with each.
var gitlabTokens = map[string]struct {
	kind     gitlab.TokenKind
	username string
}{
	"access": {gitlab.AccessToken, "lockkeeper"},
	"oauth":  {gitlab.OAuthToken, "oauth2"},
	"job":    {gitlab.JobToken, "gitlab-ci-token"},
}

// repositoryConfig is one repository.
type repositoryConfig struct {
	// Project is its path on the forge, such as group/repository. Required.
	Project string `json:"project"`
	// Forge is where it lives, gitlab or github. Default: the one that credentials are set for, gitlab when both are. Required of both when two have one path.
	Forge string `json:"forge"`
	// Branch is the branch that Argo CD deploys. Default: the repository's default branch.
	Branch string `json:"branch"`
	// URLs are other spellings of the repository's URL that its manifests use.
	URLs []string `json:"urls"`

	twin bool // the path stands for another one, which comes before it in the file
}

// path is that on the forge.
func (r repositoryConfig) path() string { return strings.Trim(r.Project, "/") }

// name is how the queue, logs, metrics and secrets call it: its path, unless that is taken.
func (r repositoryConfig) name() string {
	if r.twin {
		return r.Forge + ":" + r.path()
	}
	return r.path()
}

// outboundConfig says where repositories may have the server connect to.
type outboundConfig struct {
	// Allow lists hosts, addresses and CIDRs that are allowed beside public and private networks: loopback, link-local and metadata addresses are not otherwise. Also: LOCKKEEPER_OUTBOUND_ALLOW, separated by commas.
	Allow []string `json:"allow"`
}

// secretConfig is one secret.
type secretConfig struct {
	// Repository is the project whose tasks may read it; github:owner/repository or gitlab:group/repository where both forges have it. Default: any, which is right when all are trusted alike.
	Repository string `json:"repository"`
	// Project is the Kargo project whose tasks may read it. Required, unless it is shared.
	Project string `json:"project"`
	// Name is how tasks call it. Required.
	Name string `json:"name"`
	// Shared lets the tasks of every project read it. Default: false.
	Shared bool `json:"shared"`
	// Env names the environment variable of each of its keys. Required.
	Env map[string]string `json:"env"`
}

// configMapConfig is one config map.
type configMapConfig struct {
	// Repository is the project whose tasks may read it, as in secrets. Default: any.
	Repository string `json:"repository"`
	// Project is the Kargo project whose tasks may read it. Required, unless it is shared.
	Project string `json:"project"`
	// Name is how tasks call it. Required.
	Name string `json:"name"`
	// Shared lets the tasks of every project read it. Default: false.
	Shared bool `json:"shared"`
	// Data are its keys and values. They are no secrets. Required.
	Data map[string]string `json:"data"`
}

// gitRepositoryConfig is another repository.
type gitRepositoryConfig struct {
	// URL of the repository, as https://host/path. Required.
	URL string `json:"url"`
	// Username that goes with the token. Default: git.
	Username string `json:"username"`
	// TokenEnv names the environment variable of a token that may read it. Default: none, for public repositories.
	TokenEnv string `json:"tokenEnv"`
}

// channelConfig is where messages go.
type channelConfig struct {
	// Name is how tasks call it. Required.
	Name string `json:"name"`
	// Kind is slack, teams or webhook. Required.
	Kind string `json:"kind"`
	// URLEnv names the environment variable of its URL, which is its password. Required.
	URLEnv string `json:"urlEnv"`
}

// githubConfig is a GitHub.
type githubConfig struct {
	// URL of the instance, such as https://github.example.com. That of its API will do, too. Default: https://github.com.
	URL string `json:"url"`
	// CommitStatuses has a GitHub App post commit statuses instead of check runs, which show the gates and the findings at their lines. Default: false.
	CommitStatuses bool `json:"commitStatuses"`
	// TokenEnv names the environment variable of a token that may write actions, for gha-dispatch-workflow.
	TokenEnv string `json:"tokenEnv"`
	// Repositories are those whose workflows may be started, as owner/repository.
	Repositories []string `json:"repositories"`
}

// registryWebhookConfig is one sender of hints.
type registryWebhookConfig struct {
	// Kind is dockerhub, quay, github, gitlab, harbor, distribution or generic. Required.
	Kind string `json:"kind"`
	// SecretEnv names the environment variable of the secret that signs (github, generic); several, separated by commas, while rotating.
	SecretEnv string `json:"secretEnv"`
	// TokenEnv names the environment variable of the token that is sent along (all but github); several, separated by commas, while rotating.
	TokenEnv string `json:"tokenEnv"`
}

// argocdConfig is an Argo CD API server.
type argocdConfig struct {
	// URL of the API server. Also: LOCKKEEPER_ARGOCD_URL.
	URL string `json:"url"`
	// InsecureSkipTLSVerify accepts any certificate. Default: false.
	InsecureSkipTLSVerify bool `json:"insecureSkipTLSVerify"`
}

// secrets come from the environment only.
type secrets struct {
	GitLabToken  string   `env:"LOCKKEEPER_GITLAB_TOKEN"`
	GitHubToken  string   `env:"LOCKKEEPER_GITHUB_TOKEN"`
	GitHubAppID  int64    `env:"LOCKKEEPER_GITHUB_APP_ID"`
	GitHubAppKey string   `env:"LOCKKEEPER_GITHUB_APP_KEY"`
	GitHubSecret []string `env:"LOCKKEEPER_GITHUB_WEBHOOK_SECRET"` // several while rotating, separated by commas
	WebhookToken []string `env:"LOCKKEEPER_GITLAB_WEBHOOK_TOKEN"`  // several while rotating, separated by commas
	SigningToken []string `env:"LOCKKEEPER_GITLAB_SIGNING_TOKEN"`  // likewise
	ArgoCDToken  string   `env:"LOCKKEEPER_ARGOCD_TOKEN"`
	ArgoCDURL    string   `env:"LOCKKEEPER_ARGOCD_URL"`
	CommitKey    string   `env:"LOCKKEEPER_SIGNING_KEY"` // empty: commits are not signed
	CommitSecret string   `env:"LOCKKEEPER_SIGNING_PASSPHRASE"`

	OutboundAllow []string `env:"LOCKKEEPER_OUTBOUND_ALLOW"` // beside those of outbound.allow

	registries []bot.RegistryHook  // verify with the secrets in the variables that the configuration names
	getenv     func(string) string // the variables that the configuration names; nil: there are none
}

// variable is an environment variable that is read.
type variable struct{ name, meaning string }

// variables lists those that secrets come from, as help and reference show them.
func variables() []variable {
	return []variable{
		{"LOCKKEEPER_GITLAB_TOKEN", "access token of GitLab with scope api, role Developer or higher"},
		{"LOCKKEEPER_GITLAB_WEBHOOK_TOKEN", "secret token of the webhook; several, separated by commas, while rotating"},
		{"LOCKKEEPER_GITLAB_SIGNING_TOKEN", "signing token of the webhook (whsec_…), instead of or beside the secret token"},
		{"LOCKKEEPER_GITHUB_APP_ID", "ID of the GitHub App to be"},
		{"LOCKKEEPER_GITHUB_APP_KEY", "private key of the GitHub App, its text (PEM) or that in base64"},
		{"LOCKKEEPER_GITHUB_TOKEN", "token of GitHub that may write contents, pull requests, issues and statuses, instead of an App"},
		{"LOCKKEEPER_GITHUB_WEBHOOK_SECRET", "secret of the webhook or the App; several, separated by commas, while rotating"},
		{"LOCKKEEPER_ARGOCD_TOKEN", "token of an Argo CD account that may get and sync the applications"},
		{"LOCKKEEPER_ARGOCD_URL", "Argo CD API server, when the configuration names none"},
		{"LOCKKEEPER_OUTBOUND_ALLOW", "hosts, addresses and CIDRs, separated by commas, that are allowed beside those of outbound.allow"},
		{"LOCKKEEPER_SIGNING_KEY", "private key that signs commits, its text or that in base64: OpenPGP (armored) or OpenSSH, Ed25519 or RSA"},
		{"LOCKKEEPER_SIGNING_PASSPHRASE", "passphrase of that key, if it has one"},
	}
}

// variablesHelp writes the variables for a command's help.
func variablesHelp() string {
	var b strings.Builder
	b.WriteString("Secrets come from the environment:\n")
	for _, v := range variables() {
		fmt.Fprintf(&b, "  %-32s %s\n", v.name, v.meaning)
	}
	return strings.TrimRight(b.String(), "\n")
}

func readSecrets(getenv func(string) string) (secrets, error) {
	s := secrets{getenv: getenv}
	values := map[string]string{}
	for _, v := range variables() {
		if value := strings.TrimSpace(getenv(v.name)); value != "" {
			values[v.name] = value
		}
	}
	if err := env.ParseWithOptions(&s, env.Options{Environment: values}); err != nil {
		// All others are texts. The value is not shown: where two variables were mixed up it is the key.
		return s, errors.New("LOCKKEEPER_GITHUB_APP_ID is no number: expected that of the App's page; the App's key belongs in LOCKKEEPER_GITHUB_APP_KEY")
	}
	s.GitHubAppKey, s.CommitKey = keyText(s.GitHubAppKey), keyText(s.CommitKey)
	return s, nil
}

// keyText is a private key as its program wrote it. A variable holds it as it is, or in one line: with its line breaks as \n, or in
// base64, which every reader of environment files takes.
func keyText(value string) string {
	if strings.Contains(value, "-----BEGIN ") {
		if !strings.Contains(value, "\n") {
			return strings.ReplaceAll(value, `\n`, "\n")
		}
		return value
	}
	plain, err := base64.StdEncoding.DecodeString(value) // which leaves line breaks out
	if err != nil || !bytes.Contains(plain, []byte("-----BEGIN ")) {
		return value // whoever parses it says what is wrong
	}
	return string(plain)
}

// readServerConfig reads a configuration file, strictly, and fills in what it leaves out.
func readServerConfig(path string) (serverConfig, error) {
	var cfg serverConfig
	data, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return cfg, fmt.Errorf("configuration: %w; name the file with --config", err)
	}
	documents, err := manifest.Split(path, data)
	if err != nil {
		return cfg, fmt.Errorf("configuration: %w", err)
	}
	if len(documents) != 1 {
		return cfg, fmt.Errorf("configuration: %s: expected one YAML document, found %d", path, len(documents))
	}
	if err := manifest.Decode(documents[0], &cfg); err != nil {
		return cfg, fmt.Errorf("configuration: %w", err)
	}
	if len(cfg.Repositories) == 0 {
		return cfg, fmt.Errorf("configuration: %s: repositories is empty: name one, as in repositories: [{project: group/repository}]", path)
	}
	return cfg, cfg.complete()
}

func (c *serverConfig) complete() error {
	setDefault(&c.Listen, ":8080")
	setDefault(&c.Database, "lockkeeper.db")
	setDefault(&c.Sweep, "5m")
	setDefault(&c.Author.Name, "Lockkeeper")
	setDefault(&c.Author.Email, "lockkeeper@localhost")
	setDefault(&c.GitLab.URL, "https://gitlab.com")
	setDefault(&c.GitLab.TokenKind, "access")
	setDefault(&c.GitHub.URL, "https://github.com")
	if _, err := time.ParseDuration(c.Sweep); err != nil {
		return fmt.Errorf("configuration: sweep is %q: expected a duration such as 5m", c.Sweep)
	}
	for name, raw := range map[string]string{"publicURL": c.PublicURL, "gitlab.url": c.GitLab.URL, "argocd.url": c.ArgoCD.URL, "github.url": c.GitHub.URL} {
		if err := checkURL(raw); raw != "" && err != nil {
			// The value may hold a password, so it is not shown.
			return fmt.Errorf("configuration: %s: %w", name, err)
		}
	}
	c.GitLab.URL = gitlab.Pages(c.GitLab.URL)
	if _, known := gitlabTokens[c.GitLab.TokenKind]; !known {
		return fmt.Errorf("configuration: gitlab.tokenKind is %q: expected access, oauth or job", c.GitLab.TokenKind)
	}
	if err := c.nameRepositories(); err != nil {
		return err
	}
	return c.nameReaders()
}

// nameRepositories checks them. Two may have one path, each on a forge of its own.
func (c *serverConfig) nameRepositories() error {
	first := map[string]repositoryConfig{}
	for i, repository := range c.Repositories {
		at := fmt.Sprintf("configuration: repositories[%d]", i)
		path := strings.ToLower(repository.path())
		other, taken := first[path]
		switch {
		case path == "":
			return fmt.Errorf("%s.project is empty: expected group/repository", at)
		case repository.Forge != "" && repository.Forge != forgeGitLab && repository.Forge != forgeGitHub:
			return fmt.Errorf("%s.forge is %q: expected %s or %s", at, repository.Forge, forgeGitLab, forgeGitHub)
		case taken && (other.twin || repository.Forge == other.Forge && repository.Forge != ""):
			return fmt.Errorf("%s.project: %q is there twice", at, repository.Project)
		case taken && (repository.Forge == "" || other.Forge == ""):
			return fmt.Errorf("%s.project: %q is there twice: remove one, or say of both on which forge it is, as forge: %s and forge: %s",
				at, repository.Project, forgeGitLab, forgeGitHub)
		case taken:
			c.Repositories[i].twin = true
			first[path] = c.Repositories[i]
		default:
			first[path] = repository
		}
	}
	return nil
}

// nameReaders makes what secrets and config maps say of their repository its name: that is told apart by forge where two have one path.
func (c *serverConfig) nameReaders() error {
	for i := range c.Secrets {
		if err := c.nameReader(fmt.Sprintf("secrets[%d]", i), &c.Secrets[i].Repository); err != nil {
			return err
		}
	}
	for i := range c.ConfigMaps {
		if err := c.nameReader(fmt.Sprintf("configMaps[%d]", i), &c.ConfigMaps[i].Repository); err != nil {
			return err
		}
	}
	return nil
}

func (c *serverConfig) nameReader(at string, reader *string) error {
	forge, path, qualified := strings.Cut(*reader, ":")
	if !qualified {
		forge, path = "", *reader
	}
	var found []string
	for _, repository := range c.Repositories {
		if strings.EqualFold(repository.path(), path) && (forge == "" || repository.Forge == forge) {
			found = append(found, repository.name())
		}
	}
	switch {
	case len(found) > 1:
		return fmt.Errorf("configuration: %s.repository: %q is on both forges: write %s:%s or %s:%s", at, path, forgeGitLab, path, forgeGitHub, path)
	case len(found) == 1:
		*reader = found[0]
	case qualified:
		return fmt.Errorf("configuration: %s.repository: there is no repository %q with forge: %s", at, path, forge)
	}
	return nil
}

// The forges that a repository may live on.
const (
	forgeGitLab = "gitlab"
	forgeGitHub = "github"
)

// forgeOf is where a repository lives.
func (s secrets) forgeOf(repository repositoryConfig) string {
	switch {
	case repository.Forge != "":
		return repository.Forge
	case s.GitLabToken == "" && (s.GitHubToken != "" || s.GitHubAppID != 0):
		return forgeGitHub
	}
	return forgeGitLab
}

func setDefault(field *string, value string) {
	if *field == "" {
		*field = value
	}
}

func checkURL(raw string) error {
	parsed, err := url.Parse(raw)
	switch {
	case err != nil:
		return errors.New("not a URL")
	case parsed.Scheme != "https" && parsed.Scheme != "http", parsed.Host == "":
		return errors.New("expected https://host")
	case parsed.User != nil:
		return errors.New("it holds credentials: they belong in the environment")
	}
	return nil
}
