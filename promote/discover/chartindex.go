package discover

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/lockkeeper/lockkeeper/internal/outbound"
	"github.com/lockkeeper/lockkeeper/promote"
)

const maxIndexes = 256

// chartIndexes keeps the index of each repository that was asked.
type chartIndexes struct {
	mu  sync.Mutex
	all map[chartKey]*keptIndex
}

type chartKey struct {
	url     string // with credentials, so that who has others sees what these may see
	skipTLS bool
}

// keptIndex is the index of one repository and when it was read.
type keptIndex struct {
	reads turn
	used  time.Time // guarded by chartIndexes.mu

	// what follows is guarded by reads
	started      time.Time
	until        time.Time // the server wants to be left alone until then
	etag         string
	lastModified string
	index        chartIndex // of the last good answer; nil: there was none
	err          error      // of the last answer
}

func newChartIndexes() *chartIndexes { return &chartIndexes{all: map[chartKey]*keptIndex{}} }

// of returns the kept index of a repository. When there are too many, that which was not used for longest is forgotten.
func (c *chartIndexes) of(key chartKey, now time.Time) *keptIndex {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept, ok := c.all[key]
	if !ok {
		if len(c.all) >= maxIndexes {
			c.forgetOldest()
		}
		kept = &keptIndex{reads: newTurn()}
		c.all[key] = kept
	}
	kept.used = now
	return kept
}

func (c *chartIndexes) forgetOldest() {
	var oldest chartKey
	var used time.Time
	for key, kept := range c.all {
		if used.IsZero() || kept.used.Before(used) {
			oldest, used = key, kept.used
		}
	}
	delete(c.all, oldest)
}

// index returns the charts of an HTTP repository, from an answer that was asked for after now or is still fresh. A refusal
// is shared as well.
func (c *Charts) index(ctx context.Context, repo *url.URL, skipTLS bool) (chartIndex, error) {
	arrival := c.config.Now()
	kept := c.indexes.of(chartKey{repo.String(), skipTLS}, arrival)
	if err := kept.reads.take(ctx); err != nil {
		return nil, err
	}
	defer kept.reads.give()
	now := c.config.Now()
	if kept.started.After(arrival.Add(-c.config.Fresh)) || now.Before(kept.until) {
		return kept.index, kept.err
	}
	err := c.fetchIndex(ctx, repo, skipTLS, kept)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	kept.started, kept.err = now, err
	if refused, ok := errors.AsType[*promote.APIError](err); ok && refused.RetryAfter > 0 {
		kept.until = now.Add(refused.RetryAfter)
	}
	if err != nil {
		return nil, err
	}
	return kept.index, nil
}

// indexURL is where the index of a repository is.
func indexURL(repo *url.URL) *url.URL {
	at := *repo
	at.User, at.Fragment, at.RawPath = nil, "", ""
	at.Path = strings.TrimRight(at.Path, "/") + "/index.yaml"
	return &at
}

// fetchIndex asks for an index that is newer than the one kept, and keeps it.
func (c *Charts) fetchIndex(ctx context.Context, repo *url.URL, skipTLS bool, kept *keptIndex) error {
	ctx, cancel := context.WithTimeoutCause(ctx, c.config.Timeout, fmt.Errorf("no complete answer within %s", c.config.Timeout))
	defer cancel()
	at := indexURL(repo)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return fmt.Errorf("read %q: the address cannot be asked", publicURL(at.String()))
	}
	req.Header.Set("User-Agent", c.config.UserAgent)
	if err := c.authorize(ctx, req, repo); err != nil {
		return err
	}
	if kept.index != nil && kept.etag != "" {
		req.Header.Set("If-None-Match", kept.etag)
	}
	if kept.index != nil && kept.lastModified != "" {
		req.Header.Set("If-Modified-Since", kept.lastModified)
	}
	res, err := c.client(skipTLS).Do(req)
	if err != nil {
		return chartSilence(ctx, at, err)
	}
	defer func() { _ = res.Body.Close() }()
	switch {
	case res.StatusCode == http.StatusNotModified && kept.index != nil:
		return nil
	case res.StatusCode != http.StatusOK:
		return chartRefusal(at, res)
	}
	index, err := readChartIndex(&limitedReader{res.Body, c.config.MaxIndex})
	if errors.Is(err, errIndexTooLarge) {
		return fmt.Errorf("chart repository %s: read %q: the index has more than %d bytes, which is the most that is read; remove old versions from it",
			at.Host, publicURL(at.String()), c.config.MaxIndex)
	}
	if err != nil {
		_, broken := errors.AsType[net.Error](err)
		if broken || errors.Is(err, io.ErrUnexpectedEOF) || ctx.Err() != nil {
			return chartSilence(ctx, at, err)
		}
		return fmt.Errorf("chart repository %s: read %q: %w; check that repoURL is the folder that holds index.yaml", at.Host, publicURL(at.String()), err)
	}
	kept.index, kept.etag, kept.lastModified = index, res.Header.Get("ETag"), res.Header.Get("Last-Modified")
	return nil
}

// limitedReader fails beyond a number of bytes, where io.LimitedReader would end as if all was read.
type limitedReader struct {
	io.Reader
	left int64
}

// Read implements io.Reader.
func (l *limitedReader) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errIndexTooLarge
	}
	n, err := l.Reader.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}

// chartHost is the host of a repository, for a keychain.
type chartHost string

// String implements authn.Resource.
func (h chartHost) String() string { return string(h) }

// RegistryStr implements authn.Resource.
func (h chartHost) RegistryStr() string { return string(h) }

// authorize adds the credentials in the URL, or those that the keychain has for its host.
func (c *Charts) authorize(ctx context.Context, req *http.Request, repo *url.URL) error {
	if repo.User != nil {
		password, _ := repo.User.Password()
		req.SetBasicAuth(repo.User.Username(), password)
		return nil
	}
	found, err := authn.Resolve(ctx, c.config.Keychain, chartHost(repo.Host))
	if err != nil {
		return fmt.Errorf("credentials for chart repository %s: %w", repo.Host, err)
	}
	auth, err := authn.Authorization(ctx, found)
	if err != nil {
		return fmt.Errorf("credentials for chart repository %s: %w", repo.Host, err)
	}
	if auth.Username != "" || auth.Password != "" {
		req.SetBasicAuth(auth.Username, auth.Password)
	}
	return nil
}

// client follows redirects, without credentials to another host and never from HTTPS to HTTP.
func (c *Charts) client(skipTLS bool) *http.Client {
	base := c.config.Transport
	if skipTLS {
		base = c.config.Unverified
	}
	return &http.Client{Transport: base, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		switch first := via[0]; {
		case len(via) >= 5:
			return errors.New("too many redirects")
		case first.URL.Scheme == "https" && req.URL.Scheme != "https":
			return errors.New("it redirects from HTTPS to HTTP")
		case req.URL.Host != first.URL.Host:
			req.Header.Del("Authorization")
		}
		return nil
	}}
}

// chartSilence words that no answer came.
func chartSilence(ctx context.Context, at *url.URL, err error) error {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err // the URL may hold more than is meant to be seen
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if errors.Is(err, outbound.ErrDenied) { // asking again does not help, and the error says what does
		return fmt.Errorf("chart repository %s: read %q: %w", at.Host, publicURL(at.String()), err)
	}
	out := &promote.APIError{
		Service: "chart repository " + at.Host, Operation: fmt.Sprintf("read %q", publicURL(at.String())), Cause: err,
		Remedy: fmt.Sprintf("check that %s can be reached from here; it is asked again later", at.Host),
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		out.Remedy = "add the certificate authority of the repository to the system's, or set insecureSkipTLSVerify: true"
	}
	return out
}

// chartRefusal words an answer that is not an index.
func chartRefusal(at *url.URL, res *http.Response) error {
	out := &promote.APIError{
		Service: "chart repository " + at.Host, Operation: fmt.Sprintf("read %q", publicURL(at.String())),
		Status: res.StatusCode, Message: http.StatusText(res.StatusCode),
	}
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
		out.RetryAfter = time.Duration(min(seconds, 24*3600)) * time.Second
	}
	switch {
	case res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden:
		out.Remedy = fmt.Sprintf("give Lockkeeper a user and password for %s that may read it", at.Host)
	case res.StatusCode == http.StatusNotFound:
		out.Remedy = "correct repoURL: it is the folder that holds index.yaml"
	case res.StatusCode == http.StatusTooManyRequests || res.StatusCode >= http.StatusInternalServerError:
		out.Remedy = "the repository has a problem of its own; it is asked again later"
	}
	return out
}
