package gitlab

import (
	"context"
	"strconv"
	"time"

	gl "github.com/xanzy/go-gitlab"

	"github.com/lockkeeper/lockkeeper/promote"
)

// The system notes by which GitLab tells of approvals (lib/system_notes/merge_requests_service.rb: they are not translated).
const (
	textApproved   = "approved this merge request"
	textUnapproved = "unapproved this merge request"
)

// Approvals returns the approvals of a change that were given on GitLab itself. GitLab says who approved and in newer versions when,
// but never what; and it takes approvals away with new commits only where that is switched on, which not every edition can. So each
// is of the head that was there when it was given. That costs a second request where somebody approved, and a third in older versions
// where the head has moved.
func (f *Forge) Approvals(ctx context.Context, number int) (promote.ChangeApprovals, error) {
	var found struct {
		ApprovedBy []approval `json:"approved_by"`
	}
	_, err := f.get(ctx, request{name: "read approvals", subject: strconv.Itoa(number), path: f.changePath(number) + "/approvals"}, &found)
	if err != nil || len(found.ApprovedBy) == 0 {
		return promote.ChangeApprovals{}, err
	}
	pushed, err := f.pushed(ctx, number)
	if err != nil {
		return promote.ChangeApprovals{}, err
	}
	given := promote.ChangeApprovals{Head: pushed.head()}
	var told map[string]time.Time
	for _, one := range found.ApprovedBy {
		name := one.User.name()
		if name == "" {
			continue
		}
		if one.ApprovedAt.IsZero() && told == nil && !pushed.still() {
			if told, err = f.approvedAt(ctx, number); err != nil {
				return promote.ChangeApprovals{}, err
			}
		}
		if one.ApprovedAt.IsZero() {
			one.ApprovedAt.Time = told[name]
		}
		given.Given = append(given.Given, promote.ChangeApproval{By: name, Head: pushed.at(one.ApprovedAt.Time)})
	}
	return given, nil
}

// An approval is one of the approvals of a merge request.
type approval struct {
	User       *user `json:"user"`
	ApprovedAt stamp `json:"approved_at"` // only in newer versions
}

// A version is what a merge request became by one push.
type version struct {
	Head      string `json:"head_commit_sha"`
	CreatedAt stamp  `json:"created_at"`
}

// pushes are the versions of a merge request, newest first. GitLab keeps all of them; no more than 100 are looked at.
type pushes struct {
	versions []version
	whole    bool // there were no more
}

func (f *Forge) pushed(ctx context.Context, number int) (pushes, error) {
	var found []version
	_, err := f.get(ctx, request{
		name: "list versions", subject: "of change " + strconv.Itoa(number), path: f.changePath(number) + "/versions",
		options: &gl.GetMergeRequestDiffVersionsOptions{PerPage: perPage},
	}, &found)
	return pushes{versions: found, whole: len(found) < perPage}, err
}

func (p pushes) head() promote.Commit {
	if len(p.versions) == 0 {
		return ""
	}
	return promote.Commit(p.versions[0].Head)
}

// still reports whether the head never moved.
func (p pushes) still() bool {
	for _, v := range p.versions {
		if v.Head != p.versions[0].Head {
			return false
		}
	}
	return p.whole
}

// at returns the head that was there at a time; empty when that cannot be told. A push at the very time comes after it.
func (p pushes) at(t time.Time) promote.Commit {
	if p.still() {
		return p.head()
	}
	for _, v := range p.versions {
		if v.CreatedAt.IsZero() || t.IsZero() {
			return ""
		}
		if v.CreatedAt.Before(t) {
			return promote.Commit(v.Head)
		}
	}
	return ""
}

// approvedAt returns when people approved a change last, by the newest of its notes.
func (f *Forge) approvedAt(ctx context.Context, number int) (map[string]time.Time, error) {
	var newest []note
	_, err := f.get(ctx, request{
		name: "list notes", subject: "of change " + strconv.Itoa(number), path: f.changePath(number) + "/notes",
		options: &gl.ListMergeRequestNotesOptions{
			ListOptions: gl.ListOptions{PerPage: perPage}, OrderBy: new("created_at"), Sort: new("desc"),
		},
	}, &newest)
	at := map[string]time.Time{}
	for _, n := range newest {
		if _, known := at[n.Author.Username]; known || !n.System {
			continue
		}
		switch n.Body {
		case textApproved:
			at[n.Author.Username] = n.CreatedAt.Time
		case textUnapproved:
			at[n.Author.Username] = time.Time{}
		}
	}
	return at, err
}
