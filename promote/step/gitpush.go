package step

import (
	"context"
	"errors"
	"fmt"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/promote"
)

type gitPushConfig struct {
	Path         string `json:"path"`
	TargetBranch string `json:"targetBranch"`
	Generate     flag   `json:"generateTargetBranch"`
	Tag          string `json:"tag"`
	MaxAttempts  count  `json:"maxAttempts"`           // accepted; a push that lost a race is decided anew
	Force        flag   `json:"force"`                 // accepted; the proposal branch belongs to its stage
	Provider     string `json:"provider"`              // accepted; the server's configuration decides
	SkipTLS      flag   `json:"insecureSkipTLSVerify"` // likewise
}

// gitPush proposes the commits of a checkout. To a branch of its own it is done at once; to a deployed branch it waits
// until the change is merged. With tag it pushes that tag and nothing else.
func (r *run) gitPush(ctx context.Context, _ promote.Step, c config) (outcome, error) {
	var cfg gitPushConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	checkout, err := r.workspace.at(cfg.Path)
	if err != nil {
		return outcome{}, err
	}
	switch {
	case !checkout.own:
		return outcome{}, fmt.Errorf("config.path %q is a checkout of %s, which is only read: changes are proposed in the repository of the pipeline",
			cfg.Path, checkout.git.URL())
	case cfg.Tag != "":
		return r.pushTag(ctx, cfg.Tag)
	}
	target := promote.Branch(cfg.TargetBranch)
	if target == "" || bool(cfg.Generate) {
		target = checkout.branch
	}
	if target == "" {
		return outcome{}, fmt.Errorf("config.targetBranch is missing: %q is not the checkout of a branch, so say which one to push to", cfg.Path)
	}
	return r.proposeTo(ctx, checkout, target, bool(cfg.Generate))
}

func (r *run) proposeTo(ctx context.Context, c *checkout, target promote.Branch, generate bool) (outcome, error) {
	output := map[string]any{"branch": string(target), "commit": string(c.head)}
	if merged := r.merged(); merged != "" {
		if target != r.Promotion.Target && r.Promotion.Head != "" || c.head != c.base {
			return outcome{}, fmt.Errorf("the promotion is merged into %q already, and this would propose another commit to %q: split the task into two stages",
				r.Promotion.Target, target)
		}
		output["commit"] = string(merged)
		return outcome{status: promote.StepSucceeded, output: output, message: "merged as " + merged.Short()}, nil
	}
	push, err := r.push(ctx, c, target)
	if err != nil {
		return outcome{}, err
	}
	if push.Head == push.Base {
		return outcome{status: promote.StepSkipped, output: output, message: "nothing to push: " + string(target) + " has it already"}, nil
	}
	if other := r.result.Push; other != nil && (other.Head != push.Head || other.Target != push.Target) {
		return outcome{}, fmt.Errorf("an earlier git-push proposes to %q already: a promotion is one change, so push once, or split the task into two stages",
			other.Target)
	}
	r.result.Push = push
	if generate {
		output["branch"] = string(r.Promotion.Branch)
		return succeeded(output), nil
	}
	return r.wait(promote.WaitsMerge, "waits for its change to be merged")
}

// push is the proposal of a checkout's head to a branch.
func (r *run) push(ctx context.Context, c *checkout, target promote.Branch) (*Push, error) {
	push := &Push{Head: c.head, Base: c.base, Target: target, Create: c.fresh}
	if target == c.branch {
		return push, nil
	}
	if err := git.ValidBranch(string(target)); err != nil {
		return nil, fmt.Errorf("config.targetBranch: %w", err)
	}
	push.Create = false
	if target == r.Repository.Branch {
		push.Base = r.Repository.Head
		return push, nil
	}
	refs, err := r.refsOf(ctx, c)
	if err != nil {
		return nil, err
	}
	tip, ok := refs.Branch(string(target))
	if !ok {
		return nil, fmt.Errorf("the target branch is %q, which %s does not have: check it out with git-clone and create: true, or push it",
			target, c.git.URL())
	}
	push.Base = promote.Commit(tip)
	return push, nil
}

type gitTagConfig struct {
	Path    string `json:"path"`
	Tag     string `json:"tag"`
	Message string `json:"message"` // accepted; the tag is a lightweight one
	Force   flag   `json:"force"`
}

// tagged is a tag that git-tag made and git-push has not pushed yet.
type tagged struct {
	name   string
	commit promote.Commit
	force  bool
}

// gitTag names the head of a checkout. It is on the forge once git-push pushes the tag.
func (r *run) gitTag(_ context.Context, _ promote.Step, c config) (outcome, error) {
	var cfg gitTagConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	checkout, err := r.workspace.at(cfg.Path)
	switch {
	case err != nil:
		return outcome{}, err
	case cfg.Tag == "":
		return outcome{}, errors.New("config.tag is missing: name the tag, as in tag: v${{ vars.version }}")
	case !checkout.own:
		return outcome{}, fmt.Errorf("config.path %q is a checkout of %s, which is only read", cfg.Path, checkout.git.URL())
	}
	if err := git.ValidBranch(cfg.Tag); err != nil {
		return outcome{}, fmt.Errorf("config.tag: %w", err)
	}
	r.tags = append(r.tags, tagged{cfg.Tag, checkout.head, bool(cfg.Force)})
	return succeeded(map[string]any{"commit": string(checkout.head), "tag": cfg.Tag}), nil
}

// replayTag remembers a tag that was made before, for the git-push that pushes it. Of the proposed commit it is the merged one.
func (r *run) replayTag(step promote.Step) error {
	var cfg gitTagConfig
	evaluated, err := r.evaluated(step)
	if err == nil {
		err = evaluated.decode(&cfg)
	}
	if err != nil {
		return fmt.Errorf("step %s: %w", label(step), err)
	}
	commit, _ := r.outputs[step.As]["commit"].(string)
	r.tags = append(r.tags, tagged{cfg.Tag, promote.Commit(commit), bool(cfg.Force)})
	return nil
}

// pushTag pushes a tag that git-tag made. One that points elsewhere already is not moved, unless the task forces it.
func (r *run) pushTag(ctx context.Context, name string) (outcome, error) {
	if r.merged() == "" {
		return outcome{}, fmt.Errorf("tag %q would be pushed before the change is merged: put the step after the git-push that proposes it", name)
	}
	for _, tag := range r.tags {
		if tag.name != name {
			continue
		}
		refs, err := r.Repository.Git.Refs(ctx)
		if err != nil {
			return outcome{}, fmt.Errorf("read the tags of %s: %w", r.Repository.Git.URL(), err)
		}
		ref := "refs/tags/" + name
		old := refs.Commits[ref]
		output := map[string]any{"tag": name, "commit": string(tag.commit)}
		switch {
		case old == string(tag.commit):
			return outcome{status: promote.StepSkipped, output: output, message: "the tag is there already"}, nil
		case old != "" && !tag.force:
			return outcome{}, fmt.Errorf("tag %q points to %s already: choose another name, or set force: true in git-tag",
				name, promote.Commit(old).Short())
		}
		results, err := r.Repository.Git.Push(ctx, git.RefUpdate{Ref: ref, Old: old, New: string(tag.commit)})
		if err != nil {
			return outcome{}, fmt.Errorf("push tag %q: %w", name, err)
		}
		if err := results[0].Err; err != nil {
			return outcome{}, fmt.Errorf("push tag %q: %w", name, err)
		}
		return succeeded(output), nil
	}
	return outcome{}, fmt.Errorf("config.tag is %q, but no git-tag before made it: add a git-tag step with that tag", name)
}

type gitClearConfig struct {
	Path string `json:"path"`
}

// gitClear takes every file of a checkout away.
func (r *run) gitClear(ctx context.Context, _ promote.Step, c config) (outcome, error) {
	var cfg gitClearConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	if _, err := r.workspace.at(cfg.Path); err != nil {
		return outcome{}, err
	}
	removed, err := r.workspace.remove(ctx, cfg.Path)
	if err != nil {
		return outcome{}, err
	}
	return outcome{status: promote.StepSucceeded, message: fmt.Sprintf("cleared %d files", removed)}, nil
}
