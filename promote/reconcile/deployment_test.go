package reconcile

import (
	"context"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

// pages is a forge's page of environments that answers with a status.
type pages struct {
	status int
	shown  []string
}

func (p *pages) Deploy(_ context.Context, deployment promote.Deployment) error {
	p.shown = append(p.shown, deployment.Environment)
	if p.status < 400 {
		return nil
	}
	return &promote.APIError{Service: "forge", Operation: "deploy", Status: p.status}
}

// TestWhatCouldNotBeShownIsShownInOrder, as far as the forge takes it: one that is out of order, or wants to be left alone, is asked once.
func TestWhatCouldNotBeShownIsShownInOrder(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		asked  []string
		left   int
	}{
		{"it works again", 201, []string{"shop/dev", "shop/prod", "shop/test"}, 0},
		{"it does not", 503, []string{"shop/dev"}, 3},
		{"one was refused for good, as the others may be", 422, []string{"shop/dev", "shop/prod", "shop/test"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			forge := &pages{status: c.status}
			r := &Reconciler{Config: Config{Deployer: forge, Log: slog.New(slog.DiscardHandler)}, memory: newMemory()}
			for _, stage := range []string{"prod", "dev", "test"} {
				ref := promote.StageRef{Project: "shop", Name: stage}
				r.memory.unshown[ref] = promote.Deployment{Environment: ref.String()}
			}
			r.showAgain(t.Context())
			if diff := cmp.Diff(c.asked, forge.shown); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			if len(r.memory.unshown) != c.left {
				t.Errorf("%d are left", len(r.memory.unshown))
			}
		})
	}
}
