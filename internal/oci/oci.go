// Package oci reads single layers from registries and copies images between them, for tasks that somebody else wrote. It owns
// that no more is read than allowed, and that nothing is written but below the repositories that the server's configuration
// names: the credentials are the server's.
package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	readTimeout = 5 * time.Minute
	copyTimeout = 10 * time.Minute
	jobs        = 4
	maxShown    = 10
)

// ErrForbidden says that the configuration does not let tasks write there.
var ErrForbidden = errors.New("the server does not let tasks write there")

// Config says how registries are reached.
type Config struct {
	Keychain  authn.Keychain                             // required
	Transport func(skipTLSVerify bool) http.RoundTripper // required: it decides where to connect
	Push      []string                                   // repositories, or what they begin with up to a "/", that Copy may write to
	UserAgent string
}

// Registry reads from registries and copies between them. It may be used by many goroutines at once.
type Registry struct{ config Config }

// New checks what may be written to and returns a Registry.
func New(config Config) (*Registry, error) {
	for _, prefix := range config.Push {
		if _, err := name.NewRepository(strings.TrimSuffix(prefix, "/") + "/x"); err != nil || strings.Contains(prefix, "://") {
			return nil, fmt.Errorf("%q: expected a registry or a repository, such as ghcr.io/acme", prefix)
		}
	}
	return &Registry{config: config}, nil
}

// LayerRequest names one layer.
type LayerRequest struct {
	Ref           string // required
	MediaType     string // empty: the first layer, whatever it is
	Limit         int64  // required: bytes
	SkipTLSVerify bool
}

// Layer reads a layer as it is stored, and returns the digest of the manifest that names it.
func (r *Registry) Layer(ctx context.Context, wanted LayerRequest) (data []byte, digest string, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	ref, err := parse(wanted.Ref)
	if err != nil {
		return nil, "", err
	}
	found, err := remote.Get(ref, r.options(ctx, wanted.SkipTLSVerify)...)
	switch {
	case err != nil:
		return nil, "", fmt.Errorf("read %q: %w", wanted.Ref, err)
	case !found.MediaType.IsImage():
		return nil, "", fmt.Errorf("%q is a %s, expected a manifest with layers: name the manifest of one platform by its digest", wanted.Ref, found.MediaType)
	}
	image, err := found.Image()
	if err != nil {
		return nil, "", fmt.Errorf("read %q: %w", wanted.Ref, err)
	}
	layer, err := pick(image, wanted)
	if err != nil {
		return nil, "", err
	}
	data, err = read(layer, wanted.Limit)
	if err != nil {
		return nil, "", fmt.Errorf("layer of %q: %w", wanted.Ref, err)
	}
	return data, found.Digest.String(), nil
}

// pick returns the layer that is wanted.
func pick(image v1.Image, wanted LayerRequest) (v1.Layer, error) {
	manifest, err := image.Manifest()
	if err != nil {
		return nil, fmt.Errorf("manifest of %q: %w", wanted.Ref, err)
	}
	var kinds []string
	for _, layer := range manifest.Layers {
		if wanted.MediaType == "" || layer.MediaType == types.MediaType(wanted.MediaType) {
			if layer.Size > wanted.Limit {
				return nil, fmt.Errorf("the layer of %q has %d bytes, at most %d are read", wanted.Ref, layer.Size, wanted.Limit)
			}
			return image.LayerByDigest(layer.Digest)
		}
		if kind := string(layer.MediaType); !slices.Contains(kinds, kind) && len(kinds) < maxShown {
			kinds = append(kinds, kind)
		}
	}
	if len(kinds) == 0 {
		return nil, fmt.Errorf("%q has no layers", wanted.Ref)
	}
	return nil, fmt.Errorf("%q has no layer of media type %q; there is %s", wanted.Ref, wanted.MediaType, strings.Join(kinds, ", "))
}

func read(layer v1.Layer, limit int64) ([]byte, error) {
	stored, err := layer.Compressed()
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(stored, limit+1))
	if closeErr := stored.Close(); err == nil {
		err = closeErr
	}
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("more than %d bytes", limit)
	}
	return data, err
}

// CopyRequest names what is copied where.
type CopyRequest struct {
	From, To      string            // required
	Annotations   map[string]string // added to the manifest, which changes its digest
	SkipTLSVerify bool
}

// Copied is a copy.
type Copied struct {
	Image  string // the reference
	Digest string
	Tag    string // empty when the reference has none
}

// Copy copies an image, or an index with all that it names. Copying twice is no error. It wraps ErrForbidden when the
// configuration does not allow it.
func (r *Registry) Copy(ctx context.Context, wanted CopyRequest) (Copied, error) {
	ctx, cancel := context.WithTimeout(ctx, copyTimeout)
	defer cancel()
	from, err := parse(wanted.From)
	if err != nil {
		return Copied{}, err
	}
	to, err := parse(wanted.To)
	if err != nil {
		return Copied{}, err
	}
	if !r.mayWrite(to.Context()) {
		return Copied{}, fmt.Errorf("%q: %w; whoever runs it can allow it with ociPush", wanted.To, ErrForbidden)
	}
	options := r.options(ctx, wanted.SkipTLSVerify)
	found, err := remote.Get(from, options...)
	if err != nil {
		return Copied{}, fmt.Errorf("read %q: %w", wanted.From, err)
	}
	digest, err := write(found, to, wanted.Annotations, options)
	if err != nil {
		return Copied{}, fmt.Errorf("copy %q to %q: %w", wanted.From, wanted.To, err)
	}
	copied := Copied{Image: to.String(), Digest: digest.String()}
	if tag, ok := to.(name.Tag); ok {
		copied.Tag = tag.TagStr()
	}
	return copied, nil
}

func write(found *remote.Descriptor, to name.Reference, annotations map[string]string, options []remote.Option) (v1.Hash, error) {
	if found.MediaType.IsIndex() {
		index, err := found.ImageIndex()
		if err != nil {
			return v1.Hash{}, err
		}
		if annotated, ok := mutate.Annotations(index, annotations).(v1.ImageIndex); ok && len(annotations) > 0 {
			index = annotated
		}
		if err := remote.WriteIndex(to, index, options...); err != nil {
			return v1.Hash{}, err
		}
		return index.Digest()
	}
	if !found.MediaType.IsImage() {
		return v1.Hash{}, fmt.Errorf("it is a %s, expected an image or an index", found.MediaType)
	}
	image, err := found.Image()
	if err != nil {
		return v1.Hash{}, err
	}
	if annotated, ok := mutate.Annotations(image, annotations).(v1.Image); ok && len(annotations) > 0 {
		image = annotated
	}
	if err := remote.Write(to, image, options...); err != nil {
		return v1.Hash{}, err
	}
	return image.Digest()
}

// mayWrite reports whether the configuration lets tasks write to a repository.
func (r *Registry) mayWrite(repository name.Repository) bool {
	return slices.ContainsFunc(r.config.Push, func(prefix string) bool {
		allowed, err := name.NewRepository(strings.TrimSuffix(prefix, "/") + "/x")
		if err != nil {
			return false
		}
		within := strings.TrimSuffix(allowed.Name(), "/x")
		return repository.Name() == within || strings.HasPrefix(repository.Name(), within+"/")
	})
}

func parse(text string) (name.Reference, error) {
	ref, err := name.ParseReference(strings.TrimPrefix(text, "oci://"))
	if err != nil {
		return nil, fmt.Errorf("%q is no reference such as ghcr.io/acme/web:1.2.3", text)
	}
	return ref, nil
}

func (r *Registry) options(ctx context.Context, skipTLSVerify bool) []remote.Option {
	return []remote.Option{
		remote.WithContext(ctx), remote.WithAuthFromKeychain(r.config.Keychain), remote.WithTransport(r.config.Transport(skipTLSVerify)),
		remote.WithUserAgent(r.config.UserAgent), remote.WithJobs(jobs), remote.WithRetryBackoff(remote.Backoff{Steps: 1}),
	}
}
