package gitlab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	gl "github.com/xanzy/go-gitlab"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

// OwnThreads returns the discussions that we began and that can be resolved.
func (f *Forge) OwnThreads(ctx context.Context, number int) ([]promote.OwnThread, error) {
	found, err := f.discussions(ctx, number)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	self, err := f.me(ctx)
	if err != nil {
		return nil, err
	}
	var own []promote.OwnThread
	for _, one := range found {
		id, ok := discussionID(one.ID)
		if !ok || len(one.Notes) == 0 || !one.Notes[0].Resolvable || one.Notes[0].Author.ID != self.ID {
			continue
		}
		first := one.Notes[0]
		thread := promote.OwnThread{ID: promote.Thread(id), Body: first.Body, Resolved: first.Resolved}
		thread.Ours = first.Resolved && first.ResolvedBy != nil && first.ResolvedBy.ID == self.ID
		own = append(own, thread)
	}
	return own, nil
}

// OpenThreads begins a discussion at each line. GitLab takes lines that the newest diff adds; what has another place is a discussion
// of the merge request as a whole.
func (f *Forge) OpenThreads(ctx context.Context, number int, head promote.Commit, drafts []promote.ThreadDraft) error {
	change, err := f.mergeRequest(ctx, number)
	if err != nil {
		return err
	}
	if refs := change.DiffRefs; refs.Head != "" && refs.Head != string(head) {
		return fmt.Errorf("gitlab: open threads: change %d is at %s, not at %s: %w", number, promote.Commit(refs.Head).Short(), head.Short(), promote.ErrStale)
	}
	for _, draft := range drafts {
		position := positionOf(change, draft)
		err := f.openThread(ctx, number, draft.Body, position)
		if position != nil && (errors.Is(err, promote.ErrInvalid) || errors.Is(err, promote.ErrConflict)) {
			err = f.openThread(ctx, number, bodyElsewhere(draft), nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bodyElsewhere is the text of a thread that stands elsewhere than what it is about. Its first line tells the finding.
func bodyElsewhere(draft promote.ThreadDraft) string {
	place := draft.Path
	if draft.Line > 0 {
		place += ":" + strconv.Itoa(draft.Line)
	}
	return draft.Body + "\n" + promote.CodeSpan(place) + "\n"
}

func positionOf(change mergeRequest, draft promote.ThreadDraft) *gl.PositionOptions {
	refs := change.DiffRefs
	if refs.Base == "" || refs.Head == "" || refs.Start == "" || draft.Line < 1 {
		return nil
	}
	return &gl.PositionOptions{
		BaseSHA: new(refs.Base), HeadSHA: new(refs.Head), StartSHA: new(refs.Start), PositionType: new("text"),
		OldPath: new(draft.Path), NewPath: new(draft.Path), NewLine: new(draft.Line),
	}
}

func (f *Forge) openThread(ctx context.Context, number int, body string, position *gl.PositionOptions) error {
	body = markdown(body)
	started := f.now()
	_, err := f.send(ctx, request{
		priority: wordPriority,
		name:     "open thread",
		subject:  "on change " + strconv.Itoa(number),
		method:   http.MethodPost,
		path:     f.changePath(number) + "/discussions",
		options:  &gl.CreateMergeRequestDiscussionOptions{Body: new(body), Position: position},
	}, nil)
	if !forge.InDoubt(ctx, err) {
		return err
	}
	_, err = f.addedAlready(ctx, number, promote.Note{Body: body, CreatedAt: started.Add(-forge.ClockSlack)}, err)
	return err
}

// Resolve resolves a discussion, or takes that back.
func (f *Forge) Resolve(ctx context.Context, number int, thread promote.Thread, resolved bool) error {
	id, err := f.discussionOf(ctx, number, thread)
	if err != nil {
		return err
	}
	_, err = f.send(ctx, request{
		priority: wordPriority,
		name:     "resolve thread",
		subject:  fmt.Sprintf("%s of change %d", id, number),
		method:   http.MethodPut,
		path:     f.discussionPath(number, id),
		options:  &gl.ResolveMergeRequestDiscussionOptions{Resolved: new(resolved)},
	}, nil)
	return err
}
