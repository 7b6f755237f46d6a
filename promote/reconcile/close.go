package reconcile

import (
	"context"
	"fmt"

	"github.com/lockkeeper/lockkeeper/promote"
)

// closeChange says why a change promotes nothing any more, and closes it. Forges do not pin that to a head, so the change is
// looked at once more: another process may have proposed in it since.
func (r *Reconciler) closeChange(ctx context.Context, w *watch, a promote.CloseChange) error {
	change, err := r.Forge.Change(ctx, a.Change)
	if err != nil {
		return err
	}
	if change.State != promote.ChangeOpen || change.Head != a.Head {
		return fmt.Errorf("change %d is %s at %s, not open at %s: %w",
			a.Change, change.State, change.Head.Short(), a.Head.Short(), promote.ErrStale)
	}
	if err := r.say(ctx, a.Change, marker("closed", string(a.Head)), a.Note); err != nil {
		return err
	}
	if err := r.Forge.Close(ctx, a.Change); err != nil {
		return err
	}
	change.State = promote.ChangeClosed
	w.put(change)
	return nil
}
