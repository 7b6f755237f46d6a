package reconcile

import (
	"context"

	"github.com/lockkeeper/lockkeeper/promote/step"
)

// world is what steps may reach: what the configuration says, and the forge's comments.
func (r *Reconciler) world() step.World {
	world := r.World
	if world.Comments == nil {
		world.Comments = comments{r}
	}
	return world
}

// comments writes the comments of steps.
type comments struct{ r *Reconciler }

// Comment implements step.Comments.
func (c comments) Comment(ctx context.Context, change int, mark, body string) error {
	return c.r.say(ctx, change, mark, body)
}
