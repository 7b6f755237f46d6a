package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/step"
)

// Preview is what a proposal of a plan would show, computed without pushing or opening anything.
type Preview struct {
	Stage   promote.StageRef `json:"stage"`
	Freight string           `json:"freight"`
	Problem string           `json:"problem,omitempty"` // why it cannot be made
	Moves   []promote.Move   `json:"moves,omitempty"`
	Gates   promote.Gates    `json:"gates,omitempty"`
	Diff    string           `json:"diff,omitempty"` // Markdown
}

// String prints the preview for a terminal.
func (p Preview) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s to %s:\n", p.Freight, p.Stage)
	if p.Problem != "" {
		fmt.Fprintf(&b, "  cannot be proposed: %s\n", p.Problem)
		return b.String()
	}
	for _, move := range p.Moves {
		fmt.Fprintf(&b, "  %s: %s: %s → %s\n", move.File, move.Key, move.Before, move.After)
	}
	for _, gate := range p.Gates {
		fmt.Fprintf(&b, "  %-5s %s: %s\n", gate.Verdict, gate.Name, gate.Reason)
	}
	return b.String()
}

// Preview computes what each proposal of a dry run would show.
func (r *Reconciler) Preview(ctx context.Context, outcome Outcome) ([]Preview, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	state := outcome.State
	state.History.Freights = slices.Clone(state.History.Freights)
	var previews []Preview
	for _, action := range outcome.Plan.Actions {
		if found, ok := action.(promote.RecordFreight); ok {
			state.History.Freights = append(state.History.Freights, found.Freight)
		}
		proposal, ok := action.(promote.Propose)
		if !ok {
			continue
		}
		preview, err := r.preview(ctx, state, proposal)
		if err != nil {
			return previews, err
		}
		previews = append(previews, preview)
	}
	return previews, nil
}

func (r *Reconciler) preview(ctx context.Context, state promote.State, a promote.Propose) (Preview, error) {
	preview := Preview{Stage: a.Stage, Freight: a.Freight.Label()}
	promotion, err := r.begin(state, a)
	if err != nil {
		return preview, err
	}
	request, err := r.request(state, promotion)
	if err != nil {
		preview.Problem = err.Error()
		return preview, nil
	}
	request.Dry = true
	ran, err := step.Run(ctx, request)
	if err != nil {
		return preview, fmt.Errorf("promotion %s: %w", promotion.ID, err)
	}
	if ran.Failed {
		preview.Problem = ran.Message
		return preview, nil
	}
	promotion.Results, promotion.Moves, promotion.Head = ran.Results, ran.Moves, a.Base
	if ran.Push != nil {
		promotion.Head, promotion.Base, promotion.Target = ran.Push.Head, ran.Push.Base, ran.Push.Target
	}
	evidence, err := r.evidence(ctx, state, promotion, promotion.Head)
	if err != nil {
		return preview, err
	}
	gates, _, err := promote.JudgeProposal(state, promotion, evidence)
	preview.Moves, preview.Gates, preview.Diff = promotion.Moves, gates, evidence.Diff
	return preview, err
}
