package step

import (
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
func (r *run) gitOpenPR(c config) (outcome, error) {
	var cfg gitOpenPRConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	proposal := promote.ProposalBranch(r.Promotion.Stage)
	switch {
	case cfg.RepoURL == "":
		return outcome{}, fmt.Errorf("config.repoURL is missing: name the repository, as in repoURL: ${{ vars.gitopsRepo }}")
	case !r.Repository.sameRepository(cfg.RepoURL):
		return outcome{}, fmt.Errorf("config.repoURL is %q, but changes are opened in %s", withoutUser(cfg.RepoURL), withoutUser(r.Repository.URLs[0]))
	case promote.Branch(cfg.TargetBranch) != r.Repository.Branch:
		return outcome{}, fmt.Errorf("config.targetBranch is %q, but changes are merged into %q: name that branch", cfg.TargetBranch, r.Repository.Branch)
	case promote.Branch(cfg.SourceBranch) == r.Repository.Branch && r.result.Push == nil:
		none := map[string]any{"id": 0, "url": ""}
		return outcome{
			status: promote.StepSkipped, output: map[string]any{"pr": none, "prNumber": 0}, message: "nothing to open: no step pushed anything new",
		}, nil
	case promote.Branch(cfg.SourceBranch) != proposal:
		return outcome{}, fmt.Errorf("config.sourceBranch is %q, expected what git-push gave: set generateTargetBranch there and "+
			"write sourceBranch: ${{ outputs.push.branch }}", cfg.SourceBranch)
	}
	if r.Change.Number != 0 {
		pr := map[string]any{"id": r.Change.Number, "url": r.Change.URL}
		return outcome{status: promote.StepSucceeded, output: map[string]any{"pr": pr, "prNumber": r.Change.Number}}, nil
	}
	if r.result.Push == nil {
		r.result.Push = &Push{Head: r.Promotion.Head, Base: r.Promotion.Base, Target: r.Repository.Branch}
	}
	r.result.Push.Title, r.result.Push.Description, r.result.Push.Labels = cfg.Title, cfg.Description, cfg.Labels
	r.result.Wait = WaitChange
	return outcome{message: "waits for its change to be opened"}, errWaiting
}

type gitWaitForPRConfig struct {
	RepoURL  string `json:"repoURL"`
	PRNumber count  `json:"prNumber"`
	Provider string `json:"provider"`              // accepted; the server's configuration decides
	Poll     string `json:"pollInterval"`          // accepted; webhooks and the sweep look sooner
	SkipTLS  flag   `json:"insecureSkipTLSVerify"` // accepted; the server's configuration decides
}

// gitWaitForPR waits until the change of the promotion is merged.
func (r *run) gitWaitForPR(c config) (outcome, error) {
	var cfg gitWaitForPRConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	if cfg.PRNumber == 0 && r.Change.Number == 0 && r.result.Push == nil {
		return outcome{
			status: promote.StepSkipped, output: map[string]any{"commit": string(r.Repository.Head)}, message: "nothing to wait for",
		}, nil
	}
	if int(cfg.PRNumber) != r.Change.Number || r.Change.Number == 0 {
		return outcome{}, fmt.Errorf("config.prNumber is %d, but the promotion's change is %d: write prNumber: ${{ outputs['open-pr'].pr.id }}",
			cfg.PRNumber, r.Change.Number)
	}
	merged := r.merged()
	if merged == "" {
		r.result.Wait = WaitMerge
		return outcome{message: "waits for its change to be merged"}, errWaiting
	}
	return outcome{status: promote.StepSucceeded, message: "merged as " + merged.Short(), output: map[string]any{
		"commit": string(merged),
		"pr":     map[string]any{"id": r.Change.Number, "url": r.Change.URL, "open": false, "merged": true},
	}}, nil
}
