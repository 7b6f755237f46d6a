package step

import (
	"context"
	"errors"
	"fmt"
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
func (r *run) gitCommit(ctx context.Context, c config) (outcome, error) {
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
	r.author(cfg.Author)
	files := map[string]git.File{}
	for name, data := range checkout.edits {
		files[name] = git.File{Data: data}
	}
	id, err := r.Repository.Git.Commit(ctx, git.CommitRequest{
		Parents: []string{string(checkout.head)}, Files: files, Message: message + r.trailers(), Author: &r.Author, When: r.When,
	})
	switch {
	case errors.Is(err, git.ErrNoChange):
		return outcome{
			status: promote.StepSkipped, output: map[string]any{"commit": string(checkout.head)}, message: "nothing to commit",
		}, nil
	case err != nil:
		return outcome{}, fmt.Errorf("commit: %w", err)
	}
	checkout.head, checkout.edits = promote.Commit(id), map[string][]byte{}
	if checkout.tree, err = r.workspace.tree(ctx, checkout.head); err != nil {
		return outcome{}, fmt.Errorf("read the new commit: %w", err)
	}
	return outcome{status: promote.StepSucceeded, output: map[string]any{"commit": id}}, nil
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
