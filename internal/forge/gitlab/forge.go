package gitlab

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode"

	gl "github.com/xanzy/go-gitlab"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
)

// Config says which project to work on, and how.
type Config struct {
	URL     string      // required; "https://gitlab.com" or a self-managed base, also below a path; /api/v4 is appended if missing
	Project string      // required; "group/project" or the numeric ID
	Token   secret.Text // required for everything but public reads; scope api

	// TokenKind says how the token is sent. Personal, project and group access tokens are the zero value.
	TokenKind TokenKind

	// ExternalStatusCheck is the name of an external status check of the project (GitLab Ultimate) that is answered with the verdict
	// of all gates; empty: none is.
	ExternalStatusCheck string

	// Limits are shared by the forges of one token; nil: they are those of this one alone.
	Limits *Limits

	HTTPClient *http.Client                               // default: one of its own; it is copied, its redirect rule is replaced
	Timeout    time.Duration                              // of one HTTP exchange including its body; default 30s
	UserAgent  string                                     // default "lockkeeper"
	Logger     *slog.Logger                               // default: silent
	Observe    func(Call)                                 // called once per HTTP exchange, possibly by many goroutines at once
	Sleep      func(context.Context, time.Duration) error // waits between attempts; default: a timer
	Now        func() time.Time                           // default time.Now
}

// A Call is one HTTP exchange with GitLab.
type Call struct {
	Operation     string // one of a few fixed words, such as "open change"
	Method        string
	Status        int // 0 when no answer came
	Duration      time.Duration
	RateRemaining int // requests left in GitLab's current window; -1 when it did not say
}

// library is the client of the library, named once.
//
//lint:ignore SA1019 users fixed this package
type library = gl.Client //nolint:staticcheck // users fixed this package

// Forge is one GitLab project. It may be used by many goroutines at once.
type Forge struct {
	client  *library
	base    string // "projects/<escaped ID>"
	project string
	source  string // the repository's URL, as webhooks name it
	token   secret.Text
	kind    TokenKind
	check   string // name of the external status check
	limits  *Limits
	wire    forge.Connection

	mu          sync.Mutex
	self        user      // whose token it is; zero until asked
	settings    Settings  // as last read
	settingsAt  time.Time // when that was; zero: never
	checkFound  externalCheck
	answers     map[promote.Commit]checkAnswer // of the external status check
	accounts    map[string]account             // by user name in lower case
	deployments map[deploymentKey]deployment   // as last read or written
	places      map[promote.Commit]placed      // heads whose status stands on another commit, see PostStatus
	crowds      map[promote.Commit]bool        // heads that several pipelines run for
	heads       map[promote.Commit]int         // numbers of open changes
}

// New checks cfg and builds a Forge. It asks GitLab nothing.
func New(cfg Config) (*Forge, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("gitlab: %w", err)
	}
	f := &Forge{
		base:    "projects/" + gl.PathEscape(cfg.Project),
		project: cfg.Project,
		source:  Pages(cfg.URL) + "/" + cfg.Project + ".git",
		token:   cfg.Token,
		kind:    cfg.TokenKind,
		check:   cfg.ExternalStatusCheck,
		limits:  cfg.Limits,
		wire: forge.Connection{
			Service: service, Title: "GitLab",
			HTTPClient: cfg.HTTPClient, Timeout: cfg.Timeout, UserAgent: cfg.UserAgent, Logger: cfg.Logger, Sleep: cfg.Sleep, Now: cfg.Now,
		}.Ready(),
		places:      map[promote.Commit]placed{},
		crowds:      map[promote.Commit]bool{},
		heads:       map[promote.Commit]int{},
		answers:     map[promote.Commit]checkAnswer{},
		accounts:    map[string]account{},
		deployments: map[deploymentKey]deployment{},
	}
	if f.limits == nil {
		f.limits = &Limits{}
	}
	client, err := newClient(cfg, f)
	if err != nil {
		return nil, fmt.Errorf("gitlab: %w", err)
	}
	f.client = client
	return f, nil
}

// newClient is the only place that constructs the library's client. The library would retry writes and slow itself down after the
// first answer; both are switched off here, see call.go and transport.go for what happens instead.
func newClient(cfg Config, f *Forge) (*library, error) {
	client, err := cfg.TokenKind.client()(cfg.Token.Reveal(),
		gl.WithBaseURL(cfg.URL),
		gl.WithHTTPClient(f.wire.Client(func(next http.RoundTripper) http.RoundTripper {
			return &transport{next: next, public: cfg.Token == "", observe: cfg.Observe, now: f.wire.Now}
		}, redirected)),
		gl.WithoutRetries(),
		gl.WithCustomRetryMax(0),
	)
	if err != nil {
		return nil, err
	}
	client.UserAgent = f.wire.UserAgent
	return client, nil
}

// Pages returns the URL of the pages and repositories of a GitLab, without a slash at its end, from that URL or from that of its API.
func Pages(text string) string {
	return strings.TrimRight(strings.TrimSuffix(strings.TrimRight(text, "/"), "/api/v4"), "/")
}

func (cfg Config) check() error {
	base, err := url.Parse(cfg.URL)
	switch {
	case cfg.URL == "":
		return errors.New("the URL is missing; expected something like https://gitlab.com")
	case err != nil:
		return errors.New("the URL cannot be read; expected something like https://gitlab.com")
	case base.User != nil:
		return errors.New("the URL holds credentials; give the token on its own, in LOCKKEEPER_GITLAB_TOKEN")
	case base.Scheme != "https" && base.Scheme != "http" || base.Host == "" || base.RawQuery != "" || base.Fragment != "":
		return fmt.Errorf("URL %q: expected https://host, optionally with a path", cfg.URL)
	}
	switch project := cfg.Project; {
	case project == "":
		return errors.New("the project is missing; expected group/project or the numeric ID")
	case strings.Contains(project, "://") || strings.HasPrefix(project, "/") || strings.HasSuffix(project, "/") ||
		strings.HasSuffix(project, ".git") || strings.ContainsFunc(project, unprintable):
		return fmt.Errorf("project %q: expected group/project or the numeric ID, without host and .git", project)
	}
	if strings.ContainsFunc(cfg.Token.Reveal(), unprintable) {
		return errors.New("the token holds white space or control characters; was a line break copied with it?")
	}
	if cfg.TokenKind < AccessToken || cfg.TokenKind > JobToken {
		return fmt.Errorf("token kind %d: expected that of an access, OAuth or job token", cfg.TokenKind)
	}
	if cfg.Timeout < 0 {
		return fmt.Errorf("timeout %s: expected a positive duration", cfg.Timeout)
	}
	return nil
}

func unprintable(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }

func (f *Forge) now() time.Time { return f.wire.Now() }

func (f *Forge) pause(ctx context.Context, d time.Duration) error { return f.wire.Pause(ctx, d) }
