package discover

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	ggcr "github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"golang.org/x/time/rate"

	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	maxTags  = 100_000 // of one repository
	maxPages = 5_000   // of one list; a page may be as short as 50 tags
	pageSize = 1_000
	jobs     = 32
)

// Config says how registries are asked. The zero value asks anonymously.
type Config struct {
	Keychain      authn.Keychain         // credentials by registry; nil: none
	Transport     http.RoundTripper      // nil: the default transport with a proxy from the environment
	RatePerSecond float64                // requests to each registry; 0: 20
	Timeout       time.Duration          // of one request, its body included; 0: 30 s
	Insecure      func(host string) bool // whether the registry of that host speaks plain HTTP; nil: loopback addresses
	Logger        *slog.Logger           // nil: silence
	Now           func() time.Time       // nil: time.Now
	UserAgent     string                 // "": lockkeeper

	// Sleep waits for a registry's turn; nil: a timer.
	Sleep func(ctx context.Context, d time.Duration) error
}

// Registry asks registries. It is safe for concurrent use.
type Registry struct {
	config    Config
	mu        sync.Mutex
	gates     map[string]*gate             // by registry
	pullers   map[pullerKey]*remote.Puller // know how to authenticate
	platforms map[string][]string          // by digest
}

type pullerKey struct {
	registry string
	skipTLS  bool
}

// New returns a Registry.
func New(config Config) *Registry {
	if config.Keychain == nil {
		config.Keychain = authn.NewMultiKeychain()
	}
	if config.Transport == nil {
		config.Transport = remote.DefaultTransport
	}
	if config.RatePerSecond <= 0 {
		config.RatePerSecond = 20
	}
	if config.Timeout <= 0 {
		config.Timeout = 30 * time.Second
	}
	if config.Insecure == nil {
		config.Insecure = isLoopback
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.UserAgent == "" {
		config.UserAgent = "lockkeeper"
	}
	if config.Sleep == nil {
		config.Sleep = sleep
	}
	return &Registry{
		config: config, gates: map[string]*gate{}, pullers: map[pullerKey]*remote.Puller{}, platforms: map[string][]string{},
	}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Digest returns the digest that the image's tag points to now, "" when the tag or its repository does not exist. Other
// refusals are a [promote.APIError]. insecure does not verify the registry's certificate.
func (r *Registry) Digest(ctx context.Context, image promote.Image, insecure bool) (string, error) {
	repo, err := r.repository(image.RepoURL)
	if err != nil {
		return "", err
	}
	if !tagPattern.MatchString(image.Tag) {
		return "", fmt.Errorf("tag %q of %s is not a tag: %w", image.Tag, image.RepoURL, promote.ErrInvalid)
	}
	digest, err := r.digest(ctx, repo.Tag(image.Tag), insecure)
	if errors.Is(err, promote.ErrNotFound) {
		return "", nil
	}
	return digest, err
}

// digest asks with HEAD, and with GET where a registry does not answer that well.
func (r *Registry) digest(ctx context.Context, tag name.Tag, skipTLS bool) (string, error) {
	digest := ""
	err := r.ask(ctx, request{tag.Context(), skipTLS, fmt.Sprintf("read the digest of %q", shown(tag))}, func(p *remote.Puller) error {
		head, err := p.Head(ctx, tag)
		if err == nil {
			digest = head.Digest.String()
			return nil
		}
		if !poorHead(err) {
			return err
		}
		full, err := p.Get(ctx, tag)
		if err == nil {
			digest = full.Digest.String()
		}
		return err
	})
	return digest, err
}

// poorHead reports whether an error may come from a registry that does not implement HEAD as it should.
func poorHead(err error) bool {
	refused, ok := errors.AsType[*ggcr.Error](err)
	if ok {
		return refused.StatusCode == http.StatusMethodNotAllowed || refused.StatusCode == http.StatusNotImplemented
	}
	_, network := errors.AsType[net.Error](err)
	return !network && !errors.Is(err, promote.ErrLimited) && !errors.Is(err, context.Canceled)
}

// tags lists all tags of a repository. Those that are no tags at all are left out.
func (r *Registry) tags(ctx context.Context, repo name.Repository, skipTLS bool) ([]string, error) {
	var tags []string
	err := r.ask(ctx, request{repo, skipTLS, fmt.Sprintf("list the tags of %q", shown(repo))}, func(p *remote.Puller) error {
		tags = nil
		lister, err := p.Lister(ctx, repo)
		if err != nil {
			return err
		}
		before := ""
		for pages := 0; lister.HasNext(); pages++ {
			page, err := lister.Next(ctx)
			if err != nil {
				return err
			}
			for _, tag := range page.Tags {
				if tagPattern.MatchString(tag) {
					tags = append(tags, tag)
				}
			}
			switch {
			case len(tags) > maxTags:
				return fmt.Errorf("the repository has more than %d tags", maxTags)
			case pages >= maxPages || page.Next != "" && page.Next == before:
				return errors.New("the registry's pages of tags do not end")
			}
			before = page.Next
		}
		return nil
	})
	return tags, err
}

// request is what is asked of whom, for messages.
type request struct {
	repo      name.Repository
	skipTLS   bool
	operation string
}

// ask calls f with the registry's puller. When credentials that worked before are refused, they are looked up again once:
// some expire. What the registry refuses and what the
// network does are a [promote.APIError].
func (r *Registry) ask(ctx context.Context, req request, f func(*remote.Puller) error) error {
	key := pullerKey{req.repo.RegistryStr(), req.skipTLS}
	puller, kept, err := r.puller(key, req.repo.Scheme())
	if err != nil {
		return fmt.Errorf("prepare requests to %q: %w", key.registry, err)
	}
	err = f(puller)
	if kept && unauthorized(err) {
		r.forget(key)
		if puller, _, err = r.puller(key, req.repo.Scheme()); err == nil {
			err = f(puller)
		}
	}
	if unauthorized(err) {
		r.forget(key)
	}
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", req.operation, context.Cause(ctx))
	}
	return refusal(req, err)
}

func unauthorized(err error) bool {
	refused, ok := errors.AsType[*ggcr.Error](err)
	return ok && (refused.StatusCode == http.StatusUnauthorized || refused.StatusCode == http.StatusForbidden)
}

func (r *Registry) forget(key pullerKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.pullers, key)
}

func (r *Registry) puller(key pullerKey, scheme string) (puller *remote.Puller, kept bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if puller, kept = r.pullers[key]; kept {
		return puller, true, nil
	}
	g, ok := r.gates[key.registry]
	if !ok {
		burst := max(1, int(r.config.RatePerSecond))
		g = &gate{limiter: rate.NewLimiter(rate.Limit(r.config.RatePerSecond), burst)}
		r.gates[key.registry] = g
	}
	base := r.config.Transport
	if own, ok := base.(*http.Transport); ok && key.skipTLS {
		own = own.Clone()
		if own.TLSClientConfig == nil {
			own.TLSClientConfig = &tls.Config{} //nolint:gosec // the minimum version is Go's default
		}
		own.TLSClientConfig.InsecureSkipVerify = true
		base = own
	}
	puller, err = remote.NewPuller(
		remote.WithTransport(&transport{config: r.config, base: base, gate: g, scheme: scheme}),
		remote.WithAuthFromKeychain(r.config.Keychain),
		remote.WithUserAgent(r.config.UserAgent),
		remote.WithPageSize(pageSize),
		remote.WithJobs(jobs),
		// The next discovery is the retry.
		remote.WithRetryBackoff(remote.Backoff{Steps: 1}),
	)
	if err == nil {
		r.pullers[key] = puller
	}
	return puller, false, err
}

// tagPattern is what the OCI distribution specification lets a tag be.
var tagPattern = regexp.MustCompile(`^\w[\w.-]{0,127}$`)

// repoPattern is what Kargo lets a repoURL be.
var repoPattern = regexp.MustCompile(`^(\w+([.-]\w+)*(:\d+)?/)?(\w+([.-]\w+)*)(/\w+([.-]\w+)*)*$`)

// repository reads the repoURL of a subscription as Kargo does, without regard to case.
func (r *Registry) repository(repoURL string) (name.Repository, error) {
	repo, err := name.NewRepository(strings.ToLower(repoURL))
	if err != nil || !repoPattern.MatchString(repoURL) {
		return name.Repository{}, fmt.Errorf("repoURL %q is not an image repository: write <registry>/<repository> without scheme, tag and digest: %w",
			repoURL, promote.ErrInvalid)
	}
	return repo, nil
}

// dockerHub is the name by which people know Docker Hub.
const dockerHub = "docker.io"

// shown writes a repository or tag for people.
func shown(named fmt.Stringer) string {
	text := named.String()
	if rest, ok := strings.CutPrefix(text, name.DefaultRegistry+"/"); ok {
		return dockerHub + "/" + rest
	}
	return text
}
