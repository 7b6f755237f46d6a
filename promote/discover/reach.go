package discover

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/lockkeeper/lockkeeper/promote"
)

// Reach asks for the first page of a repository's tags, and returns how many tags it has: whether the registry answers, and the
// credentials suffice. What it refuses is a [promote.APIError].
func (r *Registry) Reach(ctx context.Context, repoURL string, skipTLS bool) (tags int, err error) {
	src, err := sourceOf(repoURL, skipTLS)
	if err != nil {
		return 0, err
	}
	err = r.ask(ctx, request{src, fmt.Sprintf("list the tags of %q", shown(src.repo))}, func(p *remote.Puller) error {
		lister, err := p.Lister(ctx, src.repo)
		if err != nil || !lister.HasNext() {
			return err
		}
		page, err := lister.Next(ctx)
		if err == nil {
			tags = len(page.Tags)
		}
		return err
	})
	return tags, err
}

// Reach asks once for what a repository has of a chart, and returns how many versions that are.
func (c *Charts) Reach(ctx context.Context, sub promote.ChartSubscription) (versions int, err error) {
	if repository, ok := strings.CutPrefix(sub.RepoURL, "oci://"); ok && sub.Chart == "" {
		return c.config.Registry.Reach(ctx, repository, sub.SkipTLSVerify)
	}
	found, err := c.versions(ctx, sub)
	return len(found), err
}
