package step

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/promote"
)

type gitCommitConfig struct {
	Path             string        `json:"path"`
	Message          string        `json:"message"`
	MessageFromSteps []string      `json:"messageFromSteps"` // before Kargo 1.7
	Author           *authorConfig `json:"author"`           // deprecated in Kargo 1.10
}

// gitCommit commits the edits of a checkout. Without an edit it is skipped, and its output names what is there already.
func (r *run) gitCommit(ctx context.Context, _ promote.Step, c config) (outcome, error) {
	var cfg gitCommitConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	checkout, err := r.workspace.at(cfg.Path)
	if err != nil {
		return outcome{}, err
	}
	message, err := r.message(cfg)
	if err != nil {
		return outcome{}, err
	}
	if err := r.author(cfg.Author); err != nil {
		return outcome{}, err
	}
	if err := checkout.keepsToSparse(); err != nil {
		return outcome{}, err
	}
	id, err := r.commit(ctx, checkout, message+r.trailers())
	switch {
	case errors.Is(err, git.ErrNoChange):
		return outcome{
			status: promote.StepSkipped, output: map[string]any{"commit": string(checkout.head)}, message: "nothing to commit",
		}, nil
	case err != nil:
		return outcome{}, fmt.Errorf("commit: %w", err)
	}
	checkout.head, checkout.edits = promote.Commit(id), map[string]entry{}
	if err := checkout.load(ctx); err != nil {
		return outcome{}, fmt.Errorf("read the new commit: %w", err)
	}
	return succeeded(map[string]any{"commit": id}), nil
}

// keepsToSparse refuses to commit files that a sparse checkout leaves out, as git-add(1) does.
func (c *checkout) keepsToSparse() error {
	for _, name := range slices.Sorted(maps.Keys(c.edits)) {
		if !c.tree.Includes(name) {
			return fmt.Errorf("an earlier step wrote %q, which is not checked out: %s, or write it outside of the checkout", name, c.widen(name))
		}
	}
	return nil
}

// commit makes one commit of a checkout's edits. Where a file takes the place of a folder, or a folder that of a file, the
// old is taken away first, in a commit that nobody sees.
func (r *run) commit(ctx context.Context, c *checkout, message string) (string, error) {
	request := git.CommitRequest{
		Parents: []string{string(c.head)}, Files: map[string]git.File{}, Message: message, Author: &r.Author, When: r.When,
	}
	gone := map[string]git.File{}
	for name, file := range c.edits {
		if file.gone {
			gone[name] = git.File{Delete: true}
		} else {
			request.Files[name] = git.File{Data: file.data, Mode: file.mode}
		}
	}
	if !displaces(request.Files, gone) {
		maps.Copy(request.Files, gone)
		return c.git.Commit(ctx, request)
	}
	emptied := request
	emptied.Files = gone
	base, err := c.git.Commit(ctx, emptied)
	if err != nil {
		return "", err
	}
	request.Base = base
	return c.git.Commit(ctx, request)
}

// displaces reports whether a file is made where a deleted one was a folder's file, or below a deleted one.
func displaces(files, gone map[string]git.File) bool {
	folders := map[string]bool{}
	for name := range gone {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			folders[dir] = true
		}
	}
	for name := range files {
		if folders[name] {
			return true
		}
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if _, deleted := gone[dir]; deleted {
				return true
			}
		}
	}
	return false
}

func (r *run) message(cfg gitCommitConfig) (string, error) {
	parts := []string{}
	if cfg.Message != "" {
		parts = append(parts, cfg.Message)
	}
	for _, as := range cfg.MessageFromSteps {
		output, ok := r.outputs[as]
		if !ok {
			return "", fmt.Errorf("config.messageFromSteps names step %q, but no earlier step is called so: give that step `as: %s`", as, as)
		}
		if message, ok := output["commitMessage"].(string); ok {
			parts = append(parts, message)
		}
	}
	if len(parts) == 0 {
		return "", errors.New("config.message is missing: write what changes, as in message: ${{ outputs['update'].commitMessage }}")
	}
	return strings.TrimRight(strings.Join(parts, "\n"), "\n"), nil
}

// trailers ends a commit message with what tells Git history apart from other commits (see package promote).
func (r *run) trailers() string {
	return fmt.Sprintf("\n\nLockkeeper-Stage: %s\nLockkeeper-Freight: %s\nLockkeeper-Promotion: %s\n",
		r.Promotion.Stage, r.Promotion.Freight, r.Promotion.ID)
}
