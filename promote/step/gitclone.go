package step

import (
	"context"
	"errors"
	"fmt"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/promote"
)

type gitCloneConfig struct {
	RepoURL  string           `json:"repoURL"`
	Checkout []checkoutConfig `json:"checkout"`
	Author   *authorConfig    `json:"author"`
	SkipTLS  flag             `json:"insecureSkipTLSVerify"` // accepted; the server's configuration decides
	Modules  flag             `json:"recurseSubmodules"`     // accepted, and the loader warns: submodules are never entered
	Blobless flag             `json:"blobless"`              // accepted; only what is read is fetched
}

type checkoutConfig struct {
	Path   string   `json:"path"`
	Branch string   `json:"branch"`
	Commit string   `json:"commit"`
	Tag    string   `json:"tag"`
	As     string   `json:"as"`
	Create flag     `json:"create"`
	Sparse []string `json:"sparse"`
}

// key is what the output calls the checkout.
func (c checkoutConfig) key() string {
	if c.As != "" {
		return c.As
	}
	return c.Path
}

// folders are the paths of sparse, cleaned. They name folders from the repository's root on, and no patterns.
func (c checkoutConfig) folders() ([]string, error) {
	var folders []string
	for _, name := range c.Sparse {
		folder, problem, remedy := promote.RepositoryFolder(name)
		if problem != "" {
			return nil, fmt.Errorf("config.checkout.sparse of %q holds %q, which is %s: %s", c.Path, name, problem, remedy)
		}
		folders = append(folders, folder)
	}
	return folders, nil
}

type authorConfig struct {
	Name       string `json:"name"`
	Email      string `json:"email"`
	SigningKey string `json:"signingKey"` // refused: see author
}

// gitClone checks out branches, commits and tags, at the commit that the promotion runs on where that is the pipeline's own
// branch. It fetches nothing but what later steps read.
func (r *run) gitClone(ctx context.Context, _ promote.Step, c config) (outcome, error) {
	cfg, repository, own, err := r.cloneConfig(c)
	if err != nil {
		return outcome{}, err
	}
	commits := map[string]any{}
	for _, one := range cfg.Checkout {
		out := checkout{path: one.Path, git: repository, own: own}
		if out.sparse, err = one.folders(); err != nil {
			return outcome{}, err
		}
		if err := r.revision(ctx, &out, one); err != nil {
			return outcome{}, err
		}
		if err := r.workspace.add(ctx, out); err != nil {
			return outcome{}, err
		}
		commits[one.key()] = string(out.base)
	}
	if err := r.author(cfg.Author); err != nil {
		return outcome{}, err
	}
	return succeeded(map[string]any{"commits": commits}), nil
}

// author takes over who a task says makes the commits. A key to sign with belongs into the server's environment, never into
// a repository.
func (r *run) author(cfg *authorConfig) error {
	switch {
	case cfg == nil:
	case cfg.SigningKey != "":
		return errors.New("author.signingKey stands in a manifest: remove it, and give the key to the server, in the environment variable " +
			"LOCKKEEPER_SIGNING_KEY (and LOCKKEEPER_SIGNING_PASSPHRASE)")
	case cfg.Name != "":
		r.Author.Name, r.Author.Email = cfg.Name, cfg.Email
	}
	return nil
}

// cloneConfig reads the configuration and opens the repository that it names.
func (r *run) cloneConfig(c config) (cfg gitCloneConfig, repository *git.Repository, own bool, err error) {
	if err := c.decode(&cfg); err != nil {
		return cfg, nil, false, err
	}
	switch {
	case cfg.RepoURL == "":
		return cfg, nil, false, errors.New("config.repoURL is missing: name the repository, as in repoURL: ${{ vars.gitopsRepo }}")
	case len(cfg.Checkout) == 0:
		return cfg, nil, false, errors.New("config.checkout is missing: say where to check what out, as in checkout: [{branch: main, path: ./repo}]")
	case r.Repository.sameRepository(cfg.RepoURL):
		return cfg, r.Repository.Git, true, nil
	case r.World.Git == nil:
		return cfg, nil, false, fmt.Errorf("config.repoURL is %q, which is not the repository of the pipeline (%s): "+
			"let the server read it, by gitRepositories in its configuration", promote.WithoutUser(cfg.RepoURL), promote.WithoutUser(r.Repository.URLs[0]))
	}
	repository, err = r.World.Git(cfg.RepoURL)
	if err != nil {
		return cfg, nil, false, fmt.Errorf("config.repoURL %q: %w", promote.WithoutUser(cfg.RepoURL), err)
	}
	return cfg, repository, false, nil
}

// revision finds the commit that a checkout names.
func (r *run) revision(ctx context.Context, out *checkout, c checkoutConfig) error {
	named := 0
	for _, text := range []string{c.Branch, c.Commit, c.Tag} {
		if text != "" {
			named++
		}
	}
	switch branch := promote.Branch(c.Branch); {
	case c.Path == "":
		return errors.New("config.checkout.path is missing")
	case named > 1:
		return fmt.Errorf("config.checkout of %q names more than one of branch, commit and tag: keep one", c.Path)
	case c.Commit != "":
		out.base = promote.Commit(c.Commit)
		return nil
	case out.own && c.Tag == "" && (branch == "" || branch == r.Repository.Branch):
		out.branch, out.base = r.Repository.Branch, r.Repository.Head
		return nil
	}
	return r.lookUp(ctx, out, c)
}

// lookUp asks the repository where a branch or a tag is.
func (r *run) lookUp(ctx context.Context, out *checkout, c checkoutConfig) error {
	refs, err := r.refsOf(ctx, out)
	if err != nil {
		return err
	}
	name := c.Branch
	switch {
	case c.Tag != "":
		id, ok := refs.Commits["refs/tags/"+c.Tag]
		if !ok {
			return fmt.Errorf("config.checkout.tag is %q, which %s does not have: push it, or name another", c.Tag, out.git.URL())
		}
		out.base = promote.Commit(id)
		return nil
	case name == "":
		name = refs.Default
	}
	tip, ok := refs.Branch(name)
	switch {
	case ok:
		out.branch, out.base = promote.Branch(name), promote.Commit(tip)
		return nil
	case !bool(c.Create) || !out.own:
		return fmt.Errorf("config.checkout.branch is %q, which %s does not have: push it, or set create: true", name, out.git.URL())
	}
	return r.found(ctx, out, promote.Branch(name))
}

// found begins a branch that does not exist yet with an empty commit, as Kargo does. It is pushed with what is proposed on it.
func (r *run) found(ctx context.Context, out *checkout, branch promote.Branch) error {
	if err := git.ValidBranch(string(branch)); err != nil {
		return fmt.Errorf("config.checkout.branch: %w", err)
	}
	id, err := out.git.Commit(ctx, git.CommitRequest{
		Message: "Begin " + string(branch), Author: &r.Author, When: r.When, AllowEmpty: true,
	})
	if err != nil {
		return fmt.Errorf("begin branch %q: %w", branch, err)
	}
	out.branch, out.base, out.fresh = branch, promote.Commit(id), true
	return nil
}

// refsOf reads the refs of a repository, those of the pipeline's own once in a run.
func (r *run) refsOf(ctx context.Context, c *checkout) (git.Refs, error) {
	if c.own && r.refs != nil {
		return *r.refs, nil
	}
	refs, err := c.git.Refs(ctx)
	if err != nil {
		return refs, fmt.Errorf("read the branches of %s: %w", c.git.URL(), err)
	}
	if c.own {
		r.refs = &refs
	}
	return refs, nil
}

// replayClone checks out what the steps before left behind: on the promotion's target the merged commit, or the proposed one,
// and elsewhere what was checked out then.
func (r *run) replayClone(ctx context.Context, step promote.Step) error {
	evaluated, err := r.evaluated(step)
	if err != nil {
		return fmt.Errorf("step %s: %w", label(step), err)
	}
	cfg, repository, own, err := r.cloneConfig(evaluated)
	if err != nil {
		return fmt.Errorf("step %s: %w", label(step), err)
	}
	commits, _ := r.outputs[step.As]["commits"].(map[string]any)
	for _, one := range cfg.Checkout {
		out := checkout{path: one.Path, git: repository, own: own, branch: promote.Branch(one.Branch)}
		if out.sparse, err = one.folders(); err != nil {
			return fmt.Errorf("step %s: %w", label(step), err)
		}
		if own && out.branch == "" && one.Commit == "" && one.Tag == "" {
			out.branch = r.Repository.Branch
		}
		recorded, _ := commits[one.key()].(string)
		out.base = promote.Commit(recorded)
		if own && out.branch != "" && out.branch == r.Promotion.Target && !r.asThen {
			out.base = r.present()
		}
		if err := r.workspace.add(ctx, out); err != nil {
			return fmt.Errorf("step %s: %w", label(step), err)
		}
	}
	return r.author(cfg.Author)
}

// present is what the target branch has, or will have, of the promotion.
func (r *run) present() promote.Commit {
	switch merged := r.merged(); {
	case merged != "":
		return merged
	case r.Promotion.Head != "":
		return r.Promotion.Head
	}
	return r.Repository.Head
}
