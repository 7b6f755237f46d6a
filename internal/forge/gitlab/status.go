package gitlab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	gl "github.com/xanzy/go-gitlab"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	lockAttempts = 8
	lockWait     = 100 * time.Millisecond // doubled up to lockWaitMax
	lockWaitMax  = 2 * time.Second
)

// Status returns the newest status of that name which the token's own user posted for head, where it counts: in the newest
// pipeline of the commit, or in that of the merge result which it was posted on. Others may post under the same name; GitLab
// keeps them apart by user. One that stands in an older pipeline gates nothing any more and is not found, and neither is one that
// the external status check was not told of: it has to be posted again.
func (f *Forge) Status(ctx context.Context, head promote.Commit, name string) (promote.Status, bool, error) {
	if head == "" {
		return promote.Status{}, false, fmt.Errorf("gitlab: read status %q: the commit is required: %w", name, promote.ErrInvalid)
	}
	status, found, err := f.findStatus(ctx, head, name)
	if found && err == nil {
		found, err = f.heard(ctx, head, status)
	}
	if !found || err != nil {
		return promote.Status{}, false, err
	}
	return status, true, nil
}

// findStatus looks for a status where it counts.
func (f *Forge) findStatus(ctx context.Context, head promote.Commit, name string) (promote.Status, bool, error) {
	known, elsewhere := f.placeOf(head)
	if !elsewhere {
		return f.statusOn(ctx, head, name)
	}
	place, err := f.headPipeline(ctx, known.about(head, name))
	switch {
	case errors.Is(err, promote.ErrStale):
		return promote.Status{}, false, nil
	case err != nil:
		return promote.Status{}, false, err
	case place == known.statusPlace && name == known.status.Name:
		return known.status, true, nil
	case place.pipeline == 0:
		return f.statusOn(ctx, head, name)
	}
	status, found, err := f.statusIn(ctx, place, name)
	if found {
		posted := known.about(head, name)
		posted.Status = status
		f.remember(posted, place)
	}
	return status, found, err
}

// statusOn looks in the newest pipeline of a commit.
func (f *Forge) statusOn(ctx context.Context, on promote.Commit, name string) (promote.Status, bool, error) {
	rows, err := f.statuses(ctx, on, statusOptions{OrderBy: "pipeline_id"})
	if err != nil || len(rows) == 0 {
		return promote.Status{}, false, err
	}
	newest := slices.MaxFunc(rows, func(a, b commitStatus) int { return cmp.Compare(a.PipelineID, b.PipelineID) }).PipelineID
	inside := slices.DeleteFunc(rows, func(s commitStatus) bool { return s.PipelineID != newest })
	status, found, err := f.own(ctx, inside, name)
	if !found && err == nil && len(inside) >= perPage {
		status, found, err = f.statusIn(ctx, statusPlace{commit: on, pipeline: newest}, name)
	}
	if !found && err == nil {
		f.crowd(on)
	}
	return status, found, err
}

// statusIn looks in one pipeline.
func (f *Forge) statusIn(ctx context.Context, place statusPlace, name string) (promote.Status, bool, error) {
	rows, err := f.statuses(ctx, place.commit, statusOptions{Name: name, PipelineID: place.pipeline, OrderBy: "id"})
	if err != nil {
		return promote.Status{}, false, err
	}
	return f.own(ctx, rows, name)
}

// own is the newest of some statuses that the token's user posted under a name.
func (f *Forge) own(ctx context.Context, rows []commitStatus, name string) (promote.Status, bool, error) {
	named := slices.DeleteFunc(rows, func(s commitStatus) bool { return s.Name != name })
	if len(named) == 0 {
		return promote.Status{}, false, nil
	}
	self, err := f.me(ctx)
	if err != nil {
		return promote.Status{}, false, err
	}
	own := slices.DeleteFunc(named, func(s commitStatus) bool { return s.Author.ID != self.ID })
	if len(own) == 0 {
		return promote.Status{}, false, nil
	}
	return slices.MaxFunc(own, func(a, b commitStatus) int { return cmp.Compare(a.ID, b.ID) }).status(), true, nil
}

// statusOptions is the query of the statuses of a commit; the library's lacks pipeline_id.
type statusOptions struct {
	Name       string `url:"name,omitempty"`
	OrderBy    string `url:"order_by"`
	PerPage    int    `url:"per_page"`
	PipelineID int    `url:"pipeline_id,omitempty"`
	Sort       string `url:"sort"`
}

// statuses reads the first page of a commit's statuses, newest first.
func (f *Forge) statuses(ctx context.Context, on promote.Commit, options statusOptions) ([]commitStatus, error) {
	options.PerPage, options.Sort = perPage, "desc"
	var rows []commitStatus
	_, err := f.get(ctx, request{
		priority: statusPriority,
		name:     "read status",
		subject:  "of " + on.Short(),
		path:     f.base + "/repository/commits/" + gl.PathEscape(string(on)) + "/statuses",
		options:  options,
	}, &rows)
	return rows, err
}

// PostStatus posts a status where it gates the change: in the change's head pipeline, or, where that cannot be another one, on its
// head. What a merge train tests is named by its commit alone, without a branch. Posting the same state again is a success. While
// GitLab holds its lock on the commit, it is tried again for some seconds; the error wraps promote.ErrConflict when that was not
// enough. The external status check that is configured is answered beside.
func (f *Forge) PostStatus(ctx context.Context, posted promote.PostStatus) error {
	if posted.Head == "" {
		return fmt.Errorf("gitlab: post status %q: the head is required: %w", posted.Status.Name, promote.ErrInvalid)
	}
	there := f.owe(posted)
	place, err := f.place(ctx, posted)
	if err != nil {
		return err
	}
	if place.pipeline != 0 {
		// Here Status cannot be relied on to have found it before: do not add a row each time.
		known, found, err := f.statusIn(ctx, place, posted.Status.Name)
		if err != nil {
			return err
		}
		there = found && known == posted.Status
	}
	if !there {
		if err := f.postPatiently(ctx, posted, place); err != nil {
			return err
		}
	}
	f.remember(posted, place)
	return f.respond(ctx, posted)
}

func (f *Forge) postPatiently(ctx context.Context, posted promote.PostStatus, place statusPlace) error {
	for attempt := 0; ; attempt++ {
		err := f.postStatus(ctx, posted, place)
		api, ok := errors.AsType[*promote.APIError](err)
		if !ok || api.Status != http.StatusConflict || attempt+1 == lockAttempts {
			return err
		}
		if f.pause(ctx, min(lockWait<<attempt, lockWaitMax)) != nil {
			return err
		}
	}
}

func (f *Forge) postStatus(ctx context.Context, posted promote.PostStatus, place statusPlace) error {
	status := posted.Status
	options := &gl.SetCommitStatusOptions{State: buildState(status.State), Name: new(status.Name)}
	if status.Description != "" {
		options.Description = new(forge.CutRunes(status.Description, maxDescription))
	}
	if linkable(status.URL) {
		options.TargetURL = new(status.URL)
	}
	switch {
	case place.pipeline != 0:
		options.PipelineID = new(place.pipeline)
	case posted.Branch != "":
		options.Ref = new(string(posted.Branch))
	}
	var made commitStatus
	_, err := f.send(ctx, request{
		priority: statusPriority,
		name:     "post status",
		subject:  fmt.Sprintf("%q on %s", status.Name, place.commit.Short()),
		method:   http.MethodPost,
		path:     f.base + "/statuses/" + gl.PathEscape(string(place.commit)),
		options:  options,
	}, &made)
	f.learn(made.Author)
	if sameState(err, status.State) {
		return nil
	}
	return err
}

var transition = regexp.MustCompile(`from :(\w+)`)

// sameState recognises the refusal to move a status to the state that it has.
func sameState(err error, wanted promote.StatusState) bool {
	api, ok := errors.AsType[*promote.APIError](err)
	if !ok || api.Status != http.StatusBadRequest || !strings.Contains(api.Message, textSameState) {
		return false
	}
	from := transition.FindStringSubmatch(api.Message)
	return from == nil || statusState(from[1]) == wanted
}

// linkable says whether GitLab takes the URL; a status without link is better than none.
func linkable(link string) bool {
	parsed, err := url.Parse(link)
	return err == nil && (parsed.Scheme == "https" || parsed.Scheme == "http") && parsed.Host != "" && utf8.RuneCountInString(link) <= maxURL
}

type commitStatus struct {
	ID          int    `json:"id"`
	Name        string `json:"name"`
	Status      string `json:"status"`
	Description string `json:"description"`
	TargetURL   string `json:"target_url"`
	PipelineID  int    `json:"pipeline_id"` // newer versions
	Author      user   `json:"author"`
}

func (s commitStatus) status() promote.Status {
	return promote.Status{Name: s.Name, State: statusState(s.Status), Description: s.Description, URL: s.TargetURL}
}

func buildState(state promote.StatusState) gl.BuildStateValue {
	switch state {
	case promote.StatusSuccess:
		return gl.Success
	case promote.StatusFailed:
		return gl.Failed
	case promote.StatusPending:
	}
	return gl.Pending
}

// statusState reads GitLab's word. What was cancelled, skipped or waits for a click has not passed.
func statusState(word string) promote.StatusState {
	switch word {
	case "success":
		return promote.StatusSuccess
	case "failed", "canceled", "canceling", "skipped", "manual":
		return promote.StatusFailed
	default:
		return promote.StatusPending
	}
}
