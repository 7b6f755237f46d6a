package github

import (
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

// maxAction is longer than any identifier that GitHub takes for a button.
const maxAction = 40

// check is a check run or a check suite.
type check struct {
	ID      int64  `json:"id"`
	HeadSHA string `json:"head_sha"`
	App     struct {
		ID int64 `json:"id"`
	} `json:"app"`
	PullRequests []struct {
		Number int `json:"number"`
		Base   struct {
			Repo struct {
				ID int64 `json:"id"`
			} `json:"repo"`
		} `json:"base"`
	} `json:"pull_requests"`
}

// change is the one change of this repository that a check is about; 0 when it may be several, or those of forks, which GitHub
// does not name. It does name the changes of other repositories that come from this one.
func (h webhook) change(c check) int {
	found := 0
	for _, pull := range c.PullRequests {
		base := pull.Base.Repo.ID
		switch {
		case pull.Number <= 0 || base != 0 && h.Repository.ID != 0 && base != h.Repository.ID:
		case found != 0 && found != pull.Number:
			return 0
		default:
			found = pull.Number
		}
	}
	return found
}

// checkRun reports a check run that ended, that is asked for once more, or a button that was pressed on it. What the App whose
// webhook this is has ended itself is no news to it.
func (h webhook) checkRun(app int64, delivery string) (promote.Event, error) {
	switch h.Action {
	case "completed":
		return h.ended(h.CheckRun, app)
	case "rerequested":
		return promote.Event{Kind: promote.EventStatus, Change: h.change(h.CheckRun)}, nil
	case "requested_action":
		return h.pressed(delivery)
	}
	return promote.Event{}, forge.Ignored("the check run goes on")
}

// checkSuite reports the same of all check runs of a commit.
func (h webhook) checkSuite(app int64) (promote.Event, error) {
	switch h.Action {
	case "completed":
		return h.ended(h.CheckSuite, app)
	case "rerequested":
		return promote.Event{Kind: promote.EventStatus, Change: h.change(h.CheckSuite)}, nil
	}
	return promote.Event{}, forge.Ignored("a push says the same")
}

func (h webhook) ended(c check, app int64) (promote.Event, error) {
	if app != 0 && c.App.ID == app {
		return promote.Event{}, forge.Ignored("ended by this App itself")
	}
	return promote.Event{Kind: promote.EventStatus, Change: h.change(c)}, nil
}

// pressed reports a button of a check run as the command of that name, on the commit that the check run judges.
func (h webhook) pressed(delivery string) (promote.Event, error) {
	action, change := h.RequestedAction.Identifier, h.change(h.CheckRun)
	reason := ""
	switch {
	case h.Sender.program():
		reason = "pressed by a program"
	case action == "" || len(action) > maxAction || strings.ContainsFunc(strings.ReplaceAll(action, " ", ""), unprintable):
		reason = "the button is not named"
	case h.CheckRun.ID <= 0 || change == 0 || h.Sender.ID <= 0:
		reason = "the check run, its one pull request or who pressed is not named"
	}
	if reason != "" {
		return promote.Event{}, forge.Ignored(reason)
	}
	return promote.Event{Kind: promote.EventComment, Change: change, Comment: promote.Comment{
		ID:       pressing(h.CheckRun.ID, delivery),
		Change:   change,
		Head:     forge.ObjectName(h.CheckRun.HeadSHA),
		AuthorID: h.Sender.ID,
		Author:   h.Sender.Login,
		Body:     "/" + action,
		Action:   action,
	}}, nil
}

// pressing numbers one pressing of a button: the same in each attempt at its delivery, and above the numbers of comments.
func pressing(run int64, delivery string) int {
	sum := fnv.New64a()
	sum.Write([]byte(strconv.FormatInt(run, 10) + "/" + delivery)) // A hash never fails to write.
	const top = 1 << 52
	return int(top | sum.Sum64()&(top-1)) // No more than what JSON keeps exact.
}
