package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/archive"
	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/promote/discover"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
	"github.com/lockkeeper/lockkeeper/render"
	"github.com/lockkeeper/lockkeeper/render/lru"
)

// rememberedArchives is how many bytes unpacked archives may have that are kept in memory.
const rememberedArchives = 256 << 20

// remotes fits the clients of chart repositories and of Git to what rendering asks for.
type remotes struct {
	charts *discover.Charts
	open   func(url string) (*git.Repository, error)
	client *http.Client                      // of files
	trees  *lru.Cache[string, *archive.Tree] // by digest

	mu     sync.Mutex
	opened map[string]*git.Repository // by URL
}

func newRemotes(charts *discover.Charts, client *http.Client, open func(url string) (*git.Repository, error)) *remotes {
	return &remotes{charts: charts, client: client, open: open, trees: lru.New[string, *archive.Tree](rememberedArchives), opened: map[string]*git.Repository{}}
}

// absentError is an error that is fs.ErrNotExist, too.
type absentError struct{ error }

// Is adds fs.ErrNotExist.
func (absentError) Is(target error) bool { return target == fs.ErrNotExist }

// Unwrap gives the error.
func (e absentError) Unwrap() error { return e.error }

// Chart implements render.Remotes.
func (r *remotes) Chart(ctx context.Context, repoURL, name, version string) (render.Remote, error) {
	pulled, err := r.charts.Pull(ctx, discover.ChartRequest{RepoURL: repoURL, Chart: name, Version: version})
	if errors.Is(err, discover.ErrNoChart) {
		err = absentError{err}
	}
	if err != nil {
		return render.Remote{}, err
	}
	key := fmt.Sprintf("%s %v", pulled.Digest, pulled.Wrapped)
	tree, known := r.trees.Get(key)
	if !known {
		if tree, err = archive.Open(pulled.Data, archive.Options{ID: key, Unwrap: pulled.Wrapped}); err != nil {
			return render.Remote{}, fmt.Errorf("unpack: %w", err)
		}
		r.trees.Put(key, tree, tree.Size())
	}
	return render.Remote{Tree: tree, ID: key, Version: pulled.Version}, nil
}

// Repository implements render.Remotes.
func (r *remotes) Repository(ctx context.Context, url, revision string) (render.Remote, error) {
	repository, err := r.repository(url)
	if err != nil {
		return render.Remote{}, err
	}
	remote, err := reconcile.At(ctx, repository, revision)
	if errors.Is(err, git.ErrNotFound) {
		err = absentError{err}
	}
	return remote, err
}

// maxDownload is how many bytes a file may have.
const maxDownload = 10 << 20

// File implements render.Remotes.
func (r *remotes) File(ctx context.Context, address string) (render.Remote, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return render.Remote{}, errors.New("the address cannot be asked")
	}
	req.Header.Set("User-Agent", "lockkeeper/"+version)
	res, err := r.client.Do(req)
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err // the URL is said anyway
	}
	if err != nil {
		return render.Remote{}, err
	}
	defer func() { _ = res.Body.Close() }()
	switch {
	case res.StatusCode == http.StatusNotFound:
		return render.Remote{}, absentError{fmt.Errorf("%s has no file %s", req.URL.Host, req.URL.Path)} // the rest may be a secret
	case res.StatusCode != http.StatusOK:
		return render.Remote{}, fmt.Errorf("HTTP %s", res.Status)
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, maxDownload+1))
	if err != nil {
		return render.Remote{}, err
	}
	if len(data) > maxDownload {
		return render.Remote{}, fmt.Errorf("it has more than %d MiB", maxDownload>>20)
	}
	sum := sha256.Sum256(data)
	id := hex.EncodeToString(sum[:])
	tree, err := archive.Single(path.Base(req.URL.Path), data, id)
	return render.Remote{Tree: tree, ID: id}, err
}

// repository opens a repository once.
func (r *remotes) repository(url string) (*git.Repository, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, ok := r.opened[url]; ok {
		return known, nil
	}
	repository, err := r.open(url)
	if err == nil {
		r.opened[url] = repository
	}
	return repository, err
}
