package discover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	maxPlatformTags    = 100 // how many tags are looked at for a platform
	maxPlatformsListed = 10  // in a message
	defaultLimit       = 20  // of a subscription without a discovery limit
)

// images finds the image of each subscription to images, in their order, and explains every one. The error is the first
// problem, in words for people; then there are no images. A registry that gives no answer is not asked for the
// subscriptions that are left.
func (r *Registry) images(ctx context.Context, w promote.Warehouse) ([]promote.Image, []ImageExplanation, error) {
	var problem error
	images := make([]promote.Image, 0, len(w.Images))
	explanations := make([]ImageExplanation, 0, len(w.Images))
	silent := map[string]error{} // by registry
	for _, sub := range w.Images {
		explanation := explain(sub)
		src, err := sourceOf(sub.RepoURL, sub.SkipTLSVerify)
		if err == nil {
			err = silent[src.repo.RegistryStr()]
		}
		if err == nil {
			var f finding
			f, err = r.newest(ctx, src, sub)
			explanation.fill(f, sub)
			images = append(images, f.image)
			if refused, ok := errors.AsType[*promote.APIError](err); ok && refused.Status == 0 {
				silent[src.repo.RegistryStr()] = err
			}
		}
		if err != nil {
			explanation.Problem = err.Error()
			problem = cmp.Or(problem, err)
		}
		explanations = append(explanations, explanation)
		if ctx.Err() != nil {
			return nil, explanations, context.Cause(ctx)
		}
	}
	if problem != nil {
		return nil, explanations, problem
	}
	return images, explanations, nil
}

// finding is what came of one subscription.
type finding struct {
	image      promote.Image
	tags       int
	candidates []string // best first
	dropped    []Dropped
}

// newest finds the image of one subscription.
func (r *Registry) newest(ctx context.Context, src source, sub promote.ImageSubscription) (finding, error) {
	if sub.Strategy == promote.SelectDigest {
		return r.watched(ctx, src, sub)
	}
	tags, err := r.tags(ctx, src)
	if err != nil {
		return finding{}, err
	}
	f := finding{tags: len(tags)}
	f.candidates, f.dropped = Select(sub, tags)
	if len(f.candidates) == 0 {
		return f, errors.New(explainNone(sub, f.dropped))
	}
	r.seen.open(src)
	defer r.seen.settle(ctx, src, tags)
	if sub.Strategy == promote.SelectNewestBuild {
		return r.newestBuild(ctx, src, sub, f)
	}
	return r.first(ctx, src, sub, f)
}

// watched takes what the one tag points to that a subscription by digest watches. No list is needed for it.
func (r *Registry) watched(ctx context.Context, src source, sub promote.ImageSubscription) (finding, error) {
	tag := sub.Constraint
	if selected, dropped := Select(sub, []string{tag}); len(selected) == 0 {
		return finding{}, errors.New(explainNone(sub, dropped))
	}
	sub.CacheByTag = false // it is watched because it moves
	r.seen.open(src)
	defer r.seen.settle(ctx, src, nil)
	f, err := r.first(ctx, src, sub, finding{candidates: []string{tag}})
	if errors.Is(err, errNotThere) {
		return f, fmt.Errorf("%s has no tag %q, which strategy Digest watches; push it, or correct constraint at %s", sub.RepoURL, tag, sub.Position)
	}
	return f, err
}

// first takes the first of the candidates, or the first that is for the subscription's platform: os, architecture and
// variant as written. Unlike Kargo it also finds images without an index, by their configuration.
func (r *Registry) first(ctx context.Context, src source, sub promote.ImageSubscription, f finding) (finding, error) {
	var others []string
	var misfits []Dropped
	looked := f.candidates[:min(len(f.candidates), maxPlatformTags)]
	for i, tag := range looked {
		known, err := r.look(ctx, src, tag, want{created: sub.Platform == "", platform: sub.Platform != ""}, sub.CacheByTag)
		if err != nil {
			return f, listedOnly(err, src, tag)
		}
		reason := known.misfit(sub.Platform)
		if reason != "" && sub.Platform == "" {
			return f, fmt.Errorf("%s %s; push the image again", shown(src.repo.Tag(tag)), reason)
		}
		if reason != "" {
			r.records.take(ctx, known)
			others = append(others, known.platforms()...)
			misfits = append(misfits, Dropped{tag, reason, ruleImage})
			continue
		}
		if known, err = r.describe(ctx, src, pointed{record: known, read: true}, want{created: true, platform: sub.Platform != ""}); err != nil {
			return f, listedOnly(err, src, tag)
		}
		r.records.take(ctx, known)
		f.image, f.candidates, f.dropped = made(sub, tag, known), f.candidates[i:], append(misfits, f.dropped...)
		return f, nil
	}
	f.candidates, f.dropped = f.candidates[len(looked):], append(misfits, f.dropped...)
	return f, noneFor(sub, len(looked), others)
}

// misfit says why an image is not for a platform, or for any; "" when it is.
func (r record) misfit(platform string) string {
	return misfit(r.Index && len(r.Parts) == 0, r.platforms(), platform)
}

// misfit says why an image that is for these platforms is not for one, or why one without anything in it is for none.
func misfit(nothing bool, platforms []string, platform string) string {
	switch {
	case nothing:
		return "is an index of attestations or of nothing, without an image that can run"
	case platform == "" || slices.Contains(platforms, platform):
		return ""
	case len(platforms) == 0:
		return "does not say for which platform it is"
	}
	return fmt.Sprintf("is for %s, not for %s", listed(platforms), platform)
}

// noneFor says that no image is for the platform, and for which they are.
func noneFor(sub promote.ImageSubscription, looked int, others []string) error {
	have := "none"
	if len(others) > 0 {
		have = listed(others)
	}
	return fmt.Errorf("none of the newest %d selected tags of %s is for platform %q (they are for: %s); correct platform at %s or push an image for it",
		looked, sub.RepoURL, sub.Platform, have, sub.Position)
}

// listed names a few platforms, each once.
func listed(platforms []string) string {
	platforms = slices.Compact(slices.Sorted(slices.Values(platforms)))
	return strings.Join(platforms[:min(len(platforms), maxPlatformsListed)], ", ")
}

// made is the image of a subscription.
func made(sub promote.ImageSubscription, tag string, known record) promote.Image {
	return promote.Image{
		RepoURL: sub.RepoURL, Tag: tag, Digest: known.Digest, Subscription: sub.Name,
		Annotations: bounded(known.annotations(sub.Platform)), CreatedAt: known.Created,
	}
}

// errNotThere: a tag without a manifest.
var errNotThere = errors.New("push it again or delete the tag")

// listedOnly words that a tag is listed and yet not there. An older one is not taken instead: that would be a downgrade.
func listedOnly(err error, src source, tag string) error {
	if errors.Is(err, promote.ErrNotFound) {
		return fmt.Errorf("%s is listed by the registry but has no manifest; %w", shown(src.repo.Tag(tag)), errNotThere)
	}
	return err
}
