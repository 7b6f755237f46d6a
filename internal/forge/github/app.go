package github

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/internal/secret"
	"github.com/lockkeeper/lockkeeper/promote"
)

// renewBefore is how long a token of an installation is good for at least when it is handed out. GitHub makes them for an hour.
const renewBefore = 5 * time.Minute

// lookAgain is how long an installation that lacks permissions is not looked at again for what was granted since.
const lookAgain = 6 * time.Hour

// AppConfig says which GitHub App to be, and how.
type AppConfig struct {
	URL           string            // required; as in Config
	ID            int64             // required; the App ID of the App's page
	PrivateKey    secret.Text       // required; PEM
	Installations map[string]int64  // by owner, where they are known; others are found by asking
	Permissions   map[string]string // asked for in tokens, as far as they are granted; default: what this package needs

	HTTPClient *http.Client // this and the rest as in Config
	Timeout    time.Duration
	UserAgent  string
	Logger     *slog.Logger
	Observe    func(Call)
	Sleep      func(context.Context, time.Duration) error
	Now        func() time.Time
}

// App is a GitHub App. It makes tokens for the repositories that it is installed on, each limited to its repository and to the
// permissions that are needed, and renews them before they expire. Many Forges may share one, and many goroutines use it at once.
type App struct {
	*caller
	id            int64
	installations map[string]int64
	permissions   map[string]string

	mu     sync.Mutex
	held   map[string]*installed // by repository in lower case
	limits map[int64]*Limits     // by installation
	named  string                // the slug; empty until asked

	listed listing // of its deliveries
}

// neededPermissions are those of Lockkeeper, and what each is for.
var neededPermissions = map[string]string{
	"metadata":       "read",
	"contents":       "write", // branches, merges, the ledger
	"pull_requests":  "write",
	"issues":         "write", // labels and comments
	"statuses":       "write",
	"checks":         "write",
	"deployments":    "write",
	"merge_queues":   "write",
	"actions":        "write", // starting workflows
	"administration": "read",  // what protects a branch
	"members":        "read",  // who is in a team
}

// NewApp checks cfg and builds an App. It asks GitHub nothing.
func NewApp(cfg AppConfig) (*App, error) {
	if cfg.ID <= 0 {
		return nil, errors.New("github: the ID of the App is missing; expected the number on the App's page")
	}
	if cfg.Timeout < 0 {
		return nil, fmt.Errorf("github: timeout %s: expected a positive duration", cfg.Timeout)
	}
	key, err := parseKey(cfg.PrivateKey)
	if err != nil {
		return nil, fmt.Errorf("github: %w", err)
	}
	a := &App{
		id:            cfg.ID,
		installations: map[string]int64{},
		permissions:   cfg.Permissions,
		held:          map[string]*installed{},
		limits:        map[int64]*Limits{},
	}
	for owner, id := range cfg.Installations {
		a.installations[strings.ToLower(owner)] = id
	}
	if a.permissions == nil {
		a.permissions = neededPermissions
	}
	made, err := newCaller(connection{
		url: cfg.URL, credential: &appCredential{key: key, id: cfg.ID, limits: NewLimits(), now: cfg.Now}, observe: cfg.Observe,
		wire: forge.Connection{
			HTTPClient: cfg.HTTPClient, Timeout: cfg.Timeout, UserAgent: cfg.UserAgent, Logger: cfg.Logger, Sleep: cfg.Sleep, Now: cfg.Now,
		},
		subject: fmt.Sprintf("the installation of App %d", cfg.ID),
	})
	if err != nil {
		return nil, fmt.Errorf("github: %w", err)
	}
	a.caller = made
	return a, nil
}

// Token returns a token for "owner/name" that is good for some minutes at least, and when it expires. It is the password of Git over
// HTTPS too, with the user name x-access-token. The error wraps promote.ErrNotFound when the App is not installed there.
func (a *App) Token(ctx context.Context, repository string) (secret.Text, time.Time, error) {
	if err := checkRepository(repository); err != nil {
		return "", time.Time{}, fmt.Errorf("github: %w", err)
	}
	found, err := a.token(ctx, repository)
	return found.secret, found.expires, err
}

// Forget is told of a token for "owner/name" that was not taken, here or by Git: the next one is made anew.
func (a *App) Forget(repository string, token secret.Text) {
	entry := a.entry(repository)
	entry.busy <- struct{}{}
	defer func() { <-entry.busy }()
	if entry.secret == token {
		entry.secret = ""
	}
}

// installed is what the App has for one repository. Whoever holds busy may renew it.
type installed struct {
	busy chan struct{}

	id       int64             // of the installation; 0: it was not looked for
	granted  map[string]string // its permissions, when it was
	lookedAt time.Time

	secret  secret.Text
	expires time.Time
}

// An installationToken is a token and what is known with it.
type installationToken struct {
	secret       secret.Text
	expires      time.Time
	installation int64
}

func (a *App) entry(repository string) *installed {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := strings.ToLower(repository)
	found, ok := a.held[key]
	if !ok {
		found = &installed{busy: make(chan struct{}, 1)}
		a.held[key] = found
	}
	return found
}

// token returns the token of a repository, made now if there is none that lasts. However many ask at once, one asks GitHub.
func (a *App) token(ctx context.Context, repository string) (installationToken, error) {
	entry := a.entry(repository)
	select {
	case entry.busy <- struct{}{}:
		defer func() { <-entry.busy }()
	case <-ctx.Done():
		return installationToken{}, &promote.APIError{Service: service, Operation: "make a token", Cause: ctx.Err()}
	}
	if entry.secret == "" || entry.expires.Sub(a.now()) < renewBefore {
		if err := a.renew(ctx, repository, entry); err != nil {
			return installationToken{}, err
		}
	}
	return installationToken{secret: entry.secret, expires: entry.expires, installation: entry.id}, nil
}

// renew makes a token for where the App is installed, and for what is granted there. An installation is looked for once; again when
// it does not make a token any more, because it was made anew or may less, and once in a while as long as something is lacking that
// its owner may have granted since.
func (a *App) renew(ctx context.Context, repository string, entry *installed) error {
	lacking := !maps.Equal(narrowed(a.permissions, entry.granted), a.permissions)
	known := entry.id != 0 && (!lacking || a.now().Sub(entry.lookedAt) < lookAgain)
	if known {
		err := a.make(ctx, repository, entry)
		if !errors.Is(err, promote.ErrNotFound) && !errors.Is(err, promote.ErrForbidden) && !errors.Is(err, promote.ErrInvalid) {
			return err
		}
	}
	found, err := a.installation(ctx, repository)
	if err != nil {
		return err
	}
	entry.id, entry.granted, entry.lookedAt = found.ID, found.Permissions, a.now()
	return a.moved(ctx, repository, entry.id, a.make(ctx, repository, entry))
}

// make makes a token of an installation.
func (a *App) make(ctx context.Context, repository string, entry *installed) error {
	_, name, _ := strings.Cut(repository, "/")
	var made struct {
		Token   secret.Text `json:"token"`
		Expires time.Time   `json:"expires_at"`
	}
	_, err := a.send(ctx, request{
		name:    "make a token",
		subject: fmt.Sprintf("for repository %q", repository),
		method:  http.MethodPost,
		path:    fmt.Sprintf("app/installations/%d/access_tokens", entry.id),
		read:    true, // Another token does no harm, and is no content.
		body:    map[string]any{"repositories": []string{name}, "permissions": narrowed(a.permissions, entry.granted)},
	}, &made)
	if err != nil {
		return err
	}
	if made.Token == "" {
		return &promote.APIError{Service: service, Operation: "make a token", Status: http.StatusCreated, Message: "the answer holds no token"}
	}
	entry.secret, entry.expires = made.Token, made.Expires
	return nil
}

// narrowed is what is wanted as far as it is granted: GitHub refuses to make a token that may more.
func narrowed(wanted, granted map[string]string) map[string]string {
	out := map[string]string{}
	for name, level := range wanted {
		switch granted[name] {
		case "", "none":
		case "read":
			out[name] = "read"
		default:
			out[name] = level
		}
	}
	if len(out) == 0 {
		return maps.Clone(wanted) // GitHub says what is missing.
	}
	return out
}

type installation struct {
	ID          int64             `json:"id"`
	Permissions map[string]string `json:"permissions"`
}

// installation finds where the App is installed for a repository.
func (a *App) installation(ctx context.Context, repository string) (installation, error) {
	owner, _, _ := strings.Cut(repository, "/")
	path := "repos/" + repository + "/installation"
	if id, ok := a.installations[strings.ToLower(owner)]; ok {
		path = "app/installations/" + strconv.FormatInt(id, 10)
	}
	var found installation
	_, err := a.get(ctx, request{name: "find the installation", subject: fmt.Sprintf("for repository %q", repository), path: path}, &found)
	if api, ok := errors.AsType[*promote.APIError](err); ok && api.Status == http.StatusNotFound {
		api.Remedy = fmt.Sprintf("install the App %d on repository %q", a.id, repository)
	}
	return found, err
}

// slug is the App's name in addresses, asked once.
func (a *App) slug(ctx context.Context) (string, error) {
	a.mu.Lock()
	known := a.named
	a.mu.Unlock()
	if known != "" {
		return known, nil
	}
	var found struct {
		Slug string `json:"slug"`
	}
	if _, err := a.get(ctx, request{name: "ask which App it is", path: "app"}, &found); err != nil {
		return "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.named = found.Slug
	return found.Slug, nil
}

func (a *App) limitsOf(installation int64) *Limits {
	a.mu.Lock()
	defer a.mu.Unlock()
	found, ok := a.limits[installation]
	if !ok {
		found = NewLimits()
		a.limits[installation] = found
	}
	return found
}

// An appCredential is the App itself, which may look for its installations and make tokens for them.
type appCredential struct {
	key    *rsa.PrivateKey
	id     int64
	limits *Limits
	now    func() time.Time
}

func (c *appCredential) grant(context.Context) (grant, error) {
	now := time.Now
	if c.now != nil {
		now = c.now
	}
	signed, err := signJWT(c.key, c.id, now())
	if err != nil {
		return grant{}, fmt.Errorf("github: sign as App %d: %w", c.id, err)
	}
	return grant{scheme: "Bearer", secret: signed, limits: c.limits, holder: "app"}, nil
}

func (c *appCredential) reject(grant) bool { return false }

func (c *appCredential) unauthorized() string {
	return fmt.Sprintf("check that %d is the ID of the App, that the private key is one of its, and that the clock of this machine is right", c.id)
}

// An installationCredential is what an App has for one repository.
type installationCredential struct {
	app        *App
	repository string
}

func (c *installationCredential) grant(ctx context.Context) (grant, error) {
	found, err := c.app.token(ctx, c.repository)
	if err != nil {
		return grant{}, err
	}
	return grant{
		scheme: "Bearer",
		secret: found.secret,
		limits: c.app.limitsOf(found.installation),
		holder: fmt.Sprintf("installation %d", found.installation),
	}, nil
}

// reject forgets a token that GitHub does not take any more: it may have been revoked.
func (c *installationCredential) reject(given grant) bool {
	c.app.Forget(c.repository, given.secret)
	return true
}

func (c *installationCredential) unauthorized() string {
	return "the installation of the App was suspended or removed: look at it in the settings of the repository's owner"
}
