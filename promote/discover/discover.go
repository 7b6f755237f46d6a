package discover

import (
	"context"
	"fmt"

	"github.com/lockkeeper/lockkeeper/promote"
)

// Discover finds the newest image of each subscription of a warehouse. What a registry refuses or does not have is told in
// the Discovery's Problem, in words for people; then there are no images. The error is the context's.
func (r *Registry) Discover(ctx context.Context, project string, w promote.Warehouse) (promote.Discovery, Explanation, error) {
	found := promote.Discovery{Project: project, Warehouse: w.Name, At: r.config.Now()}
	images, explanations, err := r.images(ctx, w)
	explanation := Explanation{Images: explanations}
	if ctx.Err() != nil {
		return promote.Discovery{}, explanation, fmt.Errorf("discover warehouse %q: %w", w.Name, context.Cause(ctx))
	}
	if err != nil {
		found.Problem = err.Error()
	} else {
		found.Images = images
	}
	r.config.Logger.DebugContext(ctx, "discovered", "project", project, "warehouse", w.Name, "images", len(found.Images), "problem", found.Problem)
	return found, explanation, nil
}
