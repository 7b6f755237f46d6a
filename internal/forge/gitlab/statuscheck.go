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

// checkLast is how long it is believed that the external status check is there, is not, or cannot be answered, and what it says of a
// head.
const checkLast = 10 * time.Minute

// externalCheck is what is known of the external status check that is configured.
type externalCheck struct {
	id   int       // 0: it is not there, or cannot be answered
	at   time.Time // when that was found out; zero: never
	said bool      // that it is not there, or cannot be answered
}

// A checkAnswer is what the external status check says of a head.
type checkAnswer struct {
	word   string         // "": none is wanted of us
	at     time.Time      // when that was found out; zero: never
	stands promote.Status // that was just read, without the check saying the same; zero: none
}

// respond answers the external status check for the head of a change (https://docs.gitlab.com/api/status_checks/). Where the
// project's plan has no such checks that is said once, and nothing depends on it: the commit status gates as well. GitLab itself
// takes a check that is pending for two minutes for failed, until it is answered again.
func (f *Forge) respond(ctx context.Context, posted promote.PostStatus) error {
	if f.check == "" || posted.Change == 0 || posted.Branch == "" {
		return nil
	}
	for again := true; ; again = false {
		check, err := f.externalCheck(ctx)
		if err != nil || check.id == 0 {
			return err
		}
		word := checkWord(posted.Status.State)
		var answered struct{}
		_, err = f.send(ctx, request{
			priority: statusPriority,
			name:     "answer status check",
			subject:  strconv.Quote(f.check) + " of change " + strconv.Itoa(posted.Change),
			method:   http.MethodPost,
			path:     f.changePath(posted.Change) + "/status_check_responses",
			options:  checkResponse{SHA: string(posted.Head), Check: check.id, Status: word},
		}, &answered)
		switch {
		case err == nil:
			f.noteAnswer(posted.Head, checkAnswer{word: word, at: f.now()})
			return nil
		case errors.Is(err, promote.ErrConflict):
			return apiError(err).Meaning(promote.ErrStale)
		case errors.Is(err, promote.ErrNotFound) && again: // it was deleted, and may have been made anew
			f.mu.Lock()
			f.checkFound.at = time.Time{}
			f.mu.Unlock()
			continue
		}
		return f.checkRefused(ctx, err)
	}
}

// owe notes that the external status check is to be answered for a head, and was not yet: what is done before may fail. It says
// whether the status itself is known to stand already: GitLab would add another row for it.
func (f *Forge) owe(posted promote.PostStatus) (stands bool) {
	if f.check == "" || posted.Change == 0 || posted.Branch == "" {
		return false
	}
	f.seen(posted.Head, posted.Change)
	f.mu.Lock()
	known := f.answers[posted.Head].stands
	f.mu.Unlock()
	f.noteAnswer(posted.Head, checkAnswer{})
	return known.Name == posted.Status.Name && known.State == posted.Status.State && known.Description == posted.Status.Description
}

// heard says whether the external status check of a change's head says what our status does. What is not known GitLab is asked for:
// the answer may have been refused or lost, or the check made since.
func (f *Forge) heard(ctx context.Context, head promote.Commit, status promote.Status) (bool, error) {
	word := checkWord(status.State)
	number, known := f.answerFor(head)
	if number == 0 || known.word == word || known.word == "" && !known.at.IsZero() {
		return true, nil
	}
	type verdict struct {
		Name   string `json:"name"`
		Status string `json:"status"`
	}
	all, err := list[verdict](ctx, f, request{name: "read status checks", subject: strconv.Itoa(number), path: f.changePath(number) + "/status_checks"},
		func(page gl.ListOptions) any { return &page })
	if err != nil {
		return true, f.checkRefused(ctx, err)
	}
	now := checkAnswer{at: f.now()}
	for _, one := range all {
		if one.Name != f.check {
			continue
		}
		if waited := word == checkPending && one.Status == checkFailed; one.Status != word && !waited {
			f.noteAnswer(head, checkAnswer{stands: status})
			return false, nil
		}
		now.word = word
	}
	f.noteAnswer(head, now)
	return true, nil
}

// unheard says of a change that GitLab does not let it be merged because of external status checks, and ours may be the one: what it
// says is not known, or was found out long ago.
func (f *Forge) unheard(change promote.Change, word string) bool {
	if change.State != promote.ChangeOpen || word != wordChecks {
		return false
	}
	number, known := f.answerFor(change.Head)
	return number != 0 && known.at.IsZero()
}

// answerFor is what is known of the external status check for the head of a change, and the change; 0: there is nothing to answer.
func (f *Forge) answerFor(head promote.Commit) (number int, known checkAnswer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	check, now := f.checkFound, f.now()
	if f.check == "" || check.id == 0 && fresh(check.at, now) {
		return 0, checkAnswer{}
	}
	if answer := f.answers[head]; fresh(answer.at, now) {
		known = answer
	}
	return f.heads[head], known
}

func fresh(at, now time.Time) bool { return !at.IsZero() && now.Sub(at) < checkLast }

func (f *Forge) noteAnswer(head promote.Commit, answer checkAnswer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.answers) >= maxPlaces {
		clear(f.answers)
	}
	f.answers[head] = answer
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
		return checkFailed
	case promote.StatusPending:
	}
	return checkPending
}

const (
	checkFailed  = "failed"
	checkPending = "pending"
)

// externalCheck finds the check by its name.
func (f *Forge) externalCheck(ctx context.Context) (externalCheck, error) {
	f.mu.Lock()
	known := f.checkFound
	f.mu.Unlock()
	if fresh(known.at, f.now()) {
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
	found := externalCheck{at: f.now(), said: known.said}
	for _, one := range all {
		if one.Name == f.check {
			found.id = one.ID
		}
	}
	if found.id == 0 && !known.said {
		found.said = true
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
	said := f.checkFound.said
	f.checkFound = externalCheck{at: f.now(), said: true}
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
