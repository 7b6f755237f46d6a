package gitlab

import (
	"cmp"
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

const recentChanges = 20

// OpenChanges returns the open changes that carry promote.ChangeLabel, newest first. Up to 100 of them take one request.
func (f *Forge) OpenChanges(ctx context.Context) ([]promote.Change, error) {
	found, err := list[mergeRequest](ctx, f, request{name: "list open changes", path: f.base + "/merge_requests"},
		func(page gl.ListOptions) any {
			return &gl.ListProjectMergeRequestsOptions{
				ListOptions: page,
				State:       new("opened"),
				Labels:      &gl.LabelOptions{promote.ChangeLabel},
				OrderBy:     new("created_at"),
				Sort:        new("desc"),
				// Without it a merge request that nobody looks at stays "unchecked".
				WithMergeStatusRecheck: new(true),
			}
		})
	return f.changes(found), err
}

// ChangesFrom returns the 20 newest changes from branch, in any state, newest first, by one request. Changes from a branch of
// that name in another repository are among them, marked as forks.
func (f *Forge) ChangesFrom(ctx context.Context, branch promote.Branch) ([]promote.Change, error) {
	var found []mergeRequest
	_, err := f.get(ctx, request{
		name:    "list changes",
		subject: "from " + strconv.Quote(string(branch)),
		path:    f.base + "/merge_requests",
		options: &gl.ListProjectMergeRequestsOptions{
			ListOptions:  gl.ListOptions{PerPage: recentChanges},
			State:        new("all"),
			SourceBranch: new(string(branch)),
			OrderBy:      new("created_at"),
			Sort:         new("desc"),
		},
	}, &found)
	return f.changes(found), err
}

// Change returns one change. The error wraps promote.ErrNotFound when there is none of that number.
func (f *Forge) Change(ctx context.Context, number int) (promote.Change, error) {
	found, err := f.mergeRequest(ctx, number)
	return f.change(found), err
}

func (f *Forge) mergeRequest(ctx context.Context, number int) (mergeRequest, error) {
	var found mergeRequest
	_, err := f.get(ctx, request{name: "read change", subject: strconv.Itoa(number), path: f.changePath(number)}, &found)
	return found, err
}

func (f *Forge) changePath(number int) string {
	return f.base + "/merge_requests/" + strconv.Itoa(number)
}

// Update replaces the title and the description of a change.
func (f *Forge) Update(ctx context.Context, number int, edit promote.ChangeEdit) error {
	_, err := f.update(ctx, number, edit, nil)
	return err
}

func (f *Forge) update(ctx context.Context, number int, edit promote.ChangeEdit, add []string) (mergeRequest, error) {
	options := &gl.UpdateMergeRequestOptions{Description: new(markdown(edit.Description)), AddLabels: labels(add)}
	if edit.Title != "" {
		options.Title = new(forge.CutRunes(edit.Title, maxTitle))
	}
	var updated mergeRequest
	_, err := f.send(ctx, request{
		name:    "update change",
		subject: strconv.Itoa(number),
		method:  http.MethodPut,
		path:    f.changePath(number),
		options: options,
	}, &updated)
	return updated, err
}

// Close closes a change without merging it. One that is closed already is a success. GitLab passes over the order when the
// change was merged in the meantime: the error wraps promote.ErrStale then.
func (f *Forge) Close(ctx context.Context, number int) error {
	var closed mergeRequest
	_, err := f.send(ctx, request{
		name:    "close change",
		subject: strconv.Itoa(number),
		method:  http.MethodPut,
		path:    f.changePath(number),
		options: &gl.UpdateMergeRequestOptions{StateEvent: new("close")},
	}, &closed)
	if err != nil && (errors.Is(err, promote.ErrInvalid) || errors.Is(err, promote.ErrConflict) || forge.InDoubt(ctx, err)) {
		if now, lookup := f.mergeRequest(ctx, number); lookup == nil && now.State != "opened" {
			closed, err = now, nil
		}
	}
	if err == nil && closed.State != "closed" {
		return fmt.Errorf("gitlab: close change %d: it is %q: %w", number, closed.State, promote.ErrStale)
	}
	return err
}

// mergeRequest is what we read of GitLab's merge request. It is less than the library's type, so that less can change under it.
type mergeRequest struct {
	IID             int      `json:"iid"`
	WebURL          string   `json:"web_url"`
	State           string   `json:"state"`
	Title           string   `json:"title"`
	Description     string   `json:"description"`
	Labels          []string `json:"labels"`
	Draft           bool     `json:"draft"`
	WorkInProgress  bool     `json:"work_in_progress"` // before 14.8
	SourceBranch    string   `json:"source_branch"`
	TargetBranch    string   `json:"target_branch"`
	SourceProjectID int      `json:"source_project_id"` // null when the fork is gone
	TargetProjectID int      `json:"target_project_id"`
	SHA             string   `json:"sha"`
	MergeCommitSHA  string   `json:"merge_commit_sha"`
	SquashCommitSHA string   `json:"squash_commit_sha"`
	DetailedStatus  string   `json:"detailed_merge_status"`
	Author          *user    `json:"author"`
	MergeUser       *user    `json:"merge_user"`
	MergedBy        *user    `json:"merged_by"` // deprecated in favour of merge_user
	ClosedBy        *user    `json:"closed_by"`
	UpdatedAt       stamp    `json:"updated_at"`
	Queued          bool     `json:"merge_when_pipeline_succeeds"` // by whatever strategy of auto-merge, also on a train
	UserNotes       int      `json:"user_notes_count"`             // also those in discussions, of which it says nothing unless they block the merge
	DiffRefs        struct {
		Base  string `json:"base_sha"`
		Head  string `json:"head_sha"`
		Start string `json:"start_sha"`
	} `json:"diff_refs"`
	HeadPipeline *struct {
		ID  int    `json:"id"`
		SHA string `json:"sha"`
	} `json:"head_pipeline"`
}

func (m mergeRequest) fork() bool { return m.SourceProjectID != m.TargetProjectID }

// change is a merge request in neutral words. Whether one that GitLab merges by itself is on a train is told by the settings as
// last read: that costs no request.
func (f *Forge) change(m mergeRequest) promote.Change {
	change := m.change()
	if change.State == promote.ChangeOpen && change.Head != "" {
		f.seen(change.Head, change.Number)
	}
	change.Unheard = f.unheard(change, m.DetailedStatus)
	if change.State == promote.ChangeOpen && m.Queued {
		f.mu.Lock()
		defer f.mu.Unlock()
		change.Mergeability = queued(change.Mergeability, f.settings.MergeTrains)
	}
	return change
}

func (m mergeRequest) change() promote.Change {
	change := promote.Change{
		Number:       m.IID,
		URL:          m.WebURL,
		Branch:       promote.Branch(m.SourceBranch),
		Target:       promote.Branch(m.TargetBranch),
		Head:         promote.Commit(m.SHA),
		Draft:        m.Draft || m.WorkInProgress,
		Fork:         m.fork(),
		Title:        m.Title,
		Description:  m.Description,
		Labels:       m.Labels,
		Author:       m.Author.name(),
		UpdatedAt:    m.UpdatedAt.Time,
		Unresolved:   m.UserNotes > 0,
		Mergeability: mergeability(m.DetailedStatus),
	}
	switch m.State {
	case "merged":
		change.State = promote.ChangeMerged
		change.Merged = m.merged()
		change.MergedBy = cmp.Or(m.MergeUser.name(), m.MergedBy.name())
	case "closed":
		change.State = promote.ChangeClosed
		change.ClosedBy = m.ClosedBy.name()
	case "locked": // between the order to merge and the merge
		change.Mergeability = promote.Mergeability{Merge: promote.MergeChecking, Reason: m.State}
	}
	if change.State != promote.ChangeOpen {
		// GitLab goes on saying "mergeable" of what is merged.
		change.Mergeability = mergeability("not_open")
	}
	return change
}

// merged is what the target branch got: a merge commit, the squashed commit that it was fast-forwarded to, or the head.
func (m mergeRequest) merged() promote.Commit {
	return promote.Commit(cmp.Or(m.MergeCommitSHA, m.SquashCommitSHA, m.SHA))
}

func (f *Forge) changes(found []mergeRequest) []promote.Change {
	var out []promote.Change
	for _, m := range found {
		out = append(out, f.change(m))
	}
	return out
}

// A stamp is a time in one of the several ways that GitLab writes it. One that cannot be read is the zero time: no answer is
// worth losing for it.
type stamp struct{ time.Time }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (s *stamp) UnmarshalJSON(data []byte) error {
	s.Time = time.Time{}
	text, _ := strconv.Unquote(string(data)) // empty for null and whatever else is no time
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05 MST", "2006-01-02 15:04:05 -0700", time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			s.Time = at.UTC()
			return nil
		}
	}
	return nil
}
