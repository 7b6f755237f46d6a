package step

import (
	"context"
	"errors"
	"fmt"

	"github.com/lockkeeper/lockkeeper/promote"
)

type gitCloneConfig struct {
	RepoURL  string           `json:"repoURL"`
	Checkout []checkoutConfig `json:"checkout"`
	Author   *authorConfig    `json:"author"`
	SkipTLS  flag             `json:"insecureSkipTLSVerify"` // accepted; the server's configuration decides
	Modules  flag             `json:"recurseSubmodules"`     // accepted; submodules are never entered
	Blobless flag             `json:"blobless"`              // accepted; only what is read is fetched
}

type checkoutConfig struct {
	Path   string `json:"path"`
	Branch string `json:"branch"`
	Commit string `json:"commit"`
	As     string `json:"as"`
}

type authorConfig struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

// gitClone checks out the target branch, at the commit that the promotion runs on. It fetches nothing but what later steps
// read.
func (r *run) gitClone(ctx context.Context, c config) (outcome, error) {
	var cfg gitCloneConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	if err := r.checkClone(cfg); err != nil {
		return outcome{}, err
	}
	commits := map[string]any{}
	for _, checkout := range cfg.Checkout {
		branch, commit, err := r.revision(checkout)
		if err != nil {
			return outcome{}, err
		}
		if err := r.workspace.add(ctx, checkout.Path, branch, commit); err != nil {
			return outcome{}, err
		}
		key := checkout.As
		if key == "" {
			key = checkout.Path
		}
		commits[key] = string(commit)
	}
	r.author(cfg.Author)
	return outcome{status: promote.StepSucceeded, output: map[string]any{"commits": commits}}, nil
}

func (r *run) author(cfg *authorConfig) {
	if cfg != nil && cfg.Name != "" {
		r.Author.Name, r.Author.Email = cfg.Name, cfg.Email
	}
}

func (r *run) checkClone(cfg gitCloneConfig) error {
	switch {
	case cfg.RepoURL == "":
		return errors.New("config.repoURL is missing: name the repository, as in repoURL: ${{ vars.gitopsRepo }}")
	case !r.Repository.sameRepository(cfg.RepoURL):
		return fmt.Errorf("config.repoURL is %q, but only the repository of the pipeline itself (%s) can be promoted in so far",
			withoutUser(cfg.RepoURL), withoutUser(r.Repository.URLs[0]))
	case len(cfg.Checkout) == 0:
		return errors.New("config.checkout is missing: say where to check what out, as in checkout: [{branch: main, path: ./repo}]")
	}
	return nil
}

// revision resolves what a checkout names.
func (r *run) revision(c checkoutConfig) (promote.Branch, promote.Commit, error) {
	switch branch := promote.Branch(c.Branch); {
	case c.Path == "":
		return "", "", errors.New("config.checkout.path is missing")
	case c.Commit != "":
		return r.Repository.Branch, promote.Commit(c.Commit), nil
	case branch == "" || branch == r.Repository.Branch:
		return r.Repository.Branch, r.Repository.Head, nil
	}
	return "", "", fmt.Errorf("config.checkout.branch is %q, but changes are merged into %q: check that branch out",
		c.Branch, r.Repository.Branch)
}

// replayClone checks out what the steps before left behind: the merged commit, or the proposed one.
func (r *run) replayClone(ctx context.Context, step promote.Step) error {
	env, err := r.env(step)
	if err != nil {
		return fmt.Errorf("step %s: %w", label(step), err)
	}
	evaluated, err := evaluate(step.Config, env)
	if err != nil {
		return fmt.Errorf("step %s: %w", label(step), err)
	}
	var cfg gitCloneConfig
	if err := evaluated.decode(&cfg); err != nil {
		return fmt.Errorf("step %s: %w", label(step), err)
	}
	for _, checkout := range cfg.Checkout {
		branch, commit, err := r.revision(checkout)
		if err != nil {
			return fmt.Errorf("step %s: %w", label(step), err)
		}
		if merged := r.merged(); merged != "" && checkout.Commit == "" {
			commit = merged
		} else if r.Promotion.Head != "" && checkout.Commit == "" {
			commit = r.Promotion.Head
		}
		if err := r.workspace.add(ctx, checkout.Path, branch, commit); err != nil {
			return fmt.Errorf("step %s: %w", label(step), err)
		}
	}
	r.author(cfg.Author)
	return nil
}
