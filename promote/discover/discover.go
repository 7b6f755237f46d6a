package discover

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/lockkeeper/lockkeeper/promote"
)

// Explanation says how a discovery came to its result, one entry for each subscription that was looked at.
type Explanation struct {
	Images []ImageExplanation
}

// ImageExplanation says what was found in one repository.
type ImageExplanation struct {
	RepoURL    string
	Tags       int       // how many the repository has
	Candidates []string  // newest first, at most as many as the discovery limit
	Dropped    []Dropped // at most 100
	Chosen     string    // "" when there is none
}

const maxDropped = 100

// Discover finds the newest image of each subscription of a warehouse. What a registry refuses or does not have is told in
// the Discovery's Problem, in words for people; then there are no images. The error is the context's.
func (r *Registry) Discover(ctx context.Context, project string, w promote.Warehouse) (promote.Discovery, Explanation, error) {
	found := promote.Discovery{Project: project, Warehouse: w.Name, At: r.config.Now()}
	var explanation Explanation
	var images []promote.Image
	for _, sub := range w.Images {
		image, one, err := r.newest(ctx, sub)
		explanation.Images = append(explanation.Images, one)
		if ctx.Err() != nil {
			return promote.Discovery{}, explanation, fmt.Errorf("discover warehouse %q: %w", w.Name, context.Cause(ctx))
		}
		if err != nil {
			found.Problem = err.Error()
			break
		}
		images = append(images, image)
	}
	if found.Problem == "" {
		found.Images = images
	}
	r.config.Logger.DebugContext(ctx, "discovered", "project", project, "warehouse", w.Name, "images", len(found.Images), "problem", found.Problem)
	return found, explanation, nil
}

// newest finds the newest image of one subscription.
func (r *Registry) newest(ctx context.Context, sub promote.ImageSubscription) (promote.Image, ImageExplanation, error) {
	explanation := ImageExplanation{RepoURL: sub.RepoURL}
	repo, err := r.repository(sub.RepoURL)
	if err != nil {
		return promote.Image{}, explanation, err
	}
	tags, err := r.tags(ctx, repo, sub.SkipTLSVerify)
	if err != nil {
		return promote.Image{}, explanation, err
	}
	selected, dropped := Select(sub, tags)
	explanation.Tags = len(tags)
	explanation.Dropped = dropped[:min(len(dropped), maxDropped)]
	explanation.Candidates = selected
	if sub.DiscoveryLimit > 0 {
		explanation.Candidates = selected[:min(len(selected), sub.DiscoveryLimit)]
	}
	if len(selected) == 0 {
		return promote.Image{}, explanation, errors.New(explainNone(sub, dropped))
	}
	image, err := r.choose(ctx, repo, sub, selected)
	explanation.Chosen = image.Tag
	return image, explanation, err
}

// choose takes the first of the selected tags, or the first that is for the subscription's platform.
func (r *Registry) choose(ctx context.Context, repo name.Repository, sub promote.ImageSubscription, selected []string) (promote.Image, error) {
	if sub.Platform != "" {
		return r.chooseByPlatform(ctx, repo, sub, selected)
	}
	digest, err := r.digest(ctx, repo.Tag(selected[0]), sub.SkipTLSVerify)
	if err != nil {
		return promote.Image{}, listedOnly(err, repo.Tag(selected[0]))
	}
	return promote.Image{RepoURL: sub.RepoURL, Tag: selected[0], Digest: digest}, nil
}

// listedOnly words that a tag is listed and yet not there. An older one is not taken instead: that would be a downgrade.
func listedOnly(err error, tag name.Tag) error {
	if errors.Is(err, promote.ErrNotFound) {
		return fmt.Errorf("%s is listed by the registry but has no manifest; push it again or delete the tag", shown(tag))
	}
	return err
}
