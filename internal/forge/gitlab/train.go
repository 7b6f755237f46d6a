package gitlab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	gl "github.com/xanzy/go-gitlab"

	"github.com/lockkeeper/lockkeeper/promote"
)

// boardOptions are those of POST merge_trains/merge_requests/:iid; the library's lack auto_merge.
type boardOptions struct {
	SHA       string `json:"sha"`
	AutoMerge bool   `json:"auto_merge,omitempty"`
	// Versions before 17.11 know auto_merge by this name.
	WhenPipelineSucceeds bool `json:"when_pipeline_succeeds,omitempty"`
}

// board puts a change on the merge train of its target, or has GitLab do so when its pipeline has succeeded. The head is always
// named: GitLab takes a change down again that boarded without it.
func (f *Forge) board(ctx context.Context, order mergeOrder) (promote.Change, error) {
	_, refusal := f.send(ctx, request{
		name:    "board merge train",
		subject: "with change " + strconv.Itoa(order.number),
		method:  http.MethodPost,
		path:    f.base + "/merge_trains/merge_requests/" + strconv.Itoa(order.number),
		options: boardOptions{SHA: string(order.head), AutoMerge: order.later, WhenPipelineSucceeds: order.later},
	}, nil)
	if refusal != nil {
		return f.notBoarded(ctx, order, refusal)
	}
	change, err := f.Change(ctx, order.number)
	switch {
	case err != nil:
		return promote.Change{}, err
	case change.State == promote.ChangeOpen:
		// Until GitLab's own answer has caught up.
		change.Mergeability = queued(promote.Mergeability{Merge: promote.MergeReady}, true)
		if position := f.position(ctx, change); position > 0 {
			change.Reason += fmt.Sprintf(", position %d", position)
		}
	}
	return change, nil
}

// position is the place of a change on its train, from 1; 0 when it is on none yet. It is only told to people.
func (f *Forge) position(ctx context.Context, change promote.Change) int {
	var cars []struct {
		MergeRequest struct {
			IID int `json:"iid"`
		} `json:"merge_request"`
	}
	_, err := f.get(ctx, request{
		name:    "read merge train",
		subject: "of " + strconv.Quote(string(change.Target)),
		path:    f.base + "/merge_trains/" + gl.PathEscape(string(change.Target)),
		options: &gl.ListMergeTrainsOptions{ListOptions: gl.ListOptions{PerPage: perPage}, Scope: new("active"), Sort: new("asc")},
	}, &cars)
	if err != nil {
		f.wire.Logger.DebugContext(ctx, "gitlab: the merge train cannot be read", "branch", change.Target, "error", err)
	}
	for i, car := range cars {
		if car.MergeRequest.IID == change.Number {
			return i + 1
		}
	}
	return 0
}

// notBoarded finds out what a refusal to board means.
func (f *Forge) notBoarded(ctx context.Context, order mergeOrder, refusal error) (promote.Change, error) {
	api, ok := errors.AsType[*promote.APIError](refusal)
	switch {
	case !ok:
		return promote.Change{}, refusal
	case api.Status == http.StatusUnauthorized:
		return promote.Change{}, f.mayNotMerge(ctx, api)
	case api.Status == http.StatusForbidden:
		api.Remedy = "the project has merge trains switched on, but they are not available: change its plan or switch them off under Settings > " +
			"Merge requests; or give the token's user the role Developer"
		return promote.Change{}, refusal
	}
	return f.notAccepted(ctx, order, refusal)
}
