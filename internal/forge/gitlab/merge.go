package gitlab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	gl "github.com/xanzy/go-gitlab"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	mergeAttempts = 4
	mergeWait     = 500 * time.Millisecond // doubled each time
)

// Merge merges a change if its head is still head, and returns it with Merged filled. message becomes the message of the merge
// commit, and of the squashed commit where the project squashes; empty leaves them to GitLab.
//
// GitLab computes for some seconds after a push or a status; a refusal during that time is waited out, boundedly. The error wraps
// promote.ErrStale when the head moved, promote.ErrNotMergeable when something must happen first, promote.ErrForbidden when the
// token's user may not merge into the target. A change that turns out to be merged at head already is a success.
//
// A change of which only the pipeline still runs is set to merge when it succeeds, and in a project with merge trains it boards
// its train instead of being merged past it: it comes back open and promote.MergeQueued. Whether its commits are squashed is left
// to the change and the project.
func (f *Forge) Merge(ctx context.Context, number int, head promote.Commit, message string) (promote.Change, error) {
	if head == "" {
		return promote.Change{}, fmt.Errorf("gitlab: merge change %d: the head is required: %w", number, promote.ErrInvalid)
	}
	settings, err := f.recent(ctx)
	if err != nil {
		return promote.Change{}, err
	}
	order := mergeOrder{number: number, head: head, message: message, train: settings.MergeTrains}
	for attempt := 0; ; attempt++ {
		change, err := f.order(ctx, order)
		if err == nil {
			return change, nil
		}
		if !errors.Is(err, promote.ErrNotMergeable) || !soon(change.Mergeability) || attempt+1 == mergeAttempts {
			return promote.Change{}, err
		}
		if f.pause(ctx, mergeWait<<attempt) != nil {
			return promote.Change{}, err
		}
		// The pipeline may be over by now: GitLab merges at once then.
		order.later = change.Reason == wordPipelineRuns
	}
}

// mergeOrder is one order to merge.
type mergeOrder struct {
	number  int
	head    promote.Commit
	message string
	train   bool // board the train of the target
	later   bool // when the pipeline has succeeded
}

// order gives an order and finds out what came of it. With an error the change is as it is now, where that had to be looked at.
func (f *Forge) order(ctx context.Context, order mergeOrder) (promote.Change, error) {
	if order.train {
		return f.board(ctx, order)
	}
	accepted, refusal := f.accept(ctx, order)
	if refusal != nil {
		return f.notAccepted(ctx, order, refusal)
	}
	return f.merged(ctx, accepted)
}

// acceptOptions is the library's type, which lacks auto_merge.
type acceptOptions struct {
	*gl.AcceptMergeRequestOptions
	AutoMerge *bool `json:"auto_merge,omitempty"`
}

func (f *Forge) accept(ctx context.Context, order mergeOrder) (mergeRequest, error) {
	options := acceptOptions{AcceptMergeRequestOptions: &gl.AcceptMergeRequestOptions{SHA: new(string(order.head))}}
	if order.message != "" {
		options.MergeCommitMessage, options.SquashCommitMessage = new(order.message), new(order.message)
	}
	if order.later {
		options.AutoMerge = new(true)
	}
	var accepted mergeRequest
	_, err := f.send(ctx, request{
		name:    "merge change",
		subject: strconv.Itoa(order.number),
		method:  http.MethodPut,
		path:    f.changePath(order.number) + "/merge",
		options: options,
	}, &accepted)
	return accepted, err
}

// merged waits until an accepted merge is one: GitLab answers while the change is still "locked".
func (f *Forge) merged(ctx context.Context, accepted mergeRequest) (promote.Change, error) {
	for attempt := 0; ; attempt++ {
		if accepted.State == "merged" || accepted.State == "opened" && accepted.Queued {
			return f.change(accepted), nil
		}
		if attempt == mergeAttempts {
			return promote.Change{}, fmt.Errorf("gitlab: merge change %d: GitLab accepted, but the change is still %q: %w",
				accepted.IID, accepted.State, promote.ErrNotMergeable)
		}
		if err := f.pause(ctx, mergeWait<<attempt); err != nil {
			return promote.Change{}, fmt.Errorf("gitlab: merge change %d: %w", accepted.IID, err)
		}
		again, err := f.mergeRequest(ctx, accepted.IID)
		if err != nil {
			return promote.Change{}, err
		}
		accepted = again
	}
}

// notAccepted finds out what a refusal to merge means. It returns the change as it is now where it had to look.
func (f *Forge) notAccepted(ctx context.Context, order mergeOrder, refusal error) (promote.Change, error) {
	api, ok := errors.AsType[*promote.APIError](refusal)
	switch {
	case !ok:
		return promote.Change{}, refusal
	case api.Status == http.StatusConflict && !order.train:
		api.Remedy = "the branch moved since it was judged; it is judged again"
		return promote.Change{}, api.Meaning(promote.ErrStale)
	case api.Status == http.StatusUnauthorized:
		return promote.Change{}, f.mayNotMerge(ctx, api)
	case !order.refusedBy(api.Status) && !forge.InDoubt(ctx, refusal):
		return promote.Change{}, refusal
	}
	change, err := f.Change(ctx, order.number)
	switch {
	case err == nil && change.Head == order.head && (change.State == promote.ChangeMerged || change.Merge == promote.MergeQueued):
		return change, nil
	case err == nil && change.Head != order.head:
		return change, api.Meaning(promote.ErrStale)
	case !order.refusedBy(api.Status):
		return promote.Change{}, refusal
	}
	if err == nil && change.Reason != "" {
		api.Remedy = fmt.Sprintf("GitLab says %q; see %s", change.Reason, change.URL)
	}
	return change, api.Meaning(promote.ErrNotMergeable)
}

// refusedBy says whether a status means "not now": 406 is that of old versions, 422 that of a merge that failed underway. Of a
// train GitLab says 400 and 409 of several things, also of a change that has boarded already.
func (o mergeOrder) refusedBy(status int) bool {
	switch status {
	case http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusUnprocessableEntity:
		return true
	case http.StatusBadRequest, http.StatusConflict:
		return o.train
	default:
		return false
	}
}

// mayNotMerge tells the two meanings of 401 apart: GitLab says it of a bad token, and of a good one whose user may not merge.
func (f *Forge) mayNotMerge(ctx context.Context, api *promote.APIError) error {
	if f.kind == JobToken {
		return api // which says what to do
	}
	if _, err := f.askSelf(ctx); err != nil {
		return api
	}
	api.Remedy = "the token's user may not merge into the target branch: give it the role that the branch's protection allows to merge"
	return api.Meaning(promote.ErrForbidden)
}

// Unqueue takes back that a change is merged when its pipeline succeeds, and takes it off a merge train. One that is neither, or is
// merged already, is a success.
func (f *Forge) Unqueue(ctx context.Context, number int) error {
	_, err := f.send(ctx, request{
		name:    "cancel merge",
		subject: "of change " + strconv.Itoa(number),
		method:  http.MethodPost,
		path:    f.changePath(number) + "/cancel_merge_when_pipeline_succeeds",
	}, nil)
	if err == nil {
		return nil
	}
	// GitLab refuses with 406, and in some versions 405 or 422, what is not set to be merged; a lost answer is looked up alike.
	api, ok := errors.AsType[*promote.APIError](err)
	if !ok || !(mergeOrder{}).refusedBy(api.Status) && !forge.InDoubt(ctx, err) {
		return err
	}
	now, lookErr := f.Change(ctx, number)
	if lookErr != nil || now.Merge == promote.MergeQueued {
		return err
	}
	return nil
}
