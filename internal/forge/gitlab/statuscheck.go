package gitlab

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	gl "github.com/xanzy/go-gitlab"

	"github.com/lockkeeper/lockkeeper/promote"
)

// checkLast is how long it is believed that the external status check is there, is not, or cannot be answered.
const checkLast = time.Hour

// externalCheck is what is known of the external status check that is configured.
type externalCheck struct {
	id  int       // 0: it is not there
	at  time.Time // when that was found out; zero: never
	off bool      // it could not be answered, which was said
}

// respond answers the external status check for the head of a change (https://docs.gitlab.com/api/status_checks/). Where the
// project's plan has no such checks that is said once, and nothing depends on it: the commit status gates as well. GitLab itself
// takes a check that is pending for two minutes for failed, until it is answered again.
func (f *Forge) respond(ctx context.Context, posted promote.PostStatus) error {
	if f.check == "" || posted.Change == 0 || posted.Branch == "" {
		return nil
	}
	check, err := f.externalCheck(ctx)
	if err != nil || check.id == 0 {
		return err
	}
	var answered struct{}
	_, err = f.send(ctx, request{
		priority: statusPriority,
		name:     "answer status check",
		subject:  strconv.Quote(f.check) + " of change " + strconv.Itoa(posted.Change),
		method:   http.MethodPost,
		path:     f.changePath(posted.Change) + "/status_check_responses",
		options:  checkResponse{SHA: string(posted.Head), Check: check.id, Status: checkWord(posted.Status.State)},
	}, &answered)
	switch {
	case errors.Is(err, promote.ErrConflict):
		return apiError(err).Meaning(promote.ErrStale)
	case errors.Is(err, promote.ErrNotFound): // it was deleted: look for it again with the next status
		f.mu.Lock()
		defer f.mu.Unlock()
		f.checkFound = externalCheck{}
		return nil
	}
	return f.checkRefused(ctx, err)
}

// checkResponse is the body of an answer; the library's lacks the status.
type checkResponse struct {
	SHA    string `json:"sha"`
	Check  int    `json:"external_status_check_id"`
	Status string `json:"status"`
}

func checkWord(state promote.StatusState) string {
	switch state {
	case promote.StatusSuccess:
		return "passed"
	case promote.StatusFailed:
		return "failed"
	case promote.StatusPending:
	}
	return "pending"
}

// externalCheck finds the check by its name.
func (f *Forge) externalCheck(ctx context.Context) (externalCheck, error) {
	f.mu.Lock()
	known := f.checkFound
	f.mu.Unlock()
	if !known.at.IsZero() && f.now().Sub(known.at) < checkLast {
		return known, nil
	}
	type named struct {
		ID   int    `json:"id"`
		Name string `json:"name"`
	}
	all, err := list[named](ctx, f, request{name: "list status checks", path: f.base + "/external_status_checks"},
		func(page gl.ListOptions) any { return &page })
	if err != nil {
		return externalCheck{}, f.checkRefused(ctx, err)
	}
	found := externalCheck{at: f.now()}
	for _, one := range all {
		if one.Name == f.check {
			found.id = one.ID
		}
	}
	if found.id == 0 {
		f.wire.Logger.WarnContext(ctx, "gitlab: the project has no external status check of that name", "name", f.check,
			"remedy", "create it under Settings > Merge requests > Status checks")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.checkFound = found
	return found, nil
}

// checkRefused tells what the plan does not have from what went wrong. GitLab answers 401, 403 or 404 for the former.
func (f *Forge) checkRefused(ctx context.Context, err error) error {
	api := apiError(err)
	if api == nil {
		return err
	}
	switch api.Status {
	case http.StatusUnauthorized:
		if _, bad := f.askSelf(ctx); bad != nil {
			return err
		}
	case http.StatusForbidden, http.StatusNotFound:
	default:
		return err
	}
	f.mu.Lock()
	said := f.checkFound.off
	f.checkFound = externalCheck{at: f.now(), off: true}
	f.mu.Unlock()
	if !said {
		f.wire.Logger.WarnContext(ctx, "gitlab: external status checks cannot be answered in this project; the commit status alone gates", "name", f.check,
			"error", err, "remedy", "they need GitLab Ultimate, and the token's user the role Developer")
	}
	return nil
}

// apiError is the refusal in an error, nil when there is none.
func apiError(err error) *promote.APIError {
	api, _ := errors.AsType[*promote.APIError](err)
	return api
}
