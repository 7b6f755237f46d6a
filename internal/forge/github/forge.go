package github

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
)

// Config says which repository to work on, and how.
type Config struct {
	URL        string      // required; "https://github.com", "https://ghe.example.com", or the URL of a REST API
	Repository string      // required; "owner/name"
	Token      secret.Text // a personal access token, fine-grained or classic, or the GITHUB_TOKEN of GitHub Actions
	App        *App        // instead of Token: a GitHub App that is installed on the repository; many Forges may share one

	WebhookURL string // where GitHub sends the repository's webhooks, for Missed; default: whatever URL ends with /webhook/github

	Checks bool    // post check runs, with summary, annotations and buttons, where the credentials allow them; otherwise commit statuses
	Limits *Limits // shared by the Forges that use one token; default: its own. Those of an App share by installation

	HTTPClient *http.Client                               // default: one of its own; it is copied, its redirect rule is replaced
	Timeout    time.Duration                              // of one HTTP exchange including its body; default 30s
	UserAgent  string                                     // default "lockkeeper"
	Logger     *slog.Logger                               // default: silent
	Observe    func(Call)                                 // called once per HTTP exchange, possibly by many goroutines at once
	Sleep      func(context.Context, time.Duration) error // waits between attempts; default: a timer
	Now        func() time.Time                           // default time.Now
}

// A Call is one HTTP exchange with GitHub.
type Call struct {
	Operation     string // one of a few fixed words, such as "open change"
	Method        string
	Status        int // 0 when no answer came; 304 when what is cached still holds
	Duration      time.Duration
	Resource      string // which of GitHub's limits it counted against, such as "core" or "graphql"; empty when it did not say
	RateRemaining int    // requests left in GitHub's current window; -1 when it did not say
	ContentLeft   int    // requests left in our own budget for what creates content
	API           string // "rest" or "graphql"
	PointsLeft    int    // points left of that API's budget for a minute
}

// Forge is one GitHub repository. It may be used by many goroutines at once.
type Forge struct {
	*caller
	owner  string
	name   string
	base   string // "repos/<owner>/<name>"
	app    *App   // nil for a token
	checks bool

	webhookURL *url.URL // nil: not configured

	rereading sync.Mutex // held by whoever reads what webhooks said
	unread    unreads

	mu          sync.Mutex
	self        user                             // whose token it is; zero until asked
	id          int64                            // of the repository; 0 until asked
	lacking     time.Time                        // when GitHub said last that the credentials may not write check runs
	noDrafts    bool                             // the plan has no drafts here
	posted      memory[statusKey, post]          // statuses as last read or written
	deployments memory[deploymentKey, deployed]  // deployments of ours
	texts       memory[textKey, wholeText]       // what was too long for GitHub
	unmarked    memory[int, promote.ChangeDraft] // changes that were opened and could not be labelled
}

// New checks cfg and builds a Forge. It asks GitHub nothing.
func New(cfg Config) (*Forge, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("github: %w", err)
	}
	webhook, err := parseWebhookURL(cfg.WebhookURL)
	if err != nil {
		return nil, fmt.Errorf("github: %w", err)
	}
	owner, name, _ := strings.Cut(cfg.Repository, "/")
	var held credential
	switch {
	case cfg.App != nil:
		held = &installationCredential{app: cfg.App, repository: cfg.Repository}
	case cfg.Limits != nil:
		held = &tokenCredential{token: cfg.Token, limits: cfg.Limits}
	default:
		held = &tokenCredential{token: cfg.Token, limits: NewLimits()}
	}
	made, err := newCaller(connection{
		url: cfg.URL, credential: held, observe: cfg.Observe, subject: fmt.Sprintf("repository %q", cfg.Repository),
		wire: forge.Connection{
			HTTPClient: cfg.HTTPClient, Timeout: cfg.Timeout, UserAgent: cfg.UserAgent, Logger: cfg.Logger, Sleep: cfg.Sleep, Now: cfg.Now,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("github: %w", err)
	}
	return &Forge{
		caller: made,
		owner:  owner,
		name:   name,
		base:   "repos/" + owner + "/" + name,
		app:    cfg.App,
		checks: cfg.Checks,

		webhookURL: webhook,
		unread:     unreads{},
	}, nil
}

var repositoryForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]*/[A-Za-z0-9._-]+$`)

func (cfg Config) check() error {
	if cfg.Repository == "" {
		return errors.New("the repository is missing; expected owner/name")
	}
	if err := checkRepository(cfg.Repository); err != nil {
		return err
	}
	if cfg.Token != "" && cfg.App != nil {
		return errors.New("both a token and an App are given; expected one of them")
	}
	if strings.ContainsFunc(cfg.Token.Reveal(), unprintable) {
		return errors.New("the token holds white space or control characters; was a line break copied with it?")
	}
	if cfg.Timeout < 0 {
		return fmt.Errorf("timeout %s: expected a positive duration", cfg.Timeout)
	}
	return nil
}

func checkRepository(repository string) error {
	_, name, _ := strings.Cut(repository, "/")
	if !repositoryForm.MatchString(repository) || strings.HasSuffix(name, ".git") || strings.Trim(name, ".") == "" {
		return fmt.Errorf("repository %q: expected owner/name, without host and .git", repository)
	}
	return nil
}

func unprintable(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }
