package discover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/lockkeeper/lockkeeper/promote"
)

const maxConfiguration = 4 << 20

// describe returns what is wanted of an image. What is known by its digest is not asked for again.
func (r *Registry) describe(ctx context.Context, src source, at pointed, w want) (record, error) {
	if known, ok := r.recall(at); ok && known.covers(w) {
		return known, nil
	}
	key := fmt.Sprintf("%s@%s %v", src.key(), at.record.Digest, w)
	return r.described.get(ctx, key, func(ctx context.Context) (record, error) {
		known, ok := r.recall(at) // others may have read it meanwhile
		if !ok {
			raw, err := r.manifest(ctx, src, at.record.Digest)
			if err != nil {
				return record{}, err
			}
			known = r.adopt(at.record.Digest, raw)
		}
		if known.covers(w) {
			return known, nil
		}
		whole, err := r.complete(ctx, src, known)
		if err == nil {
			r.records.pass(whole)
		}
		return whole, err
	})
}

// recall returns what is known of an image, if anything is.
func (r *Registry) recall(at pointed) (record, bool) {
	if known, ok := r.records.get(at.record.Digest); ok {
		return known, true
	}
	return at.record, at.read
}

// complete reads the configuration of an image, or of the images of an index. What a registry does not have is left open.
func (r *Registry) complete(ctx context.Context, src source, known record) (record, error) {
	known.Whole, known.stored = true, false
	if known.Index {
		return r.completeIndex(ctx, src, known)
	}
	config, err := r.configuration(ctx, src, known.Config)
	switch {
	case errors.Is(err, promote.ErrNotFound):
		known.gaps = true
	case err != nil:
		return record{}, err
	}
	known.Platform = config.String()
	if known.Created.IsZero() {
		known.Created = config.created()
	}
	return known, nil
}

// completeIndex dates an index that does not say itself when it was made by the newest of its images.
func (r *Registry) completeIndex(ctx context.Context, src source, known record) (record, error) {
	if !known.Created.IsZero() {
		return known, nil
	}
	for _, p := range known.Parts[:min(len(known.Parts), maxDated)] {
		if at := stamped(p.Annotations); !at.IsZero() {
			known.Created = latest(known.Created, at)
			continue
		}
		image, err := r.image(ctx, src, p)
		switch {
		case errors.Is(err, promote.ErrNotFound):
			known.gaps = true
		case err != nil:
			return record{}, err
		}
		known.gaps = known.gaps || image.gaps
		known.Created = latest(known.Created, image.Created)
	}
	return known, nil
}

// image describes one image of an index. An index in an index is not followed.
func (r *Registry) image(ctx context.Context, src source, p part) (record, error) {
	at := pointed{record: record{Digest: p.Digest}}
	known, err := r.describe(ctx, src, at, want{})
	if err != nil || known.Index {
		return known, err
	}
	return r.describe(ctx, src, at, want{created: true})
}

// manifest reads what a digest names.
func (r *Registry) manifest(ctx context.Context, src source, digest string) (raw []byte, err error) {
	ref := src.repo.Digest(digest)
	err = r.ask(ctx, request{src, fmt.Sprintf("read the manifest of %q", shown(ref))}, func(p *remote.Puller) error {
		full, err := p.Get(ctx, ref)
		if err == nil {
			raw = full.Manifest
		}
		return err
	})
	return raw, err
}

// configuration reads the configuration of an image. One that is not understood says nothing.
func (r *Registry) configuration(ctx context.Context, src source, digest string) (out configuration, err error) {
	ref := src.repo.Digest(digest)
	var raw []byte
	err = r.ask(ctx, request{src, fmt.Sprintf("read the configuration %q", shown(ref))}, func(p *remote.Puller) error {
		layer, err := p.Layer(ctx, ref)
		if err != nil {
			return err
		}
		blob, err := layer.Compressed()
		if err != nil {
			return err
		}
		defer func() { _ = blob.Close() }()
		if raw, err = io.ReadAll(io.LimitReader(blob, maxConfiguration+1)); len(raw) > maxConfiguration {
			return fmt.Errorf("the configuration has more than %d MiB", maxConfiguration>>20)
		}
		return err
	})
	if err != nil {
		return configuration{}, err
	}
	if json.Unmarshal(raw, &out) != nil {
		return configuration{}, nil
	}
	return out, nil
}
