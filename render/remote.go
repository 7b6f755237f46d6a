package render

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Masterminds/semver/v3"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/render/argocd"
)

// Remotes gets what sources name outside of the repository. It is only asked for places that [Options.Fetch] allows, and
// bounds what it reads. Errors are for people; one about what is not there wraps fs.ErrNotExist, and Argo CD would not find
// it either. Any other may be gone the next time.
type Remotes interface {
	// Chart returns a Helm chart: repoURL is that of an HTTP repository, or oci://registry/folder. Without a name it is the
	// artifact oci://registry/repository. version may be a range, which means the newest in it, or for an artifact a tag.
	Chart(ctx context.Context, repoURL, name, version string) (Remote, error)
	// Repository returns a Git repository at a branch, a tag or a commit; "" and HEAD are its default branch.
	Repository(ctx context.Context, url, revision string) (Remote, error)
	// File returns a tree that holds the file at a URL alone, by the last part of its path.
	File(ctx context.Context, url string) (Remote, error)
}

// Remote is files from elsewhere.
type Remote struct {
	Tree    fs.FS  // the root of a chart holds its Chart.yaml
	ID      string // equal for equal content
	Version string // of a chart, chosen from a range; of a repository the commit
}

// fetching gets what the sources of one comparison name elsewhere: each once, so that both sides have the same.
type fetching struct {
	remotes Remotes
	allowed []string // Set.fetch
	mu      sync.Mutex
	known   map[string]func() (Remote, error)
	silent  map[string]bool // URLs that did not answer in time
	passing atomic.Bool     // what was looked for Applications in may be another, or there, the next time
}

func (e *Engine) fetching(allowed []string) *fetching {
	return &fetching{remotes: e.Remotes, allowed: allowed, known: map[string]func() (Remote, error){}, silent: map[string]bool{}}
}

// patience is how long a repository may take to fail. One that takes longer is not asked for anything else: an Application waits
// for it no longer than renderTimeout, but hundreds may name it.
const patience = 10 * time.Second

// once asks for a thing at a URL unless it was asked for already, or the URL did not answer before.
func (f *fetching) once(url, key string, ask func() (Remote, error)) (Remote, error) {
	f.mu.Lock()
	answer, ok := f.known[key]
	if !ok {
		answer = sync.OnceValues(func() (Remote, error) { return f.patiently(url, ask) })
		f.known[key] = answer
	}
	f.mu.Unlock()
	return answer()
}

func (f *fetching) patiently(url string, ask func() (Remote, error)) (Remote, error) {
	f.mu.Lock()
	silent := f.silent[url]
	f.mu.Unlock()
	if silent {
		return Remote{}, errors.New("it did not answer in time when it was asked for something else")
	}
	began := time.Now()
	remote, err := ask()
	if err != nil && !errors.Is(err, fs.ErrNotExist) && time.Since(began) >= patience {
		f.mu.Lock()
		f.silent[url] = true
		f.mu.Unlock()
	}
	return remote, err
}

// chart gets a chart, or with an empty name an artifact.
func (f *fetching) chart(ctx context.Context, repoURL, name, version string) (Remote, error) {
	repoURL = chartURL(repoURL, name)
	what := fmt.Sprintf("chart %q of %s", name, argocd.ShownURL(repoURL))
	if name == "" {
		what = "artifact " + argocd.ShownURL(repoURL)
	}
	if err := f.permits(what, repoURL); err != nil {
		return Remote{}, err
	}
	remote, err := f.once(repoURL, "chart\x00"+repoURL+"\x00"+name+"\x00"+version, func() (Remote, error) { return f.remotes.Chart(ctx, repoURL, name, version) })
	return remote, f.unfetched(what, err)
}

// repository gets a Git repository.
func (f *fetching) repository(ctx context.Context, url, revision string) (Remote, error) {
	what := "repository " + argocd.ShownURL(url)
	url = argocd.OverHTTPS(url)
	if err := f.permits(what, url); err != nil {
		return Remote{}, err
	}
	remote, err := f.once(url, "git\x00"+url+"\x00"+revision, func() (Remote, error) { return f.remotes.Repository(ctx, url, revision) })
	return remote, f.unfetched(what, err)
}

// file gets the file at a URL.
func (f *fetching) file(ctx context.Context, url string) (Remote, error) {
	what := "file " + argocd.ShownURL(url)
	if err := f.permits(what, url); err != nil {
		return Remote{}, err
	}
	remote, err := f.once(url, "file\x00"+url, func() (Remote, error) { return f.remotes.File(ctx, url) })
	return remote, f.unfetched(what, err)
}

// revision gets the repository itself at another revision.
func (f *fetching) revision(ctx context.Context, repo Repository, revision string) (Remote, error) {
	what := fmt.Sprintf("source deploys revision %q, not %q", revision, repo.Revision)
	if repo.At == nil {
		return Remote{}, &manifest.Error{Problem: what, Cause: manifest.ErrElsewhere}
	}
	remote, err := f.once(revision, "own\x00"+revision, func() (Remote, error) { return repo.At(ctx, revision) })
	if errors.Is(err, fs.ErrNotExist) {
		return remote, &manifest.Error{Problem: fmt.Sprintf("revision %q is not there: %v", revision, err), Remedy: "correct targetRevision, or push the branch or tag", Cause: fs.ErrNotExist}
	}
	return remote, f.unfetched(what+", which", err)
}

// chartURL writes the scheme that Argo CD leaves out for charts in OCI registries.
func chartURL(repoURL, chart string) string {
	if chart != "" && !strings.Contains(repoURL, "://") {
		return "oci://" + repoURL
	}
	return repoURL
}

// permits is nil when a place may be asked.
func (f *fetching) permits(what, url string) error {
	if f.remotes != nil && allows(f.allowed, url) {
		return nil
	}
	return &manifest.Error{
		Problem: what + " is not fetched", Cause: manifest.ErrElsewhere,
		Remedy: fmt.Sprintf("allow it in lockkeeper.yaml of the default branch, as in fetch: [%q]", argocd.ShownURL(url)),
	}
}

// Fetches reports whether something at a URL may be fetched for the Applications of the Set.
func (s Set) Fetches(url string) bool { return allows(s.fetch, argocd.OverHTTPS(url)) }

func allows(allowed []string, url string) bool {
	return slices.ContainsFunc(allowed, func(one string) bool { return covers(one, url) })
}

// unfetched words why a thing could not be got.
func (f *fetching) unfetched(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return &manifest.Error{Problem: err.Error(), Remedy: "correct repoURL, chart or targetRevision", Cause: fs.ErrNotExist}
	default:
		f.passing.Store(true)
		return &manifest.Error{Problem: fmt.Sprintf("%s could not be fetched: %v", what, err), Cause: errors.Join(manifest.ErrElsewhere, errTransient)}
	}
}

// errTransient marks what may be another answer the next time, so that it is not remembered.
var errTransient = errors.New("not to be remembered")

// covers reports whether a URL is one that is allowed, or below it. How a repository of Git is spelled makes no difference.
func covers(allowed, wanted string) bool {
	if strings.Contains(wanted, "/../") || strings.HasSuffix(wanted, "/..") || strings.Contains(wanted, "%") {
		return false
	}
	if strings.HasPrefix(allowed, "oci://") != strings.HasPrefix(wanted, "oci://") {
		return false
	}
	if a, err := url.Parse(allowed); err == nil && a.Scheme == "https" && strings.HasPrefix(wanted, "http://") {
		return false
	}
	below, within := strings.CutPrefix(argocd.NormalizeURL(wanted), strings.TrimSuffix(argocd.NormalizeURL(allowed), "/"))
	return within && (below == "" || below[0] == '/')
}

// fixed reports whether a version always names the same chart or artifact: it is a whole one, or a digest.
func fixed(version string) bool {
	_, err := semver.StrictNewVersion(strings.TrimPrefix(version, "v"))
	return err == nil || strings.HasPrefix(version, "sha256:")
}

// generated returns what gets the files that generators read elsewhere. They are those that a source would be rendered from.
func generated(repo Repository, fetch *fetching) func(ctx context.Context, repoURL, revision string) (fs.FS, error) {
	return func(ctx context.Context, repoURL, revision string) (fs.FS, error) {
		s := &sourcing{repo: repo, fetch: fetch}
		at := s.placeOf(ctx, argocd.Source{RepoURL: repoURL, TargetRevision: revision})
		told, ok := errors.AsType[*manifest.Error](at.err)
		if ok && errors.Is(at.err, manifest.ErrElsewhere) && !errors.Is(at.err, errTransient) {
			return nil, &manifest.Error{Remedy: told.Remedy, Cause: manifest.ErrElsewhere} // nobody asked for it
		}
		fetch.passing.Store(true)
		return at.tree, at.err
	}
}
