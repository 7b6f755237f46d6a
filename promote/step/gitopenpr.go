package step

import (
	"context"
	"errors"
	"fmt"

	"github.com/lockkeeper/lockkeeper/promote"
)

type gitOpenPRConfig struct {
	RepoURL      string   `json:"repoURL"`
	SourceBranch string   `json:"sourceBranch"`
	TargetBranch string   `json:"targetBranch"`
	Title        string   `json:"title"`
	Description  string   `json:"description"`
	Labels       []string `json:"labels"`
	Provider     string   `json:"provider"`              // accepted; the server's configuration decides
	SkipTLS      flag     `json:"insecureSkipTLSVerify"` // likewise
	Create       flag     `json:"createTargetBranch"`    // accepted and without effect, as in Kargo
}

// gitOpenPR has the change of the promotion opened.
func (r *run) gitOpenPR(ctx context.Context, _ promote.Step, c config) (outcome, error) {
	var cfg gitOpenPRConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	proposal := r.Promotion.Branch
	source, target := promote.Branch(cfg.SourceBranch), promote.Branch(cfg.TargetBranch)
	switch {
	case cfg.RepoURL == "":
		return outcome{}, errors.New("config.repoURL is missing: name the repository, as in repoURL: ${{ vars.gitopsRepo }}")
	case !r.Repository.sameRepository(cfg.RepoURL):
		return outcome{}, fmt.Errorf("config.repoURL is %q, but changes are opened in %s", promote.WithoutUser(cfg.RepoURL), promote.WithoutUser(r.Repository.URLs[0]))
	case target == "":
		return outcome{}, fmt.Errorf("config.targetBranch is missing: name the branch that the change is merged into, such as %q", r.Repository.Branch)
	case source == target && r.result.Push == nil:
		none := map[string]any{"id": 0, "url": ""}
		return outcome{
			status: promote.StepSkipped, output: map[string]any{"pr": none, "prNumber": 0}, message: "nothing to open: no step pushed anything new",
		}, nil
	case source != proposal:
		return outcome{}, fmt.Errorf("config.sourceBranch is %q, expected what git-push gave: set generateTargetBranch there and "+
			"write sourceBranch: ${{ outputs.push.branch }}", cfg.SourceBranch)
	case r.Change.Number != 0:
		pr := map[string]any{"id": r.Change.Number, "url": r.Change.URL}
		return succeeded(map[string]any{"pr": pr, "prNumber": r.Change.Number}), nil
	}
	if err := r.aim(ctx, target); err != nil {
		return outcome{}, err
	}
	r.result.Push.Title, r.result.Push.Description, r.result.Push.Labels = cfg.Title, cfg.Description, cfg.Labels
	return r.wait(promote.WaitsChange, "waits for its change to be opened")
}

// aim points what git-push proposed at the branch that git-open-pr names.
func (r *run) aim(ctx context.Context, target promote.Branch) error {
	if r.result.Push == nil {
		r.result.Push = &Push{Head: r.Promotion.Head, Base: r.Promotion.Base, Target: r.Promotion.Target}
	}
	if r.result.Push.Target == target {
		return nil
	}
	own := checkout{git: r.Repository.Git, own: true, head: r.result.Push.Head}
	push, err := r.push(ctx, &own, target)
	if err != nil {
		return err
	}
	r.result.Push = push
	return nil
}

type gitWaitForPRConfig struct {
	RepoURL  string `json:"repoURL"`
	PRNumber count  `json:"prNumber"`
	Provider string `json:"provider"`              // accepted; the server's configuration decides
	Poll     string `json:"pollInterval"`          // accepted; webhooks and the sweep look sooner
	SkipTLS  flag   `json:"insecureSkipTLSVerify"` // accepted; the server's configuration decides
}

// gitWaitForPR waits until the change of the promotion is merged.
func (r *run) gitWaitForPR(_ context.Context, _ promote.Step, c config) (outcome, error) {
	var cfg gitWaitForPRConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	return r.merging(int(cfg.PRNumber))
}

// merging waits until the change of the promotion, which is the one of that number, is merged.
func (r *run) merging(number int) (outcome, error) {
	if number == 0 && r.Change.Number == 0 && r.result.Push == nil {
		return outcome{
			status: promote.StepSkipped, output: map[string]any{"commit": string(r.Repository.Head)}, message: "nothing to wait for",
		}, nil
	}
	if number != r.Change.Number || r.Change.Number == 0 {
		return outcome{}, fmt.Errorf("config.prNumber is %d, but the promotion's change is %d: write prNumber: ${{ outputs['open-pr'].pr.id }}",
			number, r.Change.Number)
	}
	merged := r.merged()
	if merged == "" {
		return r.wait(promote.WaitsMerge, "waits for its change to be merged")
	}
	return outcome{status: promote.StepSucceeded, message: "merged as " + merged.Short(), output: map[string]any{
		"commit": string(merged),
		"pr":     map[string]any{"id": r.Change.Number, "url": r.Change.URL, "open": false, "merged": true},
	}}, nil
}

type gitMergePRConfig struct {
	RepoURL  string `json:"repoURL"`
	PRNumber count  `json:"prNumber"`
	Provider string `json:"provider"`              // accepted; the server's configuration decides
	Method   string `json:"mergeMethod"`           // accepted; the forge's settings decide
	Wait     flag   `json:"wait"`                  // accepted; it always waits until the forge lets it be merged
	Poll     string `json:"pollInterval"`          // accepted; webhooks and the sweep look sooner
	SkipTLS  flag   `json:"insecureSkipTLSVerify"` // accepted; the server's configuration decides
}

// gitMergePR has the change of the promotion merged as soon as every gate passes.
func (r *run) gitMergePR(_ context.Context, _ promote.Step, c config) (outcome, error) {
	var cfg gitMergePRConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	r.result.AutoMerge = true
	return r.merging(int(cfg.PRNumber))
}
