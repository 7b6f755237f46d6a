package discover

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// tags lists all tags of a repository, once for everyone who asks within a short time. Those that are no tags at all are
// left out.
func (r *Registry) tags(ctx context.Context, src source) ([]string, error) {
	return r.lists.get(ctx, src.key(), func(ctx context.Context) ([]string, error) {
		var tags []string
		err := r.ask(ctx, request{src, fmt.Sprintf("list the tags of %q", shown(src.repo))}, func(p *remote.Puller) error {
			lister, err := p.Lister(ctx, src.repo)
			if err == nil {
				tags, err = allPages(ctx, lister)
			}
			return err
		})
		return tags, err
	})
}

// allPages reads page after page.
func allPages(ctx context.Context, lister *remote.Lister) ([]string, error) {
	var tags []string
	before := ""
	for pages := 0; lister.HasNext(); pages++ {
		page, err := lister.Next(ctx)
		if err != nil {
			return nil, err
		}
		for _, tag := range page.Tags {
			if tagPattern.MatchString(tag) {
				tags = append(tags, tag)
			}
		}
		switch {
		case len(tags) > maxTags:
			return nil, fmt.Errorf("the repository has more than %d tags", maxTags)
		case pages >= maxPages || page.Next != "" && page.Next == before:
			return nil, errors.New("the registry's pages of tags do not end")
		}
		before = page.Next
	}
	return tags, nil
}
