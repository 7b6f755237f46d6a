package gitlab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	gl "github.com/xanzy/go-gitlab"

	"github.com/lockkeeper/lockkeeper/internal/forge"
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
	cars, err := f.train(ctx, change.Target)
	if err != nil {
		f.wire.Logger.DebugContext(ctx, "gitlab: the merge train cannot be read", "branch", change.Target, "error", err)
	}
	return slices.IndexFunc(cars, func(c car) bool { return c.MergeRequest.IID == change.Number }) + 1
}

// A car is a change on a merge train, and the pipeline that tests its commit there.
type car struct {
	MergeRequest struct {
		IID int `json:"iid"`
	} `json:"merge_request"`
	Pipeline struct {
		SHA    string `json:"sha"`
		Status string `json:"status"`
	} `json:"pipeline"`
}

// train lists what is on the merge train of a branch, the next to be merged first.
func (f *Forge) train(ctx context.Context, target promote.Branch) ([]car, error) {
	var cars []car
	_, err := f.get(ctx, request{
		name:    "read merge train",
		subject: "of " + strconv.Quote(string(target)),
		path:    f.base + "/merge_trains/" + gl.PathEscape(string(target)),
		options: &gl.ListMergeTrainsOptions{ListOptions: gl.ListOptions{PerPage: perPage}, Scope: new("active"), Sort: new("asc")},
	}, &cars)
	return cars, err
}

// Queued returns what the merge train of a branch tests: the commits whose pipelines go on. Where the project has no trains, as far
// as its settings were read, GitLab is asked nothing.
func (f *Forge) Queued(ctx context.Context, target promote.Branch, _ map[promote.Branch]promote.Commit) ([]promote.Event, error) {
	f.mu.Lock()
	trains := f.settings.MergeTrains
	f.mu.Unlock()
	if !trains {
		return nil, nil
	}
	cars, err := f.train(ctx, target)
	if err != nil {
		return nil, err
	}
	var events []promote.Event
	for _, c := range cars {
		head := forge.ObjectName(c.Pipeline.SHA)
		if head != "" && c.MergeRequest.IID > 0 && !endedPipelines[c.Pipeline.Status] {
			events = append(events, promote.Event{Kind: promote.EventQueue, Branch: target, Head: head, Change: c.MergeRequest.IID})
		}
	}
	return events, nil
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
