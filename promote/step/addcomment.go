package step

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

type addCommentConfig struct {
	RepoURL string `json:"repoURL"`
	Number  count  `json:"number"` // of the change; 0: the promotion's
	Body    string `json:"body"`
}

const maxComment = 64 << 10

// addComment writes a comment on a change, once for a promotion and a step.
func (r *run) addComment(ctx context.Context, step promote.Step, c config) (outcome, error) {
	var cfg addCommentConfig
	if err := c.decode(&cfg); err != nil {
		return outcome{}, err
	}
	number := int(cfg.Number)
	if number == 0 {
		number = r.Change.Number
	}
	switch {
	case strings.TrimSpace(cfg.Body) == "":
		return outcome{}, errors.New("config.body is missing: write what to say")
	case len(cfg.Body) > maxComment:
		return outcome{}, fmt.Errorf("config.body has %d bytes, at most %d are written", len(cfg.Body), maxComment)
	case cfg.RepoURL != "" && !r.Repository.sameRepository(cfg.RepoURL):
		return outcome{}, fmt.Errorf("config.repoURL is %q, but comments are written in the repository of the pipeline only", promote.WithoutUser(cfg.RepoURL))
	case number <= 0:
		return outcome{}, errors.New("the promotion has no change yet to comment on: move the step behind git-open-pr or git-push, or set config.number")
	case r.World.Comments == nil:
		return outcome{}, notConfigured("forge", "comments need one")
	}
	mark := fmt.Sprintf("<!-- lockkeeper:comment:%s/%s/%s -->", r.Promotion.Stage.Project, r.Promotion.ID, step.As)
	if err := r.World.Comments.Comment(ctx, number, mark, cfg.Body); err != nil {
		return outcome{}, technicalError{fmt.Errorf("comment on change %d: %w", number, err)}
	}
	return outcome{status: promote.StepSucceeded, message: fmt.Sprintf("commented on change %d", number)}, nil
}
