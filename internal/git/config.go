package git

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/secret"
)

// MaxBlobSize is the size of the largest file that is read or written, in bytes.
const MaxBlobSize = 25 << 20

const defaultTimeout = 60 * time.Second

// Signature names a person or a bot in a commit.
type Signature struct {
	Name  string
	Email string
}

// SignFunc signs a commit: payload is the commit without its signature, when the time of its committer. The answer is what git
// keeps in the header gpgsig, an armored OpenPGP or SSH signature. Equal arguments must give equal answers, or Commit is no
// longer deterministic. It is called concurrently.
type SignFunc func(payload []byte, when time.Time) (signature string, err error)

// Config says which repository to talk to, and as whom.
type Config struct {
	URL      string      // required; http or https; userinfo is used as credentials and never printed
	Username string      // optional; "git" when only a password is set, which GitHub and GitLab accept for tokens
	Password secret.Text // optional
	// Token returns the password of the moment, where it expires and is renewed. It is asked before every network operation.
	Token func(ctx context.Context) (secret.Text, error) // optional; instead of Password
	// Refused is told of a password that the server does not take: it may have been revoked before its time.
	Refused func(password secret.Text) // optional
	// Author is author and committer of commits made here unless the request says otherwise.
	Author     Signature     // required for Commit
	Sign       SignFunc      // optional; signs every commit made here
	Timeout    time.Duration // for one network operation; 0 means 60 s
	HTTPClient *http.Client  // optional; its transport and cookie jar are used, redirects are handled here
}

// Repository is a remote repository and what is known of it. It is safe for concurrent use.
type Repository struct {
	remote *remote
	author Signature
	sign   SignFunc // nil: commits are not signed
	store  *store
	caps   atomic.Pointer[capabilities] // of git-upload-pack, once known
	rcaps  atomic.Pointer[capabilities] // of git-receive-pack, once known
}

// Open checks the configuration. It does no network access.
func Open(cfg Config) (*Repository, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, errors.New("repository URL cannot be parsed; expected https://host/path.git")
	}
	if u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.Opaque != "" {
		return nil, fmt.Errorf("repository URL %q: expected https://host/path.git", withoutUserinfo(u))
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("repository URL %q: expected no query and no fragment", withoutUserinfo(u))
	}
	if cfg.Timeout < 0 {
		return nil, fmt.Errorf("timeout %s: expected a positive duration", cfg.Timeout)
	}
	user, password := credentials(u, cfg)
	if strings.ContainsAny(user+password.Reveal(), "\r\n\x00") {
		return nil, errors.New("credentials contain a line break or NUL; check how the token was stored")
	}
	u.User = nil
	rm := &remote{
		user:     user,
		password: func(context.Context) (secret.Text, error) { return password, nil },
		timeout:  cfg.Timeout,
		client:   httpClient(cfg.HTTPClient),
		denied:   cfg.Refused,
	}
	if cfg.Token != nil {
		rm.password = cfg.Token
		rm.user = cmp.Or(user, "git")
	}
	if rm.timeout == 0 {
		rm.timeout = defaultTimeout
	}
	base := strings.TrimRight(u.String(), "/")
	rm.base.Store(&base)
	return &Repository{remote: rm, author: cfg.Author, sign: cfg.Sign, store: newStore()}, nil
}

// URL returns the repository's address without credentials.
func (r *Repository) URL() string { return *r.remote.base.Load() }

func credentials(u *url.URL, cfg Config) (string, secret.Text) {
	user, password := cfg.Username, cfg.Password
	if u.User != nil {
		if user == "" {
			user = u.User.Username()
		}
		if p, ok := u.User.Password(); ok && password == "" {
			password = secret.Text(p)
		}
	}
	if user == "" && password != "" {
		user = "git"
	}
	return user, password
}

func withoutUserinfo(u *url.URL) string {
	clean := *u
	clean.User, clean.RawQuery, clean.Fragment = nil, "", ""
	return clean.String()
}

// httpClient copies the caller's client so that redirects can be decided here without changing it.
func httpClient(c *http.Client) *http.Client {
	var client http.Client
	if c != nil {
		client = *c
	}
	client.CheckRedirect = checkRedirect
	return &client
}

// checkRedirect follows only what cannot carry the credentials elsewhere: a GET that stays on the host. Redirected
// discovery (a renamed repository) is followed; a redirected fetch or push is an error with the new place in it.
func checkRedirect(req *http.Request, via []*http.Request) error {
	first := via[0]
	switch {
	case len(via) >= 5:
		return errors.New("too many redirects")
	case first.Method != http.MethodGet || req.URL.Host != first.URL.Host,
		first.URL.Scheme == "https" && req.URL.Scheme != "https":
		return fmt.Errorf("server redirects to %q: use that address as the repository URL", withoutUserinfo(req.URL))
	}
	return nil
}
