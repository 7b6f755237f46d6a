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

	"github.com/lockkeeper/lockkeeper/promote"
)

const (
	lockAttempts = 8
	lockWait     = 100 * time.Millisecond // doubled up to lockWaitMax
	lockWaitMax  = 2 * time.Second
	maxMoved     = 1000
)

// Status returns the newest status of that name which the token's own user posted on head. Others may post under the same name;
// GitLab keeps them apart by user.
func (f *Forge) Status(ctx context.Context, head promote.Commit, name string) (promote.Status, bool, error) {
	f.mu.Lock()
	if other, ok := f.moved[head]; ok {
		head = other
	}
	f.mu.Unlock()
	return f.status(ctx, head, name)
}

func (f *Forge) status(ctx context.Context, on promote.Commit, name string) (promote.Status, bool, error) {
	if on == "" {
		return promote.Status{}, false, fmt.Errorf("gitlab: read status %q: the commit is required: %w", name, promote.ErrInvalid)
	}
	var found []commitStatus
	_, err := f.get(ctx, request{
		name:    "read status",
		subject: fmt.Sprintf("%q of %s", name, on.Short()),
		path:    f.base + "/repository/commits/" + gl.PathEscape(string(on)) + "/statuses",
		options: &gl.GetCommitStatusesOptions{ListOptions: gl.ListOptions{PerPage: perPage, OrderBy: "id", Sort: "desc"}, Name: new(name)},
	}, &found)
	if err != nil || len(found) == 0 {
		return promote.Status{}, false, err
	}
	self, err := f.me(ctx)
	if err != nil {
		return promote.Status{}, false, err
	}
	own := slices.DeleteFunc(found, func(s commitStatus) bool { return s.Name != name || s.Author.ID != self.ID })
	if len(own) == 0 {
		return promote.Status{}, false, nil
	}
	return slices.MaxFunc(own, func(a, b commitStatus) int { return cmp.Compare(a.ID, b.ID) }).status(), true, nil
}

// PostStatus posts a status where it gates the change: on its head, or, where the project's pipelines run on merge results, in
// the change's head pipeline. Posting the same state again is a success. While GitLab holds its lock on the commit, it is tried
// again for some seconds; the error wraps promote.ErrConflict when that was not enough.
func (f *Forge) PostStatus(ctx context.Context, posted promote.PostStatus) error {
	if posted.Head == "" {
		return fmt.Errorf("gitlab: post status %q: the head is required: %w", posted.Status.Name, promote.ErrInvalid)
	}
	place, err := f.place(ctx, posted)
	if err != nil {
		return err
	}
	if place.pipeline != 0 {
		// Here Status cannot be relied on to have found it before: do not add a row each time.
		known, found, err := f.status(ctx, place.commit, posted.Status.Name)
		if err != nil {
			return err
		}
		if found && known == posted.Status {
			return nil
		}
	}
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

// A statusPlace is where a status counts.
type statusPlace struct {
	commit   promote.Commit
	pipeline int // 0: GitLab chooses the newest of the commit, or makes one
}

// place finds out where a status of a change counts. With pipelines for merge results the head pipeline is that of a temporary
// merge commit, and a status on the head itself would land in a pipeline that gates nothing.
func (f *Forge) place(ctx context.Context, posted promote.PostStatus) (statusPlace, error) {
	head := statusPlace{commit: posted.Head}
	if posted.Change == 0 {
		return head, nil
	}
	settings, err := f.known(ctx)
	if err != nil || !settings.MergedResults {
		return head, err
	}
	change, err := f.mergeRequest(ctx, posted.Change)
	if err != nil {
		return head, err
	}
	if change.SHA != string(posted.Head) {
		return head, fmt.Errorf("gitlab: post status %q: change %d is at %s instead of %s: %w",
			posted.Status.Name, posted.Change, promote.Commit(change.SHA).Short(), posted.Head.Short(), promote.ErrStale)
	}
	if change.HeadPipeline == nil || change.HeadPipeline.ID == 0 || change.HeadPipeline.SHA == change.SHA {
		return head, nil
	}
	place := statusPlace{commit: promote.Commit(change.HeadPipeline.SHA), pipeline: change.HeadPipeline.ID}
	f.remember(posted.Head, place.commit)
	return place, nil
}

func (f *Forge) remember(head, place promote.Commit) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.moved) >= maxMoved {
		clear(f.moved) // Forgetting costs one request each.
	}
	f.moved[head] = place
}

func (f *Forge) postStatus(ctx context.Context, posted promote.PostStatus, place statusPlace) error {
	status := posted.Status
	options := &gl.SetCommitStatusOptions{State: buildState(status.State), Name: new(status.Name)}
	if status.Description != "" {
		options.Description = new(cutRunes(status.Description, maxDescription))
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
		name:    "post status",
		subject: fmt.Sprintf("%q on %s", status.Name, place.commit.Short()),
		method:  http.MethodPost,
		path:    f.base + "/statuses/" + gl.PathEscape(string(place.commit)),
		options: options,
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
