package discover

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
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
	jobs     = 32 // images of one registry that are read at the same time
)

// Config says how registries are asked. The zero value asks anonymously.
type Config struct {
	Keychain      authn.Keychain         // credentials by registry; nil: none
	Transport     http.RoundTripper      // nil: the default transport with a proxy from the environment
	Unverified    http.RoundTripper      // for insecureSkipTLSVerify; nil: Transport without verification of certificates, where that can be had
	RatePerSecond float64                // requests to each registry; 0: 20
	Timeout       time.Duration          // of one request, its body included; 0: 30 s
	Insecure      func(host string) bool // whether the registry of that host speaks plain HTTP; nil: loopback addresses
	Logger        *slog.Logger           // nil: silence
	Now           func() time.Time       // nil: time.Now
	UserAgent     string                 // "": lockkeeper
	CacheDir      string                 // folder that keeps what is known of images over restarts; "": memory only
	NewBuilds     int                    // images that one discovery by NewestBuild reads at most; 0: 1,000

	// ShareFor is how long a list of tags, and what a tag points to, is good for other warehouses that ask the same; 0: 10 s,
	// negative: only for those who ask at the same time. [Registry.Refresh] ends it early.
	ShareFor time.Duration

	// Sleep waits for a registry's turn; nil: a timer.
	Sleep func(ctx context.Context, d time.Duration) error
}

// Registry asks registries. It is safe for concurrent use.
type Registry struct {
	config   Config
	careful  http.RoundTripper // verifies certificates
	trustful http.RoundTripper // does not

	mu      sync.Mutex
	gates   map[string]*gate          // by registry
	pullers map[string]*remote.Puller // by source; each knows how to authenticate

	pages   *memory[pageKey, page]
	records *records
	seen    *seen

	lists     *shared[[]string] // tags, by source
	points    *shared[pointed]  // by source and tag
	described *shared[record]   // by source and digest
}

// New returns a Registry.
func New(config Config) *Registry {
	if config.Keychain == nil {
		config.Keychain = authn.NewMultiKeychain()
	}
	if config.Transport == nil {
		config.Transport = remote.DefaultTransport
	}
	if config.Unverified == nil {
		config.Unverified = unverified(config.Transport)
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
	if config.NewBuilds <= 0 {
		config.NewBuilds = 1000
	}
	if config.ShareFor == 0 {
		config.ShareFor = 10 * time.Second
	}
	r := &Registry{
		config: config, careful: config.Transport, trustful: config.Unverified,
		gates: map[string]*gate{}, pullers: map[string]*remote.Puller{},
		pages:     newMemory[pageKey, page](maxPageBytes, reluctance),
		records:   &records{taken: newMemory[string, record](maxTakenBytes, reluctance), passed: newMemory[string, record](maxPassedBytes, 1)},
		seen:      newSeen(maxSeenTags),
		lists:     newShared[[]string](config.Now, config.ShareFor),
		points:    newShared[pointed](config.Now, config.ShareFor),
		described: newShared[record](config.Now, 0),
	}
	if config.CacheDir != "" {
		r.records.disk = newFolder(filepath.Join(config.CacheDir, "images"), content{files: 100_000, bytes: 512 << 20}, config.Now, config.Logger)
		r.seen.disk = newFolder(filepath.Join(config.CacheDir, "tags"), content{files: 50_000, bytes: 1 << 30}, config.Now, config.Logger)
	}
	return r
}

// Refresh lets the next discovery ask anew what was asked a moment ago. Call it when a registry says that something was
// pushed.
func (r *Registry) Refresh() {
	r.lists.forget()
	r.points.forget()
}

// unverified is the transport without verification of certificates, where that can be had.
func unverified(base http.RoundTripper) http.RoundTripper {
	own, ok := base.(*http.Transport)
	if !ok {
		return base
	}
	own = own.Clone()
	if own.TLSClientConfig == nil {
		own.TLSClientConfig = &tls.Config{} //nolint:gosec // the minimum version is Go's default
	}
	own.TLSClientConfig.InsecureSkipVerify = true
	return own
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// request is what is asked of whom, for messages.
type request struct {
	source
	operation string
}

// ask calls f with the registry's puller. When credentials that worked before are refused, they are looked up again once:
// some expire. What the registry refuses and what the network does are a [promote.APIError].
func (r *Registry) ask(ctx context.Context, req request, f func(*remote.Puller) error) error {
	puller, kept, err := r.puller(req.source)
	if err != nil {
		return fmt.Errorf("prepare requests to %q: %w", req.repo.RegistryStr(), err)
	}
	err = f(puller)
	if kept && unauthorized(err) {
		r.forget(req.source)
		if puller, _, err = r.puller(req.source); err == nil {
			err = f(puller)
		}
	}
	if unauthorized(err) {
		r.forget(req.source)
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

func (r *Registry) forget(src source) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.pullers, src.key())
}

// puller returns what asks about one repository. There is one for each, so that the refusal of one repository does not
// make all others of its registry authenticate again.
func (r *Registry) puller(src source) (puller *remote.Puller, kept bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if puller, kept = r.pullers[src.key()]; kept {
		return puller, true, nil
	}
	base := r.careful
	if src.skipTLS {
		base = r.trustful
	}
	puller, err = remote.NewPuller(
		remote.WithTransport(&revalidator{
			inner:   &transport{config: r.config, base: base, gate: r.gateOf(src.repo.RegistryStr()), scheme: src.repo.Scheme()},
			skipTLS: src.skipTLS, pages: r.pages,
		}),
		remote.WithAuthFromKeychain(r.config.Keychain),
		remote.WithUserAgent(r.config.UserAgent),
		remote.WithPageSize(pageSize),
		remote.WithJobs(jobs),
		// The next discovery is the retry.
		remote.WithRetryBackoff(remote.Backoff{Steps: 1}),
	)
	if err == nil {
		r.pullers[src.key()] = puller
	}
	return puller, false, err
}

// gate returns what all requests to a registry share.
func (r *Registry) gate(registry string) *gate {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.gateOf(registry)
}

// gateOf is gate for those who hold the lock.
func (r *Registry) gateOf(registry string) *gate {
	g, ok := r.gates[registry]
	if !ok {
		burst := max(1, int(r.config.RatePerSecond))
		g = &gate{limiter: rate.NewLimiter(rate.Limit(r.config.RatePerSecond), burst), slots: make(chan struct{}, jobs)}
		r.gates[registry] = g
	}
	return g
}

// tagPattern is what the OCI distribution specification lets a tag be.
var tagPattern = regexp.MustCompile(`^\w[\w.-]{0,127}$`)

// repoPattern is what Kargo lets a repoURL be.
var repoPattern = regexp.MustCompile(`^(\w+([.-]\w+)*(:\d+)?/)?(\w+([.-]\w+)*)(/\w+([.-]\w+)*)*$`)

// sourceOf reads a repoURL as Kargo does, without regard to case.
func sourceOf(repoURL string, skipTLS bool) (source, error) {
	repo, err := name.NewRepository(strings.ToLower(repoURL))
	if err != nil || !repoPattern.MatchString(repoURL) {
		return source{}, fmt.Errorf("repoURL %q is not an image repository: write <registry>/<repository> without scheme, tag and digest: %w",
			repoURL, promote.ErrInvalid)
	}
	return source{repo, skipTLS}, nil
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
