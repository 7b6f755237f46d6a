package discover

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	maxPlatformTags    = 100    // how many tags are looked at for a platform
	maxKnownPlatforms  = 20_000 // how many digests are remembered
	maxPlatformsListed = 10     // in a message
)

// chooseByPlatform takes the first of the selected tags that is for the subscription's platform: os, architecture and
// variant as written. Unlike Kargo it also finds images without an index, by their configuration.
func (r *Registry) chooseByPlatform(ctx context.Context, repo name.Repository, sub promote.ImageSubscription, selected []string) (promote.Image, error) {
	var seen []string
	selected = selected[:min(len(selected), maxPlatformTags)]
	for _, tag := range selected {
		digest, platforms, err := r.platformsOf(ctx, repo.Tag(tag), sub.SkipTLSVerify)
		if err != nil {
			return promote.Image{}, err
		}
		if slices.Contains(platforms, sub.Platform) {
			return promote.Image{RepoURL: sub.RepoURL, Tag: tag, Digest: digest}, nil
		}
		seen = append(seen, platforms...)
	}
	slices.Sort(seen)
	seen = slices.Compact(seen)
	have := "none"
	if len(seen) > 0 {
		have = strings.Join(seen[:min(len(seen), maxPlatformsListed)], ", ")
	}
	return promote.Image{}, fmt.Errorf("none of the newest %d selected tags of %s is for platform %q (they are for: %s); correct platform at %s or push an image for it",
		len(selected), sub.RepoURL, sub.Platform, have, sub.Position)
}

// platformsOf returns the digest that a tag points to and the platforms that it is for.
func (r *Registry) platformsOf(ctx context.Context, tag name.Tag, skipTLS bool) (string, []string, error) {
	digest, err := r.digest(ctx, tag, skipTLS)
	if err != nil {
		return "", nil, listedOnly(err, tag)
	}
	r.mu.Lock()
	platforms, known := r.platforms[digest]
	r.mu.Unlock()
	if known {
		return digest, platforms, nil
	}
	ref := tag.Context().Digest(digest) // not the tag, which may have moved
	err = r.ask(ctx, request{tag.Context(), skipTLS, fmt.Sprintf("read the platforms of %q", shown(tag))}, func(p *remote.Puller) error {
		descriptor, err := p.Get(ctx, ref)
		if err == nil {
			platforms, err = readPlatforms(descriptor)
		}
		return err
	})
	if err != nil {
		return "", nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.platforms) >= maxKnownPlatforms {
		clear(r.platforms)
	}
	r.platforms[digest] = platforms
	return digest, platforms, nil
}

func readPlatforms(descriptor *remote.Descriptor) ([]string, error) {
	if descriptor.MediaType.IsIndex() {
		index, err := descriptor.ImageIndex()
		if err != nil {
			return nil, err
		}
		children, err := index.IndexManifest()
		if err != nil {
			return nil, err
		}
		var out []string
		for _, child := range children.Manifests {
			if child.Platform != nil && child.Platform.OS != "unknown" { // attestations
				out = append(out, platformText(*child.Platform))
			}
		}
		return out, nil
	}
	image, err := descriptor.Image()
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	return []string{platformText(v1.Platform{OS: config.OS, Architecture: config.Architecture, Variant: config.Variant})}, nil
}

func platformText(p v1.Platform) string {
	text := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		text += "/" + p.Variant
	}
	return text
}
