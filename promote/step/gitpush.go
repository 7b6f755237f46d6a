package step

import (
	"fmt"

	"github.com/lockkeeper/lockkeeper/promote"
)

type gitPushConfig struct {
	Path         string `json:"path"`
	TargetBranch string `json:"targetBranch"`
	Generate     flag   `json:"generateTargetBranch"`
	MaxAttempts  count  `json:"maxAttempts"` // accepted; a push that lost a race is decided anew
	Force        flag   `json:"force"`       // accepted; the proposal branch belongs to its stage
	Provider     string `json:"provider"`    // accepted; the server's configuration decides
}

// gitPush proposes the commits of a checkout. To a branch of its own it is done at once; to a deployed branch it waits
// until the change is merged.
func (r *run) gitPush(c config) (outcome, error) {
	var cfg gitPushConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	checkout, err := r.workspace.at(cfg.Path)
	if err != nil {
		return outcome{}, err
	}
	target := promote.Branch(cfg.TargetBranch)
	if target == "" || bool(cfg.Generate) {
		target = checkout.branch
	}
	if target != r.Repository.Branch && !bool(cfg.Generate) {
		return outcome{}, fmt.Errorf("config.targetBranch is %q, but changes are merged into %q: name that branch, or set generateTargetBranch",
			cfg.TargetBranch, r.Repository.Branch)
	}
	output := map[string]any{"branch": string(target), "commit": string(checkout.head)}
	if merged := r.merged(); merged != "" {
		output["commit"] = string(merged)
		return outcome{status: promote.StepSucceeded, output: output, message: "merged as " + merged.Short()}, nil
	}
	if checkout.head == checkout.base {
		return outcome{status: promote.StepSkipped, output: output, message: "nothing to push: " + string(target) + " has it already"}, nil
	}
	r.result.Push = &Push{Head: checkout.head, Base: checkout.base, Target: target}
	if cfg.Generate {
		output["branch"] = string(promote.ProposalBranch(r.Promotion.Stage))
		return outcome{status: promote.StepSucceeded, output: output}, nil
	}
	r.result.Wait = WaitMerge
	return outcome{message: "waits for its change to be merged"}, errWaiting
}
