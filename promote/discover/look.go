package discover

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	ggcr "github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/lockkeeper/lockkeeper/promote"
)

// Digest returns the digest that the image's tag points to now, "" when the tag or its repository does not exist. Other
// refusals are a [promote.APIError]. insecure does not verify the registry's certificate.
func (r *Registry) Digest(ctx context.Context, image promote.Image, insecure bool) (string, error) {
	src, err := taggedSource(image.RepoURL, image.Tag, insecure)
	if err != nil {
		return "", err
	}
	digest, _, err := r.read(ctx, src, image.Tag, false)
	if errors.Is(err, promote.ErrNotFound) {
		return "", nil
	}
	return digest, err
}

// Image returns the image that a tag points to now, with its annotations and its creation time. The error is
// [promote.ErrNotFound] when there is no such tag; other refusals are a [promote.APIError]. skipTLS does not verify the
// registry's certificate.
func (r *Registry) Image(ctx context.Context, repoURL, tag string, skipTLS bool) (promote.Image, error) {
	image, _, err := r.tagged(ctx, promote.ImageSubscription{RepoURL: repoURL, SkipTLSVerify: skipTLS}, tag)
	if errors.Is(err, errNoTag) {
		return promote.Image{}, fmt.Errorf("%s has no tag %q; push it or correct the tag: %w", repoURL, tag, promote.ErrNotFound)
	}
	return image, err
}

// errNoTag: a tag that does not exist.
var errNoTag = errors.New("no such tag")

// tagged reads the image that a tag points to now as a subscription wants it. The error is errNoTag when there is no such
// tag.
func (r *Registry) tagged(ctx context.Context, sub promote.ImageSubscription, tag string) (promote.Image, record, error) {
	src, err := taggedSource(sub.RepoURL, tag, sub.SkipTLSVerify)
	if err != nil {
		return promote.Image{}, record{}, err
	}
	r.seen.open(src)
	defer r.seen.settle(ctx, src, nil)
	at, err := r.point(ctx, src, tag)
	if errors.Is(err, promote.ErrNotFound) {
		return promote.Image{}, record{}, errNoTag
	}
	if err != nil {
		return promote.Image{}, record{}, err
	}
	known, err := r.describe(ctx, src, at, want{created: true, platform: sub.Platform != ""})
	if err != nil {
		return promote.Image{}, record{}, err
	}
	r.records.take(ctx, known)
	return made(sub, tag, known), known, nil
}

func taggedSource(repoURL, tag string, skipTLS bool) (source, error) {
	src, err := sourceOf(repoURL, skipTLS)
	if err == nil && !tagPattern.MatchString(tag) {
		err = fmt.Errorf("tag %q of %s is not a tag: %w", tag, repoURL, promote.ErrInvalid)
	}
	return src, err
}

// look returns what is wanted of the image that a tag points to. A tag that is trusted means what it meant when it was
// looked at first.
func (r *Registry) look(ctx context.Context, src source, tag string, w want, trusted bool) (record, error) {
	if digest := r.seen.sight(src, tag).name(); digest != "" && trusted {
		return r.describe(ctx, src, pointed{record: record{Digest: digest}}, w)
	}
	at, err := r.sharedPoint(ctx, src, tag)
	if err != nil {
		return record{}, err
	}
	return r.describe(ctx, src, at, w)
}

// sharedPoint is point, once for everyone who asks within a short time.
func (r *Registry) sharedPoint(ctx context.Context, src source, tag string) (pointed, error) {
	return r.points.get(ctx, src.key()+":"+tag, func(ctx context.Context) (pointed, error) {
		return r.point(ctx, src, tag)
	})
}

// pointed is what a tag points to.
type pointed struct {
	record record // when it was not read, its digest alone
	read   bool
}

// point asks what a tag points to now. For a tag whose image is known the digest is enough; one that was never looked at
// is read at once, which spares a request.
func (r *Registry) point(ctx context.Context, src source, tag string) (pointed, error) {
	before := r.seen.sight(src, tag)
	known := before.read()
	if !known {
		_, known = r.records.get(before.name())
	}
	digest, raw, err := r.read(ctx, src, tag, !known)
	if err != nil {
		return pointed{}, err
	}
	if before.name() != digest {
		r.seen.learn(src, tag, seenAt(digest))
	}
	if raw == nil {
		return pointed{record: record{Digest: digest}}, nil
	}
	return pointed{record: r.adopt(digest, raw), read: true}, nil
}

// adopt reads a manifest and keeps it, if it is known already what is known, if its digest is its own: old registries say
// another, which they may have from anywhere.
func (r *Registry) adopt(digest string, raw []byte) record {
	if known, ok := r.records.get(digest); ok {
		return known
	}
	read := parse(digest, raw)
	read.alien = !hashes(digest, raw)
	r.records.pass(read)
	return read
}

func hashes(digest string, raw []byte) bool {
	want, err := v1.NewHash(digest)
	if err != nil {
		return false
	}
	hasher, err := v1.Hasher(want.Algorithm)
	if err != nil {
		return false
	}
	_, _ = hasher.Write(raw)
	return hex.EncodeToString(hasher.Sum(nil)) == want.Hex
}

// read asks what a tag points to: with GET when its manifest is wanted, else with HEAD, and then raw is nil unless the
// registry does not answer HEAD well.
func (r *Registry) read(ctx context.Context, src source, tag string, whole bool) (digest string, raw []byte, err error) {
	ref := src.repo.Tag(tag)
	g := r.gate(src.repo.RegistryStr())
	operation := "read the digest of"
	if whole {
		operation = "read the manifest of"
	}
	err = r.ask(ctx, request{src, fmt.Sprintf("%s %q", operation, shown(ref))}, func(p *remote.Puller) error {
		if !whole && g.answersHead(r.config.Now()) {
			head, err := p.Head(ctx, ref)
			if err == nil {
				digest = head.Digest.String()
				return nil
			}
			if !poorHead(err) {
				return err
			}
		}
		full, err := p.Get(ctx, ref)
		if err != nil {
			return err
		}
		digest, raw = full.Digest.String(), full.Manifest
		if !whole {
			g.poorHead(r.config.Now())
		}
		return nil
	})
	return digest, raw, err
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
